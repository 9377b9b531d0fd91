"""The decoder: components over time, and the network on them."""

from typing import TYPE_CHECKING, Any

import numpy as np

from bci.decoders.base import F64, Decoder, Index, check_at_least
from bci.errors import SettingsError
from bci_rleegnet.components import F32, components, n_averaged, one_versus_rest

if TYPE_CHECKING:
    from bci_rleegnet.network import Network

__all__ = ["RLEEGNetDecoder"]

#: Calibration windows that a model keeps for learning online, at most.
_MOST_KEPT = 192


class RLEEGNetDecoder(Decoder):
    """One-versus-rest CSP that keeps the time course, convolutions, an LSTM: see the package.

    Parameters
    ----------
    rate_hz : float
        Of the windows.
    n_filters : int
        Of each class.
    n_steps : int
        Batches of training.
    told : {"label", "reward"}
        What it learns from: the supervised loss, or a DQN's.
    seed : int

    Attributes
    ----------
    filters_ : ndarray of float64, shape (n_components, n_channels)
    weights_ : dict of str to ndarray of float32
        The network's: arrays in the model file, never a pickle.
    kept_signals_ : ndarray of float16, shape (n_kept, n_components, n_points)
    kept_target_ : ndarray of int, shape (n_kept,)
        A part of the calibration, which online learning is reminded of.
    """

    #: The model file names the line that installs it.
    needs_module = "torch"

    def __init__(
        self,
        rate_hz: float = 250.0,
        n_filters: int = 4,
        n_steps: int = 400,
        told: str = "label",
        seed: int = 0,
    ) -> None:
        self.rate_hz = rate_hz
        self.n_filters = n_filters
        self.n_steps = n_steps
        self.told = told
        self.seed = seed

    def _fit(self, X: F64, target: Index, trials: Index) -> None:
        from bci_rleegnet.training import trained

        check_at_least("n_filters", self.n_filters, 1)
        check_at_least("n_steps", self.n_steps, 1)
        if self.told not in ("label", "reward"):
            raise SettingsError(f"told {self.told!r}: choose label or reward")
        self.filters_ = one_versus_rest(X, target, self.n_filters)
        signals = self.signals(X)
        self.weights_ = trained(
            signals, target, n_steps=self.n_steps, told=self.told, seed=self.seed
        )
        kept = np.random.default_rng(self.seed).permutation(len(X))[:_MOST_KEPT]
        self.kept_signals_ = signals[kept].astype(np.float16)
        self.kept_target_ = target[kept]
        self.__dict__.pop("_network", None)

    def signals(self, X: F64) -> F32:
        """Return what the network sees of windows.

        Parameters
        ----------
        X : ndarray of float64, shape (n_windows, n_channels, n_times)

        Returns
        -------
        ndarray of float32, shape (n_windows, n_components, n_points)
        """
        return components(X, self.filters_, n_averaged(self.rate_hz))

    def _probabilities(self, X: F64) -> F64:
        from bci_rleegnet.network import q_values

        return q_values(self.network, self.signals(X))

    @property
    def network(self) -> "Network":
        """The fitted network, ready to decide."""
        from bci_rleegnet.network import Network

        network: Network | None = self.__dict__.get("_network")
        if network is None:
            network = Network.of(self.weights_)
            self.__dict__["_network"] = network
        return network

    def __getstate__(self) -> dict[str, Any]:
        # The network is made again from its weights.
        return {name: value for name, value in vars(self).items() if name != "_network"}
