"""Sessions that were open lately, and a person's recordings, as lists to click in."""

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem, QWidget

from bci.workspace import BidsRecording, RecentSession
from bci_app.words import tr

__all__ = ["RecentList", "RecordingList"]

_SPACING_PX = 3
_ENTRY = Qt.ItemDataRole.UserRole


class RecentList(QListWidget):
    """Recent sessions; a click, or Enter, asks to open one."""

    #: `RecentSession`
    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("session.recent")
        self.setAccessibleName(tr("Recent sessions"))
        self.setAlternatingRowColors(True)
        self.setWordWrap(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSpacing(_SPACING_PX)
        self.itemClicked.connect(self._chosen)
        self.itemActivated.connect(self._chosen)
        self.show_sessions(())

    def show_sessions(self, sessions: Sequence[RecentSession]) -> None:
        """Show them, the newest first."""
        self.clear()
        for entry in sessions:
            item = QListWidgetItem(
                f"sub-{entry.subject} · ses-{entry.session}   {_day(entry.at)}\n{entry.root}"
            )
            item.setData(_ENTRY, entry)
            item.setToolTip(tr("Open it where it was"))
            self.addItem(item)
        if not sessions:
            self.addItem(
                _hint(tr("Sessions that you open appear here, to be opened by one click."))
            )

    def _chosen(self, item: QListWidgetItem) -> None:
        entry = item.data(_ENTRY)
        if entry is not None:
            self.chosen.emit(entry)


class RecordingList(QListWidget):
    """A person's recordings in the BIDS tree; those ticked are calibration runs."""

    #: list of `BidsRecording`
    ticked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("session.recordings")
        self.setAccessibleName(tr("Recordings of this person"))
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setAlternatingRowColors(True)
        self.setWordWrap(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSpacing(_SPACING_PX)
        self.itemChanged.connect(self._changed)
        self._shown: tuple[tuple[BidsRecording, ...], tuple[str, ...], bool] | None = None
        self.show_recordings((), (), can_tick=False)

    def show_recordings(
        self, recordings: Sequence[BidsRecording], used: Sequence[str], *, can_tick: bool
    ) -> None:
        """Show them.

        Parameters
        ----------
        recordings : sequence of BidsRecording
        used : sequence of str
            Files of those that are calibration runs of the session that is open.
        can_tick : bool
            A session of this person is open, and no run is going on.
        """
        wanted = (tuple(recordings), tuple(used), can_tick)
        if wanted == self._shown:
            return
        self._shown = wanted
        self.blockSignals(True)
        self.clear()
        for recording in recordings:
            parts = [
                f"ses-{recording.session}" if recording.session else "",
                f"task-{recording.task}" if recording.task else "",
                f"run-{recording.run}" if recording.run else "",
                recording.path.suffix.lstrip("."),
            ]
            item = QListWidgetItem(" · ".join(filter(None, parts)))
            item.setData(_ENTRY, recording)
            item.setToolTip(str(recording.path))
            flags = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable
            item.setFlags(flags | Qt.ItemFlag.ItemIsEnabled if can_tick else flags)
            on = recording.file in used
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.addItem(item)
        if not recordings:
            self.addItem(
                _hint(
                    tr(
                        "BIDS recordings of this person appear here, from wherever they came; "
                        "ticked, they are calibration runs."
                    )
                )
            )
        self.blockSignals(False)

    def _changed(self, changed: QListWidgetItem) -> None:
        chosen = []
        for row in range(self.count()):
            item = self.item(row)
            if item.data(_ENTRY) is not None and item.checkState() is Qt.CheckState.Checked:
                chosen.append(item.data(_ENTRY))
        self.ticked.emit(chosen)


def _hint(text: str) -> QListWidgetItem:
    item = QListWidgetItem(text)
    item.setFlags(Qt.ItemFlag.NoItemFlags)
    return item


def _day(text: str) -> str:
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return ""
