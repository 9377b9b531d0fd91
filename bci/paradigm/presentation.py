"""How the steps of a run are shown to the person."""

from typing import Literal

from bci.config import Settings

__all__ = ["PresentationSettings"]


class PresentationSettings(Settings):
    """How the steps of a run are shown to the person.

    Attributes
    ----------
    cues : {"arrow", "picture"}
        What a cue looks like.
    words : bool
        Write the class below it.
    beep : bool
        Sound with each fixation, where there is a sound device. No time is measured by it.
    photodiode : bool
        A square in the corner of the screen that changes between black and white with each cue: a
        photodiode on it tells when the cue was really seen.
    """

    cues: Literal["arrow", "picture"] = "arrow"
    words: bool = True
    beep: bool = False
    photodiode: bool = False
