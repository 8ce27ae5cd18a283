"""The stages of Osses et al. (2021) as transformers: alone, in pipelines, in chunks."""

import itertools

import numpy as np
import pytest
import sklearn
from audio_checks import assert_near, assert_same, error
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skaud import (
    AdaptationHighPass,
    AdaptationLoops,
    Compression,
    Dau1997,
    GammatoneFilterbank,
    HairCellEnvelope,
    HeadphoneFilter,
    MiddleEarFilter,
    ModulationBandpass,
    ModulationFilterbank,
    Osses2021,
    Sound,
    TemporalPooling,
)

RATE = 44100
EARS = (HeadphoneFilter(), MiddleEarFilter(), MiddleEarFilter(middle_ear="lopezpoveda2001"))
CHANNELS = (HairCellEnvelope(), HairCellEnvelope(hair_cell="dau1996"), AdaptationLoops(), ModulationFilterbank())
STAGES = (*EARS, GammatoneFilterbank(), *CHANNELS)


def noise(*shape, seed=0):
    return (np.random.default_rng(seed).standard_normal(shape) * 0.05).astype(np.float32)


def sound_for(stage, n_samples=3000, n_signals=2):
    """X that the stage takes, and no more channels than it must have."""
    return np.abs(noise(n_signals, 31, n_samples)) if stage in CHANNELS else noise(n_signals, n_samples)


def tone(frequency_hz, seconds=0.3, sample_rate=RATE):
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * sample_rate)) / sample_rate)


# What every stage promises


def test_what_follows_an_ear_hears_a_sound_at_its_rate_and_level():
    sound = Sound(tone(1000, 0.1), RATE, 60.0)
    (heard,) = HeadphoneFilter(rms_one_db_spl=100.0).fit_transform([sound])
    (known,) = HeadphoneFilter().fit_transform([sound])
    assert (heard.sample_rate, heard.rms_one_db_spl) == (RATE, 100.0)
    assert abs(heard.db_spl - known.db_spl) < 1e-3
    two_rates = make_pipeline(HeadphoneFilter(), GammatoneFilterbank(sample_rate=RATE / 2)).fit_transform([sound])
    assert two_rates[0].shape[-1] == sound.n_samples // 2
    assert all(isinstance(clip, np.ndarray) for clip in HeadphoneFilter().fit_transform([sound.samples]))


def test_a_rate_that_is_routed_is_taken_once_in_a_pipeline_of_stages():
    x = noise(2, 1500)
    known = make_pipeline(GammatoneFilterbank(), HairCellEnvelope()).fit_transform(
        [Sound(clip, RATE / 2) for clip in x]
    )
    with sklearn.config_context(enable_metadata_routing=True):
        first = GammatoneFilterbank().set_fit_request(sample_rate=True).set_transform_request(sample_rate=True)
        routed = make_pipeline(first, HairCellEnvelope()).fit(x, sample_rate=RATE / 2)
        assert_same(routed.transform(x, sample_rate=RATE / 2), np.stack(known), "rate routed to the first stage")
        for stages in ((GammatoneFilterbank(),), (HeadphoneFilter(), GammatoneFilterbank())):
            with pytest.raises(
                UnsetMetadataPassedError, match="sample_rate"
            ):  # which of them hears sound, it cannot know
                make_pipeline(*stages, HairCellEnvelope()).fit(x, sample_rate=RATE / 2)


@parametrize_with_checks(
    [
        HeadphoneFilter(),
        MiddleEarFilter(phase="amt"),
        GammatoneFilterbank(frame_length=0.01, pooling="mean"),
        HairCellEnvelope(),
        AdaptationLoops(),
        ModulationFilterbank(low_hz=1000, high_hz=1010),  # one channel, as scikit-learn's data have
    ]
)
def test_it_is_a_scikit_learn_transformer(estimator, check):
    check(estimator)


