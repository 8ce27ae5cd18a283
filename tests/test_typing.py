"""What type checkers and help() see of the public names."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skaud
from skaud import display, fitting, testing

ROOT = Path(skaud.__file__).parents[1]
FUNCTIONS = [
    pytest.param(function, id=f"{module.__name__}.{name}")
    for module in (display, fitting, testing)
    for name, function in sorted(vars(module).items())
    if callable(function) and not name.startswith("_") and function.__module__.startswith("skaud.")
]


@pytest.mark.parametrize("name", skaud._HOME)
def test_a_signature_can_be_read(name):
    cls = getattr(skaud, name)
    methods = [
        getattr(cls, method) for method in dir(cls) if method[0] != "_" and inspect.isfunction(getattr(cls, method))
    ]
    for function in (cls, *methods):
        signature = str(inspect.signature(function))
        assert "_NestedSequence" not in signature, function
        assert len(signature) < 2500, function


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_signature_of_a_function_can_be_read(function):
    signature = str(inspect.signature(function))
    assert "_NestedSequence" not in signature
    assert len(signature) < 800


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """What mypy says of a user's file, by line."""
    pytest.importorskip("mypy")
    lines = ["import skaud", f"from skaud import {', '.join(skaud._HOME)}"]
    lines += [f"{name}(no_such_parameter=3)" for name in skaud._HOME]
    lines += [f"{name}({good})" for name, good in zip(skaud._HOME, map(GOOD.get, skaud._HOME)) if good is not None]
    lines += ["skaud.audio.set_levle", "skaud.no_such_name", *MORE]
    file = tmp_path_factory.mktemp("user") / "user.py"
    file.write_text("\n".join(lines))
    options = ["--follow-imports=silent", "--config-file", str(ROOT / "pyproject.toml")]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(file)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    found = {}
    for number, text in re.findall(r"user\.py:(\d+): error: (.*)", run.stdout):
        found.setdefault(lines[int(number) - 1], []).append(text)
    assert "error:" in run.stdout, run.stdout + run.stderr
    return found


GOOD = {
    "CARFAC": "8000, ohc_health=[0.5, 1.0], pooling=None",
    "Osses2021": "8000, middle_ear=None",
    "Dau1997": "8000, high_hz=None",
    "BiomimeticFrontend": "rates_hz=[4.0], scales_cycles_per_octave=(1,)",
    "Audiogram": "[500, 1000], [10, 20]",
    "Learn": '"velocity_scale", solver="adam"',
    "TemporalPooling": '("mean", "p90"), segments=3',
}
MORE = [
    "CARFAC().fit().transfer_function([500, 1000]).shape",
    "CARFAC(sample_rat=3)",
    'CARFAC(sample_rate="8000")',
    'Dau1997(middle_ear="jepsen2008")',
    "CARFAC().fit().transfer_function()",
    "CARFAC().transform()",
    "Dau1997().fit().simulate()",
    "Dau1997.preset().fit().vjp()",
]


@pytest.mark.parametrize("name", skaud._HOME)
def test_mypy_refuses_a_parameter_that_is_none(name, checked):
    assert any("no_such_parameter" in text for text in checked[f"{name}(no_such_parameter=3)"])


@pytest.mark.parametrize("line", MORE[1:])
def test_mypy_sees_wrong_calls(line, checked):
    assert checked[line]


@pytest.mark.parametrize("line", [f"{name}({good})" for name, good in GOOD.items()] + MORE[:1])
def test_mypy_takes_right_calls(line, checked):
    assert line not in checked


@pytest.mark.parametrize("line", ["skaud.audio.set_levle", "skaud.no_such_name"])
def test_mypy_knows_the_public_names(line, checked):
    assert checked[line]
