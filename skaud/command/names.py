"""Paths as text of a table and back: text in UTF-8, a line a cell, no formula to a spreadsheet."""

import os
import re
import unicodedata

_LOOKS_ESCAPED = re.compile(rb"\\(?=x[0-9a-fA-F]{2})")
_ESCAPED = re.compile(rb"\\x([0-9a-fA-F]{2})")
_BREAKING = ("Cc", "Zl", "Zp")  # controls, and separators of lines
FORMULA = tuple("=+-@\t\r\n")  # how a cell begins that a spreadsheet computes


def path_text(path: str | bytes) -> str:
    r"""Path as a table has it: bytes that are no UTF-8, controls, and a backslash before xHH stand as \xHH.

    One that begins as a formula does has ./ in front, which leads to the same file.
    """
    if isinstance(path, str) and path.isascii() and path.isprintable() and "\\x" not in path:  # as nearly all are
        return f"./{path}" if path.startswith(FORMULA) else path
    text = _LOOKS_ESCAPED.sub(rb"\\x5c", os.fsencode(path)).decode("utf-8", "backslashreplace")
    breaking = {c for c in set(text) if unicodedata.category(c) in _BREAKING}
    text = text.translate({ord(c): "".join(f"\\x{byte:02x}" for byte in c.encode()) for c in breaking})
    return f"./{text}" if text.startswith(FORMULA) else text


def text_path(text: str) -> bytes:
    """Path that `path_text` made a text of."""
    return _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), text.encode())


def cell_text(text: str) -> str:
    """Text of a csv that begins as a formula does, or with ', has ' in front; undone by taking one ' away."""
    return f"'{text}" if text.startswith((*FORMULA, "'")) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text) is not None
