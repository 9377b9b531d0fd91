"""Recordings in XDF, as LabRecorder and Rolandic write them.

Time stamps are handed on as they were recorded, with the clock offsets beside them: a recording
then passes through the very same clock code as a live stream.
"""

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyxdf
from numpy.typing import NDArray

from bci.errors import ChannelError, RecordingError
from bci.events import Marker
from bci.sources.base import Channel, StreamInfo
from bci.sources.files import readable_file
from bci.sources.labels import canonical_label
from bci.sources.recording import Recording
from bci.sources.units import (
    implausible_volts,
    is_eeg,
    suggested_unit,
    undeclared_unit_warning,
    unit_scale,
    with_unit,
)
from bci.sources.xdf_chunks import XdfExtent, open_head, open_xdf_bytes, scan_chunks

__all__ = ["read_xdf"]

log = logging.getLogger(__name__)

F64 = NDArray[np.float64]
Stream = Mapping[str, Any]

#: Clock offsets drift by parts in a million: a step of a second is another clock.
_RESET_S = 1.0
_MARKER_TYPES = ("marker", "event", "stim", "trigger")


class _Kept(logging.Handler):
    """Keeps what pyxdf logs instead of letting it reach the screen."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def _pyxdf_log() -> Iterator[_Kept]:
    """Collect pyxdf's log."""
    logger = logging.getLogger("pyxdf")
    kept, propagate = _Kept(), logger.propagate
    logger.addHandler(kept)
    logger.propagate = False
    try:
        yield kept
    finally:
        logger.propagate = propagate
        logger.removeHandler(kept)


def _load(path: Path) -> tuple[list[Stream], XdfExtent, list[str]]:
    """Read the whole chunks of a file."""
    with open_xdf_bytes(path) as file:
        extent = scan_chunks(file)
        if not extent.opened:
            raise RecordingError(
                f"{path} holds no stream: its {extent.n_bytes} bytes end before the first one"
            )
        with _pyxdf_log() as kept, np.errstate(all="ignore"):
            try:
                streams, _ = pyxdf.load_xdf(
                    open_head(file, extent.n_whole_bytes),
                    synchronize_clocks=False,
                    dejitter_timestamps=False,
                )
            except Exception as error:
                log.debug("pyxdf cannot read %s", path, exc_info=True)
                raise RecordingError(
                    f"{path} is damaged: its XDF content cannot be read "
                    f"({type(error).__name__}: {str(error)[:120]})"
                ) from error
    for line in kept.said:
        log.debug("pyxdf on %s: %s", path, line)
    return list(streams), extent, [line for line in kept.said if "corrupt" in line]


def _text(node: Any, *keys: str) -> str:
    """Return the text of the first element on a way through pyxdf's XML, empty if none."""
    for key in keys:
        found = node.get(key) if isinstance(node, Mapping) else None
        node = found[0] if found else None
    return node.strip() if isinstance(node, str) else ""


def _rate(stream: Stream) -> float:
    """Return the nominal rate (Hz), 0 for an irregular stream."""
    return float(_text(stream["info"], "nominal_srate") or 0.0)


def _name(stream: Stream) -> str:
    """Return a stream's name, as messages show it."""
    return _text(stream["info"], "name") or f"stream {stream['info']['stream_id']}"


def _is_text(stream: Stream) -> bool:
    """Return whether a stream's samples are strings."""
    return _text(stream["info"], "channel_format") == "string"


def _is_marker_stream(stream: Stream) -> bool:
    """Return whether a stream's samples are events: strings, or irregular codes."""
    kind = _text(stream["info"], "type").lower()
    return _is_text(stream) or (
        _rate(stream) == 0.0 and any(word in kind for word in _MARKER_TYPES)
    )


def _listed(streams: Sequence[Stream]) -> str:
    """Describe streams for a message."""
    return "; ".join(
        f"{_name(s)!r} (type {_text(s['info'], 'type') or 'none'}, {_rate(s):g} Hz, "
        f"{len(s['time_stamps'])} samples)"
        for s in streams
    )


def _choose(streams: list[Stream], wanted: str | None, path: Path) -> Stream:
    """Return the EEG stream."""
    regular = [s for s in streams if not _is_text(s) and _rate(s) > 0]
    if wanted is not None:
        fitting = [s for s in regular if _name(s) == wanted]
        problem = f"no sampled stream called {wanted!r}"
    else:
        fitting = [s for s in regular if _text(s["info"], "type").upper() == "EEG"]
        problem = "no EEG stream"
    if not fitting:
        raise RecordingError(
            f"{path} holds {problem}; it has {_listed(streams)}: choose a sampled one with --stream"
        )
    filled = [s for s in fitting if len(s["time_stamps"])]
    if not filled:
        raise RecordingError(f"{path}: stream {_name(fitting[0])!r} holds no samples")
    if len(filled) > 1:
        called = f"called {wanted!r}" if wanted is not None else "of type EEG"
        raise RecordingError(
            f"{path} holds {len(filled)} streams {called}: {_listed(filled)}: "
            "choose one with --stream"
        )
    return filled[0]


