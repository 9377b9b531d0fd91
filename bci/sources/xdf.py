"""Recordings in XDF, as LabRecorder and Rolandic write them.

Time stamps are handed on as they were recorded, with the clock offsets beside them: a recording
then passes through the very same clock code as a live stream. Only after a reset of the sender's
clock they are carried on in the count before it (`bci.sources.xdf_clock`).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from bci.errors import ChannelError, RecordingError
from bci.events import Marker
from bci.sources.base import Channel, StreamInfo
from bci.sources.files import readable_file
from bci.sources.impedance import stream_impedances
from bci.sources.labels import canonical_label
from bci.sources.recording import Recording
from bci.sources.units import (
    declared_impedance,
    implausible_volts,
    is_eeg,
    suggested_unit,
    undeclared_unit_warning,
    unit_scale,
    with_unit,
)
from bci.sources.xdf_clock import corrected, one_clock
from bci.sources.xdf_events import RecorderEvent, is_recorder, marked_gaps, recorder_events
from bci.sources.xdf_streams import XdfFile, XdfStream, load_streams

__all__ = ["read_xdf"]

F64 = NDArray[np.float64]

_MARKER_TYPES = ("marker", "event", "stim", "trigger")


def _is_marker_stream(stream: XdfStream) -> bool:
    """Return whether a stream's samples are events: strings, or irregular codes."""
    kind = stream.text("type").lower()
    return not is_recorder(stream) and (
        stream.layout.is_text
        or (stream.layout.rate_hz == 0.0 and any(word in kind for word in _MARKER_TYPES))
    )


def _listed(streams: Sequence[XdfStream]) -> str:
    """Describe streams for a message."""
    return "; ".join(
        f"{s.name!r} (number {s.stream_id}, type {s.text('type') or 'none'}, "
        f"{s.layout.rate_hz:g} Hz, {len(s.stamps)} samples)"
        for s in streams
    )


def _choose(streams: Sequence[XdfStream], wanted: str | None, path: Path) -> XdfStream:
    """Return the EEG stream."""
    regular = [s for s in streams if not s.layout.is_text and s.layout.rate_hz > 0]
    if wanted is not None:
        fitting = [s for s in regular if s.text("name") == wanted]
        fitting = fitting or [s for s in regular if s.text("source_id") == wanted]
        fitting = fitting or [s for s in regular if str(s.stream_id) == wanted]
        problem = f"no sampled stream called {wanted!r}"
    else:
        fitting = [s for s in regular if s.text("type").upper() == "EEG"]
        problem = "no EEG stream"
    if not fitting:
        raise RecordingError(
            f"{path} holds {problem}; it has {_listed(streams)}: choose a sampled one with --stream"
        )
    filled = [s for s in fitting if len(s.stamps)]
    if not filled:
        raise RecordingError(f"{path}: stream {fitting[0].name!r} holds no samples")
    if len(filled) > 1:
        called = f"called {wanted!r}" if wanted is not None else "of type EEG"
        raise RecordingError(
            f"{path} holds {len(filled)} streams {called}: {_listed(filled)}: "
            "choose one with --stream (its name, source id or number)"
        )
    return filled[0]


def _place(location: ET.Element | None) -> tuple[float, float, float] | None:
    """Read a channel's place: millimetres by LSL's EEG meta-data, metres where senders err."""
    if location is None:
        return None
    try:
        place = np.array([float(location.findtext(axis) or "") for axis in "XYZ"])
    except ValueError:
        return None
    distance = float(np.linalg.norm(place))
    if not np.isfinite(distance) or distance == 0.0:
        return None
    if distance > 1.0:  # no electrode is a metre from the head's centre, nor within one millimetre
        place = place / 1000.0
    return (float(place[0]), float(place[1]), float(place[2]))


def _channels(stream: XdfStream, labels: Sequence[str] | None, path: Path) -> tuple[Channel, ...]:
    """Read the channels' description."""
    n_channels = stream.layout.n_channels
    if labels is not None and len(labels) != n_channels:
        raise ChannelError(
            f"{path}: {len(labels)} labels were given for the {n_channels} channels of "
            f"{stream.name!r}"
        )
    described = stream.info.findall("desc/channels/channel")
    if len(described) != n_channels:
        described = [ET.Element("channel")] * n_channels
    kind = stream.text("type") or "EEG"
    channels = []
    for index, item in enumerate(described):
        declared = labels[index] if labels is not None else _text(item, "label")
        channels.append(
            Channel(
                label=canonical_label(declared) if declared else f"ch{index + 1}",
                unit=_text(item, "unit"),
                kind=_text(item, "type") or kind,
                position_m=_place(item.find("location")),
                impedance_ohm=declared_impedance(_text(item, "impedance")),
            )
        )
    return tuple(channels)


