"""What a clinician can do to a run that is being presented: pause it, go on, give a trial again.

================  =====================================  =======
attribute         writer                                 readers
================  =====================================  =======
progress          any, under `lock`; swapped whole       any
pause, repeats    any, under `lock`                      the run's thread
================  =====================================  =======
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["HELD_BY_PAUSE", "HELD_BY_SIGNAL", "RunControl", "RunProgress"]

#: Why no trial is given: somebody asked for a pause, or the amplifier sends nothing.
HELD_BY_PAUSE, HELD_BY_SIGNAL = "pause", "signal"


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is.

    Attributes
    ----------
    n_trials : int
        That there will be, those that are given again included.
    n_done : int
        That are over.
    trial : int or None
        Number of the one that goes on (from 0); None: none does.
    last : int or None
        Number of the last one whose cue was shown.
    label : str
        Of the last step.
    pausing : bool
        A pause was asked for; it begins when the trial is over.
    held : str
        `HELD_BY_PAUSE`, `HELD_BY_SIGNAL`, or empty: the run goes on.
    rejected : tuple of int
        Trials that are not to be used, each given again at the end of the run.
    outside : bool
        Another program gives the cues: nobody knows how many will come, and `n_trials` is 0.
    left_s : float
        How long the run would still have taken at `at_s` (s).
    at_s : float
        `time.monotonic` of this account.
    """

    n_trials: int = 0
    n_done: int = 0
    trial: int | None = None
    last: int | None = None
    label: str = ""
    pausing: bool = False
    held: str = ""
    rejected: tuple[int, ...] = ()
    outside: bool = False
    left_s: float = 0.0
    at_s: float = field(default_factory=time.monotonic)


class RunControl:
    """Pauses a run and lets trials be given again; from any thread, at any time.

    A pause takes effect at the end of the trial that goes on. A trial that is to be given again
    is marked ``trial_rejected``, at once, and comes once more at the end of the run.

    Parameters
    ----------
    on_change : callable, optional
        Called with each `RunProgress`, in the thread that caused it.
    """

    def __init__(self, on_change: Callable[[RunProgress], Any] | None = None) -> None:
        self._on_change = on_change
        #: Held while a marker is sent: a wish sees either the step before or the one after.
        self.lock = threading.RLock()
        self._pause = False
        self._repeats: list[int] = []
        self.progress = RunProgress()

    def pause(self) -> None:
        """Give no further trial after the one that goes on, until `resume`."""
        self._ask_pause(True)

    def resume(self) -> None:
        """Go on; harmless when nothing is paused."""
        self._ask_pause(False)

    @property
    def pause_wanted(self) -> bool:
        """Whether a pause was asked for and not taken back."""
        return self._pause

    @property
    def repeatable(self) -> int | None:
        """Number of the trial that `repeat_trial` would give again; None: there is none."""
        last = self.progress.last
        return None if last in self.progress.rejected or last in self._repeats else last

    def repeat_trial(self) -> int | None:
        """Reject the trial whose cue was shown last, and give it again at the end of the run.

        Before the cue of a trial that is the trial before it: what the clinician has just seen.

        Returns
        -------
        int or None
            Its number; None when there is none, or it is rejected already.
        """
        with self.lock:
            number = self.repeatable
            if number is not None:
                self._repeats.append(number)
        return number

    def _ask_pause(self, wanted: bool) -> None:
        with self.lock:
            self._pause = wanted
            self.update(pausing=wanted and self.progress.held != HELD_BY_PAUSE)
        self.tell()

    # --- for whoever presents the run -----------------------------------------------------

    def take_repeats(self) -> list[int]:
        """Return the trials that were asked for again since the last call."""
        with self.lock:
            taken, self._repeats = self._repeats, []
            return taken

    def update(self, **changes: Any) -> None:
        """Change the account of the run, without telling it."""
        with self.lock:
            self.progress = replace(self.progress, **changes, at_s=time.monotonic())

    def tell(self) -> None:
        """Tell the account of the run."""
        if self._on_change is not None:
            self._on_change(self.progress)
