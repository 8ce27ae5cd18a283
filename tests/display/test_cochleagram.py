import sys

import numpy as np
import pytest

from skaud import CARFAC, datasets
from skaud.display import CochleagramDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def model():
    return CARFAC(16000, frame_length=0.005).fit([np.zeros(100)])


def colours(display):
    """Values (n_channels, n_frames) as drawn, from the bottom up, and the frequencies between which each row lies."""
    mesh = display.mesh_
    n_rows, n_frames = np.array(mesh.get_coordinates().shape[:2]) - 1
    values = np.asarray(mesh.get_array()).reshape(n_rows, n_frames)
    return values, mesh.get_coordinates()[:, 0, 1]


@pytest.mark.parametrize("hz", [300, 1000, 3000])
def test_a_tone_is_brightest_at_its_frequency_and_time(model, hz):
    x = np.r_[np.zeros(3200), datasets.make_tone(hz, 0.2, 16000)[0].samples, np.zeros(3200)]
    display = CochleagramDisplay.from_estimator(model, x)
    values, borders_hz = colours(display)
    row, frame = np.unravel_index(values.argmax(), values.shape)
    assert borders_hz[row] < 1.12 * hz
    assert borders_hz[row + 1] > hz / 1.12
    left, right = display.mesh_.get_coordinates()[0, [frame, frame + 1], 0]
    assert 0.2 <= left < right < 0.45


def test_low_frequencies_are_at_the_bottom_in_khz_and_time_runs_from_0_in_s(model):
    display = CochleagramDisplay.from_estimator(model, datasets.make_tone(500, 0.5, 16000)[0])
    ax = display.ax_
    bottom, top = ax.get_ylim()
    assert 0 <= bottom < 60
    assert 6000 < top < 8000
    assert ax.get_xlim() == (0, pytest.approx(0.5))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Time (s)", "Frequency (kHz)")
    ticks = dict(zip(ax.get_yticks(), (label.get_text() for label in ax.get_yticklabels())))
    assert ticks == {100: "0.1", 200: "0.2", 500: "0.5", 1000: "1", 2000: "2", 5000: "5"}
    assert display.colorbar_.ax.get_ylabel() == "Neural activity"
    assert display.figure_ is ax.figure


def test_channels_are_about_equally_high(model):
    display = CochleagramDisplay.from_estimator(model, datasets.make_tone(500, 0.1, 16000)[0])
    borders = display.mesh_.get_coordinates()[:, :1]
    heights = np.diff(display.ax_.transData.transform(borders.reshape(-1, 2))[:, 1])
    assert heights.min() / heights.max() > 0.5


def test_the_picture_is_what_transform_returns_without_pooling(model):
    x = datasets.make_tone(500, 0.1, 16000)[0]
    display = CochleagramDisplay.from_estimator(model, x)
    frames = CARFAC(16000, frame_length=0.005, pooling=None).fit([x]).transform([x])[0]
    np.testing.assert_array_equal(colours(display)[0], frames[::-1])  # CARFAC begins at the base
    assert model.pooling == type(model)().pooling  # the caller's is left as it is
    again = CochleagramDisplay.from_response(
        frames, frequencies_hz=model.channel_frequencies_hz_, frame_rate_hz=model.frame_rate_hz_
    )
    np.testing.assert_array_equal(colours(again)[0], colours(display)[0])


def test_it_plots_in_given_axes_and_passes_arguments_on(model):
    _, ax = plt.subplots()
    x = datasets.make_tone(500, 0.1, 8000)[0].samples
    display = CochleagramDisplay.from_estimator(model, x, ax, sample_rate=8000, colorbar=False, cmap="gray", vmax=3)
    assert display.ax_ is ax
    assert display.colorbar_ is None
    assert (display.mesh_.get_cmap().name, display.mesh_.get_clim()) == ("gray", (0, 3))
    assert ax.get_xlim()[1] == pytest.approx(0.1)


def test_a_response_of_both_signs_has_white_in_the_middle():
    response = np.random.default_rng(0).uniform(-2, 1, (5, 9))
    display = CochleagramDisplay.from_response(response, frequencies_hz=[100, 200, 400, 800, 1600], frame_rate_hz=100)
    low, high = display.mesh_.get_clim()
    assert low == -high == response.min()


@pytest.mark.parametrize(
    ("response", "frequencies_hz", "words"),
    [
        (np.zeros((3, 4, 5)), [1, 2, 3], r"\(3, 4, 5\).*one ear"),
        (np.zeros((3, 4)), [1, 2], r"\(3, 4\).*\(2,\)"),
        (np.zeros((3, 4)), [100, 300, 200], "sort the channels"),
        (np.zeros((3, 0)), [100, 200, 300], r"\(3, 0\)"),
        (np.zeros((1, 4)), [100], "at least 2"),
    ],
)
def test_what_cannot_be_plotted_is_said(response, frequencies_hz, words):
    with pytest.raises(ValueError, match=words):
        CochleagramDisplay.from_response(response, frequencies_hz=frequencies_hz, frame_rate_hz=100)


def test_one_signal_at_a_time(model):
    with pytest.raises(ValueError, match=r"\(2, 100\).*one signal"):
        CochleagramDisplay.from_estimator(model, np.zeros((2, 100)))


def test_channels_of_an_impaired_ear_stand_where_they_stand_in_a_healthy_one(model):
    health = np.random.default_rng(0).random(model.n_channels_)  # peaks are then out of order
    impaired = CARFAC(16000, frame_length=0.005, ohc_health=health).fit([np.zeros(100)])
    assert (np.diff(impaired.channel_frequencies_hz_) > 0).any()
    edges = [colours(CochleagramDisplay.from_estimator(m, np.zeros(400)))[1] for m in (model, impaired)]
    np.testing.assert_array_equal(*edges)


def test_an_ear_is_chosen():
    x = np.stack([tone.samples for tone in datasets.make_tone([300, 3000], duration_s=0.1, sample_rate=16000)])
    both = CARFAC(16000, frame_length=0.005, agc_mix_coeff=0.0).fit([x])
    alone = CARFAC(16000, frame_length=0.005).fit(x[:1])
    for ear in (0, 1):
        shown = colours(CochleagramDisplay.from_estimator(both, x, ear=ear))[0]
        np.testing.assert_allclose(shown, colours(CochleagramDisplay.from_estimator(alone, x[ear]))[0], atol=1e-6)
    for wrong in (None, 2):
        with pytest.raises(ValueError, match=rf"ear={wrong}, .* on ears 0 to 1"):
            CochleagramDisplay.from_estimator(both, x, ear=wrong)
    with pytest.raises(ValueError, match=r"one signal, \(2, n_samples\)"):
        CochleagramDisplay.from_estimator(both, x[0], ear=0)
    with pytest.raises(ValueError, match=r"ear=1, .* without an axis of ears"):
        CochleagramDisplay.from_estimator(alone, x[0], ear=1)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    for name in list(sys.modules):
        if name.split(".")[0] == "matplotlib":
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'skaud\[plot\]'"):
        CochleagramDisplay.from_response(np.zeros((2, 3)), frequencies_hz=[100, 200], frame_rate_hz=100)
