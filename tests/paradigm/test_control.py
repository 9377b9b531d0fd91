"""Runs under a clinician's control: paused, resumed, trials given again, a silent amplifier."""

import itertools
import threading
from collections.abc import Callable

import pytest

from bci.errors import StreamLostError
from bci.events import CLASSES, Marker
from bci.paradigm import GrazSettings, RunControl, RunProgress, Step, plan_run, present_run
from bci.paradigm.clock import Looked
from bci.paradigm.graz import run_length_s, run_steps
from bci.signal.trials import find_trials

PROTOCOL = GrazSettings(trials_per_class=2, fixation_s=1, cue_s=1, imagery_s=3, lead_s=2)
LENGTH_S = run_length_s(PROTOCOL)


class _Cancelled(threading.Event):
    """Waits in a clock's time."""

    def __init__(self, clock: "_Clock") -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.pass_time(timeout or 0.0)
        return self.is_set()


class _Clock:
    """A run's clock that passes as fast as it can; does things at their times (s after 100)."""

    def __init__(self, deeds: dict[float, Callable[[], object]] | None = None) -> None:
        self.time_s = 100.0
        self.deeds = sorted((deeds or {}).items())
        self._silent: list[tuple[float, float]] = []
        self._asked_s = 100.0
        self.patience_s = 20.0

    def silent(self, since_s: float, until_s: float) -> None:
        self._silent.append((100.0 + since_s, 100.0 + until_s))

    def pass_time(self, seconds: float) -> None:
        self.time_s += seconds
        while self.deeds and self.deeds[0][0] <= self.time_s - 100.0:
            self.deeds.pop(0)[1]()

    def now(self) -> float:
        return self.time_s

    def wait_until(
        self, time_s: float, cancelled: threading.Event, looked: Looked | None = None
    ) -> bool:
        while self.time_s < time_s and not cancelled.is_set():
            self.pass_time(min(0.1, time_s - self.time_s))
            if looked is not None:
                looked()
        return not cancelled.is_set()

    def silence_s(self) -> float:
        longest = 0.0
        for since_s, until_s in self._silent:
            if until_s > self._asked_s and since_s <= self.time_s:
                longest = max(longest, min(until_s, self.time_s) - since_s)
        self._asked_s = self.time_s
        if longest > self.patience_s:
            raise StreamLostError("the stream has sent nothing")
        return longest

    def stamp(self, due_s: float) -> float:
        return max(due_s, self.time_s)


class _Outlet:
    """Keeps the markers."""

    def __init__(self) -> None:
        self.markers: list[Marker] = []

    def push(self, label: str, time_s: float) -> None:
        self.markers.append(Marker(time_s, label))

    def labels(self) -> list[str]:
        return [marker.label for marker in self.markers]

    def at(self, label: str) -> list[float]:
        return [m.time_s - 100.0 for m in self.markers if m.label == label]


def _cue_times() -> list[float]:
    return [trial.start_s + PROTOCOL.fixation_s for trial in plan_run(PROTOCOL)]


class _Given:
    """A run that was given."""

    def __init__(
        self,
        deeds: Callable[[RunControl], dict[float, Callable[[], object]]] = lambda control: {},
        silent: tuple[float, float] | None = None,
        controlled: bool = True,
    ) -> None:
        self.accounts: list[RunProgress] = []
        self.steps: list[Step] = []
        self.control = RunControl(self.accounts.append)
        self.clock, self.outlet = _Clock(deeds(self.control)), _Outlet()
        if silent:
            self.clock.silent(*silent)
        self.cancelled = _Cancelled(self.clock)
        self._controlled = controlled

    def present(self) -> bool:
        return present_run(
            PROTOCOL,
            self.outlet,  # type: ignore[arg-type]
            self.clock,
            self.cancelled,
            on_step=lambda step, time_s: self.steps.append(step),
            control=self.control if self._controlled else None,
        )

    def cues(self) -> list[Marker]:
        return [m for m in self.outlet.markers if m.label in CLASSES]

    def trials(self):
        return find_trials(self.outlet.markers, {})


@pytest.mark.parametrize("controlled", [True, False])
def test_a_run_that_nobody_touches_is_as_planned(controlled):
    """Markers are those of the plan, at their times to the last bit, under control or not."""
    given = _Given(controlled=controlled)
    assert given.present()
    planned = list(run_steps(PROTOCOL, plan_run(PROTOCOL)))
    assert given.outlet.labels() == [step.label for step in planned]
    assert [m.time_s for m in given.outlet.markers] == pytest.approx(
        [100.0 + step.at_s for step in planned], abs=1e-9
    )
    assert given.steps == planned


def test_a_pause_begins_when_the_trial_is_over_and_moves_the_rest():
    """Asked for in imagery, a pause holds the run after that trial; then it leads in again."""
    first, second, *_ = _cue_times()
    given = _Given(lambda c: {first + 1.0: c.pause, first + 20.0: c.resume})
    assert given.present()
    ended_s, resumed_s = given.outlet.at("trial_end")[0], given.outlet.at("run_resumed")[0]
    assert given.outlet.at("run_paused") == pytest.approx([ended_s], abs=0.11)
    assert resumed_s == pytest.approx(first + 20.0, abs=0.11)
    cues = [m.time_s - 100.0 for m in given.cues()]
    expected = resumed_s + PROTOCOL.lead_s + PROTOCOL.fixation_s
    assert cues[1] == pytest.approx(expected, abs=1e-6)
    assert [b - a for a, b in itertools.pairwise(cues[1:])] == pytest.approx(
        [b - a for a, b in itertools.pairwise(_cue_times()[1:])]
    )
    held = [a.held for a in given.accounts]
    assert "pause" in held
    assert held[-1] == ""
    asked = next(a for a in given.accounts if a.pausing)
    assert (asked.held, asked.trial) == ("", 0)
    assert second < cues[1]


