"""Where samples come from: LSL streams, recordings, a simulated person."""

from bci.sources.base import Channel, Chunk, Source, StreamInfo
from bci.sources.labels import canonical_label, match_channels, standard_position
from bci.sources.playback import PlaybackSource
from bci.sources.reading import check_channels, open_recording, recording_hash
from bci.sources.recording import Recording
from bci.sources.units import unit_scale, volts_per

__all__ = [
    "Channel",
    "Chunk",
    "PlaybackSource",
    "Recording",
    "Source",
    "StreamInfo",
    "canonical_label",
    "check_channels",
    "match_channels",
    "open_recording",
    "recording_hash",
    "standard_position",
    "unit_scale",
    "volts_per",
]
