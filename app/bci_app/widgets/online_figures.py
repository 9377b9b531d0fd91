"""The figures of an online run: age of the newest sample, latency, what was withheld, alarms."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFormLayout, QLabel, QSizePolicy, QWidget

from bci.experiment.feedback import LatencyNow
from bci.experiment.online_account import OnlineAccount
from bci_app.theme import STEP_PX, tabular
from bci_app.widgets.adaptation_choice import effect_text
from bci_app.widgets.reasons import reason_text
from bci_app.widgets.roles import set_role
from bci_app.words import tr

__all__ = ["OnlineFigures", "alarms_text", "latency_text", "withheld_text"]

_NAMED = 2
_OLD_MS, _SLOW_MS = 300.0, 50.0


def latency_text(latency: LatencyNow) -> str:
    """Return how late decisions are: median and p99; to the screen, where that was noted."""
    if latency.median_ms is None or latency.p99_ms is None:
        return "—"
    text = tr("{ms:.1f} ms, p99 {p99:.1f} ms", ms=latency.median_ms, p99=latency.p99_ms)
    if latency.screen_median_ms is not None:
        text += tr("; screen {ms:.0f} ms", ms=latency.screen_median_ms)
    return text


def withheld_text(account: OnlineAccount) -> str:
    """Return how many decisions feedback did not show, and why."""
    if not account.n_decisions:
        return "—"
    line = tr("{k} of {n} decisions", k=account.n_withheld, n=account.n_decisions)
    return f"{line}: {_most(account.withheld)}" if account.withheld else line


def _most(withheld: Mapping[str, int]) -> str:
    counts: dict[str, int] = {}
    for reason, n in withheld.items():
        counts[reason_text(reason)] = counts.get(reason_text(reason), 0) + n
    most = sorted(counts.items(), key=lambda item: -item[1])
    said = ", ".join(f"{reason} {n}" for reason, n in most[:_NAMED])
    return said + (", …" if len(most) > _NAMED else "")


def alarms_text(account: OnlineAccount) -> str:
    """Return how many commands came in the rest, and how often that is."""
    alarms = account.alarms
    if alarms.per_min is None:
        return tr("no rest yet")
    rate = alarms.per_min
    return tr(
        "{n} in {s:.0f} s of rest: {rate:.1f} a minute ({low:.1f} to {high:.1f})",
        n=alarms.n, s=alarms.rest_s, rate=rate.mean, low=rate.low, high=rate.high,
    )  # fmt: skip


class OnlineFigures(QWidget):
    """A few figures, one a line, always there."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._about: dict[str, str] = {}
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(STEP_PX // 2)
        form.setHorizontalSpacing(2 * STEP_PX)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        self.age = self._row(form, "age", tr("Newest sample"),
            tr("How long ago the newest sample arrived. When it is too old, feedback is "
               "withheld."))  # fmt: skip
        self.latency = self._row(form, "latency", tr("Latency"),
            tr("From a sample's time stamp to the decision on it: the median, and what one in a "
               "hundred exceeds (p99). On the screen: to the frame's being handed to the screen; "
               "the screen itself adds one to three frames."))  # fmt: skip
        self.withheld = self._row(form, "withheld", tr("Withheld"),
            tr("Decisions that the patient was not shown: samples were missing, late, or an "
               "electrode was disturbed."))  # fmt: skip
        self.alarms = self._row(form, "alarms", tr("False alarms"),
            tr("Commands while the person rested: between trials, or in a free run where you said "
               "so. In brackets the 95 % interval of the rate."))  # fmt: skip
        self.adaptation = self._row(form, "adaptation", tr("Adaptation"),
            tr("About this: what learning in the run has come to: the share of trials that were "
               "decided right, and, in brackets, of those that the decoder as it was trained would "
               "have decided right: it decides the same trials in the shadow. Lately is the "
               "difference of the two in points, over twenty trials or so. When the trained "
               "decoder does clearly better, what was learned is taken back. n is the number of "
               "trials whose outcome is known: of a few trials any difference is "
               "chance."))  # fmt: skip
        self.moved = self._row(form, "moved", tr("Reference"),
            tr("How far adaptation has moved the decoder's reference since the run began: "
               "1 dB is a change of the signal's power by a quarter."))  # fmt: skip

    def _row(self, form: QFormLayout, name: str, title: str, tip: str) -> QLabel:
        value = QLabel("—")
        value.setObjectName(f"online.{name}")
        value.setAccessibleName(title)
        value.setFont(tabular())
        value.setToolTip(tip)
        self._about[value.objectName()] = tip
        # A longer text is cut, and does not make the window wider; the tool tip has it whole.
        value.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        value.setMinimumWidth(80)
        label = QLabel(title)
        label.setProperty("role", "quiet")
        label.setToolTip(tip)
        form.addRow(label, value)
        return value

    def show_age(self, age_s: float | None) -> None:
        """Show how old the newest sample is."""
        if age_s is None:
            self.age.setText(tr("no amplifier"))
            return
        ms = 1e3 * age_s
        old = ms > _OLD_MS
        self.age.setText(tr("{ms:.0f} ms old", ms=ms) + (tr(": too old") if old else ""))
        set_role(self.age, "trouble" if old else "")

    def _show(self, label: QLabel, text: str) -> None:
        """Show a text as far as there is room; the tool tip has all of it."""
        label.setAccessibleDescription(text)
        room = max(label.width(), label.minimumWidth())
        shown = label.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room)
        label.setText(shown)
        about = self._about[label.objectName()]
        label.setToolTip(about if shown == text else f"{text}\n\n{about}")

    def show_figures(
        self,
        latency: LatencyNow,
        account: OnlineAccount,
        moved_db: float | None,
        effect: Mapping[str, Any] | None,
    ) -> None:
        """Show how the run is; `effect` is `FeedbackPart.effect`."""
        self._show(self.latency, latency_text(latency))
        slow = latency.p99_ms is not None and latency.p99_ms > _SLOW_MS
        set_role(self.latency, "caution" if slow else "")
        self._show(self.withheld, withheld_text(account))
        set_role(self.withheld, "caution" if account.n_withheld else "")
        self._show(self.alarms, alarms_text(account))
        text, role = effect_text(effect)
        self._show(self.adaptation, text)
        set_role(self.adaptation, role)
        self.moved.setText(
            tr("stays where training put it") if moved_db is None
            else tr("moved by {db:.2f} dB", db=moved_db)
        )  # fmt: skip
