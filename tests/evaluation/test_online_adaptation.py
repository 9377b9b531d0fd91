"""Online adaptation: predict, score, reveal, update, in recorded order."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bci.config import EpochSettings
from bci.decoders import Model, make_decoder
from bci.decoders.adapt import Revealed
from bci.errors import InputError, SettingsError, TrialError
from bci.evaluation.adaptation_cells import Adapted, Arms, Trials, evaluate_adaptation
from bci.evaluation.adaptation_table import AdaptationTable, curves
from bci.evaluation.adaptation_task import AdaptationTask
from bci.evaluation.online_adaptation import Feedback, go_through, told_to
from bci.evaluation.planning import Subject
from bci.evaluation.store import CellStore
from bci.signal.epochs import cut_epochs
from bci.sources.recording import Recording

F64 = NDArray[np.float64]
Make = Callable[..., Recording]

SETTINGS = EpochSettings(window_s=(0.5, 2.5))
OVERLAPPING = EpochSettings(window_s=(0.5, 2.5), length_s=1.0, step_s=0.5)


@pytest.fixture(scope="module")
def recordings(make_session: Make) -> list[Recording]:
    """Return a day of one run and two of two runs and one; each day mixes channels anew."""
    return [
        make_session("p_ses-1_run-1.xdf", seed=1),
        make_session("p_ses-2_run-1.xdf", seed=2, day=2, shift=0.15),
        make_session("p_ses-2_run-2.xdf", seed=3, day=2, shift=0.15),
        make_session("p_ses-3_run-1.xdf", seed=4, day=3, shift=0.15),
    ]


@pytest.fixture(scope="module")
def task(recordings: list[Recording]) -> AdaptationTask:
    """Return the task: one trial is one window."""
    return AdaptationTask.of(recordings, SETTINGS)


@pytest.fixture(scope="module")
def model(task: AdaptationTask) -> Model:
    """Return what the first day trained."""
    return task.fit("ts-lr")


class Spy:
    """An adapter that writes down what it is asked and told; it always says the first class."""

    name = "spy"

    def __init__(self, n_classes: int) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._n_classes = n_classes

    def probabilities(self, windows: F64) -> F64:
        """Write down the window."""
        self.calls.append(("predict", windows[0]))
        return np.tile(np.eye(self._n_classes)[0], (len(windows), 1))

    def observe(self, windows: F64) -> None:
        """Write down the window."""
        self.calls.append(("observe", windows[0]))

    def reveal(self, windows: F64, chosen: int, revealed: Revealed) -> None:
        """Write down what is told."""
        self.calls.append(("reveal", windows, chosen, revealed))

    state: dict[str, Any] = {}  # noqa: RUF012

    def carry_on(self, state: Any) -> None:
        """Refuse."""
        raise TypeError

    def copy(self) -> "Spy":
        """Refuse."""
        raise TypeError


def spied(task: AdaptationTask, model: Model, arm: str, **params: Any) -> list[Spy]:
    """Let spies go through, one a session."""
    spies: list[Spy] = []

    def make() -> Spy:
        spies.append(Spy(len(model.classes)))
        return spies[-1]

    go_through(task, model, arm, make=make, **params)
    return spies


@pytest.mark.parametrize("settings", [SETTINGS, OVERLAPPING])
def test_what_is_gone_through_are_the_windows_of_training(
    recordings: list[Recording], settings: EpochSettings
) -> None:
    """A later trial's windows are, bit for bit, those that cutting its recording gives."""
    task = AdaptationTask.of(recordings, settings)
    every = cut_epochs(recordings[1:], settings)
    found = np.concatenate(
        [run.windows(firsts) for s in task.sessions for run in s.runs for firsts in run.trials]
    )
    np.testing.assert_array_equal(found, every.X)
    np.testing.assert_array_equal(task.y, every.trial_y)
    assert [len(session.runs) for session in task.sessions] == [2, 1]
    assert task.training.recordings == (recordings[0].path.name,)


