"""Where a command's words go: results to stdout, everything else to stderr."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from bci.errors import SettingsError

if TYPE_CHECKING:  # scikit-learn takes a second to import, and not every command needs it
    from bci.evaluation.crossval import Progress as ProgressCallback
    from bci.evaluation.metrics import Score
    from bci.signal.epochs import LeftOut
    from bci.sources.recording import Recording

__all__ = [
    "as_json",
    "compile_ahead",
    "decimal",
    "percent",
    "print_json",
    "progress_bar",
    "results_console",
    "show_error",
    "show_left_out",
    "show_recording_warnings",
    "show_warnings",
]


def results_console() -> Console:
    """Return the console for results, on stdout; what is no terminal has lines of 100."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=100)


def _messages_console() -> Console:
    return Console(stderr=True, highlight=False, markup=False)


def as_json(document: Mapping[str, Any]) -> str:
    """Return a document as JSON; a number that is not finite is an error."""
    return json.dumps(document, indent=2, allow_nan=False)


def show_error(text: str) -> None:
    """Say on stderr, in one line, what could not be done."""
    _messages_console().print(f"error: {' '.join(text.split())}", soft_wrap=True)


def print_json(document: dict[str, Any]) -> None:
    """Write one JSON document to stdout.

    Numbers that are not finite have no JSON; writing one is an error, not ``NaN``.
    """
    text = as_json(document)
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise SettingsError(f"the results cannot be written ({error.strerror})") from error


def show_warnings(warnings: Iterable[str]) -> None:
    """Show warnings on stderr, each once and on one line."""
    console = _messages_console()
    for warning in dict.fromkeys(warnings):
        console.print(Text("warning: ", style="yellow") + Text(warning), soft_wrap=True)


def show_recording_warnings(recordings: "Iterable[Recording]") -> None:
    """Show on stderr what recordings warn of, under their file names."""
    show_warnings(
        f"{recording.path.name}: {warning}"
        for recording in recordings
        for warning in recording.warnings
    )


def show_left_out(left_out: "Sequence[LeftOut]") -> None:
    """Say on stderr which trials are not used, and why."""
    by_reason: dict[tuple[str, str], list[LeftOut]] = {}
    for item in left_out:
        # A rejected trial's number follows the colon: theirs differ, their reason is one.
        key = (item.recording, item.reason.partition(":")[0])
        by_reason.setdefault(key, []).append(item)
    show_warnings(
        f"{recording}: {len(items)} trial{'s' if len(items) > 1 else ''} left out ({reason}): "
        f"{_by_class(items)}cue at {', '.join(f'{item.onset_s:.1f}' for item in items)} s"
        for (recording, reason), items in by_reason.items()
    )


def _by_class(left_out: "Sequence[LeftOut]") -> str:
    counts = Counter(item.class_name for item in left_out if item.class_name)
    return ", ".join(f"{n} of {name}" for name, n in counts.items()) + "; " if counts else ""


@contextmanager
def progress_bar(what: str) -> "Iterator[ProgressCallback]":
    """Show a progress bar on stderr, when that is a terminal.

    Yields
    ------
    callable
        To be called with how many steps are done and how many there are.
    """
    console = _messages_console()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(what, total=None)

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield update


def compile_ahead() -> None:
    """Compile the kernels if they are not on disk yet, under a progress bar."""
    # Numba takes 0.3 s to import, and not every command needs it.
    from bci.decoders.warmup import compile_kernels, is_compiled

    if not is_compiled():
        with progress_bar("compiling, once after installing") as progress:
            compile_kernels(progress)


def percent(score: "Score") -> str:
    """Return a score and its interval for people.

    >>> from bci.evaluation import Score
    >>> percent(Score(0.8, 0.66, 0.9))
    '80 % [66, 90]'
    """
    return f"{100 * score.mean:.0f} % [{100 * score.low:.0f}, {100 * score.high:.0f}]"


def decimal(score: "Score") -> str:
    """Return a score that is no percentage, and its interval.

    >>> from bci.evaluation import Score
    >>> decimal(Score(0.8, 0.66, 0.9))
    '0.80 [0.66, 0.90]'
    """
    return f"{score.mean:.2f} [{score.low:.2f}, {score.high:.2f}]"
