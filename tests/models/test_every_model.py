"""What every model tells of itself by the same names."""

import numpy as np
import pytest

from skaud import CARFAC, AuditorySpectrogram, BiomimeticFrontend, Dau1997, King2019, Osses2021

MODELS = [CARFAC, Osses2021, Dau1997, King2019, AuditorySpectrogram, BiomimeticFrontend]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_channel_has_a_frequency(model):
    fitted = model().fit()
    assert fitted.channel_frequencies_hz_.shape == (fitted.n_channels_,)
    assert (np.abs(np.diff(np.sign(np.diff(fitted.channel_frequencies_hz_)))) == 0).all()  # rising, or falling
