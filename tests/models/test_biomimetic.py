import itertools
import pickle
import tracemalloc

import numpy as np
import pytest
from audio_checks import CHECKS, error
from plain_biomimetic import STEP, cortical_tangent, rate_tangent, scale_tangent, spectrogram_outputs
from scipy import signal
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from skaud import AuditorySpectrogram, BiomimeticFrontend, CorticalSTRF, TemporalPooling
from skaud.design.cortical import rate_filters, scale_filters
from skaud.estimator.movable_model import MovableModel
from skaud.kernels.array_api import to_numpy
from skaud.pooling.adjoint import pool_adjoint
from skaud.testing import checks, dot_test

RATE = 16000
RANDOM = np.random.default_rng(10)
STREAMS = {check for check in CHECKS if "chunk" in check.__name__ or "stream" in check.__name__}
PARAMETERS = ("compression", "lateral_inhibition", "integration_s", "scales_cycles_per_octave", "rates_hz")


def small(**parameters):
    """A front end with 8 STRFs, in float64, that returns frames."""
    return BiomimeticFrontend(**{"n_strfs": 8, "dtype": "float64", "pooling": None} | parameters)


@parametrize_with_checks([AuditorySpectrogram(), BiomimeticFrontend(n_strfs=8)])
def test_it_is_a_scikit_learn_transformer(estimator, check):
    check(estimator)


@pytest.mark.parametrize("check", sorted(set(CHECKS) - STREAMS, key=lambda check: check.__name__))
@pytest.mark.parametrize("estimator", [AuditorySpectrogram(), BiomimeticFrontend(n_strfs=8)])
def test_facts_that_hold_for_every_model(estimator, check):
    check(clone(estimator))


@pytest.mark.parametrize(
    "estimator", [AuditorySpectrogram(compression=0.3), BiomimeticFrontend(n_strfs=8, output="spectrogram")]
)
def test_a_signal_is_computed_by_itself(estimator):
    checks.check_batch_changes_nothing(estimator)
    checks.check_n_jobs_changes_nothing(estimator)


# The authors' program


@pytest.fixture(scope="module")
def published(golden):
    """The golden file, and the front end with its filters and parameters."""
    file = golden("biomimetic_nsl.npz")
    model = BiomimeticFrontend(
        filters=(file["B"], file["A"]),
        compression=file["alpha"],
        lateral_inhibition=file["kernel"],
        integration_s=-1 / (RATE * np.log(file["leak"])),
        scales_cycles_per_octave=file["sr"][:, 0],
        rates_hz=file["sr"][:, 1],
        response="complex",
        pooling=None,
        rms_one_db_spl=None,
        dtype="float64",
    )
    return file, model.fit(file["x"][np.newaxis])


def distance(found, wanted):
    """Largest error over largest value."""
    assert found.shape == wanted.shape
    return np.abs(found - wanted).max() / np.abs(wanted).max()


def test_outputs_agree_with_the_authors_program(published):
    file, model = published
    outputs = model.simulate(file["x"][np.newaxis])
    for name, wanted in (("cochlea", "cochlea"), ("compressed", "compressed"), ("inhibited", "rectified")):
        assert distance(outputs[name][0, ::4, ::16], file[wanted]) < 1e-6
    assert distance(outputs.spectrogram[0], file["spectrogram"]) < 1e-6
    stride = int(file["cortical_stride"])
    assert distance(outputs.cortical[0].transpose(0, 2, 1)[:, ::stride, ::stride], file["cortical"]) < 1e-6


def test_gradients_agree_with_the_authors_program(published):
    file, model = published
    model = clone(model).set_params(response="real").fit(file["x"][np.newaxis])
    value, pullback = model.vjp(file["x"][np.newaxis], wrt=PARAMETERS)
    weights = np.random.default_rng(int(file["weights_seed"])).standard_normal((7, 200, 128)) / 1000
    weights = weights.transpose(0, 2, 1)[np.newaxis]
    assert abs((weights * value).sum() / file["loss"] - 1) < 1e-6
    grads = pullback(weights)
    assert distance(grads["compression"], file["grad_alpha"]) < 1e-6
    assert distance(grads["lateral_inhibition"], file["grad_kernel"]) < 1e-6
    strfs = np.stack([grads["scales_cycles_per_octave"], grads["rates_hz"]], axis=1)
    assert distance(strfs, file["grad_sr"]) < 1e-6
    # leak = exp(-1 / (integration_s * rate))
    leak_grad = grads["integration_s"] * model.integration_s_**2 * RATE / file["leak"]
    assert abs(leak_grad / file["grad_leak"] - 1) < 1e-6


