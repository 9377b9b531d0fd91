"""Keeping the decoder: begun with each file, begun again after a failure, never in the way.

The recorder is another process and the acquisition another thread: neither notices what happens
here. A decoder that fails is begun again after 1 s, 2 s, ... 60 s; one that then works for a minute
has not failed before. Each file has its own decoding run, which ends before the file does, so that
a replay of the file can reproduce what was decided. While nothing is recorded nothing is decoded.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bci.acquisition import Acquisition
from bci.config import OnlineSettings
from bci.daemon.backoff import Backoff
from bci.daemon.listening import Listening
from bci.daemon.notices import Notices
from bci.daemon.settings import DecodingSettings
from bci.decoders import Model, load_model, platform_card
from bci.errors import RolandicError
from bci.events import Marker
from bci.online import Decision, DecisionOutlet, LiveDecoding
from bci.online.outputs import Output
from bci.online.teaching import adapt_settings
from bci.recording import RecorderStatus
from bci.recording.eventlog import EventLog
from bci.sources.reading import recording_hash

__all__ = ["Decoding"]

_log = logging.getLogger(__name__)

_TURN_S = 0.1
_N_KEPT = 100
_JOIN_S = 0.5


@dataclass(frozen=True, slots=True)
class _Run:
    """A decoder at work, and what it was begun on."""

    live: LiveDecoding
    acquisition: Acquisition
    generation: int


class Decoding:
    """A thread that keeps a decoder going from `start` to `stop`.

    ===========================  =====================  ==================
    attribute                    writer                 readers
    ===========================  =====================  ==================
    _run, model, state, error    this thread            any
    _log_now, _generation        who begins a file      this thread
    ===========================  =====================  ==================

    Parameters
    ----------
    settings : DecodingSettings
    listening : Listening
    unit : str or None
        Of the EEG channels.
    notices : Notices
    recorder : callable
        Gives how the recorder is, None while nothing is recorded.
    """

    def __init__(
        self,
        settings: DecodingSettings,
        listening: Listening,
        unit: str | None,
        notices: Notices,
        recorder: Callable[[], RecorderStatus | None],
    ) -> None:
        self._settings, self._listening, self._unit = settings, listening, unit
        self._notices, self._recorder = notices, recorder
        self._online = OnlineSettings(
            **settings.model_dump(include=set(OnlineSettings.model_fields))
        )
        self._stop = threading.Event()
        self._failed = threading.Event()
        # Of the run, the log, and its generation: says that one of them has changed.
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._keep, name="decoder keeper", daemon=True)
        self._backoff = Backoff(1.0, 60.0, 60.0, time.monotonic)
        self._run: _Run | None = None
        self._log_now: EventLog | None = None
        self._generation = 0
        self._outlet: DecisionOutlet | None = None
        self._identity: dict[str, Any] = {}
        self._failure: BaseException | None = None
        self.model: Model | None = None
        self.state = "waiting"
        self.error: str | None = None
        self.n_begun = 0

    @property
    def n_failures(self) -> int:
        """How often it has failed."""
        return self._backoff.n_failures

    @property
    def newest(self) -> Decision | None:
        """The newest decision."""
        run = self._run
        decisions = run.live.decisions[-1:] if run is not None else []
        return decisions[0] if decisions else None

    @property
    def adapter_effect(self) -> dict[str, Any] | None:
        """What adaptation comes to in this run; None without."""
        run = self._run
        return run.live.adapter_effect if run is not None else None

    @property
    def latency(self) -> dict[str, Any] | None:
        """How late the decisions of this run have been."""
        run = self._run
        return run.live.latency.as_dict() if run is not None else None

    def start(self) -> None:
        """Begin, as soon as there are a stream and a file."""
        self._thread.start()

    def stop(self) -> None:
        """Decide what is complete and end."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)

    def decode_into(self, log: EventLog | None) -> None:
        """End the run that is going on, and let the next one be told by this log.

        Called when the next file has been begun and before the old one is ended; with None, before
        a file is ended that no other follows. Returns when nothing is decided any more on what the
        old file may not hold.
        """
        with self._changed:
            self._log_now, self._generation = log, self._generation + 1
            generation = self._generation
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._run is None or self._run.generation == generation, _JOIN_S
            )

    def take_marker(self, marker: Marker) -> None:
        """Take a marker as it arrives."""
        run = self._run
        if run is not None:
            run.live.take_marker(marker)

    def _keep(self) -> None:
        while not self._stop.is_set():
            try:
                self._turn()
            except RolandicError as error:
                self._has_failed(str(error))
            except Exception as error:
                _log.exception("the decoder could not be begun")
                self._has_failed(repr(error))
            with self._changed:
                self._changed.wait(_TURN_S)
        self._finish()

    def _turn(self) -> None:
        run, acquisition, generation = self._run, self._listening.acquisition, self._generation
        if run is not None:
            if self._failed.is_set():
                self._finish()
                self._has_failed(str(self._failure))
            elif run.acquisition is not acquisition or run.generation != generation:
                self._finish()
                self.state = "waiting"
        log, status = self._log_now, self._recorder()
        if status is None:
            return
        if self._run is None and acquisition is not None and log is not None and self._backoff.due:
            self._begin(acquisition, log, generation, status.path)

    def _begin(self, acquisition: Acquisition, log: EventLog, generation: int, file: Path) -> None:
        model = self._loaded()

        def recorder() -> RecorderStatus | None:
            status = self._recorder()
            return status if status is not None and status.path == file else None

        self._failed.clear()
        live = LiveDecoding(
            model,
            acquisition,
            self._online,
            log,
            {"model": _seen_from(log.path.parent, self._settings.model), **self._identity},
            outputs=self._outputs(model),
            on_failure=self._fail,
            on_notice=self._notices.say,
            n_kept=_N_KEPT,
            recorder=recorder,
            adapt=adapt_settings(model, self._settings.adapt, self._settings.rewards),
        )
        try:
            live.begin()
        except BaseException:
            live.finish()
            raise
        self._run = _Run(live, acquisition, generation)
        self.state, self.error = "decoding", None
        self.n_begun += 1
        self._backoff.began()
        _log.info("decoding with %s", self._settings.model)

    def _loaded(self) -> Model:
        if self.model is None:
            path = self._settings.model
            model = load_model(path)
            self._identity = {
                "model_sha256": recording_hash(path),
                "unit": self._unit,
                "platform": platform_card(),
            }
            self.model = model
        return self.model

    def _outputs(self, model: Model) -> Sequence[Output]:
        """Return the outlet, if it is asked for; it outlives the decoder, as its receivers do."""
        if not self._settings.publish:
            return ()
        if self._outlet is None:
            source_id = f"rolandic-decisions-{self._identity['model_sha256'][:12]}"
            self._outlet = DecisionOutlet(model.classes, self._settings.name, source_id)
        return (self._outlet,)

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        self._failed.set()

    def _has_failed(self, reason: str) -> None:
        wait_s = self._backoff.failed()
        self.state, self.error = "failed", reason
        self._notices.say(f"decoding has failed and is tried again in {wait_s:g} s: {reason}")

    def _finish(self) -> None:
        run = self._run
        if run is None:
            return
        try:
            run.live.finish()
        except RolandicError as error:
            self._notices.say(f"the end of decoding: {error}")
        except Exception as error:
            _log.exception("decoding could not be ended in order")
            self._notices.say(f"the end of decoding: {error!r}")
        finally:  # else it would be ended again and again, and no file could follow
            with self._changed:
                self._run = None
                self._changed.notify_all()


def _seen_from(folder: Path, file: Path) -> str:
    """Return a file's path relative to a folder; its name where there is none, on another drive."""
    try:
        return Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return file.name
