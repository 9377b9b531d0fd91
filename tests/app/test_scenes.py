"""Feedback scenes: smooth motion, plugins, one that fails."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter
from pytestqt.qtbot import QtBot

from bci_app.patient.scenes import GuardedScene, available_scenes, check_scene, make_scene
from bci_app.patient.scenes import registry as scene_registry
from bci_app.patient.scenes.bar import BarScene
from bci_app.patient.scenes.glide import HALF_S, Glide
from bci_app.patient.scenes.motion import DIM, Motion
from bci_app.patient.view import PatientView

CLASSES = ("left_hand", "right_hand")
RECT = QRectF(0, 0, 320, 180)


def _view(evidence: tuple[float, ...] | None, withheld: str = "") -> PatientView:
    return PatientView("imagery", "left_hand", CLASSES, evidence, withheld, length_s=3.0)


def _painted(scene: object, view: PatientView, times: list[float]) -> QImage:
    image = QImage(320, 180, QImage.Format.Format_RGB32)
    for now_s in times:
        image.fill(0)
        painter = QPainter(image)
        scene.paint(painter, RECT, view, now_s)
        painter.end()
    return image


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.004, 0.2), st.integers(1, 20)
)
def test_motion_never_goes_beyond_the_evidence(
    targets: list[float], frame_s: float, n_frames: int
) -> None:
    """However evidence comes, what is shown lies between where it was and the newest evidence."""
    glide, now_s = Glide(0.5), 0.0
    glide.step(0.5, now_s)
    for target in targets:
        for _ in range(n_frames):
            before = glide.at
            now_s += frame_s
            at = glide.step(target, now_s)
            low, high = min(before, target), max(before, target)
            # A spring that still moves the other way turns within what evidence has been.
            assert -1e-9 <= at <= 1 + 1e-9
            assert low - 0.5 <= at <= high + 0.5


def test_motion_is_the_same_at_any_frame_rate() -> None:
    """Half the way takes 80 ms, in one frame or in eight."""
    for n in (1, 2, 8):
        glide = Glide(0.0)
        glide.step(1.0, 0.0)
        shown = [glide.step(1.0, HALF_S * (k + 1) / n) for k in range(n)]
        assert shown[-1] == pytest.approx(0.5)


def test_motion_at_sixty_hertz_has_no_jumps() -> None:
    """Decisions every 100 ms between 0.2 and 0.8: no frame moves by more than a quarter of it."""
    glide = Glide(0.2)
    glide.step(0.2, 0.0)
    shown = [glide.step(0.8 if int(frame / 6) % 2 else 0.2, frame / 60) for frame in range(1, 60)]
    assert max(abs(b - a) for a, b in pairwise(shown)) < 0.25 * 0.6


def test_withheld_feedback_fades_and_returns_from_the_middle() -> None:
    """Nothing old is shown: what moves is gone soon, and the next evidence begins at chance."""
    motion = Motion()
    for k in range(30):
        motion.frame(_view((0.9, 0.1)), k / 60, CLASSES)
    seen = [motion.frame(_view(None, "gap"), 0.5 + k / 60, CLASSES) for k in range(30)]
    assert seen[-1].visible == 0
    assert seen[-1].level == pytest.approx(DIM, abs=0.01)
    again = motion.frame(_view((0.2, 0.8)), 0.5 + 30 / 60, CLASSES)
    assert abs(again.lean) < 0.2


@pytest.mark.parametrize("name", ["bar", "ball", "hand"])
def test_scene_paints_all_that_it_may_meet(qtbot: QtBot, name: str) -> None:
    """Each of Rolandic's scenes passes the check that a plugin's tests call."""
    scene, reason = make_scene(name)
    assert not reason
    assert scene.name == name
    check_scene(scene)


@pytest.mark.parametrize("name", ["bar", "ball", "hand"])
def test_scene_moves_toward_what_is_decoded(qtbot: QtBot, name: str) -> None:
    """Left and right look different; withheld shows neither, and is darker."""
    times = [1 + k / 60 for k in range(40)]
    images = {
        key: _painted(make_scene(name)[0], view, times)
        for key, view in {
            "left": _view((0.95, 0.05)),
            "right": _view((0.05, 0.95)),
            "none": _view(None, "late"),
        }.items()
    }
    light = {key: _light(image) for key, image in images.items()}
    assert images["left"] != images["right"]
    assert light["none"] < 0.8 * min(light["left"], light["right"])


def _light(image: QImage) -> int:
    return sum(
        image.pixelColor(x, y).lightness() for x in range(0, 320, 2) for y in range(0, 180, 2)
    )


def test_failed_scene_is_replaced_by_the_bar(qtbot: QtBot) -> None:
    """A scene that raises, however it left the painter, is the plain bar from that frame on."""

    class Broken:
        name = "broken"

        def paint(self, painter: QPainter, *rest: object) -> None:
            painter.save()
            painter.translate(1000, 1000)
            painter.setOpacity(0.1)
            raise ZeroDivisionError("no brush")

    failures: list[tuple[str, str]] = []
    painted: list[PatientView] = []
    guarded = GuardedScene(
        Broken(), lambda name, error: failures.append((name, str(error))), painted.append
    )
    times = [1 + k / 60 for k in range(30)]
    view = _view((0.9, 0.1))
    assert _painted(guarded, view, times) == _painted(BarScene(), view, times)
    assert failures == [("broken", "no brush")]
    assert guarded.name == "bar"
    assert painted == [view] * len(times)


def test_scene_that_does_not_load_is_named_with_its_reason(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken plugin does not take the others with it; the bar stands in for it."""

    class Point:
        def __init__(self, name: str, value: str) -> None:
            self.name, self.value = name, value

        def load(self) -> object:
            if self.value.startswith("bci_app."):
                return BarScene
            raise ImportError("no module named paint")

    points = [Point("comets", "elsewhere:Comets"), Point("bar", "bci_app.x:BarScene")]
    monkeypatch.setattr(scene_registry, "entry_points", lambda group: points)
    available_scenes.cache_clear()
    try:
        scenes = available_scenes()
        assert list(scenes) == ["bar", "comets"]
        assert "no module named paint" in scenes["comets"].reason
        scene, reason = make_scene("comets")
        assert scene.name == "bar"
        assert "no module named paint" in reason
        assert make_scene("nothing")[1]
    finally:
        available_scenes.cache_clear()
