"""Steps of the auditory spectrogram, and their adjoints: compression, lateral inhibition; array-API code.

On a CPU compression is a kernel, but of complex steps, and inhibition in front of an integrator is in `inhibited_sums`.

x : (n_rows, n_channels, ...), the last axis that of time
"""

import numpy as np

from skaud.kernels._compile import kernel, pointer, step
from skaud.kernels.array_api import Array, array_namespace, constant, is_complex, is_foreign, zeros
from skaud.kernels.lanes import total_of
from skaud.kernels.one_pole import ONE, ZERO
from skaud.kernels.pointwise import exponential_of_any, logarithm, series

TERMS_AT_ONCE = 512  # of a sum


def compress(x: Array, exponents: np.ndarray) -> Array:
    """Signed power, sign(x) |x| ** exponent; exponents : (n_channels,)."""
    if (exponents == 1).all():
        return x
    if not (is_foreign(x) or is_complex(x)):
        rows = np.ascontiguousarray(x).reshape(*x.shape[:2], -1)
        out = np.empty(rows.shape, x.dtype)
        raise_to_powers(rows, exponents.astype(x.dtype), series(x.dtype), out)
        return out.reshape(x.shape)
    # sign(x) |x| ** a = x |x| ** (a - 1), one exponential
    power = constant(_beside(exponents, x) - 1, x) * log_magnitude(x)
    xp = array_namespace(x)
    if xp.isdtype(x.dtype, "complex floating"):  # a step at 0 gets through exponents of 1 alone, as in the adjoint
        x = x * ((x.real != 0) | (_beside(exponents, x) == 1))
    return x * xp.exp(power)


def compress_adjoint(
    out_bar: Array, x: Array, out: Array, exponents: np.ndarray, *, for_x: bool = True
) -> tuple[Array, Array]:
    """Adjoint of `compress` for x and, over all samples, for the exponents of every row; out is what it returned.

    At 0 the slope of an exponent below 1 is infinite; 0 stands for it, so that silence has no gradient. On a CPU, in
    one pass over the samples, which leaves out the bar of x where nobody asks for it.
    """
    if not is_foreign(x):
        return _compress_adjoint_on_cpu(out_bar, x, out, exponents, for_x)
    xp = array_namespace(x)
    # out = sign(x) * exp(exponents * log_magnitude(x))
    relative_bar = out_bar * out
    exponents_bar = xp.vecdot(relative_bar, log_magnitude(x))
    if x.ndim > 3:
        exponents_bar = xp.sum(exponents_bar, axis=tuple(range(2, x.ndim - 1)))
    if (exponents == 1).all():
        return out_bar, exponents_bar
    at_0 = x == 0
    x_bar = constant(_beside(exponents, x), x) * relative_bar / xp.where(at_0, constant(np.ones(()), x), x)
    if (exponents == 1).any():
        x_bar = xp.where(at_0, out_bar * constant(_beside(exponents == 1, x), x), x_bar)
    return x_bar, exponents_bar


def _compress_adjoint_on_cpu(
    out_bar: np.ndarray, x: np.ndarray, out: np.ndarray, exponents: np.ndarray, for_x: bool
) -> tuple[np.ndarray, np.ndarray]:
    """As compress_adjoint, by the kernel."""
    rows = [np.ascontiguousarray(own, x.dtype).reshape(*x.shape[:2], -1) for own in (out_bar, x, out)]
    x_bar, exponents_bar = np.empty(rows[0].shape if for_x else (0, 0, 0), x.dtype), np.empty(x.shape[:2])
    terms = np.empty(TERMS_AT_ONCE, x.dtype)
    power_adjoint(*rows, exponents.astype(x.dtype), series(x.dtype), terms, x_bar, exponents_bar)
    return x_bar.reshape(x.shape) if for_x else out_bar, exponents_bar.astype(x.dtype)


@step
def log_magnitude_step(x, of):
    """Logarithm of |x|, that of the smallest normal number where it is below."""
    magnitude = -x if x < ZERO else x
    return logarithm(of.smallest if magnitude < of.smallest else magnitude, of)


@step
def power_step(x, exponent, of):
    """Signed power, sign(x) |x| ** exponent = x |x| ** (exponent - 1)."""
    return x * exponential_of_any((exponent - ONE) * log_magnitude_step(x, of), of)


@step
def power_step_adjoint(out_bar, x, out, exponent, of):
    """Adjoint of power_step, which returned out: bars of x, exponent."""
    relative_bar = out_bar * out
    # out = sign(x) * exp(exponent * log_magnitude(x))
    exponent_bar = relative_bar * log_magnitude_step(x, of)
    if exponent == ONE:
        return out_bar, exponent_bar
    return (ZERO * relative_bar if x == ZERO else exponent * relative_bar / x), exponent_bar


@kernel
def raise_to_powers(x, exponents, of, out):
    """Write the signed powers of x (n_rows, n_channels, n_samples)."""
    n_rows, n_channels, n_samples = x.shape
    for row in range(n_rows):
        for channel in range(n_channels):
            exponent, first = exponents[channel], (row * n_channels + channel) * n_samples
            here, there = pointer(x, first), pointer(out, first)
            if exponent == ONE:
                for t in range(n_samples):
                    there[t] = here[t]
            else:
                for t in range(n_samples):
                    there[t] = power_step(here[t], exponent, of)


@kernel
def power_adjoint(out_bar, x, out, exponents, of, terms, x_bar, exponents_bar):
    """Write the bar of x, (n_rows, n_channels, n_samples), if there is room, and of exponents, (n_rows, n_channels)."""
    n_rows, n_channels, n_samples = x.shape
    at_once, term = len(terms), pointer(terms, 0)
    for row in range(n_rows):
        for channel in range(n_channels):
            exponent, total = exponents[channel], 0.0
            for begin in range(0, n_samples, at_once):
                first, n = (row * n_channels + channel) * n_samples + begin, min(at_once, n_samples - begin)
                bar, here, there = pointer(out_bar, first), pointer(x, first), pointer(out, first)
                if x_bar.size:
                    here_bar = pointer(x_bar, first)
                    for t in range(n):
                        here_bar[t], term[t] = power_step_adjoint(bar[t], here[t], there[t], exponent, of)
                else:
                    for t in range(n):
                        _, term[t] = power_step_adjoint(bar[t], here[t], there[t], exponent, of)
                total += total_of(term, n)
            exponents_bar[row, channel] = total


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
