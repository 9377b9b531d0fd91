"""What a result depends on, as a digest: data, settings, and the versions of what computes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bci
from bci.decoders import platform_card
from bci.decoders.card import json_ready
from bci.signal.epochs import Epochs
from bci.sources.recording import Recording

__all__ = ["code_versions", "digest", "digest_epochs", "digest_recordings"]


def digest(document: Mapping[str, Any]) -> str:
    """Return a digest of what JSON can hold, whatever the order of its keys.

    >>> digest({"a": 1, "b": (2.5, None)}) == digest({"b": [2.5, None], "a": 1})
    True
    """
    text = json.dumps(json_ready(document), sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def digest_epochs(epochs: Epochs) -> str:
    """Return a digest of windows, and of all that is said of them.

    Parameters
    ----------
    epochs : Epochs
    """
    return digest(
        {
            "arrays": _arrays(epochs.X, epochs.y, epochs.trials, epochs.trial_y, epochs.trial_runs),
            "classes": epochs.classes,
            "channels": epochs.channels,
            "recordings": epochs.recordings,
            "rate_hz": epochs.rate_hz,
            "settings": epochs.settings.model_dump(mode="json"),
        }
    )


def digest_recordings(recordings: Sequence[Recording]) -> str:
    """Return a digest of recordings as they were read, wherever they lie.

    Parameters
    ----------
    recordings : sequence of Recording
    """
    return digest(
        {
            "recordings": [
                {
                    "name": recording.path.name,
                    "arrays": _arrays(recording.samples, recording.stamps, recording.clock_offsets),
                    "markers": [(marker.time_s, marker.label) for marker in recording.markers],
                    "gaps": (recording.gaps, recording.returns),
                    "rate_hz": recording.info.rate_hz,
                    "channels": [(c.label, c.kind) for c in recording.info.channels],
                }
                for recording in recordings
            ]
        }
    )


def _arrays(*arrays: NDArray[Any] | None) -> str:
    content = hashlib.sha256()
    for array in (array for array in arrays if array is not None):
        content.update(repr((array.shape, array.dtype.str)).encode())
        content.update(np.ascontiguousarray(array).tobytes())
    return content.hexdigest()


#: Packages of Rolandic that a score depends on.
_COMPUTING = (
    "acquisition",
    "decoders",
    "evaluation",
    "features",
    "online",
    "riemann",
    "signal",
    "sources",
)


@cache
def code_versions() -> dict[str, str]:
    """Return what decides a result beside data and settings.

    Returns
    -------
    dict of str to str
        Python and packages with their versions, and ``rolandic sources``: a digest of what scores
        are computed with, since an installation from a working tree changes without its version.
    """
    sources = hashlib.sha256()
    root = Path(bci.__file__).parent
    for path in sorted(path for part in _COMPUTING for path in root.glob(f"{part}/**/*.py")):
        sources.update(path.relative_to(root).as_posix().encode())
        sources.update(path.read_bytes())
    versions: dict[str, str] = dict(platform_card()["versions"])
    return versions | {"rolandic sources": sources.hexdigest()[:16]}
