"""The table of what runs where: nothing in it is copied in silence, a raw error, or a wrong result."""

from importlib.util import find_spec
from pathlib import Path

import arrays_table
import numpy as np
import pytest
from arrays_table import KINDS, MODELS, NEEDS, cell, page, rows

import skaud

PAGE = Path(__file__).parent.parent / "docs" / "arrays.md"
ROWS = list(rows())
PROMOTED = ("cupy", "numba")  # by CuPy 14 as by NumPy 2; the one that stands in for it promotes as the NumPy at hand


def cells_on_the_page():
    """Cells by (model, operation), a dict by kind."""
    found, model, kinds = {}, None, None
    for line in PAGE.read_text().splitlines():
        columns = [own.strip() for own in line.strip("|").split("|")]
        if line.startswith("| |"):
            kinds = columns[1:]
        elif kinds and line.startswith("| ") and "---" not in line:
            *named, operation = columns[0].split()
            model = named[0].strip("`") if named else model
            found[model, operation] = dict(zip(kinds, columns[1:]))
    return found


def test_the_page_has_every_row_and_kind():
    found = cells_on_the_page()
    assert list(found) == ROWS
    assert len(found) >= 80
    assert all(list(own) == list(KINDS) for own in found.values())
    letters = {own for cells in found.values() for own in cells.values()}
    assert letters <= {"=", "≈", "", *arrays_table.REASONS}


def test_the_page_says_what_its_template_says():
    assert PAGE.read_text() == page(cells_on_the_page())


def test_no_kind_of_the_host_is_computed_otherwise_than_numpys():
    for (model, operation), own in cells_on_the_page().items():
        for kind in list(KINDS)[:10]:
            assert own[kind] in ("=", "", "r"), (model, operation, kind)


@pytest.mark.parametrize(("model", "operation"), ROWS, ids=map(" ".join, ROWS))
def test_what_the_page_says_is_so(model, operation):
    wanted = cells_on_the_page()[model, operation]
    for kind in KINDS:
        promoted = kind.removeprefix("list of ") in PROMOTED and np.__version__ < "2"
        if find_spec(NEEDS.get(kind, "numpy")) is not None and not promoted:
            rounded = wanted[kind] == "=" and np.__version__ < "2"  # whose vectors round as an array is aligned
            assert cell(model, operation, kind) in (wanted[kind], "≈" if rounded else wanted[kind]), kind


def test_every_public_transformer_is_in_the_table():
    public = {name: getattr(skaud, name) for name in skaud.__all__}
    assert {name for name, own in public.items() if isinstance(own, type) and hasattr(own, "transform")} == {
        "ToNumpy",
        *MODELS,
    }
