"""Steps of the auditory spectrogram, and their adjoints: compression, lateral inhibition; array-API code.

x : (n_rows, n_channels, ...), the last axis that of time
"""

import numpy as np

from skaud.kernels.array_api import Array, array_namespace, constant, zeros


def compress(x: Array, exponents: np.ndarray, log: Array = None) -> Array:
    """Signed power, sign(x) |x| ** exponent.

    exponents : (n_channels,); log : log_magnitude(x), where it is known
    """
    if (exponents == 1).all():
        return x
    # sign(x) |x| ** a = x |x| ** (a - 1), one exponential
    power = constant(_beside(exponents, x) - 1, x) * (log_magnitude(x) if log is None else log)
    xp = array_namespace(x)
    if xp.isdtype(x.dtype, "complex floating"):  # a step at 0 gets through exponents of 1 alone, as in the adjoint
        x = x * ((x.real != 0) | (_beside(exponents, x) == 1))
    return x * xp.exp(power)


def compress_adjoint(out_bar: Array, x: Array, log: Array, out: Array, exponents: np.ndarray) -> tuple[Array, Array]:
    """Adjoint of `compress` for x and, over all samples, for the exponents of every row; out is what it returned.

    At 0 the slope of an exponent below 1 is infinite; 0 stands for it, so that silence has no gradient.
    """
    xp = array_namespace(x)
    # out = sign(x) * exp(exponents * log)
    relative_bar = out_bar * out
    exponents_bar = xp.vecdot(relative_bar, log)
    if x.ndim > 3:
        exponents_bar = xp.sum(exponents_bar, axis=tuple(range(2, x.ndim - 1)))
    if (exponents == 1).all():
        return out_bar, exponents_bar
    at_0 = x == 0
    x_bar = constant(_beside(exponents, x), x) * relative_bar / xp.where(at_0, constant(np.ones(()), x), x)
    if (exponents == 1).any():
        x_bar = xp.where(at_0, out_bar * constant(_beside(exponents == 1, x), x), x_bar)
    return x_bar, exponents_bar


def log_magnitude(x: Array) -> Array:
    """Logarithm of |x|, that of the smallest number where x is 0; of numbers with a complex step, analytic."""
    xp = array_namespace(x)
    smallest = constant(np.asarray(float(xp.finfo(x.dtype).smallest_normal)), x)
    if xp.isdtype(x.dtype, "complex floating"):
        return xp.log(xp.where(xp.real(x) == 0, smallest, xp.where(xp.real(x) < 0, -x, x)))
    return xp.log(xp.maximum(xp.abs(x), smallest))


def inhibit(x: Array, weights: np.ndarray) -> Array:
    """Rectified difference max(0, w0 x[k] + w1 x[k + 1]) over channels."""
    w0, w1 = weights.tolist()
    near = x[:, :-1, ...] if w0 == 1 else w0 * x[:, :-1, ...]
    difference = near - x[:, 1:, ...] if w1 == -1 else near + w1 * x[:, 1:, ...]
    return array_namespace(x).maximum(difference, zeros((), x))


def inhibit_adjoint(out_bar: Array, x: Array, out: Array, weights: np.ndarray) -> tuple[Array, Array]:
    """Adjoint of `inhibit` for x and, row by row, for the weights; out is what it returned.

    The slope of max(0, .) at 0 is 0.
    """
    xp = array_namespace(x)
    # out = max(0, difference)
    difference_bar = out_bar * xp.astype(out > 0, out_bar.dtype)
    # difference = w0 * x[:-1] + w1 * x[1:]
    w0, w1 = weights.tolist()
    near_bar = difference_bar if w0 == 1 else w0 * difference_bar
    far_bar = difference_bar if w1 == -1 else -w1 * difference_bar
    between = near_bar[:, 1:, ...] - far_bar[:, :-1, ...]
    x_bar = xp.concat([near_bar[:, :1, ...], between, -far_bar[:, -1:, ...]], axis=1)
    parts, axes = (x[:, :-1, ...], x[:, 1:, ...]), tuple(range(1, x.ndim - 1))
    return x_bar, xp.stack([xp.sum(xp.vecdot(difference_bar, part), axis=axes) for part in parts], axis=-1)


def _beside(exponents: np.ndarray, x: Array) -> np.ndarray:
    """Exponents with the axes of x."""
    return exponents.reshape(-1, *[1] * (x.ndim - 2))
