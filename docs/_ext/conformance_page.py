"""`% conformance` in a page becomes the tables of what is measured while the site is built."""

import os
from pathlib import Path

from sphinx.errors import ExtensionError

from skaud.testing.conformance import conformance
from skaud.testing.conformance.report import as_tables

MARK = "% conformance"


def insert(app, docname, source):
    if MARK not in source[0].splitlines():
        return
    folder = Path(os.environ["SKAUD_REFERENCES"])
    rows = [] if os.environ.get("SKAUD_SKIP_CONFORMANCE") else conformance(folder if folder.is_dir() else None)
    failed = [row.text for row in rows if row.verdict == "fails"]
    if failed:
        raise ExtensionError("claims fail:\n" + "\n".join(failed))
    source[0] = source[0].replace(MARK, f"```{{raw}} html\n{as_tables(rows)}\n```")


def setup(app):
    app.connect("source-read", insert)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
