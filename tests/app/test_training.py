"""The training part of a session, without a window."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bci.decoders import load_model
from bci.decoders.registry import DecoderEntry
from bci.errors import ModelError
from bci.evaluation import Protocol, evaluate
from bci.evaluation.cells import Subject, evaluate_cells
from bci.evaluation.training import fit_model
from bci.experiment import decoder_choices as choices_module
from bci.experiment.attempts import details_path, load_details
from bci.experiment.comparing import SearchSettings
from bci.experiment.decoder_choices import SEARCH, decoder_choices
from bci.experiment.session import Session
from bci.experiment.states import ExperimentError
from bci.experiment.training import TrainingPart, TrainingRow
from bci.experiment.worker import TaskState
from bci.signal.epochs import cut_epochs
from bci.sources.reading import open_recording
from bci.workspace import RunRecord

CUE_S = 5.0


@pytest.fixture(scope="module")
def session(
    tmp_path_factory: pytest.TempPathFactory, session_of: Callable[..., Session]
) -> Iterator[Session]:
    """One session of two runs for all tests of this module."""
    made = session_of(tmp_path_factory.mktemp("study"))
    yield made
    made.close()


@pytest.fixture
def training(session: Session) -> TrainingPart:
    """Its training part, with nothing going on."""
    assert session.training.wait(240.0)
    return session.training


@pytest.fixture
def alone(tmp_path: Path, session_of: Callable[..., Session]) -> Iterator[Session]:
    """Open a session of its own, for what changes its processes."""
    made = session_of(tmp_path)
    yield made
    made.close()


@pytest.fixture
def heard(training: TrainingPart) -> Iterator[SimpleNamespace]:
    """Collect what the part says."""
    said = SimpleNamespace(rows=[], failed=[], compared=[], used=[], progress=[])
    events = training.events
    pairs: list[tuple[Any, Callable[..., Any]]] = [
        (events.rows_changed, said.rows.append),
        (events.failed, said.failed.append),
        (events.compared, said.compared.append),
        (events.used, said.used.append),
        (events.progressed, said.progress.append),
    ]
    for event, slot in pairs:
        event.connect(slot)
    yield said
    for event, slot in pairs:
        event.disconnect(slot)


def epochs_of(session: Session) -> Any:
    """Cut the session's trials."""
    paths = session.record.paths("calibration")
    return cut_epochs([open_recording(path) for path in paths], session.epochs)


def until(found: Callable[[], bool], timeout_s: float = 120.0) -> None:
    """Wait for what happens in another thread."""
    end = time.monotonic() + timeout_s
    while not found():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_decoders_are_compared_in_the_folds_of_evaluate(
    session: Session, training: TrainingPart, heard: SimpleNamespace
) -> None:
    """Rows come one by one, with the numbers of `evaluate`; the best is named, pairs compared."""
    training.compare(["csp-lda", "ts-lr"])
    assert training.progress.busy
    with pytest.raises(ExperimentError, match="wait for them, or cancel"):
        training.compare(["mdm"])
    assert training.wait(240.0)
    rows = {row.decoder: row for row in training.rows}
    epochs = epochs_of(session)
    for name, row in rows.items():
        assert row.state is TaskState.DONE, row.error
        expected = evaluate(epochs, name, protocol=Protocol(name="leave-one-run-out"))
        assert row.attempt is not None
        assert row.attempt.accuracy == expected.accuracy
        assert row.attempt.roc_auc == expected.roc_auc
        assert row.attempt.chance_95 == expected.chance_95
        assert row.attempt.protocol == "leave-one-run-out"
        details = training.details(row.attempt.file)
        assert details is not None
        np.testing.assert_array_equal(details.probabilities, expected.probabilities)
        assert details.confusion.sum() == 32
    assert sum(row.best for row in rows.values()) == 1
    behind = [row.behind for row in rows.values() if not row.best]
    assert behind[0] is not None
    assert behind[0].mean >= 0
    assert behind[0].n_trials == 32
    done = [sum(row.attempt is not None for row in told) for told in heard.rows]
    assert done == sorted(done)
    assert {0, 1, 2} <= set(done)
    shares = [told.share for told in heard.progress if told.busy]
    assert max(shares) > 0.4
    assert not training.progress.busy


