"""Recordings of a workspace as BIDS: BrainVision files, events, channels, electrodes.

mne-bids lays the dataset out and pybv writes the samples. What is written is read back, and a
recording whose samples or events are not the recorded ones is not left there. Samples that a gap
took stay away: a gap is an annotation, ``BAD_gap``, where it was.
"""

import logging
import shutil
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from bci.acquisition import timeline
from bci.errors import RecordingError, RolandicError, SettingsError
from bci.private import private_folder
from bci.sources.labels import standard_position
from bci.sources.reading import open_recording
from bci.sources.recording import Recording
from bci.workspace.layout import SessionPlace, Workspace
from bci.workspace.record import RunRecord, SessionRecord

__all__ = ["ExportedRecording", "export_workspace"]

_log = logging.getLogger(__name__)

_TASKS = {"calibration": "calibration", "online": "feedback"}
#: BrainVision keeps 32-bit floats of microvolts: relative, what reading back may differ by.
_PRECISION = 1e-6


@dataclass(frozen=True, slots=True)
class ExportedRecording:
    """A recording that was written.

    Attributes
    ----------
    source, path : Path
        The recording, and the ``.vhdr`` file.
    n_samples, n_events : int
        As read back.
    """

    source: Path
    path: Path
    n_samples: int
    n_events: int


