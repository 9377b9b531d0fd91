"""Decoders that can be trained, in the groups that a clinician chooses from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bci.decoders import available_decoders
from bci.decoders.combined import CombinedDecoder
from bci.decoders.csp import CSPDecoder
from bci.decoders.features import FeatureDecoder
from bci.decoders.registry import DecoderEntry
from bci.features.grammar import parse_features

__all__ = ["GROUPS", "SEARCH", "DecoderChoice", "chosen_features", "decoder_choices"]

#: The search over order and lag: it stands among the decoders, and leaves one of them behind.
SEARCH = "acm-search"

#: In the order of the list.
GROUPS = ("features", "riemannian", "augmented", "together", "plugins")

#: Kinds of features that a decoder of named features can be given.
_KINDS = {"psd-lda": ("psd",), "psd-lr": ("psd",), "fc-lda": ("fc",), "psd+fc-lda": ("psd", "fc")}


@dataclass(frozen=True, slots=True)
class DecoderChoice:
    """A decoder that is registered.

    Attributes
    ----------
    name : str
    group : str
        One of `GROUPS`.
    summary : str
        One line.
    reason : str
        Why it cannot be used, with the line that installs what it lacks; empty: it can.
    """

    name: str
    group: str
    summary: str
    reason: str = ""


def decoder_choices(*, progress: Callable[[int, int], None]) -> tuple[DecoderChoice, ...]:
    """Return all registered decoders, those that cannot be used with the reason; and the search.

    Plugins are loaded for it, which may take seconds: a worker's process does it.
    """
    found = [_choice(entry) for entry in available_decoders().values()]
    found.append(
        DecoderChoice(
            SEARCH,
            "augmented",
            "Search order, lag, C and kernel of the augmented covariance method.",
        )
    )
    progress(1, 1)
    return tuple(sorted(found, key=lambda choice: GROUPS.index(choice.group)))


def chosen_features(decoder: str, features: Sequence[str]) -> str:
    """Return those of the features chosen in the session that a decoder can be given.

    >>> chosen_features("psd-lda", ["C4;10:13", "fc Cz;10"])
    'C4;10:13'
    >>> chosen_features("ts-lr", ["C4;10:13"])
    ''
    """
    kinds = _KINDS.get(decoder, ())
    return ", ".join(
        text for text in features if all(f.kind in kinds for f in parse_features(text))
    )


def _choice(entry: DecoderEntry) -> DecoderChoice:
    if entry.factory is None:
        return DecoderChoice(entry.name, "plugins", entry.summary, entry.reason)
    try:
        estimator = entry.factory()
    except Exception as error:
        # A factory of a plugin may raise anything; the others go on.
        reason = f"{type(error).__name__}: {error}"
        return DecoderChoice(entry.name, "plugins", entry.summary, reason)
    return DecoderChoice(entry.name, _group(estimator), entry.summary)


def _group(estimator: Any) -> str:
    if isinstance(estimator, (FeatureDecoder, CSPDecoder)):
        return "features"
    if isinstance(estimator, CombinedDecoder):
        return "together"
    if not type(estimator).__module__.startswith("bci.decoders."):
        return "plugins"
    return "riemannian" if estimator.get_params().get("order", 1) == 1 else "augmented"
