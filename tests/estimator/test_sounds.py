"""Levels of clips, of which short ones of one length are looked at side by side."""

import numpy as np
import pytest

from skaud.estimator.sounds import SQUARED_AT_ONCE, warn_of_levels


@pytest.mark.parametrize("shape", [(1, 220), (2, 110), (1, SQUARED_AT_ONCE)], ids=["ear", "ears", "long"])
@pytest.mark.parametrize("loud", [3, 217])
def test_the_clip_that_is_too_loud_is_named_with_its_level_among_many_of_one_length(shape, loud):
    clips = [np.full(shape, 0.1, np.float32)] * 220  # more than are looked at side by side
    clips[loud] = np.full(shape, 1000.0, np.float32)
    with pytest.warns(UserWarning, match=rf"X\[{loud}\] is at 154 dB SPL, and 1 of 220 clips are above 130"):
        warn_of_levels(clips, [94.0] * len(clips))


def test_clips_of_other_lengths_than_the_first_are_told_one_by_one():
    clips = [np.full((1, n), 1e-6) for n in (220, 440)]
    with pytest.warns(UserWarning, match="at -26 dB SPL and no clip is louder"):
        warn_of_levels(clips, [94.0, 94.0])
