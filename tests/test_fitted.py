"""What a fitted estimator goes by: the parameters of its last fit. What an unfitted one can do without."""

import inspect
import pickle

import numpy as np
import pytest
from audio_checks import assert_same, error, make_clips
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

import skaud
from skaud import (
    CARFAC,
    AdaptationHighPass,
    AdaptationLoops,
    Audiogram,
    AuditorySpectrogram,
    BiomimeticFrontend,
    CepstralCoefficients,
    CochlearFilterbank,
    Compression,
    CorticalSTRF,
    Dau1997,
    Deltas,
    FeaturePipeline,
    GammatoneFilterbank,
    HairCellEnvelope,
    HeadphoneFilter,
    King2019,
    LateralInhibition,
    LeakyIntegrator,
    Learn,
    LogCompression,
    MiddleEarFilter,
    ModulationBandpass,
    ModulationFilterbank,
    ModulationSpectrum,
    Osses2021,
    Pitchogram,
    PowerCompression,
    PowerLawCompression,
    StabilizedAuditoryImage,
    TemplateObserver,
    TemporalPooling,
    ToNumpy,
)
from skaud.estimator import responses
from skaud.estimator.base import AudioTransformer
from skaud.interop.torch import as_module

SOUND = np.stack(make_clips((0.015, 0.015), sample_rate=16000))
RESPONSE = np.abs(np.random.default_rng(0).standard_normal((2, 3, 240)))
Y = np.array([0, 1])
GAINS = {"frequencies_hz": [100, 3000], "gains_db": [0.0, 5.0]}

ESTIMATORS = [
    CARFAC(8000, ihc_style="two_cap_with_syn"),
    Osses2021(8000, low_hz=1000),
    Dau1997(8000, low_hz=1000),
    King2019(8000, low_hz=1000),
    Compression(8000),
    AdaptationHighPass(8000),
    ModulationBandpass(8000),
    AuditorySpectrogram(),
    BiomimeticFrontend(n_strfs=8),
    HeadphoneFilter(8000),
    MiddleEarFilter(8000),
    GammatoneFilterbank(8000, low_hz=1000),
    HairCellEnvelope(8000),
    AdaptationLoops(8000),
    ModulationFilterbank(8000, low_hz=1000, high_hz=1400),
    CochlearFilterbank(),
    PowerLawCompression(),
    LateralInhibition(),
    LeakyIntegrator(),
    CorticalSTRF(8),
    StabilizedAuditoryImage(8000, max_lag_s=0.005, frame_length=0.01, trigger_window_s=0.005),
    Pitchogram(8000, max_lag_s=0.005, frame_length=0.01, trigger_window_s=0.005),
    LogCompression(),
    PowerCompression(),
    CepstralCoefficients(2),
    Deltas(),
    ModulationSpectrum([2.0, 40.0]),
    TemporalPooling(),
]

