"""From recordings to a model, with its scores on its card."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bci.config import EpochSettings, OnlineSettings
from bci.decoders import CovarianceDecoder, Model, Recentering, make_decoder, platform_card
from bci.decoders.plugins import told_in_one_line
from bci.decoders.recentering import check_time_constant
from bci.errors import SettingsError, TrialError
from bci.evaluation.crossval import Progress, evaluate
from bci.evaluation.protocols import Protocol
from bci.evaluation.reference import class_means, session_references
from bci.signal.artifacts import artifact_limits
from bci.signal.epochs import Epochs, cut_epochs
from bci.signal.rejection import without_marked
from bci.sources.files import recording_hash
from bci.sources.recording import Recording

__all__ = ["fit_model", "train_model", "with_card"]


def train_model(
    recordings: Sequence[Recording],
    settings: EpochSettings,
    decoder: str = "acm-svm",
    params: Mapping[str, Any] | None = None,
    *,
    folds: int = 5,
    seed: int = 0,
    cv: bool = True,
    recenter_s: float | None = None,
    online: OnlineSettings | None = None,
    progress: Progress | None = None,
) -> Model:
    """Fit a decoder on all trials of the recordings, after cross-validating it.

    Parameters
    ----------
    recordings : sequence of Recording
    settings : EpochSettings
    decoder : str
        Its registered name.
    params : mapping, optional
        Its parameters.
    folds, seed : int
        Of the cross-validation.
    cv : bool
        False: don't cross-validate; the card then carries no scores.
    recenter_s : float, optional
        Let the reference point follow the signal online, with this time constant (s).
    online : OnlineSettings, optional
        How a trial's windows are smoothed for the scores.
    progress : callable, optional
        Called with the number of fits done and the number there will be.

    Returns
    -------
    Model
        Its card holds the cross-validation's scores, the recordings' names and SHA-256, the
        trials of each class, those left out, and what it was made with.

    Raises
    ------
    InputError
        As `cut_epochs` and `evaluate`.
    """
    if recenter_s is not None:
        check_time_constant(recenter_s)
    epochs = cut_epochs(recordings, settings)
    _unfitted(epochs, decoder, params, recenter_s)  # before the wait
    n_fits = 1
    scores = None
    if cv:

        def folds_done(done: int, total: int) -> None:
            nonlocal n_fits
            n_fits = total + 1
            if progress:
                progress(done, n_fits)

        protocol = Protocol(folds=folds, seed=seed)
        result = evaluate(epochs, decoder, params, protocol, online=online, progress=folds_done)
        scores = result.as_dict() | {"folds": folds, "seed": seed}
    epochs = without_marked(epochs)  # the cross-validation above does it within each fold
    model = fit_model(epochs, recordings, decoder, params, recenter_s=recenter_s)
    if progress:
        progress(n_fits, n_fits)
    return with_card(model, epochs, recordings, params, scores)


def with_card(
    model: Model,
    epochs: Epochs,
    recordings: Sequence[Recording],
    params: Mapping[str, Any] | None,
    scores: Mapping[str, Any] | None,
) -> Model:
    """Return a model with the card that says what it was made from.

    Parameters
    ----------
    model : Model
        From `fit_model`, with the epochs, recordings and parameters that it was given.
    epochs, recordings, params
    scores : mapping, optional
        Of its cross-validation, see `bci.evaluation.Result.as_dict`.
    """
    counts = np.bincount(epochs.trial_y, minlength=len(epochs.classes)).tolist()
    card = platform_card() | {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "params": dict(params or {}),
        "cv": None if scores is None else dict(scores),
        "recordings": [
            {
                "name": recording.path.name,
                # A simulated run was never a file.
                "sha256": recording_hash(recording.path) if recording.path.is_file() else None,
            }
            for recording in recordings
        ],
        "n_trials": dict(zip(epochs.classes, counts, strict=True)),
        "left_out": [item._asdict() for item in epochs.left_out],
        "features": [str(name) for name in getattr(model.estimator, "names", ())],
        "units_declared": all(
            channel.unit
            for recording in recordings
            for channel in recording.info.channels
            if channel.label in epochs.channels
        ),
    }
    return replace(model, card=card)


def fit_model(
    epochs: Epochs,
    recordings: Sequence[Recording],
    decoder: str,
    params: Mapping[str, Any] | None = None,
    *,
    recenter_s: float | None = None,
    estimator: Any = None,
) -> Model:
    """Fit a decoder on all windows, and take from them the rest of what a model needs.

    Nothing but the arguments enters: what is not in them cannot leak into the model.

    Parameters
    ----------
    epochs : Epochs
    recordings : sequence of Recording
        What the epochs were cut from: recentering starts from all of their signal.
    decoder, params, recenter_s
        As for `train_model`.
    estimator : Decoder, optional
        Unfitted: what a search has chosen, in place of the registered decoder of that name.

    Returns
    -------
    Model
        With an empty card.

    Raises
    ------
    TrialError
        When a class has one trial, or none.
    SettingsError
        As `make_decoder`, and for a decoder that cannot be recentred.
    """
    estimator = _unfitted(epochs, decoder, params, recenter_s, estimator)
    counts = np.bincount(epochs.trial_y, minlength=len(epochs.classes)).tolist()
    if min(counts) < 2:
        fewest = min(counts)
        raise TrialError(
            f"class {epochs.classes[counts.index(fewest)]} has {fewest} "
            f"trial{'' if fewest == 1 else 's'} in {', '.join(epochs.recordings)}: training needs "
            "2 or more of each class"
        )
    with threadpool_limits(limits=1):
        with told_in_one_line(estimator, "learn from these trials"):
            estimator.fit(epochs.X, epochs.y, groups=epochs.trials)
        recentering = None
        if recenter_s is not None:
            recentering = Recentering(
                session_references(estimator, recordings, epochs),
                class_means(estimator, epochs),
                recenter_s,
            )
    return Model(
        channels=epochs.channels,
        rate_hz=epochs.rate_hz,
        epochs=epochs.settings,
        classes=epochs.classes,
        estimator=estimator,
        artifact_limit_v=artifact_limits(epochs.X),
        decoder=decoder,
        recentering=recentering,
    )


def _unfitted(
    epochs: Epochs,
    decoder: str,
    params: Mapping[str, Any] | None,
    recenter_s: float | None,
    estimator: Any = None,
) -> Any:
    if estimator is None:
        estimator = make_decoder(
            decoder, channels=epochs.channels, rate_hz=epochs.rate_hz, **(params or {})
        )
    if recenter_s is not None and not isinstance(estimator, CovarianceDecoder):
        raise SettingsError(
            f"decoder {decoder!r} cannot be recentred, it sees no covariances: choose another, or "
            "leave out --recenter"
        )
    return estimator