def test_a_pause_before_the_first_trial_holds_it():
    """Asked for while the run leads in, a pause comes before the first trial."""
    given = _Given(lambda c: {1.0: c.pause, 9.0: c.resume})
    assert given.present()
    assert given.outlet.labels()[:4] == ["run_start", "run_paused", "run_resumed", "trial_start"]


def test_a_pause_that_is_taken_back_within_the_trial_changes_nothing():
    """Resuming before the trial is over leaves the schedule as it was."""
    first = _cue_times()[0]
    given = _Given(lambda c: {first + 0.5: c.pause, first + 1.5: c.resume})
    assert given.present()
    assert [m.time_s - 100.0 for m in given.cues()] == pytest.approx(_cue_times())


def test_a_repeated_trial_is_rejected_and_comes_again_at_the_end():
    """During a trial, repeat rejects that one: no trial of its class is lost."""
    first, *_ = _cue_times()
    given = _Given(lambda c: {first + 1.0: c.repeat_trial, first + 2.0: c.repeat_trial})
    assert given.present()
    trials = given.trials()
    assert [t.rejected for t in trials] == [True, False, False, False, False]
    assert trials[-1].class_name == trials[0].class_name
    assert given.outlet.at("trial_rejected") == pytest.approx([first + 1.0], abs=0.11)
    assert trials[-1].onset_s - 100.0 > _cue_times()[-1]
    assert given.control.progress.n_trials == 5
    assert given.control.progress.rejected == (0,)
    assert given.outlet.labels()[-1] == "run_end"


def test_before_its_cue_it_is_the_trial_before_that_is_repeated():
    """In the fixation of the second trial, what the clinician has just seen is the first."""
    _, second, *_ = _cue_times()
    given = _Given(lambda c: {second - 0.05: c.repeat_trial})
    assert given.present()
    assert [t.rejected for t in given.trials()] == [True, False, False, False, False]


def test_the_last_trial_can_be_repeated_after_its_end():
    """Asked for while the run leads out, the last trial still comes again."""
    given = _Given(lambda c: {LENGTH_S - 1.0: c.repeat_trial})
    assert given.present()
    assert [t.rejected for t in given.trials()] == [False, False, False, True, False]


def test_there_is_nothing_to_repeat_before_the_first_cue():
    """A wish without a trial is refused and changes nothing."""
    answers: list[int | None] = []
    given = _Given(lambda c: {0.5: lambda: answers.append(c.repeat_trial())})
    assert given.present()
    assert answers == [None]
    assert "trial_rejected" not in given.outlet.labels()


def test_a_silent_amplifier_holds_the_run_and_its_trial_comes_again():
    """Nobody is cued in vain: the trial in the gap is rejected, the next waits for the signal."""
    first, second, *_ = _cue_times()
    given = _Given(silent=(first + 1.0, second + 4.0))
    assert given.present()
    assert [t.rejected for t in given.trials()] == [True, False, False, False, False]
    assert "signal" in [a.held for a in given.accounts]
    assert given.outlet.at("run_resumed")[0] >= second + 4.0
    assert given.cues()[1].time_s - 100.0 >= second + 4.0


def test_an_amplifier_that_does_not_return_fails_the_run():
    """After the patience of its clock the run says that the stream is lost."""
    given = _Given(silent=(_cue_times()[0] + 1.0, 1e9))
    with pytest.raises(StreamLostError, match="sent nothing"):
        given.present()
    assert len(given.cues()) == 1


@pytest.mark.parametrize("paused", [True, False])
def test_an_aborted_run_ends_at_once(paused):
    """Whether it is held or not, abort ends it and says so in the markers."""
    first = _cue_times()[0]
    given = _Given()
    deeds = {first + 15.0: given.cancelled.set}
    if paused:
        deeds[first + 1.0] = given.control.pause
    given.clock.deeds = sorted(deeds.items())
    assert not given.present()
    assert given.outlet.labels()[-1] == "run_end"
    assert given.outlet.at("run_end")[0] == pytest.approx(first + 15.0, abs=0.11)


def test_the_account_says_how_long_the_run_still_takes():
    """Time left shrinks to nothing and grows by a trial that comes again."""
    first = _cue_times()[0]
    given = _Given(lambda c: {first + 1.0: c.repeat_trial})
    assert given.present()
    assert given.accounts[0].label == "run_start"
    assert given.accounts[0].left_s == pytest.approx(LENGTH_S, abs=1e-6)
    left = [(a.label, round(a.left_s, 2)) for a in given.accounts]
    assert left[-1] == ("run_end", 0.0)
    cue = next(a for a in given.accounts if a.label == given.cues()[0].label)
    after = next(a for a in given.accounts if a.rejected)
    trial_s = PROTOCOL.fixation_s + PROTOCOL.imagery_s + plan_run(PROTOCOL)[0].pause_s
    assert after.left_s == pytest.approx(cue.left_s - 1.0 + trial_s, abs=0.11)


def test_other_programs_read_the_markers_without_loss():
    """Markers of a controlled run end no trial early and are no cues to others."""
    first = _cue_times()[0]
    given = _Given(lambda c: {first + 1.0: c.repeat_trial, first + 1.5: c.pause, 40.0: c.resume})
    assert given.present()
    assert all(t.length_s == pytest.approx(PROTOCOL.imagery_s) for t in given.trials())
    assert all(t.ended_by == "imagery_end" for t in given.trials())
