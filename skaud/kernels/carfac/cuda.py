"""CARFAC on a GPU: a warp a signal's ear, neighbouring channels in a thread, over the composites that the CPU runs.

The ripple down the cascade is affine in its input: a thread composes its own channels, and shuffles compose those of a
warp. States and coefficients stay in registers, ears meet at barriers when they share their AGC. The numbers that the
functions here close over are known when a kernel is compiled: its loops over channels and stages are unrolled.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from skaud.kernels.carfac import cuda_layout as on
from skaud.kernels.carfac import layout as at
from skaud.kernels.carfac.cuda_agc import advance_of
from skaud.kernels.carfac.cuda_memory import load_for, state_mover, store_for, store_own_for
from skaud.kernels.carfac.hair_cells import JUST_HWR, OUTPUT, TWO_CAP_WITH_SYN, fibers_output
from skaud.kernels.carfac.layout import N_CLASSES
from skaud.kernels.carfac.steps import ramp_step, stage_step
from skaud.kernels.device import ALL, cuda
from skaud.kernels.one_pole import ZERO
from skaud.kernels.pointwise import quotient

N_COEFFICIENTS = on.N_COEFFICIENTS


@cache
def cell_of(style: int, delay: bool) -> Callable:
    """Function for what a channel does after the ripple: it leaves bm and nap, and returns the stage's output."""
    ac, output = on.rows_of(style, delay).ac, OUTPUT[style]

    def just_hwr(k, entry, slope, intercept, z, f, bm, nap, classes, c):
        out, bm[k], z[ac, k], nap[k] = output(entry, slope, intercept, z[ac, k], c)
        return out

    def caps(k, entry, slope, intercept, z, f, bm, nap, classes, c):
        out, bm[k], z[ac, k], z[on.CAP1, k], z[on.SECOND, k], z[on.NAP, k] = output(
            entry, slope, intercept, z[ac, k], z[on.CAP1, k], z[on.SECOND, k], z[on.NAP, k], c
        )
        nap[k] = z[on.NAP, k]
        return out

    def caps_with_syn(k, entry, slope, intercept, z, f, bm, nap, classes, c):
        out = caps(k, entry, slope, intercept, z, f, bm, nap, classes, c)
        v, total = c.cap1_rest - z[on.CAP1, k], -c.spont_sub
        for i in range(N_CLASSES):
            total, z[on.RESERVOIR + i, k], z[on.RELEASE + i, k] = fibers_output(
                total,
                v,
                z[on.RESERVOIR + i, k],
                z[on.RELEASE + i, k],
                f[on.N_FIBERS + i, k],
                classes[on.V_HALF + i],
                classes[on.A1 + i],
                classes[on.A2 + i],
                classes[on.WEIGHT + i],
                c,
            )
        nap[k] = total
        return out

    return {JUST_HWR: just_hwr, TWO_CAP_WITH_SYN: caps_with_syn}.get(style, caps)


@cache
def respond_of(switches: on.Switches) -> Callable:
    """Function for a sample of a row."""
    rows, cell, n = on.rows_of(switches.style, switches.delay), cell_of(switches.style, switches.delay), switches
    g, dg, zb, dzb, last_out = rows.g, rows.dg, rows.zb, rows.dzb, rows.out
    delay, per_thread, doublings = n.delay, n.per_thread, n.n_lanes.bit_length() - 1
    real = np.dtype(n.dtype).type

    def stage(k, s, slope, intercept, z, f, elapsed, c):
        z2 = z[on.Z2, k]
        z1, z[on.Z2, k], slope, intercept = stage_step(
            ZERO,  # z1 holds its input already
            z[on.Z1, k],
            z2,
            z[on.ZA, k],
            slope,
            intercept,
            z[g, k],
            z[dg, k],
            z[zb, k],
            z[dzb, k],
            f[on.R1, k],
            f[on.A0, k],
            f[on.C0, k],
            f[on.H, k],
            elapsed,
            c,
        )
        z[on.ZA, k] = z2
        z[on.Z1, k] = z1 + s
        return slope, intercept

    def ripple(x, slope, intercept, lane):
        """What enters this thread's first stage, when x enters that of the first thread."""
        for e in range(doublings):
            slope_before = cuda.shfl_up_sync(ALL, slope, 1 << e)
            intercept_before = cuda.shfl_up_sync(ALL, intercept, 1 << e)
            if lane >= 1 << e:
                intercept = slope * intercept_before + intercept
                slope = slope * slope_before
        slope_before = cuda.shfl_up_sync(ALL, slope, 1)
        intercept_before = cuda.shfl_up_sync(ALL, intercept, 1)
        return slope_before * x + intercept_before if lane > 0 else x

    def respond(x, z, f, slopes, intercepts, inputs, bm, nap, elapsed, classes, c, lane):
        """Leaves every stage's input, and bm and nap of every channel."""
        if delay:
            before = cuda.shfl_up_sync(ALL, z[last_out, per_thread - 1], 1)
            for k in range(per_thread):
                inputs[k] = z[last_out, k - 1] if k > 0 else (before if lane > 0 else x)
            for k in range(per_thread):
                slopes[k], intercepts[k] = stage(k, inputs[k], real(0), inputs[k], z, f, elapsed, c)
            for k in range(per_thread):
                z[last_out, k] = cell(k, real(0), slopes[k], intercepts[k], z, f, bm, nap, classes, c)
        else:
            slope, intercept = real(1), real(0)
            for k in range(per_thread):
                slope, intercept = stage(k, real(0), slope, intercept, z, f, elapsed, c)
                slopes[k], intercepts[k] = slope, intercept
            entry = ripple(x, slope, intercept, lane)
            s = entry
            for k in range(per_thread):
                inputs[k] = s
                z[on.Z1, k] = z[on.Z1, k] + s
                s = cell(k, entry, slopes[k], intercepts[k], z, f, bm, nap, classes, c)

    return respond


