"""Recording LSL streams to XDF."""

from bci.recording.naming import next_free
from bci.recording.process import RecorderProcess
from bci.recording.readback import ReadBack, read_back
from bci.recording.recorder import Recorder
from bci.recording.run import RunRecording
from bci.recording.settings import RecorderSettings
from bci.recording.status import (
    RecordedGap,
    RecorderStatus,
    RecorderSummary,
    StreamCount,
    StreamState,
)
from bci.recording.watch import RecorderWatch
from bci.recording.xdf import XdfWriter

__all__ = [
    "ReadBack",
    "RecordedGap",
    "Recorder",
    "RecorderProcess",
    "RecorderSettings",
    "RecorderStatus",
    "RecorderSummary",
    "RecorderWatch",
    "RunRecording",
    "StreamCount",
    "StreamState",
    "XdfWriter",
    "next_free",
    "read_back",
]
