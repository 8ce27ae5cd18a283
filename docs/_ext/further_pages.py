"""Pages that lie in docs/ and that no table of contents names join the guide, at the place of this mark."""

from pathlib import Path

MARK = "% further pages"


def add(app, docname, source):
    if MARK not in source[0]:
        return
    root = Path(app.srcdir)
    named = "\n".join(path.read_text(encoding="utf-8") for path in root.glob("*/index.md"))
    named += (root / "index.md").read_text(encoding="utf-8")
    lines = {line.strip().removeprefix("../") for line in named.splitlines()}
    pages = sorted(path.stem for path in root.glob("*.md"))
    further = [f"../{page}" for page in pages if page not in lines and page not in ("index", "README")]
    source[0] = source[0].replace(MARK, "\n".join(further))


def setup(app):
    app.connect("source-read", add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
