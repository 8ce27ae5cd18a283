"""Deltas: how frames change."""

from __future__ import annotations

from numbers import Integral

from sklearn.utils._param_validation import Interval

from skaud.fitting.movable import Gradients
from skaud.frames.base import FrameTransformer, Heard
from skaud.kernels.array_api import Array, array_namespace
from skaud.kernels.frames import differentiate, differentiate_adjoint


class Deltas(FrameTransformer):
    r"""Frames, and how they change: slopes over time beside them, and slopes of the slopes.

    The slope at a frame is that of the straight line through `width` frames before and after it; the outermost frames
    are repeated.

    Parameters
    ----------
    width : int, default=2
        Frames on either side.
    order : int, default=1
        Slopes of slopes to go to: 2 gives accelerations, too.
    include_input : bool, default=True
        Return the frames, too, before their slopes.

    Attributes
    ----------
    frame_shape_in_ : tuple of int
        Shape of one frame of X in fit, ([n_ears,] [n_filters,] n_channels).
    latency_frames_ : int
        Frames that a stream waits, ``width * order``.

    Notes
    -----
    With W the `width` (2), in the unit of the frames x a frame [1]_; a higher `order` takes the slopes of these:

    .. math::

        d[t] = \frac{\sum_{k=1}^{W} k \left(x[t + k] - x[t - k]\right)}{2 \sum_{k=1}^{W} k^2}

    References
    ----------
    .. [1] S. Furui, "Speaker-independent isolated word recognition using dynamic features of speech spectrum", IEEE
       Trans. ASSP 34:52, 1986.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import Deltas
    >>> Deltas(width=1).fit_transform(np.array([[[0.0, 1.0, 4.0, 9.0]]]))
    array([[[0. , 1. , 4. , 9. ],
            [0.5, 2. , 4. , 2.5]]])
    """

    _parameter_constraints: dict = {
        "width": [Interval(Integral, 1, 1000, closed="both")],
        "order": [Interval(Integral, 1, 10, closed="both")],
        "include_input": ["boolean"],
    }

    def __init__(self, width: int = 2, order: int = 1, include_input: bool = True) -> None:
        self.width = width
        self.order = order
        self.include_input = include_input

    def check_parameters(self, n_channels: int) -> None:
        self.latency_frames_ = self.width * self.order

    def run(self, x: Array, state: Heard, is_last: bool) -> tuple[Array, Heard]:
        xp = array_namespace(x)
        held, n_done = (x[..., :0], 0) if state is None else state  # frames still heard, of which n_done are answered
        heard = xp.concat([held, x], axis=-1)
        n_ready = heard.shape[-1] if is_last else max(n_done, heard.shape[-1] - self.latency_frames_)
        frames = [heard]
        for _ in range(self.order):
            frames.append(differentiate(frames[-1], self.width))
        # What the ends of heard spoil lies outside, unless they are those of the signal.
        y = xp.concat(frames[0 if self.include_input else 1 :], axis=1)[..., n_done:n_ready]
        begin = max(0, n_ready - self.latency_frames_)
        return y, (heard[..., begin:], n_ready - begin)

    def pull_back(self, y_bar: Array, x: Array) -> tuple[Array, Gradients]:
        n = x.shape[1]
        bars = [y_bar[:, i : i + n, :] for i in range(0, y_bar.shape[1], n)]
        bars = bars if self.include_input else [0 * bars[0], *bars]
        x_bar = bars.pop()
        while bars:
            # frames.append(differentiate(frames[-1], width))
            x_bar = bars.pop() + differentiate_adjoint(x_bar, self.width)
        return x_bar, {}

    def names_after(self, names: list[str]) -> list[str]:
        prefixes = ["" if self.include_input else None, "delta_", *(f"delta{k}_" for k in range(2, self.order + 1))]
        return [f"{prefix}{name}" for prefix in prefixes if prefix is not None for name in names]
