"""The daemon's status: one JSON document, and one line for a service manager."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from bci import __version__
from bci.checks import Check, ok
from bci.daemon.recordings import Recordings
from bci.preflight import ExpectedStream, tells_absence
from bci.recording import RecorderStatus, RecorderSummary, StreamCount
from bci.recording.status import StreamState, samples_by_source
from bci.sources.discovery import StreamQuery

if TYPE_CHECKING:  # they take seconds to import, in which the recorder already works
    from bci.acquisition import Acquisition
    from bci.daemon.decoding import Decoding
    from bci.daemon.listening import Listening
    from bci.daemon.quality import QualitySeen

__all__ = [
    "VERSION",
    "acquisition_document",
    "decoding_document",
    "preflight_document",
    "quality_document",
    "recording_document",
    "status_line",
]

#: Of the document; counts up when a field changes its meaning or goes away.
VERSION = 1


def recording_document(recordings: Recordings) -> dict[str, Any]:
    """Tell of the recorder and its files."""
    status = recordings.status
    return {
        "state": recordings.state,
        "error": recordings.error,
        "n_failures": recordings.n_failures,
        "unanswered_s": recordings.silent_s,
        "now": None if status is None else _recorded(status),
        "finished": [_finished(summary) for summary in recordings.finished],
    }


def _recorded(status: RecorderStatus) -> dict[str, Any]:
    return {
        "file": str(status.path),
        "duration_s": status.duration_s,
        "n_bytes": status.n_bytes,
        "disk_left_bytes": status.disk_left_bytes,
        "disk_left_s": status.disk_left_s,
        "streams": [_stream(stream) for stream in status.streams],
    }


def _stream(stream: StreamCount) -> dict[str, Any]:
    return {
        "name": stream.name,
        "kind": stream.kind,
        "source_id": stream.source_id,
        "hostname": stream.hostname,
        "state": stream.state.value,
        "rate_hz": stream.rate_hz,
        "effective_hz": stream.effective_hz,
        "n_channels": stream.n_channels,
        "n_samples": stream.n_samples,
        "n_written": stream.n_written,
        "n_synced": stream.n_synced,
        "first_stamp": stream.first_stamp,
        "last_stamp": stream.last_stamp,
        "age_s": stream.age_s,
        "n_gaps": stream.n_gaps,
        "clock_offset_s": stream.clock_offset_s,
    }


def _finished(summary: RecorderSummary) -> dict[str, Any]:
    found = summary.readback
    return {
        "file": str(summary.path),
        "duration_s": summary.duration_s,
        "n_bytes": summary.n_bytes,
        "samples": samples_by_source(summary.streams),
        "readback": None if found is None else str(found),
        "whole": None if found is None else found.ok,
    }


def acquisition_document(listening: "Listening | None", *, wanted: bool) -> dict[str, Any] | None:
    """Tell of the EEG stream; None when none is wanted."""
    if not wanted:
        return None
    if listening is None:
        return {"state": "waiting", "reason": "its libraries are being loaded"}
    acquisition = listening.acquisition
    if acquisition is None:
        return {"state": "waiting", "reason": listening.reason}
    return _acquired(acquisition)


def _acquired(acquisition: "Acquisition") -> dict[str, Any]:
    info, health = acquisition.info, acquisition.health
    return {
        "state": health.state.value,
        "reason": health.reason,
        "stream": info.name,
        "source_id": info.source_id,
        "rate_hz": info.rate_hz,
        "n_channels": len(info.channels),
        "n_samples": health.n_samples,
        "age_s": health.age_s,
        "lost_for_s": health.lost_for_s,
        "n_outages": health.n_outages,
        "n_gaps": health.n_gaps,
        "clock_offset_s": health.clock_offset_s,
    }


def decoding_document(decoding: "Decoding | None", *, wanted: bool) -> dict[str, Any] | None:
    """Tell of the decoder; None when none is wanted."""
    if not wanted:
        return None
    if decoding is None:  # its libraries are still being loaded
        return {
            "state": "waiting",
            "error": None,
            "n_begun": 0,
            "n_failures": 0,
            "classes": None,
            "newest": None,
            "latency": None,
        }
    newest = decoding.newest
    return {
        "state": decoding.state,
        "error": decoding.error,
        "n_begun": decoding.n_begun,
        "n_failures": decoding.n_failures,
        "classes": None if decoding.model is None else list(decoding.model.classes),
        "newest": None if newest is None else newest.as_dict(),
        "latency": decoding.latency,
    }


def quality_document(seen: "QualitySeen | None") -> list[dict[str, Any]] | None:
    """Tell of each channel; None when there is nothing to judge."""
    if seen is None:
        return None
    from bci.signal.quality import advice, number  # SciPy is there by now: something was judged

    found = seen.found
    rows = zip(seen.labels, found.quality, found.rms_v, found.mains_v, strict=True)
    return [
        {
            "channel": label,
            "quality": quality,
            "number": number(found, k, seen.labels),
            "do": advice(quality, [label]),
            "rms_uv": None if rms != rms else 1e6 * float(rms),
            "mains_uv": None if mains != mains else 1e6 * float(mains),
        }
        for k, (label, quality, rms, mains) in enumerate(rows)
    ]


def preflight_document(
    checks: Iterable[Check], streams: Iterable[ExpectedStream], recorded: RecorderStatus | None
) -> list[dict[str, str]]:
    """Tell what was found before the start; of a stream that has come since, that it has."""
    here = () if recorded is None else recorded.streams
    joined = {
        expected.label
        for expected in streams
        if any(s.state is StreamState.RECEIVING and selects(expected.query, s) for s in here)
    }
    return [
        (
            ok(check.name, "was not there at the start, and has come since")
            if tells_absence(check) and check.name in joined
            else check
        ).as_dict()
        for check in checks
    ]


def selects(query: StreamQuery, stream: StreamCount) -> bool:
    """Whether a query means a recorded stream; one by a predicate cannot be told."""
    given = (
        (query.name, stream.name),
        (query.kind, stream.kind),
        (query.source_id, stream.source_id),
    )
    return query.predicate is None and all(wanted in (None, there) for wanted, there in given)


def status_line(document: dict[str, Any]) -> str:
    """Say in one line how a daemon is, the worst first.

    >>> status_line({"recording": {"state": "stopped", "error": None, "now": None},
    ...     "acquisition": None, "decoding": None})
    'not recording'
    """
    recording, acquisition = document["recording"], document["acquisition"]
    decoding, parts = document["decoding"], []
    now = recording["now"]
    if recording["state"] == "failed":
        parts.append(f"NOT RECORDING: {recording['error']}")
    elif now is None:
        parts.append("not recording")
    else:
        away = [s for s in now["streams"] if s["state"] != "receiving" and s["rate_hz"]]
        for stream in away:
            parts.append(f"{(stream['name'] or 'a stream')!r} {stream['state'].upper()}")
        n_samples = sum(stream["n_written"] for stream in now["streams"])
        parts.append(f"recording {os.path.basename(now['file'])}, {n_samples} samples")
    if acquisition is not None and acquisition["state"] == "waiting":
        parts.append("waiting for the EEG stream")
    if decoding is not None:
        parts.append(
            f"decoding failed: {decoding['error']}"
            if decoding["state"] == "failed"
            else decoding["state"].replace("waiting", "decoder waiting")
        )
    return "; ".join(parts)


def head(state: str, started_utc: str, workspace: str, settings: str) -> dict[str, Any]:
    """Return what any status begins with."""
    return {
        "version": VERSION,
        "rolandic": __version__,
        "pid": os.getpid(),
        "state": state,
        "started": started_utc,
        "workspace": workspace,
        "settings": settings,
    }
