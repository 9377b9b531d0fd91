"""What a line of the remote control means, and what a recording may be called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.daemon.file_names import FileName
from bci.daemon.remote_protocol import LONGEST_LINE, LineBuffer, parse
from bci.errors import SettingsError


def named(line: str, root: str = "") -> str:
    """Return the pattern that a ``filename`` line asks for."""
    return str(FileName().changed(parse(line).options, lambda text: text == root).pattern)


def test_the_example_of_labrecorders_readme_names_a_file() -> None:
    """The published Python example, its root given in the settings, fills the template in."""
    line = (
        "filename {root:C:\\Data\\} {template:exp%n\\%p_block_%b.xdf} {run:2} "
        "{participant:P003} {task:MemoryGuided}"
    )
    assert named(line, root="C:\\Data\\") == "exp02/P003_block_MemoryGuided.xdf"


def test_without_a_template_the_name_is_bids() -> None:
    """Options alone fill in the BIDS name; an acquisition appears once it is given."""
    assert named("filename {participant:P003} {session:S002} {task:rest} {modality:ieeg}") == (
        "sub-P003/ses-S002/ieeg/sub-P003_ses-S002_task-rest_run-{run}_ieeg.xdf"
    )
    assert "_acq-fast_" in named("filename {acquisition:fast}")


def test_options_are_kept_until_changed_and_emptied_by_nothing() -> None:
    """As in LabRecorder: each line changes what it names; an empty value is the default again."""
    name = FileName().changed([("participant", "P003"), ("run", "7")], lambda root: False)
    name = name.changed([("task", "rest")], lambda root: False)
    assert (name.participant, name.run, name.task) == ("P003", 7, "rest")
    assert name.changed([("task", ""), ("run", "")], lambda root: False).task == "Default"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("filename", "nothing is no option"),
        ("filename {run:1", "is no option"),
        ("filename {run:1} and more", "is no option"),
        ("filename {run:1} {run:2}", "twice"),
        ("filename {folder:x}", "unknown option"),
        ("filename {run:0}", "whole number"),
        ("filename {run:-1}", "whole number"),
        ("filename {run:10000}", "whole number"),
        ("filename {run:²}", "whole number"),
        ("filename {root:/etc}", "is not the workspace"),
        ("filename {template:../x.xdf}", "no plain name"),
        ("filename {template:a/../../x.xdf}", "no plain name"),
        ("filename {template:/etc/x.xdf}", "absolute path"),
        ("filename {template:\\\\server\\share\\x.xdf}", "absolute path"),
        ("filename {template:C:\\x.xdf}", "absolute path"),
        ("filename {template:c:x.xdf}", "absolute path"),
        ("filename {template:x.xdf:stream}", "no plain name"),
        ("filename {template:a//x.xdf}", "no plain name"),
        ("filename {template:a/}", "no plain name"),
        ("filename {template:.hidden/x.xdf}", "no plain name"),
        ("filename {template:nul/x.xdf}", "device"),
        ("filename {template:COM1.xdf}", "device"),
        ("filename {template:%b/x.xdf} {task:aux}", "device"),
        ("filename {template:x.exe}", "XDF"),
        ("filename {template:%q.xdf}", "no wildcard"),
        ("filename {template:x%}", "no wildcard"),
        ("filename {template:a/b/c/d/e/f/g.xdf}", "deeper"),
        (f"filename {{template:{'x' * 300}.xdf}}", "longer|characters"),
        ("filename {template:%a.xdf}", "no plain name"),
        ("filename {task:../x}", "letters"),
        ("filename {task:a/b}", "letters"),
        ("filename {task:a\\b}", "letters"),
        ("filename {task:ünïcode}", "letters"),
        (f"filename {{task:{'x' * 65}}}", "longer"),
        ("filename {modality:%p}", "letters"),
        ("filename {participant:Anna Schmidt}", "reads as a name"),
        ("filename {participant:Schmidt}", "name"),
        ("filename {participant:12031984}", "date"),
        ("filename {session:2026-11-24}", "date"),
        ("select", "write select all"),
        ("select some", "write select all"),
        ("select name='a' or 1=1", "write select all"),
        ("select name='it's'", "write select all"),
        ("select count(//channel)>1", "write select all"),
        ("start now", "takes nothing"),
        ("record", "unknown command"),
        ("restart", "unknown command"),
        ("", "unknown command"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(line: str, reason: str) -> None:
    """Malformed, unknown or unsafe: one line that says what is wrong."""
    with pytest.raises(SettingsError, match=reason) as failure:
        named(line)
    assert "\n" not in str(failure.value)


def test_a_refused_person_is_not_repeated() -> None:
    """The name that was sent does not travel on in the message."""
    with pytest.raises(SettingsError) as failure:
        named("filename {participant:Annegret}")
    assert "Annegret" not in str(failure.value)


def test_queries_of_labrecorders_select() -> None:
    """A select with an LSL query on names, types and ids is understood as it stands."""
    query = "name='BioSemi' and type='EEG'"
    assert parse(f"select {query}").query == query
    assert parse("SELECT All").query == "all"


@given(st.binary(max_size=400).map(lambda data: data.replace(b"\r", b" ")), st.data())
def test_lines_do_not_depend_on_packets(sent: bytes, data: st.DataObject) -> None:
    """Cut anywhere, the same lines arrive."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    buffer = LineBuffer()
    lines: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        lines += buffer.feed(sent[start:end])
    assert [*lines, buffer.end()] == [line.strip() for line in sent.split(b"\n")]


def test_a_line_has_a_longest_length() -> None:
    """What does not end is refused before it fills the memory, what ends within it is not."""
    buffer = LineBuffer()
    assert buffer.feed(b"x" * LONGEST_LINE) == []
    assert buffer.feed(b"\n") == [b"x" * LONGEST_LINE]
    buffer.feed(b"y" * LONGEST_LINE)
    with pytest.raises(SettingsError, match="longer"):
        buffer.feed(b"y")
