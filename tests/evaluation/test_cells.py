"""The grid of people, decoders and protocols: the same bits wherever it runs."""

import os
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bci.config import EpochSettings
from bci.errors import ChannelError, SettingsError, TrialError
from bci.evaluation import Protocol, Result, evaluate, learning_curve
from bci.evaluation.cells import Grid, Subject, WholeRuns, evaluate_cells
from bci.evaluation.cluster import Dask
from bci.evaluation.keys import digest_epochs
from bci.evaluation.processes import Processes
from bci.evaluation.pseudo_online import PseudoOnlineTask, evaluate_pseudo_online
from bci.evaluation.store import CellStore, claim_folder
from bci.signal.epochs import Epochs, cut_epochs
from bci.sources.reading import open_recording

DECODERS: dict[str, dict[str, Any]] = {"mdm": {}, "ts-lr": {"C": 0.5}}
PROTOCOLS = [Protocol(folds=3), Protocol(name="leave-one-run-out")]


def make_epochs(seed: int, n_trials: int = 24) -> Epochs:
    """Build windows of noise in three runs; class 1 is louder in the second channel."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_trials) % 2
    X = 1e-5 * rng.standard_normal((n_trials, 4, 100))
    X[y == 1, 1] *= 1.3
    return Epochs(
        X=X,
        y=y,
        trials=np.arange(n_trials),
        trial_y=y,
        trial_onsets_s=6.0 * np.arange(n_trials),
        trial_runs=np.arange(n_trials) * 3 // n_trials,
        classes=("left_hand", "right_hand"),
        channels=("C3", "Cz", "C4", "CP3"),
        recordings=("a.edf", "b.edf", "c.edf"),
        rate_hz=100.0,
        settings=EpochSettings.make(window_s=(0.0, 1.0)),
    )


def people(n: int = 2) -> list[Subject]:
    """Return people who read themselves."""
    return [Subject(f"S{k}", lambda k=k: (make_epochs(k), ())) for k in range(n)]  # type: ignore[misc]


def assert_equal(a: Grid, b: Grid) -> None:
    """Compare all that was computed, to the last bit."""
    assert len(a.rows) == len(b.rows)
    for x, y in zip(a.rows, b.rows, strict=True):
        assert x.subject == y.subject
        for one, other in zip(x.evaluated, y.evaluated, strict=True):
            assert isinstance(one, Result)
            assert isinstance(other, Result)
            assert one.as_dict() == other.as_dict()
            assert one.probabilities.tobytes() == other.probabilities.tobytes()


@pytest.fixture(scope="module")
def serial() -> Grid:
    """Two people, two decoders, two protocols, here."""
    return evaluate_cells(people(), DECODERS, PROTOCOLS, permutations=2)


def test_the_grid_is_evaluate_for_each_of_its_cells(serial: Grid) -> None:
    """Rows come by person, protocol and decoder, and hold what `evaluate` gives."""
    rows = iter(serial.rows)
    for seed in range(2):
        for protocol in PROTOCOLS:
            for decoder, params in DECODERS.items():
                row = next(rows)
                wanted = evaluate(make_epochs(seed), decoder, params, protocol, permutations=2)
                assert row.subject == f"S{seed}"
                assert isinstance(row.result, Result)
                assert row.result.as_dict() == wanted.as_dict()
                assert row.result.probabilities.tobytes() == wanted.probabilities.tobytes()
    assert next(rows, None) is None
    assert serial.failures == ()


def test_processes_give_the_same_bits(serial: Grid) -> None:
    """`--jobs 2` equals one process."""
    with closing(Processes(2)) as pool:
        assert_equal(
            serial, evaluate_cells(people(), DECODERS, PROTOCOLS, permutations=2, pool=pool)
        )


@contextmanager
def cluster(n_workers: int) -> Iterator[Any]:
    """Start a Dask cluster of processes with one thread each."""
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dask's own, of ports and of workers that died
        with distributed.LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=50,
        ) as running:
            yield running


def test_dask_gives_the_same_bits_though_a_worker_is_killed(serial: Grid) -> None:
    """A worker is killed with half of the cells done; what it held is done again elsewhere."""
    with cluster(2) as running:
        killed: list[int] = []

        def kill(done: int, total: int) -> None:
            if done >= total // 2 and not killed:
                killed.append(running.workers[0].pid)
                os.kill(killed[0], signal.SIGTERM if os.name == "nt" else signal.SIGKILL)

        with closing(Dask(running.scheduler_address)) as pool:
            grid = evaluate_cells(
                people(), DECODERS, PROTOCOLS, permutations=2, pool=pool, progress=kill
            )
        assert killed
    assert grid.failures == ()
    assert_equal(serial, grid)


def test_what_is_done_is_not_done_again(serial: Grid, tmp_path: Path) -> None:
    """A run that was broken off goes on: kept cells keep their files, results are the same."""
    store = CellStore(tmp_path)

    class BrokenOffError(Exception):
        """Stands for Ctrl-C."""

    def break_off(done: int, total: int) -> None:
        if done == 7:
            raise BrokenOffError

    with pytest.raises(BrokenOffError):
        evaluate_cells(
            people(), DECODERS, PROTOCOLS, permutations=2, store=store, progress=break_off
        )
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(kept) == 7
    again = evaluate_cells(people(), DECODERS, PROTOCOLS, permutations=2, store=store)
    assert_equal(serial, again)
    there = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert kept.items() <= there.items()
    assert len(there) == 2 * 2 * (3 + 3 + 2 * 2)


def test_a_key_is_of_all_that_a_result_depends_on(tmp_path: Path) -> None:
    """Other windows, parameters, seeds, folds and labels are other cells; the same are the same."""

    def kept_after(epochs: Epochs, params: dict[str, Any], protocol: Protocol) -> int:
        subject = Subject("S", lambda: (epochs, ()))
        evaluate_cells([subject], {"mdm": params}, [protocol], store=CellStore(tmp_path))
        return len(list(tmp_path.iterdir()))

    epochs = make_epochs(0)
    moved = epochs.X.copy()
    moved[-1, -1, -1] = np.nextafter(moved[-1, -1, -1], 1)
    assert kept_after(epochs, {}, Protocol(folds=3)) == 3
    assert kept_after(make_epochs(0), {}, Protocol(folds=3)) == 3
    assert kept_after(replace(epochs, X=moved), {}, Protocol(folds=3)) == 6
    assert kept_after(epochs, {"covariance": "lwf"}, Protocol(folds=3)) == 9
    assert kept_after(epochs, {}, Protocol(folds=3, seed=1)) == 12
    assert kept_after(epochs, {}, Protocol(folds=4)) == 16
    assert digest_epochs(epochs) == digest_epochs(make_epochs(0))


def test_repeats_differ_in_their_seed() -> None:
    """Each repeat is a cross-validation of its own; protocols that don't shuffle have one."""
    grid = evaluate_cells(people(1), {"mdm": {}}, PROTOCOLS, repeats=3)
    within, by_run = (row.evaluated for row in grid.rows)
    assert isinstance(within, tuple)
    assert isinstance(by_run, tuple)
    assert len(by_run) == 1
    for seed, result in enumerate(within):
        wanted = evaluate(make_epochs(0), "mdm", {}, Protocol(folds=3, seed=seed))
        assert result.probabilities.tobytes() == wanted.probabilities.tobytes()


