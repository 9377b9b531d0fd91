"""Opening a session: a new one, one that was begun, one with recordings that others made."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bci.config import SessionLabel
from bci.errors import RolandicError, SettingsError
from bci.events import CLASSES
from bci.experiment.states import ExperimentError
from bci.paradigm.graz import GrazSettings, run_length_s
from bci.pseudonyms import check_pseudonym, check_session
from bci.recording.control import orphans
from bci.workspace import (
    BidsRecording,
    RecentSession,
    RecentSessions,
    RunRecord,
    SessionRecord,
    SessionSetup,
    Templates,
    Workspace,
)

if TYPE_CHECKING:
    from bci.experiment.session import Session

__all__ = [
    "Look",
    "Wish",
    "look_around",
    "open_session",
    "recorded_on",
    "set_cues",
    "use_recordings",
    "why_refused",
]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the clinician asks for.

    Attributes
    ----------
    root : Path
        Of the workspace, made if it is not there; any BIDS dataset is one.
    subject, session : str
    operator : str
    template : str
        Name of a template of the workspace; empty: none. It holds for a session that is there, too.
    """

    root: Path
    subject: str
    session: SessionLabel
    operator: str = ""
    template: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What there is in a workspace.

    Attributes
    ----------
    root : Path
    subject : str
        Whom the next three are of.
    subjects, templates : tuple of str
    next_session : str
        A label that is not taken.
    sessions : tuple of str
        Those that can be opened again.
    recordings : tuple of BidsRecording
    summary : str
        What the session is set to, or will be.
    problem : str
        Why there is nothing to see.
    """

    root: Path
    subject: str
    subjects: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    next_session: str = "01"
    sessions: tuple[str, ...] = ()
    recordings: tuple[BidsRecording, ...] = ()
    summary: str = ""
    problem: str = ""


def why_refused(subject: str, session: str) -> tuple[str, str]:
    """Say why a pseudonym, and why a session's label, cannot be; empty: it can."""
    reasons = []
    for text, check in ((subject, check_pseudonym), (session, check_session)):
        try:
            check(text)
        except ValueError as error:
            reasons.append(str(error))
        else:
            reasons.append("")
    return reasons[0], reasons[1]


def look_around(root: Path, subject: str, session: str = "", template: str = "") -> Look:
    """Look into a workspace; nothing is made or changed, and a folder that is not there is new."""
    try:
        if not root.is_dir():
            problem = f"{root} is no folder: choose another" if root.exists() else ""
            return Look(root, subject, summary=_summary({}), problem=problem)
        there = Workspace.at(root)
        templates = Templates(root)
        values: dict[str, Any] = {}
        if template in templates.names():
            values = templates.load(template)
        elif subject and session:
            kept, _ = SessionRecord.peek(there.folder(subject, session))
            values = dict(kept.setup) if kept is not None else {}
        return Look(
            root,
            subject,
            tuple(there.subjects()),
            tuple(templates.names()),
            there.next_session(subject),
            tuple(place.session for place in there.sessions(subject)) if subject else (),
            tuple(there.recordings(subject)) if subject else (),
            _summary(values),
        )
    except (RolandicError, OSError) as error:
        return Look(root, subject, problem=str(error))


def open_session(wish: Wish) -> "Session":
    """Open a session, new or begun before, and put it to the head of the recent ones.

    Raises
    ------
    SettingsError
        When the pseudonym, the label, the folder or the template cannot be used.
    """
    # With it come the decoders (scikit-learn, Numba: seconds), which the form does not need.
    from bci.experiment.session import Session

    reasons = [reason for reason in why_refused(wish.subject, wish.session) if reason]
    if reasons:
        raise SettingsError(reasons[0])
    workspace = Workspace(wish.root)
    folder = workspace.folder(wish.subject, wish.session)
    values: dict[str, Any] = {}
    kept, _ = SessionRecord.peek(folder)
    if kept is not None:
        values = kept.setup.model_dump()
    if wish.template:
        values |= Templates(wish.root).load(wish.template)
    values |= {"subject": wish.subject, "session": wish.session}
    if wish.operator or kept is None:
        values["operator"] = wish.operator
    session = Session(workspace, SessionSetup.make(**values))
    RecentSessions().note(wish.root, wish.subject, wish.session)
    return session


def recorded_on(sessions: Sequence[RecentSession]) -> list[RecentSession]:
    """Return the sessions of which a recording goes on though its window is gone."""
    found = []
    for entry in sessions:
        folder = Workspace.at(Path(entry.root)).folder(entry.subject, entry.session)
        if any(closes_at for _, closes_at in orphans(folder)):
            found.append(entry)
    return found


def use_recordings(session: "Session", recordings: Sequence[BidsRecording]) -> None:
    """Let recordings of the BIDS tree, and no others of it, be calibration runs of a session.

    Raises
    ------
    ExperimentError
        While a run is going on.
    """
    if session.active is not None:
        raise ExperimentError("a run is going on: stop it first")
    wanted = [recording.file for recording in recordings]
    runs = [run for run in session.record.runs if "/" not in run.file or run.file in wanted]
    known = {run.file for run in runs}
    new = [RunRecord(file, "calibration") for file in wanted if file not in known]
    session.record.runs = [*new, *runs]
    session.save()


def set_cues(session: "Session", text: str) -> None:
    """Say which markers of recordings are cues of which class, as ``T1=left_hand, T2=right_hand``.

    Raises
    ------
    SettingsError
        When it cannot be read so.
    ExperimentError
        While a run is going on.
    """
    found: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        label, sign, name = (part.strip() for part in item.partition("="))
        if not sign or name not in CLASSES:
            raise SettingsError(
                f"cues {item!r}: write marker=class, as T1=left_hand; classes: {', '.join(CLASSES)}"
            )
        found[label] = name
    epochs = session.setup.epochs.model_copy(update={"event_map": found})
    if epochs != session.setup.epochs:
        session.change(epochs=epochs.model_dump())


def _summary(values: dict[str, Any]) -> str:
    """Say what a session made so would be like."""
    protocol: GrazSettings = values.get("protocol", GrazSettings())
    minutes, seconds = divmod(round(run_length_s(protocol)), 60)
    classes = ", ".join(name.replace("_", " ") for name in protocol.classes)
    montage = values.get("montage") or "as the amplifier says"
    return (
        f"{classes}: {protocol.trials_per_class} trials each in a run of {minutes}:{seconds:02d} "
        f"min; montage {montage}; decoder {values.get('decoder') or 'acm-svm'}"
    )
