"""All trials of recordings, one by one: for people to look through, and to take some out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bci.config import EpochSettings
from bci.features.cache import Arrays, Cache, Steps, pack, unpack
from bci.signal.epochs import cut_epochs
from bci.signal.rejection import mark_trials
from bci.sources.recording import Recording

__all__ = ["TrialRow", "trial_rows"]


@dataclass(frozen=True, slots=True)
class TrialRow:
    """A trial of a recording, whether it is used or not.

    Attributes
    ----------
    recording : str
        File name.
    onset_s : float
        Of the cue, from the recording's first sample (s).
    class_name : str
    unusable : str
        Why it cannot be used whatever anyone wants; empty: it can.
    stands_out : str
        Why it is not like the others (`bci.signal.rejection`), with the number; empty: it is.
    """

    recording: str
    onset_s: float
    class_name: str
    unusable: str = ""
    stands_out: str = ""


def trial_rows(
    recordings: Sequence[Recording],
    contents: Sequence[str],
    settings: EpochSettings,
    cache: Cache | None = None,
) -> tuple[TrialRow, ...]:
    """Return all trials, those that were taken out by hand too, in order of recording and time.

    Parameters
    ----------
    recordings : sequence of Recording
    contents : sequence of str
        Their hashes: `bci.features.cache.recording_content`.
    settings : EpochSettings
        What was taken out, and whether trials that stand out are rejected, does not matter.
    cache : Cache, optional

    Raises
    ------
    InputError
        As `bci.signal.epochs.cut_epochs`.
    """
    # RMS above 30 Hz is only there where rejection is asked for.
    everything = settings.model_copy(update={"left_out": {}, "reject": True})

    def rows() -> Arrays:
        epochs = cut_epochs(recordings, everything)
        stands_out = {mark.trial: f"{mark.reason}: {mark.text}" for mark in mark_trials(epochs)}
        found: list[tuple[Any, ...]] = [
            (
                epochs.recordings[epochs.trial_runs[trial]],
                float(epochs.trial_onsets_s[trial]),
                epochs.classes[epochs.trial_y[trial]],
                "",
                stands_out.get(trial, ""),
            )
            for trial in range(epochs.n_trials)
        ]
        found += [(o.recording, o.onset_s, o.class_name, o.reason, "") for o in epochs.left_out]
        order = {recording: at for at, recording in enumerate(epochs.recordings)}
        return pack({"rows": sorted(found, key=lambda row: (order[row[0]], row[1]))})

    steps = Steps(cache)
    steps.add("trial_rows", rows, [list(contents), everything.model_dump(mode="json")])
    return tuple(TrialRow(*row) for row in unpack(dict[str, Any], steps["trial_rows"])["rows"])
