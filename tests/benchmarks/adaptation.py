"""Does a decoder that keeps learning do better? Arms over simulated and real people.

Twelve simulated people with three sessions each, abilities from 0.5 to 1, 24 trials a class and
session: trained on the first, two gone through; three and four classes, days that differ as
`bci.sources.days` has it. Rewards are false 0, 10, 20 and 30 % of the time, twenty seeds each.

``--part simulated`` or ``--part real`` does half; ``--only own`` or ``--only rleegnet`` the rows
of Rolandic's own decoders or of the network; ``--flips 0`` goes without false rewards; ``--guard
1``: each arm once more under its guard.

Real people, the same arms: P1 from one day through the other, both ways; thirteen people of
EEGMMIDB and three of MI-OpenBCI, trained on the first run. ``--data OTHERS`` takes any folder with
such files. What RLEEGNet does stands beside where its plugin is installed.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from bci.config import EpochSettings
from bci.decoders import available_decoders
from bci.decoders.adapt import available_arms
from bci.evaluation.adaptation_cells import Arms, evaluate_adaptation
from bci.evaluation.adaptation_table import AdaptationTable, ArmRow, curves
from bci.evaluation.metrics import Score
from bci.evaluation.online_adaptation import Feedback
from bci.evaluation.planning import Subject
from bci.evaluation.processes import Processes
from bci.evaluation.retrained import RETRAINED
from bci.evaluation.store import CellStore
from bci.events import Marker
from bci.report.adaptation import adaptation_figure
from bci.signal.epochs import Epochs, cut_epochs
from bci.sources.reading import open_recording
from bci.sources.recording import Recording
from bci.sources.simulate import simulate_run
from tests.benchmarks.measure import arguments, data_folder, emit
from tests.benchmarks.recentering import DAYS, FISTS, GRASP, P1_LABELS, SECOND, THIRD
from tests.benchmarks.table import goal

CLASSES = ("left_hand", "right_hand", "feet", "tongue")
N_PEOPLE, N_SESSIONS, A_CLASS = 12, 3, 24
FLIPS = "0,10,20,30"  # percent
JOBS = 2
OWN = (
    "frozen", "recenter", "pseudo", "reward", "reward+recenter", "linucb+recenter", "supervised",
    *RETRAINED,
)  # fmt: skip
NETWORK = "rleegnet"


def simulated(seed: int, session: int, a_class: int, ability: float) -> Recording:
    """Record one session of a simulated person: 4 s of imagery every 6.5 to 7.5 s."""
    rng = np.random.default_rng([seed, session, 7])
    markers, at_s = [], 3.0
    for label in rng.permutation(np.repeat(CLASSES, a_class)):
        markers += [Marker(at_s, str(label)), Marker(at_s + 4.0, "imagery_end")]
        at_s += 6.5 + rng.uniform(0.0, 1.0)
    made = simulate_run({"ability": ability, "seed": seed, "session": session}, markers, at_s)
    return replace(made, path=Path(f"sub-{seed:02d}_ses-{session + 1:02d}.xdf"))


def simulated_people(folder: Path, n_people: int, a_class: int) -> list[tuple[str, list[Path]]]:
    """Record everybody into files, a person at a time on each core."""
    abilities = np.linspace(0.5, 1.0, n_people)

    def record(seed: int, session: int) -> Path:
        path = folder / f"{seed}-{session}.joblib"
        joblib.dump(simulated(seed, session, a_class, float(abilities[seed])), path)
        return path

    sessions = [(seed, k) for seed in range(n_people) for k in range(N_SESSIONS)]
    paths = joblib.Parallel(n_jobs=JOBS)(joblib.delayed(record)(*one) for one in sessions)
    return [
        (f"S{seed:02d}", [p for p, (own, _) in zip(paths, sessions, strict=True) if own == seed])
        for seed in range(n_people)
    ]


def subject(name: str, paths: Sequence[Path], settings: EpochSettings, **reading: Any) -> Subject:
    """Return a person whose recordings are read when their turn comes."""

    def read() -> tuple[Epochs, Sequence[Recording]]:
        recordings = [
            joblib.load(path) if path.suffix == ".joblib" else open_recording(path, **reading)
            for path in paths
        ]
        return cut_epochs(recordings, settings), recordings

    return Subject(name, read)


def real_people(data: Path) -> Iterator[tuple[str, list[Subject], tuple[str, ...]]]:
    """Return the sets of people, and the sessions of their recordings."""
    there = {path.name: path for path in sorted(data.rglob("*")) if path.is_file()}
    for name, runs, settings, reading in (
        ("EEGMMIDB", ("R04", "R08", "R12"), FISTS, {}),
        ("MI-OpenBCI", ("_R1", "_R2", "_R3", "_R4"), GRASP, {"unit": "uV"}),
    ):
        first = f"{runs[0]}.edf"
        people = [file.removesuffix(first) for file in there if file.endswith(first)]
        whole = [p for p in people if all(f"{p}{run}.edf" in there for run in runs)]
        found = [
            subject(p, [there[f"{p}{run}.edf"] for run in runs], settings, **reading) for p in whole
        ]
        if found:
            yield name, found, ()
    for name, order in (("P1 day 2 to 3", (SECOND, THIRD)), ("P1 day 3 to 2", (THIRD, SECOND))):
        paths = [there.get(f"P1_{number:03d}.xdf") for numbers in order for number in numbers]
        if all(paths):
            sessions = tuple(str(k) for k, numbers in enumerate(order) for _ in numbers)
            one = subject(name, [p for p in paths if p], DAYS, labels=P1_LABELS, unit="uV")
            yield name, [one], sessions


def run(
    name: str,
    people: Sequence[Subject],
    decoders: Sequence[str],
    arms: Arms,
    sessions: Sequence[str],
    out: Path | None,
    n_classes: int,
) -> AdaptationTable:
    """Evaluate one set of people; the table goes to stderr and to a folder."""
    with closing(Processes(JOBS)) as pool:
        adapted, trials, failures = evaluate_adaptation(
            people,
            {decoder: {} for decoder in decoders},
            arms,
            sessions=sessions,
            pool=pool,
            store=None if out is None else CellStore(out / "cells"),
        )
    for failure in failures:
        sys.stderr.write(f"{failure}\n")
    table = AdaptationTable.of(adapted, trials)
    head, rows = table.cells()
    lines = [head, ["---"] * len(head), *rows]
    text = f"\n{name}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)
    sys.stderr.write(text)
    if out is not None:
        stem = name.lower().replace(" ", "-").replace(",", "")
        (out / f"adaptation-{stem}.md").write_text(text, encoding="utf-8")
        (out / f"adaptation-{stem}.csv").write_text(table.csv(), encoding="utf-8")
        figure = adaptation_figure(curves(adapted, trials), n_classes)
        figure.savefig(out / f"adaptation-{stem}.png", dpi=100)
    return table


def figures(table: AdaptationTable) -> list[dict[str, Any]]:
    """Return the rows in short, for the JSON line."""
    return [
        {
            "decoder": row.decoder,
            "arm": row.arm,
            "reward": row.feedback,
            "people": len(row.people),
            "accuracy": _rounded(row.score("accuracy")),
            "kappa": _rounded(row.score("kappa")),
            "first_20": _rounded(row.score("first")),
            "regret": _rounded(row.score("regret")),
            "harmed": row.harmed,
            "helped": row.helped,
            "update_ms": row.update_ms,
            "above": {
                other: [round(v, 4) for v in (d.mean, d.low, d.high, d.p_holm)]
                for other, d in row.against.items()
            },
        }
        for row in table.rows
    ]


def _rounded(value: Score | float | None) -> Any:
    if isinstance(value, Score):
        return [round(v, 4) for v in (value.mean, value.low, value.high)]
    return None if value is None else round(value, 4)


def goals(what: str, table: AdaptationTable, decoder: str) -> list[dict[str, Any]]:
    """Return the issue's three goals for one decoder."""
    rows = {(row.arm, row.feedback): row for row in table.rows if row.decoder == decoder}
    recentred, rewarded = rows["recenter", ""], rows["reward+recenter", "clean"]
    gained, more = recentred.against["frozen"].mean, rewarded.against["recenter"].mean
    said = f"{what}, {decoder}"

    def ours(row: ArmRow, other: str) -> str:
        d = row.against[other]
        return f"{100 * d.mean:+.1f} points ({100 * d.low:+.1f} to {100 * d.high:+.1f})"

    worst = max(row.harmed or 0.0 for row in (recentred, rewarded))
    return [
        goal(
            f"recentering above frozen, {said}",
            "+5 points",
            met=gained >= 0.05,
            ours=ours(recentred, "frozen"),
        ),
        goal(
            f"reward + recentering above recentering, {said}",
            "above 0",
            met=more > 0,
            ours=ours(rewarded, "recenter"),
        ),
        goal(
            f"people harmed by recentering, with and without reward, {said}",
            "under 5 %",
            met=worst < 0.05,
            ours=f"{100 * worst:.0f} %",
        ),
    ]


