"""``bci record``: LSL streams to an XDF file."""

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from bci.checks import Check
from bci.cli import options, output
from bci.cli.recorded import document, live_view, print_summary
from bci.cli.signals import stop_on_signals
from bci.errors import InputError, RecordingError, RolandicError, SettingsError, StreamLostError
from bci.preflight import ExpectedStream, Plan, examine
from bci.private import private_folder
from bci.recording import (
    RecorderProcess,
    RecorderSettings,
    RecorderStatus,
    RecorderSummary,
    RecorderWatch,
    read_back,
)
from bci.recording.naming import next_free, release
from bci.recording.status import StreamState

__all__ = ["command"]

_LOOK_S = 0.05


def command(
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE.xdf",
            help="File to make; must not exist (its folder is made in one that does). {run} in its "
            "name is the next free number, {date} and {time} are now.",
        ),
    ],
    name: Annotated[
        list[str] | None, typer.Option(metavar="STREAM", help="Stream by name; repeat it.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="TYPE", help="All of this type; repeat it."),
    ] = None,
    source_id: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Stream by source id; repeat it.")
    ] = None,
    predicate: Annotated[
        list[str] | None,
        typer.Option(metavar="XPATH", help="All that an XPath predicate selects; repeat it."),
    ] = None,
    duration: Annotated[
        float | None, typer.Option(metavar="S", min=0.0, help="Stop after this long (s).")
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="S", min=0.1, help="How long to wait for the streams (s).")
    ] = 10.0,
    late: Annotated[
        bool, typer.Option(help="Begin with what is there; the rest joins when it appears.")
    ] = False,
    give_up: Annotated[
        float | None,
        typer.Option(
            metavar="S", min=0.0, help="End when every stream has been gone this long (s)."
        ),
    ] = None,
    preflight: Annotated[
        bool, typer.Option(help="Look at folder, space and streams before (2.5 s).")
    ] = True,
    lsl_scope: options.LslScopeOption = None,
    lsl_session: options.LslSessionOption = None,
    lsl_peer: options.LslPeerOption = None,
    json: options.JsonOption = False,
) -> None:
    """Record LSL streams to an XDF file until Ctrl-C (or TERM), or for a duration.

    Every stream that any of the options selects is recorded, signals and markers alike, in a
    process of its own. One that closes is waited for, and goes on where it comes back; a stream
    that is gone at the end, or never came, makes the exit code 2, the file in order. At the end the
    file is read back and its counts are compared with those of the recording.

    Example: bci record --name "Rolandic amplifier" --type Markers --out "session_run-{run}.xdf"
    """
    expected = [
        *(ExpectedStream.make(name=value, every=True, required=not late) for value in name or ()),
        *(ExpectedStream.make(kind=value, every=True, required=not late) for value in kind or ()),
        *(ExpectedStream.make(source_id=value, required=not late) for value in source_id or ()),
        *(
            ExpectedStream.make(predicate=value, every=True, required=not late)
            for value in predicate or ()
        ),
    ]
    if not expected:
        raise SettingsError("name a stream: --name, --type, --source-id or --predicate")
    options.set_lsl(lsl_scope, lsl_session, lsl_peer)
    messages = Console(stderr=True, highlight=False, markup=False)
    _check_name(out)
    plan = Plan(out.parent, tuple(expected), duration)
    with _made_folder(out.parent):
        path = _path(out)
        try:
            recorder, checks = _begun(path, plan, timeout, late, preflight, messages)
        except BaseException:
            if path != out:
                release(path)
            raise
    summary, error = _record(recorder, messages, duration, give_up)
    if json:
        output.print_json(document(summary, checks, str(error) if error else None))
    else:
        print_summary(summary)
    if error is not None:
        raise error
    _judge(summary)


def _check_name(out: Path) -> None:
    """Raise for what is no name of a file to make."""
    if not out.name:
        raise SettingsError(
            f"--out {str(out)!r}: name a file to make, such as session_run-{{run}}.xdf"
        )
    try:
        there = out.lstat() is not None
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise SettingsError(f"{out.parent} is no folder: choose another") from error
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"--out {str(out)[:60]!r}...: no name of a file ({said})") from error
    if there:
        raise SettingsError(
            f"{out} exists: recordings are never overwritten; a name with {{run}} in it gets the "
            "next free number"
        )


@contextlib.contextmanager
def _made_folder(folder: Path) -> Iterator[None]:
    """Make the folder, in one that is there; a failure takes it away again."""
    if folder.is_dir():
        yield
        return
    if not folder.absolute().parent.is_dir():
        raise SettingsError(
            f"neither {folder} nor the folder that it would be made in is there: make it, or mount "
            "its disk"
        )
    try:
        private_folder(folder)
    except OSError as error:
        raise SettingsError(f"{folder} cannot be made: {error.strerror}") from error
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # somebody put something into it
            folder.rmdir()
        raise


