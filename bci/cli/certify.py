"""``bci certify``: whether this machine and this source are as quick as they must be."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bci.cli import options, output
from bci.cli.checks import print_checks
from bci.cli.signals import stop_on_signals
from bci.errors import SettingsError
from bci.sources.devices import forget_offset, read_offsets, store_offset
from bci.sources.discovery import StreamQuery, resolve_one

__all__ = ["command"]

#: How long a stream is waited for (s).
_TIMEOUT_S = 10.0
#: Exit code of a certification that was carried out and not passed.
NOT_PASSED = 3


def command(
    name: Annotated[str | None, typer.Option(metavar="STREAM", help="LSL stream by name.")] = None,
    source_id: Annotated[
        str | None, typer.Option(metavar="ID", help="LSL stream by source id.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(metavar="REC", help="Play this recording over LSL in another process."),
    ] = None,
    minutes: Annotated[float, typer.Option(metavar="M", help="How long.")] = 5.0,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL.bci",
            help="What decodes; default: an augmented covariance of order 3 on 22 channels, fitted "
            "to the stream.",
        ),
    ] = None,
    hop: Annotated[
        float | None, typer.Option(metavar="S", help="From one decision to the next (s).")
    ] = None,
    unit: options.UnitOption = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for recording and log; default: not kept."),
    ] = None,
    set_offset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STREAM[@HOST]=MS",
            help="Store the age that a device's samples have when they are stamped, such as "
            "'BrainAmp=51.6ms', and do nothing else; 'none' forgets it. Repeat it.",
        ),
    ] = None,
    lsl_scope: options.LslScopeOption = None,
    lsl_session: options.LslSessionOption = None,
    lsl_peer: options.LslPeerOption = None,
    json: options.JsonOption = False,
) -> None:
    """Certify timing: acquire, record and decode a stream for minutes, and judge how that went.

    Without a stream, a simulated amplifier in a process of its own is certified. It is judged by
    BCI2000's limits (amplifier median under 7 ms, processing median under 20 ms, SD under 10) and
    by ours (visible to command median under 2 ms, p99 under 5 ms; no sample lost; no decision
    late). Ctrl-C ends it early, and what was measured is judged. The exit code is 0 for a pass and
    3 for none.

    Example: bci certify --name BrainAmp --minutes 5
    """
    if set_offset:
        _store(set_offset, json=json)
        return
    if sum(given is not None for given in (name, source_id, source)) > 1:
        raise SettingsError("give one of --name, --source-id and --source: one stream is certified")
    if not 0 < minutes <= 24 * 60:
        raise SettingsError(f"--minutes {minutes:g}: give more than 0, and a day at most")
    options.set_lsl(lsl_scope, lsl_session, lsl_peer)
    query = StreamQuery(name=name, source_id=source_id)
    if name is not None or source_id is not None:
        resolve_one(query, _TIMEOUT_S)  # before what takes its time: imports, compiling
    # Scikit-learn takes a second to import, and storing an offset does not need it.
    from bci.certification import certify
    from bci.config import OnlineSettings
    from bci.decoders import load_model

    online = OnlineSettings.make(**({} if hop is None else {"hop_s": hop}))
    loaded = None if model is None else load_model(model)
    console = Console(stderr=True, highlight=False, markup=False)
    output.compile_ahead()
    with ExitStack() as stack:
        if out is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rolandic-")))
        else:
            folder = _folder(out)
        stop = stack.enter_context(stop_on_signals())
        if name is None and source_id is None:
            query = _amplifier(stack, source, unit, 60 * minutes)
        with output.progress_bar("certifying") as bar:
            certificate = certify(
                query,
                60 * minutes,
                folder,
                model=loaded,
                online=online,
                unit=unit,
                on_notice=lambda text: output.show_warnings([text]),
                progress=lambda done, total: bar(round(done), round(total)),
                cancelled=stop,
            )
    document = certificate.as_dict()
    if json:
        output.print_json(document)
    else:
        m = certificate.measured
        results = output.results_console()
        results.print(
            f"{m.stream}: {m.n_channels} channels at {m.rate_hz:g} Hz, {m.model}, {m.seconds:.0f} s"
            + (" (ended early)" if m.cancelled else "")
        )
        for title, checks, passed in (
            ("BCI2000's limits", certificate.bci2000, document["passed_bci2000"]),
            ("our limits", certificate.ours, document["passed_ours"]),
        ):
            results.print(f"\n{title}: {'pass' if passed else 'FAIL'}")
            print_checks(list(checks))
        lengths = m.latency.lengths
        results.print(
            f"\nno latency, but felt as one: chunk {lengths.chunk:.1f} ms, hop {lengths.hop:.0f} "
            f"ms, window {lengths.window:.0f} ms"
        )
    if not certificate.passed:
        console.print("not certified: do what the failed checks say")
        raise typer.Exit(NOT_PASSED)


def _amplifier(
    stack: ExitStack, source: Path | None, unit: str | None, seconds: float
) -> StreamQuery:
    """Start an amplifier in a process of its own: a simulated person's, or a recording's."""
    from bci.certification.rehearsal import LISTEN_S
    from bci.sources.amplifier import AmplifierProcess, RecordingFile

    if source is None:
        amplifier = AmplifierProcess(person={"ability": 1.0}, name="simulated amplifier")
    else:
        amplifier = AmplifierProcess([RecordingFile(source, unit)])
    stack.callback(amplifier.stop)
    amplifier.start()
    if source is None:
        amplifier.run()
    else:
        needed_s, there_s = seconds + LISTEN_S + 5.0, amplifier.durations_s()[0]
        if there_s < needed_s:
            raise SettingsError(
                f"--source {source}: lasts {there_s:.0f} s, and {seconds / 60:g} minutes need "
                f"{needed_s:.0f}: give fewer --minutes, or a longer recording"
            )
        amplifier.play(0)
    return StreamQuery(source_id=amplifier.source_id)


def _folder(out: Path) -> Path:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SettingsError(f"--out {out}: there is something already; name a new folder")
    try:
        out.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"--out {out}: cannot be made ({error.strerror})") from error
    return out


def _store(given: list[str], *, json: bool) -> None:
    """Store offsets, then say which are stored: all are read before one is written."""
    wanted = [_parsed(text) for text in given]
    for device, offset_s in wanted:
        if offset_s is None:
            forget_offset(device)
        else:
            store_offset(device, offset_s)
    stored = read_offsets()
    if json:
        output.print_json({"offsets_ms": {name: 1e3 * s for name, s in stored.items()}})
        return
    console = output.results_console()
    for device, offset_s in sorted(stored.items()):
        console.print(f"{device}: {1e3 * offset_s:g} ms")
    if not stored:
        console.print("no offset is stored")


def _parsed(text: str) -> tuple[str, float | None]:
    """Read ``BrainAmp@lab=51.6ms``.

    >>> _parsed("BrainAmp@lab=51.6ms"), _parsed("x=none")
    (('BrainAmp@lab', 0.0516), ('x', None))
    """
    device, _, value = (part.strip() for part in text.rpartition("="))
    if value.lower() == "none" and device:
        return device, None
    try:
        milliseconds = float(value.lower().removesuffix("ms"))
    except ValueError:
        milliseconds = float("nan")
    if not device or not 0 <= milliseconds <= 2000:
        raise SettingsError(
            f"--set-offset {text!r}: write STREAM=MS with 0 to 2000 ms, such as 'BrainAmp=51.6ms'"
        )
    return device, round(milliseconds / 1e3, 9)
