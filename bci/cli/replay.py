"""``bci replay``: a recording through the online decoder, as fast as it can."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from bci.cli import options, output
from bci.cli.verify import show_evidence
from bci.config import OnlineSettings
from bci.decoders import Model, load_model, platform_card
from bci.errors import ChannelError, RecordingError, RolandicError, SettingsError
from bci.evaluation.chance import chance_level
from bci.evaluation.metrics import Score, wilson_interval
from bci.online import Replay, TrialOutcome, Verification, replay, verify
from bci.online.logged import logged_model, logged_start, logged_stream
from bci.recording.evidence import Evidence, FileState, examine_session
from bci.signal.trials import describe_labels
from bci.sources.reading import check_channels, open_recording, recording_hash
from bci.sources.recording import Recording

__all__ = ["command", "outcome_figures"]

_DEFAULTS = OnlineSettings()


def command(
    recording: Annotated[Path, typer.Argument(metavar="REC", help="A recording.")],
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="M",
            help="A model that bci train wrote; with --verify by default the one that the log "
            "names, where it is found.",
        ),
    ] = None,
    hop: Annotated[
        float, typer.Option(metavar="S", help="From one decision to the next (s).")
    ] = _DEFAULTS.hop_s,
    smoothing: Annotated[
        str, typer.Option(metavar="none|exponential|evidence", help="Of the probabilities.")
    ] = _DEFAULTS.smoothing,
    threshold: Annotated[
        float, typer.Option(metavar="P", help="A class is decided at this probability ...")
    ] = _DEFAULTS.threshold,
    dwell: Annotated[
        float, typer.Option(metavar="S", help="... held for this long ...")
    ] = _DEFAULTS.dwell_s,
    refractory: Annotated[
        float, typer.Option(metavar="S", help="... and not so soon after another decision.")
    ] = _DEFAULTS.refractory_s,
    check: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Compare with the decisions logged live; fail on any that "
            "differs. The settings are then those of the live run.",
        ),
    ] = False,
    log: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The event log for --verify; default: session.jsonl beside the recording.",
        ),
    ] = None,
    labels: options.LabelsOption = None,
    unit: options.UnitOption = None,
    stream: options.StreamOption = None,
    json: options.JsonOption = False,
) -> None:
    """Decode a recording hop by hop, exactly as it would be, or was, decoded live.

    With --verify, a decision that is not reproduced ends the command with code 1.

    A live run ends where the connection of the amplifier was lost, and another begins after its
    return: all runs of the recording are compared.

    Example: bci replay session/online-01.xdf --verify
    """
    settings = OnlineSettings.make(
        hop_s=hop,
        smoothing=smoothing,
        threshold=threshold,
        dwell_s=dwell,
        refractory_s=refractory,
    )
    log = log or recording.parent / "session.jsonl"
    start = logged_start(log, recording) if check else {}
    if model is None:
        if not check:
            raise SettingsError("a model decodes: give one with --model")
        model = logged_model(log, start)
    loaded = load_model(model)
    unit = start.get("unit") if unit is None else unit
    if check and stream is None:
        stream = logged_stream(recording, log)
    opened = open_recording(
        recording, unit=unit, labels=options.split_names(labels) or None, stream=stream
    )
    output.show_recording_warnings([opened])
    _warn_of_channels(opened, loaded)
    output.compile_ahead()
    verification = None
    evidence = examine_session(log, only=(recording, model)) if check else None
    with output.progress_bar("replaying") as progress:
        if check:
            outcome, verification = verify(
                opened, loaded, recording_hash(model), log, platform_card(), progress
            )
        else:
            outcome = replay(opened, loaded, settings, progress=progress)
    if not outcome.decisions:
        raise RecordingError(
            f"{recording}: {opened.duration_s:.1f} s are too short for one window of "
            f"{loaded.epochs.window_length_s:g} s"
        )
    _check_decided(recording, outcome)
    figures = outcome_figures(outcome.trials)
    if not outcome.trials:
        output.show_warnings(
            [
                f"{recording}: no cue of {', '.join(loaded.classes)}: there is no accuracy; labels "
                f"there: {describe_labels(opened.markers)}"
            ]
        )
    if json:
        document = _document(outcome, figures, verification)
        output.print_json(document | ({"evidence": evidence.as_dict()} if evidence else {}))
    else:
        _print(outcome, figures, verification)
        if evidence is not None:
            show_evidence(evidence)
    if evidence is not None:
        _check_unchanged(evidence, recording, model)
    if verification is not None and not verification.complete:
        raise _NotReproducedError(
            f"{log}: the log ends before the run does, after {verification.n_logged} decisions "
            f"of which {verification.n_identical} were reproduced: its tail is missing"
        )
    if verification is not None and not verification.reproduced:
        raise _NotReproducedError(
            f"{recording}: {verification.n_failed} of {verification.n_logged} decisions were not "
            "reproduced" + _updates_said(verification)
        )


def _updates_said(verification: Verification) -> str:
    n = verification.n_updates_failed
    return f", nor {n} states of what the decoder learned" if n else ""


def _check_unchanged(evidence: Evidence, *paths: Path) -> None:
    """Refuse files of the session that are not those that the log names.

    Raises
    ------
    _NotReproducedError
    """
    for path in paths:
        if evidence.state_of(path) is FileState.CHANGED:
            raise _NotReproducedError(f"{path}: was changed: its SHA-256 is not the log's")


def _warn_of_channels(recording: Recording, model: Model) -> None:
    """Warn of channels that training would refuse; live, nobody could have refused them."""
    try:
        check_channels(recording, model.match_stream(recording.info))
    except ChannelError as error:
        output.show_warnings([str(error)])


def _check_decided(path: Path, outcome: Replay) -> None:
    """Refuse a recording of which not one window could be decoded.

    Raises
    ------
    RecordingError
    """
    reasons = Counter(d.reason for d in outcome.decisions if d.probabilities is None)
    if reasons.total() == len(outcome.decisions):
        (reason, _), *_ = reasons.most_common(1)
        raise RecordingError(
            f"{path}: not one of {len(outcome.decisions)} windows could be decoded ({reason}): "
            "check that channel, or train a model without it"
        )


class _NotReproducedError(RolandicError):
    """Live and replay differ: nobody's input is wrong."""


