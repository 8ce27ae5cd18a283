"""The stages of the auditory spectrogram, each a transformer: filters, compression, inhibition, integration."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from numbers import Real
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions

from skaud._fitted import as_fitted, remember_parameters
from skaud._warnings import each_once
from skaud.audio import resample_array
from skaud.design import cochlear as design
from skaud.design.limits import HIGHEST_RATE_HZ, LONGEST_PERIOD, check_size
from skaud.estimator.limits import check_constraints, design_within_limits
from skaud.estimator.results import finite
from skaud.estimator.sounds import check_samples, check_sounds, warn_of_levels
from skaud.kernels import cochlear as kernel
from skaud.kernels.array_api import array_namespace, is_foreign
from skaud.kernels.fourier import FilterBank
from skaud.kernels.leaky_integrator import integrate
from skaud.sound import check_rate as check_hz
from skaud.sound import check_scale
from skaud.sound.refused import refuse_masked

FULL_SCALE_DB_SPL = 100.0  # of an RMS of 1.0 where the power law takes its power
FloatOrArray = float | ArrayLike


class ResponseTransformer(TransformerMixin, BaseEstimator, ABC, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Base of the stages that take the response of the stage before them, of any kind of array."""

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters, and remember the number of channels.

        Parameters
        ----------
        X : array of shape (n_signals, [n_ears,] n_channels, n_samples), or list of arrays that differ in n_samples
            Response of the stage before.
        y : None
            Ignored.

        Returns
        -------
        ResponseTransformer
            The fitted stage.
        """
        check_constraints(self)
        remember_parameters(self)
        is_list = isinstance(X, (list, tuple)) and len(X) > 0
        rows = as_rows(X[0], "X[0]") if is_list else as_rows(X, "X", is_batch=True)
        self.n_channels_in_ = rows.shape[1]
        design_within_limits(self)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Fit, then transform the same responses.

        Parameters
        ----------
        X : array of shape (n_signals, [n_ears,] n_channels, n_samples), or list of arrays that differ in n_samples
            Response of the stage before.
        y : None
            Ignored.

        Returns
        -------
        array or list of arrays
            As `transform` returns it.
        """
        with each_once():
            return self.fit(X, y).transform(X)

    @as_fitted
    def transform(self, X: Any) -> Any:
        """Response of this stage.

        Parameters
        ----------
        X : array of shape (n_signals, [n_ears,] n_channels, n_samples), or list of arrays that differ in n_samples
            Response of the stage before; an array of cupy, torch or JAX stays one.

        Returns
        -------
        array or list of arrays
            As X.

        Raises
        ------
        ValueError
            If X has other channels than that of fit, no axis of time, or values that are not finite.
        """
        if isinstance(X, (list, tuple)):
            with each_once():
                return [self._transform(clip, f"X[{i}]") for i, clip in enumerate(X)]
        return self._transform(X, "X", is_batch=True)

    def _transform(self, x: Any, name: str, *, is_batch: bool = False) -> Any:
        refuse_masked(x, name)
        x = x if is_foreign(x) else np.asarray(x)
        rows = as_rows(x, name, is_batch=is_batch)
        if rows.shape[1] != self.n_channels_in_:
            raise ValueError(
                f"{name} has {rows.shape[1]} channels and had {self.n_channels_in_} in fit; pass the response of the "
                "same stage, or fit again."
            )
        response = self._respond(rows)
        if isinstance(response, np.ndarray):
            finite(self, response, x, name)
        return array_namespace(response).reshape(response, (*x.shape[:-2], *response.shape[1:]))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        return tags

    def _design(self) -> None:
        """Set the fitted attributes."""

    @abstractmethod
    def _respond(self, rows: Any) -> Any:
        """Response (n_rows, n_channels_out, n_samples) to rows (n_rows, n_channels_in_, n_samples)."""


