"""Audiograms of models, and the health of outer hair cells and synapses that explains an audiogram."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skaud._fitted import fitted_copy
from skaud.fitting.solvers import Solution, minimize_lbfgs
from skaud.hearing.audiogram import Audiogram

LOWEST_DB_HL, HIGHEST_DB_HL = -20.0, 120.0
EXACT_DB = 1e-3  # of a threshold
NEGLIGIBLE_DB = 0.5  # beyond the reach of the model, before it is worth a warning
MISSED_DB = 3.0  # inside the reach, before it is worth one
# Weight of the roughness of health, the integral of its squared slope over ERB numbers, beside the mean squared error
# in dB: errors stay within 1 dB where the model can follow, steps between channels of half an ERB within 0.2.
SMOOTHNESS = 0.5
FEWEST_FIBERS = 0.02  # share that a loss may leave, one in fifty
GRID = np.linspace(0, 1, 6)


def predicted_audiogram(model: Any, frequencies_hz: npt.ArrayLike) -> Audiogram | tuple[Audiogram, ...]:
    """Audiogram of a model: how much more sound it needs than the same model with a healthy ear.

    A tone at the threshold of hearing in quiet, ISO 389-7's, gives a response in the healthy ear: the logarithm of the
    NAP's mean square, summed over channels, in steady state. The threshold of the model's own ear, in dB HL, is the
    level above it that gives the same response. It is computed in float64, whatever the model's dtype.

    Parameters
    ----------
    model : CARFAC
        Fitted model.
    frequencies_hz : array-like of shape (n_frequencies,)
        Frequencies in Hz, rising, at least two, within the model's channels.

    Returns
    -------
    Audiogram, or tuple of Audiogram
        Thresholds in dB HL; 120 dB HL with `no_response` where not even that is enough. A tuple, one an ear, where the
        model was fitted to an audiogram of each ear. It is of the ear that the model was fitted to.

    Raises
    ------
    TypeError
        If the model has no NAP.
    ValueError
        If a frequency lies outside the model's channels, for what `skaud.Audiogram` refuses, or if the model hears
        fewer than two of the frequencies at 120 dB HL: there is no audiogram of so deaf an ear, as one without fibres.

    Examples
    --------
    >>> from skaud import CARFAC, datasets
    >>> from skaud.fitting import predicted_audiogram
    >>> X = datasets.make_tone(1000, duration_s=0.1)
    >>> model = CARFAC(ohc_health=0.5).fit(X)
    >>> predicted_audiogram(model, [500, 1000, 2000, 4000]).thresholds_db_hl.round()
    array([23., 27., 30., 29.])
    """
    if not hasattr(model, "_quiet_ear"):
        raise TypeError(f"model is {type(model).__name__}, which has no NAP to listen to; pass a fitted skaud.CARFAC.")
    model = fitted_copy(model)
    frequencies = Audiogram(frequencies_hz, np.zeros(np.shape(frequencies_hz))).frequencies_hz
    check_within_channels("frequencies_hz", frequencies, model)
    ear = model._quiet_ear(frequencies, steady=True)
    audiograms = [
        heard(model, frequencies, ear.thresholds_db_hl(*own), label)
        for own, label in zip(model._health_of_ears(), labels_of_ears(model), strict=True)
    ]
    return audiograms[0] if len(audiograms) == 1 else tuple(audiograms)


def labels_of_ears(model: Any) -> list[str | None]:
    """Which ear is which in a fitted model, one for each of its designs; beside one that is known, the other is too."""
    predicted = getattr(model, "predicted_audiogram_", None)
    labels = [one and one.ear for one in (predicted if isinstance(predicted, tuple) else [predicted])]
    return ["left", "right"] if len(labels) == 2 and any(labels) else labels


def check_within_channels(name: str, frequencies_hz: np.ndarray, model: Any) -> None:
    """Refuse frequencies that no channel of the model stands for."""
    highest_hz, lowest_hz = model.pole_frequencies_hz_[[0, -1]]
    for hz in frequencies_hz:
        if not lowest_hz <= hz <= highest_hz:
            remedy = "leave it out, or raise sample_rate" if hz > highest_hz else "leave it out, or lower min_pole_hz"
            raise ValueError(
                f"{name} has {hz:g} Hz, and at sample_rate={model.sample_rate:g} the model's channels lie between "
                f"{lowest_hz:.0f} and {highest_hz:.0f} Hz; {remedy}."
            )


def heard(
    model: Any,
    frequencies_hz: np.ndarray,
    thresholds_db_hl: np.ndarray,
    ear: str | None = None,
    tried: np.ndarray | None = None,
) -> Audiogram:
    """Audiogram of what a model hears; an error where that is too little for one.

    tried : mask of the frequencies at which it was tried, by default all
    """
    n_heard = np.count_nonzero(np.isfinite(thresholds_db_hl))
    if n_heard < 2:
        name = "ohc_health" if getattr(model, "n_fibers_", None) is None else "n_fibers"
        raise ValueError(
            f"{name} leaves the model an ear too deaf for an audiogram: up to {HIGHEST_DB_HL:g} dB HL it hears "
            f"{n_heard} of the frequencies, and an audiogram needs 2; raise {name}, or choose other frequencies."
        )
    unheard = np.isnan(thresholds_db_hl) & (tried is None or tried)
    return Audiogram(frequencies_hz, np.where(unheard, HIGHEST_DB_HL, thresholds_db_hl), ear, unheard)


def matching_levels(response_db: Callable[[np.ndarray], np.ndarray], target_db: np.ndarray) -> np.ndarray:
    """Levels in dB HL at which a rising response reaches its target; NaN where they lie outside the two limits.

    Secants within brackets that every evaluation narrows; the first has a slope of 1 dB a dB.
    """
    low, high = np.full(target_db.shape, LOWEST_DB_HL), np.full(target_db.shape, HIGHEST_DB_HL)
    low_known, high_known = np.zeros((2, *target_db.shape), bool)
    level, slope = np.zeros(target_db.shape), np.ones(target_db.shape)
    above = response_db(level) - target_db
    while True:
        low, low_known = np.where(above < 0, level, low), low_known | (above < 0)
        high, high_known = np.where(above > 0, level, high), high_known | (above > 0)
        found = np.abs(above) < EXACT_DB
        outside = ~found & ((low >= HIGHEST_DB_HL) | (high <= LOWEST_DB_HL))
        found |= high - low < EXACT_DB
        if (found | outside).all():
            return np.where(outside, np.nan, level)
        secant = level - above / slope
        step = np.where(secant <= low, low, np.where(secant >= high, high, secant))
        step = np.where(((step == low) & low_known) | ((step == high) & high_known), (low + high) / 2, step)
        step = np.where(found | outside, level, step)
        before, moved = above, step - level
        level, above = step, response_db(step) - target_db
        slope = np.where(moved == 0, slope, np.clip((above - before) / np.where(moved == 0, 1, moved), 0.1, 10))


class EarFit(NamedTuple):
    """What was found for an ear, arrays over channels and over the audiogram's frequencies."""

    ohc_health: np.ndarray  # (n_channels,)
    n_fibers: np.ndarray | None  # (n_channels, n_classes), where fibres explain what hair cells do not
    predicted: Audiogram | None  # None of an ear that is healthy, without an audiogram
    residual_db: np.ndarray | None
    solutions: list[Solution]
    beyond: np.ndarray  # mask of what is more loss than hair cells, or they and fibres, explain
    missed: np.ndarray  # mask of what they could explain and miss


