"""King et al. (2019): the published program's numbers, each stage alone, derivatives, streams."""

import itertools

import audio_checks as checks
import numpy as np
import pytest
from scipy import signal

from skaud import Compression, HairCellEnvelope, King2019, Learn, ModulationBandpass
from skaud.testing import checks as shipped
from skaud.testing import dot_test

RATE = 44100
SMALL = {"low_hz": 500, "high_hz": 1000}
OUTPUTS = ("filterbank", "compression", "hair_cell", "adaptation", "modulation")


@pytest.fixture(scope="module", name="amt")
def golden_numbers(golden):
    return {k.removeprefix("default/"): v for k, v in golden("king2019_amt.npz").items()}


@pytest.fixture(scope="module", name="simulated")
def responses(amt):
    model = King2019(phase="signed", dtype="float64").fit(amt["x"][np.newaxis])
    np.testing.assert_allclose(model.channel_frequencies_hz_, amt["fc"], rtol=1e-12)
    np.testing.assert_allclose(model.stages_.modulation.modulation_frequencies_hz_, amt["mfc"], rtol=1e-12)
    return {name: response[0] for name, response in model.simulate(amt["x"][np.newaxis]).items()}


def _noise(*shape, seed=0):
    return 0.02 * np.random.default_rng(seed).standard_normal(shape)


def _largest_error(found, wanted):
    return np.abs(found - wanted).max() / np.abs(wanted).max()


# --- the published program, whose responses are held by tests/testing/test_conformance.py ---


def test_recursions_are_those_of_scipy(simulated):
    b, a = signal.butter(1, 1000, fs=RATE)
    hair_cell = signal.lfilter(b, a, np.maximum(simulated["compression"], 0))
    assert _largest_error(simulated["hair_cell"], hair_cell) < 1e-12
    b, a = signal.butter(1, 3, "highpass", fs=RATE)
    assert _largest_error(simulated["adaptation"], signal.lfilter(b, a, simulated["hair_cell"])) < 1e-12
    for k, hz in enumerate(ModulationBandpass().fit(np.zeros((1, 1, 9))).modulation_frequencies_hz_):
        edges = hz * np.sqrt(5) / 2 + np.array([-0.5, 0.5]) * hz
        sos = signal.butter(2, edges, "bandpass", fs=RATE, output="sos")
        found = simulated["modulation"][k::5]
        assert _largest_error(found, signal.sosfilt(sos, simulated["adaptation"])) < 1e-7, f"{hz:.3g} Hz"


# --- facts about the stages ---


@pytest.mark.parametrize("kind", ["broken_stick", "power"])
def test_compression_keeps_signs_and_meets_itself_at_the_knee(kind):
    knee = 10 ** ((30 - 93.98) / 20)
    x = np.array([-100, -1, -0.1, 0, 0.1, 1, 100]).reshape(1, 1, -1) * knee
    y = Compression(compression=kind, dtype="float64").fit_transform(x).ravel() / knee
    below = 0.1 if kind == "broken_stick" else 0.1**0.3
    np.testing.assert_allclose(y, [-(100**0.3), -1, -below, 0, below, 1, 100**0.3], rtol=1e-12)


@pytest.mark.parametrize("kind", ["broken_stick", "power"])
def test_slopes_of_the_compression_are_finite_everywhere(kind):
    knee = 10 ** ((30 - 93.98) / 20)
    x = np.array([0.0, knee, -knee, 1e-30, 3 * knee]).reshape(1, 1, -1)
    stage = Compression(compression=kind, dtype="float64").fit(x)
    value, pullback = stage.vjp(x, wrt="X")
    slopes = pullback(np.ones_like(value))["X"].ravel()
    assert np.isfinite(slopes).all()
    at_knee = 1 if kind == "broken_stick" else 0.3
    np.testing.assert_allclose(slopes[[1, 2, 4]], [at_knee, at_knee, 0.3 * 3**-0.7], rtol=1e-12)
    assert slopes[0] == (1 if kind == "broken_stick" else 0)


def test_an_envelope_is_the_magnitude_of_which_the_signed_response_is_the_real_part():
    x = _noise(1, 2, 4000)
    insensitive = ModulationBandpass(dtype="float64").fit_transform(x).reshape(2, 5, -1)
    signed = ModulationBandpass(phase="signed", dtype="float64").fit_transform(x).reshape(2, 5, -1)
    np.testing.assert_array_equal(insensitive[:, :2], signed[:, :2])  # up to 10 Hz
    assert (insensitive[:, 2:] >= np.abs(signed[:, 2:]) * (1 - 1e-12)).all()
    t = np.arange(2 * RATE) / RATE
    tone = np.sin(2 * np.pi * 35.9 * t).reshape(1, 1, -1)
    steady = ModulationBandpass(dtype="float64").fit_transform(tone)[0, 3, RATE:]
    assert 0.8 < steady.min() < steady.max() < 1.05  # the ripple of a filter as wide as this


