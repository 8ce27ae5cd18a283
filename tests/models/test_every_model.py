"""What every model tells of itself by the same names."""

import numpy as np
import pandas as pd
import pytest

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
