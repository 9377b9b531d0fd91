"""Bad input through the real command line: one line that helps, code 2, nothing written.

All commands run once, one after the other in one process; each test then judges one outcome.
"""

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EVENTS = ["--event", "T1=left_hand", "--event", "T2=right_hand"]
P1_LABELS = "C3,C4,Cz,FC1,FC2,FC5,FC6,CP1,CP2,CP5,CP6,X1,X2,X3,X4,X5"


@dataclass(frozen=True)
class Case:
    """A command that must fail.

    ``{name}`` in an argument is a file of the fixture `files`, ``{out}`` the command's own empty
    folder; `words` must all stand in the error's line. Cases of `here` run in the tests' own
    process: options that are judged by the same code whatever the command.
    """

    name: str
    arguments: list[str]
    words: list[str]
    shared: bool = False
    here: bool = False


def here(name: str, arguments: list[str], words: list[str]) -> Case:
    """Return a case for the tests' own process."""
    return Case(name, arguments, words, here=True)


def train(*arguments: str) -> list[str]:
    """Train with the usual events."""
    return ["train", *arguments, *EVENTS, "--out", "{out}/m.bci", "--decoder", "ts-lr"]


def evaluate(*arguments: str) -> list[str]:
    """Evaluate with the usual events."""
    return ["evaluate", *arguments, *EVENTS, "--json"]


