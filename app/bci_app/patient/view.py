"""What the patient is to see, as plain data; and what a feedback scene is."""

from dataclasses import dataclass
from typing import Protocol

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter

__all__ = ["IDLE", "PHASES", "PatientView", "Scene"]

#: What a view's phase may be.
PHASES = ("idle", "pause", "fixation", "cue", "imagery", "message")


@dataclass(frozen=True, slots=True)
class PatientView:
    """What the patient is to see now; made in the window's thread, never changed.

    Attributes
    ----------
    phase : str
        One of `PHASES`: ``"idle"`` (no run), ``"pause"`` (between trials), ``"fixation"``,
        ``"cue"``, ``"imagery"`` (the cue is gone, imagery goes on) or ``"message"``.
    cue : str or None
        The class that is or was asked for in this trial.
    classes : tuple of str
        Of the run; ``evidence`` has their order.
    evidence : tuple of float, optional
        Smoothed probabilities, 0 to 1, in the order of `classes`; None: feedback is withheld, or
        there is none in this run.
    withheld : str
        Why feedback is withheld, in words; empty: it is not.
    decided : str or None
        The class that was decided in this trial.
    message : str
        For phase ``"message"``, and beneath other phases when it is not empty: translated.
    since_s : float
        When the phase began (`time.monotonic`, s).
    length_s : float
        How long it lasts (s); 0: until something happens.
    """

    phase: str
    cue: str | None
    classes: tuple[str, ...]
    evidence: tuple[float, ...] | None = None
    withheld: str = ""
    decided: str | None = None
    message: str = ""
    since_s: float = 0.0
    length_s: float = 0.0


#: Nothing is presented.
IDLE = PatientView("idle", None, ())


class Scene(Protocol):
    """A small plugin that paints feedback; the canvas has painted the background already."""

    @property
    def name(self) -> str:
        """What it is called, such as ``"bar"``."""

    def paint(self, painter: QPainter, rect: QRectF, view: PatientView, now_s: float) -> None:
        """Paint a view.

        Parameters
        ----------
        painter : QPainter
        rect : QRectF
            The whole canvas, in its pixels: full-screen or a thumbnail.
        view : PatientView
        now_s : float
            `time.monotonic` (s): of this frame.
        """
