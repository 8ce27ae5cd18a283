"""Inner hair cells of CARFAC and their synapses: physical parameters to coefficients, in float64 (Lyon, ch. 18)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from skaud.design.limits import as_numbers

# Potential that the hair cell adds before it rectifies, and the knee of its conductance (Lyon 2017, section 18.3).
IHC_OFFSET = 0.175
IHC_KNEE = 0.1


class OneCap(NamedTuple):
    """Inner hair cell of CARFAC v1: one capacitor, two smoothing filters."""

    lpf: float
    out: float
    into: float
    gain: float
    rest: float
    cap_rest: float
    offset: float = IHC_OFFSET
    knee: float = IHC_KNEE


class TwoCap(NamedTuple):
    """Inner hair cell of CARFAC v2: receptor potential and transmitter, a capacitor each."""

    lpf: float
    out1: float
    in1: float
    out2: float
    in2: float
    gain: float
    rest: float
    cap1_rest: float
    cap2_rest: float
    offset: float = IHC_OFFSET
    knee: float = IHC_KNEE


class Synapse(NamedTuple):
    """Synapse of CARFAC v3, one entry a spontaneous-rate class; n_fibers is (n_channels, n_classes)."""

    n_fibers: np.ndarray
    v_half: np.ndarray
    v_width: float
    a1: np.ndarray
    a2: np.ndarray
    agc_weight: np.ndarray
    spont_p: np.ndarray
    q0: np.ndarray
    spont_sub: float
    res: float
    lpf: float


def ihc_conductance(v: float) -> float:
    """Conductance of the hair cell at a basilar membrane velocity (Lyon 2017, section 18.3)."""
    z = max(0.0, v + IHC_OFFSET)
    return z**3 / (z**3 + z**2 + IHC_KNEE)


def design_one_cap(sample_rate: float, *, tau_lpf: float, tau_out: float, tau_in: float) -> OneCap:
    """Hair cell of CARFAC v1 from its time constants in seconds."""
    ro = 1 / ihc_conductance(10.0)
    ri = tau_in * ro / tau_out
    saturation = 1 / (2 * ro + ri)
    i_rest = 1 / (ri + 1 / ihc_conductance(0.0))
    gain = 1 / (saturation - i_rest)
    return OneCap(
        lpf=1 - np.exp(-1 / (tau_lpf * sample_rate)),
        out=ro / (tau_out * sample_rate),
        into=1 / (tau_in * sample_rate),
        gain=gain,
        rest=i_rest * gain,
        cap_rest=1 - i_rest * ri,
    )


def design_two_cap(
    sample_rate: float, *, tau_lpf: float, tau1_out: float, tau1_in: float, tau2_out: float, tau2_in: float
) -> TwoCap:
    """Hair cell of CARFAC v2 from its time constants in seconds."""
    g1 = ihc_conductance(10.0)
    r1min = 1 / g1
    resistance1 = tau1_in / (tau1_out * g1)
    i1 = 1 / (resistance1 + 1 / ihc_conductance(0.0))
    vmax = resistance1 / (r1min + resistance1)
    r2min = 1 / vmax
    resistance2 = tau2_in / (tau2_out * vmax)
    saturation = 1 / (2 * r2min + resistance2)
    i2 = 1 / (resistance2 + 1 / (resistance1 * i1))
    gain = 1 / (saturation - i2)
    return TwoCap(
        lpf=1 - np.exp(-1 / (tau_lpf * sample_rate)),
        out1=r1min / (tau1_out * sample_rate),
        in1=1 / (tau1_in * sample_rate),
        out2=r2min / (tau2_out * sample_rate),
        in2=1 / (tau2_in * sample_rate),
        gain=gain,
        rest=i2 * gain,
        cap1_rest=1 - i1 * resistance1,
        cap2_rest=1 - i2 * resistance2,
    )


def design_synapse(
    sample_rate: float,
    n_channels: int,
    *,
    n_fibers: ArrayLike,
    healthy_n_fibers: ArrayLike,
    ihcs_per_channel: float,
    spont_rates: ArrayLike,
    saturated_rate: float,
    sat_reservoir: float,
    v_width: float,
    reservoir_tau: float,
    syn_tau_lpf: float,
    agc_weights: ArrayLike,
) -> Synapse:
    """Synapse of CARFAC v3; n_fibers is (n_classes,) or (n_channels, n_classes), fibres a hair cell."""
    healthy = np.asarray(healthy_n_fibers, dtype=float)
    fibers = np.broadcast_to(as_numbers(n_fibers), (n_channels, healthy.size))
    p1 = saturated_rate / sample_rate
    p0 = np.asarray(spont_rates, dtype=float) / sample_rate
    w1 = sat_reservoir
    r1 = 0.5 * w1
    a1 = (1 - w1) / r1
    a2 = p1 / r1
    r0 = p0 / a2
    q0 = r0 * a1
    s0 = r0 / (1 - q0)
    spont_p = a2 * (1 - q0) * s0
    weight = np.asarray(agc_weights, dtype=float) * sample_rate
    return Synapse(
        n_fibers=fibers * ihcs_per_channel,
        v_half=v_width * np.log((1 - s0) / s0),
        v_width=v_width,
        a1=np.full(healthy.size, a1),
        a2=np.full(healthy.size, a2),
        agc_weight=weight,
        spont_p=spont_p,
        q0=q0,
        spont_sub=float(np.sum(healthy * ihcs_per_channel * spont_p * weight)),
        res=1 - np.exp(-1 / (reservoir_tau * sample_rate)),
        lpf=1 - np.exp(-1 / (syn_tau_lpf * sample_rate)),
    )
