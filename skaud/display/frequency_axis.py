"""What the displays share: an axis of frequency."""

import numpy as np

from skaud._types import Estimator, Plot
from skaud.design.carfac_response import characteristics
from skaud.design.erb import erb_number, erb_number_to_hz

TICKS_HZ = (100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000)


def healthy_frequencies_hz(model: Estimator) -> np.ndarray:
    """Characteristic frequency of every channel of a fitted CARFAC as long as it is healthy: the name of its place."""
    coefficients = model.coefficients_ if model.ohc_health_.ndim == 1 else model.coefficients_[0]
    healthy = coefficients.car._replace(ohc_health=np.ones(model.n_channels_))
    return characteristics(healthy, model.sample_rate).frequency_hz


def hz_to_cams(hz: np.ndarray) -> np.ndarray:
    return erb_number(np.maximum(hz, 0))


def edges_hz(frequencies: np.ndarray) -> np.ndarray:
    """Borders between the channels, midway on the scale of the axis."""
    cams = hz_to_cams(frequencies)
    middle = (cams[1:] + cams[:-1]) / 2
    return erb_number_to_hz(np.r_[max(0.0, 2 * cams[0] - middle[0]), middle, 2 * cams[-1] - middle[-1]])


def scale_frequencies(ax: Plot, axis: str, low_hz: float, high_hz: float) -> None:
    """Make axis "x" or "y" one of frequencies, on the scale of ERB numbers, with round ones in kHz marked."""
    getattr(ax, f"set_{axis}scale")("function", functions=(hz_to_cams, erb_number_to_hz))
    ticks = [hz for hz in TICKS_HZ if low_hz <= hz <= high_hz]
    set_ticks = getattr(ax, f"set_{axis}ticks")
    set_ticks(ticks, [f"{hz / 1000:g}" for hz in ticks])
    set_ticks([], minor=True)
