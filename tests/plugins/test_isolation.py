"""Plugins that are absent, or raise: one line, and the others go on."""

import json
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints

import numpy as np
import pytest

from bci.config import EpochSettings
from bci.decoders import Decoder, Model, available_decoders, load_model, registry
from bci.decoders import adapt as adapt_module
from bci.decoders.adapt import available_arms, make_adapter
from bci.decoders.mdm import MDMDecoder
from bci.doctor import plugins
from bci.errors import ModelError, SettingsError, TrialError
from bci.evaluation.crossval import evaluate
from bci.evaluation.recalibration import recalibrate_model
from bci.evaluation.training import train_model
from bci.events import Marker
from bci.signal.epochs import cut_epochs
from bci.sources.simulate import simulate_run
from bci.testing import made_model, made_trials


class Breaks(Decoder):
    """A decoder that raises where it is told to."""

    def __init__(self, where="nowhere"):
        if where == "made":
            raise RuntimeError("no licence\nfound")
        self.where = where

    def _fit(self, X, target, trials):
        if self.where == "fit":
            raise MemoryError
        self.means_ = np.array([X[target == k].var() for k in range(target.max() + 1)])

    def _probabilities(self, X):
        if self.where == "decide":
            raise RuntimeError("the card\nfell out")
        return np.full((len(X), len(self.means_)), 1 / len(self.means_))


class BreaksInUpdate:
    """An arm whose every call may raise; made for `bci.adapters`."""

    def __init__(self, model, seed=0):
        raise RuntimeError("no weights")


@pytest.fixture
def installed(monkeypatch):
    """Put entry points beside our own, in both groups."""
    before = available_decoders().values()
    ours = [
        EntryPoint(e.name, f"{e.factory.__module__}:{e.factory.__name__}", registry.GROUP)
        for e in before
        if e.factory is not None and e.factory.__module__.startswith("bci.")
    ]

    def put(decoders=(), arms=()):
        points = [EntryPoint(n, v, registry.GROUP) for n, v in decoders]
        monkeypatch.setattr(registry, "entry_points", lambda group: EntryPoints([*points, *ours]))
        of_arms = [EntryPoint(n, v, adapt_module.GROUP) for n, v in arms]
        monkeypatch.setattr(adapt_module, "entry_points", lambda group: EntryPoints(of_arms))
        _forget()

    yield put
    monkeypatch.undo()
    _forget()


def _forget():
    available_decoders.cache_clear()
    available_arms.cache_clear()
    adapt_module._plugins.cache_clear()  # noqa: SLF001


@pytest.fixture
def breaks(installed, monkeypatch):
    """Register `Breaks`, as if its module were a plugin's."""
    monkeypatch.setitem(sys.modules, "breaking_plugin", sys.modules[__name__])
    monkeypatch.setattr(Breaks, "__module__", "breaking_plugin")
    installed(
        [("breaks", "breaking_plugin:Breaks"), ("absent", "no_such_module:make")],
        [("broken-arm", "breaking_plugin:BreaksInUpdate"), ("absent-arm", "no_such_module:Arm")],
    )


@pytest.fixture(scope="module")
def recording():
    """Return a short run of a simulated person."""
    person = {"ability": 1.0, "rate_hz": 125.0, "seed": 5, "montage": ("C3", "Cz", "C4")}
    labels = ["left_hand", "right_hand"] * 5
    return simulate_run(person, [Marker(3.0 + 4.0 * k, n) for k, n in enumerate(labels)], 45.0)


EPOCHS = EpochSettings(window_s=(0.5, 2.5))


def one_line(raised):
    """Return what was said, which is one line."""
    text = str(raised.value)
    assert "\n" not in text
    return text


def test_one_that_raises_when_made_is_told_in_one_line(breaks):
    """Name, reason, what to do."""
    with pytest.raises(SettingsError) as raised:
        registry.make_decoder("breaks", where="made")
    assert "'breaks' of a plugin could not be made (RuntimeError: no licence found)" in one_line(
        raised
    )


@pytest.mark.parametrize("where", ["fit", "decide"])
def test_one_that_raises_in_an_evaluation_is_told_in_one_line(breaks, recording, where):
    """In training and in scoring: which decoder, of whom, what it could not do, and why."""
    with pytest.raises(TrialError, match="decoder Breaks of breaking_plugin could not") as raised:
        evaluate(cut_epochs([recording], EPOCHS), "breaks", {"where": where})
    one_line(raised)


def test_one_that_raises_in_training_is_told_in_one_line(breaks, recording):
    """`bci train` ends with exit code 2, not with a traceback."""
    with pytest.raises(TrialError, match=r"could not learn from these trials \(Mem") as told:
        train_model([recording], EPOCHS, "breaks", {"where": "fit"}, cv=False)
    one_line(told)


def test_one_that_raises_in_recalibration_is_told_in_one_line(recording):
    """A decoder that cannot see the new session: which, of whom, why."""

    class Blind(MDMDecoder):
        def covariances(self, X):
            raise RuntimeError("no light")

    model = train_model([recording], EPOCHS, "mdm", cv=False, recenter_s=20.0)
    Blind.__module__ = "breaking_plugin"
    model.estimator.__class__ = Blind
    with pytest.raises(TrialError, match=r"Blind of breaking_plugin could not be .*light") as told:
        recalibrate_model(model, [recording])
    one_line(told)


