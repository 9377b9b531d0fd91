"""The streams on the network, with the simulated person beside them; it follows by itself."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from bci.experiment.searching import FoundEntry
from bci_app.theme import font, tokens
from bci_app.words import tr

__all__ = ["SIMULATED", "StreamList"]

#: Key of the row of the simulated person.
SIMULATED = "simulated person"


class StreamList(QTableWidget):
    """A row for each stream; what cannot be an amplifier is quiet, with the reason.

    Signals
    -------
    chosen_changed : ()
        Another row is chosen, or none.
    wished : ()
        The chosen row was activated: connect it.
    """

    chosen_changed = Signal()
    wished = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        heads = [tr("Name"), tr("Type"), tr("Channels"), tr("Rate"), tr("Host"), ""]
        super().__init__(0, len(heads), parent)
        self.setObjectName("signals.streams")
        self.setAccessibleName(tr("Streams"))
        self.setHorizontalHeaderLabels(heads)
        self.verticalHeader().hide()
        self.setShowGrid(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.entries: dict[str, FoundEntry | None] = {}
        self._keys: list[str] = []
        #: What was chosen without being asked: something better may take its place.
        self._proposed = ""
        self._shown: tuple[Sequence[FoundEntry], str, str] = ((), "", "")
        self.itemSelectionChanged.connect(self.chosen_changed)
        self.itemActivated.connect(lambda _: self.wished.emit())

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for eight streams."""
        return QSize(520, 260)

    @property
    def chosen(self) -> str | None:
        """Key of the chosen row: the stream's id, or `SIMULATED`; None: none is chosen."""
        rows = self.selectionModel().selectedRows()
        return self._keys[rows[0].row()] if rows else None

    @property
    def chosen_entry(self) -> FoundEntry | None:
        """The chosen stream; None: none, or the simulated person."""
        return self.entries.get(self.chosen or "")

    def choose(self, key: str) -> None:
        """Choose a row, where it is there."""
        if key in self._keys:
            self.selectRow(self._keys.index(key))

    def set_entries(
        self, found: Sequence[FoundEntry], *, connected: str = "", last: str = ""
    ) -> None:
        """Show these streams; what was chosen stays so.

        Parameters
        ----------
        found : sequence of FoundEntry
        connected : str
            Source id of the one that is connected, or `SIMULATED`.
        last : str
            Source id of the one that was connected in the session before.
        """
        self._shown = (found, connected, last)
        before = self.chosen
        usable = [e for e in found if not e.why_not]
        others = [e for e in found if e.why_not]
        rows: list[tuple[str, FoundEntry | None]] = [(_key(e), e) for e in usable]
        rows += [(SIMULATED, None), *((_key(e), e) for e in others)]
        self.blockSignals(True)
        self.setRowCount(len(rows))
        self._keys = [key for key, _ in rows]
        self.entries = dict(rows)
        for row, (key, entry) in enumerate(rows):
            self._fill(row, key, entry, connected, last)
        self.clearSelection()
        self.blockSignals(False)
        by_id = {e.source_id: _key(e) for e in usable if e.source_id}
        by_hand = before if before != self._proposed else None
        best = (connected, by_id.get(connected), by_id.get(last), *(_key(e) for e in usable[:1]))
        for wanted in (by_hand, *best, SIMULATED):
            if wanted and wanted in self._keys:
                self.choose(wanted)
                self._proposed = "" if wanted == by_hand else wanted
                break
        if self.chosen != before:
            self.chosen_changed.emit()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Take the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._keys:
            found, connected, last = self._shown
            self.set_entries(found, connected=connected, last=last)

    def _fill(
        self, row: int, key: str, entry: FoundEntry | None, connected: str, last: str
    ) -> None:
        if entry is None:
            cells = [tr("Simulated person"), "EEG", "22", "250 Hz", tr("this machine"), ""]
            tip = tr("An amplifier and a person that this program simulates: to try, to show, to "
                     "learn. The person imagines what the cues say.")  # fmt: skip
        else:
            rate = f"{entry.rate_hz:g} Hz" if entry.rate_hz else tr("irregular")
            cells = [entry.name, entry.kind, str(entry.n_channels), rate, entry.host, ""]
            tip = entry.why_not or tr("source id {id}, {dtype}", id=entry.source_id or "—",
                                      dtype=entry.dtype)  # fmt: skip
        if connected and connected == (SIMULATED if entry is None else entry.source_id):
            cells[-1] = tr("connected")
        elif entry is not None and entry.twice:
            cells[-1] = tr("twice")
        elif entry is not None and last and entry.source_id == last:
            cells[-1] = tr("last used")
        off = entry is not None and bool(entry.why_not)
        for column, text in enumerate(cells):
            item = QTableWidgetItem(text)
            item.setToolTip(tip)
            if column in (2, 3):
                item.setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            if off:
                item.setFlags(Qt.ItemFlag.ItemIsEnabled)
                item.setForeground(QColor(tokens().quiet))
            if column == len(cells) - 1 and text:
                item.setFont(font("small", bold=True))
                twice = entry is not None and entry.twice
                item.setForeground(QColor(tokens().trouble if twice else tokens().good))
            self.setItem(row, column, item)


def _key(entry: FoundEntry) -> str:
    return f"{entry.source_id}|{entry.name}|{entry.kind}|{entry.host}"