def test_frozen_is_the_model_itself(
    task: AdaptationTask, model: Model, recordings: list[Recording]
) -> None:
    """The frozen arm decides what the model says of each window, to the last bit."""
    X = cut_epochs(recordings[1:], SETTINGS).X
    expected = np.concatenate([model.probabilities(window[None]) for window in X])
    decided = go_through(task, model, "frozen")
    np.testing.assert_array_equal(decided.chosen, expected.argmax(axis=1))


@pytest.mark.parametrize("delay", [0, 3])
def test_a_trial_is_decided_before_anything_of_it_is_told(
    task: AdaptationTask, model: Model, delay: int
) -> None:
    """Predict comes first, then what is due: the trial itself, or one that lies `delay` back."""
    for spy, session in zip(
        spied(task, model, "reward", feedback=Feedback(delay=delay)), task.sessions, strict=True
    ):
        order = [call for call in spy.calls if call[0] != "observe"]
        trials = [call[1] for call in order if call[0] == "predict"]
        assert len(trials) == len(session.y)
        decided, told = 0, 0
        for call in order:
            if call[0] == "predict":
                decided += 1
            else:
                np.testing.assert_array_equal(call[1][0], trials[told])
                assert decided - 1 - told == delay
                told += 1
        assert told == len(trials) - delay  # what would come later never comes


def test_only_windows_that_have_ended_are_seen_before_a_decision(
    task: AdaptationTask, model: Model
) -> None:
    """What the arm sees comes in order; nothing of it reaches beyond the window then decided."""
    for spy, session in zip(spied(task, model, "recenter"), task.sessions, strict=True):
        place = {
            (number, window.tobytes()): first
            for number, run in enumerate(session.runs)
            for first, window in (
                (int(first), run.windows([first])[0]) for first in (*run.seen, *run.trials.ravel())
            )
        }
        number, seen, decided = 0, -1, -1
        for what, window in (call[:2] for call in spy.calls if call[0] != "reveal"):
            first = place.get((number, window.tobytes()), -1)
            if first < 0:  # the next run
                number, seen, decided = number + 1, -1, -1
                first = place[number, window.tobytes()]
            if what == "observe":
                assert first > seen
                seen = first
            else:
                assert first > max(seen, decided)
                decided = first
        assert number == len(session.runs) - 1


def test_reward_arms_learn_right_or_wrong_and_never_the_class(
    task: AdaptationTask, model: Model
) -> None:
    """A clean reward says whether the first class was right; no label comes with it."""
    for spy, session in zip(spied(task, model, "reward+recenter"), task.sessions, strict=True):
        told = [call[3] for call in spy.calls if call[0] == "reveal"]
        assert all(one.label is None for one in told)
        assert [one.reward for one in told] == [float(y == 0) for y in session.y]


def test_others_learn_the_class_or_nothing(task: AdaptationTask, model: Model) -> None:
    """Supervised arms get the class, whatever becomes of rewards; frozen gets nothing."""
    mean = Feedback(flips=1.0, delay=2, losses=1.0)
    for arm in ("supervised", "retrained", "rleegnet-supervised"):
        spies = spied(task, model, arm, feedback=mean)
        told = [call[3] for spy in spies for call in spy.calls if call[0] == "reveal"]
        assert [one.label for one in told] == task.y.tolist()
        assert all(one.reward is None for one in told)
    spies = spied(task, model, "recenter")
    told = [call[3] for spy in spies for call in spy.calls if call[0] == "reveal"]
    assert set(told) == {Revealed()}
    assert told_to("somebody's own arm") == "reward"


def test_flips_and_losses_are_as_frequent_as_asked_for(task: AdaptationTask, model: Model) -> None:
    """Over seeds a fifth is flipped, three tenths never come, and both say so every time anew."""
    flipped, came, total = 0, 0, 0
    for seed in range(20):
        spies = spied(task, model, "reward", feedback=Feedback(0.2, 0, 0.3), seed=seed)
        for spy, session in zip(spies, task.sessions, strict=True):
            total += len(session.y)
            trials = {
                call[1].tobytes(): y
                for call, y in zip(
                    (call for call in spy.calls if call[0] == "predict"), session.y, strict=True
                )
            }
            for call in (call for call in spy.calls if call[0] == "reveal"):
                came += 1
                flipped += call[3].reward != float(trials[call[1][0].tobytes()] == 0)
    assert abs(came / total - 0.7) < 0.05
    assert abs(flipped / came - 0.2) < 0.05


