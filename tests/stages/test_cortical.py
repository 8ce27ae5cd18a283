import numpy as np
import pytest
from audio_checks import error, make_task
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaud import CARFAC, CorticalSTRF, TemporalPooling

RANDOM = np.random.default_rng(9)


def ripple(scale, rate_hz, n_channels=128, n_frames=400):
    """A spectrogram of a ripple that moves down the channels where the rate is above 0."""
    octaves, seconds = np.arange(n_channels)[:, np.newaxis] / 24, np.arange(n_frames) / 200
    return 1 + np.cos(2 * np.pi * (scale * octaves + rate_hz * seconds))


def middle(response):
    """Mean magnitude of every filter, away from the edges."""
    return np.abs(response)[:, 32:96, 100:300].mean(axis=(1, 2))


def test_a_ripple_excites_the_filter_of_its_scale_rate_and_direction():
    filters = CorticalSTRF(response="complex")
    filters.fit(ripple(1, 1)[np.newaxis])
    for k, (scale, rate) in enumerate(zip(filters.scales_cycles_per_octave_, filters.rates_hz_)):
        if 0.5 < scale < 8 and abs(rate) < 32:  # well within the window
            response = filters.transform(ripple(scale, rate)[np.newaxis])[0]
            assert middle(response).argmax() == k


def test_the_other_direction_is_silent():
    filters = CorticalSTRF(scales_cycles_per_octave=[2, 2], rates_hz=[8, -8], response="complex")
    down, up = filters.fit_transform(np.stack([ripple(2, 8), ripple(2, -8)]))
    assert middle(down)[1] < 1e-3 * middle(down)[0]
    assert middle(up)[0] < 1e-3 * middle(up)[1]


def test_responses_are_parts_of_the_complex_one():
    X = RANDOM.standard_normal((2, 128, 50))
    parts = {
        part: CorticalSTRF(8, response=part, dtype="float64").fit_transform(X)
        for part in ("complex", "real", "magnitude")
    }
    assert parts["complex"].shape == (2, 8, 128, 50)
    np.testing.assert_allclose(parts["real"], parts["complex"].real, atol=1e-12)
    np.testing.assert_allclose(parts["magnitude"], np.abs(parts["complex"]), atol=1e-12)


def test_carfac_frames_go_through():
    clips, classes, _ = make_task()
    front = make_pipeline(
        CARFAC(pooling=None, frame_length=0.005),
        CorticalSTRF(8, channels_per_octave=12),
        TemporalPooling("std"),
    )
    features = front.fit_transform(clips)
    assert features.shape == (12, 8 * 71)
    names = front.get_feature_names_out()
    assert len({*names}) == features.shape[1]
    assert names[0].startswith("cortical_rate+2.0_scale0.25_nap_")
    assert names[0].endswith("hz_std")
    pipeline = make_pipeline(front, StandardScaler(), LogisticRegression())
    assert cross_val_score(pipeline, clips, classes, cv=3).mean() > 0.9


def test_lists_and_ears():
    X = RANDOM.standard_normal((2, 3, 16, 20))  # two signals, three ears
    filters = CorticalSTRF(8, dtype="float64").fit(X)
    both = filters.transform(X)
    assert both.shape == (2, 3, 8, 16, 20)
    for found, wanted in zip(filters.transform(list(X)), both):
        np.testing.assert_array_equal(found, wanted)
    np.testing.assert_allclose(filters.fit(X[:, 1]).transform(X[:, 1]), both[:, 1], atol=1e-12)


@pytest.mark.parametrize("response", ["real", "magnitude", "complex"])
def test_gradients_follow_differences(response):
    X, X_dot = RANDOM.standard_normal((2, 2, 16, 20))
    scales, rates = np.array([0.7, 3.0]), np.array([5.0, -9.0])
    scales_dot, rates_dot = RANDOM.standard_normal((2, 2))

    def loss(step):
        filters = CorticalSTRF(
            scales_cycles_per_octave=scales + step * scales_dot,
            rates_hz=rates + step * rates_dot,
            response=response,
            dtype="float64",
        )
        value, pullback = filters.fit(X[np.newaxis]).vjp((X + step * X_dot)[np.newaxis])
        return value, pullback

    value, pullback = loss(0)
    bar = RANDOM.standard_normal(value.shape)
    if response == "complex":
        bar = bar + 1j * RANDOM.standard_normal(value.shape)
    grads = pullback(bar)
    reverse = (grads["X"][0] * X_dot).sum()
    reverse += grads["scales_cycles_per_octave"] @ scales_dot + grads["rates_hz"] @ rates_dot
    difference = (loss(1e-6)[0] - loss(-1e-6)[0]) / 2e-6
    forward = np.real(np.conj(bar) * difference).sum()
    assert abs(forward - reverse) < 1e-6 * abs(forward)


