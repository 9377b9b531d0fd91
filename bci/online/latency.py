"""How late decisions are, and where the time goes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bci.online.decision import Decision

__all__ = ["latency_ms"]


def latency_ms(decisions: Sequence[Decision]) -> dict[str, Any]:
    """Summarise the way from the newest sample's time stamp to the outputs.

    Only decoded windows count. What a time stamp cannot know, the age of a sample inside the
    amplifier when it was stamped, is not in it.

    Returns
    -------
    dict
        ``median``, ``p99``, ``max``, ``n``, and ``stages``: the median of each part; all in ms.
        None for figures of no decision.
    """
    decoded = [d for d in decisions if d.probabilities is not None]
    if not decoded:
        return {"median": None, "p99": None, "max": None, "n": 0, "stages": {}}
    total = np.array([d.latency_s for d in decoded]) * 1e3
    accounts = [d.account() for d in decoded]
    return {
        "median": float(np.median(total)),
        "p99": float(np.percentile(total, 99)),
        "max": float(total.max()),
        "n": len(decoded),
        "stages": {
            name.removesuffix("_s"): float(np.median([a[name] for a in accounts]) * 1e3)
            for name in accounts[0]
        },
    }
