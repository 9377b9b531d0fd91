"""Calibration without a window: the score so far, what is kept, an amplifier that dies."""

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bci.evaluation.chance import chance_level
from bci.evaluation.metrics import Score, wilson_interval
from bci.experiment.calibration_score import (
    ANSWERS,
    CalibrationScore,
    ScorePoint,
    more_trials,
    score_so_far,
)
from bci.experiment.session import Notice, Session
from bci.paradigm import GrazSettings, RunProgress
from bci.signal.epochs import BY_HAND, REJECTED
from bci.signal.trials import find_trials
from bci.sources.reading import open_recording
from bci.workspace import SessionSetup, Workspace

QUICK = GrazSettings(
    trials_per_class=2,
    fixation_s=0.3,
    cue_s=0.3,
    imagery_s=0.8,
    pause_s=(0.2, 0.3),
    lead_s=0.5,
)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Connect a simulated person in real time, with a protocol of a few seconds."""
    setup = SessionSetup.make(
        subject="sim01", session="01", protocol=QUICK, epochs={"window_s": (0.2, 0.7)}
    )
    session = Session(Workspace(tmp_path_factory.mktemp("study")), setup)
    session.signals.start_simulator({"ability": 1.0, "seed": 2})
    session.signals.wait(60.0)
    yield session
    session.close()


def _wait_score(session: Session) -> CalibrationScore:
    assert session.calibration.wait_scored(90.0)
    assert session.calibration.score is not None
    return session.calibration.score


@pytest.mark.parametrize("share", [0.7, 0.8, 0.95, 1.0])
@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_more_trials_is_the_smallest_number_that_settles_it(share, n_classes):
    """With that many more the whole interval is above the chance level; with fewer not."""
    n = 5 * n_classes
    more = more_trials(share, n, n_classes)
    assert more is not None

    def settled(n_trials: int) -> bool:
        low, _ = wilson_interval(share * n_trials, n_trials)
        return low >= chance_level([n_trials // n_classes] * n_classes)

    assert settled(n + more)
    assert not any(settled(k) for k in range(n, n + more, n_classes))


def test_more_trials_cannot_settle_what_is_chance():
    """At the accuracy of chance no number of trials is promised."""
    assert more_trials(0.5, 40, 2) is None


def test_every_answer_is_a_sentence_that_its_score_can_fill():
    """Each verdict has its sentence, and every field in it a value."""
    score = CalibrationScore(
        "ts-lr", ("a", "b"), (10, 10), "early", Score(0.75, 0.53, 0.89), 0.75, more=8,
        fewer=(12, 0.7, 16, 0.75),
    )  # fmt: skip
    for verdict in ANSWERS:
        text = str(dataclasses.replace(score, verdict=verdict))
        assert not re.search(r"[{}]|None", text)
        assert text.endswith(".")
    assert "8 more trials" in str(dataclasses.replace(score, verdict="unsettled"))
    assert "36 percentage points" in str(dataclasses.replace(score, verdict="wide"))


def test_a_score_is_kept_and_read_again_as_it_was():
    """JSON and back gives the same score; something else is refused."""
    score = CalibrationScore(
        "ts-lr", ("a", "b"), (10, 9), "rises", Score(0.9, 0.7, 1.0), 0.75,
        (ScorePoint(8, 0.8, 0.5, 0.9, 0.9),), (("crosses a gap", 2),), 0, (12, 0.7, 16, 0.75),
        "8-32 Hz", ("calibration-01.xdf",), "", "x/y",
    )  # fmt: skip
    assert CalibrationScore.from_dict(json.loads(json.dumps(score.as_dict()))) == score
    with pytest.raises((KeyError, TypeError, ValueError)):
        CalibrationScore.from_dict({"decoder": "ts-lr"})
    with pytest.raises(ValueError, match="verdict"):
        CalibrationScore.from_dict(score.as_dict() | {"verdict": "splendid"})


@pytest.mark.filterwarnings("default")
def test_the_score_follows_the_trials_and_survives_reopening(connected: Session) -> None:
    """A person of ability 1 is found to have enough trials; the score is there again later."""
    session = connected
    scores: list[CalibrationScore] = []
    session.calibration.events.scored.connect(scores.append)
    session.calibration.start()
    assert session.wait_run(60.0)
    score = _wait_score(session)
    assert len(scores) >= 2  # the first while the run went on
    assert scores[0].n_trials < score.n_trials
    # A machine that is busy may hold the amplifier up: such a trial is left out, or comes again.
    run = session.record.runs[0]
    assert score.n_trials + sum(n for _, n in score.left_out) == run.outcome["n_trials"] >= 24
    assert score.n_trials == sum(score.n_per_class) >= 20
    assert score.accuracy is not None
    assert score.chance_95 == chance_level(score.n_per_class)
    assert score.accuracy.low >= score.chance_95
    assert (score.accuracy.low, score.accuracy.high) == pytest.approx(
        wilson_interval(round(score.accuracy.mean * score.n_trials), score.n_trials)
    )
    assert score.enough
    assert [p.n_trials for p in score.points] == sorted({p.n_trials for p in score.points})
    assert score.points[-1].n_trials == score.n_trials
    assert len(score.points) >= 4

    session.close()  # it can be open once
    again = Session(session.workspace, session.setup)
    try:
        assert again.calibration.score == score
        assert not again.calibration.scoring  # nothing has changed: nothing to work out
        onset_s = _onsets(again, run.file)[3]
        again.record.runs[0].left_out = [onset_s]
        again.save()
        taken = _wait_score(again)
        assert dict(taken.left_out)[BY_HAND] == 1
        assert taken.n_trials == score.n_trials - 1
    finally:
        again.close()


def _onsets(session: Session, file: str) -> list[float]:
    recording = open_recording(session.folder / file)
    start_s = recording.stamps[0]
    offsets = recording.clock_offsets
    shift_s = float(offsets[0, 1]) if len(offsets) else 0.0
    return [t.onset_s - start_s - shift_s for t in find_trials(recording.markers, {})]


def test_too_few_trials_are_not_scored_and_it_says_how_many_are_missing(tmp_path: Path) -> None:
    """Without recordings of four trials a class there is no number, only what is missing."""
    session = Session(Workspace(tmp_path), SessionSetup.make(subject="sim01", session="01"))
    try:
        score = score_so_far(
            [], None, session.epochs, "ts-lr", {}, session.setup.online, (), "", "key"
        )
    finally:
        session.close()
    assert score.accuracy is None
    assert score.more == 8
    assert str(score) == "The first score comes after 8 more trials."


@pytest.mark.filterwarnings("default")
def test_a_run_goes_on_when_the_amplifier_returns(quick: Session) -> None:
    """While it is gone no trial is given; the one it missed comes again; the gap is said."""
    session = quick
    notices: list[Notice] = []
    held: list[str] = []
    session.events.noticed.connect(notices.append)

    def progressed(progress: RunProgress) -> None:
        if progress.held and not held:
            held.append(progress.held)

    dropped = False

    def reached(step, time_s) -> None:
        nonlocal dropped
        if step.label == "imagery_start" and step.trial == 1 and not dropped:
            dropped = True
            session.signals.simulator.amplifier.drop()
        if step.label == "run_paused":
            session.signals.simulator.amplifier.restore()

    session.calibration.events.progressed.connect(progressed)
    session.experiment.events.step_reached.connect(reached)
    session.calibration.start()
    assert session.wait_run(60.0)
    session.experiment.events.step_reached.disconnect(reached)
    session.calibration.events.progressed.disconnect(progressed)
    session.events.noticed.disconnect(notices.append)
    run = session.record.runs[-1]
    assert run.completed, run.note
    assert held == ["signal"]
    (missed,) = run.outcome["rejected"]  # an amplifier that is slow to go misses the next one
    assert missed in (1, 2)
    assert run.outcome["n_trials"] == 5
    assert any("missing" in notice.text for notice in notices)
    trials = find_trials(open_recording(session.folder / run.file).markers, {})
    assert [t.rejected for t in trials] == [number == missed for number in range(5)]


@pytest.mark.filterwarnings("default")
def test_a_run_fails_when_the_amplifier_does_not_return_and_its_trials_stay(
    quick: Session,
) -> None:
    """The message says what to do; trials before are in the record, readable and used."""
    session = quick
    session.experiment.give_up_s = 2.0
    failures: list[tuple[str, str]] = []
    session.events.run_failed.connect(lambda kind, why: failures.append((kind, why)))

    def reached(step, time_s) -> None:
        if step.label == "imagery_start" and step.trial == 2:
            session.signals.simulator.amplifier.drop()

    session.experiment.events.step_reached.connect(reached)
    session.calibration.start()
    assert session.wait_run(60.0)
    assert failures
    assert failures[0][0] == "calibration"
    assert "sent nothing" in failures[0][1]
    session.experiment.events.step_reached.disconnect(reached)
    run = session.record.runs[-1]
    assert not run.completed
    assert run.note == failures[0][1]
    assert session.folder / run.file in session.record.paths("calibration")
    trials = find_trials(open_recording(session.folder / run.file).markers, {})
    assert len(trials) >= 3
    assert not session.calibration.running
    session.signals.disconnect()  # it is looked for as long as it is wanted
    session.signals.wait(20.0)
    assert {reason for reason, _ in _wait_score(session).left_out} <= {
        REJECTED,
        "crosses a gap",
        "broken off",
        "cue outside the recording",
        "reaches beyond the end of the recording",
    }
