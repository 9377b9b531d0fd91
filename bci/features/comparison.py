"""Two analyses side by side: the parameters that differ, both maps, both suggestions."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bci.features.analysis import Analysis

__all__ = ["Comparison", "compare", "flat"]

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two analyses side by side.

    Attributes
    ----------
    first, second : Analysis
    differences : dict of str to (object, object)
        Parameters that differ, and the recordings where they do.
    channels : tuple of str
        Those that both have.
    freqs_hz : ndarray of float64, shape (n_freqs,)
        Those that both have, to 0.01 Hz.
    r2 : ndarray of float64, shape (2, n_channels, n_freqs)
        Signed R2 of power of both, there.
    correlation : float
        Of the two maps; NaN where they share fewer than two values.
    """

    first: Analysis
    second: Analysis
    differences: dict[str, tuple[Any, Any]]
    channels: tuple[str, ...]
    freqs_hz: F64 = field(repr=False)
    r2: F64 = field(repr=False)
    correlation: float

    def as_dict(self) -> dict[str, Any]:
        """Return what differs as JSON can hold it."""
        return {
            "first": self.first.label,
            "second": self.second.label,
            "differences": {name: list(values) for name, values in self.differences.items()},
            "channels": list(self.channels),
            "correlation": None if np.isnan(self.correlation) else self.correlation,
            "suggestions": [
                [said.as_dict() for said in analysis.suggestions]
                for analysis in (self.first, self.second)
            ],
        }


def compare(first: Analysis, second: Analysis) -> Comparison:
    """Put two analyses side by side."""
    a, b = (
        flat(analysis.settings.model_dump(mode="json", exclude={"name"}))
        | {
            "classes": list(analysis.classes),
            "recordings": [source.name for source in analysis.recordings],
        }
        for analysis in (first, second)
    )
    differences = {
        name: (a.get(name), b.get(name)) for name in {**a, **b} if a.get(name) != b.get(name)
    }
    if [s.content for s in first.recordings] != [s.content for s in second.recordings]:
        differences["recordings"] = (a["recordings"], b["recordings"])
    channels = tuple(name for name in first.channels if name in second.channels)
    rows = [[x.channels.index(name) for name in channels] for x in (first, second)]
    freqs_hz, *columns = np.intersect1d(
        np.round(first.power.freqs_hz, 2),
        np.round(second.power.freqs_hz, 2),
        return_indices=True,
    )
    r2 = np.array(
        [
            x.power.contrast.r2[np.ix_(np.array(at, dtype=np.intp), column)]
            for x, at, column in zip((first, second), rows, columns, strict=True)
        ]
    )
    pair = r2.reshape(2, -1)
    varies = pair.shape[1] > 1 and bool((pair.std(axis=1) > 0).all())
    return Comparison(
        first,
        second,
        differences,
        channels,
        np.asarray(freqs_hz, dtype=np.float64),
        r2,
        float(np.corrcoef(pair)[0, 1]) if varies else float("nan"),
    )


def flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted names.

    >>> flat({"a": 1, "b": {"c": 2}})
    {'a': 1, 'b.c': 2}
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found
