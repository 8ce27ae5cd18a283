import numpy as np
import pytest
from audio_checks import error

from skaud.design.adaptation import TIME_CONSTANTS_S, design_adaptation


def test_a_long_silence_is_the_start_state():
    found = design_adaptation(44100, TIME_CONSTANTS_S, 5, 0, 100)
    x = found.floor
    for divisor in found.start:
        x /= divisor
        assert x == pytest.approx(divisor)  # each loop's output is its own divisor
    assert (x - found.offset) * found.scale == pytest.approx(0, abs=1e-9)


def test_limit_is_the_published_one():
    # T. Muenkner (1993), as Dau et al. (1997) have it: M = (1 - s^2) limit - 1
    found = design_adaptation(44100, TIME_CONSTANTS_S, 10, 0, 100)
    np.testing.assert_allclose(found.range, (1 - found.start**2) * 10 - 1)
    assert not design_adaptation(44100, TIME_CONSTANTS_S, None, 0, 100).range.any()
    assert not design_adaptation(44100, TIME_CONSTANTS_S, 1, 0, 100).range.any()


def test_a_limit_that_no_loop_could_reach_is_refused():
    with error(ValueError, "adaptation_limit=1.5", "must exceed 1.95", "5 loops", "raise it"):
        design_adaptation(44100, TIME_CONSTANTS_S, 1.5, 0, 100)
