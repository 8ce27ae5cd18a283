"""Stabilized auditory images and pitchograms, against plain NumPy, numbers by hand, and sounds whose pitch is known."""

import itertools

import numpy as np
import pytest
from audio_checks import error
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skaud import CARFAC, FeaturePipeline, Pitchogram, StabilizedAuditoryImage, TemporalPooling, audio, datasets
from skaud.testing import check_model, dot_test

RATE = 22050
RANDOM = np.random.default_rng(21)
SMALL = {"sample_rate": 2000, "max_lag_s": 0.015, "trigger_window_s": 0.020, "frame_length": 0.010}


def plain_images(x, n_past, n_future, step, hop):
    """Images (n_images, n_channels, n_lags) of x (n_channels, n_samples), from the definition, in float64."""
    n_window = 2 * step + 1
    weights = np.sin(np.arange(1, n_window + 1) * np.pi / n_window)
    before = n_window + n_past + n_future
    padded = np.concatenate([np.zeros((len(x), before)), x], axis=1)
    windows = sliding_window_view(padded, n_window, axis=1)
    surroundings = sliding_window_view(padded, n_past + 1 + n_future, axis=1)
    image, images = np.zeros((len(x), n_past + 1 + n_future)), []
    for time in range(1, x.shape[1] + 1):  # so many samples were heard
        if time % step == 0:
            begin = before + time - n_future - n_window
            weighted = windows[:, begin] * weights
            heard = weighted.max(axis=1) > 0
            which = np.where(heard, weighted.argmax(axis=1), weights.argmax())
            strength = np.where(heard, weighted.max(axis=1), weights.max())
            alpha = ((0.025 + strength) / (0.5 + strength))[:, np.newaxis]
            around = surroundings[np.arange(len(x)), begin + which - n_past]
            image = (1 - alpha) * image + alpha * around
        if time % hop == 0:
            images.append(image)
    return np.array(images)


def images_by_segments(x, width, future, n_window):
    """As the programs of google/carfac are built: a buffer takes segments of n_window - 1, in each two triggers."""
    segment, half = n_window - 1, n_window // 2
    weights = np.sin(np.linspace(np.pi / n_window, np.pi, n_window))
    n_buffer = width + int(1.5 * n_window)
    buffer, image, images = np.zeros((len(x), n_buffer)), np.zeros((len(x), width)), []
    for at in range(0, x.shape[1] - segment + 1, segment):
        buffer = np.concatenate([buffer[:, segment:], x[:, at : at + segment]], axis=1)
        newest = n_buffer - n_window - half  # begin of the first of the two windows, were there no future
        for c, w in itertools.product(range(len(x)), range(2)):
            own = buffer[c, newest - future + w * half :][:n_window] * weights
            peak, i = (own.max(), own.argmax()) if own.max() > 0 else (weights.max(), weights.argmax())
            alpha = (0.025 + peak) / (0.5 + peak)
            first = i + w * half + 1 + newest - width
            image[c] = (1 - alpha) * image[c] + alpha * buffer[c, first : first + width]
        images.append(image.copy())
    return np.array(images)


def pulses(n_channels=5, n_samples=900):
    """Positive bursts and silences, as a NAP has them."""
    x = np.maximum(0, RANDOM.standard_normal((n_channels, n_samples)))
    x[1, 200:500] = 0
    x[2] = -1
    x[3, ::37] += 4
    return x


def nap_of(clips, **parameters):
    clips = [clip.samples if hasattr(clip, "samples") else clip for clip in clips]
    carfac = CARFAC(pooling=None, frame_length=None, **parameters).fit(clips)
    return np.stack(carfac.transform(clips)), carfac.pole_frequencies_hz_


