"""``bci quality``: how good the electrodes and the trials of recordings are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich import box
from rich.table import Table

from bci.cli import options, output
from bci.errors import SettingsError, TrialError
from bci.signal.epochs import Epochs, LeftOut, cut_epochs
from bci.signal.quality import QUALITIES, advice, number
from bci.signal.recorded_quality import RecordedQuality, recorded_quality, verdict, worst_of
from bci.signal.rejection import Mark, class_counts, mark_trials
from bci.sources.recording import Recording

__all__ = ["command"]


def command(
    recordings: options.RecordingsArgument,
    event: options.EventOption = None,
    classes: options.ClassesOption = None,
    band: options.BandOption = (8.0, 32.0),
    window: options.WindowOption = (0.5, 3.5),
    channels: options.ChannelsOption = None,
    labels: options.LabelsOption = None,
    unit: options.UnitOption = None,
    stream: options.StreamOption = None,
    mains: Annotated[
        float | None,
        typer.Option(metavar="50|60", help="Line frequency (Hz). Default: the one that shows."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for a picture of each recording.")
    ] = None,
    json: options.JsonOption = False,
) -> None:
    """Judge the electrodes of recordings, and the trials: what is wrong and what to do.

    Each channel has a word, the number behind it, and what to do. With the events' classes, trials
    that stand out are listed with the reason; `bci train --reject` does not learn from them.

    Example: bci quality R04.edf R08.edf --event T1=left_hand --event T2=right_hand
    """
    if mains is not None and not 16.0 <= mains <= 500.0:
        raise SettingsError(f"--mains {mains:g}: give the line frequency, 50 or 60 Hz")
    if out is not None and not out.is_dir():
        raise SettingsError(f"--out {out} is no folder: make it first")
    opened = options.open_recordings(recordings, unit=unit, labels=labels, stream=stream)
    output.show_recording_warnings(opened)
    settings = options.epoch_settings(
        opened,
        classes=classes,
        event=event,
        band=band,
        window=window,
        length=None,
        step=None,
        channels=channels,
        reject=True,
    )
    runs = [recorded_quality(item, settings.channels, mains_hz=mains) for item in opened]
    bad = {label for run in runs for label in run.bad}
    good = tuple(label for label in runs[0].labels if label not in bad)
    epochs, why = None, "no channel is good in all recordings"
    if good:
        output.compile_ahead()
        try:
            epochs = cut_epochs(opened, settings.model_copy(update={"channels": good}))
        except TrialError as error:
            if event or classes:
                raise
            why = str(error)
    marks = [] if epochs is None else mark_trials(epochs)
    pictures = [] if out is None else _draw(out, opened, runs)
    if json:
        output.print_json(
            _document(runs) | {"trials": _trials(epochs, marks, why), "pictures": pictures}
        )
    else:
        _print(runs)
        _print_trials(epochs, marks, why)
        for picture in pictures:
            output.results_console().print(f"picture: {picture}", soft_wrap=True)


def _draw(out: Path, opened: Sequence[Recording], runs: Sequence[RecordedQuality]) -> list[str]:
    # matplotlib and MNE take a second to import, and without --out they are not needed.
    from bci.report.quality import quality_figure, scalp_places

    pictures = []
    for recording, run in zip(opened, runs, strict=True):
        picture = out / f"{recording.path.stem}_quality.png"
        quality_figure(run, scalp_places(recording.info.channels)).savefig(picture, dpi=130)
        pictures.append(str(picture))
    return pictures


def _number(value: float, scale: float = 1.0) -> float | None:
    return scale * float(value) if np.isfinite(value) else None


def _document(runs: Sequence[RecordedQuality]) -> dict[str, Any]:
    word, sentence = verdict(runs)
    return {
        "verdict": word,
        "sentence": sentence,
        "recordings": [
            {
                "name": run.name,
                "mains_hz": run.mains_hz,
                "n_windows": len(run.windows),
                "n_windows_with_gap": run.n_torn,
                "bad_channels": list(run.bad),
                "bad_channels_by_third": list(run.trend),
                "channels": [_channel(run, k) for k in range(len(run.labels))],
            }
            for run in runs
        ],
    }


def _channel(run: RecordedQuality, k: int) -> dict[str, Any]:
    found, label = run.found, run.labels[k]
    neighbour = int(found.distance_v[k].argmin())
    return {
        "channel": label,
        "quality": found.quality[k],
        "number": number(found, k, run.labels),
        "do": advice(found.quality[k], [label]),
        "rms_uv": _number(found.rms_v[k], 1e6),
        "mains_uv": _number(found.mains_v[k], 1e6),
        "muscle_uv": _number(found.muscle_v[k], 1e6),
        "muscle_ratio": _number(found.muscle_ratio[k]),
        "drift_uv_per_s": _number(found.drift_v_per_s[k], 1e6),
        "pops_per_min": _number(found.pops_per_min[k]),
        "blinks_per_min": _number(found.blinks_per_min[k]),
        "likeness": _number(found.likeness[k]),
        "nearest": run.labels[neighbour] if np.isfinite(found.distance_v[k, neighbour]) else None,
        "nearest_uv": _number(found.distance_v[k, neighbour], 1e6),
        "impedance_kohm": _number(found.impedance_ohm[k], 1e-3),
        "share_bad": float(np.mean(run.windows[:, k] >= QUALITIES.index("popping"))),
    }


def _marked(epochs: Epochs, marks: Sequence[Mark]) -> list[LeftOut]:
    return [
        LeftOut(
            epochs.recordings[epochs.trial_runs[mark.trial]],
            float(epochs.trial_onsets_s[mark.trial]),
            f"{mark.reason}: {mark.text}",
            epochs.classes[epochs.trial_y[mark.trial]],
        )
        for mark in marks
    ]


def _trials(epochs: Epochs | None, marks: Sequence[Mark], why: str) -> dict[str, Any]:
    if epochs is None:
        return {"why_none": why}
    counts = np.bincount(epochs.trial_y, minlength=len(epochs.classes)).tolist()
    marked = [*epochs.left_out, *_marked(epochs, marks)]
    return {
        "n_trials": dict(zip(epochs.classes, counts, strict=True)),
        "channels": list(epochs.channels),
        "marked": [item._asdict() for item in marked],
        "marked_by_class": class_counts(marked),
    }


def _print(runs: Sequence[RecordedQuality]) -> None:
    console = output.results_console()
    labels = list(dict.fromkeys(label for run in runs for label in run.labels))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("channel", "is", "by", "in"):
        table.add_column(column, no_wrap=True)
    by_word: dict[str, list[str]] = {}
    for label in labels:
        run, k = worst_of(runs, label)
        quality = run.found.quality[k]
        by_word.setdefault(quality, []).append(label)
        if quality != QUALITIES[0]:
            table.add_row(label, quality, number(run.found, k, run.labels), run.name)
    n_good = len(by_word.pop(QUALITIES[0], ()))
    if table.row_count:
        console.print(table)
    for quality in sorted(by_word, key=QUALITIES.index, reverse=True):
        console.print(f"{quality}: {advice(quality, by_word[quality])}", soft_wrap=True)
    console.print(f"{n_good} of {len(labels)} channels are good in every recording.")
    trend = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("recording", "length", "mains", "bad channels: first third", "middle", "last"):
        trend.add_column(column, justify="left" if column == "recording" else "right", no_wrap=True)
    for run in runs:
        trend.add_row(
            run.name,
            f"{2 * len(run.windows)} s" + (f", {2 * run.n_torn} s torn" if run.n_torn else ""),
            f"{run.mains_hz:g} Hz",
            *(f"{value:.1f}" for value in run.trend),
        )
    console.print(trend)
    word, sentence = verdict(runs)
    console.print(f"{word}: {sentence}", soft_wrap=True)


def _print_trials(epochs: Epochs | None, marks: Sequence[Mark], why: str) -> None:
    console = output.results_console()
    if epochs is None:
        console.print(f"Trials are not judged: {why}", soft_wrap=True)
        return
    marked = [*epochs.left_out, *_marked(epochs, marks)]
    counts = class_counts(marked)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("class", no_wrap=True)
    for column in ("trials", "marked"):
        table.add_column(column, justify="right")
    table.add_column("why")
    for k, name in enumerate(epochs.classes):
        reasons = counts.get(name, {})
        torn = sum(item.class_name == name for item in epochs.left_out)
        table.add_row(
            name,
            str(int(np.count_nonzero(epochs.trial_y == k)) + torn),
            str(sum(reasons.values())),
            ", ".join(f"{reason} ({n})" for reason, n in reasons.items()),
        )
    console.print(table)
    places: dict[tuple[str, str], list[str]] = {}
    for item in epochs.left_out:
        places.setdefault((item.recording, item.reason), []).append(f"{item.onset_s:.1f}")
    for (recording, reason), onsets in places.items():
        console.print(f"{recording}: {reason}: cue at {', '.join(onsets)} s", soft_wrap=True)
    for item in _marked(epochs, marks):
        console.print(
            f"{item.recording} at {item.onset_s:.1f} s, {item.class_name}: {item.reason}",
            soft_wrap=True,
        )
