"""The acquisition thread, the ring buffer, clocks and gaps."""

from bci.acquisition.clock import Gap, StreamClock, Timeline, timeline
from bci.acquisition.ring import RingBuffer, Window
from bci.acquisition.thread import Acquisition, AcquisitionState

__all__ = [
    "Acquisition",
    "AcquisitionState",
    "Gap",
    "RingBuffer",
    "StreamClock",
    "Timeline",
    "Window",
    "timeline",
]
