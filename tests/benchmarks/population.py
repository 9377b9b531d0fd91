"""Decoders over people: nested ROC-AUC, and acm-svm's difference to the others, with intervals.

Thirteen people of EEGMMIDB (imagined left against right fist, 64 channels), three of MI-OpenBCI
(imagined grasp against rest, 15 channels) and P1 (left against right hand, executed, 11 channels,
within each of two days and across them): 7-35 Hz causal, 0.5-3.5 s after the cue, all channels
given to every decoder with their names, stratified 5-fold repeated over seeds. Intervals are
bootstrapped over people; P1's four figures count as one person.

csp-lda and ts-lr also stand beside the same pipelines made of MNE, pyriemann and
scikit-learn parts, on the folds of the first seed (MNE's causal IIR filter starts from zero state,
ours from the first sample's steady state).

``--data FOLDER`` takes any folder with such files, ``--people 'S0*'`` some of the people: eighty
others of EEGMMIDB are run by ``--data OTHERS``.
"""

import fnmatch
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mne
import numpy as np
from joblib import Parallel, delayed
from matplotlib.figure import Figure
from pyriemann.estimation import Covariances
from pyriemann.spatialfilters import CSP
from pyriemann.tangentspace import TangentSpace
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from bci.config import EpochSettings
from bci.decoders import available_decoders, make_decoder
from bci.decoders.acm import sensorimotor_picks
from bci.evaluation import Protocol, evaluate
from bci.signal.epochs import Epochs, cut_epochs
from bci.sources.reading import open_recording
from tests.benchmarks.measure import arguments, data_folder, emit
from tests.benchmarks.table import goal

BAND_HZ = (7.0, 35.0)
WINDOW_S = (0.5, 3.5)
FOLDS = 5
RIEMANNIAN = ("csp-lda", "fgmdm", "ts-lr", "ts-svm", "acm-svm", "acm-mdm", "bt-acm")
DECODERS = (*RIEMANNIAN, "psd-lda", "psd-lr", "fc-lda", "psd+fc-lda", "combined")
QUICK = ("csp-lda", "ts-svm", "acm-svm")
OURS, PEERS = "acm-svm", ("ts-svm", "csp-lda")
#: ts-svm on the channels that acm-svm uses: what is left is what delays and averaging gain.
SAME = "ts-svm, same channels"

REFERENCES: dict[str, Callable[[], Any]] = {
    "csp-lda": lambda: make_pipeline(
        Covariances("oas"), CSP(nfilter=6), LinearDiscriminantAnalysis()
    ),
    "ts-lr": lambda: make_pipeline(
        Covariances("oas"), TangentSpace(), LogisticRegression(max_iter=2000)
    ),
}

Scores = dict[str, float]


@dataclass(frozen=True)
class Sitting:
    """Recordings of one person that belong together."""

    person: str
    paths: tuple[Path, ...]
    events: Mapping[str, str]  # marker label to class, negative class first
    unit: str | None = None  # None: the file names it
    labels: tuple[str, ...] | None = None  # None: the file names them
    channels: tuple[str, ...] = ()

    def epochs(self) -> Epochs:
        """Filter and cut, as `bci train` does."""
        settings = EpochSettings.make(
            band_hz=BAND_HZ,
            window_s=WINDOW_S,
            event_map=dict(self.events),
            classes=tuple(self.events.values()),
            channels=self.channels,
        )
        labels = None if self.labels is None else list(self.labels)
        recordings = [open_recording(p, unit=self.unit, labels=labels) for p in self.paths]
        return cut_epochs(recordings, settings)


FISTS = {"T1": "left_hand", "T2": "right_hand"}
GRASP = {"OVTK_GDF_Tongue": "rest", "OVTK_GDF_Right": "right_hand"}
P1_EVENTS = {"2": "left_hand", "3": "right_hand"}
P1_CHANNELS = ("C3", "C4", "Cz", "FC1", "FC2", "FC5", "FC6", "CP1", "CP2", "CP5", "CP6")
P1_FLAT = tuple(f"flat{k}" for k in range(1, 6))
P1_DAYS = {"P1 day 2": range(2, 8), "P1 day 3": range(8, 13)}


def sittings(data: Path) -> list[Sitting]:
    """Return what lies in a folder, at any depth; who lacks a run is left out."""
    files = {path.name: path for path in sorted(data.rglob("*")) if path.suffix in (".edf", ".xdf")}
    sets: list[Sitting] = []
    for runs, events, unit in (
        (("R04", "R08", "R12"), FISTS, None),
        (("_R1", "_R2", "_R3", "_R4"), GRASP, "uV"),
    ):
        first = f"{runs[0]}.edf"
        for person in (name.removesuffix(first) for name in files if name.endswith(first)):
            names = [f"{person}{run}.edf" for run in runs]
            if all(name in files for name in names):
                sets.append(Sitting(person, tuple(files[name] for name in names), events, unit))
    for day, numbers in P1_DAYS.items():
        paths = [files.get(f"P1_{number:03d}.xdf") for number in numbers]
        if None not in paths:
            labels = P1_CHANNELS + P1_FLAT
            sets.append(Sitting(day, tuple(paths), P1_EVENTS, "uV", labels, P1_CHANNELS))
    return sets