# Another value of every parameter, which changes what the estimator does, or would if it learned.
OTHER = {
    "sample_rate": 16000,
    "ihc_style": "two_cap",
    "ohc_health": 0.5,
    "n_fibers": (20, 20, 20),
    "use_delay_buffer": True,
    "linear_car": True,
    "open_loop": True,
    "output": "bm",
    "pooling": ("max", "p90"),
    "frame_length": 0.004,
    "rms_one_db_spl": 90.0,
    "velocity_scale": 0.2,
    "v_offset": 0.05,
    "min_zeta": 0.12,
    "max_zeta": 0.3,
    "first_pole_theta": 0.8 * np.pi,
    "zero_ratio": 1.5,
    "high_f_damping_compression": 0.4,
    "erb_per_step": 0.6,
    "min_pole_hz": 40.0,
    "erb_break_hz": 170.0,
    "erb_q": 9.0,
    "ac_corner_hz": 30.0,
    "tau_lpf": 90e-6,
    "tau_out": 0.6e-3,
    "tau_in": 9e-3,
    "tau1_out": 0.6e-3,
    "tau1_in": 0.3e-3,
    "tau2_out": 2e-3,
    "tau2_in": 9e-3,
    "healthy_n_fibers": (60, 40, 30),
    "ihcs_per_channel": 9,
    "spont_rates": (40, 5, 2),
    "saturated_rate": 210.0,
    "sat_reservoir": 0.3,
    "v_width": 0.03,
    "reservoir_tau": 30e-3,
    "syn_tau_lpf": 90e-6,
    "agc_weights": (1e-5, 1e-5, 1e-5),
    "agc_time_constants_s": (0.003, 0.008, 0.032, 0.128),
    "agc_decimation": (8, 2, 2, 4),
    "agc_stage_gain": 1.9,
    "agc1_scales": (1.1, 1.5, 2.0, 2.8),
    "agc2_scales": (1.7, 2.3, 3.3, 4.6),
    "agc_mix_coeff": 0.4,
    "audiogram": Audiogram([500, 1000, 2000], [10, 10, 10]),
    "explain_residual": "synapse",
    "ohc_share": 0.5,
    "random_state": 3,
    "dtype": "float64",
    "n_jobs": 2,
    "headphone": False,
    "middle_ear": "lopezpoveda2001",
    "phase": "zero",
    "headphone_gains_db": None,
    "middle_ear_gains_db": None,
    "low_hz": 1200.0,
    "high_hz": 1500.0,
    "spacing": "centered",
    "bandwidth_factor": 1.5,
    "hair_cell": "dau1996",
    "hair_cell_corner_hz": 900.0,
    "adaptation_limit": 7.0,
    "adaptation_time_constants_s": (0.005, 0.05),
    "minimum_level_db": 10.0,
    "modulation": None,
    "max_modulation_hz": 40.0,
    "modulation_q": 1.5,
    "modulation_low_pass_hz": 3.0,
    "envelope_low_pass_hz": 100.0,
    "envelope_attenuation": 0.5,
    "compression_exponent": 0.5,
    "compression_knee_db": 20.0,
    "adaptation_corner_hz": 5.0,
    "modulation_low_hz": 3.0,
    "modulation_high_hz": 30.0,
    "modulation_n_filters": 2,
    "frequencies_hz": [200, 3000],
    "gains_db": [0.0, 9.0],
    "filters": (np.ones((129, 2)), np.array([[1.0, -0.5]] * 129)),
    "compression": 0.5,
    "lateral_inhibition": (1, -0.5),
    "integration_s": 0.016,
    "frame_rate_hz": 400,
    "n_strfs": 16,
    "init": "random",
    "scales_cycles_per_octave": [1.0],
    "rates_hz": [4.0],
    "response": "magnitude",
    "channels_per_octave": 12,
    "floor": 0.3,
    "exponent": 0.6,
    "n_coefficients": 3,
    "min_lag_s": 0.001,
    "max_lag_s": 0.008,
    "trigger_window_s": 0.010,
    "lags_per_octave": 12,
    "log_offset_s": 0.001,
    "channel_frequencies_hz": [2000.0, 500.0, 200.0],
    "width": 3,
    "order": 2,
    "include_input": False,
    "modulation_hz": [4.0],
    "quality": 2.0,
    "statistics": "max",
    "segments": 2,
}
# Where a parameter can be changed only with another, or is the same already.
TOGETHER = {
    ("Osses2021", "modulation"): {"output": "adaptation"},
    ("Osses2021", "headphone_gains_db"): {"headphone_gains_db": np.zeros(HeadphoneFilter().fit().gains_db_.size)},
    ("Osses2021", "middle_ear_gains_db"): {"middle_ear_gains_db": np.zeros(MiddleEarFilter().fit().gains_db_.size)},
    ("Osses2021", "output"): {"output": "hair_cell"},
    ("Dau1997", "modulation"): {"output": "adaptation"},
    ("Dau1997", "spacing"): {"spacing": "endpoints"},
    ("Dau1997", "hair_cell"): {"hair_cell": "breebaart2001"},
    ("Dau1997", "output"): {"output": "hair_cell"},
    ("King2019", "spacing"): {"spacing": "endpoints"},
    ("King2019", "compression"): {"compression": "power"},
    ("King2019", "output"): {"output": "hair_cell"},
    ("King2019", "modulation_low_pass_hz"): {"modulation_low_pass_hz": 100.0},
    ("King2019", "phase"): {"phase": "signed"},
    ("Compression", "compression"): {"compression": "power"},
    ("ModulationBandpass", "phase"): {"phase": "signed"},
    ("ModulationBandpass", "modulation_low_pass_hz"): {"modulation_low_pass_hz": 100.0},
    ("ModulationFilterbank", "modulation"): {"modulation": "dau1997"},
    ("ModulationFilterbank", "low_hz"): {"low_hz": 990.0},
    ("ModulationFilterbank", "high_hz"): {"high_hz": 1410.0},
    ("BiomimeticFrontend", "output"): {"output": "spectrogram"},
    ("BiomimeticFrontend", "sample_rate"): {"sample_rate": 22050},
    ("AuditorySpectrogram", "sample_rate"): {"sample_rate": 22050},
    ("CochlearFilterbank", "sample_rate"): {"sample_rate": 22050},
    ("PowerLawCompression", "sample_rate"): {"sample_rate": 22050},
    ("LateralInhibition", "sample_rate"): {"sample_rate": 22050},
    ("LeakyIntegrator", "sample_rate"): {"sample_rate": 22050},
    ("BiomimeticFrontend", "init"): {"init": "random", "random_state": 1},
    ("CorticalSTRF", "init"): {"init": "random", "random_state": 1},
    ("CARFAC", "audiogram"): {"audiogram": OTHER["audiogram"], "learn": Learn(max_iter=1)},
    ("HeadphoneFilter", "frequencies_hz"): GAINS,
    ("MiddleEarFilter", "frequencies_hz"): GAINS,
    ("HeadphoneFilter", "gains_db"): GAINS,
    ("MiddleEarFilter", "gains_db"): GAINS,
}
WRT = {
    "CARFAC": "v_offset",
    "Osses2021": "modulation_q",
    "Dau1997": "modulation_q",
    "King2019": "compression_exponent",
    "Compression": "compression_knee_db",
    "AdaptationHighPass": "adaptation_corner_hz",
    "ModulationBandpass": "modulation_q",
    "AuditorySpectrogram": "compression",
    "BiomimeticFrontend": "rates_hz",
    "HeadphoneFilter": "gains_db",
    "MiddleEarFilter": "gains_db",
    "GammatoneFilterbank": "bandwidth_factor",
    "HairCellEnvelope": "hair_cell_corner_hz",
    "AdaptationLoops": "adaptation_limit",
    "ModulationFilterbank": "modulation_low_pass_hz",
    "PowerLawCompression": "compression",
    "LateralInhibition": "lateral_inhibition",
    "LeakyIntegrator": "integration_s",
    "CorticalSTRF": "rates_hz",
    "LogCompression": "floor",
    "PowerCompression": "exponent",
}
LEARN = {
    "CARFAC": "velocity_scale",
    "Osses2021": "bandwidth_factor",
    "Dau1997": "bandwidth_factor",
    "King2019": "compression_exponent",
    "AuditorySpectrogram": "compression",
    "BiomimeticFrontend": "compression",
}