def _place(location: Any) -> tuple[float, float, float] | None:
    """Read a channel's place: millimetres by LSL's EEG meta-data, metres where senders err."""
    try:
        place = np.array([float(_text(location, axis)) for axis in "XYZ"])
    except ValueError:
        return None
    distance = float(np.linalg.norm(place))
    if not np.isfinite(distance) or distance == 0.0:
        return None
    if distance > 1.0:  # no electrode is a metre from the head's centre, nor within one millimetre
        place = place / 1000.0
    return (float(place[0]), float(place[1]), float(place[2]))


def _channels(stream: Stream, labels: Sequence[str] | None, path: Path) -> tuple[Channel, ...]:
    """Read the channels' description."""
    info = stream["info"]
    n_channels = int(_text(info, "channel_count"))
    if labels is not None and len(labels) != n_channels:
        raise ChannelError(
            f"{path}: {len(labels)} labels were given for the {n_channels} channels of "
            f"{_name(stream)!r}"
        )
    node: Any = info
    for key in ("desc", "channels"):
        found = node.get(key) if isinstance(node, Mapping) else None
        node = found[0] if found else None
    described: list[Any] = (node.get("channel") or []) if isinstance(node, Mapping) else []
    if len(described) != n_channels:
        described = [None] * n_channels
    kind = _text(info, "type") or "EEG"
    channels = []
    for index, item in enumerate(described):
        location = item.get("location") if isinstance(item, Mapping) else None
        declared = labels[index] if labels is not None else _text(item, "label")
        channels.append(
            Channel(
                label=canonical_label(declared) if declared else f"ch{index + 1}",
                unit=_text(item, "unit"),
                kind=_text(item, "type") or kind,
                position_m=_place(location[0]) if location else None,
            )
        )
    return tuple(channels)


def _clock_offsets(stream: Stream, path: Path) -> tuple[F64, int]:
    """Return the clock offsets in order of the sender's time, and how often its clock was reset.

    Where one clock gives way to another a point is put on either side of the middle between
    them, so that interpolation steps from one to the other instead of sliding.

    Raises
    ------
    RecordingError
        When a clock that was reset counts over times that it had counted before.
    """
    table = np.column_stack(
        [np.asarray(stream["clock_times"], float), np.asarray(stream["clock_values"], float)]
    ).reshape(-1, 2)
    table = table[np.isfinite(table).all(axis=1)]
    steps = (np.diff(table[:, 0]) < 0) | (np.abs(np.diff(table[:, 1])) > _RESET_S)
    if not steps.any():
        return table, 0
    pieces = np.split(table, np.flatnonzero(steps) + 1)
    pieces.sort(key=lambda piece: float(piece[0, 0]))
    joined = [pieces[0]]
    for before, after in itertools.pairwise(pieces):
        if after[0, 0] <= before[-1, 0]:
            raise RecordingError(
                f"{path}: the clock of {_name(stream)!r} was reset and counts the same times "
                "twice: its samples cannot be placed"
            )
        middle = (before[-1, 0] + after[0, 0]) / 2
        bridge = [[middle, before[-1, 1]], [np.nextafter(middle, np.inf), after[0, 1]]]
        joined += [np.array(bridge), after]
    return np.concatenate(joined), int(np.count_nonzero(steps))


def _corrected(stamps: F64, offsets: F64) -> F64:
    """Return time stamps on the recording machine's clock."""
    return stamps + np.interp(stamps, offsets[:, 0], offsets[:, 1]) if len(offsets) else stamps


def _label(value: Any) -> str:
    """Return a marker's label; a code loses the decimals that its type gave it."""
    if isinstance(value, str):
        return value.strip()
    return str(int(value)) if float(value).is_integer() else str(float(value))


def _markers(streams: Sequence[Stream], path: Path) -> tuple[Marker, ...]:
    """Merge all marker streams, in order of time; equal times keep the order of the file."""
    merged = []
    for stream in streams:
        if not _is_marker_stream(stream) or not len(stream["time_stamps"]):
            continue
        stamps = np.asarray(stream["time_stamps"], float)
        times = _corrected(stamps, _clock_offsets(stream, path)[0])
        for time_s, values in zip(times, stream["time_series"], strict=True):
            merged += [Marker(float(time_s), _label(v)) for v in values if _label(v)]
    return tuple(sorted(merged, key=lambda marker: marker.time_s))


