"""Forced choice between several intervals, of which one has the signal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtr

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(101)  # exact to 1e-12 up to 10 intervals
_HIGHEST_D_PRIME = 30.0


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
        If there are fewer than 2 intervals.

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
    d = np.asarray(d_prime, float)
    values = np.zeros((d.size, _check_intervals(n_intervals)))
    values[:, 0] = d.ravel()
    return choice_probabilities(values, 1.0)[:, 0].reshape(d.shape)


def d_prime(proportion: float, n_intervals: int = 3) -> float:
    """Distance of the means at which an unbiased observer reaches a proportion of correct answers.

    Parameters
    ----------
    proportion : float
        Proportion of correct answers, above chance, ``1 / n_intervals``, or equal to it, and below 1.
    n_intervals : int, default=3
        Intervals to choose from.

    Returns
    -------
    float
        Distance in standard deviations of the decision variable; `proportion_correct` of it is `proportion`.

    Raises
    ------
    ValueError
        If there are fewer than 2 intervals, or the proportion is below chance, or 1.

    Examples
    --------
    >>> from skaud.psychoacoustics import d_prime
    >>> round(d_prime(0.5**0.5), 3)
    1.265
    """
    chance = 1 / _check_intervals(n_intervals)
    if not chance <= proportion < 1:
        raise ValueError(
            f"proportion={proportion} must lie from chance, {chance:.4g} with n_intervals={n_intervals}, to below 1."
        )
    if proportion == chance:
        return 0.0
    return float(brentq(lambda d: proportion_correct(d, n_intervals) - proportion, -1e-6, _HIGHEST_D_PRIME))


def _check_intervals(n_intervals: int) -> int:
    if int(n_intervals) != n_intervals or n_intervals < 2:
        raise ValueError(f"n_intervals={n_intervals} must be a whole number of at least 2; a choice needs them.")
    return int(n_intervals)
