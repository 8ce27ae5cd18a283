"""Nothing that comes out shares memory with what went in, with the state of a stream, or with what comes next."""

import numpy as np
import pytest
from fuzz import ALL, CHANNEL_STAGES, SOUND_STAGES, sound_for

import skaud

CASES = [
    *((name, {}) for name in ALL),
    ("PowerLawCompression", {"compression": 0.3}),
    *((name, {"dtype": "float64"}) for name in ALL if "dtype" in getattr(skaud, name)().get_params()),
    *((name, {"pooling": None, "frame_length": None}) for name in ("CARFAC", "Osses2021", "King2019")),
    ("Compression", {"compression_exponent": 1.0}),
    ("AuditorySpectrogram", {"pooling": None}),
    ("BiomimeticFrontend", {"pooling": None}),
    ("BiomimeticFrontend", {"pooling": None, "output": "spectrogram"}),
    ("CorticalSTRF", {"response": "complex"}),
]


def arrays_of(value):
    """All arrays in a result."""
    if isinstance(value, np.ndarray):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [array for part in parts for array in arrays_of(part)]


def assert_apart(results, others):
    for result in arrays_of(results):
        for other in arrays_of(others):
            assert not np.shares_memory(result, other)


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_results_share_no_memory(name, parameters):
    model = getattr(skaud, name)(**parameters)
    x = sound_for(name).astype(parameters.get("dtype", "float32"))
    kept = x.copy()
    first = model.fit(x).transform(x)
    again = model.transform(x)
    for given in (x, list(x), [x[0], x[0]]):
        if name != "ModulationFilterbank" or given is x:
            assert_apart(model.transform(given), (x, first))
    assert_apart(first, (x, again, list(vars(model).values())))
    for result in arrays_of(first):
        result[...] = -7
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(model.transform(x), again)
    if hasattr(model, "simulate"):
        responses = model.simulate(x)
        assert_apart(responses, (x, list(vars(model).values())))
        names = list(responses)
        for i, one in enumerate(names):
            assert_apart(responses[one], [responses[other] for other in names[:i]])
    if hasattr(model, "vjp"):
        value, pullback = model.vjp(x)
        bar = np.ones_like(value)
        value_kept = value.copy()
        value[...] = -7  # a caller may work in place before the pullback
        grads = pullback(bar)
        value, pullback = model.vjp(x)
        np.testing.assert_array_equal(value, value_kept)
        wanted = pullback(bar)
        for parameter, grad in grads.items():
            np.testing.assert_array_equal(grad, wanted[parameter], err_msg=parameter)
        assert_apart(grads, (x, bar, value, wanted))


@pytest.mark.parametrize("name", ["CARFAC", "Osses2021", "Dau1997", "King2019", *SOUND_STAGES[:3], *CHANNEL_STAGES])
def test_streams_share_no_memory(name):
    model = getattr(skaud, name)()
    if "pooling" in model.get_params():
        model.set_params(pooling=None, frame_length=None)
    x = sound_for(name)
    state = model.fit(x).initial_state(1)
    out, after = model.transform_chunk(x, state)
    again, _ = model.transform_chunk(x, state)
    assert_apart(out, (x, again, after.arrays, state.arrays))
    assert_apart(after.arrays, (x, state.arrays))
    np.testing.assert_array_equal(out, again)
