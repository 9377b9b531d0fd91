"""The simulated person: exact where it must be, lifelike where it can be measured."""

import functools
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyriemann.estimation import Covariances
from pyriemann.spatialfilters import CSP
from pyriemann.tangentspace import TangentSpace
from scipy import signal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from threadpoolctl import threadpool_limits

from bci.errors import ChannelError, SettingsError
from bci.events import CLASSES, Marker
from bci.sources.recording import Recording
from bci.sources.simulate import SimulatedSource, simulate_run

F64 = NDArray[np.float64]
HANDS = ("left_hand", "right_hand")
FEW = ("C3", "Cz", "C4")
N_SEEDS = 5
N_TRIALS = 60


@pytest.fixture(scope="module", autouse=True)
def one_blas_thread() -> Iterator[None]:
    """Pin BLAS to one thread: small matrices are slower on two."""
    with threadpool_limits(1):
        yield


def protocol(
    n_trials: int, seed: int, classes: tuple[str, ...] = HANDS
) -> tuple[NDArray[np.str_], list[Marker], float]:
    """Return labels, markers and duration (s): 4 s of imagery every 7 to 7.5 s."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.array(classes), n_trials // len(classes)))
    starts = 2.0 + np.cumsum(rng.uniform(7.0, 7.5, n_trials)) - 7.0
    markers = []
    for label, start in zip(labels, starts, strict=True):
        markers += [Marker(float(start), str(label)), Marker(float(start) + 4.0, "imagery_end")]
    return labels, markers, float(starts[-1]) + 7.0


def causal_epochs(recording: Recording, window_s: tuple[float, float] = (0.5, 3.5)) -> F64:
    """Filter causally to 8-30 Hz and cut the windows after the cues."""
    rate_hz = recording.info.rate_hz
    sos = signal.butter(4, (8.0, 30.0), "bandpass", output="sos", fs=rate_hz)
    state = signal.sosfilt_zi(sos)[:, :, None] * recording.samples[0]
    filtered, _ = signal.sosfilt(sos, recording.samples, axis=0, zi=state)
    n_times = round((window_s[1] - window_s[0]) * rate_hz)
    cues = [marker.time_s for marker in recording.markers if marker.label in CLASSES]
    firsts = [int(np.ceil((cue + window_s[0]) * rate_hz)) for cue in cues]
    return np.array([filtered[first : first + n_times].T for first in firsts])


def tangent_space() -> Pipeline:
    """Covariance, tangent space, logistic regression; the log-Euclidean mean saves a minute."""
    tangent = TangentSpace(metric={"mean": "logeuclid", "map": "riemann"})
    return make_pipeline(Covariances("oas"), tangent, LogisticRegression(max_iter=2000))


def csp_lda() -> Pipeline:
    """Six common spatial patterns, linear discriminant."""
    return make_pipeline(Covariances("oas"), CSP(6), LinearDiscriminantAnalysis())


@functools.lru_cache(maxsize=3 * N_SEEDS)
def session(seed: int, n_session: int = 0, **params: Any) -> tuple[F64, NDArray[np.int64]]:
    """Return the epochs and labels (1: left) of a session of `N_TRIALS`."""
    labels, markers, duration_s = protocol(N_TRIALS, 100 + seed + 50 * n_session)
    recording = simulate_run({"seed": seed, "session": n_session, **params}, markers, duration_s)
    return causal_epochs(recording), (labels == "left_hand").astype(np.int64)


def auc(X: F64, y: NDArray[np.int64], pipeline: Pipeline) -> float:
    """Return the mean ROC-AUC of five stratified folds."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return float(cross_val_score(pipeline, X, y, cv=folds, scoring="roc_auc").mean())


# ------------------------------------------------------------------------------------- exactness


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 699), max_size=12),
    deliveries=st.lists(
        st.tuples(
            st.integers(0, 650), st.sampled_from([*CLASSES, "imagery_end"]), st.floats(-2.0, 5.0)
        ),
        max_size=4,
    ),
)
def test_samples_do_not_depend_on_how_they_are_read(
    cuts: list[int], deliveries: list[tuple[int, str, float]]
) -> None:
    """Cut anywhere, with cues early or late: the same samples and stamps to the last bit."""
    deliveries = sorted(deliveries, key=lambda delivery: delivery[0])
    due = {at for at, _, _ in deliveries}

    def run(bounds: set[int]) -> tuple[F64, F64]:
        source = SimulatedSource(ability=1.0, montage=FEW, rate_hz=100.0, seed=3)
        chunks = []
        for begin, end in pairwise(sorted(bounds | due | {0, 700})):
            for at, label, stamp_s in deliveries:
                if at == begin:
                    source.cue(label, stamp_s)
            chunks.append(source.read_samples(end - begin))
        samples = np.concatenate([chunk.samples for chunk in chunks])
        return samples, np.concatenate([chunk.stamps for chunk in chunks])

    whole, whole_stamps = run(set())
    pieces, piece_stamps = run(set(cuts))
    np.testing.assert_array_equal(pieces, whole)
    np.testing.assert_array_equal(piece_stamps, whole_stamps)


