"""CARFAC v2: physical parameters to coefficients, in float64.

Sources: R. F. Lyon, Human and Machine Hearing (2017), chapters 16 to 19; R. F. Lyon et al. (2024), The CARFAC v2
cochlear model in Matlab, NumPy, and JAX.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from skaud.design.erb import erb_hz
from skaud.design.limits import MOST_CHANNELS, SLOWEST_UPDATE, as_numbers, check_size

IHC_STYLES = ("just_hwr", "one_cap", "two_cap", "two_cap_with_syn")

# Potential that the hair cell adds before it rectifies, and the knee of its conductance (Lyon 2017, eq. 18.4).
IHC_OFFSET = 0.175
IHC_KNEE = 0.1


FULL_SCALE_DB_SPL = 107.0  # of the published program: what it takes an RMS of 1.0 for


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


class AGCCoefficients(NamedTuple):
    """Automatic gain control; arrays are (n_stages,), spatial_fir (n_stages, 3)."""

    decimation: np.ndarray
    epsilon: np.ndarray
    spatial_fir: np.ndarray  # weights of the basal neighbour, the channel itself, the apical neighbour
    mix: np.ndarray
    detect_scale: float
    stage_gain: float


class CARFACCoefficients(NamedTuple):
    """Everything the recursion needs; `synapse` is None unless ihc_style is two_cap_with_syn."""

    car: CARCoefficients
    hair_cell: OneCap | TwoCap | None
    synapse: Synapse | None
    agc: AGCCoefficients


def of_ears(values: Sequence[Any]) -> Any:
    """What holds for all ears; or an entry an ear, along a first axis, where a fit found each its own."""
    if len(values) == 1:
        return values[0]
    return np.stack(values) if isinstance(values[0], np.ndarray) else tuple(values)


def pole_frequencies(
    sample_rate: float,
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
    """Stage gain that makes the gain at DC exactly 1 (Lyon 2017, section 16.5)."""
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


def ihc_conductance(v: float) -> float:
    """Conductance of the hair cell at a basilar membrane velocity (Lyon 2017, eq. 18.4)."""
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
    n_fibers: Any,
    healthy_n_fibers: Any,
    ihcs_per_channel: float,
    spont_rates: Any,
    saturated_rate: float,
    sat_reservoir: float,
    v_width: float,
    reservoir_tau: float,
    syn_tau_lpf: float,
    agc_weights: Any,
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


def design_agc(
    sample_rate: float,
    *,
    agc_time_constants_s: Any,
    agc_decimation: Any,
    agc_stage_gain: float,
    agc1_scales: Any,
    agc2_scales: Any,
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


def design_carfac(sample_rate: float, ihc_style: str, parameters: Mapping[str, Any]) -> CARFACCoefficients:
    """Coefficients of the whole model from its parameters by name; ohc_health and n_fibers resolved to arrays."""

    def pick(*names: str) -> dict[str, Any]:
        return {name: parameters[name] for name in names}

    pole_hz = pole_frequencies(
        sample_rate, **pick("first_pole_theta", "min_pole_hz", "erb_per_step", "erb_break_hz", "erb_q")
    )
    car = design_car(sample_rate, pole_hz, **pick(*CAR_PARAMETERS))
    hair_cell: OneCap | TwoCap | None = None
    synapse = None
    if ihc_style == "one_cap":
        hair_cell = design_one_cap(sample_rate, **pick("tau_lpf", "tau_out", "tau_in"))
    elif ihc_style != "just_hwr":
        hair_cell = design_two_cap(sample_rate, **pick("tau_lpf", "tau1_out", "tau1_in", "tau2_out", "tau2_in"))
    if ihc_style == "two_cap_with_syn":
        synapse = design_synapse(sample_rate, len(pole_hz), **pick(*SYNAPSE_PARAMETERS))
    agc = design_agc(sample_rate, **pick(*AGC_PARAMETERS))
    return CARFACCoefficients(car, hair_cell, synapse, agc)


CAR_PARAMETERS = (
    "ohc_health",
    "velocity_scale",
    "v_offset",
    "min_zeta",
    "max_zeta",
    "zero_ratio",
    "high_f_damping_compression",
    "erb_break_hz",
    "erb_q",
    "ac_corner_hz",
    "linear_car",
)
SYNAPSE_PARAMETERS = (
    "n_fibers",
    "healthy_n_fibers",
    "ihcs_per_channel",
    "spont_rates",
    "saturated_rate",
    "sat_reservoir",
    "v_width",
    "reservoir_tau",
    "syn_tau_lpf",
    "agc_weights",
)
AGC_PARAMETERS = (
    "agc_time_constants_s",
    "agc_decimation",
    "agc_stage_gain",
    "agc1_scales",
    "agc2_scales",
    "agc_mix_coeff",
)
