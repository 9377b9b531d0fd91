"""The hour of a session, without a window: the parts that the steps drive."""

import pytest

from bci.experiment.session import Session
from bci.experiment.worker import TaskState

from .conftest import FEEDBACK


@pytest.mark.filterwarnings("default")
def test_hour_runs_from_calibration_to_online(calibrated: Session) -> None:
    """A simulated person is calibrated, a decoder trained and used, and decoded online."""
    session = calibrated
    assert [run.kind for run in session.record.runs] == ["calibration"]
    assert session.record.runs[0].completed, session.record.runs[0].note
    task = session.training.train("ts-lr")
    assert task.wait(120.0)
    assert task.state is TaskState.DONE, task.error
    session.training.use(session.record.attempts[-1]["file"])
    session.change(feedback=FEEDBACK.model_copy(update={"trials_per_class": 2}))
    session.feedback.start()
    assert session.wait_run(90.0)
    online = session.record.runs[-1]
    assert online.kind == "online"
    assert not online.note, online.note
    trials = online.outcome["trials"]
    assert len(trials) == 4
    assert sum(trial["correct"] for trial in trials) >= 3
