"""How good the channels of a recording are, and whether people blink."""

import warnings
from pathlib import Path

import mne
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.errors import ChannelError, RecordingError
from bci.signal.blinks import blinks_per_min, find_blinks
from bci.signal.recorded_quality import find_mains, recorded_quality, verdict, worst_of
from bci.sources.base import Channel, StreamInfo
from bci.sources.reading import open_recording
from bci.sources.recording import Recording
from bci.sources.simulate import SimulatedSource

RATE_HZ = 250.0
LABELS = ("Fp1", "C3", "Cz", "C4", "CP3", "CP4", "Pz", "Oz", "O1", "O2")


def a_person(seconds: float = 40.0, change=None, stamps=None) -> Recording:
    """Return a recording of a simulated person, its samples changed."""
    source = SimulatedSource(montage=LABELS, seed=4, mains_hz=50.0)
    samples = source.read_samples(round(seconds * RATE_HZ)).samples.copy()
    if change:
        change(samples)
    times = np.arange(len(samples)) / RATE_HZ
    return Recording(
        Path("person.xdf"),
        source.info,
        samples,
        times if stamps is None else stamps(times),
        np.empty((0, 2)),
    )


def test_a_good_recording_is_good() -> None:
    """No channel of a simulated person is bad, and all windows are judged."""
    found = recorded_quality(a_person())
    assert (found.bad, found.n_torn, len(found.times_s), found.mains_hz) == ((), 0, 20, 50.0)
    assert verdict([found])[0] == "good"


@pytest.mark.parametrize(("share", "word"), [(0.1, "good"), (0.6, "noisy")])
def test_a_fault_counts_when_it_lasts(share: float, word: str) -> None:
    """A channel that is loud for most of the time is bad, for a tenth it is not; both are shown."""

    def loud(samples: np.ndarray) -> None:
        n = round(share * len(samples))
        samples[-n:, 2] = 30 * (samples[-n:, 2] - samples[-n:, 2].mean())

    found = recorded_quality(a_person(change=loud))
    assert found.found.quality[2] == word
    first, _middle, last = found.trend
    assert first < 0.2
    assert last > 0.2


def test_one_value_that_is_no_number_is_told() -> None:
    """However short: a decoder could not be trained with it."""

    def spoil(samples: np.ndarray) -> None:
        samples[3000, 1] = np.nan

    found = recorded_quality(a_person(change=spoil))
    assert found.bad == ("C3",)
    assert found.found.quality[1] == "not a number"


def test_windows_with_a_gap_are_counted_not_judged() -> None:
    """A gap of a second tears one window; the others are judged."""

    def gap(times: np.ndarray) -> np.ndarray:
        return times + (times > 13.1)

    found = recorded_quality(a_person(stamps=gap))
    assert found.n_torn == 1
    assert len(found.windows) == 19
    assert 12.0 not in found.times_s


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_the_mains_are_found(mains_hz: float) -> None:
    """Whichever line hums."""

    def hum(samples: np.ndarray) -> None:
        time_s = np.arange(len(samples)) / RATE_HZ
        samples += 3e-6 * np.sin(2 * np.pi * mains_hz * time_s)[:, None]

    assert find_mains(a_person(change=hum)) == mains_hz


def test_the_verdict_counts_channels_of_all_runs() -> None:
    """One bad channel of ten is left out, two are too many; the worst run is the one shown."""

    def flat(*columns: int):
        def change(samples: np.ndarray) -> None:
            samples[:, list(columns)] = 0.0

        return change

    good, one, other = (
        recorded_quality(a_person(12.0, change)) for change in (None, flat(2), flat(3))
    )
    assert verdict([good, one])[0] == "usable"
    assert "leave out Cz (1 of 10 channels)" in verdict([good, one])[1]
    assert verdict([one, other])[0] == "poor"
    assert worst_of([good, one], "Cz") == (one, 2)


@pytest.mark.parametrize("rate_per_min", [35, 50, 60])
@pytest.mark.parametrize("person", ["S001", "S042"])
def test_who_blinks_all_the_time_is_counted_too(
    shared_data: Path, person: str, rate_per_min: int
) -> None:
    """Blinks put into a run widen the spread that they are told from; four of five are found."""
    recording = open_recording(shared_data / "eegmmidb" / f"{person}R04.edf")
    rate_hz = recording.info.rate_hz
    samples = recording.samples[:, recording.info.labels.index("Fp1")]
    time_s = np.arange(len(samples)) / rate_hz
    rng = np.random.default_rng(rate_per_min)
    at = np.cumsum(60 / rate_per_min * rng.uniform(0.6, 1.4, 200))
    at = at[at < time_s[-1] - 1]
    blinks = sum(np.exp(-(((time_s - t) / 0.11) ** 2)) for t in at)
    found = find_blinks(samples + 2.5e-4 * blinks, rate_hz)
    nearest = np.abs(found[:, None] / rate_hz - at).min(axis=0)
    assert np.count_nonzero(nearest < 0.15) >= 0.8 * len(at)


