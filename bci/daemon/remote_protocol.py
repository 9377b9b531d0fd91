"""The LabRecorder remote-control protocol: what a line means.

One command a line: ``select all``, ``select none``, ``select`` and an LSL query, ``filename`` and
options in braces, ``start``, ``stop``, ``update``. Pure functions: nothing is opened or made here.
"""

import re
from dataclasses import dataclass

from bci.errors import SettingsError

__all__ = ["LONGEST_LINE", "Command", "LineBuffer", "is_http", "parse", "shown", "text_of"]

#: Bytes of a line; LabRecorder's longest published command has about 150.
LONGEST_LINE = 2048
_COMMANDS = "select all, select none, select QUERY, filename, start, stop, update"
_OPTION = re.compile(r"\s*\{([A-Za-z]+):([^{}]*)\}")
_TERM = r"(?:name|type|source_id|hostname)='[^'\"\x00-\x1f\x7f]{1,200}'"
_QUERY = re.compile(rf"{_TERM}(?: and {_TERM}){{0,3}}")
_HTTP = re.compile(r"[A-Z]{3,10} \S+ HTTP/\d")


class LineBuffer:
    """Cuts what arrives into lines, whatever the packets.

    A line ends with a line feed, after a carriage return or not. What has not ended is at most
    `LONGEST_LINE` bytes.
    """

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, received: bytes) -> list[bytes]:
        """Return the lines that have ended, without their ends.

        Raises
        ------
        SettingsError
            When a line is too long; the connection is of no further use.
        """
        *lines, rest = (bytes(self._rest) + received).split(b"\n")
        if max(map(len, (*lines, rest))) > LONGEST_LINE:
            raise SettingsError(f"the line is longer than {LONGEST_LINE} bytes")
        self._rest[:] = rest
        return [line.strip() for line in lines]

    def end(self) -> bytes:
        """Return what came after the last line, and forget it."""
        rest = bytes(self._rest).strip()
        self._rest.clear()
        return rest

    @property
    def waiting(self) -> bool:
        """Whether a line has begun and not ended."""
        return bool(self._rest)


@dataclass(frozen=True, slots=True)
class Command:
    """A line that was understood.

    Attributes
    ----------
    verb : {"select", "filename", "start", "stop", "update"}
    query : str
        For select: ``"all"``, ``"none"`` or an LSL query such as ``name='BioSemi'``.
    options : tuple of (str, str)
        For filename: name and value, as sent, without blanks around.
    """

    verb: str
    query: str = ""
    options: tuple[tuple[str, str], ...] = ()


def text_of(line: bytes) -> str:
    """Decode a line.

    Raises
    ------
    SettingsError
        When it is not text, or holds control characters.
    """
    try:
        text = line.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise SettingsError("the line is not UTF-8 text") from error
    if not text.isprintable():
        raise SettingsError("the line holds control characters")
    return text


def is_http(text: str) -> bool:
    """Say whether a line opens a request of a web browser.

    A page may send one to this computer's own ports, with commands in what follows.

    >>> is_http("POST / HTTP/1.1"), is_http("start")
    (True, False)
    """
    return _HTTP.match(text) is not None


def parse(text: str) -> Command:
    """Understand a line.

    >>> parse("select all")
    Command(verb='select', query='all', options=())
    >>> parse("filename {participant:P003} {run:2}").options
    (('participant', 'P003'), ('run', '2'))
    >>> parse("format c:")
    Traceback (most recent call last):
    ...
    bci.errors.SettingsError: unknown command 'format c:': there are select all, ...

    Raises
    ------
    SettingsError
        When the command is unknown or malformed: in one line, with what to write.
    """
    verb, _, rest = text.partition(" ")
    verb, rest = verb.lower(), rest.strip()
    if verb in ("start", "stop", "update"):
        if rest:
            raise SettingsError(f"{verb} takes nothing after it, not {shown(rest)}")
        return Command(verb)
    if verb == "select":
        if rest.lower() in ("all", "none"):
            return Command("select", rest.lower())
        if not _QUERY.fullmatch(rest):
            raise SettingsError(
                f"select {shown(rest)}: write select all, select none, or a query such as "
                "select name='BioSemi' and type='EEG' (name, type, source_id, hostname)"
            )
        return Command("select", rest)
    if verb == "filename":
        return Command("filename", options=_options(rest))
    raise SettingsError(f"unknown command {shown(text)}: there are {_COMMANDS}")


def _options(text: str) -> tuple[tuple[str, str], ...]:
    options: dict[str, str] = {}
    at = 0
    while match := _OPTION.match(text, at):
        name = match[1].lower()
        if name in options:
            raise SettingsError(f"filename: option {name} is given twice")
        options[name] = match[2].strip()
        at = match.end()
    if at < len(text) or not options:
        what = shown(text[at:].strip()) if at < len(text) else "nothing"
        raise SettingsError(
            f"filename: {what} is no option; write {{participant:P003}} {{session:S001}} {{run:1}}"
        )
    return tuple(options.items())


def shown(text: str) -> str:
    """Repeat what was sent, short and without what a terminal would obey."""
    return ascii(text if len(text) <= 60 else text[:57] + "...")
