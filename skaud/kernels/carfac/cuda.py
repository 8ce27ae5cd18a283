"""CARFAC on a GPU: a block a signal, a thread a channel, over the same scalar steps as on the CPU.

The ripple down the cascade is affine, s -> g s + g h z2, so an inclusive scan of affine maps over the threads of a
block takes the place of the loop over channels. numba's CUDA simulator (NUMBA_ENABLE_CUDASIM=1) runs the same code on
a CPU.
"""

import math
from functools import cache
from typing import Any

import numba
import numpy as np
from numba import cuda

from skaud.kernels.carfac import layout as at
from skaud.kernels.carfac.hair_cells import two_cap_output
from skaud.kernels.carfac.steps import aim_step, gather_step, spatial_step, stage_step

MAX_CHANNELS = 256
MAX_STAGES = 8

SEARCHERS = 128  # threads that look through a signal

# Columns of a channel's coefficients.
A0, C0, H, R1, ZR, GA, GB, GC, HEALTH = range(9)


def run_two_cap(x: Any, coefficients: Any, frame_samples: int, dtype: Any, gain: float = 1.0) -> Any:
    """Mean NAP over frames of signals x (n_signals, n_samples) on a device: two_cap, closed loop, one ear.

    coefficients is a `skaud.design.carfac.CARFACCoefficients`; x is heard times gain. Returns a device array, cupy's if
    x is, else numba's, (n_signals, n_channels, n_frames); a frame that is not full is dropped.
    """
    car, hair, _, agc = coefficients
    n_channels, n_stages = len(car.pole_hz), len(agc.epsilon)
    if n_channels > MAX_CHANNELS or n_stages > MAX_STAGES:
        raise ValueError(
            f"The GPU kernel holds {MAX_CHANNELS} channels and {MAX_STAGES} AGC stages, this model has {n_channels} "
            f"and {n_stages}; raise erb_per_step or min_pole_hz, or pass NumPy arrays."
        )
    rows = [car.a0, car.c0, car.h, car.r1, car.zr, car.ga, car.gb, car.gc, car.ohc_health]
    rest = np.array([hair.cap1_rest, hair.cap2_rest, gain])
    table = at.make_plan(coefficients, dtype).table
    n_signals, n_samples = x.shape
    shape = (n_signals, n_channels, n_samples // frame_samples)
    out = _empty(x, shape, dtype)
    per_channel, table, rest = (_to_device(x, array.astype(dtype)) for array in (np.stack(rows, axis=1), table, rest))
    kernel = _two_cap_kernel(np.dtype(dtype).name)
    kernel[n_signals, n_channels](
        x, per_channel, table, rest, at.make_constants(coefficients, dtype), frame_samples, out
    )
    return out


def find_not_finite(x: Any) -> list[int]:
    """Which of the signals x (n_signals, n_samples) on a device have samples that are NaN or infinite."""
    found = _to_device(x, np.zeros(len(x), np.int32))
    _search()[len(x), SEARCHERS](x, found)
    return np.flatnonzero(found.get() if _is_cupy(x) else found.copy_to_host()).tolist()


def _is_cupy(x: Any) -> bool:
    return type(x).__module__.startswith("cupy")


def _empty(x: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Uninitialised device array of the kind of x."""
    if _is_cupy(x):
        import cupy

        return cupy.empty(shape, dtype)
    return cuda.device_array(shape, np.dtype(dtype))


def _to_device(x: Any, array: np.ndarray) -> Any:
    """Array as a device array of the kind of x."""
    if _is_cupy(x):
        import cupy

        return cupy.asarray(array)
    return cuda.to_device(array)


def two_cap_kernel(real: Any) -> Any:
    """The kernel as plain Python, for one type of number."""

    def two_cap(x, channels, table, rest, c, frame_samples, out):
        slope = cuda.shared.array(MAX_CHANNELS, real)
        intercept = cuda.shared.array(MAX_CHANNELS, real)
        memory = cuda.local.array(MAX_STAGES, real)
        pending = cuda.local.array(MAX_STAGES, real)
        phase = cuda.local.array(MAX_STAGES, numba.int64)
        signal, channel = cuda.blockIdx.x, cuda.threadIdx.x
        n_channels, n_stages, n_samples, n_frames = channels.shape[0], table.shape[0], x.shape[1], out.shape[2]
        a0, c0, h, r1 = channels[channel, A0], channels[channel, C0], channels[channel, H], channels[channel, R1]
        zr, health = channels[channel, ZR], channels[channel, HEALTH]
        ga, gb, gc = channels[channel, GA], channels[channel, GB], channels[channel, GC]
        zero = a0 - a0
        one = zero + np.float32(1)
        z1, z2, za, zb, dzb, dg, ac, nap, total = zero, zero, zero, zr, zero, zero, zero, zero, zero
        s_in = zero  # what enters this channel
        g = ga + gb + gc  # at full undamping
        cap1, cap2, gain = rest[0], rest[1], rest[2]
        for s in range(n_stages):
            memory[s], pending[s], phase[s] = zero, zero, 0
        filled, frame = 0, 0
        for t in range(n_samples):
            elapsed = np.float32(phase[0] + 1)
            z1, z2_next, own_slope, own_intercept = stage_step(
                s_in, z1, z2, za, one, zero, g, dg, zb, dzb, r1, a0, c0, h, elapsed, c
            )
            za, z2 = z2, z2_next
            # Inclusive scan: compose the affine maps of all channels up to this one.
            slope[channel], intercept[channel] = own_slope, own_intercept
            cuda.syncthreads()
            reach = 1
            while reach < n_channels:
                a, b = slope[channel], intercept[channel]
                if channel >= reach:
                    b = a * intercept[channel - reach] + b
                    a = a * slope[channel - reach]
                cuda.syncthreads()
                slope[channel], intercept[channel] = a, b
                cuda.syncthreads()
                reach *= 2
            heard = gain * x[signal, t]
            s_in = heard
            if channel > 0:
                s_in = slope[channel - 1] * heard + intercept[channel - 1]
            _, _, ac, cap1, cap2, nap = two_cap_output(s_in, own_slope, own_intercept, ac, cap1, cap2, nap, c)
            pending[0] += nap
            total += nap
            filled += 1
            if filled == frame_samples:
                if frame < n_frames:
                    out[signal, channel, frame] = total / np.float32(filled)
                total, filled, frame = zero, 0, frame + 1
            phase[0] += 1
            if phase[0] < table[0, at.DECIMATION]:
                cuda.syncthreads()  # before the next sample overwrites what a neighbour still reads
                continue
            phase[0] = 0
            due = 1
            while due < n_stages:
                pending[due] += pending[due - 1] * table[due - 1, at.INPUT_SCALE]
                phase[due] += 1
                if phase[due] < table[due, at.DECIMATION]:
                    break
                phase[due] = 0
                due += 1
            for s in range(due - 1, -1, -1):
                deeper = memory[s + 1] if s + 1 < n_stages else zero
                gathered = gather_step(
                    memory[s], pending[s], deeper, table[s, at.EPSILON], table[s, at.INPUT_SCALE], table[s, at.FEEDBACK]
                )
                cuda.syncthreads()
                slope[channel] = gathered
                pending[s] = zero
                cuda.syncthreads()
                basal = slope[channel - 1] if channel > 0 else slope[channel]
                apical = slope[channel + 1] if channel + 1 < n_channels else slope[channel]
                memory[s] = spatial_step(
                    basal, slope[channel], apical, table[s, at.BASAL], table[s, at.HERE], table[s, at.APICAL]
                )
            g, dg, zb, dzb = aim_step(memory[0], health, zr, ga, gb, gc, g, dg, zb, dzb, table[0, at.DECIMATION])
            cuda.syncthreads()

    return two_cap


@cache
def _two_cap_kernel(name: str) -> Any:
    return cuda.jit(two_cap_kernel(getattr(numba, name)))


def search_kernel(x, found):
    """The kernel of find_not_finite as plain Python: a block a signal."""
    for t in range(cuda.threadIdx.x, x.shape[1], cuda.blockDim.x):
        if not math.isfinite(x[cuda.blockIdx.x, t]):
            found[cuda.blockIdx.x] = 1  # whichever thread finds one writes the same


@cache
def _search() -> Any:
    return cuda.jit(search_kernel)
