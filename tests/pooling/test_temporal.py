import numpy as np
import pandas as pd
import pytest
from audio_checks import error
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skaud import GammatoneFilterbank, TemporalPooling
from skaud.pooling.arrays import pool

FRAMES = np.array([[3.0, 1.0, 4.0, 1.0, 5.0, 9.0], [2.0, 7.0, 1.0, 8.0, 2.0, 8.0]])  # two channels, six frames


def ptp(frames, axis=-1):
    return np.ptp(frames, axis=axis)


@parametrize_with_checks(
    [TemporalPooling(), TemporalPooling(("max", "delta_p90"), segments=3), TemporalPooling({"mean": 2, "std": 1})]
)
def test_it_is_a_scikit_learn_transformer(estimator, check):
    check(estimator)


# Statistics


@pytest.mark.parametrize(
    ("statistic", "wanted"),
    [
        ("mean", [23 / 6, 28 / 6]),
        ("std", [np.sqrt(133 / 6 - (23 / 6) ** 2), np.sqrt(186 / 6 - (28 / 6) ** 2)]),
        ("min", [1, 1]),
        ("max", [9, 8]),
        ("median", [3.5, 4.5]),
        ("p0", [1, 1]),
        ("p50", [3.5, 4.5]),
        ("p95", [8, 8]),
        ("p12.5", [1, 1.625]),
        ("p100", [9, 8]),
        ("delta_mean", [6 / 5, 6 / 5]),
        ("delta_max", [4, 7]),
        ("delta_std", [np.std([-2, 3, -3, 4, 4]), np.std([5, -6, 7, -6, 6])]),
        ("delta_p50", [3, 5]),
        (np.sum, [23, 28]),
        (ptp, [8, 7]),
    ],
)
def test_statistic_of_each_channel(statistic, wanted):
    np.testing.assert_allclose(TemporalPooling(statistic).fit_transform([FRAMES]), [wanted], rtol=1e-14)


def test_delta_of_a_single_frame_is_zero():
    pooled = TemporalPooling(("delta_mean", "delta_std", "delta_max")).fit_transform([FRAMES[:, :1]])
    np.testing.assert_array_equal(pooled, np.zeros((1, 6)))


