"""Decoders to tick, in groups; those that cannot be used with the reason and what mends it."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from bci.experiment.decoder_choices import GROUPS, DecoderChoice
from bci_app.theme import STEP_PX, font
from bci_app.words import tr

__all__ = ["DecoderList", "decoder_words"]


def decoder_words(name: str) -> str:
    """Return what a decoder does in plain words; empty: its own summary says it."""
    return {
        "csp-lda": tr("Spatial filters whose power differs between the classes."),
        "psd-lda": tr("Power in a few frequency bands at a few electrodes."),
        "psd-lr": tr("Power in a few bands and electrodes; logistic regression."),
        "fc-lda": tr("How strongly electrodes are connected in a few bands."),
        "psd+fc-lda": tr("Band power and connectivity together."),
        "mdm": tr("Distance of covariances to the mean of each class."),
        "fgmdm": tr("The same after a geodesic filter."),
        "ts-lr": tr("Covariances mapped to a plane; logistic regression."),
        "ts-svm": tr("Covariances mapped to a plane; support vectors."),
        "acm-svm": tr("Covariances with delays, averaged; support vectors."),
        "acm-lr": tr("Covariances with delays, order 3; logistic regression."),
        "acm-mdm": tr("Covariances with delays; distance to the class means."),
        "acm-fgmdm": tr("The same after a geodesic filter."),
        "bt-acm": tr("Covariances with delays, seen as block-Toeplitz."),
        "combined": tr("Band power and covariances: their mean evidence."),
        "acm-search": tr("Searches order and lag of the delays; takes longer."),
    }.get(name, "")


class DecoderList(QScrollArea):
    """A list of check boxes."""

    #: What is ticked has changed.
    ticked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._boxes: dict[str, QCheckBox] = {}
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.viewport().setAutoFillBackground(False)
        self.setAccessibleName(tr("Decoders to compare"))
        self.show_choices((), ())

    def show_choices(self, choices: Sequence[DecoderChoice], ticked: Sequence[str]) -> None:
        """Show decoders; those named are ticked.

        Parameters
        ----------
        choices : sequence of DecoderChoice
            Empty: they are being looked up.
        ticked : sequence of str
        """
        self._boxes = {}
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, STEP_PX, 0)
        column.setSpacing(2)
        if not choices:
            column.addWidget(_quiet(tr("Decoders are being looked up …")))
        titles = {
            "features": tr("Features"),
            "riemannian": tr("Riemannian"),
            "augmented": tr("Augmented covariance"),
            "together": tr("Several together"),
            "plugins": tr("Plugins"),
        }
        for group in GROUPS:
            members = [choice for choice in choices if choice.group == group]
            if not members:
                continue
            heading = QLabel(titles[group])
            heading.setFont(font("small", bold=True))
            heading.setContentsMargins(0, 6 if column.count() else 0, 0, 0)
            column.addWidget(heading)
            for choice in members:
                self._add(column, choice, choice.name in ticked)
        column.addStretch(1)
        self.setWidget(inner)
        # `setWidget` makes it paint a background: the panel's shows through instead.
        inner.setAutoFillBackground(False)

    def _add(self, column: QVBoxLayout, choice: DecoderChoice, ticked: bool) -> None:
        box = QCheckBox(choice.name)
        box.setObjectName(f"decoder-{choice.name}")
        box.setAccessibleName(tr("decoder {name}", name=choice.name))
        words = decoder_words(choice.name) or choice.summary
        box.setToolTip("\n".join(dict.fromkeys([words, choice.summary])))
        column.addWidget(box)
        if choice.reason:
            box.setEnabled(False)
            note = _quiet(tr("not usable: {why}", why=choice.reason))
            # So that the line that installs what is missing can be copied.
            note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            column.addWidget(note)
            return
        box.setChecked(ticked)
        box.toggled.connect(lambda _: self.ticked.emit())
        self._boxes[choice.name] = box

    @property
    def found(self) -> bool:
        """Whether there are decoders that can be ticked."""
        return bool(self._boxes)

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are ticked, in their order."""
        return tuple(name for name, box in self._boxes.items() if box.isChecked())

    def box(self, name: str) -> QCheckBox:
        """Return the check box of a decoder that can be used; KeyError when there is none."""
        return self._boxes[name]


def _quiet(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "quiet")
    label.setFont(font("small"))
    label.setWordWrap(True)
    label.setContentsMargins(22, 0, 0, 2)
    return label
