"""`% conformance` in a page becomes what is measured as the site is built, `% conformance MODEL KIND` a part of it."""

import os
import re
from functools import cache
from pathlib import Path

from sphinx.errors import ExtensionError

from skaud.testing.conformance import conformance
from skaud.testing.conformance.report import as_tables

MARK = re.compile(r"^% conformance(?: (?P<model>\w+) (?P<kind>\w+))?$", re.MULTILINE)


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
    if match["model"]:
        rows = [row for row in rows if row.kind == match["kind"] and row.model.split(",")[0] == match["model"]]
    tables = as_tables(rows, titled=not match["model"]) if rows else "<p>Left out of this build.</p>"
    return f"```{{raw}} html\n{tables}\n```"


def insert(app, docname, source):
    source[0] = MARK.sub(table, source[0])


def setup(app):
    app.connect("source-read", insert)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
