"""The quality of each channel once a second: for the status, and on the network if asked."""

import logging
import threading
import time
from dataclasses import dataclass

import pylsl

from bci.acquisition import Acquisition
from bci.daemon.listening import Listening
from bci.daemon.settings import QualitySettings
from bci.signal.quality import QUALITIES, ChannelQuality
from bci.signal.recent import recent_quality
from bci.sources.base import StreamInfo
from bci.sources.lsl import configure_lsl

__all__ = ["QualityOutlet", "QualitySeen", "QualityWatch"]

_log = logging.getLogger(__name__)

_EVERY_S = 1.0
_JOIN_S = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class QualitySeen:
    """What was seen last.

    Attributes
    ----------
    at_s : float
        Monotonic (s).
    labels : tuple of str
    found : ChannelQuality
    """

    at_s: float
    labels: tuple[str, ...]
    found: ChannelQuality


class QualityWatch:
    """A thread that looks at the newest two seconds once a second, from `start` to `stop`.

    Parameters
    ----------
    settings : QualitySettings
    listening : Listening
    """

    def __init__(self, settings: QualitySettings, listening: Listening) -> None:
        self._settings, self._listening = settings, listening
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="acquisition quality", daemon=True)
        self._outlet: QualityOutlet | None = None
        self.seen: QualitySeen | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; the outlet goes too. A long look (the first one loads SciPy) is not waited for."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)
        self._outlet = None

    def _run(self) -> None:
        due_s = time.monotonic()
        n_before = 0
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s + _EVERY_S, time.monotonic())
            acquisition = self._listening.acquisition
            if acquisition is None or acquisition.ring.n_written == n_before:
                self.seen = None  # nothing new: what was seen says nothing of now
                continue
            n_before = acquisition.ring.n_written
            try:
                self._look(acquisition)
            except Exception:
                self.seen = None
                _log.exception("the quality could not be told")

    def _look(self, acquisition: Acquisition) -> None:
        ring, info = acquisition.ring, acquisition.info
        recent = recent_quality(ring, info, mains_hz=self._settings.mains_hz)
        if recent is None:
            self.seen = None
            return
        found, time_s = recent
        self.seen = QualitySeen(time.monotonic(), info.labels, found)
        if self._settings.publish:
            if self._outlet is None or self._outlet.labels != info.labels:
                self._outlet = QualityOutlet(info, self._settings.name)
            self._outlet.push(found, time_s)


class QualityOutlet:
    """An LSL stream with a number a channel: the place of its quality in `QUALITIES`.

    Parameters
    ----------
    info : StreamInfo
        Of the stream that is judged.
    name : str
    """

    def __init__(self, info: StreamInfo, name: str) -> None:
        configure_lsl()
        self.labels = info.labels
        described = pylsl.StreamInfo(
            name,
            "Quality",
            len(info.labels),
            pylsl.IRREGULAR_RATE,
            pylsl.cf_float32,
            f"rolandic-quality-{info.source_id}",
        )
        desc = described.desc()
        desc.append_child_value("manufacturer", "Rolandic")
        desc.append_child_value("judged_source_id", info.source_id)
        channels = desc.append_child("channels")
        for label in info.labels:
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("type", "Quality")
            channel.append_child_value("unit", "index")
        meanings = desc.append_child("qualities")
        for number, word in enumerate(QUALITIES):
            meaning = meanings.append_child("quality")
            meaning.append_child_value("index", str(number))
            meaning.append_child_value("name", word)
        self._outlet = pylsl.StreamOutlet(described)

    def push(self, found: ChannelQuality, time_s: float) -> None:
        """Send what was found, stamped with the newest sample's time."""
        self._outlet.push_sample([float(QUALITIES.index(q)) for q in found.quality], time_s)
