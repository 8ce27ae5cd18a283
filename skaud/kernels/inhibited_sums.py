"""Lateral inhibition, and what a leaky integrator sums within periods, in one pass over the samples; and the adjoint.

On a CPU; for arrays of devices and complex steps they are `cochlear.inhibit` and `leaky_integrator.weigh`.
"""

import numpy as np

from skaud.kernels._compile import kernel, pointer, step
from skaud.kernels.array_api import Array, array_namespace, is_complex, is_foreign
from skaud.kernels.cochlear import inhibit, inhibit_adjoint
from skaud.kernels.lanes import total_of
from skaud.kernels.leaky_integrator import weigh, weigh_adjoint
from skaud.kernels.one_pole import ZERO
from skaud.kernels.pointwise import rectify_step, rectify_step_adjoint

N_BARS = 3  # of the two weights of the inhibition, and along the slopes of the integrator's weights


def inhibited_sums(x: Array, inhibition: np.ndarray, weights: np.ndarray) -> Array:
    """Weighted sums of periods, (n_rows, n_channels - 1, n_blocks, n_periods), of what x leaves after inhibition.

    x : (n_rows, n_channels, n_blocks, n_periods * period), inhibition : (2,), weights : (period,)
    """
    if is_foreign(x) or is_complex(x) or np.iscomplexobj(inhibition) or np.iscomplexobj(weights):
        return weigh(inhibit(x, inhibition), weights)
    (n_rows, n_channels, n_blocks, n_samples), period = x.shape, len(weights)
    sums = np.empty((n_rows, n_channels - 1, n_blocks, n_samples // period), x.dtype)
    x, weights, *near_and_far = _for_kernel(x, weights, inhibition)
    sum_periods(x, *near_and_far, weights, np.empty(period, x.dtype), sums)
    return sums


def inhibited_sums_adjoint(
    sums_bar: Array, x: Array, inhibition: np.ndarray, weights: np.ndarray, slopes: np.ndarray
) -> tuple[Array, Array, Array]:
    """Adjoint of `inhibited_sums` for x and, row by row, for the inhibition and for what moves weights by slopes."""
    if is_foreign(x):
        out, xp = inhibit(x, inhibition), array_namespace(x)
        # sums = weigh(out, weights)
        slope_bar = xp.sum(sums_bar * weigh(out, slopes), axis=(1, 2, 3))
        # out = inhibit(x)
        return *inhibit_adjoint(weigh_adjoint(sums_bar, weights), x, out, inhibition), slope_bar
    x, weights, *near_and_far = _for_kernel(x, weights, inhibition)
    x_bar, bars = np.empty(x.shape, x.dtype), np.zeros((len(x), N_BARS))
    room = np.empty((N_BARS, len(weights)), x.dtype)
    sums_bar, slopes = np.ascontiguousarray(sums_bar, x.dtype), slopes.astype(x.dtype)
    sum_periods_adjoint(sums_bar, x, *near_and_far, weights, slopes, room, x_bar, bars)
    return x_bar, bars[:, :2], bars[:, 2]


def _for_kernel(
    x: np.ndarray, weights: np.ndarray, inhibition: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Array, Array]:
    """Arrays in the dtype and order that are compiled for, and both weights of the inhibition."""
    x = np.require(x, None, ["C_CONTIGUOUS", "WRITEABLE"])
    near, far = inhibition.astype(x.dtype)
    return x, weights.astype(x.dtype), near, far


@step
def inhibition_step(near, far, near_weight, far_weight):
    """A channel less the next one, rectified."""
    return rectify_step(near_weight * near + far_weight * far)


@step
def inhibition_step_adjoint(out_bar, near, far, near_weight, far_weight):
    """Adjoint of inhibition_step: bars of near, far, and of their weights."""
    # out = rectify_step(near_weight * near + far_weight * far)
    difference_bar = rectify_step_adjoint(out_bar, near_weight * near + far_weight * far)
    return difference_bar * near_weight, difference_bar * far_weight, difference_bar * near, difference_bar * far


@kernel
def sum_periods(x, near_weight, far_weight, weights, room, sums):
    """Write the sums of x, (n_rows, n_channels, n_blocks, n_samples); room : (period,), to work in."""
    (n_rows, n_out, n_blocks, n_periods), period = sums.shape, len(weights)
    size, weight, value = n_blocks * x.shape[3], pointer(weights, 0), pointer(room, 0)
    for row in range(n_rows):
        for channel in range(n_out):
            for block in range(n_blocks):
                begin = (row * x.shape[1] + channel) * size + block * x.shape[3]
                for k in range(n_periods):
                    near, far = pointer(x, begin + k * period), pointer(x, begin + size + k * period)
                    for t in range(period):
                        value[t] = inhibition_step(near[t], far[t], near_weight, far_weight) * weight[t]
                    sums[row, channel, block, k] = total_of(value, period)


@kernel
def sum_periods_adjoint(sums_bar, x, near_weight, far_weight, weights, slopes, room, x_bar, bars):
    """Write the bar of x, and add those of the weights and along the slopes to bars (n_rows, N_BARS).

    room : (N_BARS, period), to work in
    """
    (n_rows, n_out, n_blocks, n_periods), period = sums_bar.shape, len(weights)
    size, weight, slope = n_blocks * x.shape[3], pointer(weights, 0), pointer(slopes, 0)
    of_near, of_far, along = pointer(room, 0), pointer(room, period), pointer(room, 2 * period)
    for row in range(n_rows):
        for channel in range(n_out):
            for block in range(n_blocks):
                begin = (row * x.shape[1] + channel) * size + block * x.shape[3]
                if channel == 0:
                    near_bar = pointer(x_bar, begin)
                    for t in range(x.shape[3]):
                        near_bar[t] = ZERO
                for i in range(room.size):
                    of_near[i] = ZERO
                for k in range(n_periods):
                    first = begin + k * period
                    near, far, own = pointer(x, first), pointer(x, first + size), sums_bar[row, channel, block, k]
                    near_bar, far_bar = pointer(x_bar, first), pointer(x_bar, first + size)
                    for t in range(period):
                        out = inhibition_step(near[t], far[t], near_weight, far_weight)
                        # sum += out * weight
                        along[t] += own * out * slope[t]
                        own_near_bar, far_bar[t], near_weight_bar, far_weight_bar = inhibition_step_adjoint(
                            own * weight[t], near[t], far[t], near_weight, far_weight
                        )
                        near_bar[t] += own_near_bar
                        of_near[t] += near_weight_bar
                        of_far[t] += far_weight_bar
                bars[row, 0] += total_of(of_near, period)
                bars[row, 1] += total_of(of_far, period)
                bars[row, 2] += total_of(along, period)
