"""The model: a fitted decoder, what it needs of a stream, and where it comes from; one file.

The file is a zip of ``card.json`` (`bci.decoders.card`), ``estimator.skops`` and, of a model that
recentres, ``recentering.skops``. Skops writes arrays and attributes, not code, and reads only types
that are trusted by name: the decoders of this package, scikit-learn's and NumPy's own that skops
trusts, and, of a model whose card names a plugin's decoder, the one class that the installed plugin
registers under that name (`bci.decoders.model_plugin`). Nothing is ever unpickled.
"""

import io
import json
import logging
import math
import os
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bci.config import EpochSettings
from bci.decoders.acm import ACMDecoder
from bci.decoders.base import F64, CovarianceDecoder, Decoder
from bci.decoders.block_toeplitz import BlockToeplitzDecoder
from bci.decoders.card import FORMAT, FORMAT_VERSION, check_card, json_ready
from bci.decoders.chosen import ChosenDecoder
from bci.decoders.combined import CombinedDecoder
from bci.decoders.csp import CSPDecoder
from bci.decoders.features import FeatureDecoder
from bci.decoders.mdm import FgMDMDecoder, MDMDecoder
from bci.decoders.model_plugin import check_plugin, plugin_card, plugin_type
from bci.decoders.recalibration import RecalibratedDecoder
from bci.decoders.recentering import Recentering
from bci.decoders.tangent import TangentDecoder
from bci.errors import ChannelError, ModelError, SettingsError
from bci.sources.base import StreamInfo
from bci.sources.labels import match_channels
from bci.sources.units import is_eeg, volts_per

__all__ = ["TRUSTED_TYPES", "Model", "load_model"]

_log = logging.getLogger(__name__)

#: Types beyond skops's own list that a model file may hold.
TRUSTED_TYPES = tuple(
    f"{kind.__module__}.{kind.__qualname__}"
    for kind in (
        ACMDecoder,
        BlockToeplitzDecoder,
        CSPDecoder,
        ChosenDecoder,
        CombinedDecoder,
        FeatureDecoder,
        FgMDMDecoder,
        MDMDecoder,
        RecalibratedDecoder,
        TangentDecoder,
    )
)

