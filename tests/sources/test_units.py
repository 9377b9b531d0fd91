"""Units and amplitudes."""

import numpy as np
import pytest

from bci.errors import ChannelError, SettingsError
from bci.sources.base import Channel
from bci.sources.units import (
    implausible_volts,
    suggested_unit,
    undeclared_unit_warning,
    unit_scale,
    volts_per,
)


@pytest.mark.parametrize(
    ("unit", "volts"),
    [
        *[(u, 1e-6) for u in ("microvolts", "Microvolt", "uV", "µV", "μV", "UV", "ÂµV", " uV ")],
        *[(u, 1e-3) for u in ("mV", "millivolts", "millivolt")],
        *[(u, 1e-9) for u in ("nV", "nanovolts")],
        *[(u, 1.0) for u in ("V", "volts", "Volt", "v")],
        *[(u, None) for u in ("", "n/a", "degC", "g", "counts", "u", "kV/m")],
    ],
)
def test_spellings_of_voltage(unit: str, volts: float | None) -> None:
    """Each spelling met in the field reads as its voltage, and nothing else does."""
    assert volts_per(unit) == volts


def test_each_channel_has_its_own_scale() -> None:
    """Declared units count by channel; an EEG channel that is silent is taken for microvolts."""
    channels = (
        Channel("C3", "mV"),
        Channel("C4"),
        Channel("acc", "g", kind="ACC"),
        Channel("eog", "uV", kind="EOG"),
    )
    np.testing.assert_array_equal(unit_scale(channels), [1e-3, 1e-6, 1.0, 1e-6])
    np.testing.assert_array_equal(unit_scale(channels, "V"), [1.0, 1.0, 1.0, 1e-6])
    assert undeclared_unit_warning(channels) == (
        "no unit for C4: taken for microvolts; say --unit if that is wrong"
    )
    assert undeclared_unit_warning(channels, "uV") is None
    assert undeclared_unit_warning(channels[:1]) is None


def test_a_unit_that_is_no_voltage_is_refused() -> None:
    """The message names the unit and the channels, or the option."""
    with pytest.raises(ChannelError, match="'counts' of C3, C4 is no voltage"):
        unit_scale((Channel("C3", "counts"), Channel("C4", "counts")))
    with pytest.raises(SettingsError, match="--unit 'furlong'"):
        unit_scale((Channel("C3"),), "furlong")


def _noise(scale: float, n_samples: int = 2000) -> np.ndarray:
    return np.random.default_rng(3).normal(0, scale, (n_samples, 4))


LABELS = ("C3", "Cz", "C4", "Pz")


@pytest.mark.parametrize("scale", [1e-7, 1e-5, 1e-3])
def test_amplitudes_of_eeg_are_plausible(scale: float) -> None:
    """From a tenth of a microvolt to a millivolt, on any offset and any drift."""
    drift = np.linspace(0, 0.05, 2000)[:, None]
    assert implausible_volts(_noise(scale), LABELS) is None
    assert implausible_volts(_noise(scale) - 0.17, LABELS) is None
    if scale > 1e-6:
        assert implausible_volts(_noise(scale) + drift, LABELS) is None


def test_amplitudes_that_are_no_volts_are_named() -> None:
    """Microvolts read as volts are far too much, volts read as nanovolts far too little."""
    much = implausible_volts(_noise(10.0) * [1, 1, 3, 1], LABELS)
    assert much is not None
    assert much.startswith("amplitudes reach")
    assert "(C4)" in much
    little = implausible_volts(_noise(1e-12), LABELS)
    assert little is not None
    assert little.startswith("amplitudes stay below")


def test_one_bad_channel_does_not_condemn_the_recording() -> None:
    """The median channel decides; flat, railed and broken channels do not."""
    samples = _noise(1e-5)
    samples[:, 0] = 7.0
    samples[:, 1] *= 1e6
    samples[5, 2] = np.nan
    samples = np.column_stack([samples, _noise(1e-5)])
    assert implausible_volts(samples, LABELS + LABELS) is None


@pytest.mark.parametrize("n_samples", [0, 1])
def test_what_has_no_amplitude_is_not_judged(n_samples: int) -> None:
    """No sample, one sample, and flat channels say nothing of a unit."""
    assert implausible_volts(_noise(10.0, n_samples), LABELS) is None
    assert implausible_volts(np.full((100, 4), 3.0), LABELS) is None


@pytest.mark.parametrize(
    ("scale", "unit"), [(12.0, "uV"), (0.012, "mV"), (12e3, "nV"), (1e-5, "V")]
)
def test_the_unit_that_would_fit_is_suggested(scale: float, unit: str) -> None:
    """Of the usual units, the one in which the numbers are some ten microvolts."""
    assert suggested_unit(_noise(scale)) == unit
