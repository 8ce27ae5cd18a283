"""CorticalSTRF: spectrotemporal receptive fields, for the spectrogram of any model."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from skaud._types import Estimator, Seed
from skaud.design import cortical as design
from skaud.design.cochlear import CHANNELS_PER_OCTAVE
from skaud.design.limits import MOST_STRFS, check_size
from skaud.engines.cortical import Cortical, STRFs
from skaud.fitting.movable import Bounds, Parameters
from skaud.pooling.temporal import Pooling
from skaud.stages.response import NamedStage
from skaud.stages.stage import real_numbers

RESPONSES = ("real", "magnitude", "complex")
SMALLEST_SCALE = 0.05  # cycles/octave, half of what 128 channels resolve: next to nothing passes a filter below
SLOWEST_RATE_HZ = 0.05
FINEST_SCALE = 8.0  # cycles/octave, of init="log"
FINEST_SHARE = 3 / 8  # cycles a channel: at half a cycle, ripples up and down are the same
HELD_AT_ONCE = 1024  # frames of all filters, to be pooled


class CorticalSTRF(NamedStage):
    r"""Spectrotemporal receptive fields: filters for the ripples of a spectrogram.

    Every filter has a scale, the density of ripples over frequency, and a rate, their speed over time, whose sign is
    the direction of the sweep: above 0 towards lower channels. They apply to frames of any model whose channels are
    evenly spaced over log frequency, or nearly so.

    Parameters
    ----------
    n_strfs : int, default=40
        Number of filters; with ``init="log"`` a multiple of 8.
    init : {"log", "random"}, default="log"
        Scales of 0.25 to 8 cycles/octave, or to 3/8 of `channels_per_octave` where that is less, with rates of +-2 to
        +-32 Hz each; or scales U(0, 9) and rates U(-9, 9).
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
    pooling : str, callable, sequence, dict, TemporalPooling or None, default=None
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals, or over the filters of a single one; the result is the same for any number.

    Attributes
    ----------
    scales_cycles_per_octave_ : ndarray of shape (n_strfs,)
        Scales.
    rates_hz_ : ndarray of shape (n_strfs,)
        Rates.
    frame_rate_hz_ : float
        Frames a second.
    latency_s_ : float
        Longest time that a stream waits for the response to a frame, 30.7 s at 200 Hz: the filters hear 2048 frames
        ahead, and chunks go through in blocks of 4096.
    n_channels_in_ : int
        Channels of X in `fit`.
    n_ears_in_ : int or None
        Ears of the signals in `fit`; None where they had no axis for them.

    Notes
    -----
    With the rate ω (`rates_hz`) and the scale Ω (`scales_cycles_per_octave`), after Chi et al. [1]_ and Famularo et al.
    [2]_: the spectrogram's two-dimensional spectrum is multiplied by the spectra of

    .. math::

        h(t) = |\omega| \sin(2 \pi u)\, u^2 e^{-3.5 u}, \quad u = |\omega|\, t, \qquad
        H(r) = R\, e^{1 - R}, \quad R = (r / |\Omega|)^2

    h less its mean, its spectrum divided by its largest magnitude; of it the half that the sign of ω says, of H the
    positive half, r being ripples in cycles/octave. Without a DC response in time: steady spectra give nothing.

    A filter passes one quadrant of the spectrum, so that its response is analytic, and begins before its cause. It is
    designed for the frames padded to twice the next power of 2, where nothing wraps round. From 2048 frames on, about
    10 s, its impulse response ends as many before and after, where what is left of it falls with the square of time;
    the frames then go through in overlapping blocks, with the result of the whole; so do those of a stream, which are
    the frames of a clip without end.

    References
    ----------
    .. [1] T. Chi, P. Ru, S. A. Shamma, "Multiresolution spectrotemporal analysis of complex sounds", J. Acoust.
       Soc. Am. 118:887, 2005.
    .. [2] R. L. Famularo, D. N. Zotkin, S. A. Shamma, R. Duraiswami, "Biomimetic frontend for differentiable audio
       processing", 2024.

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

    all_outputs = ("cortical",)
    output = "cortical"
    frames_held = HELD_AT_ONCE
    engine_: Cortical

    _parameter_constraints: dict = {
        "n_strfs": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions({"log", "random"})],
        "scales_cycles_per_octave": ["array-like", None],
        "rates_hz": ["array-like", None],
        "response": [StrOptions(set(RESPONSES))],
        "frame_rate_hz": [Interval(Real, 0, None, closed="neither")],
        "channels_per_octave": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
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
        random_state: Seed = None,
        pooling: Pooling = None,
        dtype: str = "float32",
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
        self.pooling = pooling
        self.dtype = dtype
        self.n_jobs = n_jobs

    @property
    def sample_rate(self) -> float:  # type: ignore[override]
        """Rate of X: that of its frames."""
        return self.frame_rate_hz

    def check_rate(self) -> None:
        """That of frames may be any."""

    def check_parameters(self) -> None:
        super().check_parameters()
        refuse_pooling_of_complex(self)

    def make_design(self) -> None:
        self.scales_cycles_per_octave_, self.rates_hz_ = design_strfs(self, self.parameters_in_use())
        super().make_design()
        self.latency_s_ = self.engine_.latency_frames / self.frame_rate_hz

    def make_engine(self, parameters: Parameters, dtype: str) -> Cortical:
        own = {name: getattr(self, f"{name}_") for name in self.differentiable()} | parameters
        strfs = STRFs(own["scales_cycles_per_octave"], own["rates_hz"], self.frame_rate_hz, self.channels_per_octave)
        return Cortical(strfs, self.n_channels_in_, self.response, dtype)

    def value_of(self, name: str) -> np.ndarray:
        return np.asarray(getattr(self, f"{name}_"), dtype=float)

    def parameter_bar(self, name: str, bars: tuple[np.ndarray, ...]) -> np.ndarray:
        return bars[self.differentiable().index(name)]

    def bounds(self) -> dict[str, Bounds]:
        signs = np.sign(self.rates_hz_)  # the sign chooses half of the spectrum: no rate crosses 0
        slowest, fastest = SLOWEST_RATE_HZ * signs, self.frame_rate_hz / 2 * signs
        return {
            "scales_cycles_per_octave": (SMALLEST_SCALE, self.channels_per_octave / 2),
            "rates_hz": (np.minimum(slowest, fastest), np.maximum(slowest, fastest)),
        }

    def names_after(self, names: list[str]) -> list[str]:
        strfs = strf_names(self.scales_cycles_per_octave_, self.rates_hz_)
        return [f"{strf}_{name}" for strf in strfs for name in names]