def test_who_cannot_be_read_is_named_and_the_others_go_on() -> None:
    """One person lacks channels, one protocol does not fit one: two failures, the rest has rows."""

    def broken() -> tuple[Epochs, Sequence[Any]]:
        raise ChannelError("x.edf lacks C3: choose others")

    one_run = replace(make_epochs(0), trial_runs=np.zeros(24, np.int64))
    grid = evaluate_cells(
        [Subject("S1", broken), Subject("S2", lambda: (one_run, ())), *people(1)],
        {"mdm": {}},
        PROTOCOLS,
    )
    assert [(row.subject, row.result.protocol) for row in grid.rows] == [
        ("S2", "within, 3 folds"),
        ("S0", "within, 3 folds"),
        ("S0", "leave-one-run-out"),
    ]
    said = [str(failure) for failure in grid.failures]
    assert said[0] == "S1: x.edf lacks C3: choose others"
    assert said[1].startswith("S2, leave-one-run-out: ")
    assert all(failure.is_input for failure in grid.failures)


def test_what_is_wrong_with_the_only_person_is_raised() -> None:
    """There is nothing else to go on with: the reason comes before any work."""
    with pytest.raises(TrialError, match="--folds 20"):
        evaluate_cells(people(1), DECODERS, [Protocol(folds=20)])


def test_a_decoder_that_fails_leaves_the_others(serial: Grid) -> None:
    """A parameter out of range fails its cells alone, with its reason."""
    grid = evaluate_cells(people(), {"mdm": {}, "ts-lr": {"C": -1.0}}, PROTOCOLS)
    assert {row.result.decoder for row in grid.rows} == {"mdm"}
    assert len(grid.failures) == 2 * (3 + 3)
    assert "S0, ts-lr, within, 3 folds, fold 1 of 3: " in str(grid.failures[0])
    assert "C -1" in grid.failures[0].reason


