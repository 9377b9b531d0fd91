"""What a look at the streams says: there, once, as fast and as clean as they declare."""

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from bci.checks import Check, failed, ok, warning
from bci.errors import InputError
from bci.preflight.observe import Observed, Signal
from bci.preflight.plan import ExpectedStream
from bci.sources.base import StreamInfo
from bci.sources.clock import ClockReading
from bci.sources.discovery import FoundStream
from bci.sources.inlets import NUMPY_DTYPES
from bci.sources.units import implausible_volts, is_eeg, undeclared_unit_warning, unit_scale

__all__ = ["judge", "missing", "recorder_tells", "several", "tells_absence"]

#: Share of the nominal rate by which the effective one may differ: crystals differ by 1e-4, the
#: regression over a second of stamps that jitter by 10 ms errs by 4e-3.
_RATE_ODD, _RATE_WRONG = 0.02, 0.1
#: Arrival is counted in chunks, of which the last may be late.
_ARRIVAL_ODD = 0.2
_SLOW_ROUND_TRIP_S = 0.01
_OLD_S, _STALE_S = 0.2, 1.0
_ABSENT, _TWINS = "no LSL stream with", "source id"
_UNIT_ADVICE = (
    "declare the unit in the program that sends the stream, or say it where the stream is used "
    "(--unit of a command that has it, unit = ... of a daemon)"
)


def missing(expected: ExpectedStream, there: Sequence[FoundStream], reach: str) -> Check:
    """Say that a stream is not there, and which are."""
    listed = "; ".join(map(str, there)) if there else "none at all"
    say = failed if expected.required else warning
    return say(
        expected.label,
        f"{_ABSENT} {expected.query}; there are: {listed}",
        f"start its program, or name one of those that are there{reach}",
    )


def tells_absence(check: Check) -> bool:
    """Whether a check says that a stream is not there."""
    return check.detail.startswith(_ABSENT)


def recorder_tells(check: Check) -> bool:
    """Whether a recorder that begins all the same says it too: absent, or there twice."""
    return check.detail.startswith((_ABSENT, _TWINS))


def several(expected: ExpectedStream, found: Sequence[FoundStream]) -> Check | None:
    """Say that a stream is there twice, or that several could be meant; None: it is clear."""
    by_id: dict[str, list[FoundStream]] = {}
    for stream in found:
        by_id.setdefault(stream.source_id, []).append(stream)
    for source_id, same in by_id.items():
        if len(same) > 1 and source_id:
            return failed(
                expected.label,
                f"{_TWINS} {source_id!r} is there {len(same)} times, on "
                f"{' and '.join(stream.hostname for stream in same)}",
                "end all but one of the programs that send it",
            )
    if len(found) > 1 and not expected.every:
        return failed(
            expected.label,
            f"{len(found)} streams match {expected.query}: {'; '.join(map(str, found))}",
            "name the one that is meant by its source id",
        )
    return None


def judge(
    expected: ExpectedStream,
    stream: FoundStream,
    seen: Observed,
    fits: Callable[[StreamInfo], object] | None = None,
) -> Iterator[Check]:
    """Yield what is to be said of a stream that was found and looked at."""
    label = (stream.source_id or stream.name) if expected.every else expected.label
    yield _identity(label, expected, stream)
    yield _channels(f"{label}: channels", expected, seen)
    if fits is not None:
        yield _fit(f"{label}: model", fits, seen.info)
    yield _clock(f"{label}: clock", stream, seen.clock, seen.signal)
    if seen.signal is not None:
        yield _rate(f"{label}: rate", stream.rate_hz, seen.signal)
        if seen.signal.n_samples:
            yield _signal(f"{label}: signal", seen.info, seen.signal, expected.unit)


def _identity(name: str, expected: ExpectedStream, stream: FoundStream) -> Check:
    if expected.rate_hz is not None and abs(expected.rate_hz - stream.rate_hz) > 1e-3:
        return failed(
            name,
            f"{stream} declares {stream.rate_hz:g} Hz, but {expected.rate_hz:g} are expected",
            "set the amplifier's rate, or the one that is expected",
        )
    if not stream.source_id:
        return warning(
            name,
            f"{stream} has no source id: when it drops and returns, nothing says that it is the "
            "same",
            "set one in the program that sends it",
        )
    return ok(name, str(stream))


def _channels(name: str, expected: ExpectedStream, seen: Observed) -> Check:
    info = seen.info
    n_channels = len(info.channels)
    if expected.n_channels is not None and n_channels != expected.n_channels:
        return failed(
            name,
            f"{n_channels}, but {expected.n_channels} are expected",
            "mend the amplifier's settings, or the number that is expected",
        )
    absent = [label for label in expected.channels if label not in info.labels]
    if absent:
        return failed(
            name,
            f"{', '.join(absent)} missing among {', '.join(info.labels[:64])}",
            "connect or name these channels in the program that sends them",
        )
    if not n_channels or info.dtype not in NUMPY_DTYPES:
        return ok(name, f"{n_channels} of {info.dtype}" if n_channels else "none")
    try:
        unit_scale(info.channels, expected.unit)
    except InputError as error:
        return failed(name, _without_option(str(error)), _UNIT_ADVICE)
    doubled = sorted({label for label in info.labels if info.labels.count(label) > 1})
    if doubled:
        return warning(name, f"{', '.join(doubled)} more than once", "give each a name of its own")
    if told := undeclared_unit_warning(info.channels, expected.unit):
        return warning(name, f"{n_channels}; {_without_option(told)}", _UNIT_ADVICE)
    units = sorted({channel.unit for channel in info.channels if channel.unit})
    return ok(name, f"{n_channels}" + (f" in {', '.join(units)}" if units else ""))


