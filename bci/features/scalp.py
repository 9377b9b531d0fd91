"""Where channels sit: order, neighbours, and maps of the scalp as seen from above."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial import Delaunay, QhullError

from bci.errors import ChannelError, SettingsError
from bci.sources.labels import (
    SENSORIMOTOR,
    canonical_label,
    near_electrodes,
    standard_position,
)

__all__ = ["Scalp", "ScalpGrid", "Side", "display_order", "is_sensorimotor", "read_montage", "side"]

F64 = NDArray[np.float64]
Index = NDArray[np.intp]
Bool = NDArray[np.bool_]
Place = tuple[float, float, float]
Places = Sequence[Place | None] | F64

Side = str
"""``"left"``, ``"middle"``, ``"right"``, or ``"elsewhere"`` for a channel without a place."""

_SIDES = ("left", "middle", "right", "elsewhere")
#: Nearer to the midline than this is on it (m): z electrodes lie within 1 mm, C1 at 27 mm.
_MIDDLE_M = 0.008
#: Centre of the sphere through the 10-20 electrodes of the standard head (m), by least squares.
_CENTRE_M = (0.0, 0.016, 0.044)
#: The ring of Fpz, T7, Oz and T8 is tilted by 8 degrees in head coordinates, up at the back: seen
#: along its axis, Cz is in the middle.
_TILT_RAD = np.radians(7.9)
#: Angle from that axis that the outline of the head stands for; the ring lies at 88 to 98 degrees.
_OUTLINE_RAD = np.radians(105.0)


def is_sensorimotor(name: str) -> bool:
    """Say whether an electrode is one of the usual 21 over the sensorimotor cortex."""
    return canonical_label(name) in SENSORIMOTOR


def side(name: str, place: Place | None = None) -> Side:
    """Return the hemisphere of a channel.

    Parameters
    ----------
    name : str
    place : (x, y, z), optional
        In head coordinates (m); without it, the standard place of that name.

    >>> [side(name) for name in ("C3", "Cz", "fc4", "trigger")]
    ['left', 'middle', 'right', 'elsewhere']
    """
    found = standard_position(name) if place is None else place
    if found is None:
        return "elsewhere"
    if abs(found[0]) < _MIDDLE_M:
        return "middle"
    return "right" if found[0] > 0 else "left"


def display_order(names: Sequence[str], places: Places | None = None) -> Index:
    """Return channels in the order of a map's rows: left, middle, right, each front to back.

    Parameters
    ----------
    names : sequence of str, length n_channels
    places : sequence of (x, y, z) or None, optional
        In head coordinates (m); where there is none (or NaN), the standard place of that name.
        Channels without one come last.

    Returns
    -------
    ndarray of int, shape (n_channels,)

    >>> display_order(["P4", "Cz", "C3", "F3", "aux"])
    array([3, 2, 1, 0, 4])
    """
    found = _places(names, places)

    def key(channel: int) -> tuple[int, float, float]:
        place = found[channel]
        group = _SIDES.index(side(names[channel], place))
        return (group, 0.0, channel) if place is None else (group, -place[1], place[0])

    return np.array(sorted(range(len(names)), key=key), dtype=np.intp)


def _places(names: Sequence[str], places: Places | None) -> list[Place | None]:
    given = [None] * len(names) if places is None else places
    return [
        standard_position(name) if place is None or not np.isfinite(place).all() else place
        for name, place in zip(names, given, strict=True)
    ]


@cache
def read_montage(montage: str) -> Mapping[str, Place]:
    """Return the electrodes of a montage and their places in head coordinates (m).

    Parameters
    ----------
    montage : str
        A name of MNE's (``"biosemi64"``), or a file that MNE reads (.elc, .sfp, .bvef, ...).

    Raises
    ------
    SettingsError
        When it is neither.
    """
    import mne

    known = mne.channels.get_builtin_montages()
    try:
        if Path(montage).is_file():
            read = mne.channels.read_custom_montage(montage, verbose="error")
        elif montage in known:
            read = mne.channels.make_standard_montage(montage)
        else:
            near = difflib.get_close_matches(montage, known, n=3, cutoff=0.3) or known[:6]
            raise SettingsError(
                f"montage {montage!r} is no file and no name that is known (near: "
                f"{', '.join(near)}): give one of those, or a file of positions"
            )
        places = read.get_positions()["ch_pos"]
        to_head = mne.channels.compute_native_head_t(read, verbose="error")
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(f"montage {montage!r} cannot be read ({reason})") from error
    heads = mne.transforms.apply_trans(to_head, np.array(list(places.values())))
    return {
        canonical_label(name): (float(x), float(y), float(z))
        for name, (x, y, z) in zip(places, heads, strict=True)
    }


@dataclass(frozen=True, slots=True, eq=False)
class Scalp:
    """Channels, each with a place.

    Attributes
    ----------
    names : tuple of str
    places_m : ndarray of float64, shape (n_channels, 3)
        In head coordinates: x to the right ear, y to the nose, z up.
    """

    names: tuple[str, ...]
    places_m: F64 = field(repr=False)

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        places: Places | None = None,
        montage: str = "",
    ) -> "Scalp":
        """Find the channels' places.

        Parameters
        ----------
        names : sequence of str, length n_channels
        places : sequence of (x, y, z) or None, optional
            As the stream gives them, in head coordinates (m); where it gives none (or NaN), the
            standard place of that name.
        montage : str
            See `read_montage`; it goes before both.

        Raises
        ------
        ChannelError
            When a channel has no place: all of them are named, with electrodes that may be meant.
        SettingsError
            When the montage cannot be read.
        """
        found = _places(names, places)
        if montage:
            theirs = read_montage(montage)
            found = [theirs.get(canonical_label(name)) for name in names]
        lost = [name for name, place in zip(names, found, strict=True) if place is None]
        if lost:
            raise ChannelError(_unplaced(lost, montage))
        return cls(tuple(names), np.array(found, dtype=np.float64).reshape(-1, 3))

    @property
    def points(self) -> F64:
        """Places as seen from above, shape (n_channels, 2): x right, y to the nose.

        The angle from the vertex becomes the distance from the middle (azimuthal equidistant
        projection); the outline of the head is the circle of radius 1.
        """
        cos, sin = np.cos(_TILT_RAD), np.sin(_TILT_RAD)
        spokes = (self.places_m - _CENTRE_M) @ np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])
        angle = np.arccos(spokes[:, 2] / np.linalg.norm(spokes, axis=1))
        flat = spokes[:, :2]
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        directions = np.divide(flat, length, out=np.zeros_like(flat), where=length > 0)
        return np.asarray(directions * (angle / _OUTLINE_RAD)[:, None])

    def neighbours(self) -> list[list[int]]:
        """Return the neighbours of each channel: MNE's triangulation of the places.

        Returns
        -------
        list of list of int, length n_channels
            Empty for fewer than four channels, or channels in one line.
        """
        import mne

        n_channels = len(self.names)
        if n_channels < 4:
            return [[] for _ in self.names]
        labels = [str(number) for number in range(n_channels)]
        info = mne.create_info(labels, 100.0, "eeg", verbose="error")
        montage = mne.channels.make_dig_montage(
            dict(zip(labels, self.places_m, strict=True)), coord_frame="head"
        )
        info.set_montage(montage, verbose="error")
        try:
            with mne.utils.use_log_level("ERROR"):
                adjacency, _ = mne.channels.find_ch_adjacency(info, "eeg")
        except QhullError:
            return [[] for _ in self.names]
        joined = adjacency.toarray()
        return [
            [int(other) for other in np.flatnonzero(row) if other != channel]
            for channel, row in enumerate(joined)
        ]

    @property
    def spans_a_map(self) -> bool:
        """Whether the channels are three or more, and not nearly in one line (C3, Cz, C4)."""
        points = self.points
        if len(points) < 3:
            return False
        length, width = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
        return bool(width > 0.2 * length)

    def grid(self, n_pixels: int = 128) -> "ScalpGrid":
        """Return the map of the scalp that values of the channels are interpolated on.

        Raises
        ------
        ChannelError
            For fewer than three channels, or channels in one line: they span no map.
        """
        points = self.points
        try:
            hull = Delaunay(points)
            axis = np.linspace(-1.0, 1.0, n_pixels)
            pixels = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
            # Interpolation is linear in the values: that of the unit vectors is its matrix.
            spline = RBFInterpolator(
                points, np.eye(len(points)), kernel="thin_plate_spline", degree=1
            )
        except (QhullError, ValueError, np.linalg.LinAlgError) as error:
            raise ChannelError(
                f"{', '.join(self.names[:6])}: a map of the scalp needs three channels or more "
                "that are not in one line: choose others with --channels"
            ) from error
        apart = np.linalg.norm(points[:, None] - points, axis=-1)
        np.fill_diagonal(apart, np.inf)
        # Beyond the outermost electrodes a map is a guess: it ends one spacing after them.
        reach = max(0.15, float(np.median(apart.min(axis=1))))
        distance = np.linalg.norm(pixels[:, None] - points, axis=-1).min(axis=1)
        shown = (hull.find_simplex(pixels) >= 0) | (distance <= reach)
        # To the outline and one pixel more: a picture cuts it there, smoothly.
        shown &= np.linalg.norm(pixels, axis=1) <= 1.0 + 2 * (axis[1] - axis[0])
        return ScalpGrid(spline(pixels[shown]), shown.reshape(n_pixels, n_pixels))


@dataclass(frozen=True, slots=True, eq=False)
class ScalpGrid:
    """Pixels of a map of the scalp, their middles from -1 to 1 on both axes.

    Attributes
    ----------
    weights : ndarray of float64, shape (n_shown, n_channels)
        Thin-plate splines: what each channel's value counts in each pixel.
    shown : ndarray of bool, shape (n_pixels, n_pixels)
        Pixels that electrodes say something about; the first row is the back of the head.
    """

    weights: F64 = field(repr=False)
    shown: Bool = field(repr=False)

    def image(self, values: F64) -> F64:
        """Return the map of values: one product, quick enough to follow a slider.

        Parameters
        ----------
        values : ndarray of float64, shape (n_channels,)

        Returns
        -------
        ndarray of float64, shape (n_pixels, n_pixels)
            NaN where nothing is shown.
        """
        image = np.full(self.shown.shape, np.nan)
        # Between and beyond electrodes a spline may reach more than any of them has measured.
        image[self.shown] = np.clip(self.weights @ values, values.min(), values.max())
        return image


def _unplaced(lost: Sequence[str], montage: str) -> str:
    """Say which channels have no place, and which electrodes may be meant."""
    near = list(dict.fromkeys(hit for name in lost for hit in near_electrodes(name)))
    named = ", ".join(lost[:6]) + (f" and {len(lost) - 6} more" if len(lost) > 6 else "")
    where = f"montage {montage} has" if montage else "the standard head has"
    hint = f" (near names: {', '.join(near[:6])})" if near else ""
    return (
        f"{where} no place for {named}{hint}: give a montage that names them (one of MNE's, such "
        "as biosemi64, or a file of positions), or leave them out with --channels"
    )
