"""What CARFAC's parameters may be."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skaud._warnings import warn_caller
from skaud.design.carfac import IHC_STYLES, CARFACCoefficients, ihc_conductance
from skaud.design.erb import erb_hz
from skaud.hearing.audiogram import Audiogram

POSITIVE = [Interval(Real, 0, None, closed="neither")]
NOT_NEGATIVE = [Interval(Real, 0, None, closed="left")]
SEVERAL = ["array-like"]

EARS = ("left", "right")  # in the order of X's, as in stereo sound

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

PARAMETER_CONSTRAINTS: dict = {
    "ihc_style": [StrOptions(set(IHC_STYLES))],
    "ohc_health": [Real, callable, "array-like"],
    "n_fibers": ["array-like", callable, None],
    "use_delay_buffer": ["boolean"],
    "linear_car": ["boolean"],
    "open_loop": ["boolean"],
    "velocity_scale": NOT_NEGATIVE,
    "v_offset": [Interval(Real, None, None, closed="neither")],
    "min_zeta": POSITIVE,
    "max_zeta": [Interval(Real, 0, 1, closed="neither")],
    "first_pole_theta": [Interval(Real, 0, np.pi, closed="neither")],
    "zero_ratio": [Interval(Real, 1, None, closed="neither")],
    "high_f_damping_compression": [Interval(Real, 0, 1, closed="left")],
    "erb_per_step": POSITIVE,
    "min_pole_hz": POSITIVE,
    "erb_break_hz": NOT_NEGATIVE,
    "erb_q": POSITIVE,
    "ac_corner_hz": POSITIVE,
    **dict.fromkeys(("tau_lpf", "tau_out", "tau_in", "tau1_out", "tau1_in", "tau2_out", "tau2_in"), POSITIVE),
    **dict.fromkeys(("healthy_n_fibers", "spont_rates", "agc_weights"), SEVERAL),
    **dict.fromkeys(("ihcs_per_channel", "saturated_rate", "v_width", "reservoir_tau", "syn_tau_lpf"), POSITIVE),
    "sat_reservoir": [Interval(Real, 0, 1, closed="neither")],
    **dict.fromkeys(("agc_time_constants_s", "agc_decimation", "agc1_scales", "agc2_scales"), SEVERAL),
    "agc_stage_gain": POSITIVE,
    "agc_mix_coeff": NOT_NEGATIVE,
    "audiogram": "no_validation",  # by check_audiograms, which knows the remedy
    "ohc_share": [Interval(Real, 0, 1, closed="both")],
    "explain_residual": [StrOptions({"synapse"}), None],
}


def check_parameters(model: Any) -> None:
    """Refuse what the constraints above cannot judge, before the design."""
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
    check_audiograms(model.audiogram)
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


def check_audiograms(given: Any) -> None:
    """Refuse what is no Audiogram, nor a list of them, and what its labels say of other ears."""
    if given is None or isinstance(given, Audiogram):
        return
    several = isinstance(given, (list, tuple))
    for audiogram in given if several else [given]:
        if not isinstance(audiogram, Audiogram) and not (several and audiogram is None):
            raise TypeError(
                f"audiogram{' has ' if several else '='}{audiogram!r}, {type(audiogram).__name__}; it must be a "
                "skaud.Audiogram, or a list of them, one an ear, None for a healthy one: make it with "
                "skaud.Audiogram(frequencies_hz, thresholds_db_hl), Audiogram.standard('N2') or "
                "Audiogram.from_dict({500: 10, 1000: 20})."
            )

    labels = [None if audiogram is None else audiogram.ear for audiogram in given]
    for number, label in enumerate(labels if len(labels) > 1 else []):
        if label is not None and label != dict(enumerate(EARS)).get(number):
            raise ValueError(
                f"audiogram[{number}] is of the {label} ear, and the list has the ears {labels}; the first ear of X is "
                "the left one and the second the right: give audiogram=[left, right], and X (n_signals, 2, n_samples) "
                "in the same order, correct the labels, or make audiograms of other ears without ear=."
            )


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


def learning_bounds(model: Any, parameters: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Lowest and highest values of what can be learned; any values within them together give a stable recursion."""
    tau = {name: float(parameters[name]) for name in parameters if name.startswith("tau")}
    pole_hz, sample = model.pole_frequencies_hz_, MARGIN / model.sample_rate
    # min_zeta leaves max_zeta room, and both leave the poles within the unit circle: design_car's zr > 0 and r1 > -1.
    theta = 2 * np.pi * pole_hz / model.sample_rate
    erb = 0.25 * (erb_hz(pole_hz, model.erb_break_hz, model.erb_q) / pole_hz).max()
    middle = (0.75 * parameters["min_zeta"] + erb + parameters["max_zeta"]) / 2
    between = max(middle, parameters["min_zeta"] / MARGIN)
    zeta_theta = (theta - model.high_f_damping_compression * theta * (theta / np.pi) ** 2).max()
    bounds: dict[str, tuple[Any, Any]] = {
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


def _shortest_agc_s(model: Any) -> np.ndarray:
    """Shortest time constants of the AGC whose 3-tap spatial filters are feasible, at a first decimation of 1."""
    scale1, scale2 = (np.asarray(s, dtype=float) for s in (model.agc1_scales, model.agc2_scales))
    net = np.cumprod([1, *model.agc_decimation[1:]])
    # middle = 1 - spread2 - delay^2 >= 0.25, with spread2 = a / n_times and delay = b / n_times
    a, b = scale1**2 + scale2**2, scale2 - scale1
    n_times = (a + np.sqrt(a**2 + 3 * b**2)) / 1.5
    return np.maximum(MARGIN * n_times * net / model.sample_rate, 2e-4)


def resolve_ohc_health(model: Any, given: Any, pole_hz: np.ndarray) -> np.ndarray:
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


def resolve_n_fibers(model: Any, given: Any, pole_hz: np.ndarray) -> np.ndarray:
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


def _check_numbers(name: str, value: Any, n: int, each: str) -> None:
    numbers = _numbers(name, value)
    if numbers.shape != (n,) or not (numbers > 0).all() or not np.isfinite(numbers).all():
        raise ValueError(f"{name}={value!r} must be {n} finite numbers above 0, one {each}.")


def _numbers(name: str, value: Any, *arguments: np.ndarray) -> np.ndarray:
    """Value, or what it returns for the arguments, in float64."""
    try:
        return np.asarray(value(*arguments) if callable(value) else value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}={value!r} must be numbers, or a function that returns them ({error}).") from error


def check_on_gpu(model: Any, X: Any, output: str) -> None:
    """Refuse what the kernel of the GPU does not compute."""
    from skaud.kernels.carfac.cuda import find_not_finite

    needed = {"ihc_style": "two_cap", "open_loop": False, "use_delay_buffer": False}
    found = {name: getattr(model, name) for name in needed} | {"output": output}
    for name, value in (needed | {"output": "nap"}).items():
        if found[name] != value:
            raise ValueError(
                f"{name}={found[name]!r} has no kernel on the GPU, only {name}={value!r} has; change it, or pass a "
                "NumPy array."
            )
    if len(X.shape) != 2 or 0 in X.shape or X.dtype != np.dtype(model.dtype):
        raise ValueError(
            f"X on the GPU is {X.dtype} of shape {X.shape}; it must be {model.dtype}, (n_signals, n_samples): cast "
            "or reshape it, or set dtype."
        )
    if wrong := find_not_finite(X):
        raise ValueError(
            f"X[{wrong[0]}] on the GPU has samples that are NaN or infinity (inf); every sample must be finite. "
            "Cut them out."
        )
    if len(model._ears_) > 1:
        raise ValueError(
            "X on the GPU has no axis of ears, and the model was fitted to two audiograms; fit it to one, or "
            "pass a NumPy array."
        )


def names_of_one_ear(model: Any) -> tuple[str, ...]:
    """Parameters that have a derivative, where one design holds for all ears."""
    synapse = ("n_fibers",) if model.ihc_style == "two_cap_with_syn" else ()
    return CAR + HAIR_CELLS[model.ihc_style] + AGC + synapse


def names_of_each_ear(model: Any) -> tuple[str, ...]:
    """Those that have none where each ear has its own health."""
    # In open loop the damping starts from the health, and so do the derivatives of its limits.
    return CHANNELWISE + (("min_zeta", "max_zeta") if model.open_loop else ())


def reasons_for_no_effect(model: Any) -> dict[str, str]:
    """Parameters whose derivative is always 0, and why."""
    reasons = {}
    if (model.n_ears_in_ or 1) == 1:
        reasons["agc_mix_coeff"] = "it couples the ears of a signal, and X has one ear"
    if model.open_loop:
        reasons |= dict.fromkeys(AGC, "open_loop=True switches the AGC off")
    beside = BESIDE_THE_SYNAPSE.get(model.ihc_style, ())
    return reasons | dict.fromkeys(beside, "what it acts on does not reach the synapse")
