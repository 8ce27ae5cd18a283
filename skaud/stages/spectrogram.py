"""What the auditory spectrogram does behind its filters, each a transformer: compression, inhibition, integration."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval

from skaud.design.limits import LONGEST_PERIOD, check_size
from skaud.engines.spectrogram import Spectrogram
from skaud.engines.spectrogram_layout import Design, merge
from skaud.fitting.movable import Parameters
from skaud.pooling.temporal import Pooling
from skaud.stages.response import ResponseStage
from skaud.stages.stage import FusedStage, real_numbers

FloatOrArray = float | ArrayLike

POSITIVE = [Interval(Real, 0, None, closed="neither")]


class SpectrogramStage(FusedStage[Design]):
    """A stage of the auditory spectrogram."""

    shared_engine = Spectrogram
    engine_: Spectrogram

    def fuse(self, coefficients: Sequence[Design], dtype: str) -> Spectrogram:
        return Spectrogram(merge(coefficients), dtype)


class PowerLawCompression(ResponseStage, SpectrogramStage):
    r"""Compression by a power law, sign(x) abs(x)**exponent, of x in which an RMS of 1.0 stands for 100 dB SPL.

    Parameters
    ----------
    compression : float or array of shape (n_channels,), default=1.0
        Exponents.
    sample_rate : float, default=16000
        Rate of X in Hz.
    pooling : str, callable, sequence, dict, TemporalPooling or None, default=None
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    frame_length : float or None, default=None
        Length of a frame in s; None keeps every sample.
    rms_one_db_spl : float or None, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in X, that of the filterbank before; 93.98 for pascals, None for
        100.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals, or over the channels of a single one.

    Attributes
    ----------
    compression_ : ndarray of shape (n_channels_in_,)
        Exponents.
    n_channels_in_ : int
        Channels of X in `fit`.
    coefficients_ : Design
        What the stage computes with: gain and exponents.
    frame_rate_hz_ : float
        Frames a second; the sample rate where every sample is kept.
    n_ears_in_ : int or None
        Ears of the signals in `fit`; None where they had no axis for them.

    Notes
    -----
    With an exponent a for each channel (`compression`, 1; Famularo et al. [1]_):

    .. math::

        y = \mathrm{sign}(x)\, |x|^{a}

    Where a is below 1 the slope at 0 is infinite; `vjp` takes it as 0.

    References
    ----------
    .. [1] R. L. Famularo, D. N. Zotkin, S. A. Shamma, R. Duraiswami, "Biomimetic frontend for differentiable audio
       processing", 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import PowerLawCompression
    >>> response = np.array([[[4.0, -9.0, 0.0]]])  # one signal, one channel
    >>> PowerLawCompression(0.5, rms_one_db_spl=100).fit_transform(response)
    array([[[ 2., -3.,  0.]]], dtype=float32)
    """

    all_outputs = ("compressed",)
    output = "compressed"

    _parameter_constraints: dict = {"compression": [Real, "array-like"]}

    def __init__(
        self,
        compression: FloatOrArray = 1.0,
        *,
        sample_rate: float = 16000,
        pooling: Pooling = None,
        frame_length: float | None = None,
        rms_one_db_spl: float | None = 93.98,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.compression = compression
        self.sample_rate = sample_rate
        self.pooling = pooling
        self.frame_length = frame_length
        self.rms_one_db_spl = rms_one_db_spl
        self.dtype = dtype
        self.n_jobs = n_jobs

    def make_design(self) -> None:
        super().make_design()
        self.compression_ = self.coefficients_.compression

    def resolve(self, parameters: Parameters) -> Parameters:
        return parameters | {"compression": check_exponents(parameters["compression"], self.n_channels_in_)}

    def make_coefficients(self, parameters: Parameters) -> Design:
        gain = 10 ** ((self.level_of_one() - self.full_scale_db_spl) / 20)
        return Design(self.n_channels_in_, gain=gain, compression=parameters["compression"])

    def parameter_bar(self, name: str, bars: tuple[np.ndarray, ...]) -> np.ndarray:
        return bars[0]

    def bounds(self) -> dict[str, tuple[float, float]]:
        return {"compression": (0.05, 3.0)}


class LateralInhibition(ResponseStage, SpectrogramStage):
    r"""Difference of neighbouring channels, half-wave rectified: one channel fewer.

    Parameters
    ----------
    lateral_inhibition : sequence of 2 float, default=(1, -1)
        Weights of a channel and of the next.
    sample_rate : float, default=16000
        Rate of X in Hz.
    pooling : str, callable, sequence, dict, TemporalPooling or None, default=None
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    frame_length : float or None, default=None
        Length of a frame in s; None keeps every sample.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals, or over the channels of a single one.

    Attributes
    ----------
    lateral_inhibition_ : ndarray of shape (2,)
        Weights.
    n_channels_in_ : int
        Channels of X in `fit`.
    coefficients_ : Design
        What the stage computes with: the weights.
    frame_rate_hz_ : float
        Frames a second; the sample rate where every sample is kept.
    n_ears_in_ : int or None
        Ears of the signals in `fit`; None where they had no axis for them.

    Notes
    -----
    With the weights w (`lateral_inhibition`, 1 and -1; Famularo et al. [1]_, Chi et al. [2]_), for channels k, low to
    high:

    .. math::

        y_k = \max(0,\, w_0 x_k + w_1 x_{k+1}), \qquad k = 0 \ldots n - 2

    References
    ----------
    .. [1] R. L. Famularo, D. N. Zotkin, S. A. Shamma, R. Duraiswami, "Biomimetic frontend for differentiable audio
       processing", 2024.
    .. [2] T. Chi, P. Ru, S. A. Shamma, "Multiresolution spectrotemporal analysis of complex sounds", J. Acoust.
       Soc. Am. 118:887, 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import LateralInhibition
    >>> edge = np.array([0.0, 0, 3, 2, 2]).reshape(1, 5, 1)  # one signal, one sample
    >>> LateralInhibition().fit_transform(edge).ravel()
    array([0., 0., 1., 0.], dtype=float32)
    """

    all_outputs = ("inhibited",)
    output = "inhibited"

    _parameter_constraints: dict = {"lateral_inhibition": ["array-like"]}

    def __init__(
        self,
        lateral_inhibition: ArrayLike = (1, -1),
        *,
        sample_rate: float = 16000,
        pooling: Pooling = None,
        frame_length: float | None = None,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.lateral_inhibition = lateral_inhibition
        self.sample_rate = sample_rate
        self.pooling = pooling
        self.frame_length = frame_length
        self.dtype = dtype
        self.n_jobs = n_jobs

    def make_design(self) -> None:
        super().make_design()
        self.lateral_inhibition_ = self.coefficients_.inhibition

    def resolve(self, parameters: Parameters) -> Parameters:
        return parameters | {"lateral_inhibition": check_inhibition(parameters["lateral_inhibition"])}

    def make_coefficients(self, parameters: Parameters) -> Design:
        if self.n_channels_in_ < 2:
            raise ValueError(
                "X has 1 channel, which has no neighbour to inhibit it; pass a response of at least 2 channels."
            )
        return Design(self.n_channels_in_, inhibition=parameters["lateral_inhibition"])

    def parameter_bar(self, name: str, bars: tuple[np.ndarray, ...]) -> np.ndarray:
        return bars[0]

    def bounds(self) -> dict[str, tuple[float, float]]:
        return {"lateral_inhibition": (-3.0, 3.0)}

    def names_after(self, names: list[str]) -> list[str]:
        return names[:-1]


class LeakyIntegrator(ResponseStage, SpectrogramStage):
    r"""Leaky integration over time, kept once a frame.

    Parameters
    ----------
    integration_s : float, default=0.008
        Time constant in s.
    sample_rate : float, default=16000
        Rate of X in Hz.
    frame_rate_hz : float, default=200
        Frames a second, about: a frame has the nearest whole number of samples, and is the state at its last one.
    pooling : str, callable, sequence, dict, TemporalPooling or None, default=None
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals, or over the channels of a single one.

    Attributes
    ----------
    integration_s_ : float
        Time constant.
    frame_rate_hz_ : float
        Frames a second, exactly.
    n_channels_in_ : int
        Channels of X in `fit`.
    coefficients_ : Design
        What the stage computes with: decay, and samples a frame.
    n_ears_in_ : int or None
        Ears of the signals in `fit`; None where they had no axis for them.

    Notes
    -----
    With the time constant τ (`integration_s`, 8 ms; Famularo et al. [1]_, Chi et al. [2]_), of which a frame keeps its
    last sample:

    .. math::

        y[t] = \lambda\, y[t-1] + x[t], \qquad \lambda = e^{-1 / (\tau f_s)}

    Gain at DC is 1 / (1 - λ), 128 at 16 kHz. Frames at 200 Hz hold modulations up to 100 Hz; faster ones alias, at -6
    dB an octave from 20 Hz on.

    References
    ----------
    .. [1] R. L. Famularo, D. N. Zotkin, S. A. Shamma, R. Duraiswami, "Biomimetic frontend for differentiable audio
       processing", 2024.
    .. [2] T. Chi, P. Ru, S. A. Shamma, "Multiresolution spectrotemporal analysis of complex sounds", J. Acoust.
       Soc. Am. 118:887, 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import LeakyIntegrator
    >>> LeakyIntegrator(integration_s=1.0).fit_transform(np.ones((1, 1, 240))).round()
    array([[[ 80., 159., 238.]]], dtype=float32)
    """

    all_outputs = ("spectrogram",)
    output = "spectrogram"

    _parameter_constraints: dict = {
        "integration_s": POSITIVE,
        "frame_rate_hz": POSITIVE,
    }

    def __init__(
        self,
        integration_s: float = 0.008,
        *,
        sample_rate: float = 16000,
        frame_rate_hz: float = 200,
        pooling: Pooling = None,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.integration_s = integration_s
        self.sample_rate = sample_rate
        self.frame_rate_hz = frame_rate_hz
        self.pooling = pooling
        self.dtype = dtype
        self.n_jobs = n_jobs

    def check_parameters(self) -> None:
        super().check_parameters()
        frame_period(self.sample_rate, self.frame_rate_hz)

    def make_design(self) -> None:
        super().make_design()
        self.integration_s_ = float(self.parameters_in_use()["integration_s"])

    def make_coefficients(self, parameters: Parameters) -> Design:
        decay = np.exp(-1 / (parameters["integration_s"] * self.sample_rate)).item()
        return Design(self.n_channels_in_, decay=decay, period=self.frame_samples())

    def frame_samples(self) -> int:
        return frame_period(self.sample_rate, self.frame_rate_hz)

    def bounds(self) -> dict[str, tuple[float, float]]:
        return {"integration_s": (5e-4, 0.5)}


def check_exponents(compression: FloatOrArray, n_channels: int) -> np.ndarray:
    """Exponents (n_channels,)."""
    exponents = real_numbers("compression", compression)
    if exponents.shape not in ((), (n_channels,)) or not np.isfinite(exponents).all() or (exponents <= 0).any():
        raise ValueError(
            f"compression={compression!r} must be a finite number above 0, or {n_channels} of them, one a channel; 1 "
            "is linear, 0.3 strong."
        )
    return np.broadcast_to(exponents, (n_channels,)).copy()


def check_inhibition(lateral_inhibition: ArrayLike) -> np.ndarray:
    """Kernel (2,)."""
    kernel = real_numbers("lateral_inhibition", lateral_inhibition)
    if kernel.shape != (2,) or not np.isfinite(kernel).all():
        raise ValueError(
            f"lateral_inhibition={lateral_inhibition!r} must be 2 finite numbers, the weights of a channel and of the "
            "next; the published ones are (1, -1)."
        )
    return kernel


def frame_period(sample_rate: float, frame_rate_hz: float) -> int:
    """Samples of a frame: the whole number next to what the rates ask for."""
    if frame_rate_hz > sample_rate:
        raise ValueError(
            f"frame_rate_hz={frame_rate_hz} must not exceed sample_rate={sample_rate}: a frame has a sample at least; "
            "lower it."
        )
    samples = sample_rate / frame_rate_hz
    remedy = f"raise it, or lower sample_rate={sample_rate}"
    check_size("frame_rate_hz", frame_rate_hz, samples, LONGEST_PERIOD, "samples a frame", remedy)
    return round(samples)
