"""Traces as a screen shows them: the smallest and largest value within each column of pixels.

A column is finished once and never changes, however the signal was cut into chunks: its edges lie
on a grid that is anchored to the sample index. A signal is the line through its samples, so a
column includes where that line enters and leaves it: neighbours join, also where a column is
narrower than a sample.

64 curves of 10 s at 1 kHz cost a plotting library tens of milliseconds a frame, because it draws
everything anew. Here a frame computes and draws the columns that are new, two or three of them at
60 frames a second, into a picture that goes round (`Raster`).

================  ==================  ========================================================
attribute         writer              readers
================  ==================  ========================================================
low, high, gap    who appends         any thread, columns ``n_columns - n_kept`` to `n_columns`
n_columns         who appends         any thread; published after the columns
================  ==================  ========================================================
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bci.compiled import kernel

__all__ = ["Envelope", "Raster", "RasterStyle", "warm_up"]

F64 = NDArray[np.float64]
U32 = NDArray[np.uint32]

#: Columns kept beyond those that are shown: a reader may be so far behind.
_SPARE = 512
#: A trace that leaves its place is cut this many rows away from it.
_REACH_ROWS = 3.0


class Envelope:
    """The newest columns of a signal.

    Parameters
    ----------
    n_kept : int
        Columns that readers may ask for.
    n_channels : int
    per_column : float
        Samples in a column; may be less than one.
    """

    def __init__(self, n_kept: int, n_channels: int, per_column: float) -> None:
        if not per_column > 0:
            raise ValueError(f"{per_column} samples a column: more than none")
        self.n_kept, self.per_column = n_kept, per_column
        self.low = np.zeros((n_kept + _SPARE, n_channels))
        self.high = np.zeros((n_kept + _SPARE, n_channels))
        self.gap = np.zeros(n_kept + _SPARE, dtype=np.bool_)
        #: Previous sample, smallest and largest value so far in the column that is being filled.
        self._carry = np.zeros((3, n_channels))
        self._n_samples = 0
        self.n_columns = 0

    @property
    def n_channels(self) -> int:
        """Channels."""
        return self.low.shape[1]

    @property
    def n_samples(self) -> int:
        """Samples appended so far."""
        return self._n_samples

    def append(self, samples: F64, *, anew: bool = False) -> None:
        """Add the next samples.

        Parameters
        ----------
        samples : ndarray of float64, shape (n_samples, n_channels)
        anew : bool
            Samples are missing before these: no line is drawn to them, and their column is marked.
        """
        if not len(samples):
            return
        if anew or not self._n_samples:
            self._carry[:] = samples[0]
            if anew and self._n_samples:
                self.gap[self.n_columns % len(self.gap)] = True
        self.n_columns = _append(
            samples, self._n_samples, self.per_column, self.n_columns, self._carry, self.low,
            self.high, self.gap,
        )  # fmt: skip
        self._n_samples += len(samples)


@kernel
def _append(
    samples: F64,
    first: int,
    per_column: float,
    column: int,
    carry: F64,
    low: F64,
    high: F64,
    gap: NDArray[np.bool_],
) -> int:
    """Finish the columns that end within the samples; return how many there are."""
    n_rows: int = low.shape[0]
    n_channels: int = low.shape[1]
    done: int = column
    for t in range(samples.shape[0]):
        at = first + t
        while (done + 1) * per_column <= at:
            share = (done + 1) * per_column - (at - 1)
            row = done % n_rows
            for c in range(n_channels):
                edge = carry[0, c] + share * (samples[t, c] - carry[0, c])
                low[row, c] = min(carry[1, c], edge)
                high[row, c] = max(carry[2, c], edge)
                carry[1, c] = edge
                carry[2, c] = edge
            done += 1
            gap[done % n_rows] = False
        for c in range(n_channels):
            value = samples[t, c]
            carry[0, c] = value
            carry[1, c] = min(carry[1, c], value)
            carry[2, c] = max(carry[2, c], value)
    return done


@dataclass(frozen=True, slots=True, eq=False)
class RasterStyle:
    """How traces are drawn.

    Attributes
    ----------
    gain : float
        Pixels per unit of the signal.
    colours : ndarray of uint32, shape (n_channels,)
        ``0xffrrggbb``.
    background, grid, gap : int
        Of what is behind, of full seconds, of where samples are missing.
    thickness : float
        Of a line (pixels).
    rate_hz : float
        Columns with a full second in them are drawn on `grid`.
    """

    gain: float
    colours: U32
    background: int
    grid: int
    gap: int
    thickness: float
    rate_hz: float


class Raster:
    """A picture of an envelope that goes round: column `k` is at ``x = k % width``.

    Parameters
    ----------
    width, height : int
        In pixels of the screen.

    Attributes
    ----------
    pixels : ndarray of uint32, shape (height, width)
        ``0xffrrggbb``.
    """

    def __init__(self, width: int, height: int) -> None:
        self.pixels: U32 = np.zeros((height, width), dtype=np.uint32)
        self._drawn = 0

    @property
    def newest(self) -> int:
        """Columns drawn so far: ``newest % width`` is where the oldest is."""
        return self._drawn

    def blank(self, colour: int) -> None:
        """Begin anew."""
        self.pixels[:] = colour
        self._drawn = 0

    def draw(self, envelope: Envelope, style: RasterStyle, until: int | None = None) -> int:
        """Draw the columns that are new, up to the one before `until`; return how many were."""
        height: int = self.pixels.shape[0]
        width: int = self.pixels.shape[1]
        newest = envelope.n_columns if until is None else min(until, envelope.n_columns)
        begin = max(self._drawn, newest - min(width, envelope.n_kept))
        if begin < newest:
            _draw(
                self.pixels, begin, newest, envelope.low, envelope.high, envelope.gap,
                envelope.per_column / style.rate_hz, style.gain, style.thickness, style.colours,
                style.background, style.grid, style.gap, height / envelope.n_channels, _REACH_ROWS,
            )  # fmt: skip
        self._drawn = max(self._drawn, newest)
        return max(0, newest - begin)


@kernel
def _draw(
    pixels: U32,
    begin: int,
    end: int,
    low: F64,
    high: F64,
    gap: NDArray[np.bool_],
    column_s: float,
    gain: float,
    thickness: float,
    colours: U32,
    background: int,
    grid: int,
    gap_colour: int,
    row_height: float,
    reach_rows: float,
) -> None:
    """Draw columns; each pixel by how much of it the line covers, so that edges are smooth."""
    height, width = pixels.shape
    n_rows, n_channels = low.shape
    for y in range(height):
        for column in range(begin, end):
            # A column of the grid: a full second ends in it.
            at_s = np.floor((column + 1) * column_s + 1e-9)
            is_second = at_s > np.floor(column * column_s + 1e-9)
            colour = gap_colour if gap[column % n_rows] else (grid if is_second else background)
            pixels[y, column % width] = np.uint32(colour)
    # Channel by channel: the rows of one stay in the processor's cache.
    for c in range(n_channels):
        middle = (c + 0.5) * row_height
        top = max(0.0, middle - reach_rows * row_height)
        bottom = min(float(height), middle + reach_rows * row_height)
        red, green, blue = (colours[c] >> 16) & 255, (colours[c] >> 8) & 255, colours[c] & 255
        for column in range(begin, end):
            row, x = column % n_rows, column % width
            upper = min(max(middle - gain * high[row, c] - thickness / 2, top), bottom - thickness)
            lower = max(min(middle - gain * low[row, c] + thickness / 2, bottom), upper + thickness)
            for y in range(int(upper), min(int(np.ceil(lower)), height)):
                cover = min(y + 1.0, lower) - max(float(y), upper)
                share = np.int64(256.0 * min(max(cover, 0.0), 1.0))
                old = np.int64(pixels[y, x])
                r, g, b = (old >> 16) & 255, (old >> 8) & 255, old & 255
                r += ((np.int64(red) - r) * share) >> 8
                g += ((np.int64(green) - g) * share) >> 8
                b += ((np.int64(blue) - b) * share) >> 8
                pixels[y, x] = np.uint32(0xFF000000 | (r << 16) | (g << 8) | b)


def warm_up() -> None:
    """Have the kernels compiled, or loaded: the first frame must not wait for that."""
    envelope = Envelope(4, 2, 2.0)
    envelope.append(np.zeros((4, 2)))
    colours = np.zeros(2, dtype=np.uint32)
    Raster(4, 4).draw(envelope, RasterStyle(1.0, colours, 0, 0, 0, 1.0, 10.0))
