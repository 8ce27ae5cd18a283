"""Runs where the process gives back what it frees at once, as Dask's workers do."""

import os
import subprocess
import sys

import pytest

RUN = """
import hashlib, resource, sys
import numpy as np
from skaud import AuditorySpectrogram, BiomimeticFrontend
from skaud.kernels import _memory
if sys.argv[1] == "as it is":
    _memory._library = None
x = (0.05 * np.random.default_rng(0).standard_normal((1, 16000))).astype("float32")
found = hashlib.sha1()
models = [model.fit(x) for model in (AuditorySpectrogram(), BiomimeticFrontend())]
for turn in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for model in models:
        found.update(model.transform(x).tobytes())
print(found.hexdigest(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def run(how, **environment):
    done = subprocess.run(
        [sys.executable, "-c", RUN, how], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    digest, n_faults = done.stdout.split()
    return digest, int(n_faults)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a variable of glibc")
def test_results_are_the_same_and_memory_is_used_again_where_it_is_given_back_at_once():
    plain, _ = run("used again")
    trimmed, n_faults = run("used again", MALLOC_TRIM_THRESHOLD_="65536")
    without, n_faults_without = run("as it is", MALLOC_TRIM_THRESHOLD_="65536")
    assert plain == trimmed == without
    assert n_faults < n_faults_without / 3  # pages that the system clears


FAULTS = """
import resource
import numpy as np
from skaud.kernels._memory import memory_used_again

def page_faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**18)  # 2 MiB, which huge pages do not hold
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

page_faults()
without = page_faults()
with memory_used_again():
    page_faults()
    print(without, page_faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it is glibc that gives memory back at once")
def test_memory_is_used_again_where_no_program_has_asked_for_it():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run([sys.executable, "-c", FAULTS], env=environment, capture_output=True, text=True, check=True)
    without, within = map(int, done.stdout.split())
    assert within <= 20 < without
