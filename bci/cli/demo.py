"""``bci demo``: the whole way once, from an amplifier to a report.

A thin driver of `bci.experiment.Experiment`: what it does with a simulated person or a recording
played back is what a session does with a real amplifier.
"""

import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bci.cli import options, output
from bci.cli.drivers import (
    SIMULATED_WINDOW_S,
    Driver,
    PlaybackDriver,
    SampleCounts,
    SimulatedDriver,
    simulated_protocols,
)
from bci.cli.feedback import Feedback
from bci.cli.replay import outcome_figures
from bci.config import EpochSettings, OnlineSettings
from bci.decoders.adapt import reference_for
from bci.decoders.warmup import compile_kernels
from bci.errors import SettingsError
from bci.experiment import Experiment, OnlineResult
from bci.online.teaching import check_arm
from bci.report import SessionSummary, accuracy_line, adaptation_line, write_report
from bci.sources.amplifier import RecordingFile
from bci.sources.reading import open_recording

__all__ = ["command"]

_DEFAULTS = EpochSettings()
_ONLINE = OnlineSettings()
_CALIBRATION_SPEED = 20.0


def command(
    source: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="REC",
            help="Recordings to play over LSL in place of the simulated person, repeat it: all but "
            "the last calibrate, the last is decoded live.",
        ),
    ] = None,
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[REC...]", help="More of --source.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="New folder for all files; default: rolandic-demo-TIME."),
    ] = None,
    decoder: Annotated[str, typer.Option(metavar="NAME", help="Decoder.")] = "acm-svm",
    ability: Annotated[
        float, typer.Option(metavar="0..1", help="Of the simulated person: 0 chance, 1 easy.")
    ] = 1.0,
    rate: Annotated[float, typer.Option(metavar="HZ", help="Of the simulated amplifier.")] = 250.0,
    speed: Annotated[
        float, typer.Option(metavar="N", help="Calibration, times real time.")
    ] = _CALIBRATION_SPEED,
    classes: options.ClassesOption = None,
    event: options.EventOption = None,
    band: options.BandOption = _DEFAULTS.band_hz,
    window: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="START STOP",
            help="Span of the trial that is used, after the cue (s); default: 0.5 3.0 for the "
            "simulated person, 0.5 3.5 for recordings.",
        ),
    ] = None,
    length: options.LengthOption = None,
    step: options.StepOption = None,
    channels: options.ChannelsOption = None,
    labels: options.LabelsOption = None,
    unit: options.UnitOption = None,
    stream: options.StreamOption = None,
    recenter: options.RecenterOption = None,
    adapt: options.AdaptOption = None,
    param: options.ParamOption = None,
    seed: options.SeedOption = 0,
    json: options.JsonOption = False,
) -> None:
    """Calibrate, train, decode live over LSL, and report; on a simulated person or recordings.

    Example: bci demo

    Example: bci demo --source S001R04.edf S001R08.edf S001R12.edf --event T1=left_hand
    --event T2=right_hand --band 7 35
    """
    paths = [*(source or []), *(more or [])]
    if more and not source:
        raise SettingsError(f"{more[0]}: recordings are given with --source")
    if len(paths) == 1:
        raise SettingsError(f"--source {paths[0]}: give two or more, the last is decoded live")
    if not 0 <= ability <= 1:
        raise SettingsError(f"--ability {ability:g}: give a number from 0 to 1")
    if not speed >= 1:
        raise SettingsError(f"--speed {speed:g}: give 1 or more")
    params = options.check_decoders([decoder], options.parse_params(param))
    arm = adapt or ""
    check_arm(arm)
    reference_for(arm, decoder)
    names = options.split_names(labels) or None
    recordings = options.open_recordings(paths, unit=unit, labels=labels, stream=stream)
    output.show_recording_warnings(recordings)
    if recordings:
        channels = channels or _sensorimotor_if_there(recordings)
    else:
        classes = classes or "left_hand,right_hand"
    epochs = options.epoch_settings(
        recordings,
        classes=classes,
        event=event,
        band=band,
        window=window or (_DEFAULTS.window_s if recordings else SIMULATED_WINDOW_S),
        length=length,
        step=step,
        channels=channels,
    )
    if not recordings:
        simulated_protocols(epochs, seed)
    folder = _new_folder(out)
    console = Console(stderr=True, highlight=False, markup=False)
    began = time.monotonic()
    with ExitStack() as stack:
        console.print(f"session in {folder}")
        experiment = Experiment(
            folder,
            epochs,
            _ONLINE,
            decoder=decoder,
            params=params,
            recenter_s=recenter,
            adapt=arm,
        )
        stack.callback(experiment.close)
        experiment.events.noticed.connect(lambda text: output.show_warnings([text]))
        driver: Driver
        if recordings:
            files = [RecordingFile(path, unit, names, stream) for path in paths]
            driver = PlaybackDriver(experiment, files, speed)
        else:
            driver = SimulatedDriver(
                experiment, {"ability": ability, "rate_hz": rate, "seed": seed}, speed
            )
        stack.callback(driver.close)
        # The streams are let go of before they end: else their end is reported as a loss.
        stack.callback(experiment.close)
        output.compile_ahead()
        with console.status("starting the amplifier in a process of its own"):
            # In this process, so that no first call stands between the cues and the decoder.
            loading = threading.Thread(target=compile_kernels, name="load kernels")
            loading.start()
            driver.connect()
            loading.join()
        result = _session(experiment, driver, console)
        document = _document(experiment, result, driver.counts())
        person = "recordings" if recordings else f"simulated person, ability {ability:g}"
        # Before the session is closed: its log ends with the hash of every file.
        _write_report(experiment, result, document, f"Rolandic demo: {person}", console)
    document["elapsed_s"] = time.monotonic() - began
    if json:
        output.print_json(document)
    else:
        _print(document, result)


