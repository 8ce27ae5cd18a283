"""CorticalSTRF: spectrotemporal receptive fields, for the spectrogram of any model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from skaud._fitted import as_fitted
from skaud.design import cortical as design
from skaud.design.cochlear import CHANNELS_PER_OCTAVE
from skaud.design.limits import MOST_STRFS, check_size
from skaud.estimator.base import N_JOBS
from skaud.estimator.results import check_value_bar
from skaud.kernels import cortical as kernel
from skaud.kernels.array_api import array_namespace, is_foreign
from skaud.stages.cochlear import ResponseTransformer, as_numbers, as_rows

RESPONSES = ("real", "magnitude", "complex")


class CorticalSTRF(ResponseTransformer):
    """Spectrotemporal receptive fields: filters for the ripples of a spectrogram.

    Every filter has a scale, the density of ripples over frequency, and a rate, their speed over time, whose sign is
    the direction of the sweep: above 0 towards lower channels. They apply to frames of any model whose channels are
    evenly spaced over log frequency, or nearly so.

    Parameters
    ----------
    n_strfs : int, default=40
        Number of filters; with ``init="log"`` a multiple of 8.
    init : {"log", "random"}, default="log"
        Scales of 0.25 to 8 cycles/octave with rates of +-2 to +-32 Hz each, or scales U(0, 9) and rates U(-9, 9).
    scales_cycles_per_octave : array of shape (n_strfs,) or None, default=None
        Scales, instead of `init`.
    rates_hz : array of shape (n_strfs,) or None, default=None
        Rates, instead of `init`.
    response : {"real", "magnitude", "complex"}, default="real"
        Part of the complex response.
    frame_rate_hz : float, default=200
        Frames a second of X: the `frame_rate_hz_` of the model before.
    channels_per_octave : float, default=24
        Channels an octave of X.
    random_state : int, RandomState or None, default=None
        For ``init="random"``.
    n_jobs : int or None, default=None
        Threads over filters.

    Attributes
    ----------
    scales_cycles_per_octave_ : ndarray of shape (n_strfs,)
        Scales.
    rates_hz_ : ndarray of shape (n_strfs,)
        Rates.
    n_channels_in_ : int
        Channels of X.

    Notes
    -----
    A filter passes one quadrant of the spectrum, so that its response is analytic, and begins before its cause. It is
    designed for the frames padded to twice the next power of 2, where nothing wraps round. From 2048 frames on, about
    10 s, its impulse response ends as many before and after, where what is left of it falls with the square of time;
    the frames then go through in overlapping blocks, with the result of the whole.

    Examples
    --------
    >>> from skaud import CARFAC, CorticalSTRF, TemporalPooling, datasets
    >>> from sklearn.pipeline import make_pipeline
    >>> X = datasets.make_tone([500, 1000], duration_s=0.2, sample_rate=22050)
    >>> cortex = CorticalSTRF(scales_cycles_per_octave=[0.5, 1], rates_hz=[8, -8], channels_per_octave=10)
    >>> pipeline = make_pipeline(CARFAC(pooling=None, frame_length=0.005), cortex, TemporalPooling("std"))
    >>> pipeline.fit_transform(X).shape
    (2, 142)
    """

    _parameter_constraints: dict = {
        "n_strfs": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions({"log", "random"})],
        "scales_cycles_per_octave": ["array-like", None],
        "rates_hz": ["array-like", None],
        "response": [StrOptions(set(RESPONSES))],
        "frame_rate_hz": [Interval(Real, 0, None, closed="neither")],
        "channels_per_octave": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
        "n_jobs": N_JOBS,
    }

    def __init__(
        self,
        n_strfs: int = 40,
        *,
        init: str = "log",
        scales_cycles_per_octave: ArrayLike | None = None,
        rates_hz: ArrayLike | None = None,
        response: str = "real",
        frame_rate_hz: float = 200,
        channels_per_octave: float = CHANNELS_PER_OCTAVE,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_strfs = n_strfs
        self.init = init
        self.scales_cycles_per_octave = scales_cycles_per_octave
        self.rates_hz = rates_hz
        self.response = response
        self.frame_rate_hz = frame_rate_hz
        self.channels_per_octave = channels_per_octave
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _design(self) -> None:
        self.scales_cycles_per_octave_, self.rates_hz_ = design_strfs(
            self, self.scales_cycles_per_octave, self.rates_hz, self.frame_rate_hz, self.channels_per_octave
        )

    def _cortex(self) -> STRFs:
        return STRFs(self.scales_cycles_per_octave_, self.rates_hz_, self.frame_rate_hz, self.channels_per_octave)

    def _respond(self, rows: Any) -> Any:
        return respond(rows, self._cortex(), self.response, effective_n_jobs(self.n_jobs))

    @as_fitted
    def vjp(self, X: Any) -> tuple[Any, Callable[[Any], dict[str, Any]]]:
        """Value of `transform`, and the function that takes a gradient back from it.

        Parameters
        ----------
        X : array of shape (n_signals, [n_ears,] n_channels, n_frames), or list of arrays that differ in n_frames
            Response of the stage before.

        Returns
        -------
        value : array or list of arrays
            What `transform` returns.
        pullback : callable
            ``pullback(value_bar)`` returns a dict of gradients: "X", "scales_cycles_per_octave" and "rates_hz".
        """
        if isinstance(X, (list, tuple)):
            return self._vjp_of_list(X)
        return self._vjp_of_array(X, "X", is_batch=True)

    def _vjp_of_array(
        self, X: Any, name: str, *, is_batch: bool = False
    ) -> tuple[Any, Callable[[Any], dict[str, Any]]]:
        X = X if is_foreign(X) else np.asarray(X)
        value = self._transform(X, name, is_batch=is_batch)

        def pullback(value_bar: Any) -> dict[str, Any]:
            check_value_bar(value_bar, value)
            xp, rows = array_namespace(value), as_rows(X, name)
            bar = xp.reshape(xp.asarray(value_bar), (rows.shape[0], *value.shape[-3:]))
            x_bar, grads = pull_back(bar, rows, self._cortex(), self.response, effective_n_jobs(self.n_jobs))
            return {"X": xp.reshape(x_bar, X.shape), **grads}

        return value, pullback

    def _vjp_of_list(self, X: Sequence[Any]) -> tuple[list[Any], Callable[[Sequence[Any]], dict[str, Any]]]:
        values, pullbacks = zip(*(self._vjp_of_array(clip, f"X[{i}]") for i, clip in enumerate(X)))

        def pullback(value_bars: Sequence[Any]) -> dict[str, Any]:
            check_value_bar(value_bars, values)
            grads = [back(bar) for back, bar in zip(pullbacks, value_bars)]
            names = ("scales_cycles_per_octave", "rates_hz")
            return {"X": [own["X"] for own in grads]} | {name: sum(own[name] for own in grads) for name in names}

        return list(values), pullback

    @as_fitted
    def jvp(self, X: Any, directions: dict[str, Any]) -> Any:
        """Derivative of the value of `vjp`, computed forwards, by formulas of its own: what tests the adjoint.

        Parameters
        ----------
        X : ndarray of shape (n_signals, [n_ears,] n_channels, n_frames), or list of arrays that differ in n_frames
            Response of the stage before.
        directions : dict of str to array
            What moves, and where to: "X", "scales_cycles_per_octave" and "rates_hz", each shaped as the gradient.

        Returns
        -------
        ndarray or list of ndarray
            Shaped as the value.
        """
        from skaud.stages._cortical_derivatives import of_cortical

        is_list = isinstance(X, (list, tuple))
        clips = list(X) if is_list else [X]
        steps = [np.zeros(np.shape(clip)) for clip in clips]
        if "X" in directions:
            steps = list(directions["X"]) if is_list else [directions["X"]]
        derivatives = []
        for i, (clip, step) in enumerate(zip(clips, steps)):
            name = f"X[{i}]" if is_list else "X"
            rows, row_steps = (as_rows(part, name, is_batch=not is_list) for part in (clip, step))
            _, derivative = of_cortical(rows, row_steps, self._cortex(), directions, self.response)
            derivatives.append(derivative.reshape(*np.shape(clip)[:-2], *derivative.shape[1:]))
        return derivatives if is_list else derivatives[0]

    @as_fitted
    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> np.ndarray:
        """Names of the responses.

        Parameters
        ----------
        input_features : sequence of str, default=None
            Names of the channels of X.

        Returns
        -------
        ndarray of str
            Such as ``rate+4.0_scale2.00_nap_1055hz``.
        """
        channels = [f"channel{c}" for c in range(self.n_channels_in_)] if input_features is None else input_features
        strfs = strf_names(self.scales_cycles_per_octave_, self.rates_hz_)
        return np.asarray([f"{strf}_{channel}" for strf in strfs for channel in channels], dtype=object)


# --- what the models share ---


class STRFs(NamedTuple):
    """Filters, and the spectrogram's axes."""

    scales_cycles_per_octave: np.ndarray
    rates_hz: np.ndarray
    frame_rate_hz: float
    channels_per_octave: float

    def cortex(self, n_channels: int, n_frames: int) -> tuple[kernel.Cortex, design.RateFilters]:
        """The kernel's form, for spectrograms of this size."""
        rates = design.rate_filters(self.rates_hz, design.rate_bins(n_frames), self.frame_rate_hz)
        scales = design.scale_filters(
            self.scales_cycles_per_octave, design.padded_length(n_channels), self.channels_per_octave
        )
        return kernel.Cortex(rates.transfer, self.rates_hz > 0, scales), rates