def fit_ear(
    model: Any,
    audiogram: Audiogram,
    n_fibers: np.ndarray | None,
    *,
    ohc_share: float,
    explain: bool,
    max_iter: int,
    tol: float,
    watch: Callable[[np.ndarray, float], bool] | None = None,
) -> EarFit:
    """Fit the health of the outer hair cells of an ear to their share of its loss, and its fibres to what remains."""
    measured = audiogram.measured
    frequencies, loss_db = audiogram.frequencies_hz[measured], audiogram.thresholds_db_hl[measured]
    at_least = audiogram.no_response[measured]
    steady = model._quiet_ear(frequencies, steady=True)
    near = steady if steady.rest(n_fibers).any() else model._quiet_ear(frequencies, steady=False)
    reach_db = np.nan_to_num(steady.thresholds_db_hl(np.zeros(model.n_channels_), n_fibers), nan=HIGHEST_DB_HL)
    least_db = steady.thresholds_db_hl(np.ones(model.n_channels_), n_fibers)  # above 0 where fibres were lost before
    heard(model, frequencies, least_db)  # before the fit, which would have nothing to follow
    least_db = np.fmin(least_db, reach_db)
    share_db = least_db + ohc_share * np.maximum(loss_db - least_db, 0)  # fibres explain what is below least_db
    target_db = np.minimum(share_db, reach_db)
    limits: dict[str, Any] = {"at_least": at_least, "max_iter": max_iter, "tol": tol, "watch": watch}
    solutions = [fit_health(near, target_db, n_fibers, **limits)]
    health = solutions[0].x
    predicted_db = steady.thresholds_db_hl(health, n_fibers)
    asked_db = np.where(loss_db < least_db, np.maximum(loss_db, 0), share_db)
    if explain:
        asked_db = np.maximum(loss_db, 0)
        if (loss_db - predicted_db > NEGLIGIBLE_DB).any():
            solutions.append(fit_fibers(steady, loss_db, predicted_db, health, **limits))
            n_fibers = remaining_fibers(solutions[1].x, steady.healthy_fibers)
            predicted_db = steady.thresholds_db_hl(health, n_fibers)
    unexplained_db = asked_db - np.nan_to_num(predicted_db, nan=HIGHEST_DB_HL)
    of_hair_cells = asked_db <= target_db + NEGLIGIBLE_DB
    predicted, (beyond, missed) = np.full(measured.shape, np.nan), np.zeros((2, *measured.shape), bool)
    predicted[measured] = predicted_db
    beyond[measured] = ~of_hair_cells & (unexplained_db > NEGLIGIBLE_DB)
    missed[measured] = (of_hair_cells & (unexplained_db > MISSED_DB)) | (~at_least & (unexplained_db < -MISSED_DB))
    return EarFit(
        ohc_health=health,
        n_fibers=n_fibers,
        predicted=heard(model, audiogram.frequencies_hz, predicted, audiogram.ear, measured),
        residual_db=residual_of(audiogram, predicted),
        solutions=solutions,
        beyond=beyond,
        missed=missed,
    )


