"""Recordings in any format that MNE reads: EDF, BDF, GDF, BrainVision, FIF, EEGLAB, CNT, ...

MNE gives volts where the file names a unit that it knows and takes bare numbers for volts. Here
the unit is checked against the amplitudes, a cut or discontinuous EDF is told apart from a whole
one, and nothing that MNE says reaches the screen.
"""

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bci.errors import ChannelError, RecordingError
from bci.events import Marker
from bci.sources.base import Channel, StreamInfo
from bci.sources.edf_header import (
    EdfHeader,
    is_text_damaged,
    read_edf_header,
    record_onsets,
)
from bci.sources.files import readable_file
from bci.sources.labels import canonical_label, standard_position
from bci.sources.recording import Recording
from bci.sources.units import (
    declared_impedance,
    implausible_volts,
    suggested_unit,
    unit_scale,
    volts_per,
)

__all__ = ["read_mne"]

log = logging.getLogger(__name__)

F64 = NDArray[np.float64]

_FORMATS = "XDF, EDF, BDF, GDF, BrainVision (.vhdr), FIF, EEGLAB (.set), CNT"
_HEAD_FRAME = 4  # FIFF.FIFFV_COORD_HEAD

#: Signals that EDF writers put beside the EEG and that MNE types as EEG.
_AUXILIARY = re.compile(
    r"^(?:(?:POL|EXT)\s+)?(?:[VH]?EOG|ECG|EKG|EMG|TRIG|STATUS|STI|MARK|EVENT|RESP|GSR|EDA|TEMP|ACC"
    r"|GYR|MAG[XYZ]|AUX|DC\s?\d|PHOTO|SP?O2|PULS|PLETH|COUNT|BATT|PACK|TIME|SAMPLE|CHIN|LEG|SNORE"
    r"|FLOW|THOR|ABDO|LIGHT|SOUND|AUDIO|EXG\d)",
    re.IGNORECASE,
)
_BOUNDARY = re.compile(r"^(?:boundary|(?:BAD|EDGE)[ _]boundary|New Segment/.*)$", re.IGNORECASE)

#: Dimensions that MNE's EDF reader converts; every other it takes for volts.
_MNE_EDF_SCALE = {"uV": 1e-6, "μV": 1e-6, "µV": 1e-6, "\x83\xcaV": 1e-6, "mV": 1e-3}


@dataclass(frozen=True, slots=True)
class _Declared:
    """A channel's label and unit in the file, and what MNE multiplied its numbers by."""

    label: str
    unit: str
    scale: float


@contextmanager
def _quiet() -> Iterator[None]:
    """Let MNE say nothing: neither log nor warn."""
    import mne

    with warnings.catch_warnings(), mne.use_log_level("CRITICAL"):
        warnings.simplefilter("ignore")
        yield


def is_auxiliary(label: str) -> bool:
    """Return whether a label names a signal that is no EEG."""
    return standard_position(label) is None and _AUXILIARY.match(label.strip()) is not None


def _open(path: Path, header: EdfHeader | None) -> Any:
    """Let MNE open the file; its failures become a RecordingError."""
    import mne

    options: dict[str, Any] = {}
    if header is not None:
        # MNE raises slower signals to the fastest one's rate: leave out what is no EEG and differs.
        eeg = {header.n_per_record[i] for i in header.signals if not is_auxiliary(header.labels[i])}
        options["exclude"] = [
            header.labels[i]
            for i in header.signals
            if is_auxiliary(header.labels[i]) and header.n_per_record[i] not in eeg
        ]
    try:
        try:
            return mne.io.read_raw(path, verbose="CRITICAL", **options)
        except Exception as error:
            if "latin1" not in str(error):
                raise
            log.debug("annotations of %s are not UTF-8", path)
            return mne.io.read_raw(path, verbose="CRITICAL", encoding="latin1", **options)
    except Exception as error:
        log.debug("MNE cannot read %s", path, exc_info=True)
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise RecordingError(
            f"{path} cannot be read ({lines[0][:160]}): give one of {_FORMATS}"
        ) from error


