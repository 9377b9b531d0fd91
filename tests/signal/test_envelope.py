"""Columns of traces: what they hold, and that nothing depends on how the signal was cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.signal.display import DisplayFilter
from bci.signal.envelope import Envelope, Raster, RasterStyle

BACK, LINE, GRID, GAP = 0xFF000000, 0xFFFFFFFF, 0xFF202020, 0xFFE0A030


def noise(n_samples: int, n_channels: int = 2) -> np.ndarray:
    """Return seeded noise."""
    return np.random.default_rng(1).standard_normal((n_samples, n_channels))


def style(n_channels: int, gain: float = 10.0) -> RasterStyle:
    """Return a style without smoothness: lines of one pixel."""
    colours = np.full(n_channels, LINE, dtype=np.uint32)
    return RasterStyle(gain, colours, BACK, GRID, GAP, 1.0, 100.0)


def polyline(samples: np.ndarray, column: int, per_column: float) -> tuple[float, float]:
    """Return the range of the line through the samples within a column, straightforwardly."""
    first, last = column * per_column, (column + 1) * per_column
    inside = [float(samples[k]) for k in range(len(samples)) if first <= k <= last]
    edges = np.interp([first, last], np.arange(len(samples)), samples)
    values = [*inside, *edges.tolist()]
    return min(values), max(values)


@pytest.mark.parametrize("per_column", [0.4, 1.0, 2.5, 6.667])
def test_a_column_spans_the_line_through_its_samples(per_column: float) -> None:
    """Smallest and largest value, with where the line enters and leaves; also below a sample."""
    samples = noise(60)
    envelope = Envelope(400, 2, per_column)
    envelope.append(samples)
    assert envelope.n_columns == int((len(samples) - 1) / per_column + 1e-9)
    for column in range(envelope.n_columns):
        for channel in range(2):
            low, high = polyline(samples[:, channel], column, per_column)
            assert envelope.low[column, channel] == pytest.approx(low)
            assert envelope.high[column, channel] == pytest.approx(high)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.floats(0.3, 9.0))
def test_columns_do_not_depend_on_the_chunks(cuts: list[int], per_column: float) -> None:
    """Cut anywhere, the columns are the same to the last bit."""
    samples = noise(sum(cuts))
    whole, pieces = Envelope(50, 2, per_column), Envelope(50, 2, per_column)
    whole.append(samples)
    start = 0
    for cut in cuts:
        pieces.append(samples[start : start + cut])
        start += cut
    assert pieces.n_columns == whole.n_columns
    assert np.array_equal(pieces.low, whole.low)
    assert np.array_equal(pieces.high, whole.high)


def test_no_line_crosses_a_gap() -> None:
    """After a gap the line begins anew, and the column is marked."""
    envelope = Envelope(20, 1, 5.0)
    envelope.append(np.zeros((12, 1)))
    envelope.append(np.full((13, 1), 9.0), anew=True)
    assert envelope.gap[2]
    assert not envelope.gap[[0, 1, 3]].any()
    # In the column of the gap, and after it, only what came after.
    assert envelope.low[3, 0] == 9.0


def test_the_picture_goes_round() -> None:
    """Column k is at k modulo the width, and only what is new is drawn."""
    envelope = Envelope(10, 1, 1.0)
    raster = Raster(10, 21)
    raster.blank(BACK)
    envelope.append(np.zeros((5, 1)))
    assert raster.draw(envelope, style(1)) == 4
    assert (raster.pixels[10, :4] == LINE).all()
    assert (raster.pixels[:, 4:] == BACK).all()
    envelope.append(np.full((9, 1), 0.5))
    assert raster.draw(envelope, style(1)) == 9
    # 0.5 units at a gain of 10 pixels: five rows higher. Columns 10 to 12 are at 0 to 2.
    assert (raster.pixels[5, :3] == LINE).all()
    assert raster.pixels[10, 3] == LINE
    assert raster.newest == 13


def test_a_reader_may_draw_less_than_there_is() -> None:
    """Up to a column, and the rest when it is asked for; never backwards."""
    envelope = Envelope(30, 1, 1.0)
    raster = Raster(30, 9)
    raster.blank(BACK)
    envelope.append(np.zeros((21, 1)))
    assert raster.draw(envelope, style(1), 12) == 12
    assert raster.draw(envelope, style(1), 8) == 0
    assert raster.draw(envelope, style(1), 99) == 8


def test_full_seconds_and_gaps_are_marked() -> None:
    """A column in which a second ends, and one with missing samples, have their own ground."""
    envelope = Envelope(40, 1, 10.0)
    envelope.append(np.zeros((155, 1)))
    envelope.append(np.zeros((100, 1)), anew=True)
    raster = Raster(40, 50)
    raster.draw(envelope, style(1))
    assert raster.pixels[0, 9] == GRID  # 100 samples at 100 Hz end with column 9
    assert raster.pixels[0, 19] == GRID
    assert raster.pixels[0, 15] == GAP
    assert raster.pixels[0, 3] == BACK


def test_a_wild_channel_stays_within_reach_of_its_row() -> None:
    """An amplitude beyond everything is cut three rows away; other rows stay readable."""
    envelope = Envelope(10, 10, 1.0)
    samples = np.zeros((11, 10))
    samples[::2, 0] = 1e6
    envelope.append(samples)
    raster = Raster(10, 200)
    raster.blank(BACK)
    raster.draw(envelope, style(10))
    assert (raster.pixels[5, 2:8] == LINE).all()
    assert raster.pixels[80, 5] == BACK


@pytest.mark.parametrize("rate_hz", [80.0, 250.0, 1000.0])
def test_the_display_filter_keeps_the_rhythm_and_removes_the_mains(rate_hz: float) -> None:
    """10 Hz passes, drift and 50 Hz do not; a filter that a rate does not hold is left out."""
    from bci.signal import CausalFilter

    sections = DisplayFilter(0.5, 35.0, 50.0).sections(rate_hz)
    t = np.arange(round(20 * rate_hz)) / rate_hz
    for hz, least, most in ((10.0, 0.9, 1.1), (0.02, 0.0, 0.05), (50.0, 0.0, 0.02)):
        if hz >= rate_hz / 2:
            continue
        wave = np.sin(2 * np.pi * hz * t)[:, None]
        settled = CausalFilter(sections, 1)(wave)[len(t) // 2 :]
        assert least <= np.abs(settled).max() <= most, hz
    assert not len(DisplayFilter().sections(rate_hz))