@pytest.mark.parametrize("rms_one_db_spl", [93.98, None, 120.0])
def test_stages_in_a_pipeline_are_the_model(rms_one_db_spl):
    X = noise(2, 4000)
    stages = [clone(stage) for stage in (EARS[0], EARS[1], STAGES[3], CHANNELS[0], CHANNELS[2], CHANNELS[3])]
    for stage in stages:
        if "rms_one_db_spl" in stage.get_params():
            stage.set_params(rms_one_db_spl=rms_one_db_spl)
    names = ("headphone", "middle_ear", "filterbank", "hair_cell", "adaptation", "modulation")
    model = Osses2021(rms_one_db_spl=rms_one_db_spl, pooling=None, frame_length=None).fit(X)
    responses, found = model.simulate(X), X
    for stage, name in zip(stages, names):
        found = stage.fit_transform(found)
        wanted = responses[name]
        assert_same(found, wanted[:, 0] if wanted.shape[1] == 1 else wanted, f"pipeline of the stages up to {name}")
    sounds = [Sound(x, 44100, 100.0 if rms_one_db_spl is None else rms_one_db_spl) for x in X]
    assert_same(make_pipeline(*stages).fit_transform(sounds), found, "the pipeline on Sounds")
    half = [Sound(x / 2, 44100, (rms_one_db_spl or 100.0) + 20 * np.log10(2)) for x in X]
    assert_near(make_pipeline(*stages).fit_transform(half), found, 1e-5, "the pipeline on Sounds of another scale")


def test_filters_of_a_high_q_have_names_of_their_own():
    bank = ModulationFilterbank(RATE, low_hz=1000, high_hz=1000, modulation_q=40)
    names = bank.fit(np.zeros((1, 1, 10))).get_feature_names_out()
    assert len(set(names)) == len(names) == len(bank.modulation_index_)
    assert names[3] == "modulation_fc1000_mf12.7"


def test_a_pipeline_names_its_features():
    X = noise(2, 400)
    stages = (EARS[0], EARS[1], STAGES[3], CHANNELS[0], CHANNELS[2], CHANNELS[3])
    chain = make_pipeline(*map(clone, stages)).fit(X)
    names = chain.get_feature_names_out()
    assert len(names) == chain.transform(X).shape[1]
    assert names[1] == chain[-1].get_feature_names_out()[1]
    pooled = make_pipeline(*map(clone, stages), TemporalPooling("mean")).fit(X)
    assert list(pooled.get_feature_names_out()) == [f"{name}_mean" for name in names]
    with pytest.raises(ValueError, match="input_features"):
        chain[2].get_feature_names_out(["one", "ear", "too many"])
    ears = make_pipeline(clone(EARS[0]), clone(EARS[1])).fit(np.stack([X, X], axis=1))
    assert list(ears.get_feature_names_out()) == ["ear0_middle_ear_sound", "ear1_middle_ear_sound"]


def test_clips_of_different_lengths_pass_through_a_pipeline():
    X = [noise(1000), noise(2500), noise(300)]
    found = make_pipeline(GammatoneFilterbank(), HairCellEnvelope(frame_length=0.005, pooling="mean")).fit_transform(X)
    assert found.shape == (3, 31)


@pytest.mark.parametrize("stage", STAGES, ids=repr)
def test_simulate_names_the_response_after_the_stage(stage):
    X = sound_for(stage)
    fitted = clone(stage).fit(X)
    (response,) = fitted.simulate(X).values()
    assert list(fitted.simulate(X)) == [stage.output]
    transformed = fitted.transform(X)
    assert_same(response if stage not in EARS else response[:, 0], transformed, stage.output)
    assert transformed.dtype == np.float32


@pytest.mark.parametrize("stage", STAGES, ids=repr)
def test_chunks_equal_the_whole(stage):
    X = sound_for(stage)
    fitted = clone(stage).fit(X)
    state, parts = fitted.initial_state(len(X)), []
    for begin, end in itertools.pairwise((0, 1, 2, 2, 130, 1000, 1441, X.shape[-1])):
        part, state = fitted.transform_chunk(X[..., begin:end], state)
        parts.append(part)
    assert_same(np.concatenate(parts, axis=-1), fitted.transform(X), "chunks and the whole")


