import subprocess
import sys

import pytest

import skaud
from skaud.command import main


def test_the_command_knows_its_version_and_wants_a_subcommand():
    done = subprocess.run([sys.executable, "-m", "skaud", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"skaud {skaud.__version__}"
    for wrong in ([], ["features"], ["dance"]):
        with pytest.raises(SystemExit) as error:
            main(wrong)
        assert error.value.code == 2
