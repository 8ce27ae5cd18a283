"""The dot test, and what passes it."""

import numpy as np
import pytest
from scipy import signal
from sklearn.base import BaseEstimator, clone

from skaud import CARFAC, CorticalSTRF, TemporalPooling
from skaud.design.carfac import IHC_STYLES
from skaud.testing import dot_test

SOUND = 0.1 * np.random.default_rng(0).standard_normal((2, 300))
EARS = 0.1 * np.random.default_rng(1).standard_normal((1, 2, 300))


@pytest.mark.parametrize("use_delay_buffer", [False, True])
@pytest.mark.parametrize("open_loop", [False, True])
@pytest.mark.parametrize("ihc_style", IHC_STYLES)
@pytest.mark.parametrize("X", [SOUND, EARS], ids=["one ear", "two ears"])
def test_the_nap_has_an_adjoint_for_every_parameter(X, ihc_style, open_loop, use_delay_buffer):
    model = CARFAC(ihc_style=ihc_style, open_loop=open_loop, use_delay_buffer=use_delay_buffer, ohc_health=0.8)
    differences = dot_test(model, X)
    assert set(differences) >= {"X", "ohc_health", "velocity_scale", "v_offset", "min_zeta", "max_zeta"}
    assert set(differences) >= {"agc_time_constants_s", "agc_stage_gain", "agc_mix_coeff"}
    assert max(differences.values()) <= 1e-12


@pytest.mark.parametrize("output", ["bm", "receptor_potential", "agc", "ohc", "spikes_per_s", "features"])
@pytest.mark.parametrize("ihc_style", IHC_STYLES)
def test_every_output_has_an_adjoint(ihc_style, output):
    model = CARFAC(ihc_style=ihc_style, ohc_health=np.linspace(0.5, 1, 71)).fit(SOUND)
    if output in (*model.available_outputs(), "features"):
        assert max(dot_test(model, SOUND, output=output).values()) <= 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("use_delay_buffer", [False, True], ids=["ripple", "delay buffer"])
@pytest.mark.parametrize("open_loop", [False, True], ids=["closed loop", "open loop"])
@pytest.mark.parametrize("ihc_style", IHC_STYLES)
def test_every_output_has_an_adjoint_in_every_mode(ihc_style, open_loop, use_delay_buffer):
    model = CARFAC(
        8000,
        erb_per_step=1,
        ihc_style=ihc_style,
        open_loop=open_loop,
        use_delay_buffer=use_delay_buffer,
        frame_length=0.004,
    )
    # The exponential of the hair cell's sigmoid is its own derivative to 1e-12 alone.
    limit = 2e-12 if ihc_style == "two_cap" and not open_loop else 1e-12
    for X in (SOUND[:, :100], EARS[..., :100]):
        n_channels = model.fit(X).n_channels_
        model.set_params(ohc_health=np.linspace(0.5, 1, n_channels))
        for output in model.available_outputs():
            assert max(dot_test(model, X, output=output, rtol=limit).values()) <= limit
            if output != "spikes_per_s":  # which transform cannot return
                features = clone(model).set_params(output=output)
                assert max(dot_test(features, X, output="features", rtol=limit).values()) <= limit


@pytest.mark.parametrize(
    "parameters",
    [
        {"sample_rate": 16000},  # the first decimation is lowered
        {"erb_per_step": 2.2},  # one group of lanes
        {"min_pole_hz": 20.0, "erb_per_step": 0.45},
        {"agc_time_constants_s": (0.002,), "agc_decimation": (8,), "agc1_scales": (1.0,), "agc2_scales": (1.65,)},
        {"agc_decimation": (7, 3, 1, 2)},
        {"linear_car": True},
        {"rms_one_db_spl": 94.0},
        {"frame_length": 0.1, "output": "bm"},  # longer than the sound
        {"output": "receptor_potential"},
    ],
    ids=str,
)
def test_other_designs_have_an_adjoint(parameters):
    model = CARFAC(**parameters)
    names = ("X", "ohc_health", "max_zeta", "tau1_in", "agc_time_constants_s", "agc_stage_gain")
    assert max(dot_test(model, EARS, wrt=names, output="features").values()) <= 1e-12


@pytest.mark.parametrize(
    "n_fibers",
    [None, (40, 20, 10), lambda hz: np.outer(hz / hz.max(), [50, 35, 25])],
    ids=["default", "tuple", "function"],
)
def test_the_fibres_have_an_adjoint(n_fibers):
    model = CARFAC(ihc_style="two_cap_with_syn", n_fibers=n_fibers)
    for output in ("nap", "spikes_per_s"):
        assert dot_test(model, SOUND, wrt=["n_fibers"], output=output)["n_fibers"] <= 1e-12


