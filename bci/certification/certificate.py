"""What was measured, and whether it passes."""

from dataclasses import asdict, dataclass
from typing import Any

from bci.checks import Check, failed, ok, warning
from bci.online.latency import LatencyReport, Spread

__all__ = ["Certificate", "Measured", "judge"]

#: BCI2000's limits (ms): amplifier and processing by their median, processing by its SD too.
AMPLIFIER_MS, PROCESSING_MS, PROCESSING_SD_MS = 7.0, 20.0, 10.0
#: Ours (ms), of processing, and of acquisition beyond the length of a chunk.
OURS_MEDIAN_MS, OURS_P99_MS = 2.0, 5.0
#: Share of decisions that may be dropped or withheld because they were late.
_LATE_SHARE = 0.001
#: Relative difference of the effective from the nominal rate, and a clock offset out of place (s).
_RATE_OFF = 0.002
#: A bare thread that wakes later than this (ms, p99): the machine is busy with something else.
_BUSY_MS = 2.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run gave.

    Attributes
    ----------
    stream, hostname : str
    rate_hz, effective_hz : float
        Nominal, and as received.
    n_channels : int
    seconds : float
    model : str
        What decoded.
    latency : LatencyReport
    amplifier_s : float or None
        Stored offset of the device.
    clock_offset_s : float
    floor : Spread or None
        How late a bare thread woke meanwhile.
    n_received : int
        Samples that arrived while it was measured.
    n_recorded, n_missing : int
        In the file, and those that were due in it and are not.
    n_gaps : int
        In the signal as it came.
    lost_s : float
        Signal that the sender never delivered.
    cancelled : bool
        Ended before its time.
    """

    stream: str
    hostname: str
    rate_hz: float
    effective_hz: float
    n_channels: int
    seconds: float
    model: str
    latency: LatencyReport
    amplifier_s: float | None
    clock_offset_s: float
    floor: Spread | None
    n_received: int
    n_recorded: int
    n_missing: int
    n_gaps: int
    lost_s: float
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was measured, and what it was judged.

    Attributes
    ----------
    measured : Measured
    bci2000, ours : tuple of Check
        By BCI2000's limits and by ours.
    """

    measured: Measured
    bci2000: tuple[Check, ...]
    ours: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not any(check.status == "failed" for check in (*self.bci2000, *self.ours))

    @property
    def busy(self) -> bool:
        """Whether the machine woke even a bare thread late: a failure may be of the load."""
        floor = self.measured.floor
        return floor is not None and floor.p99 > _BUSY_MS

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON; times in ms, unless the name says s."""
        measured = asdict(self.measured) | {"latency_ms": self.measured.latency.as_dict()}
        measured["floor_ms"] = measured.pop("floor")
        del measured["latency"]
        return {
            "passed": self.passed,
            "passed_bci2000": not any(c.status == "failed" for c in self.bci2000),
            "passed_ours": not any(c.status == "failed" for c in self.ours),
            "machine_busy": self.busy,
            "bci2000": [check.as_dict() for check in self.bci2000],
            "ours": [check.as_dict() for check in self.ours],
            **measured,
        }


def judge(measured: Measured) -> Certificate:
    """Judge what was measured."""
    floor = measured.floor
    cure, cable = (
        "use a longer hop, fewer channels or a smaller order",
        "use a cable in place of radio, and shorter chunks where you can",
    )
    if floor is not None and floor.p99 > _BUSY_MS:
        busy = (
            f"even a bare thread woke {floor.p99:.1f} ms late (p99): the machine is busy; end "
            "other programs and certify again, else "
        )
        cure, cable = busy + cure, busy + cable
    return Certificate(
        measured,
        (_amplifier(measured), _processing(measured, cure)),
        (
            _decisions(measured, cure),
            _acquisition(measured, cable),
            _late(measured, cure),
            _samples(measured),
            _clock(measured),
            _machine(measured),
        ),
    )


def _said(spread: Spread) -> str:
    return (
        f"median {spread.median:.2f} ms, p99 {spread.p99:.2f}, worst {spread.worst:.1f}, SD "
        f"{spread.sd:.2f}, n {spread.n}"
    )


def _none(name: str) -> Check:
    return failed(name, "no decision was issued", "see what the other checks say, and try again")


def _amplifier(measured: Measured) -> Check:
    """Judge the way from the electrode to the ring, as far as it can be seen."""
    name, spread = "amplifier", measured.latency.stages.get("acquisition")
    if spread is None:
        return _none(name)
    own_ms = 1e3 * (measured.amplifier_s or 0.0)
    median_ms = spread.median + own_ms
    detail = f"median {median_ms:.1f} ms of {AMPLIFIER_MS:g} (sample to ring)"
    if measured.amplifier_s is None:
        detail += (
            "; what LSL cannot see, the sample's age at its stamp, is not known: measure it, and "
            f"store it with --set-offset '{measured.stream}=7.7ms'"
        )
    else:
        detail += f", of these {own_ms:.1f} ms in the device, as stored"
    if median_ms >= AMPLIFIER_MS:
        return failed(name, detail, "choose shorter chunks in the amplifier's driver")
    return ok(name, detail)


def _processing(measured: Measured, advice: str) -> Check:
    name, spread = "processing", measured.latency.stages.get("processing")
    if spread is None:
        return _none(name)
    detail = f"{_said(spread)}; limits: median {PROCESSING_MS:g}, SD {PROCESSING_SD_MS:g}"
    if spread.median >= PROCESSING_MS or spread.sd >= PROCESSING_SD_MS:
        return failed(name, detail, advice)
    return ok(name, detail)


def _decisions(measured: Measured, advice: str) -> Check:
    name, spread = "visible to command", measured.latency.stages.get("processing")
    if spread is None:
        return _none(name)
    detail = f"{_said(spread)}; limits: median {OURS_MEDIAN_MS:g}, p99 {OURS_P99_MS:g}"
    if spread.median >= OURS_MEDIAN_MS or spread.p99 >= OURS_P99_MS:
        return failed(name, detail, advice)
    return ok(name, detail)


def _acquisition(measured: Measured, advice: str) -> Check:
    """Judge what the network and the reader add to the wait for the rest of a chunk."""
    name, spread = "sample to ring", measured.latency.stages.get("acquisition")
    if spread is None:
        return _none(name)
    chunk_ms = measured.latency.lengths.chunk
    detail = f"{_said(spread)}; chunks of {chunk_ms:.1f} ms"
    if spread.p99 >= chunk_ms + OURS_P99_MS:
        return warning(name, detail, advice)
    return ok(name, detail)


def _late(measured: Measured, advice: str) -> Check:
    name, latency = "decisions in time", measured.latency
    n_late = latency.n_late + latency.n_overran
    detail = (
        f"{latency.n_decisions} decisions: {latency.n_late} dropped late, {latency.n_overran} "
        f"withheld (over a hop), {latency.n_slow} slow (over three quarters of one)"
    )
    if not latency.n_decisions:
        return _none(name)
    if n_late > _LATE_SHARE * latency.n_decisions:
        return failed(name, detail, advice)
    if n_late or latency.n_slow:
        return warning(name, detail, advice)
    return ok(name, detail)


def _samples(measured: Measured) -> Check:
    name = "samples lost"
    detail = (
        f"{measured.n_received} received, {measured.n_recorded} in the file, {measured.n_missing} "
        f"missing there; {measured.n_gaps} gaps in the signal, {measured.lost_s:.2f} s"
    )
    if measured.n_missing:
        return failed(name, detail, "this is a fault of Rolandic or of the disk: report it")
    if measured.n_gaps:
        return failed(name, detail, "the amplifier or the network loses samples: check the cable")
    return ok(name, detail)


def _clock(measured: Measured) -> Check:
    name = "clock"
    off = measured.effective_hz / measured.rate_hz - 1 if measured.rate_hz else 0.0
    detail = (
        f"{measured.effective_hz:.3f} Hz of {measured.rate_hz:g} ({1e6 * off:+.0f} ppm); the "
        f"sender's clock is off by {1e3 * measured.clock_offset_s:.3f} ms, and corrected"
    )
    if abs(off) > _RATE_OFF:
        return failed(name, detail, "set the rate that the amplifier's driver declares")
    return ok(name, detail)


def _machine(measured: Measured) -> Check:
    name, floor = "this machine", measured.floor
    if floor is None:
        return warning(name, "its own wake-up was not measured", "certify for longer")
    detail = f"a bare thread wakes late by {_said(floor)}"
    if floor.p99 > _BUSY_MS:
        return warning(name, detail, "end other programs: nothing here can be quicker than that")
    return ok(name, detail)