def run_kernel(switches: on.Switches, taps: tuple[int, ...], checkpointed: bool) -> Callable:
    """Kernel of a run; taps : what its outputs are taken from."""
    respond, advance = respond_of(switches), advance_of(switches, False, False)
    load, store = load_for(switches), store_for(switches)
    load_state, store_state = state_mover(load, switches), state_mover(store, switches)
    keep_state = state_mover(store_own_for(switches), switches, own=True)
    per_thread, n_stages, n_ears, closed = switches.per_thread, switches.n_stages, switches.n_ears, switches.closed
    rows, real = on.rows_of(switches.style, switches.delay), np.dtype(switches.dtype).type
    zb, dzb, n_states, n_taps = rows.zb, rows.dzb, rows.n_states, len(taps)
    n_saved, width = n_states + 2 * n_stages, per_thread * switches.n_lanes

    def tapped(tap, k, z, bm, nap, elapsed):
        if tap == on.NAP_TAP:
            return nap[k]
        if tap == on.BM_TAP:
            return bm[k]
        return ramp_step(z[zb, k], z[dzb, k], elapsed) if tap == on.AGC_TAP else z[tap, k]

    def run(x, lengths, state, design, sizes, checkpoints, out):
        """Samples of x (n_rows, n_samples), of which a signal has lengths[signal].

        out (n_rows, n_taps, n_channels, n_frames) takes frames, checkpoints the states every so many samples. A thread
        is given as (thread of the warp, ear).
        """
        signal, lane, ear = cuda.blockIdx.x, cuda.threadIdx.x, cuda.threadIdx.y
        row, n_channels = signal * n_ears + ear, sizes.n_channels
        frame_samples, n_frames = sizes.frame_samples, sizes.n_frames
        table, classes, c = design.table, design.classes, design.constants
        f, z = cuda.local.array((N_COEFFICIENTS, per_thread), real), cuda.local.array((n_states, per_thread), real)
        memory, pending = (
            cuda.local.array((n_stages, per_thread), real),
            cuda.local.array((n_stages, per_thread), real),
        )
        phase, total = cuda.local.array(n_stages, np.int32), cuda.local.array((n_taps, per_thread), real)
        slopes, intercepts = cuda.local.array(per_thread, real), cuda.local.array(per_thread, real)
        inputs, smoothed = cuda.local.array(per_thread, real), cuda.local.array(per_thread, real)
        bm, nap = cuda.local.array(per_thread, real), cuda.local.array(per_thread, real)
        shared = cuda.shared.array((n_ears, width), real)
        own_design = (ear % design.n_designs) * N_COEFFICIENTS * n_channels
        load(f, 0, design.coefficients, own_design, N_COEFFICIENTS, lane, n_channels)
        begin = row * state.n_values * n_channels
        load_state(z, memory, pending, state.values, begin, lane, n_channels)
        load(total, 0, state.values, begin + n_saved * n_channels, n_taps, lane, n_channels)
        for s in range(n_stages):
            phase[s] = state.counts[row * (n_stages + 1) + s]
        filled, frame = state.counts[row * (n_stages + 1) + n_stages], -sizes.first
        until_checkpoint, checkpoint, decimation = 0, row, np.int32(table[at.DECIMATION])
        for t in range(lengths[signal]):
            if checkpointed and until_checkpoint == 0:  # counted: a division takes as long as a stage
                keep_state(z, memory, pending, checkpoints.values, checkpoint * n_saved * width, lane, n_channels)
                if lane == 0:
                    for s in range(n_stages):
                        checkpoints.phases[checkpoint * n_stages + s] = phase[s]
                until_checkpoint, checkpoint = sizes.segment, checkpoint + cuda.gridDim.x * n_ears
            elapsed = real(phase[0] + 1)
            respond(x[row * sizes.n_samples + t], z, f, slopes, intercepts, inputs, bm, nap, elapsed, classes, c, lane)
            for k in range(per_thread):
                for i in range(n_taps):
                    total[i, k] = total[i, k] + tapped(taps[i], k, z, bm, nap, elapsed)
            until_checkpoint -= 1
            filled += 1
            if filled == frame_samples:
                for i in range(n_taps):
                    for k in range(per_thread):
                        channel = lane * per_thread + k
                        if channel < n_channels and frame >= 0:
                            place = ((row * n_taps + i) * n_channels + channel) * n_frames + frame
                            out[place] = quotient(total[i, k], real(frame_samples))
                        total[i, k] = real(0)
                filled = 0
                frame += 1
            if closed:
                advance(
                    nap,
                    z,
                    f,
                    memory,
                    pending,
                    phase,
                    table,
                    decimation,
                    smoothed,
                    shared,
                    lane,
                    ear,
                    n_channels,
                    None,
                    row,
                    0,
                )
        store_state(z, memory, pending, state.values, begin, lane, n_channels)
        store(total, 0, state.values, begin + n_saved * n_channels, n_taps, lane, n_channels)
        if lane == 0:  # all read them before they shuffled
            for s in range(n_stages):
                state.counts[row * (n_stages + 1) + s] = phase[s]
            state.counts[row * (n_stages + 1) + n_stages] = filled

    run.threads = switches.n_lanes * n_ears  # type: ignore[attr-defined]
    return run