def test_what_was_scored_goes_online_fitted_on_all_trials(
    session: Session, training: TrainingPart
) -> None:
    """The model's probabilities are those of the same decoder fitted on every trial."""
    training.compare(["ts-lr"])
    assert training.wait(240.0)
    attempt = training.attempts[-1]
    model = load_model(session.folder / attempt.file)
    epochs = epochs_of(session)
    recordings = [open_recording(path) for path in session.record.paths("calibration")]
    same = fit_model(epochs, recordings, "ts-lr")
    np.testing.assert_array_equal(model.probabilities(epochs.X), same.probabilities(epochs.X))
    assert attempt.n_trials == {"left_hand": 16, "right_hand": 16}


def test_patterns_lie_over_the_hand_areas(session: Session, training: TrainingPart) -> None:
    """Evidence for the right hand goes with less power at C3, and the map is drawn from it."""
    training.compare(["ts-lr"])
    assert training.wait(240.0)
    details = training.details(training.attempts[-1].file)
    assert details is not None
    patterns = details.patterns
    right = patterns.values[patterns.titles.index("right_hand")]
    assert patterns.channels[int(right.argmin())] == "C3"
    assert patterns.channels[int(right.argmax())] == "C4"
    assert patterns.images.shape[0] == 2
    assert np.isfinite(patterns.images).any()


def test_search_is_nested_and_leaves_its_picture(session: Session, training: TrainingPart) -> None:
    """The search's attempt has the chosen pair, its map, and a model that decodes."""
    training.compare([SEARCH], search=SearchSettings(most=2, longest_s=0.02, n_lags=2))
    assert training.wait(240.0)
    attempt = training.attempts[-1]
    assert attempt.decoder == SEARCH, training.rows
    details = training.details(attempt.file)
    assert details is not None
    found = details.search[0]
    assert found.orders[0] == 1
    assert found.chosen == (
        attempt.params["order"],
        attempt.params["lag"],
    )
    assert np.isfinite(found.scores[:, 0]).all()
    assert attempt.accuracy is not None
    assert attempt.accuracy.mean > 0.5
    model = load_model(session.folder / attempt.file)
    assert model.probabilities(epochs_of(session).X).shape == (32, 2)
    with pytest.raises(ExperimentError, match="another search each time"):
        training.learn(attempt.file)


def test_killed_worker_loses_nothing(alone: Session) -> None:
    """A process that dies in training fails that decoder alone, with a reason; the next works."""
    training = alone.training
    training.compare(["mdm"])
    assert training.wait(240.0)
    kept = training.attempts
    training.compare([SEARCH, "mdm"], search=SearchSettings(most=6))
    until(lambda: training.rows[0].state is TaskState.RUNNING and training.progress.share > 0)
    pid = alone.worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    assert training.wait(240.0)
    failed, next_one = training.rows
    assert failed.state is TaskState.FAILED
    assert "Nothing is lost" in failed.error
    assert next_one.state is TaskState.DONE, next_one.error
    assert training.attempts[:-1] == kept
    assert alone.worker.pid != pid


def test_cancel_is_done_within_a_second(alone: Session) -> None:
    """What runs and waits is cancelled at once; attempts made before stay."""
    training = alone.training
    training.compare(["mdm"])
    assert training.wait(240.0)
    kept = training.attempts
    training.compare([SEARCH, "mdm"])
    until(lambda: training.progress.share > 0)
    began = time.monotonic()
    training.cancel()
    assert training.wait(240.0)
    assert time.monotonic() - began < 1.0
    assert {row.state for row in training.rows} == {TaskState.CANCELLED}
    assert training.attempts == kept


def test_attempts_of_other_folds_are_not_compared(
    session: Session, training: TrainingPart, heard: SimpleNamespace
) -> None:
    """Two attempts on the same folds give a difference; two of different tests a reason."""
    for test, names in (("auto", ["ts-lr", "mdm"]), ("shuffled", ["mdm"])):
        training.compare(names, test=test)
        assert training.wait(240.0)
    first, second, other = (attempt.file for attempt in training.attempts[-3:])
    training.compare_attempts([first, second])
    until(lambda: bool(heard.compared))
    difference = heard.compared[0][0]
    assert difference.n_comparisons == 1
    assert difference.low <= difference.mean <= difference.high
    training.compare_attempts([first, other])
    until(lambda: bool(heard.failed))
    assert "other folds" in heard.failed[0]
    with pytest.raises(ExperimentError, match="two attempts"):
        training.compare_attempts([first, first])


