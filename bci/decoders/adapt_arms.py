"""Rolandic's own arms: a rule beside the trained decoder, and a reference point that may follow."""

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np

from bci.decoders.adapt import ARMS, Revealed
from bci.decoders.adapt_bandit import Correction, Optimist
from bci.decoders.adapt_prototypes import Prototypes
from bci.decoders.adapt_sight import Given, Sight, has_features, sight_of, why_blind
from bci.decoders.base import F64, CovarianceDecoder
from bci.decoders.mdm import FgMDMDecoder, MDMDecoder
from bci.decoders.model import Model
from bci.decoders.recentering import RunningReference
from bci.errors import SettingsError
from bci.signal import hop_samples, window_samples

__all__ = ["ModelAdapter", "arms_of", "bound", "reason_by_kind"]

_NEED_COVARIANCES = ("recenter", "pseudo", "reward+recenter", "linucb+recenter")
_FOLLOWS = (*_NEED_COVARIANCES, "supervised")


class Rule(Protocol):
    """What was learned beside the trained decoder; immutable."""

    def probabilities(self, given: Given) -> F64:
        """Return class probabilities, shape (n_windows, n_classes)."""

    def learned(self, given: Given, chosen: int, revealed: Revealed) -> Self:
        """Return what a trial makes of it."""

    @property
    def state(self) -> dict[str, Any]:
        """What was learned, for JSON."""

    def resumed(self, state: Mapping[str, Any]) -> Self:
        """Return one that has learned what `state` says."""


class _Trained:
    """The trained decoder: it learns nothing."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._from_covariances = isinstance(model.estimator, CovarianceDecoder)

    def probabilities(self, given: Given) -> F64:
        if self._from_covariances:
            return self._model.probabilities_from(list(given))
        return self._model.probabilities(np.asarray(given))

    def learned(self, given: Given, chosen: int, revealed: Revealed) -> Self:
        return self

    @property
    def state(self) -> dict[str, Any]:
        return {}

    def resumed(self, state: Mapping[str, Any]) -> Self:
        return self


class _Beside:
    """A correction of the trained decoder's probabilities, on what the arm sees of windows."""

    def __init__(self, sight: Sight, rule: Correction | Optimist) -> None:
        self._sight, self._rule = sight, rule

    def probabilities(self, given: Given) -> F64:
        return self._rule.probabilities(*self._sight.seen(given))

    def learned(self, given: Given, chosen: int, revealed: Revealed) -> "_Beside":
        rule = self._rule.learned(*self._sight.seen(given), chosen, revealed)
        return self if rule is self._rule else _Beside(self._sight, rule)

    @property
    def state(self) -> dict[str, Any]:
        return self._rule.state

    def resumed(self, state: Mapping[str, Any]) -> "_Beside":
        return _Beside(self._sight, self._rule.resumed(state))


class _Moving:
    """Prototypes of a minimum-distance decoder."""

    def __init__(self, prototypes: Prototypes) -> None:
        self._prototypes = prototypes

    def probabilities(self, given: Given) -> F64:
        return self._prototypes.probabilities_from(list(given))

    def learned(self, given: Given, chosen: int, revealed: Revealed) -> "_Moving":
        prototypes = self._prototypes.learned(list(given), chosen, revealed)
        return self if prototypes is self._prototypes else _Moving(prototypes)

    @property
    def state(self) -> dict[str, Any]:
        return self._prototypes.state

    def resumed(self, state: Mapping[str, Any]) -> "_Moving":
        return _Moving(self._prototypes.resumed(state))


