"""``bci features``: what tells classes apart, kept with its parameters."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bci.cli import options

EVENTS = ["--event", "T1=left_hand", "--event", "T2=right_hand"]
#: Shorter trials than these have no time before the cue that is long enough for ERD/ERS.
PLAIN = [*EVENTS, "--erds", "none", "--no-figures"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, write_fif: Callable[..., Path]) -> list[Path]:
    """Return two runs in which the right hand is louder at C3."""
    folder = tmp_path_factory.mktemp("runs")
    return [write_fif(folder / f"r{k}_raw.fif", seed=k) for k in (1, 2)]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the place of a workspace that the first test makes."""
    return tmp_path_factory.mktemp("studies") / "study"


@pytest.fixture(scope="module")
def outcomes(
    runs: list[Path], workspace: Path, bci_all: Callable[[list[list[str]]], list[Any]]
) -> dict[str, Any]:
    """Run the commands that succeed, one after the other in one process."""
    recordings, out = [str(path) for path in runs], ["--out", str(workspace)]
    commands = {
        "table": ["features", *recordings, *EVENTS, *out, "--feature", "C3;10:12"],
        "json": [
            "features", *recordings, *PLAIN, *out, "--json", "--name", "order-12",
            "--order", "12", "--compare", "analysis", "--cluster",
        ],
        "again": [
            "features", *recordings, *PLAIN, *out, "--json", "--name", "again", "--order", "12",
            "--cluster",
        ],
        "welch": [
            "features", *recordings, *PLAIN, *out, "--spectrum", "welch", "--segment", "0.5",
            "--freq-step", "2", "--measure", "none", "--test", "t", "--n-features", "2",
            "--no-prior",
            "--classes", "right_hand,left_hand", "--channels", "C3,Cz,C4", "--name", "welch",
        ],
        "list": ["features", "--list", *out],
        "list json": ["features", "--list", *out, "--json"],
    }  # fmt: skip
    return dict(zip(commands, bci_all(list(commands.values())), strict=True))


def test_suggestions_are_printed_with_what_they_are_worth(outcomes, workspace):
    """C3 first, as it would be typed; R2, stability, chance, and the warning; the page's place."""
    outcome = outcomes["table"]
    assert outcome.code == 0, outcome.err
    assert outcome.errors == []
    lines = outcome.out.splitlines()
    first = next(line for line in lines if line.strip().startswith("C3;"))
    assert "+0." in first
    assert first.rstrip().endswith("%")
    assert "C3;10:12" in outcome.out
    assert "16 trials of left_hand, 16 trials of right_hand" in outcome.out
    assert "By chance" in outcome.out
    assert "means nothing" in outcome.out
    (folder,) = (workspace / "derivatives" / "rolandic-features").glob("analysis_*")
    assert str(folder / "index.html") in outcome.out
    names = {path.name for path in folder.iterdir()}
    assert {"index.html", "settings.json", "arrays.npz", "features.csv", "suggestions.csv"} <= names
    pictures = [name for name in names if name.endswith(".png")]
    assert len(pictures) >= 1
    page = (folder / "index.html").read_text("utf-8")
    for name in pictures:
        assert f'src="{name}"' in page


def test_a_score_of_named_features_is_warned_of(capsys):
    """Where training and evaluation take parameters; not where the decoder chooses."""
    for given, warned in (({"features": "C4;10:13"}, True), ({"n_features": 3}, False)):
        assert options.check_decoders(["psd-lda"], given) == given
        assert ("score too well" in capsys.readouterr().err) is warned


def test_json_says_the_same_and_what_was_computed(outcomes):
    """One document: suggestions, parameters, recordings, chance, and the other analysis."""
    said = json.loads(outcomes["json"].out)
    assert said["suggestions"][0]["feature"].startswith("psd C3;")
    assert said["settings"]["spectrum"]["order"] == 12
    assert said["n_trials"] == {"left_hand": 16, "right_hand": 16}
    assert len(said["recordings"][0]["sha256"]) == 64
    assert said["chance"]["r2"] < said["chance"]["largest_r2"]
    assert "power" in said["computed"]
    assert "strength" not in said["computed"]  # it does not hang on the order of the spectra
    assert "epochs" not in said["computed"]
    differences = said["comparison"]["differences"]
    assert differences["spectrum.order"] == [12, 16]
    assert said["comparison"]["correlation"] > 0.5
    assert json.loads(outcomes["again"].out)["computed"] == []


