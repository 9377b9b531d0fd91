"""What pre-flight says of streams: one look at a zoo of real ones."""

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bci.checks import Check
from bci.errors import ModelError, SettingsError
from bci.preflight import ExpectedStream, Plan, examine

RUN = uuid.uuid4().hex[:8]


def flatten(values: np.ndarray) -> None:
    """Let the second channel stand still."""
    values[1] = 3.0


def spoil(values: np.ndarray) -> None:
    """Let the first channel hold no numbers."""
    values[0] = np.nan


def refuse(_: object) -> None:
    """Stand for a model that was made for another amplifier."""
    raise ModelError("channel C3 is missing")


#: Source id: how it is sent, what is expected.
ZOO: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "good": ({"labels": ("C3", "C4")}, {"rate_hz": 100.0, "n_channels": 2, "channels": ("C3",)}),
    "slow": ({"sent_hz": 70.0}, {}),
    "sluggish": ({"sent_hz": 95.0}, {}),
    # The stamps claim 100 Hz, but fifty samples come in a second.
    "made-up": ({"sent_hz": 50.0, "stamp": lambda n, now: now - n / 100.0}, {}),
    "silent": ({"sent_hz": 0.0}, {}),
    "flat": ({"samples": flatten}, {}),
    "nan": ({"samples": spoil}, {}),
    "wall-clock": ({"stamp": lambda _, now: now + 11_520.0}, {}),
    "unitless": ({"unit": ""}, {}),
    "kelvin": ({"unit": "K"}, {}),
    "volts": ({"unit": "V"}, {}),
    "said": ({"unit": ""}, {"unit": "uV"}),
    "wide": ({"n_channels": 3}, {"n_channels": 2}),
    "fast": ({}, {"rate_hz": 500.0}),
    "montage": ({"labels": ("C3", "C4")}, {"channels": ("C3", "Cz")}),
    "alike": ({"labels": ("C3", "C3")}, {}),
    "markers": (
        {"kind": "Markers", "nominal_hz": 0.0, "n_channels": 1, "dtype": "string", "unit": ""},
        {},
    ),
    "empty": ({"n_channels": 0, "sent_hz": 0.0}, {}),
    "text": ({"dtype": "string", "unit": ""}, {}),
    "integers": ({"dtype": "int16"}, {}),
    "crawling": ({"nominal_hz": 1.0}, {}),
    "misfit": ({}, {}),
}


@pytest.fixture(scope="module")
def zoo(sending_all: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> list[Check]:
    """Look at all of them at once."""
    for source_id, (sent, _) in ZOO.items():
        sending_all(f"{source_id}-{RUN}", name=f"zoo {source_id}", **sent)
    expected = tuple(
        ExpectedStream.make(source_id=f"{source_id}-{RUN}", **wanted)
        for source_id, (_, wanted) in ZOO.items()
    )
    folder = tmp_path_factory.mktemp("recordings")
    return list(examine(Plan(folder, expected, 600.0, fits={f"misfit-{RUN}": refuse})))


@pytest.fixture
def said(zoo: list[Check]) -> Callable[[str], Check]:
    """``said("good: rate")``: the check of that name."""
    by_name = {check.name.replace(f"-{RUN}", ""): check for check in zoo}
    return lambda name: by_name[name]


def test_a_stream_as_it_should_be_is_ok_in_everything(said):
    """There, its channels, clock, rate and signal, each with what was found."""
    for part in ("", ": channels", ": clock", ": rate", ": signal"):
        assert said(f"good{part}").status == "ok", said(f"good{part}")
    assert "2 in microvolts" in said("good: channels").detail
    assert "100 Hz" in said("good: rate").detail.replace("99.9", "100").replace("100.0", "100")


def test_every_check_that_is_not_ok_says_what_to_do(zoo):
    """Advice comes with each warning and failure, and with nothing else."""
    for check in zoo:
        assert check.detail
        assert bool(check.advice) == (check.status != "ok"), check


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("slow: rate", "failed", "nominal 100"),
        ("sluggish: rate", "warning", "nominal 100"),
        ("made-up: rate", "warning", "arrive"),
        ("silent: rate", "failed", "nothing came"),
        ("crawling: rate", "ok", "nominal 1"),
        ("flat: signal", "warning", "X2 does not move"),
        ("nan: signal", "warning", "no numbers in X1"),
        ("wall-clock: clock", "failed", "-3.2 h old"),
        ("unitless: channels", "warning", "names no unit"),
        ("kelvin: channels", "failed", "'K'"),
        ("volts: signal", "warning", "no EEG"),
        ("said: channels", "ok", "2"),
        ("said: signal", "ok", "uV"),
        ("wide: channels", "failed", "3, but 2 are expected"),
        ("fast", "failed", "500 are expected"),
        ("montage: channels", "failed", "Cz missing"),
        ("alike: channels", "warning", "C3 more than once"),
        ("markers", "ok", "irregular"),
        ("markers: clock", "ok", "from ours"),
        ("empty: channels", "ok", "none"),
        ("empty: clock", "ok", "from ours"),
        ("text: channels", "ok", "2 of string"),
        ("integers: rate", "ok", "nominal 100"),
        ("misfit: model", "failed", "channel C3 is missing"),
    ],
)
def test_each_fault_is_told(said, name, status, words):
    """In the check that it belongs to, as warning or failure, with what was found."""
    check = said(name)
    assert check.status == status, check
    assert words in check.detail