class ModelAdapter:
    """An arm of Rolandic's own.

    Parameters
    ----------
    name : str
    model : Model
    rule : Rule
    reference : RunningReference or None
        None: the reference point stays.
    hop : int
        Samples from one window of `observe` to the next.
    """

    def __init__(
        self, name: str, model: Model, rule: Rule, reference: RunningReference | None, hop: int
    ) -> None:
        self.name = name
        self._model, self._rule, self._reference, self._hop = model, rule, reference, hop
        self._length = window_samples(model.epochs, model.rate_hz)
        self._sees_covariances = isinstance(model.estimator, CovarianceDecoder)
        # Samples since the reference last moved; None: it has not.
        self._since: int | None = None

    # --- of windows -----------------------------------------------------------------------

    def probabilities(self, windows: F64) -> F64:
        """Return class probabilities of filtered windows; see `Adapter`."""
        if not self._sees_covariances:
            return self._rule.probabilities(windows)
        return self.probabilities_from(self._model.estimator.covariances(windows))

    def observe(self, windows: F64) -> None:
        """Let the reference point follow windows, each a hop after the one before."""
        if self._reference is None:
            return
        for window in windows:
            if self._since is not None and self._since + self._hop < self._length:
                self._since += self._hop
                continue
            before = self._reference.state["learned_s"]
            C = self._model.estimator.covariances(window[None])
            self._reference = copy.copy(self._reference)
            self._reference.learn(C, (self._reference.learned_at or 0) + self._length)
            if self._reference.state["learned_s"] != before:
                self._since = 0

    def reveal(self, windows: F64, chosen: int, revealed: Revealed) -> None:
        """Learn from a trial that is over; see `Adapter`."""
        if not len(windows):  # of nothing, the mean is no number
            return
        given: Given = windows
        if self._sees_covariances:
            given = self._moved(self._model.estimator.covariances(windows))
        self._rule = self._rule.learned(given, chosen, revealed)

    # --- of covariances: what slides along with a stream ------------------------------------

    def probabilities_from(self, C: Sequence[F64]) -> F64:
        """Return class probabilities from covariances, one stack a view, not recentred."""
        return self._rule.probabilities(self._moved(C))

    def observe_from(self, C: Sequence[F64], end: int) -> None:
        """Let the reference point follow a window by its covariances and its last sample."""
        if self._reference is not None:
            self._reference.learn(C, end)

    def _moved(self, C: Sequence[F64]) -> Sequence[F64]:
        return C if self._reference is None else self._reference.transformed(C)

    @property
    def takes_covariances(self) -> bool:
        """Whether `probabilities_from` and `observe_from` may be used."""
        return self._sees_covariances

    @property
    def moved_db(self) -> float | None:
        """How far the reference point has moved (dB); None where it stays."""
        return None if self._reference is None else self._reference.moved_db

    # --- what was learned -----------------------------------------------------------------

    @property
    def state(self) -> dict[str, Any]:
        """What was learned, exactly, for JSON."""
        state: dict[str, Any] = {"arm": self.name, "rule": self._rule.state}
        if self._reference is not None:
            state |= {"reference": self._reference.state, "since": self._since}
        return state

    def carry_on(self, state: Mapping[str, Any]) -> None:
        """Go on from what another adapter of the same arm and model has learned."""
        if state["arm"] != self.name:
            raise TypeError(f"state of arm {state['arm']!r}, this one is {self.name!r}")
        rule = self._rule.resumed(state["rule"])
        if self._reference is not None:
            reference = copy.copy(self._reference)
            reference.carry_on(state["reference"])
            since = state["since"]
            self._reference, self._since = reference, None if since is None else int(since)
        self._rule = rule

    def copy(self) -> "ModelAdapter":
        """Return an adapter that goes on from here by itself."""
        reference = copy.copy(self._reference)  # what else it holds is never changed in place
        other = ModelAdapter(self.name, self._model, self._rule, reference, self._hop)
        other.__dict__["_since"] = self._since
        return other


def arms_of(model: Model) -> tuple[str, ...]:
    """Return the names of the arms that exist for a model."""
    return tuple(arm for arm in ARMS if not _reason_against(arm, model))


def reason_by_kind(arm: str, decoder: object) -> str:
    """Say why an arm does not exist for a decoder of this kind, trained or not; empty: it may."""
    if arm == "frozen" or isinstance(decoder, CovarianceDecoder):
        return ""
    if not has_features(decoder):
        return "its decoder has neither covariances nor features to learn on"
    # What is supervised goes without recentering where there is nothing to recentre.
    return "its decoder sees no covariances to recentre" if arm in _NEED_COVARIANCES else ""


