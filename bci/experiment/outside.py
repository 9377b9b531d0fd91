"""Runs whose cues come from another program: a stimulus program, or a recording that is played.

Such a run has no plan: it goes on until it is stopped, and that is its proper end. Its markers are
those of the other program's stream, and say by `EpochSettings.event_map` which class is cued.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from psygnal import SignalInstance

from bci.events import CLASSES, Marker, class_of
from bci.sources.discovery import StreamQuery

__all__ = ["class_cued", "cues_followed", "stream_named"]


def stream_named(text: str) -> StreamQuery:
    """Return what finds a stream by its name, or by its source id where two have one name.

    >>> print(stream_named("Cues").xpath())
    (name='Cues' or source_id='Cues')
    """
    names = StreamQuery(name=text), StreamQuery(source_id=text)
    return StreamQuery(predicate=" or ".join(query.xpath() for query in names))


def class_cued(marker: Marker, event_map: Mapping[str, str]) -> str | None:
    """Return the class that a marker cues, as trainings and decoders take it; None: it is no cue.

    >>> class_cued(Marker(0.0, "T1"), {"T1": "left_hand"}), class_cued(Marker(0.0, "T0"), {})
    ('left_hand', None)
    """
    name = class_of(marker.label, event_map) or class_of(marker.label, {})
    return name if name in CLASSES else None


@contextmanager
def cues_followed(
    markers: SignalInstance,
    event_map: Mapping[str, str],
    told: Callable[[Marker, str | None], object],
) -> Iterator[None]:
    """Within, call `told` with each marker and the class that it cues, in the marker thread."""

    def take(marker: Marker) -> None:
        told(marker, class_cued(marker, event_map))

    markers.connect(take)
    try:
        yield
    finally:
        markers.disconnect(take)
