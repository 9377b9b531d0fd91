"""Pictures show what they are of: cells, signs, outlines, numbers of trials, chance."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from numpy.testing import assert_allclose

from bci.config import EpochSettings
from bci.errors import SettingsError
from bci.features import AnalysisSettings, ConnectivitySettings, Scalp, analyse
from bci.features.contrast import cluster_test, contrast
from bci.features.drawings import of_analysis
from bci.features.erds import ErdsSettings
from bci.features.maps import R2Map, outline, r2_figure
from bci.features.network import EdgeContrast, edge_contrast, strongest_edges
from bci.features.palette import class_colours
from bci.features.scalp_maps import contrast_network, contrast_topographies, networks
from bci.features.trial_maps import class_spectra, erds_figure

NAMES = ("C4", "Cz", "C3", "Fz", "Pz", "O1")
CLASSES = ("left_hand", "right_hand")
FREQS_HZ = np.arange(6.0, 16.0)


@pytest.fixture(scope="module")
def trials() -> tuple[np.ndarray, np.ndarray]:
    """Return features of 30 trials: at C3, 9 to 11 Hz, the second class has less."""
    y = np.arange(30) % 2
    features = np.random.default_rng(0).standard_normal((30, 6, 10))
    features[y == 1, 2, 3:6] -= 2.5
    return features, y


def words_of(figure) -> str:
    """Return all that a figure says."""
    FigureCanvasAgg(figure).draw()
    said = figure.findobj(lambda a: hasattr(a, "get_text"))
    return "\n".join(text.get_text() for text in said if text.get_text())


def overlaps(figure) -> list[tuple[str, str]]:
    """Return titles, labels and notes that lie upon those of another part of the figure."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    figure.get_layout_engine().execute(figure)
    canvas.draw()
    texts = [(None, figure._supxlabel)] if figure._supxlabel else []  # noqa: SLF001
    for ax in figure.axes:
        texts.append((ax, ax.title))
        for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
            low, high = sorted(axis.get_view_interval())
            shown = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            texts += [(ax, axis.label), *((ax, tick.label1) for tick in shown)]
            texts += [(ax, tick.label2) for tick in shown]
    boxes = [
        (ax, text.get_text(), text.get_window_extent(canvas.get_renderer()))
        for ax, text in texts
        if text.get_visible() and text.get_text()
    ]
    return [
        (name, other_name)
        for k, (ax, name, box) in enumerate(boxes)
        for other_ax, other_name, other in boxes[k + 1 :]
        if ax is not other_ax and box.overlaps(other)
    ]


def test_a_contrast_map_has_each_channel_in_its_row_and_outlines_what_is_significant(trials):
    """Rows left, middle, right; blue where the first class has more; trials and chance said."""
    features, y = trials
    found = contrast(features, y)
    clusters = cluster_test(features, y, [[] for _ in NAMES], n_shuffles=100)
    shown = R2Map.of(found, FREQS_HZ, NAMES, CLASSES, clusters=clusters, title="Power")
    assert shown.names == ("C3", "O1", "Fz", "Cz", "Pz", "C4")
    assert_allclose(shown.r2[0], found.r2[2])
    assert shown.sensorimotor.tolist() == [True, False, False, True, False, True]
    figure = r2_figure([shown])
    (image,) = figure.axes[0].images
    assert_allclose(image.get_array(), found.r2[shown.rows])
    assert image.get_extent() == [5.5, 15.5, 5.5, -0.5]
    r, _, b, _ = image.to_rgba(image.get_array())[0, 4]
    assert b > r
    thin, thick = (c for c in figure.axes[0].collections if isinstance(c, LineCollection))
    assert thin.get_linewidth()[0] < thick.get_linewidth()[0]
    for line in thin.get_segments():
        assert (line[:, 1] <= 0.5).all()  # around C3, the first row
        assert (line[:, 0] >= 8.5).all()
        assert (line[:, 0] <= 11.5).all()
    said = words_of(figure)
    assert "15 left hand, 15 right hand trials" in said
    assert f"one bin {found.chance_r2:.2f}, the largest of all 60 bins" in said
    assert "blue: more in left hand" in said
    assert not overlaps(figure)
    with pytest.raises(SettingsError, match="one or more"):
        r2_figure([])


def test_the_outline_of_a_mask_is_the_border_of_its_cells():
    """A block of two by three cells has ten sides, all on its border."""
    mask = np.zeros((4, 5), dtype=bool)
    mask[1:3, 1:4] = True
    lines = outline(mask, (0.0, 5.0, 4.0, 0.0))
    assert len(lines) == 10
    for (x0, y0), (x1, y1) in lines:
        assert (x0 == x1 and x0 in (1.0, 4.0)) or (y0 == y1 and y0 in (1.0, 3.0))


