"""The patient's window and what it paints, without a stream."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter
from pytestqt.qtbot import QtBot

from bci.events import CLASSES
from bci.paradigm import PresentationSettings
from bci_app.patient.canvas import PatientCanvas
from bci_app.patient.sound import Beeper, write_tone
from bci_app.patient.view import IDLE, PatientView
from bci_app.patient.window import PatientWindow
from bci_app.theme import class_colour
from bci_app.words import class_words

NAMES = tuple(CLASSES)
SIZE = (640, 360)


def painted(view: PatientView, **style: object) -> QImage:
    """Return what a canvas paints of a view."""
    canvas = PatientCanvas()
    canvas.resize(*SIZE)
    canvas.set_presentation(PresentationSettings(**style))
    canvas.show_view(view, square=bool(style.get("photodiode")) or None)
    image = canvas.grab().toImage()
    canvas.deleteLater()
    return image


def colours(image: QImage) -> set[str]:
    """Return the colours of an image, of every second pixel."""
    return {
        image.pixelColor(x, y).name()
        for x in range(0, image.width(), 2)
        for y in range(0, image.height(), 2)
    }


def test_nothing_is_black(qtbot: QtBot) -> None:
    """Between trials the screen is black to the last pixel."""
    assert colours(painted(IDLE)) == {"#000000"}
    assert colours(painted(PatientView("pause", None, NAMES))) == {"#000000"}


def test_fixation_is_a_cross_in_the_middle(qtbot: QtBot) -> None:
    """The cross covers the middle, and nothing but it is painted."""
    image = painted(PatientView("fixation", None, NAMES))
    assert image.pixelColor(SIZE[0] // 2, SIZE[1] // 2).lightness() > 150
    assert image.pixelColor(SIZE[0] // 2, SIZE[1] // 4) == QColor("#000000")
    assert image == painted(PatientView("imagery", "feet", NAMES))


@pytest.mark.parametrize("cues", ["arrow", "picture"])
def test_every_cue_has_its_own_shape_and_colour(qtbot: QtBot, cues: str) -> None:
    """No two classes look the same, not even without colour; each shows its own."""
    shapes = []
    for name in NAMES:
        image = painted(PatientView("cue", name, NAMES), cues=cues, words=False)
        assert class_colour(name, NAMES).name() in colours(image)
        shapes.append(image.convertToFormat(QImage.Format.Format_Mono))
    assert all(a != b for k, a in enumerate(shapes) for b in shapes[:k])


def test_left_points_left(qtbot: QtBot) -> None:
    """The tip of the arrow for the left hand is at the left, that for the right at the right."""
    left = painted(PatientView("cue", "left_hand", NAMES), words=False)
    right = painted(PatientView("cue", "right_hand", NAMES), words=False)
    middle, y = SIZE[0] // 2, SIZE[1] // 2
    above = y - 40  # only the head is as tall
    columns = [x for x in range(SIZE[0]) if left.pixelColor(x, above).lightness() > 20]
    assert columns
    assert max(columns) < middle
    columns = [x for x in range(SIZE[0]) if right.pixelColor(x, above).lightness() > 20]
    assert min(columns) > middle


def test_words_are_written_below_the_cue_where_they_are_asked_for(qtbot: QtBot) -> None:
    """With words the lower part is not empty; its type is a thirteenth of the height."""
    view = PatientView("cue", "left_hand", NAMES)
    with_words, without = painted(view), painted(view, words=False)
    below = [
        y
        for y in range(round(SIZE[1] * 0.74), SIZE[1])
        if any(with_words.pixelColor(x, y).lightness() > 100 for x in range(0, SIZE[0], 1))
    ]
    assert max(below) - min(below) >= SIZE[1] / 13 * 0.6
    assert not any(without.pixelColor(x, below[0]).lightness() for x in range(SIZE[0]))
    assert class_words("left_hand") == "left hand"


def test_the_photodiode_square_is_in_its_corner(qtbot: QtBot) -> None:
    """It is white in the lower left corner, and not there when it is not asked for."""
    view = PatientView("fixation", None, NAMES)
    corner = (4, SIZE[1] - 5)
    assert painted(view, photodiode=True).pixelColor(*corner) == QColor("#ffffff")
    assert painted(view).pixelColor(*corner) == QColor("#000000")


class _Flood:
    name = "flood"

    def __init__(self) -> None:
        self.frames = 0

    def paint(self, painter: QPainter, rect: QRectF, view: PatientView, now_s: float) -> None:
        """Fill the canvas."""
        self.frames += 1
        painter.fillRect(rect, QColor("#ff0000"))


class _Broken:
    name = "broken"

    def paint(self, painter: QPainter, rect: QRectF, view: PatientView, now_s: float) -> None:
        """Fail."""
        raise RuntimeError("no such hand")


def test_a_scene_paints_feedback_and_frames_run_only_meanwhile(qtbot: QtBot) -> None:
    """In imagery with evidence the scene is painted again and again; at rest no timer runs."""
    canvas, scene = PatientCanvas(), _Flood()
    qtbot.addWidget(canvas)
    canvas.resize(*SIZE)
    canvas.show()
    canvas.set_scene(scene)
    canvas.show_view(PatientView("cue", "feet", NAMES))
    assert not canvas.moving
    view = PatientView("imagery", "feet", NAMES, evidence=(1 / 6,) * 6)
    canvas.show_view(view)
    qtbot.waitUntil(lambda: scene.frames >= 5, timeout=5000)
    assert colours(canvas.grab().toImage()) == {"#ff0000"}
    canvas.show_view(replace(view, evidence=None))
    assert not canvas.moving
    canvas.show_view(replace(view, evidence=None, withheld="the signal is bad"))
    assert canvas.moving
    canvas.show_view(PatientView("pause", None, NAMES))
    assert not canvas.moving


def test_a_scene_that_fails_is_said_and_the_cross_stays(
    qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a scene raises, the patient sees the cross and the canvas goes on."""
    canvas = PatientCanvas()
    qtbot.addWidget(canvas)
    canvas.resize(*SIZE)
    canvas.set_scene(_Broken())
    canvas.show_view(PatientView("imagery", "feet", NAMES, evidence=(1 / 6,) * 6))
    with caplog.at_level(logging.CRITICAL), qtbot.waitSignal(canvas.scene_failed) as failed:
        image = canvas.grab().toImage()
    assert failed.args == ["broken", "RuntimeError: no such hand"]
    assert image == painted(PatientView("fixation", None, NAMES))
    assert not canvas.moving


