"""Tables as text for other programs: a page of HTML that needs no other file, and CSV."""

import csv
import html
import io
from collections.abc import Sequence
from typing import Any

__all__ = ["csv_text", "html_page", "html_table"]

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 2em; color: #222; }}
table {{ border-collapse: collapse; margin-bottom: 1.5em; }}
th, td {{ padding: .35em .8em; text-align: right; border-bottom: 1px solid #ddd; }}
th {{ border-bottom: 2px solid #888; }}
td.word, th.word {{ text-align: left; }}
p {{ max-width: 60em; margin: .3em 0; color: #555; }}
</style></head><body><h1>{title}</h1>
{body}
</body></html>
"""

_WORDS = frozenset(
    {
        *("subject", "decoder", "protocol", "first", "second", "score"),
        *("recordings", "trials used", "left out", "stand out"),
    }
)


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; columns of words are aligned to the left."""

    def cell(tag: str, column: str, text: str) -> str:
        kind = ' class="word"' if column in _WORDS else ""
        return f"<{tag}{kind}>{html.escape(text)}</{tag}>"

    lines = ["".join(cell("th", name, name) for name in head)]
    lines += ["".join(cell("td", *pair) for pair in zip(head, row, strict=True)) for row in rows]
    return "<table>" + "\n".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def csv_text(fields: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return lines of CSV under a line of field names."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(fields)
    writer.writerows(rows)
    return text.getvalue()


def html_page(title: str, parts: Sequence[str], notes: Sequence[str]) -> str:
    """Return a page of parts that are HTML, with notes that are text below them."""
    body = [*parts, *(f"<p>{html.escape(note)}</p>" for note in notes)]
    return _PAGE.format(title=html.escape(title), body="\n".join(body))
