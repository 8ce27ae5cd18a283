"""What is no single clip is named by pictures of a model."""

import numpy as np
import pytest
from audio_checks import error

from skaud import CARFAC, Osses2021, Sound, datasets
from skaud.display import CochleagramDisplay, ModulationDisplay, StagesDisplay

TONE = datasets.make_tone(500, duration_s=0.05, sample_rate=22050)[0]
EARS = Sound(np.stack([TONE.samples] * 2), 22050)


@pytest.mark.parametrize("display", [CochleagramDisplay, StagesDisplay, ModulationDisplay])
def test_a_list_of_clips_or_a_sound_of_two_ears_is_named_with_what_to_pass(display):
    model = Osses2021(22050).fit()
    with error(ValueError, "a list of 1 clips", "pass x[0]"):
        display.from_estimator(model, [TONE])
    with error(ValueError, "(2, 1102)", "skaud.audio.ear(x, 0)"):
        display.from_estimator(model, EARS)


def test_a_sound_of_the_ears_that_a_model_was_fitted_on_is_taken():
    CochleagramDisplay.from_estimator(CARFAC().fit([EARS]), EARS, ear=1)
    with error(ValueError, "(2, n_samples) of a model fitted on 2 ears"):
        CochleagramDisplay.from_estimator(CARFAC().fit([EARS]), TONE, ear=1)


def test_an_output_with_more_than_a_response_a_channel_is_no_cochleagram():
    with error(ValueError, "output='modulation' has 229 responses of 31 channels", "'adaptation'", "StagesDisplay"):
        CochleagramDisplay.from_estimator(Osses2021(22050).fit(), TONE)
