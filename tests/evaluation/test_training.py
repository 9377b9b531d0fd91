"""Training: what the card says of the model."""

from dataclasses import replace
from pathlib import Path

import pytest

from bci.config import EpochSettings
from bci.errors import TrialError
from bci.evaluation import Protocol, evaluate, train_model
from bci.signal.epochs import cut_epochs
from bci.sources.reading import open_recording

CHOSEN = EpochSettings.make(
    band_hz=(7.0, 35.0),
    event_map={"T1": "left_hand", "T2": "right_hand"},
    channels=("C3", "Cz", "C4", "FC3", "FC4", "CP3", "CP4"),
)


@pytest.fixture(scope="module")
def run(shared_data: Path) -> Path:
    """Return one run of imagined fists."""
    return shared_data / "eegmmidb" / "S001R04.edf"


def test_the_card_holds_the_scores_that_evaluate_gives(run: Path) -> None:
    """The card's scores are the cross-validation's, progress counts it and the final fit."""
    recording = open_recording(run)
    seen: list[tuple[int, int]] = []
    model = train_model(
        [recording],
        CHOSEN,
        "mdm",
        folds=3,
        seed=2,
        progress=lambda done, total: seen.append((done, total)),
    )
    result = evaluate(cut_epochs([recording], CHOSEN), "mdm", None, Protocol(folds=3, seed=2))
    scores = model.card["cv"]
    assert {name: scores[name] for name in result.as_dict()} == result.as_dict()
    assert (scores["folds"], scores["seed"]) == (3, 2)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert model.channels == CHOSEN.channels
    assert model.artifact_limit_v.shape == (7,)
    assert model.card["n_trials"] == {"left_hand": 8, "right_hand": 7}


@pytest.mark.parametrize(
    ("keep", "cv", "words"),
    [(2, True, ["--folds 5", "1"]), (2, False, ["1 trial", "S001R04.edf"])],
    ids=["cross-validated", "fitted only"],
)
def test_one_trial_of_a_class_is_too_few(run: Path, keep: int, cv: bool, words: list[str]) -> None:
    """With and without cross-validation the class that lacks trials is named."""
    recording = open_recording(run)
    cues = [marker for marker in recording.markers if marker.label in ("T1", "T2")]
    first = {label: next(m for m in cues if m.label == label) for label in ("T1", "T2")}
    kept = tuple(sorted(first.values(), key=lambda marker: marker.time_s))[:keep]
    with pytest.raises(TrialError) as caught:
        train_model([replace(recording, markers=kept)], CHOSEN, "mdm", cv=cv)
    for word in words:
        assert word in str(caught.value)