def test_float32_agrees_to_single_precision(published):
    file, model = published
    single = clone(model).set_params(dtype="float32").fit(file["x"][np.newaxis])
    spectrogram = single.simulate(file["x"][np.newaxis], "spectrogram").spectrogram
    assert spectrogram.dtype == np.float32
    assert distance(spectrogram[0], file["spectrogram"]) < 1e-4


def test_the_default_filters_give_nearly_the_published_spectrogram(published):
    file, model = published
    roex = clone(model).set_params(filters="roex").fit(file["x"][np.newaxis])
    spectrogram = roex.simulate(file["x"][np.newaxis], "spectrogram").spectrogram[0]
    assert np.corrcoef(spectrogram.ravel(), file["spectrogram"].ravel())[0, 1] > 0.985  # the goal is 0.96


# Sound


def test_a_front_end_of_40_strfs_has_212_parameters():
    model = BiomimeticFrontend().fit(np.zeros((1, 100)))
    assert sum(np.size(getattr(model, f"{name}_")) for name in PARAMETERS) == 212


def test_a_tone_peaks_just_below_its_frequency():
    frequencies_hz = np.array([300, 1000, 4000])
    X = np.sin(2 * np.pi * frequencies_hz[:, np.newaxis] * np.arange(8000) / RATE)
    model = AuditorySpectrogram(pooling="mean").fit(X)
    peak_hz = model.channel_frequencies_hz_[model.transform(X).argmax(axis=1)]
    assert (np.abs(np.log2(peak_hz / frequencies_hz) + 1 / 24) < 1 / 24).all()


@pytest.mark.parametrize("n_samples", [16000, 100_000])
def test_a_click_at_the_end_does_not_appear_at_the_beginning(n_samples):
    X = np.zeros((1, n_samples))
    X[0, -40] = 1
    outputs = small().fit(X).simulate(X)
    for name in ("cochlea", "inhibited", "spectrogram"):
        response = np.abs(outputs[name])
        assert response[..., : -40 if name != "spectrogram" else -1].max() < 1e-14
        assert response.max() > 1e-3
    # One quadrant of rate and scale is analytic, so that it answers a little before; but not a whole sound before.
    cortical = np.abs(outputs.cortical)
    assert cortical[..., :20].max() < 2e-3 * cortical.max()


def test_doubling_the_sound_multiplies_by_2_to_the_exponent():
    X = RANDOM.standard_normal((1, 2000))
    model = AuditorySpectrogram(compression=0.3, pooling=None, dtype="float64").fit(X)
    np.testing.assert_allclose(model.transform(2 * X), 2**0.3 * model.transform(X))


def test_a_long_sound_takes_memory_in_proportion():
    model = AuditorySpectrogram(pooling=None).fit([np.zeros(100)])
    peaks = []
    for seconds in (10, 20):
        X = RANDOM.standard_normal((1, seconds * RATE)).astype(np.float32)
        model.transform(X[:, : 3 * RATE])  # spectra of the filters
        tracemalloc.start()
        model.transform(X)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2.2 * peaks[0]
    assert peaks[1] < 60e6  # the cochlea's response alone would be 165 MB
    assert peaks[1] - peaks[0] < 10 * 1.5e6  # a second


@pytest.mark.parametrize("pooling", [("mean", "std", "delta_max"), "median"])
def test_pooled_cortical_features_of_a_long_sound_hold_little_beyond_the_spectrogram(monkeypatch, pooling):
    monkeypatch.setattr("skaud.design.cortical.LONGEST_RATE_FILTER", 512)
    model = BiomimeticFrontend(pooling=pooling).fit([np.zeros(100)])
    peaks = []
    seconds = 15, 15 + 3 * 1024 / 200  # three blocks of frames more
    for n_samples in (round(own * RATE) for own in seconds):
        X = RANDOM.standard_normal((1, n_samples)).astype(np.float32)
        model.transform([X[0, : 11 * RATE]])  # spectra of the filters
        tracemalloc.start()
        model.transform([X[0]])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    a_second = (peaks[1] - peaks[0]) / (seconds[1] - seconds[0])
    # The spectrogram takes 0.1 MB a second, all responses would take 4 MB; a median needs those of some filters.
    assert a_second < (0.25e6 if pooling != "median" else 2e6)
    assert peaks[1] - seconds[1] * a_second < 120e6


