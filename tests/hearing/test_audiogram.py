import copy
import pickle
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skaud.hearing import Audiogram

# Bisgaard, Vlaming & Dahlquist 2010, Tables 2 and 4: dB HL at 250, 375, 500, 750, 1000, 1500, 2000, 3000, 4000, 6000 Hz
BISGAARD = """
N1  10  10    10  10    10   10   15   20   30   40
N2  20  20    20  22.5  25   30   35   40   45   50
N3  35  35    35  35    40   45   50   55   60   65
N4  55  55    55  55    55   60   65   70   75   80
N5  65  67.5  70  72.5  75   80   80   80   80   80
N6  75  77.5  80  82.5  85   90   90   95   100  100
N7  90  92.5  95  100   105  105  105  105  105  105
S1  10  10    10  10    10   10   15   30   55   70
S2  20  20    20  22.5  25   35   55   75   95   95
S3  30  30    35  47.5  60   70   75   80   80   85
"""


def error(kind, *words):
    """The message holds these words, in this order."""
    return pytest.raises(kind, match="(?s)" + ".*".join(re.escape(word) for word in words))


@pytest.fixture
def sloping():
    """An audiogram with a threshold missing at 2000 Hz."""
    return Audiogram([250, 500, 1000, 2000, 4000], [10, 15, 20, np.nan, 60], ear="right")


@pytest.fixture
def profound():
    """An audiogram whose last two tones were not heard at the audiometer's limit; none was tried at 3000 Hz."""
    thresholds = [60, 85, 110, np.nan, 120, 100]
    return Audiogram([500, 1000, 2000, 3000, 4000, 8000], thresholds, "left", [False] * 4 + [True, True])


# The standard audiograms


@pytest.mark.parametrize("line", BISGAARD.split("\n")[1:-1], ids=lambda line: line[:2])
def test_standard_audiograms_are_those_of_the_paper(line):
    name, *thresholds_db_hl = line.split()
    audiogram = Audiogram.standard(name)
    assert audiogram.frequencies_hz.tolist() == [250, 375, 500, 750, 1000, 1500, 2000, 3000, 4000, 6000]
    assert audiogram.thresholds_db_hl.tolist() == [float(threshold) for threshold in thresholds_db_hl]
    assert audiogram.measured.all()


def test_standard_losses_grow_with_their_number_and_with_frequency():
    losses = np.stack([Audiogram.standard(f"N{i}").thresholds_db_hl for i in range(1, 8)])
    assert (np.diff(losses, axis=0) >= 0).all()
    steep = np.stack([Audiogram.standard(f"S{i}").thresholds_db_hl for i in range(1, 4)])
    assert (np.diff(np.concatenate([losses, steep]), axis=1) >= 0).all()


def test_standard_losses_have_the_grades_of_the_world_health_organization():
    # World report on hearing 2021: mild from 20, moderate 35, moderately severe 50, severe 65, profound 80, complete 95
    grade = [
        np.searchsorted([20, 35, 50, 65, 80, 95], Audiogram.standard(f"N{i}").pure_tone_average()) for i in range(1, 8)
    ]
    assert grade == [0, 1, 2, 3, 4, 5, 6]


def test_an_unknown_standard_audiogram_is_refused():
    for name in ("N8", "n3", "S4", 3, ["N1"]):
        with error(ValueError, f"name={name!r}", "N1, N2, N3, N4, N5, N6, N7, S1, S2, S3", "choose"):
            Audiogram.standard(name)


# Interpolation


def test_thresholds_are_linear_in_db_over_octaves():
    audiogram = Audiogram([500, 1000, 4000], [0, 10, 50])
    np.testing.assert_allclose(audiogram.thresholds_at([500, 500 * 2**0.5, 1000, 2000, 4000]), [0, 5, 10, 30, 50])
    assert audiogram.thresholds_at([[700, 800]]).shape == (1, 2)
    assert np.ndim(audiogram.thresholds_at(2000)) == 0


