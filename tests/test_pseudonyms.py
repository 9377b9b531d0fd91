"""Who may be recognised by an id: nobody."""

import re
from pathlib import Path

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.config import Folder, LslSettings, Pseudonym, SessionLabel, Settings
from bci.errors import SettingsError
from bci.pseudonyms import check_pseudonym


class Workspace(Settings):
    """Settings that name a person."""

    subject: Pseudonym
    session: SessionLabel = "01"
    folder: Folder = Path("data")


@pytest.mark.parametrize(
    "text", ["S01", "s1", "P012", "VP12a", "sub003", "pilot1", "patient007", "042", "TUG12", "HC3"]
)
def test_a_study_s_own_codes_are_pseudonyms(text):
    """Up to three letters or a study's word, then digits."""
    assert Workspace.make(subject=text).subject == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Mueller", "name"),
        ("mueller3", "name"),
        ("Müller1", "name"),
        ("Anna Schmidt", "name"),
        ("john.smith", "name"),
        ("Smith_J", "name"),
        ("AS", "name"),
        ("Eva1", "given name"),
        ("tom80", "given name"),
        ("田中1", "name"),
        ("19851203", "date"),
        ("03121985", "date"),
        ("S19851203", "date"),
        ("851203", "date"),
        ("1985-12-03", "date"),
        ("3.12.1985", "date"),
        ("03/12/85", "date"),
        ("3 Dec 1985", "date"),
        ("03dec85", "date"),
        ("P1985", "date"),
        ("a.b@clinic.org", "e-mail"),
        ("4711081501", "number of a patient"),
        ("S123456789", "number of a patient"),
        ("", "empty"),
        ("../S01", "name"),
        ("S01\n", "name"),
        ("S٠١", "name"),
    ],
)
def test_what_tells_of_a_person_is_refused_with_the_reason(text, reason):
    """One line that says why, and what to write instead."""
    with pytest.raises(SettingsError, match="S01") as error:
        Workspace.make(subject=text)
    assert reason in str(error.value)


@given(st.text(max_size=30))
def test_what_passes_is_a_label_of_a_few_signs(text):
    """Whatever is given: it is refused in words, or is harmless in a file name."""
    try:
        passed = check_pseudonym(text)
    except ValueError:
        return
    assert re.fullmatch("[A-Za-z]{0,11}[0-9]{1,5}[A-Za-z]{0,2}", passed)


@pytest.mark.parametrize("text", ["01", "2", "pre", "post", "week2", "S003", "baseline", "2b"])
def test_sessions_are_numbered_or_named_by_the_study(text):
    """Words of a protocol stand for themselves."""
    assert Workspace.make(subject="S01", session=text).session == text


@pytest.mark.parametrize("text", ["Mueller", "19851203", "visit of Ann", "a@b.de", "", "nurse7x9"])
def test_sessions_name_nobody_either(text):
    """The same reasons hold."""
    with pytest.raises(SettingsError, match="session"):
        Workspace.make(subject="S01", session=text)


def test_an_empty_folder_is_not_the_current_one():
    """It is refused; a path is a path."""
    with pytest.raises(SettingsError, match="no folder is named"):
        Workspace.make(subject="S01", folder=" ")
    assert str(Workspace.make(subject="S01", folder="here").folder) == "here"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scope", "galaxy"),
        ("session_id", "a\n[ports]\nBasePort = 1"),
        ("session_id", "lab]"),
        ("session_id", "lab\n"),
        ("session_id", ""),
        ("known_peers", ("host}\n[log]",)),
        ("known_peers", ("host, other",)),
        ("known_peers", ("fe80::1%x}\n",)),
        ("known_peers", ("-host",)),
        ("known_peers", ("",)),
        ("base_port", 80),
        ("base_port", 65530),
        ("n_ports", 0),
        ("multicast_port", 16580),
    ],
)
def test_settings_of_lsl_cannot_carry_other_settings(name, value):
    """What goes into liblsl's configuration holds no brackets, breaks or separators."""
    with pytest.raises(SettingsError, match=name):
        LslSettings.make(**{name: value})


@given(st.text(max_size=40))
def test_no_text_gets_out_of_its_line(text):
    """A peer or a session that passes is one word."""
    for name, value in (("session_id", text), ("known_peers", (text,))):
        try:
            LslSettings(**{name: value})
        except pydantic.ValidationError:
            continue
        assert re.fullmatch("[A-Za-z0-9_.:-]+", text)