def export_workspace(
    root: Path,
    out: Path,
    subjects: Collection[str] = (),
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[ExportedRecording]:
    """Write the recordings of a workspace's sessions as a BIDS dataset.

    Recordings that were in the BIDS tree from the start are left out: they are BIDS.

    Parameters
    ----------
    root : Path
        Of the workspace.
    out : Path
        Made if it is not there; may be `root` itself. Runs that are there are written anew.
    subjects : collection of str
        Empty: everyone.
    progress : callable

    Returns
    -------
    list of ExportedRecording

    Raises
    ------
    SettingsError
        When there is nothing to export, or `out` cannot be written.
    RecordingError
        When a recording cannot be read, or does not read back as it was.
    """
    if not root.is_dir():
        raise SettingsError(f"{root} is no folder: name a workspace")
    workspace = Workspace(root)
    unknown = sorted(set(subjects) - {place.subject for place in workspace.sessions()})
    if unknown:
        raise SettingsError(f"sub-{unknown[0]} has no session in {root}")
    work = [
        item
        for place in workspace.sessions()
        if not subjects or place.subject in subjects
        for item in _runs(place)
    ]
    if not work:
        raise SettingsError(f"{root} holds no recording to export")
    try:
        private_folder(out)
    except OSError as error:
        raise SettingsError(f"{out} cannot be made ({error.strerror})") from error
    written = []
    for number, (place, record, run, index) in enumerate(work):
        progress(number, len(work))
        written.append(_export(place, record, run, index, out))
    progress(len(work), len(work))
    return written


_Work = tuple[SessionPlace, SessionRecord, RunRecord, int]


def _runs(place: SessionPlace) -> list[_Work]:
    """Return the runs of a session that were recorded in it, numbered by kind."""
    record, _ = SessionRecord.peek(place.folder)
    if record is None:
        return []
    found: list[_Work] = []
    for kind in _TASKS:
        own = [run for run in record.runs if run.kind == kind and "/" not in run.file]
        found += [(place, record, run, index) for index, run in enumerate(own, start=1)]
    return found


def _export(
    place: SessionPlace, record: SessionRecord, run: RunRecord, index: int, out: Path
) -> ExportedRecording:
    import mne
    import mne_bids

    source = record.path(run.file)
    recording = open_recording(source, unit=record.setup.unit or None)
    target = mne_bids.BIDSPath(
        subject=place.subject,
        session=place.session,
        task=_TASKS[run.kind],
        run=f"{index:02d}",
        root=out,
        datatype="eeg",
        suffix="eeg",
        extension=".vhdr",
    )
    with warnings.catch_warnings(), mne.use_log_level("ERROR"):
        warnings.simplefilter("ignore")
        raw = _raw(recording, record, run)
        try:
            path = mne_bids.write_raw_bids(
                raw,
                target,
                format="BrainVision",
                allow_preload=True,
                overwrite=True,
                verbose="ERROR",
            )
        except OSError as error:
            raise SettingsError(f"{out} cannot be written ({error.strerror or error})") from error
        except (ValueError, RuntimeError) as error:
            raise RecordingError(f"{source} cannot be exported: {error}") from error
        path = path.copy().update(extension=".vhdr")
        try:
            back = mne_bids.read_raw_bids(path, verbose="ERROR")
            _check(raw, back, source)
        except (OSError, ValueError, RuntimeError) as error:
            raise RecordingError(f"{path.fpath} cannot be read back: {error}") from error
        except RolandicError:
            _remove(path.fpath)
            raise
    return ExportedRecording(source, path.fpath, int(back.n_times), len(back.annotations))


def _raw(recording: Recording, record: SessionRecord, run: RunRecord) -> Any:
    """Return a recording as MNE has it: volts, places, events as annotations."""
    import mne

    setup, info = record.setup, recording.info
    kinds = [channel.kind.lower() for channel in info.channels]
    types = [
        "eeg" if kind in ("eeg", "") else kind if kind in ("eog", "ecg", "emg") else "misc"
        for kind in kinds
    ]
    made = mne.create_info(list(info.labels), info.rate_hz, types)
    made["line_freq"] = setup.mains_hz
    made["bads"] = [name for name in setup.bad_channels if name in info.labels]
    raw = mne.io.RawArray(np.ascontiguousarray(recording.samples.T), made)
    places = {
        channel.label: channel.position_m or standard_position(channel.label)
        for channel, kind in zip(info.channels, types, strict=True)
        if kind == "eeg"
    }
    known = {label: np.array(place) for label, place in places.items() if place is not None}
    if known:
        raw.set_montage(
            mne.channels.make_dig_montage(known, coord_frame="head"), on_missing="ignore"
        )
    began = _moment(run.began)
    if began is not None:
        raw.set_meas_date(began)
    line = timeline(recording.stamps, info.rate_hz, recording.returns)
    return raw.set_annotations(_annotations(recording, line, raw.info["meas_date"]))


def _annotations(recording: Recording, line: Any, began: Any) -> Any:
    """Return markers, and gaps, at the samples where they were."""
    import mne

    from bci.signal.epochs import nearest_sample, sample_times

    times = sample_times(recording, line)
    rate_hz = recording.info.rate_hz
    onsets, lengths, texts = [], [], []
    for marker in recording.markers:
        onsets.append(nearest_sample(times, marker.time_s) / rate_hz)
        lengths.append(0.0)
        texts.append(marker.label)
    for sample in recording.gaps:
        onsets.append(sample / rate_hz)
        lengths.append(0.0)
        texts.append("BAD_gap")
    return mne.Annotations(onsets, lengths, texts, orig_time=began)


def _check(raw: Any, back: Any, source: Path) -> None:
    """Compare what was written with what is read.

    Raises
    ------
    RecordingError
        When samples, channels or events differ.
    """
    if back.ch_names != raw.ch_names or back.n_times != raw.n_times:
        raise RecordingError(
            f"{source}: {back.n_times} samples of {len(back.ch_names)} channels read back, of "
            f"{raw.n_times} of {len(raw.ch_names)}"
        )
    ours, theirs = raw.get_data(), back.get_data()
    scale = float(np.abs(ours).max()) or 1.0
    if not np.allclose(ours, theirs, rtol=_PRECISION, atol=_PRECISION * scale, equal_nan=True):
        raise RecordingError(f"{source}: the samples that are read back are not those recorded")
    step_s = 1.0 / raw.info["sfreq"]
    written, read = _events(raw), _events(back)
    if [text for _, text in written] != [text for _, text in read] or any(
        abs(a - b) > step_s / 2 for (a, _), (b, _) in zip(written, read, strict=False)
    ):
        raise RecordingError(
            f"{source}: {len(read)} events read back are not the {len(written)} recorded"
        )


def _events(raw: Any) -> Sequence[tuple[float, str]]:
    first = raw.first_time
    onsets = raw.annotations.onset - (first if raw.annotations.orig_time else 0.0)
    return sorted(zip(onsets.round(6).tolist(), map(str, raw.annotations.description), strict=True))


def _remove(vhdr: Path) -> None:
    for path in vhdr.parent.glob(f"{vhdr.stem}.*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _moment(text: str) -> datetime | None:
    """Return a moment in UTC, as MNE wants it; None where it cannot be read."""
    from datetime import UTC

    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
