"""Spatial filters: what is common goes, what is a channel's own stays."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from bci.errors import ChannelError, SettingsError
from bci.features.spatial import SPATIAL_FILTERS, neighbours, spatial_filter
from bci.sources.headmodel import MONTAGES

NAMES = MONTAGES["standard-64"]


@pytest.mark.parametrize("kind", sorted(set(SPATIAL_FILTERS) - {"none"}))
def test_what_is_the_same_everywhere_is_gone(kind):
    """A reference that wanders leaves no trace in the channels that have neighbours."""
    matrix = spatial_filter(kind, NAMES)
    assert_allclose(matrix @ np.ones(len(NAMES)), 0.0, atol=1e-12)
    assert_array_equal(np.diag(matrix) > 0.5, True)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("small-laplacian", {"C1", "C5", "FC3", "CP3"}),
        ("large-laplacian", {"Cz", "T7", "F3", "P3"}),
    ],
)
def test_the_neighbours_of_c3_are_those_of_the_textbook(kind, expected):
    """The four next ones, or the four next but one."""
    others, distances_m = neighbours(NAMES, kind)[NAMES.index("C3")]
    assert {NAMES[other] for other in others} == expected
    assert ((distances_m > 0.03) & (distances_m < 0.08)).all()


def test_order_and_spelling_of_channels_do_not_matter():
    """Other names for the same electrodes, in another order: the same filter."""
    order = np.random.default_rng(0).permutation(len(NAMES))
    shuffled = [f"EEG {NAMES[i]}-Ref" for i in order]
    plain = spatial_filter("small-laplacian", NAMES)
    assert_array_equal(spatial_filter("small-laplacian", shuffled), plain[np.ix_(order, order)])


def test_a_channel_without_neighbours_stays_as_it_is():
    """Of C3, Cz and C4 the one in the middle has two; a lone channel has none."""
    matrix = spatial_filter("small-laplacian", ("C3", "Cz", "C4"))
    assert_array_equal(matrix[[0, 2]], np.eye(3)[[0, 2]])
    assert_allclose(matrix[1].sum(), 0.0, atol=1e-12)
    for kind in SPATIAL_FILTERS:
        assert_array_equal(spatial_filter(kind, ("Cz",)), np.eye(1))


def test_the_automatic_one_takes_what_there_is():
    """A Laplacian where places are known; else the average, but not of a few channels."""
    assert_array_equal(spatial_filter("auto", NAMES), spatial_filter("small-laplacian", NAMES))
    unknown = [f"ch{k}" for k in range(8)]
    assert_array_equal(spatial_filter("auto", unknown), spatial_filter("average", unknown))
    assert_array_equal(spatial_filter("auto", unknown[:7]), np.eye(7))


def test_unknown_places_and_filters_are_refused():
    """The channels are named with what may be meant, the filters listed."""
    with pytest.raises(ChannelError, match=r"1 of 3 channels .*: Q3 .*spatial filter average"):
        spatial_filter("small-laplacian", ("C3", "Q3", "C4"))
    with pytest.raises(SettingsError, match="'csp': choose one of auto, none, average"):
        spatial_filter("csp", NAMES)
