"""Compression of frames: by a logarithm, by a power."""

from __future__ import annotations

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval

from skaud.fitting.movable import Bounds, Gradients
from skaud.frames.base import FrameTransformer, Heard
from skaud.kernels.array_api import Array, array_namespace
from skaud.kernels.cochlear import compress, compress_adjoint
from skaud.kernels.frames import log_compress, log_compress_adjoint

FLOOR_RANGE = 100.0  # factor by which learning may move a floor, up and down: 40 dB
EXPONENTS = 0.05, 2.0  # from next to a logarithm to an expansion
_POSITIVE = [Interval(Real, 0, None, closed="neither")]


class LogCompression(FrameTransformer):
    r"""Logarithm of frames above a floor, ``log(1 + max(0, x) / floor)``.

    What lies well below the floor, noise between harmonics or weak sound between strong, hardly counts; far above, a
    factor in x is a step. Silence gives 0.

    Parameters
    ----------
    floor : float, default=0.01
        Value at which the logarithm begins, in the unit of the frames. The default suits the receptor potential of
        `CARFAC`, of which speech at 60 dB SPL reaches 0.08.

    Attributes
    ----------
    frame_shape_in_ : tuple of int
        Shape of one frame of X in fit, ([n_ears,] [n_filters,] n_channels).
    latency_frames_ : int
        Frames that a stream waits, 0.
    floor_ : float
        Floor that the `learn` of a pipeline has found, where it was to.

    Notes
    -----
    With F the `floor` (0.01, in the unit of the frames x), element by element, without a unit:

    .. math::

        y = \ln\left(1 + \frac{\max(0, x)}{F}\right)

    `vjp` has derivatives with respect to X and `floor`; what lies at or below 0 has derivative 0.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import LogCompression
    >>> frames = np.array([[[-1.0, 0.0, 1.0, 3.0]]])  # one signal, one channel
    >>> LogCompression(floor=1.0).fit_transform(frames).round(3)
    array([[[0.   , 0.   , 0.693, 1.386]]])
    """

    _parameter_constraints: dict = {"floor": _POSITIVE}

    def __init__(self, floor: float = 0.01) -> None:
        self.floor = floor

    def bounds(self) -> dict[str, Bounds]:
        return {"floor": (self.floor / FLOOR_RANGE, self.floor * FLOOR_RANGE)}

    def run(self, x: Array, state: Heard, is_last: bool) -> tuple[Array, Heard]:
        return log_compress(x, float(self.floor)), None

    def pull_back(self, y_bar: Array, x: Array) -> tuple[Array, Gradients]:
        x_bar, floor_bar = log_compress_adjoint(y_bar, x, float(self.floor))
        return x_bar, {"floor": floor_bar}

    def names_after(self, names: list[str]) -> list[str]:
        return [f"log_{name}" for name in names]


class PowerCompression(FrameTransformer):
    r"""Compression of frames by a power, ``sign(x) abs(x)**exponent``.

    The function of `PowerLawCompression`, the stage of the auditory spectrogram, on frames in their own unit.

    Parameters
    ----------
    exponent : float, default=0.3
        Exponent: 1 is linear, 0.3 near the growth of loudness with intensity (Stevens's law).

    Attributes
    ----------
    frame_shape_in_ : tuple of int
        Shape of one frame of X in fit, ([n_ears,] [n_filters,] n_channels).
    latency_frames_ : int
        Frames that a stream waits, 0.
    exponent_ : float
        Exponent that the `learn` of a pipeline has found, where it was to.

    Notes
    -----
    With α the `exponent` (0.3), element by element, near the growth of loudness with intensity [1]_:

    .. math::

        y = \mathrm{sign}(x)\, |x|^{\alpha}

    `vjp` has derivatives with respect to X and `exponent`; next to 0, where that by x grows without end, it is kept
    finite, as in `PowerLawCompression`.

    References
    ----------
    .. [1] S. S. Stevens, "On the psychophysical law", Psychol. Rev. 64:153, 1957.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import PowerCompression
    >>> PowerCompression(0.5).fit_transform(np.array([[[4.0, -9.0, 0.0]]]))
    array([[[ 2., -3.,  0.]]])
    """

    _parameter_constraints: dict = {"exponent": _POSITIVE}

    def __init__(self, exponent: float = 0.3) -> None:
        self.exponent = exponent

    def bounds(self) -> dict[str, Bounds]:
        return {"exponent": EXPONENTS}

    def _exponents(self, x: Array) -> np.ndarray:
        return np.full(x.shape[1], float(self.exponent))

    def run(self, x: Array, state: Heard, is_last: bool) -> tuple[Array, Heard]:
        return compress(x, self._exponents(x)), None

    def pull_back(self, y_bar: Array, x: Array) -> tuple[Array, Gradients]:
        exponents = self._exponents(x)
        x_bar, of_rows = compress_adjoint(y_bar, x, compress(x, exponents), exponents)
        return x_bar, {"exponent": array_namespace(x).sum(of_rows)}

    def names_after(self, names: list[str]) -> list[str]:
        return [f"power_{name}" for name in names]
