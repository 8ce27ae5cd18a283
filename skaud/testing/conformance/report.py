"""A table of claims, as text and as a page."""

from collections.abc import Sequence
from html import escape

from skaud.testing.conformance.row import Row

TITLES = {
    "golden": "Golden numbers: error over the largest value",
    "published": "Published numbers, what follows from them, and bounds",
    "fit": "Parameters that a fit finds again: largest error",
    "adjoint": "Adjoints against complex steps: relative difference",
    "invariance": "What must change nothing",
}
HEADS = ("model or stage", "what", "limit or published", "found", "difference", "verdict", "source or reason")
STYLE = (
    "body{font:15px/1.5 sans-serif;margin:1rem auto;max-width:70rem;padding:0 1rem}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}"
    "td,th{border-bottom:1px solid #ccc;padding:.2rem .6rem;text-align:left}"
    ".fails{color:#b00020;font-weight:bold}.skipped{color:#666}"
)


def summary(rows: Sequence[Row]) -> str:
    """How many claims hold, fail and were skipped."""
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in ("holds", "fails", "skipped")}
    return f"{len(rows)} claims: {counts['holds']} hold, {counts['fails']} fail, {counts['skipped']} skipped"


def as_text(rows: Sequence[Row]) -> str:
    """A line a claim, by kind, and the summary."""
    lines = []
    for kind, title in TITLES.items():
        own = [row.text for row in rows if row.kind == kind]
        lines += [title, *(f"  {line}" for line in own), ""] if own else []
    return "\n".join([*lines, summary(rows)])


def as_tables(rows: Sequence[Row], *, titled: bool = True) -> str:
    """HTML: a table a kind, without a page around it; titled by kind below a summary, or not."""
    parts = [f"<p>{escape(summary(rows))}.</p>"] if titled else []
    for kind, title in TITLES.items():
        own = [row for row in rows if row.kind == kind]
        if own:
            parts.append(f"<h2>{escape(title)}</h2>" if titled else "")
            parts.append(_table(own))
    return "\n".join(parts)


def _table(rows: Sequence[Row]) -> str:
    """HTML of rows, without columns in which nothing stands."""
    shown = [k for k in range(len(HEADS)) if any(row.cells[k] for row in rows)]
    head = "".join(f"<th>{escape(HEADS[k])}</th>" for k in shown)
    lines = [
        f'<tr class="{row.verdict}">' + "".join(f"<td>{escape(row.cells[k])}</td>" for k in shown) + "</tr>"
        for row in rows
    ]
    return "\n".join([f"<table class='table'><tr>{head}</tr>", *lines, "</table>"])


def as_page(rows: Sequence[Row]) -> str:
    """HTML of a page of its own."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>skaud: conformance</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style><h1>Conformance</h1>{as_tables(rows)}</html>\n"
    )
