import numpy as np
import pytest
from audio_checks import CHECKS, assert_same, error, make_clips, make_task
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skaud import Osses2021, TemporalPooling
from skaud.design.ears import AMT_ADVANCE, EarFilter, unit_peak
from skaud.testing import checks

RATE = 44100
MODEL = Osses2021(22050)  # the rate of the checks' clips
NUMERIC_CHECKS = (
    checks.check_padding_changes_nothing,
    checks.check_n_jobs_changes_nothing,
    checks.check_batch_changes_nothing,
    checks.check_ears_in_arrays_and_lists_agree,
    checks.check_float32_follows_float64,
    checks.check_clones_and_pickles_give_the_same,
    checks.check_pooling_step_equals_pooling_inside,
)
CHUNK_CHECKS = (
    checks.check_chunks_equal_the_whole,
    checks.check_chunks_leave_the_state_they_take,
)
VARIANTS = {
    "float64": Osses2021(22050, dtype="float64"),
    "amt": Osses2021.preset("amt", sample_rate=22050),
    "dau1997": Osses2021.preset("dau1997", sample_rate=22050),
    "zero phase": Osses2021(22050, phase="zero", middle_ear="lopezpoveda2001"),
    "adaptation without limit": Osses2021(22050, output="adaptation", adaptation_limit=None, modulation=None),
    "filterbank without ears": Osses2021(22050, output="filterbank", headphone=False, middle_ear=None),
    "40 channels at 48 kHz": Osses2021(48000, low_hz=30, high_hz=20000),
}


# What every model promises


@parametrize_with_checks(
    [
        Osses2021(),
        Osses2021.preset("amt", dtype="float64", pooling=TemporalPooling("max", segments=2)),
        Osses2021(output="adaptation", modulation=None, frame_length=None),
    ]
)
def test_it_is_a_scikit_learn_transformer(estimator, check):
    check(estimator)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_passes(check):
    check(MODEL)


@pytest.mark.parametrize("check", NUMERIC_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_pass(variant, check):
    check(VARIANTS[variant])


@pytest.mark.parametrize("check", CHUNK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("variant", [name for name, model in VARIANTS.items() if model.phase == "minimum"])
def test_causal_variants_pass_in_chunks(variant, check):
    check(VARIANTS[variant])


# Golden numbers of the toolbox, with its own filters of the ears; with ours, tests/testing/test_conformance.py

GOLDEN = ("jepsen2008", "lopezpoveda2001")
KEYS = {"filterbank": "filterbank", "hair_cell": "ihc", "adaptation": "adaptation"}


@pytest.fixture(scope="module")
def case(golden):
    """Function that returns the golden numbers of a middle ear, and what the model makes of the same signal."""
    file = golden("osses2021_amt.npz")

    def load(middle_ear, dtype):
        prefix = f"{middle_ear}_44100/"
        numbers = {key.removeprefix(prefix): value for key, value in file.items() if key.startswith(prefix)}
        X = numbers["x"][np.newaxis]
        model = Osses2021.preset("amt", middle_ear=middle_ear, rms_one_db_spl=None, dtype=dtype).fit(X)
        model.stages_.headphone.filter_ = EarFilter(numbers["headphone_fir"], AMT_ADVANCE)
        model.stages_.middle_ear.filter_ = EarFilter(unit_peak(numbers["middleear_fir"]), AMT_ADVANCE)
        return numbers, model, model.simulate(X)

    return load


def distance(found, wanted):
    assert found.shape == wanted.shape
    return np.abs(found - wanted).max() / np.abs(wanted).max()


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-6), ("float32", 1e-4)])
@pytest.mark.parametrize("middle_ear", GOLDEN)
def test_responses_with_the_ears_of_the_toolbox_are_those_of_it(middle_ear, dtype, tolerance, case):
    numbers, _, responses = case(middle_ear, dtype)
    sound_tolerance = 1e-12 if dtype == "float64" else 1e-5
    assert distance(responses.middle_ear[0, 0], numbers["middleear"]) < sound_tolerance
    for name, key in KEYS.items():
        found = responses[name][0, :, :: numbers["stride"]]
        assert distance(found, numbers[key]) < tolerance, name
    wanted = np.concatenate([numbers[f"modulation_{channel:02d}"] for channel in range(31)])
    assert distance(responses.modulation[0, :, :: numbers["stride"]], wanted) < tolerance


