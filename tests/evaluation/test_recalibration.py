"""From a model and a few trials of a new session to a model of that session."""

import numpy as np
import pytest

from bci.config import EpochSettings, OnlineSettings
from bci.decoders import load_model
from bci.errors import ModelError, SettingsError
from bci.evaluation import recalibrate_model, train_model
from bci.online import replay
from bci.signal.epochs import cut_epochs
from bci.sources.reading import open_recording

LABELS = ("C3", "C4", "Cz", "FC1", "FC2", "FC5", "FC6", "CP1", "CP2", "CP5", "CP6", *"abcde")


@pytest.fixture(scope="module")
def days(shared_data):
    """Return runs of one person on the second and the third day, and their settings."""
    second, third = (
        [
            open_recording(shared_data / "days_xdf" / f"P1_{k:03d}.xdf", labels=LABELS, unit="uV")
            for k in day
        ]
        for day in ((3, 5, 6, 7), (8, 9, 10, 11))
    )
    settings = EpochSettings(
        event_map={"1": "none", "2": "left_hand", "3": "right_hand"},
        classes=("left_hand", "right_hand"),
        channels=LABELS[:11],
    )
    return second, third, settings


@pytest.fixture(scope="module")
def trained(days):
    """Return a model of the second day."""
    second, _, settings = days
    return train_model(second, settings, "ts-lr", cv=False, recenter_s=120.0)


def accuracy(model, recordings, settings):
    """Return the share of trials decided right."""
    epochs = cut_epochs(recordings, settings)
    return np.mean(model.probabilities(epochs.X).argmax(axis=1) == epochs.y)


def test_a_run_of_the_third_day_recalibrates_the_second(days, trained, tmp_path):
    """One run of the new day: the others are decoded better than without."""
    _, third, settings = days
    for rotate in (False, True):
        made = recalibrate_model(trained, third[:1], rotate=rotate)
        gained = accuracy(made, third[1:], settings) - accuracy(trained, third[1:], settings)
        assert gained > 0.04
        made.save(tmp_path / f"{rotate}.bci")
        loaded = load_model(tmp_path / f"{rotate}.bci")
        epochs = cut_epochs(third[1:], settings)
        np.testing.assert_array_equal(loaded.probabilities(epochs.X), made.probabilities(epochs.X))
        assert loaded.card["recalibrated"]["rotated"] is rotate
        assert loaded.card["recalibrated"]["recordings"][0]["name"] == "P1_008.xdf"
    # It starts where the new day is.
    assert replay(third[0], made, OnlineSettings()).moved_db < 0.5
    assert replay(third[0], trained, OnlineSettings()).moved_db > 0.5


def test_recentering_helps_from_day_to_day(days, trained):
    """Without a label: the third day's runs, replayed, are decoded no worse, and surer."""
    second, third, settings = days
    plain = train_model(second, settings, "ts-lr", cv=False)
    right = {}
    for name, model in (("plain", plain), ("recentred", trained)):
        trials = [
            trial
            for run in third
            for trial in replay(run, model, OnlineSettings()).trials
            if trial.decoded is not None
        ]
        right[name] = np.mean([trial.correct for trial in trials])
    assert right["recentred"] > right["plain"] + 0.02


def test_a_second_recalibration_starts_from_the_training(days, trained):
    """Recalibrated again, a model is that of the newest session alone."""
    _, third, _ = days
    once = recalibrate_model(trained, third[1:2])
    twice = recalibrate_model(recalibrate_model(trained, third[:1]), third[1:2])
    for a, b in zip(once.estimator.maps_, twice.estimator.maps_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_model_that_does_not_recentre_is_refused(days, trained):
    """It does not say where its classes were."""
    second, third, settings = days
    plain = train_model(second[:2], settings, "ts-lr", cv=False)
    with pytest.raises(ModelError, match="without --recenter"):
        recalibrate_model(plain, third[:1])


def test_a_decoder_without_covariances_cannot_be_recentred(days):
    """It is said before anything is fitted."""
    second, _, settings = days
    with pytest.raises(SettingsError, match="'bt-acm' cannot be recentred"):
        train_model(second[:2], settings, "bt-acm", recenter_s=120.0)
