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
