"""Cascade of asymmetric resonators of CARFAC: physical parameters to coefficients, in float64 (Lyon 2017, ch. 16)."""

from typing import NamedTuple

import numpy as np

from skaud.design.erb import erb_hz
from skaud.design.limits import MOST_CHANNELS, as_numbers, check_size


class CARCoefficients(NamedTuple):
    """Cascade of asymmetric resonators; arrays are (n_channels,), base to apex."""

    pole_hz: np.ndarray
    a0: np.ndarray  # cos of the pole angle at zero damping
    c0: np.ndarray  # sin of the pole angle at zero damping
    h: np.ndarray  # zero, relative to the pole
    r1: np.ndarray  # pole radius at maximum damping
    zr: np.ndarray  # pole radius gained by full undamping
    ga: np.ndarray  # stage gain for unity at DC: ga u^2 + gb u + gc, u the relative undamping
    gb: np.ndarray
    gc: np.ndarray
    ohc_health: np.ndarray
    velocity_scale: float
    v_offset: float
    ac_coeff: float  # pole of the 20 Hz high-pass at the output

    def stage_gain(self, undamping: np.ndarray | float) -> np.ndarray:
        """Gain g of every stage at a relative undamping between 0 and 1."""
        return (self.ga * undamping + self.gb) * undamping + self.gc


def pole_frequencies(
    sample_rate: float,
    *,
    first_pole_theta: float,
    min_pole_hz: float,
    erb_per_step: float,
    erb_break_hz: float,
    erb_q: float,
) -> np.ndarray:
    """Pole frequencies in Hz, base to apex: from first_pole_theta down in steps of erb_per_step."""
    poles = []
    pole_hz = first_pole_theta * sample_rate / (2 * np.pi)
    while pole_hz > min_pole_hz:
        poles.append(pole_hz)
        if len(poles) > MOST_CHANNELS:
            break
        pole_hz -= erb_per_step * erb_hz(pole_hz, erb_break_hz, erb_q)
    check_size(
        "erb_per_step",
        erb_per_step,
        len(poles),
        MOST_CHANNELS,
        "channels or more",
        f"raise it, or lower erb_q={erb_q}, or raise min_pole_hz={min_pole_hz}",
    )
    if len(poles) < 2:
        raise ValueError(
            f"min_pole_hz={min_pole_hz} leaves {len(poles)} channels below the first pole, "
            f"{first_pole_theta * sample_rate / (2 * np.pi):.1f} Hz; the cascade needs 2: lower min_pole_hz, "
            f"erb_per_step={erb_per_step} or erb_break_hz={erb_break_hz}, or raise sample_rate={sample_rate}, "
            f"first_pole_theta={first_pole_theta:g} or erb_q={erb_q:g}."
        )
    return np.array(poles)


def exact_stage_gain(
    undamping: float | np.ndarray, a0: np.ndarray, c0: np.ndarray, h: np.ndarray, r1: np.ndarray, zr: np.ndarray
) -> np.ndarray:
    """Stage gain that makes the gain at DC exactly 1 (Lyon 2017, p. 285)."""
    r = r1 + zr * undamping
    return (1 - 2 * r * a0 + r**2) / (1 - 2 * r * a0 + h * r * c0 + r**2)


def design_car(
    sample_rate: float,
    pole_hz: np.ndarray,
    *,
    ohc_health: np.ndarray | float = 1.0,
    velocity_scale: float = 0.1,
    v_offset: float = 0.04,
    min_zeta: float = 0.10,
    max_zeta: float = 0.35,
    zero_ratio: float = np.sqrt(2),
    high_f_damping_compression: float = 0.5,
    erb_break_hz: float = 165.3,
    erb_q: float = 1000 / (24.7 * 4.37),
    ac_corner_hz: float = 20.0,
    linear_car: bool = False,
) -> CARCoefficients:
    """Cascade for the given pole frequencies."""
    theta = 2 * np.pi * pole_hz / sample_rate
    a0, c0 = np.cos(theta), np.sin(theta)
    h = c0 * (zero_ratio**2 - 1)
    x = theta / np.pi
    zeta_theta = np.pi * (x - high_f_damping_compression * x**3)
    min_zetas = min_zeta + 0.25 * (erb_hz(pole_hz, erb_break_hz, erb_q) / pole_hz - min_zeta)
    r1 = 1 - zeta_theta * max_zeta
    zr = zeta_theta * (max_zeta - min_zetas)
    g0, gh, g1 = (exact_stage_gain(u, a0, c0, h, r1, zr) for u in (0.0, 0.5, 1.0))
    return CARCoefficients(
        pole_hz=pole_hz,
        a0=a0,
        c0=c0,
        h=h,
        r1=r1,
        zr=zr,
        ga=2 * (g0 + g1 - 2 * gh),
        gb=4 * gh - 3 * g0 - g1,
        gc=g0,
        ohc_health=np.broadcast_to(as_numbers(ohc_health), pole_hz.shape).copy(),
        # A linear cascade is one whose nonlinear function 1 / (1 + (scale v + offset)^2) is 1.
        velocity_scale=0.0 if linear_car else velocity_scale,
        v_offset=0.0 if linear_car else v_offset,
        ac_coeff=2 * np.pi * ac_corner_hz / sample_rate,
    )