def test_our_own_errors_stay_what_they_are(recording, monkeypatch):
    """A fault of ours is not hidden behind a sentence about plugins."""
    from bci.decoders.tangent import TangentDecoder

    monkeypatch.setattr(TangentDecoder, "_fit", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train_model([recording], EPOCHS, "ts-lr", cv=False)


def test_an_arm_that_raises_when_made_is_told_in_one_line(breaks):
    """Which arm, why, and which there are."""
    with pytest.raises(
        SettingsError, match=r"'broken-arm' failed \(RuntimeError: no weights"
    ) as told:
        make_adapter("broken-arm", made_model("ts-lr"))
    one_line(told)
    with pytest.raises(SettingsError, match="'absent-arm' could not be loaded: ModuleNotFound"):
        make_adapter("absent-arm", made_model("ts-lr"))


def test_the_doctor_lists_plugins(breaks, installed):
    """What is usable, what is off and why; a plugin that breaks in its import is a warning."""
    check = plugins.plugins("plugins")
    assert check.status == "ok"
    assert "usable: breaks, broken-arm" in check.detail
    reason = "ModuleNotFoundError: No module named 'no_such_module'"
    assert f"absent, absent-arm off ({reason})" in check.detail
    installed([("bad", "bci.riemann:RIDGE")])
    check = plugins.plugins("plugins")
    assert check.status == "warning"
    assert "bad: TypeError" in check.detail
    assert "bad" in check.advice


def test_a_model_of_a_plugin_opens_only_with_it(breaks, installed, tmp_path):
    """Saved and loaded to the last bit with the plugin; without it, named; never another class."""
    path = tmp_path / "model.bci"
    model = made_model("breaks")
    model.save(path)
    X, _ = made_trials(3, 3)
    np.testing.assert_array_equal(load_model(path).probabilities(X), model.probabilities(X))
    installed()
    with pytest.raises(ModelError, match="which is not installed: pip install breaking_plugin"):
        load_model(path)
    installed([("breaks", "bci.decoders.classic:ts_lr")])
    with pytest.raises(ModelError, match="the name stands for another"):
        load_model(path)
    installed([("breaks", "no_such_module:make")])
    with pytest.raises(ModelError, match="could not be loaded: ModuleNotFoundError"):
        load_model(path)


def test_a_file_cannot_ask_for_another_class(breaks, tmp_path):
    """A card that names the plugin does not open the door to other types of its module."""
    model = made_model("breaks")
    forged = Model(**{**vars_of(model), "estimator": Other(model.estimator)})
    with pytest.raises(ModelError, match="which no model file may hold"):
        forged.save(tmp_path / "forged.bci")


class Other(Breaks):
    """Another class of the same plugin, which is not registered."""

    def __init__(self, decoder):
        self.__dict__.update(vars(decoder))


def vars_of(model):
    """Return what a model is made of."""
    names = ("channels", "rate_hz", "epochs", "classes", "artifact_limit_v", "decoder", "card")
    return {name: getattr(model, name) for name in names}


#: Torch is hidden before anything is imported.
WITHOUT = """
import importlib.util as util, sys
found = util.find_spec
util.find_spec = lambda name, *more: None if name == "torch" else found(name, *more)
"""


def without_torch(code):
    """Run Python in which torch cannot be imported."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code],
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


def test_without_torch_rleegnet_is_listed_with_the_line_that_installs_it():
    """Decoder and arms are there by name, with the reason; our own are usable."""
    done = without_torch(
        "import json\n"
        "from bci.decoders import available_decoders\n"
        "from bci.decoders.adapt import absent_arms, available_arms\n"
        "found = available_decoders()\n"
        "json.dump([found['rleegnet'].reason, absent_arms(), 'frozen' in available_arms(),\n"
        "           found['ts-lr'].reason], sys.stdout)"
    )
    assert done.returncode == 0, done.stderr
    reason, arms, frozen, ours = json.loads(done.stdout)
    assert reason.endswith("No module named 'torch': pip install 'rolandic[rleegnet]'")
    assert set(arms) == {"rleegnet-reward", "rleegnet-supervised"}
    assert all("pip install 'rolandic[rleegnet]'" in why for why in arms.values())
    assert frozen
    assert not ours


def test_without_torch_the_command_line_says_so_in_one_line(tmp_path):
    """`bci evaluate --decoder rleegnet`: exit code 2 and the line that installs it."""
    done = without_torch(
        "sys.argv = ['bci', 'evaluate', 'none.edf', '--decoder', 'rleegnet']; "
        "from bci.cli import main; main()"
    )
    assert done.returncode == 2, done.stderr
    (line,) = [text for text in done.stderr.splitlines() if "rleegnet" in text]
    assert "pip install 'rolandic[rleegnet]'" in " ".join(done.stderr.split())
    assert line.startswith("error: decoder 'rleegnet' could not be loaded")


def test_the_core_never_imports_a_plugin():
    """Listing decoders and arms loads neither torch nor what needs it."""
    code = (
        "import sys, bci.cli, bci.experiment, bci.report\n"
        "from bci.decoders import available_decoders\n"
        "from bci.decoders.adapt import available_arms\n"
        "before = 'bci_rleegnet' in sys.modules\n"
        "available_decoders(), available_arms()\n"
        "print(before, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.split() == ["False", "False"]
