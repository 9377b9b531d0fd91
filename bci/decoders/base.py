"""What every decoder is: a thin scikit-learn classifier of windows."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from bci.errors import ChannelError, SettingsError, TrialError
from bci.riemann import augmented_covariances, regularised

__all__ = [
    "F64",
    "CovarianceDecoder",
    "Decoder",
    "Index",
    "View",
    "check_at_least",
    "covariances",
    "picked",
]

F64 = NDArray[np.float64]
Index = NDArray[np.intp]


def covariances(X: F64, order: int, lag: int, estimator: str) -> F64:
    """Return (augmented) covariances that are positive definite.

    Parameters
    ----------
    X : ndarray of float64, shape (n_windows, n_channels, n_times)
    order, lag : int
    estimator : {"oas", "lwf", "scm"}
        The first two shrink; ``"scm"`` gets a ridge of `bci.riemann.RIDGE` (1e-9) times the mean
        variance.

    Returns
    -------
    ndarray of float64, shape (n_windows, order * n_channels, order * n_channels)
    """
    C = augmented_covariances(X, order, lag, estimator)
    return regularised(C) if estimator == "scm" else C


class Decoder(ClassifierMixin, BaseEstimator):
    """Base of the decoders: checks at fit time, as little as possible for one window.

    A subclass writes `_fit` and `_probabilities`. Fitted attributes are plain arrays and numbers,
    which is what a model file holds.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        Sorted.
    n_channels_in_ : int
    n_times_in_ : int
        Length of the windows of training; others are taken too.
    """

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Learn from labelled windows.

        Parameters
        ----------
        X : array_like of float, shape (n_windows, n_channels, n_times)
            Filtered windows. Any unit: the decoders do not depend on scale.
        y : array_like, shape (n_windows,)
            Class of each window.
        groups : array_like, shape (n_windows,), optional
            Trial of each window: windows of one trial stay together in inner folds. None: every
            window is its own trial.

        Raises
        ------
        TrialError
            When nothing can be learned: one class, too few trials, values that are not numbers,
            a trial with two classes.
        SettingsError
            For a parameter out of range.
        """
        windows, labels, trials = _checked(X, y, groups)
        classes, target = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise TrialError(
                f"all {len(labels)} windows are of class {classes[0]!s}: a decoder needs two or "
                "more classes"
            )
        numbers = np.unique(trials, return_inverse=True)[1]
        _check_trials(classes, target, numbers)
        self.classes_ = classes
        self.n_channels_in_ = int(windows.shape[1])
        self.n_times_in_ = int(windows.shape[2])
        self._fit(windows, target, numbers)
        return self

    def predict_proba(self, X: ArrayLike) -> F64:
        """Return the class probabilities of windows.

        Each window's result is the same, to the last bit, alone and among others.

        Parameters
        ----------
        X : array_like of float, shape (n_windows, n_channels, n_times)

        Returns
        -------
        ndarray of float64, shape (n_windows, n_classes)
            In the order of `classes_`; rows sum to 1.

        Raises
        ------
        ChannelError
            For another number of channels than in training.
        TrialError
            For a window with values that are not numbers.
        """
        windows = np.asarray(X, dtype=np.float64)
        if windows.ndim != 3 or windows.shape[1] != self.n_channels_in_:
            raise ChannelError(
                f"windows of shape {windows.shape}: this decoder takes (n_windows, "
                f"{self.n_channels_in_} channels, n_times)"
            )
        if not len(windows):
            return np.empty((0, len(self.classes_)))
        return _finite(self._probabilities, windows)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class of each window.

        Parameters
        ----------
        X : array_like of float, shape (n_windows, n_channels, n_times)

        Returns
        -------
        ndarray, shape (n_windows,)
        """
        chosen: NDArray[Any] = self.classes_[np.argmax(self.predict_proba(X), axis=1)]
        return chosen

    @abstractmethod
    def _fit(self, X: F64, target: Index, trials: Index) -> None:
        """Learn; `target` counts classes from 0, `trials` counts trials from 0."""

    @abstractmethod
    def _probabilities(self, X: F64) -> F64:
        """Return probabilities of checked windows."""


class View(NamedTuple):
    """One augmented covariance that a decoder takes of a window.

    Attributes
    ----------
    channels : tuple of int or None
        Columns of the window that take part; None: all.
    order, lag : int
        Of the augmented covariance; lag in samples.
    """

    channels: tuple[int, ...] | None
    order: int
    lag: int


def picked(X: F64, view: View) -> F64:
    """Return the view's channels of signals of shape (..., n_channels, n_times)."""
    return X if view.channels is None else X[..., list(view.channels), :]


