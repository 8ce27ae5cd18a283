import sys

import numpy as np
import pytest

from skaud import BiomimeticFrontend, CorticalSTRF, Learn, TemporalPooling
from skaud.display import STRFDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.colors import to_hex  # noqa: E402

SCALES, RATES = np.array([0.5, 1.0, 4.0]), np.array([4.0, -8.0, 16.0])


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_points_lie_at_rate_and_scale_and_tell_the_direction():
    display = STRFDisplay(SCALES, RATES).plot()
    np.testing.assert_allclose(display.points_.get_offsets(), np.column_stack([RATES, SCALES]))
    red, blue, also_red = map(to_hex, display.points_.get_facecolors())
    assert red == also_red != blue
    assert (display.ax_.get_xscale(), display.ax_.get_yscale()) == ("symlog", "log")
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("Rate (Hz)", "Scale (cycles/octave)")
    left, right = display.ax_.get_xlim()
    assert left == -right < -16
    assert display.ax_.get_ylim()[0] < 0.5 < 4 < display.ax_.get_ylim()[1]
    assert display.initial_points_ is None
    assert display.arrows_ == []


def test_arrows_lead_from_where_the_fields_were():
    initial = {"initial_scales_cycles_per_octave": 2 * SCALES, "initial_rates_hz": RATES + 1}
    display = STRFDisplay(SCALES, RATES, **initial).plot()
    np.testing.assert_allclose(display.initial_points_.get_offsets(), np.column_stack([RATES + 1, 2 * SCALES]))
    assert len(display.arrows_) == 3
    for arrow, rate, scale in zip(display.arrows_, RATES, SCALES):
        assert tuple(arrow.xy) == (rate, scale)
        assert tuple(arrow.get_position()) == (rate + 1, 2 * scale)
    assert display.ax_.get_ylim()[1] > 8
    assert STRFDisplay(SCALES, RATES, **initial).plot(arrows=False).arrows_ == []


def test_pictures_show_the_direction_rate_and_scale_of_their_fields():
    display = STRFDisplay([2.0, 2.0], [8.0, -8.0]).plot_fields([0, 1], duration_s=0.4, octaves=1)
    falling, rising = (np.asarray(mesh.get_array()).reshape(49, 100) for mesh in display.meshes_)
    for mesh, field in zip(display.meshes_, (falling, rising)):
        assert mesh.get_clim() == (-np.abs(field).max(), np.abs(field).max())
    # What comes 1/32 s later, a quarter of a cycle, looks like what lies a quarter of a cycle, 1/8 octave, lower.
    shift, height = 6, 3
    lower = np.corrcoef(falling[:-height, shift:].ravel(), falling[height:, :-shift].ravel())[0, 1]
    higher = np.corrcoef(falling[height:, shift:].ravel(), falling[:-height, :-shift].ravel())[0, 1]
    assert lower > 0.6 > 0 > higher
    higher = np.corrcoef(rising[height:, shift:].ravel(), rising[:-height, :-shift].ravel())[0, 1]
    assert higher > 0.6
    assert [ax.get_title() for ax in display.ax_] == ["+8.0 Hz, 2.00 c/oct", "-8.0 Hz, 2.00 c/oct"]
    assert display.ax_[0].get_xlim() == pytest.approx((-0.1025, 0.3975))
    assert display.ax_[0].get_ylim() == pytest.approx((-1 - 1 / 48, 1 + 1 / 48))


def test_eight_pictures_stand_for_many_fields():
    display = STRFDisplay.from_estimator(BiomimeticFrontend().fit(np.zeros((1, 400)))).plot_fields()
    assert len(display.meshes_) == len(display.ax_) == 8
    assert display.ax_[0].get_title() == "+2.0 Hz, 0.25 c/oct"
    assert display.ax_[-1].get_title() == "-32.0 Hz, 8.00 c/oct"


def test_fields_come_from_models_of_both_kinds():
    _, ax = plt.subplots()
    display = STRFDisplay.from_estimator(BiomimeticFrontend().fit(np.zeros((1, 400))), ax, marker="s")
    assert display.ax_ is ax
    assert len(display.points_.get_offsets()) == 40
    cortex = CorticalSTRF(8, channels_per_octave=12, frame_rate_hz=100).fit(np.zeros((1, 4, 5)))
    display = STRFDisplay.from_estimator(cortex, strfs=[3])
    assert (display.channels_per_octave, display.frame_rate_hz) == (12, 100)
    assert np.asarray(display.meshes_[0].get_array()).size == 37 * 50


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_model_that_has_learned_shows_where_it_began():
    X = np.random.default_rng(0).standard_normal((4, 1600))
    model = BiomimeticFrontend(n_strfs=8, learn=Learn("cortical", max_iter=1), init="random", random_state=0)
    display = STRFDisplay.from_estimator(model.fit(X, [0, 1, 0, 1]))
    began = np.column_stack([model.initial_rates_hz_, model.initial_scales_cycles_per_octave_])
    np.testing.assert_allclose(display.initial_points_.get_offsets(), began)
    assert len(display.arrows_) == 8
    assert (display.points_.get_offsets() != began).any()
    assert STRFDisplay.from_estimator(model.set_params(learn=None).fit(X)).initial_points_ is None


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"rates_hz": [1.0]}, r"\(1,\).*\(3,\)"),
        ({"initial_rates_hz": RATES}, "both of those before"),
        ({"scales_cycles_per_octave": [0.0, 1, 1]}, "scales_cycles_per_octave.*above 0"),
    ],
)
def test_what_cannot_be_plotted_is_said(parameters, words):
    with pytest.raises(ValueError, match=words):
        STRFDisplay(**{"scales_cycles_per_octave": SCALES, "rates_hz": RATES} | parameters).plot()


def test_fields_that_are_not_there_are_said():
    display = STRFDisplay(SCALES, RATES)
    with pytest.raises(ValueError, match=r"strfs=\[3\].*0 to 2"):
        display.plot_fields([3])
    with pytest.raises(ValueError, match="1 axes for 2 fields"):
        display.plot_fields([0, 1], [plt.subplots()[1]])
    with pytest.raises(TypeError, match=r"TemporalPooling.*BiomimeticFrontend"):
        STRFDisplay.from_estimator(TemporalPooling().fit(np.zeros((1, 2, 3))))


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    for name in list(sys.modules):
        if name.split(".")[0] == "matplotlib":
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'skaud\[plot\]'"):
        STRFDisplay(SCALES, RATES).plot()
