"""Evidence in motion: where each class stands in a frame, and how visible it is."""

from dataclasses import dataclass

from bci_app.patient.scenes.glide import Glide
from bci_app.patient.view import PatientView

__all__ = ["Frame", "Motion"]

# Feedback that is withheld fades in this time (s), and is gone below this share.
_FADE_S, _GONE = 0.06, 0.02
#: What frames a scene is dimmed to this while feedback is withheld.
DIM = 0.4


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a scene.

    Attributes
    ----------
    strength : dict of str to float
        Of each class: 0 at chance or below, 1 where it is certain.
    lean : float
        Of two classes: from -1 (all to the left one) to 1; of more, 0.
    visible : float
        Of what moves: 0 while feedback is withheld, or there is none.
    level : float
        Of what stands: dimmed while feedback is withheld.
    """

    strength: dict[str, float]
    lean: float
    visible: float
    level: float


class Motion:
    """Follows the evidence of a view, 60 times a second."""

    def __init__(self) -> None:
        self._glides: dict[str, Glide] = {}
        self._visible, self._level = Glide(0.0, _FADE_S), Glide(1.0, _FADE_S)

    def frame(self, view: PatientView, now_s: float, order: tuple[str, ...]) -> Frame:
        """Return a frame.

        Parameters
        ----------
        view : PatientView
        now_s : float
            `time.monotonic` (s).
        order : tuple of str
            The classes from left to right.
        """
        n, evidence = len(view.classes), view.evidence
        if set(self._glides) != set(view.classes):
            self._glides = {name: Glide(1 / n) for name in view.classes}
        visible = self._visible.step(0.0 if evidence is None else 1.0, now_s)
        level = self._level.step(DIM if view.withheld else 1.0, now_s)
        shown = {}
        for k, name in enumerate(view.classes):
            glide = self._glides[name]
            if evidence is None:
                # It stands still while it fades; when it is gone, the next begins in the middle.
                if visible < _GONE:
                    glide.jump(1 / n)
                shown[name] = glide.step(glide.at, now_s)
            else:
                shown[name] = glide.step(evidence[k], now_s)
        strength = {
            name: min(max((p - 1 / n) / (1 - 1 / n), 0.0), 1.0) if n > 1 else p
            for name, p in shown.items()
        }
        lean = shown[order[1]] - shown[order[0]] if n == 2 else 0.0
        return Frame(
            strength, min(max(lean, -1.0), 1.0), 0.0 if visible < _GONE else visible, level
        )
