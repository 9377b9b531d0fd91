"""Spatial filters before the spectra: what the electrodes around a channel share is taken out.

An electrode hears the whole head, and the reference is in every channel. Subtracting the mean of
all channels, or of the neighbours, leaves what is the channel's own (McFarland, McCane, David and
Wolpaw 1997, Electroencephalogr Clin Neurophysiol 103, 386-394, who found the large Laplacian and
the common average best for mu rhythms).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bci.errors import ChannelError, SettingsError
from bci.sources.labels import near_electrodes, standard_position

__all__ = ["SPATIAL_FILTERS", "neighbours", "resolved", "spatial_filter"]

F64 = NDArray[np.float64]
Index = NDArray[np.intp]

#: Filters by name.
SPATIAL_FILTERS = ("auto", "none", "average", "small-laplacian", "large-laplacian")

#: Fewer channels of unknown places are not averaged: of two, the mean leaves one signal twice.
_FEWEST_AVERAGED = 8
#: Of the large Laplacian: its distance (McFarland et al.: 6 cm, to the electrode; the small one's
#: 3 cm are those of the 10-10 system), the nearest and the farthest that may stand for it.
_LARGE_M, _NEAREST_LARGE_M, _FARTHEST_M = 0.065, 0.045, 0.1
#: A channel with fewer neighbours than this has no Laplacian.
_FEWEST = 2


def resolved(kind: str, names: Sequence[str]) -> str:
    """Return the filter that a kind stands for: what ``"auto"`` is depends on the channels.

    >>> resolved("auto", ["C3", "Cz", "C4"]), resolved("auto", ["1", "2"])
    ('small-laplacian', 'none')
    """
    if kind != "auto":
        return kind
    if all(standard_position(name) for name in names):
        return "small-laplacian"
    return "average" if len(names) >= _FEWEST_AVERAGED else "none"


def spatial_filter(kind: str, names: Sequence[str]) -> F64:
    """Return the matrix that filters signals of shape (n_channels, n_times) from the left.

    Parameters
    ----------
    kind : {"auto", "none", "average", "small-laplacian", "large-laplacian"}
        Nothing; less the mean of all channels; less the mean of the neighbours on the standard
        head, weighted by their inverse distance (see `neighbours`). ``"auto"``: the small
        Laplacian where the places of all channels are known, else the average of eight channels
        or more.
    names : sequence of str, length n_channels

    Returns
    -------
    ndarray of float64, shape (n_channels, n_channels)
        Rows of a channel that has fewer than two neighbours (a Laplacian), and of a lone channel
        (the average), leave it as it is.

    Raises
    ------
    SettingsError
        For another kind.
    ChannelError
        When a Laplacian is asked for, and the place of a channel is not known.
    """
    n_channels = len(names)
    matrix = np.eye(n_channels)
    kind = resolved(kind, names)
    if kind == "average":
        if n_channels > 1:
            matrix -= 1.0 / n_channels
    elif kind in ("small-laplacian", "large-laplacian"):
        for channel, (others, distances) in enumerate(neighbours(names, kind)):
            if len(others) >= _FEWEST:
                weights = 1.0 / distances
                matrix[channel, others] = -weights / weights.sum()
    elif kind != "none":
        raise SettingsError(f"spatial filter {kind!r}: choose one of {', '.join(SPATIAL_FILTERS)}")
    return matrix


def neighbours(names: Sequence[str], kind: str) -> list[tuple[Index, F64]]:
    """Return the neighbours of each channel: at most one each in front, behind, left and right.

    Parameters
    ----------
    names : sequence of str, length n_channels
    kind : {"small-laplacian", "large-laplacian"}
        The nearest channel of each direction; or the one whose distance is the nearest to 6.5 cm,
        of those beyond 4.5 cm. None is farther away than 10 cm.

    Returns
    -------
    list of (ndarray of int, ndarray of float64), length n_channels
        Of each channel, its neighbours and their distances (m).

    Raises
    ------
    ChannelError
        When the place of a channel is not known.
    """
    found = [standard_position(name) for name in names]
    places = np.array([place for place in found if place is not None]).reshape(-1, 3)
    if len(places) < len(names):
        lost = [name for name, place in zip(names, found, strict=True) if place is None]
        near = near_electrodes(lost[0])
        hint = f" (for {lost[0]}: {', '.join(near)}?)" if near else ""
        raise ChannelError(
            f"a Laplacian needs the places of electrodes, and {len(lost)} of {len(names)} channels "
            f"have no name of the 10-05 system: {', '.join(lost[:6])}"
            f"{', ...' if len(lost) > 6 else ''}{hint}; relabel them, or choose spatial filter "
            "average or none"
        )
    apart_m = np.linalg.norm(places[:, None] - places, axis=-1)
    steps = _flattened(places) - _flattened(places)[:, None]
    sideways = np.abs(steps[..., 0]) >= np.abs(steps[..., 1])
    directions = [
        sideways & (steps[..., 0] > 0),
        sideways & (steps[..., 0] < 0),
        ~sideways & (steps[..., 1] > 0),
        ~sideways & (steps[..., 1] < 0),
    ]
    # Straight ahead is preferred: what lies askew counts as farther by as much.
    askew_m = _RADIUS_M * np.abs(steps).min(axis=-1)
    if kind == "small-laplacian":
        cost, within = apart_m + askew_m, apart_m <= _FARTHEST_M
    else:
        cost = np.abs(apart_m - _LARGE_M) + askew_m
        within = (apart_m >= _NEAREST_LARGE_M) & (apart_m <= _FARTHEST_M)
    result = []
    for channel in range(len(names)):
        others = [
            int(members[cost[channel, members].argmin()])
            for direction in directions
            if len(members := np.flatnonzero(direction[channel] & within[channel]))
        ]
        chosen = np.array(others, dtype=np.intp)
        result.append((chosen, apart_m[channel, chosen]))
    return result


def _flattened(places: F64) -> F64:
    """Return places on a map of the head seen from above, shape (n, 2): right, front.

    The distance to the middle is the angle from the top (azimuthal equidistant), so that rows and
    columns of the 10-10 system run across and along.
    """
    centred = places - _CENTRE_M
    angle = np.arctan2(np.hypot(centred[:, 0], centred[:, 1]), centred[:, 2])
    turn = np.arctan2(centred[:, 1], centred[:, 0])
    return np.asarray(np.column_stack([angle * np.cos(turn), angle * np.sin(turn)]))


#: The sphere that the standard electrodes lie near to, in head coordinates.
_CENTRE_M, _RADIUS_M = np.array([0.0, 0.0, 0.04]), 0.095
