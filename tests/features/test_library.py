"""Analyses in a workspace: kept whole, found, read back, put side by side."""

import csv
import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from bci.config import EpochSettings
from bci.errors import ChannelError, SettingsError
from bci.features.analysis import Analysis, AnalysisSettings, analyse
from bci.features.comparison import compare
from bci.features.library import Library, load_analysis
from bci.features.page import PAGE, write_page
from bci.features.tables import chance_lines, laterality_rows, peak_rows, training_line

SETTINGS = AnalysisSettings(
    name="first-look",
    epochs=EpochSettings(band_hz=(2.0, 45.0), window_s=(0.5, 2.5)),
    features=("C4;10:12",),
    n_bootstraps=5,
    n_shuffles=40,
    clusters=True,
    n_permutations=100,
    erds={"n_bootstraps": 100, "step_hz": 3.0},
    erds_channels=("C4",),
)


@pytest.fixture(scope="module")
def analysis(made) -> Analysis:
    """Return an analysis."""
    return analyse([made(tail_s=1.0)], SETTINGS)


@pytest.fixture(scope="module")
def other(made) -> Analysis:
    """Return another one: Welch's spectra, fewer channels, another name."""
    epochs = SETTINGS.epochs.model_copy(update={"channels": ("C4", "C3", "Cz", "FCz", "CP3")})
    changed = {"name": "welch", "epochs": epochs, "erds": None, "clusters": False}
    spectrum = {"method": "welch", "fmax_hz": 30.0}
    return analyse(
        [made(tail_s=1.0)],
        AnalysisSettings(**(SETTINGS.model_dump() | changed | {"spectrum": spectrum})),
    )


