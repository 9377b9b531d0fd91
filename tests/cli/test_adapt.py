"""``--adapt``: kept in the model file, and refused before any work where it cannot be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bci.daemon.settings import DecodingSettings
from bci.decoders import load_model
from bci.decoders.adapt import make_adapter

EVENTS = ["--event", "T1=left_hand", "--event", "T2=right_hand", "--no-cv"]


def test_train_keeps_the_arm_and_what_it_needs(
    bci: Callable[..., Any], write_fif: Callable[..., Path], tmp_path: Path
) -> None:
    """The card names it, the model can recentre without being told to, and the summary says it."""
    out = tmp_path / "m.bci"
    told = ["--decoder", "ts-lr", "--adapt", "reward+recenter", "--out", out]
    outcome = bci("train", write_fif(tmp_path / "one_raw.fif"), *EVENTS, *told, "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["adapt"] == "reward+recenter"
    model = load_model(out)
    assert model.card["adapt"] == {"arm": "reward+recenter", "params": {}}
    assert model.recentering is not None
    assert make_adapter("reward+recenter", model).name == "reward+recenter"


@pytest.mark.parametrize(
    ("arm", "decoder", "said"),
    [
        ("teleport", "ts-lr", "arm 'teleport' is unknown: choose one of frozen"),
        ("recenter", "psd-lda", "arm 'recenter' does not exist for psd-lda"),
        ("reward", "combined", "choose one of frozen"),
    ],
)
@pytest.mark.parametrize("command", ["train", "demo"])
def test_an_arm_that_cannot_be_is_one_line_and_nothing_is_left(
    bci: Callable[..., Any],
    write_fif: Callable[..., Path],
    tmp_path: Path,
    command: str,
    arm: str,
    decoder: str,
    said: str,
) -> None:
    """Exit code 2, what there is, no file and no folder."""
    out = tmp_path / "out"
    told = ["--adapt", arm, "--decoder", decoder, "--out", out]
    given = [write_fif(tmp_path / "one_raw.fif"), *EVENTS] if command == "train" else []
    outcome = bci(command, *given, *told)
    assert outcome.code == 2
    assert len(outcome.errors) == 1
    assert said in outcome.errors[0]
    assert not out.exists()


def test_the_daemons_settings_take_an_arm_and_a_stream_of_rewards() -> None:
    """Both are empty unless said."""
    plain = DecodingSettings(model=Path("m.bci"))
    assert (plain.adapt, plain.rewards) == ("", "")
    told = DecodingSettings(model=Path("m.bci"), adapt="reward", rewards="ErrP")
    assert (told.adapt, told.rewards) == ("reward", "ErrP")
