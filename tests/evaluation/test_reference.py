"""The same pipelines from MNE and pyriemann parts score the same, with the same folds."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def population() -> ModuleType:
    """Load the benchmark over people, which holds the reference pipelines."""
    path = Path(__file__).parents[1] / "benchmarks" / "population.py"
    spec = importlib.util.spec_from_file_location("population", path)
    if spec is None or spec.loader is None:
        pytest.fail(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_s001_scores_as_the_reference_does(population: ModuleType, shared_data: Path) -> None:
    """EEGMMIDB S001, 7-35 Hz causal, 0.5-3.5 s, 5 folds: ROC-AUC within 0.03 of the reference."""
    paths, events, unit = population.people(shared_data)["S001"]
    decoders = ["csp-lda", "ts-lr"]
    mine, y = population.ours(paths, events, unit, decoders)
    theirs, their_y = population.reference(paths, events, unit, decoders)
    np.testing.assert_array_equal(y, their_y)
    assert len(y) == 45
    for name in decoders:
        assert mine[name] == pytest.approx(theirs[name], abs=0.03)
        assert mine[name] > 0.7
