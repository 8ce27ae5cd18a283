"""Fuzzing with fixed seeds; the counts stand in docs/robustness.md. Each in a process of limited memory."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz import TRIED
from sklearn.base import BaseEstimator

import skaud

WRONG = ("wrong kind", "crash", "hang", "silently wrong")
FUZZ = Path(__file__).with_name("fuzz.py")


def test_every_public_estimator_is_fuzzed():
    beside = ("FeaturePipeline", "ToNumpy")  # which is of others, which has no parameters
    public = {name: getattr(skaud, name) for name in skaud._HOME if name not in beside}
    assert sorted(TRIED) == sorted(
        name for name, found in public.items() if isinstance(found, type) and issubclass(found, BaseEstimator)
    )


@pytest.mark.slow
@pytest.mark.parametrize(("what", "n_tried"), [("x", 4 * 4 * 300), ("parameters", 1000), ("kinds", 5000)])
def test_nothing_is_silently_wrong_hangs_or_crashes(what, n_tried):
    done = subprocess.run([sys.executable, FUZZ, "1000", what], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr  # else it crashed
    assert not any(line.startswith(WRONG) for line in done.stdout.splitlines()), done.stdout
    assert sum(map(int, re.findall(r"'tried': (\d+)", done.stdout))) >= n_tried