def test_options_reach_the_analysis(outcomes, workspace):
    """Welch's spectra, no connectivity, two features, the classes the other way round."""
    assert outcomes["welch"].code == 0, outcomes["welch"].err
    (folder,) = (workspace / "derivatives" / "rolandic-features").glob("welch_*")
    said = json.loads((folder / "settings.json").read_text("utf-8"))
    assert said["classes"] == ["right_hand", "left_hand"]
    assert said["channels"] == ["C3", "Cz", "C4"]
    assert len(said["suggestions"]) == 2
    assert all(item["feature"].startswith("psd ") for item in said["suggestions"])
    assert said["suggestions"][0]["r2"] < 0
    assert said["settings"]["connectivity"] is None
    assert said["settings"]["test"] == "t"
    assert said["order"] is None


def test_analyses_are_listed(outcomes, workspace):
    """Name, recordings and trials of each."""
    listed = outcomes["list"].out
    assert listed.count("r1_raw.fif to") == 4
    entries = json.loads(outcomes["list json"].out)["analyses"]
    assert [entry["name"] for entry in entries] == ["analysis", "order-12", "again", "welch"]
    assert all(Path(entry["folder"]).is_dir() for entry in entries)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--feature", "CC3;13:16"], ["CC3;13:16", "C3"]),
        (["--feature", "C3;60"], ["C3;60", "4 to 40 Hz"]),
        (["--feature", "C3;10.2:10.4"], ["C3;10.2:10.4", "1 Hz"]),
        (["--feature", "C3:10"], ["C3:10", "C4;13:16"]),
        (["--freqs", "4", "60"], ["60 Hz", "45 Hz"]),
        (["--freqs", "4", "48", "--band", "2", "55"], ["2 55", "50 Hz", "--band"]),
        (["--freqs", "30", "10"], ["30", "10"]),
        (["--order", "400"], ["400", "800", "300"]),
        (["--order", "many"], ["order", "many"]),
        (["--freq-step", "0.2", "--spectrum", "welch"], ["0.2 Hz", "resolution"]),
        (["--segment", "9", "--spectrum", "welch"], ["9 s", "3 s"]),
        (["--spectrum", "fourier"], ["fourier", "burg"]),
        (["--measure", "magic"], ["magic", "coherence"]),
        (["--spatial", "magic"], ["magic", "small-laplacian"]),
        (["--test", "magic"], ["magic", "wilcoxon"]),
        (["--montage", "biosemi65"], ["biosemi65", "biosemi64"]),
        (["--channels", "C3,Oz"], ["Oz"]),
        (["--name", "a/b"], ["name", "a/b"]),
        (["--compare", "nothing"], ["nothing"]),
        (["--window", "0.5", "6"], ["window 0.5 6"]),
        (["--labels", "A,B,C,D,E,F", "--cluster", "--spatial", "none"], ["montage", "A"]),
        (["--labels", "A,B,C,D,E,F", "--figures"], ["montage", "A"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_code_2(
    runs: list[Path],
    bci_here: Callable[..., Any],
    tmp_path: Path,
    arguments: list[str],
    words: list[str],
):
    """The line names what cannot be used and what to do; no analysis is left behind."""
    outcome = bci_here("features", runs[0], *PLAIN, "--out", tmp_path / "study", *arguments)
    assert outcome.code == 2, outcome.err
    (line,) = outcome.errors
    assert line.startswith("error: ")
    for word in words:
        assert word in line
    assert outcome.out == ""
    assert not list(tmp_path.rglob("index.html"))
    assert not list(tmp_path.rglob("settings.json"))


def test_no_recording_and_no_folder_are_said(bci_here, runs, tmp_path):
    """Neither is guessed."""
    assert "--list" in bci_here("features", "--out", tmp_path).errors[0]
    (tmp_path / "file").touch()
    outcome = bci_here("features", runs[0], *PLAIN, "--out", tmp_path / "file")
    assert outcome.code == 2
    assert "file is no folder" in outcome.errors[0]


INTERRUPTED = """
import os, signal, sys
import bci.features.library as library
real = library.write_arrays
def write(path, arrays):
    real(path, arrays)
    os.kill(os.getpid(), signal.SIGINT)
library.write_arrays = write
from bci.cli import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a signal here")
def test_ctrl_c_leaves_no_half_analysis(runs, environment, tmp_path):
    """In the middle of writing: ``stopped``, code 130, and no folder but the cache."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, "features", *map(str, runs), *PLAIN,
         "--out", str(tmp_path)],
        capture_output=True, encoding="utf-8", env=environment, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert done.stderr.splitlines()[-1] == "stopped"
    left = sorted(path.name for path in (tmp_path / "derivatives" / "rolandic-features").iterdir())
    assert left == [".cache", "dataset_description.json"]
