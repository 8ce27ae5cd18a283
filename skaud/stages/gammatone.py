"""Gammatone filterbank as a transformer."""

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skaud.base import AudioTransformer
from skaud.design import gammatone as design
from skaud.design.osses2021 import Design
from skaud.stages._stage import ChainStage
from skaud.stages.pooling import TemporalPooling

POSITIVE = [Interval(Real, 0, None, closed="neither")]


class GammatoneFilterbank(ChainStage):
    """Gammatone filters of 4th order, about 1 ERB apart.

    Parameters
    ----------
    sample_rate : float, default=44100
        Rate of the stage in Hz, 8 to 192 kHz; clips at other rates are resampled to it.
    low_hz, high_hz : float, default=80.0, 8000.0
        Range of the centre frequencies.
    spacing : {"endpoints", "centered"}, default="endpoints"
        Evenly from low_hz to high_hz; or in steps of exactly 1 ERB, what is left over split between both ends.
    bandwidth_factor : float, default=1.0
        Width of the filters over that of a healthy ear's.
    pooling : str, callable, sequence, TemporalPooling or None, default=None
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    frame_length : float or None, default=None
        Length of a frame in s, averaged inside the kernel; None keeps every sample.
    rms_one_db_spl : float or None, default=None
        Level in dB SPL that RMS 1.0 stands for in X; None means 100 dB SPL.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals.

    Attributes
    ----------
    n_channels_ : int
        Number of channels, low to high.
    center_frequencies_hz_ : ndarray of shape (n_channels_,)
        Centre frequencies; they name the channels.
    coefficients_ : Design
        Coefficients, in float64.

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

    _outputs = ("filterbank",)
    output = "filterbank"

    _parameter_constraints: dict = {
        **AudioTransformer._parameter_constraints,
        "low_hz": POSITIVE,
        "high_hz": POSITIVE,
        "spacing": [StrOptions(set(design.SPACINGS))],
        "bandwidth_factor": POSITIVE,
    }

    def __init__(
        self,
        sample_rate: float = 44100,
        *,
        low_hz: float = 80.0,
        high_hz: float = 8000.0,
        spacing: str = "endpoints",
        bandwidth_factor: float = 1.0,
        pooling: str | Callable | Sequence | TemporalPooling | None = None,
        frame_length: float | None = None,
        rms_one_db_spl: float | None = None,
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

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_range(self.low_hz, self.high_hz, self.sample_rate)

    def _design(self) -> None:
        self.center_frequencies_hz_ = design.center_frequencies(self.low_hz, self.high_hz, self.spacing)
        self.n_channels_ = len(self.center_frequencies_hz_)
        super()._design()

    def _make_design(self, parameters: dict[str, Any]) -> Design:
        center_hz = self.center_frequencies_hz_
        factor = parameters["bandwidth_factor"]
        return Design(len(center_hz), design.design_gammatone(center_hz, self.sample_rate, factor))

    def _differentiable(self) -> tuple[str, ...]:
        return ("bandwidth_factor",)

    def _bounds(self) -> dict[str, tuple[float, float]]:
        return {"bandwidth_factor": (0.2, 5.0)}

    def _channel_names(self) -> list[str]:
        return channel_names(self.center_frequencies_hz_)


def check_range(low_hz: float, high_hz: float, sample_rate: float) -> None:
    """Refuse a range of centre frequencies that is empty or beyond half the rate."""
    if low_hz >= high_hz:
        raise ValueError(f"low_hz={low_hz} must be below high_hz={high_hz}; lower it.")
    if high_hz >= sample_rate / 2:
        raise ValueError(
            f"high_hz={high_hz} must lie below half the sample rate, {sample_rate / 2} Hz; lower it, or raise "
            f"sample_rate={sample_rate}."
        )


def channel_names(center_hz: np.ndarray) -> list[str]:
    """Names such as fc1055."""
    return [f"fc{hz:.0f}" for hz in center_hz]
