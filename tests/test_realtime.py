"""An interpreter that decides in real time, within a program that does so already."""

import gc
import sys

import pytest

from bci.lazy import names_of
from bci.realtime import realtime_interpreter


def test_what_was_put_aside_stays_until_the_last_leaves() -> None:
    """A run that ends within a window takes nothing back that the window still needs."""
    interval_s = sys.getswitchinterval()
    with realtime_interpreter(collect=False):
        aside = gc.get_freeze_count()
        assert aside > 1000
        with realtime_interpreter():
            assert sys.getswitchinterval() < interval_s
        assert gc.get_freeze_count() >= aside
        assert sys.getswitchinterval() < interval_s
    assert gc.get_freeze_count() == 0
    assert sys.getswitchinterval() == pytest.approx(interval_s)


def test_only_the_first_who_enters_collects(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full collection in mid-session would stop every thread."""
    collected: list[int] = []
    monkeypatch.setattr(gc, "collect", lambda: collected.append(1))
    with realtime_interpreter(collect=False), realtime_interpreter():
        pass
    assert collected == []
    with realtime_interpreter(), realtime_interpreter():
        pass
    assert collected == [1]


def test_lazy_package_tells_a_name_that_it_has_not() -> None:
    """As any module does."""
    with pytest.raises(AttributeError, match="has no attribute 'filter_it'"):
        names_of("bci.signal", {})("filter_it")


@pytest.mark.parametrize("name", ["experiment", "features", "paradigm", "report", "signal"])
def test_public_names_of_lazy_packages_are_there(name: str) -> None:
    """Each is found, and none is hidden by a module of the same name."""
    package = __import__(f"bci.{name}", fromlist=["x"])
    for public in package.__all__:
        found = getattr(package, public)
        assert not isinstance(found, type(sys)), public