def others(estimator, name):
    kind = type(estimator).__name__
    if name == "learn":
        return {"learn": Learn(LEARN[kind], max_iter=2, tol=0.0)}
    if name in ("scales_cycles_per_octave", "rates_hz"):
        return {key: OTHER[key] for key in ("scales_cycles_per_octave", "rates_hz")}
    return TOGETHER.get((kind, name), {name: OTHER[name]})


def sound_for(estimator):
    is_sound = isinstance(estimator, AudioTransformer) and not isinstance(estimator, CHANNEL_STAGES)
    return SOUND if is_sound else RESPONSE


CHANNEL_STAGES = (
    HairCellEnvelope,
    AdaptationLoops,
    ModulationFilterbank,
    Compression,
    AdaptationHighPass,
    ModulationBandpass,
    PowerLawCompression,
    LateralInhibition,
    LeakyIntegrator,
    CorticalSTRF,
    StabilizedAuditoryImage,
    Pitchogram,
)
METHODS = {
    "transform": lambda model, X: model.transform(X),
    "simulate": lambda model, X: list(model.simulate(X).items()),
    "get_feature_names_out": lambda model, X: model.get_feature_names_out(),
    "frame_rate_hz_": lambda model, X: model.frame_rate_hz_,
    "channel_frequencies_hz_": lambda model, X: model.channel_frequencies_hz_,
    "transfer_function": lambda model, X: model.transfer_function([500.0, 1000.0]),
    "initial_state": lambda model, X: model.initial_state(2).model,
    "transform_chunk": lambda model, X: model.transform_chunk(X[..., :100], model.initial_state(2))[0],
    "vjp": lambda model, X: with_gradients(model, X),
}
NEED_NO_FIT = ("simulate", "transfer_function", "initial_state", "transform_chunk", "vjp")


