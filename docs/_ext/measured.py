"""Numbers that scripts measured and kept, in pages: nobody types them.

Files in docs/measured begin with a line on the command, date and processor. `% measured NAME` becomes the table in
NAME.csv with that line below it; {measured}`NAME: ROW: COLUMN` is a cell of it. Runs of several seeds are kept one a
line: `% scores NAME KIND DIGITS` becomes a table of their means and 95 % intervals, with `each` behind it of the scores
themselves; {score}`NAME KIND DIGITS: ROW: COLUMN` is one cell of such a table, of `ROW minus OTHER` that of the
differences, seed by seed. `% speeds` becomes the table of docs/speeds.csv.
"""

import csv
import json
import re
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from docutils import nodes
from scipy import stats

DOCS = Path(__file__).parents[1]
FOLDERS = (DOCS / "measured", DOCS.parent / "examples" / "published")
MARK = re.compile(r"^% (measured|scores|speeds)(?: (.+))?$", re.MULTILINE)
# Rows of scores in this order, others behind them as they come.
ARMS = [f"{learned}, {init}" for init in ("log", "random") for learned in ("full", "cortical", "frozen")]
ORDER = ["mixture", "ideal ratio mask", *ARMS]


def file_of(name):
    """Where the numbers of a name lie."""
    for folder in FOLDERS:
        for path in (folder / f"{name}.csv", folder / f"{name}.jsonl"):
            if path.is_file():
                return path
    raise LookupError(f"no file of numbers is called {name!r}")


# --- tables as they were written ---


@cache
def kept(name):
    """How a table was measured, its heads, and its rows."""
    first, *lines = file_of(name).read_text(encoding="utf-8").splitlines()
    heads, *rows = csv.reader(lines)
    return first.removeprefix("# "), heads, rows


def cell(text):
    """A cell of a table, by file, row and column."""
    name, row, column = text.split(": ")
    _, heads, rows = kept(name)
    found = [own[heads.index(column)] for own in rows if own[0] == row] if column in heads else []
    if len(found) != 1:
        raise LookupError(f"{name} has no row {row!r} with {column!r}")
    return found[0]


def measured_table(name):
    """A table as it was written, and how."""
    how, heads, rows = kept(name)
    command, _, when = how.partition("; ")
    return f"{markdown([heads, *rows])}\n\nMeasured by `{command}`, {when}."


# --- scores, one a line ---


@cache
def scores_of(name):
    """Data frame of kind, row, column, repeat and value, of what examples/biomimetic_cnn.py keeps."""
    lines = [json.loads(line) for line in file_of(name).read_text(encoding="utf-8").splitlines()]
    cells = [
        (line["task"], arm, condition, line["seed"], value)
        for line in lines
        for arm, values in line["scores"].items()
        for condition, value in values.items()
    ]
    # A score that every arm shares, such as that of the mixtures, is kept with each of them.
    found = pd.DataFrame(cells, columns=["kind", "row", "column", "repeat", "value"])
    return found.drop_duplicates(["kind", "row", "column", "repeat"])


def values(spec, row, column):
    """Scores of a cell, by seed."""
    name, kind, *_ = spec
    rows = scores_of(name)
    own = rows[(rows["kind"] == kind) & (rows["row"] == row) & (rows["column"] == column)]
    if own.empty:
        raise LookupError(f"{name} has no {kind} of {row!r} in {column!r}")
    return own.set_index("repeat")["value"]


def interval(numbers, digits):
    """Mean and the half width of its 95 % interval, by Student's t."""
    n = len(numbers)
    half = stats.t.ppf(0.975, n - 1) * np.std(numbers, ddof=1) / np.sqrt(n) if n > 1 else np.nan
    return f"{np.mean(numbers):.{digits}f} ± {half:.{digits}f}"


def all_of(numbers, digits):
    """Every number, in the order of the seeds."""
    return ", ".join(f"{x:.{digits}f}" for x in numbers)


def score(text):
    """A mean and its interval, of a row or of the difference of two."""
    spec, row, column = text.split(": ")
    spec = spec.split()
    row, _, other = row.partition(" minus ")
    numbers = values(spec, row, column)
    if other:
        numbers = numbers - values(spec, other, column)
    return interval(numbers, int(spec[2]))


def scores_table(*spec):
    """Rows by columns, each a mean and its interval, or all numbers."""
    name, kind, digits, *each = spec
    show = partial(all_of if each else interval, digits=int(digits))
    rows = scores_of(name)
    rows = rows[rows["kind"] == kind]
    columns = list(dict.fromkeys(rows["column"]))
    lines = [["", *columns]]
    for row in sorted(dict.fromkeys(rows["row"]), key=lambda row: ORDER.index(row) if row in ORDER else len(ORDER)):
        cells = [values(spec, row, column) for column in columns]
        show = (
            (lambda own: ", ".join(f"{x:.{digits}f}" for x in own)) if each else partial(interval, digits=int(digits))
        )
        lines.append([row, *map(show, cells)])
    return markdown(lines)


# --- speeds, of several programs ---


def speeds_table():
    """A row a job: times side by side, and those of this package alone, with where they were measured."""
    with (DOCS / "speeds.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    together = [row for row in rows if row["measured"] == "side by side"]
    alone = {row["job"]: row for row in rows if row["measured"] != "side by side"}
    (where,) = {row["measured"] for row in alone.values()}
    lines = [["job", "skaud", "others", f"skaud alone, {where}"]]
    for job in dict.fromkeys(row["job"] for row in rows):
        own = [row for row in together if row["job"] == job]
        others = [f"{row['program']}: {row['CPU ms']}" for row in own if not row["program"].startswith("skaud")]
        (ms,) = (row["CPU ms"] for row in own if row["program"].startswith("skaud"))
        lines.append([job, ms, "; ".join(others), alone[job]["CPU ms"]])
    return markdown(lines)


def markdown(lines):
    """A table, its first line the heads."""
    lines = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


# --- Sphinx ---


def table(match):
    """What a mark becomes."""
    maker = {"measured": measured_table, "scores": scores_table, "speeds": speeds_table}[match[1]]
    return maker(*(match[2] or "").split())


def insert(app, docname, source):
    source[0] = MARK.sub(lambda match: unbroken(table(match)), source[0])


def unbroken(text):
    """A table whose intervals stand on one line."""
    return text.replace(" ± ", "\u00a0±\u00a0")


def role(find, name, rawtext, text, lineno, inliner, options=None, content=()):
    """Role of docutils: the number, or an error at its line."""
    try:
        return [nodes.Text(find(text))], []
    except LookupError as reason:
        message = inliner.reporter.error(str(reason), line=lineno)
        return [inliner.problematic(rawtext, rawtext, message)], [message]


def setup(app):
    app.connect("source-read", insert)
    app.add_role("measured", partial(role, cell))
    app.add_role("score", partial(role, score))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
