"""Looking for a stream that has gone, in the background, so that its return is seen at once.

An outlet that is opened again is another outlet to LSL: the same source id, another uid. It is
looked for while the old connection is lost, and also while that one is only silent: a sender that
lost its power says nothing, the connection looks open for ever, and the restarted sender is found
only by its new uid.
"""

import logging
import threading
from dataclasses import replace

import pylsl

from bci.sources.base import StreamInfo
from bci.sources.discovery import FoundStream, StreamQuery, configure_lsl, found_stream

__all__ = ["ReturnWatch", "what_changed"]

logger = logging.getLogger(__name__)

#: One look (s); liblsl asks several times within it, and returns with the first answer. A stream
#: that comes back is seen 0.05 s later (liblsl's own ContinuousResolver: 0.02 to 0.7 s).
_LOOK_S = 0.25


class ReturnWatch:
    """A thread that looks for another outlet of a stream.

    Parameters
    ----------
    info : StreamInfo
        What it was. Without a source id it is looked for by name, type and host.
    uids : set of str
        Outlets that are not meant: the one that was lost, those that were refused.
    """

    def __init__(self, info: StreamInfo, uids: set[str]) -> None:
        configure_lsl()
        self._query = StreamQuery.of(info)
        if not info.source_id:
            self._query = replace(self._query, predicate=f"hostname='{info.hostname}'")
        self._uids = frozenset(uids)
        self._found: FoundStream | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="acquisition watch", daemon=True)
        self._thread.start()

    @property
    def found(self) -> FoundStream | None:
        """The stream, once it is there again."""
        return self._found

    def stop(self) -> None:
        """Look no more; more than once is harmless."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        others = " and ".join(f"not(uid='{uid}')" for uid in sorted(self._uids))
        own = self._query.predicate
        predicate = " and ".join(filter(None, (own, others))) or None
        query = replace(self._query, predicate=predicate).xpath()
        while not self._stop.is_set():
            try:
                handles = pylsl.resolve_bypred(query, minimum=1, timeout=_LOOK_S)
            except RuntimeError as error:
                logger.warning("looking for %s: %s", self._query, error)
                self._stop.wait(_LOOK_S)
                continue
            if handles:
                self._found = found_stream(handles[0])
                return


def what_changed(before: StreamInfo, after: StreamInfo) -> str:
    """Say in which way a stream is not what it was; empty when it is.

    >>> from bci.sources.base import Channel
    >>> was = StreamInfo("amp", "EEG", "a1", 250.0, (Channel("C3"), Channel("C4")))
    >>> what_changed(was, replace(was, rate_hz=500.0, channels=was.channels[:1]))
    'a rate of 500 Hz instead of 250 Hz, 1 channels instead of 2'
    """
    said = []
    if before.rate_hz != after.rate_hz:
        said.append(f"a rate of {after.rate_hz:g} Hz instead of {before.rate_hz:g} Hz")
    if before.dtype != after.dtype:
        said.append(f"samples of {after.dtype} instead of {before.dtype}")
    if len(before.channels) != len(after.channels):
        said.append(f"{len(after.channels)} channels instead of {len(before.channels)}")
    else:
        for was, now in zip(before.channels, after.channels, strict=True):
            if (was.label, was.unit) != (now.label, now.unit):
                said.append(f"channel {now.label} ({now.unit}) instead of {was.label} ({was.unit})")
                break
    return ", ".join(said)
