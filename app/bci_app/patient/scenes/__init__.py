"""Feedback scenes: small classes that paint a `PatientView`; others come as plugins."""

from bci_app.patient.scenes.guard import GuardedScene
from bci_app.patient.scenes.registry import (
    SceneEntry,
    available_scenes,
    check_scene,
    make_scene,
)

__all__ = ["GuardedScene", "SceneEntry", "available_scenes", "check_scene", "make_scene"]
