"""``bci replay`` through the real command line, on real EEG."""

import json

import mne
import numpy as np
import pytest

from bci.acquisition import timeline
from bci.config import OnlineSettings
from bci.decoders import load_model
from bci.online import replay
from bci.signal import design_bandpass, filter_segments
from bci.sources.reading import open_recording

EVENTS = ("--event", "T1=left_hand", "--event", "T2=right_hand", "--band", "7", "35")


@pytest.fixture(scope="module")
def trained(bci, shared_data, tmp_path_factory):
    """Return a model trained on two runs of S001, on all 64 channels."""
    path = tmp_path_factory.mktemp("model") / "s001.bci"
    runs = [shared_data / "eegmmidb" / f"S001R{run}.edf" for run in ("04", "08")]
    outcome = bci("train", *runs, "--decoder", "ts-lr", *EVENTS, "--out", path)
    assert outcome.code == 0, outcome.err
    return path


@pytest.fixture(scope="module")
def run_12(shared_data):
    """Return the run that the model has not seen."""
    return shared_data / "eegmmidb" / "S001R12.edf"


def test_probabilities_are_those_of_the_offline_pipeline(trained, run_12):
    """Each decision's probabilities equal the offline pipeline's on the same window, to 1e-9."""
    model, recording = load_model(trained), open_recording(run_12)
    decisions = [d for d in replay(recording, model, OnlineSettings()).decisions if d.probabilities]
    assert len(decisions) > 1200
    line = timeline(recording.stamps, recording.info.rate_hz)
    sos = design_bandpass((7.0, 35.0), recording.info.rate_hz)
    filtered = filter_segments(recording.samples, line.segments, sos)
    n_times = round(3.0 * recording.info.rate_hz)
    windows = np.stack([filtered[d.sample - n_times : d.sample].T for d in decisions])
    np.testing.assert_allclose(
        [d.probabilities for d in decisions], model.estimator.predict_proba(windows), rtol=1e-9
    )


def test_the_document_says_what_was_decided(bci, trained, run_12):
    """JSON carries the figures that the command promises, and a trial for every cue."""
    outcome = bci("replay", run_12, "--model", trained, "--json")
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert document["realtime_factor"] > 1
    assert document["n_decisions"] == 1250 - 480 // 16 + 1
    assert len(document["trials"]) == 15
    decided = [trial for trial in document["trials"] if trial["decoded"]]
    assert document["accuracy"] == sum(t["correct"] for t in decided) / len(decided)
    assert 0.5 < document["chance_95"] < 1


def test_the_table_names_every_trial(bci, trained, run_12):
    """Without --json a table for people comes out, with the chance level."""
    outcome = bci("replay", run_12, "--model", trained)
    assert outcome.code == 0, outcome.err
    assert "left_hand" in outcome.out
    assert "chance reaches" in outcome.out


@pytest.fixture
def relabelled(run_12, tmp_path):
    """``relabelled({...})``: twenty seconds of the run with its annotations renamed."""

    def write(names, change=None):
        raw = mne.io.read_raw_edf(run_12, preload=True, verbose="error").crop(tmax=20.0)
        raw.annotations.rename({k: v for k, v in names.items() if k in raw.annotations.description})
        if change:
            change(raw._data, raw.ch_names)  # noqa: SLF001 -- MNE's way to edit samples in place
        path = tmp_path / "changed_raw.fif"
        raw.save(path, fmt="double", overwrite=True, verbose="error")
        return path

    return write


def test_an_unmarked_recording_is_decoded_too(bci_here, trained, relabelled):
    """A recording without cues gives decisions, no trials, no accuracy, and says why."""
    path = relabelled({"T1": "a", "T2": "b"})
    outcome = bci_here("replay", path, "--model", trained, "--json", "--smoothing", "none")
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert document["n_decisions"] > 100
    assert document["accuracy"] is None
    assert "no cue of left_hand, right_hand" in outcome.err
    assert "a (" in outcome.err


def test_class_names_are_cues_for_every_model(bci_here, trained, relabelled):
    """A model trained on T1 and T2 scores a recording of the paradigm, with class names."""
    coded = bci_here("replay", relabelled({}), "--model", trained, "--json")
    named = bci_here(
        "replay",
        relabelled({"T1": "left_hand", "T2": "right_hand"}),
        "--model",
        trained,
        "--json",
    )
    trials = [json.loads(outcome.out)["trials"] for outcome in (coded, named)]
    assert trials[0] == trials[1] != []


def test_channels_that_training_would_refuse_are_named(bci_here, trained, relabelled):
    """Equal channels decode with a warning; a flat one leaves nothing to decide on."""

    def twins(data, names):
        data[names.index("Cz..")] = data[names.index("C3..")]

    def flat(data, names):
        data[names.index("C3..")] = 0.0

    outcome = bci_here("replay", relabelled({}, twins), "--model", trained, "--json")
    assert outcome.code == 0
    assert "C3" in outcome.err
    assert "Cz" in outcome.err
    one_error(bci_here("replay", relabelled({}, flat), "--model", trained), "C3", "flat")


def one_error(outcome, *words):
    """Check that a command refused its input in one line that holds all the words."""
    assert outcome.code == 2, outcome.err
    assert len(outcome.errors) == 1, outcome.err
    assert outcome.out == ""
    for word in words:
        assert word in outcome.errors[0]


def test_a_recording_of_another_rate_is_refused(bci_here, trained, shared_data):
    """S088 was recorded at 128 Hz, the model trained at 160: both are named."""
    other = shared_data / "eegmmidb" / "S088R04.edf"
    one_error(bci_here("replay", other, "--model", trained), "128 Hz", "160 Hz")


def test_a_recording_without_a_channel_is_refused(bci_here, trained, write_fif, tmp_path):
    """The channels that the model needs and the recording has not are named."""
    path = write_fif(tmp_path / "few_raw.fif", rate_hz=160.0)
    one_error(bci_here("replay", path, "--model", trained), "FC5")


def test_a_recording_too_short_for_a_window_is_refused(bci_here, trained, run_12, tmp_path):
    """Two seconds hold no window of three."""
    path = tmp_path / "short_raw.fif"
    mne.io.read_raw_edf(run_12, verbose="error").crop(tmax=2.0).save(path, verbose="error")
    one_error(bci_here("replay", path, "--model", trained), "short_raw.fif", "too short")


def test_verifying_needs_a_log(bci_here, trained, run_12):
    """Without an event log beside the recording, --verify says which file it looked for."""
    one_error(bci_here("replay", run_12, "--model", trained, "--verify"), "session.jsonl")


def test_verifying_needs_a_log_that_is_one(bci_here, trained, run_12, tmp_path):
    """A file of something else is named, with the line at which it stops being a log."""
    notes = tmp_path / "notes.jsonl"
    notes.write_text("cap on at ten\n", "utf-8")
    arguments = ("replay", run_12, "--model", trained, "--verify", "--log", notes)
    one_error(bci_here(*arguments), "notes.jsonl, line 1")
