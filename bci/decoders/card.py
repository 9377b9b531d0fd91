"""A model's card: what a person needs to know of it, and a machine to use it.

``card.json`` in the model file::

    format, version       "rolandic-model", 1
    channels, rate_hz     what the stream must have, channels in the estimator's order
    unit                  "V", always
    epochs                filter, span of the trial, window length and step, classes, event map
    classes               in the order of the probabilities
    artifact_limit_v      peak-to-peak limit of each channel's filtered window
    decoder               its registered name
    recentering           tau_s (s); only of a model that follows the signal's reference point
    card                  where it comes from: recordings with SHA-256, scores with confidence
                          intervals, parameters, versions, time of making
"""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from bci.errors import ModelError

__all__ = ["FORMAT", "FORMAT_VERSION", "check_card", "json_ready", "platform_card"]

FORMAT = "rolandic-model"
FORMAT_VERSION = 1

#: Packages whose versions decide what a decoder computes.
_PACKAGES = (
    "rolandic",
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "pyriemann",
    "mne",
    "skops",
)


def platform_card() -> dict[str, Any]:
    """Return what results depend on beyond the data.

    Returns
    -------
    dict
        ``versions`` of Python and of packages, ``system``, ``machine``, and ``blas``: the BLAS
        libraries that are loaded, with their version and the processor they chose. Decisions are
        repeated bit for bit where all of these are equal.
    """
    return {
        "versions": {"python": platform.python_version()} | {p: _version(p) for p in _PACKAGES},
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "blas": sorted(
            {
                " ".join(
                    str(library[key])
                    for key in ("internal_api", "version", "architecture")
                    if library.get(key)
                )
                for library in threadpool_info()
                if library.get("user_api") == "blas"
            }
        ),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def json_ready(value: Any) -> Any:
    """Return a value as JSON can hold it: arrays and tuples as lists, NumPy numbers as numbers.

    >>> json_ready({"a": (np.float64(0.5), np.arange(2))})
    {'a': [0.5, [0, 1]]}
    """
    if isinstance(value, Mapping):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return json_ready(value.tolist())
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    return value


_FIELDS: dict[str, type | tuple[type, ...]] = {
    "channels": list,
    "rate_hz": (int, float),
    "epochs": dict,
    "classes": list,
    "artifact_limit_v": list,
    "decoder": str,
    "card": dict,
}


def check_card(document: object) -> dict[str, Any]:
    """Check that a parsed ``card.json`` is one that this version reads.

    Raises
    ------
    ModelError
        Without the name of the file.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ModelError("is no Rolandic model")
    if document.get("version") != FORMAT_VERSION:
        raise ModelError(
            f"is a model of format version {document.get('version')!r}, this Rolandic reads "
            f"{FORMAT_VERSION}: train it again, or update Rolandic"
        )
    for name, kind in _FIELDS.items():
        if not isinstance(document.get(name), kind):
            raise ModelError(f"has a damaged card ({name}): train it again")
    if document.get("unit") != "V":
        raise ModelError(f"was trained on {document.get('unit')!r}, not volts: train it again")
    return document