def _declared(raw: Any, path: Path, header: EdfHeader | None) -> list[_Declared]:
    """Return what the file says of each of MNE's channels."""
    if header is not None:
        kept = [
            _Declared(header.labels[i], header.units[i], _MNE_EDF_SCALE.get(header.units[i], 1.0))
            for i in header.signals
        ]
        names = set(raw.ch_names)
        if len(kept) != len(raw.ch_names):  # some were excluded
            kept = [item for item in kept if item.label in names]
        if len(kept) == len(raw.ch_names):
            return kept
    units: dict[str, str] = getattr(raw, "_orig_units", {})
    # Formats that fix their unit: MNE names none then, and its numbers are volts. EEGLAB's are
    # microvolts by convention.
    fixed = ("uV", 1e-6) if path.suffix.lower() == ".set" else ("V", 1.0)
    declared = []
    for name in raw.ch_names:
        unit = units.get(name, "n/a") if units else fixed[0]
        scale = (volts_per(unit) or 1.0) if units else fixed[1]
        declared.append(_Declared(name, unit, scale))
    return [_Declared(d.label, "" if d.unit == "n/a" else d.unit, d.scale) for d in declared]


def _eeg_picks(raw: Any, declared: list[_Declared], path: Path) -> list[int]:
    """Return MNE's EEG channels, without those that only the label tells apart."""
    kinds = raw.get_channel_types()
    picks = [
        index
        for index, (kind, channel) in enumerate(zip(kinds, declared, strict=True))
        if kind == "eeg" and not is_auxiliary(channel.label)
    ]
    if not picks:
        there = ", ".join(sorted(set(kinds))) or "none"
        raise RecordingError(f"{path} holds no EEG channels (its channels are: {there})")
    return picks


def _position(ch: Any) -> tuple[float, float, float] | None:
    """Return a channel's measured place, if the file has one."""
    place = np.asarray(ch["loc"][:3], dtype=float)
    if ch["coord_frame"] != _HEAD_FRAME or not np.isfinite(place).all() or not place.any():
        return None
    return (float(place[0]), float(place[1]), float(place[2]))


def _to_volts(
    samples: F64, declared: list[_Declared], path: Path, unit: str | None
) -> tuple[F64, list[str]]:
    """Convert MNE's numbers to volts and refuse what cannot be EEG.

    Where MNE's conversion is right its values stay as they are, to the last bit.
    """
    channels = [Channel(item.label, item.unit) for item in declared]
    known = np.array([volts_per(item.unit) or np.nan for item in declared])
    mne_scale = np.array([item.scale for item in declared])
    # A bare number is a volt, as MNE has it, unless the user says otherwise.
    scale = np.where(np.isnan(known), 1.0, known) if unit is None else unit_scale(channels, unit)
    differs = scale != mne_scale
    if differs.any():
        factor = np.where(differs, scale / mne_scale, 1.0)
        samples = samples * factor
    silent = [item.label for item, volts in zip(declared, known, strict=True) if np.isnan(volts)]
    why = implausible_volts(samples, [item.label for item in declared])
    if why is not None:
        offer = suggested_unit(samples / scale)
        if unit is not None:
            raise RecordingError(f"{path}: {why} with --unit {unit}: say --unit {offer}")
        if silent:
            raise RecordingError(
                f"{path}: {why} and the file names no unit: they cannot be volts; "
                f"say --unit {offer}"
            )
        units = ", ".join(sorted({item.unit for item in declared}))
        raise RecordingError(
            f"{path}: {why}, too {'much' if 'reach' in why else 'little'} for EEG in the unit "
            f"that the file declares ({units}); say --unit {offer} if that is what it holds"
        )
    notes = []
    if unit is None and silent:
        which = "no unit" if len(silent) == len(declared) else f"no unit of {', '.join(silent)}"
        notes.append(f"the file names {which}: taken for volts; say --unit if that is wrong")
    return np.ascontiguousarray(samples), notes


def _markers(raw: Any) -> tuple[Marker, ...]:
    """Return the annotations, timed from the first sample.

    MNE keeps onsets from the start of the measurement; the first sample lies `first_time` later
    where a file was cropped.
    """
    first_s = float(raw.first_time)
    found = [
        Marker(float(onset) - first_s, str(text).strip())
        for onset, text in zip(raw.annotations.onset, raw.annotations.description, strict=True)
        if str(text).strip()
    ]
    return tuple(sorted(found, key=lambda marker: marker.time_s))


def _stamps(
    n_samples: int, rate_hz: float, path: Path, header: EdfHeader | None
) -> tuple[F64, list[str]]:
    """Return the samples' times from the first, and what to say of their gaps."""
    stamps = np.arange(n_samples) / rate_hz
    if header is None or not (header.discontinuous and header.annotations):
        return stamps, []
    onsets = record_onsets(path, header)
    n_per_record, rest = divmod(n_samples, header.n_records_held)
    lag = onsets - np.arange(len(onsets)) * header.record_s
    if rest or not np.ptp(lag) > 0.5 / rate_hz:
        return stamps, []
    n_gaps = int(np.count_nonzero(np.diff(lag) > 0.5 / rate_hz))
    return stamps + np.repeat(lag, n_per_record), [f"gaps in the recording (EDF+D): {n_gaps}"]


