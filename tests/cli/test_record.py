"""``bci record`` and ``bci streams``, through the real command line."""

import hashlib
import json
import logging
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyxdf

from bci.recording import XdfWriter
from bci.sources.base import Channel, StreamInfo
from bci.sources.clock import lsl_clock
from bci.sources.markers import MarkerOutlet
from bci.sources.outlet import EegOutlet

WAIT_S = 30.0
COMMAND = [sys.executable, "-c", "from bci.cli import main; main()"]


@pytest.fixture
def source_id() -> str:
    """Return an id that no other test's stream has."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture(autouse=True)
def _quiet_pyxdf() -> None:
    """Pyxdf logs every file that it opens."""
    logging.getLogger("pyxdf").setLevel(logging.CRITICAL)


@pytest.fixture
def outlet(source_id: str) -> Iterator[EegOutlet]:
    """Put an amplifier up that a test feeds."""
    channels = (Channel("C3", "microvolts"), Channel("C4", "microvolts"))
    outlet = EegOutlet(StreamInfo(f"amp {source_id}", "EEG", source_id, 100.0, channels))
    yield outlet
    outlet.close()


def load(path: Path) -> dict[str, dict[str, Any]]:
    """Streams by source id, as recorded."""
    streams, _ = pyxdf.load_xdf(str(path), synchronize_clocks=False, dejitter_timestamps=False)
    return {stream["info"]["source_id"][0]: stream for stream in streams}


class Running:
    """A command that runs; its standard error is read as it comes."""

    def __init__(self, *arguments: str) -> None:
        flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            creationflags=flags,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._seen: list[str] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for line in self.process.stderr:
            self._lines.put(line)

    def wait_for(self, text: str) -> None:
        """Wait until a line of standard error holds the text."""
        deadline = time.monotonic() + WAIT_S
        while not any(text in line for line in self._seen):
            try:
                self._seen.append(self._lines.get(timeout=deadline - time.monotonic()))
            except (queue.Empty, ValueError):
                self.process.kill()
                pytest.fail(f"{text!r} did not come: {self._seen}")

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """Send a signal."""
        self.process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", number))

    def finish(self) -> tuple[int, str, str]:
        """Wait for the end; return code, standard output, standard error."""
        try:
            code = self.process.wait(WAIT_S)
        finally:
            self.process.kill()
            self._thread.join()
        while not self._lines.empty():
            self._seen.append(self._lines.get())
        out = self.process.stdout.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return code, out, "".join(self._seen)


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; fail when it does not come."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def run(*arguments: str) -> tuple[int, str, str]:
    """Run a command to its end."""
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stops_in_order_on_a_signal(
    tmp_path: Path, outlet: EegOutlet, source_id: str, number: int
) -> None:
    """INT and TERM end the recording with code 0, footers written, the last sample included."""
    markers_out = MarkerOutlet(f"markers {source_id}", f"{source_id}-markers")
    path = tmp_path / "a.xdf"
    running = Running(
        *("record", "--name", f"amp {source_id}", "--name", f"markers {source_id}"),
        *("--out", str(path), "--json", "--no-preflight"),
    )
    running.wait_for("Ctrl-C stops")
    raw = np.column_stack([np.arange(300), np.zeros(300)])
    stamps = 100.0 + np.arange(300) / 100
    outlet.push(raw * 1e-6, stamps)
    markers_out.push("left_hand", 101.0)
    running.interrupt(number)
    code, out, err = running.finish()
    assert code == 0, err
    document = json.loads(out)
    assert {s["source_id"]: s["n_samples"] for s in document["streams"]} == {
        source_id: 300,
        f"{source_id}-markers": 1,
    }
    assert document["readback"]["says"] == "read back: 300 of 300 samples, 1 of 1 markers"
    assert document["readback"]["ok"] is True
    assert document["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    streams = load(path)
    np.testing.assert_array_equal(streams[source_id]["time_series"], raw)
    np.testing.assert_array_equal(streams[source_id]["time_stamps"], stamps)
    assert streams[f"{source_id}-markers"]["time_series"] == [["left_hand"]]
    assert all("footer" in stream for stream in streams.values())
    markers_out.close()


def test_duration_ends_it(tmp_path: Path, outlet: EegOutlet, source_id: str) -> None:
    """With a duration the file holds just that, and a table is shown on standard output."""
    path = tmp_path / "a.xdf"
    stop = threading.Event()

    def push() -> None:
        while not stop.wait(0.01):
            outlet.push(np.zeros((1, 2)), np.array([lsl_clock()]))

    thread = threading.Thread(target=push)
    thread.start()
    try:
        code, out, err = run(
            *("record", "--source-id", source_id, "--out", str(path), "--duration", "1.5")
        )
    finally:
        stop.set()
        thread.join()
    assert code == 0, err
    assert "amp" in out
    stamps = load(path)[source_id]["time_stamps"]
    assert stamps[-1] - stamps[0] == pytest.approx(1.5, abs=0.25)  # a machine may be busy
    assert re.search(rf"read back: {len(stamps)} of {len(stamps)} samples", out)


def test_a_lost_stream_is_said_and_ends_it_with_code_2(
    tmp_path: Path, outlet: EegOutlet, source_id: str
) -> None:
    """The loss of its only stream is said at once; where asked to, it gives up, file in order."""
    path = tmp_path / "a.xdf"
    running = Running(
        *("record", "--source-id", source_id, "--out", str(path), "--json", "--no-preflight"),
        *("--give-up", "0.5"),
    )
    running.wait_for("Ctrl-C stops")
    outlet.push(np.zeros((50, 2)), np.arange(1.0, 51.0))
    until(lambda: path.stat().st_size >= 2500)
    outlet.close()
    running.wait_for("warning: ")
    code, out, err = running.finish()
    assert code == 2
    lines = [line for line in err.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    assert source_id in lines[0]
    assert "50 samples" in lines[0]
    assert "Traceback" not in err
    assert json.loads(out)["streams"][0]["lost"] is True
    stream = load(path)[source_id]
    assert len(stream["time_stamps"]) == 50
    assert stream["footer"]["info"]["sample_count"] == ["50"]


def test_a_stream_that_comes_late_joins(tmp_path: Path, source_id: str, outlet: EegOutlet) -> None:
    """With --late it begins with what is there; what is missing is said, and joins."""
    path = tmp_path / "a.xdf"
    running = Running(
        *("record", "--source-id", source_id, "--source-id", f"{source_id}-late", "--late"),
        *("--out", str(path), "--json", "--timeout", "0.5"),
    )
    running.wait_for(f"{source_id}-late: no LSL stream")
    running.wait_for("Ctrl-C stops")
    late = EegOutlet(StreamInfo("late", "EEG", f"{source_id}-late", 100.0, (Channel("C3", "uV"),)))
    until(late.have_consumers)

    # That it receives is known when a sample is there: LSL enters consumers in its own time.
    def receives() -> bool:
        late.push(np.zeros((1, 1)), np.array([lsl_clock()]))
        return path.stat().st_size > size

    size = path.stat().st_size + 1000  # its header, and more than a sample
    until(receives)
    running.interrupt()
    code, out, err = running.finish()
    assert code == 0, err
    counts = {s["source_id"]: s["n_samples"] for s in json.loads(out)["streams"]}
    assert counts[source_id] == 0
    assert counts[f"{source_id}-late"] == len(load(path)[f"{source_id}-late"]["time_stamps"]) > 0
    late.close()


def test_a_template_gets_the_next_run(tmp_path: Path, outlet: EegOutlet, source_id: str) -> None:
    """A name with {run} in it is never taken: the number is counted up; a failure claims none."""
    arguments = ("record", "--source-id", source_id, "--duration", "0.1", "--no-preflight")
    for run_number in (1, 2):
        code, _, err = run(*arguments, "--out", str(tmp_path / "s_run-{run}.xdf"))
        assert code == 0, err
        assert f"s_run-0{run_number}.xdf" in err
    code, _, err = run(
        *("record", "--name", "nobody", "--timeout", "0.3", "--no-preflight"),
        *("--out", str(tmp_path / "s_run-{run}.xdf")),
    )
    assert code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s_run-01.xdf", "s_run-02.xdf"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--name", "nobody is called so", "--timeout", "0.3"], "no LSL stream with name"),
        ([], "name a stream"),
        (["--predicate", "name=='", "--timeout", "0.3"], "XPath"),
    ],
)
def test_bad_input_makes_no_file(
    tmp_path: Path, outlet: EegOutlet, arguments: list[str], words: str
) -> None:
    """A stream that is not there, none named, a predicate that is none: code 2, no file."""
    code, out, err = run("record", *arguments, "--out", str(tmp_path / "a.xdf"))
    assert code == 2
    assert out == ""
    (line,) = [line for line in err.splitlines() if not line.startswith("failed:")]
    assert line.startswith("error:")
    assert words in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("", "name a file to make"),
        ("x" * 300 + ".xdf", "no name of a file"),
        ("nowhere/rec/x.xdf", "nor the folder that it would be made in"),
    ],
)
def test_names_that_are_none_are_refused_in_one_line(tmp_path: Path, out: str, words: str) -> None:
    """An empty name, one that is too long, a folder on a disk that is not there."""
    place = str(tmp_path / out) if out else ""
    code, _, err = run("record", "--source-id", "nobody", "--out", place)
    assert code == 2
    (line,) = err.splitlines()
    assert words in line
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_made_in_one_that_is_there(
    tmp_path: Path, outlet: EegOutlet, source_id: str
) -> None:
    """As pre-flight says; a recording that does not begin leaves none behind."""
    folder = tmp_path / "rec"
    arguments = ("record", "--out", str(folder / "x.xdf"), "--duration", "0.1", "--no-preflight")
    code, _, err = run(*arguments, "--name", "nobody is called so", "--timeout", "0.3")
    assert code == 2, err
    assert not folder.exists()
    code, _, err = run(*arguments, "--source-id", source_id)
    assert code == 0, err
    assert (folder / "x.xdf").is_file()


@pytest.mark.parametrize("preflight", ["--preflight", "--no-preflight"])
def test_what_is_there_is_not_kept_waiting(
    tmp_path: Path, outlet: EegOutlet, source_id: str, preflight: str
) -> None:
    """With --late it begins at once; what never came is said, and makes the exit code 2."""
    began_s = time.monotonic()
    running = Running(
        *("record", "--source-id", source_id, "--source-id", f"{source_id}-never", "--late"),
        *("--out", str(tmp_path / "a.xdf"), preflight, "--duration", "1"),
    )
    until((tmp_path / "a.xdf").exists)
    took_s = time.monotonic() - began_s
    code, _, err = running.finish()
    assert code == 2
    assert f"there is no LSL stream with source id '{source_id}-never' yet" in err
    assert f"'{source_id}-never' never came" in err.splitlines()[-1]
    assert source_id in load(tmp_path / "a.xdf")
    assert took_s < 8.0  # 3 s on a machine that has nothing else to do


def test_two_programs_of_one_source_id_are_both_recorded(
    tmp_path: Path, outlet: EegOutlet, source_id: str
) -> None:
    """Which is meant cannot be told: both are in the file, it is said, and nothing is lost."""
    twin = EegOutlet(StreamInfo("twin", "EEG", source_id, 100.0, (Channel("C3", "uV"),)))
    path = tmp_path / "a.xdf"
    code, out, err = run(
        *("record", "--source-id", source_id, "--out", str(path), "--no-preflight"),
        *("--duration", "0.5", "--json"),
    )
    twin.close()
    assert code == 0, err
    assert [line for line in err.splitlines() if "is there 2 times" in line]
    assert {s["name"] for s in json.loads(out)["streams"]} == {"twin", f"amp {source_id}"}
    streams, _ = pyxdf.load_xdf(str(path))
    assert len([s for s in streams if s["info"]["source_id"] == [source_id]]) == 2


def test_an_existing_file_stays(tmp_path: Path, outlet: EegOutlet, source_id: str) -> None:
    """A recording is never overwritten."""
    path = tmp_path / "a.xdf"
    path.write_bytes(b"precious")
    code, _, err = run("record", "--source-id", source_id, "--out", str(path))
    assert code == 2
    assert "a.xdf exists" in err
    assert path.read_bytes() == b"precious"


def test_streams_lists_what_is_there(outlet: EegOutlet, source_id: str) -> None:
    """The list holds the stream with all that is known of it, as JSON and as a table."""
    code, out, _ = run("streams", "--json")
    assert code == 0
    mine = [s for s in json.loads(out)["streams"] if s["source_id"] == source_id]
    assert len(mine) == 1
    assert (mine[0]["type"], mine[0]["rate_hz"], mine[0]["n_channels"]) == ("EEG", 100.0, 2)
    code, out, _ = run("streams")
    assert code == 0
    assert "EEG" in out


@pytest.mark.parametrize("command", ["record", "streams", "simulate"])
def test_help_has_an_example(command: str) -> None:
    """The help of each command shows how it is used."""
    code, out, _ = run(command, "--help")
    assert code == 0
    assert re.search(rf"Example:\s+bci\s+{command}", out)


def write_recording(path: Path, n_samples: int) -> np.ndarray:
    """Write an XDF of two channels that count, with two markers; return its numbers."""
    raw = np.random.default_rng(6).standard_normal((n_samples, 2)).astype(np.float32) * 20
    described = "".join(
        f"<channel><label>{label}</label><unit>microvolts</unit><type>EEG</type></channel>"
        for label in ("C3", "C4")
    )
    common = "<source_id>{}</source_id><channel_count>{}</channel_count>"
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(
            f"<info><name>day</name><type>EEG</type>{common.format('e', 2)}"
            "<nominal_srate>200</nominal_srate><channel_format>float32</channel_format>"
            f"<desc><channels>{described}</channels></desc></info>"
        )
        events = writer.add_stream(
            f"<info><name>events</name><type>Markers</type>{common.format('m', 1)}"
            "<nominal_srate>0</nominal_srate><channel_format>string</channel_format></info>"
        )
        writer.write_samples(eeg, 500.0 + np.arange(n_samples) / 200, raw)
        writer.write_strings(events, [500.5, 501.0], [["T1"], ["T2"]])
    return raw


def test_a_recording_goes_out_and_comes_back(tmp_path: Path, source_id: str) -> None:
    """`simulate --file` to `record`: every sample and marker comes back, with its own spacing."""
    raw = write_recording(tmp_path / "day.xdf", 400)
    player = Running(
        *("simulate", "--file", str(tmp_path / "day.xdf"), "--speed", "4", "--json"),
        *("--source-id", source_id),
    )
    player.wait_for("waiting")
    recorder = Running(
        *("record", "--predicate", f"starts-with(source_id,'{source_id}')"),
        *("--out", str(tmp_path / "copy.xdf"), "--no-preflight", "--give-up", "0"),
    )
    code, out, err = player.finish()
    assert code == 0, err
    document = json.loads(out)
    assert (document["n_samples"], document["n_markers"], document["ended"]) == (400, 2, True)
    code, _, err = recorder.finish()  # its streams end
    assert code == 2, err
    streams = load(tmp_path / "copy.xdf")
    eeg, events = streams[source_id], streams[f"{source_id}-markers"]
    np.testing.assert_array_equal(eeg["time_series"], raw)
    stamps = eeg["time_stamps"]
    np.testing.assert_allclose(stamps - stamps[0], np.arange(400) / 200, rtol=0, atol=1e-6)
    assert events["time_series"] == [["T1"], ["T2"]]
    np.testing.assert_allclose(events["time_stamps"] - stamps[0], [0.5, 1.0], atol=1e-6)


def test_a_person_streams_for_a_duration(source_id: str) -> None:
    """`simulate` without a file sends exactly the signal that was asked for."""
    code, out, err = run(
        *("simulate", "--montage", "C3,Cz,C4", "--rate", "200", "--duration", "0.5"),
        *("--source-id", source_id, "--json"),
    )
    assert code == 0, err
    document = json.loads(out)
    assert document["n_samples"] == 100
    assert document["last_stamp"] - document["first_stamp"] == pytest.approx(99 / 200)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--file", "missing.edf"], "missing.edf"),
        (["--ability", "2"], "ability 2"),
        (["--speed", "0"], "speed 0"),
        (["--montage", "C3,Xx"], "Xx"),
    ],
)
def test_simulate_says_what_is_wrong(arguments: list[str], words: str) -> None:
    """Bad input of `simulate` is one line and code 2."""
    code, out, err = run("simulate", *arguments, "--duration", "0.1")
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("error:")
    assert words in line
