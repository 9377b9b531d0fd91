"""Augmented covariances against pyriemann's of the explicitly stacked signal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pyriemann.geometry.covariance import covariances

from bci.errors import SettingsError
from bci.riemann import ESTIMATORS, augmented_covariances


def stacked(X, order, lag):
    """Form the augmented signal."""
    n_times = X.shape[-1]
    pieces = [X[..., i * lag : n_times - (order - 1 - i) * lag] for i in range(order)]
    return np.concatenate(pieces, axis=-2)


def relative(ours, theirs):
    """Largest difference over the largest entry of each matrix."""
    return (np.abs(ours - theirs).max(axis=(1, 2)) / np.abs(theirs).max(axis=(1, 2))).max()


@st.composite
def windows(draw):
    """Windows, order, lag: also lags longer than the augmented signal, and few samples."""
    order, lag = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    n_samples = draw(st.integers(3, 60))
    n_channels = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.standard_normal((2, n_channels, n_samples + (order - 1) * lag))
    if draw(st.booleans()):
        X = X.cumsum(axis=-1)
    if draw(st.booleans()):
        X -= X.mean(axis=1, keepdims=True) if n_channels > 1 else 0.0
    X *= 10.0 ** draw(st.integers(-9, 6))
    return X + draw(st.sampled_from([0.0, 1.0])) * np.abs(X).max(), order, lag


class TestAgainstTheStackedSignal:
    """Equality."""

    @pytest.mark.parametrize("estimator", list(ESTIMATORS))
    @settings(deadline=None, max_examples=60)
    @given(case=windows())
    def test_equals_pyriemann_on_the_stacked_signal(self, estimator, case):
        """Any shape, order, lag, scale and offset: equal to 1e-12 of the largest entry."""
        X, order, lag = case
        ours = augmented_covariances(X, order, lag, estimator)
        theirs = covariances(stacked(X, order, lag), estimator=estimator)
        assert relative(ours, theirs) < 1e-12

    def test_equals_pyriemann_at_the_size_of_use(self):
        """22 channels in volts, order 4, lag 6, 750 samples: equal to 1e-13."""
        X = np.random.default_rng(1).standard_normal((3, 22, 750)).cumsum(axis=-1) * 1e-6
        ours = augmented_covariances(X, 4, 6)
        assert relative(ours, covariances(stacked(X, 4, 6), estimator="oas")) < 1e-13

    def test_order_one_is_the_plain_covariance(self):
        """Order 1 equals the estimator on the window itself, whatever the lag."""
        X = np.random.default_rng(2).standard_normal((4, 5, 90))
        assert relative(augmented_covariances(X, 1, 7), covariances(X, estimator="oas")) < 1e-13

    def test_a_large_sample_outside_a_block_takes_no_digits(self):
        """A spike that only the first block holds leaves the others exact, to their own scale."""
        X = np.random.default_rng(3).standard_normal((1, 3, 100))
        X[0, :, 0] = 1e8
        last = augmented_covariances(X, 3, 2, "scm")[:, 6:, 6:]
        assert relative(last, covariances(X[..., 4:], estimator="scm")) < 1e-13
        # Sums that added the spike's square, 1e16, and took it away again would keep no digit.


class TestInputs:
    """What is taken, refused and left alone."""

    def test_a_window_does_not_depend_on_its_company(self):
        """Alone or among others, the same bits."""
        X = np.random.default_rng(4).standard_normal((5, 4, 60))
        together = augmented_covariances(X, 3, 2)
        for i in range(5):
            assert_array_equal(together[i], augmented_covariances(X[i : i + 1], 3, 2)[0])

    def test_takes_views_and_read_only_arrays_and_leaves_them_alone(self):
        """Transposed, strided and read-only windows give the same bits; none is changed."""
        X = np.random.default_rng(5).standard_normal((2, 4, 60)) + 3.0
        before = X.copy()
        expected = augmented_covariances(X, 2, 3)
        time_major = np.ascontiguousarray(X.transpose(0, 2, 1)).transpose(0, 2, 1)
        strided = np.repeat(X, 2, axis=2)[:, :, ::2]
        time_major.flags.writeable = strided.flags.writeable = False
        assert_array_equal(augmented_covariances(time_major, 2, 3), expected)
        assert_array_equal(augmented_covariances(strided, 2, 3), expected)
        assert_array_equal(X, before)

    def test_is_symmetric_to_the_last_bit(self):
        """C equals its transpose exactly."""
        C = augmented_covariances(np.random.default_rng(6).standard_normal((2, 5, 80)), 3, 4)
        assert_array_equal(C, C.transpose(0, 2, 1))

    def test_shrinkage_makes_rank_deficient_windows_positive_definite(self):
        """Average reference and fewer samples than rows: OAS and Ledoit-Wolf stay definite."""
        X = np.random.default_rng(7).standard_normal((2, 6, 40)) * 1e-5
        X -= X.mean(axis=1, keepdims=True)
        for estimator in ("oas", "lwf"):
            eigenvalues = np.linalg.eigvalsh(augmented_covariances(X, 5, 4, estimator))
            assert (eigenvalues[:, 0] > 1e-6 * eigenvalues[:, -1]).all()

    @pytest.mark.parametrize(
        ("order", "lag", "estimator", "message"),
        [
            (0, 1, "oas", "order 0"),
            (2, 0, "oas", "lag 0"),
            (4, 20, "oas", "at least 62 samples, these have 50"),
            (1, 1, "mcd", "choose one of scm, oas, lwf"),
        ],
    )
    def test_what_cannot_be_is_said(self, order, lag, estimator, message):
        """Order, lag, length and estimator out of range: one line that names the value."""
        with pytest.raises(SettingsError, match=message):
            augmented_covariances(np.zeros((1, 2, 50)), order, lag, estimator)