def within(sitting: Sitting, decoders: Sequence[str], seeds: int) -> dict[str, Any]:
    """Cross-validate one sitting; the reference's scores are keyed ``"reference NAME"``."""
    epochs = sitting.epochs()
    scores: Scores = {}
    for name in decoders:
        results = [
            evaluate(epochs, name, None, Protocol(folds=FOLDS, seed=k)).roc_auc
            for k in range(seeds)
        ]
        areas = [area.mean for area in results if area is not None]
        scores[name] = float(np.mean(areas))
        scores[f"first {name}"] = areas[0]
    picks = sensorimotor_picks(epochs.channels)
    fewer = replace(epochs, X=epochs.X[:, picks], channels=tuple(epochs.channels[i] for i in picks))
    results = [
        evaluate(fewer, "ts-svm", None, Protocol(folds=FOLDS, seed=k)).roc_auc for k in range(seeds)
    ]
    scores[SAME] = float(np.mean([area.mean for area in results if area is not None]))
    if sitting.labels is None:
        scores |= reference(sitting, decoders, epochs.trial_y)
    return {"person": sitting.person, "n_trials": epochs.n_trials, "scores": scores}


def across(train: Sitting, test: Sitting, decoders: Sequence[str]) -> dict[str, Any]:
    """Train on one sitting, test on another."""
    seen, unseen = train.epochs(), test.epochs()
    scores: Scores = {}
    with threadpool_limits(limits=1):
        for name in decoders:
            decoder = make_decoder(name, channels=seen.channels, rate_hz=seen.rate_hz)
            decoder.fit(seen.X, seen.y, groups=seen.trials)
            scores[name] = float(roc_auc_score(unseen.y, decoder.predict_proba(unseen.X)[:, 1]))
    scores[SAME] = scores["ts-svm"]  # P1's eleven channels are all used
    person = f"{train.person} to {test.person[-1]}"
    return {"person": person, "n_trials": unseen.n_trials, "scores": scores}


def reference(sitting: Sitting, decoders: Sequence[str], trial_y: np.ndarray) -> Scores:
    """Return the ROC-AUC of the same pipelines from MNE and pyriemann, on the first folds."""
    windows, classes = [], []
    for path in sitting.paths:
        raw = mne.io.read_raw_edf(path, preload=True, verbose="error")
        raw.filter(
            *BAND_HZ,
            method="iir",
            iir_params={"order": 4, "ftype": "butter", "output": "sos"},
            phase="forward",
            verbose="error",
        )
        codes = {label: k for k, label in enumerate(sitting.events)}
        found, _ = mne.events_from_annotations(raw, codes, verbose="error")
        stop_s = WINDOW_S[1] - 1 / raw.info["sfreq"]
        cut = mne.Epochs(
            raw, found, tmin=WINDOW_S[0], tmax=stop_s, baseline=None, preload=True, verbose="error"
        )
        windows.append(cut.get_data())
        classes.append(cut.events[:, 2])
    X, y = np.concatenate(windows), np.concatenate(classes)
    if not np.array_equal(y, trial_y):
        raise SystemExit(f"{sitting.person}: the two sides cut different trials")
    X /= X.std()  # pyriemann's joint diagonalisation does not see covariances of 1e-11 V²
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    scores = {}
    with threadpool_limits(limits=1):
        for name in set(decoders) & set(REFERENCES):
            areas = cross_val_score(REFERENCES[name](), X, y, cv=splitter, scoring="roc_auc")
            scores[f"reference {name}"] = float(np.mean(areas))
    return scores


