import itertools

import numpy as np
import pytest
from audio_checks import error
from scipy import signal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks, get_tags

from skaud import (
    AuditorySpectrogram,
    CochlearFilterbank,
    CorticalSTRF,
    LateralInhibition,
    LeakyIntegrator,
    Pitchogram,
    PowerLawCompression,
    Sound,
    StabilizedAuditoryImage,
    TemporalPooling,
    audio,
)
from skaud.testing import dot_test

RANDOM = np.random.default_rng(8)
RESPONSE_STAGES = [PowerLawCompression(), LateralInhibition(), LeakyIntegrator(), CorticalSTRF(8)]
RESPONSE_STAGES += [StabilizedAuditoryImage(), Pitchogram()]
ALPHA = RANDOM.uniform(0.5, 1.1, 129)
STAGES = make_pipeline(
    CochlearFilterbank(dtype="float64"),
    PowerLawCompression(ALPHA, dtype="float64"),
    LateralInhibition((1, -0.9), dtype="float64"),
    LeakyIntegrator(0.01, dtype="float64"),
)
WHOLE = AuditorySpectrogram(
    dtype="float64", compression=ALPHA, lateral_inhibition=(1, -0.9), integration_s=0.01, pooling=None
)


@pytest.mark.parametrize("rms_one_db_spl", [93.98, None, 120.0])
@pytest.mark.parametrize("shape", [(2, 1234), (1, 80), (2, 2, 800)])
def test_the_stages_in_a_pipeline_are_the_auditory_spectrogram(shape, rms_one_db_spl):
    X = 0.02 * RANDOM.standard_normal(shape)
    scale = {f"{name}__rms_one_db_spl": rms_one_db_spl for name in ("cochlearfilterbank", "powerlawcompression")}
    stages = clone(STAGES).set_params(**scale).fit(X)
    whole = clone(WHOLE).set_params(rms_one_db_spl=rms_one_db_spl).fit(X)
    np.testing.assert_allclose(stages.transform(X), whole.transform(X), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(stages[:1].transform(X), whole.simulate(X, "cochlea").cochlea, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        stages[:2].transform(X), whole.simulate(X, "compressed").compressed, rtol=1e-9, atol=1e-12
    )


def test_a_sound_is_brought_to_the_rate_and_the_scale_of_the_filterbank():
    x = 0.02 * np.sin(2 * np.pi * 1000 * np.arange(1600) / 16000)
    bank = CochlearFilterbank(dtype="float64").fit()
    wanted = bank.transform([x])[0]
    np.testing.assert_allclose(bank.transform([Sound(x / 10, 16000, 113.98)])[0], wanted, rtol=1e-9, atol=1e-12)
    slow = audio.resample(Sound(x, 16000), 32000)
    found = bank.transform([slow])[0]
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found[:, 400:1200], wanted[:, 400:1200], atol=0.01 * np.abs(wanted).max())


def test_lists_of_clips_stay_lists():
    clips = [RANDOM.standard_normal(n) for n in (900, 300)]
    for a, b in zip(STAGES.fit(clips).transform(clips), WHOLE.fit(clips).transform(clips)):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_the_filterbank_convolves():
    X = RANDOM.standard_normal((1, 3000))
    bank = CochlearFilterbank(dtype="float64").fit(X)
    wanted = signal.fftconvolve(X[0][np.newaxis], bank.impulse_responses_, axes=-1)[:, :3000]
    np.testing.assert_allclose(bank.transform(X)[0], wanted, atol=1e-12)


def test_the_filterbank_answers_a_click_at_once_and_not_before():
    X = np.zeros((1, 2000))
    X[0, 1500] = 1
    response = CochlearFilterbank(dtype="float64").fit_transform(X)[0]
    assert np.abs(response[:, :1500]).max() < 1e-15
    assert (np.abs(response[:, 1500]) > 1e-4).all()


def test_float32_stays_float32():
    X = RANDOM.standard_normal((1, 500)).astype(np.float32)
    assert CochlearFilterbank().fit_transform(X).dtype == np.float32
    response = RANDOM.standard_normal((1, 5, 160)).astype(np.float32)
    for stage in (PowerLawCompression(0.5), LateralInhibition(), LeakyIntegrator()):
        assert stage.fit_transform(response).dtype == np.float32


