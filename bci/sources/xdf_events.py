"""What our recorder noted in a file: a stream of its own, of JSON objects, one an event."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bci.sources.xdf_streams import XdfStream

__all__ = ["RECORDER_STREAM", "RecorderEvent", "is_recorder", "marked_gaps", "recorder_events"]

#: Name of the stream in which our recorder says what happened to the others.
RECORDER_STREAM = "Rolandic recorder"


@dataclass(frozen=True, slots=True)
class RecorderEvent:
    """What the recorder noted of a stream while it recorded.

    Attributes
    ----------
    event : str
        ``"gap"``, ``"resumed"``, ``"lost"``, ``"refused"``, ``"disk"``, ...
    stream_id : int or None
        Number of the stream in the file; None when it concerns none.
    after_sample : int or None
        Samples of the stream that stand before it in the file.
    fields : dict
        All that was noted.
    """

    event: str
    stream_id: int | None
    after_sample: int | None
    fields: dict[str, Any]


def recorder_events(streams: Sequence[XdfStream]) -> tuple[RecorderEvent, ...]:
    """Return what our recorder noted; what is no note of its is left out."""
    events = []
    for stream in streams:
        if not is_recorder(stream):
            continue
        for text, *_ in stream.values:
            try:
                fields = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if not isinstance(fields, dict) or not isinstance(fields.get("event"), str):
                continue
            events.append(
                RecorderEvent(
                    event=fields["event"],
                    stream_id=_whole(fields.get("stream")),
                    after_sample=_whole(fields.get("after_sample")),
                    fields=fields,
                )
            )
    return tuple(events)


def _whole(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def is_recorder(stream: XdfStream) -> bool:
    """Return whether a stream is our recorder's own."""
    return (
        stream.layout.is_text
        and stream.layout.n_channels > 0
        and stream.text("name") == RECORDER_STREAM
    )


def marked_gaps(
    stream: XdfStream, events: Sequence[RecorderEvent]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the samples before which our recorder marked a gap in a stream.

    Returns
    -------
    gaps : tuple of int
        All of them.
    returns : tuple of int
        Those where the stream had been lost, and came back over another connection.
    """
    gaps, returns = set(), set()
    lost = False
    for event in events:
        if event.stream_id != stream.stream_id:
            continue
        if event.event == "lost":
            lost = True
        elif event.event == "gap":
            sample = event.after_sample
            if sample is not None and 0 < sample < len(stream.stamps):
                gaps.add(sample)
                if lost:
                    returns.add(sample)
            lost = False
    return tuple(sorted(gaps)), tuple(sorted(returns))
