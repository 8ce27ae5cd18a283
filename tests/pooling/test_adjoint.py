"""The adjoint of pooling against central differences."""

import numpy as np
import pytest

from skaud.pooling.adjoint import pool_adjoint
from skaud.pooling.arrays import pool


@pytest.mark.parametrize("segments", [1, 3])
@pytest.mark.parametrize(
    "statistics",
    ["mean", "std", "min", "max", "median", "p95", "p0", "p100", "delta_std", "delta_mean", ("std", "p30")],
)
def test_pooling_and_its_adjoint_are_transposes(statistics, segments):
    rng = np.random.default_rng(0)
    frames, direction = rng.standard_normal((2, 3, 10)), rng.standard_normal((2, 3, 10))
    ahead, behind = (pool(frames + h * direction, statistics, segments) for h in (1e-6, -1e-6))
    bar = rng.standard_normal(ahead.shape)
    forward, backward = (
        bar @ (ahead - behind) / 2e-6,
        np.vdot(pool_adjoint(bar, frames, statistics, segments), direction),
    )
    assert forward == pytest.approx(backward, rel=1e-7)


def test_statistics_with_parts_of_their_own_have_the_adjoint_of_each():
    frames, bar = np.random.default_rng(0).standard_normal((2, 10)), np.random.default_rng(1).standard_normal(8)
    wanted = pool_adjoint(bar[:6], frames, "mean", 3) + pool_adjoint(bar[6:], frames, "std")
    np.testing.assert_allclose(pool_adjoint(bar, frames, {"mean": 3, "std": 1}), wanted)


def test_what_does_not_vary_has_no_derivative_of_its_deviation():
    assert (pool_adjoint(np.ones(2), np.ones((2, 5)), "std") == 0).all()
    assert (pool_adjoint(np.ones(2), np.ones((2, 1)), "delta_std") == 0).all()


def test_a_callable_has_no_known_derivative():
    with pytest.raises(ValueError, match="derivative is not known"):
        pool_adjoint(np.ones(2), np.ones((2, 5)), np.ptp)
