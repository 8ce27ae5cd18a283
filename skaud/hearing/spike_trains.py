"""Spikes of nerve fibres, drawn at a rate."""

import numpy as np
import numpy.typing as npt

from skaud._types import Seed

_WARM_UP = 10  # dead times at the first rate, before the first sample: fibres have fired before a sound begins


def spikes(
    rates_per_s: npt.ArrayLike,
    sample_rate: float,
    *,
    n_trains: int = 1,
    absolute_s: float = 0.75e-3,
    relative_s: float = 0.5e-3,
    random_state: Seed = None,
) -> np.ndarray:
    r"""Draw spikes of fibres that fire at a rate, and are refractory after each spike.

    Parameters
    ----------
    rates_per_s : array-like of shape (..., n_samples)
        Rates at which one fibre fires, in spikes/s.
    sample_rate : float
        Samples a second.
    n_trains : int, default=1
        Fibres that fire at these rates, independently of each other.
    absolute_s : float, default=0.00075
        Time in s after a spike in which none can follow.
    relative_s : float, default=0.0005
        Mean in s of the further time until a fibre is ready, which is drawn anew after each spike.
    random_state : int, RandomState instance or None, default=None
        Seed.

    Returns
    -------
    ndarray of bool of shape (n_trains, ..., n_samples)
        Whether a fibre fires in a sample.

    Raises
    ------
    ValueError
        If a rate is negative, not finite, or so high that a refractory fibre cannot reach it; or a time is negative.

    Notes
    -----
    A Poisson process with dead times of `absolute_s` and, beyond it, an exponentially distributed time with mean
    `relative_s` [1]_. Where a fibre is ready it fires at the hazard

    .. math::

        \lambda = \frac{r}{1 - r\, (\mathrm{absolute\_s} + \mathrm{relative\_s})}

    so that the mean rate is r, refractoriness included. At most one spike falls into a sample.

    The output "spikes_per_s" of `CARFAC` is the rate of all fibres of a class in a channel; that of one is it divided
    by ``ihcs_per_channel * n_fibers_``.

    References
    ----------
    .. [1] A. Peterson, D. Irvine, P. Heil, "A model of synaptic vesicle-pool depletion and replenishment can account
       for the interspike interval distributions and nonrenewal properties of spontaneous spike trains of auditory-nerve
       fibers", J. Neurosci. 34:15097, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud.hearing import spikes
    >>> trains = spikes(np.full(22050, 100.0), 22050, n_trains=50, random_state=0)
    >>> trains.shape
    (50, 22050)
    >>> bool(95 < trains.sum(axis=1).mean() < 105)
    True
    """
    rates = np.asarray(rates_per_s, float)
    for name, value in {"absolute_s": absolute_s, "relative_s": relative_s}.items():
        if not 0 <= value < np.inf:
            raise ValueError(f"{name}={value} must be a time in s, 0 or more.")
    if not sample_rate > 0 or n_trains < 1 or not rates.ndim or not rates.shape[-1]:
        raise ValueError(
            f"sample_rate={sample_rate} must be above 0, n_trains={n_trains} at least 1, and rates_per_s of shape "
            f"{rates.shape} hold samples along its last axis."
        )
    if not np.isfinite(rates).all() or (rates < 0).any():
        raise ValueError("rates_per_s holds negative or infinite rates, or NaN; rates are 0 or more.")
    dead_s = absolute_s + relative_s
    if rates.max() * dead_s >= 1:
        raise ValueError(
            f"rates_per_s reaches {rates.max():.4g} spikes/s, and a fibre that is refractory for {dead_s:g} s fires at "
            f"most {1 / dead_s:.4g} times a second; pass the rate of one fibre, or shorten absolute_s and relative_s."
        )
    from sklearn.utils import check_random_state  # here, since audiograms need no scikit-learn

    random = check_random_state(random_state)
    chances = -np.expm1(-rates / (1 - rates * dead_s) / sample_rate)
    fired = np.zeros((n_trains, *rates.shape), bool)
    ready_s = np.full(fired.shape[:-1], -np.inf)
    for t in range(-round(_WARM_UP * dead_s * sample_rate), rates.shape[-1]):
        fires = (ready_s <= t / sample_rate) & (random.random_sample(ready_s.shape) < chances[..., max(t, 0)])
        after_s = t / sample_rate + absolute_s
        ready_s[fires] = after_s + random.exponential(relative_s, np.count_nonzero(fires))
        if t >= 0:
            fired[..., t] = fires
    return fired
