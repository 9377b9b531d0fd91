"""``bci evaluate``: scores that say what they are worth."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
        "evaluate", *runs, *EVENTS, "--decoder", "mdm", "--scheme", "leave-one-run-out", "--json"
    )
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert document["scheme"] == "leave-one-run-out"
    assert document["folds"] == 3


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