def test_recentering_regains_what_a_shifted_day_costs(task: AdaptationTask, model: Model) -> None:
    """Where channels are mixed anew, the frozen decoder loses ten points that recentering has."""
    frozen, recentred = (
        np.mean(go_through(task, model, arm).chosen == task.y) for arm in ("frozen", "recenter")
    )
    assert recentred > frozen + 0.1


def test_retrained_is_a_decoder_fitted_on_the_first_trials(
    recordings: list[Recording], task: AdaptationTask, model: Model
) -> None:
    """Up to trial n it is frozen; behind it, what scikit-learn's fit of those n trials says."""
    decided = go_through(task, model, "retrained", trials=12)
    frozen = go_through(task, model, "frozen")
    at = 0
    for names in (("p_ses-2_run-1.xdf", "p_ses-2_run-2.xdf"), ("p_ses-3_run-1.xdf",)):
        day = cut_epochs([r for r in recordings if r.path.name in names], SETTINGS)
        alone = make_decoder("ts-lr", channels=day.channels, rate_hz=day.rate_hz)
        alone.fit(day.X[:12], day.y[:12], groups=day.trials[:12])
        mine = decided.probabilities[at : at + day.n_trials]
        np.testing.assert_array_equal(mine[:12], frozen.probabilities[at : at + 12])
        np.testing.assert_allclose(mine[12:], alone.predict_proba(day.X[12:]), rtol=1e-9)
        at += day.n_trials


@pytest.mark.parametrize(
    ("names", "sessions", "words"),
    [
        (["a.xdf"], (), "only a.xdf"),
        (["a.xdf", "b.xdf"], ("1",), "1 sessions"),
        (["a.xdf", "b.xdf"], ("1", "1"), "two or more"),
        (["a.xdf", "b.xdf", "c.xdf"], ("1", "2", "1"), "one after the other"),
    ],
)
def test_sessions_that_make_no_sense_are_named(
    make_session: Make, names: list[str], sessions: tuple[str, ...], words: str
) -> None:
    """One session, or sessions that alternate, are refused in a line that says what to give."""
    made = [make_session(name, 8) for name in names]
    with pytest.raises(TrialError, match=words):
        AdaptationTask.of(made, SETTINGS, sessions)


def test_recordings_without_sessions_are_divided_behind_the_first(make_session: Make) -> None:
    """Where names say no session the first run trains, and the others are one session."""
    made = [make_session(f"R0{k}.edf", 8, seed=k) for k in range(3)]
    task = AdaptationTask.of(made, SETTINGS)
    assert task.training.recordings == ("R00.edf",)
    assert [len(session.runs) for session in task.sessions] == [2]


@pytest.mark.parametrize("wrong", [{"flips": 1.2}, {"losses": -0.1}, {"delay": -1}])
def test_feedback_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    """Shares lie from 0 to 1, delays from 0."""
    with pytest.raises(SettingsError, match="give 0"):
        Feedback(**wrong)


def trials_of(task: AdaptationTask, y: list[int], sessions: list[int]) -> Trials:
    """Return made-up trials."""
    made = Trials.of(task)
    return replace(made, y=np.array(y), sessions=np.array(sessions), names=("a", "b"))


