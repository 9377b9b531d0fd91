"""An analysis on a page: tables, pictures, and what they are worth."""

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bci import __version__
from bci.features.analysis import Analysis, Described
from bci.features.comparison import Comparison, flat
from bci.features.library import write_text
from bci.features.tables import (
    chance_lines,
    features_csv,
    laterality_rows,
    peak_rows,
    suggestions_csv,
    training_line,
)
from bci.private import private_opener
from bci.signal.rejection import class_counts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bci.features.drawings import Drawing

__all__ = ["PAGE", "save_png", "write_page"]

#: What to open first.
PAGE = "index.html"

Progress = Callable[[int, int], None]

_DPI = 110

_CSS = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 0.5rem 0 1.2rem }
td, th { text-align: left; padding: 0.15rem 1.2rem 0.15rem 0; border-bottom: 1px solid #ddd;
  vertical-align: top }
img { max-width: 100%; height: auto }
figure { margin: 1.5rem 0 } figcaption { color: #444 }
.warning { border-left: 4px solid #D55E00; padding-left: 0.8rem }
"""


def write_page(
    analysis: Analysis,
    folder: Path,
    beside: Comparison | None = None,
    *,
    figures: bool = True,
    heads: bool = True,
    progress: Progress | None = None,
) -> None:
    """Write tables, pictures and the page that shows them.

    Parameters
    ----------
    analysis : Analysis
    folder : Path
        Empty, or with other files.
    beside : Comparison, optional
        Of this analysis with another one, to be shown, too.
    figures : bool
        False: tables only.
    heads : bool
        False: no picture that needs the places of the channels.
    progress : callable, optional
        Called with the number of pictures drawn and the number there will be.

    Raises
    ------
    ChannelError
        When a picture needs the place of a channel that has none.
    OSError
        When a file cannot be written.
    """
    write_text(folder / "features.csv", features_csv(analysis))
    write_text(folder / "suggestions.csv", suggestions_csv(analysis))
    drawings = _drawings(analysis, beside, heads) if figures else []
    parts = [_head(analysis)]
    for done, drawing in enumerate(drawings):
        if progress:
            progress(done, len(drawings))
        name, title = f"{drawing.stem}.png", html.escape(drawing.title)
        save_png(drawing.draw(), folder / name, drawing.caption)
        parts.append(
            f'<figure><h3>{title}</h3><img src="{name}" alt="{title}">'
            f"<figcaption>{html.escape(drawing.caption)}</figcaption></figure>"
        )
    if progress:
        progress(len(drawings), len(drawings))
    if beside is not None:
        parts.append(_beside(beside))
    parts.append(_parameters(analysis))
    title = html.escape(analysis.label)
    write_text(
        folder / PAGE,
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_CSS}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n",
    )


def save_png(figure: "Figure", path: Path, caption: str) -> None:
    """Write a picture of the user's alone, its caption in the file's own description.

    `Figure.savefig` would draw everything twice, once for nothing but the layout.
    """
    # Matplotlib takes a third of a second to load, which tables need not wait for.
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(_DPI)
    canvas = FigureCanvasAgg(figure)
    engine = figure.get_layout_engine()
    if engine is not None and any(ax.get_aspect() != "auto" for ax in figure.axes):
        # Titles over axes of a fixed aspect find their place only at the second go.
        engine.execute(figure)
    with open(path, "wb", opener=private_opener) as file:
        canvas.print_png(file, metadata={"Description": caption})  # type: ignore[no-untyped-call]


def _drawings(analysis: Analysis, beside: Comparison | None, heads: bool) -> "list[Drawing]":
    """Return the pictures: file, title, caption, and the function that draws it."""
    from bci.features import drawings

    found = drawings.of_analysis(analysis, heads=heads)
    if beside is not None and len(beside.first.classes) == len(beside.second.classes):
        found.append(drawings.side_by_side(beside.first, beside.second))
    return found


def _head(analysis: Analysis) -> str:
    trials = ", ".join(f"{n} of {name}" for name, n in analysis.n_trials.items())
    rows = [
        ("recordings", ", ".join(source.name for source in analysis.recordings)),
        ("trials", trials),
        *(
            (f"left out of {name}", ", ".join(f"{n} {reason}" for reason, n in reasons.items()))
            for name, reasons in class_counts(analysis.left_out).items()
        ),
        ("channels", f"{len(analysis.channels)}, at {analysis.rate_hz:g} Hz"),
    ]
    rows += [
        (f"left out: {item.recording}", f"{item.onset_s:.1f} s: {item.reason}")
        for item in analysis.left_out
    ]
    said = chance_lines(analysis)
    features = _described("suggested", analysis.suggestions)
    if analysis.features:
        features += _described("asked for", analysis.features)
    return (
        f"<h1>{html.escape(analysis.settings.name)}</h1>{_table(rows)}<h2>Features</h2>{features}"
        + "".join(f"<p>{html.escape(line)}</p>" for line in said[:-1])
        + f'<p class="warning">{html.escape(said[-1])}</p>'
        + f"<p>{html.escape(training_line(analysis))}</p>"
        + _own(analysis)
        + "".join(f"<p>{html.escape(note)}</p>" for note in analysis.notes)
        + "<p>Rolandic is research software and no medical device.</p>"
    )


def _own(analysis: Analysis) -> str:
    """Show the person's own rhythms, and how the hemispheres compare."""
    parts = []
    peaks, sides = peak_rows(analysis), laterality_rows(analysis)
    if peaks:
        parts.append(
            "<h2>Individual rhythms</h2><p>Peaks of the mean spectrum over its background.</p>"
            + _table(peaks[1:], peaks[0])
        )
    if sides:
        parts.append(
            "<h2>Laterality of power</h2><p>(left - right) / (left + right), mean over trials: "
            "below zero the right hemisphere has more.</p>" + _table(sides[1:], sides[0])
        )
    return "".join(parts)


def _described(title: str, described: Sequence[Described]) -> str:
    return _table([item.cells() for item in described], (title, "R2", "d", "p", "stability"))


def _beside(beside: Comparison) -> str:
    rows = [(name, *map(str, values)) for name, values in beside.differences.items()]
    both = (beside.first, beside.second)
    rows.append(("suggested", *(", ".join(s.name for s in a.suggestions) for a in both)))
    head = ("differs", *(analysis.label for analysis in both))
    return f"<h2>Beside {html.escape(beside.second.label)}</h2>{_table(rows, head)}"


def _parameters(analysis: Analysis) -> str:
    rows = [(n, str(value)) for n, value in flat(analysis.settings.model_dump(mode="json")).items()]
    rows += [(s.name, f"SHA-256 {s.sha256}") for s in analysis.recordings if s.sha256]
    rows += [("rolandic", __version__), ("hash", analysis.content)]
    return f"<h2>Parameters</h2>{_table(rows)}"


def _table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> str:
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    return f"<table>{f'<tr>{top}</tr>' if head else ''}{body}</table>"
