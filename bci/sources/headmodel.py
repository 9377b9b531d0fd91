"""What cortical currents look like at the scalp: a spherical head.

Four concentric shells (brain, cerebrospinal fluid, skull, scalp; radii and conductivities of
`mne.make_sphere_model`, after Berg and Scherg 1994, doi:10.1016/0013-4694(94)90113-9) under the
343 electrodes of MNE's ``standard_1005``, and some 400 current dipoles spread evenly over the
upper part of a sphere inside the brain. Sources are patches of that grid, so one lead field
serves every montage, person and session. MNE takes seconds to compute it: it is kept in the
user's cache folder, and where that cannot be written, in memory.
"""

import functools
import hashlib
import logging
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import mne
import numpy as np
import platformdirs
from numpy.typing import NDArray

from bci.errors import ChannelError, SettingsError
from bci.private import private_folder

__all__ = ["MONTAGES", "HeadModel", "head_model", "montage_labels"]

logger = logging.getLogger(__name__)

F64 = NDArray[np.float64]

#: Bumped whenever a change here would change the numbers.
VERSION = 1
#: Least-squares sphere through the electrodes of standard_1005 in head coordinates, to 0.1 mm
#: (`mne.bem.fit_sphere_to_headshape`); written down so that it cannot move with a solver.
CENTRE_M = (0.0, 0.0146, 0.0408)
RADIUS_M = 0.0979
#: The cortical sheet: 2 cm below the scalp, gyri and the upper banks of the sulci.
CORTEX_RADIUS_M = 0.0775
#: Points over the full sphere; the part below the temporal lobes is left out.
N_GRID = 600
LOWEST_COSINE = -0.35
#: The eyes' dipoles lie outside the brain, where the shells give no solution: drawn in to just
#: below its surface, where they have the frontal field of a blink.
EYE_RADIUS_M = 0.085
EYES = ((-0.32, 0.83, -0.45), (0.32, 0.83, -0.45))

_SENSORIMOTOR = "FC5 FC3 FC1 FCz FC2 FC4 FC6 C5 C3 C1 Cz C2 C4 C6 CP5 CP3 CP1 CPz CP2 CP4 CP6 Pz"
_STANDARD_64 = (
    "FC5 FC3 FC1 FCz FC2 FC4 FC6 C5 C3 C1 Cz C2 C4 C6 CP5 CP3 CP1 CPz CP2 CP4 CP6 Fp1 Fpz Fp2 "
    "AF7 AF3 AFz AF4 AF8 F7 F5 F3 F1 Fz F2 F4 F6 F8 FT7 FT8 T7 T8 T9 T10 TP7 TP8 P7 P5 P3 P1 Pz "
    "P2 P4 P6 P8 PO7 PO3 POz PO4 PO8 O1 Oz O2 Iz"
)
_STANDARD_32 = (
    "Fp1 Fp2 F7 F3 Fz F4 F8 FC5 FC1 FC2 FC6 T7 C3 Cz C4 T8 TP9 CP5 CP1 CP2 CP6 TP10 P7 P3 Pz P4 "
    "P8 PO9 O1 Oz O2 PO10"
)
_STANDARD_16 = "Fp1 Fp2 F3 Fz F4 T7 C3 Cz C4 T8 P3 Pz P4 O1 Oz O2"

#: Electrodes by the montage's name: the sensorimotor strip (22), the 64 of the BCI2000 cap that
#: EEGMMIDB was recorded with, and caps of 32 and 16.
MONTAGES: dict[str, tuple[str, ...]] = {
    "sensorimotor": tuple(_SENSORIMOTOR.split()),
    "standard-64": tuple(_STANDARD_64.split()),
    "standard-32": tuple(_STANDARD_32.split()),
    "standard-16": tuple(_STANDARD_16.split()),
}


