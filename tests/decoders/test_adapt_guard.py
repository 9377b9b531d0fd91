"""The guard: takes back what does harm, and seldom what does not."""

import numpy as np
import pytest

from bci.decoders.adapt import Revealed
from bci.decoders.adapt_guard import LIMIT, GuardedAdapter


class Scripted:
    """An arm that is right with the probability that its state says, by a table of draws.

    Windows of shape (1, 1, 2): the true class, and a draw from 0 to 1.
    """

    name = "scripted"

    def __init__(self, skill, skills=(), n_classes=2):
        self.skill, self.skills, self.n_classes, self.n = skill, tuple(skills), n_classes, 0

    def probabilities(self, windows):
        """Return a certain decision: the true class if the draw is below the skill."""
        y, draw = int(windows[0, 0, 0]), windows[0, 0, 1]
        decided = y if draw < self.skill else (y + 1) % self.n_classes
        return np.where(np.arange(self.n_classes) == decided, 0.9, 0.1 / (self.n_classes - 1))[None]

    def observe(self, windows):
        """Nothing."""

    def reveal(self, windows, chosen, revealed):
        """Go on to the next skill."""
        self.skill = self.skills[self.n] if self.n < len(self.skills) else self.skill
        self.n += 1

    @property
    def state(self):
        """Return all of it."""
        return {"skill": self.skill, "n": self.n}

    def carry_on(self, state):
        """Take it."""
        self.skill, self.n = state["skill"], state["n"]

    def copy(self):
        """Return another."""
        other = Scripted(self.skill, self.skills, self.n_classes)
        other.n = self.n
        return other


def go_through(guard, n, seed, *, label=True, n_classes=2, shadow_draws=True):
    """Let a guarded arm go through trials; return what each decided right, and alarms so far."""
    rng, hits, reverted = np.random.default_rng(seed), [], []
    for _ in range(n):
        y = int(rng.integers(n_classes))
        windows = np.array([[[y, rng.random()]]])
        chosen = int(guard.probabilities(windows)[0].argmax())
        hits.append(chosen == y)
        revealed = Revealed(y, float(chosen == y)) if label else Revealed(None, float(chosen == y))
        guard.reveal(windows, chosen, revealed)
        reverted.append(guard.n_reverted)
    return np.array(hits), reverted


@pytest.mark.parametrize("label", [True, False])
def test_an_arm_that_goes_wrong_is_taken_back_to_when_it_was_ahead(label):
    """Better than frozen for forty trials, then wrecked: taken back within forty more."""
    skills = [0.95] * 60 + [0.2] * 400
    guard = GuardedAdapter(Scripted(0.95, skills), Scripted(0.7))
    rng = np.random.default_rng(1)
    n_trials = 0
    while not guard.n_reverted and n_trials < 120:
        n_trials += 1
        y = int(rng.integers(2))
        windows = np.array([[[y, rng.random()]]])
        chosen = int(guard.probabilities(windows)[0].argmax())
        guard.reveal(windows, chosen, Revealed(y if label else None, float(chosen == y)))
    assert 62 < n_trials < 105
    assert guard.guarded.skill == 0.95
    assert 0 < guard.guarded.n < 60  # neither the start nor what had gone wrong
    assert not guard.ended


def test_an_arm_that_harms_again_before_it_was_ahead_ends():
    """Wrecked whatever is taken back: the trained state decides, and learns no more."""
    guard = GuardedAdapter(Scripted(0.8, [0.2] * 1000), Scripted(0.8))
    go_through(guard, 300, 2)
    assert guard.ended
    assert guard.n_reverted == 2
    assert guard.guarded.skill == 0.8
    before = guard.guarded.state
    go_through(guard, 20, 3)
    assert guard.guarded.state == before


@pytest.mark.parametrize("label", [True, False])
def test_false_alarms_are_as_rare_as_promised(label):
    """Arm and shadow equally good and independent, 100 trials: at most 100 / LIMIT of sessions."""
    n, n_sessions, alarms = 100, 200, 0
    for seed in range(n_sessions):
        rng = np.random.default_rng([9, seed])
        guard = GuardedAdapter(Scripted(0.7), Independent(0.7, rng))
        go_through(guard, n, seed, label=label)
        alarms += guard.n_reverted > 0
    bound = n / LIMIT
    assert alarms / n_sessions <= bound
    assert bound <= 0.1


class Independent(Scripted):
    """One whose rights and wrongs have nothing to do with the other's."""

    def __init__(self, skill, rng):
        super().__init__(skill)
        self.rng = rng

    def probabilities(self, windows):
        """Draw by itself."""
        drawn = windows.copy()
        drawn[0, 0, 1] = self.rng.random()
        return super().probabilities(drawn)


def test_the_accounts_are_those_of_the_docstring():
    """Running score and evidence of a short run, by hand."""
    guard = GuardedAdapter(Scripted(1.0), Scripted(0.0), memory=10, bet=0.5)
    window = np.array([[[0, 0.5]]])
    guard.reveal(window, 0, Revealed(0, 1.0))  # +1
    guard.reveal(window, 1, Revealed(0, 0.0))  # 0: both wrong
    state = guard.state
    assert state["ahead"] == pytest.approx(0.1 * 0.9)
    assert state["evidence"] == pytest.approx((0.5 + 1) * 1)
    assert guard.effect["n"] == 2
    assert (guard.effect["adapted"], guard.effect["frozen"]) == (0.5, 0.0)


def test_without_an_outcome_nothing_is_compared():
    """The arm may learn; the accounts stay."""
    guard = GuardedAdapter(Scripted(0.5, [0.6]), Scripted(0.5))
    guard.reveal(np.array([[[0, 0.7]]]), 0, Revealed())
    assert guard.guarded.skill == 0.6
    assert guard.effect["n"] == 0


def test_of_several_classes_the_shadow_is_credited_by_its_own_account():
    """Wrong arm, another class in the shadow: its probability among the classes that are left."""
    guard = GuardedAdapter(Scripted(1.0, n_classes=3), Scripted(1.0, n_classes=3))
    guard.reveal(np.array([[[2, 0.5]]]), 0, Revealed(None, 0.0))
    assert guard.state["shadow_hits"] == pytest.approx(0.9 / 0.95)
    assert guard.state["hits"] == 0.0
