"""Colour maps of pictures: the same in every step, safe for every kind of colour blindness.

Lightness rises or falls evenly in both. The two sides of zero are blue and orange; zero itself has
the colour of what the picture lies on, dark on dark, so that what is nothing does not shine.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QImage

from bci_app.theme import tokens

__all__ = ["as_image", "colour_at", "lookup"]

_LIGHT = ("#053061", "#1f66a8", "#4b98c9", "#9fcbe2", "#f3f3f1",
          "#f8c391", "#e58a3c", "#b8560f", "#6b2a00")  # fmt: skip
_DARK = ("#b5e0ff", "#6bb8ee", "#2f83c0", "#1f5078", "#23272d",
         "#74420f", "#b96a16", "#eb9d3d", "#ffd9a3")  # fmt: skip
#: Nine of the colours of viridis (van der Walt and Smith, CC0).
_VIRIDIS = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c",
            "#28ae80", "#5ec962", "#addc30", "#fde725")  # fmt: skip


def lookup(*, signed: bool) -> NDArray[np.uint8]:
    """Return 256 colours, shape (256, 4): red, green, blue, alpha.

    Of what has no sign, or of what lies around zero (blue below), in the theme that holds.
    """
    if not signed:
        return _table(_VIRIDIS)
    return _table(_DARK if tokens().dark else _LIGHT)


@cache
def _table(names: tuple[str, ...]) -> NDArray[np.uint8]:
    """Return the colours between those that are named."""
    named = np.array([QColor(name).getRgb() for name in names], dtype=np.float64)
    at = np.linspace(0, len(names) - 1, 256)
    parts = [np.interp(at, np.arange(len(names)), named[:, part]) for part in range(4)]
    return np.column_stack(parts).round().astype(np.uint8)


def colour_at(share: float, *, signed: bool) -> QColor:
    """Return the colour at a share (0 to 1) of the scale."""
    red, green, blue, _ = lookup(signed=signed)[round(255 * min(max(share, 0.0), 1.0))]
    return QColor(int(red), int(green), int(blue))


def as_image(
    values: NDArray[np.float64],
    low: float,
    high: float,
    *,
    signed: bool,
    pale: NDArray[np.bool_] | None = None,
) -> QImage:
    """Paint an array, its first row at the bottom; NaN is left transparent.

    Parameters
    ----------
    values : ndarray of float64, shape (n_rows, n_columns)
    low, high : float
        Ends of the scale.
    signed : bool
        Whether the scale lies around zero.
    pale : ndarray of bool, optional
        Pixels that are painted half through.
    """
    shown = np.isfinite(values)
    share = (np.where(shown, values, low) - low) / max(high - low, 1e-300)
    pixels = lookup(signed=signed)[(255 * np.clip(share, 0.0, 1.0)).round().astype(np.intp)]
    if pale is not None:
        pixels[pale, 3] = 110
    pixels[~shown] = 0
    pixels = np.ascontiguousarray(pixels[::-1])
    n_rows, n_columns = values.shape
    image = QImage(pixels.data, n_columns, n_rows, 4 * n_columns, QImage.Format.Format_RGBA8888)
    return image.copy()  # it must not refer to the array's memory
