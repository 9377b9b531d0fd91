"""Where decisions go besides the event log."""

from collections.abc import Callable

import numpy as np
import pylsl

from bci.online.decision import NO_SIGNAL, Decision

__all__ = ["DecisionOutlet", "Output"]

#: Anything that is called with each decision, in the decoder's thread: it must return at once. What
#: takes a hop or longer makes decisions late, and they are dropped. While the amplifier is silent,
#: it is called once a second with a decision whose reason is ``"no signal"``.
Output = Callable[[Decision], None]


class DecisionOutlet:
    """Publishes decisions as an LSL stream, one sample a decision.

    Channels: the smoothed probability of each class (NaN where the window was not decoded, or too
    late), the index of the decided class (-1: none), and the latency (s) from the newest sample's
    time stamp to here.

    Parameters
    ----------
    classes : tuple of str
    name, source_id : str
    """

    def __init__(self, classes: tuple[str, ...], name: str, source_id: str) -> None:
        labels = [*(f"p_{label}" for label in classes), "decision", "latency"]
        units = [*("probability" for _ in classes), "index", "seconds"]
        info = pylsl.StreamInfo(
            name, "Decision", len(labels), pylsl.IRREGULAR_RATE, pylsl.cf_double64, source_id
        )
        channels = info.desc().append_child("channels")
        for label, unit in zip(labels, units, strict=True):
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", unit)
        decided = info.desc().append_child("classes")
        for label in classes:
            decided.append_child_value("class", label)
        self._classes = classes
        self._outlet = pylsl.StreamOutlet(info)

    def __call__(self, decision: Decision) -> None:
        """Push a decision, stamped with the time of its newest sample, or now without a signal."""
        smoothed = decision.smoothed or (np.nan,) * len(self._classes)
        index = -1.0 if decision.label is None else float(self._classes.index(decision.label))
        latency_s = pylsl.local_clock() - decision.time_s
        stamp_s = 0.0 if decision.reason == NO_SIGNAL else decision.time_s  # 0: now
        self._outlet.push_sample([*smoothed, index, latency_s], stamp_s)