def _extent_notes(extent: XdfExtent, streams: Sequence[Stream], eeg: Stream) -> list[str]:
    """Say what is missing at the end of the file, and within it."""
    notes = []
    by_id = {s["info"]["stream_id"]: s for s in streams}
    if extent.n_cut_bytes:
        note = f"the file is cut: its last {extent.n_cut_bytes} bytes are no complete chunk"
        torn = by_id.get(extent.cut_stream)
        if torn is not None and extent.n_cut_samples:
            note += f", so {extent.n_cut_samples} samples of {_name(torn)!r}"
            if (rate_hz := _rate(torn)) > 0:
                note += f" ({extent.n_cut_samples / rate_hz:.3g} s)"
            note += " are missing"
        notes.append(f"{note}; whatever followed is missing too")
    elif eeg["info"]["stream_id"] not in extent.closed:
        notes.append(
            f"the file was not closed (no footer for {_name(eeg)!r}): its end may be missing"
        )
    if extent.n_damaged_bytes:
        notes.append(f"{extent.n_damaged_bytes} bytes within the file are damaged and were skipped")
    return notes


def _volts(numbers: F64, channels: tuple[Channel, ...], path: Path, unit: str | None) -> F64:
    """Convert to volts; refuse amplitudes that cannot be EEG."""
    try:
        scale = unit_scale(channels, unit)
    except ChannelError as error:
        raise ChannelError(f"{path}: {error}") from error
    samples = numbers * scale
    eeg = [index for index, channel in enumerate(channels) if is_eeg(channel)]
    why = implausible_volts(samples[:, eeg], [channels[i].label for i in eeg]) if eeg else None
    if why is not None:
        units = sorted({channels[i].unit or "none" for i in eeg})
        source = f"--unit {unit}" if unit is not None else f"the declared unit ({', '.join(units)})"
        raise RecordingError(
            f"{path}: {why} with {source}: that is no EEG; say --unit "
            f"{suggested_unit(numbers[:, eeg])} if that is what it holds"
        )
    return samples


def read_xdf(
    path: Path,
    *,
    unit: str | None = None,
    labels: Sequence[str] | None = None,
    stream: str | None = None,
) -> Recording:
    """Read one EEG stream and all markers of an XDF file.

    Parameters
    ----------
    path : Path
    unit : str or None
        Unit of the EEG channels, whatever the stream declares.
    labels : sequence of str or None
        Names of the stream's channels, in place of those declared.
    stream : str or None
        Name of the stream; None: the only one of type EEG.

    Returns
    -------
    Recording
        With all channels of the stream. A file that was cut is read up to its cut, and
        `warnings` says how much is missing.

    Raises
    ------
    RecordingError
        When the file is missing, empty, damaged, no XDF, or has no such stream or several; when
        amplitudes cannot be EEG.
    ChannelError
        When `labels` are not as many as the channels, or a unit is no voltage.
    SettingsError
        When `unit` is no voltage.
    """
    path = readable_file(Path(path))
    streams, extent, damage = _load(path)
    eeg = _choose(streams, stream, path)
    info = eeg["info"]
    channels = _channels(eeg, labels, path)
    numbers = np.asarray(eeg["time_series"]).astype(np.float64)
    samples = _volts(np.ascontiguousarray(numbers), channels, path, unit)
    offsets, n_resets = _clock_offsets(eeg, path)
    notes = [undeclared_unit_warning(channels, unit), *_extent_notes(extent, streams, eeg)]
    if n_resets:
        notes.append(f"the clock of {_name(eeg)!r} was reset ({n_resets} x): expect a gap there")
    if damage:
        notes.append(f"{len(damage)} chunks are damaged and were left out")
    dtype = _text(info, "channel_format")
    return Recording(
        path=path,
        info=StreamInfo(
            name=_text(info, "name"),
            kind=_text(info, "type"),
            source_id=_text(info, "source_id"),
            rate_hz=_rate(eeg),
            channels=with_unit(channels, unit),
            dtype="float64" if dtype == "double64" else dtype,
            hostname=_text(info, "hostname"),
        ),
        samples=samples,
        stamps=np.asarray(eeg["time_stamps"], dtype=np.float64),
        clock_offsets=offsets,
        markers=_markers(streams, path),
        warnings=tuple(note for note in notes if note),
    )
