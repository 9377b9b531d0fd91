"""What every test may use, and which process runs it."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# A thread of algebra for each process: two processes of two share two cores badly.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import settings

# Processes that tests start unpickle the tests' own functions; what is installed goes before.
sys.path.append(str(Path(__file__).resolve().parents[1]))

# Who is started in a shell's background ignores Ctrl-C, and so do the commands it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Machines are shared: how long an example takes says nothing about the code.
settings.register_profile("rolandic", deadline=None, derandomize=True)
settings.load_profile("rolandic")


#: Tests in which real time passes mostly wait. Each of these shifts has a process of its own, in
#: which its tests follow each other; a fourth process computes, below them in priority. Together
#: they keep two cores busy, and hold up no recorder.
SHIFTS = {
    "streams": (
        "tests/acquisition/test_thread.py",
        "tests/daemon/",
        "tests/doctor/test_ports.py",
        "tests/online/test_adapt_live.py",
        "tests/online/test_adapt_reward.py",
        "tests/online/test_live.py",
        "tests/online/test_reconnection.py",
        "tests/preflight/",
        "tests/recording/test_recorder.py",
        "tests/recording/test_run.py",
        "tests/reliability/",
        "tests/sources/test_amplifier.py",
        "tests/sources/test_faults.py",
        "tests/sources/test_lsl",
        "tests/sources/test_outlet.py",
    ),
    "window": ("tests/app/", "tests/experiment/"),
    "commands": (
        "tests/certification/test_certify.py",
        "tests/cli/test_certify.py",
        "tests/cli/test_demo.py",
        "tests/cli/test_doctor.py",
        "tests/cli/test_listing.py",
        "tests/cli/test_preflight.py",
        "tests/cli/test_record.py",
    ),
}
#: Computed without a stream all the same.
OF_NO_SHIFT = (
    "tests/app/test_features_",
    "tests/app/test_train",
    "tests/app/test_report_step.py",
    "tests/reliability/test_cut.py",
    "tests/reliability/test_drift.py",
    "tests/reliability/test_fuzz_",
)


def shift_of(nodeid: str) -> str:
    """Return who runs a test: all of a shift, or of a file, go to one process."""
    file = nodeid.partition("::")[0]
    if not file.startswith(OF_NO_SHIFT):
        for shift, places in SHIFTS.items():
            if file.startswith(places):
                return shift
    return file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the shifts first: they take longest, and nothing makes them shorter."""
    order = {shift: k for k, shift in enumerate(SHIFTS)}
    items.sort(key=lambda item: order.get(shift_of(item.nodeid), len(order)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out shifts and files, in the order in which they were collected."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Shifts(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return shift_of(nodeid)

    config.option.loadscopereorder = False
    return Shifts(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let a process that computes make way for those that keep time; none goes back to that."""
    beside = "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "nice")
    if beside and shift_of(item.nodeid) not in SHIFTS and os.nice(0) == 0:
        os.nice(5)


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread or a process of its own running."""
    threads, processes = set(threading.enumerate()), set(multiprocessing.active_children())
    yield
    left: list[object] = [t for t in threading.enumerate() if t not in threads and _ours(t)]
    left += [p for p in multiprocessing.active_children() if p not in processes]
    assert not left, f"left running: {left}"


def _ours(thread: threading.Thread) -> bool:
    """Say whether a thread is one that Rolandic starts; libraries keep pools of theirs."""
    ours = ("acquisition", "decoder", "markers", "amplifier", "cue listener", "record", "remote")
    return thread.name.startswith(ours)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of shared recordings; the test skips where it is absent."""
    place = os.environ.get("ROLANDIC_TEST_DATA")
    folder = Path(place) if place else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        if os.environ.get("ROLANDIC_REQUIRE_DATA"):
            pytest.fail(f"shared recordings are not at {folder}, and this run must not skip them")
        pytest.skip(f"shared recordings are not at {folder} (set ROLANDIC_TEST_DATA)")
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the long form of slow tests."""
    parser.addoption("--soak", action="store_true", help="run slow tests in their long form")
    parser.addoption(
        "--load-seconds", type=float, help="how long the test under load lasts (20; soak: an hour)"
    )


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether slow tests are to run in their long form."""
    return bool(request.config.getoption("--soak"))
