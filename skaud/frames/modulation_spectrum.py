"""ModulationSpectrum: how strongly every channel fluctuates, and how fast."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval

from skaud.design.limits import MOST_FILTERS, check_size
from skaud.estimator.naming import told_apart
from skaud.fitting.movable import Gradients
from skaud.frames.base import FrameTransformer, Heard
from skaud.kernels.array_api import Array, array_namespace
from skaud.kernels.frames import magnitude_adjoint, resonate, resonate_adjoint


class ModulationSpectrum(FrameTransformer):
    r"""Magnitude of every channel's fluctuation round some rates, over time.

    Every rate has a complex resonator of first order, whose magnitude is kept: a low-pass of first order shifted to
    that rate, as the modulation filters of Dau et al. [1]_ above 10 Hz. It hears the frames before alone.

    Parameters
    ----------
    modulation_hz : array of shape (n_filters,), default=(2, 4, 8, 16, 32)
        Rates in Hz, above 0 and at most half of `frame_rate_hz`.
    frame_rate_hz : float, default=100
        Frames a second of X: the `frame_rate_hz_` of the model before.
    quality : float, default=1.0
        Quality factor of the filters.

    Attributes
    ----------
    modulation_hz_ : ndarray of shape (n_filters,)
        Rates.
    frame_shape_in_ : tuple of int
        Shape of one frame of X in fit, ([n_ears,] n_channels).
    latency_frames_ : int
        Frames that a stream waits, 0.

    Notes
    -----
    For a rate f (`modulation_hz`: 2, 4, 8, 16 and 32 Hz), of frames x at f_s (`frame_rate_hz`, 100 Hz), with Q the
    `quality` (1), -3 dB at f (1 ± 1 / (2 Q)), in the unit of x [1]_:

    .. math::

        z[t] = p\, z[t-1] + (1 - |p|)\, x[t], \qquad p = e^{(j - 1 / (2 Q))\, 2 \pi f / f_s}, \qquad y[t] = |z[t]|

    References
    ----------
    .. [1] T. Dau, B. Kollmeier, A. Kohlrausch, "Modeling auditory processing of amplitude modulation. I", J. Acoust.
       Soc. Am. 102:2892, 1997.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import ModulationSpectrum
    >>> time_s = np.arange(400) / 100
    >>> frames = 1 + np.sin(2 * np.pi * 8 * time_s)[np.newaxis, np.newaxis]  # one signal, one channel
    >>> magnitudes = ModulationSpectrum([4, 8, 16], frame_rate_hz=100).fit_transform(frames)
    >>> magnitudes[0, :, 0, 200:].mean(axis=-1).round(2)  # the filter at 8 Hz is the loudest
    array([0.49, 0.61, 0.51])
    """

    _parameter_constraints: dict = {
        "modulation_hz": ["array-like"],
        "frame_rate_hz": [Interval(Real, 0, None, closed="neither")],
        "quality": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self, modulation_hz: ArrayLike = (2, 4, 8, 16, 32), *, frame_rate_hz: float = 100, quality: float = 1.0
    ) -> None:
        self.modulation_hz = modulation_hz
        self.frame_rate_hz = frame_rate_hz
        self.quality = quality

    def check_parameters(self, n_channels: int) -> None:
        if len(self.frame_shape_in_) > 2:
            raise ValueError(
                f"X has frames of {self.frame_shape_in_}, with filters already; pass ([n_ears,] n_channels, n_frames)."
            )
        rates = np.atleast_1d(np.asarray(self.modulation_hz, dtype=float))
        highest = self.frame_rate_hz / 2
        if rates.ndim != 1 or not len(rates) or not ((rates > 0) & (rates <= highest)).all():
            raise ValueError(
                f"modulation_hz={self.modulation_hz!r} must be one rate or several above 0, at most half of "
                f"frame_rate_hz={self.frame_rate_hz!r}, {highest:g} Hz; lower them, or make frames shorter."
            )
        check_size("modulation_hz", self.modulation_hz, len(rates), MOST_FILTERS, "filters", "pass fewer")
        self.modulation_hz_ = rates

    def _poles(self) -> np.ndarray:
        turn = 2 * np.pi * self.modulation_hz_ / self.frame_rate_hz
        return np.exp((1j - 1 / (2 * self.quality)) * turn)

    def run(self, x: Array, state: Heard, is_last: bool) -> tuple[Array, Heard]:
        y = resonate(x, self._poles(), state)
        return array_namespace(x).abs(y), y[..., -1]

    def pull_back(self, y_bar: Array, x: Array) -> tuple[Array, Gradients]:
        poles = self._poles()
        # abs(resonate(x, poles))
        return resonate_adjoint(magnitude_adjoint(y_bar, resonate(x, poles)), poles, x), {}

    def names_after(self, names: list[str]) -> list[str]:
        filters = told_apart(lambda n: [f"modulation{hz:.{n}g}hz" for hz in self.modulation_hz_], range(6, 18))
        return [f"{own}_{name}" for own in filters for name in names]
