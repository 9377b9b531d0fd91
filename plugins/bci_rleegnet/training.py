"""Pre-training on calibration: supervised, or as a DQN that is told right and wrong only."""

import numpy as np
import torch
from numpy.typing import NDArray

from bci.decoders.base import Index
from bci_rleegnet.network import F32, Network, Optimizer, Weights, loss_of

__all__ = ["trained"]

_BATCH, _RATE, _DECAY = 32, 2e-3, 1e-2
#: Episodes that the replay holds; exploration at the start and from the middle on.
_REPLAY, _EPSILON = 1024, (1.0, 0.1)


def trained(signals: F32, target: Index, *, n_steps: int, told: str, seed: int) -> Weights:
    """Return the weights of a network that was trained from nothing.

    Parameters
    ----------
    signals : ndarray of float32, shape (n_windows, n_components, n_times)
    target : ndarray of int, shape (n_windows,)
    n_steps : int
        Batches of 32.
    told : {"label", "reward"}
    seed : int
        Everything that is drawn follows from it; torch's own generator is left as it was.
    """
    rng = np.random.default_rng(seed)
    n_classes = int(target.max()) + 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(signals.shape[1], n_classes).train()
        optimizer = Optimizer(network, _RATE, _DECAY)
        episodes = _Episodes(network, signals, target, n_classes, rng)
        for step in range(n_steps):
            rows, actions = _drawn(target, rng), None
            rewards = np.ones(len(rows), dtype=np.float32)
            if told == "reward":
                rows, actions, rewards = episodes.played(rows, step / n_steps)
            chosen = target[rows] if actions is None else actions
            loss = loss_of(network, signals[rows], chosen, rewards, np.zeros_like(rewards))
            optimizer.step(loss)
    weights: Weights = network.weights
    return weights


def _drawn(target: Index, rng: np.random.Generator) -> Index:
    """Return windows for a batch, the classes alike often."""
    counts = np.bincount(target)
    shares = 1.0 / counts[target]
    drawn: Index = rng.choice(len(target), _BATCH, p=shares / shares.sum())
    return drawn


class _Episodes:
    """Plays calibration windows as one-step episodes and remembers them."""

    def __init__(
        self,
        network: Network,
        signals: F32,
        target: Index,
        n_classes: int,
        rng: np.random.Generator,
    ) -> None:
        self._network, self._signals, self._target = network, signals, target
        self._n_classes, self._rng = n_classes, rng
        self._rows = np.empty(0, dtype=np.intp)
        self._actions = np.empty(0, dtype=np.intp)

    def played(self, rows: Index, done: float) -> tuple[Index, Index, NDArray[np.float32]]:
        """Choose for these windows, and return a batch of what was played: epsilon-greedy."""
        first, last = _EPSILON
        epsilon = first + (last - first) * min(2 * done, 1.0)
        self._network.eval()
        with torch.inference_mode():
            greedy = self._network(torch.from_numpy(self._signals[rows])).numpy().argmax(axis=1)
        self._network.train()
        at_random = self._rng.random(len(rows)) < epsilon
        actions = np.where(at_random, self._rng.integers(self._n_classes, size=len(rows)), greedy)
        self._rows = np.append(self._rows, rows)[-_REPLAY:]
        self._actions = np.append(self._actions, actions)[-_REPLAY:]
        picked = self._rng.integers(len(self._rows), size=_BATCH)
        chosen, taken = self._rows[picked], self._actions[picked]
        return chosen, taken, (self._target[chosen] == taken).astype(np.float32)
