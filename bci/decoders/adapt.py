"""Adaptation: a fitted model that goes on learning in a session, by a named arm.

The order is always the same: predict, score, reveal, update. A *trial* is the unit of revealing:
its windows were decided on, a class was chosen, and something becomes known: the class that was
asked for (supervised arms), only whether the chosen class was right (reward arms), or nothing.

Which arm exists for which model:

===================================  =====================================================
decoder                              arms
===================================  =====================================================
tangent space, ACM, CSP, found by    all; what is learned is a linear correction of the rule
search, recalibrated                 in the tangent space
MDM, FgMDM                           all; pseudo and supervised move the classes' prototypes
psd, fc, psd+fc, bt-acm (linear)     frozen, supervised, reward, linucb: they see no covariance
                                     that could be recentred, so supervised is without
others (combined, bt-acm's mdm)      frozen
===================================  =====================================================

Arms that recentre need a model that was trained to (`Model.recentering`), reward and linucb of
covariances a reference point: that of recentering, or of the tangent space.

With two classes and a clean reward, reward *is* the label: "wrong" names the other class. The arms
`reward` and `supervised` then make the very same step; only noise, loss and a third class tell
them apart.

Sources: recentering Zanini et al. 2018 and Kumar et al. 2019 (`bci.decoders.recentering`).
Supervised and pseudo-labelled prototypes on top of it: Kumar, Alawieh, Racz, Fakhreddine and Millan
2024, "Transfer learning promotes acquisition of individual BCI skills", PNAS Nexus 3(2), pgae076
(a minimum-distance decoder; generic recentering, and recentering with recalibration by labels). The
rules that are told only of right and wrong: `bci.decoders.adapt_bandit`.
"""

import inspect
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, Protocol

from bci.decoders.base import F64, CovarianceDecoder
from bci.decoders.model import Model
from bci.decoders.plugins import unloadable
from bci.decoders.recentering import TAU_S
from bci.decoders.registry import make_decoder
from bci.errors import InputError, SettingsError

__all__ = [
    "ARMS",
    "GROUP",
    "Adapter",
    "Revealed",
    "absent_arms",
    "arms_for",
    "available_arms",
    "make_adapter",
    "reference_for",
    "with_arm",
]

_log = logging.getLogger(__name__)

#: The entry-point group of plugins' arms: each entry is called as ``entry(model, seed=seed,
#: **params)`` and returns an `Adapter`; its docstring's first line says what it does.
GROUP = "bci.adapters"

#: Rolandic's own arms.
ARMS: Mapping[str, str] = MappingProxyType(
    {
        "frozen": "the decoder as it was trained",
        "recenter": "the reference point follows the signal, without labels",
        "pseudo": "recentering, and learning from the decoder's own confident decisions",
        "supervised": "recentering, and learning from the classes that were asked for",
        "reward": "learning from right and wrong alone: softmax policy, likelihood gradient",
        "reward+recenter": "recentering, and learning from right and wrong alone (policy)",
        "linucb": "learning from right and wrong alone: optimistic linear bandit",
        "linucb+recenter": "recentering, and learning from right and wrong alone (bandit)",
    }
)


@dataclass(frozen=True, slots=True)
class Revealed:
    """What becomes known after a trial.

    Attributes
    ----------
    label : int or None
        The class that was asked for, counted as in `Model.classes`; None: not known.
    reward : float or None
        1: the chosen class was right, 0: it was not. May be flipped, or late. None: none came.

    Raises
    ------
    ValueError
        For a reward that is no number.
    """

    label: int | None = None
    reward: float | None = None

    def __post_init__(self) -> None:
        # In a weight, what is no number would stay.
        if self.reward is not None and not math.isfinite(self.reward):
            raise ValueError(f"reward {self.reward!r}: give a number, or None where none came")


class Adapter(Protocol):
    """One arm, bound to a fitted model. Deterministic: the same calls give the same bits."""

    @property
    def name(self) -> str:
        """Name of the arm."""

    def probabilities(self, windows: F64) -> F64:
        """Return class probabilities; changes nothing.

        Parameters
        ----------
        windows : ndarray of float64, shape (n_windows, n_channels, n_times)
            Filtered as the model filters, in volts.

        Returns
        -------
        ndarray of float64, shape (n_windows, n_classes)
            In the order of `Model.classes`.
        """

    def observe(self, windows: F64) -> None:
        """Take unlabelled windows, in the order of time; recentering moves here.

        Parameters
        ----------
        windows : ndarray of float64, shape (n_windows, n_channels, n_times)
            Each a hop after the one before (`make_adapter`'s `hop_s`).
        """

    def reveal(self, windows: F64, chosen: int, revealed: Revealed) -> None:
        """Learn from a trial that is over: whole, or, where that fails, not at all.

        Parameters
        ----------
        windows : ndarray of float64, shape (n_windows, n_channels, n_times)
            Of the trial.
        chosen : int
            The class that was decided.
        revealed : Revealed
        """

    @property
    def state(self) -> dict[str, Any]:
        """What was learned, exactly, for JSON."""

    def carry_on(self, state: Mapping[str, Any]) -> None:
        """Go on from what another adapter of the same arm and model has learned.

        Raises
        ------
        KeyError, TypeError
            When `state` is none of this arm and model; the adapter is then as it was.
        """

    def copy(self) -> "Adapter":
        """Return an adapter that goes on from here by itself."""