class CochlearFilterbank(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """129 constant-Q filters, 180 to 7246 Hz, 24 an octave.

    Parameters
    ----------
    filters : {"roex"}, (B, A), or path, default="roex"
        As in `AuditorySpectrogram`.
    sample_rate : float, default=16000
        Rate of the stage in Hz, at least 16000; a `Sound` at another rate is resampled to it.
    rms_one_db_spl : float or None, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in plain samples and in the output; 93.98 for pascals, None for
        100. A `Sound` knows its own.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.

    Attributes
    ----------
    channel_frequencies_hz_ : ndarray of shape (129,)
        Centre frequencies.
    impulse_responses_ : ndarray of shape (129, n_taps)
        The filters.

    Notes
    -----
    The published formula, ``(x_h - x)**0.3 * exp(-8 (x_h - x))`` below the cutoff x_h on a logarithmic frequency axis,
    leaves three constants free. They were fitted once, by a search for the least RMS distance in dB from the filters
    of the NSL toolbox within 10 dB of their peaks, together with the largest correlation of the auditory spectrograms,
    and rounded: a unit of x is 2.2 octaves, the cutoff lies 0.075 octave above the centre frequency, and the skirts end
    in a floor at -20 dB, added in power. A half-cosine-squared window of 128 ms ends the impulse responses.

    Examples
    --------
    >>> from skaud import CochlearFilterbank, datasets
    >>> X = datasets.make_tone([500], duration_s=0.1)
    >>> CochlearFilterbank().fit_transform(X)[0].shape
    (129, 1600)
    """

    _takes_channels = False

    _parameter_constraints: dict = {
        "filters": [str, Path, "array-like"],
        "sample_rate": [Interval(Real, 0, None, closed="neither")],
        "rms_one_db_spl": [Interval(Real, None, None, closed="neither"), None],
        "dtype": [StrOptions({"float32", "float64"})],
    }

    def __init__(
        self,
        filters: str | Path | tuple[ArrayLike, ArrayLike] = "roex",
        sample_rate: float = 16000,
        rms_one_db_spl: float | None = 93.98,
        dtype: str = "float32",
    ) -> None:
        self.filters = filters
        self.sample_rate = sample_rate
        self.rms_one_db_spl = rms_one_db_spl
        self.dtype = dtype

    def fit(self, X: Any = None, y: Any = None) -> Self:
        """Design the filters.

        Parameters
        ----------
        X : array of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples), or list of clips
            Ignored.
        y : None
            Ignored.

        Returns
        -------
        CochlearFilterbank
            The fitted filterbank.
        """
        check_constraints(self)
        remember_parameters(self)
        check_hz("sample_rate", self.sample_rate)
        self.channel_frequencies_hz_ = design.centre_frequencies_hz()
        self._filter_bank_ = design_filters(self.filters, self.sample_rate, self.dtype)
        self.impulse_responses_ = self._filter_bank_.response
        return self

    @as_fitted
    def transform(self, X: Any) -> Any:
        """Filter.

        Parameters
        ----------
        X : array of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples), or list of clips
            Sound; an array of cupy, torch or JAX, ``(n_signals, n_samples)``, stays one.

        Returns
        -------
        array of shape (n_signals, [n_ears,] 129, n_samples), or list of arrays
            Response of every filter.
        """
        if is_foreign(X):
            xp = array_namespace(X)
            return self._filter(xp.astype(X, getattr(xp, self.dtype)))
        sounds = check_sounds(self, X)
        own = level_of_one(self.rms_one_db_spl)
        scales = [own if scale is None else scale for scale in sounds.scales]
        warn_of_levels(sounds.clips, scales)
        clips = [resample_array(clip, rate, self.sample_rate) for clip, rate in zip(sounds.clips, sounds.rates)]
        clips = [clip * 10 ** ((scale - own) / 20) if scale != own else clip for clip, scale in zip(clips, scales)]
        responses = [
            finite(self, self._filter(clip.astype(self.dtype)), clip, f"X[{i}]") for i, clip in enumerate(clips)
        ]
        responses = responses if sounds.has_ears else [response[0] for response in responses]
        return np.stack(responses) if sounds.is_array else responses

    def _filter(self, rows: Any) -> Any:
        channels = np.ones(len(self.impulse_responses_))
        cochlea = kernel.Cochlea(self._filter_bank_, channels, np.array([1.0, -1.0]), 0.0, 1)
        return kernel.run(rows, cochlea, ("cochlea",))["cochlea"]


class PowerLawCompression(ResponseTransformer):
    """Compression by a power law, sign(x) abs(x)**exponent, of x in which an RMS of 1.0 stands for 100 dB SPL.

    Parameters
    ----------
    compression : float or array of shape (n_channels,), default=1.0
        Exponents.
    rms_one_db_spl : float or None, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in X, that of the filterbank before; 93.98 for pascals, None for
        100.
    """

    _parameter_constraints: dict = {
        "compression": [Real, "array-like"],
        "rms_one_db_spl": [Interval(Real, None, None, closed="neither"), None],
    }

    def __init__(self, compression: FloatOrArray = 1.0, rms_one_db_spl: float | None = 93.98) -> None:
        self.compression = compression
        self.rms_one_db_spl = rms_one_db_spl

    def _design(self) -> None:
        self.compression_ = check_exponents(self.compression, self.n_channels_in_)

    def _respond(self, rows: Any) -> Any:
        gain = 10 ** ((level_of_one(self.rms_one_db_spl) - FULL_SCALE_DB_SPL) / 20)
        response = kernel.compress(rows if gain == 1 else rows * gain, self.compression_)
        # X stays the caller's own.
        return array_namespace(rows).asarray(rows, copy=True) if response is rows else response


class LateralInhibition(ResponseTransformer):
    """Difference of neighbouring channels, half-wave rectified: one channel fewer.

    Parameters
    ----------
    lateral_inhibition : sequence of 2 float, default=(1, -1)
        Weights of a channel and of the next.
    """

    _parameter_constraints: dict = {"lateral_inhibition": ["array-like"]}

    def __init__(self, lateral_inhibition: ArrayLike = (1, -1)) -> None:
        self.lateral_inhibition = lateral_inhibition

    def _design(self) -> None:
        if self.n_channels_in_ < 2:
            raise ValueError(
                "X has 1 channel, which has no neighbour to inhibit it; pass a response of at least 2 channels."
            )
        self.lateral_inhibition_ = check_inhibition(self.lateral_inhibition)

    def _respond(self, rows: Any) -> Any:
        return kernel.inhibit(rows, self.lateral_inhibition_)


class LeakyIntegrator(ResponseTransformer):
    """Leaky integration over time, kept once a frame.

    Parameters
    ----------
    integration_s : float, default=0.008
        Time constant in s.
    sample_rate : float, default=16000
        Rate of X in Hz.
    frame_rate_hz : float, default=200
        Frames a second, about: a frame has the nearest whole number of samples, and is the state at its last one.

    Attributes
    ----------
    frame_rate_hz_ : float
        Frames a second, exactly.
    """

    _parameter_constraints: dict = {
        name: [Interval(Real, 0, None, closed="neither")] for name in ("integration_s", "sample_rate", "frame_rate_hz")
    }

    def __init__(self, integration_s: float = 0.008, sample_rate: float = 16000, frame_rate_hz: float = 200) -> None:
        self.integration_s = integration_s
        self.sample_rate = sample_rate
        self.frame_rate_hz = frame_rate_hz

    def _design(self) -> None:
        self.frame_rate_hz_ = self.sample_rate / frame_period(self.sample_rate, self.frame_rate_hz)

    def _respond(self, rows: Any) -> Any:
        period = frame_period(self.sample_rate, self.frame_rate_hz)
        decay = float(np.exp(-1 / (self.integration_s * self.sample_rate)))
        frames = integrate(kernel.whole_periods(rows, period), decay, period)
        return frames[..., : kernel.n_frames(rows.shape[-1], period)]


def level_of_one(rms_one_db_spl: float | None) -> float:
    """Level in dB SPL of an RMS of 1.0, that of full scale where it is None."""
    return FULL_SCALE_DB_SPL if rms_one_db_spl is None else check_scale("rms_one_db_spl", rms_one_db_spl)


# --- checks, which the models share ---


def as_rows(x: Any, name: str, *, is_batch: bool = False) -> Any:
    """Reshape x (..., n_channels, n_samples), as floats, with one axis in front; an error otherwise.

    Of a batch, the first axis is that of the signals: rows of features, (n_signals, n_features), are no response.
    """
    refuse_masked(x, name)
    if not is_foreign(x):
        x = check_samples(np.asarray(x), name)
    if len(x.shape) < 2 or 0 in x.shape:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}; a response is ([n_signals, n_ears,] n_channels, n_samples), with at "
            "least 1 sample. Reshape it."
        )
    if is_batch and len(x.shape) == 2:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}, which has no axis of time, as pooled features have none; an array of "
            "responses is (n_signals, [n_ears,] n_channels, n_samples): set pooling=None in the model before, or pass "
            "the response to a single signal as X[numpy.newaxis]."
        )
    return array_namespace(x).reshape(x, (-1, *x.shape[-2:]))


