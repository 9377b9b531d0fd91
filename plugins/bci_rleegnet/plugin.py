"""The entry points; what needs torch is imported when it is used."""

from importlib.util import find_spec
from typing import Any

from bci.decoders import Model
from bci_rleegnet.adapter import RLEEGNetAdapter
from bci_rleegnet.decoder import RLEEGNetDecoder

if find_spec("torch") is None:
    # Rolandic lists the plugin with the line that installs what is missing.
    raise ModuleNotFoundError("No module named 'torch'", name="torch")

__all__ = ["rleegnet", "rleegnet_reward", "rleegnet_supervised"]


def rleegnet(
    rate_hz: float = 250.0,
    n_filters: int = 4,
    n_steps: int = 400,
    told: str = "label",
    seed: int = 0,
) -> RLEEGNetDecoder:
    """One-versus-rest CSP over time; convolutions and an LSTM (RLEEGNet)."""
    return RLEEGNetDecoder(rate_hz, n_filters, n_steps, told, seed)


def rleegnet_reward(model: Model, *, seed: int = 0, **params: Any) -> RLEEGNetAdapter:
    """RLEEGNet, learning from right and wrong alone: DQN with one-step episodes."""
    return RLEEGNetAdapter.of("rleegnet-reward", model, seed=seed, **params)


def rleegnet_supervised(model: Model, *, seed: int = 0, **params: Any) -> RLEEGNetAdapter:
    """RLEEGNet, learning from the classes that were asked for: the same loss."""
    return RLEEGNetAdapter.of("rleegnet-supervised", model, seed=seed, **params)
