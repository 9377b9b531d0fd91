"""Decoders that were trained in a session or brought to it, and the one that decodes.

================  ==============================  =========
attribute         writer                          readers
================  ==============================  =========
record.attempts   caller; the worker's thread     any: it only grows
================  ==============================  =========
"""

import logging
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal, SignalGroup

from bci.decoders import load_model
from bci.errors import ModelError, RolandicError
from bci.experiment.attempts import Attempt, AttemptDetails, details_path, load_details
from bci.experiment.states import tell

if TYPE_CHECKING:
    from bci.experiment.session import Session

__all__ = ["AttemptShelf", "TrainingEvents"]

_log = logging.getLogger(__name__)


class TrainingEvents(SignalGroup):
    """What happens in training, told in whatever thread it happens."""

    #: Attempts, or the one in use, have changed.
    changed = Signal()
    #: tuple of `TrainingRow`: of the comparison.
    rows_changed = Signal(object)
    #: `TrainingProgress`
    progressed = Signal(object)
    #: tuple of `DecoderChoice`
    choices_found = Signal(object)
    #: list of `Difference`: of attempts that were compared by hand.
    compared = Signal(object)
    #: What failed, and why: nothing that came before is lost.
    failed = Signal(str)
    #: File of the model that decodes from now on.
    used = Signal(str)


class AttemptShelf:
    """Attempts of a session; see `bci.experiment.training.TrainingPart`.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self.events = TrainingEvents()
        self._threads: list[threading.Thread] = []

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All that were trained in this session, in their order."""
        return tuple(Attempt.from_dict(kept) for kept in list(self._session.record.attempts))

    def attempt(self, file: str) -> Attempt:
        """Return an attempt; KeyError when there is none."""
        for attempt in self.attempts:
            if attempt.file == file:
                return attempt
        raise KeyError(file)

    def details(self, file: str) -> AttemptDetails | None:
        """Return what the pictures of an attempt show; None: there is nothing (a few ms, once)."""
        return load_details(details_path(self._session.folder / file))

    @property
    def in_use(self) -> str:
        """File of the model that decodes online; empty: none does."""
        return self._session.record.model if self._session.experiment.model is not None else ""

    @property
    def misfit(self) -> str:
        """Why the model in use does not fit the connected stream; empty: it does, or none is."""
        experiment = self._session.experiment
        model, acquisition = experiment.model, experiment.acquisition
        if model is None or acquisition is None:
            return ""
        try:
            model.match_stream(acquisition.info)
        except RolandicError as error:
            return str(error)
        return ""

    def use(self, file: str) -> None:
        """Take an attempt online.

        Parameters
        ----------
        file : str
            Name in the session's folder, or the path of a model from elsewhere: it is copied
            here, and becomes an attempt.

        Raises
        ------
        ModelError, ExperimentError
            When it cannot be used (a channel is missing from the stream, say, or it was made for
            other classes), or not now; the one that was in use stays.
        """
        session, path = self._session, Path(file)
        brought = path.is_absolute() and path.parent != session.folder
        target = session.folder / path.name if not brought else path
        model = load_model(target)
        if session.experiment.acquisition is not None:
            model.match_stream(session.experiment.acquisition.info)
        classes = session.setup.feedback.classes
        if not set(classes) <= set(model.classes):
            raise ModelError(
                f"{path.name} decodes {', '.join(model.classes)}; this session cues "
                f"{', '.join(classes)}: train on runs of these classes"
            )
        if brought:
            target = self._bring(path, model.decoder, model.card, model.epochs)
        session.experiment.use_model(target)
        session.record.model = target.name
        session.save()
        tell(self.events.changed)
        tell(self.events.used, target.name)

    def choose(self, file: str) -> None:
        """Do as `use` without waiting; `TrainingEvents.used` or `failed` says what came of it."""

        def work() -> None:
            try:
                self.use(file)
            except RolandicError as error:
                tell(self.events.failed, str(error))
            except Exception as error:
                _log.exception("%s could not be used", file)
                tell(self.events.failed, f"{file}: {type(error).__name__}: {error}")

        thread = threading.Thread(target=work, name="use model", daemon=True)
        self._threads = [old for old in self._threads if old.is_alive()] + [thread]
        thread.start()

    def _bring(self, path: Path, decoder: str, card: Mapping[str, Any], epochs: Any) -> Path:
        """Copy a model from elsewhere into the folder, as an attempt."""
        number = 1
        while (target := self._session.folder / f"brought-{number:02d}_{path.name}").exists():
            number += 1
        try:
            shutil.copyfile(path, target)
            target.chmod(0o600)
        except OSError as error:
            raise ModelError(f"{target} cannot be written ({error.strerror})") from error
        self._keep(
            Attempt(
                file=target.name,
                decoder=decoder,
                params=dict(card.get("params") or {}),
                created=str(card.get("created", "")),
                cv=dict(card.get("cv") or {}),
                n_trials=dict(card.get("n_trials") or {}),
                recordings=[str(item["name"]) for item in card.get("recordings", ())],
                epochs=epochs.model_dump(mode="json"),
                remarks=["brought from elsewhere: its scores are of other recordings"],
                origin=str(path),
            )
        )
        return target

    def _keep(self, attempt: Attempt) -> None:
        self._session.record.attempts.append(attempt.as_dict())
        self._session.save()