def outcome_figures(trials: list[TrialOutcome]) -> dict[str, Any]:
    """Return accuracy with its interval, and what chance reaches, over the decoded trials."""
    decoded = [trial for trial in trials if trial.decoded is not None]
    figures: dict[str, Any] = {
        "accuracy": None,
        "accuracy_interval": None,
        "chance_95": None,
        "n_trials": len(trials),
        "n_undecided": len(trials) - len(decoded),
    }
    if decoded:
        n_correct = sum(trial.correct for trial in decoded)
        counts = {trial.cue: 0 for trial in decoded}
        for trial in decoded:
            counts[trial.cue] += 1
        figures["accuracy"] = n_correct / len(decoded)
        figures["accuracy_interval"] = list(wilson_interval(n_correct, len(decoded)))
        figures["chance_95"] = chance_level(list(counts.values()))
    return figures


def _document(
    outcome: Replay, figures: dict[str, Any], verification: Verification | None
) -> dict[str, Any]:
    document = {
        "realtime_factor": outcome.realtime_factor,
        "n_decisions": len(outcome.decisions),
        "n_without_decision": sum(d.label is None for d in outcome.decisions),
        "recentering_moved_db": outcome.moved_db,
        **figures,
        "trials": [trial.as_dict() for trial in outcome.trials],
    }
    if verification is not None:
        document["verification"] = {
            "reproduced": verification.reproduced,
            "complete": verification.complete,
            "n_logged": verification.n_logged,
            "n_identical": verification.n_identical,
            "n_absent": verification.n_absent,
            "n_failed": verification.n_failed,
            "max_difference": verification.max_difference,
            "same_machine": verification.same_machine,
            "differences": list(verification.differences),
            "runs": [run.as_dict() for run in verification.runs],
        }
    return document


def _chance(level: float) -> str:
    if level > 1:
        return "too few to tell from chance"
    return f"chance reaches {100 * level:.0f} %"


def _print(outcome: Replay, figures: dict[str, Any], verification: Verification | None) -> None:
    console = output.results_console()
    table = Table("trial", "at", "cue", "decoded", "probability", "windows", "not decoded")
    for number, trial in enumerate(outcome.trials, start=1):
        best = max(trial.probabilities) if trial.probabilities else None
        table.add_row(
            str(number),
            f"{trial.time_s:.1f} s",
            trial.cue,
            f"{trial.decoded or 'undecided'} {'✓' if trial.correct else '✗'}",
            "" if best is None else f"{best:.2f}",
            str(trial.n_windows),
            f"{trial.n_without} ({', '.join(trial.reasons)})" if trial.n_without else "",
        )
    if outcome.trials:
        console.print(table)
    console.print(
        f"{len(outcome.decisions)} decisions at {outcome.realtime_factor:.0f} x real time"
    )
    if outcome.moved_db is not None:
        console.print(f"recentred: the reference point moved by {outcome.moved_db:.1f} dB")
    if figures["accuracy"] is not None:
        score = Score(figures["accuracy"], *figures["accuracy_interval"])
        console.print(
            f"accuracy {output.percent(score)} over {figures['n_trials'] - figures['n_undecided']} "
            f"trials; {_chance(figures['chance_95'])}"
        )
    if verification is not None:
        _print_verification(verification)


def _print_verification(verification: Verification) -> None:
    console, runs = output.results_console(), verification.runs
    console.print(
        f"verified: {verification.n_identical} of {verification.n_logged} live decisions "
        f"reproduced to the last bit, largest difference {verification.max_difference:.1e}"
        + (f"; {verification.n_absent} are not in the file" if verification.n_absent else "")
    )
    if n_updates := sum(run.n_updates for run in runs):
        console.print(
            f"  and {n_updates - verification.n_updates_failed} of {n_updates} states of what the "
            "decoder learned"
        )
    for number, run in enumerate(runs, start=1):
        if len(runs) > 1 or run.absent:
            console.print(
                f"  run {number} of {len(runs)}: {run.n_identical} of {run.n_logged}; "
                f"{run.ended or 'no end in the log'}"
            )
        if run.absent and run.absent_explained:
            first, last = run.absent
            console.print(
                f"    {run.n_absent} not in the file (samples {first} to {last}): the recorder "
                "lost the connection a moment before the decoder did"
            )
    for difference in verification.differences:
        console.print(f"  {difference}")