def respond(spectrogram: Any, strfs: STRFs, response: str, n_threads: int) -> Any:
    """Response (n_rows, n_strfs, n_channels, n_frames) to spectrograms (n_rows, n_channels, n_frames)."""
    cortex, _ = strfs.cortex(*spectrogram.shape[1:])
    out = kernel.run(spectrogram, cortex, real=response == "real", n_threads=n_threads)
    return array_namespace(out).abs(out) if response == "magnitude" else out


def pull_back(
    bar: Any, spectrogram: Any, strfs: STRFs, response: str, n_threads: int
) -> tuple[Any, dict[str, np.ndarray]]:
    """Adjoint of `respond` for the spectrogram, and by name for the parameters."""
    cortex, rates = strfs.cortex(*spectrogram.shape[1:])
    if response == "magnitude":
        xp = array_namespace(bar)
        out = kernel.run(spectrogram, cortex, real=False, n_threads=n_threads)
        # value = |out|, with slope 0 at 0
        magnitude = xp.abs(out)
        bar = xp.where(magnitude > 0, bar / xp.where(magnitude > 0, magnitude, xp.ones_like(magnitude)), 0 * bar) * out
    grads = kernel.run_adjoint(bar, spectrogram, cortex, n_threads=n_threads)
    return grads.spectrogram, through_design(grads, strfs, rates)


