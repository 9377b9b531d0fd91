"""How a stream is: receiving, silent, lost, refused; what the user is told of it, and when.

The acquisition thread writes a `HealthLog`; any thread asks it for a `StreamHealth`. That a stream
is silent shows in the answer even when the acquisition thread is held up: it is computed from the
arrival of the newest sample.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bci.sources.base import StreamInfo, StreamState
from bci.sources.rhythm import PushRhythm

__all__ = ["HealthLog", "StreamHealth", "StreamNotice"]


@dataclass(frozen=True, slots=True)
class StreamNotice:
    """Something happened to a stream.

    Attributes
    ----------
    state : StreamState
        How it is now.
    text : str
        One line for the user.
    sample : int
        Samples that were received before.
    outage_s : float or None
        How long nothing came, once it has returned.
    """

    state: StreamState
    text: str
    sample: int
    outage_s: float | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """How a stream is at this moment.

    Attributes
    ----------
    state : StreamState
    n_samples : int
        Received.
    age_s : float or None
        Since the newest sample arrived; None before the first.
    lost_for_s : float or None
        How long it has been away, when it is not received.
    n_outages : int
        How often it was silent or lost, this time included.
    n_gaps : int
    lost_s : float
        Signal missing in all gaps, less what came after all (s).
    clock_offset_s : float
        From the sender's clock to this machine's.
    reason : str
        Why it is not received; empty when it is.
    """

    state: StreamState
    n_samples: int
    age_s: float | None
    lost_for_s: float | None
    n_outages: int
    n_gaps: int
    lost_s: float
    clock_offset_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class _Condition:
    """What is swapped whole: a reader never sees half of it."""

    state: StreamState
    reason: str
    n_outages: int


class HealthLog:
    """The acquisition thread's account of one stream.

    Parameters
    ----------
    info : StreamInfo
    opened_s : float
        When it was connected (LSL clock, s).
    silent_s : float
        Without a sample for so long, it is silent; a sender of long chunks later (`PushRhythm`).
    on_notice : callable
        Called in the acquisition thread with each `StreamNotice`.
    """

    def __init__(
        self,
        info: StreamInfo,
        opened_s: float,
        silent_s: float,
        on_notice: Callable[[StreamNotice], object],
    ) -> None:
        self._info, self._on_notice = info, on_notice
        self._silent_s = silent_s
        self._rhythm = PushRhythm(info.rate_hz)
        self._patience_s = self._rhythm.patience_s(silent_s)
        self._newest_s = opened_s
        self._n_samples = 0
        self._condition = _Condition(StreamState.RECEIVING, "", 0)
        self._gaps = (0, 0.0)
        self._clock_offset_s = 0.0

    @property
    def away(self) -> bool:
        """Whether the stream is not received, as far as was told."""
        return self._condition.state is not StreamState.RECEIVING

    def absent_s(self, now_s: float) -> float:
        """Return how long no sample has come."""
        return now_s - self._newest_s

    def received(
        self, n_samples: int, arrival_s: float, clock_offset_s: float, lost_s: float
    ) -> None:
        """Take note of samples, and of the signal that is missing before them.

        Says that they have come when none had for a while.
        """
        before, outage_s = self._n_samples, arrival_s - self._newest_s
        self._newest_s = arrival_s
        self._n_samples += n_samples
        self._rhythm.arrived(n_samples, arrival_s)
        self._patience_s = self._rhythm.patience_s(self._silent_s)
        self._clock_offset_s = clock_offset_s
        if self.away:
            what = "sends" if self._condition.state is StreamState.SILENT else "is back and sends"
            self._condition = _Condition(StreamState.RECEIVING, "", self._condition.n_outages)
            missing = f"{lost_s:.3f} s of signal are missing" if lost_s else "nothing is missing"
            self._say(f"{what} again after {outage_s:.1f} s: {missing}", before, outage_s)

    def counted(self, n_gaps: int, lost_s: float) -> None:
        """Take note of the sum of the gaps so far."""
        self._gaps = (n_gaps, lost_s)

    def silent(self, now_s: float) -> bool:
        """Return whether no sample has come for too long; say so when that is new."""
        if not self.away and self.absent_s(now_s) > self._patience_s:
            self._leave(
                StreamState.SILENT,
                f"has sent nothing for {self.absent_s(now_s):.1f} s: is the "
                "amplifier on, is its cable in?",
            )
        return self.away

    def lost(self) -> None:
        """Say that the connection has ended."""
        if self._condition.state not in (StreamState.LOST, StreamState.REFUSED):
            self._leave(
                StreamState.LOST,
                f"has closed after {self._n_samples} samples: it is looked for until it returns",
            )

    def refused(self, reason: str) -> None:
        """Say that what came back is not taken up."""
        n_outages = self._condition.n_outages + (not self.away)
        self._condition = _Condition(StreamState.REFUSED, reason, n_outages)
        self._on_notice(StreamNotice(StreamState.REFUSED, reason, self._n_samples))

    def _leave(self, state: StreamState, text: str) -> None:
        n_outages = self._condition.n_outages + (not self.away)
        self._condition = _Condition(state, text, n_outages)
        self._say(text, self._n_samples)

    def _say(self, text: str, sample: int, outage_s: float | None = None) -> None:
        whole = f"LSL stream {self._info.name!r} (source id {self._info.source_id!r}) {text}"
        self._on_notice(StreamNotice(self._condition.state, whole, sample, outage_s))

    def snapshot(self, now_s: float) -> StreamHealth:
        """Return how the stream is; from any thread."""
        condition = self._condition
        state, reason, n_outages = condition.state, condition.reason, condition.n_outages
        absent_s = max(self.absent_s(now_s), 0.0)
        if state is StreamState.RECEIVING and absent_s > self._patience_s:
            state, n_outages = StreamState.SILENT, n_outages + 1
        if state is StreamState.SILENT:  # what was said when it began is of then
            reason = f"has sent nothing for {absent_s:.1f} s: is the amplifier on, is its cable in?"
        n_gaps, lost_s = self._gaps
        return StreamHealth(
            state=state,
            n_samples=self._n_samples,
            age_s=absent_s if self._n_samples else None,
            lost_for_s=None if state is StreamState.RECEIVING else absent_s,
            n_outages=n_outages,
            n_gaps=n_gaps,
            lost_s=lost_s,
            clock_offset_s=self._clock_offset_s,
            reason=reason,
        )
