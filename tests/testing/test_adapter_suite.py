"""The suite for arms: ours pass, and each check catches what it is there for."""
# ruff: noqa: D102 (what a mutant's methods do is the protocol's)

import copy
import time

import numpy as np
import pytest

from bci.decoders.adapt import make_adapter
from bci.testing import ADAPTER_CHECKS, AdapterCase, AdapterSuite, ConformanceError, check_adapter

OURS = [
    ("frozen", "ts-lr", "nothing"),
    ("recenter", "ts-lr", "nothing"),
    ("pseudo", "ts-lr", "nothing"),
    ("supervised", "ts-lr", "label"),
    ("reward", "ts-lr", "reward"),
    ("reward+recenter", "csp-lda", "reward"),
    ("linucb", "psd-lda", "reward"),
    ("linucb+recenter", "acm-fgmdm", "reward"),
    ("pseudo", "mdm", "nothing"),
    ("supervised", "fgmdm", "label"),
]


@pytest.mark.parametrize(("arm", "decoder", "told"), OURS)
def test_our_arms_keep_the_contract(arm, decoder, told):
    """Each of ours, over decoders of several kinds."""
    assert check_adapter(arm, decoder=decoder, told=told) == tuple(ADAPTER_CHECKS)


@pytest.mark.parametrize("arm", ["supervised", "reward+recenter"])
def test_guarded_arms_keep_the_contract(arm):
    """What a guard watches over is still an arm."""

    def guarded(model, seed=0):
        return make_adapter(arm, model, seed=seed, guard=True)

    check_adapter(guarded, copy_s=0.02)


class Right:
    """A bias on each class, learned from labels; mutants are made of it."""

    name = "right"

    def __init__(self, model, seed=0):
        self.model = model
        self.bias = np.zeros(len(model.classes))
        self.rng = np.random.default_rng(seed)

    def probabilities(self, windows):
        p = self.model.probabilities(windows) * np.exp(self.bias)
        return p / p.sum(axis=1, keepdims=True)

    def observe(self, windows):
        pass

    def told(self, chosen, revealed):
        return revealed.label

    def reveal(self, windows, chosen, revealed):
        k = self.told(chosen, revealed)
        if k is None or not len(windows):
            return
        step = np.eye(3)[k] - self.probabilities(windows).mean(axis=0)
        self.bias = self.bias + 0.1 * step * (0.5 + self.rng.random())

    @property
    def state(self):
        draws = self.rng.bit_generator.state["state"]
        return {"bias": self.bias.tolist(), "draws": {k: str(v) for k, v in draws.items()}}

    def carry_on(self, state):
        bias, draws = np.array(state["bias"]), {k: int(v) for k, v in state["draws"].items()}
        self.rng = np.random.default_rng(0)
        self.rng.bit_generator.state = self.rng.bit_generator.state | {"state": draws}
        self.bias = bias

    def copy(self):
        other = copy.copy(self)
        other.rng = copy.deepcopy(self.rng)
        return other


class SumsToMore(Right):
    """Gives scores, not probabilities."""

    def probabilities(self, windows):
        return 2 * super().probabilities(windows)


class LearnsByDeciding(Right):
    """Counts how often it is asked, and moves by it."""

    def probabilities(self, windows):
        self.bias = self.bias + np.array([1e-3, 0, 0])
        return super().probabilities(windows)


class DrawsWhenAsked(Right):
    """Asks its generator whenever it decides."""

    def probabilities(self, windows):
        self.rng.random()
        return super().probabilities(windows)


class DrawsGlobally(Right):
    """Draws from NumPy's global generator."""

    def reveal(self, windows, chosen, revealed):
        super().reveal(windows, chosen, revealed)
        self.bias = self.bias + 1e-3 * np.random.standard_normal(3)  # noqa: NPY002


class ForgetsItsGenerator(Right):
    """Leaves the generator out of its state."""

    @property
    def state(self):
        return {"bias": self.bias.tolist()}

    def carry_on(self, state):
        self.bias = np.array(state["bias"])


class RoundsItsState(Right):
    """Writes six digits."""

    @property
    def state(self):
        return super().state | {"bias": [round(float(b), 6) for b in self.bias]}


class TakesAnyState(Right):
    """Goes on from nothing without a word."""

    def carry_on(self, state):
        if "bias" in state:
            super().carry_on(state)
        else:
            self.bias = np.zeros(3)


class LendsItsState(Right):
    """Gives out the very dict that it works with."""

    def __init__(self, model, seed=0):
        super().__init__(model, seed)
        self.kept = {}

    @property
    def state(self):
        self.kept.update(super().state)
        return self.kept