def test_learning_curve_stays_with_its_attempt(session: Session, training: TrainingPart) -> None:
    """The curve ends at what a fold leaves for training, and is on the record."""
    training.compare(["mdm"])
    assert training.wait(240.0)
    file = training.attempts[-1].file
    training.learn(file)
    assert training.wait(240.0)
    curve = training.attempt(file).learning
    sizes = [point["n_train"] for point in curve["points"]]
    assert sizes == sorted(sizes)
    assert sizes[-1] == 25
    assert "trials" in curve["answer"]


def test_chosen_features_go_to_the_decoders_that_take_them(
    session: Session, training: TrainingPart
) -> None:
    """psd-lda decodes the session's features, and says so; ts-lr can be recentred, it cannot."""
    session.record.features = ["C3;10:13", "C4;10:13", "fc Cz;10"]
    try:
        training.compare(["psd-lda", "ts-lr"])
        assert training.wait(240.0)
    finally:
        session.record.features = []
    features, riemannian = training.attempts[-2:]
    assert features.params == {"features": "C3;10:13, C4;10:13"}
    assert any("chosen by hand" in remark for remark in features.remarks)
    model = load_model(session.folder / features.file)
    names = [str(name) for name in model.estimator.names]
    assert names == ["psd C3;10:13", "psd C4;10:13"]
    assert model.recentering is None
    assert load_model(session.folder / riemannian.file).recentering is not None


def test_trials_taken_out_by_hand_are_not_learned_from(
    session: Session, training: TrainingPart
) -> None:
    """A trial that the clinician took out is missing from training and listed."""
    run = session.record.runs[0]
    run.left_out = [1.0, 1.0 + CUE_S]
    try:
        training.compare(["mdm"])
        assert training.wait(240.0)
    finally:
        run.left_out = []
    attempt = training.attempts[-1]
    assert sum(attempt.n_trials.values()) == 30
    assert [item["onset_s"] for item in attempt.left_out] == pytest.approx([1.0, 6.0], abs=0.01)


def test_model_from_elsewhere_is_copied_and_used(
    session: Session, training: TrainingPart, tmp_path: Path, heard: SimpleNamespace
) -> None:
    """A model file is taken in as an attempt; what is no model is refused, and nothing changes."""
    training.compare(["mdm"])
    assert training.wait(240.0)
    elsewhere = tmp_path / "theirs.bci"
    elsewhere.write_bytes((session.folder / training.attempts[-1].file).read_bytes())
    training.choose(str(elsewhere))
    assert training.wait(240.0)
    brought = training.attempts[-1]
    assert heard.used == [brought.file]
    assert training.in_use == brought.file
    assert brought.origin == str(elsewhere)
    (tmp_path / "none.bci").write_text("no model")
    training.choose(str(tmp_path / "none.bci"))
    assert training.wait(240.0)
    assert "is no Rolandic model" in heard.failed[0]
    assert training.in_use == brought.file


def test_reopened_session_has_its_attempts(
    tmp_path: Path, session_of: Callable[..., Session]
) -> None:
    """Attempts, their pictures and the one in use are there after the session is opened again."""
    session = session_of(tmp_path, n_runs=1)
    try:
        session.training.compare(["mdm"])
        assert session.training.wait(240.0)
        file = session.training.attempts[-1].file
        assert session.training.attempts[-1].protocol == "within, 5 folds"
        session.training.use(file)
    finally:
        session.close()
    again = session_of(tmp_path, n_runs=1)
    try:
        assert [attempt.file for attempt in again.training.attempts] == [file]
        assert again.training.in_use == file
        assert again.training.details(file) is not None
    finally:
        again.close()


def test_damaged_pictures_are_none(tmp_path: Path) -> None:
    """An attempt whose arrays cannot be read still stands, without pictures."""
    path = details_path(tmp_path / "attempt-01_mdm.bci")
    assert load_details(path) is None
    path.write_bytes(b"PK no")
    assert load_details(path) is None


