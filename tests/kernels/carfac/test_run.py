"""CARFAC's steps, and the vectorised loops against the plain one."""

import numpy as np
import pytest
from plain_carfac import plain_nap

from skaud import CARFAC
from skaud.kernels.carfac.layout import LANES, aligned_empty, lane_position, make_constants, n_groups_for


def error(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("n_channels", [2, 15, 16, 17, 71, 80, 96])
def test_every_channel_has_a_place_of_its_own_and_neighbours_share_a_lane(n_channels):
    position = lane_position(n_channels)
    assert len(set(position)) == n_channels
    group, lane = np.divmod(position, LANES)
    assert group.max() < n_groups_for(n_channels)
    same_lane = np.diff(lane) == 0
    assert (np.diff(group)[same_lane] == 1).all()
    assert (group[1:][~same_lane] == 0).all()


def test_arrays_begin_at_cache_lines():
    for array in aligned_empty((3, 5), (7,), (1, 2, 3), dtype=np.float32):
        assert array.__array_interface__["data"][0] % 64 == 0


# Channel counts around multiples of the lanes, first decimations that are no power of 2, several ears.
@pytest.mark.parametrize("ihc_style", ["just_hwr", "one_cap", "two_cap"])
@pytest.mark.parametrize(
    ("sample_rate", "erb_per_step", "n_ears"),
    [
        (22050, 0.5, 1),
        (22050, 2.2, 1),
        (22050, 2.1, 1),
        (22050, 1.08, 2),
        (22050, 7.0, 1),
        (8000, 0.5, 1),
        (16000, 0.7, 3),
    ],
)
@pytest.mark.parametrize("loop", ["closed", "open", "delay"])
def test_lanes_agree_with_the_plain_loop(ihc_style, sample_rate, erb_per_step, n_ears, loop):
    x = np.random.default_rng(0).standard_normal((1, n_ears, 300)) * 0.1
    model = CARFAC(
        sample_rate,
        rms_one_db_spl=None,
        ihc_style=ihc_style,
        erb_per_step=erb_per_step,
        dtype="float64",
        open_loop=loop == "open",
        use_delay_buffer=loop == "delay",
        ohc_health=0.8,
    ).fit(x)
    expected = plain_nap(x[0], model.coefficients_, style=ihc_style, delay=loop == "delay", closed=loop != "open")
    assert error(model.simulate(x, "nap").nap[0], expected) < 1e-11


def test_constants_are_in_the_dtype_of_the_computation():
    coefficients = CARFAC().fit(np.zeros((1, 9))).coefficients_
    constants = make_constants(coefficients, "float32")
    assert {type(value) for value in (*constants[:-1], *constants.taylor)} == {np.float32}
