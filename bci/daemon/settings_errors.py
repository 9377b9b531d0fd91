"""What is wrong in a settings file: line, key, value, and what would be right."""

import difflib
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import pydantic
from pydantic import BaseModel

from bci.daemon.toml_lines import Path, key_lines

__all__ = ["one_line", "problems_said"]

_MOST_SAID = 5
_LONGEST_VALUE = 60
# Nor is a name repeated that should have been a pseudonym: messages go into logs.
_SECRETS = ("token", "secret", "password", "passphrase", "key", "subject", "session")


def problems_said(error: pydantic.ValidationError, text: str, model: type[BaseModel]) -> str:
    """Say in one line what a file's text is refused for; begins with ``, line 3: `` or ``: ``.

    Parameters
    ----------
    error : pydantic.ValidationError
    text : str
        TOML.
    model : type
        What it should have been.
    """
    problems = [said for _, said in sorted(_problems(error, key_lines(text), model))]
    more = len(problems) - _MOST_SAID
    said = "; ".join(problems[:_MOST_SAID]) + (f"; and {more} more" if more > 0 else "")
    return f"{', ' if said.startswith('line ') else ': '}{said}"


def _problems(
    error: pydantic.ValidationError, lines: Mapping[Path, int], model: type[BaseModel]
) -> Iterator[tuple[int, str]]:
    """Yield each problem with its line; the line after the last for one of no line."""
    nowhere = max(lines.values(), default=0) + 1
    items = error.errors(include_url=False)
    for item in items:
        place = item["loc"]
        if item["type"] == "too_short" and any(
            len(other["loc"]) > len(place) and other["loc"][: len(place)] == place
            for other in items
        ):  # items that are wrong are not counted: that they are wrong is said
            continue
        known = place
        while known and known not in lines:  # a key that is missing: where its table begins
            known = known[:-1]
        line = lines[known] if known else nowhere
        where = f"line {line}: " if known else ""
        name = _name(place)
        message = one_line(item["msg"].removeprefix("Value error, "))
        if item["type"] == "missing":
            yield line, f"{where}{name} is missing: add it"
        elif item["type"] == "extra_forbidden":
            yield line, f"{where}{name} is no setting: {_instead(place, model)}"
        elif not place:
            yield line, f"{where}{message}"
        else:
            yield line, f"{where}{name}{_value(place, item['input'])}: {message}"


def _name(place: Path) -> str:
    name = ""
    for part in place:
        # Counted from 1, as people count the tables of an array.
        name += f"[{part + 1}]" if isinstance(part, int) else f"{'.' if name else ''}{part}"
    return _shortened(name)


def _value(place: Path, value: object) -> str:
    """Show what stands there, unless it is a secret or holds others."""
    secret = any(word in str(part).lower() for part in place for word in _SECRETS)
    if secret or isinstance(value, Mapping | list | tuple | BaseModel):
        return ""
    return f" = {_shortened(str(value).lower() if isinstance(value, bool) else repr(value))}"


def _shortened(text: str) -> str:
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "..."


def _instead(place: Path, model: type[BaseModel]) -> str:
    """Say which setting may be meant, and which there are."""
    fields = _fields(place[:-1], model)
    near = difflib.get_close_matches(str(place[-1]), fields, n=1)
    if near:
        return f"is {near[0]!r} meant?"
    return f"there are {', '.join(fields)}"


def _fields(place: Path, model: type[BaseModel]) -> list[str]:
    """Return the names of the settings in a table."""
    for part in place:
        if isinstance(part, str) and part in model.model_fields:
            found = _model_in(model.model_fields[part].annotation)
            model = found or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    arguments = typing.get_args(annotation)
    if not arguments:
        is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
        return annotation if is_model else None
    return next((model for model in map(_model_in, arguments) if model is not None), None)


def one_line(text: str) -> str:
    """Return a text with every run of blanks and line ends as one blank."""
    return " ".join(text.split())