def test_stamps_are_computed_not_accumulated() -> None:
    """The stamp of sample k is start + k / rate, exactly, after any number of reads."""
    source = SimulatedSource(montage=FEW, rate_hz=300.0, start_time_s=1234.5, chunk_samples=7)
    chunks = [source.read(0.0) for _ in range(400)]
    assert [chunk.first_sample for chunk in chunks] == list(range(0, 2800, 7))
    stamps = np.concatenate([chunk.stamps for chunk in chunks])
    np.testing.assert_array_equal(stamps, 1234.5 + np.arange(2800) / 300.0)


def test_the_same_parameters_give_the_same_samples_and_others_do_not() -> None:
    """Samples are a function of seed and session, and differ in both."""

    def samples(seed: int, session: int) -> F64:
        source = SimulatedSource(montage=FEW, seed=seed, session=session)
        return source.read_samples(300).samples

    np.testing.assert_array_equal(samples(4, 1), samples(4, 1))
    assert not np.array_equal(samples(4, 1), samples(5, 1))
    assert not np.array_equal(samples(4, 1), samples(4, 2))


def test_a_cue_in_time_counts_from_its_stamp_not_from_its_arrival() -> None:
    """Announced early or delivered at its stamp and a little after, a cue does the same."""
    runs = []
    for delivered_at in (0, 250, 300):
        source = SimulatedSource(ability=1.0, montage=FEW, seed=1)
        before = source.read_samples(delivered_at).samples
        source.cue("right_hand", 1.0)
        runs.append(np.concatenate([before, source.read_samples(1250 - delivered_at).samples]))
    np.testing.assert_array_equal(runs[1], runs[0])
    np.testing.assert_array_equal(runs[2], runs[0])


def test_a_late_cue_starts_at_the_next_sample() -> None:
    """What is out stays as it was; the imagery begins with the sample after the arrival."""
    idle = SimulatedSource(ability=1.0, montage=FEW, seed=1).read_samples(1500).samples
    source = SimulatedSource(ability=1.0, montage=FEW, seed=1)
    out = source.read_samples(1001).samples
    source.cue("right_hand", 1.0)
    later = source.read_samples(499).samples
    np.testing.assert_array_equal(out, idle[:1001])
    changed = np.flatnonzero((later != idle[1001:]).any(axis=1))
    # The ramp is zero at the onset itself.
    assert changed[0] == 1
    assert len(changed) == 498


@pytest.mark.parametrize("label", ["imagery_start", "T1", ""])
def test_markers_that_say_nothing_to_the_person_change_nothing(label: str) -> None:
    """A label that is no class and no end is ignored."""
    idle = SimulatedSource(montage=FEW).read_samples(500).samples
    source = SimulatedSource(montage=FEW)
    source.cue(label, 0.1)
    np.testing.assert_array_equal(source.read_samples(500).samples, idle)