def test_a_missing_threshold_is_bridged_and_known_to_be_missing(sloping):
    assert sloping.measured.tolist() == [True, True, True, False, True]
    assert sloping.thresholds_at(2000) == pytest.approx(40)  # half-way from 20 to 60 in octaves
    without = Audiogram([250, 500, 1000, 4000], [10, 15, 20, 60])
    frequency_hz = np.geomspace(250, 4000, 50)
    np.testing.assert_array_equal(sloping.thresholds_at(frequency_hz), without.thresholds_at(frequency_hz))


def test_the_end_thresholds_are_held_for_half_an_octave():
    audiogram = Audiogram.standard("N3")
    np.testing.assert_array_equal(
        audiogram.thresholds_at([250 / 2**0.5, 200, 6000, 8000, 6000 * 2**0.5]), [35] * 2 + [65] * 3
    )
    for frequency_hz in (125, 8600):
        with error(
            ValueError, f"frequencies_hz={frequency_hz}", "250 to 6000 Hz or 0.5 octaves", "extend_octaves=numpy.inf"
        ):
            audiogram.thresholds_at([1000, frequency_hz])
    assert audiogram.thresholds_at(125, extend_octaves=1) == 35
    np.testing.assert_array_equal(audiogram.thresholds_at([20, 20000], extend_octaves=np.inf), [35, 65])


def test_only_measured_thresholds_are_held_beyond_the_ends():
    audiogram = Audiogram([125, 250, 500, 8000], [None, 10, 20, None])
    with error(ValueError, "frequencies_hz=125", "within the measured 250 to 500 Hz"):
        audiogram.thresholds_at(125)
    assert audiogram.thresholds_at(600) == 20


def test_frequencies_that_are_none_are_refused():
    for frequency_hz in (0, -1000, np.nan, np.inf):
        with error(ValueError, f"frequencies_hz={frequency_hz:g}", "within the measured"):
            Audiogram.standard("N1").thresholds_at(frequency_hz, extend_octaves=np.inf)
    for extend_octaves in (-0.1, np.nan, True):
        with error(ValueError, f"extend_octaves={extend_octaves}", "must be 0 or more"):
            Audiogram.standard("N1").thresholds_at(1000, extend_octaves)


# Averages and differences


def test_the_pure_tone_average_is_that_of_the_four_speech_frequencies(sloping):
    assert Audiogram.standard("S2").pure_tone_average() == (20 + 25 + 55 + 95) / 4
    assert Audiogram.standard("S2").pure_tone_average([500, 1000, 2000]) == pytest.approx((20 + 25 + 55) / 3)
    assert Audiogram.standard("S2").pure_tone_average(1500) == 35
    assert sloping.pure_tone_average() == pytest.approx((15 + 20 + 40 + 60) / 4)  # 2000 Hz interpolated


def test_an_average_is_never_taken_beyond_the_measured_frequencies():
    low = Audiogram([250, 500, 1000], [10, 10, 10])
    with error(ValueError, "frequencies_hz=2000", "within the measured 250 to 1000 Hz;", "leave it out"):
        low.pure_tone_average()
    assert low.pure_tone_average([500, 1000]) == 10
    with error(ValueError, "frequencies_hz is empty", "give at least one"):
        low.pure_tone_average([])


def test_a_difference_has_the_frequencies_measured_in_both(sloping):
    other = Audiogram([500, 1000, 2000, 3000, 4000], [20, 20, 20, 20, 20], ear="left")
    assert (sloping - other).to_dict() == {500: -5, 1000: 0, 4000: 40}
    pd.testing.assert_series_equal(other.difference(sloping), -sloping.difference(other))
    with error(
        ValueError, "other has thresholds at [125.0, 750.0] Hz", "[250.0, 500.0, 1000.0, 4000.0] Hz", "thresholds_at"
    ):
        sloping - Audiogram([125, 750, 2000], [0, 0, None])
    with pytest.raises(TypeError, match="unsupported operand"):
        sloping - 5


# No response


def test_a_tone_that_was_not_heard_is_known_as_such(profound):
    assert profound.no_response.tolist() == [False, False, False, False, True, True]
    assert profound.measured.tolist() == [True, True, True, False, True, True]
    assert profound.thresholds_db_hl[-2:].tolist() == [120, 100]
    assert not Audiogram.standard("N7").no_response.any()
    with pytest.raises(ValueError, match="read-only"):
        profound.no_response[0] = True
    assert Audiogram([500, 1000], [110, 120], no_response=[True, True]).measured.all()  # a deaf ear


