"""A scene under guard: one that raises is replaced by the plain bar, and the run goes on."""

import logging
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QTransform

from bci_app.patient.scenes.bar import BarScene
from bci_app.patient.view import PatientView, Scene

__all__ = ["GuardedScene"]

_log = logging.getLogger(__name__)


class GuardedScene:
    """Paints a scene as long as it can be painted, then the plain bar.

    Parameters
    ----------
    scene : Scene
    on_failed : callable
        Called once, with the scene's name and what it raised.
    on_painted : callable
        Called with each view that was painted with evidence.
    """

    def __init__(
        self,
        scene: Scene,
        on_failed: Callable[[str, Exception], Any] = lambda name, error: None,
        on_painted: Callable[[PatientView], Any] = lambda view: None,
    ) -> None:
        self._scene, self._on_failed, self._on_painted = scene, on_failed, on_painted

    @property
    def name(self) -> str:
        """Of what is painted now."""
        return self._scene.name

    def paint(self, painter: QPainter, rect: QRectF, view: PatientView, now_s: float) -> None:
        """Paint a view; see `Scene`."""
        world = QTransform(painter.worldTransform())
        painter.save()
        try:
            self._scene.paint(painter, rect, view, now_s)
        except Exception as error:
            failed, self._scene = self._scene.name, BarScene()
            _log.exception("scene %s failed", failed)
            # It may have left a clip, a transform, an opacity, and states it had saved.
            painter.setClipping(False)
            painter.setWorldTransform(world)
            painter.setOpacity(1.0)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
            self._scene.paint(painter, rect, view, now_s)
            self._on_failed(failed, error)
        finally:
            painter.restore()
        if view.evidence is not None:
            self._on_painted(view)
