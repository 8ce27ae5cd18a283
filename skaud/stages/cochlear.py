"""The stages of the auditory spectrogram, each a transformer: filters, compression, inhibition, integration."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval

from skaud._types import Rates, Signals
from skaud.design import cochlear as design
from skaud.engines.spectrogram import Spectrogram
from skaud.engines.spectrogram_layout import Design, merge
from skaud.estimator.sounds import Sounds
from skaud.fitting.movable import Parameters
from skaud.kernels.array_api import is_foreign
from skaud.pooling.temporal import Pooling
from skaud.sound import check_rate as check_hz
from skaud.stages.cochlear_checks import (
    FloatOrArray,
    check_exponents,
    check_inhibition,
    design_filters,
    frame_period,
)
from skaud.stages.stage import ChannelStage, FusedStage

POSITIVE = [Interval(Real, 0, None, closed="neither")]


class SpectrogramStage(FusedStage[Design]):
    """A stage of the auditory spectrogram."""

    shared_engine = Spectrogram
    engine_: Spectrogram

    def fuse(self, coefficients: Sequence[Design], dtype: str) -> Spectrogram:
        return Spectrogram(merge(coefficients), dtype)


class ResponseStage(ChannelStage):
    """A stage that takes the response of another, which has an axis of channels."""

    def check_rate(self) -> None:
        check_hz("sample_rate", self.sample_rate)  # no filter depends on it

    def check_sounds(
        self, X: Signals, sample_rate: Rates, *, reset: bool = False, fixed_length: bool = False
    ) -> Sounds:
        if getattr(X, "ndim", 3) == 2:
            raise ValueError(
                f"X has shape {tuple(X.shape)}, which has no axis of time, as pooled features have none; an array of "
                "responses is (n_signals, [n_ears,] n_channels, n_samples): set pooling=None in the model before, or "
                "pass the response to a single signal as X[numpy.newaxis]."
            )
        if isinstance(X, (list, tuple)) and len(X) and np.ndim(X[0]) < 2:
            raise ValueError(
                f"X[0] has shape {np.shape(X[0])}; a response is ([n_ears,] n_channels, n_samples). Reshape it, or set "
                "pooling=None in the model before."
            )
        return super().check_sounds(X, sample_rate, reset=reset, fixed_length=fixed_length)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags


class CochlearFilterbank(SpectrogramStage):
    r"""129 constant-Q filters, 180 to 7246 Hz, 24 an octave.

    Parameters
    ----------
    filters : {"roex"}, (B, A), or path, default="roex"
        As in `AuditorySpectrogram`.
    sample_rate : float, default=16000
        Rate of the stage in Hz, at least 16000; clips at other rates are resampled to it.
    pooling : str, callable, sequence, dict, TemporalPooling or None, default=None
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    frame_length : float or None, default=None
        Length of a frame in s; None keeps every sample.
    rms_one_db_spl : float or None, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in plain samples and in the output; 93.98 for pascals, None for
        100. A `Sound` knows its own.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals, or over the channels of a single one; the result is the same for any number.

    Attributes
    ----------
    n_channels_ : int
        Number of filters, 129.
    channel_frequencies_hz_ : ndarray of shape (129,)
        Centre frequencies.
    impulse_responses_ : ndarray of shape (129, n_taps)
        The filters.
    latency_s_ : float
        Longest time that a stream waits for the response to a sample: chunks go through in whole blocks.
    coefficients_ : Design
        What the stage computes with: the filters.
    frame_rate_hz_ : float
        Frames a second; the sample rate where every sample is kept.
    n_ears_in_ : int or None
        Ears of the signals in `fit`; None where they had no axis for them.
    n_features_in_ : int
        Samples of a signal, where X was a 2-D array in `fit`.

    Notes
    -----
    Filter k, of 129, has its centre at f_k, and the magnitude of eq. 1 of Famularo et al. [1]_ over the distance x,
    in units of 2.2 octaves, from its cutoff, with α = 0.3 and β = 8:

    .. math::

        f_k = 440 \cdot 2^{(k - 31) / 24} \text{ Hz}, \qquad
        |H| = (x_h - x)^{\alpha}\, e^{-\beta (x_h - x)} \text{ where } x \le x_h, \text{ else } 0

    The published formula, ``(x_h - x)**0.3 * exp(-8 (x_h - x))`` below the cutoff x_h on a logarithmic frequency axis,
    leaves three constants free. They were fitted once, by a search for the least RMS distance in dB from the filters
    of the NSL toolbox within 10 dB of their peaks, together with the largest correlation of the auditory spectrograms,
    and rounded: a unit of x is 2.2 octaves, the cutoff lies 0.075 octave above the centre frequency, and the skirts end
    in a floor at -20 dB, added in power. A half-cosine-squared window of 128 ms ends the impulse responses.

    References
    ----------
    .. [1] R. L. Famularo, D. N. Zotkin, S. A. Shamma, R. Duraiswami, "Biomimetic frontend for differentiable audio
       processing", 2024.
    .. [2] T. Chi, P. Ru, S. A. Shamma, "Multiresolution spectrotemporal analysis of complex sounds", J. Acoust.
       Soc. Am. 118:887, 2005.

    Examples
    --------
    >>> from skaud import CochlearFilterbank, datasets
    >>> X = datasets.make_tone([500], duration_s=0.1)
    >>> CochlearFilterbank().fit_transform(X)[0].shape
    (129, 1600)
    """

    all_outputs = ("cochlea",)
    output = "cochlea"

    _parameter_constraints: dict = {"filters": [str, Path, "array-like"]}

    def __init__(
        self,
        filters: str | Path | tuple[ArrayLike, ArrayLike] = "roex",
        *,
        sample_rate: float = 16000,
        pooling: Pooling = None,
        frame_length: float | None = None,
        rms_one_db_spl: float | None = 93.98,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.filters = filters
        self.sample_rate = sample_rate
        self.pooling = pooling
        self.frame_length = frame_length
        self.rms_one_db_spl = rms_one_db_spl
        self.dtype = dtype
        self.n_jobs = n_jobs

    def check_parameters(self) -> None:
        super().check_parameters()
        if is_foreign(self.filters):
            raise ValueError("filters must be 'roex', a path, or B and A as NumPy arrays; convert them.")

    def check_rate(self) -> None:
        if self.sample_rate < design.SAMPLE_RATE:
            raise ValueError(
                f"sample_rate={self.sample_rate} must be at least {design.SAMPLE_RATE:.0f} Hz, for filters up to 7246 "
                "Hz; raise it, clips at lower rates are resampled to it."
            )
        super().check_rate()

    def make_design(self) -> None:
        self.channel_frequencies_hz_ = design.centre_frequencies_hz()
        self.n_channels_ = design.N_CHANNELS
        super().make_design()
        self.latency_s_ = self.engine_.latency_samples / self.sample_rate

    @property
    def impulse_responses_(self) -> np.ndarray:
        """The filters, (129, n_taps); a pickle has them once at most."""
        filters = self.coefficients_.filters
        assert filters is not None
        return filters.response

    def make_coefficients(self, parameters: Parameters) -> Design:
        return Design(design.N_CHANNELS, design_filters(self.filters, self.sample_rate, self.dtype))

    def channel_names(self) -> list[str]:
        return [f"{hz:.0f}hz" for hz in self.channel_frequencies_hz_]


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