def click_train(period_samples, n_samples=RATE // 2):
    clicks = np.zeros(n_samples)
    clicks[::period_samples] = 0.5
    return clicks


def rippled_noise(delay_samples, n_iterations=16, n_samples=RATE):
    """Iterated rippled noise: white noise, to which it is added after a delay, again and again."""
    x = RANDOM.standard_normal(n_samples + n_iterations * delay_samples)
    for _ in range(n_iterations):
        x[delay_samples:] = x[delay_samples:] + x[:-delay_samples]
    return audio.set_level(x[-n_samples:], 65)


# --- against plain NumPy, and by hand ---


@pytest.mark.parametrize("hop", [20, 7, 33, 900])
@pytest.mark.parametrize(("past", "future"), [(0, 30), (11, 30), (5, 1), (3, 70)])
def test_images_are_those_of_the_definition(past, future, hop):
    x = pulses()
    stage = StabilizedAuditoryImage(
        2000, min_lag_s=-past / 2000, max_lag_s=future / 2000, frame_length=hop / 2000, dtype="float64"
    )
    images = stage.fit_transform(x[np.newaxis])[0]
    wanted = plain_images(x, past, future, step=20, hop=hop)
    assert images.shape == (5, past + 1 + future, 900 // hop)
    np.testing.assert_allclose(images, np.moveaxis(wanted, 0, -1), atol=1e-13)
    np.testing.assert_allclose(stage.lags_s_, np.arange(-past, future + 1) / 2000)
    single = clone(stage).set_params(dtype="float32").fit_transform(x[np.newaxis])[0]
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, images, atol=2e-6)


def test_frames_of_two_steps_are_those_of_the_published_structure():
    x = pulses()
    stage = StabilizedAuditoryImage(2000, min_lag_s=-0.006, max_lag_s=0.015, frame_length=0.02, dtype="float64")
    wanted = images_by_segments(x, width=12 + 1 + 30, future=30, n_window=41)
    np.testing.assert_allclose(stage.fit_transform(x[np.newaxis])[0], np.moveaxis(wanted, 0, -1), atol=1e-13)


def test_a_single_pulse_by_hand():
    # Windows of 3 samples with weights sqrt(3)/2, sqrt(3)/2 and 0; the pulse first has the weight 0, alpha = 0.025/0.5;
    # then sqrt(3)/2, alpha = 0.8910/1.3660.
    stage = StabilizedAuditoryImage(
        1000, min_lag_s=0, max_lag_s=0.001, trigger_window_s=0.002, frame_length=0.001, dtype="float64"
    )
    images = stage.fit_transform([[[0.0, 1.0, 0.5, 0.0, 0.0]]])[0][0]
    weight = (0.025 + np.sqrt(0.75)) / (0.5 + np.sqrt(0.75))
    third, fourth = np.array([0.05, 0.025]), (1 - weight) * np.array([0.05, 0.025]) + weight * np.array([1, 0.5])
    np.testing.assert_allclose(images.T[:4], [[0, 0], [0, 0], third, fourth], atol=1e-15)
    assert weight == pytest.approx(0.6523, abs=1e-4)


def test_the_first_of_equal_samples_triggers():
    x = np.zeros((1, 1, 60))
    x[0, 0, [17, 23]] = 1.0  # with equal weights: the window that ends at 40 has its middle at 20
    x[0, 0, 19] = 0.25
    stage = StabilizedAuditoryImage(
        1000, min_lag_s=0, max_lag_s=0.003, trigger_window_s=0.038, frame_length=0.041, dtype="float64"
    )
    assert stage.fit(x).engine_.triggers.step == 19
    image = stage.transform(np.roll(x, 2, axis=-1))[0, 0, :, 0]  # windows of 39 end 3 before 19, 38
    assert image[2] == pytest.approx(0.25 * image[0])


@pytest.mark.parametrize("mask", [False, True])
def test_a_pitchogram_is_the_mean_of_the_image_over_channels_and_cells(mask):
    x, frequencies = pulses(), np.array([900.0, 400, 200, 100, 50])
    common = {"trigger_window_s": 0.02, "frame_length": 0.01, "dtype": "float64"}
    image = StabilizedAuditoryImage(2000, min_lag_s=0, max_lag_s=0.03, **common).fit_transform(x[np.newaxis])[0]
    lags = np.arange(61) / 2000
    if mask:
        image = image * (lags > 1 / (2 * frequencies[:, np.newaxis]))[..., np.newaxis]
    stage = Pitchogram(2000, channel_frequencies_hz=frequencies if mask else None, **common)
    found = stage.fit_transform(x[np.newaxis])[0]
    # Cells from 0.5 ms on, at least a sample wide, over a staircase of means that is as fine as can be.
    edges = 0.003 * 2 ** (np.arange(140) / 36) - 0.0025
    edges = edges[edges <= 60.5 / 2000]
    fine = (np.arange(61 * 1000) + 0.5) / 1000 - 0.5  # in samples
    staircase = np.repeat(image.mean(axis=0), 1000, axis=0)
    wanted = []
    for left, right in itertools.pairwise(edges * 2000):
        grow = max(0, (1 - (right - left)) / 2)
        wanted.append(staircase[(fine > left - grow) & (fine < right + grow)].mean(axis=0))
    assert found.shape == (len(edges) - 1, 45)
    np.testing.assert_allclose(found, wanted, atol=2e-3 * np.abs(found).max())
    np.testing.assert_allclose(stage.lag_edges_s_, edges)


# --- sounds ---


@pytest.mark.parametrize("period", [110, 225, 400])
def test_a_click_train_stands_still_with_a_column_at_its_period(period):
    nap, _ = nap_of([click_train(period)])
    stage = StabilizedAuditoryImage(min_lag_s=0.002, trigger_window_s=2 * period / RATE)
    images = stage.fit_transform(nap)[0]
    mean = images[..., -1].mean(axis=0)[stage.lags_s_ < 1.5 * period / RATE]
    assert stage.lags_s_[mean.argmax()] * RATE == pytest.approx(period, abs=2)
    still = np.abs(images[..., -1] - images[..., -2]).max() / images[..., -1].max()
    assert still < 0.15


def test_a_vowel_has_its_pitch_at_its_period_and_its_formants_in_the_channels():
    f0, formants = 125.0, np.array([500.0, 1500.0])
    harmonics = f0 * np.arange(1, 40)
    levels = np.max(-60 * np.abs(np.log2(harmonics[:, np.newaxis] / formants)), axis=1)
    vowel = datasets.make_tone_complex(harmonics, levels, duration_s=0.4, sample_rate=RATE)
    nap, frequencies = nap_of(vowel)
    stage = StabilizedAuditoryImage(min_lag_s=0.003, max_lag_s=0.012)
    image = stage.fit_transform(nap)[0, ..., -1]
    assert 1 / stage.lags_s_[image.mean(axis=0).argmax()] == pytest.approx(f0, rel=0.01)
    at_pitch = image[:, np.abs(stage.lags_s_ - 1 / f0).argmin()]
    for formant in formants:
        assert at_pitch[np.abs(frequencies - formant).argmin()] > 3 * at_pitch[np.abs(frequencies - 900).argmin()]


@pytest.mark.parametrize("delay_ms", [4, 8, 16])
def test_iterated_rippled_noise_has_its_pitch_at_its_delay(delay_ms):
    nap, frequencies = nap_of([rippled_noise(round(delay_ms * RATE / 1000))])
    stage = Pitchogram(channel_frequencies_hz=frequencies, min_lag_s=0.003)
    mean = stage.fit_transform(nap)[0, :, 20:].mean(axis=1)
    assert 1000 * stage.lags_s_[mean.argmax()] == pytest.approx(delay_ms, rel=0.03)
    plain = Pitchogram(channel_frequencies_hz=frequencies, min_lag_s=0.003)
    noise = nap_of([audio.set_level(RANDOM.standard_normal(RATE), 65)])[0]
    flat = plain.fit_transform(noise)[0, :, 20:].mean(axis=1)
    assert mean.max() / np.median(mean) > 1.3 * flat.max() / np.median(flat)


def test_a_pitchogram_follows_a_glide():
    time = np.arange(RATE) / RATE
    f0 = 100 * 2**time  # an octave in a second
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    glide = audio.set_level(sum(np.cos(k * phase) for k in range(1, 12)), 65)
    nap, frequencies = nap_of([glide])
    stage = Pitchogram(channel_frequencies_hz=frequencies, min_lag_s=0.004, max_lag_s=0.012)
    frames = stage.fit_transform(nap)[0]
    found = 1 / stage.lags_s_[frames.argmax(axis=0)]
    times = (np.arange(frames.shape[1]) + 1) / stage.frame_rate_hz_ - 0.012 - 0.010  # of the newest window's middle
    wanted = 100 * 2.0 ** times[10:]
    assert np.median(np.abs(found[10:] / wanted - 1)) < 0.03


def test_an_image_fades_within_three_windows_of_silence():
    x = np.zeros((1, 1, 1400))
    x[..., :600:40] = 1
    stage = StabilizedAuditoryImage(**SMALL, min_lag_s=0)
    images = stage.fit_transform(x)[0, 0]
    levels = images.max(axis=0)  # every 20 samples: silence is all that windows have from 600 + 30 + 41 on
    assert levels[:30].max() > 0.8
    assert levels[round((600 + 30 + 3 * 41) / 20)] < 0.05 * levels.max()


# --- what holds for every stage ---

STAGES = [
    StabilizedAuditoryImage(**SMALL, min_lag_s=-0.004),
    Pitchogram(**SMALL, channel_frequencies_hz=[900.0, 400, 200, 100, 50]),
]
each = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: type(stage).__name__)