def _begun(
    path: Path, plan: Plan, timeout: float, late: bool, preflight: bool, messages: Console
) -> tuple[RecorderProcess, list[Check]]:
    """Begin, after the pre-flight, or, when nothing is waited for, during it.

    Until the streams are there Ctrl-C ends the command at once: nothing is recorded yet.
    """
    settings = RecorderSettings(require_all=not late)
    queries = [stream.query for stream in plan.streams]
    if late:
        recorder = RecorderProcess(queries, path, timeout_s=timeout, settings=settings)
        with ThreadPoolExecutor(1) as pool:
            look = pool.submit(_examine, plan, 0.0, messages) if preflight else None
            recorder.start()
            return recorder, look.result() if look is not None else []
    checks = _examine(plan, timeout, messages) if preflight else []
    if any(check.status == "failed" for check in checks):
        timeout = min(timeout, 1.0)  # what is missing has been waited for
    recorder = RecorderProcess(queries, path, timeout_s=timeout, settings=settings)
    recorder.start()
    return recorder, checks


def _path(out: Path) -> Path:
    """Return the file to make; a template's next free name is claimed."""
    if "{" not in out.name:
        return out
    now = datetime.now().astimezone()
    return next_free(out.parent, out.name, date=now.strftime("%Y%m%d"), time=now.strftime("%H%M%S"))


def _examine(plan: Plan, timeout: float, messages: Console) -> list[Check]:
    """Look before; what is wrong is said, but what can be recorded is."""
    checks: list[Check] = []
    with messages.status("looking") as line:
        for check in examine(plan, lambda what: line.update(f"looking: {what}"), retry_s=timeout):
            checks.append(check)
            if check.status != "ok":
                colour = "red" if check.status == "failed" else "yellow"
                said = f"{check.name}: {check.detail}; {check.advice}"
                word = "warning" if check.status == "warning" else check.status
                messages.print(Text(f"{word}: ", style=colour) + Text(said), soft_wrap=True)
    return checks


def _record(
    recorder: RecorderProcess, messages: Console, duration: float | None, give_up: float | None
) -> tuple[RecorderSummary, InputError | None]:
    """Record until it is over; return what is in the file, and why it ended too early."""
    failures: list[BaseException] = []
    ended = threading.Event()

    def fail(error: BaseException) -> None:
        failures.append(error)
        ended.set()

    def say(notice: str) -> None:
        messages.print(Text("warning: ", style="yellow") + Text(notice), soft_wrap=True)

    watch = RecorderWatch(recorder, say, fail)
    with stop_on_signals() as stop:
        messages.print(f"recording to {recorder.path}; Ctrl-C stops", soft_wrap=True)
        watch.start()
        try:
            _wait(watch, stop, ended, messages, duration, give_up)
        finally:
            watch.stop()
            summary, stopped_by = _stop(recorder, watch.status)
    failed = next((error for error in failures if isinstance(error, InputError)), stopped_by)
    return summary, failed


def _stop(
    recorder: RecorderProcess, status: RecorderStatus | None
) -> tuple[RecorderSummary, InputError | None]:
    """Stop; of a recorder that could not go on, say what its file holds nevertheless."""
    try:
        return recorder.stop(), None
    except RecordingError as error:
        if status is None:
            raise
        return _account(status), error
    except RolandicError as error:  # its process was killed
        raise RecordingError(
            f"{error}: {recorder.path} holds what it acknowledged; bci repair completes it"
        ) from error


def _wait(
    watch: RecorderWatch,
    stop: threading.Event,
    ended: threading.Event,
    messages: Console,
    duration: float | None,
    give_up: float | None,
) -> None:
    """Show how it goes until it is to end."""
    started_s = time.monotonic()
    all_lost_s: float | None = None  # since when
    with Live(console=messages, auto_refresh=False, transient=True) as live:
        while not (stop.wait(_LOOK_S) or ended.is_set()):
            now_s = time.monotonic()
            status = watch.status
            if status is not None:
                if messages.is_terminal:
                    live.update(live_view(status), refresh=True)
                started_s = min(started_s, now_s - _held_s(status))
                all_lost_s = (all_lost_s or now_s) if status.all_lost else None
            if duration is not None and now_s - started_s >= duration:
                return
            if give_up is not None and all_lost_s and now_s - all_lost_s >= give_up:
                return


def _held_s(status: RecorderStatus) -> float:
    """Return how long the file reaches back: its first samples came while it was prepared."""
    spans = [
        stream.last_stamp - stream.first_stamp + (stream.age_s or 0.0)
        for stream in status.streams
        if stream.rate_hz and stream.first_stamp is not None and stream.last_stamp is not None
    ]
    return min(max(spans, default=0.0), status.duration_s + 2.0)


def _account(status: RecorderStatus) -> RecorderSummary:
    """Say what is in a file whose recorder could not go on."""
    return RecorderSummary(
        path=status.path,
        streams=status.streams,
        duration_s=status.duration_s,
        n_bytes=status.n_bytes,
        notices=status.notices,
        readback=read_back(status.path, status.streams),
    )


def _judge(summary: RecorderSummary) -> None:
    """Raise for what the exit code must tell."""
    if summary.readback is not None and not summary.readback.ok:
        raise RecordingError(f"{summary.path}: {summary.readback}")
    gone = [
        f"LSL stream {stream.name!r} (source id {stream.source_id!r}) was lost after "
        f"{stream.n_samples} samples; they are in {summary.path}"
        for stream in summary.streams
        if stream.lost
    ]
    gone += [
        f"LSL stream {stream.source_id or stream.name!r} never came: {summary.path} holds the rest"
        for stream in summary.streams
        if stream.state is StreamState.WAITING
    ]
    if gone:
        raise StreamLostError("; ".join(gone))
