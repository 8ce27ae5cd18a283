import matplotlib
import numpy as np
import pytest
from audio_checks import error

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from skaud.display import TrackDisplay
from skaud.psychoacoustics import Track

TRACK = Track(
    levels=np.array([8.0, 8, 4, 4, 8, 8, 6, 6, 7]),
    correct=np.array([True, True, True, False, True, True, True, False, True]),
    reversals=np.array([1, 3, 5, 7]),
    n_averaged=2,
)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_every_trial_is_drawn_and_what_gives_the_threshold_is_marked():
    display = TrackDisplay.from_track(TRACK, level_name="Depth (dB)")
    np.testing.assert_array_equal(display.line_.get_xydata(), np.c_[np.arange(1, 10), TRACK.levels])
    assert display.right_.get_xdata().tolist() == [1, 2, 3, 5, 6, 7, 9]
    assert display.wrong_.get_xydata().tolist() == [[4, 4], [8, 6]]
    assert display.reversals_.get_xydata().tolist() == [[6, 8], [8, 6]]
    assert display.threshold_.get_ydata()[0] == TRACK.threshold == 7
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("Trial", "Depth (dB)")


def test_it_draws_on_axes_that_are_given_in_a_colour_that_is():
    ax = plt.subplots()[1]
    display = TrackDisplay.from_track(TRACK, ax, color="green")
    assert display.ax_ is ax
    assert display.line_.get_color() == display.right_.get_color() == "green"


def test_without_a_threshold_the_levels_stand_alone():
    display = TrackDisplay([1, 2], [True, False]).plot()
    assert display.threshold_ is None
    assert len(display.reversals_.get_xdata()) == 0


def test_what_does_not_belong_together_is_named():
    with error(ValueError, "levels has shape (2,) and correct (1,)"):
        TrackDisplay([1, 2], [True]).plot()
    with error(ValueError, "reversals=[2]", "0 to 1"):
        TrackDisplay([1, 2], [True, False], reversals=[2]).plot()
