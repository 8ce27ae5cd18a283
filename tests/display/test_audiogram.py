import numpy as np
import pytest

from skaud import CARFAC, Audiogram
from skaud.display import AudiogramDisplay
from skaud.fitting import predicted_audiogram

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

RIGHT = Audiogram([250, 500, 1000, 2000], [5, 10, 15, 20], ear="right")
LEFT = Audiogram([500, 1000, 2000], [0, 5, 10], ear="left")
COARSE = {"sample_rate": 8000, "erb_per_step": 0.7}
RED, BLUE = "#c8102e", "#0033a0"


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def points(line):
    return np.transpose(line.get_data()).tolist()


def test_measured_and_predicted_audiograms_of_both_ears_are_drawn():
    model = CARFAC(**COARSE, audiogram=[LEFT, RIGHT]).fit(np.zeros((1, 2, 100)))
    display = AudiogramDisplay.from_estimator(model)
    for line, predicted, audiogram, of_model, colour, marker in zip(
        display.lines_,
        display.predicted_lines_,
        (LEFT, RIGHT),
        model.predicted_audiogram_,
        (BLUE, RED),
        ("x", "o"),
    ):
        assert points(line) == [list(point) for point in zip(audiogram.frequencies_hz, audiogram.thresholds_db_hl)]
        assert points(predicted) == [list(p) for p in zip(of_model.frequencies_hz, of_model.thresholds_db_hl)]
        assert line.get_color() == predicted.get_color() == colour
        assert (line.get_marker(), line.get_linestyle(), predicted.get_linestyle()) == (marker, "-", "--")
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["left ear", "right ear", "left ear, model", "right ear, model"]
    assert display.ax_.yaxis_inverted()
    assert display.figure_ is display.ax_.figure


def test_a_model_that_was_given_its_health_has_a_predicted_audiogram():
    model = CARFAC(**COARSE, ohc_health=0.5).fit(np.zeros((1, 100)))
    display = AudiogramDisplay.from_estimator(model)
    assert display.lines_ == []
    (line,) = display.predicted_lines_
    hz = [250, 500, 750, 1000, 1500, 2000, 3000]  # as far as the channels go
    np.testing.assert_array_equal(line.get_xdata(), hz)
    np.testing.assert_array_equal(line.get_ydata(), predicted_audiogram(model, hz).thresholds_db_hl)
    assert line.get_label() == "model"


def test_frequencies_of_the_prediction_can_be_chosen():
    model = CARFAC(**COARSE, audiogram=LEFT).fit(np.zeros((1, 100)))
    (line,) = AudiogramDisplay.from_estimator(model, frequencies_hz=[300, 700, 1400]).predicted_lines_
    np.testing.assert_array_equal(line.get_xdata(), [300, 700, 1400])
    assert (line.get_label(), line.get_color()) == ("left ear, model", BLUE)


def test_missing_predictions_are_bridged_and_the_form_is_wide_enough():
    predicted = Audiogram([100, 1000, 12000], [-20, None, 125], ear="left")
    _, ax = plt.subplots()
    display = AudiogramDisplay(LEFT, predicted).plot(ax)
    assert display.ax_ is ax
    assert points(display.predicted_lines_[0]) == [[100, -20], [12000, 125]]
    bottom, top = ax.get_ylim()
    assert top <= -20
    assert bottom >= 125
    assert ax.get_xlim()[0] < 100 < 12000 < ax.get_xlim()[1]


def test_two_ears_that_are_not_stated_differ():
    pair = [Audiogram([500, 1000], [0, 0]), Audiogram([500, 1000], [10, 10])]
    first, second = AudiogramDisplay(pair).plot().lines_
    assert (first.get_label(), second.get_label()) == ("ear 0", "ear 1")
    assert first.get_color() != second.get_color()


