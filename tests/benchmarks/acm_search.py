"""The search over order, lag, C and kernel, against scikit-learn and pyriemann.

Run ``python -m tests.benchmarks.acm_search [--out FOLDER]``: one JSON line. The grid is MOABB's
(order 1-10, lag 1-10, C 0.5, 1, 1.5, linear and rbf, 3 inner folds) on 22 channels x 144 trials x
750 samples.

The peer (`GridSearchCV` over augmentation, OAS covariances, tangent space, SVC) would take hours:
one fit and one scoring of a test fold are timed at every order (lag 4, C 1, linear), and summed
over the grid as it would run them, 10 lags x 6 machines x 3 folds each. Ours with
``strategy="racing"`` is the whole search, fit of the chosen decoder included; ``"full"`` is timed
in the same way as the peer, one lag at every order in turn with it, times 10 (order 1 once).
Processor time stands beside wall time: machines that benchmarks run on are shared.

Then the areas under the ROC curve, nested in 4 outer folds, of S001 and of five simulated people:
racing, full and phase-space on a moderate grid; and on a small one full against the peer.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from pyriemann.estimation import Covariances
from pyriemann.tangentspace import TangentSpace
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from bci.config import EpochSettings
from bci.decoders.search import ACMSearchCV
from bci.decoders.search_plot import plot_search
from bci.events import Marker
from bci.signal.epochs import cut_epochs
from bci.sources.labels import SENSORIMOTOR
from bci.sources.reading import open_recording
from bci.sources.simulate import simulate_run
from tests.benchmarks.measure import arguments, eeg_like, emit, shared_recording
from tests.benchmarks.table import goal

RATE_HZ = 160.0
#: Abilities of the simulated people: from near chance to good control.
ABILITIES = (0.25, 0.35, 0.45, 0.55, 0.65)


class Augment(TransformerMixin, BaseEstimator):
    """Stack delayed copies, (order - 1) * lag samples shorter (MOABB's: order * lag)."""

    def __init__(self, order: int = 1, lag: int = 1) -> None:
        self.order = order
        self.lag = lag

    def fit(self, X: np.ndarray, y: Any = None) -> "Augment":
        """Learn nothing."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the augmented windows."""
        lost = (self.order - 1) * self.lag
        return np.concatenate(
            [X[:, :, d : X.shape[2] - lost + d] for d in range(0, lost + 1, self.lag)], axis=1
        )


def peer(order: int = 1, lag: int = 1) -> Pipeline:
    """Return pyriemann's pipeline."""
    return make_pipeline(
        Augment(order, lag), Covariances("oas"), TangentSpace("riemann"), SVC(kernel="linear")
    )


def timed(function: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return a result, the wall time and the processor time it took (s)."""
    wall, used = time.perf_counter(), time.process_time()
    result = function()
    return result, time.perf_counter() - wall, time.process_time() - used


def grid_times(X: np.ndarray, y: np.ndarray, orders: range, n_lags: int) -> dict[str, float]:
    """Time one pair at every order on both sides in turn, and sum up over the grid."""
    train, test = next(StratifiedKFold(3).split(X, y))
    sums = np.zeros((2, 2))
    for order in orders:
        pipeline = peer(order, 4)

        def single(pipeline: Pipeline = pipeline) -> None:
            pipeline.fit(X[train], y[train]).decision_function(X[test])

        def full(order: int = order) -> None:
            search = ACMSearchCV(
                (order,), (4,), strategy="full", refit=False, callback=lambda *_: None
            )
            search.fit(X, y)

        sums[0] += n_lags * 6 * 3 * np.array(timed(single)[1:])
        both = np.array(timed(full)[1:])
        if order == 1:
            first = both
            sums[1] += both
        else:  # each of these searches scores order 1 as well
            sums[1] += n_lags * np.maximum(both - first, 0)
    return {
        "peer_s": sums[0, 0],
        "peer_cpu_s": sums[0, 1],
        "full_s": sums[1, 0],
        "full_cpu_s": sums[1, 1],
    }


def people(n_trials: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return windows and classes of S001 (45 trials) and of simulated people."""
    classes = ("left_hand", "right_hand")
    events = dict(zip(("T1", "T2"), classes, strict=True))
    settings = EpochSettings.make(channels=SENSORIMOTOR, classes=classes, event_map=events)
    runs = [open_recording(shared_recording(f"S001R{run}.edf")) for run in ("04", "08", "12")]
    epochs = cut_epochs(runs, settings)
    found = {"S001": (epochs.X, epochs.y)}
    for seed, ability in enumerate(ABILITIES, start=1):
        labels = np.random.default_rng(seed).permutation(np.repeat(classes, n_trials // 2))
        cues = [Marker(2.0 + 6.0 * k, str(label)) for k, label in enumerate(labels)]
        person = {"seed": seed, "ability": ability, "rate_hz": RATE_HZ, "montage": "sensorimotor"}
        run = simulate_run(person, cues, 6.0 * n_trials + 4)
        epochs = cut_epochs([run], EpochSettings.make(channels=SENSORIMOTOR, classes=classes))
        found[f"simulated {ability}"] = (epochs.X, epochs.y)
    return found


def areas(X: np.ndarray, y: np.ndarray, estimator: Any, n_outer: int) -> float:
    """Return the mean nested ROC-AUC."""
    outer = StratifiedKFold(n_outer, shuffle=True, random_state=0)
    return float(np.mean(cross_val_score(estimator, X, y, cv=outer, scoring="roc_auc")))


def main() -> None:
    """Measure time, then quality."""
    options = arguments(__doc__.partition("\n")[0])
    n_trials, n_top, n_outer = (24, 3, 2) if options.quick else (144, 10, 4)
    orders, lags = range(1, n_top + 1), range(1, n_top + 1)
    X = eeg_like(0, n_trials, 8 if options.quick else 22, 750)
    y = np.random.default_rng(0).permutation(np.arange(n_trials) % 2)
    X_peer = X / X.std()  # pyriemann stops early on covariances of 1e-11 V^2
    figures: dict[str, Any] = {}
    with threadpool_limits(1):
        ACMSearchCV((1, 2), (4,)).fit(X[:12], np.arange(12) % 2)  # compiled kernels are loaded
        search = ACMSearchCV(orders, lags)
        _, figures["racing_s"], figures["racing_cpu_s"] = timed(lambda: search.fit(X, y))
        figures |= grid_times(X_peer, y, orders, n_top)
        two = ACMSearchCV(orders, lags, n_jobs=2)
        _, figures["racing_two_cores_s"], _ = timed(lambda: two.fit(X, y))
        figures["racing_exact_pairs"] = int(search.cv_results_["exact"].sum()) // 6
        for name in ("racing", "full"):
            for kind in ("", "_cpu"):
                ratio = figures[f"peer{kind}_s"] / figures[f"{name}{kind}_s"]
                figures[f"ratio_{name}{kind}"] = ratio
        figures["ratio_racing_two_cores"] = figures["peer_s"] / figures["racing_two_cores_s"]
        figures["auc"] = quality(24 if options.quick else 60, n_outer, options)
    emit(
        "acm_search",
        grid=f"order 1-{n_top}, lag 1-{n_top}, C .5 1 1.5, linear rbf, 3 folds; {X.shape}",
        extrapolated="peer_s and full_s: one pair at every order (lag 4), summed over the grid; "
        "peer: times 10 lags x 6 machines x 3 folds",
        **{k: round(v, 3) if isinstance(v, float) else v for k, v in figures.items()},
        goals=goals(figures),
    )


def goals(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what was reached: time against the peer on one core, time on two, and the choice."""
    ratio, two_s = float(figures["ratio_racing"]), float(figures["racing_two_cores_s"])
    lead = float(figures["auc"]["racing_minus_full"])
    times = {"ours": f"{figures['racing_s']:.1f} s", "peer": f"{figures['peer_s']:.0f} s (summed)"}
    what = "MOABB's grid, 22 channels x 144 trials, one core"
    return [
        *(
            goal(what, f"{wanted} x", met=ratio >= wanted, **times) | {"ratio": f"{ratio:.0f}"}
            for wanted in (100, 300)
        ),
        goal("the same on two cores", "60 s", met=two_s < 60, ours=f"{two_s:.1f} s"),
        goal(
            "mean ROC-AUC, racing against the full search, S001 and five simulated people",
            "within .005",
            met=lead >= -0.005,
            ours=f"{figures['auc']['mean']['racing']:.3f}",
            peer=f"{figures['auc']['mean']['full']:.3f} (full search)",
        ),
    ]


def quality(n_trials: int, n_outer: int, options: Any) -> dict[str, Any]:
    """Return nested areas by person and strategy, and the mean differences."""
    moderate = {"orders": (1, 2, 3, 4), "lags": (1, 3, 6), "n_jobs": 2}
    strategies = ("racing", "full", "phase-space")
    found = people(n_trials)
    if options.quick:
        found = dict(list(found.items())[:2])
        moderate |= {"orders": (1, 2), "lags": (2,)}
    rows: dict[str, dict[str, float]] = {}
    for person, (X, y) in found.items():
        rows[person] = {
            name: areas(X, y, ACMSearchCV(**moderate, strategy=name), n_outer)
            for name in strategies
        }
        rows[person]["plain"] = areas(X, y, ACMSearchCV((1,), (1,)), n_outer)
    X, y = found["S001"]
    X = X / X.std()
    small = {"augment__order": [1, 2], "augment__lag": [4], "svc__kernel": ["linear", "rbf"]}
    grid = GridSearchCV(peer(), small, cv=StratifiedKFold(3), scoring="roc_auc")
    ours = ACMSearchCV((1, 2), (4,), (1.0,), strategy="full")
    if options.out is not None:
        figure = plot_search(ACMSearchCV(range(1, 7), range(1, 9)).fit(X, y), RATE_HZ)
        figure.savefig(options.out / "acm_search_S001.png", dpi=120)
    means = {name: float(np.mean([row[name] for row in rows.values()])) for name in rows["S001"]}
    rounded = {person: {k: round(v, 4) for k, v in row.items()} for person, row in rows.items()}
    return {
        "people": rounded,
        "mean": {name: round(value, 4) for name, value in means.items()},
        "racing_minus_full": round(means["racing"] - means["full"], 4),
        "small_grid_S001": {
            "ours": round(areas(X, y, ours, n_outer), 6),
            "peer": round(areas(X, y, grid, n_outer), 6),
        },
    }


if __name__ == "__main__":
    main()
