"""The Train step, as a clinician clicks it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QApplication

from bci.decoders.search_map import SearchMap
from bci.experiment.attempts import Attempt, Patterns
from bci.experiment.decoder_choices import DecoderChoice
from bci.experiment.session import Session
from bci.experiment.training import TrainingProgress
from bci.experiment.worker import TaskState
from bci_app.steps.train import TrainStep
from bci_app.theme import apply_theme
from bci_app.widgets.attempt_table import params_words
from bci_app.widgets.confusion import ConfusionMatrix
from bci_app.widgets.decoder_list import DecoderList
from bci_app.widgets.decoder_panel import left_words
from bci_app.widgets.interval_rows import IntervalRow, IntervalRows
from bci_app.widgets.learning_curve import LearningCurveView
from bci_app.widgets.patterns import PatternView
from bci_app.widgets.search_map import SearchMapView

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(scope="module")
def session(
    tmp_path_factory: pytest.TempPathFactory, session_of: Callable[..., Session]
) -> Iterator[Session]:
    """One session of two runs for all tests of this module."""
    made = session_of(tmp_path_factory.mktemp("study"))
    yield made
    made.close()


@pytest.fixture
def step(qtbot: Any, session: Session) -> Iterator[TrainStep]:
    """Show the step with its decoders found."""
    assert session.training.wait(60.0)
    made = TrainStep()
    qtbot.addWidget(made)
    made.resize(1120, 680)
    made.show()
    made.bind(session)
    qtbot.waitUntil(lambda: bool(made.panel.names), timeout=120_000)
    yield made
    made.unbind()


def tick(step: TrainStep, *names: str) -> None:
    """Tick these decoders and no others."""
    for name in step.panel.names:
        step.panel.list.box(name).setChecked(False)
    for name in names:
        step.panel.list.box(name).setChecked(True)


def train(qtbot: Any, step: TrainStep, *names: str) -> None:
    """Tick, click Train, and wait until all is shown."""
    assert step.session is not None
    training = step.session.training
    tick(step, *names)
    qtbot.mouseClick(step.panel.train_button, LEFT)
    assert training.progress.busy
    qtbot.waitUntil(lambda: not training.progress.busy, timeout=180_000)
    qtbot.waitUntil(lambda: step.panel.train_button.isEnabled(), timeout=20_000)
    shown = tuple(row.attempt.file for row in training.rows if row.attempt is not None)
    qtbot.waitUntil(
        lambda: tuple(row.key for row in step.scores.rows.rows) == shown, timeout=20_000
    )


def test_step_teaches_before_there_is_a_session(qtbot: Any) -> None:
    """Without a session nothing can be pressed, and each part says what will appear."""
    step = TrainStep()
    qtbot.addWidget(step)
    assert not step.panel.train_button.isEnabled()
    assert not step.history.use_button.isEnabled()
    assert "press Train" in step.scores._empty.text()  # noqa: SLF001 what is shown
    step.train()
    step.use()
    step.cancel()


def test_session_without_runs_says_why_not(
    qtbot: Any, tmp_path: Path, session_of: Callable[..., Session]
) -> None:
    """Before calibration the button is off, and the reason stands beneath it."""
    empty = session_of(tmp_path, n_runs=0)
    step = TrainStep()
    qtbot.addWidget(step)
    try:
        step.bind(empty)
        qtbot.waitUntil(lambda: bool(step.panel.names), timeout=120_000)
        assert not step.panel.train_button.isEnabled()
        assert "no calibration run" in step.panel.left.text()
        step.train()
        assert "record one in Calibrate" in step.panel.message.text()
    finally:
        step.unbind()
        empty.close()


def test_ticked_decoders_are_trained_and_shown(qtbot: Any, step: TrainStep) -> None:
    """Click Train: a row each, the best marked and shown with its confusion and its patterns."""
    train(qtbot, step, "ts-lr", "mdm")
    rows = step.scores.rows.rows
    assert {row.label for row in rows} == {"ts-lr", "mdm"}
    qtbot.waitUntil(lambda: any(row.mark for row in step.scores.rows.rows), timeout=20_000)
    qtbot.waitUntil(lambda: any("behind" in row.text for row in step.scores.rows.rows))
    best = next(row for row in step.scores.rows.rows if row.mark)
    assert step.attempts.files == (best.key,)
    counts = step.view.confusion.counts
    assert counts is not None
    assert counts.sum() == 32
    assert step.view.patterns.patterns is not None
    assert "other runs" in step.scores.protocol.text()
    assert step.attempts.rowCount() == len(step.session.training.attempts)  # type: ignore[union-attr]


def test_arrows_and_clicks_choose_an_attempt(qtbot: Any, step: TrainStep) -> None:
    """A row that is picked by key or mouse is shown, and marked in the history."""
    train(qtbot, step, "ts-lr", "mdm")
    rows = step.scores.rows
    first, second = (row.key for row in rows.rows)
    qtbot.mouseClick(rows, LEFT, pos=rows.row_rect(0).center().toPoint())
    assert step.attempts.files == (first,)
    qtbot.keyClick(rows, Qt.Key.Key_Down)
    assert step.attempts.files == (second,)
    qtbot.keyClick(rows, Qt.Key.Key_Down)
    assert step.attempts.files == (second,)
    qtbot.keyClick(rows, Qt.Key.Key_Up)
    assert step.attempts.files == (first,)


def test_use_takes_the_chosen_attempt_online(qtbot: Any, step: TrainStep, session: Session) -> None:
    """Click Use: the model decodes from now on, and the table says which."""
    train(qtbot, step, "mdm")
    file = step.attempts.files[0]
    qtbot.mouseClick(step.history.use_button, LEFT)
    qtbot.waitUntil(lambda: session.training.in_use == file, timeout=120_000)
    qtbot.waitUntil(lambda: "from now on" in step.history.message.text(), timeout=20_000)
    assert session.experiment.model is not None
    item = step.attempts.item(0, 1)
    assert item is not None
    assert "in use" in item.text()


def test_model_that_is_none_is_refused_in_place(
    qtbot: Any, step: TrainStep, session: Session, tmp_path: Path
) -> None:
    """A file that is no model gives one line beneath the history; what was in use stays."""
    before = session.training.in_use
    (tmp_path / "x.bci").write_text("no model")
    step.open_model(str(tmp_path / "x.bci"))
    qtbot.waitUntil(lambda: "no Rolandic model" in step.history.message.text(), timeout=60_000)
    assert step.history.message.property("role") == "trouble"
    assert session.training.in_use == before


def test_two_marked_attempts_are_compared(qtbot: Any, step: TrainStep) -> None:
    """Mark two lines, click Compare: the difference in words, with interval and p."""
    train(qtbot, step, "ts-lr", "mdm")
    assert not step.history.compare_button.isEnabled()
    step.attempts.mark([row.key for row in step.scores.rows.rows])
    step.attempts.itemSelectionChanged.emit()
    assert len(step.attempts.files) == 2
    assert step.history.compare_button.isEnabled()
    qtbot.mouseClick(step.history.compare_button, LEFT)
    qtbot.waitUntil(lambda: "minus" in step.history.message.text(), timeout=120_000)
    assert "chance explains" in step.history.message.text()


def test_learning_curve_answers(qtbot: Any, step: TrainStep) -> None:
    """Click Learning curve: its picture comes to the front with an answer in words."""
    train(qtbot, step, "mdm")
    qtbot.mouseClick(step.history.learn_button, LEFT)
    qtbot.waitUntil(lambda: bool(step.view.learning.curve), timeout=180_000)
    assert step.view.stack.currentWidget() is step.view.learning
    assert "trials" in step.view.learning.accessibleDescription()


def test_search_shows_order_and_lag(qtbot: Any, step: TrainStep) -> None:
    """Tick acm-search: its range can be set, and its map comes to the front."""
    tick(step, "mdm")
    assert not step.panel.search.isVisible()
    tick(step, "acm-search")
    assert step.panel.search.isVisible()
    step.panel._order.setValue(2)  # noqa: SLF001 the range is typed
    train(qtbot, step, "acm-search")
    assert step.view.stack.currentWidget() is step.view.search
    assert step.view.search.maps[0].orders == (1, 2)
    assert "chosen" in step.view.search.accessibleDescription()


def test_cancel_ends_it_and_says_so(
    qtbot: Any, tmp_path: Path, session_of: Callable[..., Session]
) -> None:
    """Click Cancel in a long search: it ends within a second, and Train can be pressed again."""
    alone = session_of(tmp_path)
    step = TrainStep()
    qtbot.addWidget(step)
    step.show()
    try:
        step.bind(alone)
        qtbot.waitUntil(lambda: bool(step.panel.names), timeout=120_000)
        tick(step, "acm-search", "mdm")
        qtbot.mouseClick(step.panel.train_button, LEFT)
        qtbot.waitUntil(lambda: step.panel.bar.value() > 0, timeout=120_000)
        assert "left" in step.panel.left.text()
        qtbot.mouseClick(step.panel.cancel_button, LEFT)
        qtbot.waitUntil(lambda: not alone.training.progress.busy, timeout=1_000)
        qtbot.waitUntil(lambda: step.panel.train_button.isEnabled(), timeout=20_000)
        assert [row.text for row in step.scores.rows.rows] == ["cancelled", "cancelled"]
        assert {row.state for row in alone.training.rows} == {TaskState.CANCELLED}
        assert not step.panel.cancel_button.isVisible()
    finally:
        step.unbind()
        alone.close()


def test_every_action_has_a_key_and_a_name(step: TrainStep) -> None:
    """What can be done by mouse can be done by key, each key once; controls have names."""
    actions = step.add_actions()
    keys = [action.shortcut().toString() for action in actions]
    assert all(keys)
    assert len(set(keys)) == len(keys)
    for button in (step.panel.train_button, step.panel.cancel_button, step.history.use_button):
        assert button.objectName()
        assert button.toolTip()


@pytest.mark.parametrize("dark", [True, False])
def test_pictures_are_painted_in_both_themes(qtbot: Any, dark: bool) -> None:
    """Every picture paints, empty and full, and differs between the two."""
    apply_theme(QApplication.instance(), dark=dark)  # type: ignore[arg-type]
    points = np.array([[-0.4, 0.0], [0.4, 0.0], [0.0, 0.5]])
    image = np.where(np.eye(8) > 0, np.nan, np.linspace(-1, 1, 64).reshape(8, 8))
    patterns = Patterns(("a", "b"), np.array([[1.0, -1, 0], [-1, 1, 0]]), np.array([image, -image]),
                        points, ("C3", "C4", "Fz"), "dB")  # fmt: skip
    scores = np.array([[0.7, 0.8], [0.7, np.nan]])
    found = SearchMap("", (1, 2), (2, 4), scores, np.array([[True, True], [True, False]]),
                      np.ones((2, 2)), np.full((2, 2), "rbf"), (2, 2))  # fmt: skip
    point = {"accuracy": {"mean": 0.7, "low": 0.6, "high": 0.8}, "roc_auc": None}
    curve = {"points": [point | {"n_train": 8}, point | {"n_train": 16}], "chance_95": 0.6,
             "enough": 8, "answer": "8 trials are enough"}  # fmt: skip
    row = IntervalRow("k", "ts-lr", 0.7, 0.6, 0.8, 0.62, "70 %", "best")
    pairs: list[tuple[Any, Callable[[Any], None], Callable[[Any], None]]] = [
        (PatternView(), lambda w: w.show_patterns(None), lambda w: w.show_patterns(patterns, "n")),
        (SearchMapView(), lambda w: w.show_maps(()), lambda w: w.show_maps([found], 250.0)),
        (LearningCurveView(), lambda w: w.show_curve({}), lambda w: w.show_curve(curve)),
        (IntervalRows(), lambda w: w.show_rows([]), lambda w: w.show_rows([row])),
        (
            ConfusionMatrix(),
            lambda w: w.show_counts(None),
            lambda w: w.show_counts(np.array([[5, 1], [2, 4]]), ("left_hand", "right_hand")),
        ),
    ]
    for widget, empty, full in pairs:
        qtbot.addWidget(widget)
        widget.resize(420, 220)
        empty(widget)
        before = widget.grab().toImage()
        full(widget)
        assert widget.grab().toImage() != before, type(widget).__name__
        assert widget.accessibleName()
    apply_theme(QApplication.instance(), dark=True)  # type: ignore[arg-type]


def test_numbers_of_a_cell_are_told_under_the_pointer(qtbot: Any) -> None:
    """The map knows each cell's order, lag in ms, score and machine."""
    found = SearchMap("", (1, 2), (2, 4), np.array([[0.7, 0.8], [0.7, 0.9]]),
                      np.ones((2, 2), dtype=bool), np.ones((2, 2)), np.full((2, 2), "rbf"),
                      (2, 4))  # fmt: skip
    view = SearchMapView()
    qtbot.addWidget(view)
    view.resize(420, 220)
    view.show_maps([found], 250.0)
    view.grab()
    texts = [text for _, text in view._cells]  # noqa: SLF001 what the pointer is shown
    assert any("order 2, lag 16 ms (4 samples): 0.900 (exact score); rbf C = 1" in t for t in texts)
    assert len(texts) == 3
    qtbot.mouseMove(view, QPointF(5, 5).toPoint())


