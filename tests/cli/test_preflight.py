"""``bci preflight``."""

import json
import uuid

import pytest

from bci.sources.markers import MarkerOutlet


@pytest.fixture
def markers():
    """Return the source id of a marker stream that is there."""
    source_id = f"cli-{uuid.uuid4().hex[:8]}"
    outlet = MarkerOutlet("cli markers", source_id)
    yield source_id
    outlet.close()


def test_a_session_that_can_begin_is_told_as_a_table_and_as_json(bci, markers, tmp_path):
    """Folder, network, streams, space, each with its status in words; code 0."""
    arguments = ("preflight", "--source-id", markers, "--out", tmp_path, "--duration", 60)
    outcome = bci(*arguments)
    assert outcome.code == 0, outcome.err
    assert "✓ ok" in outcome.out
    document = json.loads(bci(*arguments, "--json").out)
    assert document["ready"] is True
    assert [check["name"] for check in document["checks"]] == [
        "folder",
        "network",
        markers,
        f"{markers}: channels",
        f"{markers}: clock",
        "space",
    ]


def test_what_is_missing_ends_with_code_2_and_a_line_that_names_it(bci, tmp_path):
    """The table says it in words too; streams of other machines are one option away."""
    outcome = bci("preflight", "--name", "nobody", "--out", "", "--lsl-session", "empty-lab")
    assert outcome.code == 2
    assert "✗ failed" in outcome.out
    assert outcome.errors == [
        "error: 3 of 4 checks failed (folder, nobody, space): do what they say"
    ]


SESSION = """
[workspace]
folder = "{folder}"
subject = "{subject}"

[recording]
planned_h = 0.5

[[streams]]
source_id = "{source_id}"
"""


def test_the_settings_of_a_daemon_are_a_plan(bci, markers, tmp_path):
    """Streams, folder and length come from the file."""
    path = tmp_path / "session.toml"
    path.write_text(SESSION.format(folder="data", subject="S01", source_id=markers))
    document = json.loads(bci("preflight", path, "--json").out)
    by_name = {check["name"]: check for check in document["checks"]}
    assert document["ready"] is True
    assert str(tmp_path / "data") in by_name["folder"]["detail"]
    assert by_name[markers]["status"] == "ok"


def test_a_name_in_the_settings_is_refused_with_line_and_reason(bci, tmp_path):
    """One line; the name is not repeated."""
    path = tmp_path / "session.toml"
    path.write_text(SESSION.format(folder="data", subject="Mueller", source_id="x"))
    outcome = bci("preflight", path)
    assert outcome.code == 2
    assert "line 4: workspace.subject: this reads as a name" in outcome.err
    assert "Mueller" not in outcome.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--lsl-scope", "galaxy"), "scope 'galaxy'"),
        (("--lsl-peer", "a}b"), "no host name"),
        (("--predicate", "name=="), "XPath"),
        (("absent.toml",), "cannot be read"),
    ],
)
def test_bad_options_are_one_line(bci, tmp_path, arguments, words):
    """What cannot be meant is refused before anything is looked at."""
    outcome = bci("preflight", "--out", tmp_path, *arguments)
    assert outcome.code == 2
    assert len(outcome.errors) == 1
    assert words in outcome.errors[0]
