"""A workspace: a BIDS dataset with many people's sessions, and what each session was set to."""

from bci.workspace.layout import BidsRecording, SessionPlace, Workspace
from bci.workspace.lock import SessionLock
from bci.workspace.recent import RecentSession, RecentSessions
from bci.workspace.record import RunRecord, SessionRecord
from bci.workspace.setup import SessionSetup
from bci.workspace.templates import Templates

__all__ = [
    "BidsRecording",
    "RecentSession",
    "RecentSessions",
    "RunRecord",
    "SessionLock",
    "SessionPlace",
    "SessionRecord",
    "SessionSetup",
    "Templates",
    "Workspace",
]
