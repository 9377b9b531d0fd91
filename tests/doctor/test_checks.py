"""What each check of the machine says when something is amiss."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest

from bci.doctor import CHECKS, examine, lsl, machine, packages, window


def test_every_check_that_is_not_ok_says_what_to_do():
    """Run here, each check gives its own name, a detail, and advice unless it is content."""
    checks = list(examine())
    assert [check.name for check in checks] == list(CHECKS)
    for check in checks:
        assert check.detail
        assert bool(check.advice) == (check.status != "ok")


def test_a_check_that_breaks_down_counts_as_failed_and_the_others_go_on(monkeypatch):
    """An error inside one check becomes its result."""

    def breaks(name):
        raise ZeroDivisionError("of its own")

    monkeypatch.setitem(CHECKS, "memory", breaks)
    by_name = {check.name: check for check in examine()}
    assert by_name["memory"].status == "failed"
    assert "ZeroDivisionError: of its own" in by_name["memory"].detail
    assert by_name["threads"].status in ("ok", "warning")


def test_packages_that_are_missing_or_too_old_are_named_with_the_mend(monkeypatch):
    """One line names each and the command that installs them; extras are not asked for."""
    found = {"numba": "0.50.0", "numpy": "2.4.0"}

    def version(name):
        if name not in found:
            raise PackageNotFoundError(name)
        return found[name]

    wanted = ["numpy>=2.0", "numba>=0.61,!=0.62.1", "pylsl>=1.18", "moabb; extra == 'test'"]
    monkeypatch.setattr(packages, "requires", lambda _: wanted)
    monkeypatch.setattr(packages, "version", version)
    check = packages.packages("packages")
    assert check.status == "failed"
    assert "numba 0.50.0, but" in check.detail
    assert "pylsl is missing" in check.detail
    assert "numpy" not in check.detail + check.advice
    assert "moabb" not in check.detail + check.advice
    assert "'pylsl>=1.18'" in check.advice


def test_a_python_that_is_too_old_fails(monkeypatch):
    """The version is compared with what the package's metadata asks for."""
    monkeypatch.setattr(packages.platform, "python_version", lambda: "3.9.1")
    check = packages.python("Python")
    assert (check.status, check.advice) == ("failed", "install Python >=3.11")


def test_a_folder_that_cannot_be_written_is_named_with_the_reason(monkeypatch, tmp_path):
    """A file stands where the log folder should."""
    taken = tmp_path / "taken"
    taken.write_text("a file")
    monkeypatch.setattr(machine.platformdirs, "user_log_dir", lambda *_, **__: str(taken))
    monkeypatch.chdir(tmp_path)
    check = machine.folders("folders")
    assert check.status == "failed"
    assert f"logs ({taken})" in check.detail
    assert str(tmp_path) + ")" not in check.detail