def test_decoder_that_cannot_be_used_is_listed_with_the_line(qtbot: Any) -> None:
    """It cannot be ticked; the reason and the command stand beneath."""
    shown = DecoderList()
    qtbot.addWidget(shown)
    deep = DecoderChoice("deep", "plugins", "A net.", "No module named 'torch': pip install torch")
    shown.show_choices([deep, DecoderChoice("mdm", "riemannian", "Means.")], ["deep", "mdm"])
    assert shown.names == ("mdm",)
    texts = [label.text() for label in shown.widget().findChildren(type(shown.widget()))
             if hasattr(label, "text")]  # fmt: skip
    assert any("pip install torch" in text for text in texts)
    with pytest.raises(KeyError):
        shown.box("deep")


def test_time_left_and_parameters_are_said_in_words() -> None:
    """Seconds up to a minute and a half, then minutes; parameters with their units."""
    assert left_words(None) == "time left: not known yet"
    assert left_words(38.2) == "about 38 s left"
    assert left_words(600.0) == "about 10 min left"
    assert not TrainingProgress().busy
    epochs = {"band_hz": [8, 32], "window_s": [0.5, 3.5]}
    attempt = Attempt("attempt-01_x.bci", "x", {"C": 0.5}, epochs=epochs)
    assert params_words(attempt) == "C 0.5, 8–32 Hz, 0.5–3.5 s"
