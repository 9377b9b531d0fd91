"""Models of decoders that came in through an entry point: who made it, and what may be read.

A plugin's decoder is saved as any other, by its attributes: numbers, text, arrays, lists and dicts
of them, and scikit-learn's own estimators. What it cannot be written of so (the weights of a
network, say) it keeps as arrays (``__getstate__`` may leave out what is made again from them).

When the file is read, the class is not taken from the file: only the class that the installed
plugin makes under the registered name on the card is trusted, code that the user installed. A file
can name no other.
"""

from collections.abc import Mapping
from typing import Any

from bci.decoders.plugins import install_line, is_ours
from bci.decoders.registry import available_decoders, make_decoder
from bci.errors import ModelError, SettingsError

__all__ = ["check_plugin", "plugin_card", "plugin_type"]


def plugin_type(decoder: str, estimator: object) -> tuple[str, ...]:
    """Return the type that a model of a plugin's decoder may hold; nothing of any other.

    Parameters
    ----------
    decoder : str
        Registered name.
    estimator : object
    """
    kind = type(estimator)
    if is_ours(kind) or _registered(decoder) is not kind:
        return ()
    return (f"{kind.__module__}.{kind.__qualname__}",)


def _registered(decoder: str) -> type | None:
    """Return the class of a plugin's decoder; None of our own, and of one that cannot be made."""
    entry = available_decoders().get(decoder)
    if entry is None or entry.factory is None:
        return None
    try:
        kind = type(make_decoder(decoder))
    except SettingsError:
        return None
    return None if is_ours(kind) else kind


def plugin_card(decoder: str, estimator: object) -> dict[str, Any]:
    """Return what the card says of the plugin that a model needs; nothing of our own decoders.

    Returns
    -------
    dict
        ``plugin`` with ``distribution``, and ``install``: the line that installs it.
    """
    entry = available_decoders().get(decoder)
    if entry is None or is_ours(estimator):
        return {}
    module = type(estimator).__module__
    origin = entry.origin or module.partition(".")[0]
    needed = getattr(estimator, "needs_module", "")
    line = (install_line(needed, origin) if needed else "") or f"pip install {origin}"
    return {"plugin": {"distribution": origin, "install": line}}


def check_plugin(document: Mapping[str, Any]) -> tuple[type, ...]:
    """Return the plugin's class that a model file may hold; none if it needs no plugin.

    Parameters
    ----------
    document : mapping
        The file's card.

    Raises
    ------
    ModelError
        When the plugin is absent or cannot be loaded: it is named, with the line that installs it.
    """
    plugin = document.get("plugin")
    if plugin is None:
        return ()
    if not isinstance(plugin, Mapping):
        raise ModelError("has a damaged card (plugin): train it again")
    decoder = str(document["decoder"])
    kind = _registered(decoder)
    if kind is None:
        raise ModelError(f"needs {_missing(decoder, plugin)}")
    return (kind,)


def _missing(decoder: str, plugin: Mapping[str, Any]) -> str:
    entry = available_decoders().get(decoder)
    name = _word(plugin.get("distribution"))
    if entry is not None and entry.reason:
        return f"decoder {decoder!r} of {name}, which could not be loaded: {entry.reason}"
    if entry is not None:
        return f"decoder {decoder!r} of {name}: here the name stands for another"
    return (
        f"decoder {decoder!r} of {name}, which is not installed: "
        f"{_word(plugin.get('install')) or 'install it'}"
    )


def _word(text: object) -> str:
    """Return text out of a file as one short, printable line."""
    return "".join(c for c in str(text or "") if c.isprintable())[:120]