@pytest.mark.parametrize("response", ["real", "magnitude"])
@pytest.mark.parametrize("statistics", [("mean", "std", "min", "delta_std"), ("p75", np.ptp)])
def test_long_sounds_are_pooled_as_their_frames(monkeypatch, response, statistics):
    monkeypatch.setattr("skaud.design.cortical.LONGEST_RATE_FILTER", 8)  # frames: several blocks
    clips = [RANDOM.standard_normal((2, n)) for n in (600, 2400, 4000)]  # in one block, and in several
    pooling = TemporalPooling(statistics, segments=3)
    model = small(n_strfs=8, response=response, pooling=pooling).fit(clips)
    wanted = clone(pooling).fit_transform(small(n_strfs=8, response=response).fit(clips).transform(clips))
    np.testing.assert_allclose(model.transform(clips), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("pooling", [None, ("std", "max")])
def test_gradients_of_long_sounds_follow_the_complex_step(monkeypatch, pooling):
    monkeypatch.setattr("skaud.design.cortical.LONGEST_RATE_FILTER", 8)
    X = RANDOM.standard_normal((1, 3000))
    differences = dot_test(small(response="magnitude"), X, output="features")
    assert max(differences.values()) < 1e-12
    if pooling is not None:
        # Pooled apart by its own adjoint: the sum over all frames of what frames have.
        pooled, frames = small(pooling=pooling).fit(X), small().fit(X)
        value, pullback = pooled.vjp(X)
        bar = RANDOM.standard_normal(value.shape)
        response, pull_frames = frames.vjp(X)
        wanted = pull_frames(pool_adjoint(bar[0], response[0], pooling)[np.newaxis])
        for name, grad in pullback(bar).items():
            np.testing.assert_allclose(grad, wanted[name], rtol=1e-9, atol=1e-12)


def test_the_time_constant_is_what_a_frame_forgets():
    X = np.zeros((1, 16000))
    X[0, :800] = RANDOM.standard_normal(800)
    late = slice(80, 100)  # the filters are silent by then
    for seconds in (0.1, 0.2):
        model = AuditorySpectrogram(integration_s=seconds, pooling=None, dtype="float64").fit(X)
        frames = model.transform(X)[0, :, late]
        np.testing.assert_allclose(frames[:, 1:] / frames[:, :-1], np.exp(-0.005 / seconds), rtol=1e-2)


@pytest.mark.parametrize("rate", [22050, 44100, 48000])
def test_another_rate_gives_nearly_the_same_spectrogram(rate):
    seconds = np.arange(rate // 2) / rate
    X = signal.chirp(seconds, 200, 0.5, 6000, method="logarithmic")[np.newaxis]
    own = AuditorySpectrogram(rate, frame_rate_hz=150, pooling=None).fit(X).transform(X)
    at_16_khz = AuditorySpectrogram(24000, frame_rate_hz=150, pooling=None).fit_transform(X, sample_rate=rate)
    n = min(own.shape[-1], at_16_khz.shape[-1])
    assert np.corrcoef(own[..., :n].ravel(), at_16_khz[..., :n].ravel())[0, 1] > 0.98


@pytest.mark.parametrize(("rate", "period"), [(16000, 80), (22050, 110), (44100, 220)])
@pytest.mark.parametrize("Model", [AuditorySpectrogram, BiomimeticFrontend])
def test_frames_are_the_nearest_whole_number_of_samples(Model, rate, period):
    X = RANDOM.standard_normal((1, 10 * period))
    model = Model(rate, pooling=None).fit(X)
    assert model.frame_rate_hz_ == rate / period
    assert model.transform(X).shape[-1] == 10


def test_rates_of_strfs_refer_to_the_exact_frame_rate():
    X = RANDOM.standard_normal((1, 1500))
    strfs = {"scales_cycles_per_octave": [1.0], "rates_hz": [150.0]}
    model = BiomimeticFrontend(frame_rate_hz=4000, sample_rate=17900, pooling=None, dtype="float64", **strfs).fit(X)
    assert model.frame_rate_hz_ == 4475
    spectrogram = model.simulate(X, "spectrogram").spectrogram
    exact = CorticalSTRF(frame_rate_hz=model.frame_rate_hz_, dtype="float64", **strfs).fit_transform(spectrogram)
    nominal = CorticalSTRF(frame_rate_hz=4000, **strfs).fit_transform(spectrogram)
    np.testing.assert_allclose(model.transform(X), exact, atol=1e-12 * np.abs(exact).max())
    assert np.abs(nominal - exact).max() > 0.01 * np.abs(exact).max()
    assert model.bounds()["rates_hz"][1] == 4475 / 2


def test_ripples_of_a_rate_excite_its_filter_at_every_sample_rate():
    def response(rate):
        seconds = np.arange(rate) / rate
        x = (1 + np.sin(2 * np.pi * 8 * seconds)) * np.random.default_rng(0).standard_normal(rate)
        strfs = {"scales_cycles_per_octave": [0.3] * 4, "rates_hz": [2.0, 4.0, 8.0, 16.0]}
        model = BiomimeticFrontend(rate, response="magnitude", pooling="mean", **strfs)
        return model.fit_transform(x[np.newaxis]).reshape(4, -1).mean(axis=1)

    for rate in (16000, 22050, 44100):
        assert response(rate).argmax() == 2


# Shapes and names


def test_simulate_gives_every_stage():
    X = RANDOM.standard_normal((2, 1000))
    outputs = small().fit(X).simulate(X)
    shapes = {name: response.shape for name, response in outputs.items()}
    assert shapes == {
        "cochlea": (2, 129, 1000),
        "compressed": (2, 129, 1000),
        "inhibited": (2, 128, 1000),
        "spectrogram": (2, 128, 12),
        "cortical": (2, 8, 128, 12),
    }


def test_features_are_named_by_rate_scale_and_frequency():
    X = RANDOM.standard_normal((2, 1000))
    model = BiomimeticFrontend(scales_cycles_per_octave=[2, 0.5], rates_hz=[4, -8]).fit(X)
    names = model.get_feature_names_out()
    assert names[0] == "cortical_rate+4.0_scale2.00_180hz_std"
    assert names[-1] == "cortical_rate-8.0_scale0.50_7040hz_std"
    assert len({*names}) == model.transform(X).shape[1] == 2 * 128
    assert model.set_params(pooling=None).fit(X).get_feature_names_out()[128] == "cortical_rate-8.0_scale0.50_180hz"
    assert model.set_params(output="spectrogram").fit(X).get_feature_names_out()[0] == "spectrogram_180hz"


def test_responses_are_parts_of_the_complex_one():
    X = RANDOM.standard_normal((1, 1000))
    parts = {part: small(response=part).fit(X).transform(X) for part in ("complex", "real", "magnitude")}
    np.testing.assert_allclose(parts["real"], parts["complex"].real, atol=1e-12)
    np.testing.assert_allclose(parts["magnitude"], np.abs(parts["complex"]), atol=1e-12)
    pooled = small(response="magnitude", pooling="mean").fit(X).transform(X)
    np.testing.assert_allclose(pooled[0], parts["magnitude"].mean(axis=-1).ravel())


# Gradients


@pytest.mark.parametrize("output", ["cochlea", "compressed", "inhibited", "spectrogram", "cortical", "features"])
@pytest.mark.parametrize("shape", [(2, 900), (1, 2, 500)])
def test_gradients_follow_differences(shape, output):
    random = np.random.default_rng(11)
    X, X_dot = random.standard_normal((2, *shape))
    values = {
        "compression": random.uniform(0.8, 1.2, 129),
        "lateral_inhibition": np.array([1.0, -0.9]),
        "integration_s": 0.009,
        "scales_cycles_per_octave": np.array([0.7, 2.0]),
        "rates_hz": np.array([20.0, -31.0]),
    }
    dots = {name: 0.01 * random.standard_normal(np.shape(value)) for name, value in values.items()}
    dots["integration_s"] = 1e-4

    def run(step):
        moved = {name: value + step * dots[name] for name, value in values.items()}
        model = small(pooling=("mean", "std"), response="magnitude", rms_one_db_spl=94, **moved)
        return model.fit(X).vjp(X + step * X_dot, output=output)

    value, pullback = run(0)
    bar = random.standard_normal(value.shape)
    grads = pullback(bar)
    assert {*grads} == {"X", *PARAMETERS}
    reverse = (grads["X"] * X_dot).sum() + sum(np.sum(grads[name] * dots[name]) for name in PARAMETERS)
    forward = (bar * (run(1e-6)[0] - run(-1e-6)[0])).sum() / 2e-6
    assert abs(forward - reverse) < 1e-5 * np.linalg.norm(bar) * np.linalg.norm(run(1e-6)[0] - value) / 1e-6


def test_dot_test_of_the_whole():
    random = np.random.default_rng(12)
    X, X_dot = random.standard_normal((2, 1, 1600))
    values = {
        "compression": random.uniform(0.8, 1.2, 129),
        "lateral_inhibition": np.array([1.0, -0.9]),
        "integration_s": 0.009,
        "scales_cycles_per_octave": np.array([0.7, 2.0]),
        "rates_hz": np.array([20.0, -31.0]),
    }
    dots = {name: np.multiply(value, random.standard_normal(np.shape(value))) for name, value in values.items()}
    model = small(**values, rms_one_db_spl=None).fit(X)
    stepped = {name: value + 1j * STEP * dots[name] for name, value in values.items()}
    decay = np.exp(-1 / (stepped["integration_s"] * RATE))
    cochlear = (model.impulse_responses_, stepped["compression"], stepped["lateral_inhibition"], decay, 80)
    spectrogram = spectrogram_outputs(X + 1j * STEP * X_dot, *cochlear)["spectrogram"]
    # The response is linear in the spectrogram and in both filters.
    scales, rates = values["scales_cycles_per_octave"], values["rates_hz"]
    tangent = cortical_tangent(
        spectrogram.real,
        spectrogram.imag / STEP,
        rates,
        rate_filters(rates, 32, 200.0).transfer,
        rate_tangent(rates, dots["rates_hz"], 32, 200.0),
        scale_filters(scales, 128, 24.0),
        scale_tangent(scales, dots["scales_cycles_per_octave"], 128, 24.0),
    ).real
    bar = np.abs(random.standard_normal(tangent.shape)) * np.sign(tangent)  # a sum without cancellation
    grads = model.vjp(X)[1](bar)
    forward = (bar * tangent).sum()
    reverse = (grads["X"] * X_dot).sum() + sum(np.sum(grads[name] * dots[name]) for name in PARAMETERS)
    assert abs(forward - reverse) < 1e-12 * abs(forward), (forward, reverse)


@pytest.mark.parametrize("output", ["cochlea", "compressed", "inhibited", "spectrogram", "cortical", "features"])
@pytest.mark.parametrize("response", ["real", "magnitude", "complex"])
def test_every_output_passes_the_dot_test(response, output):
    random = np.random.default_rng(13)
    compression = random.uniform(0.4, 1.2, 129)
    model = BiomimeticFrontend(n_strfs=8, response=response, compression=compression, rms_one_db_spl=94, pooling=None)
    clips = [random.standard_normal((2, n)) for n in (700, 500)]
    differences = dot_test(model, clips, output=output)
    assert {*differences} == {"X", *PARAMETERS}
    assert max(differences.values()) <= 1e-12
    if output not in ("cortical", "features"):
        dot_test(AuditorySpectrogram(compression=compression), clips, output=output)


def test_the_value_is_what_transform_and_simulate_return():
    clips = [RANDOM.standard_normal(n) for n in (700, 900)]
    model = small(pooling="mean").fit(clips)
    np.testing.assert_array_equal(model.vjp(clips)[0], model.transform(clips))
    for found, wanted in zip(model.vjp(clips, output="spectrogram")[0], model.simulate(clips).spectrogram):
        np.testing.assert_array_equal(found, wanted)


def test_gradients_of_a_list_are_those_of_its_clips():
    clips = [RANDOM.standard_normal(n) for n in (700, 900)]
    model = small().fit(clips)
    value, pullback = model.vjp(clips)
    together = pullback(value)
    alone = []
    for clip in clips:
        value, pullback = model.vjp(clip[np.newaxis])
        alone.append(pullback(value))
    for found, wanted in zip(together["X"], alone):
        np.testing.assert_array_equal(found, wanted["X"][0])
    for name in PARAMETERS:
        np.testing.assert_allclose(together[name], alone[0][name] + alone[1][name])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_are_finite_for_silence_and_strong_compression(dtype):
    X = np.zeros((2, 3000), dtype)
    X[1, 1000:1200] = RANDOM.standard_normal(200)
    for output in ("compressed", "spectrogram", "cortical", "features"):
        model = small(compression=0.2, dtype=dtype, response="magnitude", pooling=("mean", "std")).fit(X)
        value, pullback = model.vjp(X, output=output)
        grads = pullback(np.ones_like(value))
        assert grads["X"].dtype == dtype
        for grad in grads.values():
            assert np.isfinite(grad).all()
        np.testing.assert_array_equal(grads["X"][0], 0)


def test_gradients_in_float32_follow_float64():
    X = RANDOM.standard_normal((1, 4000))
    grads = {}
    for dtype in ("float32", "float64"):
        value, pullback = small(dtype=dtype, compression=0.9).fit(X).vjp(X)
        grads[dtype] = pullback(np.cos(np.arange(value.size)).reshape(value.shape))
    for name, wanted in grads["float64"].items():
        assert np.abs(grads["float32"][name] - wanted).max() < 2e-3 * np.abs(wanted).max()


def test_a_pickled_model_is_redesigned_as_the_one_it_was_made_of():
    X = RANDOM.standard_normal((1, 1500))
    model = small(compression=0.8, pooling="mean").fit(X)
    value, pullback = pickle.loads(pickle.dumps(model)).vjp(X)
    wanted_value, wanted_pullback = model.vjp(X)
    np.testing.assert_array_equal(value, wanted_value)
    grads, wanted = pullback(value), wanted_pullback(value)
    for name, own in wanted.items():
        np.testing.assert_array_equal(grads[name], own)
    pickled, found = MovableModel(pickle.loads(pickle.dumps(model))), MovableModel(model)
    for movable in (pickled, found):
        movable.move({"integration_s": 0.016})
    np.testing.assert_array_equal(pickled.model.transform(X), found.model.transform(X))


# Arrays of other libraries


@pytest.mark.parametrize("device", ["CPU_DEVICE", "device1"])
@pytest.mark.parametrize("response", ["real", "magnitude", "complex"])
def test_arrays_of_another_library_stay_where_they_are(response, device):
    strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
    X = RANDOM.standard_normal((2, 1500))
    foreign = strict.asarray(X, device=strict.Device(device))
    model = small(compression=0.8, response=response).fit(foreign)
    found = model.transform(foreign)
    assert type(found) is type(foreign)
    assert found.device == foreign.device
    np.testing.assert_allclose(to_numpy(found), model.transform(X), atol=1e-12)
    simulated = model.simulate(foreign, "cochlea").cochlea
    np.testing.assert_allclose(to_numpy(simulated), model.simulate(X, "cochlea").cochlea, atol=1e-12)
    value, pullback = model.vjp(X)
    foreign_value, foreign_pullback = model.vjp(foreign)
    grads, foreign_grads = pullback(value), foreign_pullback(foreign_value)
    assert type(foreign_grads["X"]) is type(foreign)
    for name, grad in grads.items():
        assert np.abs(to_numpy(foreign_grads[name]) - grad).max() < 1e-10 * np.abs(grad).max()


# Errors


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"sample_rate": 8000}, ("sample_rate=8000", "16000 Hz", "raise")),
        ({"frame_rate_hz": 16001}, ("frame_rate_hz=16001", "sample_rate=16000", "lower it")),
        ({"scales_cycles_per_octave": [1.0], "rates_hz": [100.1]}, ("rates_hz has [100.1]", "100 Hz")),
        ({"filters": "missing.mat"}, ("missing.mat",)),
        ({"filters": (np.ones((5, 3)), np.ones((5, 3)))}, ("filters", "(5, 3)", "129")),
        ({"compression": np.ones(128)}, ("compression", "129")),
        ({"lateral_inhibition": (1, np.inf)}, ("lateral_inhibition", "finite")),
        ({"integration_s": 0.0}, ("integration_s", "(0.0, inf)")),
        ({"n_strfs": 3}, ("n_strfs=3", "multiple of 8")),
        ({"init": "zeros"}, ("init", "'zeros'")),
        ({"response": "complex", "pooling": "mean"}, ("response='complex'", "pooling='mean'", "magnitude")),
        ({"output": "cochlea"}, ("output", "cochlea")),
        ({"scales_cycles_per_octave": [1.0]}, ("scales_cycles_per_octave", "both")),
    ],
)
def test_bad_parameters_are_named(parameters, words):
    with error(ValueError, *words):
        small(**parameters).fit(np.zeros((1, 100)))


