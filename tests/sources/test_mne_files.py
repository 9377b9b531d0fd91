"""Reading what MNE reads, and judging channels."""

import hashlib
import shutil
import warnings
from datetime import UTC, datetime
from pathlib import Path

import mne
import numpy as np
import pybv
import pytest

from bci.errors import ChannelError, InputError, RecordingError, SettingsError
from bci.sources.mne_files import is_auxiliary, read_mne
from bci.sources.reading import check_channels, open_recording, recording_hash
from bci.sources.recording import Recording

RATE = 100


def write_edf(
    path: Path,
    signals: dict[str, tuple[str, np.ndarray]],
    *,
    onsets: list[float] | None = None,
    n_records: int | None = None,
    physical: tuple[str, str] = ("-32768", "32767"),
) -> Path:
    """Write 1 s records of int16 signals, label to (unit, samples); EDF+D if `onsets` are given."""
    held = len(next(iter(signals.values()))[1]) // RATE
    rows = [(label, unit, values.reshape(held, -1)) for label, (unit, values) in signals.items()]
    if onsets is not None:
        texts = [f"+{onset:g}\x14\x14\x00".encode().ljust(40, b"\x00") for onset in onsets]
        lists = np.frombuffer(b"".join(texts), "<i2").reshape(held, -1)
        rows.append(("EDF Annotations", "", lists))
    n = len(rows)
    columns = [
        [label.ljust(16) for label, _, _ in rows],
        [" " * 80] * n,
        [unit.ljust(8) for _, unit, _ in rows],
        [physical[0].ljust(8)] * n,
        [physical[1].ljust(8)] * n,
        ["-32768  "] * n,
        ["32767   "] * n,
        [" " * 80] * n,
        [str(values.shape[1]).ljust(8) for _, _, values in rows],
        [" " * 32] * n,
    ]
    head = "0".ljust(8) + "X X X X".ljust(80) + "Startdate 01-JAN-2020 X X X".ljust(80)
    head += "01.01.2000.00.00" + str(256 * (n + 1)).ljust(8)
    head += ("EDF+D" if onsets is not None else "").ljust(44)
    head += str(held if n_records is None else n_records).ljust(8) + "1".ljust(8) + str(n).ljust(4)
    head += "".join("".join(column) for column in columns)
    body = b"".join(
        values[record].astype("<i2").tobytes() for record in range(held) for _, _, values in rows
    )
    path.write_bytes(head.encode("latin-1") + body)
    return path


def eeg(seed: int, n_samples: int = 400, scale: float = 20.0) -> np.ndarray:
    """Make whole numbers with the spread of EEG in microvolts."""
    return np.random.default_rng(seed).normal(0, scale, n_samples).round()


def test_an_edf_is_read_as_mne_reads_it(shared_data: Path) -> None:
    """Samples to the last bit, canonical labels, annotations as markers, stamps from zero."""
    path = shared_data / "eegmmidb" / "S001R04.edf"
    recording = open_recording(path)
    raw = mne.io.read_raw_edf(path, verbose="ERROR")
    np.testing.assert_array_equal(recording.samples, raw.get_data().T)
    assert recording.samples.flags.c_contiguous
    assert recording.info.labels[:4] == ("FC5", "FC3", "FC1", "FCz")
    assert recording.info.channels[0].unit == "uV"
    assert recording.info.rate_hz == 160.0
    np.testing.assert_array_equal(recording.stamps, np.arange(20000) / 160)
    assert len(recording.markers) == len(raw.annotations) == 30
    assert [(m.time_s, m.label) for m in recording.markers[:2]] == [(0.0, "T0"), (4.2, "T2")]
    assert recording.warnings == ()
    assert len(recording.clock_offsets) == 0
    check_channels(recording, range(64))


@pytest.mark.parametrize("name", ["S001R01.edf", "S001R02.edf"])
def test_a_file_with_odd_annotations_opens_and_its_damage_is_told(
    shared_data: Path, name: str
) -> None:
    """Annotations that are not UTF-8 do not stop reading; these two files were copied as text."""
    recording = open_recording(shared_data / "eegmmidb" / name)
    assert recording.samples.shape == (9760, 64)
    assert any("copied as text" in warning for warning in recording.warnings)


