"""Spikes of nerve fibres, drawn at a rate."""

from typing import Any

import numpy as np
import numpy.typing as npt

from skaud._types import Seed
from skaud._warnings import warn_caller
from skaud.design.limits import check_count, check_number, check_numbers

_LONGEST_S = 1.0  # a dead time: of nerve fibres it is a thousandth
_SUSTAINED_S = 0.01  # a rate over so long is no onset
_LOST = 1e-6  # share of the spikes, more than rounding
_CERTAIN = 50.0  # hazard of a sample in which all ready fibres fire: one in 10^21 does not


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
    TypeError
        If the rates are masked.
    ValueError
        If a rate is negative, not finite, or for 10 ms higher on average than a refractory fibre can reach; or a number
        is out of its range.

    Warns
    -----
    UserWarning
        If a rate rises so fast that more spikes are due than fibres are ready: those are lost.

    Notes
    -----
    A Poisson process with dead times of `absolute_s` and, beyond it, an exponentially distributed time with mean
    `relative_s` [1]_. A fibre that is ready fires with the probability that makes the rate of all fibres r,
    refractoriness included, also where r changes within the dead time: the expected number of spikes over that of ready
    fibres, as recovered probabilities are found from recorded spikes [2]_. With :math:`n_t` the expected spikes in
    sample t,

    .. math::

        n_t = r_t / f_s, \quad
        p_t = \frac{n_t}{1 - \sum_{k \ge 1} n_{t-k} \, S_k}, \quad
        S_k = \min\left(1, \exp\frac{\mathrm{absolute\_s} - k / f_s}{\mathrm{relative\_s}}\right)

    where :math:`S_k` is the probability that a fibre is not ready k samples after a spike. Where :math:`p_t` would be
    above 1 all ready fibres fire, which is less than was asked for, and :math:`n_t` becomes that. Before the first
    sample the rate was what it is there. At most one spike of a fibre falls into a sample. For an instant, such as an
    onset, rates may be higher than 1 over the dead time; on average over 10 ms they may not.

    The output "spikes_per_s" of `CARFAC` is the rate of all fibres of a class in a channel; that of one is it divided
    by ``ihcs_per_channel * n_fibers_``.

    References
    ----------
    .. [1] A. Peterson, D. Irvine, P. Heil, "A model of synaptic vesicle-pool depletion and replenishment can account
       for the interspike interval distributions and nonrenewal properties of spontaneous spike trains of auditory-nerve
       fibers", J. Neurosci. 34:15097, 2014.
    .. [2] P. R. Gray, "Conditional probability analyses of the spike activity of single neurons", Biophys. J. 7:759,
       1967.

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
    sample_rate = check_number("sample_rate", sample_rate, "a number of Hz from 1 to 1e9", 1, 1e9)
    n_trains = check_count("n_trains", n_trains, 1)
    meant = f"a time in s from 0 to {_LONGEST_S:g}, such as 0.00075"
    dead = _DeadTime(
        check_number("absolute_s", absolute_s, meant, 0, _LONGEST_S) * sample_rate,
        check_number("relative_s", relative_s, meant, 0, _LONGEST_S) * sample_rate,
    )
    rates = check_numbers("rates_per_s", rates_per_s)
    if not rates.ndim or not rates.size:
        raise ValueError(f"rates_per_s has shape {rates.shape}; it must hold rates of samples along its last axis.")
    if not np.isfinite(rates).all() or (rates < 0).any():
        raise ValueError("rates_per_s holds negative or infinite rates, or NaN; rates are 0 or more.")
    from sklearn.utils import check_random_state  # here, since audiograms need no scikit-learn

    random = check_random_state(random_state)
    rows = rates.reshape(-1, rates.shape[-1])
    _refuse_sustained(rates, sample_rate, dead)
    ready = dead.first_ready(rows[:, 0] / sample_rate, n_trains, random)
    expected = np.divide(rows.T, sample_rate, order="C")
    hazards = _summed_hazards(expected, dead)
    _warn_of_lost(rates, expected, sample_rate, dead)
    return _draw(hazards, rows.shape, ready, dead, random).reshape(n_trains, *rates.shape)


class _DeadTime:
    """How long a fibre is not ready after a spike, in samples.

    shortest : samples until it may fire again; then, stays : the probability that it is not ready by then, and the
    ratio of this from each sample to the next; mean : expected samples in which it is not ready; most : spikes a sample
    of a fibre that fires whenever it is ready
    """

    def __init__(self, absolute: float, relative: float) -> None:
        self.length, self._relative = absolute + relative, relative
        self.shortest = max(int(np.ceil(absolute - 1e-9)), 1)  # 0.001 * 20000 is 20 and a rounding error
        self._beyond = max(self.shortest - absolute, 0.0)
        self.then = float(np.exp(-self._beyond / relative)) if relative else 0.0
        self.stays = float(np.exp(-1 / relative)) if relative else 0.0
        self.mean = self.shortest - 1 + self.then / (1 - self.stays)
        self.most = 1 / (1 + self.mean)

    def draw(self, n: Any, random: np.random.RandomState) -> np.ndarray:
        """Samples from a spike to the first in which the fibre is ready."""
        return self.shortest + self._further(n, self._beyond, random)

    def first_ready(self, density: np.ndarray, n_trains: int, random: np.random.RandomState) -> np.ndarray:
        """First sample in which each fibre is ready, (n_trains, n_rows), where its spikes had a density before."""
        density = np.minimum(density, self.most)
        where = random.random_sample((n_trains, density.size))
        is_absolute = where < density * (self.shortest - 1)
        is_relative = (where < density * self.mean) & ~is_absolute
        since = 1 + (where / np.where(density > 0, density, 1)).astype(
            int
        )  # samples from the last spike, where absolute
        ready = np.zeros(where.shape, int)
        ready[is_absolute] = self.draw(np.count_nonzero(is_absolute), random) - since[is_absolute]
        ready[is_relative] = 1 + self._further(np.count_nonzero(is_relative), 1.0, random)  # which has no memory
        return ready

    def _further(self, n: Any, beyond: float, random: np.random.RandomState) -> np.ndarray:
        return np.maximum(np.ceil(random.exponential(self._relative, n) - beyond), 0).astype(int)


