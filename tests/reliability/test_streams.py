"""Streams that misbehave: what was sent is in the file, and gaps are marked to the sample."""

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyxdf

from bci.errors import StreamError
from bci.recording import Recorder
from bci.recording.connection import Connection
from bci.recording.settings import RecorderSettings
from bci.recording.status import StreamCount, StreamState
from bci.sources.discovery import StreamQuery

WAIT_S = 10.0
#: Where only losses are tested: a busy machine may silence a sender for a second.
PATIENT = RecorderSettings(silent_s=8.0)


@pytest.fixture(autouse=True)
def _quiet_pyxdf() -> None:
    """Pyxdf logs every file that it opens."""
    logging.getLogger("pyxdf").setLevel(logging.CRITICAL)


def by_id(sender: Any) -> StreamQuery:
    """Return the query for one sender."""
    return StreamQuery(source_id=sender.about[5])


def load(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the streams of a file as recorded, and what it says of its recording."""
    streams, _ = pyxdf.load_xdf(
        str(path), synchronize_clocks=False, dejitter_timestamps=False, verbose=False
    )
    streams.sort(key=lambda stream: stream["info"]["stream_id"])
    (log,) = [stream for stream in streams if stream["info"]["name"] == ["Rolandic recorder"]]
    streams.remove(log)
    return streams, [json.loads(text) for (text,) in log["time_series"]]


def until(condition: Callable[[], Any], what: str, within_s: float = WAIT_S) -> float:
    """Wait for a condition and return how long it took; fail when it does not come."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > within_s:
            pytest.fail(f"waited {within_s} s for {what}")
        time.sleep(0.002)
    return time.monotonic() - start


def only(recorder: Recorder, k: int = 0) -> StreamCount:
    """Return the count of one stream."""
    return recorder.status().streams[k]


def more(recorder: Recorder, n_samples: int = 50, k: int = 0) -> None:
    """Wait for some more samples of a stream."""
    before = only(recorder, k).n_samples
    until(lambda: only(recorder, k).n_samples >= before + n_samples, "samples")


def test_a_stream_that_drops_goes_on_where_it_was(
    tmp_path: Path, sender: Callable[..., Any], soak: bool
) -> None:
    """Over many drops: back within 2 s of its return, one stream, each gap marked to the sample."""
    n_drops = 100 if soak else 4
    amp = sender()
    amp.appear()
    recorder = Recorder([by_id(amp)], tmp_path / "a.xdf", timeout_s=WAIT_S, settings=PATIENT)
    recorder.start()
    took: list[float] = []
    last_sent = []
    for k in range(n_drops):
        amp.send()
        more(recorder)
        if k:
            took.append(until_resumed(recorder, amp))
        amp.pause()
        last_sent.append(len(amp.sent) - 1)
        until(lambda: only(recorder).last_stamp == amp.sent[-1], "the last sample")
        amp.vanish()
        until(lambda: only(recorder).state is StreamState.LOST, "the loss", 1.0)
        amp.appear()
    amp.send()
    more(recorder)
    took.append(until_resumed(recorder, amp))
    amp.pause()
    summary = recorder.stop()
    (stream,), said = load(tmp_path / "a.xdf")
    counts, stamps = stream["time_series"][:, 0], stream["time_stamps"]
    np.testing.assert_array_equal(stamps, np.array(amp.sent)[counts])
    jumps = np.flatnonzero(np.diff(counts) != 1)
    gaps = summary.streams[0].gaps
    assert summary.streams[0].n_gaps == len(gaps) == n_drops
    written = [event for event in said if event["event"] == "gap"]
    assert len(written) == n_drops
    for gap, event, last in zip(gaps, written, last_sent, strict=True):
        assert gap.after_sample == event["after_sample"]
        assert counts[gap.after_sample - 1] == last  # nothing that was sent before is missing
        assert gap.last_stamp == stamps[gap.after_sample - 1] == event["from"]
        assert gap.next_stamp == stamps[gap.after_sample] == event["to"]
        assert gap.lost_s == pytest.approx(gap.next_stamp - gap.last_stamp, abs=0.1)
    assert set(jumps + 1) <= {gap.after_sample for gap in gaps}  # no gap that is not marked
    assert max(took) < 2.0, took
    print(f"back after {np.median(took):.2f} s (median), {max(took):.2f} s (worst) of {n_drops}")


def until_resumed(recorder: Recorder, amp: Any) -> float:
    """Return from the outlet's return to the first stamp that was recorded of it (s)."""
    gap = only(recorder).gaps[-1]
    assert gap.next_stamp is not None
    return gap.next_stamp - amp.returned_s


def test_silence_is_said_within_a_second_and_marked_on_return(
    tmp_path: Path, sender: Callable[..., Any]
) -> None:
    """A connected stream that sends nothing is silent; its gap is there when it sends again."""
    amp = sender()
    amp.appear()
    recorder = Recorder([by_id(amp)], tmp_path / "a.xdf", timeout_s=WAIT_S)
    recorder.start()
    amp.send()
    more(recorder)
    amp.pause()
    took = until(lambda: only(recorder).state is StreamState.SILENT, "the silence")
    assert took < 1.0
    assert "nothing for" in recorder.status().notices[-1]
    n_before = len(amp.sent)
    amp.send()
    more(recorder)
    amp.pause()
    recorder.stop()
    (gap,) = only(recorder).gaps
    assert (gap.after_sample, gap.next_stamp) == (n_before, amp.sent[n_before])
    (stream,), said = load(tmp_path / "a.xdf")
    assert len(stream["time_stamps"]) == len(amp.sent)
    assert [event["event"] for event in said if event["event"] in ("silent", "gap")] == [
        "silent",
        "gap",
    ]


def test_a_slow_sender_is_not_silent(tmp_path: Path, sender: Callable[..., Any]) -> None:
    """Chunks longer than the limit of a silence are how it sends, not silences."""
    amp = sender(rate_hz=100.0)
    amp.appear()
    recorder = Recorder(
        [by_id(amp)],
        tmp_path / "a.xdf",
        timeout_s=WAIT_S,
        settings=RecorderSettings(silent_s=0.2),
    )
    recorder.start()
    for _ in range(4):
        amp.push(40)
        end = time.monotonic() + 0.4
        until(lambda end=end: time.monotonic() > end, "the next")
    assert recorder.status().notices == ()
    until(lambda: only(recorder).state is StreamState.SILENT, "a silence")
    recorder.stop()


@pytest.mark.parametrize("change", [{"rate_hz": 250.0}, {"n_channels": 3, "dtype": "double64"}])
def test_a_changed_stream_gets_a_stream_of_its_own(
    tmp_path: Path, sender: Callable[..., Any], change: dict[str, Any]
) -> None:
    """Another rate, channel count or type is refused, loudly, into a new segment; and back."""
    amp = sender()
    before = {
        key: amp.about[["n", "k", "n_channels", "rate_hz", "dtype"].index(key)] for key in change
    }
    amp.appear()
    recorder = Recorder([by_id(amp)], tmp_path / "a.xdf", timeout_s=WAIT_S, settings=PATIENT)
    recorder.start()
    for about, k in (({}, 0), (change, 1), (before, 0)):
        if about:
            amp.vanish()
            until(lambda k=k: only(recorder, 1 - k).state is StreamState.LOST, "the loss")
            amp.appear(**about)
            until(lambda k=k: len(recorder.status().streams) > k, "the new stream")
        amp.send()
        more(recorder, k=k)
    assert [stream.state for stream in recorder.status().streams] == [
        StreamState.RECEIVING,
        StreamState.REFUSED,
    ]
    amp.pause()
    summary = recorder.stop()
    assert any("came back changed" in text for text in summary.notices)
    (first, second), said = load(tmp_path / "a.xdf")
    assert first["info"]["source_id"] == second["info"]["source_id"]
    counts = np.concatenate([first["time_series"][:, 0], second["time_series"][:, 0]])
    stamps = np.concatenate([first["time_stamps"], second["time_stamps"]])
    np.testing.assert_array_equal(stamps, np.array(amp.sent)[counts.astype(int)])
    assert "refused" in [event["event"] for event in said]
    assert all("footer" in stream for stream in (first, second))
    assert [stream.n_samples for stream in summary.streams] == [
        len(first["time_stamps"]),
        len(second["time_stamps"]),
    ]


def test_one_name_two_amplifiers(tmp_path: Path, sender: Callable[..., Any]) -> None:
    """Streams of one name are told apart by source id, also when both drop and return."""
    name = uuid.uuid4().hex
    amps = [sender(name=name), sender(name=name)]
    for amp in amps:
        amp.appear()
    recorder = Recorder(
        [StreamQuery(name=name)], tmp_path / "a.xdf", timeout_s=WAIT_S, settings=PATIENT
    )
    recorder.start()
    order = [stream.source_id for stream in recorder.status().streams]
    amps.sort(key=lambda amp: order.index(amp.about[5]))
    for life in range(2):
        for amp in amps:
            amp.send()
        for k in range(2):
            more(recorder, k=k)
        for amp in amps:
            amp.vanish()
        until(lambda: recorder.status().all_lost, "both losses")
        if not life:
            for amp in reversed(amps):
                amp.appear()
    recorder.stop()
    streams, _ = load(tmp_path / "a.xdf")
    assert [stream["info"]["source_id"][0] for stream in streams] == order
    for stream, amp in zip(streams, amps, strict=True):
        counts = stream["time_series"][:, 0]
        np.testing.assert_array_equal(stream["time_stamps"], np.array(amp.sent)[counts])


def test_without_a_source_id(tmp_path: Path, sender: Callable[..., Any]) -> None:
    """The only stream of its name goes on where it was; of two that look alike none does."""
    alone = sender("", name=uuid.uuid4().hex)
    twins = [sender("", name=uuid.uuid4().hex)]
    twins.append(sender("", name=twins[0].name))
    for one in (alone, *twins):
        one.appear()
    queries = [StreamQuery(name=alone.name), StreamQuery(name=twins[0].name)]
    recorder = Recorder(queries, tmp_path / "a.xdf", timeout_s=WAIT_S, settings=PATIENT)
    recorder.start()
    for one in (alone, *twins):
        one.send()
    for k in range(3):
        more(recorder, k=k)
    for one in (alone, twins[0]):
        one.vanish()
        until(lambda: recorder.status().lost, "the loss")
        one.appear()
        one.send()
        until(lambda: not recorder.status().lost, "the return")
    until(lambda: len(recorder.status().streams) == 4, "a stream for the twin that came back")
    streams = recorder.status().streams
    assert sorted(stream.name == alone.name for stream in streams) == [False] * 3 + [True]
    assert [stream.state for stream in streams].count(StreamState.REFUSED) == 1
    for one in (alone, *twins):
        one.pause()
    recorder.stop()


def test_two_programs_of_one_source_id(tmp_path: Path, sender: Callable[..., Any]) -> None:
    """Both are recorded, each as a stream of its own; it is said once; a return mixes none."""
    one = sender(name=uuid.uuid4().hex)
    other = sender(one.about[5], name=one.name)
    for twin in (one, other):
        twin.appear()
    recorder = Recorder([by_id(one)], tmp_path / "a.xdf", timeout_s=WAIT_S, settings=PATIENT)
    recorder.start()
    assert len(recorder.status().streams) == 2
    one.push(10)
    other.push(20)
    until(lambda: sum(s.n_samples for s in recorder.status().streams) == 30, "both")
    one.vanish()
    until(lambda: recorder.status().lost, "the loss")
    one.appear()
    until(lambda: len(recorder.status().streams) == 3, "the return")
    one.push(5)
    until(lambda: only(recorder, 2).n_samples == 5, "what it sends then")
    notices = recorder.stop().notices
    assert [text for text in notices if "is there 2 times" in text] == [notices[0]]
    streams, said = load(tmp_path / "a.xdf")
    assert sorted(len(stream["time_stamps"]) for stream in streams) == [5, 10, 20]
    stamps = [stamp for stream in streams for stamp in stream["time_stamps"]]
    assert sorted(stamps) == sorted([*one.sent, *other.sent])
    assert [event["event"] for event in said].count("twins") == 1


def test_an_outlet_that_replaces_a_dead_connection(
    tmp_path: Path, sender: Callable[..., Any]
) -> None:
    """A pulled cable ends no connection: the source is taken up where it appears anew."""
    amp, again = sender(), sender()
    again.about[:] = amp.about
    amp.appear()
    recorder = Recorder([by_id(amp)], tmp_path / "a.xdf", timeout_s=WAIT_S)
    recorder.start()
    amp.send()
    more(recorder)
    amp.pause()
    until(lambda: only(recorder).state is StreamState.SILENT, "the silence")
    again.appear()
    again.send()
    until(lambda: only(recorder).state is StreamState.RECEIVING, "the return", 2.0)
    more(recorder)
    again.pause()
    recorder.stop()
    (gap,) = only(recorder).gaps
    assert gap.after_sample == len(amp.sent)
    assert len(load(tmp_path / "a.xdf")[0]) == 1


def test_late_streams_join(tmp_path: Path, sender: Callable[..., Any]) -> None:
    """What is missing at the start is waited for, and what is added later is recorded too."""
    here, late, added = sender(), sender(), sender()
    here.appear()
    recorder = Recorder(
        [by_id(here), by_id(late)],
        tmp_path / "a.xdf",
        timeout_s=0.3,
        settings=RecorderSettings(require_all=False),
    )
    recorder.start()
    states = [stream.state for stream in recorder.status().streams]
    assert states == [StreamState.RECEIVING, StreamState.WAITING]
    recorder.add(by_id(added))
    for one in (late, added):
        one.appear()
    until(
        lambda: all(s.state is StreamState.RECEIVING for s in recorder.status().streams),
        "both",
    )
    assert len(recorder.status().streams) == 3
    late.send()
    until(lambda: sum(s.n_samples > 20 for s in recorder.status().streams) == 1, "samples")
    late.pause()
    recorder.stop()
    streams, said = load(tmp_path / "a.xdf")
    ids = [stream["info"]["source_id"][0] for stream in streams]
    assert sorted(ids) == sorted(one.about[5] for one in (here, late, added))
    assert [event["event"] for event in said].count("joined") == 2


def test_a_stream_without_channels_is_refused_by_name(
    tmp_path: Path, sender: Callable[..., Any]
) -> None:
    """It has no form in the file: it is named, and the others are recorded."""
    empty, amp = sender(n_channels=0), sender()
    for one in (empty, amp):
        one.appear()
    recorder = Recorder([by_id(empty), by_id(amp)], tmp_path / "a.xdf", timeout_s=WAIT_S)
    recorder.start()
    amp.send()
    more(recorder)
    amp.pause()
    summary = recorder.stop()
    assert empty.name in summary.notices[0]
    assert {stream.source_id: stream.state for stream in summary.streams}[
        empty.about[5]
    ] is StreamState.REFUSED
    (stream,), _ = load(tmp_path / "a.xdf")
    assert len(stream["time_stamps"]) == len(amp.sent)
    with pytest.raises(StreamError, match="0 channels"):
        Recorder([by_id(empty)], tmp_path / "b.xdf", timeout_s=WAIT_S).start()
    assert not (tmp_path / "b.xdf").exists()


def test_a_clock_that_steps_is_said(
    tmp_path: Path, sender: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the sender's clock jumps, the file holds both offsets and the user is told."""
    step_s = 0.0
    fresh = Connection.fresh_offset

    def stepped(connection: Connection, now_s: float) -> float | None:
        offset_s = fresh(connection, now_s)
        return None if offset_s is None else offset_s - step_s

    monkeypatch.setattr(Connection, "fresh_offset", stepped)
    amp = sender()
    amp.appear()
    recorder = Recorder(
        [by_id(amp)],
        tmp_path / "a.xdf",
        timeout_s=WAIT_S,
        settings=RecorderSettings(offsets_s=0.1),
    )
    recorder.start()
    amp.send()
    more(recorder)
    assert not recorder.status().notices
    step_s = 3.5
    until(lambda: recorder.status().notices, "the notice")
    amp.pause()
    summary = recorder.stop()
    (notice,) = summary.notices
    assert "stepped by +3.500 s" in notice
    (stream,), said = load(tmp_path / "a.xdf")
    values = np.array(stream["clock_values"])
    assert np.ptp(values) == pytest.approx(3.5, abs=0.05)
    assert "clock_step" in [event["event"] for event in said]


def test_an_error_while_reading_costs_a_gap_not_the_stream(
    tmp_path: Path, sender: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What liblsl cannot read is said, connected anew and recorded on, behind a marked gap."""
    receive, broken = Connection.receive, threading.Event()

    def breaking(connection: Connection) -> Any:
        if broken.is_set():
            broken.clear()
            raise StreamError("liblsl could not read the stream (error -7)")
        return receive(connection)

    monkeypatch.setattr(Connection, "receive", breaking)
    amp = sender()
    amp.appear()
    recorder = Recorder([by_id(amp)], tmp_path / "a.xdf", timeout_s=WAIT_S, settings=PATIENT)
    recorder.start()
    amp.send()
    more(recorder)
    broken.set()
    until(lambda: only(recorder).n_gaps == 1, "the gap")
    until(lambda: only(recorder).state is StreamState.RECEIVING, "the return")
    more(recorder)
    amp.pause()
    summary = recorder.stop()
    assert "error -7" in summary.notices[0]
    (gap,) = summary.streams[0].gaps
    (stream,), _ = load(tmp_path / "a.xdf")
    counts = stream["time_series"][:, 0]
    assert list(np.flatnonzero(np.diff(counts) != 1) + 1) == [gap.after_sample]


def test_a_sender_that_restarts_on_another_clock(
    tmp_path: Path, sender: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the restart of its machine the file holds to where each clock's offset is true."""
    step_s, first, told = 100.0, [], []
    fresh = Connection.fresh_offset

    def stepped(connection: Connection, now_s: float) -> float | None:
        first.append(connection)
        offset_s = fresh(connection, now_s)
        if offset_s is None:
            return None
        told.append(offset_s - step_s * (connection is not first[0]))
        return told[-1]

    monkeypatch.setattr(Connection, "fresh_offset", stepped)
    amp = sender()
    amp.appear()
    recorder = Recorder([by_id(amp)], tmp_path / "a.xdf", timeout_s=WAIT_S, settings=PATIENT)
    recorder.start()
    amp.send()
    more(recorder)
    until(lambda: told, "the first clock's offset")  # without it nothing is known to step
    amp.vanish()
    until(lambda: recorder.status().lost, "the loss")
    amp.appear()
    amp.send()
    until(lambda: any("stepped by" in text for text in recorder.status().notices), "the step")
    amp.pause()
    summary = recorder.stop()
    (gap,) = summary.streams[0].gaps
    (stream,), _ = load(tmp_path / "a.xdf")
    offsets = dict(zip(stream["clock_times"], stream["clock_values"], strict=True))
    assert offsets[gap.last_stamp] == pytest.approx(0.0, abs=0.01)
    assert offsets[gap.next_stamp] == pytest.approx(-step_s, abs=0.01)