def person_means(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """Return each person's score; the rows of P1 are one person's."""
    areas: dict[str, list[float]] = {}
    for row in rows:
        areas.setdefault(row["person"].partition(" ")[0], []).append(row["scores"][name])
    return np.array([np.mean(values) for values in areas.values()])


def difference(ours: np.ndarray, peer: np.ndarray) -> dict[str, Any]:
    """Return the mean paired difference, its 95 % bootstrap interval over people, and who gains."""
    gains = ours - peer
    rng = np.random.default_rng(0)
    means = rng.choice(gains, (10_000, len(gains))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return {
        "mean": round(float(gains.mean()), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "better": int((gains > 0).sum()),
        "people": len(gains),
    }


def table(rows: Sequence[Mapping[str, Any]], decoders: Sequence[str]) -> str:
    """Return ROC-AUC by row and decoder in Markdown; the last line the mean over people."""
    lines = [["", "trials", *decoders], ["---"] * (2 + len(decoders))]
    for row in rows:
        areas = [f"{row['scores'][name]:.3f}" for name in decoders]
        lines.append([row["person"], str(row["n_trials"]), *areas])
    means = [f"{person_means(rows, name).mean():.3f}" for name in decoders]
    lines.append([f"mean over {len(person_means(rows, decoders[0]))} people", "", *means])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def picture(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw each row's scores: ours and the peers', joined by a line."""
    ordered = sorted(rows, key=lambda row: row["scores"][PEERS[0]])
    figure = Figure(figsize=(7, 1.2 + 0.24 * len(ordered)), layout="constrained")
    axes = figure.subplots()
    for height, row in enumerate(ordered):
        areas = [row["scores"][name] for name in (OURS, *PEERS)]
        axes.plot([min(areas), max(areas)], [height, height], color="0.8", zorder=1)
    styles = {OURS: ("o", "C3"), PEERS[0]: ("s", "C0"), PEERS[1]: ("|", "0.3")}
    for name, (marker, colour) in styles.items():
        areas = [row["scores"][name] for row in ordered]
        mean = person_means(rows, name).mean()
        axes.scatter(
            areas, range(len(areas)), marker=marker, color=colour, label=f"{name}, mean {mean:.3f}"
        )
        axes.axvline(mean, color=colour, linewidth=0.8, linestyle=":")
    axes.axvline(0.5, color="0.5", linewidth=0.8)
    axes.set_yticks(range(len(ordered)), [row["person"] for row in ordered])
    axes.set_xlabel("ROC-AUC, trials that the decoder had not seen")
    axes.set_title(f"{len(ordered)} sittings, {FOLDS}-fold; dotted: mean over people")
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Compare over everybody."""
    given = arguments(__doc__.partition("\n")[0], data=data_folder(), people="*", seeds=2)
    registered = [name for name, entry in available_decoders().items() if entry.factory]
    asked = QUICK if given.quick else DECODERS
    decoders = [name for name in asked if name in registered]
    missing = [name for name in asked if name not in registered]
    pattern = "S007" if given.quick else given.people
    seeds = 1 if given.quick else given.seeds
    sets = [s for s in sittings(given.data) if fnmatch.fnmatch(s.person, pattern)]
    if not sets:
        raise SystemExit(f"{given.data}: nobody called {pattern} with all runs")
    began = time.perf_counter()
    days = [s for s in sets if s.person in P1_DAYS]
    pairs = [(a, b) for a in days for b in days if a is not b]
    jobs = [delayed(within)(s, decoders, seeds) for s in sets]
    jobs += [delayed(across)(a, b, decoders) for a, b in pairs]
    rows = list(Parallel(n_jobs=1 if given.quick else 2)(jobs))

    columns = [*decoders, SAME]
    overview = table(rows, columns)
    sys.stderr.write(overview)
    if missing:
        sys.stderr.write(f"not registered: {', '.join(missing)}\n")
    if given.out is not None:
        (given.out / "population.md").write_text(overview, encoding="utf-8")
        picture(rows, given.out / "population.png")
    means = {name: person_means(rows, name) for name in columns}
    differences = {
        f"{OURS} - {name}": difference(means[OURS], means[name]) for name in columns if name != OURS
    }
    parts = {}
    for name in sorted(set(decoders) & set(REFERENCES)):
        apart = [
            row["scores"][f"first {name}"] - row["scores"][f"reference {name}"]
            for row in rows
            if f"reference {name}" in row["scores"]
        ]
        if apart:
            largest = round(float(np.abs(apart).max()), 4)
            parts[name] = {"mean": round(float(np.mean(apart)), 4), "largest": largest}
    emit(
        "population",
        seeds=seeds,
        mean={name: round(float(values.mean()), 4) for name, values in means.items()},
        differences=differences,
        ours_minus_mne_pyriemann=parts,
        missing=missing,
        rows=[
            {"person": row["person"], "n_trials": row["n_trials"]}
            | {name: round(row["scores"][name], 4) for name in columns}
            for row in rows
        ],
        goals=[
            reached(means, differences[f"{OURS} - {peer}"], peer, wanted)
            for peer, wanted in zip((*PEERS, SAME), (0.02, 0.0, None), strict=True)
        ],
        seconds=round(time.perf_counter() - began, 1),
    )


def reached(
    means: Mapping[str, np.ndarray], gain: Mapping[str, Any], peer: str, wanted: float | None
) -> dict[str, Any]:
    """Return the line of the table against one peer; `wanted` None: it has no goal."""
    return goal(
        f"ROC-AUC of {OURS} over {gain['people']} people, against {peer}",
        "" if wanted is None else f"+{wanted:g}" if wanted else "above",
        ours=f"{means[OURS].mean():.3f} ({gain['mean']:+.3f}, {gain['low']:+.3f} to "
        f"{gain['high']:+.3f})",
        peer=f"{means[peer].mean():.3f}",
        met=None if wanted is None else gain["mean"] > wanted,
    )


if __name__ == "__main__":
    main()
