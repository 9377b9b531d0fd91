"""The table of goals, from what the benchmarks print.

A benchmark says what it reached against which goal in ``"goals"``, a list made with `goal`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["goal", "markdown", "rows"]

Row = tuple[str, str, str, str, str, str]
_OUTCOMES = {True: "met", False: "missed", None: ""}
_HEAD = ("what", "goal", "ours", "peer", "ratio", "")


def goal(
    what: str,
    wanted: str,
    *,
    met: bool | None,
    ours: str = "",
    peer: str = "",
    ratio: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return one line of the table.

    Parameters
    ----------
    what, wanted : str
        What was measured, and what it should come to.
    met : bool or None
        None: measured, without a goal.
    ours, peer : str
        With their units; empty for those that `ratio` holds.
    ratio : mapping, optional
        What `measure.paired` returned.
    """
    entry: dict[str, Any] = {"what": what, "goal": wanted, "met": met}
    if ratio is not None:
        ours, peer = ours or _ms(ratio["ours_ms"]), peer or _ms(ratio["peer_ms"])
        entry["ratio"] = f"{ratio['ratio']:g} ({ratio['ratio_low']:g} to {ratio['ratio_high']:g})"
    return entry | {"ours": ours, "peer": peer}


def _ms(value: float) -> str:
    """Return milliseconds in three digits, as seconds where they are many.

    >>> _ms(0.4567), _ms(48.21), _ms(4321.0)
    ('0.457 ms', '48.2 ms', '4.32 s')
    """
    return f"{value:.3g} ms" if value < 1000 else f"{value / 1000:.3g} s"


def rows(result: Mapping[str, Any]) -> list[Row]:
    """Return a benchmark's lines of the table."""
    name = f"`{result['benchmark']}`"
    return [
        (
            f"{name}: {entry['what']}",
            entry["goal"],
            entry["ours"],
            entry["peer"],
            entry.get("ratio", ""),
            _OUTCOMES[entry["met"]],
        )
        for entry in result.get("goals", ())
    ]


def markdown(lines: Sequence[Row]) -> str:
    """Return the table in Markdown."""
    table = [_HEAD, ("---",) * len(_HEAD), *lines]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in table)
