"""Connectivity against mne-connectivity, and against processes whose coherence is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mne_connectivity import spectral_connectivity_epochs
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal.windows import dpss

from bci.errors import ChannelError, SettingsError
from bci.features.connectivity import connectivity, laterality, node_strength, strengths
from bci.features.settings import CONNECTIVITY, ConnectivitySettings

RATE_HZ = 128.0
FREQS_HZ = np.arange(6.0, 31.0)
THEIRS = {
    "coherence": "coh", "imaginary": "imcoh", "abs_imaginary": "imcoh", "wpli": "wpli",
    "plv": "plv", "ciplv": "ciplv",
}  # fmt: skip


def mixed(seed: int, n_windows: int, n_channels: int, n_times: int) -> np.ndarray:
    """Return windows whose channels share delayed parts."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_windows, n_channels, n_times + 8))
    x = x + 0.8 * np.roll(x, 1, axis=1)[..., :] + 0.5 * np.roll(np.roll(x, 2, axis=1), 3, axis=2)
    return x[..., 8:]


@pytest.mark.parametrize("measure", CONNECTIVITY)
@pytest.mark.parametrize("overlap", [0.0, 0.75])
def test_segments_give_what_mne_gives(measure, overlap):
    """MNE is given the segments as epochs: every measure, every pair, sign and all."""
    X = mixed(0, 2, 4, 512)
    settings = ConnectivitySettings(measure=measure, segment_s=1.0, overlap=overlap)
    ours = connectivity(X, RATE_HZ, FREQS_HZ, settings)
    step = round(128 * (1 - overlap))
    assert_allclose(ours.freqs_hz, FREQS_HZ)
    for window, values in zip(X, ours.values, strict=True):
        segments = np.lib.stride_tricks.sliding_window_view(window, 128, axis=1)[:, ::step]
        assert segments.shape[1] == ours.n_pieces
        theirs = spectral_connectivity_epochs(
            segments.transpose(1, 0, 2), method=THEIRS[measure], sfreq=RATE_HZ, mode="fourier",
            fmin=FREQS_HZ[0], fmax=FREQS_HZ[-1], verbose="error",
        ).get_data("dense")  # fmt: skip
        lower = np.tril_indices(4, -1)
        expected = np.abs(theirs[lower]) if measure == "abs_imaginary" else theirs[lower]
        expected = expected**2 if measure == "coherence" else expected
        assert_allclose(values[lower], expected, atol=1e-10)
        sign = -1 if measure == "imaginary" else 1
        assert_allclose(values, sign * values.transpose(1, 0, 2), atol=1e-14)


def test_tapers_give_what_scipy_gives():
    """Coherence of multitaper coefficients, against a plain formula with SciPy's tapers."""
    X = mixed(1, 1, 3, 256)
    settings = ConnectivitySettings(measure="coherence", method="multitaper", bandwidth_hz=8.0)
    ours = connectivity(X, RATE_HZ, FREQS_HZ, settings)
    tapers, ratios = dpss(256, 8.0, 15, return_ratios=True)
    tapers = tapers[ratios > 0.9]
    x = np.fft.rfft((X[0] - X[0].mean(axis=1, keepdims=True))[:, None] * tapers)
    x = x[..., 12:61:2]
    S = np.einsum("ikf,jkf->ijf", x, x.conj())
    power = np.einsum("iif->if", S).real
    expected = np.abs(S) ** 2 / (power[:, None] * power)
    expected[np.arange(3), np.arange(3)] = 0.0
    assert_allclose(ours.values[0], expected, atol=1e-10)
    assert ours.n_pieces == len(tapers)


@given(seed=st.integers(0, 1000), delay=st.integers(1, 4), gain=st.floats(0.3, 3.0))
def test_a_known_coherence_is_found(seed, delay, gain):
    """A delayed copy in noise: gain^2 / (gain^2 + 1) at every frequency, with its phase."""
    rng = np.random.default_rng(seed)
    source = rng.standard_normal(40_000 + delay)
    copy = gain * source[:-delay] + rng.standard_normal(40_000)
    X = np.stack([source[delay:], copy])[None]
    known = gain**2 / (gain**2 + 1)
    for method in ("welch", "burg"):
        settings = ConnectivitySettings(measure="coherence", method=method)
        found = connectivity(X, RATE_HZ, FREQS_HZ, settings).values[0, 0, 1]
        assert abs(found.mean() - known) < 0.03
    settings = ConnectivitySettings(measure="imaginary")
    found = connectivity(X, RATE_HZ, FREQS_HZ, settings).values[0, 0, 1]
    phase = 2 * np.pi * FREQS_HZ * delay / RATE_HZ
    assert_allclose(found, np.sqrt(known) * np.sin(phase), atol=0.12)


