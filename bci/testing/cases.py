"""A plugin that is examined: how it is made, what it may take."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from bci.decoders import Model, make_decoder
from bci.decoders.adapt import Adapter, Revealed, make_adapter
from bci.decoders.base import F64
from bci.testing.errors import said
from bci.testing.made import RATE_HZ, made_model, made_trials

__all__ = ["AdapterCase", "DecoderCase", "global_seed", "made_session", "one_trial", "state_text"]

_N_WINDOWS = 3


@dataclass(frozen=True, slots=True)
class DecoderCase:
    """A decoder that is examined.

    Attributes
    ----------
    factory : callable
        Returns an unfitted decoder.
    name : str
        As registered; empty: not registered.
    learns : float
        Accuracy that it must reach on held-out trials of a clear effect of two classes.
    decision_s, fit_s : float
        What one window and a fit of 60 trials may take (s).
    """

    factory: Callable[[], Any]
    name: str = ""
    learns: float = 0.75
    decision_s: float = 0.05
    fit_s: float = 60.0

    @classmethod
    def registered(
        cls, name: str, params: Mapping[str, Any] | None = None, **limits: float
    ) -> "DecoderCase":
        """Return the case of a registered decoder, made as Rolandic makes it."""
        given = dict(params or {})

        def factory() -> Any:
            channels = [f"E{k + 1}" for k in range(6)]
            return make_decoder(name, channels=channels, rate_hz=RATE_HZ, **given)

        return cls(factory, name, **limits)

    def fitted(self, X: F64, y: Any) -> Any:
        """Return a decoder that has learned these windows."""
        decoder = self.factory()
        with said("fitting"):
            decoder.fit(X, y, groups=np.arange(len(y)))
        return decoder


@dataclass(frozen=True, slots=True)
class AdapterCase:
    """An arm that is examined.

    Attributes
    ----------
    factory : callable
        ``factory(model, seed=seed)`` returns the arm.
    decoder : str
        Registered name of the decoder whose models it learns.
    told : {"", "label", "reward", "nothing"}
        What it learns from; empty: not checked.
    params : mapping, optional
        Of that decoder, in place of its defaults.
    decision_s, reveal_s, copy_s : float
        What one window, a trial, and `copy` may take (s). `copy` is called between two decisions.
    """

    factory: Callable[..., Adapter]
    decoder: str = "ts-lr"
    told: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    decision_s: float = 0.05
    reveal_s: float = 5.0
    copy_s: float = 0.005

    @classmethod
    def registered(
        cls,
        name: str,
        decoder: str = "ts-lr",
        *,
        told: str = "",
        params: Mapping[str, Any] | None = None,
        **limits: float,
    ) -> "AdapterCase":
        """Return the case of a registered arm."""

        def factory(model: Model, seed: int = 0) -> Adapter:
            return make_adapter(name, model, seed=seed)

        return cls(factory, decoder, told, dict(params or {}), **limits)

    def arm(self, seed: int = 0) -> Adapter:
        """Return the arm, new."""
        with said("being made"):
            return self.factory(_model(self.decoder, tuple(sorted(self.params.items()))), seed=seed)

    def probe(self) -> F64:
        """Return windows to ask an arm about."""
        return made_trials(4, 3, seed=77)[0]

    def taught(self, adapter: Adapter, n: int = 8, *, start: int = 0) -> Adapter:
        """Take an arm through trials in the order of a session."""
        for windows, label in made_session(start, n):
            one_trial(adapter, windows, label)
        return adapter


@cache
def _model(decoder: str, params: tuple[tuple[str, Any], ...]) -> Model:
    return made_model(decoder, **dict(params))


def made_session(start: int, n: int) -> Iterator[tuple[F64, int]]:
    """Yield trials of a day on which the electrodes sit elsewhere."""
    X, y = made_trials(60, 3, seed=31, moved=0.3)
    classes = ("left_hand", "right_hand", "feet")
    for i in range(start, start + n):
        name = classes[i % 3]
        windows = X[y == name][(i // 3) * _N_WINDOWS :][:_N_WINDOWS]
        yield windows.copy(), classes.index(name)


def one_trial(adapter: Adapter, windows: F64, label: int, revealed: Revealed | None = None) -> int:
    """Take an arm through a trial in the order of a session; return what it chose."""
    with said("going through a trial (probabilities, observe, reveal)"):
        chosen = int(np.asarray(adapter.probabilities(windows)).mean(axis=0).argmax())
        adapter.observe(windows)
        if revealed is None:
            revealed = Revealed(label, float(chosen == label))
        adapter.reveal(windows, chosen, revealed)
    return chosen


def state_text(adapter: Adapter) -> str:
    """Return an arm's state as text, exactly."""
    with said("writing its state as JSON"):
        return json.dumps(adapter.state, sort_keys=True)


@contextmanager
def global_seed(seed: int) -> Iterator[None]:
    """Seed NumPy's global generator for a while."""
    # The legacy generator is what a careless decoder draws from.
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