def test_what_was_not_heard_tells_audiograms_apart(profound):
    heard = Audiogram(profound.frequencies_hz, profound.thresholds_db_hl, "left")
    assert profound != heard
    assert len({profound, heard, copy.copy(profound)}) == 2
    assert heard == Audiogram(heard.frequencies_hz, heard.thresholds_db_hl, "left", np.zeros(6, bool))
    assert repr(profound) == (
        "Audiogram([500, 1000, 2000, 3000, 4000, 8000], [60, 85, 110, None, 120, 100], ear='left', "
        "no_response=[False, False, False, False, True, True])"
    )
    for copied in (eval(repr(profound)), copy.deepcopy(profound), pickle.loads(pickle.dumps(profound))):
        assert copied == profound
        assert copied.no_response.tolist() == profound.no_response.tolist()
    assert clone(Listener(profound)).audiogram == profound


def test_averages_and_interpolation_take_the_level_that_was_not_heard(profound):
    assert profound.pure_tone_average() == (60 + 85 + 110 + 120) / 4  # at least
    assert profound.thresholds_at(np.sqrt(4000 * 8000)) == pytest.approx(110)


def test_a_difference_leaves_out_what_was_not_heard(profound):
    later = Audiogram([500, 1000, 4000, 8000], [70, 90, 120, 90], no_response=[False, False, True, False])
    assert (later - profound).to_dict() == {500: 10, 1000: 5}
    assert (profound - later).to_dict() == {500: -10, 1000: -5}
    with error(ValueError, "other has thresholds at [2000.0] Hz", "this audiogram at [500.0, 1000.0, 8000.0] Hz"):
        later - Audiogram([1000, 2000], [100, 100], no_response=[True, False])


def test_tables_say_where_there_was_no_response(profound):
    series = profound.to_series()
    unheard = profound.frequencies_hz[profound.no_response]
    assert Audiogram.from_series(series, "left", no_response=unheard) == profound
    thresholds = {"8 kHz": 100, 4000: 120, "1k": 85, 500: 60, "2000": 110, 3000: None}
    assert Audiogram.from_dict(thresholds, "left", no_response=["8000 Hz", "4k"]) == profound
    assert Audiogram.from_dict({500: 10, 1000: 20}, no_response=500).no_response.tolist() == [True, False]
    row = pd.Series({"L2K": 110, "L4K": 120, "NR": 1})
    names = {"L2K": 2000, "L4K": 4000}
    assert Audiogram.from_row(row, names, no_response=["L4K"]) == Audiogram(
        [2000, 4000], [110, 120], no_response=[False, True]
    )


def test_a_mask_that_does_not_fit_is_refused():
    for wrong in ([4000], [0, 1], ["no", "yes"], 1, [None, True]):
        with error(TypeError, f"no_response={wrong!r} must be a mask", "from_row take a list"):
            Audiogram([500, 4000], [10, 100], no_response=wrong)
    with error(ValueError, "no_response has shape (3,), frequencies_hz has (2,)"):
        Audiogram([500, 4000], [10, 100], no_response=[False, False, True])
    with error(ValueError, "no_response is True at 4000 Hz, where thresholds_db_hl is NaN", "highest level"):
        Audiogram([500, 1000, 4000], [10, 20, None], no_response=[False, False, True])
    assert Audiogram([500, 4000], [10, 100], no_response=pd.Series([False, True], dtype=object)).no_response[1]


def test_no_response_at_a_frequency_that_is_not_there_is_refused():
    with error(ValueError, "no_response has 8000, which is not among [500.0, 1000.0]", "correct it"):
        Audiogram.from_dict({500: 10, 1000: 20}, no_response=[8000])
    with error(ValueError, "no_response has True, which is not among"):
        Audiogram.from_series(pd.Series({500: 10, 1000: 20}), no_response=[True])
    with error(ValueError, "no_response has 'R8K', which is not among ['R500', 'R1K']"):
        Audiogram.from_row({"R500": 1, "R1K": 2, "R8K": 100}, {"R500": 500, "R1K": 1000}, no_response=["R8K"])
    for wrong in (None, True, 2j):
        with error(TypeError, f"no_response={wrong!r} must be a list of frequencies or columns"):
            Audiogram.from_dict({500: 10, 1000: 20}, no_response=wrong)