def _file_notes(
    raw: Any, path: Path, header: EdfHeader | None, markers: Sequence[Marker]
) -> list[str]:
    """Return what the user should know of the file as such."""
    notes = []
    if header is not None:
        if is_text_damaged(path):
            notes.append(
                "the file was copied as text (every line feed byte follows a carriage return): "
                "its samples are shifted and mean little; copy it again as binary"
            )
        if header.n_records < 0:
            notes.append("the header does not say how many records there are: all were read")
        elif header.n_records_held > header.n_records:
            notes.append(
                f"the header promises {header.n_records} records and the file holds "
                f"{header.n_records_held}: MNE decided how many to read"
            )
        eeg = {header.n_per_record[i] for i in header.signals if not is_auxiliary(header.labels[i])}
        if len(eeg) > 1:
            notes.append(
                f"channels have different rates: all were raised to {raw.info['sfreq']:g} Hz"
            )
    n_cuts = sum(1 for mark in markers if mark.time_s > 0 and _BOUNDARY.match(mark.label))
    if n_cuts:
        notes.append(f"the recording was cut or paused ({n_cuts} x): trials there are torn")
    return notes


def _impedance(raw: Any, index: int) -> float | None:
    """Return what the file says of a channel's impedance (Ohm); only BrainVision says anything."""
    said = getattr(raw, "impedances", {}).get(raw.ch_names[index], {})
    if said.get("imp_unit") != "kOhm":
        return None
    return declared_impedance(str(said.get("imp")))


def read_mne(
    path: Path, *, unit: str | None = None, labels: Sequence[str] | None = None
) -> Recording:
    """Read the EEG channels and the annotations of a file.

    Parameters
    ----------
    path : Path
    unit : str or None
        What the file's numbers are, whatever it declares. In formats with a unit of their own
        (FIF: volts) the numbers are those that MNE gives.
    labels : sequence of str or None
        Names of the EEG channels, in place of the file's.

    Returns
    -------
    Recording
        Its clock begins with the first sample.

    Raises
    ------
    RecordingError
        When the file is missing, empty, cut short or of another format, holds no EEG, or has
        amplitudes that cannot be volts.
    ChannelError
        When `labels` are not as many as the channels.
    SettingsError
        When `unit` is no voltage.
    """
    path = readable_file(Path(path))
    unit_scale((), unit)  # a unit that is none is said before the file is read
    header = read_edf_header(path) if path.suffix.lower() in (".edf", ".bdf") else None
    with _quiet():
        raw = _open(path, header)
        declared = _declared(raw, path, header)
        picks = _eeg_picks(raw, declared, path)
        try:
            samples: F64 = raw.get_data(picks=picks).T
        except (OSError, ValueError, RuntimeError) as error:
            log.debug("samples of %s", path, exc_info=True)
            raise RecordingError(f"{path}: its samples cannot be read ({error})") from error
        markers = _markers(raw)
    if not len(samples):
        raise RecordingError(f"{path} holds no samples")
    declared = [declared[index] for index in picks]
    if labels is not None and len(labels) != len(declared):
        raise ChannelError(
            f"{path}: {len(labels)} labels were given for {len(declared)} EEG channels"
        )
    samples, notes = _to_volts(samples, declared, path, unit)
    rate_hz = float(raw.info["sfreq"])
    stamps, gap_notes = _stamps(len(samples), rate_hz, path, header)
    channels = tuple(
        Channel(
            label=canonical_label(label),
            unit=unit if unit is not None else item.unit,
            position_m=_position(raw.info["chs"][index]),
            impedance_ohm=_impedance(raw, index),
        )
        for label, item, index in zip(
            labels or [item.label for item in declared], declared, picks, strict=True
        )
    )
    return Recording(
        path=path,
        info=StreamInfo(path.stem, "EEG", path.stem, rate_hz, channels, dtype="float64"),
        samples=samples,
        stamps=stamps,
        clock_offsets=np.empty((0, 2)),
        markers=markers,
        warnings=(*notes, *gap_notes, *_file_notes(raw, path, header, markers)),
    )
