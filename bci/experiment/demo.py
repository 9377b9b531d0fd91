"""The session of ``rolandic --demo``: settings that show the whole way in a few minutes."""

from pathlib import Path

import platformdirs

from bci.experiment.session import Session
from bci.paradigm import GrazSettings
from bci.recording.control import orphans
from bci.workspace import SessionSetup, Workspace

__all__ = ["demo_session", "demo_setup"]

_PROTOCOL = GrazSettings(
    trials_per_class=10, fixation_s=1.0, imagery_s=3.5, pause_s=(0.7, 1.2), lead_s=1.5
)
_FEEDBACK = GrazSettings(
    trials_per_class=6, fixation_s=0.8, imagery_s=3.5, pause_s=(0.7, 1.2), lead_s=1.0, seed=1
)


def demo_setup(session: str) -> SessionSetup:
    """Return what a demonstration is set to."""
    return SessionSetup(
        subject="demo01",
        session=session,
        operator="demo",
        protocol=_PROTOCOL,
        feedback=_FEEDBACK,
        # A simulated person's imagery begins at once, and its trials are short.
        epochs=SessionSetup.model_fields["epochs"].default.model_copy(
            update={"window_s": (0.5, 3.0)}
        ),
    )


def demo_session(root: Path | None = None) -> Session:
    """Open a new session of the demonstration's workspace.

    The one whose window was lost in the midst of a run is opened again instead, while its recording
    goes on: it can be rejoined there.

    Parameters
    ----------
    root : Path, optional
        Of the workspace; default: in the user's data folder.
    """
    workspace = Workspace(root or platformdirs.user_data_path("rolandic") / "demo")
    for place in workspace.sessions("demo01"):
        if any(closes_at for _, closes_at in orphans(place.folder)):
            return Session(workspace, demo_setup(place.session))
    taken = {place.session for place in workspace.sessions("demo01")}
    number = next(k for k in range(1, len(taken) + 2) if f"{k:02d}" not in taken)
    return Session(workspace, demo_setup(f"{number:02d}"))
