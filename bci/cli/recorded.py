"""What a recorder says, on the screen: a live line a stream, and the account at the end."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from bci.checks import Check
from bci.cli import output
from bci.recording import RecorderStatus, RecorderSummary, StreamCount
from bci.recording.status import StreamState

__all__ = ["document", "live_view", "print_summary"]

_COLOURS = {
    StreamState.RECEIVING: "green",
    StreamState.SILENT: "yellow",
    StreamState.WAITING: "yellow",
    StreamState.LOST: "bold red",
    StreamState.REFUSED: "bold red",
}


def live_view(status: RecorderStatus) -> Table:
    """Return a line for the file and one for each stream."""
    table = Table.grid(padding=(0, 2, 0, 0))
    left = "" if status.disk_left_s is None else f", room for {_long(status.disk_left_s)}"
    table.add_row(f"{_long(status.duration_s)}", f"{_bytes(status.n_bytes)}{left}")
    for stream in status.streams:
        table.add_row(
            Text(stream.state.value, style=_COLOURS[stream.state]),
            stream.name,
            f"{stream.n_samples:,} samples",
            "" if stream.age_s is None else f"newest {stream.age_s:.1f} s ago",
            _gaps(stream),
        )
    return table


def print_summary(summary: RecorderSummary) -> None:
    """Print what is in the file."""
    table = Table("stream", "type", "source id", "samples", "gaps", "first stamp", "last stamp")
    for stream in summary.streams:
        state = "" if stream.state is StreamState.RECEIVING else f" ({stream.state.value})"
        table.add_row(
            stream.name + state,
            stream.kind,
            stream.source_id,
            str(stream.n_samples),
            str(stream.n_gaps),
            "" if stream.first_stamp is None else f"{stream.first_stamp:.3f}",
            "" if stream.last_stamp is None else f"{stream.last_stamp:.3f}",
        )
    console = output.results_console()
    console.print(table)
    console.print(
        f"{summary.path}: {summary.duration_s:.1f} s, {summary.n_bytes} bytes", soft_wrap=True
    )
    if summary.readback is not None:
        console.print(str(summary.readback), soft_wrap=True)


def document(
    summary: RecorderSummary, checks: Sequence[Check], error: str | None
) -> dict[str, Any]:
    """Return all of it for JSON."""
    found = summary.readback
    return {
        "file": str(summary.path),
        "duration_s": summary.duration_s,
        "n_bytes": summary.n_bytes,
        "sha256": found.sha256 if found else None,
        "error": error,
        "streams": [_stream(stream) for stream in summary.streams],
        "readback": found
        and {
            "ok": found.ok,
            "says": str(found),
            "problems": list(found.problems),
            "streams": [
                {
                    "source_id": stream.source_id,
                    "name": stream.name,
                    "n_received": stream.n_received,
                    "n_found": stream.n_found,
                }
                for stream in found.streams
            ],
        },
        "preflight": [check.as_dict() for check in checks],
        "notices": list(summary.notices),
    }


def _stream(stream: StreamCount) -> dict[str, Any]:
    return {
        "name": stream.name,
        "type": stream.kind,
        "source_id": stream.source_id,
        "hostname": stream.hostname,
        "rate_hz": stream.rate_hz,
        "effective_hz": stream.effective_hz,
        "n_channels": stream.n_channels,
        "n_samples": stream.n_samples,
        "n_written": stream.n_written,
        "n_synced": stream.n_synced,
        "first_stamp": stream.first_stamp,
        "last_stamp": stream.last_stamp,
        "clock_offset_s": stream.clock_offset_s,
        "state": stream.state.value,
        "lost": stream.lost,
        "n_gaps": stream.n_gaps,
        "gaps": [
            {
                "after_sample": gap.after_sample,
                "last_stamp": gap.last_stamp,
                "next_stamp": gap.next_stamp,
                "lost_s": gap.lost_s,
                "reason": gap.reason,
            }
            for gap in stream.gaps
        ],
    }


def _gaps(stream: StreamCount) -> str:
    if not stream.n_gaps:
        return ""
    return f"{stream.n_gaps} gap{'s' if stream.n_gaps > 1 else ''}"


def _bytes(number: float) -> str:
    """Say a size.

    >>> _bytes(1234567)
    '1.2 MB'
    """
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.2f} GB"


def _long(seconds: float) -> str:
    """Say a time.

    >>> _long(65.2), _long(7300)
    ('1:05', '2:01:40')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
