import numpy as np
import pytest

from skaud import King2019, Osses2021, datasets
from skaud.display import ModulationDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

RATE = 16000


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def model():
    return Osses2021(RATE, high_hz=7000).fit([np.zeros(100)])


def am_noise(modulation_hz, seconds=1.0):
    return datasets.make_am_noise(modulation_hz, 1, seconds, RATE, 70, 100, random_state=0)[0]


def cells(display):
    """Values (n_channels, n_modulation_frequencies) as drawn, from the bottom up."""
    mesh = display.mesh_
    return np.ma.asarray(mesh.get_array()).reshape(np.array(mesh.get_coordinates().shape[:2]) - 1)


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


@pytest.mark.parametrize(("modulation_hz", "label"), [(5, "5"), (27.8, "28"), (77.2, "77")])
def test_noise_is_brightest_in_the_column_of_its_modulation(model, modulation_hz, label):
    display = ModulationDisplay.from_estimator(model, am_noise(modulation_hz))
    modulated = cells(display)[:, 1:].mean(axis=0)  # without the low-pass, which has the level
    assert labels(display.ax_.xaxis)[1 + modulated.argmax()] == label


def test_a_cell_is_drawn_for_every_filter_that_a_channel_has_and_no_other(model):
    display = ModulationDisplay.from_estimator(model, am_noise(10, 0.2))
    drawn = cells(display)
    counts = model.modulation_index_.to_frame(index=False).groupby("center_hz").size()
    np.testing.assert_array_equal((~np.ma.getmaskarray(drawn)).sum(axis=1), counts)
    assert drawn.shape == (model.n_channels_, 8)
    assert matplotlib.colors.to_rgb("0.8") == display.ax_.get_facecolor()[:3]


def test_columns_are_modulation_frequencies_and_low_channels_are_at_the_bottom(model):
    ax = ModulationDisplay.from_estimator(model, am_noise(10, 0.2)).ax_
    assert labels(ax.xaxis) == ["0", "5", "10", "17", "28", "46", "77", "129"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Modulation frequency (Hz)", "Centre frequency (kHz)")
    assert labels(ax.yaxis) == ["0.1", "0.2", "0.5", "1", "2", "5"]
    bottom, top = ax.get_ylim()
    assert 0 < bottom < 80
    assert 7000 < top < 8000


def test_values_are_the_rms_of_the_models_frames(model):
    x = am_noise(10, 0.3)
    display = ModulationDisplay.from_estimator(model, x)
    frames = Osses2021(RATE, high_hz=7000, pooling=None).fit([x]).transform([x])[0]
    rms = np.sqrt((frames.astype(float) ** 2).mean(axis=1))
    np.testing.assert_allclose(cells(display).compressed(), rms, rtol=1e-4, atol=1e-3)
    assert model.pooling == type(model)().pooling  # the caller's is left as it is
    assert display.colorbar_.ax.get_ylabel() == "Modulation, RMS (model units)"


def test_it_plots_a_response_that_is_at_hand_in_given_axes():
    _, ax = plt.subplots()
    pairs = [(100, 0), (100, 5), (200, 0), (200, 5), (200, 10)]
    display = ModulationDisplay.from_response([1, 2, 3, 4, 5], modulation_index=pairs, ax=ax, colorbar=False, vmax=9)
    assert display.ax_ is ax
    assert display.colorbar_ is None
    assert display.mesh_.get_clim() == (0, 9)
    np.testing.assert_array_equal(cells(display).filled(-1), [[1, 2, -1], [3, 4, 5]])


@pytest.mark.parametrize(
    ("response", "pairs", "words"),
    [
        (np.zeros((2, 3)), [(100, 0), (200, 0)], r"\(2, 3\).*pool over time"),
        (np.zeros(3), [(100, 0), (200, 0)], r"\(3,\).*\(2, 2\)"),
        (np.zeros(2), [(100, 0), (100, 5)], "one centre frequency, 100 Hz"),
    ],
)
def test_what_cannot_be_plotted_is_said(response, pairs, words):
    with pytest.raises(ValueError, match=words):
        ModulationDisplay.from_response(response, modulation_index=pairs)


def test_a_model_without_modulation_filters_is_refused(model):
    with pytest.raises(ValueError, match=r"output='adaptation'.*must be 'modulation'"):
        ModulationDisplay.from_estimator(Osses2021(RATE, high_hz=7000, output="adaptation").fit([np.zeros(9)]), [0.0])
    with pytest.raises(ValueError, match=r"\(2, 100\).*one signal"):
        ModulationDisplay.from_estimator(model, np.zeros((2, 100)))


def test_filters_of_king2019_respond_to_modulation_of_their_own_rate():
    slow, fast = am_noise(5.0), am_noise(90.0)
    bank = King2019(RATE, low_hz=500, high_hz=4000).fit([slow])
    of_slow, of_fast = (cells(ModulationDisplay.from_estimator(bank, x)) for x in (slow, fast))
    assert (of_slow / of_fast).mean(axis=0).argmax() == 1  # the filter at 5.2 Hz
    assert (of_fast / of_slow).mean(axis=0).argmax() == 4  # at 94 Hz