@each
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_ears", [None, 2])
@pytest.mark.parametrize("longest", [3, 40, 400])
def test_chunks_give_the_bits_of_the_whole(stage, n_ears, dtype, longest):
    ears = () if n_ears is None else (n_ears,)
    X = np.maximum(0, RANDOM.standard_normal((2, *ears, 5, 1100))).astype(dtype)
    model = clone(stage).set_params(dtype=dtype).fit(X)
    state, parts, begin = model.initial_state(2, n_ears), [], 0
    while begin < X.shape[-1]:
        end = begin + RANDOM.integers(0, longest + 1)
        part, state = model.transform_chunk(X[..., begin:end], state)
        parts.append(part)
        begin = end
    np.testing.assert_array_equal(np.concatenate(parts, axis=-1), model.transform(X))


@each
def test_ears_and_lists_are_each_by_itself(stage):
    X = np.stack([np.stack([pulses(), pulses()]) for _ in range(3)])
    both = clone(stage).fit(X).transform(X)
    assert both.shape[:2] == (3, 2)
    alone = clone(stage).fit(X[:, 1])
    np.testing.assert_array_equal(alone.transform(X[:, 1]), both[:, 1])
    lengths = (900, 333, 21)
    ragged = alone.set_params(n_jobs=2).fit(X[:, 1]).transform([X[i, 1, :, :n] for i, n in enumerate(lengths)])
    for i, (own, n) in enumerate(zip(ragged, lengths)):
        np.testing.assert_array_equal(own, both[i, 1][..., : n // 20])
    names = clone(stage).fit(X).get_feature_names_out()
    assert names[0].startswith(f"ear0_{stage.output}_")
    assert len(set(names)) == len(names) == both[0, ..., 0].size


@each
def test_a_clip_shorter_than_a_frame_has_the_image_of_its_end(stage):
    x = pulses()
    short = clone(stage).set_params(frame_length=0.4).fit(x[np.newaxis]).transform([x[:, :300]])[0]
    ends = clone(stage).set_params(frame_length=0.15).fit(x[np.newaxis]).transform([x[:, :300]])[0]
    assert short.shape[-1] == 1
    np.testing.assert_array_equal(short, ends)


@each
def test_pooled_features_of_long_clips_are_those_of_their_images(stage):
    x = np.maximum(0, RANDOM.standard_normal((1, 5, 20 * 150))).astype("float32")
    pooled = clone(stage).set_params(pooling=("mean", "max")).fit(x)
    images = clone(stage).fit(x).transform(x)
    np.testing.assert_allclose(
        pooled.transform(x), TemporalPooling(("mean", "max")).fit_transform(images), rtol=1e-6, atol=1e-9
    )
    assert len(pooled.get_feature_names_out()) == pooled.transform(x).shape[1]


@each
def test_the_adjoint_is_that_of_the_response(stage):
    clips = [pulses(n_samples=n) for n in (300, 120)]
    for own in (stage, clone(stage).set_params(frame_length=0.0137)):
        differences = dot_test(own, clips)
        assert set(differences) == {"X"}
    value, pullback = clone(stage).set_params(dtype="float64").fit(clips).vjp(clips)
    bars = pullback([np.ones_like(own) for own in value])["X"]
    assert all(np.abs(bar).max() > 0 for bar in bars)
    x = 0.1 + np.abs(RANDOM.standard_normal((5, 300)))  # no silence, no two samples alike: triggers stay
    step = 1e-6 * RANDOM.standard_normal(x.shape)
    model = clone(stage).set_params(dtype="float64").fit([x])
    up, down = (model.transform([x + sign * step])[0].sum() for sign in (1, -1))
    _, pullback = model.vjp([x])
    slope = (pullback([np.ones_like(model.transform([x])[0])])["X"][0] * step).sum()
    assert (up - down) / 2 == pytest.approx(slope, rel=1e-5)


@each
def test_scikit_learns_pipelines_carry_names_and_pool(stage):
    X = 0.05 * RANDOM.standard_normal((3, 1500))
    carfac = CARFAC(8000, erb_per_step=3.0, pooling=None, frame_length=None)
    n_channels = carfac.fit(X).n_channels_
    own = clone(stage).set_params(sample_rate=8000)
    if isinstance(stage, Pitchogram):
        own.set_params(channel_frequencies_hz=carfac.pole_frequencies_hz_)
    front = make_pipeline(carfac, own, TemporalPooling("mean")).fit(X)
    names = front.get_feature_names_out()
    assert len(names) == front.transform(X).shape[1]
    if isinstance(stage, StabilizedAuditoryImage):
        assert len(names) == n_channels * len(own.lags_s_)
        assert names[0] == f"image_{carfac.get_feature_names_out()[0]}_lag-4.00ms_mean"
    else:
        assert names[0] == "pitchogram_lag0.53ms_mean"


@each
@pytest.mark.parametrize("n_ears", [None, 2])
def test_a_stream_through_carfac_and_a_stage_gives_the_whole(stage, n_ears):
    X = 0.05 * RANDOM.standard_normal((2, *(() if n_ears is None else (n_ears,)), 1500))
    carfac = CARFAC(8000, erb_per_step=3.0, pooling=None, frame_length=None)
    own = clone(stage).set_params(sample_rate=8000)
    if isinstance(stage, Pitchogram):
        own.set_params(channel_frequencies_hz=None)
    features = FeaturePipeline([("carfac", carfac), ("image", own)]).fit(X)
    state, parts = features.initial_state(2), []
    for begin in range(0, 1500, 250):
        part, state = features.transform_chunk(X[..., begin : begin + 250], state)
        parts.append(part)
    np.testing.assert_array_equal(np.concatenate(parts, axis=-1), features.transform(X))
    names = features.get_feature_names_out()
    assert len(names) == len(set(names)) == features.transform(X)[0, ..., 0].size


@each
def test_features_behind_carfac_pass_the_checks_of_a_model(stage):
    carfac = CARFAC(8000, erb_per_step=3.0, pooling=None, frame_length=None)
    own = clone(stage).set_params(sample_rate=8000, max_lag_s=0.004, trigger_window_s=0.005, frame_length=0.004)
    if isinstance(stage, Pitchogram):
        own.set_params(channel_frequencies_hz=None)
    steps = [("carfac", carfac), ("image", own), ("pooling", TemporalPooling("mean"))]
    found = check_model(FeaturePipeline(steps), skip=["chunks_equal_the_whole", "names_belong_to_features"])
    assert found["order_changes_nothing"] == found["clones_and_pickles_give_the_same"] == "passed"


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (StabilizedAuditoryImage(min_lag_s=0.03), ("min_lag_s=0.03", "max_lag_s=0.025", "lower it")),
        (StabilizedAuditoryImage(max_lag_s=2.0), ("max_lag_s=2.0", "4.41e+04 lags", "2e+04", "sample_rate=22050")),
        (StabilizedAuditoryImage(min_lag_s=-2.0), ("min_lag_s=-2.0", "nearer to 0")),
        (StabilizedAuditoryImage(trigger_window_s=60), ("trigger_window_s=60", "1e+05", "nearer to 0")),
        (Pitchogram(min_lag_s=0.05), ("min_lag_s=0.05", "max_lag_s=0.03", "raise")),
        (Pitchogram(min_lag_s=0, log_offset_s=0), ("min_lag_s=0", "log_offset_s=0", "raise")),
        (Pitchogram(lags_per_octave=1e6), ("lags_per_octave=1000000.0", "1e+04", "lower it")),
        (Pitchogram(channel_frequencies_hz=[1.0, 2.0]), ("channel_frequencies_hz", "(2,)", "5 channels", "None")),
        (Pitchogram(channel_frequencies_hz=[1.0, 2, 0, 3, 4]), ("channel_frequencies_hz", "above 0")),
        (Pitchogram(channel_frequencies_hz=list("abcde")), ("channel_frequencies_hz=['a'", "real numbers")),
    ],
)
def test_what_cannot_be_meant_is_named(stage, words):
    with error(ValueError, *words):
        stage.fit(np.ones((1, 5, 500)))


@each
def test_a_wrong_number_of_channels_is_named(stage):
    with error(ValueError, "4 channels", "5"):
        clone(stage).fit(np.ones((1, 5, 100))).transform(np.ones((1, 4, 100)))
