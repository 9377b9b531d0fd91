"""Pairs of channels: the strongest, those that differ, what chance makes, and hemispheres."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from bci.errors import ChannelError, SettingsError, TrialError
from bci.features.connectivity import connectivity
from bci.features.contrast import contrast
from bci.features.network import (
    chance_connectivity,
    edge_contrast,
    homologous_pairs,
    laterality_index,
    significant_edges,
    strongest_edges,
)
from bci.features.settings import ConnectivitySettings

RATE_HZ = 128.0
FREQS_HZ = np.arange(8.0, 21.0)


@given(st.integers(0, 999), st.integers(2, 8), st.integers(1, 40))
def test_the_strongest_pairs_come_first_whatever_their_sign(seed, n_channels, n_edges):
    """As many as were asked for and there are, none weaker than one that is left out."""
    values = np.triu(np.random.default_rng(seed).standard_normal((n_channels, n_channels)), 1)
    found = strongest_edges(values - values.T, n_edges)
    assert found.n_possible == n_channels * (n_channels - 1) // 2
    assert len(found.values) == min(n_edges, found.n_possible)
    assert_array_equal(found.values, values[found.pairs[:, 0], found.pairs[:, 1]])
    sizes = np.abs(values[np.triu_indices(n_channels, 1)])
    assert_array_equal(np.abs(found.values), np.sort(sizes)[::-1][:n_edges])


def test_pairs_without_connectivity_are_none():
    """Zeros are no edges; fewer than one edge is refused."""
    matrix = np.zeros((4, 4))
    matrix[1, 2] = matrix[2, 1] = 0.4
    found = strongest_edges(matrix)
    assert found.pairs.tolist() == [[1, 2]]
    with pytest.raises(SettingsError, match="give 1 or more"):
        strongest_edges(matrix, 0)


@pytest.mark.parametrize("measure", ["coherence", "abs_imaginary", "imaginary", "wpli"])
def test_unrelated_channels_reach_the_chance_level_once_in_twenty_pairs(measure):
    """On noise; and a relation between channels does not raise it."""
    rng = np.random.default_rng(0)
    settings = ConnectivitySettings(measure=measure)
    noise = rng.standard_normal((40, 16, 384))
    level = chance_connectivity(noise, RATE_HZ, FREQS_HZ, settings, seed=1)
    fresh = rng.standard_normal((40, 16, 384))
    mean = connectivity(fresh, RATE_HZ, FREQS_HZ, settings).values.mean(axis=0)
    pairs = np.abs(mean[np.triu_indices(16, 1)])
    assert np.mean(pairs > level) == pytest.approx(0.05, abs=0.025)
    shared = noise + 2 * rng.standard_normal((40, 1, 384))
    again = chance_connectivity(shared, RATE_HZ, FREQS_HZ, settings, seed=1)
    assert_allclose(again.mean(), level.mean(), rtol=0.15)
    with pytest.raises(TrialError, match="two or more"):
        chance_connectivity(noise[:1], RATE_HZ, FREQS_HZ, settings)


def test_pairs_that_differ_are_found_with_their_sign():
    """Two planted of 45 pairs, the larger first; each pair as `contrast` has it alone."""
    rng = np.random.default_rng(2)
    y = np.arange(60) % 2
    matrices = 0.1 * rng.standard_normal((60, 10, 10))
    matrices[y == 1, 2, 7] += 0.5
    matrices[y == 1, 0, 4] -= 0.25
    matrices = np.triu(matrices, 1) + np.triu(matrices, 1).transpose(0, 2, 1)
    found = edge_contrast(matrices, y)
    edges = significant_edges(found)
    assert edges.pairs[:2].tolist() == [[2, 7], [0, 4]]
    assert edges.values[0] > 0 > edges.values[1]
    assert len(edges.values) <= 5
    assert edges.n_possible == 45
    row = found.pairs.tolist().index([2, 7])
    alone = contrast(matrices[:, 2, 7, None], y)
    assert_allclose(found.contrast.r2[row], alone.r2[0])
    assert not len(significant_edges(edge_contrast(matrices, np.tile([0, 0, 1, 1], 15))).values)


def test_hemispheres_are_compared_by_pairs_that_mirror_each_other():
    """(left - right) / (left + right), pair by pair; names that are mere numbers are no places."""
    values = np.random.default_rng(3).random((5, 4, 3))
    names = ["C4", "Cz", "C3", "EEG1"]
    index, pairs = laterality_index(values, names)
    assert pairs == [("C3", "C4")]
    assert_allclose(index[:, 0], (values[:, 2] - values[:, 0]) / (values[:, 2] + values[:, 0]))
    assert homologous_pairs(["EEG1", "EEG2", "cp3", "CP4.."]) == [(2, 3)]
    assert laterality_index(values, names, [(1, 3)])[1] == [("Cz", "EEG1")]
    with pytest.raises(ChannelError, match="such as C3 and C4"):
        laterality_index(values, ["C3", "Cz", "Pz", "Oz"])
    with pytest.raises(SettingsError, match="not decibels"):
        laterality_index(-values, names)
