"""``bci simulate``: a simulated person, or a recording, as an amplifier on the network."""

import threading
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bci.cli import options, output
from bci.cli.signals import stop_on_signals
from bci.errors import SettingsError
from bci.events import Marker
from bci.sources.amplifier import LINGER_S, SETTLE_S
from bci.sources.base import Source
from bci.sources.discovery import StreamQuery
from bci.sources.markers import MarkerOutlet
from bci.sources.outlet import EegOutlet
from bci.sources.playback import PlaybackSource
from bci.sources.reading import open_recording
from bci.sources.serve import CueListener, Server, ServeReport
from bci.sources.simulate import SimulatedSource

__all__ = ["command"]

_PERSON_NAME = "Rolandic simulated amplifier"


def command(
    file: Annotated[
        Path | None, typer.Option(metavar="REC", help="Play this recording; else a person.")
    ] = None,
    speed: Annotated[float, typer.Option(metavar="N", help="Times real time.")] = 1.0,
    labels: options.LabelsOption = None,
    unit: options.UnitOption = None,
    stream: options.StreamOption = None,
    ability: Annotated[
        float, typer.Option(metavar="A", help="Of the person: 0 (chance) to 1 (easy).")
    ] = 0.8,
    rate: Annotated[float, typer.Option(metavar="HZ", help="Sampling rate of the person.")] = 250.0,
    montage: Annotated[
        str, typer.Option(metavar="NAME|C3,C4,...", help="Electrodes of the person.")
    ] = "sensorimotor",
    seed: Annotated[int, typer.Option(metavar="N", help="Which person.")] = 0,
    session: Annotated[int, typer.Option(metavar="N", help="Which day of that person.")] = 0,
    markers: Annotated[
        str | None,
        typer.Option(metavar="STREAM", help="Name of the marker stream that the person watches."),
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the stream.")] = None,
    source_id: Annotated[str | None, typer.Option(metavar="ID", help="Its source id.")] = None,
    duration: Annotated[
        float | None, typer.Option(metavar="S", min=0.0, help="Stop after this much signal (s).")
    ] = None,
    wait: Annotated[
        bool | None,
        typer.Option("--wait/--no-wait", help="Wait for a receiver first; default with --file."),
    ] = None,
    lsl_scope: options.LslScopeOption = None,
    lsl_session: options.LslSessionOption = None,
    lsl_peer: options.LslPeerOption = None,
    json: options.JsonOption = False,
) -> None:
    """Put a simulated person, or a recording, on the network as an LSL amplifier.

    It runs until Ctrl-C, the end of the recording, or --duration. A recording's annotations go
    out as a marker stream. Stamps advance at the recording's own rate from the LSL clock at the
    start: faster than real time they run ahead of that clock.

    Example: bci simulate --ability 1 --markers "Rolandic markers"

    Example: bci simulate --file S001R12.edf --speed 2
    """
    options.set_lsl(lsl_scope, lsl_session, lsl_peer)
    messages = Console(stderr=True, highlight=False, markup=False)
    source, recorded = _source(
        file,
        labels=labels,
        unit=unit,
        stream=stream,
        person={
            "ability": ability,
            "rate_hz": rate,
            "montage": montage if "," not in montage else options.split_names(montage),
            "seed": seed,
            "session": session,
        },
        cues=markers,
    )
    eeg_name = name or (source.info.name if file else _PERSON_NAME)
    eeg_id = source_id or f"rolandic-{uuid.uuid4().hex[:12]}"
    eeg = EegOutlet(replace(source.info, name=eeg_name, kind="EEG"), source_id=eeg_id)
    server_markers = (
        MarkerOutlet(f"{eeg_name} markers", f"{eeg_id}-markers") if recorded is not None else None
    )
    server = Server(eeg, server_markers, speed=speed)
    cues = CueListener(StreamQuery(name=markers)) if markers else None
    with stop_on_signals() as stop:
        messages.print(
            f"streaming {eeg_name!r} (source id {eeg_id!r}); Ctrl-C stops",
            soft_wrap=True,
            markup=False,
        )
        if wait if wait is not None else file is not None:
            messages.print("waiting for a receiver")
            _wait(eeg, server_markers, stop)
        try:
            report = server.run(source, recorded or (), stop=stop, cues=cues, duration_s=duration)
        finally:
            if cues is not None:
                cues.close()
        # Without a wait the ends of outlets overtake what they have sent.
        threading.Event().wait(LINGER_S)
    eeg.close()
    if server_markers is not None:
        server_markers.close()
    _say(report, eeg_name, eeg_id, json=json)


def _source(
    file: Path | None,
    *,
    labels: str | None,
    unit: str | None,
    stream: str | None,
    person: dict[str, object],
    cues: str | None,
) -> tuple[Source, Sequence[Marker] | None]:
    """Return the open source, and the markers of a recording (None: a person has none)."""
    if file is None:
        simulated = SimulatedSource(**person)  # type: ignore[arg-type]
        simulated.open()
        return simulated, None
    if cues is not None:
        raise SettingsError("--markers is for the simulated person: a recording has its own")
    names = options.split_names(labels) or None
    recording = open_recording(file, unit=unit, labels=names, stream=stream)
    output.show_warnings(recording.warnings)
    playback = PlaybackSource(recording)
    playback.open()
    return playback, recording.markers


def _wait(eeg: EegOutlet, markers_out: MarkerOutlet | None, stop: threading.Event) -> None:
    """Wait for a receiver, and for liblsl to have entered it (`bci.sources.amplifier`)."""
    while not (stop.is_set() or eeg.wait_for_consumers(0.2)):
        pass
    if markers_out is not None and not stop.is_set():
        markers_out.wait_for_consumers(1.0)  # who records both connects to both
    stop.wait(SETTLE_S)


def _say(report: ServeReport, name: str, source_id: str, *, json: bool) -> None:
    if json:
        output.print_json(
            {
                "name": name,
                "source_id": source_id,
                "n_samples": report.n_samples,
                "n_markers": report.n_markers,
                "first_stamp": report.first_stamp,
                "last_stamp": report.last_stamp,
                "worst_late_s": report.worst_late_s,
                "ended": report.ended,
            }
        )
        return
    output.results_console().print(
        f"{report.n_samples} samples and {report.n_markers} markers sent, at worst "
        f"{1000 * report.worst_late_s:.1f} ms late"
    )