def _text(item: ET.Element, path: str) -> str:
    return (item.findtext(path) or "").strip()


def _label(value: Any) -> str:
    """Return a marker's label; a code loses the decimals that its type gave it."""
    if isinstance(value, str):
        return value.strip()
    return str(int(value)) if float(value).is_integer() else str(float(value))


def _markers(streams: Sequence[XdfStream], events: Sequence[RecorderEvent]) -> tuple[Marker, ...]:
    """Merge all marker streams, in order of time; equal times keep the order of the file."""
    merged = []
    for stream in streams:
        if not _is_marker_stream(stream) or not len(stream.stamps):
            continue
        stamps, offsets, _ = one_clock(stream, marked_gaps(stream, events)[0])
        times = corrected(stamps, offsets)
        for time_s, values in zip(times, stream.values, strict=True):
            merged += [Marker(float(time_s), _label(v)) for v in values if _label(v)]
    return tuple(sorted(merged, key=lambda marker: marker.time_s))


def _extent_notes(file: XdfFile, eeg: XdfStream) -> list[str]:
    """Say what is missing at the end of the file, and within it."""
    notes = []
    by_id = {s.stream_id: s for s in file.streams}
    if file.n_cut_bytes:
        note = f"the file is cut: its last {file.n_cut_bytes} bytes are no complete chunk"
        stream_id, n_samples = file.torn or (0, 0)
        torn = by_id.get(stream_id)
        if torn is not None and n_samples:
            note += f", so {n_samples} samples of {torn.name!r}"
            if torn.layout.rate_hz > 0:
                note += f" ({n_samples / torn.layout.rate_hz:.3g} s)"
            note += " are missing"
        notes.append(f"{note}; whatever followed is missing too")
    elif not eeg.closed:
        notes.append(
            f"the file was not closed (no footer for {eeg.name!r}): its end may be missing"
        )
    if file.n_damaged_bytes:
        notes.append(f"{file.n_damaged_bytes} bytes within the file are damaged and were skipped")
    if file.lost_streams:
        numbers = ", ".join(str(stream_id) for stream_id in sorted(file.lost_streams))
        notes.append(f"the description of stream {numbers} is damaged: its samples are left out")
    n_missing = (eeg.n_counted or 0) - len(eeg.stamps)
    if n_missing > 0:
        notes.append(f"{n_missing} samples of {eeg.name!r} that its footer counts are missing")
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


# Damaged samples are any bits, such as NaN that signal; `check_channels` judges what is used.
@np.errstate(all="ignore")
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
        Name, source id or number of the stream; None: the only one of type EEG.

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
    file = load_streams(path)
    eeg = _choose(file.streams, stream, path)
    ohm = stream_impedances(file.streams)
    channels = tuple(
        replace(channel, impedance_ohm=ohm.get(channel.label, channel.impedance_ohm))
        for channel in _channels(eeg, labels, path)
    )
    numbers = np.asarray(eeg.values).astype(np.float64)
    samples = _volts(np.ascontiguousarray(numbers), channels, path, unit)
    events = recorder_events(file.streams)
    gaps, returns = marked_gaps(eeg, events)
    stamps, offsets, n_resets = one_clock(eeg, gaps)
    notes = [undeclared_unit_warning(channels, unit), *_extent_notes(file, eeg)]
    if n_resets:
        notes.append(f"the clock of {eeg.name!r} was reset ({n_resets} x): expect a gap there")
    if gaps:
        notes.append(
            f"{len(gaps)} gap{'s' if len(gaps) > 1 else ''} in {eeg.name!r}, marked by the recorder"
        )
    dtype = eeg.layout.dtype
    return Recording(
        path=path,
        info=StreamInfo(
            name=eeg.text("name"),
            kind=eeg.text("type"),
            source_id=eeg.text("source_id"),
            rate_hz=eeg.layout.rate_hz,
            channels=with_unit(channels, unit),
            dtype="float64" if dtype == "double64" else dtype,
            hostname=eeg.text("hostname"),
        ),
        samples=samples,
        stamps=stamps,
        clock_offsets=offsets,
        markers=_markers(file.streams, events),
        gaps=gaps,
        returns=returns,
        warnings=tuple(note for note in notes if note),
    )