@pytest.mark.parametrize("middle_ear", GOLDEN)
def test_stages_fed_with_the_golden_stage_before_are_those_of_the_toolbox(middle_ear, case):
    numbers, model, _ = case(middle_ear, "float64")
    stride = numbers["stride"]
    channels = model.stages_.filterbank.fit_transform(numbers["middleear"][np.newaxis])
    assert distance(channels[0, :, ::stride], numbers["filterbank"]) < 1e-6
    # 1e-8: the toolbox's filterbank is a polynomial of order 4, which is off by 5e-9 at low frequencies.
    envelopes = model.stages_.hair_cell.fit_transform(channels)
    assert distance(envelopes[0, :, ::stride], numbers["ihc"]) < 1e-8
    for channel in range(14, 31):  # from 1.2 kHz on the polynomial is exact enough to hold the hair cell to 1e-9
        assert distance(envelopes[0, channel, ::stride], numbers["ihc"][channel]) < 1e-9
    assert distance(envelopes[0, 30, ::stride], numbers["ihc"][30]) < 1e-11
    adapted = model.stages_.adaptation.fit_transform(numbers["adaptation_in_ch15"][np.newaxis, np.newaxis])
    assert distance(adapted[0, 0], numbers["adaptation_out_ch15"]) < 1e-9
    one = model.stages_.modulation.set_params(low_hz=numbers["fc"][15], high_hz=numbers["fc"][15])
    features = one.fit_transform(numbers["adaptation_out_ch15"][np.newaxis, np.newaxis])
    assert distance(features[0, :, ::stride], numbers["modulation_15"]) < 1e-9


# Parameters


def test_presets_are_models_that_take_overrides():
    assert Osses2021.preset("osses2021").get_params() == Osses2021().get_params()
    amt = Osses2021.preset("amt", dtype="float64")
    assert (amt.phase, amt.spacing, amt.middle_ear, amt.max_modulation_hz, amt.dtype) == (
        "amt",
        "centered",
        "lopezpoveda2001",
        1000.0,
        "float64",
    )
    with error(ValueError, "name='piano'", "osses2021", "amt"):
        Osses2021.preset("piano")


def test_stages_are_those_that_the_parameters_ask_for():
    X = np.zeros((1, 100))
    assert list(Osses2021().fit(X).stages_) == list(Osses2021().available_outputs())
    bare = Osses2021(headphone=False, middle_ear=None, modulation=None, output="adaptation").fit(X)
    assert list(bare.stages_) == ["filterbank", "hair_cell", "adaptation"]
    assert list(bare.simulate(X)) == ["filterbank", "hair_cell", "adaptation"]
    with error(ValueError, "output='modulation'", "adaptation"):
        Osses2021(modulation=None).fit(X)


@pytest.mark.parametrize(("limit_hz", "fewest", "most"), [(150.0, 4, 8), (1000.0, 4, 12)])
def test_number_of_modulation_filters_is_the_published_one(limit_hz, fewest, most):
    model = Osses2021(max_modulation_hz=limit_hz).fit(np.zeros((1, 100)))
    counts = model.modulation_index_.to_frame(index=False).groupby("center_hz").size()
    assert (counts.iloc[0], counts.iloc[-1]) == (fewest, most)
    assert len(counts) == model.n_channels_ == 31


def test_features_are_named_by_centre_and_modulation_frequency():
    X = np.zeros((1, 100))
    model = Osses2021(pooling="mean").fit(X)
    names = model.get_feature_names_out()
    assert list(names[:5]) == [
        f"modulation_{n}_mean" for n in ("fc80_mf0", "fc80_mf5", "fc80_mf10", "fc80_mf17", "fc116_mf0")
    ]
    assert len(names) == len(model.modulation_index_) == model.simulate(X).modulation.shape[1] == 229
    assert model.modulation_index_.names == ["center_hz", "modulation_hz"]


