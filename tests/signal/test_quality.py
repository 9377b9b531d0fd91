"""How good a channel is."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from bci.signal.quality import (
    BAD,
    QUALITIES,
    advice,
    channel_quality,
    impedances,
    number,
)
from bci.sources.base import Channel
from bci.sources.discovery import describe_stream
from bci.sources.reading import open_recording
from bci.sources.simulate import SimulatedSource

RATE_HZ = 250.0
TIME_S = np.arange(500) / RATE_HZ
LABELS = ("C3", "C4")


def eeg(seed: int = 0, rate_hz: float = RATE_HZ, n: int = 500) -> np.ndarray:
    """Return two seconds of something like EEG, 1/f with alpha, with an electrode's offset (V)."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequencies = np.fft.rfftfreq(n, 1 / rate_hz)
    pink = np.fft.irfft(spectrum / np.maximum(frequencies, 1.0), n)
    alpha = np.sin(2 * np.pi * 10 * np.arange(n) / rate_hz + seed)
    return 0.02 + 1e-5 * (pink / pink.std() + alpha)


def at(hz: float, volts: float) -> np.ndarray:
    """Return a sine of that RMS."""
    return np.sqrt(2) * volts * np.sin(2 * np.pi * hz * TIME_S)


def popping(volts: float = 2e-4) -> np.ndarray:
    """Return EEG whose level jumps for good."""
    return eeg() + volts * (TIME_S > 1.1)


def clipped() -> np.ndarray:
    """Return a signal at the end of its range for half of the time."""
    return np.minimum(eeg() + 3e-5 * np.sin(2 * np.pi * TIME_S), 0.02)


BAD_CHANNELS = {
    "mains": eeg() + at(50, 4e-5),
    "muscle": eeg() + at(70, 2e-5) + at(83, 2e-5),
    "drifting": eeg() + 2e-4 * TIME_S,
    "bridged": eeg(1) + 2e-7 * np.random.default_rng(7).standard_normal(500),
    "noisy": 0.02 + 12 * (eeg() - 0.02),
    "popping": popping(),
    "saturated": clipped(),
    "flat": np.full(500, 0.187),
    "not a number": np.where(TIME_S == 1.0, np.nan, eeg()),
}


@pytest.mark.parametrize("kind", BAD_CHANNELS)
def test_each_fault_is_told_beside_a_good_channel(kind: str) -> None:
    """One bad channel has its name, and does not spoil the judgement of its neighbour."""
    found = channel_quality(np.column_stack([eeg(1), BAD_CHANNELS[kind]]), RATE_HZ)
    assert found.quality == ("bridged" if kind == "bridged" else "good", kind)


@pytest.mark.parametrize("kind", [*BAD_CHANNELS, "good"])
def test_each_fault_has_a_number_and_what_to_do(kind: str) -> None:
    """The number has a unit, or says what it counts; the advice names the channel."""
    found = channel_quality(np.column_stack([eeg(1), BAD_CHANNELS.get(kind, eeg())]), RATE_HZ)
    text = number(found, 1, LABELS)
    assert any(unit in text for unit in ("µV", "jumps a minute", "no numbers"))
    assert ("C4" in advice(kind, ["C4"])) == (kind != "good")
    if kind == "bridged":
        assert text.endswith("µV from C3")


def test_every_word_has_advice_and_bad_ones_are_the_worst() -> None:
    """The order of the words is that of their weight."""
    assert [word for word in QUALITIES if not advice(word, ["C3"])] == ["good"]
    assert QUALITIES[-len(BAD) :] == BAD
    assert "C9 and 2 more" in advice("flat", [f"C{k}" for k in range(12)])


@given(st.floats(1e-7, 1e-3), st.floats(11.0, 40.0))
def test_the_rms_is_that_of_a_sine(volts: float, hz: float) -> None:
    """A sine in the band has its RMS, whatever offset and drift come with it."""
    found = channel_quality((at(hz, volts) + 0.1 + 1e-3 * TIME_S)[:, None], RATE_HZ)
    np.testing.assert_allclose(found.rms_v[0], volts, rtol=0.03)


