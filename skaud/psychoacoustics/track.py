"""Adaptive tracks: from answers to a threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.utils import check_random_state

from skaud._fitted import fitted_copy
from skaud._types import Estimator, Seed
from skaud._warnings import warn_caller
from skaud.design.limits import check_count, check_number
from skaud.sound import Sound
from skaud.sound.noise import draw_seed

# From a level and a RandomState to the intervals of a trial, of which the first has the signal.
MakeTrial = Callable[[float, np.random.RandomState], Sequence[object]]

_MOST_PUSHES = 6  # moves against a limit, one after the other, at which a track has no threshold


@dataclass(frozen=True, eq=False)
class Track:
    """One adaptive track.

    Attributes
    ----------
    levels : ndarray of shape (n_trials,)
        Level of the signal in every trial.
    correct : ndarray of bool of shape (n_trials,)
        Whether the answer was right.
    reversals : ndarray of int of shape (n_reversals,)
        Trials after which the level turned.
    n_averaged : int
        How many of the last reversals, all made with the smallest step, give the threshold.
    """

    levels: np.ndarray
    correct: np.ndarray
    reversals: np.ndarray
    n_averaged: int

    @property
    def averaged_levels(self) -> np.ndarray:
        """Levels of the reversals that give the threshold, upper and lower ones in turn."""
        return self.levels[self.reversals[-self.n_averaged :]]

    @property
    def threshold(self) -> float:
        """Mean of these levels."""
        return float(self.averaged_levels.mean())

    def __repr__(self) -> str:
        return f"Track(threshold {self.threshold:.2f}, {self.levels.size} trials)"


@dataclass(frozen=True, eq=False)
class AdaptiveThreshold:
    """What adaptive tracks found.

    Attributes
    ----------
    tracks : tuple of Track
        The tracks.
    n_down : int
        Right answers in a row that lowered the level.
    """

    tracks: tuple[Track, ...]
    n_down: int

    @property
    def threshold(self) -> float:
        """Mean of the tracks' thresholds."""
        return float(np.mean([track.threshold for track in self.tracks]))

    @property
    def standard_error(self) -> float:
        """Standard error of the threshold, from the scatter between tracks; NaN of a single one.

        The reversals of one track follow each other, and scatter several times less than tracks do.
        """
        found = [track.threshold for track in self.tracks]
        return float(np.std(found, ddof=1) / np.sqrt(len(found))) if len(found) > 1 else float("nan")

    @property
    def target_proportion(self) -> float:
        """Proportion of right answers to which the tracks converge, 2 to the power of ``-1 / n_down``."""
        return 0.5 ** (1 / self.n_down)

    def __repr__(self) -> str:
        return f"AdaptiveThreshold({self.threshold:.2f} ± {self.standard_error:.2f}, {len(self.tracks)} tracks)"


def make_trials(
    make_trial: MakeTrial, level: float, n_trials: int, random_state: Seed = None
) -> tuple[list[list[object]], np.ndarray]:
    """Make trials at one level, the signal in a random interval of each.

    Parameters
    ----------
    make_trial : callable
        Takes a level and a RandomState, and gives the intervals of a trial, the one with the signal first.
    level : float
        Level of the signal.
    n_trials : int
        Number of trials.
    random_state : int, RandomState instance or None, default=None
        Seed; make_trial gets an instance of it, which advances from trial to trial.

    Returns
    -------
    X : list of lists
        Trials, for `TemplateObserver`.
    y : ndarray of shape (n_trials,)
        Interval with the signal, counted from 0.

    Raises
    ------
    ValueError
        If `n_trials` is below 1, or make_trial gives fewer than two intervals.

    Examples
    --------
    >>> from skaud.datasets import make_tone_in_noise
    >>> from skaud.psychoacoustics import make_trials
    >>> def make_trial(level, random_state):
    ...     return make_tone_in_noise(2000, [level, -float("inf")], random_state=random_state)
    >>> X, y = make_trials(make_trial, 70, n_trials=4, random_state=0)
    >>> len(X), len(X[0]), y
    (4, 2, array([1, 0, 1, 1]))
    """
    random = check_random_state(random_state)
    n_trials = check_count("n_trials", n_trials, 1)
    trials = [_one_trial(make_trial, level, random) for _ in range(n_trials)]
    return [trial for trial, _ in trials], np.array([place for _, place in trials], dtype=int)


