"""The picture of a search."""

import numpy as np
import pytest

from bci.decoders.search import ACMSearchCV
from bci.decoders.search_plot import plot_search


@pytest.mark.parametrize("subsets", [None, {"left": (0, 1, 2), "all": range(6)}])
@pytest.mark.parametrize("classifier", ["svm", "lr"])
def test_every_pair_is_drawn_with_its_best_score(make_trials, tmp_path, subsets, classifier):
    """A panel a subset, a text a pair, order 1 over all lags, the frame at the chosen pair."""
    X, y = make_trials(effect=0.8)
    search = ACMSearchCV((1, 2, 3), (2, 5), subsets=subsets, classifier=classifier).fit(X, y)
    figure = plot_search(search, rate_hz=120.0)
    panels = figure.axes[: 2 if subsets else 1]
    frames = [(k, patch) for k, axes in enumerate(panels) for patch in axes.patches]
    assert len(frames) == 1
    number, frame = frames[0]
    x, row = round(frame.get_x() + 0.5), round(frame.get_y() + 0.5)
    assert x + 1 == search.best_params_["order"]
    image = panels[number].images[0].get_array()
    assert image.shape == (2, 3)
    best = search.cv_results_["mean_test_score"][search.best_index_]
    assert image[row, x] == best
    for axes in panels:
        assert len(axes.texts) == 5
        column = axes.images[0].get_array()[:, 0]
        assert column[0] == column[1]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["2; 17", "5; 42"]
    assert panels[0].get_ylabel() == "lag (samples; ms)"
    figure.savefig(tmp_path / "search.png")
    assert (tmp_path / "search.png").stat().st_size > 5000


def test_order_one_alone_can_be_drawn(make_trials):
    """A search without lags is one cell."""
    X, y = make_trials()
    figure = plot_search(ACMSearchCV((1,), (1,)).fit(X, y))
    assert np.asarray(figure.axes[0].images[0].get_array()).shape == (1, 1)
    assert figure.axes[0].get_ylabel() == "lag (samples)"
