"""What an online run amounts to, from events as a run sends them."""

from types import SimpleNamespace
from typing import Any

import pytest

from bci.config import EpochSettings, OnlineSettings
from bci.evaluation.chance import chance_level
from bci.evaluation.metrics import wilson_interval
from bci.experiment.online_account import OnlineLedger
from bci.online import Decision, TrialOutcome
from bci.online.decision import LATE, NO_SIGNAL
from bci.paradigm import Step

CLASSES = ("left_hand", "right_hand")


def _ledger(*, cued: bool = True, classes: tuple[str, ...] = CLASSES) -> OnlineLedger:
    model: Any = SimpleNamespace(
        classes=classes, rate_hz=100.0, epochs=EpochSettings(window_s=(0.5, 1.5))
    )
    return OnlineLedger(model, OnlineSettings(), cued=cued)


def _decide(ledger: OnlineLedger, first_s: float, last_s: float, label: str | None) -> None:
    """Decide every 100 ms, both ends included."""
    n = len(ledger.classes)
    for k in range(round((last_s - first_s) * 10) + 1):
        time_s = first_s + k / 10
        p = (1 / n,) * n
        ledger.take_decision(Decision(round(100 * time_s), time_s, p, p, label, ""))


def _trial(cue: str, decoded: str | None, time_s: float) -> TrialOutcome:
    reasons = () if decoded is not None else ("gap",)
    return TrialOutcome(cue, time_s, round(100 * time_s), decoded, None, 3, 0, reasons)


def test_accuracy_has_its_interval_and_the_chance_of_its_classes() -> None:
    """Trials that could not be decoded count neither as right nor as wrong."""
    ledger = _ledger()
    decoded = ["left_hand", "right_hand", "left_hand", "left_hand", None]
    cues = ["left_hand", "right_hand", "left_hand", "right_hand", "left_hand"]
    for k, (cue, name) in enumerate(zip(cues, decoded, strict=True)):
        ledger.take_trial(_trial(cue, name, 5.0 * k))
    account = ledger.account()
    assert (account.n_correct, account.n_scored) == (3, 4)
    assert account.accuracy is not None
    assert (account.accuracy.low, account.accuracy.high) == wilson_interval(3, 4)
    assert account.chance == chance_level([2, 2])
    assert [mark.correct for mark in account.trials] == [True, True, True, False, False]


def test_rejected_trial_counts_nowhere() -> None:
    """A trial that is given again is marked, and neither scored nor kept among the trials."""
    ledger = _ledger()
    ledger.take_step(Step(0.0, "left_hand", 0), 10.0)
    ledger.take_step(Step(0.0, "imagery_end", 0), 14.0)
    ledger.take_step(Step(0.0, "trial_rejected", 0), 15.0)
    ledger.take_trial(_trial("left_hand", "right_hand", 10.0))
    ledger.take_trial(_trial("left_hand", "left_hand", 20.0))
    account = ledger.account()
    assert [mark.rejected for mark in account.trials] == [True, False]
    assert (account.n_correct, account.n_scored) == (1, 1)
    assert [trial.time_s for trial in ledger.trials] == [20.0]


def test_trial_rejected_before_its_end_is_marked_all_the_same() -> None:
    """The decoder gives no outcome of it; the clinician sees that it was taken back."""
    ledger = _ledger()
    for number, cue_s in enumerate((10.0, 20.0)):
        ledger.take_step(Step(0.0, "left_hand", number), cue_s)
    ledger.take_step(Step(0.0, "trial_rejected", 0), 12.0)
    ledger.take_trial(_trial("left_hand", "left_hand", 20.0))
    account = ledger.account()
    assert [mark.rejected for mark in account.trials] == [True, False]
    assert (account.n_correct, account.n_scored) == (1, 1)


def test_command_between_trials_is_one_false_alarm() -> None:
    """A stretch of one command in the rest counts once; the tail of a trial is excused."""
    ledger = _ledger()
    ledger.take_step(Step(0.0, "left_hand", 0), 10.0)
    _decide(ledger, 5.0, 10.0, None)
    _decide(ledger, 10.1, 14.0, "left_hand")
    ledger.take_step(Step(0.0, "imagery_end", 0), 14.0)
    _decide(ledger, 14.1, 14.5, "left_hand")  # windows of 1 s still hold samples of the trial
    _decide(ledger, 14.6, 16.0, None)
    assert ledger.account().alarms.n == 0
    _decide(ledger, 16.1, 17.0, "right_hand")
    _decide(ledger, 17.1, 18.0, None)
    alarms = ledger.account().alarms
    assert alarms.n == 1
    assert alarms.rest_s == pytest.approx(5.1 + 4.0, abs=0.15)
    assert alarms.per_min is not None
    assert alarms.per_min.mean == pytest.approx(60 / alarms.rest_s)
    assert alarms.per_min.low < alarms.per_min.mean < alarms.per_min.high


def test_free_run_counts_alarms_only_where_the_person_is_said_to_rest() -> None:
    """Commands of a free run are what the person wants, unless the clinician says otherwise."""
    ledger = _ledger(cued=False)
    _decide(ledger, 1.0, 5.0, "left_hand")
    assert ledger.account().alarms.rest_s == 0
    assert ledger.account().alarms.per_min is None
    ledger.rest(5.05, begins=True)
    assert ledger.resting
    _decide(ledger, 5.1, 6.5, None)
    _decide(ledger, 6.6, 7.0, "left_hand")
    ledger.rest(7.05, begins=False)
    assert not ledger.resting
    _decide(ledger, 7.1, 9.0, "right_hand")
    alarms = ledger.account().alarms
    assert alarms.n == 1
    assert alarms.rest_s == pytest.approx(2.0, abs=0.15)


def test_deciding_rest_is_no_command() -> None:
    """With a class of rest, that one is no alarm."""
    ledger = _ledger(cued=False, classes=("rest", "right_hand"))
    ledger.rest(0.0, begins=True)
    _decide(ledger, 2.0, 6.0, "rest")
    assert ledger.account().alarms.n == 0
    _decide(ledger, 6.1, 6.3, "right_hand")
    assert ledger.account().alarms.n == 1


def test_what_was_withheld_is_counted_by_reason() -> None:
    """Hops without probabilities, and those too late to show, are counted; silence is no rest."""
    ledger = _ledger()
    _decide(ledger, 1.0, 1.4, None)
    for reason in (LATE, "gap", "gap", NO_SIGNAL):
        ledger.take_decision(Decision(0, float("nan"), None, None, None, reason))
    account = ledger.account()
    assert account.withheld == {LATE: 1, "gap": 2, NO_SIGNAL: 1}
    assert (account.n_withheld, account.n_decisions) == (4, 9)
    assert account.alarms.rest_s == pytest.approx(0.5)
