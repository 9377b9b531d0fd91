"""Does adapting help? Everything fixed on the first session, the rest decided in recorded order.

The first session (or run) trains the decoder: filters, references, search, artifact limits. Nothing
is fixed on anything else. Then each later session is gone through once, as it was recorded:

    predict   a trial is decided with what was known when its window ended
    score     it counts, right or wrong, whatever follows
    reveal    the arm is told what its kind is told: nothing, right or wrong, or the class
    update    it learns, before the next trial

Between trials the arm sees the windows that follow one another, rest and all, as online (those with
a gap or an artifact are not seen); a window is seen after all that ended before it was decided.
Within a session what was learned goes on from run to run; each session begins with the decoder as
it was trained.

Who is told what: an arm that learns from reward gets right or wrong, never the class, with flips,
losses and delay as asked for. Supervised arms and those that are retrained get the class, always
and at once: they are bounds. A plugin's arm counts as supervised only if its name ends so.

An arm whose name ends in ``+guard`` is that arm under the guard that watches over it online. Where
the arm itself is told nothing, its guard is told right or wrong, as a reward arm would be.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bci.config import OnlineSettings
from bci.decoders import Model
from bci.decoders.adapt import Adapter, Revealed, make_adapter
from bci.errors import SettingsError
from bci.evaluation.adaptation_task import AdaptationTask, Run, Session
from bci.evaluation.retrained import RETRAINED, Retrained
from bci.online.smoothing import Smoother
from bci.signal.artifacts import window_problem

__all__ = [
    "BOUND",
    "GUARD",
    "Decided",
    "Feedback",
    "go_through",
    "hears_rewards",
    "told_to",
]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

#: The arm that regret is counted against.
BOUND = "supervised"
#: What the name of an arm under the guard ends in.
GUARD = "+guard"

_DRAW = 0xFEED


@dataclass(frozen=True, slots=True)
class Feedback:
    """What happens to a reward on its way.

    Attributes
    ----------
    flips : float
        How often right is said for wrong, and wrong for right; 0 to 1.
    delay : int
        Trials that are decided before it comes.
    losses : float
        How often it never comes; 0 to 1.

    Raises
    ------
    SettingsError
        When one is out of range.
    """

    flips: float = 0.0
    delay: int = 0
    losses: float = 0.0

    def __post_init__(self) -> None:
        for name in ("flips", "losses"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"reward {name} {getattr(self, name):g}: give 0 to 1")
        if self.delay < 0:
            raise SettingsError(f"reward delay {self.delay}: give 0 trials or more")

    @property
    def is_random(self) -> bool:
        """Whether chance has a part in it."""
        return self.flips > 0 or self.losses > 0

    @property
    def label(self) -> str:
        """What a table calls it.

        >>> Feedback().label, Feedback(0.2, 3, 0.1).label
        ('clean', '20 % flipped, 3 trials late, 10 % lost')
        """
        said = [f"{100 * self.flips:g} % flipped"] if self.flips else []
        said += [f"{self.delay} trial{'s' if self.delay > 1 else ''} late"] if self.delay else []
        said += [f"{100 * self.losses:g} % lost"] if self.losses else []
        return ", ".join(said) or "clean"


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """What an arm decided, trial by trial, over all sessions.

    Attributes
    ----------
    chosen : ndarray of int64, shape (n_trials,)
    probabilities : ndarray of float64, shape (n_trials, n_classes)
    update_ms : ndarray of float64, shape (n_revealed,)
        What each update took, recentering since the trial before it included.
    """

    chosen: I64
    probabilities: F64
    update_ms: F64


def told_to(arm: str) -> str:
    """Return what an arm is told after a trial: ``"label"``, ``"reward"`` or ``"nothing"``.

    >>> told_to("supervised"), told_to("reward+recenter"), told_to("recenter")
    ('label', 'reward', 'nothing')
    """
    arm = arm.removesuffix(GUARD)
    if arm in ("frozen", "recenter", "pseudo"):
        return "nothing"
    if arm in RETRAINED or arm.endswith("supervised"):
        return "label"
    return "reward"


def hears_rewards(arm: str) -> bool:
    """Whether rewards make a difference to an arm: to itself, or to its guard.

    >>> hears_rewards("reward"), hears_rewards("recenter"), hears_rewards("recenter+guard")
    (True, False, True)
    """
    told = told_to(arm)
    return told == "reward" or (told == "nothing" and arm.endswith(GUARD))


def go_through(
    task: AdaptationTask,
    model: Model,
    arm: str,
    feedback: Feedback | None = None,
    *,
    seed: int = 0,
    told_y: I64 | None = None,
    make: Callable[[], Adapter] | None = None,
    **params: Any,
) -> Decided:
    """Let an arm go through the later sessions.

    Parameters
    ----------
    task : AdaptationTask
    model : Model
        From `AdaptationTask.fit`.
    arm : str
        Of `bci.decoders.adapt` or `bci.evaluation.retrained`; the former with `GUARD` or without.
    feedback : Feedback, optional
        Default: clean.
    seed : int
        Of flips and losses, and of the arm.
    told_y : ndarray of int64, shape (n_trials,), optional
        What feedback is made from, in place of the truth: how a test shows that it matters.
    make : callable, optional
        Returns the adapter for a session, in place of the arm's.
    **params
        Of the arm.

    Raises
    ------
    SettingsError
        As `make_adapter`.
    """
    feedback = feedback or Feedback()
    truth = task.y if told_y is None else told_y
    sessions, at = [], 0
    for number, session in enumerate(task.sessions):
        adapter = make() if make else _adapter(task, model, arm, seed, params)
        y = truth[at : at + len(session.y)]
        rng = np.random.default_rng([_DRAW, seed, number])
        reveals = _revealed(arm, y, feedback, rng)
        delay = feedback.delay if hears_rewards(arm) else 0
        sessions.append(_session(adapter, model, session, reveals, delay, task.online))
        at += len(y)
    return Decided(
        *(np.concatenate([getattr(s, name) for s in sessions]) for name in Decided.__slots__)
    )


Reveal = Callable[[int, int], Revealed | None]


def _revealed(arm: str, y: I64, feedback: Feedback, rng: np.random.Generator) -> Reveal:
    """Return what becomes known of a trial, by its number and the class that was chosen."""
    # One draw a trial, whatever is chosen: arms are compared on the same flips.
    flipped = rng.random(len(y)) < feedback.flips
    lost = rng.random(len(y)) < feedback.losses
    told, rewarded = told_to(arm), hears_rewards(arm)

    def reveal(trial: int, chosen: int) -> Revealed | None:
        if told == "label":
            return Revealed(label=int(y[trial]))
        if not rewarded or lost[trial]:
            return Revealed() if told == "nothing" else None
        return Revealed(reward=float((chosen == y[trial]) != flipped[trial]))

    return reveal


def _session(
    adapter: Adapter,
    model: Model,
    session: Session,
    reveal: Reveal,
    delay: int,
    online: OnlineSettings,
) -> Decided:
    due: deque[tuple[int, F64, int]] = deque()
    chosen: list[int] = []
    probabilities: list[F64] = []
    update_ms: list[float] = []
    spent_s = 0.0
    for run in session.runs:
        limit = model.artifact_limit_v
        seen = deque(k for k in run.seen if window_problem(run.windows([k])[0], limit) is None)
        step_s = (run.trials[0, 1] - run.trials[0, 0]) / model.rate_hz if _several(run) else 1.0
        for firsts in run.trials:
            smoother = Smoother(online, step_s, len(model.classes))
            windows = run.windows(firsts)
            for first, window in zip(firsts, windows, strict=True):
                began = time.perf_counter()
                while seen and seen[0] < first:
                    adapter.observe(run.windows([seen.popleft()]))
                spent_s += time.perf_counter() - began
                smoothed = smoother.update(adapter.probabilities(window[None])[0])
            chosen.append(int(np.argmax(smoothed)))
            probabilities.append(smoothed)
            # Online, windows that hold an artifact are not decided on, and nothing is learned.
            if all(window_problem(window, limit) is None for window in windows):
                due.append((len(chosen) - 1, windows, chosen[-1]))
            began = time.perf_counter()
            while due and due[0][0] <= len(chosen) - 1 - delay:
                trial, past, said = due.popleft()
                known = reveal(trial, said)
                if known is not None:
                    adapter.reveal(past, said, known)
            update_ms.append(1e3 * (spent_s + time.perf_counter() - began))
            spent_s = 0.0
        for first in seen:
            adapter.observe(run.windows([first]))
    return Decided(np.array(chosen, np.int64), np.array(probabilities), np.array(update_ms))


def _several(run: Run) -> bool:
    n_trials, n_windows = run.trials.shape
    return bool(n_trials and n_windows > 1)


def _adapter(
    task: AdaptationTask, model: Model, arm: str, seed: int, params: Mapping[str, Any]
) -> Adapter:
    if arm in RETRAINED:
        return Retrained(arm, model, task.training, **params)
    guard = arm.endswith(GUARD)
    return make_adapter(arm.removesuffix(GUARD), model, seed=seed, guard=guard, **params)