def test_inhibition_sharpens_an_edge_and_leaves_no_negative_values():
    profile = np.array([0.0, 0, 3, 2, 2])[:, np.newaxis]
    np.testing.assert_array_equal(LateralInhibition().fit_transform(profile[np.newaxis])[0, :, 0], [0, 0, 1, 0])


@pytest.mark.parametrize(("sample_rate", "period"), [(16000, 80), (22050, 110), (44100, 220), (48000, 240)])
def test_a_frame_has_the_nearest_whole_number_of_samples(sample_rate, period):
    response = RANDOM.standard_normal((1, 2, 10 * period))
    stage = LeakyIntegrator(sample_rate=sample_rate).fit(response)
    assert stage.frame_rate_hz_ == sample_rate / period
    assert stage.transform(response).shape == (1, 2, 10)


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (PowerLawCompression(0.0), ("compression=0.0", "above 0")),
        (PowerLawCompression([1.0, 2.0]), ("compression=[1.0, 2.0]", "5")),
        (PowerLawCompression(np.nan), ("compression=nan", "finite")),
        (LateralInhibition((1, 2, 3)), ("lateral_inhibition=(1, 2, 3)", "2")),
        (PowerLawCompression(["a"] * 5), ("compression=['a', 'a'", "numbers", "'a'")),
        (LateralInhibition(np.array([1, 1j])), ("lateral_inhibition=array([1.", "real numbers", "complex")),
        (LateralInhibition(("1", "b")), ("lateral_inhibition=('1', 'b')", "numbers")),
        (LeakyIntegrator(frame_rate_hz=16001), ("frame_rate_hz=16001", "sample_rate=16000", "lower it")),
        (LeakyIntegrator(integration_s=0), ("integration_s", "(0.0, inf)")),
    ],
)
def test_bad_parameters_are_named(stage, words):
    with error(ValueError, *words):
        clone(stage).fit(np.ones((1, 5, 160)))


def test_bad_responses_are_named():
    stage = PowerLawCompression().fit(np.ones((1, 5, 10)))
    with error(ValueError, "6 channels", "5"):
        stage.transform(np.ones((1, 6, 10)))
    with error(ValueError, "X[1]", "(6, 10)"):
        stage.transform([np.ones((5, 10)), np.ones((6, 10))])
    with error(ValueError, "(1, 5, 0)", "one sample"):
        stage.transform(np.ones((1, 5, 0)))
    with error(ValueError, "NaN"):
        stage.transform(np.full((1, 5, 10), np.nan))


@pytest.mark.parametrize("stage", RESPONSE_STAGES, ids=lambda s: type(s).__name__)
def test_rows_of_features_are_no_response(stage):
    wrong = error(ValueError, "X has shape (6, 71)", "n_samples", "pooling=None", "X[numpy.newaxis]")
    response = np.abs(RANDOM.standard_normal((6, 71, 80)))
    with wrong:
        stage.fit(response.mean(axis=-1))
    with wrong:
        stage.fit(response).transform(response.mean(axis=-1))
    with error(ValueError, "X[0] has shape (71,)", "n_channels"):
        stage.fit(list(response.mean(axis=-1)))
    stage.set_params(dtype="float64").fit(response)
    for alone, wanted in zip(stage.transform(list(response[:2].tolist())), stage.transform(response)):
        np.testing.assert_allclose(alone, wanted, atol=1e-12)


def test_rows_of_features_of_other_libraries_are_no_response():
    xp = pytest.importorskip("torch")
    with error(ValueError, "X has shape (6, 71)", "pooling=None"):
        PowerLawCompression().fit(xp.ones((6, 71)))


@pytest.mark.parametrize(
    "check",  # those that pass no array of two axes; parametrize_with_checks has none for three
    [
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_valid_tag_types,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
        estimator_checks.check_mixin_order,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
    ],
)
@pytest.mark.parametrize("stage", RESPONSE_STAGES, ids=lambda s: type(s).__name__)
def test_what_scikit_learn_checks_without_an_array(stage, check):
    check(type(stage).__name__, stage)


@pytest.mark.parametrize("stage", RESPONSE_STAGES, ids=lambda s: type(s).__name__)
def test_the_stages_say_that_they_take_three_axes(stage):
    tags = get_tags(stage).input_tags
    assert (tags.three_d_array, tags.two_d_array) == (True, False)


