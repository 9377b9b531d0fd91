"""``bci train --recenter``, ``bci replay`` with it, and ``bci recalibrate``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bci.decoders import RecalibratedDecoder, load_model

EVENTS = ["--event", "T1=left_hand", "--event", "T2=right_hand"]


def gains(samples: np.ndarray) -> None:
    """Change the gains of the channels, as another amplifier or another gel would."""
    samples *= np.array([[1.6], [0.5], [0.4], [1.0], [1.8], [0.7]])


@pytest.fixture(scope="module")
def days(
    tmp_path_factory: pytest.TempPathFactory, write_fif: Callable[..., Path]
) -> tuple[Path, Path]:
    """Return a run of one day, and of another with other gains."""
    folder = tmp_path_factory.mktemp("days")
    return (
        write_fif(folder / "one_raw.fif", n_trials=24),
        write_fif(folder / "two_raw.fif", seed=1, change=gains),
    )


@pytest.fixture
def model(bci_here: Callable[..., Any], days: tuple[Path, Path], tmp_path: Path) -> Path:
    """Return a model of the first day that recentres."""
    out = tmp_path / "one.bci"
    done = bci_here(
        "train", days[0], *EVENTS, "--decoder", "ts-lr", "--no-cv", "--recenter", 60, "--out", out
    )
    assert done.code == 0, done.err
    assert "Recentres online, time constant 60 s" in done.out
    return out


def test_a_replay_says_how_far_the_reference_moved(
    bci_here: Callable[..., Any], days: tuple[Path, Path], model: Path
) -> None:
    """Other gains move it by decibels; in words and in the document."""
    said = bci_here("replay", days[1], "--model", model)
    assert "recentred: the reference point moved by" in said.out
    moved = {
        path: json.loads(bci_here("replay", path, "--model", model, "--json").out) for path in days
    }
    assert moved[days[1]]["recentering_moved_db"] > 3.0
    assert moved[days[0]]["recentering_moved_db"] < 1.5


def test_a_model_is_aligned_with_another_day(
    bci_here: Callable[..., Any], days: tuple[Path, Path], model: Path, tmp_path: Path
) -> None:
    """The new model decodes the new day, starts where it is, and says where it comes from."""
    out = tmp_path / "two.bci"
    done = bci_here("recalibrate", days[1], "--model", model, "--out", out, "--json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert document["n_trials"] == {"left_hand": 8, "right_hand": 8}
    assert document["rotated"] is True
    made = load_model(out)
    assert isinstance(made.estimator, RecalibratedDecoder)
    assert made.card["recalibrated"]["recordings"][0]["name"] == "two_raw.fif"
    again = json.loads(bci_here("replay", days[1], "--model", out, "--json").out)
    assert again["recentering_moved_db"] < 1.5
    assert again["accuracy"] > 0.9
    refused = bci_here("recalibrate", days[1], "--model", model, "--out", out)
    assert refused.code == 2
    assert "exists" in refused.err
    worded = bci_here(
        "recalibrate", days[1], "--model", model, "--out", out, "--overwrite", "--no-rotate"
    )
    assert "aligned by 8 trials of left_hand, 8 trials of right_hand" in worded.out
    assert load_model(out).card["recalibrated"]["rotated"] is False


def test_what_cannot_be_recentred_or_aligned_is_named(
    bci_here: Callable[..., Any], days: tuple[Path, Path], tmp_path: Path
) -> None:
    """A time constant of nothing, and a model that was trained without recentering."""
    plain = tmp_path / "plain.bci"
    train = ["train", days[0], *EVENTS, "--decoder", "ts-lr", "--no-cv", "--out", plain]
    refused = bci_here(*train, "--recenter", 0)
    assert refused.code == 2
    assert "--recenter" in refused.err
    assert not plain.exists()
    assert bci_here(*train).code == 0
    out = tmp_path / "new.bci"
    refused = bci_here("recalibrate", days[1], "--model", plain, "--out", out)
    assert refused.code == 2
    assert "without --recenter" in refused.err
    assert not out.exists()
