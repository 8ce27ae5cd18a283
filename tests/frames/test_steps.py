"""What steps do to frames, and what holds for all of them."""

import pickle
from fractions import Fraction

import array_api_strict as strict
import numpy as np
import pytest
from audio_checks import error
from scipy.fft import dct
from sklearn.base import clone
from sklearn.pipeline import make_pipeline, make_union
from sklearn.utils.estimator_checks import parametrize_with_checks

from skaud import (
    CARFAC,
    CepstralCoefficients,
    CorticalSTRF,
    Deltas,
    LogCompression,
    ModulationSpectrum,
    PowerCompression,
    PowerLawCompression,
    TemporalPooling,
    datasets,
)

STEPS = [
    LogCompression(0.5),
    PowerCompression(0.4),
    CepstralCoefficients(3),
    Deltas(),
    Deltas(width=1, order=3, include_input=False),
    ModulationSpectrum([4.0, 50.0]),
]
ONE = pytest.mark.parametrize("step", STEPS, ids=str)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@parametrize_with_checks(STEPS)
def test_it_is_a_scikit_learn_transformer(estimator, check):
    check(estimator)


# What each does


def test_the_logarithm_is_linear_far_below_its_floor_and_a_step_a_factor_far_above():
    frames = np.array([[[1e-9, 2e-9, 1e3, 2e3, -5.0, 0.0]]])
    small, twice, large, larger, below, zero = LogCompression(floor=1e-2).fit_transform(frames)[0, 0]
    assert twice == pytest.approx(2 * small, rel=1e-6)
    assert larger - large == pytest.approx(np.log(2), rel=1e-5)
    assert below == zero == 0


def test_the_power_is_that_of_the_auditory_spectrogram():
    frames = noise(2, 3, 40)
    stage = PowerLawCompression(0.4, rms_one_db_spl=None, dtype="float64").fit(frames)
    np.testing.assert_array_equal(PowerCompression(0.4).fit_transform(frames), stage.transform(frames))


def test_cepstra_are_the_orthonormal_cosine_transform_across_channels():
    frames = noise(2, 3, 20, 7)  # with ears
    wanted = dct(frames, axis=-2, norm="ortho")[..., :5, :]
    np.testing.assert_allclose(CepstralCoefficients(5).fit_transform(frames), wanted, atol=1e-13)


def test_the_slope_of_a_straight_line_is_its_own_and_that_of_the_slope_is_none():
    line = np.arange(20.0) * 0.25 + 3
    frames = Deltas(width=3, order=2).fit_transform(line.reshape(1, 1, -1))[0]
    np.testing.assert_array_equal(frames[0], line)
    np.testing.assert_allclose(frames[1, 3:-3], 0.25)
    np.testing.assert_allclose(frames[2, 6:-6], 0, atol=1e-15)


@pytest.mark.parametrize("hz", [2.0, 8.0, 20.0])
def test_a_modulation_filter_passes_its_own_rate_halved_and_another_3_db_less_at_its_edge(hz):
    # A real sine is half a rotation; at the edge, 1 / (2 quality) away, the power is half.
    time_s = np.arange(6000) / 300
    for rate, wanted in ((hz, 0.5), (hz * (1 + 1 / 20), 0.5 / np.sqrt(2))):
        frames = np.sin(2 * np.pi * rate * time_s).reshape(1, 1, -1)
        step = ModulationSpectrum([hz], frame_rate_hz=300, quality=10.0).fit(frames)
        assert step.transform(frames)[0, 0, 0, -1500:].mean() == pytest.approx(wanted, rel=0.03)


# What holds for all


@ONE
def test_arrays_lists_and_ears_agree(step):
    frames = noise(3, 2, 4, 30)
    if isinstance(step, ModulationSpectrum) and frames.ndim > 4:
        pytest.skip("no filters of filters")
    together = step.fit(frames).transform(frames)
    for alone, ears in zip(together, step.transform([own[..., :] for own in frames])):
        np.testing.assert_array_equal(alone, ears)
    one_ear = clone(step).fit(frames[:, 0]).transform(frames[:, 0])
    np.testing.assert_array_equal(together[:, 0], one_ear)


