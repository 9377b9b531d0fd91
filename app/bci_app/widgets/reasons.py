"""Why there is no decision, in a clinician's words."""

from bci.experiment.feedback import NO_RUN, NOT_YET
from bci.online.decision import LATE, NO_SIGNAL, OVERRAN, STALE
from bci_app.words import tr

__all__ = ["reason_text"]


def reason_text(reason: str) -> str:
    """Return a decision's reason in words, translated; of an artifact, with its channel."""
    texts = {
        "": "",
        NO_RUN: tr("no run"),
        NOT_YET: tr("the first window fills"),
        STALE: tr("the newest sample is too old"),
        LATE: tr("the decoder is behind the signal"),
        OVERRAN: tr("the decision took too long"),
        NO_SIGNAL: tr("nothing comes from the amplifier"),
        "gap": tr("samples are missing"),
        "not a number": tr("a channel sends no numbers"),
        "below threshold": tr("below the threshold"),
        "dwelling": tr("not held long enough yet"),
        "refractory": tr("resting after a decision"),
    }
    if reason in texts:
        return texts[reason]
    kind, at, channel = reason.partition(" at ")
    kinds = {
        "artifact": tr("artifact"),
        "flat": tr("flat signal"),
        "not a number": tr("no numbers"),
    }
    return tr("{kind} at {channel}", kind=kinds.get(kind, kind), channel=channel) if at else reason