def files(folder: Path) -> list[str]:
    """Return the names of all files and folders below."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_an_analysis_comes_back_as_it_was(analysis, tmp_path):
    """Settings, arrays, suggestions, what was left out; its folder is called by name and hash."""
    path = Library(tmp_path).write(analysis)
    assert path.parent == tmp_path / "derivatives" / "rolandic-features"
    assert path.name == f"first-look_{analysis.content[:10]}"
    back = load_analysis(path)
    assert back.settings == analysis.settings
    assert back.content == analysis.content
    assert back.suggestions == analysis.suggestions
    assert back.features == analysis.features
    assert back.left_out == analysis.left_out
    assert back.n_trials == analysis.n_trials
    assert back.computed == ()
    np.testing.assert_array_equal(back.power.values, analysis.power.values)
    np.testing.assert_array_equal(back.matrices, analysis.matrices)
    np.testing.assert_array_equal(back.power.clusters.p, analysis.power.clusters.p)
    np.testing.assert_array_equal(back.erds.percent, analysis.erds.percent)
    assert back.erds.settings == analysis.erds.settings
    assert files(path) == ["arrays.npz", "settings.json"]


def test_the_samples_are_not_in_it(analysis, tmp_path):
    """What is kept of a person is what is shown, not the recording."""
    path = Library(tmp_path).write(analysis)
    assert not {"epochs", "signals"} & set(load_analysis(path).steps)


@pytest.mark.skipif(os.name != "posix", reason="modes mean nothing elsewhere")
def test_it_is_private(analysis, tmp_path):
    """Folders are 0700 and files 0600."""
    workspace = tmp_path / "workspace"
    Library(workspace).write(analysis, lambda folder: write_page(analysis, folder, figures=False))
    for path in (workspace, *workspace.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("error", [KeyboardInterrupt, SettingsError("no"), OSError(28, "full")])
def test_an_analysis_that_is_not_written_to_its_end_is_not_there(analysis, tmp_path, error):
    """Neither after an error nor after Ctrl-C; the one that was there before stays."""
    library = Library(tmp_path)

    def fail(folder: Path) -> None:
        (folder / "half.png").write_bytes(b"half")
        raise error

    with pytest.raises((KeyboardInterrupt, SettingsError)):
        library.write(analysis, fail)
    assert library.entries() == []
    path = library.write(analysis)
    before = files(tmp_path)
    with pytest.raises((KeyboardInterrupt, SettingsError)):
        library.write(analysis, fail)
    assert files(tmp_path) == before
    assert load_analysis(path).content == analysis.content


def test_the_same_analysis_takes_its_own_place(analysis, tmp_path):
    """What is drawn anew replaces what was drawn."""
    library = Library(tmp_path)
    library.write(analysis, lambda folder: (folder / "old.png").touch())
    path = library.write(analysis, lambda folder: (folder / "new.png").touch())
    assert files(path) == ["arrays.npz", "new.png", "settings.json"]
    assert len(library.entries()) == 1


def test_analyses_are_listed_and_found(analysis, other, tmp_path):
    """By name, by folder's name, by the hash's first digits, by folder; of several the newest."""
    library = Library(tmp_path)
    first, second = library.write(analysis), library.write(other)
    (library.folder / "notes").mkdir()
    (library.folder / "notes" / "settings.json").write_text("[]")
    assert {entry.path for entry in library.entries()} == {first, second}
    assert {entry.n_trials["left_hand"] for entry in library.entries()} == {12}
    for text in ("first-look", first.name, analysis.content[:6], str(first)):
        assert library.find(text) == first
    assert library.find("welch") == second
    with pytest.raises(SettingsError, match="first-look_") as caught:
        library.find("lost")
    assert "'lost'" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("settings.json", b"{"),
        ("settings.json", b"[]"),
        ("settings.json", b'{"format": 99, "settings": {}}'),
        ("settings.json", None),
        ("arrays.npz", b"PK"),
        ("arrays.npz", None),
    ],
)
def test_a_damaged_analysis_is_said_in_one_line(analysis, tmp_path, name, content):
    """Its file is named."""
    path = Library(tmp_path).write(analysis)
    if content is None:
        (path / name).unlink()
    else:
        (path / name).write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load_analysis(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_workspace_that_cannot_be_written_is_said(analysis, tmp_path):
    """A file stands where the folder should be."""
    (tmp_path / "derivatives").write_text("in the way")
    with pytest.raises(SettingsError, match="cannot be written"):
        Library(tmp_path).write(analysis)


def test_two_analyses_side_by_side(analysis, other):
    """What differs, and both maps where both have channel and frequency."""
    beside = compare(analysis, other)
    assert beside.differences["spectrum.method"] == ("burg", "welch")
    assert beside.differences["spectrum.fmax_hz"] == (40.0, 30.0)
    assert "spectrum.order" not in beside.differences
    assert "name" not in beside.differences
    assert "recordings" not in beside.differences
    assert beside.channels == ("FCz", "C3", "Cz", "C4", "CP3")
    np.testing.assert_array_equal(beside.freqs_hz, np.arange(4.0, 31.0))
    c4 = beside.channels.index("C4")
    np.testing.assert_array_equal(beside.r2[0, c4], analysis.power.contrast.r2[5, :27])
    np.testing.assert_array_equal(beside.r2[1, c4], other.power.contrast.r2[0])
    assert 0.3 < beside.correlation < 1
    json.dumps(beside.as_dict(), allow_nan=False)
    assert compare(analysis, analysis).correlation == pytest.approx(1)
    assert compare(analysis, analysis).differences == {}


def test_other_recordings_are_a_difference(analysis, made):
    """The same parameters on another recording, though its file may be called the same."""
    again = analyse([made(seed=3)], SETTINGS)
    assert set(compare(analysis, again).differences) == {"recordings"}


def test_a_page_says_what_it_is_worth(analysis, other, tmp_path):
    """Suggestions, chance, the warning, every parameter, what was left out, and the other one."""
    write_page(analysis, tmp_path, compare(analysis, other), figures=False)
    page = (tmp_path / PAGE).read_text("utf-8")
    assert analysis.suggestions[0].name in page
    assert "means nothing" in page
    assert chance_lines(analysis)[-1].split(":")[0] in page
    assert "spectrum.order" in page
    assert analysis.left_out[0].reason in page
    assert other.label in page
    assert "Individual rhythms" in page
    assert "Laterality of power" in page
    with (tmp_path / "features.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 8 * 37
    row = next(r for r in rows if (r["kind"], r["channel"], r["freq_hz"]) == ("psd", "C4", "11"))
    assert float(row["r2"]) == pytest.approx(analysis.power.contrast.r2[5, 7], abs=1e-5)
    with (tmp_path / "suggestions.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["feature"] == str(analysis.suggestions[0].feature)


def test_own_rhythms_and_hemispheres_are_tabled(analysis):
    """C4's peak at 11 Hz; its side has more of mu where it was planted, in the second class."""
    head, *rows = peak_rows(analysis)
    assert head == ("channel", "mu", "beta")
    assert {name: mu for name, mu, _ in rows}["C4"].startswith(("10.", "11."))
    head, *rows = laterality_rows(analysis)
    assert head[:3] == ("pair", "mu, left_hand", "mu, right_hand")
    pair = {row[0]: row[1:] for row in rows}["C3, C4"]
    assert float(pair[1]) < float(pair[0]) - 0.1


