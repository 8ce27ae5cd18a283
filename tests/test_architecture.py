"""The page that follows X through the files is held to the way that X goes."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import skaud
from skaud import CARFAC

ROOT = Path(skaud.__file__).parent
PAGE = ROOT.parent / "docs" / "development" / "architecture.md"


def lists_of(page):
    """Numbered lists, each the files with which its entries begin."""
    lists = []
    for number, file in re.findall(r"^(\d+)\. `([\w/]+\.py)`", page, re.MULTILINE):
        if number == "1":
            lists.append([])
        lists[-1].append(file)
    return lists


def files_passed(function):
    """Files of the package in which functions are entered, in order, and the result."""
    passed = []

    def enter(frame, event, _):
        if event == "call" and Path(frame.f_code.co_filename).is_relative_to(ROOT):
            passed.append(Path(frame.f_code.co_filename).relative_to(ROOT).as_posix())

    before = sys.getprofile()
    sys.setprofile(enter)
    try:
        return function(), passed
    finally:
        sys.setprofile(before)


@pytest.mark.skipif(not PAGE.exists(), reason="docs are not part of an installed package")
def test_x_passes_the_files_of_the_page_in_their_order():
    X = 0.02 * np.random.default_rng(0).standard_normal((2, 400))
    model = CARFAC(16000, n_jobs=1).fit(X)
    model.vjp(X)[1](model.transform(X))  # what is compiled, or imported, is so by now
    _, through_transform = files_passed(lambda: model.transform(X))
    (value, pullback), through_vjp = files_passed(lambda: model.vjp(X, wrt=["X", "ohc_health"]))
    _, back = files_passed(lambda: pullback(value))
    listed = lists_of(PAGE.read_text(encoding="utf-8"))
    assert [len(own) for own in listed] == [13, 5, 7]
    if sys.version_info >= (3, 12):  # numba tells a profiler no more that compiled functions are entered
        listed = [[file for file in own if not file.startswith("kernels/carfac/")] for own in listed]
    for files, passed in zip(listed, (through_transform, through_vjp, back)):
        rest = iter(passed)
        assert [file for file in files if file not in rest] == []  # one behind the other


@pytest.mark.skipif(not PAGE.exists(), reason="docs are not part of an installed package")
def test_every_file_that_the_page_names_is_there():
    named = set(re.findall(r"`([\w/]+\.py)`", PAGE.read_text(encoding="utf-8"))) - {"tests/test_package.py"}
    assert {file for file in named if not (ROOT / file).exists()} == set()