@given(st.floats(1.05, 30.0), st.sampled_from([50.0, 60.0]))
def test_mains_are_told_from_their_limit_on(times: float, mains_hz: float) -> None:
    """Beyond the rest of the signal and 15 uV they are mains; far below they are not."""
    base = eeg()
    rms = float(channel_quality(base[:, None], RATE_HZ).rms_v[0])
    limit = max(rms, 1.5e-5)
    loud, soft = (
        channel_quality((base + at(mains_hz, volts))[:, None], RATE_HZ, mains_hz=mains_hz)
        for volts in (times * limit, limit / times)
    )
    assert (loud.quality, soft.quality) == (("mains",), ("good",))
    np.testing.assert_allclose(loud.mains_v[0], times * limit, rtol=0.05)


@given(st.floats(1.3e-6, 1e-5))
def test_neighbours_that_differ_by_more_than_noise_are_not_bridged(volts: float) -> None:
    """The distance of two channels is the RMS of their difference in the band."""
    one = eeg(1)
    found = channel_quality(np.column_stack([one, one + at(17, volts)]), RATE_HZ)
    assert found.quality == ("good", "good")
    np.testing.assert_allclose(found.distance_v[0, 1], volts, rtol=0.02)


def test_distance_and_likeness_are_those_of_the_filtered_signals() -> None:
    """An independent computation in time gives the same correlations and distances."""
    rng = np.random.default_rng(3)
    samples = np.column_stack([eeg(k, n=5000) for k in range(9)])
    samples = samples @ (np.eye(9) + 0.4 * rng.random((9, 9)))
    found = channel_quality(samples, RATE_HZ)
    sos = signal.butter(8, (1.0, 45.0), "bandpass", output="sos", fs=RATE_HZ)
    tapered = signal.sosfiltfilt(sos, samples - samples.mean(axis=0), axis=0)
    tapered *= np.sqrt(2 / 3) * 2 * np.hanning(5000)[:, None]
    difference = tapered[:, :, None] - tapered[:, None, :]
    expected = np.sqrt(np.mean(difference**2, axis=0))
    off = ~np.eye(9, dtype=bool)
    np.testing.assert_allclose(found.distance_v[off], expected[off], rtol=0.1)
    correlation = np.abs(np.corrcoef(tapered.T))[off].reshape(9, 8)
    np.testing.assert_allclose(found.likeness, np.quantile(correlation, 0.98, axis=1), atol=0.03)


def test_a_channel_unlike_all_others_is_told() -> None:
    """Among eight that share a source, the one that does not is named; of few nothing is said."""
    shared = eeg(0)
    others = [shared + 0.3 * (eeg(k) - 0.02) for k in range(1, 9)]
    lone = 0.02 + 2e-5 * np.random.default_rng(5).standard_normal(500)
    lone = signal.sosfiltfilt(signal.butter(2, 20, output="sos", fs=RATE_HZ), lone)
    found = channel_quality(np.column_stack([*others, lone]), RATE_HZ)
    assert found.quality == ("good",) * 8 + ("unlike others",)
    assert np.isnan(channel_quality(np.column_stack([*others[:3], lone]), RATE_HZ).likeness).all()


def test_the_muscle_band_leaves_the_mains_out() -> None:
    """Neither the line nor its multiple counts as muscle."""
    n, rate_hz = 2000, 1000.0
    time_s = np.arange(n) / rate_hz
    hum = 5e-5 * (np.sin(2 * np.pi * 50 * time_s) + np.sin(2 * np.pi * 100 * time_s))
    base = eeg(2, rate_hz, n)
    with_hum, without = channel_quality(np.column_stack([base + hum, base]), rate_hz).muscle_v
    np.testing.assert_allclose(with_hum, without, rtol=0.1)