def _one_trial(make_trial: MakeTrial, level: float, random: np.random.RandomState) -> tuple[list[object], int]:
    given = make_trial(level, random)
    if isinstance(given, (Sound, str)) or not hasattr(given, "__len__") or len(given) < 2:
        what = (
            f"{len(given)} interval{'s' * (len(given) != 1)}"
            if isinstance(given, (list, tuple))
            else type(given).__name__
        )
        raise ValueError(
            f"make_trial gave {what} at level={level}; it must give a list of at least 2 intervals, the signal first."
        )
    signal, *others = given
    place = int(random.randint(len(others) + 1))
    return [*others[:place], signal, *others[place:]], place


def adaptive_track(
    observer: Estimator,
    make_trial: MakeTrial,
    start: float,
    *,
    n_tracks: int = 4,
    step: float = 4.0,
    smallest_step: float = 1.0,
    n_down: int = 2,
    n_reversals: int = 8,
    lowest: float = -np.inf,
    highest: float = np.inf,
    max_trials: int = 500,
    random_state: Seed = None,
) -> AdaptiveThreshold:
    """Measure a threshold by the transformed up-down method: one up, n_down down.

    The level falls by a step after `n_down` right answers in a row, and rises by one after a wrong answer; the step is
    halved at every second reversal down to `smallest_step`, with which the reversals are made that count [1]_. Tracks
    run side by side, so that the observer hears a trial of each at a time.

    Parameters
    ----------
    observer : TemplateObserver, or any fitted classifier
        Who listens. It is not changed; where it has a `random_state`, it draws from that of the tracks.
    make_trial : callable
        Takes a level and a RandomState, and gives the intervals of a trial, usually three, the one with the signal
        first; it is put elsewhere.
    start : float
        Level of the first trial, at which the signal is clearly heard.
    n_tracks : int, default=4
        Independent tracks, whose mean is the threshold.
    step, smallest_step : float, default=4.0, 1.0
        First and smallest step, in the unit of the level.
    n_down : int, default=2
        Right answers in a row that lower the level: 1 converges to 50 % of right answers, 2 to 70.7 %, 3 to 79.4 %.
    n_reversals : int, default=8
        Reversals with the smallest step whose mean is the threshold of a track; an even number.
    lowest, highest : float, default=-inf, inf
        Limits of the level, such as 0 dB for a depth of modulation.
    max_trials : int, default=500
        Trials after which a track is given up.
    random_state : int, RandomState instance or None, default=None
        Seed of stimuli, order of intervals and internal noise.

    Returns
    -------
    AdaptiveThreshold
        Threshold, its standard error, and every trial of every track.

    Raises
    ------
    ValueError
        If a number is out of its range, a track stays at a limit, or it does not end within `max_trials`.

    Warns
    -----
    UserWarning
        If a level that the threshold is a mean of is a limit.

    References
    ----------
    .. [1] H. Levitt, "Transformed up-down methods in psychoacoustics", J. Acoust. Soc. Am. 49:467, 1971.

    Examples
    --------
    An observer who takes the loudest of three levels, two of which scatter around 40 dB:

    >>> from skaud.psychoacoustics import adaptive_track
    >>> class Listener:
    ...     def predict(self, X):
    ...         return [max(range(3), key=trial.__getitem__) for trial in X]
    >>> def make_trial(level, random_state):
    ...     return level, *random_state.normal(40, 5, 2)
    >>> found = adaptive_track(Listener(), make_trial, start=60, random_state=0)
    >>> 42 < found.threshold < 48
    True
    """
    start = _check_numbers(start, step, smallest_step, lowest, highest)
    n_tracks, n_down = check_count("n_tracks", n_tracks, 1), check_count("n_down", n_down, 1)
    max_trials = check_count("max_trials", max_trials, 1)
    n_reversals = check_count("n_reversals", n_reversals, 2, "8, say")
    if n_reversals % 2:
        raise ValueError(f"n_reversals={n_reversals} must be even, so that upper and lower ones balance; 8, say.")
    random = check_random_state(random_state)
    listener = fitted_copy(observer, random_state=random) if hasattr(observer, "random_state") else observer
    rule = _Rule(step, smallest_step, n_down, n_reversals, lowest, highest, max_trials)
    staircases = [_Staircase(start, rule, np.random.RandomState(draw_seed(random))) for _ in range(n_tracks)]
    while running := [staircase for staircase in staircases if not staircase.is_done]:
        presented = [_one_trial(make_trial, staircase.level, staircase.random) for staircase in running]
        answers = listener.predict([trial for trial, _ in presented])
        if np.shape(answers) != (len(running),):
            raise ValueError(
                f"observer gave answers of shape {np.shape(answers)} to {len(running)} trials; predict must give the "
                "interval of each."
            )
        for staircase, (_, place), answer in zip(running, presented, answers):
            staircase.take(bool(answer == place))
    found = AdaptiveThreshold(tuple(staircase.track() for staircase in staircases), n_down)
    averaged = np.array([track.averaged_levels for track in found.tracks])
    for name, limit in {"lowest": lowest, "highest": highest}.items():
        if n_there := int(np.sum(averaged == limit)):
            warn_caller(
                f"{n_there} of the {averaged.size} levels that give the threshold, {found.threshold:.2f}, are at "
                f"{name}={limit:g}; it is biased, as a track could not go on from there."
            )
    return found


