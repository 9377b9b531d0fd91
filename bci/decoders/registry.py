"""Decoders by name, from the entry-point group `bci.decoders`."""

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any

from bci.decoders.plugins import reason_of, unloadable
from bci.errors import InputError, SettingsError

__all__ = ["GROUP", "DecoderEntry", "available_decoders", "make_decoder"]

_log = logging.getLogger(__name__)

#: The entry-point group: each entry is a callable that returns an unfitted classifier.
GROUP = "bci.decoders"


@dataclass(frozen=True, slots=True)
class DecoderEntry:
    """One registered decoder.

    Attributes
    ----------
    name : str
    factory : callable or None
        Returns an unfitted classifier of windows; None when it could not be loaded.
    reason : str
        Why it could not be loaded; empty when it was.
    origin : str
        The distribution it comes from.
    """

    name: str
    factory: Callable[..., Any] | None
    reason: str = ""
    origin: str = ""

    @property
    def summary(self) -> str:
        """First line of the factory's docstring, or why there is none."""
        if self.factory is None:
            return self.reason
        return (inspect.getdoc(self.factory) or "").partition("\n")[0]


# Reading what is installed takes 24 ms, and an evaluation makes thousands of decoders.
@cache
def available_decoders() -> Mapping[str, DecoderEntry]:
    """Return every registered decoder, by name in alphabetical order.

    An entry that fails to load is kept with its reason; the others go on. Of two entries of one
    name, Rolandic's own stands. They are looked for once in a process.
    """
    entries: dict[str, DecoderEntry] = {}
    points = entry_points(group=GROUP)
    for point in sorted(points, key=lambda p: (p.name, not p.value.startswith("bci."))):
        origin = point.dist.name if point.dist is not None else ""
        if point.name in entries:
            _log.warning("decoder %s of %s: the name is taken", point.name, origin or "?")
            continue
        try:
            factory = point.load()
            if not callable(factory):
                raise TypeError(f"{point.value} is not callable")
        except Exception as error:
            # An extra that is not installed is no fault.
            level = logging.DEBUG if isinstance(error, ModuleNotFoundError) else logging.WARNING
            _log.log(
                level, "decoder %s (%s) could not be loaded", point.name, point.value, exc_info=True
            )
            entries[point.name] = DecoderEntry(point.name, None, unloadable(error, origin), origin)
        else:
            entries[point.name] = DecoderEntry(point.name, factory, "", origin)
    return MappingProxyType(entries)


def make_decoder(
    name: str,
    *,
    channels: Sequence[str] | None = None,
    rate_hz: float | None = None,
    **params: Any,
) -> Any:
    """Make an unfitted decoder.

    Parameters
    ----------
    name : str
        As in `available_decoders`.
    channels : sequence of str, optional
        Names of the windows' channels, for a factory that has such a parameter (a decoder that
        may choose among them); others are not told.
    rate_hz : float, optional
        Sampling rate of the windows, likewise.
    **params
        Of the decoder's factory.

    Returns
    -------
    Decoder
        Or what a plugin's factory returns: a scikit-learn classifier of windows.

    Raises
    ------
    SettingsError
        For an unknown name, a decoder that could not be loaded, and an unknown parameter.

    Examples
    --------
    >>> make_decoder("ts-lr", C=0.5)
    TangentDecoder(C=0.5)
    """
    entries = available_decoders()
    entry = entries.get(name)
    if entry is None:
        raise SettingsError(f"decoder {name!r} is unknown: choose one of {', '.join(entries)}")
    if entry.factory is None:
        raise SettingsError(f"decoder {name!r} could not be loaded: {entry.reason}")
    signature = inspect.signature(entry.factory)
    if channels is not None and "channels" in signature.parameters:
        params["channels"] = tuple(channels)
    if rate_hz is not None and "rate_hz" in signature.parameters:
        params["rate_hz"] = rate_hz
    try:
        signature.bind(**params)
    except TypeError as error:
        known = ", ".join(signature.parameters)
        raise SettingsError(f"decoder {name!r}: {error}; its parameters are {known}") from error
    try:
        return entry.factory(**params)
    except InputError:
        raise
    except Exception as error:
        # A plugin's factory may raise anything.
        _log.exception("decoder %s could not be made", name)
        raise SettingsError(
            f"decoder {name!r} of {entry.origin or 'a plugin'} could not be made "
            f"({reason_of(error)}): choose another decoder, or tell its makers"
        ) from error
