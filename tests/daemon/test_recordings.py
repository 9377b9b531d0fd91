"""One file after another: which recorder a failure is of, and what is begun at the end."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bci.daemon import recordings as module
from bci.daemon.file_names import FileName
from bci.daemon.notices import Notices
from bci.daemon.recordings import Recordings
from bci.daemon.settings import RecordingSettings
from bci.daemon.target import RecordingsTarget
from bci.errors import RecordingError, RolandicError, SettingsError, StreamError
from bci.recording import ReadBack, RecorderSummary
from bci.recording.control import write_report
from bci.recording.eventlog import read_event_log
from bci.sources.discovery import StreamQuery


class FakeRecording:
    """A recording without a recorder, which a test lets fail."""

    made: list["FakeRecording"]
    refuses = False

    def __init__(self, queries: Any, path: Path, log: Any, say: Any, fail: Any, **_: Any) -> None:
        self.path, self.fail, self.status, self.ended = path, fail, None, None
        self.made.append(self)

    def start(self) -> None:
        """Begin, or not."""
        if self.refuses:
            raise StreamError("nothing answers")

    def stop(self, *, completed: bool) -> RecorderSummary:
        """End."""
        self.ended = completed
        return RecorderSummary(self.path, (), 1.0, 1)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> list[FakeRecording]:
    """Put recordings without recorders in the place of real ones; return those that were made."""
    monkeypatch.setattr(module, "RunRecording", FakeRecording)
    monkeypatch.setattr(FakeRecording, "made", [], raising=False)
    return FakeRecording.made


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Recordings]]:
    """``make(on_file=...)``: recordings that are begun by hand."""
    made: list[Recordings] = []

    def make(on_file: Callable[[Any], None] = lambda log: None) -> Recordings:
        made.append(
            Recordings(
                RecordingSettings(at_start=False),
                tmp_path,
                [StreamQuery(kind="EEG")],
                FileName("S01"),
                Notices(),
                on_file,
            )
        )
        return made[-1]

    yield make
    for recordings in made:
        recordings.close()


def test_the_old_recorder_s_failure_is_not_the_new_one_s(
    make: Callable[..., Recordings], fakes: list[FakeRecording]
) -> None:
    """It fails while the new file is begun: the new recorder, which is well, goes on."""

    def on_file(log: Any) -> None:
        if len(fakes) == 2:
            fakes[0].fail(RecordingError("its process was killed"))

    recordings = make(on_file)
    recordings.start()
    recordings.new_file()
    recordings._turn()  # noqa: SLF001 -- what its thread does next
    assert recordings.path == fakes[1].path
    assert fakes[1].ended is None
    assert recordings.state == "recording"


def test_a_failure_before_it_is_followed_is_not_forgotten(
    make: Callable[..., Recordings], fakes: list[FakeRecording], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recorder that dies in the moment of its start is followed by another."""
    monkeypatch.setattr(
        FakeRecording, "start", lambda self: self.fail(RecordingError("its disk is gone"))
    )
    recordings = make()
    recordings.start()
    recordings._turn()  # noqa: SLF001
    assert recordings.state == "failed"
    assert "its disk is gone" in str(recordings.error)


def test_nothing_is_begun_after_the_end(
    make: Callable[..., Recordings], fakes: list[FakeRecording]
) -> None:
    """Whoever waited while it was closed begins no recorder that nobody would end."""
    recordings = make()
    recordings.start()
    recordings.close()
    with pytest.raises(SettingsError, match="is ending"):
        recordings.start()
    recordings._wanted = True  # noqa: SLF001 -- as after a failure
    recordings._turn()  # noqa: SLF001
    assert len(fakes) == 1
    assert fakes[0].ended is True


def test_a_start_that_fails_leaves_it_as_it_was(
    make: Callable[..., Recordings],
    fakes: list[FakeRecording],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """It is stopped as before, and the name is free again."""
    monkeypatch.setattr(FakeRecording, "refuses", True)
    recordings = make()
    with pytest.raises(StreamError):
        recordings.start()
    assert recordings.state == "stopped"
    assert not list(tmp_path.rglob("*.xdf"))


def test_what_a_recorder_left_that_ended_alone_is_in_the_log(
    make: Callable[..., Recordings], tmp_path: Path
) -> None:
    """The file's hash is named by the log of the next daemon, which says it once."""
    path = tmp_path / "a.xdf"
    path.write_bytes(b"XDF:...")
    write_report(path, "nobody took over", {"sha256": "ab" * 32, "readback": "read back: all"})
    recordings = make()
    recordings.open()
    recordings.close()
    events = [e for e in read_event_log(tmp_path / "session.jsonl") if e.get("file") == "a.xdf"]
    assert [event["sha256"] for event in events] == ["ab" * 32]
    assert not list(tmp_path.glob("*.recorder"))


def test_a_file_that_lacks_samples_is_no_success_for_a_script(
    make: Callable[..., Recordings], fakes: list[FakeRecording], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remote control's ``stop`` is answered with an error when reading back shows a loss."""
    lost = ReadBack("", 1, (), ("'amp': 9 were received, 8 are there",))
    monkeypatch.setattr(
        FakeRecording,
        "stop",
        lambda self, completed: RecorderSummary(self.path, (), 1.0, 1, readback=lost),
    )
    recordings = make()
    path = recordings.start()
    with pytest.raises(RecordingError, match="8 are there"):
        RecordingsTarget(recordings, (), path.parents[3]).stop()


def test_a_full_disk_is_not_promised_a_file_in_half_a_second(
    make: Callable[..., Recordings], fakes: list[FakeRecording], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said how much room is waited for; one that has failed otherwise names its repair."""
    recordings = make()
    first = recordings.start()
    usage = SimpleNamespace(free=20e6)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    fakes[0].fail(RecordingError("the disk is full"))
    recordings._turn()  # noqa: SLF001 -- what its thread does
    said = [notice["text"] for notice in recordings._notices.newest()]  # noqa: SLF001
    assert "when there is room: 20.0 MB are free" in said[-1]
    assert "33.6 MB are needed" in said[-1]
    assert not any(" in 0.5 s" in text for text in said)
    usage.free = 1e9
    recordings._begin_again()  # noqa: SLF001
    fakes[1].fail(RolandicError("the recorder process ended unexpectedly (exit code -9)"))
    recordings._turn()  # noqa: SLF001
    said = [notice["text"] for notice in recordings._notices.newest()]  # noqa: SLF001
    assert f"`bci repair {fakes[1].path}` completes it" in said[-1]
    assert " a new file is begun in " in said[-1]
    assert first != fakes[1].path
