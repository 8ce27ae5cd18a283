"""What Osses 2021 learns, and what is found again from its responses."""

import numpy as np
import pytest

from skaud import Osses2021
from skaud.fitting import fit_response

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RATE = 16000
TIME = np.arange(round(0.3 * RATE)) / RATE
SOUNDS = np.stack(
    [
        10 ** ((level_db - 100) / 20) * np.sin(2 * np.pi * hz * TIME) * (1 + np.sin(2 * np.pi * am_hz * TIME))
        for level_db, hz, am_hz in ((70, 500, 4), (60, 1000, 10), (80, 1200, 0))
    ]
)
SOUNDS[:, :800] = 0


def small(**parameters):
    return Osses2021(**{"sample_rate": RATE, "low_hz": 400, "high_hz": 1500, "pooling": None} | parameters)


@pytest.mark.parametrize("output", ["features", "adaptation"])
@pytest.mark.parametrize(
    "changed",
    [
        {"adaptation_limit": 8.0},
        {"adaptation_time_constants_s": (0.006, 0.04, 0.15, 0.3, 0.45)},
        {"adaptation_limit": 8.0, "adaptation_time_constants_s": (0.006, 0.04, 0.15, 0.3, 0.45)},
        {"adaptation_limit": 4.0, "minimum_level_db": 15.0},
    ],
    ids=str,
)
def test_the_adaptation_is_found(changed, output):
    model = small(**changed).fit(SOUNDS)
    target = model.transform(SOUNDS) if output == "features" else model.simulate(SOUNDS, output)[output]
    found = fit_response(small(), SOUNDS, target, learn=tuple(changed), output=output)
    for name, value in changed.items():
        np.testing.assert_allclose(getattr(found, f"{name}_"), value, rtol=0.01)


def test_it_learns_from_labels():
    X = np.random.default_rng(0).standard_normal((8, 3000)) / 50
    X[::2] *= 1 + np.sin(2 * np.pi * 20 * TIME[:3000])
    y = np.array(["modulated", "steady"] * 4)
    model = small(pooling=("mean", "std"), learn=("adaptation_limit", "modulation_q"), l2=0.1, max_iter=4).fit(X, y)
    assert (np.diff(model.loss_curve_) <= 0).all()
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.adaptation_limit_ != 5.0
    assert model.adaptation_limit == 5.0
