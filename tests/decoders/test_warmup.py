"""Compiling ahead."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bci.decoders import warmup

# In processes of their own, with an empty cache: what is compiled shows as files.
_COMPILE = """
import json, time
from bci.decoders.warmup import compile_kernels, is_compiled
before, steps, began = is_compiled(), [], time.perf_counter()
compile_kernels(lambda done, total: steps.append((done, total)))
print(json.dumps([before, is_compiled(), steps, time.perf_counter() - began]))
"""
_DECODE = """
import numpy as np
from bci.acquisition import StreamClock
from bci.decoders import available_decoders, make_decoder
from bci.decoders.warmup import is_compiled
assert is_compiled()
rng = np.random.default_rng(0)
X = rng.standard_normal((24, 3, 120)) * (1 + np.arange(24) % 2)[:, None, None]
for name in (name for name, entry in available_decoders().items() if entry.factory is not None):
    make_decoder(name).fit(X, np.arange(24) % 2).predict_proba(X[:1])
stamps = np.arange(64) / 100.0
StreamClock(100.0).update(stamps, np.empty(64), np.empty(64, dtype=np.int64))
"""


def run(code: str, cache: Path) -> str:
    """Run Python with a Numba cache of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def compiled(cache: Path) -> set[str]:
    """Return the names of what is kept."""
    return {path.name for path in cache.rglob("*.nbc")}


def test_the_warm_up_compiles_all_that_decoding_needs(tmp_path):
    """It reports its progress and leaves a mark; after it, no decoder compiles anything more."""
    before, after, steps, _ = json.loads(run(_COMPILE, tmp_path))
    assert (before, after) == (False, True)
    total = steps[0][1]
    assert steps == [[done, total] for done in range(total + 1)]
    kept = compiled(tmp_path)
    run(_DECODE, tmp_path)
    assert compiled(tmp_path) == kept


@pytest.fixture
def mark(tmp_path, monkeypatch):
    """Return a mark in a folder of the test's own."""
    path = tmp_path / "mark.txt"
    monkeypatch.setattr(warmup, "_mark", lambda: path)
    monkeypatch.setattr(warmup, "_STEPS", ())
    return path


def test_other_sources_or_another_processor_mean_compiling_again(mark, monkeypatch):
    """The mark holds for one Numba, one processor and these sources."""
    assert not warmup.is_compiled()
    warmup.compile_kernels()
    assert warmup.is_compiled()
    for name, value in (("get_host_cpu_name", lambda: "another"),):
        with monkeypatch.context() as patch:
            patch.setattr(warmup.llvm, name, value)
            assert not warmup.is_compiled()
    with monkeypatch.context() as patch:
        patch.setattr(warmup.numba, "__version__", "0.1")
        assert not warmup.is_compiled()
    mark.write_text("damaged")
    assert not warmup.is_compiled()


def test_a_mark_that_cannot_be_written_is_no_failure(mark):
    """The kernels are compiled all the same."""
    mark.mkdir()
    warmup.compile_kernels()
    assert not warmup.is_compiled()


def test_nothing_is_marked_where_nothing_is_kept(monkeypatch):
    """Without a cache every process compiles, and knows it."""
    monkeypatch.setattr(warmup, "cache_folders", lambda: None)
    monkeypatch.setattr(warmup, "_STEPS", ())
    warmup.compile_kernels()
    assert not warmup.is_compiled()