# A value


def test_equal_numbers_make_equal_audiograms(sloping):
    same = Audiogram((250.0, 500.0, 1000.0, 2000.0, 4000.0), pd.Series([10, 15, 20, None, 60]), "right")
    assert sloping == same
    assert hash(sloping) == hash(same)
    assert len({sloping, same, Audiogram.standard("N1"), Audiogram.standard("N1")}) == 2
    assert Audiogram([500, 1000], [0.0, 5]) == Audiogram([500, 1000], [-0.0, 5])
    assert hash(Audiogram([500, 1000], [0.0, 5])) == hash(Audiogram([500, 1000], [-0.0, 5]))


def test_different_audiograms_differ(sloping):
    assert sloping != Audiogram(sloping.frequencies_hz, sloping.thresholds_db_hl, "left")
    assert sloping != Audiogram(sloping.frequencies_hz, sloping.thresholds_db_hl)
    assert sloping != Audiogram(sloping.frequencies_hz, np.nan_to_num(sloping.thresholds_db_hl, nan=40), "right")
    assert sloping != Audiogram(sloping.frequencies_hz + 1, sloping.thresholds_db_hl, "right")
    assert sloping != "right"


def test_an_audiogram_cannot_be_changed(sloping):
    thresholds_db_hl = np.array([10.0, 20.0])
    audiogram = Audiogram([500, 1000], thresholds_db_hl)
    thresholds_db_hl[0] = 90
    assert audiogram.thresholds_db_hl.tolist() == [10, 20]
    for copied in (audiogram, copy.deepcopy(audiogram), pickle.loads(pickle.dumps(audiogram))):
        with pytest.raises(ValueError, match="read-only"):
            copied.thresholds_db_hl[0] = 90
        with pytest.raises(ValueError, match="read-only"):
            copied.frequencies_hz *= 2
        with pytest.raises(AttributeError, match="cannot assign"):
            copied.ear = "left"


@pytest.mark.parametrize("name", ["N1", "N6", "S3"])
def test_copies_pickles_and_reprs_are_equal_to_the_audiogram(name, sloping):
    for audiogram in (Audiogram.standard(name, "left"), sloping, Audiogram([20, 19999.9], [-20, 1 / 3])):
        assert eval(repr(audiogram)) == audiogram
        assert copy.deepcopy(audiogram) == audiogram
        assert pickle.loads(pickle.dumps(audiogram)) == audiogram


def test_the_repr_is_short(sloping):
    assert repr(sloping) == "Audiogram([250, 500, 1000, 2000, 4000], [10, 15, 20, None, 60], ear='right')"
    assert repr(Audiogram([500, 1000], [2.5, 3])) == "Audiogram([500, 1000], [2.5, 3])"


def test_the_length_counts_frequencies(sloping):
    assert len(sloping) == 5


class Listener(TransformerMixin, BaseEstimator):
    """Take the loss from levels in dB."""

    def __init__(self, audiogram=None):
        self.audiogram = audiogram

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.maximum(X - self.audiogram.thresholds_db_hl, 0)


def test_an_audiogram_is_a_parameter_of_a_scikit_learn_estimator():
    listener = Listener(Audiogram.standard("N3"))
    copied = clone(listener)
    assert copied.audiogram is not listener.audiogram
    assert copied.get_params() == listener.get_params()
    assert copied.set_params(audiogram=Audiogram.standard("N4")).get_params() != listener.get_params()
    assert "Audiogram([250, 375" in repr(listener)


def test_a_grid_search_finds_the_audiogram_that_leaves_the_classes_audible():
    random = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = random.normal(50, 1, (60, 10)) + 10 * y[:, None]  # classes at 50 and 60 dB HL
    audiograms = [Audiogram.standard("N7"), Audiogram.standard("N1")]
    search = GridSearchCV(make_pipeline(Listener(), KNeighborsClassifier()), {"listener__audiogram": audiograms}, cv=2)
    search.fit(X, y)
    assert search.best_params_ == {"listener__audiogram": Audiogram.standard("N1")}
    assert search.cv_results_["mean_test_score"].tolist() == [0.5, 1.0]


