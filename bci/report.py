"""The report of a session: one HTML file with pictures, for people.

Made with `mne.Report`; every score carries its interval and what chance reaches, every picture
its filter and reference.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import mne
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import signal

from bci import __version__
from bci.acquisition import timeline
from bci.config import OnlineSettings
from bci.decoders import Model, activation_patterns
from bci.decoders.card import platform_card
from bci.evaluation.chance import chance_level
from bci.evaluation.metrics import wilson_interval
from bci.online import Decision, TrialOutcome, latency_ms
from bci.signal.epochs import Epochs, cut_epochs, nearest_sample, sample_times
from bci.signal.trials import find_trials
from bci.sources.labels import standard_position
from bci.sources.recording import Recording

__all__ = ["SessionSummary", "accuracy_line", "write_report"]

F64 = NDArray[np.float64]

# Okabe and Ito's colours, safe for every kind of colour blindness.
_COLOURS = {
    "left_hand": "#0072B2",
    "right_hand": "#E69F00",
    "feet": "#009E73",
    "both_hands": "#CC79A7",
    "tongue": "#56B4E9",
    "rest": "#777777",
}
_OTHERS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
_STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10,
    "axes.titlesize": 11,
    "figure.dpi": 110,
}


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """What a report is made of.

    Attributes
    ----------
    title : str
    model : Model
    calibrations : sequence of Recording
        What the model was trained on.
    trials : sequence of TrialOutcome
        Of the online run.
    decisions : sequence of Decision
    online : OnlineSettings
    notes : sequence of (name, value)
        What else the first page should say.
    """

    title: str
    model: Model
    calibrations: Sequence[Recording]
    trials: Sequence[TrialOutcome]
    decisions: Sequence[Decision]
    online: OnlineSettings
    notes: Sequence[tuple[str, str]] = ()


def write_report(path: Path, session: SessionSummary) -> None:
    """Write the report of a session.

    Parameters
    ----------
    path : Path
        An ``.html`` file; replaced if it is there.
    session : SessionSummary
    """
    epochs = cut_epochs(session.calibrations, session.model.epochs)
    colours = _class_colours(session.model.classes)
    filtered = "{:g} to {:g} Hz, causal, reference as recorded".format(
        *session.model.epochs.band_hz
    )
    with mpl.rc_context(_STYLE), mne.utils.use_log_level("ERROR"):
        report = mne.Report(title=session.title, verbose="ERROR")
        report.add_html(_summary_html(session), "Summary")
        for title, caption, figure in (
            (
                "Spectra by class",
                "Calibration trials, the part of the trial that is decoded; Welch, reference as "
                "recorded; mean and 95 % interval over trials.",
                _spectra(session.calibrations, epochs, colours),
            ),
            (
                "Activation patterns",
                f"{filtered}. Change in log power of each channel that goes with the decoder's "
                "evidence for a class (Haufe et al. 2014); for CSP, the decoder's own patterns.",
                _topographies(session.model, epochs),
            ),
            (
                "Confusion matrix",
                "Online trials: what was cued, and what was decoded at the end of the trial.",
                _confusion(session.trials, session.model.classes),
            ),
            (
                "Decisions over time",
                f"{filtered}. Smoothed probability of each class ({session.online.smoothing}); "
                "shaded: the cued class, from the cue to the end of its window; the dashed line is "
                "the threshold.",
                _decisions_over_time(session, colours),
            ),
            (
                "Latency",
                "From the time stamp of a window's newest sample to the decision handed out.",
                _latencies(session.decisions),
            ),
        ):
            if figure is not None:
                report.add_figure(figure, title, caption=caption, image_format="png")
        report.add_html(_trials_html(session), "Trials")
        report.add_html(_parameters_html(session), "Parameters and versions")
        report.save(path, open_browser=False, overwrite=True, verbose="ERROR")
    path.chmod(0o600)


def accuracy_line(trials: Sequence[TrialOutcome]) -> str:
    """Say the accuracy of cued trials with its interval and what chance reaches."""
    decoded = [trial for trial in trials if trial.decoded is not None]
    if not decoded:
        return "no trial could be decoded"
    n, k = len(decoded), sum(trial.correct for trial in decoded)
    low, high = wilson_interval(k, n)
    counts = [sum(t.cue == cue for t in decoded) for cue in {t.cue for t in decoded}]
    chance = chance_level(counts)
    verdict = "above chance" if k / n >= chance else "not above chance"
    return (
        f"{100 * k / n:.0f} % of {n} trials, 95 % interval {100 * low:.0f} to {100 * high:.0f} %; "
        f"chance alone reaches {100 * min(chance, 1):.0f} % in one session of twenty: {verdict}"
    )


def _class_colours(classes: Sequence[str]) -> dict[str, str]:
    spare = iter(colour for colour in _OTHERS if colour not in map(_COLOURS.get, classes))
    return {name: _COLOURS.get(name) or next(spare, "#000000") for name in classes}


def _words(name: str) -> str:
    return name.replace("_", " ")


def _spectra(
    recordings: Sequence[Recording], epochs: Epochs, colours: dict[str, str]
) -> Figure | None:
    """Draw spectra of raw trials at the channels where the classes differ most."""
    trials, labels = _raw_trials(recordings, epochs)
    if not len(trials):
        return None
    n_segment = min(trials.shape[2], round(2 * epochs.rate_hz))
    frequencies, power = signal.welch(trials, epochs.rate_hz, nperseg=n_segment, detrend="linear")
    shown = (frequencies >= 2) & (frequencies <= min(40, epochs.rate_hz / 2))
    decibels = 10 * np.log10(np.maximum(power[:, :, shown], 1e-30) * 1e12)
    preferred = [name for name in ("C3", "Cz", "C4") if name in epochs.channels]
    chosen = preferred if len(preferred) == 3 else list(epochs.channels[:3])
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(chosen), sharey=True))
    for ax, name in zip(axes, chosen, strict=True):
        channel = epochs.channels.index(name)
        for label, colour in colours.items():
            group = decibels[labels == label, channel]
            if not len(group):
                continue
            mean = group.mean(axis=0)
            half = 1.96 * group.std(axis=0, ddof=1) / np.sqrt(len(group)) if len(group) > 1 else 0
            ax.plot(frequencies[shown], mean, color=colour, label=f"{_words(label)} ({len(group)})")
            ax.fill_between(
                frequencies[shown], mean - half, mean + half, color=colour, alpha=0.2, linewidth=0
            )
        ax.set(title=name, xlabel="Frequency (Hz)")
    axes[0].set_ylabel("Power density (dB re 1 µV²/Hz)")
    axes[-1].legend(frameon=False)
    return figure


def _raw_trials(recordings: Sequence[Recording], epochs: Epochs) -> tuple[F64, NDArray[np.str_]]:
    """Return the unfiltered signal of the trials in the used span, and their classes."""
    start, stop = (round(edge * epochs.rate_hz) for edge in epochs.settings.window_s)
    kept: list[F64] = []
    labels: list[str] = []
    for recording in recordings:
        picks = [recording.info.labels.index(name) for name in epochs.channels]
        line = timeline(recording.stamps, recording.info.rate_hz)
        times = sample_times(recording, line)
        for trial in find_trials(recording.markers, epochs.settings.event_map):
            cue = nearest_sample(times, trial.onset_s)
            inside = cue + stop <= recording.n_samples
            if (
                trial.class_name in epochs.classes
                and inside
                and not line.crosses_gap(cue, cue + stop)
            ):
                kept.append(recording.samples[cue + start : cue + stop, picks].T)
                labels.append(trial.class_name)
    return np.array(kept), np.array(labels)


def _topographies(model: Model, epochs: Epochs) -> Figure | None:
    """Draw the decoder's patterns on the scalp, where three or more channels have a place."""
    places = {name: standard_position(name) for name in epochs.channels}
    with_place = [i for i, name in enumerate(epochs.channels) if places[name] is not None]
    if len(with_place) < 3:
        return None
    patterns = activation_patterns(model.estimator, epochs.X)
    is_csp = len(patterns) != len(model.classes) or model.decoder == "csp-lda"
    titles = (
        [f"component {i + 1}" for i in range(len(patterns))]
        if is_csp
        else [f"evidence for {_words(name)}" for name in model.classes]
    )
    info = mne.create_info([epochs.channels[i] for i in with_place], epochs.rate_hz, "eeg")
    info.set_montage(
        mne.channels.make_dig_montage(
            {epochs.channels[i]: places[epochs.channels[i]] for i in with_place}, coord_frame="head"
        )
    )
    shown = patterns[:6, with_place]
    figure = Figure(figsize=(3.0 * len(shown) + 0.6, 3.2), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(shown)))
    limit = float(np.abs(shown).max()) or 1.0
    for ax, pattern, title in zip(axes, shown, titles, strict=False):
        scale = limit if not is_csp else float(np.abs(pattern).max()) or 1.0
        image, _ = mne.viz.plot_topomap(
            pattern, info, axes=ax, show=False, cmap="RdBu_r", vlim=(-scale, scale), contours=4
        )
        ax.set_title(title)
    if not is_csp:
        bar = figure.colorbar(image, ax=axes.tolist(), shrink=0.7)
        bar.set_label("Δ ln power per SD of evidence")
    return figure


