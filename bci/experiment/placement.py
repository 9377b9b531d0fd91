"""Where the electrodes of a stream sit, and what does not fit together, by name."""

from collections.abc import Sequence
from dataclasses import dataclass

from bci.errors import ChannelError
from bci.features.scalp import Scalp, read_montage
from bci.sources.base import Channel
from bci.sources.labels import canonical_label, near_electrodes

__all__ = ["MONTAGES", "Placement", "find_places"]

#: Montages that are offered by name; a file is always possible.
MONTAGES = (
    "standard_1020",
    "standard_1005",
    "biosemi16",
    "biosemi32",
    "biosemi64",
    "biosemi128",
    "easycap-M1",
    "GSN-HydroCel-32",
    "GSN-HydroCel-64_1.0",
    "GSN-HydroCel-128",
)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where EEG channels are on the scalp.

    Attributes
    ----------
    names : tuple of str
        Of those that have a place.
    points : tuple of (x, y)
        As seen from above; the head's outline is the circle of radius 1, the nose at y = 1.
    source : str
        Where the places are from: ``"stream"``, ``"standard head"``, or the montage's name.
    mismatches : tuple of str
        What does not fit together, each a sentence that names the channels.
    """

    names: tuple[str, ...] = ()
    points: tuple[tuple[float, float], ...] = ()
    source: str = ""
    mismatches: tuple[str, ...] = ()


def find_places(
    channels: Sequence[Channel],
    montage: str = "",
    needed: Sequence[str] = (),
    needed_by: str = "",
    bad: Sequence[str] = (),
) -> Placement:
    """Find the places of EEG channels.

    Parameters
    ----------
    channels : sequence of Channel
        EEG channels of a stream.
    montage : str
        See `bci.features.scalp.read_montage`; empty: what the stream says, or the standard head.
    needed : sequence of str
        Channels that something wants, such as a decoder.
    needed_by : str
        What wants them.
    bad : sequence of str
        Channels that were marked bad.

    Raises
    ------
    SettingsError
        When the montage cannot be read.
    """
    labels = [channel.label for channel in channels]
    names, points, lost = [], [], []
    for channel in channels:
        try:
            found = Scalp.of([channel.label], [channel.position_m], montage)
        except ChannelError:
            lost.append(channel.label)
            continue
        names.append(channel.label)
        x, y = found.points[0]
        points.append((float(x), float(y)))
    declared = [channel for channel in channels if channel.position_m is not None]
    source = montage or ("stream" if declared else "standard head")
    mismatches = []
    if lost:
        where = f"montage {montage}" if montage else "the standard head"
        near = list(dict.fromkeys(hit for label in lost for hit in near_electrodes(label)))
        hint = f" (near names: {', '.join(near[:4])})" if near else ""
        mismatches.append(f"{where} has no place for {_named(lost)}{hint}")
    doubled = sorted({label for label in labels if labels.count(label) > 1})
    if doubled:
        mismatches.append(f"the stream has {_named(doubled)} more than once")
    absent = [label for label in needed if label not in labels]
    if absent:
        mismatches.append(f"{needed_by} needs {_named(absent)}, which the stream does not have")
    gone = [label for label in bad if label not in labels]
    if gone:
        mismatches.append(f"marked bad, but not in the stream: {_named(gone)}")
    if montage:
        known = {canonical_label(label) for label in labels}
        unused = [name for name in read_montage(montage) if name not in known]
        if unused and len(unused) < len(labels) and not lost:
            mismatches.append(f"electrodes of {montage} that the stream does not have: "
                              f"{_named(unused)}")  # fmt: skip
    return Placement(tuple(names), tuple(points), source, tuple(mismatches))


def _named(labels: Sequence[str], most: int = 8) -> str:
    more = len(labels) - most
    return ", ".join(labels[:most]) + (f" and {more} more" if more > 0 else "")