@pytest.mark.parametrize("step", [*STEPS, TemporalPooling()], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_frames_in_another_byte_order_are_the_same_numbers(step, dtype):
    frames = noise(2, 5, 12).astype(dtype)
    swapped = frames.astype(frames.dtype.newbyteorder())
    wanted = step.fit(frames).transform(frames)
    for found in (step.transform(swapped), np.stack(step.transform(list(swapped))), step.fit_transform(swapped)):
        np.testing.assert_array_equal(found, wanted, strict=True)


@ONE
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_of_another_library_are_computed_by_it_to_the_same_numbers(step, dtype):
    frames = noise(2, 4, 30).astype(dtype)
    wanted = clone(step).fit(frames).transform(frames)
    assert wanted.dtype == dtype
    foreign = clone(step).fit(strict.asarray(frames))
    found = foreign.transform(strict.asarray(frames))
    assert type(found) is type(strict.asarray(frames))
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-5 if dtype == "float32" else 1e-12, atol=1e-6)
    value, pullback = foreign.vjp(strict.asarray(frames))
    bars = pullback(value)
    assert type(bars["X"]) is type(value)
    wanted = clone(step).fit(frames).vjp(frames)[1](wanted)["X"]
    np.testing.assert_allclose(np.asarray(bars["X"]), wanted, rtol=1e-4, atol=1e-4)


@ONE
def test_the_adjoint_is_that_of_central_differences(step):
    frames, direction = 0.3 + noise(2, 5, 12), noise(2, 5, 12, seed=1)
    step = clone(step).fit(frames)
    value, pullback = step.vjp(frames)
    bar = noise(*value.shape, seed=2)
    grads = pullback(bar)
    ahead, behind = (step.transform(frames + h * direction) for h in (1e-6, -1e-6))
    assert np.vdot(bar, (ahead - behind) / 2e-6) == pytest.approx(np.vdot(grads["X"], direction), rel=1e-6)
    for name in set(grads) - {"X"}:
        at = getattr(step, name)
        ahead, behind = (clone(step).set_params(**{name: at + h}).fit_transform(frames) for h in (1e-6, -1e-6))
        assert np.vdot(bar, (ahead - behind) / 2e-6) == pytest.approx(float(grads[name]), rel=1e-6)


@ONE
def test_the_adjoint_takes_lists_and_one_frame(step):
    frames = [noise(4, 1), noise(4, 9)]
    value, pullback = clone(step).fit(frames).vjp(frames, wrt="X")
    grads = pullback(value)
    assert list(grads) == ["X"]
    assert [own.shape for own in grads["X"]] == [own.shape for own in frames]


@ONE
@pytest.mark.parametrize("borders", [(10,), (1, 2, 3, 20), range(1, 40)], ids=str)
def test_a_stream_is_the_whole_to_the_bit_but_for_the_frames_it_waits_for(step, borders):
    frames = noise(2, 4, 40).astype(np.float32)
    step = clone(step).fit(frames)
    state, chunks = step.initial_state(2), []
    for chunk in np.split(frames, list(borders), axis=-1):
        chunk, state = step.transform_chunk(chunk, state)
        chunks.append(chunk)
    chunk, state = step.transform_chunk(frames[..., :0], state)
    assert chunk.shape[-1] == 0
    whole = step.transform(frames)
    np.testing.assert_array_equal(np.concatenate(chunks, axis=-1), whole[..., : 40 - step.latency_frames_])


@ONE
def test_a_signal_is_the_same_alone_and_among_others_and_the_fit_keeps_its_parameters(step):
    frames = [noise(4, n, seed=n) for n in (30, 7, 12)]
    step = clone(step).fit(frames)
    together = step.transform(frames)
    for i, own in enumerate(frames):
        np.testing.assert_array_equal(step.transform([own])[0], together[i])
    copied = pickle.loads(pickle.dumps(step))
    np.testing.assert_array_equal(copied.transform(frames)[1], together[1])
    name = next(iter(step.get_params()))
    step.set_params(**{name: 1})
    np.testing.assert_array_equal(step.transform(frames)[1], together[1])


# Names


def test_a_number_of_any_kind_is_the_same_number_as_pythons():
    frames = noise(2, 5, 12).astype("float32")
    for given, plain in (
        (LogCompression(np.float32(0.1)), LogCompression(float(np.float32(0.1)))),
        (PowerCompression(Fraction(1, 3)), PowerCompression(1 / 3)),
        (CepstralCoefficients(np.uint8(3)), CepstralCoefficients(3)),
        (Deltas(np.int8(2), np.array(1)), Deltas(2, 1)),
        (ModulationSpectrum([4, 50], frame_rate_hz=np.float16(100)), ModulationSpectrum([4, 50], frame_rate_hz=100)),
    ):
        np.testing.assert_array_equal(given.fit_transform(frames), plain.fit_transform(frames), strict=True)
    with error(ValueError, "width=True must be a number"):
        Deltas(True).fit(frames)


def test_names_tell_channel_coefficient_statistic_and_part_with_frequencies():
    X = datasets.make_tone([500], duration_s=0.1, sample_rate=22050)
    steps = (CARFAC(pooling=None), LogCompression(), CepstralCoefficients(2), Deltas(), TemporalPooling({"mean": 2}))
    names = make_pipeline(*steps).fit(X).get_feature_names_out()
    stem = "log_nap_31to9371hz_cepstrum"
    wanted = [f"{delta}{stem}{k}_mean_part{part}of2" for part in (1, 2) for delta in ("", "delta_") for k in (0, 1)]
    assert list(names) == wanted


