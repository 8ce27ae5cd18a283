"""Forced choice between several intervals, of which one has the signal."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtr

from skaud.design.limits import check_count, check_numbers

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(101)  # exact to 1e-12 up to 10 intervals
_HIGHEST_D_PRIME = 30.0
_NEEDED = "a choice needs them"


def choice_probabilities(values: npt.ArrayLike, noise_std: float) -> np.ndarray:
    """Probability that each value is the largest of its row, once independent Gaussian noise is added to each.

    Parameters
    ----------
    values : array-like of shape (n_trials, n_intervals)
        Decision values without noise.
    noise_std : float
        Standard deviation of the noise; without any, equal values share.

    Returns
    -------
    ndarray of shape (n_trials, n_intervals)
        Probabilities, which add up to 1 in each row.
    """
    values = np.asarray(values, float)
    if noise_std == 0:
        largest = (values == values.max(axis=1, keepdims=True)).astype(float)
        return largest / largest.sum(axis=1, keepdims=True)
    # P(i) = integral of phi(x - v_i) times the product of Phi(x - v_j) over all others
    x = (values / noise_std)[:, :, np.newaxis] + _NODES
    below = np.ones_like(x)
    for j in range(values.shape[1]):
        factor = ndtr(x - (values[:, j] / noise_std)[:, np.newaxis, np.newaxis])
        factor[:, j] = 1.0
        below *= factor
    probabilities = below @ _WEIGHTS
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def proportion_correct(d_prime: npt.ArrayLike, n_intervals: int = 3) -> np.ndarray:
    r"""Proportion of correct answers of an unbiased observer.

    Parameters
    ----------
    d_prime : float or array-like
        Distance of the means with and without signal, in standard deviations of the decision variable.
    n_intervals : int, default=3
        Intervals to choose from.

    Returns
    -------
    ndarray
        Proportions, shaped as d_prime.

    Raises
    ------
    ValueError
        If there are fewer than 2 intervals, or a distance is no number.

    Notes
    -----
    With m intervals [1]_,

    .. math:: p = \int \varphi(x - d') \, \Phi(x)^{m-1} \, dx

    References
    ----------
    .. [1] D. M. Green, J. A. Swets, "Signal Detection Theory and Psychophysics", Wiley, 1966.

    Examples
    --------
    >>> from skaud.psychoacoustics import proportion_correct
    >>> proportion_correct([0, 1.2648, 3]).round(3)
    array([0.333, 0.707, 0.969])
    """
    d = check_numbers("d_prime", d_prime)
    if np.isnan(d).any():
        raise ValueError(f"d_prime={d_prime!r:.80} holds NaN; leave out what is not known.")
    values = np.zeros((d.size, check_count("n_intervals", n_intervals, 2, _NEEDED)))
    values[:, 0] = d.ravel()
    return choice_probabilities(values, 1.0)[:, 0].reshape(d.shape)


def d_prime(proportion: npt.ArrayLike, n_intervals: int = 3) -> Any:
    """Distance of the means at which an unbiased observer reaches a proportion of correct answers.

    Parameters
    ----------
    proportion : float or array-like
        Proportion of correct answers, above chance, ``1 / n_intervals``, or equal to it, and below 1.
    n_intervals : int, default=3
        Intervals to choose from.

    Returns
    -------
    float or ndarray
        Distance in standard deviations of the decision variable, shaped as proportion; `proportion_correct` of it is
        `proportion`.

    Raises
    ------
    ValueError
        If there are fewer than 2 intervals, or a proportion is below chance, or 1.

    Examples
    --------
    >>> from skaud.psychoacoustics import d_prime
    >>> round(d_prime(0.5**0.5), 3)
    1.265
    >>> d_prime([1 / 3, 0.75, 0.9]).round(3)
    array([0.   , 1.434, 2.23 ])
    """
    chance = 1 / check_count("n_intervals", n_intervals, 2, _NEEDED)
    proportions = check_numbers("proportion", proportion)
    possible = (proportions >= chance) & (proportions < 1)
    if not possible.all():
        raise ValueError(
            f"proportion={proportions[~possible].flat[0]} must lie from chance, {chance:.4g} with "
            f"n_intervals={n_intervals}, to below 1."
        )
    found = np.array([_distance(one, chance, n_intervals) for one in proportions.flat]).reshape(proportions.shape)
    return found if found.ndim else float(found)


def _distance(proportion: float, chance: float, n_intervals: int) -> float:
    if proportion == chance:
        return 0.0
    return float(brentq(lambda d: proportion_correct(d, n_intervals) - proportion, -1e-6, _HIGHEST_D_PRIME))