def test_marks_are_those_that_can_be_counted(task: AdaptationTask) -> None:
    """Accuracy, regret, harm and the course, against what counting by hand gives."""
    own = trials_of(task, [0, 1] * 20, [0] * 20 + [1] * 20)
    right, wrong = np.array([0, 1] * 20), np.array([1, 0] * 20)
    half = np.where(np.arange(40) < 20, right, wrong)
    adapted = []
    for person in ("A", "B", "C"):
        good = right if person != "C" else half
        for arm, chosen in (
            ("frozen", half[None]),
            ("supervised", right[None]),
            ("reward", np.stack([good, half if person != "C" else wrong])),
        ):
            adapted.append(Adapted(person, "ts-lr", arm, Feedback(), chosen, (1.0, 2.0)))
    table = AdaptationTable.of(adapted, dict.fromkeys("ABC", own))
    rows = {row.arm: row for row in table.rows}
    assert rows["frozen"].people["A"].accuracy == 0.5
    assert rows["reward"].people["A"].accuracy == 0.75
    assert rows["reward"].people["C"].accuracy == 0.25
    assert rows["reward"].people["A"].regret == pytest.approx(25.0)
    assert rows["reward"].people["A"].kappa == pytest.approx((1.0 + 0.0) / 2)
    assert rows["reward"].harmed == pytest.approx(1 / 3)
    assert rows["supervised"].harmed == 0
    assert rows["reward"].helped == pytest.approx(2 / 3)
    assert rows["frozen"].helped is None
    assert rows["reward"].against["frozen"].mean == pytest.approx((0.25 + 0.25 - 0.25) / 3)
    assert any("reward is the label" in note for note in table.notes)
    course = {curve.arm: curve for curve in curves(adapted, dict.fromkeys("ABC", own))}
    assert course["frozen"].trials == (10, 20)
    assert [score.mean for score in course["frozen"].scores] == [0.5, 0.5]
    head, cells = table.cells()
    assert all(len(row) == len(head) for row in cells)
    assert len(table.csv().splitlines()) == 4


def test_a_guarded_arm_goes_through_beside_the_arm(task: AdaptationTask, model: Model) -> None:
    """Whoever learns has a row more; where nothing is told to an arm, its guard hears rewards."""
    arms = Arms(("frozen", "recenter", "supervised", "retrained"), guard=True)
    assert arms.all_names == (
        *("frozen", "recenter", "recenter+guard", "supervised", "supervised+guard", "retrained"),
    )
    two = replace(arms, feedback=(Feedback(), Feedback(0.2)))
    assert [len(two.of(name)) for name in arms.all_names] == [1, 1, 2, 1, 1, 1]
    of_guard, of_bound = (
        [call[3] for spy in spied(task, model, arm) for call in spy.calls if call[0] == "reveal"]
        for arm in ("recenter+guard", "supervised+guard")
    )
    assert [known.reward for known in of_guard] == [float(label == 0) for label in task.y]
    assert {known.label for known in of_guard} == {None}
    assert [known.label for known in of_bound] == list(task.y)


def test_cells_are_kept_and_missing_arms_are_named(
    recordings: list[Recording], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second call computes nothing; an arm that nobody has is a failure beside the others."""
    people = [
        Subject(name, lambda: (cut_epochs(recordings, SETTINGS), recordings)) for name in ("A", "B")
    ]
    arms = Arms(("frozen", "reward", "nobody's"), (Feedback(), Feedback(0.2)), seeds=2)
    store = CellStore(tmp_path / "cells")
    first, trials, failures = evaluate_adaptation(people, {"mdm": {}}, arms, store=store)
    assert {"nobody's" in failure.reason for failure in failures} == {True}
    assert [a.chosen.shape for a in first] == 2 * [(1, 72), (1, 72), (2, 72)]
    assert {name: own.names for name, own in trials.items()} == {"A": ("2", "3"), "B": ("2", "3")}
    monkeypatch.setattr("bci.evaluation.adaptation_cells.go_through", None)
    known = replace(arms, names=arms.names[:2])
    again, _, failures = evaluate_adaptation(people, {"mdm": {}}, known, store=store)
    assert not failures
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.chosen, other.chosen)


def test_the_only_person_without_a_second_session_is_an_error(make_session: Make) -> None:
    """What cannot be evaluated is said at once where nobody else is."""
    made = [make_session("a.xdf", 8)]
    with pytest.raises(InputError, match="online-adaptation"):
        evaluate_adaptation(
            [Subject("", lambda: (cut_epochs(made, SETTINGS), made))],
            {"mdm": {}},
            Arms(("frozen",)),
        )