# Tables


def test_labels_of_frequencies_are_read():
    thresholds = {"8000 Hz": 8, 500: 1, "1k": 2, " 1500hz": 3, "2 kHz": 4, "3.0 KHZ": 5, 4000.0: 6, np.int64(6000): 7}
    audiogram = Audiogram.from_dict(thresholds, ear="left")
    assert audiogram.frequencies_hz.tolist() == [500, 1000, 1500, 2000, 3000, 4000, 6000, 8000]
    assert audiogram.thresholds_db_hl.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert audiogram.ear == "left"


@pytest.mark.parametrize("label", ["R500", "500 dB", "half", "", "-500", None, ("500", "Hz"), True])
def test_labels_that_are_no_frequency_are_named(label):
    with error(ValueError, f"{label!r} is no frequency", "write 500"):
        Audiogram.from_dict({1000: 10, label: 20, 2000: 30})


def test_the_same_frequency_under_two_labels_is_refused():
    with error(ValueError, "1000 Hz twice", "keep one"):
        Audiogram.from_dict({1000: 10, "1k": 20, 2000: 30})


def test_a_series_becomes_the_audiogram_it_came_from(sloping):
    assert Audiogram.from_series(sloping.to_series(), ear="right") == sloping
    shuffled = sloping.to_series().sample(frac=1, random_state=0)
    assert Audiogram.from_series(shuffled, ear="right") == sloping
    series = sloping.to_series()
    series[250] = 90  # a copy
    assert sloping.thresholds_db_hl[0] == 10


@pytest.mark.parametrize("dtype", ["float64", "Float64", "object"])
def test_missing_cells_of_any_kind_are_missing_thresholds(dtype):
    series = pd.Series([10, None, 30], index=[500, 1000, 2000]).astype(dtype)
    audiogram = Audiogram.from_series(series)
    assert audiogram.measured.tolist() == [True, False, True]
    assert audiogram == Audiogram(series.index, series)
    assert audiogram == Audiogram([500, 1000, 2000], np.ma.masked_array([10, 999, 30], [0, 1, 0]))


def test_a_row_of_a_table_gives_the_columns_that_are_frequencies():
    frame = pd.DataFrame(
        {
            "listener": ["A", "B"],
            "age": [71, 5],
            "250": [20, 5],
            "1k": [35, 5],
            500: [pd.NA, 10],
            "age at onset": [60, 1],
        }
    )
    assert Audiogram.from_row(frame.loc[0]) == Audiogram([250, 500, 1000], [20, None, 35])
    assert Audiogram.from_row(frame.iloc[1], ear="left") == Audiogram([250, 500, 1000], [5, 10, 5], "left")
    assert Audiogram.from_row(frame.loc[1], columns=["1k", 500]) == Audiogram([500, 1000], [10, 5])
    assert Audiogram.from_row(dict(frame.loc[1])) == Audiogram([250, 500, 1000], [5, 10, 5])


def test_an_audiogram_names_the_columns_it_was_taken_from():
    row = pd.Series({"name": "A", "4k": 60, "1000 Hz": 20, 2020: 75})  # the last is a year
    audiogram = Audiogram.from_row(row)
    assert audiogram.columns == ("1000 Hz", 2020, "4k")
    assert dict(zip(audiogram.columns, audiogram.frequencies_hz)) == {"1000 Hz": 1000, 2020: 2020, "4k": 4000}
    chosen = Audiogram.from_row(row, columns={"4k": 4000, "1000 Hz": 1000})
    assert chosen.columns == ("1000 Hz", "4k")
    for copied in (copy.deepcopy(chosen), pickle.loads(pickle.dumps(chosen)), clone(Listener(chosen)).audiogram):
        assert copied.columns == chosen.columns
    assert chosen == Audiogram([1000, 4000], [20, 60])  # the numbers count, not where they stood
    assert Audiogram([1000, 4000], [20, 60]).columns is None


