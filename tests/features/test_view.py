"""What a window shows of an analysis is the analysis, in the order of the picture."""

from collections.abc import Callable

import numpy as np
import pytest

from bci.features.analysis import Analysis, AnalysisSettings, analyse
from bci.features.grammar import Feature
from bci.features.trial_rows import trial_rows
from bci.features.view import AnalysisView, view_of
from bci.sources.recording import Recording


@pytest.fixture(scope="module")
def recording(made: Callable[..., Recording]) -> Recording:
    """One run, C4 planted at 11 Hz."""
    return made()


@pytest.fixture(scope="module")
def analysis(recording: Recording) -> Analysis:
    """All of it."""
    return analyse([recording], _settings())


def _settings(**changed: object) -> AnalysisSettings:
    return AnalysisSettings.make(
        **{"epochs": {"band_hz": (2, 40), "window_s": (0.5, 2.5)}, "spatial": "none",
           "spectrum": {"fmax_hz": 36}, "erds": {"span_s": (-1.5, 3), "baseline_s": (-1.5, -0.5)},
           **changed}
    )  # fmt: skip


@pytest.fixture(scope="module")
def view(analysis: Analysis) -> AnalysisView:
    """Ready to be shown."""
    return view_of(analysis)


def test_rows_hold_the_numbers_of_their_channels(analysis: Analysis, view: AnalysisView) -> None:
    """Rows run from left to right; each has its channel's R2, test and means."""
    found = view.maps[0]
    assert sorted(found.channels) == sorted(analysis.channels)
    assert list(dict.fromkeys(found.sides)) == ["left", "middle", "right"]
    for row, name in enumerate(found.channels):
        channel = analysis.channels.index(name)
        np.testing.assert_array_equal(found.r2[row], analysis.power.contrast.r2[channel])
        np.testing.assert_array_equal(found.p[row], analysis.power.contrast.p[channel])
        mean = analysis.power.values[analysis.y == 1, channel].mean(axis=0) + 120.0
        np.testing.assert_allclose(found.means[1, row], mean)
    assert found.channels[found.best[0]] == "C4"
    assert abs(found.freqs_hz[found.best[1]] - 11) <= 1
    assert found.limit >= found.chance_largest_r2


def test_the_map_of_the_head_peaks_where_the_electrode_is(view: AnalysisView) -> None:
    """Values go to their own places, though rows are in another order than the analysis."""
    assert view.scalp is not None
    found = view.maps[0]
    values = np.zeros(len(found.channels))
    values[found.channels.index("C4")] = 1.0
    image = view.scalp.image(values)
    assert image is not None
    y, x = np.unravel_index(int(np.nanargmax(image)), image.shape)
    at = view.scalp.points[found.channels.index("C4")]
    axis = np.linspace(-1, 1, image.shape[0])
    assert abs(axis[x] - at[0]) < 0.1
    assert abs(axis[y] - at[1]) < 0.1


def test_places_and_features_name_each_other(view: AnalysisView) -> None:
    """A drag over cells is a feature, and that feature is those cells; other features are none."""
    found = view.maps[0]
    feature = found.feature(2, 9, 6)
    assert feature.low_hz < feature.high_hz
    assert found.place(feature) == (2, 6, 9)
    assert found.place(Feature("fc", feature.channel, 10, 12)) is None
    assert found.place(Feature("psd", "O1", 10, 12)) is None
    assert found.place(Feature("psd", "C4", 50, 60)) is None


def test_network_pairs_are_rows_of_the_maps(analysis: Analysis, view: AnalysisView) -> None:
    """The strongest pair of a class is the one of the matrices, by its channels' names."""
    assert view.network is not None
    assert analysis.matrices is not None
    assert analysis.strength is not None
    low, high = view.network.bands_hz["mu"]
    bins = (analysis.strength.freqs_hz >= low) & (analysis.strength.freqs_hz <= high)
    matrix = np.abs(analysis.matrices[0][..., bins].mean(axis=-1))
    a, b = np.unravel_index(int(np.triu(matrix, 1).argmax()), matrix.shape)
    pair = view.network.strongest[analysis.classes[0], "mu"].pairs[0]
    names = {view.maps[0].channels[int(row)] for row in pair}
    assert names == {analysis.channels[a], analysis.channels[b]}


def test_channels_without_a_place_have_maps_and_no_head(made: Callable[..., Recording]) -> None:
    """The maps of channels and frequencies need no places; why there is no head is said."""
    recording = made(labels=("a1x", "a2x", "a3x", "a4x"))
    found = view_of(analyse([recording], _settings(erds=None)))
    assert found.scalp is None
    assert any("no place for a1x" in note for note in found.notes)
    assert found.maps[0].r2.shape[0] == 4


def test_trials_are_all_listed_with_what_stands_out(made: Callable[..., Recording]) -> None:
    """Taken out or not, every trial is there; one that is ten times as large says so."""
    recording = made(seed=3)
    start = int((3.0 + 5.0 * 7) * recording.info.rate_hz)
    recording.samples[start : start + 300] *= 20
    epochs = _settings().epochs.model_copy(update={"left_out": {recording.path.name: (3.0,)}})
    rows = trial_rows([recording], ["content"], epochs)
    assert len(rows) == 24
    assert [row.onset_s for row in rows] == sorted(row.onset_s for row in rows)
    assert rows[0].class_name == "left_hand"
    assert rows[7].stands_out
    assert sum(bool(row.stands_out) for row in rows) <= 3
