"""What the strips of the window show of the signals, ten times a second: nothing here waits."""

from dataclasses import dataclass, replace

from bci.acquisition import Acquisition
from bci.experiment.electrodes import ElectrodeWatch
from bci.recording.status import RecorderStatus
from bci.signal.quality_words import grade
from bci.sources.clock import lsl_clock

__all__ = ["SignalsSnapshot", "of_stream", "with_recorder"]


@dataclass(frozen=True, slots=True)
class SignalsSnapshot:
    """How the signals and their recording are.

    Attributes
    ----------
    stream : str
        Its name; empty: none is connected.
    rate_hz : float
    n_channels : int
    simulated : bool
    connecting : bool
    state : str
        Value of `StreamState`, or ``"none"``: no stream is connected.
    reason : str
        Why it is not received.
    age_ms : float or None
        From when the newest sample was taken to now; None before the first.
    labels : tuple of str
        Of the EEG channels.
    qualities : tuple of str
        Their words, of `bci.signal.quality.QUALITIES`; empty texts while unknown.
    bad : frozenset of str
        Channels that were marked bad: they count as not good.
    n_good, n_total : int
        Channels that can be used (good, or they only deserve care), of all that are EEG.
    recording : bool
        Whether a recorder writes now.
    file : str
        Its file, or that of the last run.
    recorded_s : float
    recorded_bytes : int
    disk_left_h : float or None
        Until the disk is full, at the rate of the recording (h); None while that is unknown.
    disk_free_bytes : int or None
        Where recordings go.
    recorder_error : str
        Why nothing is written any more.
    """

    stream: str = ""
    rate_hz: float = 0.0
    n_channels: int = 0
    simulated: bool = False
    connecting: bool = False
    state: str = "none"
    reason: str = ""
    age_ms: float | None = None
    labels: tuple[str, ...] = ()
    qualities: tuple[str, ...] = ()
    bad: frozenset[str] = frozenset()
    n_good: int = 0
    n_total: int = 0
    recording: bool = False
    file: str = ""
    recorded_s: float = 0.0
    recorded_bytes: int = 0
    disk_left_h: float | None = None
    disk_free_bytes: int | None = None
    recorder_error: str = ""


def of_stream(
    acquisition: Acquisition,
    watch: ElectrodeWatch | None,
    bad: frozenset[str],
    *,
    simulated: bool,
    in_the_past: bool,
) -> SignalsSnapshot:
    """Return how a connected stream is.

    Parameters
    ----------
    acquisition : Acquisition
    watch : ElectrodeWatch or None
    bad : frozenset of str
        Channels that were marked bad.
    simulated : bool
    in_the_past : bool
        A simulated person lives in the past, to run faster than real time: its samples are as old
        as their arrival.
    """
    info, health = acquisition.info, acquisition.health
    seen = watch.seen if watch is not None else None
    labels, words = (seen.labels, seen.quality) if seen is not None else ((), ())
    n_good = sum(
        grade(word) in ("good", "care") and label not in bad
        for label, word in zip(labels, words, strict=True)
    )
    return SignalsSnapshot(
        stream=info.name,
        rate_hz=info.rate_hz,
        n_channels=len(info.channels),
        simulated=simulated,
        state=health.state.value,
        reason=health.reason,
        age_ms=_age_ms(acquisition, in_the_past=in_the_past),
        labels=labels,
        qualities=words,
        bad=bad,
        n_good=n_good,
        n_total=len(labels),
        disk_free_bytes=watch.free_bytes if watch is not None else None,
    )


def with_recorder(
    snapshot: SignalsSnapshot, status: RecorderStatus | None, *, running: bool
) -> SignalsSnapshot:
    """Add how the recorder of a run is.

    Parameters
    ----------
    snapshot : SignalsSnapshot
    status : RecorderStatus or None
    running : bool
        Whether the run is going on.
    """
    if status is None:
        return snapshot
    return replace(
        snapshot,
        recording=running and not status.finished and status.error is None,
        file=status.path.name,
        recorded_s=status.duration_s,
        recorded_bytes=status.n_bytes,
        disk_left_h=None if status.disk_left_s is None else status.disk_left_s / 3600.0,
        recorder_error=status.error or "",
    )


def _age_ms(acquisition: Acquisition, *, in_the_past: bool) -> float | None:
    ring = acquisition.ring
    window = ring.window(ring.n_written, 1)
    if window is None:
        return None
    since = window.arrivals if in_the_past else window.times
    return max(0.0, 1e3 * (lsl_clock() - float(since[-1])))