def test_what_cannot_be_judged_is_refused() -> None:
    """A recording of seconds, and one without EEG, in a line that says what to do."""
    with pytest.raises(RecordingError, match=r"person.xdf lasts 4 s .* give a longer one"):
        recorded_quality(a_person(4.0))
    info = StreamInfo("a", "Misc", "", RATE_HZ, (Channel("x", kind="Misc"),))
    silent = Recording(
        Path("x.xdf"), info, np.zeros((5000, 1)), np.arange(5000) / 250, np.empty((0, 2))
    )
    with pytest.raises(ChannelError, match=r"x.xdf has no EEG channel .*\(x\): give a recording"):
        recorded_quality(silent)


def test_bridges_are_those_that_mne_finds(shared_data) -> None:
    """All pairs within 1 uV of each other are bridged for MNE; S001 has none, S042 has."""
    for person, n_bridged in (("S001", 0), ("S042", 14)):
        recording = open_recording(shared_data / "eegmmidb" / f"{person}R04.edf")
        labels = recording.info.labels
        found = recorded_quality(recording)
        raw = mne.io.RawArray(
            recording.samples.T, mne.create_info(list(labels), 160.0, "eeg"), verbose="error"
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pairs, _ = mne.preprocessing.compute_bridged_electrodes(raw, verbose="error")
        theirs = {frozenset((labels[i], labels[j])) for i, j in pairs}
        near = np.argwhere(found.found.distance_v < 1e-6)
        ours = {frozenset((labels[i], labels[j])) for i, j in near}
        assert ours == theirs
        assert found.found.quality.count("bridged") == n_bridged
        assert found.bad == ()


def test_what_the_shared_recordings_show(shared_data) -> None:
    """P1's unused inputs are flat, its FC1 of the third day tense; S001R02 is no EEG any more."""
    names = [*"C3 C4 Cz FC1 FC2 FC5 FC6 CP1 CP2 CP5 CP6".split(), "a", "b", "c", "d", "e"]
    third = recorded_quality(
        open_recording(shared_data / "days_xdf" / "P1_009.xdf", unit="uV", labels=names)
    )
    assert third.bad == ("a", "b", "c", "d", "e")
    assert third.found.quality[3] == "muscle"
    broken = recorded_quality(open_recording(shared_data / "eegmmidb" / "S001R02.edf"))
    assert verdict([broken])[0] == "poor"
    assert len(broken.bad) == 64


@given(
    st.lists(st.floats(0.8, 3.0), min_size=3, max_size=12),
    st.floats(9e-5, 4e-4),
    st.integers(0, 1000),
)
def test_planted_blinks_are_counted(apart: list[float], height: float, seed: int) -> None:
    """Each blink above 50 uV is found, where it is, and nothing else of 1/f noise and alpha."""
    peaks = 1.0 + np.cumsum(apart)
    time_s = np.arange(0, peaks[-1] + 11.0, 1 / RATE_HZ)
    rng = np.random.default_rng(seed)
    frequencies = np.fft.rfftfreq(len(time_s), 1 / RATE_HZ)
    pink = np.fft.irfft(
        np.fft.rfft(rng.standard_normal(len(time_s))) / np.maximum(frequencies, 1.0), len(time_s)
    )
    trace = 8e-6 * pink / pink.std() + 2e-5 * np.sin(2 * np.pi * 10 * time_s)
    for peak in peaks:
        trace = trace + height * np.exp(-0.5 * ((time_s - peak) / 0.07) ** 2)
    found = find_blinks(trace, RATE_HZ)
    assert len(found) == len(peaks)
    assert np.abs(found / RATE_HZ - peaks).max() < 0.06
    rates = blinks_per_min(np.column_stack([trace, trace]), ["Fp1", "Cz"], RATE_HZ)
    np.testing.assert_allclose(rates[0], len(peaks) / (len(time_s) / RATE_HZ / 60))
    assert np.isnan(rates[1])


def test_blinks_of_a_person_are_those_that_mne_finds(shared_data) -> None:
    """S007 blinks 49 times in two minutes, by both; ten seconds are needed for a rate."""
    recording = open_recording(shared_data / "eegmmidb" / "S007R04.edf")
    column = recording.info.labels.index("Fp1")
    trace = recording.samples[:, column]
    raw = mne.io.RawArray(trace[None], mne.create_info(["Fp1"], 160.0, "eeg"), verbose="error")
    theirs = mne.preprocessing.find_eog_events(raw, ch_name="Fp1", verbose="error")[:, 0]
    ours = find_blinks(trace, 160.0)
    assert len(ours) == len(theirs) == 49
    assert np.abs(ours - theirs).max() < 0.2 * 160
    assert np.isnan(blinks_per_min(trace[:1500, None], ["Fp1"], 160.0)).all()