EVERY = [
    CochlearFilterbank(),
    PowerLawCompression(0.4),
    LateralInhibition((1, -0.9)),
    LeakyIntegrator(0.01),
    CorticalSTRF(8),
    StabilizedAuditoryImage(1000, frame_length=0.02),
    Pitchogram(1000, channel_frequencies_hz=50.0 * np.arange(1, 13)),
]
every_stage = pytest.mark.parametrize("stage", EVERY, ids=lambda stage: type(stage).__name__)


def heard(stage, n_samples, n_ears=None):
    """Two signals that a stage takes."""
    channels = () if isinstance(stage, CochlearFilterbank) else (12,)
    ears = () if n_ears is None else (n_ears,)
    return 0.1 * np.abs(np.random.default_rng(1).standard_normal((2, *ears, *channels, n_samples)).astype("float32"))


@every_stage
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_ears", [None, 2])
def test_chunks_give_the_bits_of_the_whole(monkeypatch, stage, n_ears, dtype):
    monkeypatch.setattr("skaud.design.cortical.LONGEST_RATE_FILTER", 64)
    n_samples = 12000 if isinstance(stage, CochlearFilterbank) else 700
    X, model = heard(stage, n_samples, n_ears), clone(stage).set_params(dtype=dtype)
    state, parts = model.fit(X).initial_state(2, n_ears), []
    cuts = np.sort(np.r_[0, 0, 1, np.random.default_rng(0).integers(0, n_samples, 7), n_samples])
    for begin, end in itertools.pairwise(cuts):
        part, state = model.transform_chunk(X[..., begin:end], state)
        parts.append(part)
    found, wanted = np.concatenate(parts, axis=-1), model.transform(X)
    np.testing.assert_array_equal(found, wanted[..., : found.shape[-1]])
    n_missing = (wanted.shape[-1] - found.shape[-1]) / model.frame_rate_hz_
    assert n_missing <= getattr(model, "latency_s_", 0)
    assert found.shape[-1] > 0


@every_stage
def test_every_stage_passes_the_dot_test(stage):
    clips = [heard(stage, n, 2)[0] for n in (170, 90)]
    for own in (
        stage,
        clone(stage).set_params(**{"frame_length": 0.002} if "frame_length" in stage.get_params() else {}),
    ):
        differences = dot_test(own, clips, output="features")
        assert set(differences) == {"X", *own.fit(clips).differentiable()}
        assert max(differences.values()) <= 1e-12


@every_stage
@pytest.mark.parametrize("n_ears", [None, 2])
def test_every_stage_pools_names_and_simulates(stage, n_ears):
    X = heard(stage, 400, n_ears)
    frames = stage.fit(X).transform(X)
    simulated = stage.simulate(X)
    np.testing.assert_array_equal(simulated[stage.output], frames)
    for own, whole in zip(stage.transform(list(X)), frames):
        np.testing.assert_array_equal(own, whole)
    pooled = clone(stage).set_params(pooling=("mean", "max")).fit(X)
    np.testing.assert_array_equal(pooled.transform(X), TemporalPooling(("mean", "max")).fit_transform(frames))
    names = pooled.get_feature_names_out()
    assert len(set(names)) == len(names) == pooled.transform(X).shape[1]
    assert names[0].startswith(f"{'' if n_ears is None else 'ear0_'}{stage.output}_")
    value, pullback = pooled.vjp(X)
    assert pullback(value)["X"].shape == X.shape


def test_a_single_channel_has_no_neighbour():
    with error(ValueError, "X has 1 channel", "2"):
        LateralInhibition().fit(np.ones((3, 1, 20)))


@pytest.mark.parametrize(
    ("bank", "words"),
    [
        (CochlearFilterbank((np.ones((129, 2)), "bc")), ("filters[1]='bc'", "numbers")),
        (CochlearFilterbank((np.ones((129, 2)), [[1.0], [1.0, 2.0]])), ("filters[1]=", "numbers")),
        (CochlearFilterbank(sample_rate=8000), ("sample_rate=8000", "16000")),
        (CochlearFilterbank("aud24.mat", sample_rate=44100), ("aud24.mat", "16000 Hz", "44100")),
        (CochlearFilterbank("missing.mat"), ("missing.mat", "path")),
        (CochlearFilterbank(np.ones((3, 129, 4))), ("3 parts", "(B, A)")),
    ],
)
def test_bad_filters_are_named(bank, words):
    with error(ValueError, *words):
        bank.fit(np.ones((1, 100)))
