"""Whole runs decoded as if they came in, rest between trials and all (pseudo-online).

After Carrara and Papadopoulo (2023, arXiv 2308.11656), with the decoder that runs online: a test
run goes sample by sample through `bci.online.OnlineDecoder`, with its filter, its hop grid, its
gate against artifacts, its smoothing and its rule, and every decision counts. What the person was
asked to do includes nothing: idle is either a class that is trained on the rest between trials, or
what is left when no class passes the threshold.

Training and test never share a sample. By run (and by session, and calibration against online)
that is given. Within runs each fold tests consecutive trials with the rest before them; training
keeps one window away from all samples that a test window reaches (the purge), and is cut out before
anything is filtered, so that no filter carries one part into the other. Limits of artifacts and the
reference of recentering come from the training part.

Chance is what remains when the cues of each recording change their classes at random, with all fits
again: that asks whether classes are told apart. When there was a trial stays as it was, so that
telling trials from rest is no part of the answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bci.config import EpochSettings, OnlineSettings
from bci.errors import SettingsError, TrialError
from bci.evaluation.blocks import OnlineSplit, Stretch, blocks
from bci.evaluation.chance import permutation_p
from bci.evaluation.crossval import NOT_PERMUTABLE, Progress
from bci.evaluation.episodes import PseudoOnline, account
from bci.evaluation.metrics import confusion, normalised_matthews
from bci.evaluation.outcomes import Windows
from bci.evaluation.protocols import Protocol, splits
from bci.evaluation.training import fit_model
from bci.evaluation.truth import (
    OTHER,
    Truth,
    find_truth,
    part_of,
    permuted_cues,
    window_labels,
    with_idle,
)
from bci.events import Marker
from bci.online.replay import replay
from bci.signal.epochs import cut_epochs
from bci.signal.rejection import without_marked
from bci.signal.windows import hop_samples, window_samples
from bci.sources.recording import Recording

__all__ = ["IdleRule", "PseudoOnlineTask", "evaluate_pseudo_online"]

I64 = NDArray[np.int64]

IdleRule = Literal["class", "threshold"]


@dataclass(frozen=True, slots=True, eq=False)
class PseudoOnlineTask:
    """Recordings, and how they are decoded: what all splits and decoders have in common.

    Attributes
    ----------
    recordings : tuple of Recording
    truths : tuple of Truth
    settings : EpochSettings
        With classes and channels filled in.
    protocol : Protocol
    classes : tuple of str
        Of the truth: idle among them.
    idle : int
        Which of `classes`.
    rule : {"class", "threshold"}
    online : OnlineSettings
    recenter_s : float or None
    purge : bool
        False only to show what the purge is for.
    """

    recordings: tuple[Recording, ...] = field(repr=False)
    truths: tuple[Truth, ...] = field(repr=False)
    settings: EpochSettings
    protocol: Protocol
    classes: tuple[str, ...]
    idle: int
    rule: IdleRule
    online: OnlineSettings
    recenter_s: float | None = None
    purge: bool = True

    @classmethod
    def of(
        cls,
        recordings: Sequence[Recording],
        settings: EpochSettings,
        protocol: Protocol | None = None,
        *,
        rule: IdleRule = "class",
        idle: str = "",
        online: OnlineSettings | None = None,
        recenter_s: float | None = None,
    ) -> "PseudoOnlineTask":
        """Prepare recordings.

        Parameters
        ----------
        recordings : sequence of Recording
        settings : EpochSettings
        protocol : Protocol, optional
            ``"within"`` takes folds of consecutive trials, without shuffling.
        rule : {"class", "threshold"}
            Idle is a class that is trained on rest, or what no class passes the threshold of.
        idle : str
            Name of the idle class. One of the classes of the trials: rest between trials is that
            class too (imagery against a cued rest). Empty: ``idle`` or ``rest`` where trials are
            cued so, else ``idle``.
        online : OnlineSettings, optional
            Default: with the rule ``"class"`` the most probable class is decided (threshold 0).
        recenter_s : float, optional

        Raises
        ------
        InputError
            As `cut_epochs`; SettingsError where idle is told by the threshold of a cued class.
        """
        epochs = cut_epochs(recordings, settings)
        idle = idle or next((name for name in ("idle", "rest") if name in epochs.classes), "idle")
        if rule == "threshold" and idle in epochs.classes:
            raise SettingsError(
                f"{idle} is a class with trials of its own, and cannot be told by the threshold: "
                f"choose --idle {idle}, or leave {idle} out with --classes"
            )
        classes = epochs.classes if idle in epochs.classes else (*epochs.classes, idle)
        if len(classes) < 2 or classes == (idle,):
            raise TrialError(f"no class but idle ({idle!r}): nothing can be told apart")
        return cls(
            recordings=tuple(recordings),
            truths=tuple(find_truth(r, settings, epochs.classes) for r in recordings),
            settings=settings.model_copy(
                update={"classes": epochs.classes, "channels": epochs.channels}
            ),
            protocol=protocol or Protocol(name="leave-one-run-out"),
            classes=classes,
            idle=classes.index(idle),
            rule=rule,
            online=online or OnlineSettings.make(**{"threshold": 0.0} if rule == "class" else {}),
            recenter_s=recenter_s,
        )

    @property
    def label(self) -> str:
        """What a table calls it."""
        return f"pseudo-online, {self.protocol.label}"

    @property
    def rate_hz(self) -> float:
        """Sampling rate of all recordings."""
        return self.recordings[0].info.rate_hz

    @property
    def length(self) -> int:
        """Of a window, in samples."""
        return window_samples(self.settings, self.rate_hz)

    def splits(self) -> list[OnlineSplit]:
        """Divide the recordings as the protocol says.

        Raises
        ------
        TrialError
            As `splits`, and when there are fewer trials than folds.
        """
        names = [recording.path.name for recording in self.recordings]
        if self.protocol.name == "within":
            return blocks(self.truths, names, self.protocol.folds, self.length, purge=self.purge)
        epochs = cut_epochs(self.recordings, self.settings)
        whole = [Stretch(run, 0, truth.n_samples) for run, truth in enumerate(self.truths)]
        return [
            OnlineSplit(
                split.name,
                tuple(whole[run] for run in np.unique(epochs.trial_runs[split.train])),
                tuple(whole[run] for run in np.unique(epochs.trial_runs[split.test])),
            )
            for split in splits(epochs, self.protocol)
        ]

    def decide(
        self, split: OnlineSplit, decoder: str, params: Mapping[str, Any] | None = None
    ) -> Windows:
        """Train on a split's training part and decide every hop of its test part.

        Parameters
        ----------
        split : OnlineSplit
        decoder : str
        params : mapping, optional

        Raises
        ------
        TrialError
            When the training part lacks a class.
        """
        parts = [part_of(self.recordings[s.run], s.first, s.stop) for s in split.train]
        epochs = without_marked(cut_epochs(parts, self.settings))
        if self.rule == "class":
            truths = [self.truths[s.run].part(s.first, s.stop) for s in split.train]
            epochs = with_idle(epochs, parts, truths, self.classes, self.idle)
        model = fit_model(epochs, parts, decoder, params, recenter_s=self.recenter_s)
        found = []
        for stretch in split.test:
            begin = max(0, stretch.first - self.length)
            signal = part_of(self.recordings[stretch.run], begin, stretch.stop)
            decisions = [
                d
                for d in replay(signal, model, self.online).decisions
                if d.sample + begin > stretch.first
            ]
            ends = np.array([d.sample + begin for d in decisions], np.int64)
            labels = window_labels(self.truths[stretch.run], ends, self.length, self.idle)
            said = [
                self.idle if d.label is None else self.classes.index(d.label) for d in decisions
            ]
            found.append(
                Windows(
                    runs=np.full(len(ends), stretch.run, np.int64),
                    ends=ends,
                    said=np.array(said, np.int64),
                    labels=labels,
                    withheld=np.array([d.probabilities is None for d in decisions], bool),
                )
            )
        return Windows.joined(found)

    def permuted(self, n: int) -> Iterator[tuple[tuple[Marker, ...], ...]]:
        """Yield the markers of the recordings, with the classes of cues permuted within each.

        Raises
        ------
        TrialError
            When no recording has trials of two classes.
        """
        rng = np.random.default_rng([self.protocol.seed, 0x5EED])
        if n and not any(len(np.unique(t.labels[t.labels != OTHER])) > 1 for t in self.truths):
            raise TrialError(NOT_PERMUTABLE)
        for _ in range(n):
            yield tuple(permuted_cues(r, self.settings, rng) for r in self.recordings)

    def relabelled(self, markers: Sequence[tuple[Marker, ...]]) -> "PseudoOnlineTask":
        """Return the task with other markers, a tuple of them for each recording."""
        recordings = tuple(
            replace(recording, markers=own)
            for recording, own in zip(self.recordings, markers, strict=True)
        )
        truths = tuple(find_truth(r, self.settings, self.settings.classes) for r in recordings)
        return replace(self, recordings=recordings, truths=truths)

    def statistic(self, decoder: str, params: Mapping[str, Any] | None = None) -> float:
        """Return the nMCC of all windows: what a permutation test compares."""
        every = Windows.joined([self.decide(part, decoder, params) for part in self.splits()])
        kept = every.labels != OTHER
        counts = confusion(every.labels[kept], every.said[kept], len(self.classes))
        return float(normalised_matthews(counts))

    def summarised(
        self, decoder: str, found: Sequence[Windows], permuted: Sequence[float] = ()
    ) -> PseudoOnline:
        """Return what the decisions of all splits amount to.

        Parameters
        ----------
        decoder : str
        found : sequence of Windows
            One a split.
        permuted : sequence of float
            The `statistic` of each permutation.
        """
        result = account(
            decoder,
            self.label,
            found,
            self.truths,
            self.classes,
            self.idle,
            length=self.length,
            hop=hop_samples(self.online.hop_s, self.rate_hz),
            rate_hz=self.rate_hz,
        )
        if not len(permuted):
            return result
        p_value = permutation_p(result.nmcc.mean, permuted)
        return replace(result, p_value=p_value, n_permutations=len(permuted))


def evaluate_pseudo_online(
    task: PseudoOnlineTask,
    decoder: str,
    params: Mapping[str, Any] | None = None,
    *,
    permutations: int = 0,
    progress: Progress | None = None,
) -> PseudoOnline:
    """Test a decoder pseudo-online.

    Parameters
    ----------
    task : PseudoOnlineTask
    decoder : str
        Its registered name.
    params : mapping, optional
    permutations : int
        How often the classes of cues are permuted, each time with all fits again, for a p-value.
    progress : callable, optional
        Called with the splits and permutations done, and their number.

    Raises
    ------
    InputError
        As `PseudoOnlineTask.splits`, `PseudoOnlineTask.decide` and `PseudoOnlineTask.permuted`.
    """
    parts = task.splits()
    total = len(parts) + permutations
    found, permuted = [], []
    for split in parts:
        found.append(task.decide(split, decoder, params))
        if progress:
            progress(len(found), total)
    for markers in task.permuted(permutations):
        permuted.append(task.relabelled(markers).statistic(decoder, params))
        if progress:
            progress(len(found) + len(permuted), total)
    return task.summarised(decoder, found, permuted)
