"""The benchmarks' runner and its table; each benchmark itself is run by hand."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "benchmarks"
NAMES = sorted(p.stem for p in FOLDER.glob("*.py") if not p.stem.startswith("_"))


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``load(name)``: a module of the benchmarks, imported as it is when it runs."""
    monkeypatch.syspath_prepend(FOLDER.parents[1])
    return lambda name: importlib.import_module(f"tests.benchmarks.{name}")


def test_the_runner_finds_every_benchmark_and_each_can_be_run(load):
    """Each says in its first line what it measures, and has a `main`."""
    found = load("__main__").names()
    assert {"cold_start", "population", "scale"} <= set(found) <= set(NAMES)
    for name in found:
        module = load(name)
        assert callable(module.main)
        assert (module.__doc__ or "").strip()


def test_a_benchmark_that_fails_is_reported(load, monkeypatch, tmp_path):
    """The runner says how it ended, and refuses output that is no single JSON line."""
    runner = load("__main__")
    for code, out, complaint in (
        (3, "", "ended with 3"),
        (0, "no JSON\n", "printed 0 JSON lines"),
        (0, "{}\n{}\n", "printed 2 JSON lines"),
    ):
        done = SimpleNamespace(returncode=code, stdout=out)
        with monkeypatch.context() as patch:
            patch.setattr(runner.subprocess, "run", lambda *_, done=done, **__: done)
            with pytest.raises(RuntimeError, match=complaint):
                runner.run("scale", tmp_path, quick=True)


def test_the_runner_gives_one_blas_thread_and_collects_lines_and_table(
    load, monkeypatch, tmp_path, capsys
):
    """`results.jsonl` and `summary.md` hold what succeeded; one failure makes the exit code 1."""
    runner, table = load("__main__"), load("table")
    ratio = {"ours_ms": 0.4567, "peer_ms": 4321.0, "ratio": 9.5, "ratio_low": 8.0, "ratio_high": 11}
    goals = [table.goal("one decision", "4 x", ratio=ratio, met=True)]

    def run(command: list[str], **options: Any) -> Any:
        assert options["env"]["OPENBLAS_NUM_THREADS"] == "1"
        if command[2].endswith("population"):
            return SimpleNamespace(returncode=1, stdout="")
        line = runner.json.dumps({"benchmark": "scale", "goals": goals})
        return SimpleNamespace(returncode=0, stdout=f"{line}\n")

    monkeypatch.setattr(runner.subprocess, "run", run)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "scale", "population", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as exit_:
        runner.main()
    assert exit_.value.code == 1
    assert "population FAILED: ended with 1" in capsys.readouterr().err
    (line,) = (tmp_path / "results.jsonl").read_text().splitlines()
    assert runner.json.loads(line)["benchmark"] == "scale"
    assert (tmp_path / "summary.md").read_text().splitlines()[2] == (
        "| `scale`: one decision | 4 x | 0.457 ms | 4.32 s | 9.5 (8 to 11) | met |"
    )


def test_the_readme_holds_the_newest_table_between_its_marks(load, tmp_path):
    """Without marks they come under a heading of their own; again replaces what is between."""
    runner = load("__main__")
    readme = tmp_path / "README.md"
    readme.write_text("# Rolandic\n\n## Develop\n\nas before\n", encoding="utf-8")
    runner.update_readme("| old |\n", readme)
    runner.update_readme("| new |\n", readme)
    assert readme.read_text(encoding="utf-8") == (
        "# Rolandic\n\n## How fast\n\n<!-- benchmarks -->\n| new |\n<!-- /benchmarks -->\n\n"
        "## Develop\n\nas before\n"
    )
