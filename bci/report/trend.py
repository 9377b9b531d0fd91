"""A person over sessions: accuracy with its interval and chance, and how far the mu rhythm yields.

ERD is the change of power in 8 to 13 Hz while the person imagines, against the time before the cue,
over the hemisphere that belongs to the hand (C3 for the right, C4 for the left; Cz for the feet).
"""

import logging
import textwrap
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from bci.errors import InputError, RolandicError
from bci.features.long_trials import long_trials
from bci.features.palette import class_colours, words
from bci.features.wavelets import margin_s, power_over_time
from bci.report.results import Change, SessionPoint
from bci.report.sitting import accuracy_of, cv_accuracy, trials_of
from bci.signal.epochs import cut_epochs
from bci.sources.reading import open_recording
from bci.workspace import SessionRecord, Workspace

__all__ = ["subject_trend", "trend_figure"]

_log = logging.getLogger(__name__)

F64 = NDArray[np.float64]

#: Where a class's rhythm yields.
OPPOSITE = {"left_hand": "C4", "right_hand": "C3", "both_hands": "Cz", "feet": "Cz"}
_FREQS_HZ = np.arange(8.0, 13.5, 1.0)
_WIDTH_HZ = 2.0
_BASELINE_S, _IMAGERY_S, _STEP_S = (-1.5, -0.5), (0.75, 2.75), 0.1
_N_BOOTSTRAPS = 1000


