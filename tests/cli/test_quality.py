"""``bci quality``: what it says of recordings, and of what it cannot judge."""

import json

import numpy as np
import pytest

EVENTS = ("--event", "T1=left_hand", "--event", "T2=right_hand")
LABELS = ("Fp1", "FC3", "FC4", "C3", "Cz", "C4", "CP3", "CP4", "Pz")


def like_eeg(samples: np.ndarray) -> None:
    """Make white noise into something with a spectrum and a source that all channels share."""
    frequencies = np.fft.rfftfreq(samples.shape[1], 0.01)
    samples[:] = np.fft.irfft(np.fft.rfft(samples) / np.maximum(frequencies, 1.0), samples.shape[1])
    samples *= 8e-6 / samples.std()
    samples += 8e-6 * samples[0] / samples[0].std()


def faulty(samples: np.ndarray) -> None:
    """Unplug Pz, and jolt the fourth trial (5 s each, from 1 s; T2)."""
    like_eeg(samples)
    samples[8] = 0.0
    samples[:, 1800:1806] += 1e-3


@pytest.fixture
def recordings(tmp_path, write_fif):
    """Return a good and a faulty recording."""
    return [
        write_fif(tmp_path / f"{name}_raw.fif", labels=LABELS, change=change, seed=seed, effect=0.2)
        for seed, (name, change) in enumerate({"good": like_eeg, "bad": faulty}.items())
    ]


def test_the_table_names_the_channel_and_what_to_do(bci_here, recordings) -> None:
    """The bad channel with its word, the verdict, and the marked trial with class and reason."""
    done = bci_here("quality", *recordings, *EVENTS)
    assert done.code == 0
    assert not done.err
    assert "flat: plug in Pz, or mend the cable" in done.out
    assert "8 of 9 channels are good in every recording" in done.out
    assert "usable: leave out Pz (1 of 9 channels)" in done.out
    assert "bad_raw.fif at 16.0 s, right_hand: amplitude: " in done.out
    rows = [line.split() for line in done.out.splitlines()]
    assert ["left_hand", "16", "0"] in rows
    assert ["right_hand", "16", "1", "amplitude", "(1)"] in rows


def test_the_document_has_every_measure(bci_here, recordings) -> None:
    """JSON holds a row for each channel of each recording, and trials counted by class."""
    document = json.loads(bci_here("quality", *recordings, *EVENTS, "--json").out)
    assert document["verdict"] == "usable"
    assert [run["bad_channels"] for run in document["recordings"]] == [[], ["Pz"]]
    rows = document["recordings"][0]["channels"]
    assert [row["channel"] for row in rows] == list(LABELS)
    assert all(row["quality"] == "good" and row["share_bad"] == 0 for row in rows)
    assert 5 < rows[4]["rms_uv"] < 20
    trials = document["trials"]
    assert trials["n_trials"] == {"left_hand": 16, "right_hand": 16}
    assert "Pz" not in trials["channels"]
    assert trials["marked_by_class"]["right_hand"]["amplitude"] == 1


def test_without_classes_only_electrodes_are_judged(bci_here, recordings) -> None:
    """That trials are not judged is said, with the labels that are there; it is no error."""
    done = bci_here("quality", recordings[0])
    assert done.code == 0
    assert "Trials are not judged: " in done.out
    assert "T1 (8)" in done.out


def test_a_picture_is_drawn_for_each_recording(bci_here, recordings, tmp_path) -> None:
    """Under the recording's name, in the folder that was named."""
    done = bci_here("quality", *recordings, "--out", tmp_path)
    assert done.code == 0
    for name in ("good", "bad"):
        assert (tmp_path / f"{name}_raw_quality.png").stat().st_size > 20_000


def test_training_without_the_marked_says_and_counts_them(bci_here, recordings, tmp_path) -> None:
    """``--reject`` leaves the jolted trial out, and says so with its class; else it stays."""
    common = ("train", *recordings, *EVENTS, "--decoder", "csp-lda", "--no-cv", "--json")
    common = (*common, "--channels", "C3,Cz,C4,FC3,FC4")
    told = bci_here(*common, "--out", tmp_path / "a.bci", "--reject")
    rejected = json.loads(told.out)
    assert "1 trial left out (amplitude): 1 of right_hand; cue at 16.0 s" in told.err
    plain = json.loads(bci_here(*common, "--out", tmp_path / "b.bci").out)
    assert plain["left_out"] == []
    n = sum(rejected["n_trials"].values()) + len(rejected["left_out"])
    assert n == sum(plain["n_trials"].values()) == 32


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--mains", "5"), ("--mains 5", "50 or 60")),
        (("--out", "nowhere"), ("--out nowhere", "make it first")),
        (("--channels", "Czz"), ("Czz", "Cz", "--channels")),
        (("--event", "T9=feet"), ("T9", "T1 (8)")),
    ],
)
def test_bad_input_is_one_line(bci_here, recordings, options, words) -> None:
    """Exit code 2, one line that names the value and what to do."""
    done = bci_here("quality", recordings[0], *options)
    assert done.code == 2
    (line,) = done.errors
    for word in words:
        assert word in line


def test_a_recording_of_seconds_cannot_be_judged(bci_here, write_fif, tmp_path) -> None:
    """It says how long it is."""
    short = write_fif(tmp_path / "short_raw.fif", n_trials=0)
    done = bci_here("quality", short)
    assert done.code == 2
    assert "short_raw.fif lasts 1 s" in done.errors[0]
