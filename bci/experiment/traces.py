"""The traces of a connected stream, ready to be drawn.

A thread reads what is new from the ring, filters it for the eye, and makes columns of it
(`bci.signal.envelope`). What is drawn is another filter, or of another width, from the next round
on: the newest seconds are then made anew, and swapped in whole.

================  ============  ==================
attribute         writer        readers
================  ============  ==================
view              any thread    the feed's thread
shown             feed's thread  any (swapped whole)
================  ============  ==================
"""

import itertools
import logging
import threading
import time
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bci.acquisition import Acquisition, RingBuffer
from bci.events import Marker
from bci.signal.display import DisplayFilter
from bci.signal.envelope import Envelope
from bci.signal.filters import CausalFilter

__all__ = ["ShownTraces", "TraceFeed", "TraceView", "shown_channels"]

_log = logging.getLogger(__name__)

F64 = NDArray[np.float64]

#: As often as a screen shows it (s).
_FRAME_S = 1 / 60
#: What a filter settles in before the oldest sample that is shown (s).
_SETTLE_S = 2.0
#: Read from the ring at a time (s).
_PIECE_S = 2.0
#: Kinds of channels that are voltages on a body; others (triggers, counters) have another scale.
_BODY = ("EEG", "", "EOG", "EMG", "ECG", "EKG")
_JOIN_S = 2.0


def shown_channels(acquisition: Acquisition) -> list[int]:
    """Return which channels can be drawn as traces: voltages of a body."""
    channels = acquisition.info.channels
    return [k for k, channel in enumerate(channels) if channel.kind.upper() in _BODY]


@dataclass(frozen=True, slots=True)
class TraceView:
    """What is to be shown.

    Attributes
    ----------
    n_columns : int
        Pixels of the screen.
    span_s : float
        That they stand for (s).
    display : DisplayFilter
    """

    n_columns: int = 1000
    span_s: float = 10.0
    display: DisplayFilter = field(default_factory=lambda: DisplayFilter(0.5, 40.0, 50.0))


@dataclass(frozen=True, slots=True, eq=False)
class ShownTraces:
    """Columns, and what they are of.

    Attributes
    ----------
    view : TraceView
    rate_hz : float
    labels : tuple of str
    envelope : Envelope
        In volts; goes on growing.
    first_sample : int
        Index in the ring of the first sample of column 0.
    """

    view: TraceView
    rate_hz: float
    labels: tuple[str, ...]
    envelope: Envelope
    first_sample: int


class TraceFeed:
    """Makes the columns of a stream's traces, from `start` to `stop`.

    Parameters
    ----------
    acquisition : Acquisition
    view : TraceView
    """

    def __init__(self, acquisition: Acquisition, view: TraceView) -> None:
        self.view = view
        self.shown: ShownTraces | None = None
        self.channels = shown_channels(acquisition)
        self._acquisition = acquisition
        self._filter: CausalFilter | None = None
        self._level: F64 | None = None
        self._next = 0
        self._segment = -1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; it is not waited for. More than once is harmless."""
        self._stop.set()

    def join(self) -> None:
        """Wait for the end, after `stop`."""
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)

    def show(self, **changed: object) -> None:
        """Show something else from the next round on: another width, span or filter."""
        self.view = replace(self.view, **changed)  # type: ignore[arg-type]

    def marker_columns(self, markers: tuple[Marker, ...]) -> list[tuple[float, Marker]]:
        """Place markers on the columns; those that are older than what is shown are left out.

        Returns
        -------
        list of (column, Marker)
            A column has a fraction; it may lie just after the newest.
        """
        shown = self.shown
        ring = self._acquisition.ring
        if shown is None or not markers:
            return []
        n_samples = round(shown.view.span_s * shown.rate_hz)
        end = ring.n_written
        window = ring.window(end, min(n_samples, end - ring.first_available))
        if window is None:
            return []
        first, times = window.first_sample, window.times
        placed = []
        for marker in markers:
            if marker.time_s < times[0]:
                continue
            at = first + int(np.searchsorted(times, marker.time_s))
            if at == end:  # not there yet: where it will be
                at += round((marker.time_s - times[-1]) * shown.rate_hz)
            placed.append(((at - shown.first_sample) / shown.envelope.per_column, marker))
        return placed

    def _run(self) -> None:
        ring = self._acquisition.ring
        due_s = time.monotonic()
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s + _FRAME_S, time.monotonic())
            try:
                view = self.view
                shown = self.shown
                if shown is None or shown.view != view:
                    shown = self._anew(ring, view)
                self._follow(ring, shown)
                self.shown = shown
                ring.wait_for(self._next + 1, 0.2)
            except Exception:
                _log.exception("the traces could not be made")
                self.shown = None
                self._stop.wait(1.0)
            if ring.closed and ring.n_written == self._next and self.view == view:
                self._stop.wait(0.2)

    def _anew(self, ring: RingBuffer, view: TraceView) -> ShownTraces:
        """Begin where what is to be shown begins."""
        info = self._acquisition.info
        sections = view.display.sections(info.rate_hz)
        self._filter = CausalFilter(sections, len(self.channels)) if len(sections) else None
        self._level = None
        n_back = round((view.span_s + _SETTLE_S) * info.rate_hz)
        self._next = max(ring.first_available, ring.n_written - n_back)
        self._segment = -1
        envelope = Envelope(
            view.n_columns, max(1, len(self.channels)), view.span_s * info.rate_hz / view.n_columns
        )
        labels = tuple(info.labels[k] for k in self.channels)
        return ShownTraces(view, info.rate_hz, labels, envelope, self._next)

    def _follow(self, ring: RingBuffer, shown: ShownTraces) -> None:
        """Append what has come; the oldest is given up where the ring has come round."""
        piece = max(1, round(_PIECE_S * shown.rate_hz))
        while (n_new := ring.n_written - self._next) > 0:
            end = self._next + min(n_new, piece)
            window = ring.window(end, end - self._next)
            if window is None:
                self._next, self._segment = ring.first_available, -1
                continue
            samples = window.samples[:, self.channels]
            segments = np.array(window.segments)
            if not ring.is_intact(window):
                continue
            self._take(samples, segments, shown.envelope)
            self._next = end

    def _take(self, samples: F64, segments: NDArray[np.int64], envelope: Envelope) -> None:
        """Filter samples, and anew after each gap."""
        if not samples.shape[1]:
            return
        # One value that is no number would stay in the filter for ever; quality says which it is.
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        starts = [0, *(np.flatnonzero(np.diff(segments)) + 1), len(samples)]
        for start, stop in itertools.pairwise(starts):
            anew = int(segments[start]) != self._segment
            self._segment = int(segments[start])
            piece = samples[start:stop]
            if self._filter is None:
                if self._level is None or anew:
                    self._level = np.median(piece, axis=0)
                piece = piece - self._level
            else:
                if anew:
                    self._filter.restart()
                piece = self._filter(piece)
            envelope.append(np.ascontiguousarray(piece), anew=anew)