def test_the_sound_and_every_parameter_are_differentiated_unless_some_are_named():
    model = CARFAC(ihc_style="one_cap").fit(SOUND)
    value, pullback = model.vjp(SOUND)
    assert set(pullback(value)) == {"X", *model.differentiable()}
    assert set(model.vjp(SOUND, wrt="v_offset")[1](value)) == {"v_offset"}


def test_clips_of_different_lengths_are_differentiated_as_if_alone():
    clips = [SOUND[0], SOUND[1, :123], SOUND[1]]
    model = CARFAC(dtype="float64", pooling="mean").fit(clips)
    value, pullback = model.vjp(clips, wrt=["X", "v_offset"])
    grads = pullback(np.ones_like(value))
    alone = [model.vjp([clip], wrt=["X", "v_offset"])[1](np.ones((1, 71))) for clip in clips]
    for i, clip in enumerate(clips):
        assert grads["X"][i].shape == clip.shape
        np.testing.assert_allclose(grads["X"][i], alone[i]["X"][0], rtol=1e-13, atol=1e-15)
    assert grads["v_offset"] == pytest.approx(sum(grad["v_offset"] for grad in alone), rel=1e-12)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("output", ["nap", "features"])
def test_signals_of_a_large_batch_are_differentiated_as_if_alone(output, n_jobs):
    X = 0.1 * np.random.default_rng(2).standard_normal((6, 150))  # more than run side by side
    model = CARFAC(n_jobs=n_jobs).fit(X)
    value, pullback = model.vjp(X, wrt=["X", "ohc_health"], output=output)
    value_bar = np.random.default_rng(3).standard_normal(value.shape)
    grads = pullback(value_bar)
    alone = []
    for i in range(len(X)):
        own_value, own_pullback = model.vjp(X[i : i + 1], wrt=["X", "ohc_health"], output=output)
        np.testing.assert_array_equal(value[i], own_value[0])
        alone.append(own_pullback(value_bar[i : i + 1]))
        np.testing.assert_allclose(grads["X"][i], alone[i]["X"][0], rtol=1e-6, atol=1e-7 * np.abs(grads["X"]).max())
    assert grads["ohc_health"] == pytest.approx(sum(grad["ohc_health"] for grad in alone), rel=1e-5)


@pytest.mark.parametrize("output", ["nap", "receptor_potential"])
def test_derivatives_are_the_same_to_the_bit_for_any_number_of_threads(output):
    X = 0.1 * np.random.default_rng(2).standard_normal((21, 90))
    grads = []
    for n_jobs in (None, 1, 2, 3):
        model = CARFAC(8000, erb_per_step=1, n_jobs=n_jobs).fit(X)
        value, pullback = model.vjp(X, wrt=["X", "ohc_health", "tau1_out"], output=output)
        grads.append(pullback(value))
    for other in grads[1:]:
        for name, grad in grads[0].items():
            np.testing.assert_array_equal(other[name], grad, err_msg=name)


@pytest.mark.parametrize("frame_length", [None, 0.002])
@pytest.mark.parametrize("output", ["nap", "bm"])
def test_the_value_is_what_transform_and_simulate_return(output, frame_length):
    model = CARFAC(output=output, frame_length=frame_length).fit(SOUND)
    np.testing.assert_array_equal(model.vjp(SOUND)[0], model.transform(SOUND))
    np.testing.assert_array_equal(model.vjp(SOUND, output=output)[0], model.simulate(SOUND, output)[output])


class WrongAdjoint(CARFAC):
    def vjp(self, X, wrt=("X",), output="features"):
        value, pullback = super().vjp(X, wrt, output)
        return value, lambda bar: {name: 2 * grad for name, grad in pullback(bar).items()}


def test_a_wrong_adjoint_fails_with_both_inner_products():
    with pytest.raises(AssertionError, match=r"<value_bar, J d> = .*, <J\^T value_bar, d> = .*; they differ by 5"):
        dot_test(WrongAdjoint(), SOUND, wrt=["v_offset"])


def test_one_name_may_stand_alone_and_unknown_ones_are_refused_as_by_vjp():
    assert set(dot_test(CARFAC(8000, erb_per_step=1), SOUND, wrt="v_offset")) == {"v_offset"}
    with pytest.raises(ValueError, match=r"wrt has 'tau_in'; .* CARFAC has derivatives with respect to 'X' and"):
        dot_test(CARFAC(8000, erb_per_step=1), SOUND, wrt="tau_in")
    with pytest.raises(ValueError, match="'spikes_per_s'"):
        dot_test(CARFAC(8000, erb_per_step=1), SOUND, output="spikes_per_s")