def subject_trend(
    root: Path, subject: str, *, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[SessionPoint]:
    """Return a point for each session of a person, in order of time.

    Raises
    ------
    InputError
        When there is no session.
    """
    places = Workspace(root).sessions(subject)
    points = []
    for number, place in enumerate(places):
        progress(number, len(places))
        try:
            record = SessionRecord.load(place.folder)
        except InputError as error:
            points.append(SessionPoint(place.session, problem=str(error)))
            continue
        if record is not None and record.runs:
            points.append(_point(record, place.session))
    progress(len(places), len(places))
    if not points:
        raise InputError(f"sub-{subject} has no session with a run in {root}")
    return sorted(points, key=lambda point: (_time(point.began), point.session))


def _point(record: SessionRecord, session: str) -> SessionPoint:
    trials = [t for run in record.runs if run.kind == "online" and run.used for t in trials_of(run)]
    erd: dict[str, Change] = {}
    problem = ""
    try:
        erd = _erd(record)
    except RolandicError as error:
        problem = str(error)
        _log.info("no ERD of ses-%s: %s", session, error)
    return SessionPoint(
        session,
        min((run.began for run in record.runs if run.began), default=""),
        cv_accuracy(record),
        accuracy_of("online", trials),
        erd,
        problem,
    )


def _erd(record: SessionRecord) -> dict[str, Change]:
    setup = record.setup
    paths = record.paths("calibration")
    if not paths:
        return {}
    recordings = [open_recording(path, unit=setup.unit or None) for path in paths]
    classes = setup.epochs.classes or setup.protocol.classes
    labels = recordings[0].info.labels
    wanted = {name: OPPOSITE[name] for name in classes if OPPOSITE.get(name) in labels}
    if not wanted:
        return {}
    settings = setup.epochs.model_copy(
        update={"classes": classes, "channels": tuple(dict.fromkeys(wanted.values()))}
    )
    epochs = cut_epochs(recordings, settings)
    margin = margin_s(_WIDTH_HZ)
    trials = long_trials(recordings, epochs, (_BASELINE_S[0] - margin, _IMAGERY_S[1] + margin))
    rng = np.random.default_rng(0)
    found = {}
    for name, channel in wanted.items():
        X = trials.X[trials.y == epochs.classes.index(name), epochs.channels.index(channel)]
        if len(X) < 3:
            continue
        rest, active = (
            _power(X, trials.rate_hz, span_s, trials.start_s)
            for span_s in (_BASELINE_S, _IMAGERY_S)
        )
        drawn = rng.integers(0, len(X), (_N_BOOTSTRAPS, len(X)))
        draws = 100 * (active[drawn].mean(axis=1) / rest[drawn].mean(axis=1) - 1)
        low, high = np.percentile(draws, [2.5, 97.5])
        mean = 100 * (active.mean() / rest.mean() - 1)
        found[name] = Change(float(mean), float(low), float(high), len(X))
    return found


def _power(X: F64, rate_hz: float, span_s: tuple[float, float], start_s: float) -> F64:
    """Return each trial's power in the band, over a span of time."""
    times_s = np.arange(span_s[0], span_s[1] + _STEP_S / 2, _STEP_S) - start_s
    power = power_over_time(X, rate_hz, _FREQS_HZ, times_s, _WIDTH_HZ)
    return np.asarray(power.mean(axis=(1, 2)))


def trend_figure(subject: str, points: list[SessionPoint]) -> Figure:
    """Draw accuracy and ERD over sessions.

    Parameters
    ----------
    subject : str
    points : list of SessionPoint
        In order of time.
    """
    figure = Figure(figsize=(8.4, 6.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    _draw_accuracy(above, points)
    _draw_erd(below, points)
    days = []
    for point in points:
        moment = _time(point.began)
        day = moment.strftime("\n%Y-%m-%d") if point.began else ""
        days.append(f"ses-{point.session}{day}")
    below.set_xticks(range(len(points)), days)
    below.set_xlim(-0.5, len(points) - 0.5)
    figure.suptitle(f"sub-{subject} over {len(points)} session{'' if len(points) == 1 else 's'}")
    return figure


def _draw_accuracy(ax: Axes, points: list[SessionPoint]) -> None:
    for name, colour, marker, aside in (
        ("calibration", "#777777", "s", -0.09),
        ("online", "#0072B2", "o", 0.09),
    ):
        rows = [(k, getattr(point, name)) for k, point in enumerate(points)]
        there = [(k, score) for k, score in rows if score is not None]
        for k, score in there:
            level = min(score.chance, 1.0)
            ax.hlines(level, k + aside - 0.08, k + aside + 0.08, colors=colour, linestyles=":")
        if not there:
            continue
        means = np.array([score.mean for _, score in there])
        ax.errorbar(
            [k + aside for k, _ in there],
            means,
            yerr=[
                means - [score.low for _, score in there],
                [score.high for _, score in there] - means,
            ],
            color=colour,
            marker=marker,
            capsize=3,
            linewidth=1.2,
            label="online" if name == "online" else "calibration, cross-validated",
        )
    ax.plot([], [], ":", color="#444444", label="chance reaches (1 in 20)")
    ax.set(ylim=(0, 1.02), ylabel="Trials decoded right")
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.legend(frameon=False, loc="lower right", fontsize=8, ncols=3)
    ax.set_title("Accuracy, 95 % intervals", fontsize=10, loc="left")
    ax.spines[["top", "right"]].set_visible(False)


def _draw_erd(ax: Axes, points: list[SessionPoint]) -> None:
    classes = list(dict.fromkeys(name for point in points for name in point.erd))
    colours = class_colours(classes)
    for number, name in enumerate(classes):
        aside = 0.18 * (number - (len(classes) - 1) / 2)
        there = [(k, point.erd[name]) for k, point in enumerate(points) if name in point.erd]
        means = np.array([change.mean for _, change in there])
        ax.errorbar(
            [k + aside for k, _ in there],
            means,
            yerr=[
                means - [change.low for _, change in there],
                [change.high for _, change in there] - means,
            ],
            color=colours[name],
            marker="os^Dv*"[number % 6],
            capsize=3,
            linewidth=1.2,
            label=f"{words(name)} at {OPPOSITE[name]}",
        )
    ax.axhline(0, color="#444444", linewidth=0.8)
    title = "ERD of the mu rhythm (8 to 13 Hz): below zero, it yields; 95 % bootstrap intervals"
    ax.set_title(f"{title}, reference as recorded", fontsize=10, loc="left")
    ax.set_ylabel("Change of power\nagainst before the cue (%)")
    if classes:
        ax.legend(frameon=False, fontsize=8, ncols=3)
    else:
        problem = next((point.problem for point in points if point.problem), "")
        why = problem or "no calibration run with C3, C4 or Cz"
        ax.text(0.5, 0.5, textwrap.fill(why, 70), ha="center", va="center",
                transform=ax.transAxes)  # fmt: skip
    ax.spines[["top", "right"]].set_visible(False)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        return datetime.fromtimestamp(0).astimezone()