@pytest.mark.parametrize("stage", [GammatoneFilterbank(), *CHANNELS], ids=repr)
def test_frames_are_means_of_the_response(stage):
    X = sound_for(stage)
    full = clone(stage).fit_transform(X)
    framed = clone(stage).set_params(frame_length=0.005).fit(X)
    frames = framed.transform(X)
    n = round(0.005 * RATE)
    wanted = full[..., : X.shape[-1] // n * n].reshape(*full.shape[:2], -1, n).mean(axis=-1)
    np.testing.assert_allclose(frames, wanted, atol=1e-5 * np.abs(wanted).max())
    stream, parts = framed.initial_state(len(X)), []
    for begin, end in itertools.pairwise((0, 100, 300, 2000, X.shape[-1])):
        part, stream = framed.transform_chunk(X[..., begin:end], stream)
        parts.append(part)
    assert_same(np.concatenate(parts, axis=-1), frames, "frames chunk by chunk")


def test_both_ears_pass_the_filterbank_apart():
    X = noise(2, 2, 2000)
    bank = GammatoneFilterbank().fit(X)
    found = bank.transform(X)
    assert found.shape == (2, 2, 31, 2000)
    assert_same(found[1, 1], bank.simulate(X[:, 1]).filterbank[1], "one ear alone")


def test_ear_filters_take_ears_and_lists():
    X = noise(2, 2, 500)
    stage = HeadphoneFilter().fit(X)
    assert stage.transform(X).shape == X.shape
    assert_same(stage.transform(list(X))[1], stage.transform(X)[1], "a list of two ears")
    assert_same(HeadphoneFilter().fit_transform([X[0, 1], X[0, 0, :99]])[0], stage.transform(X)[0, 1], "one ear")


def test_other_channels_are_refused():
    stage = HairCellEnvelope().fit(noise(1, 31, 100))
    with error(ValueError, "X has 5 channels", "had 31 in fit"):
        stage.transform(noise(1, 5, 100))
    with error(ValueError, "X has 5 channels", "make 31", "pass those of the filterbank"):
        ModulationFilterbank().fit(noise(1, 5, 100))
    with error(ValueError, "same ears and channels"):
        stage.transform([noise(2, 31, 100), noise(1, 31, 100)])


CHANNEL_STAGES = (
    HairCellEnvelope(),
    AdaptationLoops(),
    ModulationFilterbank(low_hz=500, high_hz=700),
    Compression(),
    AdaptationHighPass(),
    ModulationBandpass(),
)


@pytest.mark.parametrize("stage", CHANNEL_STAGES, ids=lambda stage: type(stage).__name__)
@pytest.mark.parametrize("frame_length", [None, 0.004])
def test_channels_of_both_ears_are_those_of_each_alone(stage, frame_length):
    X = noise(2, 2, 3, 900)  # signals, ears, channels, samples
    both = clone(stage).set_params(frame_length=frame_length).fit(X)
    Y = both.transform(X)
    value, pullback = both.vjp(X, "X")
    X_bar, state, parts = pullback(np.ones_like(value))["X"], both.initial_state(2, 2), []
    assert X_bar.shape == X.shape
    for begin, end in ((0, 100), (100, 900)):
        part, state = both.transform_chunk(X[..., begin:end], state)
        parts.append(part)
    assert_same(np.concatenate(parts, axis=-1), Y, "chunks")
    for ear in range(2):
        own = clone(both).fit(X[:, ear])
        assert_same(Y[:, ear], own.transform(X[:, ear]), "an ear")
        value, pullback = own.vjp(X[:, ear], "X")
        assert_same(X_bar[:, ear], pullback(np.ones_like(value))["X"], "its derivative")
    for own, wanted in zip(clone(both).fit(list(X)).transform([X[0], X[1, ..., :500]]), (Y[0], Y[1])):
        assert_same(own, wanted[..., : own.shape[-1]], "a list")
    pooled = clone(both).set_params(pooling="mean").fit(X)
    names = pooled.get_feature_names_out()
    assert len(names) == pooled.transform(X).shape[1]
    assert names[0].startswith("ear0_")
    assert names[-1].startswith("ear1_")


def test_stages_one_after_the_other_are_the_model_for_both_ears_too():
    X, bank = noise(2, 2, 1500), {"low_hz": 500, "high_hz": 700}
    model = Osses2021(**bank, headphone=False, middle_ear=None, pooling=None, frame_length=None)
    stages = make_pipeline(
        GammatoneFilterbank(**bank), HairCellEnvelope(), AdaptationLoops(), ModulationFilterbank(**bank)
    )
    assert_same(stages.fit_transform(X), model.fit_transform(X), "the stages")


# Ears


@pytest.mark.parametrize("stage", EARS, ids=repr)
def test_minimum_phase_answers_at_once_and_never_before(stage):
    X = np.zeros((1, 3000))
    X[0, 1000] = 1
    Y = clone(stage).fit_transform(X)
    assert Y.shape == X.shape
    assert not Y[0, :1000].any()
    assert np.abs(Y[0, 1000:1030]).max() > 0.5 * np.abs(Y).max()


def test_zero_phase_shifts_nothing():
    X = tone(1000)[np.newaxis]
    Y = HeadphoneFilter(phase="zero", dtype="float64").fit_transform(X)
    middle = slice(2000, -2000)
    gain = (Y[0, middle] @ X[0, middle]) / (X[0, middle] @ X[0, middle])
    assert np.abs(Y[0, middle] - gain * X[0, middle]).max() < 1e-3 * gain


@pytest.mark.parametrize("n_samples", [1, 100, 257, 600, 9000])
@pytest.mark.parametrize("phase", ["minimum", "zero", "amt"])
def test_every_length_is_that_of_the_convolution(phase, n_samples):
    X = noise(1, n_samples)
    stage = HeadphoneFilter(phase=phase, dtype="float64").fit(X)
    fir, advance = stage.filter_
    wanted = np.convolve(X[0].astype(float), fir)[advance : advance + n_samples]
    np.testing.assert_allclose(stage.transform(X)[0], wanted, atol=1e-12)


@pytest.mark.parametrize("phase", ["zero", "amt"])
def test_filters_that_look_ahead_refuse_chunks(phase):
    for model in (HeadphoneFilter(phase=phase), Osses2021(phase=phase)):
        with error(ValueError, f"phase='{phase}'", "look ahead", "use phase='minimum'"):
            model.fit(noise(1, 100)).initial_state()


def test_a_table_of_ones_own_replaces_the_ear():
    X = np.stack([tone(500), tone(4000)])
    flat = HeadphoneFilter(frequencies_hz=[100, 1000, 3000, 20000], gains_db=[0, 0, -20, -20]).fit(X)
    gain_db = 20 * np.log10(flat.transform(X).std(axis=1) / X.std(axis=1))
    np.testing.assert_allclose(gain_db, [0, -20], atol=0.2)
    with error(ValueError, "gains_db=None must be given"):
        HeadphoneFilter(frequencies_hz=[100, 1000]).fit(X)


# Published behaviour


def test_hair_cell_corner_is_770_hz_over_all():
    # Breebaart et al. 2001. A carrier above 10 kHz lets through only the envelope of what is rectified.
    t = np.arange(RATE // 2) / RATE
    gains = []
    for frequency_hz in (10, 770):
        envelope = 1 + np.sin(2 * np.pi * frequency_hz * t)  # positive: rectification changes nothing
        response = HairCellEnvelope(dtype="float64").fit_transform(envelope[np.newaxis, np.newaxis])[0, 0, RATE // 10 :]
        gains.append(np.ptp(response))
    assert 20 * np.log10(gains[1] / gains[0]) == pytest.approx(-3, abs=0.1)


@pytest.mark.parametrize("rms_one_db_spl", [93.98, 107])
@pytest.mark.parametrize("level_db", [20, 40, 60, 80, 100])
def test_steady_levels_come_out_near_their_db(level_db, rms_one_db_spl):
    # Dau et al. 1996: five loops leave the 32nd root, close to a logarithm between 0 and 100 dB.
    steady = np.full((1, 1, 5 * RATE), 10 ** ((level_db - rms_one_db_spl) / 20))
    loops = AdaptationLoops(dtype="float64", frame_length=0.1, rms_one_db_spl=rms_one_db_spl).fit(steady)
    found = loops.transform(steady)[0, 0, -1]
    floor = 1e-5 ** (1 / 32)
    exact = 100 * (10 ** ((level_db - 100) / 20 / 32) - floor) / (1 - floor)
    assert found == pytest.approx(exact, abs=0.1)
    assert found == pytest.approx(level_db, abs=5)


@pytest.mark.parametrize("limit", [5.0, 10.0])
def test_onsets_are_limited_by_the_factor(limit):
    step = np.full((1, 1, RATE // 10), 0.1)  # 80 dB from silence
    overshoot = AdaptationLoops(adaptation_limit=limit, dtype="float64").fit_transform(step).max()
    free = AdaptationLoops(adaptation_limit=None, dtype="float64").fit_transform(step).max()
    last = 1e-5 ** (1 / 32)
    most = ((1 - last**2) * limit - last) * 100 / (1 - last)  # 1 + M of the last loop, in model units
    assert 0.5 * most < overshoot <= most
    assert free > 5 * overshoot


def test_onsets_are_higher_with_limit_10():
    step = np.full((1, 1, RATE // 10), 0.1)
    five, ten = (AdaptationLoops(adaptation_limit=limit).fit_transform(step).max() for limit in (5, 10))
    assert 1.8 < ten / five < 3.5


def test_modulation_is_passed_best_by_the_filter_at_its_frequency():
    bank = ModulationFilterbank(low_hz=4000, high_hz=4010, max_modulation_hz=None, modulation="dau1997")
    t = np.arange(2 * RATE) / RATE
    bank.fit(t[np.newaxis, np.newaxis])
    centers = bank.modulation_index_.get_level_values("modulation_hz").to_numpy()
    gains = []
    for mf in centers[1:]:
        response = bank.transform(np.sin(2 * np.pi * mf * t)[np.newaxis, np.newaxis])[0, :, RATE:]
        gains.append(np.sqrt((response**2).mean(axis=1)) * np.where(centers > 10, 1, np.sqrt(2)))
    assert (np.argmax(gains, axis=1) == np.arange(1, len(centers))).all()


# Channels and rates


@pytest.mark.parametrize("sample_rate", [8000, 16000])
@pytest.mark.parametrize("model", [Osses2021, Dau1997, GammatoneFilterbank])
def test_channels_are_the_published_ones_below_half_the_rate(model, sample_rate):
    X = noise(2, 400)
    published_hz = model().fit(X).channel_frequencies_hz_
    low_rate = model(sample_rate).fit(X)
    assert_same(low_rate.channel_frequencies_hz_, published_hz[published_hz < sample_rate / 2 - 1e-6], "channels")
    assert len(low_rate.channel_frequencies_hz_) < 31 or model is Dau1997
    assert np.isfinite(low_rate.transform(X)).all()


@pytest.mark.parametrize("high_hz", [None, 8000])
def test_at_16_khz_the_centred_channels_are_those_of_the_toolbox(high_hz, golden):
    model = Osses2021.preset("amt", sample_rate=16000, high_hz=high_hz).fit(noise(1, 100))
    np.testing.assert_allclose(model.channel_frequencies_hz_, golden("osses2021_amt.npz")["jepsen2008_44100/fc"])
    assert model.channel_frequencies_hz_[-1] == pytest.approx(7819.2, abs=0.05)


@pytest.mark.parametrize("spacing", ["endpoints", "centered"])
@pytest.mark.parametrize("model", [Osses2021, Dau1997, GammatoneFilterbank])
def test_a_range_from_a_frequency_to_itself_is_one_channel_there(model, spacing):
    bank = model(low_hz=1234.5, high_hz=1234.5, spacing=spacing).fit(noise(1, 100))
    assert list(bank.channel_frequencies_hz_) == [1234.5]
    assert np.isfinite(bank.transform(noise(1, 100))).all()


def test_a_modulation_filterbank_has_the_channels_of_the_filterbank_at_every_rate():
    for sample_rate in (8000, 16000, 44100):
        bank = GammatoneFilterbank(sample_rate).fit(noise(1, 100))
        filters = ModulationFilterbank(sample_rate).fit(noise(1, bank.n_channels_, 100))
        assert_same(filters.channel_frequencies_hz_, bank.channel_frequencies_hz_, f"channels at {sample_rate} Hz")


@pytest.mark.parametrize("sample_rate", [8000, 16000])
@pytest.mark.parametrize("phase", ["minimum", "zero", "amt"])
@pytest.mark.parametrize(
    "stage", [HeadphoneFilter(), MiddleEarFilter(), MiddleEarFilter(middle_ear="lopezpoveda2001")], ids=str
)
def test_ear_filters_at_low_rates_have_the_gains_of_high_ones(stage, phase, sample_rate):
    hz = np.array([250, 500, 1000, 2000, 3000])

    def gains_db(rate):
        fir = clone(stage).set_params(sample_rate=rate, phase=phase).fit(noise(1, 100)).filter_.fir
        return 20 * np.log10(np.abs(np.exp(-2j * np.pi * np.outer(hz, np.arange(len(fir))) / rate) @ fir))

    np.testing.assert_allclose(gains_db(sample_rate), gains_db(RATE), atol=0.6)


def test_the_transfer_function_is_the_spectrum_of_the_impulse_response():
    click = np.zeros((1, 16000))
    click[0, 0] = 1
    bank = GammatoneFilterbank(16000, low_hz=300, bandwidth_factor=1.3, dtype="float64").fit(click)
    found = bank.transfer_function(np.arange(8001))
    assert found.shape == (bank.n_channels_, 8001)
    np.testing.assert_allclose(found, np.fft.rfft(bank.transform(click)[0]), atol=1e-12)
    peak_hz = np.abs(found).argmax(axis=1)
    np.testing.assert_allclose(peak_hz[:-2], bank.channel_frequencies_hz_[:-2], rtol=0.01)
    for hz in ([-1.0], [8000.1], [[1.0]]):
        with error(ValueError, "frequencies_hz=", "from 0 to half the sample rate, 8000.0 Hz"):
            bank.transfer_function(hz)


# Bad parameters


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"low_hz": 9000}, ("low_hz=9000", "must not exceed high_hz=8000", "None stands for", "lower it")),
        ({"low_hz": 900, "high_hz": 800}, ("low_hz=900", "must not exceed high_hz=800;", "lower it")),
        ({"low_hz": -80.0}, ("'low_hz'", "(0.0, inf)", "Got -80.0")),
        ({"high_hz": 22050}, ("high_hz=22050", "below half the sample rate, 22050", "lower it")),
        ({"high_hz": 23000}, ("high_hz=23000", "22050", "lower it")),
        ({"sample_rate": 8000, "high_hz": 8000}, ("high_hz=8000", "4000 Hz", "None", "sample_rate=8000")),
        ({"sample_rate": 16000, "high_hz": 8000}, ("high_hz=8000", "8000 Hz", "all channels", "lower it")),
        ({"sample_rate": 8000, "low_hz": 5000}, ("low_hz=5000", "4000 Hz", "sample_rate=8000")),
        ({"sample_rate": 4000}, ("sample_rate=4000", "between 8000 and 192000 Hz", "choose a rate")),
        ({"adaptation_limit": 0.5}, ("adaptation_limit=0.5", "above 1", "None")),
        ({"adaptation_limit": 0.999}, ("adaptation_limit=0.999", "above 1", "None")),
        ({"adaptation_limit": -1}, ("adaptation_limit=-1", "above 1", "None")),
        ({"adaptation_limit": np.nan}, ("adaptation_limit=nan", "above 1", "None")),
        ({"adaptation_limit": 1.2}, ("adaptation_limit=1.2", "must exceed 1.95", "raise it")),
        ({"adaptation_time_constants_s": (0.005, 0)}, ("adaptation_time_constants_s", "above 0 s")),
        ({"adaptation_time_constants_s": (0.005, -0.05)}, ("adaptation_time_constants_s", "above 0 s", "leave out")),
        ({"adaptation_time_constants_s": (np.nan,)}, ("adaptation_time_constants_s", "finite", "leave out")),
        ({"adaptation_time_constants_s": ()}, ("adaptation_time_constants_s", "1 to 8")),
        ({"minimum_level_db": 120}, ("minimum_level_db=120", "below 100 dB SPL")),
        ({"modulation_q": 0.5}, ("modulation_q=0.5", "above 0.5", "published one is 2")),
        ({"modulation_q": -2.0}, ("modulation_q=-2.0", "above 0.5", "published one is 2")),
        ({"modulation_q": np.nan}, ("modulation_q=nan", "above 0.5", "published one is 2")),
        ({"max_modulation_hz": 0.0}, ("'max_modulation_hz'", "(0.0, inf)", "Got 0.0")),
        ({"bandwidth_factor": 0.0}, ("'bandwidth_factor'", "(0.0, inf)", "Got 0.0")),
        ({"minimum_level_db": np.nan}, ("minimum_level_db=nan", "below 100 dB SPL")),
        ({"hair_cell": "meddis1986"}, ("'hair_cell'", "breebaart2001", "Got 'meddis1986'")),
        ({"modulation_q": 1e6}, ("modulation_q=1000000.0", "at most 50")),
    ],
)
def test_bad_parameters_are_named(parameters, words):
    with error(ValueError, *words):
        Osses2021(**parameters).fit(noise(1, 100))
    for stage in STAGES:
        if set(parameters) <= set(stage.get_params()) and "sample_rate" not in parameters:
            with error(ValueError, *words):
                clone(stage).set_params(**parameters).fit(sound_for(stage, 100))


@pytest.mark.parametrize("stage", [HeadphoneFilter, MiddleEarFilter])
@pytest.mark.parametrize(
    ("frequencies_hz", "gains_db", "words"),
    [
        ([250, 1000, 500], [0, 0, 0], ("frequencies_hz=500 at 2", "above the one before, 1000 Hz", "sort")),
        ([250, 250, 500], [0, 0, 0], ("frequencies_hz=250 at 1", "above the one before, 250 Hz", "sort")),
        ([0, 250], [0, 0], ("frequencies_hz=0 at 0", "above the one before, 0 Hz")),
        ([250], [0], ("gains_db has shape (1,)", "at least 2")),
        ([250, 500], [0], ("gains_db has shape (1,)", "frequencies_hz (2,)")),
        ([250, 500], [0, np.inf], ("gains_db must be finite", "replace")),
        (["low", "high"], [0, 1], ("frequencies_hz=['low', 'high'] must hold real numbers, and has 'low'",)),
        ([23000, 24000], [0, 0], ("frequencies_hz=23000", "22050 Hz", "raise sample_rate")),
    ],
)
def test_bad_tables_are_named(stage, frequencies_hz, gains_db, words):
    with error(ValueError, *words):
        stage(frequencies_hz=frequencies_hz, gains_db=gains_db).fit(noise(1, 100))


@pytest.mark.parametrize("limit", [0, 1])
def test_limits_that_stand_for_none_are_none(limit):
    x = np.full((1, 1, 2000), 0.1)
    found, wanted = (AdaptationLoops(adaptation_limit=value).fit_transform(x) for value in (limit, None))
    assert_same(found, wanted, "a limit that is none")
