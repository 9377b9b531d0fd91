"""Recording LSL streams to XDF."""

from bci.recording.process import RecorderProcess
from bci.recording.recorder import Recorder
from bci.recording.run import RunRecording
from bci.recording.status import RecorderStatus, RecorderSummary, StreamCount
from bci.recording.xdf import XdfWriter

__all__ = [
    "Recorder",
    "RecorderProcess",
    "RecorderStatus",
    "RecorderSummary",
    "RunRecording",
    "StreamCount",
    "XdfWriter",
]