@pytest.mark.parametrize("sample_rate", [8000, 16000, 48000, 96000, 192000])
def test_every_rate_hears_the_same(sample_rate):
    t = np.arange(round(0.2 * sample_rate)) / sample_rate
    X = 0.05 * np.sin(2 * np.pi * 1000 * t)[np.newaxis]
    model = Osses2021(sample_rate, high_hz=3500, output="hair_cell", pooling="mean", dtype="float64").fit(X)
    found = model.transform(X)[0]
    reference = Osses2021(RATE, high_hz=3500, output="hair_cell", pooling="mean", dtype="float64")
    t = np.arange(round(0.2 * RATE)) / RATE
    wanted = reference.fit_transform(0.05 * np.sin(2 * np.pi * 1000 * t)[np.newaxis])[0]
    assert found.argmax() == wanted.argmax()
    # At 192 kHz a FIR of order 512 resolves 375 Hz, and the ears' peaks are blunter.
    assert found.max() == pytest.approx(wanted.max(), rel=0.15)


# At 8 kHz the hair cell's low-pass of 2 kHz lies at half of the highest frequency, where the bilinear transform warps.
@pytest.mark.parametrize(("sample_rate", "tolerance"), [(8000, 0.2), (192000, 0.05)])
def test_the_whole_chain_agrees_at_the_ends_of_the_range_of_rates(sample_rate, tolerance):
    def features(rate):
        t = np.arange(round(0.4 * rate)) / rate
        x = 0.02 * (1 + np.sin(2 * np.pi * 5 * t)) * np.sin(2 * np.pi * 1000 * t)
        model = Osses2021(rate, high_hz=3500, pooling="std", middle_ear=None, headphone=False, dtype="float64")
        return model.fit_transform(x[np.newaxis])[0], model.modulation_index_

    (found, index), (wanted, _) = features(sample_rate), features(RATE)
    strong = wanted > 0.2 * wanted.max()
    np.testing.assert_allclose(found[strong], wanted[strong], rtol=tolerance)
    assert index[found.argmax()][1] == 5


@pytest.mark.parametrize("name", Osses2021().available_outputs())
def test_an_impulse_comes_out_at_its_own_sample_or_later(name):
    x = np.zeros((2, 4000))
    x[1, 2000] = 1
    silence, impulse = Osses2021().fit(x).simulate(x, name)[name]
    assert impulse.shape[-1] == x.shape[-1]
    np.testing.assert_array_equal(impulse[:, :2000], silence[:, :2000])
    assert (impulse[:, 2000:2500] != silence[:, 2000:2500]).any()


def test_level_of_a_steady_tone_is_read_nearly_linearly_in_db():
    t = np.arange(2 * RATE) / RATE
    levels_db = np.array([50, 60, 70, 80])
    X = 10 ** ((levels_db[:, None] - 100) / 20) * np.sqrt(2) * np.sin(2 * np.pi * 500 * t)
    model = Osses2021(output="adaptation", pooling=None, headphone=False, middle_ear=None).fit(X)
    steady = model.transform(X)[:, :, -10:].mean(axis=2).max(axis=1)
    steps = np.diff(steady)
    assert (steps > 8).all()
    assert (steps < 10).all()
    assert np.ptp(steps) < 0.5


def test_grid_search_over_flat_parameters():
    X, y, _ = make_task()
    model = make_pipeline(MODEL, StandardScaler(), LogisticRegression())
    grid = {"osses2021__adaptation_limit": [5, 10], "osses2021__middle_ear": ["jepsen2008", None]}
    assert GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y).best_score_ > 0.9


# Bad input


def test_gains_are_named_as_the_model_has_them():
    for ear in ("headphone", "middle_ear"):
        with error(ValueError, f"{ear}_gains_db has shape (2,)", "a gain a frequency"):
            Osses2021(**{f"{ear}_gains_db": [1, 2]}).fit(np.zeros((1, 9)))


def test_gains_of_a_filter_that_is_left_out_are_refused():
    with error(ValueError, "headphone_gains_db is given", "headphone=False"):
        Osses2021(headphone=False, headphone_gains_db=np.zeros(22)).fit()
    with error(ValueError, "middle_ear_gains_db is given", "middle_ear=None"):
        Osses2021(middle_ear=None, middle_ear_gains_db=np.zeros(22)).fit()


def test_samples_that_are_not_finite_are_refused():
    X = np.zeros((1, 100))
    X[0, 3] = np.nan
    with error(ValueError, "X[0]", "NaN or infinity", "sample 3"):
        Osses2021().fit(X)


