"""What every model tells of itself by the same names."""

import pickle
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from audio_checks import error
from sklearn.base import clone

from skaud import CARFAC, AuditorySpectrogram, BiomimeticFrontend, Dau1997, King2019, Osses2021

MODELS = [CARFAC, Osses2021, Dau1997, King2019, AuditorySpectrogram, BiomimeticFrontend]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_channel_has_a_frequency(model):
    fitted = model().fit()
    assert fitted.channel_frequencies_hz_.shape == (fitted.n_channels_,)
    assert (np.abs(np.diff(np.sign(np.diff(fitted.channel_frequencies_hz_)))) == 0).all()  # rising, or falling


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_samples_in_another_byte_order_are_the_same_sound(model, dtype):
    fitted = model(16000).fit()
    samples = (0.02 * np.random.default_rng(0).standard_normal((2, 1600))).astype(dtype)
    swapped = samples.astype(samples.dtype.newbyteorder())
    state = fitted.initial_state(2)
    for respond in (
        fitted.transform,
        lambda X: fitted.transform(X, sample_rate=8000),
        lambda X: fitted.transform([X, X[::-1]], sample_rate=8000),  # two ears
        lambda X: fitted.transform(pd.DataFrame(X), sample_rate=8000),
        lambda X: fitted.transform_chunk(X, state)[0],
        lambda X: fitted.vjp(X)[0],
    ):
        np.testing.assert_array_equal(respond(swapped), respond(samples), strict=True)


def numbers_of(model):
    return {name: value for name, value in model().get_params().items() if type(value) in (int, float)}


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, np.longdouble, np.array, Fraction])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_number_of_any_kind_is_the_same_number_as_pythons(model, kind):
    X = 0.02 * np.random.default_rng(0).standard_normal((2, 1600))
    given = {name: (np.uint16 if type(own) is int else kind)(own) for name, own in numbers_of(model).items()}
    plain = {name: int(own) if isinstance(own, np.uint16) else float(own) for name, own in given.items()}
    estimator, unfitted = model(**given).fit(), model().set_params(**given)
    assert all(estimator.get_params()[name] is own for name, own in given.items())
    copies = [estimator, unfitted, clone(estimator).fit(X), pickle.loads(pickle.dumps(estimator))]
    (wanted, pull_wanted), *others = [own.vjp(X) for own in (model(**plain), *copies)]
    for found, pull in others:
        np.testing.assert_array_equal(found, wanted, strict=True)
        np.testing.assert_array_equal(pull(found)["X"], pull_wanted(wanted)["X"], strict=True)
    chunk, chunk_wanted = (own.transform_chunk(X, own.initial_state(2))[0] for own in (unfitted, model(**plain)))
    np.testing.assert_array_equal(chunk, chunk_wanted, strict=True)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_true_is_no_number(model):
    for name in numbers_of(model):
        for value in (True, np.True_):
            with error(ValueError, name, "True"):
                model(**{name: value}).fit()