def test_whole_runs_are_pseudo_online_for_each_of_its_cells(shared_data: Path) -> None:
    """Cells over runs of S001 give what `evaluate_pseudo_online` gives, through JSON and all."""
    settings = EpochSettings.make(
        event_map={"T1": "left_hand", "T2": "right_hand"},
        channels=("C3", "Cz", "C4"),
        length_s=2.0,
    )
    recordings = [open_recording(shared_data / "eegmmidb" / f"S001R{n}.edf") for n in ("04", "08")]
    subject = Subject("S001", lambda: (cut_epochs(recordings, settings), recordings))
    asked = WholeRuns(Protocol(name="leave-one-run-out"), recenter_s=120.0)
    grid = evaluate_cells([subject], {"mdm": {}}, [asked], permutations=2)
    task = PseudoOnlineTask.of(recordings, settings, asked.protocol, recenter_s=120.0)
    expected = evaluate_pseudo_online(task, "mdm", permutations=2)
    assert grid.rows[0].result.as_dict() == expected.as_dict()
    assert expected.n_permutations == 2


def test_a_rest_that_nobody_was_cued_to_is_one_line(shared_data: Path) -> None:
    """An idle class that is named must be there."""
    settings = EpochSettings.make(event_map={"T1": "left_hand", "T2": "right_hand"})
    recordings = [open_recording(shared_data / "eegmmidb" / f"S001R{n}.edf") for n in ("04", "08")]
    subject = Subject("S001", lambda: (cut_epochs(recordings, settings), recordings))
    asked = WholeRuns(Protocol(name="leave-one-run-out"), idle="still")
    with pytest.raises(TrialError, match=r"--idle 'still': .* left_hand, right_hand: give one"):
        evaluate_cells([subject], {"mdm": {}}, [asked])


def test_learning_curves_are_cells_too(tmp_path: Path) -> None:
    """They are those of `learning_curve`, in processes too, and kept repeats are not redone."""
    store = CellStore(tmp_path)
    asked = Protocol(folds=3, seed=2)
    with closing(Processes(2)) as pool:
        grid = evaluate_cells(people(), DECODERS, [asked], learning=asked, pool=pool, store=store)
    assert [(name, curve.decoder) for name, curve in grid.curves] == [
        (name, decoder) for name in ("S0", "S1") for decoder in DECODERS
    ]
    expected = learning_curve(make_epochs(0), "ts-lr", {"C": 0.5}, folds=3, seed=2)
    assert grid.curves[1][1].as_dict() == expected.as_dict()
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    again = evaluate_cells(people(), DECODERS, [asked], learning=asked, store=store)
    assert [c.as_dict() for _, c in again.curves] == [c.as_dict() for _, c in grid.curves]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")} == kept


def test_a_learning_curve_that_does_not_fit_leaves_the_scores() -> None:
    """Too few trials for its folds: a failure that says so, beside the rows of another protocol."""
    runs = Protocol(name="leave-one-run-out")
    grid = evaluate_cells(people(1), {"mdm": {}}, [runs], learning=Protocol(folds=20))
    assert len(grid.rows) == 1
    (failure,) = grid.failures
    assert str(failure).startswith("S0, learning curve: --folds 20: too few trials")


def test_a_folder_is_that_of_one_evaluation(tmp_path: Path) -> None:
    """The same goes on; another is refused by what differs; other files are never touched."""
    folder = tmp_path / "out"
    claim_folder(folder, {"decoders": ["mdm"], "seed": 0})
    claim_folder(folder, {"seed": 0, "decoders": ("mdm",)})
    with pytest.raises(SettingsError, match=r"holds another evaluation \(its decoders differ\)"):
        claim_folder(folder, {"decoders": ["ts-lr"], "seed": 0})
    claim_folder(folder, {"decoders": ["ts-lr"], "seed": 0}, overwrite=True)
    (folder / "evaluation.json").write_text("{")
    with pytest.raises(SettingsError, match="is damaged"):
        claim_folder(folder, {"decoders": ["ts-lr"], "seed": 0})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    with pytest.raises(SettingsError, match="holds other things"):
        claim_folder(tmp_path / "mine", {}, overwrite=True)
    with pytest.raises(SettingsError, match="is a file"):
        claim_folder(tmp_path / "mine" / "thesis.txt", {})