def test_errors_of_a_row_list_the_columns_that_were_taken():
    taken = "The columns taken were '500' (500 Hz), 1990 (1990 Hz), '4k' (4000 Hz)."
    with error(ValueError, "thresholds_db_hl=666 at 500 Hz", "no_response", taken):
        Audiogram.from_row({"4k": 20, "500": 666, 1990: 1})  # what NHANES writes where there was no response
    with error(TypeError, "must be numbers", "no_response", taken):
        Audiogram.from_row({"4k": "NR", "500": 20, 1990: 1})
    with error(ValueError, "1000 Hz twice", "'1000' (1000 Hz), '1k' (1000 Hz)."):
        Audiogram.from_row({"1000": 20, "1k": 20})


def test_a_row_may_say_which_frequency_each_column_has():
    row = pd.Series({"AUXU500R": 15, "AUXU1K1R": 20, "AUXU500L": 40, "AUXU1K1L": 45})  # names of NHANES
    right = Audiogram.from_row(row, columns={"AUXU500R": 500, "AUXU1K1R": 1000}, ear="right")
    assert right == Audiogram([500, 1000], [15, 20], "right")


def test_rows_without_thresholds_are_refused():
    row = pd.Series({"age": 71, "R500": 20, "R1000": 30})
    with error(ValueError, "no column named after a frequency", "'R500'", "give columns"):
        Audiogram.from_row(row)
    with error(ValueError, "columns=['L500'] must be columns of row", "'R1000'", "correct or add"):
        Audiogram.from_row(row, columns=["R500", "L500"])
    with error(ValueError, "'R500' is no frequency", "columns in from_row"):
        Audiogram.from_row(row, columns=["R500", "R1000"])
    with error(ValueError, "row has shape (1, 3)", "frame.iloc[0]"):
        Audiogram.from_row(row.to_frame().T)


# Bad input


def test_an_audiogram_of_one_point_is_refused():
    with error(ValueError, "frequencies_hz=[1000.0]", "at least 2", "add one"):
        Audiogram([1000], [20])
    with error(ValueError, "frequencies_hz=[]", "at least 2"):
        Audiogram([], [])
    with error(ValueError, "thresholds_db_hl=[nan, 20.0, nan]", "at least 2 thresholds", "leave this ear out"):
        Audiogram([500, 1000, 2000], [None, 20, np.nan])


def test_frequencies_out_of_order_are_refused():
    with error(ValueError, "frequencies_hz has 500 after 1000 Hz", "must increase", "sort it together", "from_dict"):
        Audiogram([250, 1000, 500], [10, 20, 30])
    with error(ValueError, "frequencies_hz has 1000 Hz twice", "must increase", "keep one"):
        Audiogram([500, 1000, 1000], [10, 20, 30])


@pytest.mark.parametrize("frequency_hz", [0.5, 19.9, 20001, 0, -500, np.nan, np.inf])
def test_frequencies_out_of_range_are_refused(frequency_hz):
    with error(ValueError, f"frequencies_hz={frequency_hz:g}", "between 20 and 20000 Hz", "instead of kHz"):
        Audiogram([frequency_hz, 1000], [10, 20])


@pytest.mark.parametrize("threshold_db_hl", [-20.5, 131, 1e9])
def test_thresholds_out_of_range_are_refused(threshold_db_hl):
    with error(ValueError, f"thresholds_db_hl={threshold_db_hl:g} at 1000 Hz", "between -20 and 130 dB HL", "use NaN"):
        Audiogram([500, 1000], [10, threshold_db_hl])
    assert Audiogram([500, 1000], [-20, 130]).thresholds_db_hl.tolist() == [-20, 130]


@pytest.mark.parametrize("threshold_db_hl", [np.inf, -np.inf])
def test_infinite_thresholds_are_refused(threshold_db_hl):
    with error(ValueError, f"thresholds_db_hl={threshold_db_hl} at 4000 Hz", "finite", "NaN", "highest level tried"):
        Audiogram([500, 4000], [10, threshold_db_hl])


