"""Every benchmark, each in a process of its own: ``python -m tests.benchmarks [NAMES...]``.

BLAS runs on one thread. What they print goes to ``results.jsonl`` in the folder of ``--out``, what
they plot beside it, and the table of goals to ``summary.md``; ``--readme`` puts that table into the
README, between the lines ``<!-- benchmarks -->`` and ``<!-- /benchmarks -->``. ``--quick`` only
shows that each runs: what it prints meets or misses no goal, and makes no table. Progress is on
stderr. A benchmark that fails is named, the others go on, and the exit code is 1.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.table import markdown, rows

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
_NO_BENCHMARKS = {"__main__", "measure", "table"}
BEGIN, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"
_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def names() -> list[str]:
    """Return the benchmarks that there are."""
    return sorted(p.stem for p in HERE.glob("*.py") if p.stem not in _NO_BENCHMARKS)


def run(name: str, out: Path, *, quick: bool) -> dict[str, Any]:
    """Run one benchmark and return what it printed, and how long it took.

    Raises
    ------
    RuntimeError
        When it fails or prints no JSON line.
    """
    began = time.perf_counter()
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", "--out", str(out)]
    done = subprocess.run(
        [*command, "--quick"] if quick else command,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        cwd=ROOT,
        env=os.environ | dict.fromkeys(_THREADS, "1"),
        check=False,
    )
    took_s = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"ended with {done.returncode}")
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if len(lines) != 1:
        raise RuntimeError(f"printed {len(lines)} JSON lines instead of one")
    return {"benchmark": name, **json.loads(lines[0]), "seconds": round(took_s, 1)}


def update_readme(table: str, readme: Path) -> None:
    """Put the table between its two marks; under a heading of its own where there are none yet."""
    text = readme.read_text(encoding="utf-8")
    if BEGIN not in text:
        before, heading, after = text.partition("## Develop\n")
        text = f"{before}## How fast\n\n{BEGIN}\n{END}\n\n{heading}{after}"
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    readme.write_text(f"{head}{BEGIN}\n{table}{END}{tail}", encoding="utf-8")


def main() -> None:
    """Run what is named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names())}")
    parser.add_argument("--out", type=Path, default=Path("benchmarks"), help="folder for results")
    parser.add_argument("--quick", action="store_true", help="each in its smaller form")
    parser.add_argument("--readme", action="store_true", help="put the table into the README")
    given = parser.parse_args()
    if unknown := set(given.names) - set(names()):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join(names())}")
    if given.quick and given.readme:
        parser.error("--quick measures nothing that belongs into the README")
    out = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    wanted = given.names or names()
    results, broken = [], []
    began = time.perf_counter()
    for number, name in enumerate(wanted, start=1):
        sys.stderr.write(f"[{number}/{len(wanted)}] {name} ...\n")
        try:
            results.append(run(name, out, quick=given.quick))
        except (RuntimeError, ValueError) as error:
            broken.append(name)
            sys.stderr.write(f"[{number}/{len(wanted)}] {name} FAILED: {error}\n")
        else:
            sys.stderr.write(f"[{number}/{len(wanted)}] {name} {results[-1]['seconds']} s\n")
    lines = "".join(json.dumps(result) + "\n" for result in results)
    (out / "results.jsonl").write_text(lines, encoding="utf-8")
    table = "" if given.quick else markdown([row for result in results for row in rows(result)])
    if table:
        (out / "summary.md").write_text(table, encoding="utf-8")
    if given.readme:
        update_readme(table, ROOT / "README.md")
    sys.stderr.write(f"{table}in {time.perf_counter() - began:.0f} s, results in {out}\n")
    raise SystemExit(1 if broken else 0)


if __name__ == "__main__":
    main()
