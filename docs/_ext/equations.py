"""`% equations skaud.NAME` in a page becomes what help(NAME) says of its equations, parameters and sources."""

import re

import numpydoc.docscrape

import skaud

MARK = re.compile(r"^% equations skaud\.(\w+)$", re.MULTILINE)
# Parameters that every model has, and that stand in no equation.
EVERYWHERE = {"sample_rate", "pooling", "frame_length", "rms_one_db_spl", "dtype", "n_jobs", "output", "learn"}


def _numbered(line):
    """A docstring's references [1]_ as [1]: they stand below as a list."""
    return re.sub(r"\[(\d)\]_", r"[\1]", line)


def section(name):
    """ReStructuredText of a public class: first line, notes, a table of its parameters, its sources."""
    doc = numpydoc.docscrape.ClassDoc(getattr(skaud, name))
    lines = [" ".join(doc["Summary"]), "", *map(_numbered, doc["Notes"]), ""]
    rows = [p for p in doc["Parameters"] if not set(re.split(r", *", p.name)) <= EVERYWHERE]
    if rows:
        lines += [".. list-table::", "   :header-rows: 1", "   :widths: auto", ""]
        lines += ["   * - parameter", "     - values and default", "     - what it is, unit"]
    for row in rows:
        kind = row.type.replace("\\", "").replace("`", "")
        about = _numbered(" ".join(line.strip() for line in row.desc))
        about = re.sub(r"(?<=[A-Za-z0-9])_(?![\w`])", r"\\_", about)
        lines += [f"   * - ``{row.name}``", f"     - {kind}".replace("_,", "\\_,"), f"     - {about}"]
    lines += ["", "", *_sources(doc["References"])]
    return "\n".join(lines)


def _sources(references):
    text = " ".join(line.strip() for line in references)
    found = re.findall(r"\.\. \[(\d)\] (.*?)(?=\.\. \[|$)", text)
    return ["Sources:", ""] + [f"[{number}] {source.strip()}\n" for number, source in found] if found else []


def insert(app, docname, source):
    source[0] = MARK.sub(
        lambda match: f"```{{eval-rst}}\n.. currentmodule:: skaud\n\n{section(match[1])}\n```", source[0]
    )


def setup(app):
    app.connect("source-read", insert)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
