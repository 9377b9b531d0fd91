"""What every test may use."""

import multiprocessing
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Machines are shared: how long an example takes says nothing about the code.
settings.register_profile("rolandic", deadline=None, derandomize=True)
settings.load_profile("rolandic")


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