@dataclass(frozen=True)
class _Rule:
    """How a level goes on, and when a track ends."""

    step: float
    smallest_step: float
    n_down: int
    n_reversals: int
    lowest: float
    highest: float
    max_trials: int


class _Staircase:
    """A track in progress."""

    def __init__(self, start: float, rule: _Rule, random: np.random.RandomState) -> None:
        self.rule, self.random = rule, random
        self.level, self.step = float(start), rule.step
        self.levels: list[float] = []
        self.correct: list[bool] = []
        self.reversals: list[int] = []
        self.direction = self.n_right = self.n_counted = self.n_pushes = 0

    @property
    def is_done(self) -> bool:
        return self.n_counted == self.rule.n_reversals

    def track(self) -> Track:
        return Track(np.array(self.levels), np.array(self.correct), np.array(self.reversals), self.rule.n_reversals)

    def take(self, is_right: bool) -> None:
        """Take an answer, and find the next level."""
        if len(self.levels) == self.rule.max_trials:
            raise ValueError(
                f"max_trials={self.rule.max_trials} trials gave {self.n_counted} of n_reversals="
                f"{self.rule.n_reversals} with the smallest step, the last at {self.level:g}; raise max_trials, or "
                "start nearer to the threshold."
            )
        self.levels.append(self.level)
        self.correct.append(is_right)
        self.n_right = self.n_right + 1 if is_right else 0
        if is_right and self.n_right < self.rule.n_down:
            return
        self.n_right, move = 0, -1 if is_right else 1
        if move == -self.direction:
            self.reversals.append(len(self.levels) - 1)
            self.n_counted += self.step <= self.rule.smallest_step
            if len(self.reversals) % 2 == 0:
                self.step = max(self.step / 2, self.rule.smallest_step)
        self.direction = move
        self._go_to(min(max(self.level + move * self.step, self.rule.lowest), self.rule.highest))

    def _go_to(self, level: float) -> None:
        self.n_pushes = self.n_pushes + 1 if level == self.level else 0
        if self.n_pushes == _MOST_PUSHES:
            name, heard = ("highest", "not") if self.direction > 0 else ("lowest", "always")
            raise ValueError(
                f"a track stayed at {name}={level:g}, after {len(self.levels)} trials: the signal is {heard} heard "
                "there, and there is no threshold within the limits; widen them, or change the stimulus."
            )
        self.level = level


def _check_numbers(start: float, step: float, smallest_step: float, lowest: float, highest: float) -> float:
    """Refuse levels and steps that are none; the first level."""
    for name, limit in {"lowest": lowest, "highest": highest}.items():
        check_number(name, limit, "a number, or infinite for no limit", -np.inf, np.inf)
    for name, size in {"step": step, "smallest_step": smallest_step}.items():
        check_number(name, size, "a number above 0, in the unit of the level")
    if not 0 < smallest_step <= step:
        raise ValueError(f"smallest_step={smallest_step} must be above 0 and at most step={step}.")
    within = f"a number from lowest={lowest} to highest={highest}"
    check_number("start", start, within, lowest, highest)
    return check_number("start", start, within)  # which is finite