def _session(experiment: Experiment, driver: Driver, console: Console) -> OnlineResult:
    with console.status("calibrating") as status:

        def said(what: str) -> None:
            status.update(f"calibrating, {driver.speed:g} x real time: {what}")

        driver.calibrate(said)
    with output.progress_bar(f"training {experiment.decoder}") as progress:
        experiment.events.training_progressed.connect(progress)
        model = experiment.train()
        experiment.events.training_progressed.disconnect(progress)
    output.show_warnings(
        f"{item['recording']}: trial at {item['onset_s']:.1f} s left out ({item['reason']})"
        for item in model.card["left_out"]
    )
    with Feedback(console, experiment, driver.n_trials):
        return driver.decode_live()


def _sensorimotor_if_there(recordings: list[Any]) -> str | None:
    """Prefer the sensorimotor channels: an augmented covariance of 64 takes its time."""
    there = set(recordings[0].info.labels)
    return "sensorimotor" if {"C3", "Cz", "C4"} <= there else None


def _new_folder(out: Path | None) -> Path:
    if out is None:
        out = Path(f"rolandic-demo-{time.strftime('%Y%m%d-%H%M%S')}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SettingsError(f"--out {out}: there is something already; name a new folder")
    parent = out.resolve().parent
    if not parent.is_dir():
        raise SettingsError(f"--out {out}: the folder {parent} is not there")
    try:
        out.mkdir(mode=0o700, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise SettingsError(f"--out {out}: cannot write there ({error.strerror})") from error
    return out


def _document(experiment: Experiment, result: OnlineResult, counts: SampleCounts) -> dict[str, Any]:
    figures = outcome_figures(result.trials)
    model = experiment.model
    return {
        **figures,
        "latency_ms": result.latency.as_dict(),
        "samples_lost": counts.lost,
        "samples": {
            "pushed": counts.pushed,
            "acquired": counts.acquired,
            "due_in_files": counts.to_record,
            "in_files": counts.recorded,
        },
        "n_decisions": len(result.decisions),
        "recentering_moved_db": result.moved_db,
        "adaptation": result.adaptation,
        "decoder": experiment.decoder,
        "cv": None if model is None else model.card["cv"],
        "trials": [trial.as_dict() for trial in result.trials],
        "files": {
            "recordings": [str(path) for path in [*experiment.calibrations, result.recording]],
            "model": str(experiment.model_path),
            "event_log": str(experiment.log.path),
            "report": str(experiment.folder / "report.html"),
        },
    }


def _write_report(
    experiment: Experiment,
    result: OnlineResult,
    document: dict[str, Any],
    title: str,
    console: Console,
) -> None:
    if experiment.model is None:
        return
    with console.status("writing the report"):
        write_report(
            experiment.folder / "report.html",
            SessionSummary(
                title=title,
                model=experiment.model,
                calibrations=[open_recording(path) for path in experiment.calibrations],
                trials=result.trials,
                decisions=result.decisions,
                online=experiment.online,
                latency=result.latency,
                notes=[
                    *_recentred(result),
                    (
                        "Samples lost",
                        f"{document['samples_lost']} of {document['samples']['pushed']}",
                    ),
                    (
                        "Recordings",
                        ", ".join(Path(p).name for p in document["files"]["recordings"]),
                    ),
                ],
            ),
        )


def _recentred(result: OnlineResult) -> list[tuple[str, str]]:
    """Return what a report says of recentering and adaptation, when they are on."""
    told = []
    if result.moved_db is not None:
        told.append(("Recentering", f"the reference point moved by {result.moved_db:.1f} dB"))
    if result.adaptation is not None:
        told.append(("Adaptation", adaptation_line(result.adaptation)))
    return told


def _print(document: dict[str, Any], result: OnlineResult) -> None:
    console = output.results_console()
    console.print(f"accuracy      {accuracy_line(result.trials)}")
    console.print(f"latency       {result.latency.line()}, from a sample's stamp to the decision")
    for name, text in _recentred(result):
        console.print(f"{name.lower():<13} {text}")
    console.print(f"samples lost  {document['samples_lost']} of {document['samples']['pushed']}")
    console.print(f"took          {document['elapsed_s']:.0f} s")
    files = document["files"]
    console.print(f"report        {files['report']}")
    console.print(
        f"check it      bci replay {files['recordings'][-1]} --model {files['model']} --verify",
        soft_wrap=True,
    )