def main() -> None:
    """Measure."""
    given = arguments(
        (__doc__ or "").partition("\n")[0],
        data=data_folder(),
        seeds=20,
        flips=FLIPS,
        part="all",
        only="",
        guard=0,
    )
    began = time.perf_counter()
    n_people, a_class = (2, 6) if given.quick else (N_PEOPLE, A_CLASS)
    decoders = ["ts-lr"] if given.quick else ["csp-lda", "ts-lr"]
    network = [name for name in available_arms() if name.startswith(NETWORK)]
    entry = available_decoders().get(NETWORK)
    has_network = bool(network) and entry is not None and entry.factory is not None
    flips = [float(share) / 100 for share in given.flips.split(",")][: 1 if given.quick else None]
    arms = Arms(
        OWN, tuple(Feedback(share) for share in flips), given.seeds, guard=bool(given.guard)
    )
    found: dict[str, list[dict[str, Any]]] = {}
    reached: list[dict[str, Any]] = []

    def both(
        name: str, people: Sequence[Subject], own: Sequence[str], sessions: Any, n: int
    ) -> None:
        found[name] = []
        if given.only != NETWORK:
            table = run(name, people, own, arms, sessions, given.out, n)
            found[name] += figures(table)
            if name.startswith("simulated"):
                for decoder in own:
                    reached.extend(goals(f"{n_people} people, {name}", table, decoder))
        if has_network and not given.quick and given.only != "own":
            nets = replace(arms, names=("frozen", *network), feedback=arms.feedback[:1])
            beside = run(f"{name} {NETWORK}", people, [NETWORK], nets, sessions, given.out, n)
            found[name] += figures(beside)

    with tempfile.TemporaryDirectory() as folder:
        if given.part == "real":
            n_people = 0
        recorded = simulated_people(Path(folder), n_people, a_class)
        for n in (3, 4)[: 1 if given.quick else 2] if recorded else ():
            settings = EpochSettings(classes=CLASSES[:n])
            people = [subject(name, paths, settings) for name, paths in recorded]
            both(f"simulated, {n} classes", people, decoders, (), n)
    if not given.quick and given.part != "simulated":
        for name, people, sessions in real_people(given.data):
            both(name, people, [*decoders, "acm-svm"], sessions, 2)
    emit(
        "adaptation",
        seeds=given.seeds,
        rleegnet=has_network or "not installed: pip install rolandic[rleegnet]",
        results=found,
        goals=reached,
        seconds=round(time.perf_counter() - began, 1),
    )


if __name__ == "__main__":
    main()