def healthy_ear(model: Any) -> EarFit:
    """What there is of an ear without an audiogram: all its outer hair cells are healthy."""
    none = np.zeros(0, bool)
    return EarFit(np.ones(model.n_channels_), model.n_fibers_, None, None, [], none, none)


def residual_of(audiogram: Audiogram, predicted_db: np.ndarray) -> np.ndarray:
    """What of an audiogram a prediction leaves unexplained, in dB; of what was not heard, never less than 0."""
    residual_db = audiogram.thresholds_db_hl - predicted_db
    # What the model does not hear either has a threshold beyond the highest that was tried with it.
    reached_db = np.where(np.isnan(predicted_db), HIGHEST_DB_HL, predicted_db)
    beyond_db = np.maximum(audiogram.thresholds_db_hl - reached_db, 0)
    return np.where(audiogram.no_response, beyond_db, residual_db)


def fit_health(
    ear: Any, loss_db: np.ndarray, n_fibers: np.ndarray | None, at_least: np.ndarray | None = None, **limits: Any
) -> Solution:
    """Health of every channel with which the ear responds to tones at the losses as a healthy one at threshold.

    It starts from what explains each frequency's loss if all channels have it, interpolated along the cochlea.
    at_least : mask of the losses that may be greater
    """
    silent = np.zeros(len(loss_db))
    losses = [ear.healthy_db - ear.response_db(silent, np.full(ear.n_channels, health), n_fibers) for health in GRID]
    start = [np.interp(-loss, -np.array(column), GRID) for loss, column in zip(loss_db, np.transpose(losses))]

    def misfit(health: np.ndarray) -> tuple[float, np.ndarray]:
        response_db, pullback = ear.vjp(loss_db, health, n_fibers, ("ohc_health",))
        error_db = error_of(response_db, ear.healthy_db, at_least)
        gradient = pullback(error_db / len(error_db))["ohc_health"]
        roughness, slope = roughness_of(health, ear)
        return 0.5 * float(np.mean(error_db**2)) + roughness, gradient + slope

    return minimize_lbfgs(misfit, along_cochlea(ear, start), bounds_of(ear), **limits)


