"""What the report of a session of several runs says, in which order: one page, then the details."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
import mne
from matplotlib.figure import Figure

from bci import __version__
from bci.decoders import platform_card
from bci.errors import RolandicError
from bci.features.erds import ErdsSettings, erds
from bci.features.palette import class_colours, words
from bci.features.trial_maps import erds_figure
from bci.report import figures
from bci.report.accuracies import accuracies_figure
from bci.report.document import Block, Document, Paragraph, Picture, Section, Table
from bci.report.quality import CHANNEL_HEAD, channel_rows, quality_figure, scalp_places
from bci.report.sitting import Sitting, accuracy_of, cv_accuracy, online_accuracies, used_cv
from bci.report.tables import adaptation_line, cv_line, trial_rows
from bci.signal.recorded_quality import verdict
from bci.signal.rejection import class_counts

__all__ = ["STYLE", "session_document", "summary_rows"]

STYLE: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10,
    "axes.titlesize": 11,
    "figure.dpi": 110,
}
_STAGES = {"command": "to the decision", "presentation": "to show it", "system": "to the screen"}

_SPREAD = ("median", "p99", "worst")


def session_document(
    sitting: Sitting, progress: Callable[[int, int], None] = lambda done, total: None
) -> Document:
    """Return a session's report.

    Parameters
    ----------
    sitting : Sitting
    progress : callable
        Called with the number of parts made, and how many there are.
    """
    setup = sitting.record.setup
    parts: Sequence[Callable[[Sitting], Section]] = (
        _done, _quality, _accuracy, _maps, _trials, _latency, _parameters,
    )  # fmt: skip
    with mpl.rc_context(STYLE), mne.utils.use_log_level("ERROR"):
        front = _front(sitting)
        sections = []
        for number, part in enumerate(parts, start=1):
            progress(number, len(parts) + 1)
            sections.append(part(sitting))
        progress(len(parts) + 1, len(parts) + 1)
    dates = _dates(sitting)
    by = f", by {setup.operator}" if setup.operator else ""
    return Document(
        f"sub-{setup.subject}, ses-{setup.session}",
        f"Motor imagery: {', '.join(map(words, sitting.classes))}. {dates}{by}.",
        front,
        [section for section in sections if section.blocks],
    )


# --- the one page -------------------------------------------------------------------------


def _front(sitting: Sitting) -> Section:
    blocks: list[Block] = [Paragraph(_sentence(sitting), "strong"), Table(summary_rows(sitting))]
    shown = [a for a in (cv_accuracy(sitting.record), *online_accuracies(sitting)) if a is not None]
    if shown:
        blocks.append(
            Picture(
                accuracies_figure(shown),
                "Accuracy",
                "Share of trials decoded right with its 95 % interval (Wilson). Grey: what chance "
                "alone reaches, up to where one session of twenty would come by luck.",
                2.4,
            )
        )
    blocks += _patterns(sitting, 2.4)
    blocks += [
        Paragraph(f"Note, {_clock(note.get('at', ''))}: {note.get('text', '')}")
        for note in sitting.record.notes[-4:]
    ]
    return Section("Summary", blocks)


def _sentence(sitting: Sitting) -> str:
    """Say in a sentence what came of it."""
    runs = online_accuracies(sitting)
    if runs:
        found = runs[-1]
        return (
            f"Online, {100 * found.mean:.0f} % of {found.n} trials were decoded right: "
            f"{found.verdict}."
        )
    cv = cv_accuracy(sitting.record)
    if cv is not None:
        return (
            f"Calibrated; a decoder reaches {100 * cv.mean:.0f} % in cross-validation: "
            f"{cv.verdict}. Not used online yet."
        )
    n = len(sitting.record.paths("calibration"))
    return f"{n} calibration run{'' if n == 1 else 's'} recorded; no decoder trained yet."


def summary_rows(sitting: Sitting) -> list[tuple[str, str]]:
    """Return what a person wants to know first."""
    record, rows = sitting.record, []
    if sitting.quality:
        word, sentence = verdict(sitting.quality)
        rows.append(("Signal quality", f"{word}: {sentence}"))
    if sitting.recordings:
        info = sitting.recordings[0].info
        rows.append(
            ("Amplifier", f"{info.name}, {len(info.channels)} channels, {info.rate_hz:g} Hz")
        )
    if sitting.epochs is not None:
        counts = [int((sitting.epochs.trial_y == k).sum()) for k in range(len(sitting.classes))]
        trials = ", ".join(
            f"{n} {words(name)}" for n, name in zip(counts, sitting.classes, strict=True)
        )
        n_out = len(sitting.epochs.left_out)
        rows.append(
            ("Calibration", f"{_count(len(sitting.recordings), 'run')}, trials: {trials}"
             + (f"; {n_out} left out" if n_out else ""))
        )  # fmt: skip
    cv = used_cv(record)
    if cv is not None:
        rows.append(("Cross-validation", f"{cv_line(cv)} ({cv.get('decoder', '')})"))
    rows += [(found.name.capitalize(), found.line()) for found in online_accuracies(sitting)]
    rows += [(f"Latency, {name}", text) for name, text in _latency_lines(sitting)]
    rows += [("Not read", problem) for problem in sitting.problems]
    return rows


def _latency_lines(sitting: Sitting) -> list[tuple[str, str]]:
    lines = []
    for run in sitting.online:
        latency = run.latency
        said = [
            f"{word}: median {found['median']:.1f} ms, p99 {found['p99']:.1f} ms"
            for stage, word in _STAGES.items()
            if stage != "presentation" and (found := latency.get(stage))
        ]
        late = latency.get("n_late", 0) + latency.get("n_overran", 0)
        if said:
            if late:
                said.append(f"{late} of {latency['n_decisions']} too late, and withheld")
            lines.append((run.name, "sample " + "; ".join(said)))
    return lines


# --- the details --------------------------------------------------------------------------


def _done(sitting: Sitting) -> Section:
    lengths = {recording.path.name: recording.duration_s for recording in sitting.recordings}
    rows = []
    named = {id(run.record): run.name for run in sitting.online}
    for run in sitting.record.runs:
        name = Path(run.file).name
        length_s = lengths.get(name)
        state = ["to its end" if run.completed else "ended early"]
        state += [] if run.used else ["not used"]
        state += [run.note] if run.note else []
        rows.append(
            (
                _clock(run.began),
                name,
                named.get(id(run), run.kind),
                f"{length_s / 60:.1f} min" if length_s else "",
                str(len(run.outcome.get("trials") or ())) if run.kind == "online" else "",
                "; ".join(state),
            )
        )
    blocks: list[Block] = []
    if rows:
        blocks.append(Table(rows, ("began", "recording", "kind", "length", "trials", "how")))
    notes = [
        (_clock(note.get("at", "")), str(note.get("run", "")), str(note.get("text", "")))
        for note in sitting.record.notes
    ]
    if notes:
        blocks.append(Table(notes, ("at", "run", "note"), "Operator's notes"))
    return Section("What was done", blocks)


def _quality(sitting: Sitting) -> Section:
    if not sitting.quality:
        return Section("Signal quality", [])
    word, sentence = verdict(sitting.quality)
    blocks: list[Block] = [Paragraph(f"{word}: {sentence}.")]
    rows = channel_rows(sitting.quality)
    if rows:
        blocks.append(Table(rows, CHANNEL_HEAD))
    bad = sitting.record.setup.bad_channels
    if bad:
        blocks.append(Paragraph(f"Marked bad by the operator, and not used: {', '.join(bad)}."))
    if sitting.epochs is not None and sitting.epochs.left_out:
        counts = class_counts(sitting.epochs.left_out)
        out = [
            (words(name) or "unknown", reason, str(n))
            for name, reasons in counts.items()
            for reason, n in reasons.items()
        ]
        blocks.append(Table(out, ("class", "trials left out because", "number")))
    recordings = {recording.path.name: recording for recording in sitting.recordings}
    blocks += [
        Picture(
            quality_figure(run, scalp_places(recordings[run.name].info.channels)),
            f"Electrodes in {run.name}",
            f"As recorded, no filter, reference as recorded; mains at {run.mains_hz:g} Hz.",
        )
        for run in sitting.quality
    ]
    return Section("Signal quality", blocks)


def _accuracy(sitting: Sitting) -> Section:
    shown = [a for a in (cv_accuracy(sitting.record), *online_accuracies(sitting)) if a is not None]
    blocks: list[Block] = []
    if shown:
        rows = [
            (
                a.name,
                str(a.n),
                f"{100 * a.mean:.1f} %",
                f"{100 * a.low:.0f} to {100 * a.high:.0f} %",
                f"{100 * a.chance:.0f} %" if a.chance <= 1 else "none",
                a.verdict,
            )
            for a in shown
        ]
        head = ("run", "trials", "accuracy", "95 % interval", "chance reaches", "so it is")
        blocks.append(Table(rows, head))
    attempts = [
        (
            ("in use: " if a.get("file") == sitting.record.model else "") + str(a.get("decoder")),
            ", ".join(f"{k}={v}" for k, v in (a.get("params") or {}).items()) or "as it comes",
            ", ".join(map(str, a.get("recordings", ()))),
            cv_line(a["cv"]) if a.get("cv") else "not cross-validated",
        )
        for a in sitting.record.attempts
    ]
    if attempts:
        blocks.append(
            Table(attempts, ("decoder", "parameters", "trained on", "score"), "Decoders tried")
        )
    trials = [trial for run in sitting.online for trial in run.trials]
    figure = figures.confusion(trials, sitting.classes)
    if figure is not None:
        caption = "All online trials: what was cued, and what was decoded at the trial's end."
        blocks.append(Picture(figure, "Confusion matrix", caption, 3.2))
    return Section("Accuracy", blocks)


def _maps(sitting: Sitting) -> Section:
    epochs = sitting.epochs
    if epochs is None:
        return Section("Maps", [])
    blocks: list[Block] = list(_patterns(sitting, 4.0))
    colours = class_colours(epochs.classes)
    spectra = figures.spectra(sitting.recordings, epochs, colours)
    if spectra is not None:
        blocks.append(
            Picture(
                spectra,
                "Spectra by class",
                "Calibration trials, the part of the trial that is decoded; Welch, no filter, "
                "reference as recorded; mean and 95 % interval over trials.",
            )
        )
    middle = [name for name in ("C3", "Cz", "C4") if name in epochs.channels]
    shown = middle if len(middle) == 3 else list(epochs.channels[:3])
    try:
        found = erds(sitting.recordings, epochs, ErdsSettings(), shown)
    except RolandicError as error:
        blocks.append(Paragraph(f"No map of ERD and ERS: {error}.", "quiet"))
    else:
        blocks.append(
            Picture(
                erds_figure(found),
                "ERD and ERS",
                "Calibration trials; change of power against the time before the cue; wavelets "
                "2 Hz wide, reference as recorded.",
                5.2,
            )
        )
    if sitting.record.features:
        features = ", ".join(sitting.record.features)
        blocks.append(Paragraph(f"Features chosen: {features}."))
    return Section("Maps", blocks)


def _patterns(sitting: Sitting, tallest_in: float) -> list[Block]:
    if sitting.model is None or sitting.epochs is None:
        return []
    figure: Figure | None = figures.topographies(sitting.model, sitting.epochs)
    if figure is None:
        return []
    low, high = sitting.model.epochs.band_hz
    return [
        Picture(
            figure,
            "Where the decoder looks",
            f"{low:g} to {high:g} Hz, causal, reference as recorded. Change in log power of each "
            "channel that goes with the decoder's evidence for a class (Haufe et al. 2014); for "
            "CSP, the decoder's own patterns.",
            tallest_in,
        )
    ]


def _trials(sitting: Sitting) -> Section:
    blocks: list[Block] = []
    for run in sitting.online:
        if run.trials:
            rows, head = trial_rows(run.trials, sitting.classes)
            found = accuracy_of(run.name, run.trials)
            blocks.append(Table(rows, head, f"{run.name}: {Path(run.record.file).name}"))
            blocks += [Paragraph(found.line() + ".", "quiet")] if found is not None else []
            if effect := run.record.outcome.get("adaptation"):
                blocks.append(Paragraph(f"Adaptation: {adaptation_line(effect)}.", "quiet"))
    return Section("Trials online", blocks)


def _latency(sitting: Sitting) -> Section:
    blocks: list[Block] = []
    for run in sitting.online:
        latency = run.latency
        rows = [
            (
                stage,
                *(f"{found[key]:.1f} ms" for key in ("median", "p99", "worst")),
                str(found["n"]),
            )
            for stage, found in latency.items()
            if isinstance(found, Mapping) and {"median", "p99", "worst", "n"} <= set(found)
        ]
        if rows:
            head = ("stage", "median", "99 of 100 within", "worst", "decisions")
            blocks.append(Table(rows, head, run.name))
    if blocks:
        blocks.append(
            Paragraph(
                "command: from the time stamp of a window's newest sample to the decision handed "
                "out; presentation: from there to the frame that shows it; system: both together, "
                "what the person has. Only decisions that were issued.",
                "quiet",
            )
        )
    return Section("Latency", blocks)


def _parameters(sitting: Sitting) -> Section:
    setup = sitting.record.setup.model_dump(mode="json")
    rows: list[tuple[str, str]] = []
    for name, value in setup.items():
        if isinstance(value, dict):
            rows += [(f"{name}: {key}", _value(item, key)) for key, item in value.items()]
        else:
            rows.append((name, _value(value, name)))
    blocks: list[Block] = [Table(rows, title="Session")]
    model = sitting.model
    if model is not None:
        card = model.card
        used = [
            ("decoder", model.decoder),
            ("parameters", _value(card.get("params", {}))),
            ("channels", ", ".join(model.channels)),
            ("sampling rate", f"{model.rate_hz:g} Hz"),
            *(
                (key, _value(item, key))
                for key, item in model.epochs.model_dump(mode="json").items()
                if key != "channels"
            ),
            *(
                ("trained on", f"{item['name']} (SHA-256 {(item['sha256'] or 'none')[:16]}…)")
                for item in card.get("recordings", ())
            ),
            *(
                ("left out", f"{item['recording']} at {item['onset_s']:.1f} s: {item['reason']}")
                for item in card.get("left_out", ())
            ),
            ("made", str(card.get("created", ""))),
        ]
        blocks.append(Table(used, title="Decoder in use"))
    versions = [("rolandic", __version__), *((k, _value(v)) for k, v in platform_card().items())]
    blocks.append(Table(versions, title="Versions"))
    return Section("Parameters and versions", blocks)


# --- words --------------------------------------------------------------------------------


def _value(value: Any, name: str = "") -> str:
    """Return a setting as text; no channels and no classes named means all of them."""
    if isinstance(value, Mapping):
        return ", ".join(f"{k}={v}" for k, v in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or ("all" if name in ("channels", "classes") else "none")
    return "none" if value is None or value == "" else str(value)


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}{'' if n == 1 else 's'}"


def _clock(text: str) -> str:
    """Return the time of day and, of a moment that cannot be read, what is there."""
    try:
        return datetime.fromisoformat(text).strftime("%H:%M:%S")
    except ValueError:
        return text


def _dates(sitting: Sitting) -> str:
    days = []
    for run in sitting.record.runs:
        try:
            days.append(datetime.fromisoformat(run.began).strftime("%Y-%m-%d"))
        except ValueError:
            continue
    first_last = list(dict.fromkeys((min(days), max(days)))) if days else ["no date"]
    return " to ".join(first_last)