class SharesWithItsCopy(Right):
    """A copy that has the same array, changed in place."""

    def reveal(self, windows, chosen, revealed):
        before = self.bias
        super().reveal(windows, chosen, revealed)
        before[:] = self.bias
        self.bias = before


class CopyStartsAnew(Right):
    """A copy that has learned nothing."""

    def copy(self):
        return type(self)(self.model)


class ChangesHalf(Right):
    """Moves before it looks whether it can."""

    def reveal(self, windows, chosen, revealed):
        self.bias = self.bias * 0.5
        super().reveal(windows, chosen, revealed)


class LearnsNaN(Right):
    """Learns from windows that are not numbers."""

    def reveal(self, windows, chosen, revealed):
        super().reveal(np.nan_to_num(windows), chosen, revealed)
        self.bias = self.bias + windows.mean()


class WritesIntoWindows(Right):
    """Centres the windows in place."""

    def observe(self, windows):
        windows -= windows.mean(axis=2, keepdims=True)


class KeepsWindows(Right):
    """Keeps the windows that it was lent, and learns from them once more."""

    last = None

    def reveal(self, windows, chosen, revealed):
        if self.last is not None:
            super().reveal(self.last, chosen, revealed)
        super().reveal(windows, chosen, revealed)
        self.last = windows


class NeedsALabel(Right):
    """Cannot do without."""

    def told(self, chosen, revealed):
        if revealed.label is None:
            raise ValueError("no label")
        return revealed.label


class PeeksAtLabels(Right):
    """Is to be told of rewards, and looks at the label."""

    def told(self, chosen, revealed):
        return revealed.label if revealed.reward is not None else None


class LearnsInTheOpen(Right):
    """Every copy writes what it has learned where all decide from."""

    everywhere = {"bias": np.zeros(3)}  # noqa: RUF012

    def probabilities(self, windows):
        p = super().probabilities(windows) * np.exp(self.everywhere["bias"])
        return p / p.sum(axis=1, keepdims=True)

    def reveal(self, windows, chosen, revealed):
        super().reveal(windows, chosen, revealed)
        self.everywhere["bias"] = self.everywhere["bias"] + [0.1, 0, 0]
        time.sleep(0.01)


class CopiesSlowly(Right):
    """Takes its time where the session has none."""

    def copy(self):
        time.sleep(0.03)
        return super().copy()


MUTANTS = {
    "gives_probabilities": (SumsToMore,),
    "decides_without_learning": (LearnsByDeciding, DrawsWhenAsked),
    "is_deterministic": (DrawsGlobally,),
    "carries_on_exactly": (ForgetsItsGenerator, RoundsItsState),
    "refuses_foreign_state": (TakesAnyState,),
    "state_is_a_snapshot": (LendsItsState,),
    "copies_are_independent": (SharesWithItsCopy, CopyStartsAnew),
    "learns_whole_or_not": (ChangesHalf, LearnsNaN),
    "keeps_no_hold_of_windows": (WritesIntoWindows, KeepsWindows),
    "takes_trials_of_which_nothing_is_known": (NeedsALabel,),
    "is_told_nothing_else": (PeeksAtLabels,),
    "learns_beside_decisions": (LearnsInTheOpen,),
    "is_fast_enough": (CopiesSlowly,),
}


@pytest.mark.parametrize("check", ADAPTER_CHECKS)
def test_each_check_catches_its_mutants(check):
    """An arm with one fault fails the check that is there for it, in words."""
    for mutant in MUTANTS[check]:
        told = "reward" if mutant is PeeksAtLabels else ""
        with pytest.raises(ConformanceError) as raised:
            ADAPTER_CHECKS[check](AdapterCase(mutant, told=told))
        assert len(str(raised.value)) > 15


@pytest.mark.parametrize("check", ADAPTER_CHECKS)
def test_an_arm_without_fault_passes(check):
    """What mutants are made of passes."""
    ADAPTER_CHECKS[check](AdapterCase(Right, told="label"))


def test_everything_that_fails_is_told_at_once():
    """One error names every check that is not kept."""
    with pytest.raises(ConformanceError) as raised:
        check_adapter(PeeksAtLabels, told="reward")
    assert str(raised.value).startswith("is_told_nothing_else: it is to learn from reward alone")


def test_pytest_sees_one_test_a_check():
    """A subclass that names an arm has a test for each check."""

    class TestOurs(AdapterSuite):
        name = "supervised"
        told = "label"

    assert {f"test_{check}" for check in ADAPTER_CHECKS} <= set(dir(TestOurs))
    TestOurs().test_carries_on_exactly()
