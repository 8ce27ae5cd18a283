"""Automatic gain control of CARFAC: physical parameters to coefficients, in float64 (Lyon 2017, ch. 19)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from skaud.design.limits import SLOWEST_UPDATE, as_numbers, check_size


class AGCCoefficients(NamedTuple):
    """Automatic gain control; arrays are (n_stages,), spatial_fir (n_stages, 3)."""

    decimation: np.ndarray
    epsilon: np.ndarray
    spatial_fir: np.ndarray  # weights of the basal neighbour, the channel itself, the apical neighbour
    mix: np.ndarray
    detect_scale: float
    stage_gain: float


def design_agc(
    sample_rate: float,
    *,
    agc_time_constants_s: ArrayLike,
    agc_decimation: Sequence[int] | np.ndarray,
    agc_stage_gain: float,
    agc1_scales: ArrayLike,
    agc2_scales: ArrayLike,
    agc_mix_coeff: float,
) -> AGCCoefficients:
    """AGC filters; where a stage's 3-tap spatial filter is not feasible the first decimation is lowered until it is.

    That is the rule of CARFAC v2: a filter stays the one that was asked for, only computed more often.
    """
    slowest = float(np.prod(np.asarray(agc_decimation, dtype=float)))
    check_size("agc_decimation", agc_decimation, slowest, SLOWEST_UPDATE, "samples an update", "lower the product")
    decimation = np.array(agc_decimation, dtype=np.int64)
    tau_s = as_numbers(agc_time_constants_s)
    scale1, scale2 = np.asarray(agc1_scales, dtype=float), np.asarray(agc2_scales, dtype=float)
    while True:
        net = np.cumprod(decimation)
        n_times = tau_s * sample_rate / net
        delay = (scale2 - scale1) / n_times
        spread2 = (scale1**2 + scale2**2) / n_times
        basal = (spread2 + delay**2 - delay) / 2
        apical = (spread2 + delay**2 + delay) / 2
        middle = 1 - basal - apical
        feasible = (middle.real >= 0.25) & (basal.real >= 0) & (apical.real >= 0)
        if feasible.all():
            break
        stage = int(np.argmin(feasible))
        if decimation[0] == 1:
            raise ValueError(
                f"agc_time_constants_s[{stage}]={tau_s[stage]} is too short for a 3-tap spatial filter with "
                f"agc1_scales[{stage}]={scale1[stage]:.4g} and agc2_scales[{stage}]={scale2[stage]:.4g} at "
                f"sample_rate={sample_rate}, even at a first decimation of 1 (taps {basal[stage]:.3f}, "
                f"{middle[stage]:.3f}, {apical[stage]:.3f}; the middle one must be at least 0.25, none negative); "
                f"raise the time constant or the sample rate, or lower the scales, or agc_decimation={agc_decimation}."
            )
        decimation[0] -= 1
    mix = agc_mix_coeff / n_times
    mix[0] = 0.0  # the fastest stage is never shared between ears
    return AGCCoefficients(
        decimation=decimation,
        epsilon=1 - np.exp(-1 / n_times),
        spatial_fir=np.stack([basal, middle, apical], axis=1),
        mix=mix,
        detect_scale=1 / np.sum(agc_stage_gain ** np.arange(tau_s.size, dtype=float)),
        stage_gain=agc_stage_gain,
    )
