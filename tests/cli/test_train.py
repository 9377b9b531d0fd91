"""``bci train``: a model file with an honest card."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bci.config import EpochSettings
from bci.decoders import load_model
from bci.signal.epochs import cut_epochs
from bci.sources.reading import open_recording

EVENTS = ["--event", "T1=left_hand", "--event", "T2=right_hand"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, write_fif: Callable[..., Path]) -> Path:
    """Return a run in which the right hand is louder at C3."""
    return write_fif(tmp_path_factory.mktemp("runs") / "one_raw.fif")


def test_a_model_is_written_with_its_scores_and_where_it_comes_from(
    bci: Callable[..., Any], run: Path, tmp_path: Path
) -> None:
    """The document and the card agree: classes, channels, scores, hashes."""
    out = tmp_path / "m.bci"
    outcome = bci(
        "train",
        run,
        *EVENTS,
        "--decoder",
        "ts-lr",
        "--channels",
        "C4,C3,Cz",
        "--out",
        out,
        "--json",
    )
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert document["model"] == str(out)
    assert document["classes"] == ["left_hand", "right_hand"]
    assert document["channels"] == ["C4", "C3", "Cz"]
    assert document["cv"]["accuracy"]["mean"] > 0.8
    assert document["cv"]["n_trials"] == 16
    assert document["n_trials"] == {"left_hand": 8, "right_hand": 8}
    model = load_model(out)
    assert model.channels == ("C4", "C3", "Cz")
    assert model.card["cv"] == document["cv"]
    assert model.card["recordings"] == [
        {"name": "one_raw.fif", "sha256": hashlib.sha256(run.read_bytes()).hexdigest()}
    ]
    assert model.card["units_declared"] is True
    assert model.card["versions"]["rolandic"]
    assert [path.name for path in tmp_path.iterdir()] == ["m.bci"]


def test_the_model_decodes_the_windows_that_it_was_trained_on(
    bci_here: Callable[..., Any], run: Path, tmp_path: Path
) -> None:
    """What the file holds is the fitted decoder, its probabilities in the order of the classes."""
    out = tmp_path / "m.bci"
    outcome = bci_here(
        "train", run, *EVENTS, "--classes", "right_hand,left_hand", "--decoder", "mdm",
        "--out", out, "--no-cv",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "Not cross-validated" in outcome.out
    model = load_model(out)
    assert model.classes == ("right_hand", "left_hand")
    settings = EpochSettings.make(
        event_map={"T1": "left_hand", "T2": "right_hand"}, classes=model.classes
    )
    epochs = cut_epochs([open_recording(run)], settings)
    decided = np.argmax(model.probabilities(epochs.X), axis=1)
    assert np.mean(decided == epochs.y) > 0.9
    assert model.card["cv"] is None


def test_overwrite_replaces_a_model(
    bci_here: Callable[..., Any], run: Path, tmp_path: Path
) -> None:
    """With --overwrite what was there is replaced; parameters reach the decoder and the card."""
    out = tmp_path / "m.bci"
    out.write_bytes(b"old")
    outcome = bci_here(
        "train", run, *EVENTS, "--decoder", "ts-lr", "--param", "C=0.5", "--overwrite", "--out", out
    )
    assert outcome.code == 0, outcome.err
    model = load_model(out)
    assert model.estimator.C == 0.5
    assert model.card["params"] == {"C": 0.5}


def test_a_model_of_noise_is_said_not_to_decode(
    bci_here: Callable[..., Any], write_fif: Callable[..., Path], tmp_path: Path
) -> None:
    """Training on noise succeeds and says plainly what it is worth."""
    noise = write_fif(tmp_path / "noise_raw.fif", effect=0.0, seed=3)
    outcome = bci_here("train", noise, *EVENTS, "--decoder", "mdm", "--out", tmp_path / "m.bci")
    assert outcome.code == 0, outcome.err
    assert "Not above chance" in outcome.out
