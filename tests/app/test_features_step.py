"""The Features step by what clicks do to the session."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from bci.experiment.session import Session
from bci_app.steps.features import FeaturesStep
from bci_app.theme import apply_theme
from bci_app.widgets.r2_map import R2Map


@pytest.fixture(scope="module")
def analysed(
    tmp_path_factory: pytest.TempPathFactory, session_of: Callable[..., Session]
) -> Iterator[Session]:
    """Return a session of two recorded runs."""
    session = session_of(tmp_path_factory.mktemp("study"))
    yield session
    session.close()


@pytest.fixture
def step(qtbot: QtBot, analysed: Session) -> Iterator[FeaturesStep]:
    """Show the step with its analysis; the session is put back afterwards."""
    shown = FeaturesStep()
    qtbot.addWidget(shown)
    shown.resize(1120, 680)
    shown.show()
    shown.bind(analysed)
    shown.entered()
    ready(qtbot, shown)
    yield shown
    part = analysed.features
    part.beside = None
    while part.can_undo:
        part.undo()
    analysed.record.analysis = {}
    part.cancel()
    shown.unbind()


def ready(qtbot: QtBot, step: FeaturesStep) -> None:
    """Wait until the newest analysis is shown."""
    assert step.session is not None
    part = step.session.features

    def done() -> bool:
        return not part.busy and part.result is not None and not step.progress.isVisible()

    qtbot.waitUntil(done, timeout=60000)


def cell(shown: R2Map, row: int, column: int) -> QPoint:
    """Return the middle of a cell."""
    return shown.cell_rect(row, column).center().toPoint()


def test_it_teaches_while_it_is_empty(qtbot: QtBot) -> None:
    """Without a session every plot says what will appear, and nothing can be computed."""
    step = FeaturesStep()
    qtbot.addWidget(step)
    assert "record a calibration run" in step.maps.power.empty
    assert not step.parameters.isEnabled()
    assert not step.maps.power.filled


def test_a_click_takes_topography_and_spectra_there(qtbot: QtBot, step: FeaturesStep) -> None:
    """The topography is of the clicked frequency, the spectra of the clicked channel."""
    shown = step.maps.power
    assert shown.map is not None
    row = shown.map.channels.index("C3")
    qtbot.mouseClick(shown, Qt.MouseButton.LeftButton, pos=cell(shown, row, 8))
    assert step.maps.topography.title == "Topography, 12 Hz"
    assert step.maps.spectra.title.startswith("C3:")
    numbers = step.maps.numbers.text()
    assert f"{shown.map.r2[row, 8]:+.2f}" in numbers
    assert "C3, 12 Hz" in numbers


def test_hovering_says_numbers_and_keeps_the_place(qtbot: QtBot, step: FeaturesStep) -> None:
    """The line under the map follows the pointer; the other plots stay."""
    shown = step.maps.power
    title = step.maps.topography.title
    qtbot.mouseMove(shown, cell(shown, 1, 20))
    qtbot.waitUntil(lambda: "24 Hz" in step.maps.numbers.text(), timeout=2000)
    assert step.maps.topography.title == title


def test_a_drag_is_a_feature(qtbot: QtBot, step: FeaturesStep, analysed: Session) -> None:
    """From one frequency to another along a row: the record has the band, a chip stands for it."""
    shown = step.maps.power
    assert shown.map is not None
    row = shown.map.channels.index("C4")
    qtbot.mousePress(shown, Qt.MouseButton.LeftButton, pos=cell(shown, row, 9))
    qtbot.mouseMove(shown, cell(shown, row, 6))
    qtbot.mouseRelease(shown, Qt.MouseButton.LeftButton, pos=cell(shown, row, 6))
    assert analysed.record.features == ["C4;10:13"]
    qtbot.waitUntil(lambda: chip(step, "C4;10:13") is not None, timeout=2000)
    ready(qtbot, step)
    found = chip(step, "C4;10:13")
    assert found is not None
    assert "R²" in found.toolTip()
    qtbot.mouseClick(found, Qt.MouseButton.LeftButton)
    assert analysed.record.features == []


def chip(step: FeaturesStep, name: str) -> QPushButton | None:
    """Return the chip of a feature."""
    found = step.chips.findChildren(QPushButton, f"features.chip.{name}")
    return next((button for button in found if button.isVisible()), None)


def test_keys_move_choose_and_undo(qtbot: QtBot, step: FeaturesStep, analysed: Session) -> None:
    """Everything that the mouse does, keys do."""
    shown = step.maps.power
    shown.setFocus()
    shown.show_cursor(0, 5)
    qtbot.keyClick(shown, Qt.Key.Key_Down)
    qtbot.keyClick(shown, Qt.Key.Key_Right)
    assert shown.cursor_at == (1, 6)
    for _ in range(3):
        qtbot.keyClick(shown, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(shown, Qt.Key.Key_Return)
    assert shown.map is not None
    assert analysed.record.features == [f"{shown.map.channels[1]};10:13"]
    actions = {action.objectName(): action for action in step.actions()}
    actions["features.undo"].trigger()
    assert analysed.record.features == []
    actions["features.redo"].trigger()
    assert len(analysed.record.features) == 1


def test_typing_takes_features_and_says_what_is_wrong(
    qtbot: QtBot, step: FeaturesStep, analysed: Session
) -> None:
    """Right ones go to the choice and the field is empty; wrong ones stay, with the reason."""
    qtbot.keyClicks(step.chips.line, "C3 10-13")
    qtbot.keyClick(step.chips.line, Qt.Key.Key_Return)
    assert analysed.record.features == ["C3;10:13"]
    assert step.chips.line.text() == ""
    qtbot.keyClicks(step.chips.line, "C99;10")
    qtbot.keyClick(step.chips.line, Qt.Key.Key_Return)
    assert step.chips.problem.isVisible()
    assert "C99" in step.chips.problem.text()
    assert step.chips.line.text() == "C99;10"


def test_suggest_chooses(qtbot: QtBot, step: FeaturesStep, analysed: Session) -> None:
    """The suggestion fills the choice with as many features as the parameters say."""
    qtbot.mouseClick(step.chips.suggest, Qt.MouseButton.LeftButton)
    assert len(analysed.record.features) == 6


def test_unticking_a_trial_takes_it_out(
    qtbot: QtBot, step: FeaturesStep, analysed: Session
) -> None:
    """The record has it, the count says it, the map is made anew without it."""
    top = step.trials.tree.topLevelItem(0)
    assert top is not None
    item = top.child(3)
    assert item is not None
    item.setCheckState(0, Qt.CheckState.Unchecked)
    assert len(analysed.record.runs[0].left_out) == 1
    ready(qtbot, step)
    result = analysed.features.result
    assert result is not None
    assert result.view is not None
    assert sum(result.view.n_trials.values()) == 31
    qtbot.waitUntil(lambda: "taken out by hand 1" in step.trials.count.text(), timeout=2000)
    assert "31" not in step.maps.power.note
    assert "15 right hand" in step.maps.power.note


def test_a_parameter_is_computed_at_once(
    qtbot: QtBot, step: FeaturesStep, analysed: Session
) -> None:
    """Another reference: the plot says it as soon as it is computed."""
    box = step.findChild(QComboBox, "features.spatial")
    assert isinstance(box, QComboBox)
    box.setCurrentIndex(box.findData("average"))
    box.activated.emit(box.currentIndex())
    assert analysed.record.analysis == {"spatial": "average"}
    qtbot.waitUntil(lambda: "average reference" in step.maps.topography.note, timeout=60000)


def test_connectivity_can_be_switched_off(
    qtbot: QtBot, step: FeaturesStep, analysed: Session
) -> None:
    """Its map and network then say what to do; switched on again they come back."""
    step.parameters.changed.emit("connectivity.measure", None)
    ready(qtbot, step)
    qtbot.waitUntil(lambda: not step.maps.strength.filled, timeout=5000)
    assert "choose a measure" in step.maps.strength.empty
    step.parameters.changed.emit("connectivity.measure", "plv")
    qtbot.waitUntil(lambda: step.maps.strength.filled, timeout=60000)
    assert "phase-locking" in step.maps.strength.note


def test_a_parameter_that_cannot_be_says_so_in_place(
    qtbot: QtBot, step: FeaturesStep, analysed: Session
) -> None:
    """The line at the head of the parameters names it; nothing is changed."""
    step.parameters.changed.emit("spectrum.fmax_hz", 3.0)
    assert step.parameters.problem.isVisible()
    assert "above the first" in step.parameters.problem.text()
    assert analysed.record.analysis == {}


def test_all_views_show_and_say_filter_and_trials(qtbot: QtBot, step: FeaturesStep) -> None:
    """Each tab paints, in both themes; each plot that is seen carries filter or reference."""
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    for dark in (False, True):
        apply_theme(application, dark=dark)
        for tab in range(step.tabs.count()):
            step.tabs.setCurrentIndex(tab)
            assert not step.grab().isNull()
    for plot in (step.maps.power, step.maps.strength, step.maps.topography, step.maps.spectra,
                 step.networks.classes[0], step.networks.differing):  # fmt: skip
        assert plot.filled
        assert "45 Hz" in plot.note, plot.objectName()
        assert plot.toolTip()
    assert step.erds.filled
    assert "Unfiltered" in step.erds.note
    assert step.networks.laterality.text().startswith("Laterality of power, C3, C4: mu, left hand")


def test_the_image_has_the_colours_of_the_numbers(qtbot: QtBot, step: FeaturesStep) -> None:
    """The largest R2 of the right hand is orange on the screen, that of the left one is blue."""
    apply_theme(QApplication.instance(), dark=False)  # type: ignore[arg-type]
    step.tabs.setCurrentIndex(0)
    shown = step.maps.power
    assert shown.map is not None
    image = shown.grab().toImage()
    for index, warm in ((int(shown.map.r2.argmax()), True), (int(shown.map.r2.argmin()), False)):
        row, column = np.unravel_index(index, shown.map.r2.shape)
        rect = shown.cell_rect(int(row), int(column))
        at = QPointF(rect.left() + rect.width() * 0.25, rect.top() + rect.height() * 0.3)
        ratio = image.devicePixelRatio()
        colour = image.pixelColor(int(at.x() * ratio), int(at.y() * ratio))
        assert (colour.red() > colour.blue()) == warm


def test_two_analyses_stand_side_by_side(
    qtbot: QtBot, step: FeaturesStep, analysed: Session
) -> None:
    """Keep this one, change the reference, put the kept one beside: both maps on one scale."""
    step.tabs.setCurrentIndex(5)
    step.shelf.name.setText("laplacian")
    qtbot.mouseClick(step.shelf.keep, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: step.shelf.box.count() > 1, timeout=30000)
    step.shelf.box.setCurrentIndex(1)
    step.shelf.box.activated.emit(1)
    step.parameters.changed.emit("spatial", "average")
    qtbot.waitUntil(lambda: step.maps.beside.filled, timeout=60000)
    ready(qtbot, step)
    qtbot.waitUntil(lambda: "spatial" in step.differences.text(), timeout=5000)
    assert step.maps.beside.limit == step.maps.power.limit
    assert step.maps.beside.title == "Beside: laplacian"


def test_every_control_has_a_name(step: FeaturesStep) -> None:
    """Screen readers and scripts find each."""
    for button in step.findChildren(QPushButton):
        assert button.objectName(), button.text()
        assert button.text() or button.accessibleName()
    for box in step.findChildren(QComboBox):
        assert box.objectName()
        assert box.accessibleName()
    assert isinstance(step.findChild(QLabel, "features.numbers"), QLabel)
