"""What an arm has learned beside the trained decoder: corrections of its probabilities.

A rule is immutable: `learned` returns another one. All rules begin as nothing, so that an arm
starts as the trained decoder, which is their prior.

`Correction` adds to the logarithms of the decoder's probabilities p a linear function of the
tangent vectors v: ``pi = softmax(log p + Theta v)``. What it is told decides the gradient:

- the class y: that of ``log pi_y``, the cross-entropy of any supervised rule;
- right or wrong (r) of the chosen class a: that of the probability of what was told. With
  ``q = eps + (1 - 2 eps) pi_a`` the probability that "right" is said, when it is said falsely a
  fraction eps of the time, it is ``(r - q) / (q (1 - q)) * dq``. This is REINFORCE with the
  expected reward as its baseline (Williams 1992, "Simple statistical gradient-following algorithms
  for connectionist reinforcement learning", Machine Learning 8, 229-256, eq. 6), each step divided
  by the variance of the reward. The class that is shown is the most probable one, never a draw: a
  person who practises must not be shown errors for the decoder's sake.

With two classes and eps = 0 both gradients are the same: reward is the label.

There is no constant term. Cues come in shuffled, balanced blocks: after a trial of a class the next
is rather of another, and a bias that follows the last trials runs against that.

Measured on eight simulated people, two later days of 45 (three classes) and 60 trials (four) each,
csp-lda and ts-lr, all four together, against recentering alone (.712 to .598 accurate): supervised
at rate 1 +.015 (standard error .004, nobody worse by more than two points), at rate .3 +.006;
reward at rate .3 +.004 (.002, nobody), at rate 1 +.003 (.003, 9 % of people). With a constant term
of the same rate, rate .3 lost .03 and more; with vectors centred on their running mean rate .3
gained as much and harmed 9 to 12 % of people; the exact maximum of the posterior after each trial
(all trials of the session kept) gained nothing at any prior. These rates were chosen on these
people. A session tells little that its reference point does not.

`Optimist` is LinUCB with disjoint arms (Li, Chu, Langford and Schapire 2010, "A contextual-bandit
approach to personalized news article recommendation", WWW, algorithm 1) on a few features: the
trained decoder's centred log-probabilities and a constant, the projection of the tangent vector on
the directions that tell classes apart. A session has some hundred trials; in the whole tangent
space (253 features at 22 channels) each class's ridge regression would still be its prior at the
end. It regresses what the decoder did not expect, r - p_a, so that the trained decoder is its prior
mean. On the same people it gained nothing: at a ridge of 5, 20, 50 and 100 trials -.017, -.009,
-.003 and .000 against recentering alone, whatever the optimism (0 to 0.3).
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from bci.decoders.adapt import Revealed
from bci.decoders.base import F64
from bci.errors import SettingsError

__all__ = ["Correction", "Optimist", "packed", "unpacked"]

#: Probabilities count as no smaller: of a decoder that is certain nothing could be unlearned.
_FLOOR = 1e-3
#: Log-probabilities count as features up to this distance from their mean.
_CLIP = 4.0


def packed(array: F64) -> str:
    """Return an array's bits as text."""
    return base64.b64encode(array.astype("<f8").tobytes()).decode()


def unpacked(text: str, shape: tuple[int, ...]) -> F64:
    """Return the array of `packed`, read-only.

    Raises
    ------
    TypeError
        When it is of another size.
    """
    try:
        flat = np.frombuffer(base64.b64decode(text), "<f8").astype(np.float64)
        array = flat.reshape(shape)
    except ValueError as error:
        raise TypeError(f"state of another model: {error}") from error
    array.flags.writeable = False
    return array


