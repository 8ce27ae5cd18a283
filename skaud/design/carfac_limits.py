"""What CARFAC's parameters may be."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skaud._warnings import warn_caller
from skaud.design.carfac import CARFACCoefficients


def check_ranges(model: Any) -> None:
    """Refuse what the constraints of every parameter cannot judge, before the design."""
    if not 8000 <= model.sample_rate <= 192000:
        raise ValueError(
            f"sample_rate={model.sample_rate} must lie between 8000 and 192000 Hz, where the cascade is defined; "
            "choose a rate within, clips at other rates are resampled to it."
        )
    if model.min_zeta >= model.max_zeta:
        raise ValueError(f"min_zeta={model.min_zeta} must be below max_zeta={model.max_zeta}; lower it.")
    if model.output == "spikes_per_s":
        raise ValueError(
            "output='spikes_per_s' has an axis of classes; use simulate(X, 'spikes_per_s') for it, or output='nap'."
        )
    if model.explain_residual == "synapse" and model.ihc_style != "two_cap_with_syn":
        raise ValueError(
            f"explain_residual='synapse', but ihc_style={model.ihc_style!r} has no synapse; choose "
            "ihc_style='two_cap_with_syn', or explain_residual=None."
        )
    for name in ("healthy_n_fibers", "spont_rates", "agc_weights"):
        _check_numbers(name, getattr(model, name), 3, "a class of fibres")
    if np.max(model.spont_rates) >= model.saturated_rate / 2:
        raise ValueError(
            f"spont_rates={model.spont_rates!r} must lie below half of saturated_rate={model.saturated_rate}; lower "
            "them."
        )
    n_stages = max(1, np.size(model.agc_time_constants_s))
    for name in ("agc_time_constants_s", "agc_decimation", "agc1_scales", "agc2_scales"):
        _check_numbers(name, getattr(model, name), n_stages, "a stage of the AGC, as many as agc_time_constants_s")
    if np.mod(model.agc_decimation, 1).any():
        raise ValueError(f"agc_decimation={model.agc_decimation!r} must be integers of at least 1; round them.")


def check_coefficients(model: Any, coefficients: CARFACCoefficients) -> None:
    """Refuse a design whose recursion would not be stable."""
    car, hair_cell = coefficients.car, coefficients.hair_cell
    for name, wrong, remedy in (
        ("max_zeta", car.r1 <= -1, "lower it, or first_pole_theta, or raise high_f_damping_compression"),
        ("max_zeta", car.zr <= 0, "raise it, or erb_q or min_pole_hz, or lower min_zeta or erb_break_hz"),
    ):
        if wrong.any():
            raise ValueError(
                f"{name}={getattr(model, name)} gives {wrong.sum()} of {len(wrong)} channels no stable poles between "
                f"full and no damping, the first at {car.pole_hz[np.argmax(wrong)]:.0f} Hz; {remedy}."
            )
    if car.ac_coeff >= 1:
        raise ValueError(
            f"ac_corner_hz={model.ac_corner_hz} must lie below sample_rate / (2 pi), "
            f"{model.sample_rate / (2 * np.pi):.0f} Hz; lower it."
        )
    rates = {
        "tau_out": "out",
        "tau_in": "into",
        "tau1_out": "out1",
        "tau1_in": "in1",
        "tau2_out": "out2",
        "tau2_in": "in2",
    }
    for name, rate in rates.items():
        if getattr(hair_cell, rate, 0.0) >= 1:
            raise ValueError(
                f"{name}={getattr(model, name)} is too short for sample_rate={model.sample_rate}: within a sample a "
                f"capacitor would move {getattr(hair_cell, rate):.3g} of its charge; raise one or the other"
                + (f", or lower tau1_out={model.tau1_out} over tau1_in={model.tau1_in}." if name == "tau2_out" else ".")
            )


def resolve_ohc_health(model: Any, given: ArrayLike | Callable, pole_hz: np.ndarray) -> np.ndarray:
    """Health of the outer hair cells of every channel."""
    health = _numbers("ohc_health", given, pole_hz)
    if health.shape not in ((), pole_hz.shape):
        raise ValueError(
            f"ohc_health has shape {health.shape}; at sample_rate={model.sample_rate} the model has {len(pole_hz)} "
            f"channels, so it must be a number or have shape {pole_hz.shape}; a function of frequency in Hz fits any "
            "rate."
        )
    allowed = (health >= -0.5) & (health <= 1)
    if not allowed.all():
        raise ValueError(f"ohc_health={health[~allowed]} must lie between 0 (passive) and 1 (healthy); clip it.")
    if (health < 0).any():
        warn_caller(
            f"ohc_health has values below 0, the lowest {health.min()}: the outer hair cells then act anomalously, "
            "damping instead of undamping.",
        )
    return np.broadcast_to(health, pole_hz.shape)


def resolve_n_fibers(model: Any, given: ArrayLike | Callable | None, pole_hz: np.ndarray) -> np.ndarray:
    """Fibres of every class, or of every channel and class."""
    healthy = np.asarray(model.healthy_n_fibers, dtype=float)
    if given is None:
        return healthy
    if model.ihc_style != "two_cap_with_syn":
        raise ValueError(
            f"n_fibers is given, but ihc_style={model.ihc_style!r} has no synapse; choose "
            "ihc_style='two_cap_with_syn', or n_fibers=None."
        )
    fibers = _numbers("n_fibers", given, pole_hz)
    if fibers.shape not in ((3,), (len(pole_hz), 3)):
        raise ValueError(
            f"n_fibers has shape {fibers.shape}; it must be (3,), one number a class, or ({len(pole_hz)}, 3) at "
            f"sample_rate={model.sample_rate}; a function of frequency in Hz fits any rate."
        )
    allowed = (fibers >= 0) & (fibers <= healthy)
    if not allowed.all():
        raise ValueError(
            f"n_fibers={fibers[~allowed]} must lie between 0 and healthy_n_fibers={model.healthy_n_fibers}; clip it, "
            "or raise healthy_n_fibers."
        )
    return fibers


def _check_numbers(name: str, value: ArrayLike, n: int, each: str) -> None:
    numbers = _numbers(name, value)
    if numbers.shape != (n,) or not (numbers > 0).all() or not np.isfinite(numbers).all():
        raise ValueError(f"{name}={value!r} must be {n} finite numbers above 0, one {each}.")


def _numbers(name: str, value: ArrayLike | Callable, *arguments: np.ndarray) -> np.ndarray:
    """Value, or what it returns for the arguments, in float64."""
    try:
        return np.asarray(value(*arguments) if callable(value) else value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}={value!r} must be numbers, or a function that returns them ({error}).") from error
