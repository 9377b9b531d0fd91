"""Keeping the EEG stream: waited for, acquired, and acquired anew when the acquisition has failed.

An acquisition outlives an outage of its stream by itself; it fails for good only when what comes
back is another stream (rate, channels), or by a fault. Then a new one is begun, on what is there.
"""

import logging
import threading
import time
from collections.abc import Callable

from bci.acquisition import Acquisition
from bci.acquisition.health import StreamNotice
from bci.acquisition.thread import AcquisitionState
from bci.daemon.notices import Notices, Repeated
from bci.daemon.settings import StreamSettings
from bci.errors import RolandicError, StreamAbsentError
from bci.sources.base import StreamState
from bci.sources.discovery import StreamQuery
from bci.sources.lsl import LslSource

__all__ = ["Listening"]

_log = logging.getLogger(__name__)

_LOOK_S = 1.0
_AGAIN_S = 0.5
_TURN_S = 0.1
_REMIND_S = 300.0
# Waiting this much longer than a turn of the acquisition takes to be asked for nothing.
_JOIN_S = 0.3


class Listening:
    """A thread that keeps an acquisition of one stream going from `start` to `stop`.

    ================  ================  ===========
    attribute         writer            readers
    ================  ================  ===========
    acquisition       this thread       any
    reason            this thread       any
    ================  ================  ===========

    Parameters
    ----------
    stream : StreamSettings
    notices : Notices
    told : callable
        Whether the recorder records the stream, or waits for it, and so says itself that it is
        away: nothing is said twice.
    """

    def __init__(
        self, stream: StreamSettings, notices: Notices, told: Callable[[StreamQuery], bool]
    ) -> None:
        self._stream, self._notices, self._told = stream, notices, told
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="acquisition keeper", daemon=True)
        self.acquisition: Acquisition | None = None
        self.reason = "it has not been looked for yet"
        self.n_acquisitions = 0

    def start(self) -> None:
        """Begin to look for the stream."""
        self._thread.start()

    def stop(self) -> None:
        """Let go of the stream; looking and connecting are not waited for: they end alone."""
        self._stop.set()
        if self.acquisition is not None:
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        say = Repeated(self._notices.say, _REMIND_S, time.monotonic)
        while not self._stop.is_set():
            try:
                self._acquire(say)
            except StreamAbsentError as error:
                self.reason = str(error)
                if not self._told(self._stream.query):
                    say(f"waiting for the EEG stream ({self._stream.query}): {error}")
            except RolandicError as error:
                self.reason = str(error)
                say(f"waiting for the EEG stream ({self._stream.query}): {error}")
            except Exception as error:
                _log.exception("the acquisition could not be begun")
                self.reason = repr(error)
                say(f"the acquisition could not be begun: {error!r}")
            self._stop.wait(_AGAIN_S)

    def _tell(self, notice: StreamNotice) -> None:
        if notice.state is StreamState.REFUSED or not self._told(self._stream.query):
            self._notices.say(str(notice))
        else:
            self._notices.write("acquisition", state=notice.state.value, text=str(notice))

    def _acquire(self, say: Repeated) -> None:
        source = LslSource(self._stream.query, unit=self._stream.unit, timeout_s=_LOOK_S)
        acquisition = Acquisition(source, on_notice=self._tell)
        acquisition.start()
        say.forget()
        self.acquisition, self.reason = acquisition, ""
        self.n_acquisitions += 1
        info = acquisition.info
        _log.info("acquiring %s (source id %s)", info.name, info.source_id)
        self._notices.write(
            "connected",
            stream=info.name,
            source_id=info.source_id,
            rate_hz=info.rate_hz,
            channels=info.labels,
        )
        for warning in source.warnings:
            self._notices.say(warning)
        try:
            while acquisition.state is AcquisitionState.RUNNING:
                if self._stop.wait(_TURN_S):
                    return
                if acquisition.health.state is StreamState.REFUSED:
                    self._notices.say("what came back is acquired anew, as another stream")
                    return
            self._notices.say(f"the acquisition has ended: {acquisition.error}; it begins anew")
        finally:
            self.acquisition = None
            acquisition.stop()
