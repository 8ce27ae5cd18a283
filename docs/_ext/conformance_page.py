"""What is measured as the site is built, in its pages.

`% conformance` becomes all claims, `% conformance MODEL KIND` a part of them. In a sentence, {found}`MODEL: CLAIM` is
the number that was found, of several claims (with * and ?) the largest error, and {allowed}`MODEL: CLAIM` their limit.
"""

import os
import re
from fnmatch import fnmatchcase
from functools import cache, partial
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError

from skaud.testing.conformance import conformance
from skaud.testing.conformance.report import TITLES, as_tables, summary

MARK = re.compile(r"^% conformance(?: (?P<model>\w+) (?P<kind>\w+))?$", re.MULTILINE)
NOT_MEASURED = "(not measured here)"


@cache
def measured():
    """All claims, measured once a build."""
    if os.environ.get("SKAUD_SKIP_CONFORMANCE"):
        return ()
    references = os.environ.get("SKAUD_REFERENCES")
    rows = tuple(conformance(Path(references) if references else None))
    failed = [row.text for row in rows if row.verdict == "fails"]
    if failed:
        raise ExtensionError("claims fail:\n" + "\n".join(failed))
    return rows


def table(match):
    """What a mark becomes: all claims, or those of a model and a kind."""
    rows = measured()
    if not rows:
        return "Left out of this build."
    if match["model"]:
        return raw([row for row in rows if row.kind == match["kind"] and row.model.split(",")[0] == match["model"]])
    parts = [f"{summary(rows)}."]
    for kind, title in TITLES.items():
        own = [row for row in rows if row.kind == kind]
        parts += [f"## {title}", raw(own)] if own else []
    return "\n\n".join(parts)


def raw(rows):
    """HTML of some claims, in Markdown."""
    return f"```{{raw}} html\n{as_tables(rows, titled=False)}\n```"


def insert(app, docname, source):
    source[0] = MARK.sub(table, source[0])


def written(number):
    """A number as sentences have it: two digits behind the point, one digit, or one and a power of ten."""
    if number and abs(number) < 0.005:
        digit, power = f"{number:.0e}".split("e")
        return f"{digit}e{int(power)}"
    return f"{number:.1g}" if abs(number) < 0.05 else f"{number:.2f}"


def value(claim, what="found"):
    """What stands in a sentence for the claims of a pattern; LookupError where the table has none such."""
    rows = [row for row in measured() if fnmatchcase(f"{row.model}: {row.what}", claim)]
    held = [row for row in rows if row.found is not None]
    if not held:
        # Without golden numbers their claims are skipped, under names for several at once.
        if rows or not measured() or not os.environ.get("SKAUD_REFERENCES"):
            return NOT_MEASURED
        raise LookupError(f"no claim is called {claim!r}; python -m skaud.testing conformance lists them")
    if what == "allowed":
        limit = max(row.limit for row in held)
        return written(limit) if limit < 0.005 else f"{limit:g}"
    if held[0].published is None:
        return written(max(row.found for row in held))
    if len(held) > 1:
        raise LookupError(f"{claim!r} are {len(held)} numbers; name one")
    decimals = len(str(held[0].published).partition(".")[2])
    return f"{held[0].found:.{decimals}f}"


def role(what, name, rawtext, text, lineno, inliner, options=None, content=()):
    """Role of docutils: the number, or an error at its line."""
    try:
        return [nodes.Text(value(text, what))], []
    except LookupError as reason:
        message = inliner.reporter.error(str(reason), line=lineno)
        return [inliner.problematic(rawtext, rawtext, message)], [message]


def setup(app):
    app.connect("source-read", insert)
    for what in ("found", "allowed"):
        app.add_role(what, partial(role, what))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
