"""Ours beside the same pipelines made from MNE and pyriemann parts, over people.

Run ``python tests/benchmarks/population.py [--decoders csp-lda ts-lr] [--people S001 S02]``: one
JSON line on stdout, a table on stderr. Thirteen people of EEGMMIDB (imagined left against right
fist, 64 channels) and three of MI-OpenBCI (imagined grasp against rest, 15 channels): 7-35 Hz
causal, 0.5-3.5 s after the cue, stratified 5-fold ROC-AUC, the same folds on both sides.

The reference reads, filters and cuts with MNE (its causal IIR filter starts from zero state, ours
from the first sample's steady state) and decodes with pyriemann and scikit-learn.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mne
import numpy as np
from pyriemann.classification import MDM, FgMDM
from pyriemann.estimation import Covariances
from pyriemann.spatialfilters import CSP
from pyriemann.tangentspace import TangentSpace
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from bci.config import EpochSettings
from bci.evaluation import evaluate
from bci.signal.epochs import cut_epochs
from bci.sources.reading import open_recording

BAND_HZ = (7.0, 35.0)
WINDOW_S = (0.5, 3.5)
FOLDS = 5
SEED = 0

#: By folder: the runs of a person, and marker labels with their classes (negative class first).
EEGMMIDB = (("R04", "R08", "R12"), {"T1": "left_hand", "T2": "right_hand"})
OPENBCI = (
    ("_R1", "_R2", "_R3", "_R4"),
    {"OVTK_GDF_Tongue": "rest", "OVTK_GDF_Right": "right_hand"},
)

REFERENCES: dict[str, Callable[[], Any]] = {
    "csp-lda": lambda: make_pipeline(
        Covariances("oas"), CSP(nfilter=6), LinearDiscriminantAnalysis()
    ),
    "ts-lr": lambda: make_pipeline(
        Covariances("oas"), TangentSpace(), LogisticRegression(max_iter=2000)
    ),
    "mdm": lambda: make_pipeline(Covariances("oas"), MDM()),
    "fgmdm": lambda: make_pipeline(Covariances("oas"), FgMDM()),
}


def people(data: Path) -> dict[str, tuple[list[Path], dict[str, str], str | None]]:
    """Return each person's files, events and unit (None: the file names it)."""
    found: dict[str, tuple[list[Path], dict[str, str], str | None]] = {}
    for folder, (runs, events), unit in (
        ("eegmmidb", EEGMMIDB, None),
        ("mi_openbci", OPENBCI, "uV"),
    ):
        first = f"{runs[0]}.edf"
        for name in sorted(p.name.removesuffix(first) for p in (data / folder).glob(f"*{first}")):
            found[name] = ([data / folder / f"{name}{run}.edf" for run in runs], events, unit)
    return found


def ours(
    paths: Sequence[Path], events: dict[str, str], unit: str | None, decoders: Sequence[str]
) -> tuple[dict[str, float], np.ndarray]:
    """Return Rolandic's ROC-AUC by decoder, and the classes of the trials."""
    settings = EpochSettings.make(
        band_hz=BAND_HZ, window_s=WINDOW_S, event_map=events, classes=tuple(events.values())
    )
    epochs = cut_epochs([open_recording(path, unit=unit) for path in paths], settings)
    scores = {}
    for name in decoders:
        area = evaluate(epochs, name, folds=FOLDS, seed=SEED).roc_auc
        scores[name] = float("nan") if area is None else area.mean
    return scores, epochs.trial_y


def reference(
    paths: Sequence[Path], events: dict[str, str], unit: str | None, decoders: Sequence[str]
) -> tuple[dict[str, float], np.ndarray]:
    """Return the ROC-AUC of the same pipelines from MNE and pyriemann, and the trials' classes."""
    windows, labels = [], []
    for path in paths:
        raw = mne.io.read_raw_edf(path, preload=True, verbose="error")
        raw.filter(
            *BAND_HZ,
            method="iir",
            iir_params={"order": 4, "ftype": "butter", "output": "sos"},
            phase="forward",
            verbose="error",
        )
        codes = {label: k for k, label in enumerate(events)}
        found, _ = mne.events_from_annotations(raw, codes, verbose="error")
        epochs = mne.Epochs(
            raw,
            found,
            tmin=WINDOW_S[0],
            tmax=WINDOW_S[1] - 1 / raw.info["sfreq"],
            baseline=None,
            preload=True,
            verbose="error",
        )
        windows.append(epochs.get_data() * (1e-6 if unit == "uV" else 1.0))
        labels.append(epochs.events[:, 2])
    X, y = np.concatenate(windows), np.concatenate(labels)
    X /= X.std()  # pyriemann's joint diagonalisation does not see covariances of 1e-11 V²
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    scores = {}
    with threadpool_limits(limits=1):
        for name in decoders:
            if name in REFERENCES:
                areas = cross_val_score(REFERENCES[name](), X, y, cv=splitter, scoring="roc_auc")
                scores[name] = float(np.mean(areas))
    return scores, y


def main() -> None:
    """Compare over everybody."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    place = os.environ.get("ROLANDIC_TEST_DATA")
    default = Path(place) if place else Path(__file__).resolve().parents[3] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--decoders", nargs="+", default=["csp-lda", "ts-lr"])
    parser.add_argument("--people", nargs="+", help="only these")
    options = parser.parse_args()
    started = time.perf_counter()
    rows = []
    for person, (paths, events, unit) in people(options.data).items():
        if options.people and person not in options.people:
            continue
        mine, y = ours(paths, events, unit, options.decoders)
        theirs, their_y = reference(paths, events, unit, options.decoders)
        if not np.array_equal(y, their_y):
            raise SystemExit(f"{person}: the two sides cut different trials")
        scores = {
            name: {"ours": round(mine[name], 4), "reference": round(theirs[name], 4)}
            if name in theirs
            else {"ours": round(mine[name], 4)}
            for name in options.decoders
        }
        rows.append({"person": person, "data": paths[0].parent.name, "n_trials": len(y)} | scores)
        cells = "  ".join(
            f"{name} {score['ours']:.3f} / {score.get('reference', float('nan')):.3f}"
            for name, score in scores.items()
        )
        sys.stderr.write(f"{person:5s} {len(y):4d} trials  {cells}\n")
    summary = {}
    for name in options.decoders:
        for data in ("eegmmidb", "mi_openbci"):
            pairs = [row[name] for row in rows if row["data"] == data]
            if not pairs:
                continue
            entry = {"ours": round(float(np.mean([pair["ours"] for pair in pairs])), 4)}
            if name in REFERENCES:
                differences = [pair["ours"] - pair["reference"] for pair in pairs]
                entry["reference"] = round(float(np.mean([p["reference"] for p in pairs])), 4)
                entry["mean_difference"] = round(float(np.mean(differences)), 4)
                entry["largest_difference"] = round(float(np.max(np.abs(differences))), 4)
            summary.setdefault(name, {})[data] = entry
            sys.stderr.write(f"mean {data} {name}: {entry}\n")
    seconds = round(time.perf_counter() - started, 1)
    sys.stdout.write(json.dumps({"mean": summary, "people": rows, "seconds": seconds}) + "\n")


if __name__ == "__main__":
    main()