def test_bare_numbers_that_cannot_be_volts_are_refused_with_an_offer(shared_data: Path) -> None:
    """MI-OpenBCI names no unit: one line says so and offers one; with it the file opens."""
    path = shared_data / "mi_openbci" / "S02_R1.edf"
    with pytest.raises(RecordingError, match="names no unit: they cannot be volts; say --unit uV"):
        open_recording(path)
    with pytest.raises(RecordingError, match=r"V \(F7\) with --unit V: say --unit uV"):
        open_recording(path, unit="V")
    with pytest.raises(SettingsError, match="--unit 'yard'"):
        open_recording(path, unit="yard")
    recording = open_recording(path, unit="uV")
    raw = mne.io.read_raw_edf(path, verbose="ERROR")
    np.testing.assert_array_equal(recording.samples, raw.get_data().T * 1e-6)
    assert recording.markers[0].label == "OVTK_StimulationId_ExperimentStart"
    assert recording.warnings == ()


def test_bare_numbers_that_may_be_volts_are_taken_with_a_warning(tmp_path: Path) -> None:
    """Plausible volts without a unit: the user sees what was assumed."""
    values = {"C3": ("", eeg(1)), "C4": ("", eeg(2))}
    path = write_edf(tmp_path / "a.edf", values, physical=("-.032768", ".032767"))
    recording = read_mne(path)
    assert recording.samples.std() == pytest.approx(2e-5, rel=0.1)
    assert recording.warnings == (
        "the file names no unit: taken for volts; say --unit if that is wrong",
    )


def test_a_declared_unit_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """Microvolts that are declared as millivolts: 20 mV is no EEG; --unit overrides."""
    path = write_edf(tmp_path / "a.edf", {"C3": ("mV", eeg(1)), "C4": ("mV", eeg(2))})
    with pytest.raises(RecordingError, match=r"too much for EEG .*\(mV\); say --unit uV"):
        read_mne(path)
    expected = np.column_stack([eeg(1), eeg(2)]) * 1e-6
    np.testing.assert_allclose(read_mne(path, unit="uV").samples, expected, rtol=1e-12)


def test_a_unit_that_mne_does_not_know_is_converted(tmp_path: Path) -> None:
    """MNE takes nanovolts in an EDF for volts."""
    path = write_edf(tmp_path / "a.edf", {"C3": ("nV", eeg(1, scale=9000.0)), "C4": ("uV", eeg(2))})
    expected = np.column_stack([eeg(1, scale=9000.0) * 1e-9, eeg(2) * 1e-6])
    np.testing.assert_allclose(read_mne(path).samples, expected, rtol=1e-12)


def test_only_eeg_is_read_and_slower_signals_do_not_change_the_rate(tmp_path: Path) -> None:
    """Status, ECG at another rate and temperature are left out; labels name what is left."""
    path = write_edf(
        tmp_path / "a.edf",
        {
            "EEG C3-Ref": ("uV", eeg(1)),
            "ECG": ("mV", eeg(3, 1600)),
            "EEG C4-Ref": ("uV", eeg(2)),
            "Temp": ("degC", eeg(4, 4)),
        },
    )
    recording = read_mne(path)
    assert recording.info.labels == ("C3", "C4")
    assert recording.info.rate_hz == RATE
    np.testing.assert_allclose(recording.samples[:, 1], eeg(2) * 1e-6, rtol=1e-12)
    assert read_mne(path, labels=["x", "cz"]).info.labels == ("x", "Cz")
    with pytest.raises(ChannelError, match="1 labels were given for 2 EEG channels"):
        read_mne(path, labels=["x"])
    assert is_auxiliary("EOG left")
    assert not is_auxiliary("A1")


def test_doubled_labels_keep_their_names(tmp_path: Path) -> None:
    """MNE would rename them; the check of the channels names them as the file does."""
    base = write_edf(tmp_path / "a.edf", {"C3": ("uV", eeg(1)), "C5": ("uV", eeg(2))})
    base.write_bytes(base.read_bytes().replace(b"C5              ", b"C3              ", 1))
    recording = read_mne(base)
    assert recording.info.labels == ("C3", "C3")
    with pytest.raises(ChannelError, match="several channels are called C3"):
        check_channels(recording, [0, 1])


def test_the_gaps_of_a_discontinuous_edf_are_in_the_stamps(tmp_path: Path) -> None:
    """MNE joins the records of an EDF+D; their onsets tell the truth."""
    values = {"C3": ("uV", eeg(1)), "C4": ("uV", eeg(2))}
    recording = read_mne(write_edf(tmp_path / "a.edf", values, onsets=[0, 1, 4.5, 5.5]))
    steps = np.diff(recording.stamps)
    assert np.flatnonzero(steps > 0.02).tolist() == [199]
    assert steps[199] == pytest.approx(2.51)
    assert recording.warnings == ("gaps in the recording (EDF+D): 1",)
    whole = read_mne(write_edf(tmp_path / "b.edf", values, onsets=[0, 1, 2, 3]))
    np.testing.assert_array_equal(whole.stamps, np.arange(400) / RATE)


