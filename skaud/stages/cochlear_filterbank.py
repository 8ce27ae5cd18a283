"""Cochlear filters of the auditory spectrogram as a transformer, and what its parameter `filters` asks for."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha1
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from skaud._warnings import warn_caller
from skaud.design import cochlear as design
from skaud.engines.spectrogram_layout import Design
from skaud.fitting.movable import Parameters
from skaud.kernels.array_api import is_foreign
from skaud.kernels.fourier import FilterBank
from skaud.pooling.temporal import Pooling
from skaud.stages.spectrogram import SpectrogramStage
from skaud.stages.stage import real_numbers

Filters = str | Path | tuple[ArrayLike, ArrayLike]


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
        filters: Filters = "roex",
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


def design_filters(filters: Filters, sample_rate: float, dtype: str) -> FilterBank:
    """Filters as the parameter `filters` asks for them."""
    if isinstance(filters, str) and filters == "roex":
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
    numerator, denominator = (real_numbers(f"filters[{i}]", part) for i, part in enumerate(filters))
    tolerance = 1e-6 if dtype == "float32" else 1e-9
    return FilterBank(design.rational_filters(numerator, denominator, tolerance))


class RoexFilters(FilterBank):
    """The roex filters at a rate; in a pickle there is the rate alone, from which they are made again."""

    def __init__(self, sample_rate: float) -> None:
        response = design.roex_filters(sample_rate)
        response.flags.writeable = False  # all models of this rate share it
        super().__init__(response)
        self.sample_rate = sample_rate

    def __getstate__(self) -> dict:
        return {"sample_rate": self.sample_rate, "content": sha1(self.response, usedforsecurity=False).hexdigest()}

    def __setstate__(self, state: dict) -> None:
        vars(self).update(vars(_roex(state["sample_rate"])))
        if sha1(self.response, usedforsecurity=False).hexdigest() != state["content"]:
            warn_caller(
                "The cochlear filters of a pickled model are made again here, by another version of skaud, NumPy or on "
                "another processor, and differ from those that it had; fit it anew."
            )


@lru_cache(maxsize=4)
def _roex(sample_rate: float) -> RoexFilters:
    return RoexFilters(sample_rate)
