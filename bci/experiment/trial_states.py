"""What becomes of each trial of a session's runs: used, taken out, rejected, or of no use."""

from dataclasses import dataclass

from bci.experiment.analysis_tasks import AnalysisResult
from bci.experiment.choice import same_onset
from bci.signal.epochs import BY_HAND
from bci.workspace import RunRecord

__all__ = ["RunRow", "TrialState", "as_recorded", "trial_states"]


@dataclass(frozen=True, slots=True)
class TrialState:
    """A trial, and what becomes of it.

    Attributes
    ----------
    number : int
        From 1, in its run.
    onset_s : float
        Of the cue, from the recording's first sample (s).
    class_name : str
    state : {"used", "out", "rejected", "unusable"}
        Used; taken out by hand; rejected since it stands out; cannot be used.
    reason : str
        Why not; of a used one, why it stands out from the others (empty: it does not).
    """

    number: int
    onset_s: float
    class_name: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run and its trials.

    Attributes
    ----------
    file, name : str
        As the record has it; of the file alone.
    used : bool
    trials : tuple of TrialState
        Empty while they are not known.
    """

    file: str
    name: str
    used: bool
    trials: tuple[TrialState, ...]


def trial_states(result: AnalysisResult) -> dict[str, tuple[TrialState, ...]]:
    """Return the trials of the recordings that were read, by file name."""
    why = {(o.recording, round(o.onset_s, 3)): o.reason for o in result.left_out}
    found: dict[str, list[TrialState]] = {}
    for row in result.trials:
        trials = found.setdefault(row.recording, [])
        state, reason = "used", row.stands_out
        left_out = why.get((row.recording, round(row.onset_s, 3)), "")
        if row.unusable:
            state, reason = "unusable", row.unusable
        elif left_out and left_out != BY_HAND:
            state, reason = "rejected", left_out
        trials.append(TrialState(len(trials) + 1, row.onset_s, row.class_name, state, reason))
    return {name: tuple(trials) for name, trials in found.items()}


def as_recorded(trial: TrialState, run: RunRecord) -> TrialState:
    """Return a trial as the record has it now."""
    if trial.state != "unusable" and same_onset(trial.onset_s, run.left_out):
        return TrialState(trial.number, trial.onset_s, trial.class_name, "out", BY_HAND)
    return trial
