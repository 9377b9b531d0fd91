"""RLEEGNet online: what it is told of a trial, replay, a slow copy that decides."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bci.decoders import Model
from bci.decoders.adapt import Revealed
from bci.decoders.base import F64
from bci.errors import SettingsError
from bci_rleegnet.components import F32
from bci_rleegnet.decoder import RLEEGNetDecoder

if TYPE_CHECKING:
    from bci_rleegnet.network import Network

__all__ = ["Episode", "RLEEGNetAdapter"]

#: Of a trial, and of the session: what the replay holds at most.
_MOST_WINDOWS, _MOST_TRIALS = 2, 48
_HALF_BATCH = 16


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """A trial as the replay holds it.

    Attributes
    ----------
    signals : ndarray of float16, shape (n_windows, n_components, n_points)
    action : int
    reward : float
    text : str
        The signals, for JSON.
    """

    signals: np.ndarray[Any, np.dtype[np.float16]]
    action: int
    reward: float
    text: str

    @classmethod
    def of(cls, signals: F32, action: int, reward: float) -> "Episode":
        """Return the episode of a trial's windows, the last ones of as many parts."""
        rows = np.unique(
            np.linspace(0, len(signals) - 1, _MOST_WINDOWS + 1).round().astype(int)[1:]
        )
        small = signals[rows].astype(np.float16)
        return cls(small, action, reward, base64.b64encode(small.tobytes()).decode())


@dataclass(frozen=True, slots=True, eq=False)
class _Learned:
    """Everything that was learned; never changed, only replaced."""

    online: dict[str, F32]
    target: dict[str, F32]
    moments: dict[str, F32]
    episodes: tuple[Episode, ...]
    draws: dict[str, Any]
    n_steps: int
    n_trials: int