@pytest.mark.parametrize(
    ("X", "kind", "words"),
    [
        (np.zeros(100), ValueError, ("X has one axis, shape (100,)", "Reshape your data")),
        (np.zeros((1, 0)), ValueError, ("0 feature(s)", "minimum of 1")),
        ([], ValueError, ("X is an empty list", "at least one")),
        ([np.zeros(5), np.zeros(0)], ValueError, ("X[1] has shape (0,)", "leave it out")),
        ([np.zeros(5), np.zeros((2, 5))], ValueError, ("X[1] has shape (2, 5) and X[0] (5,)", "same ears")),
        (np.zeros((1, 2, 3, 4)), ValueError, ("X has 4 axes", "Reshape")),
        (np.zeros((1, 5), complex), ValueError, ("Complex data not supported", "real part")),
        ([["a", "b"]], TypeError, ("X[0] holds <U1 data", "skaud.audio.read")),
        ([np.full(5, np.inf)], ValueError, ("X[0] has 5 samples", "infinity", "Cut them out")),
    ],
    ids=["one axis", "no samples", "no clips", "an empty clip", "other ears", "4 axes", "complex", "text", "infinite"],
)
def test_bad_sound_is_refused(X, kind, words):
    with error(kind, *words):
        Osses2021().fit(X)


def test_other_ears_than_in_fit_are_refused():
    model = Osses2021().fit(np.zeros((1, 2, 100)))
    with error(ValueError, "X has no axis of ears", "had 2 ears in fit", "fit again"):
        model.transform(np.zeros((1, 100)))


def test_integers_are_taken_as_they_are_with_a_warning():
    with pytest.warns(UserWarning, match=r"from_pcm"):
        Osses2021().fit(np.zeros((1, 100), np.int16))


@pytest.mark.parametrize("n_samples", [1, 2, 400])
def test_the_shortest_clips_have_features(n_samples):
    assert np.isfinite(Osses2021(phase="amt").fit_transform([np.full(n_samples, 0.1)])).all()


def test_silence_has_no_adapted_response():
    silence = Osses2021(output="adaptation", pooling=("min", "max")).fit_transform(np.zeros((1, 2000)))
    np.testing.assert_allclose(silence, 0, atol=1e-3)  # model units, of 100 for 100 dB


def test_samples_beyond_the_dtype_are_refused():
    X = np.full((1, 1000), 1e39)
    with error(ValueError, "X[0] reaches 1e+39", "Osses2021"):
        Osses2021().fit(X).transform(X)


def test_a_state_of_another_model_is_refused():
    X = np.zeros((1, 100))
    state = Osses2021().fit(X).initial_state()
    with error(ValueError, "state belongs to", "begin a new stream"):
        Osses2021(bandwidth_factor=2.0).fit(X).transform_chunk(X, state)
    with error(ValueError, "state belongs to", "begin a new stream"):
        Osses2021(middle_ear="lopezpoveda2001").fit(X).transform_chunk(X, state)


def test_a_clip_shorter_than_a_frame_has_one_frame():
    (clip,) = make_clips((0.003,))
    model = Osses2021(22050, pooling=None, output="adaptation").fit([clip])
    (frames,) = model.transform([clip])
    (full,) = model.simulate([clip]).adaptation
    np.testing.assert_allclose(frames[:, 0], full.mean(axis=1), rtol=1e-4, atol=1e-4)


def test_long_clips_equal_their_blocks():
    X = np.random.default_rng(0).standard_normal((1, 20000)) * 0.05
    model = Osses2021(pooling=None).fit(X)
    full = model.simulate(X, "modulation").modulation
    n = 441
    wanted = full[..., : 20000 // n * n].reshape(1, -1, 20000 // n, n).mean(axis=-1)
    np.testing.assert_allclose(model.transform(X), wanted, atol=1e-5 * np.abs(wanted).max())
    assert_same(model.transform(X), model.transform(np.concatenate([X, X])[:1]), "the same signal again")


@pytest.mark.parametrize("phase", ["zero", "amt"])
def test_ears_that_look_ahead_can_be_fitted_and_cannot_stream(phase):
    X = 0.05 * np.random.default_rng(0).standard_normal((1, 500))
    model = Osses2021(phase=phase).fit(X)
    assert model.transform(X).shape == (1, len(model.get_feature_names_out()))
    with error(ValueError, f"phase={phase!r}", "use phase='minimum' for chunks"):
        model.initial_state()