def _reason_against(arm: str, model: Model) -> str:
    """Say why an arm does not exist for a model; empty when it does."""
    reason = reason_by_kind(arm, model.estimator)
    if reason or arm == "frozen" or not isinstance(model.estimator, CovarianceDecoder):
        return reason
    if arm in _FOLLOWS and model.recentering is None:
        return "it was trained without recentering (bci train --recenter)"
    return "" if arm == "recenter" else why_blind(model)


def bound(arm: str, model: Model, *, hop_s: float | None = None, **params: Any) -> ModelAdapter:
    """Bind one of Rolandic's own arms to a model.

    Parameters
    ----------
    arm : str
    model : Model
    hop_s : float, optional
        From one window of `observe` to the next; default: a whole window.
    **params
        pseudo: ``rate``, ``anchor``, ``confidence`` (of MDM: ``prior``, ``slowest``,
        ``confidence``); supervised: ``rate``, ``anchor`` (of MDM: ``prior``, ``slowest``); reward:
        ``rate``, ``anchor``, ``flips``; linucb: ``optimism``, ``ridge``.

    Raises
    ------
    SettingsError
        When the arm does not exist for this model, and for a parameter that the arm has not.
    """
    if reason := _reason_against(arm, model):
        raise SettingsError(
            f"arm {arm!r} does not exist for this model, {reason}: choose one of "
            f"{', '.join(arms_of(model))}"
        )
    make = _rule_maker(arm, model)
    try:
        inspect.signature(make).bind(**params)
    except TypeError as error:
        known = ", ".join(["hop_s", *inspect.signature(make).parameters])
        raise SettingsError(f"arm {arm!r}: {error}; its parameters are {known}") from error
    covariances = isinstance(model.estimator, CovarianceDecoder)
    reference, length = None, window_samples(model.epochs, model.rate_hz)
    if arm in _FOLLOWS and covariances and model.recentering is not None:
        reference = RunningReference(model.recentering, length, model.rate_hz)
    hop = length if hop_s is None else hop_samples(hop_s, model.rate_hz)
    return ModelAdapter(arm, model, make(**params), reference, hop)


def _rule_maker(arm: str, model: Model) -> Callable[..., Rule]:
    """Return what makes an arm's rule; its parameters are the arm's."""
    told = {"pseudo": "itself", "supervised": "label"}.get(arm, "reward")
    n_classes = len(model.classes)

    def trained() -> Rule:
        return _Trained(model)

    def optimist(optimism: float = 0.1, ridge: float = 100.0) -> Rule:
        return _Beside(sight_of(model), Optimist.new(n_classes, optimism, ridge))

    def corrected(**params: Any) -> Rule:
        sight = sight_of(model)
        zero = np.zeros((n_classes, sight.n_features))
        return _Beside(sight, Correction(told, zero, **params))

    def pseudo(rate: float = 0.1, anchor: float = 0.0, confidence: float = 0.7) -> Rule:
        return corrected(rate=rate, anchor=anchor, confidence=confidence)

    def supervised(rate: float = 1.0, anchor: float = 0.0) -> Rule:
        return corrected(rate=rate, anchor=anchor)

    def policy(rate: float = 0.3, anchor: float = 0.0, flips: float = 0.1) -> Rule:
        return corrected(rate=rate, anchor=anchor, flips=flips)

    def moving(prior: float = 10.0, slowest: float = 0.02, confidence: float = 0.7) -> Rule:
        return _Moving(
            Prototypes.of(model, told, prior=prior, slowest=slowest, confidence=confidence)
        )

    if arm in ("frozen", "recenter"):
        return trained
    if arm.startswith("linucb"):
        return optimist
    if arm.startswith("reward"):
        return policy
    if isinstance(model.estimator, MDMDecoder | FgMDMDecoder):
        return moving
    return pseudo if arm == "pseudo" else supervised
