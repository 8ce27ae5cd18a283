"""Adaptive tracks against psychometric functions that are known."""

import numpy as np
import pytest
from audio_checks import error
from listeners import PATTERN, Listener, Samples, trials

from skaud import Dau1997, Sound, TemplateObserver, datasets
from skaud.psychoacoustics import (
    AdaptiveThreshold,
    Track,
    adaptive_track,
    calibrated_noise_variance,
    d_prime,
    make_trials,
)

SOUND = Sound(np.zeros((2, 8)), 8000)  # of two ears, which are no intervals


def three(level, random_state):
    return [level, 0.0, 0.0]


class Deaf:
    def predict(self, X):
        return [(int(np.argmax(trial)) + 1) % 3 for trial in X]


class Clairvoyant:
    def predict(self, X):
        return [int(np.argmax(trial)) for trial in X]


@pytest.mark.parametrize("n_down", [1, 2, 3])
def test_tracks_converge_to_their_proportion(n_down):
    expected = d_prime(0.5 ** (1 / n_down))
    steps = {"step": 0.4, "smallest_step": 0.2, "n_reversals": 100, "max_trials": 1000}
    found = adaptive_track(Listener(0), three, expected, n_tracks=40, n_down=n_down, **steps, random_state=0)
    assert found.target_proportion == 0.5 ** (1 / n_down)
    assert found.standard_error < 0.04
    assert found.threshold == pytest.approx(expected, abs=4 * found.standard_error)


def test_the_standard_error_is_the_scatter_of_thresholds():
    steps = {"step": 0.5, "smallest_step": 0.25}
    found = [adaptive_track(Listener(seed), three, 3.0, **steps, random_state=seed) for seed in range(60)]
    scatter = np.std([own.threshold for own in found])
    mean_square = np.mean([own.standard_error**2 for own in found])
    assert np.sqrt(mean_square) == pytest.approx(scatter, rel=0.3)
    alone = adaptive_track(Listener(0), three, 3.0, n_tracks=1, random_state=0)
    assert np.isnan(alone.standard_error)
    assert alone.threshold == alone.tracks[0].threshold


def test_right_and_wrong_answers_move_the_level_as_levitt_has_it():
    class Scripted:
        answers = iter([1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1])

        def predict(self, X):
            place = int(np.argmax(X[0]))
            return [place if next(self.answers) else (place + 1) % 3]

    found = adaptive_track(Scripted(), three, 50.0, n_tracks=1, step=4, n_reversals=4, random_state=0)
    track = found.tracks[0]
    # the step is 4 to the second reversal, 2 to the fourth, then 1
    levels = [50, 50, 46, 46, 50, 50, 48, 50, 50, 49, 49, 48, 49, 50, 50, 49, 50, 50]
    np.testing.assert_array_equal(track.levels, levels)
    np.testing.assert_array_equal(track.reversals, [3, 5, 6, 8, 11, 14, 15, 17])
    np.testing.assert_array_equal(track.averaged_levels, [48, 50, 49, 50])
    assert track.threshold == found.threshold == 49.25
    assert track.correct.sum() == 13


def test_tracks_that_run_side_by_side_are_heard_in_one_call():
    class Counting(Clairvoyant):
        sizes = []

        def predict(self, X):
            self.sizes.append(len(X))
            return [int(np.argmax(trial)) if max(trial) > 1 else 0 for trial in X]

    adaptive_track(Counting(), three, 3.0, step=1.0, smallest_step=0.5, n_tracks=5, random_state=0)
    assert Counting.sizes[0] == 5
    assert min(Counting.sizes) >= 1


def test_the_signal_stands_in_every_interval():
    X, y = make_trials(three, 2.0, 300, random_state=0)
    assert [trial.index(2.0) for trial in X] == y.tolist()
    assert np.bincount(y).min() > 70


def noisy(level, random_state):
    return [10 ** (level / 20) * PATTERN, *random_state.normal(0, 0.1, (2, PATTERN.size))]


def test_the_same_seed_gives_the_same_tracks():
    observer = TemplateObserver(Samples(), internal_noise_variance=1e-3, random_state=5).fit(*trials(3))
    first, again, other = (adaptive_track(observer, noisy, 20, random_state=seed) for seed in (0, 0, 1))
    for one, same in zip(first.tracks, again.tracks):
        np.testing.assert_array_equal(one.levels, same.levels)
        np.testing.assert_array_equal(one.correct, same.correct)
    assert first.threshold != other.threshold
    assert not np.array_equal(first.tracks[0].levels, first.tracks[1].levels)
    assert observer.random_state == 5


def test_the_internal_noise_of_a_track_is_drawn_anew_in_every_trial():
    observer = TemplateObserver(Samples(), internal_noise_variance=1e-3, random_state=5).fit(*trials(3))

    def make_trial(level, random_state):  # the same in every trial
        return [10 ** (level / 20) * PATTERN, 0 * PATTERN, 0 * PATTERN]

    found = adaptive_track(observer, make_trial, 20, n_tracks=10, n_reversals=20, random_state=0)
    amplitude = d_prime(0.5**0.5) / np.sqrt(np.sum(PATTERN**2) / 8000 / 1e-3)
    assert found.threshold == pytest.approx(20 * np.log10(amplitude), abs=1.0)