def test_spectra_are_the_means_of_the_classes_with_their_interval(trials):
    """In decibels re 1 uV2/Hz, in the classes' colours, with how many trials there are."""
    features, y = trials
    figure = class_spectra(features, FREQS_HZ, y, NAMES, CLASSES, channels=("C3", "Cz"))
    left, right = figure.axes[0].lines[:2]
    assert_allclose(left.get_ydata(), features[y == 0, 2].mean(axis=0) + 120)
    assert right.get_color() == class_colours(CLASSES)["right_hand"]
    assert left.get_label() == "left hand (15 trials)"
    assert "dB re 1 µV²/Hz" in words_of(figure)
    assert not overlaps(figure)


def test_heads_show_bands_and_ring_what_is_significant(trials):
    """The R2 of the band's mean at each channel, by the test and level that were asked for."""
    features, y = trials
    scalp = Scalp.of(NAMES)
    bands = [(9.0, 11.0), (13.0, 15.0)]
    figure = contrast_topographies(
        features, FREQS_HZ, y, CLASSES, scalp, bands, test="t", level=0.001
    )
    first, second = figure.axes[:2]
    means = np.stack([features[..., 3:6].mean(-1), features[..., 7:10].mean(-1)], axis=-1)
    found = contrast(means, y, "t", level=0.001)
    assert_allclose(_ringed(first), scalp.points[[2]])
    assert found.significant.T.tolist()[0] == [False, False, True, False, False, False]
    assert not len(_ringed(second))
    assert "9 to 11 Hz" in first.get_title()
    said = words_of(figure).replace("\n", " ")
    assert "t test, false discovery rate 0.001" in said
    assert f"here {np.abs(found.r2).max():.2f}" in said
    assert not overlaps(figure)


def _ringed(ax) -> np.ndarray:
    (rings,) = (line for line in ax.lines if line.get_fillstyle() == "none")
    return rings.get_xydata()


def test_a_network_draws_each_pair_between_its_channels():
    """Lines end at the two channels, wide where strong; how many there could be is said."""
    scalp = Scalp.of(NAMES)
    matrix = np.zeros((6, 6))
    matrix[0, 2], matrix[1, 4] = 0.6, 0.3
    found = strongest_edges(matrix)
    figure = networks([found], scalp, ["mean"], label="Coherence", note="30 trials.")
    (lines,) = (c for c in figure.axes[0].collections if isinstance(c, LineCollection))
    weak, strong = lines.get_segments()
    assert_allclose(strong, scalp.points[[0, 2]])
    assert_allclose(weak, scalp.points[[1, 4]])
    assert lines.get_linewidths()[1] > lines.get_linewidths()[0]
    said = words_of(figure)
    assert "2 of 15 pairs" in said
    assert "Coherence" in said
    with pytest.raises(SettingsError, match="one or more"):
        networks([], scalp, [], label="", note="")


def test_pairs_that_differ_are_drawn_and_an_empty_head_where_none_does():
    """With trials and chance either way."""
    rng = np.random.default_rng(1)
    y = np.arange(40) % 2
    matrices = rng.standard_normal((40, 6, 6))
    scalp = Scalp.of(NAMES)
    for effect, title in ((0.0, "no pair"), (3.0, "1 of 15 pairs")):
        matrices[y == 1, 0, 2] += effect
        found: EdgeContrast = edge_contrast(matrices, y)
        said = words_of(contrast_network(found, scalp, CLASSES, "Coherence, 8 to 12 Hz"))
        assert title in said
        assert "20 left hand, 20 right hand trials" in said


@pytest.mark.parametrize("measure", ["imaginary", "coherence"])
def test_an_analysis_says_how_each_of_its_pictures_was_made(made, measure):
    """Filter, reference, band and unit; trials that a map of ERD leaves out are counted."""
    analysis = analyse(
        [made(tail_s=4.2)],
        AnalysisSettings(
            epochs=EpochSettings(band_hz=(2.0, 45.0)),
            connectivity=ConnectivitySettings(measure=measure),
            erds=ErdsSettings(n_bootstraps=100),
            erds_channels=("C4",),
        ),
    )
    drawn = {item.stem: item for item in of_analysis(analysis)}
    assert {"r2", "spectra", "topographies", "networks", "erds"} <= set(drawn)
    for item in drawn.values():
        assert "small-laplacian" in item.caption
        assert not overlaps(item.draw())
    assert "2 to 45 Hz, causal" in drawn["r2"].caption
    assert "7 to 13 Hz" in words_of(drawn["networks"].draw())
    bar = drawn["networks"].draw().axes[-1]
    assert bar.get_ylim()[0] >= 0  # a line has no direction: sizes, not signs
    said = words_of(erds_figure(analysis.erds)).replace("\n", " ")
    assert "Trials left out: 1 (not enough time around it)" in said