@pytest.mark.parametrize(("free_gb", "status"), [(0.1, "failed"), (1.5, "warning"), (50.0, "ok")])
def test_little_room_on_the_disk_warns_and_none_fails(monkeypatch, free_gb, status):
    """The bounds are two hours of recording, and next to nothing."""
    usage = SimpleNamespace(free=free_gb * 1e9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert machine.disk("disk").status == status


@pytest.mark.parametrize(("free", "status"), [(0.4e9, "warning"), (6e9, "ok"), (None, "ok")])
def test_little_memory_warns(monkeypatch, free, status):
    """Where the system does not say, there is nothing to warn of."""
    monkeypatch.setattr(machine, "_memory", lambda: (free, 8e9))
    assert machine.memory("memory").status == status


def test_blas_that_keeps_its_threads_warns(monkeypatch):
    """A library that threadpoolctl cannot limit slows each decision down."""
    stubborn = {"user_api": "blas", "internal_api": "own", "version": "1", "num_threads": 8}
    monkeypatch.setattr(machine, "threadpool_info", lambda: [stubborn])
    check = machine.threads("threads")
    assert check.status == "warning"
    assert "OPENBLAS_NUM_THREADS=1" in check.advice


def test_a_clock_that_runs_away_fails(monkeypatch):
    """LSL's clock and the system's must agree over half a second."""
    ticks = iter([0.0, 0.51])
    monkeypatch.setattr("bci.sources.clock.lsl_clock", lambda: next(ticks) * 1.1)
    assert machine.clock("clock").status == "failed"


def test_late_waking_warns(monkeypatch):
    """A system that wakes a thread late makes decisions late."""
    now = [0.0]

    def sleep(duration_s):
        now[0] += duration_s + 0.02

    monkeypatch.setattr(machine.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(machine.time, "sleep", sleep)
    check = machine.sleep("sleep")
    assert check.status == "warning"
    assert "20.0 ms" in check.detail


def test_the_lsl_settings_in_use_are_named(monkeypatch, tmp_path):
    """A configuration of the user's stands, and one that is named but absent fails."""
    config = tmp_path / "mine.cfg"
    monkeypatch.setenv("LSLAPICFG", str(config))
    assert lsl.settings("LSL settings").status == "failed"
    config.write_text("[multicast]\nResolveScope = site\n")
    check = lsl.settings("LSL settings")
    assert check.status == "ok"
    assert str(config) in check.detail


def test_samples_that_cannot_be_received_fail(monkeypatch):
    """Where a stream is found but nothing comes through, the firewall is named."""
    monkeypatch.setattr("bci.sources.inlets.NumericPull.__call__", lambda *_: 0)
    check = lsl.round_trip("LSL stream")
    assert check.status == "failed"
    assert "firewall" in check.advice


def _fake_qt(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The runner's Qt plugin has loaded the true one: out of sight, so that an import would show.
    for name in [name for name in sys.modules if name.partition(".")[0] == "PySide6"]:
        monkeypatch.delitem(sys.modules, name)
    package = folder / "PySide6"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "QtGui.py").write_text(body)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    )


def test_qt_is_tried_in_a_process_of_its_own(monkeypatch, tmp_path):
    """The platform comes from the child; nothing of Qt is imported here."""
    body = (
        "class QGuiApplication:\n"
        "    def __init__(self, arguments): ...\n"
        "    platformName = staticmethod(lambda: {!r})\n"
    )
    _fake_qt(tmp_path, body.format("xcb"), monkeypatch)
    monkeypatch.setattr(window, "version", lambda _: "6.11.3")
    assert window.window("window").detail == "PySide6 6.11.3 on xcb"
    (tmp_path / "PySide6" / "QtGui.py").write_text(body.format("offscreen"))
    assert window.window("window").status == "warning"
    assert "PySide6" not in sys.modules


def test_a_qt_that_aborts_and_one_known_to_be_broken_fail(monkeypatch, tmp_path):
    """What Qt said last is told; version 6.12.0 is not even tried."""
    _fake_qt(
        tmp_path, "import os, sys\nsys.stderr.write('no xcb-cursor0'); os._exit(6)\n", monkeypatch
    )
    monkeypatch.setattr(window, "version", lambda _: "6.11.3")
    check = window.window("window")
    assert check.status == "failed"
    assert "no xcb-cursor0" in check.detail
    monkeypatch.setattr(window, "version", lambda _: "6.12.0")
    assert "aborts windows" in window.window("window").detail


def test_kernels_that_cannot_be_kept_are_a_warning_not_a_crash(tmp_path):
    """Without a folder for Numba's cache the package works, and the doctor says what to do."""
    (tmp_path / "file").write_text("")
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(tmp_path / "file" / "cache"),
        "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator",
    }
    code = (
        "from bci.doctor import machine; machine.compile_kernels = lambda: None\n"
        "c = machine.kernels('k'); print(c.status, c.advice)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        check=False,
    )
    assert done.stdout.startswith("warning set NUMBA_CACHE_DIR"), done.stderr
