"""``bci evaluate --protocol online-adaptation``: one table of arms that keep learning."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EVENTS = ["--event", "T1=left_hand", "--event", "T2=right_hand"]
PROTOCOL = ["--protocol", "online-adaptation"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, write_fif: Callable[..., Path]) -> list[Path]:
    """Return three runs in which the right hand is louder at C3."""
    folder = tmp_path_factory.mktemp("runs")
    return [write_fif(folder / f"run{k}_raw.fif", seed=k) for k in (1, 2, 3)]


def test_arms_are_compared_and_written(
    bci_here: Callable[..., Any], runs: list[Path], tmp_path: Path
) -> None:
    """Stdout and the folder hold each arm; the same command again gives the same, from cells."""
    out = tmp_path / "found"
    command = (
        "evaluate", *runs, *EVENTS, *PROTOCOL, "--arm", "recenter", "--arm", "reward",
        "--flip", "0", "--flip", "30", "--arm-seeds", "2", "--json", "--out", out,
    )  # fmt: skip
    outcome = bci_here(*command)
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    found = [(arm["arm"], arm["reward"], arm["n_seeds"]) for arm in document["arms"]]
    assert found == [
        ("frozen", "", 1),
        ("recenter", "", 1),
        ("reward", "clean", 1),
        ("reward", "30 % flipped", 2),
    ]
    assert document["subjects"][""]["trained_on"] == [runs[0].name]
    assert any("reward is the label" in note for note in document["notes"])
    with (out / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["arm"] for row in rows] == [arm for arm, _, _ in found]
    page = (out / "table.html").read_text()
    assert "Online adaptation" in page
    assert "data:image/png;base64," in page
    assert (out / "curves.csv").read_text().startswith("decoder,arm,reward,until_trial")
    again = json.loads(bci_here(*command).out)
    assert again == document


def test_the_table_says_what_was_gone_through(
    bci_here: Callable[..., Any], runs: list[Path]
) -> None:
    """Sessions can be said; the table names what trained and what followed."""
    outcome = bci_here(
        "evaluate", *runs, *EVENTS, *PROTOCOL, "--sessions", "a,a,b", "--arm", "recenter"
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert f"trained on {runs[0].name}, {runs[1].name}" in outcome.out
    assert "trials of b" in outcome.out


def test_an_arm_that_one_decoder_lacks_is_a_line_and_no_error(
    bci_here: Callable[..., Any], runs: list[Path]
) -> None:
    """Features cannot be recentred: that is said, and what could be evaluated stands."""
    outcome = bci_here(
        "evaluate", *runs[:2], *EVENTS, *PROTOCOL, "--arm", "recenter",
        "--decoder", "psd-lda", "--decoder", "ts-lr",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "arm 'recenter' does not exist for this model" in " ".join(outcome.err.split())
    assert "psd-lda" in outcome.out


def test_what_makes_no_sense_is_said_in_one_line(
    bci_all: Callable[..., Any], runs: list[Path]
) -> None:
    """Exit code 2, and a line that names the option and what to do."""
    wrong = [
        ([*PROTOCOL, "--arm", "nobody"], "--arm 'nobody'"),
        ([*PROTOCOL, "--flip", "130"], "--flip 130"),
        ([*PROTOCOL, "--delay", "-1"], "reward delay -1"),
        ([*PROTOCOL, "--pseudo-online"], "has no --pseudo-online"),
        ([*PROTOCOL, "--permutations", "5"], "has no --permutations"),
        ([*PROTOCOL, "--protocol", "within"], "by itself"),
        ([*PROTOCOL, "--sessions", "a,b,a"], "one after the other"),
        ([*PROTOCOL, "--arm", "retrained", "--retrain", "3"], "retrained on 3 trials"),
        (["--arm", "recenter"], "--protocol online-adaptation"),
        (["--guard"], "--protocol online-adaptation"),
    ]
    commands = [["evaluate", *map(str, runs), *EVENTS, *options] for options, _ in wrong]
    for outcome, (options, words) in zip(bci_all(commands), wrong, strict=True):
        assert outcome.code == 2, options
        assert words in " ".join(outcome.err.split())