def through_design(grads: kernel.Gradients, strfs: STRFs, rates: design.RateFilters) -> dict[str, np.ndarray]:
    """Gradients of the parameters, from those of the transfer functions."""
    scales = strfs.scales_cycles_per_octave
    return {
        "scales_cycles_per_octave": design.scale_filters_adjoint(grads.scales, scales, strfs.channels_per_octave),
        "rates_hz": design.rate_filters_adjoint(grads.rates, rates, strfs.rates_hz, strfs.frame_rate_hz),
    }


def design_strfs(
    estimator: Any, scales: Any, rates: Any, frame_rate_hz: float, channels_per_octave: float
) -> tuple[np.ndarray, np.ndarray]:
    """Scales and rates as they are given, or from the parameters n_strfs, init and random_state where they are None."""
    if scales is None and rates is None:
        check_size("n_strfs", estimator.n_strfs, estimator.n_strfs, MOST_STRFS, "filters", "lower it")
        if estimator.init == "random":
            return design.random_init(estimator.n_strfs, check_random_state(estimator.random_state))
        if estimator.n_strfs % design.N_LOG_RATES:
            raise ValueError(
                f"n_strfs={estimator.n_strfs} must be a multiple of {design.N_LOG_RATES} with init='log', which gives "
                "every scale 8 rates; change it, or set init='random'."
            )
        return design.log_init(estimator.n_strfs)
    scales = None if scales is None else as_numbers("scales_cycles_per_octave", scales)
    rates = None if rates is None else as_numbers("rates_hz", rates)
    if scales is None or rates is None or np.shape(scales) != np.shape(rates) or np.ndim(scales) != 1 or not len(rates):
        raise ValueError(
            f"scales_cycles_per_octave and rates_hz have shapes {np.shape(scales)} and {np.shape(rates)}; give both, "
            "one number a filter, or leave both to init."
        )
    check_size("rates_hz", rates, len(rates), MOST_STRFS, "filters", "pass fewer")
    limit = channels_per_octave / 2
    if not ((scales > 0) & (scales <= limit)).all():
        raise ValueError(
            f"scales_cycles_per_octave has {scales[~((scales > 0) & (scales <= limit))]}; every scale must lie above "
            f"0, and at most at half the channels an octave, {limit:g}."
        )
    limit = frame_rate_hz / 2
    if not ((rates != 0) & (np.abs(rates) <= limit)).all():
        raise ValueError(
            f"rates_hz has {rates[~((rates != 0) & (np.abs(rates) <= limit))]}; every rate must differ from 0, and lie "
            f"at most at half the frame rate, {limit:g} Hz."
        )
    return scales, rates


def strf_names(scales_cycles_per_octave: np.ndarray, rates_hz: np.ndarray) -> list[str]:
    """Names such as rate+4.0_scale2.00, with more digits, or numbers, where filters would share one."""
    pairs = list(zip(rates_hz, scales_cycles_per_octave))
    for digits in range(1, 5):
        names = [f"rate{rate:+.{digits}f}_scale{scale:.{digits + 1}f}" for rate, scale in pairs]
        if len(set(names)) == len(names):
            return names
    return [f"strf{k}_rate{rate:+.1f}_scale{scale:.2f}" for k, (rate, scale) in enumerate(pairs)]