def test_markers_are_not_waited_for(zoo):
    """An irregular stream has no rate and no signal to be looked at."""
    names = {check.name.replace(f"-{RUN}", "") for check in zoo}
    assert not {"markers: rate", "markers: signal", "silent: signal"} & names


def test_all_streams_together_take_seconds(sending, tmp_path, record_property):
    """Three good streams, each pulled for a second: about 2.5 s, whatever their number."""
    for number in range(3):
        sending(f"quick{number}-{RUN}")
    streams = tuple(ExpectedStream(source_id=f"quick{n}-{RUN}") for n in range(3))
    began = time.monotonic()
    checks = list(examine(Plan(tmp_path, streams, 60.0)))
    took_s = time.monotonic() - began
    record_property("took_s", took_s)
    assert {check.status for check in checks} == {"ok"}, checks
    assert took_s < 5.0  # 2.2 s on an idle machine


def test_what_is_missing_is_said_with_what_is_there(sending, tmp_path):
    """A required stream fails, an optional one warns; both name the streams that are near."""
    sending(f"near-{RUN}", name="zoo near")
    streams = (
        ExpectedStream(source_id=f"absent-{RUN}"),
        ExpectedStream(name=f"extra-{RUN}", required=False),
    )
    by_name = {check.name: check for check in examine(Plan(tmp_path, streams))}
    assert by_name[f"absent-{RUN}"].status == "failed"
    assert by_name[f"extra-{RUN}"].status == "warning"
    assert "'zoo near'" in by_name[f"absent-{RUN}"].detail


def test_what_comes_late_is_found_when_there_is_time(sending, tmp_path):
    """A stream that starts two seconds later is looked for again."""
    sending(f"late-{RUN}", after_s=2.0)
    plan = Plan(tmp_path, (ExpectedStream(source_id=f"late-{RUN}"),))
    waited: list[str] = []
    checks = {check.name: check for check in examine(plan, waited.append, retry_s=20.0)}
    assert checks[f"late-{RUN}"].status == "ok"
    assert f"waiting for late-{RUN}" in waited


def test_a_source_id_that_is_there_twice_fails_and_names_both_hosts(sending, tmp_path):
    """Two programs send what should be one device: which is recorded would be chance."""
    with_host = f"twin-{RUN}"
    sending(with_host)
    sending(with_host)
    plan = Plan(tmp_path, (ExpectedStream(source_id=with_host),))
    checks = {check.name: check for check in examine(plan)}
    assert checks[with_host].status == "failed"
    assert "is there 2 times, on " in checks[with_host].detail
    assert " and " in checks[with_host].detail


def test_one_of_several_must_be_named_unless_all_are_meant(sending, tmp_path):
    """Streams of one name are told apart by their source ids."""
    for end in "ab":
        sending(f"{end}-{RUN}", name=f"pair {RUN}")
    one = ExpectedStream(name=f"pair {RUN}")
    checks = {check.name: check for check in examine(Plan(tmp_path, (one,)))}
    assert checks[f"pair {RUN}"].status == "failed"
    assert f"a-{RUN}" in checks[f"pair {RUN}"].detail
    every = ExpectedStream(name=f"pair {RUN}", every=True)
    checks = {check.name: check for check in examine(Plan(tmp_path, (every, one)))}
    assert checks[f"a-{RUN}"].status == checks[f"b-{RUN}"].status == "ok"


def test_a_look_that_is_given_up_leaves_nothing_running(tmp_path):
    """Whoever stops asking does not wait for the streams."""
    plan = Plan(tmp_path, (ExpectedStream(source_id=f"never-{RUN}"),))
    checks = examine(plan, retry_s=60.0)
    assert next(checks).name == "folder"
    began = time.monotonic()
    checks.close()
    assert time.monotonic() - began < 5.0
    assert not [t for t in threading.enumerate() if t.name.startswith("preflight")]


def test_a_predicate_that_is_none_is_refused(tmp_path):
    """It would only ever find nothing."""
    plan = Plan(tmp_path, (ExpectedStream(predicate="name=="),))
    with pytest.raises(SettingsError, match="XPath"):
        list(examine(plan))


def test_an_expected_stream_must_say_which_it_is():
    """Nothing given would mean any stream."""
    with pytest.raises(SettingsError, match="which stream is meant"):
        ExpectedStream.make(required=True)
