"""The strips above and below: who, the recording; the stream, its age, quality, latency, and Stop.

They are the same at every step and never move. They ask for the newest state ten times a second and
wait for nothing.
"""

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from bci_app.theme import STEP_PX, font, tabular
from bci_app.widgets.quality_bars import QualityBars
from bci_app.widgets.roles import set_role
from bci_app.words import tr

if TYPE_CHECKING:
    from bci.experiment.session import Session
    from bci.experiment.snapshots import SignalsSnapshot

__all__ = ["LowerStrip", "UpperStrip"]

_UPPER_PX, _LOWER_PX = 40, 40


class _Strip(QFrame):
    def __init__(self, height_px: int, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName("strip")
        self.setFixedHeight(height_px)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(2 * STEP_PX, 0, STEP_PX, 0)
        self.row.setSpacing(3 * STEP_PX)


class UpperStrip(_Strip):
    """Who is here, and how the recording is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_UPPER_PX, parent)
        name = QLabel("Rolandic")
        name.setFont(font("body", bold=True))
        self.who = QLabel(tr("no session"))
        self.who.setProperty("role", "quiet")
        self.who.setObjectName("strip.who")
        self.recording = QLabel()
        self.recording.setFont(tabular())
        self.recording.setObjectName("strip.recording")
        self.recording.setAccessibleName(tr("Recording"))
        self.menu = QToolButton()
        self.menu.setText("☰")
        self.menu.setObjectName("strip.menu")
        self.menu.setAccessibleName(tr("Menu"))
        self.menu.setToolTip(tr("Menu (F10)"))
        self.menu.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.row.addWidget(name)
        self.row.addWidget(self.who)
        self.row.addStretch(1)
        self.row.addWidget(self.recording)
        self.row.addWidget(self.menu)

    def show_session(self, session: "Session | None") -> None:
        """Say who is here."""
        if session is None:
            self.who.setText(tr("no session"))
            return
        setup = session.setup
        classes = " / ".join(name.replace("_", " ") for name in setup.protocol.classes)
        self.who.setText(f"sub-{setup.subject} · ses-{setup.session} · {classes}")

    def show_recording(self, snapshot: "SignalsSnapshot | None") -> None:
        """Show the recording light, with time, size and the room that is left."""
        if snapshot is None or not snapshot.recording:
            self.recording.setText(tr("○ not recording"))
            set_role(self.recording, "quiet")
            return
        minutes, seconds = divmod(int(snapshot.recorded_s), 60)
        parts = [tr("● REC"), f"{minutes}:{seconds:02d}", f"{snapshot.recorded_bytes / 1e6:.1f} MB"]
        if snapshot.disk_left_h is not None:
            parts.append(tr("{hours:.0f} h left", hours=min(snapshot.disk_left_h, 999)))
        self.recording.setText("  ".join(parts))
        low = snapshot.disk_left_h is not None and snapshot.disk_left_h < 1
        set_role(self.recording, "caution" if low else "trouble")


class LowerStrip(_Strip):
    """How the stream is, and Stop."""

    stop_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_LOWER_PX, parent)
        self.stream = self._cell("strip.stream", tr("Stream"), 230)
        self.age = self._cell("strip.age", tr("Age of the newest sample"), 160)
        self.age.setToolTip(
            tr("How long ago the newest sample arrived. Decisions on old samples are withheld.")
        )
        self.bars = QualityBars()
        self.bars.setFixedWidth(130)
        self.row.addWidget(self.bars)
        self.quality = self._cell("strip.quality", tr("Electrodes"), 96)
        self.quality.setToolTip(tr("Electrodes that are good, of all: see Signals for each."))
        self.latency = self._cell("strip.latency", tr("Latency of decisions"), 190)
        self.latency.setToolTip(
            tr("From a sample's time stamp to the decision: the median of this run, and what one "
               "in a hundred exceeds (p99).")
        )  # fmt: skip
        self.row.addStretch(1)
        self.stop = QPushButton(tr("■ STOP"))
        self.stop.setObjectName("strip.stop")
        self.stop.setProperty("role", "stop")
        self.stop.setToolTip(tr("End the run that is going on (Ctrl+.). What was recorded stays."))
        self.stop.setEnabled(False)
        self.stop.clicked.connect(lambda: self.stop_requested.emit())
        self.row.addWidget(self.stop)

    def _cell(self, name: str, spoken: str, width_px: int) -> QLabel:
        label = QLabel("—")
        label.setObjectName(name)
        label.setAccessibleName(spoken)
        label.setFont(tabular(font("small")))
        label.setMinimumWidth(width_px)
        label.setProperty("role", "quiet")
        self.row.addWidget(label)
        return label

    def show_signals(self, snapshot: "SignalsSnapshot | None", *, running: bool) -> None:
        """Show how the stream is.

        Parameters
        ----------
        snapshot : SignalsSnapshot or None
        running : bool
            Whether a run is going on.
        """
        self.stop.setEnabled(running)
        if snapshot is None or snapshot.state == "none":
            self.stream.setText(tr("no amplifier"))
            set_role(self.stream, "quiet")
            for label in (self.age, self.quality):
                label.setText("—")
                set_role(label, "quiet")
            self.bars.set_qualities(())
            return
        receiving = snapshot.state == "receiving"
        sign = "✓" if receiving else "✗"
        self.stream.setText(f"{snapshot.stream} {snapshot.rate_hz:.4g} Hz {sign}")
        set_role(self.stream, "" if receiving else "trouble")
        if not receiving:
            self.age.setText(tr("signal lost: looking for it"))
            set_role(self.age, "trouble")
        elif snapshot.age_ms is not None:
            self.age.setText(tr("newest sample {ms:.0f} ms", ms=snapshot.age_ms))
            set_role(self.age, "caution" if snapshot.age_ms > 300 else "quiet")
        self.bars.set_qualities(snapshot.qualities, snapshot.labels)
        if snapshot.n_total:
            self.quality.setText(
                tr("{good}/{total} good", good=snapshot.n_good, total=snapshot.n_total)
            )
            poor = snapshot.n_good < 0.8 * snapshot.n_total
            set_role(self.quality, "caution" if poor else "quiet")

    def show_latency(self, median_ms: float | None, p99_ms: float | None) -> None:
        """Show how late decisions are; None: there are none."""
        if median_ms is None or p99_ms is None:
            self.latency.setText(tr("decision —"))
            set_role(self.latency, "quiet")
            return
        self.latency.setText(tr("decision {ms:.1f} ms, p99 {p99:.0f} ms", ms=median_ms, p99=p99_ms))
        set_role(self.latency, "caution" if p99_ms > 50 else "")
