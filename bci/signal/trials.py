"""Which markers of a recording are cues, and where each trial ends.

A trial reaches from its cue to whatever begins next: another cue, an event that is known to end a
trial or to begin one, or a label of the same family as the cues (``T0`` beside ``T1`` and ``T2``:
the same text but for its numbers). Everything else (a beep, continuous feedback, a comment) leaves
the trial as it is. A label mapped to the class ``none`` means nothing at all, whatever its name.

The marker ``trial_rejected`` rejects the trial whose cue came last before it. (GDF's own code for
that, 1023, stands at the beginning of a trial in the files that have it, and is not followed.)
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bci.config import EpochSettings
from bci.errors import TrialError
from bci.events import EVENTS, Marker, class_of, normalised_label

__all__ = [
    "NO_CLASS",
    "REJECTED",
    "TOLERANCE_S",
    "Trial",
    "check_span",
    "describe_labels",
    "find_trials",
    "trial_classes",
]

#: The class that means nothing.
NO_CLASS = "none"

#: Annotations are often rounded to hundredths of a second, and markers of one instant are sent one
#: after the other.
TOLERANCE_S = 0.015

#: The marker that rejects a trial.
REJECTED = "trial_rejected"

_BOUNDARIES = frozenset(
    {
        *(name for name in ("trial_start", "imagery_end", "trial_end", "run_start", "run_end")),
        *(str(EVENTS[name]) for name in ("trial_start", "trial_end", "imagery_end")),
        "OVTK_GDF_Start_Of_Trial",
        "OVTK_GDF_End_Of_Trial",
        "OVTK_GDF_End_Of_Session",
        "OVTK_StimulationId_ExperimentStop",
    }
)

# GDF codes (Schlögl 2006) of what happens within a trial, or marks it without ending it: beep,
# fixation cross, continuous feedback, rejected trial, eye movements. As bare numbers they would
# count as the family of 769 and 770.
_WITHIN = frozenset({"781", "785", "786", "1023", "276", "277", "1072", "1073", "1074"})


@dataclass(frozen=True, slots=True)
class Trial:
    """A cue and how long its trial lasts.

    Attributes
    ----------
    onset_s : float
        Of the cue, on the clock of the markers (s).
    class_name : str
    label : str
        The marker's, as recorded.
    length_s : float or None
        To the event that ends the trial; None: nothing follows.
    ended_by : str
        Label of that event; empty when nothing follows.
    rejected : bool
        It is not to be learnt from: somebody said so while it was recorded.
    """

    onset_s: float
    class_name: str
    label: str
    length_s: float | None
    ended_by: str
    rejected: bool = False


def find_trials(markers: Iterable[Marker], event_map: Mapping[str, str]) -> list[Trial]:
    """Find the cues among markers, of every class, in order of time; rejected trials are marked.

    >>> marks = [Marker(0.0, "T0"), Marker(4.2, "T1"), Marker(8.3, "T0")]
    >>> [(t.class_name, round(t.length_s, 3), t.ended_by)
    ...  for t in find_trials(marks, {"T1": "left_hand"})]
    [('left_hand', 4.1, 'T0')]
    """
    families = {_family(label) for label in event_map if _family(label) != label}
    ordered = sorted(markers, key=lambda marker: marker.time_s)
    trials: list[Trial] = []
    following: Marker | None = None
    later: Marker | None = None
    rejected = False
    for marker in reversed(ordered):
        label = normalised_label(marker.label)
        if label == REJECTED:
            rejected = True
            continue
        name = class_of(label, event_map)
        if name == NO_CLASS or not (name or _ends_trial(label, families)):
            continue
        # Markers of one instant belong together: none of them ends another.
        if following is None or marker.time_s < following.time_s - TOLERANCE_S:
            later, following = following, marker
        if name:
            trials.append(
                Trial(
                    marker.time_s,
                    name,
                    label,
                    None if later is None else later.time_s - marker.time_s,
                    "" if later is None else normalised_label(later.label),
                    rejected,
                )
            )
            rejected = False
    return trials[::-1]


def _ends_trial(label: str, families: set[str]) -> bool:
    if label in _WITHIN:
        return False
    return label in _BOUNDARIES or class_of(label, {}) is not None or _family(label) in families


def _family(label: str) -> str:
    """Return the label with each run of digits as ``#``.

    >>> _family("T12"), _family("left")
    ('T#', 'left')
    """
    return re.sub(r"\d+", "#", label)


def trial_classes(
    trials: Sequence[Trial], markers: Sequence[Marker], settings: EpochSettings, where: str
) -> tuple[str, ...]:
    """Return the classes to use, in their order: as asked for, else sorted by name.

    Parameters
    ----------
    trials : sequence of Trial
        Of all recordings.
    markers : sequence of Marker
        Of all recordings, to say what is there when nothing fits.
    settings : EpochSettings
    where : str
        Names the recordings in messages.

    Raises
    ------
    TrialError
        When no marker is a cue, fewer than two classes are there, or a class that was asked for
        is not.
    """
    found = Counter(trial.class_name for trial in trials)
    there = describe_labels(markers)
    if not found:
        hint = "map the cues to classes, such as --event T1=left_hand --event T2=right_hand"
        if settings.event_map:
            asked = ", ".join(settings.event_map)
            hint = f"none of them is {asked}: map those that are there with --event LABEL=CLASS"
        raise TrialError(f"{where}: no annotation names a class; labels there: {there}; {hint}")
    missing = [name for name in settings.classes if name not in found]
    if missing:
        raise TrialError(
            f"{where}: no trial of class {', '.join(missing)}; classes found: "
            f"{_counted(found)}; labels there: {there}; map labels with --event LABEL="
            f"{missing[0]} or change --classes"
        )
    classes = settings.classes or tuple(sorted(found))
    if len(classes) < 2:
        raise TrialError(
            f"{where}: only one class, {classes[0]} ({found[classes[0]]} trials); labels there: "
            f"{there}; map a second class with --event LABEL=CLASS"
        )
    return classes


def check_span(trials: Sequence[Trial], settings: EpochSettings, where: str) -> None:
    """Check that the span of the trial lies within it.

    Raises
    ------
    TrialError
        When the span starts before the cue, or reaches past the end of more than half of the
        trials (a few trials that were broken off are left out one by one, later).
    """
    start, stop = settings.window_s
    if start < 0:
        raise TrialError(
            f"window {start:g} {stop:g} s starts before the cue: give a --window that starts at "
            "0 s or later"
        )
    ended = sorted(
        (trial.length_s, trial.label, trial.ended_by)
        for trial in trials
        if trial.length_s is not None
    )
    short = [trial for trial in ended if stop > trial[0] + TOLERANCE_S]
    if len(short) * 2 > len(ended):
        # Not the very shortest: that one may have been broken off.
        length, label, ended_by = ended[len(ended) // 10]
        raise TrialError(
            f"{where}: window {start:g} {stop:g} s reaches past the end of the trial: trials last "
            f"{length:.3g} s (from {label} to the next {ended_by}); give a --window that ends by "
            f"{length:.3g} s"
        )


def describe_labels(markers: Iterable[Marker], most: int = 12) -> str:
    """Return the labels with their counts, commonest first.

    >>> describe_labels([Marker(0.0, "T0"), Marker(1.0, "T1"), Marker(2.0, "T0")])
    'T0 (2), T1 (1)'
    """
    counts = Counter(normalised_label(marker.label) for marker in markers)
    if not counts:
        return "none"
    return _counted(counts, most)


def _counted(counts: Counter[str], most: int = 12) -> str:
    named = ", ".join(f"{name} ({n})" for name, n in counts.most_common(most))
    return named + (f" and {len(counts) - most} more" if len(counts) > most else "")
