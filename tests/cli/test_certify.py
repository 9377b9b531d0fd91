"""``bci certify``: its document, its exit code, what it refuses, the offsets it stores."""

import json

import pytest

from bci.cli.certify import NOT_PASSED, command
from bci.errors import SettingsError


def test_a_short_certification_prints_its_document(bci):
    """The simulated amplifier is certified; the exit code says whether it passed."""
    done = bci("certify", "--minutes", "0.05", "--json")
    document = json.loads(done.out)
    assert done.code == (0 if document["passed"] else NOT_PASSED), done.err
    assert document["n_missing"] == 0
    assert document["latency_ms"]["processing"]["n"] > 5
    assert {"amplifier", "processing"} == {check["name"] for check in document["bci2000"]}


BAD = [
    (["--minutes", "0"], "--minutes 0"),
    (["--name", "a", "--source-id", "b"], "one stream is certified"),
    (["--source", "nowhere.edf"], "nowhere.edf"),
    (["--model", "nowhere.bci"], "nowhere.bci"),
    (["--hop", "0"], "hop_s"),
    (["--set-offset", "BrainAmp"], "write STREAM=MS"),
    (["--set-offset", "BrainAmp=fast"], "write STREAM=MS"),
]


def test_bad_input_is_one_line(bci_all):
    """It ends with code 2 and says what is wrong; nothing is certified."""
    outcomes = bci_all([["certify", *arguments] for arguments, _ in BAD])
    for (_, complaint), done in zip(BAD, outcomes, strict=True):
        assert done.code == 2
        (line,) = done.errors
        assert complaint in line
        assert done.out == ""


def test_offsets_are_stored_listed_and_forgotten(tmp_path, monkeypatch, capsys):
    """Several at a time; one that is wrong, and none is stored."""
    path = tmp_path / "offsets.json"
    monkeypatch.setattr("bci.sources.devices.offsets_path", lambda: path)
    with pytest.raises(SettingsError):
        command(set_offset=["BioSemi=7.7ms", "BrainAmp=-3"])
    assert not path.exists()
    command(set_offset=["BioSemi=7.7ms", "BrainAmp@lab = 51.6"], json=True)
    assert json.loads(capsys.readouterr().out)["offsets_ms"] == {
        "BioSemi": pytest.approx(7.7),
        "BrainAmp@lab": pytest.approx(51.6),
    }
    command(set_offset=["BioSemi=none"])
    assert capsys.readouterr().out == "BrainAmp@lab: 51.6 ms\n"
