"""``bci evaluate``: scores that say what they are worth."""

import csv
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

EVENTS = ["--event", "T1=left_hand", "--event", "T2=right_hand"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, write_fif: Callable[..., Path]) -> list[Path]:
    """Return two runs in which the right hand is louder at C3, and one of noise."""
    folder = tmp_path_factory.mktemp("runs")
    return [
        write_fif(folder / "one_raw.fif", seed=1),
        write_fif(folder / "two_raw.fif", seed=2),
        write_fif(folder / "noise_raw.fif", seed=3, effect=0.0),
    ]


def test_the_json_document_holds_every_score(bci: Callable[..., Any], runs: list[Path]) -> None:
    """Stdout is one JSON document: results with intervals, the chance level, and the settings."""
    outcome = bci(
        "evaluate", *runs[:2], *EVENTS, "--decoder", "mdm", "--decoder", "csp-lda", "--json",
        "--channels", "sensorimotor", "--length", "2", "--step", "0.5",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert [result["decoder"] for result in document["results"]] == ["mdm", "csp-lda"]
    for result in document["results"]:
        for score in (result["roc_auc"], result["accuracy"], result["kappa"]):
            assert score["low"] <= score["mean"] <= score["high"]
        assert set(result["per_class"]) == {"left_hand", "right_hand"}
        assert result["n_trials"] == 32
        assert result["chance_95"] == pytest.approx(22 / 32)
        assert result["accuracy"]["mean"] > 0.8
        assert "p_value" not in result
    assert document["classes"] == ["left_hand", "right_hand"]
    assert set(document["channels"]) == {"FC3", "FC4", "C3", "Cz", "C4", "CP3"}
    assert document["settings"]["length_s"] == 2.0
    assert document["left_out"] == []


def test_the_table_says_when_a_score_is_not_above_chance(
    bci_here: Callable[..., Any], runs: list[Path]
) -> None:
    """Noise gets its plain remark, and a permutation p-value that is not small."""
    outcome = bci_here("evaluate", runs[2], *EVENTS, "--decoder", "mdm", "--permutations", "9")
    assert outcome.code == 0, outcome.err
    assert "mdm: not above chance." in outcome.out
    assert "Chance reaches an accuracy of 75 %" in outcome.out
    assert outcome.errors == []
    good = bci_here("evaluate", runs[0], *EVENTS, "--decoder", "mdm")
    assert "not above chance" not in good.out


def test_leave_one_run_out_tests_each_file_by_the_others(
    bci_here: Callable[..., Any], runs: list[Path]
) -> None:
    """Each recording is a run; the document says how many folds that made."""
    outcome = bci_here(
        "evaluate", *runs, *EVENTS, "--decoder", "mdm", "--protocol", "leave-one-run-out", "--json"
    )
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert [protocol["name"] for protocol in document["protocols"]] == ["leave-one-run-out"]
    assert document["folds"] == 3


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, write_fif: Callable[..., Path]) -> Path:
    """Return a folder of three people with two sessions each, named as BIDS names them."""
    folder = tmp_path_factory.mktemp("study")
    for person in (1, 2, 3):
        for session in (1, 2):
            name = f"sub-{person}_ses-{session}_task-mi_eeg_raw.fif"
            place = folder / f"sub-{person}" / f"ses-{session}" / "eeg"
            place.mkdir(parents=True)
            write_fif(place / name, seed=10 * person + session, effect=0.4, n_trials=12)
    rest = folder / "sub-1" / "ses-1" / "eeg" / "sub-1_ses-1_task-rest_eeg_raw.fif"
    write_fif(rest, seed=99, n_trials=12)
    return folder


