"""Gammatone filterbank as a transformer."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, StrOptions

from skaud._fitted import as_designed
from skaud.design import gammatone as design
from skaud.fitting.movable import Parameters
from skaud.kernels.chain.gammatone import Gammatone
from skaud.kernels.chain.kind import Part
from skaud.pooling.temporal import Pooling
from skaud.stages.stage import ChainStage, check_frequencies

POSITIVE = [Interval(Real, 0, None, closed="neither")]


class GammatoneFilterbank(ChainStage):
    r"""Gammatone filters of 4th order, about 1 ERB apart.

    Parameters
    ----------
    sample_rate : float, default=44100
        Rate of the stage in Hz, 8 to 192 kHz; clips at other rates are resampled to it.
    low_hz : float, default=80.0
        Lowest centre frequency; where `high_hz` equals it, the only one.
    high_hz : float or None, default=None
        Highest centre frequency. None means the published 8000 Hz, capped by `sample_rate`: of the channels up to
        there, those below half the rate. A number beyond it is an error.
    spacing : {"endpoints", "centered"}, default="endpoints"
        Evenly from low_hz to high_hz; or in steps of exactly 1 ERB, what is left over split between both ends.
    bandwidth_factor : float, default=1.0
        Width of the filters over that of a healthy ear's.
    pooling : str, callable, sequence, dict, TemporalPooling or None, default=None
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    frame_length : float or None, default=None
        Length of a frame in s, averaged inside the kernel; None keeps every sample.
    rms_one_db_spl : float or None, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in plain samples and in the output; 93.98 for pascals, None for
        the scale of the published program, 100. A `Sound` knows its own.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals.

    Attributes
    ----------
    n_channels_ : int
        Number of channels, low to high.
    channel_frequencies_hz_ : ndarray of shape (n_channels_,)
        Centre frequencies; they name the channels.
    coefficients_ : tuple of Part
        What happens to a channel, and its coefficients in float64.
    frame_rate_hz_ : float
        Frames a second; the sample rate where every sample is kept.
    n_ears_in_ : int or None
        Ears of the signals in `fit`; None where they had no axis for them.
    n_features_in_ : int
        Samples of a signal, where X was a 2-D array in `fit`.

    Notes
    -----
    Centre frequencies are evenly spaced on the ERB-number scale, 1 ERB apart, from `low_hz` (80 Hz) to `high_hz` (8000
    Hz). Each filter is a cascade of four complex one-pole sections, whose bandwidth is that of the ear [1]_ times b
    (`bandwidth_factor`, 1):

    .. math::

        E(f) = 9.2645 \ln(1 + 0.00437 f), \qquad \mathrm{ERB}(f) = 24.7 + f / 9.265 \text{ Hz}

        p = e^{-2 \pi (\beta + i f_c) / f_s}, \qquad \beta = b\, \frac{(3!)^2}{\pi\, 6!\, 2^{-6}}\, \mathrm{ERB}(f_c)

        Y(z) = 2\, \mathrm{Re}\, \left(\frac{1 - |p|}{1 - p z^{-1}}\right)^4 X(z)

    Linear: the shape does not depend on level. As a cascade it is exact at low frequencies too, where the expanded
    polynomial of the toolbox loses digits (5e-9 of the largest value).

    References
    ----------
    .. [1] B. Glasberg, B. Moore, "Derivation of auditory filter shapes from notched-noise data", Hear. Res. 47:103,
       1990.

    Examples
    --------
    >>> from skaud import GammatoneFilterbank, datasets
    >>> X = datasets.make_tone([500, 2000], duration_s=0.2, sample_rate=44100)
    >>> bank = GammatoneFilterbank(sample_rate=44100, frame_length=0.01, pooling="std").fit(X)
    >>> bank.transform(X).shape
    (2, 31)
    """

    all_outputs = ("filterbank",)
    output = "filterbank"

    _parameter_constraints: dict = {
        "low_hz": POSITIVE,
        "high_hz": [*POSITIVE, None],
        "spacing": [StrOptions(set(design.SPACINGS))],
        "bandwidth_factor": POSITIVE,
    }

    def __init__(
        self,
        sample_rate: float = 44100,
        *,
        low_hz: float = 80.0,
        high_hz: float | None = None,
        spacing: str = "endpoints",
        bandwidth_factor: float = 1.0,
        pooling: Pooling = None,
        frame_length: float | None = None,
        rms_one_db_spl: float | None = 93.98,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.low_hz = low_hz
        self.high_hz = high_hz
        self.spacing = spacing
        self.bandwidth_factor = bandwidth_factor
        self.pooling = pooling
        self.frame_length = frame_length
        self.rms_one_db_spl = rms_one_db_spl
        self.dtype = dtype
        self.n_jobs = n_jobs

    def check_parameters(self) -> None:
        super().check_parameters()
        channels_between(self.low_hz, self.high_hz, self.spacing, self.sample_rate)

    def make_design(self) -> None:
        self.channel_frequencies_hz_ = channels_between(self.low_hz, self.high_hz, self.spacing, self.sample_rate)
        self.n_channels_ = len(self.channel_frequencies_hz_)
        super().make_design()

    @property
    def n_channels_in_chain(self) -> int:
        return self.n_channels_

    def _make_filters(self, bandwidth_factor: float) -> design.GammatoneCoefficients:
        return design.design_gammatone(self.channel_frequencies_hz_, self.sample_rate, bandwidth_factor)

    def make_coefficients(self, parameters: Parameters) -> tuple[Part, ...]:
        filters = self._make_filters(parameters["bandwidth_factor"])
        coefficients = np.stack([filters.step_re, filters.step_im, filters.b], axis=1)
        return (Part(self.output, Gammatone, coefficients[np.newaxis]),)

    @as_designed
    def transfer_function(self, frequencies_hz: ArrayLike) -> np.ndarray:
        """Complex transfer function of every channel, from the sound to the filterbank's output.

        Parameters
        ----------
        frequencies_hz : array-like of shape (n_frequencies,)
            Frequencies, from 0 to half the sample rate.

        Returns
        -------
        ndarray of complex of shape (n_channels_, n_frequencies)
            Response to a unit sinusoid.

        Raises
        ------
        ValueError
            If a frequency is negative or above half the sample rate.
        """
        frequencies = check_frequencies(frequencies_hz, self.sample_rate)
        filters = self._make_filters(self.parameters_in_use()["bandwidth_factor"])
        return design.transfer_function(filters, self.sample_rate, frequencies)

    def bounds(self) -> dict[str, tuple[float, float]]:
        return {"bandwidth_factor": (0.2, 5.0)}

    def channel_names(self) -> list[str]:
        return channel_names(self.channel_frequencies_hz_)


def channels_between(low_hz: float, high_hz: float | None, spacing: str, sample_rate: float) -> np.ndarray:
    """Centre frequencies as the parameters ask for them; an error where there are none, or one is beyond the rate."""
    given_hz, high_hz = high_hz, design.HIGHEST_HZ if high_hz is None else high_hz
    if low_hz > high_hz:
        by_default = ", which None stands for," if given_hz is None else ""
        raise ValueError(f"low_hz={low_hz} must not exceed high_hz={high_hz}{by_default}; lower it, or raise high_hz.")
    center_hz = design.center_frequencies(low_hz, high_hz, spacing)
    below = center_hz < (1 - 1e-9) * sample_rate / 2  # the way to the ERB scale and back costs the last bits
    beyond = f"must lie below half the sample rate, {sample_rate / 2:g} Hz"
    if given_hz is None and not below.any():
        raise ValueError(f"low_hz={low_hz} {beyond}; lower it, or raise sample_rate={sample_rate}.")
    if given_hz is not None and (high_hz > sample_rate / 2 or not below.all()):
        raise ValueError(
            f"high_hz={high_hz} {beyond}, and so must all channels; lower it, leave it at None for those that the rate "
            f"allows, or raise sample_rate={sample_rate}."
        )
    return center_hz[below]


def channel_names(center_hz: np.ndarray) -> list[str]:
    """Names such as fc1055."""
    return [f"fc{hz:.0f}" for hz in center_hz]
