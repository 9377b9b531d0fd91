"""A certification of the real way: an amplifier in its process, LSL, recorder, decoder."""

import os
import threading
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from bci.certification import certify
from bci.errors import SettingsError, StreamError
from bci.online.latency import STAGES
from bci.recording.eventlog import read_event_log
from bci.sources.amplifier import AmplifierProcess
from bci.sources.base import StreamInfo
from bci.sources.devices import (
    device_offset_s,
    forget_offset,
    read_offsets,
    store_offset,
    with_device_offset,
)
from bci.sources.discovery import StreamQuery
from bci.sources.reading import open_recording


@pytest.fixture
def own_settings(tmp_path, monkeypatch):
    """Keep offsets in a folder of the test's own."""
    path = tmp_path / "offsets.json"
    monkeypatch.setattr("bci.sources.devices.offsets_path", lambda: path)
    return path


@pytest.fixture
def amplifier():
    """Return a simulated amplifier that sends."""
    process = AmplifierProcess(person={"ability": 1.0, "rate_hz": 250.0}, name="certified")
    process.start()
    process.run()
    yield process
    process.stop()


def test_a_simulated_amplifier_is_certified(amplifier, tmp_path, own_settings):
    """Every stage is timed, nothing is lost, the offset of the device is in account and log."""
    store_offset("certified", 0.0021)
    seen = []
    certificate = certify(
        StreamQuery(source_id=amplifier.source_id),
        4.0,
        tmp_path,
        listen_s=5.0,
        progress=lambda done, total: seen.append((done, total)),
    )
    measured = certificate.measured
    assert not measured.cancelled
    assert seen[0][0] == 0.0
    assert {total for _, total in seen} == {4.0}
    assert set(measured.latency.stages) == set(STAGES) - {"presentation", "system"}
    assert measured.latency.stages["amplifier"].median == pytest.approx(2.1)
    assert measured.latency.n_decisions > 15
    assert measured.latency.lengths.hop == pytest.approx(100.0)
    assert measured.latency.lengths.window == pytest.approx(2000.0)
    assert 0 < measured.latency.lengths.chunk < 200
    assert (measured.n_missing, measured.n_gaps) == (0, 0)
    assert measured.n_received >= 4.0 * 250 * 0.9
    assert measured.floor.n > 100
    recording = open_recording(tmp_path / "certification.xdf")
    assert recording.n_samples == measured.n_recorded >= measured.n_received
    events = list(read_event_log(tmp_path / "certification.jsonl"))
    (started,) = (e for e in events if e["event"] == "online_started")
    assert started["amplifier_s"] == 0.0021
    (certified,) = (e for e in events if e["event"] == "certified")
    assert certified["passed"] == certificate.passed


def test_it_can_be_ended_early(amplifier, tmp_path, own_settings):
    """What was measured until then is judged, and said to be less."""
    cancelled = threading.Event()
    certificate = certify(
        StreamQuery(source_id=amplifier.source_id),
        600.0,
        tmp_path,
        listen_s=5.0,
        progress=lambda done, total: done > 1.0 and cancelled.set(),
        cancelled=cancelled,
    )
    assert certificate.measured.cancelled
    assert certificate.measured.seconds < 60.0


def test_a_stream_that_is_not_there_is_an_error(tmp_path, own_settings):
    """Nothing is judged of nothing."""
    with pytest.raises(StreamError, match="nobody"):
        certify(StreamQuery(source_id="nobody"), 1.0, tmp_path, timeout_s=0.5)


# --- offsets of devices -----------------------------------------------------------------


def info(name="BrainAmp", hostname="lab"):
    """Return a stream of a device."""
    return StreamInfo(name, "EEG", "id", 500.0, (), hostname=hostname)


def test_offsets_are_kept_by_name_and_by_host(own_settings):
    """One for a host goes before one for every host; one that is forgotten is gone."""
    store_offset("BrainAmp", 0.0516)
    store_offset("BrainAmp@lab", 0.03)
    assert device_offset_s(info()) == 0.03
    assert device_offset_s(info(hostname="other")) == 0.0516
    assert device_offset_s(info("BioSemi")) is None
    forget_offset("BrainAmp@lab")
    assert device_offset_s(info()) == 0.0516
    if os.name == "posix":
        assert own_settings.stat().st_mode & 0o077 == 0
    with pytest.raises(SettingsError, match="BrainAmp"):
        forget_offset("BrainAmp@lab")


def test_the_offset_stands_in_the_header_of_a_recording(own_settings):
    """What is known of the device is added to the stream's description; what it said stays."""
    xml = "<info><name>BrainAmp</name><hostname>lab</hostname><desc><cap>x</cap></desc></info>"
    assert with_device_offset(xml) == xml
    store_offset("BrainAmp", 0.0516)
    root = ET.fromstring(with_device_offset(xml))
    assert root.findtext("desc/rolandic/amplifier_offset_s") == "0.0516"
    assert root.findtext("desc/cap") == "x"
    own_settings.write_text("{", encoding="utf-8")
    assert with_device_offset(xml) == xml


@pytest.mark.parametrize("text", ["", "{", "[]", '{"offsets_s": {"x": "y"}}', '{"offsets_s": []}'])
def test_a_damaged_file_of_offsets_is_named_and_left_alone(own_settings, text):
    """It is an error in one line that names the file, and storing does not overwrite it."""
    own_settings.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"offsets\.json"):
        read_offsets()
    with pytest.raises(SettingsError, match=r"offsets\.json"):
        store_offset("x", 0.01)
    assert own_settings.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("offset_s", [-0.001, 3.0, np.nan, np.inf])
def test_an_offset_that_no_device_has_is_refused(own_settings, offset_s):
    """It is refused, and nothing is stored."""
    with pytest.raises(SettingsError, match="give 0 to"):
        store_offset("x", offset_s)
    assert not own_settings.exists()
