"""Equations as MathML, which browsers draw themselves: no script, and nothing fetched."""

import re

from docutils import nodes
from latex2mathml.converter import convert


def visit_inline(self, node):
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def visit_block(self, node):
    """A line for each paragraph, in pieces at \\quad and \\qquad, so that a narrow screen can break it there."""
    self.body.append(self.starttag(node, "div", CLASS="equation"))
    for line in re.split(r"\n\s*\n", node.astext()):
        pieces = [convert(piece.strip(), display="block") for piece in re.split(r"\\q?quad", line) if piece.strip()]
        self.body.append(f'<div class="line">{"".join(pieces)}</div>')
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