@pytest.mark.parametrize("n_kept", [100, 256, 700, 16896, 500_000, 2_596_895])
def test_a_truncated_edf_is_refused(shared_data: Path, tmp_path: Path, n_kept: int) -> None:
    """Cut in the header or in the data: one line, with what a whole header promised."""
    path = tmp_path / "cut.edf"
    path.write_bytes((shared_data / "eegmmidb" / "S001R04.edf").read_bytes()[:n_kept])
    with pytest.raises(RecordingError) as caught:
        open_recording(path)
    message = str(caught.value)
    assert "cut.edf" in message
    assert "\n" not in message
    if n_kept >= 16896:
        n_held = (n_kept - 16896) // 20640
        assert f"promises 125 records and the file holds {n_held}" in message


def test_what_is_no_recording_is_refused_in_one_line(
    tmp_path: Path, shared_data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Missing, empty, a folder, text under any name, a format nobody reads; nothing printed."""
    names = ["a.edf", "a.bdf", "a.gdf", "a.fif", "a.vhdr", "a.set", "a.cnt", "a.txt", "a", "a.xdf"]
    for name in names:
        (tmp_path / name).write_text("time,C3\n0,1\n" * 50)
    (tmp_path / "empty.edf").touch()
    cases = [tmp_path / name for name in [*names, "missing.edf", "empty.edf"]]
    cases += [tmp_path, shared_data / "openvibe" / "MI-OpenBCI_S03_R0.ov"]
    for path in cases:
        with pytest.raises(RecordingError) as caught:
            open_recording(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_file_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message speaks of permissions (denied by the test: they do not bind an administrator)."""
    path = write_edf(tmp_path / "a.edf", {"C3": ("uV", eeg(1))})

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(RecordingError, match="may not be read by you"):
        open_recording(path)


def _raw(meas_date: datetime | None) -> mne.io.RawArray:
    info = mne.create_info(["C3", "C4", "Cz", "eog"], RATE, ["eeg", "eeg", "eeg", "eog"])
    data = np.random.default_rng(0).normal(0, 1e-5, (4, 600))
    raw = mne.io.RawArray(data, info, verbose="ERROR")
    raw.set_meas_date(meas_date)
    raw.set_annotations(mne.Annotations([1.0, 3.5], [0, 0], ["left", "right"]))
    return raw


@pytest.mark.parametrize("meas_date", [None, datetime(2020, 1, 1, tzinfo=UTC)])
def test_markers_count_from_the_first_sample(tmp_path: Path, meas_date: datetime | None) -> None:
    """A FIF that was cropped keeps its annotations' places, with a measurement date or without."""
    raw = _raw(meas_date)
    path = tmp_path / "a_raw.fif"
    raw.copy().crop(2.0, 5.0).save(path, verbose="ERROR")
    recording = open_recording(path)
    assert [(m.label, pytest.approx(1.5)) == (m.label, m.time_s) for m in recording.markers] == [
        True
    ]
    assert recording.markers[0].label == "right"
    assert recording.info.labels == ("C3", "C4", "Cz")
    np.testing.assert_allclose(recording.samples, raw.get_data()[:3, 200:501].T, rtol=1e-6)
    assert recording.warnings == ()


def test_positions_of_a_montage_are_kept(tmp_path: Path) -> None:
    """A FIF with a montage gives places in head coordinates."""
    raw = _raw(None)
    places = {"C3": (-0.07, 0.0, 0.06), "C4": (0.07, 0.0, 0.06), "Cz": (0.0, 0.0, 0.1)}
    raw.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"))
    raw.save(tmp_path / "a_raw.fif", verbose="ERROR")
    channels = open_recording(tmp_path / "a_raw.fif").info.channels
    assert channels[0].position_m == pytest.approx((-0.07, 0.0, 0.06))


def write_brainvision(folder: Path, unit: str) -> Path:
    """Write two channels, 16 bit, 0.1 a bit, with two markers."""
    values = np.column_stack([eeg(1, scale=300), eeg(2, scale=300)]).astype("<i2")
    (folder / "a.eeg").write_bytes(values.tobytes())
    (folder / "a.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        "DataFile=a.eeg\n[Marker Infos]\nMk1=New Segment,,1,1,0,20200101000000000000\n"
        "Mk2=Stimulus,S  1,101,1,0\nMk3=New Segment,,201,1,0,20200101000009000000\n",
        encoding="utf-8",
    )
    path = folder / "a.vhdr"
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        "DataFile=a.eeg\nMarkerFile=a.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        "NumberOfChannels=2\nSamplingInterval=10000\n[Binary Infos]\nBinaryFormat=INT_16\n"
        f"[Channel Infos]\nCh1=C3,,0.1,{unit}\nCh2=C4,,0.1,{unit}\n",
        encoding="utf-8",
    )
    return path