CASES = [
    # Files
    Case("missing file", train("{folder}/gone.edf"), ["gone.edf", "does not exist"]),
    Case("a folder", train("{folder}"), ["folder"]),
    Case("empty EDF", train("{empty_edf}"), ["empty.edf", "empty"]),
    Case("empty XDF", evaluate("{empty_xdf}"), ["empty.xdf", "empty"]),
    Case("EDF cut in its header", train("{headless}"), ["headless.edf"]),
    Case("EDF cut in its samples", train("{cut_edf}"), ["cut.edf"], shared=True),
    Case("text called EDF", train("{text_edf}"), ["text.edf"]),
    Case("text called XDF", train("{text_xdf}"), ["text.xdf"]),
    Case("a spreadsheet", train("{sheet}"), ["sheet.csv"]),
    Case("a FIF that is none", train("{text_fif}"), ["broken_raw.fif"]),
    Case("the second file is bad", train("{good}", "{empty_edf}"), ["empty.edf"]),
    here("a copy of a file", train("{good}", "{twin}"), ["twin_raw.fif", "copy"]),
    here("a seed below zero", train("{good}", "--seed", "-1"), ["--seed"]),
    here("a file given twice", train("{good}", "{good}"), ["good_raw.fif", "twice"]),
    # Events and trials
    Case(
        "no matching annotations",
        [
            "train",
            "{good}",
            "--event",
            "769=left_hand",
            "--event",
            "770=right_hand",
            "--out",
            "{out}/m.bci",
        ],
        ["good_raw.fif", "T0 (16)", "T1 (8)", "T2 (8)", "--event"],
    ),
    Case(
        "annotations that name no class",
        ["evaluate", "{good}"],
        ["good_raw.fif", "T1 (8)", "--event T1=left_hand"],
    ),
    Case("no annotations at all", train("{unmarked}"), ["unmarked_raw.fif", "none", "--event"]),
    Case(
        "one class only",
        ["train", "{good}", "--event", "T1=left_hand", "--out", "{out}/m.bci"],
        ["good_raw.fif", "only one class", "left_hand", "T2 (8)"],
    ),
    here("one class asked for", train("{good}", "--classes", "left_hand"), ["--classes"]),
    Case(
        "a class that is not there",
        evaluate("{good}", "--classes", "left_hand,feet"),
        ["good_raw.fif", "feet", "right_hand (8)"],
    ),
    Case(
        "too few trials for the folds",
        evaluate("{good}", "--folds", "9"),
        ["--folds 9", "left_hand", "8", "good_raw.fif"],
    ),
    here("one fold", train("{good}", "--folds", "1"), ["--folds 1"]),
    here(
        "leave-one-run-out of one run",
        evaluate("{good}", "--protocol", "leave-one-run-out"),
        ["leave-one-run-out", "good_raw.fif"],
    ),
    Case(
        "window past the trial",
        train("{good}", "--window", "0.5", "6"),
        ["good_raw.fif", "window 0.5 6 s", "last 4 s", "--window"],
    ),
    Case(
        "window past the trial of EEGMMIDB",
        evaluate("{s001}", "--window", "2", "5"),
        ["S001R04.edf", "window 2 5 s", "4.1 s", "T0"],
        shared=True,
    ),
    here("window before the cue", train("{good}", "--window", "-1", "2"), ["window -1 2 s"]),
    here(
        "window that ends before it starts", train("{good}", "--window", "3", "1"), ["window 3 1"]
    ),
    here("length beyond the window", train("{good}", "--length", "4"), ["length 4 s", "3 s"]),
    here("step without length", train("{good}", "--step", "0.5"), ["step 0.5", "length"]),
    here("an event without a class", evaluate("{good}", "--event", "T3"), ["--event", "T3"]),
    Case(
        "trials across gaps leave too few",
        [
            "train",
            "{p1_002}",
            "--event",
            "2=left_hand",
            "--event",
            "3=right_hand",
            "--labels",
            P1_LABELS,
            "--channels",
            "C3,C4,Cz",
            "--folds",
            "10",
            "--out",
            "{out}/m.bci",
        ],
        ["P1_002.xdf", "--folds 10", "left out"],
        shared=True,
    ),
    # Channels
    Case("NaN in a channel", train("{nan}"), ["nan_raw.fif", "NaN", "C3"]),
    Case("infinity in a channel", evaluate("{infinite}"), ["infinite_raw.fif", "infinite", "Cz"]),
    Case("a flat channel", train("{flat}"), ["flat_raw.fif", "flat", "C4"]),
    Case("two equal channels", train("{twins}"), ["twins_raw.fif", "FC3", "FC4", "same"]),
    Case(
        "a channel that is not there",
        train("{good}", "--channels", "C3,Oz"),
        ["good_raw.fif", "Oz", "--channels"],
    ),
    here("no name for a channel", train("{good}", "--channels", ","), ["--channels"]),
    Case(
        "no sensorimotor channel",
        train("{good}", "--labels", "A,B,C,D,E,F", "--channels", "sensorimotor"),
        ["sensorimotor", "good_raw.fif", "--labels"],
    ),
    here("labels too few", train("{good}", "--labels", "C3,C4"), ["good_raw.fif", "2 labels"]),
    Case(
        "recordings that disagree in channels",
        train("{good}", "{fewer}"),
        ["fewer_raw.fif", "good_raw.fif", "Cz"],
    ),
    # Rates, bands, units
    Case(
        "recordings that disagree in rate",
        train("{s001}", "{s088}"),
        ["S001R04.edf", "160 Hz", "S088R04.edf", "128 Hz"],
        shared=True,
    ),
    Case("band above Nyquist", train("{good}", "--band", "8", "60"), ["8 60", "50 Hz", "--band"]),
    here("band upside down", evaluate("{good}", "--band", "30", "8"), ["30 8"]),
    Case(
        "amplitudes that cannot be volts",
        ["evaluate", "{openbci}", "--classes", "right_hand,tongue"],
        ["S02_R1.edf", "--unit uV"],
        shared=True,
    ),
    here("a unit that is none", train("{good}", "--unit", "furlong"), ["--unit", "furlong"]),
    # Decoders and output
    Case("an unknown decoder", evaluate("{good}", "--decoder", "magic"), ["magic", "ts-lr"]),
    Case("an unknown parameter", train("{good}", "--param", "spin=2"), ["spin", "ts-lr"]),
    here("a parameter without a value", train("{good}", "--param", "C"), ["--param", "NAME=VALUE"]),
    here("a parameter out of range", evaluate("{good}", "--param", "C=-1"), ["C -1"]),
    here("an unknown protocol", evaluate("{good}", "--protocol", "all"), ["--protocol", "within"]),
    here(
        "output in no folder",
        ["train", "{good}", *EVENTS, "--out", "{out}/none/m.bci"],
        ["--out", "none"],
    ),
    here("output is a folder", ["train", "{good}", *EVENTS, "--out", "{out}"], ["--out", "folder"]),
    Case(
        "output exists",
        ["train", "{good}", *EVENTS, "--out", "{kept}"],
        ["kept.bci", "--overwrite"],
    ),
    # Models
    *(
        Case(f"a model that is {what}", ["replay", "{good}", "--model", f"{{{key}}}"], [file])
        for what, key, file in (
            ("missing", "no_model", "gone.bci"),
            ("empty", "empty_model", "empty.bci"),
            ("text", "text_model", "text.bci"),
            ("a recording", "good", "good_raw.fif"),
            ("a pickle", "trap", "trap.bci"),
        )
    ),
    # Replay, record and streams go here: a model that does not fit, no stream, a stream that stops.
]