def _softmax(values: F64) -> F64:
    weights = np.exp(values - values.max(axis=1, keepdims=True))
    shares: F64 = weights / weights.sum(axis=1, keepdims=True)
    return shares


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """A linear correction of the decoder's log-probabilities.

    Attributes
    ----------
    told : {"label", "reward", "itself"}
    weights : ndarray of float64, shape (n_classes, n_features)
    power : float
        Mean squared length of the vectors so far.
    n : int
        Trials that it has learned from.
    rate : float
        A trial moves the log-odds of its own vector by at most about this.
    anchor : float
        A trial takes this part of what was learned back toward the trained decoder.
    flips : float
        How often a reward is taken to be false, 0 to under 0.5.
    confidence : float
        From which probability on its own decision counts as a label (``"itself"``).
    """

    told: str
    weights: F64
    power: float = 0.0
    n: int = 0
    rate: float = 0.3
    anchor: float = 0.0
    flips: float = 0.1
    confidence: float = 0.7

    def __post_init__(self) -> None:
        for name, low, high in (
            ("rate", 0.0, np.inf),
            ("anchor", 0.0, 1.0),
            ("flips", 0.0, 0.5),
            ("confidence", 0.0, 1.0),
        ):
            value = getattr(self, name)
            if not low <= value < high:
                raise SettingsError(f"{name} {value!r}: give {low:g} or more, below {high:g}")

    def probabilities(self, p: F64, vectors: F64) -> F64:
        """Return corrected probabilities.

        Parameters
        ----------
        p : ndarray of float64, shape (n_windows, n_classes)
            Of the trained decoder.
        vectors : ndarray of float64, shape (n_windows, n_features)
        """
        if not self.n:
            return p
        # Row by row: a window's bits must not depend on its company.
        moved = np.matmul(self.weights, vectors[:, :, None])[:, :, 0]
        return _softmax(np.log(np.maximum(p, _FLOOR)) + moved)

    def learned(self, p: F64, vectors: F64, chosen: int, revealed: Revealed) -> "Correction":
        """Return what a trial makes of it; itself where nothing that it can use was told."""
        pi = self.probabilities(p, vectors)
        push = self._push(pi, chosen, revealed)
        if push is None:
            return self
        n = self.n + 1
        power = self.power + (float((vectors**2).sum(axis=1).mean()) - self.power) / n
        step = self.rate / len(vectors)
        keep = 1 - self.anchor
        return replace(
            self,
            weights=keep * self.weights + step / max(power, 1e-12) * push.T @ vectors,
            power=power,
            n=n,
        )

    def _push(self, pi: F64, chosen: int, revealed: Revealed) -> F64 | None:
        """Return the gradient by the log-odds of each window, shape (n_windows, n_classes)."""
        classes = np.eye(len(self.weights))
        if self.told == "label":
            return None if revealed.label is None else classes[revealed.label] - pi
        if self.told == "itself":
            mean = pi.mean(axis=0)
            best = int(np.argmax(mean))
            return classes[best] - pi if mean[best] >= self.confidence else None
        if revealed.reward is None:
            return None
        # dq / d(log-odds) = (1 - 2 eps) pi_a (1_a - pi)
        slope, own = 1 - 2 * self.flips, np.clip(pi[:, chosen : chosen + 1], 1e-9, 1 - 1e-9)
        q = self.flips + slope * own
        reward = min(max(float(revealed.reward), 0.0), 1.0)
        push: F64 = (reward - q) / (q * (1 - q)) * slope * own * (classes[chosen] - pi)
        return push

    @property
    def state(self) -> dict[str, Any]:
        """What was learned, for JSON."""
        return {
            "weights": packed(self.weights),
            "power": self.power,
            "n": self.n,
        }

    def resumed(self, state: Mapping[str, Any]) -> Self:
        """Return one that has learned what `state` says."""
        return replace(
            self,
            weights=unpacked(state["weights"], self.weights.shape),
            power=float(state["power"]),
            n=int(state["n"]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Optimist:
    """LinUCB on what the trained decoder did not expect.

    Attributes
    ----------
    inverses : ndarray of float64, shape (n_classes, n_classes + 1, n_classes + 1)
        Inverse of each class's ``A = ridge I + sum x x'``.
    sums : ndarray of float64, shape (n_classes, n_classes + 1)
        ``b = sum x (r - p)``.
    n : int
    optimism : float
        What counts, in standard deviations, for a class of which less is known.
    ridge : float
        How many trials the trained decoder counts as.
    """

    inverses: F64
    sums: F64
    n: int = 0
    optimism: float = 0.1
    ridge: float = 100.0

    @classmethod
    def new(cls, n_classes: int, optimism: float = 0.1, ridge: float = 100.0) -> "Optimist":
        """Return one that knows the trained decoder only."""
        if not ridge > 0 or not optimism >= 0:
            raise SettingsError(
                f"ridge {ridge!r}, optimism {optimism!r}: give a ridge above 0 and an optimism of "
                "0 or more"
            )
        size = n_classes + 1
        inverses = np.tile(np.eye(size) / ridge, (n_classes, 1, 1))
        return cls(inverses, np.zeros((n_classes, size)), 0, optimism, ridge)

    def probabilities(self, p: F64, vectors: F64) -> F64:
        """Return probabilities in the order of the upper confidence bounds."""
        if not self.n:
            return p
        x = _features(p)
        theta = np.matmul(self.inverses, self.sums[:, :, None])[:, :, 0]
        expected = p + np.matmul(theta, x[:, :, None])[:, :, 0]
        variance = np.einsum("ni,kij,nj->nk", x, self.inverses, x)
        bonus = self.optimism * np.sqrt(np.maximum(variance, 0.0))
        bounds = expected + bonus - bonus.min(axis=1, keepdims=True)
        shares = np.maximum(bounds, 1e-3)
        result: F64 = shares / shares.sum(axis=1, keepdims=True)
        return result

    def learned(self, p: F64, vectors: F64, chosen: int, revealed: Revealed) -> "Optimist":
        """Return what a trial makes of it; itself where no reward came."""
        if revealed.reward is None:
            return self
        x = _features(p).mean(axis=0)
        surprise = min(max(float(revealed.reward), 0.0), 1.0) - float(p[:, chosen].mean())
        inverses, sums = self.inverses.copy(), self.sums.copy()
        # Sherman and Morrison.
        gain = inverses[chosen] @ x
        updated = inverses[chosen] - np.outer(gain, gain) / (1 + x @ gain)
        inverses[chosen] = (updated + updated.T) / 2
        sums[chosen] += surprise * x
        return replace(self, inverses=inverses, sums=sums, n=self.n + 1)

    @property
    def state(self) -> dict[str, Any]:
        """What was learned, for JSON."""
        return {"inverses": packed(self.inverses), "sums": packed(self.sums), "n": self.n}

    def resumed(self, state: Mapping[str, Any]) -> Self:
        """Return one that has learned what `state` says."""
        return replace(
            self,
            inverses=unpacked(state["inverses"], self.inverses.shape),
            sums=unpacked(state["sums"], self.sums.shape),
            n=int(state["n"]),
        )


def _features(p: F64) -> F64:
    logs = np.log(np.maximum(p, _FLOOR))
    centred = np.clip(logs - logs.mean(axis=1, keepdims=True), -_CLIP, _CLIP) / _CLIP
    return np.concatenate([centred, np.ones((len(p), 1))], axis=1)
