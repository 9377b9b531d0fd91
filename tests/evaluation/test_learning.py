"""How many trials are enough."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pytest

from bci.errors import TrialError
from bci.evaluation import Protocol, crossval, evaluate, learning_curve
from bci.signal.epochs import Epochs

Make = Callable[..., Epochs]


def test_the_last_point_is_the_cross_validation_itself(make_epochs: Make) -> None:
    """With all training trials the curve is what `evaluate` gives, averaged over repeats."""
    epochs = make_epochs(40, effect=0.3)
    curve = learning_curve(epochs, "mdm", sizes=[8, 16], repeats=2, folds=4)
    whole = [evaluate(epochs, "mdm", None, Protocol(folds=4, seed=seed)) for seed in (0, 1)]
    assert [point.n_train for point in curve.points] == [8, 16, 30]
    last = curve.points[-1]
    assert last.accuracy.mean == pytest.approx(np.mean([r.accuracy.mean for r in whole]))
    assert last.roc_auc.mean == pytest.approx(np.mean([r.roc_auc.mean for r in whole]))
    assert last.accuracy.high - last.accuracy.low > 0.1


class Counter:
    """A decoder that knows the classes once it has seen so many trials."""

    needed = 0
    seen: list[np.ndarray] = []  # noqa: RUF012 - emptied by the test

    def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> Self:
        """Count."""
        Counter.seen.append(np.bincount(y))
        self.knows = len(np.unique(groups)) >= Counter.needed
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Decide by the planted amplitude, or by noise."""
        loud = X.std(axis=2)
        score = loud[:, 1] > loud[:, 0] if self.knows else X[:, 0, 0] > 0
        return np.stack([1.0 - score, 1.0 * score], axis=1)


@pytest.mark.parametrize(
    ("needed", "words"),
    [
        (0, ["8 trials are enough"]),
        (18, ["18 trials are enough: 100 %"]),
        (38, ["40 trials are not yet enough", "record more"]),
        (99, ["not above chance"]),
    ],
)
def test_the_answer_is_plain(
    make_epochs: Make, monkeypatch: pytest.MonkeyPatch, needed: int, words: list[str]
) -> None:
    """A person whose decoder works from a known number of trials on is told that number."""

    def make(*_: Any, **__: Any) -> Counter:
        return Counter()

    monkeypatch.setattr(crossval, "make_decoder", make)
    Counter.needed, Counter.seen = needed, []
    curve = learning_curve(make_epochs(50, effect=5.0), "counter", repeats=2)
    assert [point.n_train for point in curve.points] == [8, 12, 18, 27, 40]
    for word in words:
        assert word in curve.answer()
    # Every subset is as mixed as the whole: never more than one trial apart.
    assert max(abs(int(counts[0]) - int(counts[1])) for counts in Counter.seen) <= 1
    assert curve.as_dict()["enough"] == curve.enough


def test_a_size_that_is_not_there_is_one_line(make_epochs: Make) -> None:
    """The line says from what to what."""
    with pytest.raises(TrialError, match=r"sizes 8, 32, 60: .* from 4 .* to 32"):
        learning_curve(make_epochs(40), "mdm", sizes=[8, 60])
