"""`skaud warm-up`, and what the command says while it compiles."""

import os
import signal
import subprocess
import sys
import time

import pytest

from skaud.command import main
from skaud.command.models import MODELS
from skaud.command.warm_up import JOBS
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


def test_every_model_of_the_command_can_be_compiled_ahead(capsys):
    assert list(JOBS) == sorted(MODELS, key=list(JOBS).index)
    assert main(["warm-up", "--models", "biomimetic"]) == 0
    assert capsys.readouterr().err.endswith("1 of 1 calls compiled.\n")


EVERY_MODEL = """
import importlib
import logging
import sys
import numpy as np
from skaud import Audiogram, Learn
from skaud.command.models import MODELS

logging.basicConfig(level=logging.INFO, stream=sys.stdout)
x = (0.05 * np.random.default_rng(0).standard_normal((4, 2000))).astype("float32")
for module, name in MODELS.values():
    make = getattr(importlib.import_module(module), name)
    model = make().fit(x)
    model.transform(x)
    model.transform(list(x) * 5)
    model.simulate(x)
    value, pullback = model.vjp(x)
    pullback(value)
    make().fit(x[np.newaxis]).transform(x[np.newaxis])
    make(learn=Learn(model.differentiable()[0], max_iter=1, tol=1e30)).fit(x, [0, 1, 0, 1])
    if name != "BiomimeticFrontend":
        frames = make(pooling=None).fit(x)
        frames.transform_chunk(x, frames.initial_state(4))
    if name == "CARFAC":
        make(audiogram=Audiogram([1000, 2000, 4000], [10, 15, 20])).fit(x)
print("done")
"""


@pytest.mark.slow
def test_second_warm_up_compiles_nothing_and_every_model_finds_its_kernels(tmp_path):
    environment = {"NUMBA_CACHE_DIR": str(tmp_path)}
    first, second = (skaud("warm-up", "--jobs", "2", **environment) for _ in range(2))
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "compiling chain.run.run, once for this machine" in first.stderr
    assert "compiling" not in second.stderr
    n_jobs = len({job for jobs in JOBS.values() for job in jobs})
    assert second.stderr.endswith(f"{n_jobs} of {n_jobs} calls compiled.\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.nbc")}
    words = [sys.executable, "-c", EVERY_MODEL]
    done = subprocess.run(words, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"  # nothing was compiled
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.nbc")} == before


@pytest.mark.slow
def test_kernels_that_cannot_be_kept_are_a_failure(tmp_path):
    (tmp_path / "file").touch()
    done = skaud("warm-up", "--models", "king2019", NUMBA_CACHE_DIR=str(tmp_path / "file"))
    assert done.returncode == 1
    assert "King2019 float32 differentiate failed: A compiled kernel in the cache" in done.stderr
    assert "0 of 2 calls compiled" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_warm_up_ends_at_once(number, tmp_path):
    running = subprocess.Popen(
        [sys.executable, "-m", "skaud", "warm-up", "--jobs", "2"],
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "compiling" in running.stderr.readline()
    begin = time.monotonic()
    running.send_signal(number)
    said = running.communicate(timeout=20)[1]
    assert running.returncode == 128 + number
    assert time.monotonic() - begin < 10
    assert "interrupted" in said
    assert "Traceback" not in said
