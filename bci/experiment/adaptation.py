"""By which arm the decoder of a session goes on learning online (`bci.decoders.adapt`).

A decoder of the window is trained so that its reference point can follow the signal wherever it
sees covariances; whether it does is an arm of the run, chosen between runs. So one model file
serves all arms, and the log of a run says which it was.
"""

from bci.decoders import Model
from bci.decoders.adapt import ARMS, absent_arms, arms_for, available_arms, make_adapter
from bci.errors import SettingsError

__all__ = ["BY_KEY", "OFF", "arm_of_run", "arms_offered"]

#: The arm that learns nothing.
OFF = "frozen"

#: Where rewards come from: the clinician's keys; see `Experiment.rewards`.
BY_KEY = "key"


def arms_offered(model: Model) -> tuple[str, ...]:
    """Return the arms that exist for a model, `OFF` first, plugins' last."""
    own = sorted(arms_for(model), key=lambda arm: arm != OFF)
    if type(model.estimator).__module__.startswith("bci."):
        # Plugins' arms learn models of plugins; to ask would import them, which may take seconds.
        return tuple(own)
    plugged = [arm for arm in available_arms() if arm not in ARMS and arm not in absent_arms()]
    return (*own, *(arm for arm in plugged if _exists(arm, model)))


def _exists(arm: str, model: Model) -> bool:
    try:
        make_adapter(arm, model)
    except SettingsError:
        return False
    return True


def arm_of_run(arm: str, model: Model) -> str:
    """Return what `Experiment.adapt` is set to for an arm.

    Where nothing is to be learned and the model, left to itself, learns nothing either, no arm
    is needed: the empty name.
    """
    learns = model.recentering is not None or bool(model.card.get("adapt"))
    return arm if arm != OFF or learns else ""