def test_the_command_that_trains_on_features_is_one_that_works(analysis, other):
    """It names filter, window, channels, method and features; the decoder takes all of them."""
    from bci.cli.options import parse_params
    from bci.decoders import make_decoder

    for shown, said in ((analysis, "--band 2 45 --window 0.5 2.5"), (other, "--channels C4,C3,")):
        line = training_line(shown)
        assert said in line
        command = shlex.split(line[line.index("--decoder") : line.index(" The score")].rstrip("."))
        named = dict(pairwise(command))
        params = [text for flag, text in pairwise(command) if flag == "--param"]
        decoder = make_decoder(named["--decoder"], **parse_params(params))
        assert decoder.features == "C4;10:12"
        assert decoder.method == shown.settings.spectrum.method
    chosen = analysis.settings.model_copy(update={"partners": ("C3",)})
    line = training_line(replace(analysis, settings=chosen, features=()))
    assert "--decoder psd-lda" in line
    assert "fc " not in line


def test_the_public_names_need_neither_mne_nor_matplotlib():
    """They take a second to load, which lists, tables and decoders need not wait for."""
    said = "import sys, bci.features as f; [getattr(f, n) for n in f.__all__]; "
    said += "sys.exit(bool({'mne', 'matplotlib', 'sklearn', 'pyriemann'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", said], check=False).returncode == 0


def pictures(folder: Path) -> set[str]:
    """Return the names of the pictures in a folder, each of which must be one."""
    found = list(folder.glob("*.png"))
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in found)
    return {path.stem for path in found}


def test_pictures_are_written_and_shown(analysis, other, tmp_path):
    """Contrast, spectra, maps of the head, ERD/ERS, the comparison; progress to its end."""
    seen: list[tuple[int, int]] = []
    write_page(
        analysis,
        tmp_path,
        compare(analysis, other),
        progress=lambda done, total: seen.append((done, total)),
    )
    drawn = pictures(tmp_path)
    assert {"r2", "spectra", "topographies", "networks", "erds", "compare"} <= drawn
    page = (tmp_path / PAGE).read_text("utf-8")
    assert all(f'src="{name}.png"' in page for name in drawn)
    assert seen[0][0] == 0
    assert seen[-1] == (len(drawn), len(drawn))


def test_heads_need_places(made, tmp_path):
    """One line asks for a montage; without heads all other pictures are there."""
    plain = SETTINGS.model_dump() | {"erds": None, "clusters": False, "features": ()}
    lost = analyse([made(labels=("EEG1", "EEG2", "EEG3"))], AnalysisSettings(**plain))
    with pytest.raises(ChannelError, match="montage"):
        write_page(lost, tmp_path)
    write_page(lost, tmp_path, heads=False)
    assert pictures(tmp_path) == {"r2", "spectra"}


def test_channels_in_one_line_have_no_topography(made, tmp_path):
    """C3, Cz and C4 span no map, and that is no error."""
    plain = SETTINGS.model_dump() | {"erds": None, "clusters": False, "connectivity": None}
    row = analyse([made(labels=("C3", "Cz", "C4"))], AnalysisSettings(**plain))
    write_page(row, tmp_path)
    assert pictures(tmp_path) == {"r2", "spectra"}