def _summed_hazards(expected: np.ndarray, dead: _DeadTime) -> np.ndarray:
    """Sum of the hazards of a fibre that is ready, before each sample of each row in turn, and of all.

    expected, (n_samples, n_rows), are spikes a sample: as asked for, and then as many as there can be.
    """
    n_samples, n_rows = expected.shape
    summed = np.zeros(expected.size + 1)
    ready = summed[1:].reshape(n_rows, n_samples)
    before = np.minimum(expected[0], dead.most)
    absolute, relative = before * (dead.shortest - 1), before * dead.then / (1 - dead.stays)  # what is not ready
    for t in range(n_samples):
        ready[:, t] = np.maximum(1 - absolute - relative, 0)
        expected[t] = np.minimum(expected[t], ready[:, t])
        over = expected[t + 1 - dead.shortest] if t + 1 >= dead.shortest else before
        absolute += expected[t] - over
        relative = relative * dead.stays + over * dead.then
    with np.errstate(divide="ignore", invalid="ignore"):
        chances = np.divide(expected.T, ready, out=ready)
        np.negative(np.log1p(np.negative(chances, out=chances), out=chances), out=chances)
    np.nan_to_num(chances, copy=False, nan=0.0, posinf=_CERTAIN)  # 0 / 0: none is ready
    np.minimum(chances, _CERTAIN, out=chances)
    return np.cumsum(summed, out=summed)


def _draw(
    summed: np.ndarray, shape: tuple[int, int], ready: np.ndarray, dead: _DeadTime, random: np.random.RandomState
) -> np.ndarray:
    """Spikes, (n_trains, n_rows * n_samples): a fibre fires where its hazards add up to an exponential number."""
    n_rows, n_samples = shape
    train, row = (place.ravel() for place in np.indices(ready.shape))
    at, end = ready.ravel() + row * n_samples, (row + 1) * n_samples
    fired = np.zeros((len(ready), n_rows * n_samples), bool)
    while (goes_on := at < end).any():
        train, at, end = train[goes_on], at[goes_on], end[goes_on]
        at = np.searchsorted(summed[1:], summed[at] + random.standard_exponential(at.size), side="right")
        fires = at < end
        train, at, end = train[fires], at[fires], end[fires]
        fired[train, at] = True
        at = at + dead.draw(at.size, random)
    return fired


def _refuse_sustained(rates: np.ndarray, sample_rate: float, dead: _DeadTime) -> None:
    """Refuse rates that are no instants, and that no fibre reaches."""
    most, n, rows = (
        dead.most * sample_rate,
        max(round(_SUSTAINED_S * sample_rate), 1),
        rates.reshape(-1, rates.shape[-1]),
    )
    for row in np.flatnonzero(rows.max(axis=1) > most) if rates.shape[-1] >= n else ():
        summed = np.cumsum(np.append(0.0, rows[row]))
        means = (summed[n:] - summed[:-n]) / n
        if means.max() > most * (1 + 1e-9):
            raise ValueError(
                f"{_named(rates, row)} has a mean of {means.max():.4g} spikes/s in the {1000 * _SUSTAINED_S:g} ms "
                f"from {means.argmax() / sample_rate:.4g} s on, and a fibre that is refractory for "
                f"{dead.length / sample_rate:g} s fires at most {most:.4g} times a second, in samples of "
                f"{sample_rate:g} Hz; pass the rate of one fibre, or shorten absolute_s and relative_s."
            )


def _warn_of_lost(rates: np.ndarray, expected: np.ndarray, sample_rate: float, dead: _DeadTime) -> None:
    """Warn of spikes for which no fibre is ready."""
    rows = rates.reshape(-1, rates.shape[-1])
    asked = rows.sum(axis=1) / sample_rate
    lost = asked - expected.sum(axis=0)
    losing = np.flatnonzero(lost > _LOST * asked)
    if not losing.size:
        return
    worst = losing[np.argmax(lost[losing])]
    when = np.flatnonzero(rows[worst] / sample_rate - expected[:, worst] > 0) / sample_rate
    others = f", and some of {losing.size - 1} other rows" if losing.size > 1 else ""
    warn_caller(
        f"{_named(rates, worst)} asks, from {when[0]:.4g} to {when[-1]:.4g} s, for more spikes than fibres are ready, "
        f"refractory for {dead.length / sample_rate:g} s after each: {lost[worst]:.3g} of {asked[worst]:.4g} spikes, "
        f"{100 * lost[worst] / asked[worst]:.2g} %, are lost{others}; lower or smooth the rates, or shorten "
        "absolute_s and relative_s."
    )


def _named(rates: np.ndarray, row: Any) -> str:
    place = np.unravel_index(row, rates.shape[:-1]) if rates.ndim > 1 else ()
    return f"rates_per_s[{', '.join(map(str, place))}]" if place else "rates_per_s"
