"""Feedback scenes by name, from the entry-point group `bci.scenes`."""

import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter

from bci_app.patient.scenes.bar import BarScene
from bci_app.patient.view import PHASES, PatientView, Scene

__all__ = ["GROUP", "SceneEntry", "available_scenes", "check_scene", "make_scene"]

_log = logging.getLogger(__name__)

#: The entry-point group: each entry is a class, or another callable without arguments, that makes a
#: `Scene`.
GROUP = "bci.scenes"


@dataclass(frozen=True, slots=True)
class SceneEntry:
    """One scene that is installed.

    Attributes
    ----------
    name : str
    factory : callable or None
        None when it could not be loaded.
    reason : str
        Why it could not be loaded; empty when it was.
    """

    name: str
    factory: Callable[[], Scene] | None
    reason: str = ""

    @property
    def summary(self) -> str:
        """First line of the factory's docstring, or why there is none."""
        if self.factory is None:
            return self.reason
        return (inspect.getdoc(self.factory) or "").partition("\n")[0]


@cache
def available_scenes() -> Mapping[str, SceneEntry]:
    """Return every installed scene by name, Rolandic's own first.

    One that fails to load is kept with its reason. Of two of one name, Rolandic's own stands. The
    plain bar is there in any case.
    """
    entries: dict[str, SceneEntry] = {}
    points = sorted(entry_points(group=GROUP), key=lambda point: (not _own(point), point.name))
    for point in points:
        if point.name in entries:
            _log.warning("scene %s (%s): the name is taken", point.name, point.value)
            continue
        try:
            factory = point.load()
            if not callable(factory):
                raise TypeError(f"{point.value} is not callable")
        except Exception as error:
            _log.warning(
                "scene %s (%s) could not be loaded", point.name, point.value, exc_info=True
            )
            reason = f"{type(error).__name__}: {error}"
            entries[point.name] = SceneEntry(point.name, None, reason)
        else:
            entries[point.name] = SceneEntry(point.name, factory)
    entries.setdefault("bar", SceneEntry("bar", BarScene))
    return MappingProxyType(entries)


def _own(point: EntryPoint) -> bool:
    return point.value.startswith("bci_app.")


def make_scene(name: str) -> tuple[Scene, str]:
    """Make a scene; the plain bar, and why, where that cannot be.

    Returns
    -------
    scene : Scene
    reason : str
        Empty when the scene is the one that was asked for.
    """
    entry = available_scenes().get(name)
    if entry is None:
        return BarScene(), f"there is no scene {name!r}"
    if entry.factory is None:
        return BarScene(), entry.reason
    try:
        return entry.factory(), ""
    except Exception as error:
        _log.exception("scene %s could not be made", name)
        return BarScene(), f"{type(error).__name__}: {error}"


def check_scene(scene: Scene) -> None:
    """Try a scene on all that it may meet: what a plugin's tests should call.

    It is painted in every phase, with and without evidence, with two to five classes, full-screen
    and as a thumbnail; needs a `QGuiApplication`. What it raises, it raises.

    Raises
    ------
    ValueError
        When it has no name, or leaves the painter otherwise than it found it.
    """
    if not isinstance(scene.name, str) or not scene.name:
        raise ValueError(f"{type(scene).__name__}: give it a name")
    names = ("left_hand", "right_hand", "feet", "tongue", "rest")
    now_s = 0.0
    for width, height in ((1920, 1080), (320, 180)):
        for n in range(2, len(names) + 1):
            for view in _views(names[:n]):
                image = QImage(width, height, QImage.Format.Format_RGB32)
                image.fill(0)
                painter = QPainter(image)
                painter.save()
                try:
                    now_s += 1 / 60
                    scene.paint(painter, QRectF(0, 0, width, height), view, now_s)
                    if not painter.isActive():
                        raise ValueError(f"{scene.name}: it must not end the painter")
                finally:
                    if painter.isActive():
                        painter.restore()
                        painter.end()


def _views(classes: tuple[str, ...]) -> list[PatientView]:
    even = tuple(1 / len(classes) for _ in classes)
    sure = (1.0, *(0.0 for _ in classes[1:]))
    views = [PatientView("imagery", None, classes, sure, decided=classes[0])]
    for phase in PHASES:
        for evidence in (None, even, sure):
            withheld = "" if evidence is not None else "late"
            views.append(PatientView(phase, classes[-1], classes, evidence, withheld, length_s=3.0))
    return views
