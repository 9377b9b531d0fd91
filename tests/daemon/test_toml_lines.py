"""In which line a key of a TOML file stands."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.daemon.toml_lines import Path, key_lines

HARD = """\
# comment with "quotes" and [brackets
top.a = 1   # dotted
"quoted.key" = 'lit # eral'

text = \"\"\"
[not.a.table]
x = 1 \\\"\"\" still
\"\"\"\"\"
raw = '''
[[nor.this]]
'''''
list = [ # comment ]
  1,
  [2, 3],
  { b = "}", c = [4] },
]
[ table . "sub" ]
k = 1979-05-27 07:32:00
[[rows]]
n = 1
[rows.inner]
deep = true
[[rows]]
n = 2
  [[rows.more]]
  m = 3
"""


def leaves(value: Any, path: Path = ()) -> list[Path]:
    """List the places of a document's values."""
    if isinstance(value, dict):
        return [place for key, item in value.items() for place in leaves(item, (*path, key))]
    if isinstance(value, list) and value:
        return [place for k, item in enumerate(value) for place in leaves(item, (*path, k))]
    return [path]


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("top",), 2),
        (("top", "a"), 2),
        (("quoted.key",), 3),
        (("text",), 5),
        (("raw",), 9),
        (("list",), 12),
        (("list", 0), 13),
        (("list", 1, 1), 14),
        (("list", 2, "c", 0), 15),
        (("table", "sub"), 17),
        (("table", "sub", "k"), 18),
        (("rows", 0), 19),
        (("rows", 0, "inner", "deep"), 22),
        (("rows", 1, "n"), 24),
        (("rows", 1, "more", 0, "m"), 26),
    ],
)
def test_hard_places_are_found(place: Path, line: int) -> None:
    """Strings that look like tables, arrays over lines, tables of arrays, dotted keys."""
    assert key_lines(HARD)[place] == line


def test_every_value_of_a_hard_text_has_a_line() -> None:
    """Nothing that tomllib reads is missed."""
    assert set(leaves(tomllib.loads(HARD))) <= set(key_lines(HARD))


names = st.from_regex("[a-z]{1,3}", fullmatch=True)
values = st.sampled_from(
    [
        "1",
        "'#]'",
        '"\\"}"',
        "[1, 2]",
        "[\n 1,\n 2 ]",
        '"""\n[x]\n"""',
        "{ p = 1, q = [3] }",
        "1.5e3",
    ]
)
blocks = st.tuples(
    st.sampled_from(["[{}]", "[[{}]]", "# {}"]), names, st.dictionaries(names, values, max_size=3)
)


@given(st.lists(blocks, max_size=5))
def test_a_key_is_in_its_line(parts: list[tuple[str, str, dict[str, str]]]) -> None:
    """In any text that is TOML, the line of a key holds the key."""
    lines = []
    for header, name, pairs in parts:
        lines.append(header.format(name))
        lines += [f"{key} = {value}" for key, value in pairs.items()]
    text = "\n".join(lines)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    found, rows = key_lines(text), text.split("\n")
    for place in leaves(document):
        keys = [part for part in place if isinstance(part, str)]
        assert keys[-1] in rows[found[place] - 1] or isinstance(place[-1], int)