def test_lengths_and_shapes_that_do_not_match_are_refused():
    with error(ValueError, "thresholds_db_hl has 3 values, frequencies_hz has 2", "NaN where it is missing"):
        Audiogram([500, 1000], [10, 20, 30])
    with error(ValueError, "thresholds_db_hl has shape (2, 2)", "each row"):
        Audiogram([500, 1000], [[10, 20], [30, 40]])


@pytest.mark.parametrize(
    "thresholds_db_hl", [["10", "20"], [10, "NR"], [10 + 1j, 20], [True, False], [10, True], {1: 2}]
)
def test_thresholds_that_are_no_numbers_are_refused(thresholds_db_hl):
    with error(TypeError, "thresholds_db_hl=", "must be numbers", "use NaN"):
        Audiogram([500, 1000], thresholds_db_hl)


@pytest.mark.parametrize("ear", ["Right", "both", "R", 0, ""])
def test_an_unknown_ear_is_refused(ear):
    with error(ValueError, f"ear={ear!r}", "'left', 'right' or None", "make two"):
        Audiogram([500, 1000], [10, 20], ear=ear)


# The plot


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def lines(ax, label):
    return next(line for line in ax.lines if line.get_label() == label)


def test_the_plot_has_the_symbols_of_the_ears(pyplot):
    ax = Audiogram.standard("N3", "right").plot()
    assert Audiogram.standard("S2", "left").plot(ax) is ax
    right, left = lines(ax, "right ear"), lines(ax, "left ear")
    assert (right.get_marker(), left.get_marker()) == ("o", "x")
    red, blue = (pyplot.matplotlib.colors.to_rgb(line.get_color()) for line in (right, left))
    assert np.argmax(red) == 0
    assert np.argmax(blue) == 2
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["right ear", "left ear"]
    assert lines(Audiogram.standard("N1").plot(), "ear not stated").get_marker() not in ("o", "x")


def test_on_the_plot_loss_points_down_and_an_octave_is_as_long_as_20_db(pyplot):
    for audiogram in (Audiogram.standard("N3", "right"), Audiogram([125, 16000], [-15, 125])):
        ax = audiogram.plot()
        ax.figure.draw_without_rendering()
        to_pixels = ax.transData.transform
        right, down = to_pixels((2000, 40)) - to_pixels((1000, 20))
        assert right > 0
        assert down == pytest.approx(-right, rel=0.01)


def test_the_plot_shows_all_octaves_and_every_threshold(pyplot):
    ax = Audiogram.standard("N1", "left").plot()
    assert {"125", "250", "500", "1000", "2000", "4000", "8000"} <= {tick.get_text() for tick in ax.get_xticklabels()}
    assert ax.get_ylim() == (120, -10)
    Audiogram([100, 16000], [-15, 125], "right").plot(ax)
    Audiogram.standard("N2", "left").plot(ax)  # does not shrink it again
    assert ax.get_ylim() == (130, -20)
    assert ax.get_xlim()[0] < 100
    assert ax.get_xlim()[1] > 16000


def test_a_missing_threshold_has_no_symbol_and_a_dotted_line(pyplot, sloping):
    ax = sloping.plot()
    solid = lines(ax, "right ear")
    np.testing.assert_array_equal(solid.get_ydata(), [10, 15, 20, np.nan, 60])
    (dotted,) = [line for line in ax.lines if line is not solid]
    assert (dotted.get_linestyle(), dotted.get_marker()) == (":", "None")
    np.testing.assert_array_equal(dotted.get_xydata(), [[1000, 20], [4000, 60]])


def test_audiograms_without_plots_and_tables_need_neither_pandas_nor_matplotlib():
    code = "import sys, skaud.hearing as h; h.Audiogram.standard('N3').thresholds_at(800); h.hl_to_spl(1000, 20)"
    code += "; print({'pandas', 'matplotlib', 'sklearn'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


@pytest.mark.parametrize("thresholds", [[1, 2], "N2", 3, None])
def test_what_is_no_dict_is_named(thresholds):
    with error(TypeError, f"thresholds_db_hl={thresholds!r}", "must be a dict", "Audiogram(frequencies_hz"):
        Audiogram.from_dict(thresholds)
    with error(TypeError, f"row={thresholds!r}", "give a Series or a dict"):
        Audiogram.from_row(thresholds)
