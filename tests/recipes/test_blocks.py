"""What comes block by block has the features of the whole."""

import numpy as np
import pytest
from sklearn.pipeline import FeatureUnion, Pipeline

from skaud import (
    CARFAC,
    BiomimeticFrontend,
    CepstralCoefficients,
    Dau1997,
    Deltas,
    FeaturePipeline,
    King2019,
    LogCompression,
    Osses2021,
    PowerCompression,
    TemporalPooling,
    audio,
    recipes,
)
from skaud.recipes.blocks import row_of_blocks
from skaud.sound.blocks import BlockResampler, at_gain


def noise(seconds, rate, n_ears=None):
    shape = (round(seconds * rate),) if n_ears is None else (n_ears, round(seconds * rate))
    return (0.02 * np.random.default_rng(0).standard_normal(shape)).astype("float32")


def in_blocks(x, sizes=(1000, 1, 30000, 7)):
    begin, k = 0, 0
    while begin < x.shape[-1]:
        yield x[..., begin : begin + sizes[k % len(sizes)]]
        begin, k = begin + sizes[k % len(sizes)], k + 1


MODELS = {
    "CARFAC": (CARFAC(16000), 3.0),
    "CARFAC, long": (CARFAC(8000, frame_length=0.001), 9.0),
    "CARFAC, of all frames": (CARFAC(8000, frame_length=0.001, pooling=["mean", "p90"]), 6.0),
    "CARFAC, in parts": (CARFAC(8000, frame_length=0.001, pooling=TemporalPooling(["std", "delta_max"], 3)), 6.0),
    "CARFAC, every sample": (CARFAC(8000, frame_length=None, pooling=["mean"]), 1.0),
    "CARFAC, a frame that is longer": (CARFAC(8000, frame_length=0.9), 0.5),
    "Osses2021": (Osses2021(16000), 1.0),
    "Dau1997": (Dau1997(16000, frame_length=0.0005), 2.5),
    "King2019": (King2019(16000), 1.0),
    "BiomimeticFrontend": (BiomimeticFrontend(n_strfs=8), 2.0),
    "BiomimeticFrontend, long": (BiomimeticFrontend(n_strfs=8, frame_rate_hz=1000), 6.0),
    "BiomimeticFrontend, of all frames": (BiomimeticFrontend(n_strfs=8, frame_rate_hz=1000, pooling="median"), 3.0),
    "BiomimeticFrontend, spectrogram": (BiomimeticFrontend(output="spectrogram", frame_rate_hz=1000), 6.0),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_models_row_is_that_of_the_whole_to_the_bit(name):
    model, seconds = MODELS[name]
    x = noise(seconds, model.sample_rate)
    model.fit([x])
    np.testing.assert_array_equal(row_of_blocks(model, in_blocks(x), None, len(x)), model.transform([x])[0])


@pytest.mark.parametrize("n_ears", [1, 2])
def test_ears_come_in_blocks_too(n_ears):
    x = noise(6.0, 8000, n_ears)
    model = CARFAC(8000, frame_length=0.001).fit([x])
    np.testing.assert_array_equal(row_of_blocks(model, in_blocks(x), n_ears, x.shape[-1]), model.transform([x])[0])


@pytest.mark.parametrize("recipe", recipes.__all__)
def test_a_recipes_row_is_that_of_the_whole_but_for_the_last_digits(recipe):
    if not recipe.endswith("cepstra") and recipe != "best":
        pytest.skip("no recipe of steps alone")
    features = getattr(recipes, recipe)()
    x = noise(2.3, features.sample_rate)
    features.fit([x])
    wanted = features.transform([x])[0]
    found = row_of_blocks(features, in_blocks(x), None, len(x))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_a_recipes_long_row_is_that_of_the_whole_but_for_the_last_digits():
    features = recipes.strf_cepstra().set_params(strf__n_strfs=8)
    x = noise(32.0, features.sample_rate)  # STRFs in several blocks
    features.fit([x])
    wanted = features.transform([x])[0]
    found = row_of_blocks(features, in_blocks(x), None, len(x))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("behind", [[], [("cepstra", CepstralCoefficients(3))]], ids=["pooled", "cepstra"])
def test_unions_of_frames_meet_before_what_is_behind_them(behind):
    late = Pipeline([("power", PowerCompression(0.5)), ("deltas", Deltas(2))])
    both = FeatureUnion([("log", LogCompression()), ("late", late)], transformer_weights={"log": 3})
    features = FeaturePipeline(
        [("carfac", CARFAC(8000, pooling=None)), ("both", both), *behind, ("pooling", TemporalPooling())]
    )
    x = noise(1.0, 8000)
    wanted = features.fit_transform([x])[0]
    np.testing.assert_allclose(row_of_blocks(features, in_blocks(x), None, len(x)), wanted, rtol=1e-4, atol=1e-6)


def test_a_recipe_of_all_frames_holds_them_and_ears_are_apart():
    features = recipes.carfac_cepstra()
    features.set_params(features__log__pooling__statistics=["median", "std"])
    x = noise(0.5, features.sample_rate, 2)
    features.fit([x])
    found = row_of_blocks(features, in_blocks(x), 2, x.shape[-1])
    np.testing.assert_allclose(found, features.transform([x])[0], rtol=1e-4, atol=1e-5)


def test_what_goes_beyond_numbers_is_named():
    x = noise(2.0, 8000)
    x[9000] = 1e30
    model = CARFAC(8000).fit()
    with pytest.raises(ValueError, match=r"X\[0\] reaches 1e\+30"):
        row_of_blocks(model, in_blocks(x), None, len(x))
    with pytest.warns(UserWarning, match="is at .* dB SPL"):
        row_of_blocks(model, in_blocks(1e4 * x[:8000]), None, 8000)


@pytest.mark.parametrize(("rate", "new_rate"), [(44100, 22050), (8000, 22050), (22050, 16000), (16000, 16000)])
@pytest.mark.parametrize("n_ears", [None, 2])
def test_blocks_are_resampled_to_the_bits_of_the_whole(rate, new_rate, n_ears):
    x = noise(3.3, rate, n_ears)
    resampler = BlockResampler(rate, new_rate, x.shape[-1], n_ears, "float32")
    pieces = [resampler.block(block) for block in in_blocks(x)]
    found = np.concatenate([*pieces, resampler.end()], axis=-1)
    np.testing.assert_array_equal(found, audio.resample(x, new_rate, sample_rate=rate))


def test_a_gain_beyond_numbers_is_named():
    with pytest.raises(ValueError, match="level beyond=1 goes beyond what float32 holds"):
        at_gain(np.ones(3, "float32"), 1e39, "level beyond=1")
