"""Recentering: the running mean, the map back to the reference, the model that carries them."""

import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pyriemann.geometry.distance import distance_riemann
from pyriemann.geometry.geodesic import geodesic_riemann

from bci.config import EpochSettings
from bci.decoders import Model, Recentering, RunningReference, load_model, make_decoder
from bci.decoders.recentering import geodesic, recentered, transport
from bci.errors import ModelError, SettingsError
from bci.riemann import riemannian_mean

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 8)


def positive(seed, n, number=1, spread=1.0):
    """Return matrices whose eigenvalues spread over `spread` decades and a scale of volts."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        V = np.linalg.qr(rng.standard_normal((n, n)))[0]
        made.append((V * 10.0 ** rng.uniform(-11 - spread, -11, n)) @ V.T)
    C = np.array(made)
    return (C + C.transpose(0, 2, 1)) / 2


def near(C, D):
    """Return the affine-invariant distance, computed elsewhere."""
    return distance_riemann(C, D)


class TestGeometry:
    """The step along the geodesic and the map."""

    @given(seeds, sizes, st.floats(0, 1), st.floats(0, 5))
    def test_the_step_is_pyriemanns(self, seed, n, fraction, spread):
        """Any size, scale and condition: the same point, symmetric to the last bit."""
        M, C = positive(seed, n, 2, spread)
        ours = geodesic(M, C, fraction)
        assert near(ours, geodesic_riemann(M, C, fraction)) < 1e-8
        assert_array_equal(ours, ours.T)

    @given(seeds, sizes, st.floats(0, 5))
    def test_the_map_takes_the_mean_to_the_reference(self, seed, n, spread):
        """T M T = R with T symmetric and positive, also for matrices that are badly conditioned."""
        M, R = positive(seed, n, 2, spread)
        T = transport(M, R)
        assert_array_equal(T, T.T)
        assert np.linalg.eigvalsh(T)[0] > 0
        assert near(recentered(M[None], T)[0], R) < 1e-7

    def test_a_nearly_singular_mean_has_a_map(self):
        """Sample covariances of an average reference, with nothing but the ridge: T still holds."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((2, 20, 300))
        X -= X.mean(axis=1, keepdims=True)
        M, R = X @ X.transpose(0, 2, 1) / 300 + 1e-9 * np.eye(20)
        assert near(recentered(M[None], transport(M, R))[0], R) < 1e-5

    @given(seeds, sizes)
    def test_a_symmetric_positive_shift_is_undone(self, seed, n):
        """Gains of channels, or any symmetric positive mixing: every covariance comes back."""
        C = positive(seed, n, 5)
        R = riemannian_mean(C)
        gains = np.diag(np.random.default_rng(seed).uniform(0.3, 3.0, n))
        for A in (gains, 1e11 * positive(seed + 1, n)[0]):
            shifted = recentered(C, A)
            T = transport(riemannian_mean(shifted), R)
            for before, after in zip(C, recentered(shifted, T), strict=True):
                assert near(before, after) < 1e-6

    @given(seeds, st.integers(2, 8))
    def test_any_linear_shift_is_undone_up_to_a_rotation(self, seed, n):
        """After any mixing the mean is the reference, and all distances are those before."""
        C = positive(seed, n, 4)
        R = riemannian_mean(C)
        A = np.random.default_rng(seed).standard_normal((n, n)) + 2 * np.eye(n)
        shifted = A @ C @ A.T
        shifted = (shifted + shifted.transpose(0, 2, 1)) / 2
        back = recentered(shifted, transport(riemannian_mean(shifted), R))
        assert near(riemannian_mean(back), R) < 1e-6
        for i in range(4):
            assert near(back[i], R) == pytest.approx(near(C[i], R), abs=1e-5)
            for j in range(i):
                assert near(back[i], back[j]) == pytest.approx(near(C[i], C[j]), abs=1e-5)


def running(R, tau_s=120.0):
    """Return a running reference of windows of 100 samples at 100 Hz."""
    return RunningReference(Recentering((R,), (R[None],), tau_s), 100, 100.0)


