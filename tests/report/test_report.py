"""The report: every part is there, with its figures, whatever the session was like."""

import dataclasses

import numpy as np
import pytest

from bci.config import EpochSettings, OnlineSettings
from bci.evaluation.training import train_model
from bci.events import Marker
from bci.online import replay
from bci.report import SessionSummary, accuracy_line, write_report
from bci.sources.base import Channel
from bci.sources.simulate import simulate_run


def cues(classes, n_each, seed):
    """Return shuffled cues, five seconds apart."""
    labels = list(classes) * n_each
    np.random.default_rng(seed).shuffle(labels)
    return [Marker(3.0 + 5.0 * k, label) for k, label in enumerate(labels)]


def session(classes, decoder, *, rename=None):
    """Return a short session of a simulated person."""
    person = {
        "ability": 1.0,
        "rate_hz": 125.0,
        "seed": 5,
        "montage": ("C3", "Cz", "C4", "CP3", "CP4"),
    }
    recordings = []
    for n_each, seed in ((6, 1), (3, 2)):
        marks = cues(classes, n_each, seed)
        recording = simulate_run(person, marks, 5.0 * len(marks) + 5)
        if rename:
            info = dataclasses.replace(
                recording.info, channels=tuple(Channel(name, "microvolts") for name in rename)
            )
            recording = dataclasses.replace(recording, info=info)
        recordings.append(recording)
    calibration, online = recordings
    model = train_model(
        [calibration], EpochSettings(window_s=(0.5, 3.5)), decoder, cv=len(classes) == 2, folds=3
    )
    settings = OnlineSettings()
    outcome = replay(online, model, settings)
    return SessionSummary(
        "A session <of tests>",
        model,
        [calibration],
        outcome.trials,
        outcome.decisions,
        settings,
        [("Samples lost", "0 of 1000")],
    )


@pytest.mark.parametrize(
    ("classes", "decoder"),
    [
        (("left_hand", "right_hand"), "csp-lda"),
        (("left_hand", "right_hand", "feet"), "ts-lr"),
    ],
)
def test_a_report_holds_every_part(tmp_path, classes, decoder):
    """Spectra, patterns, confusion, decisions and parameters, for two classes and for more."""
    path = tmp_path / "report.html"
    summary = session(classes, decoder)
    write_report(path, summary)
    text = path.read_text("utf-8")
    for part in (
        "Spectra by class",
        "Activation patterns",
        "Confusion matrix",
        "Decisions over time",
        "Parameters and versions",
        "no medical device",
        "95 % interval",
        "A session &lt;of tests&gt;",
        decoder,
    ):
        assert part in text
    # A replay has no latency, and none is invented.
    assert "Sample to decision" not in text
    assert path.stat().st_mode & 0o077 == 0


def test_channels_without_a_place_are_no_obstacle(tmp_path):
    """Where no electrode position is known, everything but the topographies is there."""
    path = tmp_path / "report.html"
    write_report(
        path, session(("left_hand", "right_hand"), "ts-lr", rename=("a", "b", "c", "d", "e"))
    )
    text = path.read_text("utf-8")
    assert "Spectra by class" in text
    assert "Activation patterns" not in text


def test_a_run_without_a_decoded_trial_is_reported_as_such(tmp_path):
    """When nothing could be decoded the report says just that."""
    summary = session(("left_hand", "right_hand"), "ts-lr")
    nothing = [
        dataclasses.replace(t, decoded=None, probabilities=None, n_windows=0, n_without=1)
        for t in summary.trials
    ]
    path = tmp_path / "report.html"
    write_report(path, dataclasses.replace(summary, trials=nothing, decisions=[]))
    assert accuracy_line(nothing) == "no trial could be decoded"
    assert "no trial could be decoded" in path.read_text("utf-8")


def test_the_line_says_whether_it_is_above_chance():
    """Accuracy comes with its interval, the chance level, and a plain verdict."""
    summary = session(("left_hand", "right_hand"), "ts-lr")
    right = [dataclasses.replace(t, decoded=t.cue) for t in summary.trials]
    wrong = [dataclasses.replace(t, decoded="left_hand") for t in summary.trials]
    assert accuracy_line(right).endswith(": above chance")
    assert accuracy_line(wrong).endswith(": not above chance")
