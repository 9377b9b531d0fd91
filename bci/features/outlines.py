"""Lines around the cells of a mask, for every picture that marks what is significant."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["outline"]

Bool = NDArray[np.bool_]
Line = list[tuple[float, float]]


def outline(mask: Bool, extent: tuple[float, float, float, float]) -> list[Line]:
    """Return the lines around the cells of a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (n_rows, n_columns)
    extent : (left, right, below the last row, above the first row)
        Of the whole image, as `matplotlib.axes.Axes.imshow` has it with its origin above.

    Returns
    -------
    list of [(x, y), (x, y)]
        One side of a cell each.
    """
    left, right, last, first = extent
    x = np.linspace(left, right, mask.shape[1] + 1)
    y = np.linspace(first, last, mask.shape[0] + 1)
    framed = np.pad(mask, 1)
    lines = []
    for row, column in np.argwhere(framed[1:-1, 1:] != framed[1:-1, :-1]):
        lines.append([(float(x[column]), float(y[row])), (float(x[column]), float(y[row + 1]))])
    for row, column in np.argwhere(framed[1:, 1:-1] != framed[:-1, 1:-1]):
        lines.append([(float(x[column]), float(y[row])), (float(x[column + 1]), float(y[row]))])
    return lines
