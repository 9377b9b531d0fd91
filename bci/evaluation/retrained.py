"""Arms that calibrate again instead of adapting: fitted anew on the session's first trials."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bci.decoders.adapt import Revealed
from bci.decoders.base import F64
from bci.decoders.model import Model
from bci.errors import SettingsError
from bci.evaluation.training import fit_model
from bci.signal.epochs import Epochs

__all__ = ["RETRAINED", "Retrained"]

#: What these arms are called, with a line that describes each.
RETRAINED = {
    "retrained": "fitted anew on the first trials of the session alone",
    "retrained+": "fitted anew on the first trials of the session and those of training",
}


class Retrained:
    """An `Adapter`: the trained decoder until it has seen n trials, then one fitted anew.

    With fewer than two trials of some class it waits for more.

    Parameters
    ----------
    name : str
        Of `RETRAINED`.
    model : Model
    training : Epochs
        What the model was trained on.
    trials : int
    params : mapping, optional
        Of the decoder.

    Raises
    ------
    SettingsError
        For too few trials.
    """

    def __init__(
        self,
        name: str,
        model: Model,
        training: Epochs,
        *,
        trials: int = 20,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        if trials < 2 * len(model.classes):
            raise SettingsError(
                f"retrained on {trials} trials: give {2 * len(model.classes)} or more, two a class"
            )
        self.name = name
        self._model, self._training = model, training
        self._n, self._params = trials, params
        self._windows: tuple[F64, ...] = ()
        self._labels: tuple[int, ...] = ()
        self._fitted = False

    def probabilities(self, windows: F64) -> F64:
        """Return class probabilities; see `Adapter`."""
        return self._model.probabilities(windows)

    def observe(self, windows: F64) -> None:
        """Pass over what has no label."""

    def reveal(self, windows: F64, chosen: int, revealed: Revealed) -> None:
        """Keep a trial, until there are enough."""
        if self._fitted or revealed.label is None:
            return
        self._windows, self._labels = (*self._windows, windows), (*self._labels, revealed.label)
        counts = np.bincount(self._labels, minlength=len(self._model.classes))
        if len(self._labels) >= self._n and counts.min() >= 2:
            fitted = fit_model(self._epochs(), (), self._model.decoder, self._params)
            self._model, self._fitted = fitted, True

    def _epochs(self) -> Epochs:
        old, n_windows = self._training, len(self._windows[0])
        trial_y = np.array(self._labels, np.int64)
        X = np.concatenate(self._windows)
        kept = 0
        if self.name == "retrained+":
            trial_y = np.concatenate([old.trial_y, trial_y])
            X = np.concatenate([old.X, X])
            kept = old.n_trials
        trials = np.repeat(np.arange(len(trial_y), dtype=np.int64), n_windows)
        nowhere = np.zeros(len(trial_y) - kept)
        return replace(
            old,
            X=X,
            y=trial_y[trials],
            trials=trials,
            trial_y=trial_y,
            trial_onsets_s=np.concatenate([old.trial_onsets_s[:kept], nowhere]),
            trial_runs=np.concatenate([old.trial_runs[:kept], nowhere.astype(np.int64)]),
            left_out=(),
            muscle_v=None,
        )

    @property
    def state(self) -> dict[str, Any]:
        """How many trials it has; the fit follows from them."""
        return {"arm": self.name, "trials": len(self._labels)}

    def carry_on(self, state: Mapping[str, Any]) -> None:
        """Refuse: this arm exists where recordings are gone through, not online."""
        raise TypeError(f"arm {self.name!r} cannot be carried on")

    def copy(self) -> "Retrained":
        """Return an adapter that goes on from here by itself."""
        other = Retrained(
            self.name, self._model, self._training, trials=self._n, params=self._params
        )
        other._windows, other._labels = self._windows, self._labels
        other._fitted = self._fitted
        return other