def with_gradients(model, X):
    names = [WRT[type(model).__name__]] if type(model).__name__ in WRT else []
    value, pullback = model.vjp(X, wrt=["X", *names])
    return [value, *pullback(value).items()]


def plain(value):
    """Something that == compares, of whatever a method returns."""
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        return value.dtype.str, value.shape, value.tobytes()
    return list(value) if isinstance(value, np.ndarray) else value


CHEAP = ("transform", "get_feature_names_out", "frame_rate_hz_", "transfer_function", "initial_state")


def behaviour(model, X, methods=CHEAP):
    """What methods return, or say."""
    found = {}
    for name in methods:
        if not hasattr(type(model), name):
            continue
        try:
            found[name] = plain(METHODS[name](model, X))
        except (ValueError, TypeError) as problem:
            found[name] = str(problem)
    return found


def differing(a, b):
    return sorted(name for name in a if a[name] != b[name])


WALK = [
    pytest.param(estimator, name, id=f"{type(estimator).__name__}-{name}")
    for estimator in ESTIMATORS
    for name in estimator.get_params(deep=False)
]


def test_the_walk_knows_every_public_estimator():
    public = {getattr(skaud, name) for name in skaud._HOME}
    public = {found for found in public if isinstance(found, type) and issubclass(found, BaseEstimator)}
    beside = {Learn, FeaturePipeline, TemplateObserver, ToNumpy}  # which hold parameters, or others, or have none
    assert {type(estimator) for estimator in ESTIMATORS} == public - beside


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_parameters_that_are_set_after_fit_wait_for_the_next(estimator):
    X = sound_for(estimator)
    model = clone(estimator).fit(X, Y)
    before = behaviour(model, X, METHODS)
    for name in estimator.get_params(deep=False):
        for key, value in others(estimator, name).items():
            setattr(model, key, value)
    assert differing(behaviour(model, X, METHODS), before) == []
    assert differing(behaviour(pickle.loads(pickle.dumps(model)), X, METHODS), before) == []


@pytest.fixture(scope="module")
def fitted():
    """Function from an estimator to a fitted copy, and what its methods return."""
    known = {}

    def fit(estimator):
        X = sound_for(estimator)
        if id(estimator) not in known:
            model = clone(estimator).fit(X, Y)
            known[id(estimator)] = pickle.dumps(model), behaviour(model, X)
        pickled, before = known[id(estimator)]
        return pickle.loads(pickled), before

    return fit


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("estimator", "name"), WALK)
def test_a_parameter_that_is_set_after_fit_acts_with_the_next_wholly(estimator, name, fitted):
    X, changed = sound_for(estimator), others(estimator, name)
    model, before = fitted(estimator)
    model.set_params(**changed)
    assert differing(behaviour(model, X), before) == []
    fresh = clone(estimator).set_params(**changed).fit(X, Y)
    after = behaviour(fresh, X)
    assert differing(behaviour(model.fit(X, Y), X), after) == []
    assert sorted(vars(model)) == sorted(vars(fresh))
    if name not in INERT and not (name == "rms_one_db_spl" and isinstance(estimator, LINEAR)):
        assert differing(before, after) != []


