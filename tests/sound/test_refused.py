"""Masked arrays and texts, which NumPy would take for plain numbers, are refused wherever samples are taken."""

import numpy as np
import pandas as pd
import pytest
from fuzz import ALL, sound_for

import skaud
from skaud import audio


@pytest.mark.parametrize("name", ALL)
def test_masked_samples_are_refused_by_models_and_stages(name):
    model, x = getattr(skaud, name)(), sound_for(name)
    for masked in (np.ma.array(x, mask=x > 0.1), np.ma.array(x)):
        with pytest.raises(TypeError, match=r"X.* is a masked array"):
            model.fit(x).transform(masked)
        with pytest.raises(TypeError, match=r"X.* is a masked array"):
            model.fit(x).transform([masked[0]])


def test_masked_samples_are_refused_by_streams_pullbacks_and_audio():
    x = sound_for("CARFAC")
    masked = np.ma.array(x, mask=x > 0.1)
    model = skaud.CARFAC().fit(x)
    with pytest.raises(TypeError, match="X is a masked array"):
        model.transform_chunk(masked, model.initial_state(1))
    value, pullback = model.vjp(x)
    with pytest.raises(TypeError, match="value_bar is a masked array"):
        pullback(np.ma.array(value, mask=value > 0))
    with pytest.raises(TypeError, match="x is a masked array"):
        audio.set_level(masked[0], 60)
    with pytest.raises(TypeError, match="x is a masked array"):
        audio.from_pcm(np.ma.array([1, 2], mask=[0, 1]))


def test_text_that_could_be_numbers_is_refused():
    x = sound_for("CARFAC")
    for given in (pd.DataFrame(x).astype(str), np.asarray(x, dtype=object).astype(str).astype(object)):
        with pytest.raises(TypeError, match="X holds text, such as '"):
            skaud.CARFAC().fit(given)
