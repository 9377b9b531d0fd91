"""Adaptation on or off: a trained model, with its reference point following the signal or still.

What decided a run must be found again by a replay, to the last bit. So a model whose adaptation is
changed is another file beside the first, and is what the log then names.
"""

from dataclasses import replace
from pathlib import Path

from bci.decoders import Model, load_model

__all__ = ["adapted", "adapted_path", "can_adapt"]


def can_adapt(model: Model) -> bool:
    """Whether a model knows a reference point that can follow the signal."""
    return model.recentering is not None


def adapted_path(path: Path, model: Model, tau_s: float | None) -> Path:
    """Return which file holds a model with this adaptation.

    Parameters
    ----------
    path : Path
        Of the model as it was trained.
    model : Model
        What is in it.
    tau_s : float or None
        Time constant by which the reference is to follow the signal (s); None: it is to stay. A
        model that was trained without stays as it is.
    """
    recentering = model.recentering
    if recentering is None or recentering.tau_s == tau_s:
        return path
    how = "still" if tau_s is None else f"follows-{tau_s:g}s"
    return path.with_name(f"{path.stem}_{how}{path.suffix}")


def adapted(path: Path, tau_s: float | None) -> Path:
    """Make the file of a model with this adaptation, if it is not there, and return its path.

    Raises
    ------
    ModelError
        When the model cannot be read, or the file not be written.
    """
    model = load_model(path)
    other = adapted_path(path, model, tau_s)
    if other != path and not other.exists():
        kept = model.recentering if tau_s is not None else None
        changed = replace(kept, tau_s=tau_s) if kept is not None and tau_s is not None else None
        replace(model, recentering=changed).save(other)
    return other
