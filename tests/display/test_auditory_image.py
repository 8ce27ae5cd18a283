import numpy as np
import pytest

from skaud import CARFAC, Pitchogram, StabilizedAuditoryImage, datasets
from skaud.display import AuditoryImageDisplay, PitchogramDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def tone():
    """NAP of a tone of 200 Hz, and the channels' frequencies."""
    model = CARFAC(pooling=None, frame_length=None)
    nap = model.fit_transform(datasets.make_tone([200], duration_s=0.2, sample_rate=22050))
    return nap, model.channel_frequencies_hz_


def test_an_image_has_low_frequencies_at_the_bottom_lags_in_ms_and_its_mean_below(tone):
    nap, frequencies = tone
    stage = StabilizedAuditoryImage(min_lag_s=-0.002, max_lag_s=0.012)
    image = stage.fit_transform(nap)[0][..., -1]
    display = AuditoryImageDisplay.from_image(image, lags_s=stage.lags_s_, frequencies_hz=frequencies)
    values = np.asarray(display.mesh_.get_array()).reshape(image.shape)
    np.testing.assert_array_equal(values, image[::-1])  # CARFAC begins at the base
    x, y = np.moveaxis(display.mesh_.get_coordinates(), -1, 0)
    row, column = np.unravel_index(values.argmax(), values.shape)
    assert y[row, 0] < 250
    assert y[row + 1, 0] > 160
    assert min(abs(x[0, column] - period) for period in (0, 5, 10)) < 0.6
    np.testing.assert_allclose(display.mean_line_.get_xdata(), 1000 * stage.lags_s_)
    np.testing.assert_allclose(display.mean_line_.get_ydata(), image.mean(axis=0), rtol=1e-5)
    assert (display.ax_.get_ylabel(), display.mean_ax_.get_xlabel()) == ("Frequency (kHz)", "Lag (ms)")


def test_an_image_goes_into_given_axes_without_its_mean(tone):
    _, ax = plt.subplots()
    display = AuditoryImageDisplay.from_image(
        np.ones((3, 4)), lags_s=[0, 0.1, 0.2, 0.3], frequencies_hz=[100, 200, 300], ax=ax, cmap="gray", vmax=3
    )
    assert (display.ax_, display.mean_ax_, display.mean_line_) == (ax, None, None)
    assert (display.mesh_.get_cmap().name, display.mesh_.get_clim()) == ("gray", (0, 3))
    assert ax.get_xlabel() == "Lag (ms)"
    np.testing.assert_allclose(ax.get_xlim(), (-50, 350))


def test_a_pitchogram_marks_the_pitch_whose_period_a_lag_is(tone):
    stage = Pitchogram(min_lag_s=0.003, max_lag_s=0.008)
    frames = stage.fit_transform(tone[0])[0]
    display = PitchogramDisplay.from_response(
        frames, lag_edges_s=stage.lag_edges_s_, frame_rate_hz=stage.frame_rate_hz_
    )
    ax = display.ax_
    at = {int(label.get_text()): y for y, label in zip(ax.get_yticks(), ax.get_yticklabels())}
    assert sorted(at) == [150, 200, 300]
    assert abs(at[200] - 0.5 - frames[:, -1].argmax()) < 1.5  # the row of the tone
    bottom, top = ax.get_ylim()
    assert bottom > at[150] > at[300] > top
    assert ax.get_xlim() == (0, pytest.approx(frames.shape[1] / stage.frame_rate_hz_))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.ones((2, 3, 4)), [0, 1, 2, 3], [100, 200]), r"\(2, 3, 4\).*images\[0, ..., -1\]"),
        ((np.ones((2, 4)), [0, 1, 2], [100, 200]), r"\(2, 4\).*\(3,\)"),
        ((np.ones((3, 4)), [0, 1, 2, 3], [100, 300, 200]), "sort the channels"),
        ((np.ones((2, 3)), [0, 2, 1], [100, 200]), "lags_s does not rise"),
    ],
)
def test_an_image_that_cannot_be_plotted_is_said(arguments, words):
    image, lags, frequencies = arguments
    with pytest.raises(ValueError, match=words):
        AuditoryImageDisplay.from_image(image, lags_s=lags, frequencies_hz=frequencies)


@pytest.mark.parametrize(
    ("shape", "edges", "words"),
    [
        ((3, 4), [1, 2, 3], r"\(3, 4\) and lag_edges_s \(3,\)"),
        ((1, 3, 4), [1, 2, 3, 4], "one signal"),
        ((2, 4), [1, 3, 2], "lag_edges_s does not rise"),
    ],
)
def test_a_pitchogram_that_cannot_be_plotted_is_said(shape, edges, words):
    with pytest.raises(ValueError, match=words):
        PitchogramDisplay.from_response(np.ones(shape), lag_edges_s=edges, frame_rate_hz=100)
