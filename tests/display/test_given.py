"""What pictures cannot draw is named."""

import numpy as np
import pytest
from audio_checks import error
from sklearn.pipeline import make_pipeline

from skaud import CARFAC, Osses2021, Sound, datasets, recipes
from skaud.display import (
    AuditoryImageDisplay,
    CochleagramDisplay,
    ModulationDisplay,
    OHCHealthDisplay,
    PitchogramDisplay,
    StagesDisplay,
)

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


@pytest.mark.parametrize("display", [CochleagramDisplay, StagesDisplay, ModulationDisplay])
def test_a_pipeline_is_named_with_the_step_to_pass(display):
    for model in (recipes.carfac_cepstra().fit([TONE]), make_pipeline(CARFAC()).fit([TONE])):
        with error(TypeError, f"model is a {type(model).__name__}", "model[0]"):
            display.from_estimator(model, TONE)


def test_responses_that_are_not_real_are_refused():
    response, hz = np.full((3, 4), 1j), [100, 200, 300]
    for draw in (
        lambda: CochleagramDisplay.from_response(response, frequencies_hz=hz, frame_rate_hz=100),
        lambda: PitchogramDisplay.from_response(response, lag_edges_s=[0, 1, 2, 3], frame_rate_hz=100),
        lambda: ModulationDisplay.from_response(response[:, 0], modulation_index=[(f, 5) for f in hz]),
        lambda: AuditoryImageDisplay.from_image(response, lags_s=[0, 1, 2, 3], frequencies_hz=hz),
        lambda: StagesDisplay({"a": response}, duration_s=1.0, frequencies_hz=hz).plot(),
        lambda: OHCHealthDisplay(response[:, 0], frequencies_hz=hz).plot(),
    ):
        with error(ValueError, "must hold real numbers", "complex"):
            draw()


@pytest.mark.parametrize("rate", [0, -100, None, np.nan])
def test_what_is_no_number_of_frames_a_second_is_named(rate):
    with error(ValueError, f"frame_rate_hz={rate} must be a number of frames a second above 0"):
        CochleagramDisplay.from_response(np.ones((2, 4)), frequencies_hz=[100, 200], frame_rate_hz=rate)
    with error(ValueError, f"frame_rate_hz={rate} must be a number of frames a second above 0"):
        PitchogramDisplay.from_response(np.ones((1, 4)), lag_edges_s=[0, 1], frame_rate_hz=rate)
    with error(ValueError, f"duration_s={rate} must be a number of seconds above 0"):
        StagesDisplay({"a": np.ones((1, 4))}, duration_s=rate, frequencies_hz=[100, 200]).plot()
