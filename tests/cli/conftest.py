"""The real command line, and small recordings to give it."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from bci.cli import main


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """Lines of stderr that are no warnings."""
        return [line for line in self.err.splitlines() if not line.startswith("warning: ")]

    @property
    def warnings(self) -> list[str]:
        """Warnings on stderr."""
        return [line for line in self.err.splitlines() if line.startswith("warning: ")]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of commands: their logs go astray."""
    state = tmp_path_factory.mktemp("state")
    return {**os.environ, "XDG_STATE_HOME": str(state), "PYTHONIOENCODING": "utf-8"}


@pytest.fixture(scope="session")
def bci(environment: dict[str, str]) -> Callable[..., Outcome]:
    """``bci(*arguments)``: run the command line in a process of its own."""

    def run(*arguments: object) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "bci", *map(str, arguments)],
            capture_output=True,
            encoding="utf-8",
            env=environment,
            timeout=300,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


# One command after the other as the command line runs them, each with descriptors of its own.
_ALL = """
import json, os, sys
from bci.cli import main
for arguments, *streams in json.load(sys.stdin):
    for descriptor, path in zip((1, 2), streams):
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, descriptor)
        os.close(file)
    sys.argv = ["bci", *arguments]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    with open(streams[0] + ".code", "w") as file:
        file.write(str(code))
"""


@pytest.fixture(scope="session")
def bci_all(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[list[list[str]]], list[Outcome]]:
    """``bci_all([arguments, ...])``: run commands one after the other in one process.

    A process for each would spend most of its time importing.
    """

    def run(commands: list[list[str]]) -> list[Outcome]:
        folder = tmp_path_factory.mktemp("said")
        places = [(folder / f"{k}.out", folder / f"{k}.err") for k in range(len(commands))]
        subprocess.run(
            [sys.executable, "-c", _ALL],
            input=json.dumps(
                [(c, str(out), str(err)) for c, (out, err) in zip(commands, places, strict=True)]
            ),
            encoding="utf-8",
            env=environment,
            timeout=300,
            check=True,
        )
        return [
            Outcome(
                int(Path(f"{out}.code").read_text()), out.read_text("utf-8"), err.read_text("utf-8")
            )
            for out, err in places
        ]

    return run


@pytest.fixture
def bci_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path_factory: Any
) -> Iterator[Callable[..., Outcome]]:
    """``bci_here(*arguments)``: run the command line in this process."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    logger = logging.getLogger("bci")
    before = list(logger.handlers), logger.level, logger.propagate

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["bci", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main()
        said = capsys.readouterr()
        return Outcome(exit_.value.code or 0, said.out, said.err)

    yield run
    for handler in set(logger.handlers) - set(before[0]):
        logger.removeHandler(handler)
        handler.close()
    logger.level, logger.propagate = before[1:]


@pytest.fixture(scope="session")
def write_fif() -> Callable[..., Path]:
    """``write_fif(path, ...)``: a recording of alternating cues T1 and T2, with rest T0 between."""

    def write(
        path: Path,
        *,
        labels: tuple[str, ...] = ("FC3", "FC4", "C3", "Cz", "C4", "CP3"),
        rate_hz: float = 100.0,
        n_trials: int = 16,
        effect: float = 1.0,
        change: Callable[[np.ndarray], None] | None = None,
        seed: int = 0,
    ) -> Path:
        """Class T2 is louder at C3 by `effect`; `change` edits the samples (channels first)."""
        rng = np.random.default_rng(seed)
        n = round((n_trials * 5.0 + 1.0) * rate_hz)
        samples = 1e-5 * rng.standard_normal((len(labels), n))
        onsets = 1.0 + 5.0 * np.arange(n_trials)
        for trial, onset in enumerate(onsets):
            if trial % 2:
                first = round(onset * rate_hz)
                samples[labels.index("C3"), first : first + round(4 * rate_hz)] *= 1 + effect
        if change:
            change(samples)
        info = mne.create_info(list(labels), rate_hz, "eeg")
        raw = mne.io.RawArray(samples, info, verbose="error")
        raw.set_annotations(
            mne.Annotations(
                np.concatenate([onsets, onsets + 4.0]),
                [4.0] * n_trials + [1.0] * n_trials,
                ["T1", "T2"] * (n_trials // 2) + ["T0"] * n_trials,
            )
        )
        raw.save(path, fmt="double", verbose="error")
        return path

    return write
