import os
from pathlib import Path

import numpy as np
import pytest

REFERENCE = Path(os.environ.get("SKAUD_REFERENCES") or Path(__file__).parents[2] / "shared" / "reference")

pytest.register_assert_rewrite("audio_checks")


@pytest.fixture(scope="session")
def references():
    """Folder of golden numbers; it skips the test where there is none."""
    if not REFERENCE.is_dir():
        pytest.skip(f"no golden numbers: {REFERENCE} is missing")
    return REFERENCE


@pytest.fixture(scope="session")
def golden():
    """Function that loads a file of golden numbers; it skips the test where there is none."""

    def load(name):
        if not (REFERENCE / name).is_file():
            pytest.skip(f"no golden numbers: {REFERENCE / name} is missing")
        with np.load(REFERENCE / name) as file:
            return dict(file)

    return load


@pytest.fixture
def emulator(monkeypatch):
    """A device in the lockstep emulator, on which kernels for a GPU run."""
    import on_emulator

    return on_emulator.install(monkeypatch)


@pytest.fixture(params=["as Python", pytest.param("compiled", marks=pytest.mark.slow)])
def cpu(request, monkeypatch):
    """The CPU's kernels, which take minutes to be compiled for every case: that is left to slow tests."""
    import on_emulator

    if request.param == "as Python":
        on_emulator.run_as_python(monkeypatch)
    else:
        for limits, of_compiled in on_emulator.OF_COMPILED:
            for dtype, limit in of_compiled.items():
                monkeypatch.setitem(limits, dtype, limit)
