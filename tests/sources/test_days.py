"""Days of a simulated person: what changes, and what stays."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bci.errors import SettingsError
from bci.sources.days import NO_SHIFT, Day, DayShift
from bci.sources.imagery import REGIONS
from bci.sources.person import draw_person
from bci.sources.simulate import SimulatedSource

F64 = NDArray[np.float64]

FEW = ("C3", "Cz", "C4", "CP3", "CP4", "FC3", "FC4", "Pz")


def covariance(session: int, shift: DayShift | None = None, *, ability: float = 0.0) -> F64:
    """Return the covariance of a minute of one day, mains left out."""
    source = SimulatedSource(
        montage=FEW, seed=3, session=session, shift=shift, mains_hz=0.0, rate_hz=100.0,
        ability=ability,
    )  # fmt: skip
    samples = source.read_samples(6000).samples[500:]
    # Differences: eyes and drift lie below what decoders use.
    return np.cov(np.diff(samples, axis=0), rowvar=False)


def distance(A: F64, B: F64) -> float:
    """Return the affine-invariant distance (root of the sum of squared log eigenvalues)."""
    values = np.linalg.eigvals(np.linalg.solve(A, B)).real
    return float(np.sqrt(np.sum(np.log(values) ** 2)))


def test_the_first_day_is_the_same_whatever_days_do() -> None:
    """Session 0 depends on no strength, to the last bit."""
    made = [
        SimulatedSource(montage=FEW, seed=1, shift=shift).read_samples(600).samples
        for shift in (None, NO_SHIFT, DayShift(pattern=1.0, gain=1.0))
    ]
    np.testing.assert_array_equal(made[0], made[1])
    np.testing.assert_array_equal(made[0], made[2])


def test_without_shift_another_day_is_the_same_person_in_the_same_cap() -> None:
    """At strength 0 fields, frequencies and amplitudes are those of the first day."""
    first, later = (draw_person(0.8, 5, k, Day.draw(NO_SHIFT, 5, k)) for k in (0, 4))
    for name in ("mu_hz", "alpha_hz", "mu_uv", "rhythm_fields", "background_fields"):
        np.testing.assert_array_equal(getattr(first, name), getattr(later, name))


def test_days_lie_farther_apart_the_stronger_they_differ() -> None:
    """Of a mere repetition, a day as in life and one three times as strong, each is farther."""
    first = covariance(0)
    strong = DayShift(10.5, 0.105, 0.36, 0.36, 0.36, 0.75, 0.45)
    apart = [
        np.mean([distance(first, covariance(k, shift)) for k in (1, 2)])
        for shift in (NO_SHIFT, None, strong)
    ]
    assert apart[0] < 0.7 * apart[1]
    assert apart[1] < 0.7 * apart[2]


@pytest.mark.parametrize("name", ["displacement_mm", "gain", "noise", "background", "rhythm"])
def test_each_strength_moves_the_signal_by_itself(name: str) -> None:
    """No strength is without effect, alone and strong, beside a mere repetition."""
    base = distance(covariance(0), covariance(1, NO_SHIFT))
    nothing = dict.fromkeys(NO_SHIFT.__slots__, 0.0)
    alone = DayShift(**{**nothing, name: 20.0 if name.endswith("mm") else 1.0})
    assert distance(covariance(0), covariance(1, alone)) > 1.5 * base


def test_a_changed_pattern_changes_what_classes_do_and_where() -> None:
    """Depths and patches move with `pattern`; rest and the rest of the day stay."""
    day = Day.draw(DayShift(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2), 2, 1)
    assert day.depth.shape == (6, len(REGIONS))
    assert 0.1 < day.depth.std() < 0.3
    assert np.all(day.lean.std(axis=0) > 0)
    assert np.all(day.gain == 1)
    assert np.all(day.background == 1)
    assert not day.cap.any()


def test_at_ability_zero_no_day_tells_classes_apart() -> None:
    """A person without ability makes the same signal, to the last bit, whatever is cued."""
    made = []
    for label in ("left_hand", "feet"):
        source = SimulatedSource(montage=FEW, seed=1, session=2, ability=0.0)
        source.cue(label, 1.0)
        made.append(source.read_samples(1500).samples)
    np.testing.assert_array_equal(made[0], made[1])


@pytest.mark.parametrize("wrong", [{"gain": -0.1}, {"pattern": float("nan")}])
def test_senseless_strengths_are_refused(wrong: dict[str, Any]) -> None:
    """A strength below 0, or none, is refused by name."""
    with pytest.raises(SettingsError, match=f"day shift, {next(iter(wrong))}"):
        DayShift(**wrong)