def fit_fibers(
    ear: Any,
    loss_db: np.ndarray,
    explained_db: np.ndarray,
    ohc_health: np.ndarray,
    at_least: np.ndarray | None = None,
    **limits: Any,
) -> Solution:
    """Loss of fibres, 0 none to 1 all but `FEWEST_FIBERS`, that explains what the hair cells do not."""
    start = np.clip((loss_db - explained_db) / (-20 * np.log10(FEWEST_FIBERS)), 0, 1)

    def misfit(lost: np.ndarray) -> tuple[float, np.ndarray]:
        n_fibers = remaining_fibers(lost, ear.healthy_fibers)
        response_db, pullback = ear.vjp(loss_db, ohc_health, n_fibers, ("n_fibers",))
        error_db = error_of(response_db, ear.healthy_db, at_least)
        fibers_bar = pullback(error_db / len(error_db))["n_fibers"]
        # n_fibers = healthy_fibers FEWEST_FIBERS^lost
        gradient = (fibers_bar * n_fibers).sum(axis=1) * np.log(FEWEST_FIBERS)
        roughness, slope = roughness_of(lost, ear)
        return 0.5 * float(np.mean(error_db**2)) + roughness, gradient + slope

    return minimize_lbfgs(misfit, along_cochlea(ear, start), bounds_of(ear), **limits)


def error_of(response_db: np.ndarray, healthy_db: np.ndarray, at_least: np.ndarray | None) -> np.ndarray:
    """Difference of responses; where the loss is at least so much, a weaker response than the healthy is no error."""
    error_db = response_db - healthy_db
    return error_db if at_least is None else np.where(at_least, np.maximum(error_db, 0), error_db)


def remaining_fibers(lost: np.ndarray, healthy_fibers: np.ndarray) -> np.ndarray:
    """Fibres of every channel and class, equally fewer in all classes: their logarithm falls with the loss."""
    return healthy_fibers * FEWEST_FIBERS ** lost[:, np.newaxis]


def along_cochlea(ear: Any, values: Any) -> np.ndarray:
    """Values at the audiogram's frequencies, interpolated over the logarithm of the channels' frequencies."""
    return np.asarray(np.interp(np.log(ear.pole_hz), np.log(ear.frequencies_hz), values))


def bounds_of(ear: Any) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(ear.n_channels), np.ones(ear.n_channels)


def roughness_of(health: np.ndarray, ear: Any) -> tuple[float, np.ndarray]:
    """Weighted roughness along the cochlea, and its gradient."""
    weight, step = SMOOTHNESS / ear.erb_per_step, np.diff(health)
    # roughness = weight / 2 sum(step^2)
    return weight / 2 * float(step @ step), -weight * np.diff(step, prepend=0, append=0)
