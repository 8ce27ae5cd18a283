import numpy as np
import pytest

from skaud import CARFAC, King2019, Osses2021
from skaud.display import StagesDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

RATE = 16000
STAGES = ["sound", "headphone", "middle_ear", "filterbank", "hair_cell", "adaptation", "modulation"]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def model():
    return Osses2021(RATE, high_hz=7000).fit([np.zeros(100)])


@pytest.fixture
def x():
    """A tone of 1 kHz from 0.1 to 0.2 s."""
    t = np.arange(0.3 * RATE) / RATE
    return 0.05 * np.sin(2 * np.pi * 1000 * t) * ((t > 0.1) & (t < 0.2))


def image(ax):
    """Values (n_rows, n_frames) as drawn, from the bottom up, the borders of the rows and those of the frames."""
    (mesh,) = [c for c in ax.collections if isinstance(c, matplotlib.collections.QuadMesh)]
    corners = mesh.get_coordinates()
    return np.asarray(mesh.get_array()).reshape(np.array(corners.shape[:2]) - 1), corners[:, 0, 1], corners[0, :, 0]


def test_all_stages_stand_above_each_other_over_one_axis_of_time(model, x):
    display = StagesDisplay.from_estimator(model, x)
    assert list(display.axes_) == STAGES
    heights = [ax.get_position().y0 for ax in display.axes_.values()]
    assert heights == sorted(heights, reverse=True)
    assert {ax.get_xlim() for ax in display.axes_.values()} == {(0, 0.3)}
    assert [ax.get_title("left") for ax in display.axes_.values()] == [name.replace("_", " ") for name in STAGES]
    assert display.axes_["modulation"].get_xlabel() == "Time (s)"


def test_sound_is_a_line_of_its_samples(model, x):
    display = StagesDisplay.from_estimator(model, x)
    for name in STAGES[:3]:
        (line,) = display.axes_[name].lines
        wanted = x if name == "sound" else model.simulate([x], name)[name][0][0]
        np.testing.assert_array_equal(line.get_ydata(), wanted)
        assert line.get_xdata()[1] - line.get_xdata()[0] == pytest.approx(1 / RATE)


@pytest.mark.parametrize("name", ["filterbank", "hair_cell", "adaptation"])
def test_a_tone_is_brightest_at_its_frequency_and_time(model, x, name):
    values, rows_hz, time = image(StagesDisplay.from_estimator(model, x).axes_[name])
    row, frame = np.unravel_index(values.argmax(), values.shape)
    assert rows_hz[row] < 1150
    assert rows_hz[row + 1] > 870
    assert 0.1 <= time[frame] < 0.2
    np.testing.assert_allclose(np.diff(time), 0.002)


def test_the_filterbank_swings_about_0_and_is_drawn_as_rms(model, x):
    values, _, _ = image(StagesDisplay.from_estimator(model, x).axes_["filterbank"])
    response = model.simulate([x], "filterbank").filterbank[0].astype(float)
    wanted = np.sqrt((response.reshape(len(response), -1, 32) ** 2).mean(axis=2))
    np.testing.assert_allclose(values, wanted, rtol=1e-4, atol=1e-7)


def test_modulation_rows_are_sorted_by_modulation_frequency_then_channel(model, x):
    ax = StagesDisplay.from_estimator(model, x).axes_["modulation"]
    values, _, _ = image(ax)
    index = model.modulation_index_
    order = np.lexsort((index.get_level_values(0), index.get_level_values(1)))
    response = model.simulate([x], "modulation").modulation[0][order]
    np.testing.assert_allclose(values, response.reshape(len(order), -1, 32).mean(axis=2), atol=1e-4)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "5", "10", "17", "28", "46", "77", "129"]
    assert ax.get_yticks()[0] == model.n_channels_ / 2  # the middle of the block of the low-pass


def test_channels_are_drawn_as_channels_where_each_has_one_modulation_filter(x):
    model = King2019(RATE, high_hz=4000, modulation_n_filters=1).fit([x])
    display = StagesDisplay.from_estimator(model, x)
    labels = {name: ax.get_ylabel() for name, ax in display.axes_.items()}
    assert labels.pop("sound") == ""
    assert labels.pop("modulation") == "modulation, Hz"
    assert set(labels.values()) == {"kHz"}


def test_other_models_outputs_and_rates_are_drawn_in_given_axes(x):
    model = CARFAC(RATE, erb_per_step=1).fit([x])
    _, axes = plt.subplots(3)
    display = StagesDisplay.from_estimator(model, x[::2], ("bm", "nap"), axes=axes, sample_rate=RATE // 2)
    assert list(display.axes_) == ["sound", "bm", "nap"]
    assert display.axes_["nap"] is axes[2]
    values, rows_hz, time = image(axes[2])
    assert time[-1] == pytest.approx(0.3)
    assert rows_hz[np.argmax(values.max(axis=1))] == pytest.approx(1000, rel=0.2)
    with pytest.raises(ValueError, match="2 entries for 3 responses"):
        StagesDisplay.from_estimator(model, x, ("bm", "nap"), axes=axes[:2])


def test_what_cannot_be_plotted_is_said(model):
    with pytest.raises(ValueError, match=r"\(2, 100\).*one signal"):
        StagesDisplay.from_estimator(model, np.zeros((2, 100)))
    with pytest.raises(ValueError, match=r"'a' has shape \(4, 5\).*among \[1, 3\]"):
        StagesDisplay({"a": np.zeros((4, 5))}, duration_s=1, frequencies_hz=[1, 2, 3]).plot()
