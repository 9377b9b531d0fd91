"""The same pipelines from MNE and pyriemann parts score the same, with the same folds."""

import importlib
from pathlib import Path

import pytest


def test_s001_scores_as_the_reference_does(
    monkeypatch: pytest.MonkeyPatch, shared_data: Path
) -> None:
    """EEGMMIDB S001, 7-35 Hz causal, 0.5-3.5 s, 5 folds: ROC-AUC within 0.03 of the reference."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    population = importlib.import_module("tests.benchmarks.population")
    folder = next(shared_data.rglob("S001R04.edf")).parent
    (sitting,) = (s for s in population.sittings(folder) if s.person == "S001")
    row = population.within(sitting, ("csp-lda", "ts-lr"), seeds=1)
    assert row["n_trials"] == 45
    scores = row["scores"]
    for name in ("csp-lda", "ts-lr"):
        assert scores[name] == pytest.approx(scores[f"reference {name}"], abs=0.03)
        assert scores[name] > 0.7
