"""The acquisition thread, the ring buffer, clocks and gaps."""

from bci.acquisition.clock import Gap, StreamClock
from bci.acquisition.health import StreamHealth, StreamNotice
from bci.acquisition.ring import RingBuffer, Window
from bci.acquisition.thread import Acquisition, AcquisitionState
from bci.acquisition.timelines import Timeline, timeline

__all__ = [
    "Acquisition",
    "AcquisitionState",
    "Gap",
    "RingBuffer",
    "StreamClock",
    "StreamHealth",
    "StreamNotice",
    "Timeline",
    "Window",
    "timeline",
]