# Their scale matters to Sounds alone: plain samples stay in their unit.
LINEAR = (HeadphoneFilter, MiddleEarFilter, GammatoneFilterbank, CochlearFilterbank)
# Without an audiogram, or a random start, they change nothing; n_jobs never does.
INERT = {
    *("random_state", "n_jobs", "explain_residual", "ohc_share"),
    *("tau_lpf", "tau_out", "tau_in", "tau1_out", "tau1_in", "tau2_out", "tau2_in"),  # each in some hair cells only
}


def test_every_method_of_a_fitted_estimator_goes_by_its_fit():
    """Or is one of those below."""
    setters = {"fit", "fit_transform", "get_params", "set_params", "set_output", "get_metadata_routing", "preset"}
    setters |= {
        "movable",
        "go_on",
        "bounds",
        "check_parameters",
        "differentiable",
        "names_after",
        "pull_back",
        "run",
        "set_callbacks",
        "set_fit_request",
        "set_transform_request",
    }
    for estimator in ESTIMATORS:
        # What models are to one another, and fits to them, goes by the attributes as they stand.
        bases = [
            cls for cls in type(estimator).__mro__ if cls.__module__.startswith(("skaud.estimator.", "skaud.stages."))
        ]
        protocol = {name for cls in bases if cls is not type(estimator) for name in vars(cls)}
        public = {name for name in dir(type(estimator)) if not name.startswith("_")} - setters - protocol
        methods = {name for name in public if callable(getattr(type(estimator), name))}
        assert methods <= set(METHODS) | {"frame_rate_hz_"}, type(estimator)


@pytest.mark.parametrize("estimator", [CARFAC(8000), Osses2021(8000), BiomimeticFrontend(n_strfs=8)], ids=str)
def test_nested_parameters_wait_too(estimator):
    model = clone(estimator).set_params(pooling=TemporalPooling("mean")).fit(SOUND)
    before = behaviour(model, SOUND)
    model.set_params(pooling__segments=3)
    assert differing(behaviour(model, SOUND), before) == []
    assert model.fit(SOUND).transform(SOUND).shape[1] == 3 * len(before["get_feature_names_out"])
    assert model.get_feature_names_out()[-1].endswith("_part3of3")


def test_an_array_that_is_changed_in_place_waits_too():
    health = np.ones(CARFAC(8000).fit().n_channels_)
    model = CARFAC(8000).set_params(ohc_health=health).fit(SOUND)
    before = behaviour(model, SOUND, METHODS)
    health[:] = 0.3
    assert differing(behaviour(model, SOUND, METHODS), before) == []
    assert "transform" in differing(behaviour(model.fit(SOUND), SOUND, METHODS), before)


def test_threads_act_at_once(monkeypatch):
    seen = []
    monkeypatch.setattr(responses, "effective_n_jobs", lambda n_jobs: seen.append(n_jobs) or 1 / 0)
    model = CARFAC(8000).fit(SOUND).set_params(n_jobs=1, pooling="max")
    with pytest.raises(ZeroDivisionError):
        model.transform(SOUND)
    assert seen == [1]


def test_a_fit_leaves_nothing_of_the_one_before():
    model = Osses2021(8000, low_hz=1000).fit(SOUND)
    assert hasattr(model, "modulation_index_")
    assert hasattr(model, "n_features_in_")
    model.set_params(modulation=None, output="adaptation").fit(list(SOUND))
    assert not hasattr(model, "modulation_index_")
    assert not hasattr(model, "n_features_in_")


def test_the_stages_of_a_model_go_by_the_fit_of_the_model():
    bank = Osses2021(8000, low_hz=1000).fit(SOUND).stages_.filterbank
    before = bank.transform(SOUND)
    assert_same(bank.set_params(dtype="float64", rms_one_db_spl=50).transform(SOUND), before, "filterbank")


def test_what_takes_a_fitted_model_goes_by_its_fit():
    pytest.importorskip("matplotlib").use("agg")
    from skaud.display import CochleagramDisplay
    from skaud.fitting import predicted_audiogram

    model = CARFAC(8000, ohc_health=0.6, frame_length=0.002).fit(SOUND)
    audiogram = predicted_audiogram(model, [500, 1000])
    picture = CochleagramDisplay.from_estimator(model, SOUND[0])
    model.set_params(sample_rate=16000, ohc_health=1.0, output="bm", frame_length=0.005, erb_per_step=1.0)
    assert predicted_audiogram(model, [500, 1000]) == audiogram
    again = CochleagramDisplay.from_estimator(model, SOUND[0])
    assert_same(again.response, picture.response, "cochleagram")
    assert (again.frame_rate_hz, again.response_name) == (picture.frame_rate_hz, picture.response_name)