# --- what the models share ---


def refuse_pooling_of_complex(estimator: Estimator) -> None:
    """Refuse statistics of complex numbers."""
    if estimator.response == "complex" and estimator.output == "cortical" and estimator.pooling is not None:
        raise ValueError(
            f"response='complex' cannot be pooled (pooling={estimator.pooling!r}); set pooling=None, or choose "
            "response='real' or 'magnitude'."
        )


def design_strfs(estimator: CorticalSTRF, parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """Scales and rates as they are given, or from the parameters n_strfs, init and random_state where they are None."""
    scales: Any = parameters["scales_cycles_per_octave"]
    rates: Any = parameters["rates_hz"]
    if scales is None and rates is None:
        check_size("n_strfs", estimator.n_strfs, estimator.n_strfs, MOST_STRFS, "filters", "lower it")
        if estimator.init == "random":
            return design.random_init(estimator.n_strfs, check_random_state(estimator.random_state))
        if estimator.n_strfs % design.N_LOG_RATES:
            raise ValueError(
                f"n_strfs={estimator.n_strfs} must be a multiple of {design.N_LOG_RATES} with init='log', which gives "
                "every scale 8 rates; change it, or set init='random'."
            )
        return design.log_init(estimator.n_strfs, min(FINEST_SCALE, FINEST_SHARE * estimator.channels_per_octave))
    scales = None if scales is None else real_numbers("scales_cycles_per_octave", scales)
    rates = None if rates is None else real_numbers("rates_hz", rates)
    if scales is None or rates is None or np.shape(scales) != np.shape(rates) or np.ndim(scales) != 1 or not len(rates):
        raise ValueError(
            f"scales_cycles_per_octave and rates_hz have shapes {np.shape(scales)} and {np.shape(rates)}; give both, "
            "one number a filter, or leave both to init."
        )
    check_size("rates_hz", rates, len(rates), MOST_STRFS, "filters", "pass fewer")
    limit = estimator.channels_per_octave / 2
    if not ((scales > 0) & (scales <= limit)).all():
        raise ValueError(
            f"scales_cycles_per_octave has {scales[~((scales > 0) & (scales <= limit))]}; every scale must lie above "
            f"0, and at most at half the channels an octave, {limit:g}."
        )
    limit = estimator.frame_rate_hz / 2
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