def as_numbers(name: str, value: Any) -> np.ndarray:
    """Value of a parameter as floats; an error where it is not numbers, or rows of different lengths."""
    try:
        if np.iscomplexobj(value):
            raise TypeError("it is complex")
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        given = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:80]}..."
        raise ValueError(f"{name}={given} is not an array of real numbers ({error}); pass those alone.") from error


def check_exponents(compression: FloatOrArray, n_channels: int) -> np.ndarray:
    """Exponents (n_channels,)."""
    exponents = as_numbers("compression", compression)
    if exponents.shape not in ((), (n_channels,)) or not np.isfinite(exponents).all() or (exponents <= 0).any():
        raise ValueError(
            f"compression={compression!r} must be a finite number above 0, or {n_channels} of them, one a channel; 1 "
            "is linear, 0.3 strong."
        )
    return np.broadcast_to(exponents, (n_channels,)).copy()


def check_inhibition(lateral_inhibition: ArrayLike) -> np.ndarray:
    """Kernel (2,)."""
    kernel = as_numbers("lateral_inhibition", lateral_inhibition)
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


def design_filters(filters: Any, sample_rate: float, dtype: str) -> FilterBank:
    """Filters as the parameter `filters` asks for them."""
    if isinstance(filters, str) and filters == "roex":
        if sample_rate < design.SAMPLE_RATE:
            raise ValueError(
                f"sample_rate={sample_rate} must be at least {design.SAMPLE_RATE:.0f} Hz for filters up to 7246 "
                "Hz; raise it."
            )
        check_size("sample_rate", sample_rate, sample_rate, HIGHEST_RATE_HZ, "Hz", "lower it")
        return _roex(float(sample_rate))
    if isinstance(filters, (str, Path)):
        if sample_rate != design.SAMPLE_RATE:
            raise ValueError(
                f"filters={str(filters)!r} is made for {design.SAMPLE_RATE:.0f} Hz and sample_rate is {sample_rate}; "
                "set it to 16000, or filters='roex'."
            )
        filters = design.read_nsl(filters)
    if isinstance(filters, np.ndarray):
        filters = list(filters) if filters.ndim else ()
    if len(filters) != 2:
        raise ValueError(f"filters has {len(filters)} parts; it must be 'roex', a path, or the pair of arrays (B, A).")
    # What is cut off lies below the rounding of the dtype.
    numerator, denominator = (as_numbers(f"filters[{i}]", part) for i, part in enumerate(filters))
    tolerance = 1e-6 if dtype == "float32" else 1e-9
    return FilterBank(design.rational_filters(numerator, denominator, tolerance))


@lru_cache(maxsize=4)
def _roex(sample_rate: float) -> FilterBank:
    response = design.roex_filters(sample_rate)
    response.flags.writeable = False  # all models of this rate share it
    return FilterBank(response)
