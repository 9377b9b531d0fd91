"""Carrying a run out: markers sent when their time has come, under a clinician's control.

Every step falls on an absolute deadline after the run's start, so that late turns do not add up. A
pause, or an amplifier that sends nothing, moves all later deadlines by as much as it took::

    trial 3 | trial 4 |  held: run_paused ... run_resumed  lead_s | trial 5 | ... | trial 2 again
                 ^ pause asked for                                    repeated trials come last

A held run goes on `lead_s` after it may, so that the person finds back into it. While nothing comes
from the amplifier no trial is begun, and one in which nothing came for a second is rejected and
given again: nobody is cued in vain.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from bci.events import CLASSES
from bci.paradigm.clock import LOOK_S, RunClock
from bci.paradigm.control import HELD_BY_PAUSE, HELD_BY_SIGNAL, RunControl
from bci.paradigm.graz import (
    GrazSettings,
    Step,
    TrialPlan,
    plan_run,
    trial_end_s,
    trial_steps,
)
from bci.sources.markers import MarkerOutlet

__all__ = ["present_run"]

# Without a sample for so long, a trial is lost and none is begun (s): amplifiers send blocks of up
# to a few tenths of a second.
_GONE_S = 1.0

OnStep = Callable[[Step, float], None]


def present_run(
    settings: GrazSettings,
    outlet: MarkerOutlet,
    clock: RunClock,
    cancelled: threading.Event,
    *,
    run: int = 0,
    on_step: OnStep | None = None,
    control: RunControl | None = None,
) -> bool:
    """Present one run of the protocol.

    Parameters
    ----------
    settings : GrazSettings
    outlet : MarkerOutlet
        Gets every marker, stamped by the run's clock.
    clock : RunClock
    cancelled : threading.Event
        Ends the run early; ``run_end`` is still sent.
    run : int
        Number of the run: another order of trials.
    on_step : callable, optional
        Called with each step and its time (LSL clock, s) when it is due. Beside the protocol's
        own steps those of `control` come here: ``trial_rejected``, ``run_paused``,
        ``run_resumed``.
    control : RunControl, optional
        Pauses the run and repeats trials. Without it a stream that is silent is not waited for.

    Returns
    -------
    bool
        Whether the run came to its end.

    Raises
    ------
    StreamLostError
        When the stream has stopped.
    """
    return _Presentation(settings, outlet, clock, cancelled, run, on_step, control).present()


class _Presentation:
    """One run on its way; lives in the run's thread."""

    def __init__(
        self,
        settings: GrazSettings,
        outlet: MarkerOutlet,
        clock: RunClock,
        cancelled: threading.Event,
        run: int,
        on_step: OnStep | None,
        control: RunControl | None,
    ) -> None:
        self._settings, self._outlet, self._clock = settings, outlet, clock
        self._cancelled, self._on_step = cancelled, on_step
        self._waits, self._control = control is not None, control or RunControl()
        self._queue = deque(plan_run(settings, run))
        self._given: list[TrialPlan] = []
        self._origin_s = self._newest_s = clock.now()

    def present(self) -> bool:
        """Present the run; return whether it came to its end."""
        at_s = self._settings.lead_s
        self._account(0.0, trial=None, label="run_start")
        self._send(Step(0.0, "run_start"), self._origin_s)
        while self._queue:
            while self._queue:
                started_s = self._when_free(at_s) if self._wait(at_s) else None
                if started_s is None:
                    return self._stopped()
                trial = replace(self._queue.popleft(), start_s=started_s)
                self._given.append(trial)
                if not self._present_trial(trial, len(self._given) - 1):
                    return self._stopped()
                at_s = trial_end_s(self._settings, trial)
            end_s = at_s + self._settings.lead_s
            if not self._wait(end_s):
                return self._stopped()
            at_s = end_s  # a trial that was asked for again meanwhile begins here
        self._reach(Step(end_s, "run_end"))
        return True

    def _stopped(self) -> bool:
        self._send(Step(0.0, "run_end"), max(self._clock.now(), self._newest_s), told=False)
        return False

    def _present_trial(self, trial: TrialPlan, number: int) -> bool:
        """Present a trial; False when the run was cancelled."""
        self._clock.silence_s()  # what was before is of no interest
        for step in trial_steps(self._settings, trial, number):
            if not self._wait(step.at_s):
                return False
            self._reach(step)
        if self._waits and self._clock.silence_s() > _GONE_S:
            with self._control.lock:
                self._reject(number)
        return True

    def _when_free(self, at_s: float) -> float | None:
        """Hold the run while it is to be held; return when its next trial begins."""
        if not self._waits:
            return at_s
        held = ""
        while reason := self._why_held():
            if reason != held:
                if not held:
                    self._send(Step(at_s, "run_paused"), self._now_s())
                held = reason
                self._account(at_s, held=held, pausing=False)
                self._control.tell()
            if self._cancelled.wait(LOOK_S):
                return None
            self._answer()
        if held:
            now_s = self._now_s()
            self._account(at_s, held="", pausing=False)
            self._send(Step(now_s - self._origin_s, "run_resumed"), now_s)
            at_s = max(at_s, now_s - self._origin_s + self._settings.lead_s)
        return at_s

    def _why_held(self) -> str:
        if self._clock.silence_s() > _GONE_S:
            return HELD_BY_SIGNAL
        return HELD_BY_PAUSE if self._control.pause_wanted else ""

    def _wait(self, at_s: float) -> bool:
        self._answer()
        return self._clock.wait_until(self._origin_s + at_s, self._cancelled, self._answer)

    def _now_s(self) -> float:
        """Return the time now; a clock that is ahead of its stream never stamps backwards."""
        return max(self._clock.now(), self._newest_s)

    def _reach(self, step: Step) -> None:
        """Send a step whose time has come."""
        with self._control.lock:
            self._answer()
            time_s = self._clock.stamp(self._origin_s + step.at_s)
            self._outlet.push(step.label, time_s)
            self._newest_s = time_s
            self._follow(step)
        self._tell(step, time_s)

    def _follow(self, step: Step) -> None:
        over = step.label in ("trial_end", "run_end")
        changes = {"trial": None if over else step.trial, "label": step.label}
        if step.label in CLASSES:
            changes["last"] = step.trial
        self._account(step.at_s, **changes)

    def _answer(self) -> None:
        """Reject the trials that were asked for again."""
        for number in self._control.take_repeats():
            self._reject(number)

    def _reject(self, number: int) -> None:
        rejected = self._control.progress.rejected
        if number in rejected:
            return
        time_s, rejected = self._now_s(), (*rejected, number)
        self._queue.append(self._given[number])
        self._account(time_s - self._origin_s, rejected=rejected)
        self._send(Step(time_s - self._origin_s, "trial_rejected", number), time_s)

    def _send(self, step: Step, time_s: float, *, told: bool = True) -> None:
        self._outlet.push(step.label, time_s)
        self._newest_s = max(self._newest_s, time_s)
        if told:
            self._tell(step, time_s)

    def _tell(self, step: Step, time_s: float) -> None:
        if self._on_step is not None:
            self._on_step(step, time_s)
        self._control.tell()

    def _account(self, at_s: float, **changes: object) -> None:
        """Say how far the run is, `at_s` after its start."""
        settings, given = self._settings, len(self._given)
        going_on = changes.get("trial", self._control.progress.trial) is not None
        ahead_s = sum(
            settings.fixation_s + settings.imagery_s + trial.pause_s for trial in self._queue
        )
        if going_on:
            ahead_s += trial_end_s(settings, self._given[-1]) - at_s
        elif not given:  # the run leads in
            ahead_s += settings.lead_s - at_s
        over = changes.get("label") == "run_end"
        self._control.update(
            n_trials=given + len(self._queue),
            n_done=given - int(going_on),
            left_s=0.0 if over else max(0.0, ahead_s) + settings.lead_s,
            **changes,
        )
