"""The Q-network, and one step of its learning. The only module that imports torch."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

__all__ = ["Network", "Optimizer", "loss_of", "q_values"]

F32 = NDArray[np.float32]
Weights = dict[str, F32]

# One window is too small to share: two threads only add their waiting.
torch.set_num_threads(1)

_N_FILTERS, _N_UNITS, _KERNEL_S, _RATE_HZ = 16, 32, 0.125, 100.0
_FLOOR = 1e-6


class Network(nn.Module):
    """Batch normalisation, two convolutions, an LSTM, dense.

    Parameters
    ----------
    n_components, n_classes : int
    """

    def __init__(self, n_components: int, n_classes: int) -> None:
        super().__init__()
        kernel = 2 * round(_KERNEL_S * _RATE_HZ / 2) + 1
        self.norm = nn.BatchNorm1d(n_components)
        self.first = nn.Conv1d(n_components, _N_FILTERS, kernel, padding=kernel // 2)
        self.second = nn.Conv1d(_N_FILTERS, _N_FILTERS, 5, padding=2)
        self.pool = nn.MaxPool1d(4, ceil_mode=True)
        self.lstm = nn.LSTM(_N_FILTERS, _N_UNITS, batch_first=True)
        self.drop = nn.Dropout(0.5)
        self.dense = nn.Linear(_N_UNITS, n_classes)

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        """Return the logarithms of Q, shape (n_windows, n_classes).

        Parameters
        ----------
        signals : Tensor of float32, shape (n_windows, n_components, n_times)
        """
        hidden = self.pool(torch.relu(self.first(self.norm(signals))))
        hidden = self.pool(torch.relu(self.second(hidden)))
        states, _ = self.lstm(hidden.transpose(1, 2))
        return torch.log_softmax(self.dense(self.drop(states[:, -1])), dim=1)

    @property
    def weights(self) -> Weights:
        """All numbers of the network, as copies."""
        found: Weights = {
            name: value.detach().numpy().astype(np.float32).copy()
            for name, value in self.state_dict().items()
            if value.is_floating_point()
        }
        return found

    @classmethod
    def of(cls, weights: Mapping[str, F32]) -> "Network":
        """Return the network with these numbers, ready to decide.

        Raises
        ------
        TypeError
            When they are those of no such network.
        """
        try:
            bias, scale = weights["dense.bias"], weights["norm.weight"]
            network = cls(len(scale), len(bias))
            given = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
            unknown = network.load_state_dict(given, strict=False)
        except (KeyError, RuntimeError) as error:
            raise TypeError(f"weights of another network: {error}") from error
        left = [name for name in unknown.missing_keys if not name.endswith("batches_tracked")]
        if left or unknown.unexpected_keys:
            raise TypeError(f"weights of another network: {left or unknown.unexpected_keys}")
        network.eval()
        return network


def q_values(network: Network, signals: F32) -> NDArray[np.float64]:
    """Return Q of each window and class; rows sum to 1.

    One window at a time: in a batch the last bits would depend on the others.

    Parameters
    ----------
    network : Network
        In evaluation mode; it may be used by several threads.
    signals : ndarray of float32, shape (n_windows, n_components, n_times)

    Returns
    -------
    ndarray of float64, shape (n_windows, n_classes)
    """
    rows = []
    with torch.inference_mode():
        for signal in torch.from_numpy(signals):
            rows.append(network(signal[None]).numpy()[0])
    q = np.exp(np.array(rows, dtype=np.float64))
    result: NDArray[np.float64] = q / q.sum(axis=1, keepdims=True)
    return result


def loss_of(
    network: Network,
    signals: F32,
    actions: NDArray[np.intp],
    rewards: NDArray[np.float32],
    flips: NDArray[np.float32],
) -> torch.Tensor:
    """Return the mean negative log-likelihood of what was told.

    Parameters
    ----------
    network : Network
    signals : ndarray of float32, shape (n_windows, n_components, n_times)
    actions : ndarray of int, shape (n_windows,)
        Chosen classes.
    rewards : ndarray of float32, shape (n_windows,)
        1 right, 0 wrong.
    flips : ndarray of float32, shape (n_windows,)
        How often a reward is taken to be false.
    """
    logs = network(torch.from_numpy(np.ascontiguousarray(signals, dtype=np.float32)))
    chosen = logs.exp()[torch.arange(len(actions)), torch.from_numpy(actions)]
    eps = torch.from_numpy(flips)
    q = (eps + (1 - 2 * eps) * chosen).clamp(_FLOOR, 1 - _FLOOR)
    told = torch.from_numpy(rewards)
    return -(told * q.log() + (1 - told) * (1 - q).log()).mean()


class Optimizer:
    """Adam (Kingma and Ba 2015, algorithm 1) whose state is arrays.

    Parameters
    ----------
    network : Network
    rate : float
    decay : float
        Of the weights (AdamW).
    moments : mapping, optional
        `moments` of another, to go on from.
    n : int
        Steps that it has made.
    """

    def __init__(
        self,
        network: Network,
        rate: float,
        decay: float = 0.0,
        moments: Mapping[str, F32] | None = None,
        n: int = 0,
    ) -> None:
        self._parameters = dict(network.named_parameters())
        self._adam = torch.optim.AdamW(
            list(self._parameters.values()), lr=rate, weight_decay=decay, foreach=False
        )
        for name, parameter in self._parameters.items():
            if not moments:
                continue
            self._adam.state[parameter] = {
                "step": torch.tensor(float(n)),
                "exp_avg": torch.from_numpy(np.array(moments[f"first.{name}"])),
                "exp_avg_sq": torch.from_numpy(np.array(moments[f"second.{name}"])),
            }

    def step(self, loss: torch.Tensor) -> None:
        """Descend."""
        self._adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(self._parameters.values()), 1.0)
        self._adam.step()

    @property
    def moments(self) -> Weights:
        """Running means of gradients and of their squares, as copies."""
        found: Weights = {}
        for name, parameter in self._parameters.items():
            state = self._adam.state[parameter]
            found[f"first.{name}"] = state["exp_avg"].numpy().copy()
            found[f"second.{name}"] = state["exp_avg_sq"].numpy().copy()
        return found