def test_bad_gradients_are_named():
    X = RANDOM.standard_normal((1, 500))
    model = small().fit(X)
    with error(ValueError, "wrt", "'tau'", "'integration_s'"):
        model.vjp(X, wrt="tau")
    with error(ValueError, "'nap'", "'cortical'"):
        model.vjp(X, output="nap")
    value, pullback = model.vjp(X)
    with error(ValueError, "value_bar", "[(), (), ()]", "[(8, 128, 6)]"):
        pullback(np.ones(3))
    with error(ValueError, "value_bar is complex", "real part"):
        pullback(value + 0j)
    with error(ValueError, "ptp", "derivative is not known"):
        small(pooling=np.ptp).fit(X).vjp(X)[1](np.ones((1, 8 * 128)))


# Streams


def chunks_of(model, X, n_ears=None, seed=0):
    """Response chunk by chunk, and how many samples came before each piece of it."""
    state, parts = model.initial_state(len(X), n_ears), []
    cuts = np.sort(np.r_[0, 0, 1, np.random.default_rng(seed).integers(0, X.shape[-1], 9), X.shape[-1]])
    for begin, end in itertools.pairwise(cuts):
        part, state = model.transform_chunk(X[..., begin:end], state)
        parts.append(part)
    return np.concatenate(parts, axis=-1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_ears", [None, 2])
@pytest.mark.parametrize("rate", [16000, 22050])
def test_a_stream_gives_the_bits_of_the_whole_with_the_latency_that_it_states(rate, n_ears, dtype):
    shape = (2, 30000) if n_ears is None else (2, n_ears, 30000)
    X = RANDOM.standard_normal(shape).astype(dtype)
    model = AuditorySpectrogram(rate, compression=0.4, pooling=None, dtype=dtype).fit(X)
    found, wanted = chunks_of(model, X, n_ears), model.transform(X)
    np.testing.assert_array_equal(found, wanted[..., : found.shape[-1]])
    n_missing = wanted.shape[-1] - found.shape[-1]
    assert 0 < n_missing / model.frame_rate_hz_ <= model.latency_s_ < 0.6


@pytest.mark.parametrize("response", ["real", "complex"])
def test_a_stream_of_cortical_frames_gives_the_bits_of_the_whole(monkeypatch, response):
    monkeypatch.setattr("skaud.design.cortical.LONGEST_RATE_FILTER", 16)
    X = RANDOM.standard_normal((1, 40000)).astype(np.float32)
    model = BiomimeticFrontend(n_strfs=8, response=response, pooling=None).fit(X)
    found, wanted = chunks_of(model, X), model.transform(X)
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted[..., : found.shape[-1]])
    n_missing = wanted.shape[-1] - found.shape[-1]
    assert 0 < n_missing / model.frame_rate_hz_ <= model.latency_s_
    assert model.latency_s_ == pytest.approx(3 * 16 / 200 + AuditorySpectrogram().fit().latency_s_)
    assert BiomimeticFrontend(output="spectrogram").fit().latency_s_ == AuditorySpectrogram().fit().latency_s_


@pytest.mark.parametrize("model", [AuditorySpectrogram(), BiomimeticFrontend(n_strfs=8, output="spectrogram")])
def test_streams_keep_to_themselves(model):
    a, b = RANDOM.standard_normal((2, 20000)).astype(np.float32)
    model.set_params(pooling=None).fit()
    _, state = model.transform_chunk(a[np.newaxis, :9000], model.initial_state())
    copy = pickle.loads(pickle.dumps(state))
    wanted, _ = model.transform_chunk(a[np.newaxis, 9000:], state)
    for own in (state, copy):
        np.testing.assert_array_equal(model.transform_chunk(a[np.newaxis, 9000:], own)[0], wanted)
    both, _ = model.transform_chunk(np.stack([a, b]), model.initial_state(2))
    np.testing.assert_array_equal(model.transform_chunk(b[np.newaxis], model.initial_state())[0], both[1:])
