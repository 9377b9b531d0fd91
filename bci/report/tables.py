"""The report's words and tables."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from bci import __version__
from bci.decoders import platform_card
from bci.evaluation.chance import chance_level
from bci.evaluation.metrics import wilson_interval
from bci.features.palette import words
from bci.online import TrialOutcome
from bci.report.session import SessionSummary

__all__ = [
    "accuracy_line",
    "adaptation_line",
    "cv_line",
    "parameters_html",
    "summary_html",
    "table_html",
    "trial_rows",
    "trials_html",
]


def accuracy_line(trials: Sequence[TrialOutcome]) -> str:
    """Say the accuracy of cued trials with its interval and what chance reaches."""
    decoded = [trial for trial in trials if trial.decoded is not None]
    if not decoded:
        return "no trial could be decoded"
    n, k = len(decoded), sum(trial.correct for trial in decoded)
    low, high = wilson_interval(k, n)
    counts = [sum(t.cue == cue for t in decoded) for cue in {t.cue for t in decoded}]
    chance = chance_level(counts)
    line = f"{100 * k / n:.0f} % of {n} trials, 95 % interval {100 * low:.0f} to {100 * high:.0f} %"
    if chance > 1:
        return f"{line}; too few trials to tell from chance"
    verdict = "above chance" if k / n >= chance else "not above chance"
    return f"{line}; chance alone reaches {100 * chance:.0f} % in one session of twenty: {verdict}"


def adaptation_line(effect: Mapping[str, Any]) -> str:
    """Say what adaptation came to in a run (`bci.online.teaching.Teacher.effect`)."""
    line = f"{effect['arm']}, learned from {effect['n_updates']} trials"
    if effect.get("n"):
        line += (
            f"; right {100 * effect['adapted']:.0f} % of {effect['n']}, the decoder as it was "
            f"trained {100 * effect['frozen']:.0f} %"
        )
    if effect.get("reverted"):
        line += f"; taken back {effect['reverted']}×"
    return line if effect["works"] else f"{line}; then it failed, and the trained decoder went on"


def table_html(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> str:
    """Return a table; what is in its cells is text."""
    cells = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    return (
        '<table class="table table-sm" style="width:auto">'
        + (f"<thead><tr>{top}</tr></thead>" if head else "")
        + f"<tbody>{cells}</tbody></table>"
    )


def summary_html(session: SessionSummary) -> str:
    """Return what a person wants to know first."""
    not_decoded = [d for d in session.decisions if d.probabilities is None]
    rows = [("Accuracy online", accuracy_line(session.trials))]
    cv = session.model.card.get("cv")
    if cv:
        rows.append(("Cross-validation", cv_line(cv)))
    if session.latency is not None:
        rows.append(("Sample to decision", session.latency.line()))
    rows.append(("Windows not decoded", f"{len(not_decoded)} of {len(session.decisions)}"))
    rows += list(session.notes)
    return (
        table_html(rows)
        + "<p>Rolandic is research software and no medical device. Accuracy holds for the person, "
        "the day and the task in which it was measured.</p>"
    )


def cv_line(cv: Mapping[str, Any]) -> str:
    """Say a cross-validation's scores with their intervals and what chance reaches."""
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


def trials_html(session: SessionSummary) -> str:
    """Return each online trial and what was decoded in it."""
    return table_html(*trial_rows(session.trials, session.model.classes))


def trial_rows(
    trials: Sequence[TrialOutcome], classes: Sequence[str]
) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Return a row for each trial, and the head of their table."""
    return [
        (
            str(number),
            words(trial.cue),
            words(trial.decoded or "undecided"),
            "✓" if trial.correct else "✗",
            ", ".join(f"{p:.2f}" for p in trial.probabilities or ()),
            str(trial.n_windows),
            f"{trial.n_without} {', '.join(trial.reasons)}" if trial.n_without else "",
        )
        for number, trial in enumerate(trials, start=1)
    ], (
        "trial",
        "cued",
        "decoded",
        "",
        "probability of " + ", ".join(words(c) for c in classes),
        "windows",
        "not decoded",
    )


def parameters_html(session: SessionSummary) -> str:
    """Return everything by which the session could be repeated."""
    model = session.model
    rows = [
        ("decoder", model.decoder),
        ("parameters", ", ".join(f"{k}={v}" for k, v in model.card.get("params", {}).items())),
        ("classes", ", ".join(map(words, model.classes))),
        ("channels", ", ".join(model.channels)),
        ("sampling rate", f"{model.rate_hz:g} Hz"),
        *(
            (name, str(value))
            for name, value in model.epochs.model_dump().items()
            if name not in ("classes", "channels")
        ),
        *((f"online: {name}", str(value)) for name, value in session.online.model_dump().items()),
        *(
            ("trained on", f"{item['name']} (SHA-256 {(item['sha256'] or 'none')[:16]}…)")
            for item in model.card.get("recordings", ())
        ),
        *(
            ("left out", f"{item['recording']} at {item['onset_s']:.1f} s: {item['reason']}")
            for item in model.card.get("left_out", ())
        ),
        ("rolandic", __version__),
        *((name, str(value)) for name, value in platform_card().items()),
    ]
    return table_html(rows)
