"""The report's pictures, each with its units; captions say filter and reference."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import signal

from bci.acquisition import timeline
from bci.decoders import Model, activation_patterns
from bci.features.palette import words
from bci.features.scalp import Scalp
from bci.features.scalp_maps import topographies as maps_of
from bci.online import Decision, TrialOutcome
from bci.report.session import SessionSummary
from bci.signal.epochs import Epochs, nearest_sample, sample_times
from bci.signal.trials import find_trials
from bci.sources.labels import match_channels, standard_position
from bci.sources.recording import Recording

__all__ = [
    "confusion",
    "decisions_over_time",
    "latencies",
    "spectra",
    "topographies",
]

F64 = NDArray[np.float64]

# Of a change of the natural logarithm of power (dB); patterns of a decoder that are drawn.
_DECIBELS = 10 / np.log(10)
_MOST_MAPS = 6


def spectra(
    recordings: Sequence[Recording], epochs: Epochs, colours: dict[str, str]
) -> Figure | None:
    """Draw the classes' spectra at C3, Cz and C4, or the first channels where those are not."""
    trials, labels = _raw_trials(recordings, epochs)
    if not len(trials):
        return None
    n_segment = min(trials.shape[2], round(2 * epochs.rate_hz))
    frequencies, power = signal.welch(trials, epochs.rate_hz, nperseg=n_segment, detrend="constant")
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
            ax.plot(frequencies[shown], mean, color=colour, label=f"{words(label)} ({len(group)})")
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
        picks = match_channels(epochs.channels, recording.info.labels)
        line = timeline(recording.stamps, recording.info.rate_hz, recording.returns)
        times = sample_times(recording, line)
        for trial in find_trials(recording.markers, epochs.settings.event_map):
            cue = nearest_sample(times, trial.onset_s)
            inside = cue + stop <= recording.n_samples
            if (
                trial.class_name in epochs.classes
                and not trial.rejected
                and inside
                and not line.crosses_gap(cue, cue + stop)
            ):
                kept.append(recording.samples[cue + start : cue + stop][:, picks].T)
                labels.append(trial.class_name)
    return np.array(kept), np.array(labels)


def topographies(model: Model, epochs: Epochs) -> Figure | None:
    """Draw the decoder's patterns on the scalp, where the channels that have a place span a map."""
    placed = [i for i, name in enumerate(epochs.channels) if standard_position(name) is not None]
    scalp = Scalp.of([epochs.channels[i] for i in placed])
    if not scalp.spans_a_map:
        return None
    patterns = activation_patterns(model.estimator, epochs.X)[:_MOST_MAPS, placed]
    if hasattr(model.estimator, "patterns_"):
        patterns = patterns / np.maximum(np.abs(patterns).max(axis=1, keepdims=True), 1e-300)
        titles = [f"component {number + 1}" for number in range(len(patterns))]
        label = "a. u., sign arbitrary"
    else:
        patterns = patterns * _DECIBELS
        titles = [f"evidence for {words(name)}" for name in model.classes[:_MOST_MAPS]]
        label = "dB per SD of evidence"
    return maps_of(patterns, scalp, titles, label=label, note="")


def confusion(trials: Sequence[TrialOutcome], classes: Sequence[str]) -> Figure | None:
    """Draw what was cued against what was decoded."""
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
    ax.set_xticks(range(len(columns)), [words(c or "undecided") for c in columns])
    ax.set_yticks(range(len(classes)), [words(c) for c in classes])
    ax.set(xlabel="decoded", ylabel="cued")
    ax.spines[:].set_visible(False)
    return figure


def decisions_over_time(session: SessionSummary, colours: dict[str, str]) -> Figure | None:
    """Draw the smoothed probabilities of an online run over its cues."""
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
            label=words(name),
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


def latencies(decisions: Sequence[Decision]) -> Figure | None:
    """Draw the distribution of the latency; None for a replay, which has none."""
    values = np.array([d.latency_s for d in decisions if d.smoothed is not None]) * 1e3
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