def montage_labels(montage: str | Sequence[str]) -> tuple[str, ...]:
    """Return the electrodes of a montage.

    Parameters
    ----------
    montage : str or sequence of str
        A name of `MONTAGES`, or electrode labels of the 10-5 system in any case.

    Returns
    -------
    tuple of str
        In the spelling of ``standard_1005``.

    Raises
    ------
    SettingsError
        For an unknown name, or no labels at all.
    ChannelError
        For an electrode that the 10-5 system does not know, or that is given twice.

    Examples
    --------
    >>> montage_labels(("c3", "CZ", "C4"))
    ('C3', 'Cz', 'C4')
    """
    if isinstance(montage, str):
        if montage not in MONTAGES:
            raise SettingsError(
                f"montage {montage!r}: choose one of {', '.join(MONTAGES)}, or give labels"
            )
        return MONTAGES[montage]
    spelling = {label.casefold(): label for label in _positions()}
    unknown = [label for label in montage if label.casefold() not in spelling]
    if unknown:
        raise ChannelError(
            f"channel {', '.join(map(repr, unknown))}: not an electrode of the 10-5 system, "
            "name such as C3 or CPz"
        )
    labels = tuple(spelling[label.casefold()] for label in montage)
    doubled = sorted({label for label in labels if labels.count(label) > 1})
    if doubled:
        raise ChannelError(f"channel {', '.join(doubled)}: given twice, keep one")
    if not labels:
        raise SettingsError("montage (): name at least one electrode")
    return labels