def test_plugin_that_cannot_be_loaded_keeps_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder without its library is listed, with what the registry says of it."""
    missing = DecoderEntry("deep", None, "No module named 'torch': pip install theirs", "theirs")
    monkeypatch.setattr(choices_module, "available_decoders", lambda: {"deep": missing})
    deep = next(c for c in decoder_choices(progress=lambda n, m: None) if c.name == "deep")
    assert deep.group == "plugins"
    assert deep.reason == missing.reason


def test_decoders_stand_in_their_groups() -> None:
    """Every registered decoder is in a group; delays make a Riemannian one augmented."""
    found = {choice.name: choice for choice in decoder_choices(progress=lambda n, m: None)}
    groups = {name: choice.group for name, choice in found.items()}
    assert groups["psd-lda"] == groups["csp-lda"] == "features"
    assert groups["ts-lr"] == groups["fgmdm"] == "riemannian"
    assert groups["acm-svm"] == groups["bt-acm"] == groups[SEARCH] == "augmented"
    assert groups["combined"] == "together"


def test_real_runs_score_as_the_command_has_it(
    tmp_path: Path, shared_data: Path, session_of: Callable[..., Session]
) -> None:
    """S001's runs 4, 8, 12: every row is what `bci evaluate` gives for the same folds."""
    classes = {"T1": "left_hand", "T2": "right_hand"}
    session = session_of(tmp_path, n_runs=0, epochs={"event_map": classes, "band_hz": (7, 35)})
    try:
        for number in ("04", "08", "12"):
            path = session.folder / f"S001R{number}.edf"
            path.write_bytes((shared_data / "eegmmidb" / path.name).read_bytes())
            session.record.runs.append(RunRecord(path.name, "calibration"))
        names = ("ts-lr", "acm-svm", "psd-lda")
        session.training.compare(names)
        assert session.training.wait(240.0)
        rows: tuple[TrainingRow, ...] = session.training.rows
        epochs, paths = session.epochs, session.record.paths("calibration")
    finally:
        session.close()

    def read() -> Any:
        recordings = [open_recording(path) for path in paths]
        return cut_epochs(recordings, epochs), recordings

    grid = evaluate_cells(
        [Subject("S001", read)],
        {name: {} for name in names},
        [Protocol(name="leave-one-run-out")],
    )
    for row, of_command in zip(rows, grid.rows, strict=True):
        assert row.attempt is not None, row.error
        expected = of_command.result
        assert row.attempt.cv["accuracy"] == expected.accuracy.as_dict()
        assert row.attempt.cv["roc_auc"] == expected.roc_auc.as_dict()
        assert row.attempt.cv["kappa"] == expected.kappa.as_dict()


def test_model_of_another_montage_is_refused(
    alone: Session,
    tmp_path: Path,
    session_of: Callable[..., Session],
    write_run: Callable[..., Path],
) -> None:
    """With an amplifier connected, a model that needs a channel it has not is named so."""
    other = session_of(tmp_path / "other", n_runs=0)
    try:
        path = write_run(other.folder / "calibration-1_raw.fif", seed=5,
                         channels=("C3", "C4", "Cz", "Iz", "T8"))  # fmt: skip
        other.record.runs.append(RunRecord(path.name, "calibration"))
        other.training.compare(["mdm"])
        assert other.training.wait(240.0)
        strange = other.folder / other.training.attempts[-1].file
    finally:
        other.close()
    training = alone.training
    training.compare(["mdm"])
    assert training.wait(240.0)
    training.use(training.attempts[-1].file)
    in_use = training.in_use
    alone.signals.start_simulator({"ability": 1.0, "seed": 1})
    alone.signals.wait(60.0)
    assert alone.experiment.acquisition is not None
    assert training.misfit == ""
    kept = len(training.attempts)
    with pytest.raises(ModelError, match=r"Iz.*T8"):
        training.use(str(strange))
    assert training.in_use == in_use
    assert len(training.attempts) == kept
    # One that is in use already when the amplifier is connected: the rail says so.
    assert alone.readiness("online").ready
    alone.experiment.model = load_model(strange)
    assert "does not fit this amplifier" in alone.readiness("online").why_not
    assert "Iz" in alone.feedback.why_not()
