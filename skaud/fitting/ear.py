"""The health of an ear that explains its audiogram: outer hair cells, and fibres."""

from typing import Any, NamedTuple

import numpy as np

from skaud.fitting.audiogram import heard, residual_of
from skaud.fitting.quiet_ear import HIGHEST_DB_HL, Cochlea, QuietEar
from skaud.fitting.solvers import Solution, Watch, minimize_lbfgs
from skaud.hearing.audiogram import Audiogram

NEGLIGIBLE_DB = 0.5  # beyond the reach of the model, before it is worth a warning
MISSED_DB = 3.0  # inside the reach, before it is worth one
# Weight of the roughness of health, the integral of its squared slope over ERB numbers, beside the mean squared error
# in dB: errors stay within 1 dB where the model can follow, steps between channels of half an ERB within 0.2.
SMOOTHNESS = 0.5
FEWEST_FIBERS = 0.02  # share that a loss may leave, one in fifty
GRID = np.linspace(0, 1, 6)


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
    cochlea: Cochlea,
    audiogram: Audiogram,
    n_fibers: np.ndarray | None,
    *,
    ohc_share: float,
    explain: bool,
    max_iter: int,
    tol: float,
    watch: Watch | None = None,
) -> EarFit:
    """Fit the health of the outer hair cells of an ear to their share of its loss, and its fibres to what remains."""
    measured = audiogram.measured
    frequencies, loss_db = audiogram.frequencies_hz[measured], audiogram.thresholds_db_hl[measured]
    at_least = audiogram.no_response[measured]
    steady, has_fibers = QuietEar(cochlea, frequencies, steady=True), cochlea.healthy_fibers is not None
    near = steady if steady.rest(n_fibers).any() else QuietEar(cochlea, frequencies, steady=False)
    reach_db = np.nan_to_num(steady.thresholds_db_hl(np.zeros(steady.n_channels), n_fibers), nan=HIGHEST_DB_HL)
    least_db = steady.thresholds_db_hl(np.ones(steady.n_channels), n_fibers)  # above 0 where fibres were lost before
    heard(frequencies, least_db, has_fibers=has_fibers)  # before the fit, which would have nothing to follow
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
            n_fibers = remaining_fibers(solutions[1].x, steady)
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
        predicted=heard(audiogram.frequencies_hz, predicted, audiogram.ear, measured, has_fibers=has_fibers),
        residual_db=residual_of(audiogram, predicted),
        solutions=solutions,
        beyond=beyond,
        missed=missed,
    )


def healthy_ear(cochlea: Cochlea, n_fibers: np.ndarray | None) -> EarFit:
    """What there is of an ear without an audiogram: all its outer hair cells are healthy."""
    none = np.zeros(0, bool)
    return EarFit(np.ones(len(cochlea.pole_hz)), n_fibers, None, None, [], none, none)


def fit_health(
    ear: QuietEar, loss_db: np.ndarray, n_fibers: np.ndarray | None, at_least: np.ndarray | None = None, **limits: Any
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
    ear: QuietEar,
    loss_db: np.ndarray,
    explained_db: np.ndarray,
    ohc_health: np.ndarray,
    at_least: np.ndarray | None = None,
    **limits: Any,
) -> Solution:
    """Loss of fibres, 0 none to 1 all but `FEWEST_FIBERS`, that explains what the hair cells do not."""
    start = np.clip((loss_db - explained_db) / (-20 * np.log10(FEWEST_FIBERS)), 0, 1)

    def misfit(lost: np.ndarray) -> tuple[float, np.ndarray]:
        n_fibers = remaining_fibers(lost, ear)
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


def remaining_fibers(lost: np.ndarray, ear: QuietEar) -> np.ndarray:
    """Fibres of every channel and class, equally fewer in all classes: their logarithm falls with the loss."""
    assert ear.healthy_fibers is not None  # checked with explain_residual
    return ear.healthy_fibers * FEWEST_FIBERS ** lost[:, np.newaxis]


def along_cochlea(ear: QuietEar, values: Any) -> np.ndarray:
    """Values at the audiogram's frequencies, interpolated over the logarithm of the channels' frequencies."""
    return np.asarray(np.interp(np.log(ear.pole_hz), np.log(ear.frequencies_hz), values))


def bounds_of(ear: QuietEar) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(ear.n_channels), np.ones(ear.n_channels)


def roughness_of(health: np.ndarray, ear: QuietEar) -> tuple[float, np.ndarray]:
    """Weighted roughness along the cochlea, and its gradient."""
    weight, step = SMOOTHNESS / ear.erb_per_step, np.diff(health)
    # roughness = weight / 2 sum(step^2)
    return weight / 2 * float(step @ step), -weight * np.diff(step, prepend=0, append=0)
