"""Results kept on disk by what they were made from, and the steps that make them.

A step's key is the hash of its name, its parameters, the keys of the steps that it builds on, and
the code that computes: what is changed changes the keys of all that hangs on it, and of nothing
else.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import logging
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import scipy
from numpy.typing import NDArray

from bci import __version__
from bci.config import Settings
from bci.private import private_folder
from bci.sources.recording import Recording

__all__ = [
    "Arrays",
    "Cache",
    "Steps",
    "content_hash",
    "pack",
    "read_arrays",
    "recording_content",
    "unpack",
    "write_arrays",
]

_log = logging.getLogger(__name__)

#: What a step makes: arrays by name.
Arrays = dict[str, NDArray[Any]]
T = TypeVar("T")

#: Array that holds as JSON what is no array.
_JSON = "json"

#: What reading a damaged file of arrays may raise.
_DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


@functools.cache
def _made_by() -> list[str]:
    """Return what else results hang on: our code, and the libraries that do the numbers."""
    digest = hashlib.sha256()
    for package in ("features", "signal", "acquisition"):
        for path in sorted(Path(__file__).parents[1].joinpath(package).glob("*.py")):
            digest.update(path.read_bytes())
    return [__version__, digest.hexdigest(), np.__version__, scipy.__version__, version("mne")]


def content_hash(document: object) -> str:
    """Return the SHA-256 of what JSON can hold, in hexadecimal: the same however keys are ordered.

    >>> content_hash({"a": 1, "b": (2, 3)}) == content_hash({"b": [2, 3], "a": 1})
    True
    """
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def recording_content(recording: Recording) -> str:
    """Return the SHA-256 of a recording as it is read: samples, stamps, markers, names, units.

    Other than the file's own hash it changes with the names and units that were given to it, and
    a simulated run has one too.
    """
    digest = hashlib.sha256()
    head = {
        "name": recording.path.name,
        "rate_hz": recording.info.rate_hz,
        "channels": [
            (channel.label, channel.kind, channel.position_m) for channel in recording.info.channels
        ],
        "markers": [(marker.time_s, marker.label) for marker in recording.markers],
        "gaps": recording.gaps,
        "returns": recording.returns,
    }
    digest.update(json.dumps(head).encode())
    for array in (recording.samples, recording.stamps, recording.clock_offsets):
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def pack(result: Any) -> Arrays:
    """Return a dataclass, or a mapping, as arrays; what is no array becomes JSON in one of them."""
    if dataclasses.is_dataclass(result):
        items = {f.name: getattr(result, f.name) for f in dataclasses.fields(result)}
    else:
        items = dict(result)
    arrays = {name: value for name, value in items.items() if isinstance(value, np.ndarray)}
    rest = {name: value for name, value in items.items() if name not in arrays}
    return arrays | {_JSON: np.array(json.dumps(rest, default=_plain))}


def _plain(value: Any) -> Any:
    """Return settings and numbers of NumPy as JSON can hold them."""
    return value.model_dump(mode="json") if isinstance(value, Settings) else value.item()


def unpack(kind: Callable[..., T], arrays: Mapping[str, NDArray[Any]]) -> T:
    """Undo `pack`: lists come back as tuples.

    >>> unpack(dict, pack({"x": np.zeros(2), "names": ("C3", "C4"), "order": None}))
    {'x': array([0., 0.]), 'names': ('C3', 'C4'), 'order': None}
    """
    rest = _tuples(json.loads(str(arrays[_JSON])))
    return kind(**{name: array for name, array in arrays.items() if name != _JSON}, **rest)


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {name: _tuples(item) for name, item in value.items()}
    return value


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays to a file of the user's alone, all or nothing.

    Raises
    ------
    OSError
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            # A dictionary of its own: `file` is a name like any other.
            np.savez(file, **dict(arrays))  # type: ignore[arg-type]
        os.replace(name, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def read_arrays(path: Path) -> Arrays:
    """Read what `write_arrays` wrote; the sums of checks in the file are compared.

    Raises
    ------
    OSError, ValueError
        For a file that is not there, or damaged.
    """
    try:
        # Opened here: NumPy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        raise
    except _DAMAGED as error:
        raise ValueError(f"{path} is damaged: {error}") from error


class Cache:
    """Results of steps in a folder, the oldest going when there are too many.

    Parameters
    ----------
    folder : Path
        Made for this user only when the first result is kept.
    max_bytes : int
        Of all of them; those used longest ago go first.
    """

    def __init__(self, folder: Path, max_bytes: int = 1_000_000_000) -> None:
        self.folder = folder
        self.max_bytes = max_bytes

    def get(self, name: str, key: str) -> Arrays | None:
        """Return a result; None where it is not kept, or damaged."""
        path = self._path(name, key)
        try:
            arrays = read_arrays(path)
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.info("%s is computed anew: %s", name, error)
            return None
        return arrays

    def put(self, name: str, key: str, arrays: Arrays) -> None:
        """Keep a result; where that fails (no space, no permission) it is only logged."""
        try:
            write_arrays(private_folder(self.folder) / self._path(name, key).name, arrays)
            self._prune()
        except OSError as error:
            _log.warning("%s cannot be kept in %s: %s", name, self.folder, error)

    def clear(self) -> None:
        """Delete all results, and what killed writers have left."""
        for path in [*self._entries(), *self.folder.glob(".*.part")]:
            path.unlink(missing_ok=True)

    @property
    def n_bytes(self) -> int:
        """Size of all results."""
        return sum(path.stat().st_size for path in self._entries())

    def _path(self, name: str, key: str) -> Path:
        return self.folder / f"{name}-{key}.npz"

    def _entries(self) -> list[Path]:
        return [path for path in self.folder.glob("*-*.npz") if path.is_file()]

    def _prune(self) -> None:
        entries = sorted(((path.stat(), path) for path in self._entries()), key=_used)
        total = sum(status.st_size for status, _ in entries)
        for status, path in entries[:-1]:  # never the one just written
            if total <= self.max_bytes:
                return
            path.unlink(missing_ok=True)
            total -= status.st_size


def _used(entry: tuple[os.stat_result, Path]) -> float:
    return entry[0].st_mtime


class Steps:
    """Steps that are computed when they are asked for, once, unless their result is kept.

    Parameters
    ----------
    cache : Cache, optional
        None: nothing is kept beyond this object.

    Attributes
    ----------
    computed : list of str
        Names of the steps that had to be computed, in that order.
    """

    def __init__(self, cache: Cache | None = None) -> None:
        self.computed: list[str] = []
        self._cache = cache
        self._keys: dict[str, str] = {}
        self._compute: dict[str, tuple[Callable[[], Arrays], bool]] = {}
        self._found: dict[str, Arrays] = {}

    def add(
        self,
        name: str,
        compute: Callable[[], Arrays],
        parameters: object,
        inputs: Sequence[str] = (),
        *,
        keep: bool = True,
    ) -> None:
        """Add a step.

        Parameters
        ----------
        name : str
        compute : callable
            Takes the results of other steps from here.
        parameters : object
            All that the result hangs on besides `inputs`, as JSON can hold it.
        inputs : sequence of str
            Steps that were added before.
        keep : bool
            False: sooner computed anew than read from disk.
        """
        self._keys[name] = content_hash(
            [_made_by(), name, parameters, [self._keys[other] for other in inputs]]
        )
        self._compute[name] = compute, keep

    def __getitem__(self, name: str) -> Arrays:
        """Return a step's result: at hand, kept, or computed."""
        if name not in self._found:
            compute, keep = self._compute[name]
            cache = self._cache if keep else None
            found = cache.get(name, self._keys[name]) if cache else None
            if found is None:
                found = compute()
                self.computed.append(name)
                if cache:
                    cache.put(name, self._keys[name], found)
            self._found[name] = found
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the steps."""
        return iter(self._keys)
