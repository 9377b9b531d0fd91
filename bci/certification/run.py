"""A session's way for some minutes: acquired, recorded, decoded, and timed."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from bci.acquisition import Acquisition
from bci.certification.certificate import Certificate, Measured, judge
from bci.certification.floor import FloorThread
from bci.certification.rehearsal import LISTEN_S, rehearsal_model
from bci.config import OnlineSettings
from bci.decoders import Model, platform_card
from bci.online import LiveDecoding
from bci.recording import RunRecording
from bci.recording.eventlog import EventLog
from bci.sources.devices import device_offset_s
from bci.sources.discovery import StreamQuery
from bci.sources.lsl import LslSource

__all__ = ["certify"]

#: A stream that sends nothing for so long cannot be certified (s).
_GIVE_UP_S = 20.0

#: Called with the seconds that have passed, and how many there will be.
Progress = Callable[[float, float], None]


def certify(
    stream: StreamQuery,
    seconds: float,
    folder: Path,
    *,
    model: Model | None = None,
    online: OnlineSettings | None = None,
    unit: str | None = None,
    timeout_s: float = 10.0,
    listen_s: float = LISTEN_S,
    on_notice: Callable[[str], object] = lambda text: None,
    progress: Progress = lambda done, total: None,
    cancelled: threading.Event | None = None,
) -> Certificate:
    """Acquire, record and decode a stream as a session does, and judge how that went.

    Parameters
    ----------
    stream : StreamQuery
        Must match one stream.
    seconds : float
        How long decisions are timed.
    folder : Path
        Gets the recording and the event log.
    model : Model, optional
        Default: one fitted to the stream (`rehearsal_model`).
    online : OnlineSettings, optional
    unit : str, optional
        Of the stream, where it declares none.
    timeout_s : float
        To wait for the stream (s).
    listen_s : float
        How much of the stream a model is fitted to, where none is given (s).
    on_notice, progress : callable
    cancelled : threading.Event, optional
        Set from another thread, ends it early; it is judged as far as it went.

    Raises
    ------
    StreamError
        When the stream is not there, or is lost.
    ModelError
        When it has not what the model needs.
    """
    acquisition = Acquisition(
        LslSource(stream, unit=unit, timeout_s=timeout_s),
        give_up_s=_GIVE_UP_S,
        on_notice=lambda notice: on_notice(str(notice)),
    )
    acquisition.start()
    try:
        with EventLog(folder / "certification.jsonl") as log:
            log.write("certification_started", stream=acquisition.info.name, seconds=seconds)
            certification = _Certification(
                acquisition,
                model or rehearsal_model(acquisition, listen_s=listen_s),
                online,
                log,
                on_notice,
            )
            measured = certification.measure(
                folder / "certification.xdf", seconds, progress, cancelled or threading.Event()
            )
            certificate = judge(measured)
            log.write("certified", **certificate.as_dict())
            return certificate
    finally:
        acquisition.stop()


class _Certification:
    """What runs while it is measured."""

    def __init__(
        self,
        acquisition: Acquisition,
        model: Model,
        online: OnlineSettings | None,
        log: EventLog,
        on_notice: Callable[[str], object],
    ) -> None:
        self._acquisition, self._model, self._log = acquisition, model, log
        self._on_notice = on_notice
        self._failures: list[BaseException] = []
        self._live = LiveDecoding(
            model,
            acquisition,
            online or OnlineSettings(),
            log,
            {"model_sha256": None, "unit": None, "platform": platform_card()},
            on_failure=self._failures.append,
            on_notice=on_notice,
            n_kept=1,
        )

    def measure(
        self, path: Path, seconds: float, progress: Progress, cancelled: threading.Event
    ) -> Measured:
        """Run for so long."""
        acquisition, info = self._acquisition, self._acquisition.info
        recording = RunRecording(
            [StreamQuery.of(info)],
            path,
            self._log,
            self._on_notice,
            self._failures.append,
        )
        floor = FloorThread()
        recording.start()
        completed = False
        try:
            first, began_s = self._newest()
            try:
                self._live.begin()
                floor.start()  # not before: its first step is a garbage collection of 90 ms
                passed_s = self._run(seconds, progress, cancelled)
            finally:
                self._live.finish()
                spread = floor.stop()
            last, ended_s = self._newest()
            completed = not cancelled.is_set()
        finally:
            summary = recording.stop(completed=completed)
        acquisition.raise_error()
        if self._failures:
            raise self._failures[0]
        recorded = next(s for s in summary.streams if s.source_id == info.source_id)
        gaps = [gap for gap in acquisition.gaps if gap.began_at > first]
        return Measured(
            stream=info.name,
            hostname=info.hostname,
            rate_hz=info.rate_hz,
            effective_hz=(last - first) / (ended_s - began_s) if ended_s > began_s else 0.0,
            n_channels=len(info.channels),
            seconds=passed_s,
            model=f"{self._model.decoder} on {len(self._model.channels)} channels",
            latency=self._live.latency,
            amplifier_s=device_offset_s(info),
            clock_offset_s=acquisition.health.clock_offset_s,
            floor=spread,
            n_received=last - first,
            n_recorded=recorded.n_samples,
            # The file began before and ends after: it holds at least what was received between.
            n_missing=max(0, last - first - recorded.n_samples),
            n_gaps=len(gaps),
            lost_s=sum(gap.lost_s for gap in gaps),
            cancelled=cancelled.is_set(),
        )

    def _run(self, seconds: float, progress: Progress, cancelled: threading.Event) -> float:
        began_s = time.monotonic()
        passed_s = 0.0
        while passed_s < seconds and not (self._failures or self._acquisition.ring.closed):
            progress(passed_s, seconds)
            if cancelled.wait(min(0.5, seconds - passed_s)):
                break
            passed_s = time.monotonic() - began_s
        return min(passed_s, seconds)

    def _newest(self) -> tuple[int, float]:
        """Return how many samples have come, and the time of the newest."""
        ring = self._acquisition.ring
        n_written = ring.n_written
        newest = ring.window(n_written, 1)
        return n_written, 0.0 if newest is None else float(newest.times[0])