@pytest.fixture
def window(qtbot: QtBot) -> PatientWindow:
    """Return a patient's window that is closed in the end."""
    made = PatientWindow()
    qtbot.addWidget(made)
    return made


def test_escape_asks_before_it_leaves(qtbot: QtBot, window: PatientWindow) -> None:
    """One Esc asks, another key stays, Esc twice leaves."""
    window.open(None)
    qtbot.waitExposed(window)
    before = window.canvas.grab().toImage()
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert window.isVisible()
    assert window.canvas.question
    assert window.canvas.grab().toImage() != before
    qtbot.keyClick(window, Qt.Key.Key_A)
    assert window.isVisible()
    assert not window.canvas.question
    assert window.canvas.grab().toImage() == before
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    with qtbot.waitSignal(window.left):
        qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert not window.isVisible()


def test_a_screen_that_is_unplugged_leaves_a_normal_window(
    qtbot: QtBot, window: PatientWindow
) -> None:
    """Full-screen before; after the screen has gone normal, on the first screen, and said."""
    screen = QGuiApplication.primaryScreen()
    window.open(screen)
    qtbot.waitExposed(window)
    assert window.full
    assert window.isFullScreen()
    window.canvas.show_view(PatientView("fixation", None, NAMES))
    with qtbot.waitSignal(window.said) as said:
        QGuiApplication.instance().screenRemoved.emit(screen)
    assert "unplugged" in said.args[0]
    assert said.args[1] == "caution"
    assert window.isVisible()
    assert not window.full
    assert not window.isFullScreen()
    assert screen.availableGeometry().contains(window.geometry())
    assert window.canvas.view.phase == "fixation"


def test_another_screen_that_is_unplugged_is_of_no_interest(
    qtbot: QtBot, window: PatientWindow
) -> None:
    """A normal window stays as it is when a screen goes."""
    window.open(None)
    with qtbot.assertNotEmitted(window.said):
        QGuiApplication.instance().screenRemoved.emit(QGuiApplication.primaryScreen())
    assert window.isVisible()


def test_a_missing_sound_device_costs_nothing(
    qtbot: QtBot, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A player that fails, or none at all, becomes a reason, not an error."""
    beeper = Beeper()
    beeper._player, beeper.problem = str(tmp_path / "no-such-player"), ""  # noqa: SLF001
    with caplog.at_level(logging.CRITICAL):
        beeper.play()
        qtbot.waitUntil(lambda: bool(beeper.problem), timeout=5000)
    beeper.play()
    beeper.close()
    assert "no sound" in beeper.problem


def test_the_tone_begins_and_ends_in_silence(tmp_path: Path) -> None:
    """The file is a tone of an eighth of a second that does not click."""
    import struct
    import wave

    write_tone(tmp_path / "tone.wav")
    with wave.open(str(tmp_path / "tone.wav"), "rb") as file:
        n = file.getnframes()
        values = struct.unpack(f"<{n}h", file.readframes(n))
        assert n / file.getframerate() == pytest.approx(0.12, abs=1e-3)
    assert max(abs(value) for value in values[:20] + values[-20:]) < 700
    assert max(values) > 10000
