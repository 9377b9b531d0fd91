"""From a model and a few labelled trials of a new session to a model of that session."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from threadpoolctl import threadpool_limits

from bci.decoders import Model, RecalibratedDecoder, Recentering
from bci.decoders.plugins import told_in_one_line
from bci.errors import ModelError
from bci.evaluation.reference import session_references
from bci.signal.artifacts import artifact_limits
from bci.signal.epochs import cut_epochs
from bci.signal.trials import find_trials
from bci.sources.files import recording_hash
from bci.sources.recording import Recording

__all__ = ["recalibrate_model"]


def recalibrate_model(
    model: Model, recordings: Sequence[Recording], *, rotate: bool = True
) -> Model:
    """Align a new session with what the model was trained on.

    Parameters
    ----------
    model : Model
        Trained with recentering. One that was recalibrated before is aligned from where it was
        first trained, not from where it was moved to.
    recordings : sequence of Recording
        Of the new session, with cues of every class.
    rotate : bool
        Align the classes too; False: their common mean alone.

    Returns
    -------
    Model
        Its card is the old one with ``recalibrated``: recordings, trials, whether rotated. The
        cross-validation on it remains that of the training.

    Raises
    ------
    ModelError
        When the model does not recentre, or the recordings have not what it needs.
    InputError
        As `cut_epochs`.
    """
    if model.recentering is None:
        raise ModelError(
            "the model was trained without --recenter, so it does not say where its classes were: "
            "train it again with it"
        )
    for recording in recordings:
        model.match_stream(recording.info)
    # A model trained on somebody's event codes meets the paradigm's own class names.
    mapped = any(find_trials(r.markers, model.epochs.event_map) for r in recordings)
    epochs = cut_epochs(
        recordings,
        model.epochs.model_copy(
            update={
                "channels": model.channels,
                "classes": model.classes,
                "event_map": model.epochs.event_map if mapped else {},
            }
        ),
    )
    fitted = model.estimator
    decoder = fitted.decoder if isinstance(fitted, RecalibratedDecoder) else fitted
    named = fitted.classes_.dtype.kind not in "iu"
    labels = np.array(model.classes)[epochs.y] if named else epochs.y
    means = model.recentering.class_means
    with threadpool_limits(limits=1):
        estimator = RecalibratedDecoder(decoder, list(means), rotate)
        with told_in_one_line(decoder, "be aligned with these trials"):
            estimator.fit(epochs.X, labels, groups=epochs.trials)
        references = session_references(estimator, recordings, epochs)
    counts = np.bincount(epochs.trial_y, minlength=len(epochs.classes)).tolist()
    recalibrated = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "rotated": rotate,
        "recordings": [
            {"name": r.path.name, "sha256": recording_hash(r.path) if r.path.is_file() else None}
            for r in recordings
        ],
        "n_trials": dict(zip(epochs.classes, counts, strict=True)),
        "left_out": [item._asdict() for item in epochs.left_out],
    }
    return replace(
        model,
        estimator=estimator,
        artifact_limit_v=artifact_limits(epochs.X),
        card=model.card | {"recalibrated": recalibrated},
        recentering=Recentering(references, means, model.recentering.tau_s),
    )