def test_statistics_stand_in_order_and_channels_within():
    pooled = TemporalPooling(("max", "min", ptp)).fit_transform([FRAMES])
    np.testing.assert_array_equal(pooled, [[9, 8, 1, 1, 8, 7]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("statistic", ["mean", "std", "median", "p95", "delta_std"])
def test_features_have_the_dtype_of_the_frames(dtype, statistic):
    assert TemporalPooling(statistic).fit_transform([FRAMES.astype(dtype)]).dtype == dtype


def test_integer_frames_are_not_rounded():
    frames = np.array([[0, 1], [1, 4]])
    np.testing.assert_array_equal(TemporalPooling(("p50", "mean")).fit_transform([frames]), [[0.5, 2.5, 0.5, 2.5]])


# Parts


def test_parts_are_pooled_in_order():
    frames = np.arange(20.0).reshape(2, 10)
    pooled = TemporalPooling("mean", segments=5).fit_transform([frames])
    np.testing.assert_array_equal(pooled, [[0.5, 10.5, 2.5, 12.5, 4.5, 14.5, 6.5, 16.5, 8.5, 18.5]])


def test_parts_cover_every_frame_once_and_differ_by_one_at_most():
    counts = TemporalPooling(np.sum, segments=4).fit_transform([np.ones((1, n)) for n in range(4, 30)])
    np.testing.assert_array_equal(counts.sum(axis=1), np.arange(4, 30))
    assert (np.ptp(counts, axis=1) <= 1).all()


def test_fewer_frames_than_parts_are_repeated_in_order():
    pooled = TemporalPooling("mean", segments=5).fit_transform([np.array([[1.0, 2.0]])])
    np.testing.assert_array_equal(pooled, [[1, 1, 1, 2, 2]])


# Forms of X


def test_statistics_have_parts_of_their_own_in_their_order():
    pooling = TemporalPooling({"mean": 3, "std": 1}).fit([FRAMES])
    course = TemporalPooling("mean", segments=3).fit([FRAMES])
    spread = TemporalPooling("std").fit([FRAMES])
    wanted = np.hstack([course.transform([FRAMES]), spread.transform([FRAMES])])
    np.testing.assert_array_equal(pooling.transform([FRAMES]), wanted)
    names = [*course.get_feature_names_out(["a", "b"]), *spread.get_feature_names_out(["a", "b"])]
    assert list(pooling.get_feature_names_out(["a", "b"])) == names


def test_the_number_of_parts_may_be_numpys_which_holds_fewer_than_there_are_frames():
    frames = [np.random.default_rng(0).standard_normal((2, 1000))]
    for kind in (np.uint8, np.int64):
        for mine, other in (
            (TemporalPooling(segments=kind(3)), TemporalPooling(segments=3)),
            (TemporalPooling({"mean": kind(2)}), TemporalPooling({"mean": 2})),
        ):
            np.testing.assert_array_equal(mine.fit_transform(frames), other.fit_transform(frames), strict=True)
    with error(ValueError, "segments=True"):
        TemporalPooling(segments=True).fit(frames)


@pytest.mark.parametrize("segments", [1, 2])
def test_statistics_and_their_parts_may_be_items_of_a_dict(segments):
    parts = {"mean": 3, ptp: 1}
    if segments == 2:
        with error(ValueError, "segments=2 and statistics=", "both say in how many parts"):
            TemporalPooling(tuple(parts.items()), segments=2).fit([FRAMES])
        return
    of_items, of_dict = (TemporalPooling(own).fit([FRAMES]) for own in (tuple(parts.items()), parts))
    np.testing.assert_array_equal(of_items.transform([FRAMES]), of_dict.transform([FRAMES]))
    assert list(of_items.get_feature_names_out()) == list(of_dict.get_feature_names_out())


@pytest.mark.parametrize(
    ("statistics", "words"),
    [
        ((("mean", 0),), "0 parts for 'mean'"),
        ((("mean", True),), "True parts for 'mean'"),
        ((("mean", None),), "None parts for 'mean'"),
        ((("mean", "std"),), "'std' parts for 'mean'"),
        ((("mean", 2), ("mean", 3)), "'mean' 2 times"),
        ((("mean", 2), "std"), "('mean', 2)"),
        ((("mode", 2),), "'mode'"),
    ],
)
def test_items_that_are_no_statistics_with_parts_are_refused(statistics, words):
    with error(ValueError, words):
        TemporalPooling(statistics).fit([FRAMES])


def test_a_model_pools_statistics_in_parts_of_their_own():
    x = [np.random.default_rng(0).standard_normal(8000)]
    parts = {"mean": 2, "max": 1}
    inside = GammatoneFilterbank(frame_length=0.01, pooling=parts).fit(x)
    steps = make_pipeline(GammatoneFilterbank(frame_length=0.01, pooling=None), TemporalPooling(parts)).fit(x)
    np.testing.assert_array_equal(inside.transform(x), steps.transform(x))
    assert list(inside.get_feature_names_out()) == list(steps.get_feature_names_out())
    with error(ValueError, "pooling has 0 parts for 'mean'"):
        GammatoneFilterbank(frame_length=0.01, pooling={"mean": 0}).fit(x)


def test_lists_of_different_lengths_equal_one_by_one():
    frames = [FRAMES, FRAMES[:, :1], FRAMES[:, 2:]]
    pooling = TemporalPooling(("mean", "std"), segments=2).fit(frames)
    np.testing.assert_array_equal(pooling.transform(frames), np.concatenate([pooling.transform([f]) for f in frames]))


def test_arrays_and_lists_agree():
    X = np.random.default_rng(0).standard_normal((4, 3, 7))
    objects = np.empty(4, dtype=object)
    objects[:] = list(X)
    wanted = TemporalPooling().fit_transform(list(X))
    for form in (X, tuple(X), objects, X.tolist()):
        np.testing.assert_array_equal(TemporalPooling().fit_transform(form), wanted)


def test_one_channel_may_go_without_an_axis():
    X = np.random.default_rng(0).standard_normal((4, 7))
    wanted = TemporalPooling(segments=2).fit_transform(X[:, None])
    np.testing.assert_array_equal(TemporalPooling(segments=2).fit_transform(X), wanted)
    clips = [X[0], X[1, :5]]
    pooled = TemporalPooling("mean").fit_transform(clips)
    np.testing.assert_allclose(pooled, [[X[0].mean()], [X[1, :5].mean()]], rtol=1e-15)


def test_ears_stand_outside_channels():
    X = np.random.default_rng(0).standard_normal((3, 2, 4, 6))
    pooled = TemporalPooling(("mean", "max")).fit_transform(X)
    np.testing.assert_array_equal(pooled, np.concatenate([X.mean(-1).reshape(3, 8), X.max(-1).reshape(3, 8)], axis=1))


def test_fit_of_a_list_forgets_the_frames_of_an_array():
    pooling = TemporalPooling().fit(np.ones((3, 7)))
    assert (pooling.n_features_in_, pooling.channel_shape_) == (7, ())
    pooling.fit([FRAMES])
    assert not hasattr(pooling, "n_features_in_")
    assert pooling.channel_shape_ == (2,)


# Names


def test_names_tell_channel_statistic_and_part():
    pooling = TemporalPooling(("mean", ptp), segments=2).fit([FRAMES])
    assert pooling.get_feature_names_out(["a", "b"]).tolist() == [
        "a_mean_part1of2",
        "b_mean_part1of2",
        "a_ptp_part1of2",
        "b_ptp_part1of2",
        "a_mean_part2of2",
        "b_mean_part2of2",
        "a_ptp_part2of2",
        "b_ptp_part2of2",
    ]


def test_names_without_names_count_the_channels():
    assert TemporalPooling("p95").fit([FRAMES]).get_feature_names_out().tolist() == ["channel0_p95", "channel1_p95"]
    assert TemporalPooling("max").fit(np.ones((2, 5))).get_feature_names_out().tolist() == ["x_max"]


def test_a_frame_of_features_has_the_names():
    frame = TemporalPooling().set_output(transform="pandas").fit_transform([FRAMES, FRAMES[:, :3]])
    assert list(frame.columns) == ["channel0_mean", "channel1_mean", "channel0_std", "channel1_std"]
    assert isinstance(frame, pd.DataFrame)


def test_a_grid_search_takes_frames_of_different_lengths():
    X = [np.full((2, 4 + i % 3), i % 2) + 0.01 * i for i in range(12)]
    y = np.arange(12) % 2
    grid = {"temporalpooling__segments": [1, 3], "temporalpooling__statistics": ["mean", ("min", "max")]}
    search = GridSearchCV(make_pipeline(TemporalPooling(), LogisticRegression()), grid, cv=3, error_score="raise")
    assert search.fit(X, y).best_score_ == 1


# Bad input


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"statistics": "mode"}, ("statistics has 'mode'", "'mean'", "'p95'", "delta_")),
        ({"statistics": "p101"}, ("statistics has 'p101'", "percentile such as 'p95'")),
        ({"statistics": ("mean", "delta_mode")}, ("statistics has 'delta_mode'", "'mean'")),
        ({"statistics": ("mean", 3)}, ("statistics has 3", "'mean'")),
        ({"statistics": ()}, ("statistics=() is empty", "name at least one")),
        ({"statistics": ("mean", "max", "mean")}, ("statistics has 'mean' 2 times", "leave one out")),
        ({"statistics": (np.mean, "mean")}, ("statistics has 'mean' 2 times", "different names")),
        ({"statistics": None}, ("'statistics'", "Got None")),
        ({"segments": 0}, ("'segments'", "[1, 100000]", "Got 0")),
        ({"segments": 2.0}, ("'segments'", "[1, 100000]", "Got 2.0")),
        ({"statistics": {}}, ("statistics={} is empty", "name at least one")),
        ({"statistics": {"mode": 1}}, ("statistics has 'mode'", "'mean'")),
        ({"statistics": {"mean": 0}}, ("0 parts for 'mean'", "from 1 to 100000")),
        ({"statistics": {"mean": 2.0}}, ("2.0 parts for 'mean'", "an integer")),
        ({"statistics": {"mean": True}}, ("True parts for 'mean'", "an integer")),
        ({"statistics": {"mean": 4}, "segments": 2}, ("segments=2", "both say", "leave segments at 1")),
    ],
)
def test_bad_parameters_are_refused(parameters, words):
    with error(ValueError, *words):
        TemporalPooling(**parameters).fit([FRAMES])


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ([], ("no signals", "at least 1")),
        (np.ones((0, 2, 3)), ("shape (0, 2, 3)", "no signals", "at least 1")),
        ([FRAMES, FRAMES[:, :0]], ("X[1] is float64 of shape (2, 0)", "at least 1 frame")),
        ([FRAMES[None, None, None]], ("X[0] is float64 of shape (1, 1, 1, 2, 6)", "n_channels, n_frames)")),
        ([FRAMES, FRAMES[:1]], ("X[1] has frames of shape (1,)", "X[0] had (2,)", "same model")),
        ([FRAMES, FRAMES * np.nan], ("X[1] has features that are NaN", "finite")),
        ([FRAMES * 1j], ("X[0] is complex128", "must be real")),
        ([FRAMES.astype(str)], ("X[0] is <U", "must be real")),
    ],
)
def test_bad_frames_are_refused(X, words):
    with error(ValueError, *words):
        TemporalPooling().fit(X)


def test_transform_takes_the_channels_of_fit():
    pooling = TemporalPooling().fit([FRAMES])
    with error(ValueError, "X[1] has frames of shape (3,)", "fit had (2,)", "fit again"):
        pooling.transform([FRAMES, np.ones((3, 4))])


def test_names_of_other_channels_are_refused():
    with error(ValueError, "3 names for 2 channels", "model before"):
        TemporalPooling().fit([FRAMES]).get_feature_names_out(["a", "b", "c"])


def test_a_callable_must_reduce_the_last_axis():
    def total(frames, axis=-1):
        return frames.sum()

    with error(ValueError, "'total' made shape ()", "(2, 6)", "reduce the last axis"):
        TemporalPooling(total).fit_transform([FRAMES])


def test_frames_in_time_order_matter_to_deltas_alone():
    shuffled = FRAMES[:, [3, 0, 5, 1, 4, 2]]
    np.testing.assert_allclose(pool(shuffled, ("mean", "std", "p95")), pool(FRAMES, ("mean", "std", "p95")))
    assert not np.allclose(pool(shuffled, "delta_std"), pool(FRAMES, "delta_std"))
