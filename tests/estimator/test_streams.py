"""Chunks of a stream are looked at as the clips of transform are."""

import pickle
import warnings

import numpy as np
import pytest
from audio_checks import error, make_clips
from sklearn.base import clone

from skaud import CARFAC, AdaptationLoops, BiomimeticFrontend

CHUNK = make_clips((0.01,))[0][np.newaxis]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(bad):
    chunk = CHUNK.copy()
    chunk[0, 17] = bad
    model = CARFAC().fit()
    with error(ValueError, "X has 1 samples that are NaN or infinity", "sample 17", str(bad)):
        model.transform_chunk(chunk, model.initial_state())
    loops = AdaptationLoops().fit(np.ones((1, 3, 100)))
    channels = np.ones((1, 3, 50))
    channels[0, 1, 7] = bad
    with error(ValueError, "X has 1 samples that are NaN or infinity", "sample 7", str(bad)):
        loops.transform_chunk(channels, loops.initial_state())


def test_a_chunk_that_no_ear_bears_is_warned_of_also_where_its_energy_overflows():
    model = CARFAC(output="bm").fit()
    with pytest.warns(UserWarning, match="which no ear bears"):
        model.transform_chunk(CHUNK * 1e5, model.initial_state())
    huge = np.full_like(CHUNK, 1e30, dtype=np.float32)
    with pytest.warns(UserWarning, match="which no ear bears"), error(ValueError, "X[0]"):
        model.transform_chunk(huge, model.initial_state())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.transform_chunk(CHUNK * 0, model.initial_state())  # a part may be silent


def test_a_chunk_of_foreign_byte_order_is_the_same_sound():
    model = CARFAC().fit()
    native, _ = model.transform_chunk(CHUNK, model.initial_state())
    swapped, _ = model.transform_chunk(CHUNK.astype(CHUNK.dtype.newbyteorder()), model.initial_state())
    np.testing.assert_array_equal(native, swapped)


def test_a_stream_is_of_a_whole_number_of_signals_of_any_kind():
    model = CARFAC().fit()
    wanted, _ = model.transform_chunk(CHUNK, model.initial_state(1))
    for one in (np.float32(1), np.uint8(1), np.array(1)):
        found, _ = model.transform_chunk(CHUNK, model.initial_state(one))
        np.testing.assert_array_equal(found, wanted)
        assert model.initial_state(n_ears=one).n_ears == 1
    for value in (True, 0, 1.5, "1"):
        for name in ("n_signals", "n_ears"):
            with error(ValueError, f"{name}={value!r} must be a whole number of at least 1"):
                model.initial_state(**{name: value})


@pytest.mark.parametrize(
    "other", [{"response": "magnitude"}, {"filters": (np.ones((129, 2)), np.tile([1.0, 0.5], (129, 1)))}]
)
def test_engines_in_series_tell_designs_of_equal_coefficients_apart(other):
    front = BiomimeticFrontend(n_strfs=8, pooling=None)
    state = front.fit().initial_state()
    with error(ValueError, "state belongs to 'BiomimeticFrontend", "begin a new stream"):
        clone(front).set_params(**other).fit().transform_chunk(np.zeros((1, 160)), state)


def test_a_state_goes_on_in_any_fit_of_the_same_design_and_in_no_other():
    model = CARFAC().fit()
    state = model.initial_state()
    expected, _ = model.transform_chunk(CHUNK, state)
    again, _ = CARFAC().fit().transform_chunk(CHUNK, pickle.loads(pickle.dumps(state)))
    np.testing.assert_array_equal(again, expected)
    model.set_params(min_pole_hz=100.0).fit()
    with error(ValueError, "state belongs to 'CARFAC", "begin a new stream with initial_state()"):
        model.transform_chunk(CHUNK, state)