def test_a_module_of_torch_goes_by_the_fit():
    torch = pytest.importorskip("torch")
    model = CARFAC(8000, pooling="mean").fit(SOUND)
    wanted = model.transform(SOUND)
    module = as_module(model.set_params(velocity_scale=0.5, pooling="max"), learn="v_offset")
    with torch.no_grad():
        assert_same(module(torch.tensor(SOUND, dtype=torch.float32)).numpy(), wanted, "module")
    np.testing.assert_allclose(module.to_estimator().transform(SOUND), wanted, rtol=1e-5)


# Files of skops

TRUSTED = ("skaud.", "sklearn.utils._bunch.Bunch")  # as docs/estimators.md says


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_skops_saves_and_loads_what_a_fit_found(estimator):
    io = pytest.importorskip("skops.io")
    X = sound_for(estimator)
    model = clone(estimator).fit(X, Y)
    saved = io.dumps(model)
    types = io.get_untrusted_types(data=saved)
    assert [name for name in types if not name.startswith(TRUSTED)] == []
    assert differing(behaviour(io.loads(saved, trusted=types), X, METHODS), behaviour(model, X, METHODS)) == []


@pytest.mark.parametrize(
    "estimator",
    [
        CARFAC(8000, audiogram=Audiogram([500, 1000], [10, 10], ear="left"), learn=Learn(max_iter=1)),
        CARFAC(8000, learn=Learn("v_offset", max_iter=1), pooling=TemporalPooling("mean", segments=2)),
        CARFAC(8000, ihc_style="one_cap", ohc_health=np.full(2, 0.5)),
        CARFAC(8000, ihc_style="just_hwr"),
        Osses2021(8000, modulation=None, output="hair_cell", headphone_gains_db=list(range(22))),
        BiomimeticFrontend(n_strfs=8, init="random", random_state=np.random.RandomState(0)),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_skops_saves_and_loads_every_kind_of_parameter(estimator):
    io = pytest.importorskip("skops.io")
    model = clone(estimator)
    if np.ndim(getattr(model, "ohc_health", None)) == 1:
        model.ohc_health = np.full(CARFAC(8000).fit().n_channels_, 0.5)
    saved = io.dumps(model.fit(SOUND, Y))
    types = [name for name in io.get_untrusted_types(data=saved) if name.startswith(TRUSTED)]
    loaded = io.loads(saved, trusted=types)
    assert_same(loaded.transform(SOUND), model.transform(SOUND), "loaded")
    assert_same(loaded.fit(SOUND, Y).transform(SOUND), clone(model).fit(SOUND, Y).transform(SOUND), "fitted again")


# Without X, and without fit

MODELS = [
    CARFAC(8000, audiogram=Audiogram([500, 1000, 2000], [20, 20, 20])),
    CARFAC(8000),
    Osses2021(8000, low_hz=1000),
    Dau1997(8000, low_hz=1000),
    King2019(8000, low_hz=1000),
    AuditorySpectrogram(),
    BiomimeticFrontend(n_strfs=8),
    HeadphoneFilter(8000),
    MiddleEarFilter(8000),
    GammatoneFilterbank(8000, low_hz=1000),
    ModulationFilterbank(8000, low_hz=1000, high_hz=1400),
]


@pytest.mark.parametrize("estimator", MODELS, ids=lambda model: type(model).__name__)
def test_a_model_that_is_designed_without_sound_does_as_one_that_heard_some(estimator):
    X = sound_for(estimator)
    assert differing(*(behaviour(clone(estimator).fit(*sound), X, METHODS) for sound in ((), (X,)))) == []


@pytest.mark.parametrize("estimator", MODELS[1:], ids=lambda model: type(model).__name__)
def test_a_model_that_is_not_fitted_designs_itself_and_stays_unfitted(estimator):
    X = sound_for(estimator)
    model, wanted = clone(estimator), behaviour(clone(estimator).fit(X), X, METHODS)
    before = dict(vars(model))
    found = behaviour(model, X, METHODS)
    for name in NEED_NO_FIT:
        assert found.get(name) == wanted.get(name), name
    assert vars(model) == before
    for method, *arguments in ((model.transform, X), (model.get_feature_names_out,)):
        with pytest.raises(NotFittedError):
            method(*arguments)
    assert not hasattr(model, "frame_rate_hz_")
    assert not hasattr(model, "channel_frequencies_hz_")


@pytest.mark.parametrize("stage", [HairCellEnvelope(8000), AdaptationLoops(8000)], ids=str)
def test_stages_that_take_the_channels_of_X_need_it(stage):
    wanted, found = (behaviour(model, RESPONSE, METHODS) for model in (clone(stage).fit(RESPONSE), clone(stage)))
    assert found["simulate"] == wanted["simulate"]
    assert found["vjp"] == wanted["vjp"]
    with error(NotFittedError, type(stage).__name__, "channels of the X", "call fit first"):
        clone(stage).initial_state()
    with error(ValueError, "X is None", type(stage).__name__, "channels of X"):
        clone(stage).fit()


def test_a_model_that_is_designed_without_sound_takes_any_length_and_any_ears():
    model = CARFAC(8000, pooling="mean").fit()
    assert model.n_ears_in_ is None
    assert not hasattr(model, "n_features_in_")
    assert model.transform(SOUND[:, :100]).shape == model.transform(SOUND).shape
    two = SOUND[np.newaxis]
    assert_same(model.transform(two), CARFAC(8000, pooling="mean").fit(two).transform(two), "two ears")
    frame = model.set_output(transform="pandas").transform(two)
    assert list(frame.columns) == list(CARFAC(8000, pooling="mean").fit(two).get_feature_names_out())
    assert not model.get_feature_names_out()[0].startswith("ear")
    assert Osses2021(8000, low_hz=1000).fit().stages_.filterbank.transform(two).shape[1] == 2


def test_an_audiogram_an_ear_says_how_many_ears_there_are():
    pair = [Audiogram([500, 1000], [20, 20], ear="left"), Audiogram([500, 1000], [0, 0], ear="right")]
    model = CARFAC(8000, audiogram=pair).fit()
    assert model.n_ears_in_ == 2
    assert_same(model.transform(SOUND[np.newaxis]), clone(model).fit_transform(SOUND[np.newaxis]), "two ears")
    with error(ValueError, "no axis of ears", "2 ears in fit"):
        model.transform(SOUND)


def test_an_audiogram_of_one_ear_is_for_sound_without_an_axis_of_ears():
    model = CARFAC(8000, audiogram=Audiogram([500, 1000], [20, 20], ear="left")).fit()
    assert model.transform(SOUND).shape[0] == 2
    with error(ValueError, "2 ears", "no axis of ears in fit"):
        model.transform(SOUND[np.newaxis])


def test_what_an_audiogram_explains_is_not_found_again_with_every_call():
    model = CARFAC(8000, audiogram=Audiogram([500, 1000], [20, 20]))
    for method in (model.initial_state, lambda: model.simulate(SOUND), lambda: model.transfer_function([100])):
        with error(NotFittedError, "has an audiogram", "needs no sound"):
            method()


def test_what_is_learned_needs_sound():
    model = CARFAC(8000, learn="velocity_scale")
    for method in (model.initial_state, lambda: model.simulate(SOUND), lambda: model.vjp(SOUND)):
        with error(NotFittedError, "learn='velocity_scale'", "fit(X, y)", "learn=None"):
            method()
    with error(ValueError, "learn='velocity_scale'", "X is None"):
        model.fit()
    with error(ValueError, "sample_rate=16000", "X is None", "leave it out"):
        CARFAC(8000).fit(sample_rate=16000)


def test_fit_asks_for_no_more_than_the_parameters_need():
    for estimator in MODELS:
        assert inspect.signature(estimator.fit).parameters["X"].default is None
        assert get_tags(estimator).requires_fit
