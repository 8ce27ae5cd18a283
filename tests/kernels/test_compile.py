"""Compiled kernels and their cache on disk."""

import gc
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core.errors import TypingError
from numba.core.event import Listener, install_listener

import skaud
from skaud.kernels._compile import kernel, loop

PACKAGE = Path(skaud.__file__).parent
RUN = """
import numpy as np
from skaud import CARFAC
from skaud.kernels.carfac.run import run_for
x = np.ones((1, 100), "float32")
print(CARFAC(min_pole_hz=3000.0).fit(x).transform(x).shape, sum(run_for(2, False, True).stats.cache_hits.values()))
"""


def run(folder: Path, *, strict: bool = True, **environment: str) -> str:
    around = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, *(["-W", "error"] if strict else []), "-c", RUN],
        cwd=folder,
        env=around | {"PYTHONPATH": str(folder)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("NUMBA_CACHE_DIR=") + done.stderr.count("no NUMBA_CACHE_DIR given") == (not strict)
    return done.stdout


def copy_package(folder: Path) -> Path:
    shutil.copytree(PACKAGE, folder / "skaud", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


SHARES = """
import numpy as np
from numba import float32
from skaud.kernels._compile import kernel, loop

@loop
def share(x, y, i):
    return y[i] / np.sqrt(x[i])

def shares(x, y, out):
    for i in range(len(x)):
        out[i] = share(x, y, i) + y[i] / np.sqrt(out[i])

own = kernel(shares)
own._cache.disable()
own.compile((float32[::1],) * 3)
print(*own.inspect_asm().values())
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="is about processors of the x86 kind")
def test_roots_are_not_estimated_on_a_processor_that_could():
    avx512 = {"NUMBA_CPU_NAME": "sapphirerapids", "NUMBA_CPU_FEATURES": "+avx2,+fma,+avx512f,+avx512vl"}
    done = subprocess.run(
        [sys.executable, "-c", SHARES], env=os.environ | avx512, capture_output=True, text=True, check=True
    )
    assert "sqrtps" in done.stdout
    assert not re.search(r"v?(rsqrt|rcp)\w+", done.stdout)


def test_works_where_no_cache_folder_can_be_made(tmp_path):
    folder = copy_package(tmp_path)
    occupied = folder / "skaud" / "kernels" / "carfac" / "__pycache__"
    occupied.write_text("a file, so that no folder of this name can be made")
    nowhere = str(occupied / "none")
    done = run(folder, HOME=nowhere, XDG_CACHE_HOME=nowhere, IPYTHONDIR=nowhere, strict=False)
    assert done == "(1, 80) 0\n"


def test_second_process_finds_the_compiled_kernel_until_a_step_changes(tmp_path):
    folder = copy_package(tmp_path)
    environment = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    first, second = (run(folder, **environment).split()[-1] for _ in range(2))
    steps = folder / "skaud" / "kernels" / "carfac" / "steps.py"
    steps.write_text(steps.read_text() + "\n# changed\n")
    third = run(folder, **environment).split()[-1]
    assert (first, second, third) == ("0", "1", "0")


def test_llvm_learns_that_arrays_do_not_overlap():
    def double(x, out):
        for i in range(len(x)):
            out[i] = 2 * x[i]

    inner, compiled = loop(double), kernel(double)
    compiled._cache.disable()  # numba 0.60 keeps no text of what it finds there
    compiled(np.ones(16), np.empty(16))
    (code,) = compiled.inspect_llvm().values()
    head = next(line for line in code.splitlines() if line.startswith("define"))
    attributes = re.findall(
        r"(?:ptr|double\*) ([^%,]*)%arg\.(?:x|out)\.4", head
    )  # of the data; numba 0.60 types pointers
    assert len(attributes) == 2
    assert all("noalias" in own for own in attributes)
    assert issubclass(inner._compiler.pipeline_class, compiled._compiler.pipeline_class)


def test_loop_is_compiled_once_for_all_integers():
    @loop
    def fill(out, begin, value):
        for i in range(begin, len(out)):
            out[i] = value

    @kernel
    def fill_twice(out, begin):
        fill(out, 0, out[0])
        fill(out, begin, out[0] + 1)

    fill_twice._cache.disable()  # what is found there is not compiled
    out = np.ones(4)
    fill_twice(out, 2)
    assert out.tolist() == [1, 1, 2, 2]
    assert len(fill.signatures) == 1


def test_what_a_known_switch_turns_off_is_not_compiled():
    @loop
    def raise_all(out):
        for i in range(len(out)):
            out[i] += 1

    @loop
    def perhaps(out, wanted):
        out[0] = 5
        if wanted:
            raise_all(out)

    def made(wanted):
        @kernel
        def run(out):
            perhaps(out, wanted)

        run._cache.disable()
        return run

    out = np.zeros(3)
    made(False)(out)
    assert (out.tolist(), raise_all.signatures) == ([5, 0, 0], [])
    made(True)(out)
    assert (out.tolist(), len(raise_all.signatures)) == ([6, 1, 1], 1)


def test_compiling_leaves_the_garbage_collector_as_it_was():
    seen = []

    class Thresholds(Listener):
        def on_start(self, event):
            seen.append(gc.get_threshold())

        def on_end(self, event):
            pass

    @kernel
    def add_one(out):
        out[0] += 1

    @kernel
    def fail(out):
        out.there_is_no_such_method()

    add_one._cache.disable()
    before = gc.get_threshold()
    with install_listener("numba:run_pass", Thresholds()):
        add_one(np.zeros(1))
    assert seen[0][0] >= 20_000
    assert gc.get_threshold() == before
    with pytest.raises(TypingError):
        fail(np.zeros(1))
    assert gc.get_threshold() == before