class _Trap:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


@pytest.fixture(scope="module")
def files(
    tmp_path_factory: pytest.TempPathFactory, write_fif: Callable[..., Path]
) -> dict[str, Path]:
    """Return bad files, and a good one, by name."""
    import mne

    folder = tmp_path_factory.mktemp("files")

    def spoil(channel: int, value: float) -> Callable[[np.ndarray], None]:
        def change(samples: np.ndarray) -> None:
            samples[channel, 100:400] = value

        return change

    def flatten(samples: np.ndarray) -> None:
        samples[4] = 1e-5

    def copy_first(samples: np.ndarray) -> None:
        samples[1] = samples[0]

    made = {
        "folder": folder,
        "good": write_fif(folder / "good_raw.fif"),
        "nan": write_fif(folder / "nan_raw.fif", change=spoil(2, np.nan)),
        "infinite": write_fif(folder / "infinite_raw.fif", change=spoil(3, np.inf)),
        "flat": write_fif(folder / "flat_raw.fif", change=flatten),
        "twins": write_fif(folder / "twins_raw.fif", change=copy_first),
        "fewer": write_fif(
            folder / "fewer_raw.fif", labels=("FC3", "FC4", "C3", "C4", "CP3"), seed=1
        ),
        "unmarked": folder / "unmarked_raw.fif",
        "no_model": folder / "gone.bci",
        "trap": folder / "trap.bci",
        "sprung": folder / "sprung",
    }
    raw = mne.io.read_raw_fif(made["good"], preload=True, verbose="error")
    raw.set_annotations(None)
    raw.save(made["unmarked"], verbose="error")
    for key, name, content in (
        ("empty_edf", "empty.edf", b""),
        ("empty_xdf", "empty.xdf", b""),
        ("headless", "headless.edf", b"0       X X X X".ljust(120)),
        ("text_edf", "text.edf", b"These are my notes of the session.\n" * 20),
        ("text_xdf", "text.xdf", b"These are my notes of the session.\n" * 20),
        ("text_fif", "broken_raw.fif", b"These are my notes of the session.\n" * 20),
        ("sheet", "sheet.csv", b"time,C3,C4\n0,1,2\n"),
        ("empty_model", "empty.bci", b""),
        ("text_model", "text.bci", b"a model, honestly\n"),
        ("kept", "kept.bci", b"years of work"),
    ):
        made[key] = folder / name
        made[key].write_bytes(content)
    made["twin"] = folder / "twin_raw.fif"
    made["twin"].write_bytes(made["good"].read_bytes())
    made["trap"].write_bytes(pickle.dumps(_Trap(made["sprung"])))
    return made


@pytest.fixture(scope="module")
def shared_files(files: dict[str, Path], request: pytest.FixtureRequest) -> dict[str, Path] | None:
    """Return the shared recordings, and pieces of them; None where the folder is absent."""
    try:
        data: Path = request.getfixturevalue("shared_data")
    except pytest.skip.Exception:
        return None
    made = {
        "s001": data / "eegmmidb" / "S001R04.edf",
        "s088": data / "eegmmidb" / "S088R04.edf",
        "openbci": data / "mi_openbci" / "S02_R1.edf",
        "p1_002": data / "days_xdf" / "P1_002.xdf",
        "p1_003": data / "days_xdf" / "P1_003.xdf",
        "cut_edf": files["folder"] / "cut.edf",
        "cut_xdf": files["folder"] / "cut.xdf",
    }
    for source, target, share in (
        (made["s001"], made["cut_edf"], 0.6),
        (made["p1_003"], made["cut_xdf"], 0.8),
    ):
        content = source.read_bytes()
        target.write_bytes(content[: int(len(content) * share)])
    return made


@pytest.fixture(scope="module")
def outcomes(
    files: dict[str, Path],
    shared_files: dict[str, Path] | None,
    tmp_path_factory: pytest.TempPathFactory,
    bci_all: Callable[[list[list[str]]], list[Any]],
) -> dict[str, tuple[Any, Path]]:
    """Run every case: outcome and output folder by the case's name."""
    known = {**files, **(shared_files or {})}
    cases = [c for c in CASES if not c.here and not (c.shared and shared_files is None)]
    folders = [tmp_path_factory.mktemp("out") for _ in cases]
    outcomes = bci_all(
        [
            [part.format(out=folder, **known) for part in case.arguments]
            for case, folder in zip(cases, folders, strict=True)
        ]
    )
    names = [case.name for case in cases]
    return dict(zip(names, zip(outcomes, folders, strict=True), strict=True))


