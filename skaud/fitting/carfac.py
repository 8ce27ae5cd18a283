"""What of CARFAC a fit may move, and between which bounds."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from skaud.design.carfac_hair_cell import ihc_conductance
from skaud.design.erb import erb_hz
from skaud.fitting.movable import Bounds, Parameters
from skaud.hearing.audiogram import Audiogram

# Learning keeps this factor from where the recursion is no longer stable, and moves time constants of the hair cell by
# no more than that.
MARGIN, WIDEST = 1.05, 4.0

# Parameters that have a derivative.
CAR = ("ohc_health", "velocity_scale", "v_offset", "min_zeta", "max_zeta")
HAIR_CELLS = {
    "just_hwr": (),
    "one_cap": ("tau_lpf", "tau_out", "tau_in"),
    "two_cap": ("tau_lpf", "tau1_out", "tau1_in", "tau2_out", "tau2_in"),
    "two_cap_with_syn": ("tau_lpf", "tau1_out", "tau1_in", "tau2_out", "tau2_in"),
}
AGC = ("agc_time_constants_s", "agc_stage_gain", "agc_mix_coeff")
# The synapse is driven by the first capacitor: what follows it in the hair cell changes no output.
BESIDE_THE_SYNAPSE = {"two_cap_with_syn": ("tau_lpf", "tau2_out", "tau2_in")}
CHANNELWISE = ("ohc_health", "n_fibers")


class DesignedCARFAC(Protocol):
    """What fits know of a designed `CARFAC`, or of one that has its parameters alone."""

    sample_rate: float
    ihc_style: str
    use_delay_buffer: bool
    open_loop: bool
    high_f_damping_compression: float
    erb_per_step: float
    erb_break_hz: float
    erb_q: float
    ohc_health: Any  # as given: numbers or a function
    healthy_n_fibers: npt.ArrayLike
    ihcs_per_channel: float
    agc_time_constants_s: npt.ArrayLike
    agc_decimation: Any
    agc1_scales: npt.ArrayLike
    agc2_scales: npt.ArrayLike
    audiogram: Audiogram | Sequence[Audiogram | None] | None
    ohc_share: float
    explain_residual: str | None
    n_jobs: int | None
    n_ears_in_: int | None
    n_channels_: int
    pole_frequencies_hz_: np.ndarray
    coefficients_: Any  # of all ears, or a tuple, one an ear
    ohc_health_: np.ndarray
    n_fibers_: np.ndarray | None


def names_of_one_ear(model: DesignedCARFAC) -> tuple[str, ...]:
    """Parameters that have a derivative, where one design holds for all ears."""
    synapse = ("n_fibers",) if model.ihc_style == "two_cap_with_syn" else ()
    return CAR + HAIR_CELLS[model.ihc_style] + AGC + synapse


def names_of_each_ear(model: DesignedCARFAC) -> tuple[str, ...]:
    """Those that have none where each ear has its own health."""
    # In open loop the damping starts from the health, and so do the derivatives of its limits.
    return CHANNELWISE + (("min_zeta", "max_zeta") if model.open_loop else ())


def reasons_for_no_effect(model: DesignedCARFAC) -> dict[str, str]:
    """Parameters whose derivative is always 0, and why."""
    reasons = {}
    if (model.n_ears_in_ or 1) == 1:
        reasons["agc_mix_coeff"] = "it couples the ears of a signal, and X has one ear"
    if model.open_loop:
        reasons |= dict.fromkeys(AGC, "open_loop=True switches the AGC off")
    beside = BESIDE_THE_SYNAPSE.get(model.ihc_style, ())
    return reasons | dict.fromkeys(beside, "what it acts on does not reach the synapse")


def learning_bounds(model: DesignedCARFAC, parameters: Parameters) -> dict[str, Bounds]:
    """Lowest and highest values of what can be learned; any values within them together give a stable recursion."""
    tau = {name: float(parameters[name]) for name in parameters if name.startswith("tau")}
    pole_hz, sample = model.pole_frequencies_hz_, MARGIN / model.sample_rate
    # min_zeta leaves max_zeta room, and both leave the poles within the unit circle: design_car's zr > 0 and r1 > -1.
    theta = 2 * np.pi * pole_hz / model.sample_rate
    erb = 0.25 * (erb_hz(pole_hz, model.erb_break_hz, model.erb_q) / pole_hz).max()
    middle = (0.75 * parameters["min_zeta"] + erb + parameters["max_zeta"]) / 2
    between = max(middle, parameters["min_zeta"] / MARGIN)
    zeta_theta = (theta - model.high_f_damping_compression * theta * (theta / np.pi) ** 2).max()
    bounds: dict[str, Bounds] = {
        "ohc_health": (0.0, 1.0),
        "n_fibers": (0.0, np.asarray(model.healthy_n_fibers, dtype=float)),
        "velocity_scale": (1e-3, 10.0),
        "v_offset": (0.0, 0.5),
        "min_zeta": (0.01, min((middle - erb) / 0.75, between) / MARGIN),
        "max_zeta": (between, min(0.95, 2 / zeta_theta / MARGIN)),
        "tau_lpf": (tau["tau_lpf"] / WIDEST, tau["tau_lpf"] * WIDEST),
        "agc_time_constants_s": (_shortest_agc_s(model), 1.0),
        "agc_stage_gain": (0.1, 10.0),
        "agc_mix_coeff": (0.0, 1.0),
    }
    # Within a sample no capacitor moves all of its charge.
    if model.ihc_style == "one_cap":
        shortest = {"tau_out": sample / ihc_conductance(10.0), "tau_in": sample}
        wide = WIDEST
    elif model.ihc_style != "just_hwr":
        ratio = ihc_conductance(10.0) * tau["tau1_out"] / tau["tau1_in"]
        # out2 = (1 + r1min / resistance1) / (tau2_out * sample_rate), with resistance1 = tau1_in / (tau1_out * g1)
        room = (0.9 * tau["tau2_out"] / sample - 1) * ihc_conductance(10.0) / ratio
        wide = min(WIDEST, max(1.001, float(np.sqrt(max(room, 0.0)))))
        at_worst = (1 + wide**2 * ratio / ihc_conductance(10.0)) * sample
        shortest = {"tau1_out": sample / ihc_conductance(10.0), "tau1_in": sample, "tau2_in": sample}
        shortest["tau2_out"] = at_worst
    else:
        shortest, wide = {}, WIDEST
    for name, least in shortest.items():
        far = WIDEST if name.startswith("tau2") else wide
        bounds[name] = (min(max(tau[name] / far, least), tau[name] / MARGIN), tau[name] * far)
    return bounds


def _shortest_agc_s(model: DesignedCARFAC) -> np.ndarray:
    """Shortest time constants of the AGC whose 3-tap spatial filters are feasible, at a first decimation of 1."""
    scale1, scale2 = (np.asarray(s, dtype=float) for s in (model.agc1_scales, model.agc2_scales))
    net = np.cumprod([1, *model.agc_decimation[1:]])
    # middle = 1 - spread2 - delay^2 >= 0.25, with spread2 = a / n_times and delay = b / n_times
    a, b = scale1**2 + scale2**2, scale2 - scale1
    n_times = (a + np.sqrt(a**2 + 3 * b**2)) / 1.5
    return np.maximum(MARGIN * n_times * net / model.sample_rate, 2e-4)