def _without_option(text: str) -> str:
    """Leave out the advice that names an option, which not every command has."""
    return re.split("[;:] say --unit", text)[0]


def _fit(name: str, fits: Callable[[StreamInfo], object], info: StreamInfo) -> Check:
    try:
        fits(info)
    except InputError as error:
        return failed(name, str(error), "choose another model, or set the amplifier as it was")
    return ok(name, "fits the stream")


def _clock(name: str, stream: FoundStream, clock: ClockReading, signal: Signal | None) -> Check:
    detail = f"{_duration(clock.offset_s)} from ours, to {1e3 * clock.round_trip_s / 2:.2g} ms"
    age_s = signal.age_s if signal is not None else None
    # The zero of an LSL clock is arbitrary (mostly the start of the machine): an offset of days
    # between two machines is as good as one of a microsecond. Stamps of another clock are not.
    if age_s is not None:
        detail += f"; samples are {_duration(age_s)} old when they come"
        wrong = abs(age_s) > _STALE_S or age_s < -clock.round_trip_s - 0.05
        if wrong:
            return failed(
                name,
                f"{detail}: their stamps are of another clock than LSL's, or they are held back",
                "let the sender stamp with the LSL clock; restart it if it ran before a sleep",
            )
    if clock.round_trip_s > _SLOW_ROUND_TRIP_S:
        return warning(name, f"{detail}: the network is slow", "use a cable instead of a radio")
    if age_s is not None and age_s > _OLD_S:
        return warning(name, detail, "let the sender send smaller chunks")
    return ok(name, detail)


def _rate(name: str, nominal_hz: float, signal: Signal) -> Check:
    if not signal.n_samples:
        return failed(
            name,
            f"it is there, but nothing came within a second (nominal {nominal_hz:g} Hz)",
            "start the acquisition in its program",
        )
    if signal.stamped_hz is None:
        return ok(name, f"nominal {nominal_hz:g} Hz, too slow to be measured in a moment")
    detail = f"{signal.stamped_hz:.5g} Hz by {signal.n_samples} stamps, nominal {nominal_hz:g}"
    off = abs(signal.stamped_hz / nominal_hz - 1)
    advice = "mend the rate that the sender declares; look for lost samples (radio, USB, load)"
    if off > _RATE_WRONG:
        return failed(name, detail, advice)
    if off > _RATE_ODD:
        return warning(name, detail, advice)
    arrived_hz = signal.arrived_hz
    if arrived_hz is not None and abs(arrived_hz / nominal_hz - 1) > _ARRIVAL_ODD:
        return warning(
            name,
            f"{detail}, but {arrived_hz:.4g} a second arrive: stamps are made up, or the network "
            "is overloaded",
            "look for lost samples (radio, USB, load)",
        )
    return ok(name, detail)


def _signal(name: str, info: StreamInfo, signal: Signal, unit: str | None) -> Check:
    def labels(indices: Sequence[int]) -> str:
        return ", ".join(info.labels[index] for index in indices)

    if signal.not_finite:
        return warning(
            name,
            f"values that are no numbers in {labels(signal.not_finite)}",
            "look at the sender's settings for these channels",
        )
    eeg = [index for index, channel in enumerate(info.channels) if is_eeg(channel)]
    flat = [index for index in signal.flat if index in eeg] if signal.n_samples > 2 else []
    if flat:
        which = "every EEG channel" if len(flat) == len(eeg) else labels(flat)
        return warning(
            name, f"{which} does not move", "look at electrodes, reference, ground and cable"
        )
    if eeg:
        try:
            volts = signal.samples * unit_scale(info.channels, unit)
        except InputError:
            return ok(name, "moves; its unit is told above")
        if told := implausible_volts(volts[:, eeg], [info.labels[index] for index in eeg]):
            return warning(name, f"{told}: no EEG", "look at the unit, the electrodes, the gain")
        spread_uv = 1e6 * float(np.median(volts[:, eeg].std(axis=0)))
        return ok(name, f"median channel moves by {spread_uv:.3g} uV (SD over a second)")
    return ok(name, "moves" if len(signal.flat) < len(info.channels) else "constant")


def _duration(duration_s: float) -> str:
    """Return a time with its sign in a unit that fits.

    >>> [_duration(x) for x in (-0.00002, 0.5, 7.0, -11520.0)]
    ['-0.02 ms', '500 ms', '7.0 s', '-3.2 h']
    """
    size = abs(duration_s)
    if size < 1:
        return f"{1e3 * duration_s:.3g} ms"
    if size < 120:
        return f"{duration_s:.1f} s"
    return f"{duration_s / 3600:.1f} h" if size < 48 * 3600 else f"{duration_s / 86400:.1f} days"