class OnePole(BaseEstimator):
    """A stage of one's own: leaky integration, for arrays, and for lists of clips."""

    def __init__(self, decay=0.9, gain=(1.0, 2.0), factor=1.0):
        self.decay = decay
        self.gain = gain
        self.factor = factor  # of the derivative by the decay: 1 is right

    def fit(self, X, y=None):
        return self

    def _respond(self, x, decay, gain):
        return np.multiply.outer(gain, signal.lfilter([1], [1, -decay], x))

    def vjp(self, X):
        clips = X if isinstance(X, list) else [X]
        values = [self._respond(x, self.decay, np.asarray(self.gain)) for x in clips]

        def pullback(value_bar):
            grads = {"X": [], "decay": 0.0, "gain": 0.0}
            for x, value, bar in zip(clips, values, value_bar if isinstance(X, list) else [value_bar]):
                response = signal.lfilter([1], [1, -self.decay], x)
                along = np.tensordot(self.gain, bar, 1)
                x_bar = signal.lfilter([1], [1, -self.decay], along[..., ::-1])[..., ::-1]
                grads["X"].append(x_bar)
                grads["decay"] += self.factor * (x_bar[..., 1:] * response[..., :-1]).sum()
                grads["gain"] = grads["gain"] + (bar * response).sum(axis=tuple(range(1, value.ndim)))
            return grads | {"X": grads["X"] if isinstance(X, list) else grads["X"][0]}

        return values if isinstance(X, list) else values[0], pullback

    def jvp(self, X, directions):
        step, is_list = 1e-30, isinstance(X, list)
        decay = self.decay + 1j * step * directions.get("decay", 0.0)
        gain = np.asarray(self.gain) + 1j * step * np.asarray(directions.get("gain", np.zeros(2)))
        clips = X if is_list else [X]
        moves = directions.get("X", [np.zeros(np.shape(x)) for x in X] if is_list else np.zeros(np.shape(X)))
        moves = moves if is_list else [moves]
        values = [self._respond(x + 1j * step * d, decay, gain).imag / step for x, d in zip(clips, moves)]
        return values if is_list else values[0]


@pytest.mark.parametrize("X", [SOUND, list(EARS[0]), [SOUND[0], SOUND[1, :50]]], ids=["array", "list", "two lengths"])
def test_stages_of_ones_own_are_tested(X):
    differences = dot_test(OnePole(), X)
    assert set(differences) == {"X", "decay", "gain"}
    assert max(differences.values()) <= 1e-12
    assert set(dot_test(OnePole(factor=1.01), X, wrt=["X", "gain"])) == {"X", "gain"}
    with pytest.raises(AssertionError, match="OnePole, features with respect to decay"):
        dot_test(OnePole(factor=1.01), X)


def test_errors_of_stages_of_ones_own_are_named():
    with pytest.raises(ValueError, match=r"wrt has 'gian'; .* OnePole has derivatives .* \('decay', 'gain'\)"):
        dot_test(OnePole(), SOUND, wrt="gian")
    with pytest.raises(ValueError, match="output='nap' must be None or 'features': OnePole"):
        dot_test(OnePole(), SOUND, output="nap")


@pytest.mark.parametrize(
    ("estimator", "lacks"),
    [(TemporalPooling(), "vjp and no jvp"), (object(), "get_params")],
)
def test_what_an_estimator_lacks_is_named(estimator, lacks):
    with pytest.raises(TypeError, match=f"{type(estimator).__name__} has no {lacks}.*jvp\\(X, directions\\)"):
        dot_test(estimator, SOUND)


@pytest.mark.parametrize("response", ["real", "magnitude", "complex"])
@pytest.mark.parametrize("n_frames", [20, 2100], ids=["one block", "blocks"])
def test_the_cortical_stage_has_an_adjoint(response, n_frames):
    frames = np.random.default_rng(4).standard_normal((2, 9, n_frames))
    cortex = CorticalSTRF(scales_cycles_per_octave=[0.7, 3.0], rates_hz=[5.0, -9.0], response=response)
    for X in (frames, frames[:, np.newaxis], [frames[0], frames[1, :, :15]]):
        differences = dot_test(cortex, X)
        assert set(differences) == {"X", "scales_cycles_per_octave", "rates_hz"}
        assert max(differences.values()) <= 1e-12


def test_unknown_names_are_refused():
    model = CARFAC().fit(SOUND)
    with pytest.raises(ValueError, match="wrt has 'tau_in'"):
        model.vjp(SOUND, wrt="tau_in")
    with pytest.raises(ValueError, match="'spikes_per_s'"):
        model.vjp(SOUND, output="spikes_per_s")
    _, pullback = model.vjp(SOUND)
    with pytest.raises(ValueError, match="value_bar has shapes"):
        pullback(np.ones((2, 3)))
    for wrong in (1.0, np.array(1.0)):
        with pytest.raises(ValueError, match=r"value_bar has no shape, it is .*1.* \[\(284,\), \(284,\)\]"):
            pullback(wrong)


@pytest.mark.parametrize("n_jobs", [0, 1.5])
def test_numbers_of_jobs_that_mean_nothing_are_refused_in_fit(n_jobs):
    with pytest.raises(ValueError, match="'n_jobs' parameter of CARFAC must be"):
        CARFAC(n_jobs=n_jobs).fit(SOUND)
