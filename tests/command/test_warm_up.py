"""`skaud warm-up`, and what the command says while it compiles."""

import os
import subprocess
import sys

import pytest

from skaud.command import main
from skaud.kernels._cache import logger


def skaud(*words, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", "import sys; from skaud.command import main; sys.exit(main())", *words],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--models", "lyon"], "--models lyon must be one of: carfac, osses2021"),
        (["--dtypes", "float16"], "--dtypes float16 must be one of: float32, float64"),
        (["--jobs", "0"], "--jobs 0 must be at least 1"),
    ],
)
def test_wrong_words_are_named(words, message, capsys):
    assert main(["warm-up", *words]) == 2
    assert message in capsys.readouterr().err


def test_command_says_what_is_compiled(monkeypatch, capsys):
    def run(options):
        logger.info("compiling a kernel, once for this machine")
        return 0

    monkeypatch.setattr("skaud.command.demo.run", run)
    assert main(["demo"]) == 0
    assert "skaud: compiling a kernel, once for this machine" in capsys.readouterr().err
    assert not logger.handlers


@pytest.mark.slow
def test_second_warm_up_compiles_nothing_and_a_model_finds_its_kernels(tmp_path):
    environment = {"NUMBA_CACHE_DIR": str(tmp_path)}
    first, second = (skaud("warm-up", "--models", "osses2021", "--jobs", "2", **environment) for _ in range(2))
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "compiling osses2021.run_frames, once for this machine" in first.stderr
    assert "compiling" not in second.stderr
    assert second.stderr.endswith("3 of 3 calls compiled.\n")
