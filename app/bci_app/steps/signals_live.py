"""Signals, connected: traces, markers, the scalp by quality, spectra."""

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from bci.errors import RolandicError
from bci.events import Marker
from bci.experiment.electrodes import Electrodes
from bci.experiment.placement import MONTAGES, Placement
from bci.experiment.session import Session
from bci.experiment.traces import TraceView
from bci.signal.display import DisplayFilter
from bci.signal.quality import advice
from bci_app.theme import STEP_PX, font, tabular
from bci_app.widgets.marker_lane import MarkerLane
from bci_app.widgets.quality_marks import quality_tip
from bci_app.widgets.scalp import ScalpView
from bci_app.widgets.spectrum import SpectrumView
from bci_app.widgets.traces import ChannelMark, TracesView
from bci_app.words import tr

__all__ = ["LivePage"]

_SCALES_UV = (5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000)
_SPANS_S = (2, 5, 10, 20, 30)
_HIGH_HZ = (None, 0.1, 0.5, 1.0, 2.0, 5.0)
_LOW_HZ = (None, 15.0, 30.0, 40.0, 70.0, 100.0)
_NOTCH_HZ = (None, 50.0, 60.0)
_LOOK_MS = 200
_FILE = "file"


class LivePage(QWidget):
    """What a connected stream shows.

    Signals
    -------
    said : str, str
        Text, level.
    """

    said = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session: Session | None = None
        self.traces = TracesView()
        self.lane = MarkerLane(self.traces)
        self.scalp = ScalpView()
        self.spectrum = SpectrumView()
        self.scale = _choice("signals.scale", tr("Scale"), _SCALES_UV, lambda v: f"{v:g} µV", 100)
        self.span = _choice("signals.span", tr("Time shown"), _SPANS_S, lambda v: f"{v:g} s", 10)
        self.highpass = _choice("signals.highpass", tr("High-pass"), _HIGH_HZ, _hertz, 0.5)
        self.lowpass = _choice("signals.lowpass", tr("Low-pass"), _LOW_HZ, _hertz, 40.0)
        self.notch = _choice("signals.notch", tr("Mains notch"), _NOTCH_HZ, _hertz, 50.0)
        self.caption = QLabel()
        self.caption.setObjectName("signals.caption")
        self.caption.setFont(font("small"))
        self.caption.setProperty("role", "quiet")
        self.good = QLabel()
        self.good.setObjectName("signals.good")
        self.good.setFont(tabular(font("body", bold=True)))
        self.todo = QLabel()
        self.todo.setObjectName("signals.todo")
        self.todo.setWordWrap(True)
        self.todo.setFont(font("small"))
        self.montage = QComboBox()
        self.montage.setObjectName("signals.montage")
        self.montage.setAccessibleName(tr("Montage"))
        self.mismatches = QLabel()
        self.mismatches.setObjectName("signals.mismatches")
        self.mismatches.setWordWrap(True)
        self.mismatches.setFont(font("small"))
        self.mismatches.setProperty("role", "caution")
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._lay_out()
        self._connect_widgets()
        self._rescale()
        self.show_electrodes(None)
        self.show_placement(Placement())

    # --- how it looks ---------------------------------------------------------------------

    def _lay_out(self) -> None:
        controls = QHBoxLayout()
        controls.setSpacing(STEP_PX)
        for text, box in (
            (tr("Scale"), self.scale),
            (tr("Time"), self.span),
            (tr("High-pass"), self.highpass),
            (tr("Low-pass"), self.lowpass),
            (tr("Notch"), self.notch),
        ):
            label = QLabel(text)
            label.setProperty("role", "quiet")
            label.setBuddy(box)
            controls.addWidget(label)
            controls.addWidget(box)
        controls.addStretch(1)
        left = QFrame()
        left.setProperty("role", "panel")
        column = QVBoxLayout(left)
        column.setContentsMargins(STEP_PX, STEP_PX, STEP_PX, STEP_PX // 2)
        column.setSpacing(STEP_PX // 2)
        column.addLayout(controls)
        column.addWidget(self.traces, 1)
        column.addWidget(self.lane)
        column.addWidget(self.caption)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setChildrenCollapsible(False)
        split.addWidget(left)
        split.addWidget(self._right())
        split.setStretchFactor(0, 1)
        split.setStretchFactor(1, 0)
        split.setSizes([760, 312])
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(split)

    def _right(self) -> QWidget:
        top = QFrame()
        top.setProperty("role", "panel")
        column = QVBoxLayout(top)
        column.setContentsMargins(STEP_PX, STEP_PX, STEP_PX, STEP_PX)
        column.setSpacing(STEP_PX // 2)
        head = QHBoxLayout()
        head.addWidget(self.good)
        head.addStretch(1)
        head.addWidget(self.montage)
        column.addLayout(head)
        column.addWidget(self.scalp, 1)
        column.addWidget(self.todo)
        column.addWidget(self.mismatches)
        below = QFrame()
        below.setProperty("role", "panel")
        spectrum = QVBoxLayout(below)
        spectrum.setContentsMargins(STEP_PX // 2, STEP_PX // 2, STEP_PX // 2, STEP_PX // 2)
        spectrum.addWidget(self.spectrum)
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.addWidget(top)
        split.addWidget(below)
        split.setSizes([370, 210])
        split.setMinimumWidth(280)
        return split

    def _connect_widgets(self) -> None:
        self.scale.currentIndexChanged.connect(self._rescale)
        for box in (self.span, self.highpass, self.lowpass, self.notch):
            box.currentIndexChanged.connect(self._refilter)
        self.traces.channel_clicked.connect(self.toggle_bad)
        self.scalp.electrode_clicked.connect(self.toggle_bad)
        self.traces.channel_pointed.connect(self._point)
        self.scalp.electrode_pointed.connect(self._point)
        self.traces.scale_wished.connect(self.change_scale)
        self.montage.activated.connect(self._montage_chosen)
        self.scale.setToolTip(tr("What a row of the traces stands for (+ and −, or the wheel)."))
        for box in (self.highpass, self.lowpass, self.notch):
            box.setToolTip(
                tr("For the eye only: recording, decoding and the measures of quality have the "
                   "signal as it comes, with filters of their own.")
            )  # fmt: skip
        self.good.setToolTip(
            tr("Electrodes that can be used, of all. Twice a second the newest two seconds are "
               "judged: flat, saturated, noisy, unlike the others, bridged, jumping, mains, "
               "muscle, drift, blinks, and impedance where the amplifier says it. Rest the mouse "
               "on an electrode for its number.")
        )  # fmt: skip
        self.montage.setToolTip(
            tr("Where the electrodes are: from the stream, where it says so, else by their names "
               "on the standard head, or a montage of your choice. Maps use it.")
        )  # fmt: skip

    # --- of a session ---------------------------------------------------------------------

    def set_session(self, session: Session | None) -> None:
        """Show a session's signals, or none."""
        self._session = session
        self.traces.set_feed(None)
        self.lane.set_markers(())
        if session is None:
            self._timer.stop()
            self.show_electrodes(None)
            self.show_placement(Placement())
            return
        mains = session.setup.mains_hz
        if mains in _NOTCH_HZ:
            self.notch.setCurrentIndex(_NOTCH_HZ.index(mains))
        self._fill_montages()
        self.lane.set_markers(tuple(session.signals.markers))
        self.show_placement(session.signals.placement)
        self.show_connection()

    def show_connection(self) -> None:
        """Follow what is connected: traces only while they are seen."""
        session = self._session
        if session is None:
            return
        part = session.signals
        if part.acquisition is None:
            self.traces.set_feed(None)
            self.show_electrodes(None)
            self.show_placement(Placement())
            self.traces.say("")
            return
        if self.isVisible():
            feed = part.show_traces(self._view())
            if feed is not self.traces.feed:
                self.traces.set_feed(feed)
        watch = part.watch
        self.show_electrodes(watch.seen if watch is not None else None)
        self.show_placement(part.placement)

    def enter(self) -> None:
        """Begin to draw: it is seen."""
        self._timer.start()
        self.show_connection()

    def leave(self) -> None:
        """Draw no more: it is hidden."""
        self._timer.stop()
        self.traces.set_feed(None)
        if self._session is not None:
            self._session.signals.end_traces()

    def add_marker(self, marker: Marker) -> None:
        """Show a marker."""
        self.lane.add(marker)

    def show_electrodes(self, seen: Electrodes | None) -> None:
        """Show how good the electrodes are."""
        bad = self._session.setup.bad_channels if self._session is not None else ()
        marks: dict[str, ChannelMark] = {}
        if seen is not None:
            for label, word, number in zip(seen.labels, seen.quality, seen.numbers, strict=True):
                marked = label in bad
                todo = advice(word, [label]) if word else ""
                tip = quality_tip(label, word, number, todo, marked=marked)
                marks[label] = ChannelMark(word, marked, tip)
        self.traces.set_marks(marks)
        self.scalp.set_marks(marks)
        mains = self._session.setup.mains_hz if self._session is not None else 50.0
        self.spectrum.set_spectra(
            seen.spectra if seen is not None else None, seen.labels if seen is not None else (),
            bad, mains,
        )  # fmt: skip
        self._tell_todo(seen, bad)

    def _tell_todo(self, seen: Electrodes | None, bad: tuple[str, ...]) -> None:
        if seen is None:
            self.good.setText(tr("Electrodes"))
            self.todo.setText("")
            return
        if seen.why_unknown:
            self.good.setText(tr("Electrodes"))
            self.todo.setText(seen.why_unknown)
            return
        usable = sum(m.grade in ("good", "care") for m in self.traces.marks.values())
        self.good.setText(tr("{good}/{total} good", good=usable, total=len(seen.labels)))
        lines = [f"<b>{word}</b>: {what}" for word, what in seen.todo[:3]]
        if len(seen.todo) > 3:
            lines.append(tr("and {n} kinds more: rest the mouse on them", n=len(seen.todo) - 3))
        if bad:
            lines.append(tr("marked bad: {names}", names=", ".join(bad)))
        self.todo.setText("<br>".join(lines) or tr("Nothing to do: all electrodes are good."))

    def show_placement(self, placement: Placement) -> None:
        """Show where the electrodes are, and what does not fit together."""
        self.scalp.set_placement(placement)
        self.mismatches.setText("<br>".join(placement.mismatches))
        self.mismatches.setVisible(bool(placement.mismatches))

    # --- what the clinician does ----------------------------------------------------------

    def toggle_bad(self, label: str) -> None:
        """Mark a channel bad, or good again."""
        session = self._session
        if session is None or label not in session.signals.eeg_channels:
            return
        marked = label in session.setup.bad_channels
        try:
            session.signals.mark_bad(label, not marked)
        except RolandicError as error:
            self.said.emit(str(error), "caution")
            return
        watch = session.signals.watch
        self.show_electrodes(watch.seen if watch is not None else None)
        self.said.emit(
            tr("{name} is used again", name=label) if marked else tr("{name} is marked bad: "
               "click it again to undo", name=label), "info",
        )  # fmt: skip

    def change_scale(self, finer: int) -> None:
        """Take the next finer (+1) or coarser (-1) scale."""
        index = self.scale.currentIndex() - finer
        self.scale.setCurrentIndex(max(0, min(self.scale.count() - 1, index)))

    def _view(self) -> TraceView:
        display = DisplayFilter(
            self.highpass.currentData(), self.lowpass.currentData(), self.notch.currentData()
        )
        return TraceView(self.traces.canvas.pixels_wide(), self.span.currentData(), display)

    def _rescale(self) -> None:
        self.traces.set_scale(self.scale.currentData())
        self._tell_caption()

    def _refilter(self) -> None:
        feed = self.traces.feed
        if feed is not None:
            feed.view = self._view()
        self._tell_caption()

    def _tell_caption(self) -> None:
        view = self._view()
        self.caption.setText(
            tr("shown: {filter} (what is recorded is not filtered) · reference as recorded · "
               "{scale:g} µV a row", filter=str(view.display), scale=self.scale.currentData())
        )  # fmt: skip

    def _point(self, label: str) -> None:
        self.traces.point(label)
        self.scalp.point(label)
        self.spectrum.set_channel(label)

    def _fill_montages(self) -> None:
        session = self._session
        if session is None:
            return
        chosen = session.setup.montage
        self.montage.clear()
        self.montage.addItem(tr("From the stream"), "")
        for name in MONTAGES:
            self.montage.addItem(name, name)
        if chosen and chosen not in MONTAGES:
            self.montage.addItem(chosen.replace("\\", "/").rsplit("/", 1)[-1], chosen)
        self.montage.addItem(tr("From a file …"), _FILE)
        self.montage.setCurrentIndex(max(0, self.montage.findData(chosen)))

    def _montage_chosen(self) -> None:
        session, montage = self._session, self.montage.currentData()
        if session is None:
            return
        if session.active is not None:
            self.said.emit(tr("A run is going on: choose the montage after it."), "caution")
            self._fill_montages()
            return
        if montage == _FILE:
            montage, _ = QFileDialog.getOpenFileName(
                self, tr("Positions of electrodes"), "",
                tr("Positions (*.elc *.sfp *.bvef *.csd *.elp *.hpts *.loc *.locs *.tsv *.xyz)"),
            )  # fmt: skip
            if not montage:
                self._fill_montages()
                return
        session.signals.choose_montage(montage)

    def follow_record(self) -> None:
        """Show what has been changed of the session."""
        session = self._session
        if session is not None and self.montage.currentData() != session.setup.montage:
            self._fill_montages()

    def _look(self) -> None:
        """Say why the traces do not move."""
        if self._session is None:
            return
        snapshot = self._session.signals.snapshot()
        moving = snapshot.state in ("receiving", "none")
        self.traces.say("" if moving else snapshot.reason)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Take the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.update()


def _hertz(value: float | None) -> str:
    return tr("off") if value is None else f"{value:g} Hz"


def _choice(
    name: str,
    spoken: str,
    values: Sequence[Any],
    words: Callable[[Any], str],
    chosen: float,
) -> QComboBox:
    """Return a box of values."""
    box = QComboBox()
    box.setObjectName(name)
    box.setAccessibleName(spoken)
    for value in values:
        box.addItem(words(value), value)
    box.setCurrentIndex(list(values).index(chosen))
    return box