def test_brainvision_is_read_with_its_unit_and_its_pauses(tmp_path: Path) -> None:
    """Microvolts become volts, markers keep their names, a new segment is told."""
    recording = open_recording(write_brainvision(tmp_path, "µV"))
    np.testing.assert_allclose(recording.samples[:, 0], eeg(1, scale=300) * 1e-7, rtol=1e-9)
    assert (1.0, "Stimulus/S  1") in [(m.time_s, m.label) for m in recording.markers]
    assert recording.warnings == ("the recording was cut or paused (1 x): trials there are torn",)


def test_the_hash_covers_the_files_beside_a_header(tmp_path: Path) -> None:
    """One file: its SHA-256. A BrainVision header: the data and the markers count too."""
    single = write_edf(tmp_path / "b.edf", {"C3": ("uV", eeg(1))})
    assert recording_hash(single) == hashlib.sha256(single.read_bytes()).hexdigest()
    path = write_brainvision(tmp_path, "µV")
    before = recording_hash(path)
    with (tmp_path / "a.eeg").open("r+b") as file:
        file.write(b"\x01")
    assert recording_hash(path) != before
    with pytest.raises(RecordingError, match="does not exist"):
        recording_hash(tmp_path / "none.edf")


def test_nothing_that_mne_says_escapes(
    shared_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither print nor warning, for a whole file and for one that is longer than it promises."""
    path = tmp_path / "long.edf"
    shutil.copy(shared_data / "mi_openbci" / "S02_R0.edf", path)
    path.chmod(0o600)
    content = bytearray(path.read_bytes())
    content[236:244] = b"100     "
    path.write_bytes(content)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recording = open_recording(path, unit="uV")
    assert caught == []
    assert capfd.readouterr() == ("", "")
    assert any("promises 100 records and the file holds 125" in w for w in recording.warnings)


def _with(recording: Recording, samples: np.ndarray) -> Recording:
    return Recording(
        recording.path, recording.info, samples, recording.stamps, recording.clock_offsets
    )


def test_bad_channels_are_all_named_in_one_line(tmp_path: Path) -> None:
    """NaN, infinity, flat and duplicated used channels come as one report."""
    signals = {name: ("uV", eeg(i)) for i, name in enumerate(["C3", "C4", "Cz", "Pz", "Fz", "Oz"])}
    recording = read_mne(write_edf(tmp_path / "a.edf", signals))
    check_channels(recording, range(6))
    samples = recording.samples.copy()
    samples[7, 0] = np.nan
    samples[9, 1] = np.inf
    samples[:, 2] = 1e-5
    samples[:, 5] = samples[:, 3]
    bad = _with(recording, samples)
    with pytest.raises(ChannelError) as caught:
        check_channels(bad, range(6))
    message = str(caught.value)
    assert "NaN or infinite samples in C3, C4" in message
    assert "flat: Cz" in message
    assert "Pz and Oz carry the same samples" in message
    assert "\n" not in message
    check_channels(bad, [3, 4])
    nearly = samples.copy()
    nearly[-2, 5] += 1e-7
    check_channels(_with(recording, nearly), [3, 4, 5])
    assert issubclass(ChannelError, InputError)


def test_impedances_of_brainvision_are_kept(tmp_path: Path) -> None:
    """As the amplifier wrote them into the header, in kOhm; what it could not measure is none."""
    pybv.write_brainvision(
        data=1e-5 * np.random.default_rng(0).standard_normal((3, 500)),
        sfreq=250.0,
        ch_names=["C3", "Cz", "C4"],
        fname_base="a",
        folder_out=str(tmp_path),
    )
    with (tmp_path / "a.vhdr").open("a", encoding="utf-8") as header:
        header.write("\nImpedance [kOhm] at 12:00:00 :\nC3: 4\nCz: 61\nC4: ???\n")
    channels = read_mne(tmp_path / "a.vhdr").info.channels
    assert [channel.impedance_ohm for channel in channels] == [4_000.0, 61_000.0, None]