@pytest.mark.parametrize(("volts", "counted"), [(2e-4, 30.0), (2e-5, 0.0)])
def test_jumps_are_counted(volts: float, counted: float) -> None:
    """One jump in two seconds is thirty a minute; a blink's slope is none."""
    blink = eeg() + 2e-4 * np.exp(-(((TIME_S - 1) / 0.08) ** 2))
    found = channel_quality(np.column_stack([popping(volts), blink]), RATE_HZ)
    assert list(found.pops_per_min) == [counted, 0.0]


def test_a_person_is_good() -> None:
    """Every channel of the simulated person, with its alpha, blinks and hum, is good."""
    source = SimulatedSource(seed=3)
    samples = source.read_samples(2500).samples
    for start in range(0, 2500, 500):
        found = channel_quality(samples[start : start + 500], source.info.rate_hz)
        assert set(found.quality) <= {"good", "noisy"}  # a blink may be large in front
        assert found.quality.count("good") > 0.9 * len(found.quality)


def test_a_line_beyond_the_band_is_none() -> None:
    """At 80 Hz nothing is known of 50 Hz."""
    found = channel_quality(eeg()[:, None], 80.0)
    assert found.mains_v[0] == 0.0


def test_who_blinks_has_no_noisy_forehead() -> None:
    """Beyond the usual rate a loud forehead is the eyes'; the rate is the number."""
    loud = (0.02 + 12 * (eeg() - 0.02))[:, None]
    found = channel_quality(loud, RATE_HZ, blinks_per_min=np.array([45.0]))
    assert found.quality == ("blinking",)
    assert number(found, 0, ["Fp1"]) == "45 blinks a minute"


@pytest.mark.parametrize(
    ("text", "ohm", "quality"),
    [
        ("7.5", 7500.0, "good"),
        ("80", 80e3, "high impedance"),
        ("0", None, "good"),
        ("", None, "good"),
    ],
)
def test_the_impedance_is_that_of_the_stream(text: str, ohm: float | None, quality: str) -> None:
    """As LSL's meta-data has it, in kOhm; what was not measured is not judged."""
    info = describe_stream(
        "<info><name>a</name><type>EEG</type><channel_count>1</channel_count>"
        "<nominal_srate>250</nominal_srate><channel_format>float32</channel_format><desc><channels>"
        f"<channel><label>C3</label><impedance>{text}</impedance></channel>"
        "</channels></desc></info>"
    )
    assert info.channels[0].impedance_ohm == ohm
    assert info.channels[0] == Channel("C3")  # another impedance makes no other channel
    found = channel_quality(eeg()[:, None], RATE_HZ, impedance_ohm=impedances(info.channels))
    assert found.quality == (quality,)


def test_it_is_quick_enough_to_be_asked_all_the_time() -> None:
    """Two seconds of 64 channels at 1 kHz take the processor less than 20 ms."""
    samples = np.column_stack([eeg(k, 1000.0, 2000) for k in range(64)])
    times = []
    for _ in range(15):
        began = time.thread_time()
        channel_quality(samples, 1000.0)
        times.append(time.thread_time() - began)
    assert min(times) < 0.020


def test_too_little_is_refused() -> None:
    """Less than a second says nothing."""
    with pytest.raises(ValueError, match="less than a second"):
        channel_quality(np.zeros((100, 2)), RATE_HZ)


def test_a_real_window_is_judged_as_by_eye(shared_data) -> None:
    """S006's gel joins F1 and Fz, which MNE finds too; its parietal midline is well."""
    recording = open_recording(shared_data / "eegmmidb" / "S006R04.edf")
    found = channel_quality(recording.samples[1600:1920], 160.0, mains_hz=60.0)
    words = dict(zip(recording.info.labels, found.quality, strict=True))
    assert (words["F1"], words["Fz"], words["POz"]) == ("bridged", "bridged", "good")