def test_float32_follows_float64_at_the_lowest_filter():
    x = _noise(1, 1, RATE)
    single, double = (ModulationBandpass(phase="signed", dtype=d).fit_transform(x)[0] for d in ("float32", "float64"))
    for k in range(5):
        assert _largest_error(single[k], double[k]) < 1e-4


def test_a_channel_may_have_an_exponent_of_its_own():
    X = _noise(1, 2000)
    n_channels = King2019(RATE, **SMALL).fit(X).n_channels_
    exponents = np.linspace(0.2, 0.9, n_channels)
    whole = King2019(RATE, **SMALL, compression_exponent=exponents, dtype="float64").fit(X).simulate(X)
    for c in range(n_channels):
        own = Compression(compression_exponent=exponents[c], dtype="float64")
        alone = own.fit_transform(whole["filterbank"][:, c : c + 1])
        np.testing.assert_array_equal(whole["compression"][:, c : c + 1], alone)
    with checks.error(ValueError, "compression_exponent has 2 numbers", f"{n_channels} channels"):
        King2019(RATE, **SMALL, compression_exponent=[0.3, 0.4]).fit(X)


def test_without_compression_the_hair_cells_take_the_filterbank():
    X = _noise(1, 2000)
    model = King2019(RATE, **SMALL, compression=None, dtype="float64").fit(X)
    responses = model.simulate(X)
    assert "compression" not in responses
    hair_cell = HairCellEnvelope(hair_cell="dau1996", dtype="float64").fit_transform(responses["filterbank"])
    np.testing.assert_array_equal(responses["hair_cell"], hair_cell)


# --- derivatives and streams ---


@pytest.mark.parametrize("output", OUTPUTS)
def test_adjoint_of_every_output(output):
    random = np.random.default_rng(0)
    X = 0.02 * random.standard_normal((2, 700))
    for phase in ("signed", "insensitive") if output == "modulation" else ("signed",):
        model = King2019(
            RATE,
            **SMALL,
            phase=phase,
            output=output,
            modulation_n_filters=3,
            modulation_low_pass_hz=150,
            frame_length=0.003,
        )
        for kind in (output, "features"):
            differences = dot_test(model, X, output=kind)
        assert {"X", "compression_exponent", "modulation_q", "modulation_high_hz", "adaptation_corner_hz"} <= {
            *differences
        }


@pytest.mark.parametrize("compression", ["power", None])
def test_adjoint_with_other_compression(compression):
    dot_test(King2019(RATE, **SMALL, compression=compression), _noise(1, 500))


@pytest.mark.parametrize("frame_length", [None, 0.004])
@pytest.mark.parametrize("output", OUTPUTS)
def test_chunks_are_the_whole(output, frame_length):
    X = _noise(2, 2, 3000)
    model = King2019(RATE, **SMALL, output=output, pooling=None, frame_length=frame_length).fit(X)
    state, parts = model.initial_state(2, 2), []
    for begin, end in itertools.pairwise([0, 1, 500, 500, 2001, 3000]):
        part, state = model.transform_chunk(X[..., begin:end], state)
        parts.append(part)
    np.testing.assert_array_equal(np.concatenate(parts, axis=-1), model.transform(X))


@pytest.mark.parametrize(
    "check",
    [
        shipped.check_padding_changes_nothing,
        shipped.check_order_changes_nothing,
        shipped.check_n_jobs_changes_nothing,
        shipped.check_batch_changes_nothing,
        shipped.check_ears_in_arrays_and_lists_agree,
        checks.check_20_db_more_are_10_times_the_pressure,
        shipped.check_float32_follows_float64,
        shipped.check_clones_and_pickles_give_the_same,
        shipped.check_names_belong_to_features,
        shipped.check_pandas_output,
        shipped.check_pooling_step_equals_pooling_inside,
    ],
    ids=lambda check: check.__name__.removeprefix("check_"),
)
def test_what_holds_for_all_models(check):
    check(King2019(22050, **SMALL))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_learning_moves_the_exponent():
    X = np.concatenate([_noise(6, 2000), 8 * _noise(6, 2000, seed=1)])
    learn = Learn("compression_exponent", max_iter=5)
    model = King2019(RATE, **SMALL, learn=learn, pooling="mean", output="adaptation")
    model.fit(X, np.repeat([0, 1], 6))
    assert model.compression_exponent_ != 0.3
    assert model.loss_curve_[-1] < model.loss_curve_[0]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (
            {"modulation_high_hz": 20000, "modulation_n_filters": 2},
            ("modulation_high_hz=20000", "half the sample rate", "lower it"),
        ),
        ({"modulation_low_hz": 200}, ("modulation_low_hz=200", "modulation_high_hz=150")),
        ({"compression_exponent": -1}, ("compression_exponent",)),
        ({"compression_knee_db": 999}, ("compression_knee_db=999", "-200 and 200")),
        ({"adaptation_corner_hz": 30000}, ("adaptation_corner_hz=30000", "half the sample rate")),
    ],
)
def test_parameters_that_make_no_model_are_refused(parameters, words):
    with checks.error(ValueError, *words):
        King2019(RATE, **parameters).fit(_noise(1, 100))