@pytest.mark.parametrize("case", [c for c in CASES if not c.here], ids=lambda case: case.name)
def test_bad_input_is_one_line_and_code_2(
    case: Case, outcomes: dict[str, tuple[Any, Path]]
) -> None:
    """One line names file, channel or option; code 2; no traceback; nothing on stdout or disk."""
    if case.name not in outcomes:
        pytest.skip("shared recordings are absent")
    judge(case, *outcomes[case.name])


@pytest.mark.parametrize("case", [c for c in CASES if c.here], ids=lambda case: case.name)
def test_a_bad_option_is_one_line_and_code_2(
    case: Case, files: dict[str, Path], bci_here: Callable[..., Any], tmp_path: Path
) -> None:
    """Options that contradict each other or the recording: as for bad files."""
    arguments = [part.format(out=tmp_path, **files) for part in case.arguments]
    judge(case, bci_here(*arguments), tmp_path)


def judge(case: Case, outcome: Any, out: Path) -> None:
    """Check the outcome of a case."""
    assert outcome.code == 2, outcome.err
    assert len(outcome.errors) == 1, outcome.err
    (line,) = outcome.errors
    assert line.startswith("error: ")
    assert "Traceback" not in outcome.err
    for word in case.words:
        assert word in line
    assert outcome.out == ""
    assert list(out.iterdir()) == []


def test_a_pickle_called_a_model_is_never_unpickled(
    files: dict[str, Path], outcomes: dict[str, tuple[Any, Path]]
) -> None:
    """The trap would have created a file; it springs when it is unpickled, to prove the test."""
    assert outcomes["a model that is a pickle"][0].code == 2
    assert not files["sprung"].exists()
    pickle.loads(files["trap"].read_bytes()).close()
    assert files["sprung"].exists()
    files["sprung"].unlink()


def test_an_output_that_exists_is_left_alone(
    files: dict[str, Path], outcomes: dict[str, tuple[Any, Path]]
) -> None:
    """Without --overwrite the file keeps its content."""
    assert outcomes["output exists"][0].code == 2
    assert files["kept"].read_bytes() == b"years of work"


def test_a_cut_xdf_opens_up_to_its_cut(
    shared_files: dict[str, Path] | None, bci: Callable[..., Any]
) -> None:
    """What is there is used, and a warning on stderr says how much that is."""
    if shared_files is None:
        pytest.skip("shared recordings are absent")
    outcome = bci(
        "evaluate", shared_files["cut_xdf"], "--event", "2=left_hand", "--event", "3=right_hand",
        "--labels", P1_LABELS, "--channels", "C3,C4,Cz", "--folds", "3", "--decoder", "mdm",
        "--unit", "uV",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert outcome.errors == []
    assert any(
        "cut.xdf" in line and "cut" in line.split("cut.xdf", 1)[1] for line in outcome.warnings
    )


def test_trials_across_gaps_are_left_out_counted_and_named(
    shared_files: dict[str, Path] | None, bci: Callable[..., Any]
) -> None:
    """P1_002.xdf lost a quarter of its samples: used and left-out trials add up to all cues."""
    if shared_files is None:
        pytest.skip("shared recordings are absent")
    outcome = bci(
        "evaluate", shared_files["p1_002"], shared_files["p1_003"], "--event", "2=left_hand",
        "--event", "3=right_hand", "--labels", P1_LABELS, "--channels", "C3,C4,Cz", "--folds", "3",
        "--decoder", "mdm", "--unit", "uV", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    left_out = document["left_out"]
    assert len(left_out) + document["results"][0]["n_trials"] == 20 + 20
    lost = [item for item in left_out if item["recording"] == "P1_002.xdf"]
    assert 8 <= len(lost) <= 18
    assert {item["reason"] for item in lost} == {"crosses a gap"}
    (line,) = [line for line in outcome.warnings if "P1_002.xdf" in line]
    assert f"{len(lost)} trials left out (crosses a gap)" in line
    for item in lost:
        assert f"{item['onset_s']:.1f}" in line