def test_at_ability_zero_nothing_depends_on_the_class() -> None:
    """With every class at every trial swapped, the samples are the same to the last bit."""
    _, markers, duration_s = protocol(12, 0)
    names = list(CLASSES)
    swapped = [
        Marker(m.time_s, names[k // 2 % len(names)] if m.label in CLASSES else m.label)
        for k, m in enumerate(markers)
    ]
    params = {"ability": 0.0, "seed": 2}
    first = simulate_run(params, markers, duration_s)
    second = simulate_run(params, swapped, duration_s)
    np.testing.assert_array_equal(second.samples, first.samples)
    idle = simulate_run(params, [], duration_s)
    assert not np.array_equal(first.samples, idle.samples), "a cue does something"
    params["ability"] = 0.2
    able = [simulate_run(params, cues, duration_s).samples for cues in (markers, swapped)]
    assert not np.array_equal(*able), "and above ability 0 the class matters"


# -------------------------------------------------------------------------------- is it learnable


@pytest.fixture(scope="module")
def scores() -> dict[float, list[float]]:
    """Return tangent-space AUCs of five people by ability, 22 channels."""
    return {
        ability: [auc(*session(seed, ability=ability), tangent_space()) for seed in range(N_SEEDS)]
        for ability in (0.0, 0.5, 1.0)
    }


def test_ability_zero_scores_at_chance(scores: dict[float, list[float]]) -> None:
    """Five people without ability average an AUC of one half.

    By chance an AUC over 30 + 30 trials has the standard deviation sqrt(61 / (12 30 30)) = 0.075
    (Mann and Whitney), the mean of five 0.034: 0.08 is 2.4 of these.
    """
    assert abs(np.mean(scores[0.0]) - 0.5) < 0.08


def test_scores_rise_with_ability(scores: dict[float, list[float]]) -> None:
    """The mean AUC rises from ability 0 over 0.5 to 1, by more than two standard errors each."""
    means = [np.mean(scores[ability]) for ability in (0.0, 0.5, 1.0)]
    assert np.all(np.diff(means) > 0.07)


def test_ability_one_is_easy_for_each_person(scores: dict[float, list[float]]) -> None:
    """At ability 1 each of five people is decoded with an AUC of 0.9 or more."""
    assert min(scores[1.0]) >= 0.9


def test_another_day_costs_something_but_not_all() -> None:
    """A decoder of one day loses accuracy on the next, and still ranks trials above chance."""
    same, other, ranks = [], [], []
    for seed in range(N_SEEDS):
        X, y = session(seed, ability=1.0)
        X_next, y_next = session(seed, 1, ability=1.0)
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        same.append(cross_val_score(tangent_space(), X_next, y_next, cv=folds).mean())
        fitted = tangent_space().fit(X, y)
        other.append(fitted.score(X_next, y_next))
        ranks.append(roc_auc_score(y_next, fitted.predict_proba(X_next)[:, 1]))
    assert np.mean(other) < np.mean(same) - 0.02
    assert np.mean(ranks) > 0.8


@pytest.mark.parametrize(
    ("params", "pipeline"), [({}, csp_lda), ({"montage": "standard-64"}, tangent_space)]
)
def test_ability_one_is_easy_for_other_caps_and_decoders(
    params: dict[str, Any], pipeline: Any
) -> None:
    """Common spatial patterns find it as well, and sixty-four channels do not hide it."""
    each = [auc(*session(seed, ability=1.0, **params), pipeline()) for seed in range(3)]
    assert min(each) >= 0.9


def test_every_class_differs_from_every_other() -> None:
    """Six classes at ability 1 are told apart far above their chance of 1/6."""
    classes = tuple(CLASSES)
    labels, markers, duration_s = protocol(90, 7, classes)
    X = causal_epochs(simulate_run({"ability": 1.0, "seed": 1}, markers, duration_s))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    recall = cross_val_score(tangent_space(), X, labels, cv=folds).mean()
    assert recall > 0.7


# ------------------------------------------------------------------------------- is it lifelike


@pytest.fixture(scope="module")
def resting() -> Recording:
    """Two minutes of an idle person under 64 channels."""
    return simulate_run({"montage": "standard-64", "seed": 3}, [], 120.0)


def spectrum(recording: Recording, label: str) -> tuple[F64, F64]:
    """Return frequencies (Hz) and power density (uV²/Hz) of a channel."""
    samples = recording.samples[:, recording.info.labels.index(label)] * 1e6
    return signal.welch(samples, recording.info.rate_hz, nperseg=500)


def band_power(recording: Recording, label: str, band_hz: tuple[float, float]) -> float:
    """Return the mean power density of a band (uV²/Hz)."""
    frequency, power = spectrum(recording, label)
    return float(power[(frequency >= band_hz[0]) & (frequency <= band_hz[1])].mean())


def test_amplitudes_are_those_of_eeg(resting: Recording) -> None:
    """From 1 to 45 Hz a channel has some 5 to 30 uV RMS."""
    sos = signal.butter(4, (1.0, 45.0), "bandpass", output="sos", fs=250.0)
    rms = signal.sosfilt(sos, resting.samples, axis=0)[500:].std(axis=0)
    assert 10e-6 < np.median(rms) < 20e-6
    assert rms.min() > 3e-6
    assert rms.max() < 40e-6


def test_background_falls_as_a_power_of_frequency(resting: Recording) -> None:
    """Apart from its rhythms the spectrum falls as 1/f^beta, beta between 1 and 2."""
    frequency, power = spectrum(resting, "CP1")
    aside = ((frequency > 1) & (frequency < 6)) | ((frequency > 27) & (frequency < 40))
    slope = np.polyfit(np.log(frequency[aside]), np.log(power[aside]), 1)[0]
    assert -2.0 < slope < -1.0


def test_alpha_is_posterior_and_mu_central(resting: Recording) -> None:
    """The 8-13 Hz peak stands out at Oz and at C3 against their neighbours in frequency."""
    for label, least in (("Oz", 3.0), ("C3", 2.0)):
        peak = band_power(resting, label, (8.0, 13.0))
        floor = np.sqrt(
            band_power(resting, label, (5.0, 6.5)) * band_power(resting, label, (26.0, 30.0))
        )
        assert peak > least * floor
    assert band_power(resting, "Oz", (8.0, 13.0)) > 3 * band_power(resting, "Fz", (8.0, 13.0))


def test_neighbours_are_correlated_and_distant_channels_less(resting: Recording) -> None:
    """Volume conduction: correlation falls with distance, and the covariance has full rank."""
    sos = signal.butter(4, (8.0, 30.0), "bandpass", output="sos", fs=250.0)
    filtered = signal.sosfilt(sos, resting.samples, axis=0)
    correlation = np.abs(np.corrcoef(filtered.T))
    positions = np.array([channel.position_m for channel in resting.info.channels])
    distance = np.linalg.norm(positions[:, None] - positions, axis=2)
    near = correlation[(distance > 0) & (distance < 0.04)].mean()
    far = correlation[distance > 0.12].mean()
    assert near > 0.6
    assert far < near - 0.2
    eigenvalues = np.linalg.eigvalsh(np.cov(filtered.T))
    assert eigenvalues[0] > 1e-6 * eigenvalues[-1]


def test_blinks_come_every_few_seconds_at_the_forehead(resting: Recording) -> None:
    """Deflections above 60 uV at Fp1, 10 to 25 a minute; none at Oz."""
    sos = signal.butter(2, (0.5, 10.0), "bandpass", output="sos", fs=250.0)
    for label, at_least, at_most in (("Fp1", 20, 50), ("Oz", 0, 2)):
        column = resting.samples[:, resting.info.labels.index(label)]
        slow = signal.sosfilt(sos, column)
        peaks, _ = signal.find_peaks(slow, height=60e-6, distance=100)
        assert at_least <= len(peaks) <= at_most


def test_muscle_bursts_raise_high_frequencies_at_the_temples(resting: Recording) -> None:
    """Above 30 Hz the temporal channels burst: their windows' power is far from even."""
    sos = signal.butter(4, (52.0, 95.0), "bandpass", output="sos", fs=250.0)
    fast = signal.sosfilt(sos, resting.samples, axis=0)
    windows = fast[: 120 * 250].reshape(240, 125, -1).var(axis=1)
    unevenness = windows.max(axis=0) / np.median(windows, axis=0)
    labels = resting.info.labels
    temporal = max(unevenness[labels.index(name)] for name in ("T9", "T10", "FT7", "FT8"))
    assert temporal > 10
    assert unevenness[labels.index("Cz")] < 4


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_mains_is_a_line_where_it_is_asked_for(mains_hz: float) -> None:
    """The line stands out at its frequency, and is gone with 0 or beyond Nyquist."""

    def line(**params: Any) -> float:
        recording = simulate_run({"montage": FEW, "mains_hz": mains_hz, **params}, [], 60.0)
        power = [
            spectrum(recording, label)[1][round(2 * mains_hz) - 4 : round(2 * mains_hz) + 5]
            for label in FEW
        ]
        return float(max(row[4] / np.median(row) for row in power))

    assert line() > 2.5
    assert line(mains_hz=0.0) < 1.6
    slow = simulate_run({"montage": FEW, "mains_hz": 50.0, "rate_hz": 100.0}, [], 10.0)
    none = simulate_run({"montage": FEW, "mains_hz": 0.0, "rate_hz": 100.0}, [], 10.0)
    np.testing.assert_array_equal(slow.samples, none.samples)


@pytest.mark.parametrize(
    ("hand", "over", "own"), [("left_hand", "C4", "C3"), ("right_hand", "C3", "C4")]
)
def test_hand_imagery_desynchronises_the_other_side_and_beta_rebounds(
    hand: str, over: str, own: str
) -> None:
    """Mu falls contralaterally after the reaction time and beta overshoots after the end."""
    n_trials, n_period = 20, 2500
    markers = [
        marker
        for k in range(n_trials)
        for marker in (Marker(3 + 10.0 * k, hand), Marker(7 + 10.0 * k, "imagery_end"))
    ]
    people = [
        simulate_run({"ability": 1.0, "seed": seed, "montage": FEW}, markers, 10.0 * n_trials)
        for seed in range(4)
    ]

    def change(band_hz: tuple[float, float], label: str, begin_s: float, end_s: float) -> float:
        """Return the relative change of power against the 2 s before the cue (at 3 s)."""
        sos = signal.butter(3, band_hz, "bandpass", output="sos", fs=250.0)
        changes = []
        for person in people:
            course = signal.sosfiltfilt(sos, person.samples[:, FEW.index(label)]) ** 2
            course = course.reshape(n_trials, n_period).mean(axis=0)
            during = course[round(begin_s * 250) : round(end_s * 250)].mean()
            changes.append(during / course[250:750].mean() - 1)
        return float(np.mean(changes))

    mu, beta = (8.0, 14.0), (16.0, 26.0)
    assert change(mu, over, 4.0, 7.0) < -0.4, "ERD over the other hemisphere"
    assert change(mu, own, 4.0, 7.0) > change(mu, over, 4.0, 7.0) + 0.25
    assert abs(change(mu, over, 3.0, 3.25)) < 0.25, "nothing before the reaction"
    assert change(beta, over, 4.0, 7.0) < -0.2
    assert change(beta, over, 7.9, 8.5) > 0.2, "rebound"


def test_the_idle_person_drifts() -> None:
    """Electrode offsets wander by microvolts over a minute, each channel its own way."""
    recording = simulate_run({"montage": FEW}, [], 240.0)
    minutes = recording.samples.reshape(4, -1, 3).mean(axis=1)
    moved = np.diff(minutes, axis=0)
    assert np.abs(moved).max() > 2e-6
    assert np.abs(minutes).max() < 200e-6
    assert np.ptp(moved[0]) > 0.5e-6


# ------------------------------------------------------------------------------- as a source


def test_description_is_that_of_an_amplifier() -> None:
    """Labels, unit, positions and rate are there before the first sample."""
    source = SimulatedSource(montage=("cz", "C3"), rate_hz=500.0, name="Amp", source_id="a1")
    source.open()
    info = source.info
    assert (info.name, info.kind, info.source_id, info.rate_hz) == ("Amp", "EEG", "a1", 500.0)
    assert info.labels == ("Cz", "C3")
    assert {channel.unit for channel in info.channels} == {"microvolts"}
    assert info.channels[1].position_m is not None
    assert info.channels[1].position_m[0] < -0.05, "C3 lies to the left"
    assert not source.ended
    source.close()
    source.close()


def test_a_channel_is_the_same_brain_in_every_montage() -> None:
    """C3 sees the same cortex whether 3 or 64 electrodes are worn: only its noise differs."""
    few = simulate_run({"montage": FEW, "seed": 5, "mains_hz": 0.0}, [], 20.0)
    many = simulate_run({"montage": "standard-64", "seed": 5, "mains_hz": 0.0}, [], 20.0)
    sos = signal.butter(4, (4.0, 20.0), "bandpass", output="sos", fs=250.0)
    one = signal.sosfilt(sos, few.samples[:, 0])
    other = signal.sosfilt(sos, many.samples[:, many.info.labels.index("C3")])
    assert np.corrcoef(one, other)[0, 1] > 0.98


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        ({"ability": 1.5}, SettingsError, "ability 1.5"),
        ({"ability": float("nan")}, SettingsError, "ability nan"),
        ({"rate_hz": 50.0}, SettingsError, "rate 50 Hz"),
        ({"rate_hz": float("inf")}, SettingsError, "rate inf"),
        ({"seed": -1}, SettingsError, "seed -1"),
        ({"session": -2}, SettingsError, "session -2"),
        ({"chunk_samples": 0}, SettingsError, "chunk of 0"),
        ({"mains_hz": -50.0}, SettingsError, "mains -50"),
        ({"start_time_s": float("nan")}, SettingsError, "start time nan"),
        ({"montage": ("C3", "E17")}, ChannelError, "'E17'"),
    ],
)
def test_bad_parameters_are_named(
    params: dict[str, Any], error: type[Exception], words: str
) -> None:
    """A parameter out of range is refused in one line with its value."""
    with pytest.raises(error, match=words) as caught:
        SimulatedSource(**params)
    assert "\n" not in str(caught.value)


def test_a_cue_without_a_time_is_refused() -> None:
    """A stamp that is not a number is a programming error, said at once."""
    with pytest.raises(ValueError, match="left_hand"):
        SimulatedSource(montage=FEW).cue("left_hand", float("nan"))


def test_sixty_four_channels_run_far_faster_than_real_time() -> None:
    """64 channels at 250 Hz, read in chunks of 40 ms, cost under 1/50 of their duration."""
    source = SimulatedSource(montage="standard-64")
    began = time.process_time()
    for _ in range(500):
        source.read(0.0)
    assert time.process_time() - began < 20.0 / 50
