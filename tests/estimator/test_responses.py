"""How clips are divided into batches."""

import numpy as np
import pytest

from skaud import CARFAC, Osses2021
from skaud.estimator import pooled

RATE = 8000


def clips(n, n_samples, n_ears=None):
    shape = (n, n_samples) if n_ears is None else (n, n_ears, n_samples)
    return np.random.default_rng(0).standard_normal(shape) * 0.02


def batches_of(monkeypatch, model, X):
    """Sizes of the batches in which X goes through the engine."""
    sizes, run = [], pooled.respond_side_by_side
    monkeypatch.setattr(
        pooled, "respond_side_by_side", lambda engine, some, *a: sizes.append(len(some)) or run(engine, some, *a)
    )
    model.transform(X)
    return sizes


@pytest.mark.parametrize("n_ears", [None, 2, 3])
@pytest.mark.parametrize("options", [{}, {"pooling": None}, {"pooling": None, "frame_length": None}], ids=str)
def test_short_clips_of_one_length_are_as_each_alone(options, n_ears):
    X = clips(11, 150, n_ears)
    model = CARFAC(RATE, **options).fit(X)
    alone = np.concatenate([model.transform(X[i : i + 1]) for i in range(len(X))])
    np.testing.assert_array_equal(model.transform(X), alone)


def test_short_clips_of_one_length_go_together_and_long_ones_side_by_side(monkeypatch):
    model = CARFAC(RATE).fit()
    assert batches_of(monkeypatch, model, clips(30, 200)) == [30]
    monkeypatch.undo()
    assert batches_of(monkeypatch, model, clips(9, 12000)) == [4, 4, 1]
    monkeypatch.undo()
    assert batches_of(monkeypatch, model, [*clips(6, 200), *clips(6, 300)]) == [4, 4, 4]
    monkeypatch.undo()
    assert batches_of(monkeypatch, Osses2021(RATE).fit(), clips(3, 200)) == [1, 1, 1]


@pytest.mark.parametrize("n_jobs", [2, 3])
def test_every_thread_has_a_batch(monkeypatch, n_jobs):
    sizes = batches_of(monkeypatch, CARFAC(RATE, n_jobs=n_jobs).fit(), clips(24, 200))
    assert len(sizes) == n_jobs


def test_the_clip_that_is_too_loud_is_named_among_many():
    X = clips(20, 200)
    X[13] *= 1e30
    with pytest.warns(UserWarning, match="dB SPL"), pytest.raises(ValueError, match=r"^X\[13\] reaches"):
        CARFAC(RATE).fit().transform(X)
