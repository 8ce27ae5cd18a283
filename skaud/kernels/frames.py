"""What steps do to frames, and its adjoints; array-API code, to the same bits however the frames are cut.

x : (n_rows, n_channels, n_frames)
"""

import numpy as np

from skaud.kernels.array_api import Array, array_namespace, constant, zeros


def log_compress(x: Array, floor: float) -> Array:
    """Logarithm of 1 + max(0, x) / floor."""
    return array_namespace(x).log1p(array_namespace(x).maximum(x, zeros((), x)) / floor)


def log_compress_adjoint(y_bar: Array, x: Array, floor: float) -> tuple[Array, Array]:
    """Adjoint of `log_compress` for x and the floor; the slope of max(0, .) at 0 is 0."""
    xp = array_namespace(x)
    rectified = xp.maximum(x, zeros((), x))
    # y = log(floor + rectified) - log(floor)
    rectified_bar = y_bar / (rectified + floor)
    floor_bar = -xp.sum(rectified_bar * rectified) / floor
    return xp.where(x > 0, rectified_bar, zeros((), x)), floor_bar


def project(x: Array, basis: np.ndarray) -> Array:
    """Sums over channels, weighted by the rows of a basis (n_coefficients, n_channels)."""
    weights = constant(basis[:, :, np.newaxis], x)
    # Channel by channel, since a product of matrices rounds as it is cut.
    y = weights[:, 0, :] * x[:, 0:1, :]
    for c in range(1, x.shape[1]):
        y = y + weights[:, c, :] * x[:, c : c + 1, :]
    return y


def project_adjoint(y_bar: Array, basis: np.ndarray) -> Array:
    """Adjoint of `project`."""
    # y = basis @ x
    return project(y_bar, basis.T)


def differentiate(x: Array, width: int) -> Array:
    """Slope of the straight line through 2 width + 1 frames round each; the outermost frames are repeated."""
    xp = array_namespace(x)
    padded = xp.concat([x[..., :1]] * width + [x] + [x[..., -1:]] * width, axis=-1)
    n = x.shape[-1]
    steps = range(1, width + 1)
    slope = zeros(tuple(x.shape), x)
    for k in steps:
        slope = slope + k * (padded[..., width + k : width + k + n] - padded[..., width - k : width - k + n])
    return slope / (2 * sum(k * k for k in steps))


def differentiate_adjoint(y_bar: Array, width: int) -> Array:
    """Adjoint of `differentiate`."""
    xp = array_namespace(y_bar)
    steps, shape, n = range(1, width + 1), tuple(y_bar.shape), y_bar.shape[-1]
    # y = slope / (2 * sum(k * k for k in steps))
    slope_bar = y_bar / (2 * sum(k * k for k in steps))
    padded_bar = zeros((*shape[:-1], n + 2 * width), y_bar)
    for k in steps:
        # slope += k * (padded[width + k :][:n] - padded[width - k :][:n])
        near, far = zeros((*shape[:-1], width - k), y_bar), zeros((*shape[:-1], width + k), y_bar)
        padded_bar = padded_bar + k * (xp.concat([far, slope_bar, near], axis=-1))
        padded_bar = padded_bar - k * (xp.concat([near, slope_bar, far], axis=-1))
    # padded = concat([x[:1]] * width + [x] + [x[-1:]] * width)
    first = xp.sum(padded_bar[..., :width], axis=-1, keepdims=True)
    last = xp.sum(padded_bar[..., n + width :], axis=-1, keepdims=True)
    nothing = zeros((*shape[:-1], n - 1), y_bar)
    x_bar = padded_bar[..., width : n + width]
    return x_bar + xp.concat([first, nothing], axis=-1) + xp.concat([nothing, last], axis=-1)


def resonate(x: Array, poles: np.ndarray, last: Array = None) -> Array:
    """Complex responses (n_rows, n_filters, n_channels, n_frames) of y[t] = p y[t - 1] + (1 - |p|) x[t].

    poles : (n_filters,); last : y before the first frame, (n_rows, n_filters, n_channels), or None for silence
    """
    xp = array_namespace(x)
    pole = constant(poles[:, np.newaxis], x)
    heard = constant(1 - np.abs(poles)[:, np.newaxis, np.newaxis], x) * x[:, None, :, :]
    y, frames = last, []
    for t in range(x.shape[-1]):
        y = heard[..., t] + 0 * pole if y is None else pole * y + heard[..., t]
        frames.append(y)
    return xp.stack(frames, axis=-1)


def resonate_adjoint(y_bar: Array, poles: np.ndarray, x: Array) -> Array:
    """Adjoint of `resonate` for x; y_bar is the derivative by the real part plus i times that by the imaginary one."""
    xp = array_namespace(x)
    pole = constant(np.conj(poles)[:, np.newaxis], x)
    gain = constant(1 - np.abs(poles)[:, np.newaxis], x)
    behind, frames = None, []
    for t in reversed(range(x.shape[-1])):
        # y[t + 1] = p y[t] + (1 - |p|) x[t + 1]
        behind = y_bar[..., t] if behind is None else y_bar[..., t] + pole * behind
        frames.append(xp.sum(gain * xp.real(behind), axis=1))
    return xp.stack(frames[::-1], axis=-1)


def magnitude_adjoint(out_bar: Array, y: Array) -> Array:
    """Adjoint of xp.abs of complex y, as a derivative by both parts; 0 at 0, where there is none."""
    xp = array_namespace(y)
    # out = abs(y)
    out = xp.abs(y)
    safe = xp.where(out > 0, out, constant(np.ones(()), out))
    return xp.where(out > 0, out_bar / safe, zeros((), out)) * y