class CovarianceDecoder(Decoder):
    """Base of the decoders that see a window only through its (augmented) covariances.

    The covariances may come from elsewhere than the window: a sliding sum online, or recentred.
    A subclass has a parameter `covariance`, and writes `views` and `probabilities_from`.
    """

    covariance: str

    @property
    @abstractmethod
    def views(self) -> tuple[View, ...]:
        """The covariances that a fitted decoder takes, in order."""

    @abstractmethod
    def probabilities_from(self, C: Sequence[F64]) -> F64:
        """Return class probabilities from covariances.

        Parameters
        ----------
        C : sequence of ndarray of float64, shape (n_windows, n, n)
            One a view; n = order * n_channels of the view.

        Returns
        -------
        ndarray of float64, shape (n_windows, n_classes)
        """

    def covariances(self, X: F64) -> list[F64]:
        """Return the covariances of windows, one stack a view.

        Parameters
        ----------
        X : ndarray of float64, shape (n_windows, n_channels, n_times)
        """
        return [
            covariances(picked(X, view), view.order, view.lag, self.covariance)
            for view in self.views
        ]

    def predict_proba_from(self, C: Sequence[F64]) -> F64:
        """Return class probabilities from covariances, checked as `predict_proba` checks.

        Raises
        ------
        TrialError
            For covariances with values that are not numbers.
        """
        return _finite(self.probabilities_from, C)

    def _probabilities(self, X: F64) -> F64:
        return self.probabilities_from(self.covariances(X))


def _finite(probabilities: Callable[[Any], F64], given: Any) -> F64:
    try:
        result = probabilities(given)
    except np.linalg.LinAlgError as error:
        raise TrialError(_NOT_NUMBERS) from error
    except ValueError as error:
        # Such as scikit-learn's, in several lines.
        if all(np.isfinite(part).all() for part in given):
            raise
        raise TrialError(_NOT_NUMBERS) from error
    if not np.isfinite(result).all():
        raise TrialError(_NOT_NUMBERS)
    return result


_NOT_NUMBERS = (
    "a window holds values that are not numbers: leave it out, or look for a dead channel"
)


def check_at_least(name: str, value: object, low: int) -> int:
    """Return `value`; raise SettingsError unless it is a whole number of at least `low`."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < low:
        raise SettingsError(f"{name} {value!r}: give a whole number of at least {low}")
    return int(value)


def _checked(
    X: ArrayLike, y: ArrayLike, groups: ArrayLike | None
) -> tuple[F64, NDArray[Any], NDArray[Any]]:
    windows = np.asarray(X, dtype=np.float64)
    if windows.ndim != 3 or 0 in windows.shape:
        raise TrialError(
            f"windows of shape {windows.shape}: give (n_windows, n_channels, n_times), none empty"
        )
    labels = np.asarray(y)
    trials = np.arange(len(windows)) if groups is None else np.asarray(groups)
    for name, values in (("labels", labels), ("trial numbers", trials)):
        if values.shape != (len(windows),):
            raise TrialError(f"{len(windows)} windows, but {name} of shape {values.shape}")
    finite = np.isfinite(windows)
    if not finite.all():
        window, channel = (int(i) for i in np.argwhere(~finite)[0, :2])
        n_bad = len(np.unique(np.argwhere(~finite)[:, 0]))
        raise TrialError(
            f"window {window} holds values that are not numbers in channel {channel} (both "
            f"counted from 0), as do {n_bad} of {len(windows)} windows in all: leave them out"
        )
    return windows, labels, trials


def _check_trials(classes: NDArray[Any], target: Index, trials: Index) -> None:
    pairs = np.unique(np.column_stack([trials, target]), axis=0)
    if len(pairs) != trials.max() + 1:
        raise TrialError("a trial has windows of two classes: give each window its own trial")
    counts = np.bincount(pairs[:, 1], minlength=len(classes))
    if counts.min() < 2:
        name = classes[int(counts.argmin())]
        raise TrialError(
            f"class {name!s} has {counts.min()} trial: a decoder needs two or more of each class"
        )