class TestRunningReference:
    """The mean follows what is decided on, in order."""

    def test_before_the_first_window_nothing_moves(self):
        """A fresh reference leaves covariances as they are."""
        R, C = positive(0, 4, 2)
        assert_array_equal(running(R).transformed([C[None]])[0], C[None])
        assert running(R).moved_db < 1e-9

    def test_powers_are_averaged_with_the_time_constant(self):
        """One channel: log power follows 1 - exp(-t / tau), tau from an eighth to the whole."""
        reference = running(np.array([[1.0]]), tau_s=40.0)
        level, heard = 0.0, []
        for k in range(100):
            power = np.exp(np.sin(k / 9.0) + 1.0)
            reference.learn([np.array([[[power]]])], 100 * k)
            level += (1 - np.exp(-1.0 / min(40.0, 5.0 + k))) * (np.log(power) - level)
            heard.append(reference.moved_db)
            assert heard[-1] == pytest.approx(abs(10 / np.log(10) * level))
            moved = reference.transformed([np.array([[[power]]])])[0][0, 0, 0]
            assert moved == pytest.approx(power / np.exp(level))
        assert max(heard) > 3.0

    def test_it_comes_to_the_mean_of_what_it_sees(self):
        """Independent windows about another mean: the running one ends near their Riemannian mean.

        How near is bounded by the forgetting: a mean of some 2 tau / length windows.
        """
        C = geodesic_towards_mean(positive(3, 5, 400), 0.3)
        R = positive(4, 5)[0]
        reference = running(R, tau_s=60.0)
        for k, window in enumerate(C):
            reference.learn([window[None]], 100 * k)
        goal = riemannian_mean(C)
        arrived = reference.transformed([goal[None]])[0][0]
        scatter = np.sqrt(np.mean([near(window, goal) ** 2 for window in C]))
        assert near(arrived, R) < 2 * scatter / np.sqrt(2 * 60.0)
        assert near(arrived, R) < 0.1 * near(goal, R)

    def test_windows_that_overlap_count_once(self):
        """A hop of a tenth of a window: only every tenth is learned from."""
        R, *C = positive(5, 3, 31)
        hops, windows = running(R), running(R)
        for k, window in enumerate(C):
            hops.learn([window[None]], 10 * k)
            if k % 10 == 0:
                windows.learn([window[None]], 10 * k)
        assert_array_equal(hops.transformed([R[None]])[0], windows.transformed([R[None]])[0])

    def test_where_the_stream_began_does_not_matter(self):
        """The same windows at other sample numbers: the same to the last bit."""
        R, *C = positive(6, 6, 20)
        here, there = running(R), running(R)
        for k, window in enumerate(C):
            here.learn([window[None]], 30 * k)
            there.learn([window[None]], 30 * k + 123_457)
        assert_array_equal(here.transformed([R[None]])[0], there.transformed([R[None]])[0])

    @pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
    def test_a_window_that_is_no_covariance_changes_nothing(self, value):
        """Singular, or not a number: passed over, and the next one counts."""
        R, C = positive(7, 4, 2)
        reference = running(R)
        broken = C.copy()
        broken[0, :] = broken[:, 0] = value
        reference.learn([broken[None]], 100)
        assert reference.moved_db < 1e-9
        reference.learn([C[None]], 110)
        assert reference.moved_db > 0.1

    def test_views_move_together_or_not_at_all(self):
        """A window that is singular in one view moves none of them."""
        R, C = positive(8, 3, 2)
        recentering = Recentering((R, R), (R[None], R[None]))
        reference = RunningReference(recentering, 100, 100.0)
        reference.learn([C[None], 0 * C[None]], 100)
        assert reference.moved_db < 1e-9

    @given(seeds, st.integers(1, 5))
    def test_it_does_not_depend_on_the_basis(self, seed, n):
        """All windows in another basis: the mean is as far from the reference as before."""
        R, *C = positive(seed, n, 8)
        A = np.random.default_rng(seed).standard_normal((n, n)) + 2 * np.eye(n)
        plain, mixed = running(R), running(symmetric(A @ R @ A.T))
        for k, window in enumerate(C):
            plain.learn([window[None]], 100 * k)
            mixed.learn([symmetric(A @ window @ A.T)[None]], 100 * k)
        assert mixed.moved_db == pytest.approx(plain.moved_db, rel=1e-4)

    @pytest.mark.parametrize("tau_s", [0.0, -1.0, np.nan, np.inf])
    def test_a_time_constant_that_is_none_is_refused(self, tau_s):
        """Zero, negative, not a number, endless."""
        with pytest.raises(SettingsError, match="give one above 0"):
            Recentering((), (), tau_s)


