import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skaud import CARFAC, Audiogram, Osses2021
from skaud.display import OHCHealthDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

COARSE = {"sample_rate": 8000, "erb_per_step": 0.7}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_health_is_drawn_over_the_frequencies_of_a_healthy_ear():
    model = CARFAC(**COARSE, ohc_health=lambda hz: np.clip(1 - hz / 4000, 0, 1)).fit(np.zeros((1, 100)))
    healthy = CARFAC(**COARSE).fit(np.zeros((1, 100)))
    display = OHCHealthDisplay.from_estimator(model)
    (line,) = display.lines_
    np.testing.assert_array_equal(line.get_ydata(), model.ohc_health_)
    np.testing.assert_array_equal(line.get_xdata(), healthy.channel_frequencies_hz_)
    ax = display.ax_
    bottom, top = ax.get_ylim()
    assert bottom < 0 < 1 < top
    left, right = ax.get_xlim()
    assert left < right  # low frequencies on the left
    ticks = dict(zip(ax.get_xticks(), (label.get_text() for label in ax.get_xticklabels())))
    assert ticks[500] == "0.5"
    assert "kHz" in ax.get_xlabel()
    x = ax.transData.transform([(hz, 0) for hz in healthy.channel_frequencies_hz_])[:, 0]
    assert np.diff(x).min() / np.diff(x).max() > 0.5  # channels about equally far apart
    assert ax.get_legend() is None


def test_a_fitted_ear_each_has_a_line_in_its_colour():
    audiograms = [
        Audiogram([500, 1000, 2000], [20, 15, 10], ear="left"),
        Audiogram([500, 1000, 2000], [0, 5, 20], ear="right"),
    ]
    model = CARFAC(**COARSE, audiogram=audiograms).fit(np.zeros((1, 2, 100)))
    _, ax = plt.subplots()
    display = OHCHealthDisplay.from_estimator(model, ax, linewidth=3)
    assert display.ax_ is ax
    np.testing.assert_array_equal([line.get_ydata() for line in display.lines_], model.ohc_health_)
    assert [line.get_label() for line in display.lines_] == ["left ear", "right ear"]
    assert [line.get_color() for line in display.lines_] == ["#0033a0", "#c8102e"]
    assert {line.get_linewidth() for line in display.lines_} == {3}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["left ear", "right ear"]


def test_a_healthy_ear_has_the_label_that_is_left():
    audiogram = Audiogram([500, 1000, 2000], [0, 5, 20], ear="right")
    model = CARFAC(**COARSE, audiogram=[None, audiogram]).fit(np.zeros((1, 2, 100)))
    display = OHCHealthDisplay.from_estimator(model)
    assert [line.get_label() for line in display.lines_] == ["left ear", "right ear"]
    assert set(display.lines_[0].get_ydata()) == {1.0}
    healthy = CARFAC(**COARSE, audiogram=[None, None]).fit(np.zeros((1, 2, 100)))
    labels = [line.get_label() for line in OHCHealthDisplay.from_estimator(healthy).lines_]
    assert labels == ["ear 0", "ear 1"]


def test_what_cannot_be_plotted_is_said():
    with pytest.raises(ValueError, match=r"ohc_health has shape \(3,\) and frequencies_hz \(2,\)"):
        OHCHealthDisplay(np.ones(3), frequencies_hz=[100, 200]).plot()
    with pytest.raises(ValueError, match=r"ears=.* an entry for each of 2 ears"):
        OHCHealthDisplay(np.ones((2, 3)), frequencies_hz=[100, 200, 300], ears=["left"]).plot()
    with pytest.raises(TypeError, match="model is Osses2021, which has no outer hair cells"):
        OHCHealthDisplay.from_estimator(Osses2021().fit(np.zeros((1, 100))))
    with pytest.raises(NotFittedError):
        OHCHealthDisplay.from_estimator(CARFAC())
