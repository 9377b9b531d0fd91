"""Cells: where they run changes nothing, what fails stays by itself, what is done stays done."""

import json
import math
import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bci.errors import SettingsError
from bci.evaluation.cluster import Dask
from bci.evaluation.jobs import Batch, Cell, Failure, Pool, Serial, run_cells
from bci.evaluation.processes import Processes
from bci.evaluation.store import CellStore

# What a process runs must be importable there: these are the standard library's and NumPy's.
NUMBERS = Batch(1_000_003, tuple(Cell(f"k{n}", f"by {n}", divmod, (n,)) for n in range(1, 8)))
VALUES = np.random.default_rng(0).standard_normal(4000)
ARRAY = Batch(VALUES, (Cell("values", "values", np.ndarray.tolist),))
BROKEN = Batch(1, (Cell("zero", "by zero", divmod, (0,)),))


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    """Two processes."""
    with closing(Processes(2)) as pool:
        yield pool


def test_processes_give_what_this_process_gives(processes: Processes) -> None:
    """Results are equal to the last bit, and data reaches the processes as it is."""
    here = run_cells([NUMBERS, ARRAY], Serial())
    there = run_cells([NUMBERS, ARRAY], processes)
    assert there == here
    assert here["k3"] == [333334, 1]
    assert np.array_equal(np.array(there["values"]), VALUES)


@pytest.mark.parametrize("where", ["here", "processes"])
def test_a_cell_that_fails_is_named_and_the_others_go_on(where: str, processes: Processes) -> None:
    """The failure says which cell and why; nothing is raised."""
    pool: Pool = Serial() if where == "here" else processes
    outcomes = run_cells([BROKEN, NUMBERS], pool)
    failure = outcomes.pop("zero")
    assert isinstance(failure, Failure)
    assert str(failure).startswith("by zero: ZeroDivisionError: ")
    assert not failure.is_input
    assert not any(isinstance(outcome, Failure) for outcome in outcomes.values())
    assert len(outcomes) == 7


def test_a_cell_that_kills_its_process_fails_alone() -> None:
    """What ran beside it is run again; the cell itself is found out and given up."""
    deadly = Batch(3, (Cell("deadly", "deadly", os._exit),))
    with closing(Processes(1)) as pool:
        outcomes = run_cells([deadly, NUMBERS, ARRAY], pool)
    failure = outcomes.pop("deadly")
    assert isinstance(failure, Failure)
    assert "its process died" in failure.reason
    assert outcomes == run_cells([NUMBERS, ARRAY], Serial())


def test_a_finished_cell_is_not_run_again(tmp_path: Path) -> None:
    """The store's result is taken; the cell would fail if it ran."""
    store = CellStore(tmp_path / "cells")
    store.save("zero", "by zero", {"found": 0.1})
    assert run_cells([BROKEN], Serial(), store=store) == {"zero": {"found": 0.1}}


def test_a_damaged_cell_is_run_again(tmp_path: Path) -> None:
    """Half a file, another key and another kind of document all count as nothing."""
    store = CellStore(tmp_path)
    whole = json.dumps({"key": "k", "result": {"x": 1}})
    path = tmp_path / "k.json"
    for text in (whole[:-4], whole.replace('"k"', '"other"'), "[]", '{"key": "k"}', ""):
        path.write_text(text)
        assert store.load("k") is None
    path.write_text(whole)
    assert store.load("k") == {"x": 1}


def test_cells_are_kept_privately_and_whole(tmp_path: Path) -> None:
    """One file a cell in a folder that is made for this user, nothing beside it; floats exact."""
    store = CellStore(tmp_path / "a" / "cells")
    value = {"p": [0.1 + 0.2, 5e-324, math.pi]}
    store.save("k", "cell", value)
    assert store.load("k") == value
    assert [path.name for path in (tmp_path / "a" / "cells").iterdir()] == ["k.json"]
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "a" / "cells").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "a" / "cells" / "k.json").stat().st_mode) == 0o600


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where the folder should be is said in one line."""
    (tmp_path / "cells").write_text("mine")
    with pytest.raises(SettingsError, match=r"cells.*cannot be written.*--out"):
        CellStore(tmp_path / "cells").save("k", "cell", {})


def test_progress_counts_cells_and_ends_at_all(tmp_path: Path) -> None:
    """Kept cells count as done from the start; what is done never falls."""
    store = CellStore(tmp_path)
    store.save("k2", "by 2", {})
    seen: list[tuple[int, int]] = []
    run_cells(
        [NUMBERS],
        Serial(),
        store=store,
        total=lambda: 7,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (7, 7)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert {total for _, total in seen} == {7}


def test_data_is_deleted_when_its_cells_are_done(processes: Processes) -> None:
    """What processes read is gone before the next data is needed, not only at the end."""
    placed: list[Any] = []

    def batches() -> Iterator[Batch]:
        for n in range(4):
            yield Batch(n, (Cell(f"b{n}", "b", divmod, (3,)),))

    place = processes.place
    processes.place = lambda data: placed.append(place(data)) or placed[-1]  # type: ignore[method-assign, func-returns-value]
    try:
        run_cells(batches(), processes)
    finally:
        del processes.place
    assert len(placed) == 4
    assert not any(path.exists() for path in placed)


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "here", "tcp://127.0.0.1"], ids=["closed", "no URL", "no port"]
)
def test_a_scheduler_that_is_not_there_is_named_at_once(address: str) -> None:
    """The line has the address and says how to start one."""
    with pytest.raises(SettingsError, match=f"--scheduler {address}: no Dask scheduler.*start one"):
        Dask(address)


def test_without_dask_the_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(SettingsError, match=r"rolandic\[distributed\]"):
        Dask("tcp://127.0.0.1:1")
