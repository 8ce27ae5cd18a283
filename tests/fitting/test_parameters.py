"""Parameters between bounds, as a vector."""

import numpy as np
import pytest

from skaud.fitting.parameters import BoundedParameters


class Model:
    values = {
        "linear": 0.3,
        "wide": 0.01,
        "negative": np.array([-2.0, 30.0]),
        "free": np.array([[5.0, -0.5]]),
    }

    def value(self, name):
        return np.asarray(self.values[name], dtype=float)

    def bounds(self, names=()):
        return {
            "linear": (0.0, 2.0),
            "wide": (1e-3, 10.0),
            "negative": (np.array([-100.0, 0.05]), np.array([-0.05, 100.0])),
        }


def test_a_vector_gives_the_values_that_it_was_made_from():
    parameters = BoundedParameters(Model(), tuple(Model.values))
    found = parameters.unpack(parameters.start())
    assert isinstance(found["linear"], float)
    for name, value in Model.values.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-12)


def test_the_ends_of_the_vector_are_the_bounds():
    parameters = BoundedParameters(Model(), ("linear", "wide", "negative"))
    low, high = parameters.unpack(parameters.low), parameters.unpack(parameters.high)
    for name, (lowest, highest) in Model().bounds().items():
        np.testing.assert_allclose(low[name], lowest)
        np.testing.assert_allclose(high[name], highest)
    half = parameters.unpack(np.full(parameters.size, 0.5))
    assert half["linear"] == pytest.approx(1)
    assert half["wide"] == pytest.approx(0.1)  # on a logarithmic axis
    np.testing.assert_allclose(half["negative"], [-np.sqrt(5), np.sqrt(5)])


def test_derivatives_follow_differences():
    parameters = BoundedParameters(Model(), tuple(Model.values))
    random = np.random.default_rng(0)
    bars = {name: random.standard_normal(np.shape(value)) for name, value in Model.values.items()}

    def objective(u):
        values = parameters.unpack(u)
        return sum(np.sum(bars[name] * values[name]) for name in bars)

    u, step = parameters.start(), 1e-6
    gradient = parameters.pull_back(u, bars)
    for i, unit in enumerate(np.eye(parameters.size)):
        difference = (objective(u + step * unit) - objective(u - step * unit)) / (2 * step)
        assert gradient[i] == pytest.approx(difference, rel=1e-6)


@pytest.mark.filterwarnings("error")
def test_parameters_without_bounds_move_without_a_warning():
    parameters = BoundedParameters(Model(), tuple(Model.values))
    u = parameters.start()
    parameters.unpack(u)
    gradient = parameters.pull_back(u, {name: np.ones(np.shape(value)) for name, value in Model.values.items()})
    np.testing.assert_array_equal(gradient[parameters.slices["free"]], [5, 1])


def test_bounds_may_be_given_instead_of_the_models():
    parameters = BoundedParameters(Model(), ("free", "linear"), {"free": (-1, 1)})
    np.testing.assert_array_equal(parameters.unpack(parameters.start())["free"], [[1, -0.5]])  # moved into them