def test_what_was_not_heard_has_an_arrow_down_and_outwards_and_no_line_to_it():
    thresholds, unheard = [60, 85, None, 120, 100], [False, False, False, True, False]
    ears = [Audiogram([500, 1000, 2000, 4000, 8000], thresholds, ear, unheard) for ear in ("left", "right", None)]
    for audiogram, colour, outwards in zip(ears, (BLUE, RED, "black"), (1, -1, 0)):
        display = AudiogramDisplay(audiogram).plot()
        (arrow,) = display.arrows_
        display.figure_.draw_without_rendering()
        assert arrow.xy == (4000, 120)
        assert arrow.arrow_patch.get_edgecolor() == matplotlib.colors.to_rgba(colour)
        # The head is where the text is.
        assert "<" in arrow.arrowprops["arrowstyle"]
        right, down = arrow.xyann[0], -arrow.xyann[1]
        assert down > 0
        assert np.sign(right) == outwards
        assert abs(right) in (0, down)
        (line,) = display.lines_
        np.testing.assert_array_equal(line.get_ydata(), [60, 85, np.nan, np.nan, 100])
        symbols = [one for one in display.ax_.lines if points(one) == [[4000, 120]]]
        assert [(one.get_linestyle(), one.get_marker()) for one in symbols] == [("None", line.get_marker())]
        assert not [one for one in display.ax_.lines if one.get_linestyle() == ":"]  # dotted, across 2000 Hz


def test_a_deaf_ear_and_a_prediction_that_is_not_heard_have_arrows():
    deaf = Audiogram([500, 1000], [110, 120], "right", [True, True])
    display = AudiogramDisplay([deaf, LEFT], [deaf, LEFT]).plot()
    assert len(display.arrows_) == 4
    assert np.isnan(display.lines_[0].get_ydata()).all()
    assert np.isnan(display.predicted_lines_[0].get_ydata()).all()
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["right ear", "left ear", "right ear, model", "left ear, model"]
    assert AudiogramDisplay(LEFT).plot().arrows_ == []


def test_an_ear_without_an_audiogram_is_not_drawn():
    display = AudiogramDisplay([None, RIGHT], [None, RIGHT]).plot()
    assert [line.get_label() for line in display.lines_] == ["right ear"]
    assert [line.get_label() for line in display.predicted_lines_] == ["right ear, model"]
    with pytest.raises(ValueError, match="nothing to plot"):
        AudiogramDisplay([None, None]).plot()


def test_a_healthy_ear_of_a_model_is_drawn_where_no_other_is():
    one = CARFAC(**COARSE, audiogram=[None, RIGHT]).fit(np.zeros((1, 2, 100)))
    display = AudiogramDisplay.from_estimator(one)
    assert [line.get_label() for line in display.lines_ + display.predicted_lines_] == ["right ear", "right ear, model"]
    both = CARFAC(**COARSE, audiogram=[None, None]).fit(np.zeros((1, 2, 100)))
    lines = AudiogramDisplay.from_estimator(both).predicted_lines_
    assert [set(line.get_ydata()) for line in lines] == [{0.0}, {0.0}]


def test_nothing_to_plot_is_said():
    with pytest.raises(ValueError, match="nothing to plot"):
        AudiogramDisplay(None).plot()
    with pytest.raises(ValueError, match="nothing to plot"):
        AudiogramDisplay([]).plot()
    with pytest.raises(TypeError, match="model is int, which has no NAP"):
        AudiogramDisplay.from_estimator(3)


@pytest.mark.parametrize("given", ["N1", 3, {500: 10}, [RIGHT, "N1"]])
def test_what_is_no_audiogram_is_not_plotted(given):
    with pytest.raises(TypeError, match=r"^audiogram=.*must be a skaud\.Audiogram, .*Audiogram\.standard\('N1'\)"):
        AudiogramDisplay(given).plot()
    with pytest.raises(TypeError, match=r"^predicted=.*must be a skaud\.Audiogram"):
        AudiogramDisplay(RIGHT, given).plot()