_CARD, _ESTIMATOR, _RECENTERING = "card.json", "estimator.skops", "recentering.skops"
_RECENTERING_ARRAYS = ("references", "class_means")
#: No member is larger: a bound on what a crafted file can make of a few bytes.
_MAX_BYTES = 1 << 30


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted decoder and what it needs to be used.

    Attributes
    ----------
    channels : tuple of str
        Needed of a stream, in the estimator's order.
    rate_hz : float
    epochs : EpochSettings
        Filter and windows.
    classes : tuple of str
        In the order of the probabilities' columns.
    estimator : Decoder
        Fitted on labels that are the names in `classes`, or indices into it.
    artifact_limit_v : ndarray of float64, shape (n_channels,)
        A filtered window with a larger peak-to-peak amplitude holds an artifact (V).
    decoder : str
        Registered name.
    card : dict
        Where it comes from; what JSON can hold. ``card["units_declared"]`` true says that every
        training channel declared its unit.
    recentering : Recentering or None
        How the reference point follows the signal online; None: it stays.

    Raises
    ------
    ModelError
        When the parts do not fit together.
    """

    channels: tuple[str, ...]
    rate_hz: float
    epochs: EpochSettings
    classes: tuple[str, ...]
    estimator: Any = field(repr=False)
    artifact_limit_v: F64 = field(repr=False)
    decoder: str = ""
    card: dict[str, Any] = field(default_factory=dict, repr=False)
    recentering: Recentering | None = None
    _columns: NDArray[np.intp] | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        limit = np.array(self.artifact_limit_v, dtype=np.float64)
        if limit.shape != (len(self.channels),):
            raise ModelError(
                f"{len(self.channels)} channels, but artifact limits of shape {limit.shape}"
            )
        limit.flags.writeable = False
        object.__setattr__(self, "artifact_limit_v", limit)
        object.__setattr__(self, "_columns", self._column_order())
        n_channels = getattr(self.estimator, "n_channels_in_", len(self.channels))
        if n_channels != len(self.channels):
            raise ModelError(
                f"the decoder was fitted on {n_channels} channels, the model names "
                f"{len(self.channels)}"
            )
        if self.recentering is not None:
            self._check_recentering(self.recentering)

    def _check_recentering(self, recentering: Recentering) -> None:
        if not isinstance(self.estimator, CovarianceDecoder):
            raise ModelError(
                f"decoder {self.decoder!r} cannot be recentred: it sees no covariances"
            )
        sizes = [
            view.order * (len(self.channels) if view.channels is None else len(view.channels))
            for view in self.estimator.views
        ]
        found = [array.shape for array in (*recentering.references, *recentering.class_means)]
        needed = [(n, n) for n in sizes] + [(len(self.classes), n, n) for n in sizes]
        if found != needed:
            raise ModelError("the references of recentering are not those of the decoder")

    def _column_order(self) -> NDArray[np.intp] | None:
        """Return which of the estimator's columns stands where; None when all are in place."""
        fitted = np.asarray(getattr(self.estimator, "classes_", ()))
        if fitted.dtype.kind in "iu":
            in_place = np.array_equal(fitted, np.arange(len(self.classes)))
            order = list(range(len(self.classes))) if in_place else []
        else:
            names = [str(name) for name in fitted]
            known = sorted(names) == sorted(self.classes)
            order = [names.index(name) for name in self.classes] if known else []
        if not order:
            raise ModelError(
                f"the decoder was fitted on classes {', '.join(map(str, fitted)) or 'none'}, the "
                f"model names {', '.join(self.classes)}"
            )
        return None if order == sorted(order) else np.array(order, dtype=np.intp)

    def probabilities(self, windows: ArrayLike) -> F64:
        """Return the class probabilities of filtered windows, the reference point where it began.

        Parameters
        ----------
        windows : array_like of float, shape (n_windows, n_channels, n_times)
            In volts, channels in the order of `channels`.

        Returns
        -------
        ndarray of float64, shape (n_windows, n_classes)
            In the order of `classes`.
        """
        columns = self._columns
        result: F64 = self.estimator.predict_proba(windows)
        return result if columns is None else result[:, columns]

    def probabilities_from(self, C: Sequence[F64]) -> F64:
        """Return the class probabilities from covariances of filtered windows.

        Parameters
        ----------
        C : sequence of ndarray of float64, shape (n_windows, n, n)
            One a view of the estimator, which is a `CovarianceDecoder`.

        Returns
        -------
        ndarray of float64, shape (n_windows, n_classes)
            In the order of `classes`.
        """
        columns = self._columns
        result: F64 = self.estimator.predict_proba_from(C)
        return result if columns is None else result[:, columns]

    def match_stream(self, info: StreamInfo) -> NDArray[np.intp]:
        """Find the model's channels in a stream.

        Returns
        -------
        ndarray of int, shape (n_channels,)
            Indices of the stream's channels, in the order of `channels`.

        Raises
        ------
        ModelError
            When channels are missing (all are named), the rate is another, or the numbers of a
            channel are not volts.
        """
        name = info.name or info.source_id or "the stream"
        # Nominal rates are written with a few digits: 127.99 is 128.
        if not math.isclose(info.rate_hz, self.rate_hz, rel_tol=1e-3):
            raise ModelError(
                f"stream {name!r} has {info.rate_hz:g} Hz, the model was trained at "
                f"{self.rate_hz:g} Hz: use a stream of that rate, or train on recordings of this "
                "one"
            )
        try:
            indices = match_channels(self.channels, info.labels)
        except ChannelError as error:
            problem = str(error).removesuffix(": choose others with --channels")
            raise ModelError(
                f"stream {name!r} does not have the channels that the model was trained on: "
                f"{problem}; connect or relabel them, or train on recordings of this stream"
            ) from error
        self._check_units(name, info, indices)
        return indices

    def _check_units(self, name: str, info: StreamInfo, indices: NDArray[np.intp]) -> None:
        matched = [info.channels[i] for i in indices]
        # Sources scale to volts what is EEG, or a voltage; the rest keeps its numbers.
        raw = [c.label for c in matched if not is_eeg(c) and volts_per(c.unit) is None]
        if raw:
            raise ModelError(
                f"stream {name!r} declares {', '.join(raw)} as neither EEG nor a voltage: the "
                "model needs volts"
            )
        silent = [c.label for c in matched if not c.unit]
        if silent and self.card.get("units_declared"):
            raise ModelError(
                f"stream {name!r} names no unit for {', '.join(silent)}, the model was trained on "
                "channels that do: say what its numbers are with --unit"
            )

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the model to a file that only its owner can read, whole or not at all.

        Parameters
        ----------
        path : Path
        overwrite : bool
            Replace what is there.

        Raises
        ------
        ModelError
            When the file is there and `overwrite` is not given, when it cannot be written, and
            when the estimator holds what no model file may hold.
        """
        path = Path(path)
        if path.is_dir():
            raise ModelError(f"{path} is a folder: name a file in it")
        if path.exists() and not path.is_file():
            raise ModelError(f"{path} is no ordinary file and is not replaced: choose another name")
        if path.exists() and not overwrite:
            raise ModelError(f"{path} exists: choose another name, or say --overwrite")
        content = self._as_bytes()
        try:
            _write_whole(path, content)
        except OSError as error:
            reason = error.strerror or error
            raise ModelError(f"{path}: the model cannot be written ({reason})") from error

    def _as_bytes(self) -> bytes:
        import skops.io  # it goes through all of scikit-learn: 0.7 s, and seconds where dask is

        estimator = skops.io.dumps(self.estimator)
        trusted = {*TRUSTED_TYPES, *plugin_type(self.decoder, self.estimator)}
        strange = set(skops.io.get_untrusted_types(data=estimator)) - trusted
        if strange:
            raise ModelError(
                f"decoder {self.decoder!r} cannot be saved: it holds {', '.join(sorted(strange))}, "
                "which no model file may hold"
            )
        document = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "channels": self.channels,
            "rate_hz": self.rate_hz,
            "unit": "V",
            "epochs": self.epochs.model_dump(mode="json"),
            "classes": self.classes,
            "artifact_limit_v": self.artifact_limit_v,
            "decoder": self.decoder,
            "card": self.card,
        } | plugin_card(self.decoder, self.estimator)
        members = {_ESTIMATOR: estimator}
        if self.recentering is not None:
            document["recentering"] = {"tau_s": self.recentering.tau_s}
            members[_RECENTERING] = skops.io.dumps(
                {name: list(getattr(self.recentering, name)) for name in _RECENTERING_ARRAYS}
            )
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_CARD, json.dumps(json_ready(document), indent=2) + "\n")
            for name, content in members.items():
                archive.writestr(name, content)
        return buffer.getvalue()


def _write_whole(path: Path, content: bytes) -> None:
    """Write beside the target, then put it in place in one step."""
    # mkstemp makes the file 0600.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def load_model(path: Path) -> Model:
    """Read a model file.

    Probabilities are those of the model that was saved, to the last bit.

    Raises
    ------
    ModelError
        In one line, for a file that is missing, empty, cut, of another kind (a pickle is not
        opened), of another format version, or that holds types that are not trusted.
    """
    path = Path(path)
    try:
        members = _read_members(path)
        document = check_card(_parsed(members[_CARD]))
        plugin = check_plugin(document)
        estimator = _read_skops(members[_ESTIMATOR], plugin)
        if not isinstance(estimator, (Decoder, *plugin)):
            raise ModelError(f"holds a {type(estimator).__name__} instead of a decoder")
        arrays = _read_skops(members[_RECENTERING]) if _RECENTERING in members else None
        model = _assembled(document, estimator, _recentering(document.get("recentering"), arrays))
    except ModelError as error:
        raise ModelError(f"{path} {error}") from error
    return model


def _read_members(path: Path) -> dict[str, bytes]:
    try:
        if not path.exists():
            raise ModelError("is not there: give the path of a model that bci train wrote")
        if path.is_dir():
            raise ModelError("is a folder: give the path of a model that bci train wrote")
        if path.stat().st_size == 0:
            raise ModelError("is empty: train the model again")
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
            if names not in ([_CARD, _ESTIMATOR], [_CARD, _ESTIMATOR, _RECENTERING]):
                raise ModelError("is no Rolandic model: give a file that bci train wrote")
            if any(info.file_size > _MAX_BYTES for info in archive.infolist()):
                raise ModelError("is damaged, or no Rolandic model: a part is impossibly large")
            return {name: archive.read(name) for name in names}
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror or error})") from error
    except ModelError:
        raise
    except Exception as error:
        # Cut, damaged, encrypted or foreign files make zipfile and zlib raise a dozen kinds of
        # error; whichever, the file is the cause.
        _log.debug("%s could not be read as a zip", path, exc_info=True)
        raise ModelError(
            "is no Rolandic model, or is cut or damaged (files of other kinds, pickles among "
            "them, are not opened): give a file that bci train wrote"
        ) from error


def _parsed(card: bytes) -> object:
    try:
        document: object = json.loads(card)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ModelError("has a damaged card: train it again") from error
    return document


def _read_skops(content: bytes, plugin: Sequence[type] = ()) -> object:
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    trusted = [*TRUSTED_TYPES, *(f"{kind.__module__}.{kind.__qualname__}" for kind in plugin)]
    try:
        strange = set(skops.io.get_untrusted_types(data=content)) - set(trusted)
        if strange:
            raise ModelError(
                f"holds types that are not trusted ({', '.join(sorted(strange))}), and is not "
                "opened: get it again from where it was trained"
            )
        loaded: object = skops.io.loads(content, trusted=trusted)
    except UntrustedTypesFoundException as error:
        raise ModelError("holds types that are not trusted, and is not opened") from error
    except ModelError:
        raise
    except Exception as error:
        # Skops raises many kinds for a damaged tree; whichever, the user's file is the cause.
        _log.debug("estimator could not be read", exc_info=True)
        raise ModelError("holds a damaged decoder: train it again") from error
    return loaded


def _recentering(settings: object, arrays: object) -> Recentering | None:
    if settings is None and arrays is None:
        return None
    if not (isinstance(settings, dict) and isinstance(arrays, dict)):
        raise ModelError("has a damaged card (recentering): train it again")
    try:
        return Recentering(
            **{name: tuple(arrays[name]) for name in _RECENTERING_ARRAYS}, tau_s=settings["tau_s"]
        )
    except (SettingsError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"has a damaged card (recentering: {error}): train it again") from error


def _assembled(document: dict[str, Any], estimator: Any, recentering: Recentering | None) -> Model:
    try:
        return Model(
            channels=tuple(str(name) for name in document["channels"]),
            rate_hz=float(document["rate_hz"]),
            epochs=EpochSettings.make(**document["epochs"]),
            classes=tuple(str(name) for name in document["classes"]),
            estimator=estimator,
            artifact_limit_v=np.array(document["artifact_limit_v"], dtype=np.float64),
            decoder=document["decoder"],
            card=document["card"],
            recentering=recentering,
        )
    except (SettingsError, TypeError, ValueError) as error:
        raise ModelError(f"has a damaged card ({error}): train it again") from error
    except ModelError as error:
        raise ModelError(f"has parts that do not fit together: {error}") from error
