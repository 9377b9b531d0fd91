"""The causal filter, against scipy and MNE, and whatever the chunks."""

import itertools

import mne
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from bci.config import EpochSettings
from bci.errors import SettingsError
from bci.signal import (
    CausalFilter,
    design_bandpass,
    filter_segments,
    hop_samples,
    window_samples,
    window_starts,
)

RNG = np.random.default_rng(3)
SIGNAL = RNG.standard_normal((400, 3)) * 1e-5 + np.array([0.17, -0.02, 0.0])


@given(cuts=st.lists(st.integers(0, 400), max_size=20).map(sorted))
def test_chunks_do_not_matter(cuts):
    """Cut anywhere, the output is the same to the last bit, and that of the offline path."""
    sos = design_bandpass((8.0, 30.0), 125.0)
    causal = CausalFilter(sos, 3)
    edges = [0, *cuts, 400]
    pieces = [causal(SIGNAL[a:b]) for a, b in itertools.pairwise(edges)]
    whole = filter_segments(SIGNAL, np.zeros(400, dtype=np.int64), sos)
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@given(
    seed=st.integers(0, 1000),
    n_channels=st.integers(1, 9),
    order=st.integers(1, 6),
    n_samples=st.integers(0, 50),
)
def test_it_is_scipy_to_the_last_bit(seed, n_channels, order, n_samples):
    """Any order, any number of channels and samples: the bits of `scipy.signal.sosfilt`."""
    samples = np.random.default_rng(seed).standard_normal((n_samples + 1, n_channels))
    sos = design_bandpass((8.0, 30.0), 125.0, order=order)
    zi = np.repeat(signal.sosfilt_zi(sos)[:, :, None], n_channels, axis=2) * samples[0]
    expected, _ = signal.sosfilt(sos, samples, axis=0, zi=zi)
    before = samples.copy()
    np.testing.assert_array_equal(CausalFilter(sos, n_channels)(samples), expected)
    np.testing.assert_array_equal(samples, before)


def test_an_offset_causes_no_transient():
    """A constant, however large, is filtered to nothing from the first sample on."""
    sos = design_bandpass((8.0, 30.0), 125.0)
    constant = np.full((300, 1), -0.17)
    assert np.abs(CausalFilter(sos, 1)(constant)).max() < 1e-12


def test_a_gap_starts_the_filter_anew():
    """Behind a gap nothing is left of what was before it."""
    sos = design_bandpass((8.0, 30.0), 125.0)
    segments = np.repeat([0, 1], [150, 250])
    both = filter_segments(SIGNAL, segments, sos)
    np.testing.assert_array_equal(
        both[150:], filter_segments(SIGNAL[150:], np.zeros(250, dtype=np.int64), sos)
    )
    changed = SIGNAL.copy()
    changed[:150] += 1.0
    np.testing.assert_array_equal(filter_segments(changed, segments, sos)[150:], both[150:])


def test_it_is_the_filter_that_mne_would_make():
    """Once its start is over, the output is that of MNE's forward Butterworth filter."""
    sos = design_bandpass((8.0, 30.0), 125.0, order=4)
    ours = filter_segments(SIGNAL, np.zeros(400, dtype=np.int64), sos)
    theirs = mne.filter.filter_data(
        (SIGNAL - SIGNAL.mean(axis=0)).T.copy(),
        125.0,
        8.0,
        30.0,
        method="iir",
        iir_params={"order": 4, "ftype": "butter"},
        phase="forward",
        verbose="error",
    ).T
    np.testing.assert_allclose(ours[200:], theirs[200:], atol=1e-9)
    assert np.abs(ours[200:]).max() > 1e-6


@pytest.mark.parametrize("rate_hz", [80.0, 125.0, 1000.0])
def test_the_band_passes_and_the_rest_does_not(rate_hz):
    """Half power at the edges, all of it between, little far outside."""
    sos = design_bandpass((8.0, 30.0), rate_hz)
    _, response = signal.sosfreqz(sos, worN=[2.0, 8.0, 15.0, 30.0], fs=rate_hz)
    np.testing.assert_allclose(np.abs(response[1:]), [2**-0.5, 1.0, 2**-0.5], atol=0.01)
    assert abs(response[0]) < 0.01


@pytest.mark.parametrize("band_hz", [(8.0, 62.5), (8.0, 90.0), (0.0, 30.0), (30.0, 8.0)])
def test_a_band_beyond_nyquist_is_refused(band_hz):
    """The message names band and rate."""
    with pytest.raises(SettingsError, match="125 Hz"):
        design_bandpass(band_hz, 125.0)


@given(
    start=st.floats(0, 3),
    span=st.floats(0.5, 5),
    share=st.floats(0.1, 1),
    step_s=st.floats(0.05, 2),
    rate_hz=st.sampled_from([100.0, 125.0, 160.0, 250.0, 512.0]),
)
def test_windows_lie_within_the_span(start, span, share, step_s, rate_hz):
    """No window begins before the span or ends beyond it, by more than a sample's rounding."""
    settings = EpochSettings(window_s=(start, start + span), length_s=share * span, step_s=step_s)
    starts = window_starts(settings, rate_hz)
    n_times = window_samples(settings, rate_hz)
    assert starts[0] >= start * rate_hz - 1
    assert starts[-1] + n_times <= (start + span) * rate_hz + 1
    assert (np.diff(starts) == max(1, round(step_s * rate_hz))).all()


def test_a_hop_is_a_whole_number_of_samples():
    """The nearest, and never none."""
    assert [hop_samples(0.1, rate) for rate in (160.0, 125.0, 3.0)] == [16, 12, 1]