@cache
def available_arms() -> Mapping[str, str]:
    """Return every arm, Rolandic's own first, with a line that describes it."""
    found = dict(ARMS)
    for name, (factory, why) in _plugins().items():
        text = why if factory is None else (inspect.getdoc(factory) or "").partition("\n")[0]
        found.setdefault(name, text)
    return MappingProxyType(found)


def absent_arms() -> Mapping[str, str]:
    """Return plugins' arms that cannot be loaded, each with why."""
    return {name: why for name, (factory, why) in _plugins().items() if factory is None}


@cache
def _plugins() -> Mapping[str, tuple[Callable[..., Any] | None, str]]:
    """Return plugins' arms: what makes each, or None and why it cannot be loaded."""
    found: dict[str, tuple[Callable[..., Any] | None, str]] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if point.name in ARMS or point.name in found:
            _log.warning("arm %s of %s: the name is taken", point.name, point.value)
            continue
        try:
            factory = point.load()
            if not callable(factory):
                raise TypeError(f"{point.value} is not callable")
        except Exception as error:
            # An extra that is not installed is no fault.
            level = logging.DEBUG if isinstance(error, ModuleNotFoundError) else logging.WARNING
            words = "arm %s (%s) could not be loaded"
            _log.log(level, words, point.name, point.value, exc_info=True)
            origin = point.dist.name if point.dist is not None else ""
            found[point.name] = None, unloadable(error, origin)
        else:
            found[point.name] = factory, ""
    return MappingProxyType(found)


def _made(
    arm: str, factory: Callable[..., Any], model: Model, seed: int, params: Mapping[str, Any]
) -> Adapter:
    try:
        adapter: Adapter = factory(model, seed=seed, **params)
    except InputError:
        raise
    except Exception as error:
        _log.exception("arm %s could not be made", arm)
        raise SettingsError(
            f"arm {arm!r} failed ({type(error).__name__}: {error}): choose one of {', '.join(ARMS)}"
        ) from error
    return adapter


def arms_for(model: Model) -> tuple[str, ...]:
    """Return the names of Rolandic's own arms that exist for a model."""
    from bci.decoders.adapt_arms import arms_of

    return arms_of(model)


def with_arm(model: Model, arm: str, **params: Any) -> Model:
    """Return a model whose card says by which arm it goes on learning online.

    Raises
    ------
    SettingsError
        As `make_adapter`.
    """
    make_adapter(arm, model, **params)
    return replace(model, card=model.card | {"adapt": {"arm": arm, "params": dict(params)}})


def reference_for(arm: str, decoder: str) -> float | None:
    """Return the time constant of recentering that a decoder is to be trained with for an arm (s).

    Every arm of Rolandic's own but the frozen one learns about a reference point, where the
    decoder sees covariances; None: it needs none.

    Parameters
    ----------
    arm, decoder : str
        Names; the decoder's with its defaults.

    Raises
    ------
    SettingsError
        For an unknown decoder, and an arm of Rolandic's own that does not exist for it.
    """
    from bci.decoders.adapt_arms import reason_by_kind

    if arm in ("", "frozen"):
        return None
    unfitted = make_decoder(decoder)
    if arm in ARMS and (reason := reason_by_kind(arm, unfitted)):
        there_are = ", ".join(name for name in ARMS if not reason_by_kind(name, unfitted))
        raise SettingsError(
            f"arm {arm!r} does not exist for {decoder}, {reason}: choose one of {there_are}"
        )
    return TAU_S if isinstance(unfitted, CovarianceDecoder) else None


def make_adapter(
    arm: str, model: Model, *, seed: int = 0, guard: bool = False, **params: Any
) -> Adapter:
    """Bind an arm to a fitted model.

    Parameters
    ----------
    arm : str
        As in `available_arms`.
    model : Model
    seed : int
        For arms that draw random numbers; none of Rolandic's own does.
    guard : bool
        Let a guard watch over it (`bci.decoders.adapt_guard`).
    **params
        Of the arm: see `bci.decoders.adapt_arms.bound`.

    Raises
    ------
    SettingsError
        For an arm that is unknown, cannot be loaded, or does not exist for this model (those that
        do are named), and for an unknown or senseless parameter.
    """
    from bci.decoders.adapt_arms import bound
    from bci.decoders.adapt_guard import GuardedAdapter

    if arm in ARMS:
        adapter: Adapter = bound(arm, model, **params)
    elif arm in _plugins():
        factory, why = _plugins()[arm]
        if factory is None:
            raise SettingsError(f"arm {arm!r} could not be loaded: {why}")
        adapter = _made(arm, factory, model, seed, params)
    else:
        raise SettingsError(f"arm {arm!r} is unknown: choose one of {', '.join(available_arms())}")
    return GuardedAdapter(adapter, bound("frozen", model)) if guard else adapter