@dataclass(frozen=True, slots=True, eq=False)
class HeadModel:
    """The lead field of the cortical grid, and patches of it.

    Attributes
    ----------
    labels : tuple of str
        All electrodes of ``standard_1005``.
    positions_m : ndarray of float64, shape (n_electrodes, 3)
        In head coordinates.
    directions : ndarray of float64, shape (n_sources, 3)
        Unit vectors from the sphere's centre to the dipoles; the last two are the eyes.
    gain : ndarray of float64, shape (n_electrodes, n_sources, 3)
        Potential against infinity per dipole moment along x, y, z (V/Am).
    """

    labels: tuple[str, ...]
    positions_m: F64 = field(repr=False)
    directions: F64 = field(repr=False)
    gain: F64 = field(repr=False)

    def index(self, labels: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of these electrodes."""
        rows = {label: row for row, label in enumerate(self.labels)}
        return np.array([rows[label] for label in labels], dtype=np.int64)

    def electrode_direction(self, label: str) -> F64:
        """Return the unit vector from the sphere's centre to an electrode, shape (3,)."""
        offset = self.positions_m[self.index([label])[0]] - np.array(CENTRE_M)
        direction: F64 = offset / np.linalg.norm(offset)
        return direction

    def patch(self, centre: F64, spread_m: float, orientation: F64) -> F64:
        """Return the scalp field of a patch of cortex.

        Parameters
        ----------
        centre : ndarray of float64, shape (3,)
            Unit vector to the patch's middle.
        spread_m : float
            Standard deviation of its Gaussian profile along the cortical sphere (m).
        orientation : ndarray of float64, shape (3,)
            What is added to the outward normal before normalisation: 0 for a gyrus, long for
            the wall of a sulcus.

        Returns
        -------
        ndarray of float64, shape (n_electrodes,)
            Against linked mastoids; its largest magnitude is 1.
        """
        cortex = self.directions[: -len(EYES)]
        distance_m = CORTEX_RADIUS_M * np.arccos(np.clip(cortex @ centre, -1.0, 1.0))
        weight = np.exp(-0.5 * (distance_m / spread_m) ** 2)
        moment = cortex + orientation
        moment *= (weight / np.linalg.norm(moment, axis=1))[:, None]
        return self.scalp_field(np.tensordot(self.gain[:, : -len(EYES)], moment, axes=2))

    def eyes(self) -> F64:
        """Return the scalp field of a blink: both eyes, pointing ahead and up; largest is 1.

        Returns
        -------
        ndarray of float64, shape (n_electrodes,)
        """
        moment = np.array([0.0, 0.8, 0.6])
        return self.scalp_field(self.gain[:, -len(EYES) :].sum(axis=1) @ moment)

    def scalp_field(self, potential: F64) -> F64:
        """Return a field against linked mastoids, its largest magnitude scaled to 1."""
        referenced = potential - potential[self.index(["M1", "M2"])].mean()
        scaled: F64 = referenced / np.abs(referenced).max()
        return scaled


@functools.lru_cache(maxsize=1)
def head_model() -> HeadModel:
    """Return the head model, from the cache where it is.

    A cache file that cannot be read is computed anew, one that cannot be written is done
    without: both leave a log line, neither is the user's trouble.
    """
    positions = _positions()
    labels = tuple(positions)
    positions_m = np.array([positions[label] for label in labels])
    directions = _grid()
    shape = (len(labels), len(directions), 3)
    path = _cache_path(positions_m, directions)
    gain = _load(path, shape)
    if gain is None:
        gain = _compute(labels, directions)
        _store(path, gain)
    for array in (positions_m, directions, gain):
        array.flags.writeable = False
    return HeadModel(labels, positions_m, directions, gain)


@functools.lru_cache(maxsize=1)
def _positions() -> dict[str, F64]:
    """Return electrode positions (m, head coordinates) by label."""
    info = _electrode_info()
    return {channel["ch_name"]: np.array(channel["loc"][:3], float) for channel in info["chs"]}


def _electrode_info() -> mne.Info:
    # MNE 1.13 renames standard_1005 to colin27_1005 (same positions) and 1.14 drops the old name.
    known = mne.channels.get_builtin_montages()
    name = "colin27_1005" if "colin27_1005" in known else "standard_1005"
    montage = mne.channels.make_standard_montage(name)
    info = mne.create_info(montage.ch_names, 1000.0, "eeg", verbose="error")
    info.set_montage(montage, verbose="error")
    return info


def _grid() -> F64:
    """Return unit vectors of the dipoles: a Fibonacci lattice, then the eyes."""
    k = np.arange(N_GRID) + 0.5
    z = 1.0 - 2.0 * k / N_GRID
    azimuth = np.pi * (1.0 + np.sqrt(5.0)) * k
    rim = np.sqrt(1.0 - z**2)
    lattice = np.column_stack([rim * np.cos(azimuth), rim * np.sin(azimuth), z])
    eyes = np.array(EYES)
    eyes /= np.linalg.norm(eyes, axis=1, keepdims=True)
    return np.vstack([lattice[z > LOWEST_COSINE], eyes])


def _compute(labels: Sequence[str], directions: F64) -> F64:
    """Compute the lead field with MNE, shape (n_electrodes, n_sources, 3)."""
    radius = np.full(len(directions), CORTEX_RADIUS_M)
    radius[-len(EYES) :] = EYE_RADIUS_M
    sphere = mne.make_sphere_model(r0=CENTRE_M, head_radius=RADIUS_M, verbose="error")
    dipoles = {"rr": np.array(CENTRE_M) + radius[:, None] * directions, "nn": directions}
    space = mne.setup_volume_source_space(pos=dipoles, mindist=0.0, verbose="error")
    forward = mne.make_forward_solution(
        _electrode_info(),
        trans=None,
        src=space,
        bem=sphere,
        meg=False,
        eeg=True,
        mindist=0.0,
        verbose="error",
    )
    gain: F64 = np.asarray(forward["sol"]["data"], np.float64)
    return gain.reshape(len(labels), len(directions), 3)


def _cache_path(positions_m: F64, directions: F64) -> Path:
    """Return where the lead field is kept; the name holds all that it depends on."""
    key = hashlib.sha256()
    parameters = (*CENTRE_M, RADIUS_M, CORTEX_RADIUS_M, EYE_RADIUS_M)
    key.update(f"{mne.__version__} {parameters!r}".encode())
    for array in (positions_m, directions):
        # Rounded: the last bit of a cosine differs between platforms, the file does not.
        key.update(np.round(array * 1e6).astype("<i8").tobytes())
    folder = platformdirs.user_cache_path("rolandic", appauthor=False)
    return folder / f"leadfield-v{VERSION}-{key.hexdigest()[:16]}.npy"


def _load(path: Path, shape: tuple[int, ...]) -> F64 | None:
    """Read a lead field; None where there is none that can be used."""
    try:
        with path.open("rb") as stream:
            gain = np.lib.format.read_array(stream, allow_pickle=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logger.warning("lead field %s cannot be read (%s): computing it anew", path, error)
        return None
    if gain.shape != shape or gain.dtype != np.float64 or not np.isfinite(gain).all():
        logger.warning("lead field %s holds something else: computing it anew", path)
        return None
    return np.asarray(gain, np.float64)


def _store(path: Path, gain: F64) -> None:
    """Write a lead field so that no reader ever sees half of it."""
    temporary: Path | None = None
    try:
        private_folder(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            np.lib.format.write_array(stream, gain, allow_pickle=False)
        temporary.replace(path)
    except OSError as error:
        logger.info("lead field is not kept in %s (%s)", path.parent, error)
        if temporary is not None:
            temporary.unlink(missing_ok=True)