def test_the_threshold_of_intensity_is_the_one_that_was_calibrated():
    model = Dau1997(16000, low_hz=1000, high_hz=1000, pooling=None)

    def make_trial(increment_db, random_state):
        return [datasets.make_tone(1000, 0.5, 16000, 60 + more, ramp_s=0.05)[0] for more in (increment_db, 0, 0)]

    variance = calibrated_noise_variance(model)
    observer = TemplateObserver(model, internal_noise_variance=variance).fit(*make_trials(make_trial, 10, 1))
    steps = {"step": 1.0, "smallest_step": 0.25}
    found = adaptive_track(observer, make_trial, 4, n_tracks=6, **steps, random_state=0)
    assert found.threshold == pytest.approx(1, abs=0.3)


# Limits


def test_a_track_that_stays_at_a_limit_names_it():
    with error(ValueError, "stayed at highest=10, after", "not heard there"):
        adaptive_track(Deaf(), three, 5.0, highest=10.0, random_state=0)
    with error(ValueError, "stayed at lowest=1, after", "always heard there"):
        adaptive_track(Clairvoyant(), three, 5.0, lowest=1.0, random_state=0)


def test_a_threshold_from_levels_at_a_limit_is_warned_of():
    with pytest.warns(
        UserWarning, match=r"of the 32 levels that give the threshold, .* are at highest=1\.4; it is biased"
    ):
        adaptive_track(Listener(0), three, 1.0, step=0.4, smallest_step=0.2, highest=1.4, random_state=0)


def test_a_track_that_does_not_end_is_given_up():
    with error(ValueError, "max_trials=30 trials gave 0 of n_reversals=8", "raise max_trials"):
        adaptive_track(Deaf(), three, 5.0, max_trials=30, random_state=0)


def test_numbers_out_of_range_are_named():
    for options, words in (
        ({"highest": 2.0}, ("start=5.0", "highest=2.0")),
        ({"step": 0.5}, ("smallest_step=1.0", "at most step=0.5")),
        ({"n_down": 0}, ("n_down=0", "at least 1")),
        ({"n_reversals": 7}, ("n_reversals=7", "even")),
        ({"n_tracks": 0}, ("n_tracks=0", "at least 1")),
    ):
        with error(ValueError, *words):
            adaptive_track(Clairvoyant(), three, 5.0, **options)
    for given, said in (([5.0], "1 interval"), ([], "0 intervals"), (5.0, "float"), (SOUND, "Sound"), ("abc", "str")):
        with error(ValueError, f"make_trial gave {said} at level=5.0", "at least 2"):
            adaptive_track(Clairvoyant(), lambda level, random_state, given=given: given, 5.0)


def test_numbers_that_are_none_are_named():
    wrong = ("3", True, None, np.nan, [3.0], 1j)
    for value in wrong:
        for name in ("start", "step", "smallest_step", "lowest", "highest"):
            with error(ValueError, f"{name}={value!r} must be a number"):
                adaptive_track(Clairvoyant(), three, **{"start": 5.0} | {name: value})
    for value in (*wrong, 0, -1, 2.5, np.inf):
        for name in ("n_tracks", "n_down", "n_reversals", "max_trials"):
            with error(ValueError, f"{name}={value!r} must be a whole number of at least "):
                adaptive_track(Clairvoyant(), three, 5.0, **{name: value})
        with error(ValueError, f"n_trials={value!r} must be a whole number of at least 1"):
            make_trials(three, 5.0, value)
    for start in (np.inf, -np.inf):
        with error(ValueError, f"start={start} must be a number from lowest=-inf to highest=inf"):
            adaptive_track(Clairvoyant(), three, start)


def test_whole_numbers_may_be_floats():
    found = adaptive_track(Listener(0), three, 3.0, n_tracks=2.0, n_down=2.0, n_reversals=4.0, random_state=0)
    assert (len(found.tracks), found.n_down) == (2, 2)
    assert len(make_trials(three, 5.0, 3.0)[0]) == 3


def test_answers_that_are_too_few_are_named():
    class Absent:
        def predict(self, X):
            return [0] * (len(X) - 1)

    with error(ValueError, "observer gave answers of shape (3,) to 4 trials"):
        adaptive_track(Absent(), three, 5.0)


def test_tracks_say_their_threshold():
    tracks = [Track(np.array([2.0, 4, 3, high]), np.ones(4, bool), np.arange(4), 4) for high in (5, 7)]
    assert repr(tracks[0]) == "Track(threshold 3.50, 4 trials)"
    assert repr(AdaptiveThreshold(tuple(tracks), 2)) == "AdaptiveThreshold(3.75 ± 0.25, 2 tracks)"
