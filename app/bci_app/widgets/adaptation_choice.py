"""How the decoder goes on learning in a run, and what that has come to, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QWidget

from bci.experiment.adaptation import BY_KEY, OFF
from bci.online.teaching import learns_from_rewards
from bci_app.theme import STEP_PX
from bci_app.words import tr

__all__ = ["AdaptationChoice", "arm_words", "effect_text"]

# The stream that is looked for where rewards come over LSL and no name is set.
_STREAM = "rewards"


def arm_words(arm: str) -> tuple[str, str]:
    """Return what an arm is called, and what it does; a plugin's is called by its name."""
    said = {
        "frozen": (tr("off"), tr("The decoder stays as it was trained.")),
        "recenter": (
            tr("follow the signal"),
            tr("The decoder's reference follows the signal as electrodes dry and the person tires; "
               "it is told nothing (recentering)."),
        ),
        "pseudo": (
            tr("learn from its sure decisions"),
            tr("Follows the signal, and takes its own sure decisions to be right."),
        ),
        "supervised": (
            tr("learn from the cues"),
            tr("Follows the signal where it can, and is told the class that was cued."),
        ),
        "reward": (
            tr("learn from right and wrong"),
            tr("Is told only whether the decided class was right (softmax policy)."),
        ),
        "reward+recenter": (
            tr("follow, learn from right and wrong"),
            tr("Follows the signal, and is told only whether the decided class was right."),
        ),
        "linucb": (
            tr("try out, learn from right and wrong"),
            tr("As learning from right and wrong, but it tries out what it is unsure of (linear "
               "bandit)."),
        ),
        "linucb+recenter": (
            tr("follow, try out, right and wrong"),
            tr("Follows the signal, and tries out what it is unsure of; it is told only right and "
               "wrong."),
        ),
    }  # fmt: skip
    return said.get(arm, (arm, tr("An arm of a plug-in.")))


def effect_text(effect: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return what adaptation has come to (`FeedbackPart.effect`), and the role of that text."""
    if effect is None:
        return tr("off"), ""
    if not effect["works"]:
        return tr("failed: the decoder decides as it was trained"), "trouble"
    if effect.get("ended"):
        return tr("did worse twice: taken back, it learns no more"), "caution"
    n = int(effect.get("n") or 0)
    if not n:
        return tr("{how}: no trial to compare yet", how=arm_words(effect["arm"])[0]), ""
    adapted, frozen = 100 * float(effect["adapted"]), 100 * float(effect["frozen"])
    text = tr(
        "{adapted:.0f} % (as trained {frozen:.0f} %), lately {ahead:+.0f}, n = {n}",
        adapted=adapted, frozen=frozen, ahead=100 * float(effect["ahead"]), n=n,
    )  # fmt: skip
    if effect["reverted"]:
        text = tr("taken back {k}×; {rest}", k=effect["reverted"], rest=text)
    return text, "caution" if effect["reverted"] else ""


class AdaptationChoice(QWidget):
    """By which arm the decoder learns, and from where it knows right from wrong."""

    #: ``adapt`` or ``rewards``, and its value.
    changed = Signal(dict)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.arm = QComboBox()
        self.arm.setObjectName("online.adapts")
        self.rewards = QComboBox()
        self.rewards.setObjectName("online.rewards")
        self.rewards.setToolTip(
            tr("From where the decoder is told whether a trial was decided right: from its cue; "
               "from you, by two keys; or from a detector, such as one of error potentials, that "
               "sends 1 and 0 over LSL.")
        )  # fmt: skip
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(STEP_PX)
        grid.setVerticalSpacing(STEP_PX)
        self._rewards_label = QLabel(tr("Told by"))
        for row, (label, box) in enumerate(
            ((QLabel(tr("Adaptation")), self.arm), (self._rewards_label, self.rewards))
        ):
            label.setBuddy(box)
            box.setAccessibleName(label.text())
            box.setMinimumContentsLength(12)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            grid.addWidget(label, row, 0)
            grid.addWidget(box, row, 1)
        grid.setColumnStretch(1, 1)
        self.arm.activated.connect(lambda _: self.changed.emit({"adapt": self.arm.currentData()}))
        self.rewards.activated.connect(
            lambda _: self.changed.emit({"rewards": self.rewards.currentData()})
        )

    def show_settings(self, arms: Sequence[str], arm: str, rewards: str, wished: str) -> None:
        """Show what is set.

        Parameters
        ----------
        arms : sequence of str
            Those that the decoder has.
        arm : str
            The one that the next run has.
        rewards : str
            See `SessionSetup.rewards`.
        wished : str
            The one that is set; another than `arm` where the decoder does not have it.
        """
        with QSignalBlocker(self.arm), QSignalBlocker(self.rewards):
            self.arm.clear()
            for name in arms:
                title, about = arm_words(name)
                if name == OFF and wished != arm:
                    title = tr("off: this decoder cannot “{how}”", how=arm_words(wished)[0])
                self.arm.addItem(title, name)
                self.arm.setItemData(self.arm.count() - 1, about, Qt.ItemDataRole.ToolTipRole)
            self.arm.setCurrentIndex(max(0, self.arm.findData(arm)))
            self.rewards.clear()
            stream = rewards if rewards not in ("", BY_KEY) else _STREAM
            self.rewards.addItem(tr("the cue"), "")
            self.rewards.addItem(tr("you, by key: F8 right, F9 wrong"), BY_KEY)
            self.rewards.addItem(tr("LSL stream “{name}”", name=stream), stream)
            self.rewards.setCurrentIndex(max(0, self.rewards.findData(rewards)))
        told = learns_from_rewards(arm)
        self.rewards.setVisible(told)
        self._rewards_label.setVisible(told)
        self.arm.setToolTip(
            arm_words(arm)[1] + "\n\n"
            + tr("About this: the decoder goes on learning while it decides. A guard compares it, "
                 "trial by trial, with the decoder as it was trained, and takes it back when that "
                 "does better. A run without cues has no trials: there it follows the signal, and "
                 "learns nothing more. Every change is in the event log, and is replayed.")
        )  # fmt: skip