def test_volume_conduction_leaves_the_imaginary_measures_at_zero():
    """One source at two electrodes, without delay: coherence says 1, the others nothing."""
    source = np.random.default_rng(2).standard_normal((1, 1, 4000))
    X = np.concatenate([source, 0.4 * source], axis=1)
    for measure, expected in (("coherence", 1.0), ("plv", 1.0), ("imaginary", 0.0)):
        settings = ConnectivitySettings(measure=measure)
        found = connectivity(X, RATE_HZ, FREQS_HZ, settings).values[0, 0, 1]
        assert_allclose(found, expected, atol=1e-9)


def test_a_channel_that_does_not_move_is_connected_with_none():
    """Zero, not NaN; and the others are as they are without it."""
    X = mixed(3, 1, 3, 512)
    X[0, 1] = 4.0
    for measure in CONNECTIVITY:
        settings = ConnectivitySettings(measure=measure)
        found = connectivity(X, RATE_HZ, FREQS_HZ, settings).values[0]
        assert_array_equal(found[1], 0.0)
        others = connectivity(X[:, [0, 2]], RATE_HZ, FREQS_HZ, settings).values[0]
        assert_allclose(found[0, 2], others[0, 1], atol=1e-12)


def test_node_strength_is_the_mean_over_partners():
    """All others, or those that are chosen; a channel is no partner of its own."""
    values = np.random.default_rng(4).random((2, 4, 4, 3))
    values[:, np.arange(4), np.arange(4)] = 0.0
    assert_allclose(node_strength(values)[1, 2], values[1, 2, [0, 1, 3]].mean(axis=0))
    chosen = node_strength(values, np.array([0, 2]))
    assert_allclose(chosen[1, 2], values[1, 2, 0])
    assert_allclose(chosen[1, 3], values[1, 3, [0, 2]].mean(axis=0))
    with pytest.raises(ChannelError, match="partner"):
        node_strength(values, np.array([2]))


def test_laterality_is_between_minus_one_and_one():
    """And zero where there is nothing on either side."""
    assert_allclose(laterality(np.array([3.0, 0.0]), np.array([1.0, 0.0])), [0.5, 0.0])


@pytest.mark.parametrize(
    ("changed", "n_times", "message"),
    [
        ({"segment_s": 5.0}, 512, "segments of 5 s do not fit windows of 4 s"),
        ({"segment_s": 3.9}, 512, "holds only one segment"),
        ({"segment_s": 0.5}, 512, "finer than the resolution"),
        ({"method": "multitaper", "bandwidth_hz": 0.3}, 512, "bandwidth"),
        ({"method": "burg", "measure": "coherence", "order": 200}, 512, "order 200"),
        ({"method": "burg", "measure": "wpli"}, 512, "needs phases"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changed, n_times, message):
    """One line that says what to change."""
    with pytest.raises(SettingsError, match=message):
        connectivity(
            mixed(5, 1, 2, n_times), RATE_HZ, FREQS_HZ, ConnectivitySettings.make(**changed)
        )


def test_a_frequency_above_half_the_rate_is_refused():
    """Named with the half of the rate."""
    with pytest.raises(SettingsError, match="70 Hz lies above half"):
        connectivity(mixed(6, 1, 2, 512), RATE_HZ, np.array([10.0, 70.0]), ConnectivitySettings())


@pytest.mark.parametrize("measure", CONNECTIVITY)
@pytest.mark.parametrize("method", ["welch", "multitaper"])
def test_strengths_are_those_of_the_whole_matrix(measure, method):
    """Of all channels and of some, a silent one among them; alone to the same bits."""
    X = mixed(7, 3, 5, 512)
    X[:, 2] = 4.0
    settings = ConnectivitySettings(measure=measure, method=method)
    whole = connectivity(X, RATE_HZ, FREQS_HZ, settings)
    expected = node_strength(whole.values)
    found, freqs_hz = strengths(X, RATE_HZ, FREQS_HZ, settings)
    assert_allclose(freqs_hz, whole.freqs_hz)
    assert_allclose(found, expected, atol=1e-12)
    some, _ = strengths(X, RATE_HZ, FREQS_HZ, settings, np.array([4, 2]))
    assert_allclose(some, expected[:, [4, 2]], atol=1e-12)
    alone, _ = strengths(X[1:2], RATE_HZ, FREQS_HZ, settings, np.array([4, 2]))
    assert_array_equal(alone[0], some[1])
    with pytest.raises(ChannelError, match="partner"):
        strengths(X[:, :1], RATE_HZ, FREQS_HZ, settings)