def test_modulation_rates_that_are_near_have_names_of_their_own():
    step = ModulationSpectrum((2, 2.0000001)).fit(np.zeros((1, 1, 3)))
    assert list(step.get_feature_names_out(["nap"])) == ["modulation2hz_nap", "modulation2.0000001hz_nap"]


def test_filters_and_ears_stand_outside_channels_in_names():
    frames = noise(1, 2, 3, 20)
    step = ModulationSpectrum([4.0, 50.0]).fit(frames)
    names = step.get_feature_names_out([f"ear{e}_nap_{hz}hz" for e in range(2) for hz in (100, 200, 300)])
    assert list(names[2:5]) == [
        "modulation4hz_ear0_nap_300hz",
        "modulation50hz_ear0_nap_100hz",
        "modulation50hz_ear0_nap_200hz",
    ]
    cepstra = CepstralCoefficients(1).fit(step.transform(frames))
    assert list(cepstra.get_feature_names_out(names)) == [
        f"modulation{hz}hz_ear{e}_nap_100to300hz_cepstrum0" for e in range(2) for hz in (4, 50)
    ]


def test_a_union_joins_pipelines_of_steps_behind_a_model():
    X = datasets.make_tone([500, 700], duration_s=0.1, sample_rate=22050)
    branches = make_union(
        make_pipeline(LogCompression(), CepstralCoefficients(4), TemporalPooling("mean")),
        make_pipeline(CorticalSTRF(8, frame_rate_hz=100), CepstralCoefficients(2), TemporalPooling("std")),
    )
    pipeline = make_pipeline(CARFAC(pooling=None), branches).fit(X)
    assert pipeline.transform(X).shape == (2, 4 + 8 * 2)
    names = pipeline.get_feature_names_out()
    assert names[0] == "pipeline-1__log_nap_31to9371hz_cepstrum0_mean"
    assert names[4] == "pipeline-2__cortical_rate+2.0_scale0.25_nap_31to9371hz_cepstrum0_std"


# Bad input


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (LogCompression(0), ("'floor'", "Got 0")),
        (PowerCompression(-1), ("'exponent'", "Got -1")),
        (CepstralCoefficients(5), ("n_coefficients=5", "4", "lower it")),
        (Deltas(0), ("'width'", "Got 0")),
        (ModulationSpectrum([60.0]), ("modulation_hz=[60.0]", "50 Hz")),
        (ModulationSpectrum([]), ("modulation_hz=[]", "one rate or several")),
        (ModulationSpectrum(["a"]), ("modulation_hz=['a']", "must hold real numbers")),
    ],
    ids=str,
)
def test_bad_parameters_are_refused(step, words):
    with error(ValueError, *words):
        step.fit(noise(2, 4, 9))


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ([], ("no signals",)),
        (noise(4, 9), ("shape (4, 9)", "pooling=None", "X[numpy.newaxis]")),
        ([noise(4, 9), noise(3, 9)], ("X[1]", "(3,)", "(4,)")),
        ([noise(4, 9) * np.nan], ("X[0]", "NaN")),
        ([noise(4, 9) * 1j], ("X[0] is complex128", "real")),
        ([noise(4, 0)], ("X[0]", "at least 1 frame")),
    ],
)
def test_bad_frames_are_refused(X, words):
    with error(ValueError, *words):
        LogCompression().fit(X)


def test_channels_and_names_are_those_of_fit():
    step = LogCompression().fit(noise(2, 4, 9))
    with error(ValueError, "X[0] has frames of shape (3,)", "fit had (4,)"):
        step.transform(noise(2, 3, 9))
    with error(ValueError, "input_features has 3 names"):
        step.get_feature_names_out(["a", "b", "c"])
    for value in (0, True):
        with error(ValueError, f"n_signals={value}"):
            step.initial_state(value)
    with error(ValueError, "state belongs to"):
        step.transform_chunk(noise(1, 4, 9), LogCompression(2).fit(noise(2, 4, 9)).initial_state())


def test_frames_and_derivatives_that_are_not_finite_are_refused_by_name():
    frames, step = np.full((1, 2, 3), 2.0), PowerCompression(1e300)
    with pytest.raises(ValueError, match=r"X\[0\] has frames up to 2, beyond what PowerCompression\(exp"):
        step.fit(frames).transform(frames)
    with pytest.raises(ValueError, match=r"X\[0\]"):
        step.transform_chunk(frames, step.initial_state())
    _, pullback = PowerCompression(3.0).fit(frames).vjp(frames)
    with pytest.raises(ValueError, match=r"derivatives through PowerCompression\(exponent=3.0\) are not finite"):
        pullback(np.full((1, 2, 3), 1e308))
