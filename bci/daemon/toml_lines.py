"""In which line of a TOML file a key stands; `tomllib` reads values, but forgets where they were.

The text must be TOML that `tomllib` accepts: nothing is checked here again.
"""

import bisect
import re

__all__ = ["Path", "key_lines"]

#: A place in a document, as pydantic names it: ``("streams", 1, "rate_hz")``.
Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
# Backslash and whatever follows it belong together; a quote ends the string only when it is not
# one of them. Up to two quotes may stand directly before the three that end a long string.
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]*")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}


def key_lines(text: str) -> dict[Path, int]:
    r"""Return the line (from 1) of every key, table, and item of an array.

    >>> key_lines('folder = "x"\n[[streams]]\nname = "EEG"\n')[("streams", 0, "name")]
    3
    """
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[Path, int] = {}
        self._n_tables: dict[Path, int] = {}

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        self._skip()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._assignment(table)
            self._skip()
        return self._lines

    def _skip(self) -> None:
        match = _BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _mark(self, path: Path) -> None:
        self._lines.setdefault(path, bisect.bisect_left(self._ends, self._at) + 1)

    def _header(self) -> Path:
        doubled = self._text.startswith("[[", self._at)
        start = self._at
        self._at += 2 if doubled else 1
        keys = self._keys()
        self._skip()
        end = self._at + (2 if doubled else 1)
        self._at = start
        path: Path = ()
        for number, key in enumerate(keys, start=1):
            path = (*path, key)
            self._mark(path)
            if doubled and number == len(keys):
                self._n_tables[path] = self._n_tables.get(path, 0) + 1
            if path in self._n_tables:  # a table of an array: the newest is meant
                path = (*path, self._n_tables[path] - 1)
                self._mark(path)
        self._at = end
        return path

    def _assignment(self, table: Path) -> None:
        start = self._at
        keys = self._keys()
        end, self._at = self._at, start
        path = table
        for key in keys:
            path = (*path, key)
            self._mark(path)
        self._at = end + 1  # the equals sign
        self._skip()
        self._value(path)

    def _keys(self) -> list[str]:
        """Read a dotted key, and the blanks after it."""
        keys = []
        while True:
            self._skip()
            if match := _STRING.match(self._text, self._at):
                quoted = match.group()[1:-1]
                keys.append(_ESCAPE.sub(_unescaped, quoted) if match.group()[0] == '"' else quoted)
            elif match := _BARE_KEY.match(self._text, self._at):
                keys.append(match.group())
            else:
                raise ValueError(f"no key at character {self._at}: this is no TOML")
            self._at = match.end()
            self._skip()
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _value(self, path: Path) -> None:
        opening = self._text[self._at : self._at + 1]
        if opening in ("[", "{"):
            self._at += 1
            self._skip()
            n_items = 0
            while self._text[self._at] not in "]}":
                if opening == "[":
                    item = (*path, n_items)
                    self._mark(item)
                    self._value(item)
                else:
                    self._assignment(path)
                n_items += 1
                self._skip()
                if self._text[self._at] == ",":
                    self._at += 1
                    self._skip()
            self._at += 1
            return
        match = _STRING.match(self._text, self._at) or _SCALAR.match(self._text, self._at)
        self._at = match.end() if match else self._at


def _unescaped(match: re.Match[str]) -> str:
    code = match.group(1) or match.group(2)
    return chr(int(code, 16)) if code else _ESCAPES.get(match.group(3), match.group(3))