def symmetric(C):
    """Return the symmetric part."""
    return (C + C.T) / 2


def geodesic_towards_mean(C, scatter):
    """Return the matrices drawn toward their mean."""
    M = riemannian_mean(C)
    return np.array([geodesic(M, window, scatter) for window in C])


@pytest.fixture(scope="module")
def fitted(make_trials):
    """Return a model that recentres, and the windows it was trained on."""
    X, y = make_trials()
    names, index = np.unique(y, return_inverse=True)
    estimator = make_decoder("acm-lr", order=2, lag=3).fit(X, y)
    (C,) = estimator.covariances(X)
    means = np.stack([riemannian_mean(C[index == k]) for k in range(2)])
    recentering = Recentering((riemannian_mean(C),), (means,), 90.0)

    def model(recentering=recentering, estimator=estimator):
        return Model(
            tuple(f"C{k}" for k in range(6)),
            160.0,
            EpochSettings(),
            tuple(names),
            estimator,
            np.ones(6),
            recentering=recentering,
        )

    return model, X


class TestModel:
    """The model file."""

    def test_it_comes_back_to_the_last_bit(self, fitted, tmp_path):
        """References, class means and time constant; without recentering, none of it."""
        model, X = fitted
        model().save(tmp_path / "m.bci")
        loaded = load_model(tmp_path / "m.bci")
        for name in ("references", "class_means"):
            for a, b in zip(
                getattr(loaded.recentering, name), getattr(model().recentering, name), strict=True
            ):
                assert_array_equal(a, b)
        assert loaded.recentering.tau_s == 90.0
        assert_array_equal(loaded.probabilities(X), model().probabilities(X))
        model(recentering=None).save(tmp_path / "plain.bci")
        assert load_model(tmp_path / "plain.bci").recentering is None
        with zipfile.ZipFile(tmp_path / "plain.bci") as archive:
            assert sorted(archive.namelist()) == ["card.json", "estimator.skops"]

    def test_parts_that_do_not_fit_are_refused(self, fitted):
        """References of another size or number, and a decoder without covariances."""
        model, _ = fitted
        R = np.eye(11)
        for recentering in (Recentering((R,), (np.stack([R, R]),)), Recentering((), ())):
            with pytest.raises(ModelError, match="not those of the decoder"):
                model(recentering=recentering)

        class Other:
            classes_ = np.array(["left_hand", "right_hand"])

        with pytest.raises(ModelError, match="cannot be recentred"):
            model(estimator=Other())

    @pytest.mark.parametrize("kept", ["card.json", "recentering.skops"])
    def test_a_file_with_half_of_it_is_refused(self, kept, fitted, tmp_path):
        """The settings without the arrays, or the arrays without the settings."""
        model, _ = fitted
        members = {}
        for name, recentering in (("with", model().recentering), ("without", None)):
            model(recentering=recentering).save(tmp_path / name)
            with zipfile.ZipFile(tmp_path / name) as archive:
                members[name] = {item: archive.read(item) for item in archive.namelist()}
        mixed = members["without"] | {kept: members["with"][kept]}
        path = tmp_path / "m.bci"
        with zipfile.ZipFile(path, "w") as archive:
            for item, content in mixed.items():
                archive.writestr(item, content)
        with pytest.raises(ModelError, match=r"damaged card \(recentering"):
            load_model(path)
