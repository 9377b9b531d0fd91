"""Recentering: what it changes in replayed runs that training did not see, and what a hop costs.

EEGMMIDB, thirteen people: trained on two runs, tested on the third, 21 channels. MI-OpenBCI, three
people: two runs and two. P1: a day and another. Each test run goes through the online decoder
twice, without and with recentering; a trial counts as its last smoothed probabilities say.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from bci.cli.options import SENSORIMOTOR
from bci.config import EpochSettings, OnlineSettings
from bci.decoders import Model, Recentering, RunningReference, make_decoder
from bci.decoders.recentering import TAU_S
from bci.evaluation import train_model
from bci.online import replay
from bci.riemann import riemannian_mean
from bci.sources.reading import open_recording
from bci.sources.recording import Recording
from tests.benchmarks.measure import arguments, data_folder, eeg_like, emit
from tests.benchmarks.table import goal

FISTS = EpochSettings(
    event_map={"T1": "left_hand", "T2": "right_hand"},
    classes=("left_hand", "right_hand"),
    channels=SENSORIMOTOR,
)
GRASP = EpochSettings(
    event_map={"OVTK_GDF_Tongue": "rest", "OVTK_GDF_Right": "right_hand"},
    classes=("rest", "right_hand"),
)
P1_LABELS = ("C3", "C4", "Cz", "FC1", "FC2", "FC5", "FC6", "CP1", "CP2", "CP5", "CP6", *"abcde")
DAYS = EpochSettings(
    event_map={"1": "none", "2": "left_hand", "3": "right_hand"},
    classes=("left_hand", "right_hand"),
    channels=P1_LABELS[:11],
)
SECOND, THIRD = (3, 5, 6, 7), (8, 9, 10, 11, 12)

Pair = tuple[str, EpochSettings, Callable[[], tuple[list[Recording], list[Recording]]]]


def pairs(data: Path) -> list[Pair]:
    """Return what is trained on and tested on, by name; read when called."""

    def runs(folder: str, names: Sequence[str], **options: Any) -> list[Recording]:
        return [open_recording(data / folder / name, **options) for name in names]

    def p1(numbers: Sequence[int]) -> list[Recording]:
        names = [f"P1_{k:03d}.xdf" for k in numbers]
        return runs("days_xdf", names, labels=P1_LABELS, unit="uV")

    found: list[Pair] = []
    for path in sorted((data / "eegmmidb").glob("*R12.edf")):
        person = path.name[:4]
        names = [f"{person}R{run}.edf" for run in ("04", "08", "12")]
        found.append(
            (
                f"eegmmidb {person}",
                FISTS,
                lambda n=names: (runs("eegmmidb", n[:2]), runs("eegmmidb", n[2:])),
            )
        )
    for person in ("S02", "S03", "S04"):
        names = [f"{person}_R{run}.edf" for run in (1, 2, 3, 4)]
        found.append(
            (
                f"mi_openbci {person}",
                GRASP,
                lambda n=names: (
                    runs("mi_openbci", n[:2], unit="uV"),
                    runs("mi_openbci", n[2:], unit="uV"),
                ),
            )
        )
    found.append(("days second to third", DAYS, lambda: (p1(SECOND), p1(THIRD))))
    found.append(("days third to second", DAYS, lambda: (p1(THIRD), p1(SECOND))))
    return found


def scores(model: Model, recordings: Sequence[Recording]) -> tuple[float, float, float]:
    """Return accuracy, ROC-AUC and log loss over the trials that were decoded."""
    trials = [
        trial
        for recording in recordings
        for trial in replay(recording, model, OnlineSettings(hop_s=0.2)).trials
        if trial.probabilities
    ]
    truth = np.array([model.classes.index(trial.cue) for trial in trials])
    p = np.array([trial.probabilities for trial in trials])
    return (
        float(np.mean(p.argmax(axis=1) == truth)),
        float(roc_auc_score(truth, p[:, 1])),
        float(-np.mean(np.log(np.maximum(p[np.arange(len(p)), truth], 1e-9)))),
    )


def quality(decoder: str, chosen: Sequence[Pair]) -> dict[str, Any]:
    """Return the scores without and with, by data set, and the paired differences over all."""
    rows = []
    for name, settings, read in chosen:
        training, test = read()
        model = train_model(training, settings, decoder, cv=False, recenter_s=TAU_S)
        rows.append((name, scores(replace(model, recentering=None), test), scores(model, test)))
    result: dict[str, Any] = {}
    for group in [*sorted({name.split()[0] for name, _, _ in rows}), "all"]:
        members = [row for row in rows if group in ("all", row[0].split()[0])]
        off, on = (np.array([row[k] for row in members]) for k in (1, 2))
        error = (on - off).std(axis=0, ddof=1) / np.sqrt(len(on)) if len(on) > 1 else 0 * off[0]
        result[group] = {
            "n": len(members),
            **{
                score: {
                    "off": round(float(off[:, k].mean()), 3),
                    "on": round(float(on[:, k].mean()), 3),
                    "difference": round(float((on - off)[:, k].mean()), 3),
                    "standard_error": round(float(error[k]), 3),
                }
                for k, score in enumerate(("accuracy", "roc_auc", "log_loss"))
            },
        }
    return result


def cost(n_channels: int, order: int) -> dict[str, float]:
    """Return what a hop costs: deciding, moving its covariance and, once a window, learning."""
    X = eeg_like(0, 40, n_channels, 480)
    y = np.arange(40) % 2
    decoder = make_decoder("acm-lr", order=order, lag=4).fit(X, y)
    (C,) = decoder.covariances(X)
    mean = riemannian_mean(C)
    reference = RunningReference(Recentering((mean,), (np.stack([mean, mean]),)), 480, 160.0)
    taken: dict[str, list[float]] = {"decide": [], "move": [], "learn": []}
    for k in range(len(C)):
        one = [C[k : k + 1]]
        for name, work in (
            ("decide", decoder.probabilities_from),
            ("move", reference.transformed),
            ("learn", partial(reference.learn, end=480 * k)),
        ):
            began = time.perf_counter()
            work(one)
            taken[name].append(1e3 * (time.perf_counter() - began))
    return {f"{name}_ms": round(statistics.median(times), 4) for name, times in taken.items()}


def main() -> None:
    """Measure."""
    options = arguments((__doc__ or "").partition("\n")[0], decoder="ts-lr")
    chosen = pairs(data_folder())
    with threadpool_limits(1):
        results = quality(options.decoder, chosen[:2] if options.quick else chosen)
        costs = {
            str(n_channels * order): cost(n_channels, order)
            for n_channels, order in ((22, 1), (22, 4), (64, 3))[: 1 if options.quick else 3]
        }
    gained = results["all"]["accuracy"]
    emit(
        "recentering",
        decoder=options.decoder,
        tau_s=TAU_S,
        results=results,
        cost=costs,
        goals=[
            goal(
                f"accuracy of runs and days not trained on, {results['all']['n']} pairs",
                "no worse than without",
                met=gained["difference"] >= 0,
                ours=f"{gained['on']:.3f}",
                peer=f"{gained['off']:.3f} (without)",
            )
        ],
    )


if __name__ == "__main__":
    main()
