"""Decoders by name and through entry points."""

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from bci.decoders import available_decoders, make_decoder, registry
from bci.errors import SettingsError

OURS = {"acm-lr", "acm-svm", "csp-lda", "fgmdm", "mdm", "ts-lr", "ts-svm"}
OURS |= {"psd-lda", "psd-lr", "fc-lda", "psd+fc-lda", "combined"}


@pytest.fixture
def with_plugins(monkeypatch):
    """Put entry points beside our own."""

    def put(*named):
        points = [EntryPoint(name, value, registry.GROUP) for name, value in named]
        ours = EntryPoint("ts-lr", "bci.decoders.classic:ts_lr", registry.GROUP)
        monkeypatch.setattr(registry, "entry_points", lambda group: EntryPoints([*points, ours]))
        available_decoders.cache_clear()

    yield put
    monkeypatch.undo()
    available_decoders.cache_clear()


def test_our_decoders_are_installed():
    """All are found by name, loaded, and say in a line what they are."""
    entries = available_decoders()
    assert set(entries) >= OURS
    for name in OURS:
        assert entries[name].factory is not None
        assert entries[name].summary.endswith(".")
        assert entries[name].origin == "rolandic"


def test_a_plugin_that_fails_is_kept_with_its_reason(with_plugins):
    """Missing modules and things that are no callables: shown, named when asked for."""
    with_plugins(("broken", "no_such_module_anywhere:make"), ("number", "bci.riemann:RIDGE"))
    entries = available_decoders()
    assert list(entries) == ["broken", "number", "ts-lr"]
    assert "no_such_module_anywhere" in entries["broken"].reason
    assert entries["broken"].summary == entries["broken"].reason
    assert "not callable" in entries["number"].reason
    assert make_decoder("ts-lr").classifier == "lr"
    with pytest.raises(SettingsError, match="'broken' could not be loaded: ModuleNotFoundError"):
        make_decoder("broken")


def test_a_plugin_cannot_take_the_name_of_ours(with_plugins):
    """Of two entries of one name, Rolandic's own stands."""
    with_plugins(("ts-lr", "aaa_plugin:make"))
    assert make_decoder("ts-lr").classifier == "lr"


def test_what_is_installed_is_read_once(with_plugins, monkeypatch):
    """Making decoders does not look again, and nobody can change the answer for others."""
    with_plugins()
    assert list(available_decoders()) == ["ts-lr"]
    monkeypatch.setattr(registry, "entry_points", lambda group: pytest.fail("read again"))
    assert make_decoder("ts-lr").classifier == "lr"
    with pytest.raises(TypeError):
        del available_decoders()["ts-lr"]


def test_an_unknown_name_lists_the_known():
    """The message names what was asked and what there is."""
    with pytest.raises(SettingsError, match=r"'svm' is unknown: choose one of acm-fgmdm, acm-lr"):
        make_decoder("svm")


def test_an_unknown_parameter_lists_the_known():
    """The message names the decoder, the parameter and those there are."""
    with pytest.raises(SettingsError, match=r"'ts-lr': .*'depth'.* parameters are covariance, C"):
        make_decoder("ts-lr", depth=3)


def test_parameters_reach_the_decoder():
    """make_decoder passes them on."""
    assert make_decoder("acm-svm", order=4, lag=6, C=0.5).get_params()["order"] == 4