def test_gradients_of_a_list_are_those_of_its_clips():
    clips = [RANDOM.standard_normal((16, n)) for n in (20, 30)]
    filters = CorticalSTRF(8, dtype="float64").fit(clips)
    value, pullback = filters.vjp(clips)
    together = pullback(value)
    alone = []
    for clip, response in zip(clips, value):
        own, back = filters.vjp(clip[np.newaxis])
        np.testing.assert_allclose(response, own[0], atol=1e-12)
        alone.append(back(own))
    for found, wanted in zip(together["X"], alone):
        np.testing.assert_allclose(found, wanted["X"][0], atol=1e-12)
    for name in ("scales_cycles_per_octave", "rates_hz"):
        np.testing.assert_allclose(together[name], alone[0][name] + alone[1][name])


@pytest.mark.parametrize("wrong", [1.0, np.ones(3), np.ones((2, 8, 16, 19))], ids=np.shape)
def test_derivatives_of_another_shape_than_the_value_are_refused(wrong):
    X = RANDOM.standard_normal((2, 16, 20))
    filters = CorticalSTRF(8).fit(X)
    for forms in (X, list(X)):
        _, pullback = filters.vjp(forms)
        with error(ValueError, "value_bar has", "[(8, 16, 20), (8, 16, 20)]"):
            pullback(wrong)


def test_rows_of_features_have_no_gradient():
    filters = CorticalSTRF(8).fit(np.ones((1, 16, 20)))
    with error(ValueError, "X has shape (6, 16)", "pooling=None"):
        filters.vjp(np.ones((6, 16)))


def test_pooled_features_of_a_model_before_are_refused():
    clips, _, _ = make_task(n_signals=6)
    with error(ValueError, "X has shape (6, 284)", "pooling=None"):
        make_pipeline(CARFAC(frame_length=0.005), CorticalSTRF(8)).fit(clips)


def test_names_are_distinct_even_where_filters_are_near():
    filters = CorticalSTRF(scales_cycles_per_octave=[2, 2, 2.001], rates_hz=[4, -4, 4]).fit(np.ones((1, 2, 3)))
    names = filters.get_feature_names_out(["250hz", "500hz"])
    assert list(names[:3]) == [
        "cortical_rate+4.00_scale2.000_250hz",
        "cortical_rate+4.00_scale2.000_500hz",
        "cortical_rate-4.00_scale2.000_250hz",
    ]
    assert len({*names}) == 6
    same = CorticalSTRF(scales_cycles_per_octave=[2, 2], rates_hz=[4, 4]).fit(np.ones((1, 1, 3)))
    assert list(same.get_feature_names_out()) == [
        "cortical_strf0_rate+4.0_scale2.00_channel0",
        "cortical_strf1_rate+4.0_scale2.00_channel0",
    ]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"n_strfs": 12}, ("n_strfs=12", "multiple of 8", "random")),
        ({"rates_hz": [1.0]}, ("scales_cycles_per_octave", "rates_hz", "()", "(1,)", "both")),
        ({"scales_cycles_per_octave": [1.0, 2], "rates_hz": [1.0]}, ("(2,)", "(1,)")),
        ({"scales_cycles_per_octave": [13.0], "rates_hz": [1.0]}, ("scales_cycles_per_octave", "13", "12")),
        ({"scales_cycles_per_octave": [1.0], "rates_hz": [0.0]}, ("rates_hz", "0", "differ from 0")),
        ({"scales_cycles_per_octave": [1.0], "rates_hz": [-101.0]}, ("rates_hz", "-101", "100 Hz")),
        ({"scales_cycles_per_octave": ["a"], "rates_hz": [1.0]}, ("scales_cycles_per_octave=['a']", "numbers")),
        ({"scales_cycles_per_octave": [1.0], "rates_hz": ["b"]}, ("rates_hz=['b']", "numbers")),
        ({"n_jobs": 0}, ("n_jobs", "Got 0")),
        ({"response": "imaginary"}, ("response", "imaginary")),
    ],
)
def test_bad_parameters_are_named(parameters, words):
    with error(ValueError, *words):
        CorticalSTRF(**parameters).fit(np.ones((1, 4, 5)))


@pytest.mark.parametrize(("channels_per_octave", "finest"), [(24, 8), (10, 3.75)])
def test_the_log_init_asks_for_no_ripples_that_the_channels_cannot_tell(channels_per_octave, finest):
    step = CorticalSTRF(channels_per_octave=channels_per_octave).fit(np.ones((1, 40, 5)))
    assert step.scales_cycles_per_octave_.max() == pytest.approx(finest)
    assert step.scales_cycles_per_octave_.min() == 0.25


def test_names_of_ears_are_those_of_their_own_channels():
    frames = np.ones((1, 2, 3, 20))
    step = CorticalSTRF(scales_cycles_per_octave=[1.0], rates_hz=[4.0]).fit(frames)
    names = step.get_feature_names_out([f"ear{e}_nap_{hz}hz" for e in range(2) for hz in (100, 200, 300)])
    assert list(names[[2, 3]]) == [f"cortical_rate+4.0_scale1.00_ear{e}_nap_{hz}hz" for e, hz in ((0, 300), (1, 100))]
    assert len(names) == 6