def _confusion(trials: Sequence[TrialOutcome], classes: Sequence[str]) -> Figure | None:
    if not trials:
        return None
    columns = [*classes, None] if any(t.decoded is None for t in trials) else list(classes)
    counts = np.array(
        [
            [sum(t.cue == cue and t.decoded == said for t in trials) for said in columns]
            for cue in classes
        ]
    )
    figure = Figure(
        figsize=(1.6 + 1.3 * len(columns), 1.2 + 1.0 * len(classes)), layout="constrained"
    )
    ax = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        ax.text(
            column,
            row,
            f"{count}\n{100 * shares[row, column]:.0f} %",
            ha="center",
            va="center",
            color="white" if shares[row, column] > 0.6 else "black",
        )
    ax.set_xticks(range(len(columns)), [_words(c or "undecided") for c in columns])
    ax.set_yticks(range(len(classes)), [_words(c) for c in classes])
    ax.set(xlabel="decoded", ylabel="cued")
    ax.spines[:].set_visible(False)
    return figure


def _decisions_over_time(session: SessionSummary, colours: dict[str, str]) -> Figure | None:
    decoded = [d for d in session.decisions if d.smoothed is not None]
    if not decoded:
        return None
    zero = session.decisions[0].time_s
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    ax = figure.subplots()
    times = np.array([d.time_s - zero for d in decoded])
    values = np.array([d.smoothed for d in decoded])
    # No line across windows that were not decoded.
    breaks = np.flatnonzero(np.diff(times) > 2.5 * session.online.hop_s) + 1
    for column, name in enumerate(session.model.classes):
        ax.plot(
            np.insert(times, breaks, np.nan),
            np.insert(values[:, column], breaks, np.nan),
            color=colours[name],
            linewidth=1.2,
            label=_words(name),
        )
    for trial in session.trials:
        start = trial.time_s - zero
        stop = start + session.model.epochs.window_s[1]
        ax.axvspan(start, stop, color=colours[trial.cue], alpha=0.15, linewidth=0)
        ax.text((start + stop) / 2, 1.03, "✓" if trial.correct else "✗", ha="center", color="black")
    ax.axhline(session.online.threshold, color="black", linestyle="--", linewidth=0.8)
    ax.set(
        xlabel="Time in the run (s)",
        ylabel="Probability",
        ylim=(0, 1.1),
        xlim=(times[0], times[-1]),
    )
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _latencies(decisions: Sequence[Decision]) -> Figure | None:
    values = np.array([d.latency_s for d in decisions if d.probabilities is not None]) * 1e3
    if not len(values) or not np.isfinite(values).all():
        return None
    figure = Figure(figsize=(6, 2.8), layout="constrained")
    ax = figure.subplots()
    ax.hist(values, bins=min(60, max(10, len(values) // 10)), color="#0072B2")
    for share, style in ((50, "-"), (99, "--")):
        at = float(np.percentile(values, share))
        ax.axvline(at, color="black", linestyle=style, linewidth=1)
        ax.annotate(
            f" {'median' if share == 50 else 'p99'} {at:.1f} ms",
            (at, 1),
            xycoords=("data", "axes fraction"),
            va="top",
        )
    ax.set(xlabel="Sample to decision (ms)", ylabel="Decisions")
    return figure


def _table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> str:
    cells = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    return (
        '<table class="table table-sm" style="width:auto">'
        + (f"<thead><tr>{top}</tr></thead>" if head else "")
        + f"<tbody>{cells}</tbody></table>"
    )


def _summary_html(session: SessionSummary) -> str:
    late = latency_ms(session.decisions)
    not_decoded = [d for d in session.decisions if d.probabilities is None]
    rows = [("Accuracy online", accuracy_line(session.trials))]
    cv = session.model.card.get("cv")
    if cv:
        rows.append(("Cross-validation", _cv_line(cv)))
    if late["n"] and late["median"] is not None and np.isfinite(late["median"]):
        rows.append(
            (
                "Sample to decision",
                f"median {late['median']:.1f} ms, p99 {late['p99']:.1f} ms, worst "
                f"{late['max']:.1f} ms over {late['n']} decisions",
            )
        )
    rows.append(("Windows not decoded", f"{len(not_decoded)} of {len(session.decisions)}"))
    rows += list(session.notes)
    return (
        _table(rows)
        + "<p>Rolandic is research software and no medical device. Accuracy holds for the person, "
        "the day and the task in which it was measured.</p>"
    )


def _cv_line(cv: dict[str, Any]) -> str:
    accuracy = cv["accuracy"]
    line = (
        f"accuracy {100 * accuracy['mean']:.0f} % "
        f"({100 * accuracy['low']:.0f} to {100 * accuracy['high']:.0f} %)"
    )
    if cv.get("roc_auc"):
        auc = cv["roc_auc"]
        line += f", ROC-AUC {auc['mean']:.2f} ({auc['low']:.2f} to {auc['high']:.2f})"
    return (
        f"{line}, {cv['n_trials']} calibration trials; chance reaches {100 * cv['chance_95']:.0f} %"
    )


def _trials_html(session: SessionSummary) -> str:
    return _table(
        [
            (
                str(number),
                _words(trial.cue),
                _words(trial.decoded or "undecided"),
                "✓" if trial.correct else "✗",
                ", ".join(f"{p:.2f}" for p in trial.probabilities or ()),
                str(trial.n_windows),
                f"{trial.n_without} {', '.join(trial.reasons)}" if trial.n_without else "",
            )
            for number, trial in enumerate(session.trials, start=1)
        ],
        (
            "trial",
            "cued",
            "decoded",
            "",
            "probability of " + ", ".join(_words(c) for c in session.model.classes),
            "windows",
            "not decoded",
        ),
    )


def _parameters_html(session: SessionSummary) -> str:
    model = session.model
    rows = [
        ("decoder", model.decoder),
        ("parameters", ", ".join(f"{k}={v}" for k, v in model.card.get("params", {}).items())),
        ("classes", ", ".join(map(_words, model.classes))),
        ("channels", ", ".join(model.channels)),
        ("sampling rate", f"{model.rate_hz:g} Hz"),
        *(
            (name, str(value))
            for name, value in model.epochs.model_dump().items()
            if name not in ("classes", "channels")
        ),
        *((f"online: {name}", str(value)) for name, value in session.online.model_dump().items()),
        *(
            ("trained on", f"{item['name']} (SHA-256 {item['sha256'][:16]}…)")
            for item in model.card.get("recordings", ())
        ),
        *(
            ("left out", f"{item['recording']} at {item['onset_s']:.1f} s: {item['reason']}")
            for item in model.card.get("left_out", ())
        ),
        ("rolandic", __version__),
        *((name, str(value)) for name, value in platform_card().items()),
    ]
    return _table(rows)