class RLEEGNetAdapter:
    """An arm of RLEEGNet; see `bci.decoders.adapt.Adapter`, and the package.

    Learning takes some tens of milliseconds: Rolandic does it on a copy, in a thread of its own,
    and swaps the copy in whole.

    On a day that has moved, even rewards by a coin help (ten made days: 10 +- 5 points; where
    nothing has changed: 1 +- 4): of what is said too often, and too surely, "wrong" is heard as
    often as "right", and it is said less. No label gets in: with other labels the decisions are the
    same. It is adaptation without supervision: the frozen network gains as much (10 +- 4) when its
    classes' shares are evened out by the trials so far; true rewards bring 27 +- 2. Batch
    normalisation has no part in it, its statistics stay; nor has the calibration, which by itself
    brings nothing.

    Parameters
    ----------
    name : {"rleegnet-reward", "rleegnet-supervised"}
    model : Model
        Of decoder ``rleegnet``.
    learned : _Learned
    network : Network
        The one that decides.
    rate : float
    n_updates : int
    follow : float
    flips : float
    """

    def __init__(
        self,
        name: str,
        model: Model,
        learned: _Learned,
        network: "Network",
        rate: float,
        n_updates: int,
        follow: float,
        flips: float,
    ) -> None:
        self._name, self._model = name, model
        self._learned, self._network = learned, network
        self._rate, self._n_updates, self._follow, self._flips = rate, n_updates, follow, flips
        order = [list(map(str, model.estimator.classes_)).index(c) for c in _named(model)]
        self._columns = np.array(order, dtype=np.intp)

    @classmethod
    def of(
        cls,
        name: str,
        model: Model,
        *,
        seed: int = 0,
        rate: float = 5e-4,
        n_updates: int = 4,
        follow: float = 0.2,
        flips: float = 0.05,
    ) -> "RLEEGNetAdapter":
        """Bind an arm to a model.

        Parameters
        ----------
        name : str
        model : Model
        seed : int
            Of what the replay draws.
        rate : float
            Step of learning.
        n_updates : int
            Steps a trial.
        follow : float
            Part of the way that the deciding copy goes toward the learning one, each step.
        flips : float
            How often a reward is taken to be false.

        Raises
        ------
        SettingsError
            For a model of another decoder, and a senseless parameter.
        """
        decoder = model.estimator
        if not isinstance(decoder, RLEEGNetDecoder):
            raise SettingsError(
                f"arm {name!r} learns a model of decoder 'rleegnet', this one is of "
                f"{model.decoder or type(decoder).__name__!r}: train it with --decoder rleegnet"
            )
        if not (rate > 0 and n_updates >= 1 and 0 < follow <= 1 and 0 <= flips < 0.5):
            raise SettingsError(
                f"rate {rate!r}, n_updates {n_updates!r}, follow {follow!r}, flips {flips!r}: give "
                "a rate above 0, 1 or more updates, follow of 0 to 1, flips of 0 to below 0.5"
            )
        draws: dict[str, Any] = dict(np.random.PCG64(seed).state["state"])
        learned = _Learned(decoder.weights_, decoder.weights_, {}, (), draws, 0, 0)
        return cls(name, model, learned, decoder.network, rate, int(n_updates), follow, flips)

    @property
    def name(self) -> str:
        """Name of the arm."""
        return self._name

    def probabilities(self, windows: F64) -> F64:
        """Return class probabilities: Q of the copy that decides."""
        from bci_rleegnet.network import q_values

        q = q_values(self._network, self._model.estimator.signals(np.asarray(windows)))
        return q[:, self._columns]

    def observe(self, windows: F64) -> None:
        """Take unlabelled windows: nothing is learned from them."""

    def reveal(self, windows: F64, chosen: int, revealed: Revealed) -> None:
        """Learn from a trial that is over."""
        told = self._told(chosen, revealed)
        if told is None or not len(windows):
            return
        windows = np.asarray(windows, dtype=np.float64)
        if not np.isfinite(windows).all():
            raise ValueError("a trial holds values that are not numbers")
        signals = self._model.estimator.signals(windows)
        episode = Episode.of(signals, int(self._columns[told[0]]), told[1])
        learned = self._after(episode)
        self._network, self._learned = _network(learned.target), learned

    def _told(self, chosen: int, revealed: Revealed) -> tuple[int, float] | None:
        """Return action and reward; the one place where the two arms differ."""
        if self._name == "rleegnet-supervised":
            return None if revealed.label is None else (self._checked(revealed.label), 1.0)
        if revealed.reward is None:
            return None
        # Revealed lets no reward pass that is no number.
        return self._checked(chosen), min(max(float(revealed.reward), 0.0), 1.0)

    def _checked(self, row: int) -> int:
        if not 0 <= row < len(self._columns):
            raise ValueError(f"class {row} of {len(self._columns)}")
        return row

    def _after(self, episode: Episode) -> _Learned:
        from bci_rleegnet.network import Optimizer, loss_of

        last = self._learned
        episodes = (*last.episodes, episode)[-_MOST_TRIALS:]
        network = _network(last.online)
        optimizer = Optimizer(network, self._rate, 0.0, last.moments, last.n_steps)
        bits = np.random.PCG64(0)
        bits.state = {**bits.state, "state": last.draws}  # type: ignore[typeddict-item]
        rng, target = np.random.Generator(bits), last.target
        for _ in range(self._n_updates):
            loss = loss_of(network, *self._batch(episodes, rng))
            optimizer.step(loss)
            online = network.weights
            target = {
                name: value + np.float32(self._follow) * (online[name] - value)
                for name, value in target.items()
            }
        return _Learned(
            network.weights,
            target,
            optimizer.moments,
            episodes,
            dict(bits.state["state"]),
            last.n_steps + self._n_updates,
            last.n_trials + 1,
        )

    def _batch(self, episodes: tuple[Episode, ...], rng: np.random.Generator) -> tuple[Any, ...]:
        """Return a batch: half of the session, half of calibration, of which the class is known."""
        decoder = self._model.estimator
        picked = [episodes[i] for i in rng.integers(len(episodes), size=_HALF_BATCH)]
        new = [e.signals[rng.integers(len(e.signals))] for e in picked]
        kept = rng.integers(len(decoder.kept_target_), size=_HALF_BATCH)
        signals = [*new, *decoder.kept_signals_[kept]]
        n_points = min(signal.shape[1] for signal in signals)
        actions = [*(e.action for e in picked), *decoder.kept_target_[kept]]
        rewards = [*(e.reward for e in picked), *np.ones(_HALF_BATCH)]
        flips = self._flips if self._name == "rleegnet-reward" else 0.0
        return (
            np.stack([signal[:, :n_points] for signal in signals]).astype(np.float32),
            np.array(actions, dtype=np.intp),
            np.array(rewards, dtype=np.float32),
            np.repeat(np.array([flips, 0.0], dtype=np.float32), _HALF_BATCH),
        )

    # --- what was learned -----------------------------------------------------------------

    @property
    def state(self) -> dict[str, Any]:
        """What was learned, exactly, for JSON."""
        learned = self._learned
        return {
            "arm": self._name,
            "online": _packed(learned.online),
            "target": _packed(learned.target),
            "moments": _packed(learned.moments),
            "episodes": [
                {"signals": e.text, "n": len(e.signals), "action": e.action, "reward": e.reward}
                for e in learned.episodes
            ],
            "draws": {name: str(value) for name, value in learned.draws.items()},
            "n_steps": learned.n_steps,
            "n_trials": learned.n_trials,
        }

    def carry_on(self, state: Mapping[str, Any]) -> None:
        """Go on from what another of the same arm and model has learned."""
        if state["arm"] != self._name:
            raise TypeError(f"state of arm {state['arm']!r}, this one is {self._name!r}")
        weights = self._model.estimator.weights_
        parameters = [name for name in weights if "running" not in name]
        moments = {f"{k}.{name}": weights[name] for name in parameters for k in ("first", "second")}
        n_components = len(self._model.estimator.filters_)
        try:
            learned = _Learned(
                _unpacked(state["online"], weights),
                _unpacked(state["target"], weights),
                _unpacked(state["moments"], moments) if state["moments"] else {},
                tuple(_episode(e, n_components) for e in state["episodes"]),
                {name: int(state["draws"][name]) for name in ("state", "inc")},
                int(state["n_steps"]),
                int(state["n_trials"]),
            )
        except ValueError as error:
            raise TypeError(f"state of another model: {error}") from error
        self._network, self._learned = _network(learned.target), learned

    def copy(self) -> "RLEEGNetAdapter":
        """Return an arm that goes on from here by itself; what was learned is shared, unchanged."""
        other = object.__new__(RLEEGNetAdapter)
        other.__dict__.update(self.__dict__)
        return other


def _named(model: Model) -> list[str]:
    """Return the estimator's names of the model's classes."""
    fitted = [str(name) for name in model.estimator.classes_]
    return list(model.classes) if sorted(fitted) == sorted(model.classes) else fitted


def _network(weights: Mapping[str, F32]) -> "Network":
    from bci_rleegnet.network import Network

    return Network.of(weights)


def _packed(arrays: Mapping[str, F32]) -> dict[str, str]:
    return {
        name: base64.b64encode(value.astype("<f4").tobytes()).decode()
        for name, value in sorted(arrays.items())
    }


def _unpacked(texts: Mapping[str, str], like: Mapping[str, F32]) -> dict[str, F32]:
    return {
        name: np.frombuffer(base64.b64decode(texts[name]), "<f4").reshape(value.shape)
        for name, value in like.items()
    }


def _episode(state: Mapping[str, Any], n_components: int) -> Episode:
    flat = np.frombuffer(base64.b64decode(state["signals"]), np.float16)
    signals = flat.reshape(int(state["n"]), n_components, -1)
    return Episode(signals, int(state["action"]), float(state["reward"]), str(state["signals"]))
