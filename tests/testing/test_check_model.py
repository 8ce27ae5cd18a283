"""The checks that are shipped: what they find in a model that is wrong, and in one that is not."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin

from skaud import GammatoneFilterbank
from skaud.testing import check_model, checks

SMALL = {"sample_rate": 8000, "low_hz": 1000, "high_hz": 2000, "frame_length": 0.01, "pooling": ("mean", "std")}


class Bank(GammatoneFilterbank):
    """A model that is right, for those below to spoil."""

    def transform(self, X, sample_rate=None):
        return self.spoil(X, super().transform(X, sample_rate))

    def spoil(self, X, y):
        return y


class LongestCounts(Bank):
    def spoil(self, X, y):
        return [own + 1e-3 * max(len(clip) for clip in X) for own in y]


class PlaceCounts(Bank):
    def spoil(self, X, y):
        return [own + 1e-3 * i for i, own in enumerate(y)]


class CompanyCounts(Bank):
    def spoil(self, X, y):
        return [own + 1e-3 * len(X) for own in y]


class ThreadsCount(Bank):
    def spoil(self, X, y):
        return y + (1e-3 if self.n_jobs == 2 else 0)


class Writes(Bank):
    def spoil(self, X, y):
        X *= 2
        return y


class KnowsNoSeries(Bank):
    def transform(self, X, sample_rate=None):
        assert not hasattr(X, "iloc"), "a Series"
        return super().transform(X, sample_rate)


class EarsCount(Bank):
    def spoil(self, X, y):
        return y + 1e-3 if isinstance(X, np.ndarray) and X.ndim == 3 else y


class ForgetsTheRate(Bank):
    def transform(self, X, sample_rate=None):
        return super().transform(X)


class AlwaysDouble(Bank):
    def spoil(self, X, y):
        return np.asarray(y, np.float64)


class LosesAFirstSample(Bank):
    def transform_chunk(self, X, state):
        y, state = super().transform_chunk(X, state)
        y[..., :1] = 0
        return y, state


class UsesUpItsState(Bank):
    def transform_chunk(self, X, state):
        y, after = super().transform_chunk(X, state)
        state.arrays[:] = after.arrays
        return y, after


class MixesSignals(Bank):
    def transform_chunk(self, X, state):
        y, state = super().transform_chunk(X, state)
        return y + y.sum(axis=0), state


class WrongDerivative(Bank):
    def vjp(self, X, wrt=None, output="features"):
        value, pullback = super().vjp(X, wrt, output)
        return value, lambda bar: {name: _scaled(grad) for name, grad in pullback(bar).items()}


def _scaled(grad):
    return [1.001 * own for own in grad] if isinstance(grad, list) else 1.001 * grad


class Forgets(Bank):
    def __getstate__(self):
        return super().__getstate__() | {"_rms_one_db_spl": 50.0}

    def spoil(self, X, y):
        return [own * self._rms_one_db_spl for own in y]


class NamesTwice(Bank):
    def get_feature_names_out(self, input_features=None):
        names = super().get_feature_names_out(input_features)
        names[-1] = names[0]
        return names


class ForgetsTheIndex(Bank):
    def spoil(self, X, y):
        return y.reset_index(drop=True) if hasattr(y, "iloc") else y


FAULTS = {
    "padding_changes_nothing": LongestCounts,
    "order_changes_nothing": PlaceCounts,
    "batch_changes_only_rounding": CompanyCounts,
    "n_jobs_changes_nothing": ThreadsCount,
    "transform_leaves_X_as_it_is": Writes,
    "forms_of_X_agree": KnowsNoSeries,
    "ears_in_arrays_and_lists_agree": EarsCount,
    "sample_rate_resamples_first": ForgetsTheRate,
    "float32_follows_float64": AlwaysDouble,
    "chunks_equal_the_whole": LosesAFirstSample,
    "chunks_leave_the_state_they_take": UsesUpItsState,
    "streams_are_independent": MixesSignals,
    "the_adjoint_is_that_of_the_response": WrongDerivative,
    "clones_and_pickles_give_the_same": Forgets,
    "names_belong_to_features": NamesTwice,
    "pandas_output": ForgetsTheIndex,
    "pooling_step_equals_pooling_inside": NamesTwice,
}


def test_there_is_a_fault_for_every_check():
    assert {f"check_{name}" for name in FAULTS} == {check.__name__ for check in checks.CHECKS}


@pytest.mark.parametrize("name", FAULTS)
def test_a_check_finds_the_fault_that_it_is_for(name):
    others = [other for other in FAULTS if other != name]
    with pytest.raises(AssertionError, match=f"fails 1 of {len(FAULTS)} checks:\n{name}: "):
        check_model(FAULTS[name](**SMALL), skip=others)


def test_a_model_that_is_right_passes_them_all():
    assert set(check_model(Bank(**SMALL)).values()) == {"passed"}


class Level(TransformerMixin, BaseEstimator):
    """A model that shares nothing with this package."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        X = X.iloc[:, 0] if getattr(X, "shape", ())[1:] == (1,) else getattr(X, "to_numpy", lambda: X)()
        return np.array([[np.log(np.mean(np.square(np.asarray(clip, float))))] for clip in X])


def test_a_model_of_ones_own_is_checked_for_what_it_has():
    found = check_model(Level())
    passed = {name for name, result in found.items() if result == "passed"}
    assert {"padding_changes_nothing", "order_changes_nothing", "forms_of_X_agree"} <= passed
    assert found["n_jobs_changes_nothing"] == "Level has no n_jobs"
    assert found["chunks_equal_the_whole"] == "Level has no initial_state() and no transform_chunk()"
    assert found["the_adjoint_is_that_of_the_response"] == "Level has no vjp()"
    assert check_model(Level(), skip=["order_changes_nothing"])["order_changes_nothing"] == "left out"


def test_a_name_that_is_no_check_is_refused():
    with pytest.raises(ValueError, match=r"skip has 'order', which is no check; they are .*'order_changes_nothing'"):
        check_model(Level(), skip=["order"])


def test_what_a_model_says_to_sounds_is_a_fault_of_it():
    class Deaf(Level):
        def transform(self, X):
            raise KeyError("sound")

    with pytest.raises(AssertionError, match="padding_changes_nothing: KeyError: 'sound'"):
        check_model(Deaf())