def test_a_study_is_evaluated_person_by_person(
    bci_here: Callable[..., Any], study: Path, tmp_path: Path
) -> None:
    """One folder, two decoders, two protocols: a row for each person, means and paired differences.

    Tables are written as CSV and HTML, for the user alone.
    """
    out = tmp_path / "results"
    outcome = bci_here(
        "evaluate", study, "--match", "*task-mi*", *EVENTS, "--decoder", "mdm", "--decoder",
        "csp-lda", "--protocol", "cross-session", "--protocol", "within", "--folds", "3",
        "--out", out, "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert set(document["subjects"]) == {"sub-1", "sub-2", "sub-3"}
    assert len(document["subjects"]["sub-1"]["recordings"]) == 2
    assert len(document["results"]) == 3 * 2 * 2
    of_people = {(p["decoder"], p["protocol"]): p for p in document["people"]}
    for (decoder, protocol), row in of_people.items():
        scores = [
            r["roc_auc"]["mean"]
            for r in document["results"]
            if (r["decoder"], r["protocol"]) == (decoder, protocol)
        ]
        assert row["roc_auc"]["mean"] == pytest.approx(sum(scores) / 3)
    (difference,) = (
        d
        for d in document["differences"]
        if (d["subject"], d["protocol"]) == ("all people", "cross-session")
    )
    assert difference["mean"] == pytest.approx(
        of_people["mdm", "cross-session"]["roc_auc"]["mean"]
        - of_people["csp-lda", "cross-session"]["roc_auc"]["mean"]
    )
    assert difference["low"] <= difference["mean"] <= difference["high"]
    with (out / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["subject"] for row in rows[:4]] == ["sub-1"] * 4
    assert float(rows[0]["roc_auc"]) == document["results"][0]["roc_auc"]["mean"]
    page = (out / "table.html").read_text(encoding="utf-8")
    for words in ("sub-3", "cross-session", "Differences between decoders", "all people"):
        assert words in page
    assert json.loads((out / "results.json").read_text()) == document
    if os.name == "posix":
        for path in out.rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_people_are_named_on_the_command_line_too(
    bci_here: Callable[..., Any], study: Path, runs: list[Path]
) -> None:
    """``--subject`` takes files and patterns, beside folders."""
    outcome = bci_here(
        "evaluate", study / "sub-2", "--subject", f"one={runs[0]},{runs[1]}",
        "--subject", f"sub-1={study}/sub-1/*/eeg/*task-mi*.fif", *EVENTS, "--decoder", "mdm",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    for name in ("sub-2", "one", "sub-1", "all people"):
        assert name in outcome.out


def test_who_fails_is_named_and_the_others_are_evaluated(
    bci_here: Callable[..., Any], study: Path, runs: list[Path], tmp_path: Path
) -> None:
    """A person without the events is one line on stderr and exit code 2; the table has the rest."""
    broken = tmp_path / "broken.edf"
    broken.write_text("no recording")
    outcome = bci_here(
        "evaluate", study / "sub-2", "--subject", f"lost={broken}", *EVENTS, "--decoder", "mdm"
    )
    assert outcome.code == 2
    assert "sub-2" in outcome.out
    assert len(outcome.errors) == 1
    assert outcome.errors[0].startswith("error: lost: ")
    assert "broken.edf" in outcome.errors[0]


def test_whole_runs_are_decoded_with_idle(bci_here: Callable[..., Any], runs: list[Path]) -> None:
    """``--pseudo-online`` counts hits and false alarms, recentring if asked to."""
    outcome = bci_here(
        "evaluate", *runs[:2], *EVENTS, "--decoder", "mdm", "--pseudo-online", "--length", "0.5",
        "--recenter", "60", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    (result,) = document["results"]
    assert result["protocol"] == "pseudo-online, leave-one-run-out"
    assert result["idle"] == "idle"
    assert document["folds"] == 2
    assert 0 <= result["hits"]["mean"] <= 1


def test_a_cued_rest_is_idle_by_its_name(bci_here: Callable[..., Any], runs: list[Path]) -> None:
    """``--idle NAME`` takes the cued class for idle, and permuting its labels gives a p-value."""
    outcome = bci_here(
        "evaluate", *runs[:2], "--event", "T1=still", "--event", "T2=right_hand", "--decoder",
        "mdm", "--pseudo-online", "--length", "0.5", "--idle", "still", "--permutations", "2",
        "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    (result,) = json.loads(outcome.out)["results"]
    assert result["idle"] == "still"
    assert result["classes"] == ["right_hand", "still"]
    assert result["p_value"] == pytest.approx(1 / 3)


def test_learning_curves_are_said_and_written(
    bci_here: Callable[..., Any], runs: list[Path], tmp_path: Path
) -> None:
    """A plain answer, numbers as JSON and CSV, and a picture within the page."""
    out = tmp_path / "out"
    command = [
        "evaluate", *runs[:2], *EVENTS, "--decoder", "mdm", "--decoder", "csp-lda", "--folds", "4",
        "--learning-curve", "--out", out,
    ]  # fmt: skip
    said = bci_here(*command)
    assert said.code == 0, said.err
    assert "mdm: 8 trials are enough: " in said.out
    curves = json.loads(bci_here(*command, "--json").out)["learning_curves"]
    assert [curve["decoder"] for curve in curves] == ["mdm", "csp-lda"]
    with (out / "learning.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    points = [(curve["decoder"], point) for curve in curves for point in curve["points"]]
    assert len(rows) == len(points)
    for row, (decoder, point) in zip(rows, points, strict=True):
        assert (row["decoder"], int(row["n_train"])) == (decoder, point["n_train"])
        assert float(row["accuracy_low"]) == point["accuracy"]["low"]
        assert float(row["roc_auc"]) == point["roc_auc"]["mean"]
    page = (out / "table.html").read_text(encoding="utf-8")
    assert 'src="data:image/png;base64,iVBOR' in page
    assert "mdm: 8 trials are enough" in page


def test_the_page_says_what_was_evaluated_and_left_out(
    bci_here: Callable[..., Any], study: Path, tmp_path: Path
) -> None:
    """Recordings, trials of each class, those left out and those that stand out: of each person."""
    out = tmp_path / "out"
    outcome = bci_here(
        "evaluate", study, "--match", "*task-mi*", *EVENTS, "--decoder", "mdm", "--folds", "3",
        "--out", out, "--reject", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    page = (out / "table.html").read_text(encoding="utf-8")
    document = json.loads(outcome.out)
    for person in document["subjects"].values():
        assert person["n_trials"] == {"left_hand": 12, "right_hand": 12}
        assert person["stand_out"] in page
    assert "12 left_hand, 12 right_hand" in page
    assert "sub-1_ses-1_task-mi_eeg_raw.fif, sub-1_ses-2_task-mi_eeg_raw.fif" in page
    assert "8 to 32 Hz, 0.5 to 3.5 s after the cue" in page


def evaluation(runs: list[Path], out: Path, *more: str) -> list[str]:
    """Return a command of many cells."""
    return [
        "evaluate", *map(str, runs), *EVENTS, "--decoder", "mdm", "--decoder", "csp-lda",
        "--permutations", "10", "--out", str(out), "--json", *more,
    ]  # fmt: skip


def broken_off(command: list[str], cells: Path, environment: dict[str, str], how: int) -> Any:
    """Start a command, and send it a signal when it has kept a few cells."""
    with subprocess.Popen(
        [sys.executable, "-m", "bci", *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        deadline = time.monotonic() + 120
        while len(list(cells.glob("*.json"))) < 5 and process.poll() is None:
            assert time.monotonic() < deadline, "no cell was kept"
            time.sleep(0.02)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(how)
        said = process.communicate(timeout=60)
    return process.returncode, *said, children


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGKILL")
def test_a_run_that_was_killed_goes_on_and_ends_the_same(
    bci_here: Callable[..., Any], runs: list[Path], environment: dict[str, str], tmp_path: Path
) -> None:
    """After ``kill -9`` the same command does what is missing, and nothing shows of it.

    Its processes end too and leave nothing in the folder for temporary files, kept cells are not
    done again, and the document is that of a run that nobody disturbed, to the last digit.
    """
    out = tmp_path / "killed"
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    code, *_, children = broken_off(
        evaluation(runs, out, "--jobs", "2"),
        out / "cells",
        environment | {"TMPDIR": str(temporary)},
        signal.SIGKILL,
    )
    assert code == -signal.SIGKILL
    assert children
    assert psutil.wait_procs(children, timeout=20)[1] == []
    assert list(temporary.glob("rolandic-*")) == []
    kept = {path: path.stat().st_mtime_ns for path in (out / "cells").glob("*.json")}
    assert 5 <= len(kept) < 30
    resumed = bci_here(*evaluation(runs, out))
    assert resumed.code == 0, resumed.err
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(list((out / "cells").glob("*.json"))) == 2 * (5 + 10)
    undisturbed = bci_here(*evaluation(runs, tmp_path / "undisturbed"))
    assert resumed.out == undisturbed.out


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupted_run_says_how_to_go_on(
    runs: list[Path], environment: dict[str, str], tmp_path: Path
) -> None:
    """Ctrl-C is a line on what is kept and where, and exit code 130."""
    out = tmp_path / "interrupted"
    code, _, err, _ = broken_off(evaluation(runs, out), out / "cells", environment, signal.SIGINT)
    assert code == 130
    warning, stopped = err.splitlines()
    assert "of 30 cells were done and are kept in" in warning
    assert str(out) in warning
    assert stopped == "stopped"


BAD = {
    "an unknown protocol": (["--protocol", "all"], ["--protocol 'all'", "within"]),
    "recentring without an order": (["--recenter", "60"], ["--recenter 60", "--pseudo-online"]),
    "a learning curve of whole runs": (
        ["--pseudo-online", "--learning-curve"],
        ["--learning-curve", "--pseudo-online"],
    ),
    "an unknown idle": (["--pseudo-online", "--idle", "rest"], ["--idle 'rest'", "threshold"]),
    "an idle of cued trials": (["--idle", "threshold"], ["--idle threshold", "--pseudo-online"]),
    "two places at once": (
        ["--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"],
        ["--jobs 2", "--scheduler"],
    ),
    "a scheduler that is not there": (
        ["--scheduler", "tcp://127.0.0.1:1"],
        ["tcp://127.0.0.1:1", "no Dask scheduler"],
    ),
    "a match without folders": (["--match", "*"], ["--match *", "folders"]),
    "sessions that are too few": (
        ["--protocol", "cross-session", "--sessions", "a"],
        ["cross-session", "1 sessions", "2 recordings"],
    ),
    "a subject without recordings": (["--subject", "S01"], ["belongs to nobody"]),
}


@pytest.mark.parametrize(("arguments", "words"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line(
    bci_here: Callable[..., Any], runs: list[Path], arguments: list[str], words: list[str]
) -> None:
    """Exit code 2 and one line that names what and says what to do; nothing on stdout."""
    outcome = bci_here("evaluate", *runs[:2], *EVENTS, "--decoder", "mdm", *arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    (line,) = outcome.errors
    for word in words:
        assert word in line


def test_bad_places_are_one_line(
    bci_here: Callable[..., Any], runs: list[Path], study: Path, tmp_path: Path
) -> None:
    """People that share a name, a folder without recordings, an --out of another evaluation."""

    def refused(*arguments: object) -> str:
        outcome = bci_here("evaluate", *arguments, *EVENTS, "--decoder", "mdm")
        assert outcome.code == 2
        (line,) = outcome.errors
        return line

    empty = tmp_path / "nobody"
    empty.mkdir()
    assert "holds no recording" in refused(empty)
    assert "none of its 2 recordings" in refused(study / "sub-2", "--match", "*rest*")
    assert "two people are called sub-2" in refused(study, study / "sub-2")
    assert "is a folder and" in refused(study, runs[0])
    assert "no recording is given" in refused()
    assert "nothing matches" in refused("--subject", f"a={tmp_path}/*.edf")
    assert "write NAME=REC,REC" in refused("--subject", "a")
    out = tmp_path / "out"
    assert bci_here("evaluate", runs[0], *EVENTS, "--decoder", "mdm", "--out", out).code == 0
    line = refused(runs[0], "--folds", "4", "--out", out)
    assert "holds another evaluation (its protocols differ)" in line
    assert bci_here(
        "evaluate", runs[0], *EVENTS, "--decoder", "mdm", "--folds", "4", "--out", out,
        "--overwrite",
    ).code == 0  # fmt: skip


def test_a_seed_repeats_the_folds(bci_here: Callable[..., Any], runs: list[Path]) -> None:
    """The same seed gives the same document, another seed other folds."""
    arguments = ["evaluate", runs[2], *EVENTS, "--decoder", "mdm", "--json", "--seed"]
    first, again, other = (bci_here(*arguments, seed).out for seed in (4, 4, 5))
    assert first == again
    assert json.loads(first)["results"] != json.loads(other)["results"]


def test_help_shows_an_example(bci_here: Callable[..., Any]) -> None:
    """The help of both commands holds a line that can be copied."""
    for command in ("evaluate", "train"):
        outcome = bci_here(command, "--help")
        assert outcome.code == 0
        assert f"Example: bci {command}" in outcome.out
