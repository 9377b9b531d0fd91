"""``bci demo``: the main job, as a new user starts it."""

import json
import os
from pathlib import Path

import mne
import numpy as np
import pytest
import pyxdf

pytestmark = pytest.mark.filterwarnings("ignore:This filename:RuntimeWarning")


def test_the_demo_does_the_main_job(bci, environment, tmp_path):
    """From amplifier to report on the simulated person; no sample lost; the replay verifies.

    Nobody else on the machine can look into what it leaves: files 0600, folders 0700.
    """
    out = tmp_path / "session"
    outcome = bci("demo", "--out", out, "--json")
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert document["samples_lost"] == 0
    assert document["samples"]["pushed"] == document["samples"]["acquired"] > 60_000
    assert document["accuracy"] >= 0.75
    assert document["chance_95"] == pytest.approx(10 / 12)
    assert document["cv"]["above_chance"]
    latency = document["latency_ms"]["command"]
    assert 0 < latency["median"] < 60
    assert latency["median"] <= latency["p99"] <= latency["worst"]
    assert document["latency_ms"]["lengths"]["hop"] == pytest.approx(100)
    assert document["n_decisions"] > 300
    files = document["files"]
    for path in [*files["recordings"], files["model"], files["event_log"], files["report"]]:
        assert Path(path).stat().st_size > 1000
    made = [out, *out.rglob("*"), *Path(environment["XDG_STATE_HOME"]).rglob("*")]
    assert not [path for path in made if os.name == "posix" and path.stat().st_mode & 0o077]
    report = Path(files["report"]).read_text(encoding="utf-8")
    for section in ("Spectra by class", "Activation patterns", "Confusion matrix", "Latency"):
        assert section in report

    replay = bci("replay", files["recordings"][-1], "--model", files["model"], "--verify", "--json")
    assert replay.code == 0, replay.err
    again = json.loads(replay.out)
    assert again["verification"]["n_identical"] == document["n_decisions"]
    assert [t["decoded"] for t in again["trials"]] == [t["decoded"] for t in document["trials"]]

    # A log that was changed afterwards does not pass for the session's.
    log = Path(files["event_log"])
    log.write_text(log.read_text("utf-8").replace('"reason": ""', '"reason": "x"', 1), "utf-8")
    forged = bci("replay", files["recordings"][-1], "--model", files["model"], "--verify")
    assert forged.code == 2
    assert "chain of hashes is broken" in forged.err

    # Nothing is ever overwritten.
    twice = bci("demo", "--out", out)
    assert twice.code == 2
    assert "name a new folder" in twice.err


def test_recordings_are_played_recorded_and_decoded(bci, shared_data, tmp_path, soak):
    """S001 over LSL: the XDF holds the EDF's samples and markers, and the replay verifies.

    The last run is decoded in real time: its first 20 s here, all of it in the long form.
    """
    runs = [shared_data / "eegmmidb" / f"S001R{run}.edf" for run in ("04", "08", "12")]
    if not soak:
        raw = mne.io.read_raw_edf(runs[2], verbose="error").crop(tmax=20.0)
        runs[2] = tmp_path / "short_raw.fif"
        raw.save(runs[2], fmt="double", verbose="error")
    out = tmp_path / "session"
    outcome = bci(
        "demo", "--source", *runs, "--event", "T1=left_hand", "--event", "T2=right_hand",
        "--band", "7", "35", "--window", "0.5", "3.5", "--out", out, "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert document["samples_lost"] == 0
    for path, run in zip(document["files"]["recordings"], runs, strict=True):
        streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
        eeg = next(s for s in streams if s["info"]["type"] == ["EEG"])
        markers = next(s for s in streams if s["info"]["type"] == ["Markers"])
        raw = mne.io.read_raw(run, verbose="error")
        microvolts = raw.get_data().T * 1e6
        np.testing.assert_array_equal(eeg["time_series"], microvolts.astype(np.float32))
        np.testing.assert_allclose(np.diff(eeg["time_stamps"]), 1 / 160, atol=1e-9)
        assert [m[0] for m in markers["time_series"]] == list(raw.annotations.description)
        np.testing.assert_allclose(
            markers["time_stamps"] - eeg["time_stamps"][0], raw.annotations.onset, atol=1e-6
        )
    files = document["files"]
    replay = bci("replay", files["recordings"][-1], "--model", files["model"], "--verify", "--json")
    assert replay.code == 0, replay.err
    again = json.loads(replay.out)["verification"]
    assert again["n_identical"] == again["n_logged"] == document["n_decisions"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--ability", "2"], "--ability 2"),
        (["--speed", "0.5"], "--speed 0.5"),
        (["--decoder", "oracle"], "oracle"),
        (["--source", "gone.edf"], "gone.edf"),
        (["--out", "nowhere/at/all"], "nowhere"),
        (["--channels", "C3,X9"], "X9"),
        (["--classes", "left_hand,wings"], "wings"),
    ],
)
def test_bad_options_are_named(bci_here, tmp_path, monkeypatch, arguments, named):
    """One line, code 2, and no folder left behind."""
    monkeypatch.chdir(tmp_path)
    outcome = bci_here("demo", *arguments)
    assert outcome.code == 2
    assert len(outcome.errors) == 1
    assert named in outcome.errors[0]
    assert list(tmp_path.iterdir()) == []
