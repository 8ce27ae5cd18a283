"""Adjoint of CARFAC on a GPU: a warp a signal's ear, a block of samples at a time, the last one first.

A block is run forwards once more and leaves a tape, in shared memory where it fits; from a checkpoint where one is, or
from where the block before it led, which is kept while the blocks of a segment go back. Bars of states stay in the
thread that has the channel; those of parameters gather there and move to double precision after some blocks, to a place
that only this thread writes: they are the same bits in every run.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from skaud.kernels.carfac import cuda_layout as on
from skaud.kernels.carfac.hair_cells import (
    CELL_BARS,
    JUST_HWR,
    OUTPUT_ADJOINT,
    TWO_CAP_WITH_SYN,
    fibers_output_adjoint,
)
from skaud.kernels.carfac.layout import N_CLASSES, PLACES
from skaud.kernels.carfac.steps import STAGE_BARS, adder, ripple_step_adjoint, stage_step_adjoint
from skaud.kernels.device import ALL, cuda

# Loop add(total, own) that adds such bars of constants to where they lie.
add_stage_bars, add_cell_bars = (adder(own, "total", "total[{}]", PLACES) for own in (STAGE_BARS, CELL_BARS))


@cache
def cell_adjoint_of(style: int, delay: bool, constants: bool) -> Callable:
    """Adjoint of `cell_of`: bar of the stage's output, from those of bm and nap; before and after are the tape's."""
    ac, output_adjoint = on.rows_of(style, delay).ac, OUTPUT_ADJOINT[style]

    def just_hwr(k, bm_bar, nap_bar, z_bar, own_bar, total, bm, before, after, f, classes, c):
        # out, bm, ac, nap = output(entry, slope, intercept, ac, c)
        out_bar, z_bar[ac, k] = output_adjoint(bm_bar, z_bar[ac, k], nap_bar, bm, c)
        return out_bar

    def caps(k, bm_bar, nap_bar, z_bar, own_bar, total, bm, before, after, f, classes, c):
        # out, bm, ac, cap1, second, nap = output(entry, slope, intercept, ac, cap1, second, nap, c)
        out_bar, z_bar[ac, k], z_bar[on.CAP1, k], z_bar[on.SECOND, k], z_bar[on.NAP, k], bars = output_adjoint(
            bm_bar,
            z_bar[ac, k],
            z_bar[on.CAP1, k],
            z_bar[on.SECOND, k],
            nap_bar + z_bar[on.NAP, k],
            bm,
            before[on.CAP1, k],
            after[on.CAP1, k],
            before[on.SECOND, k],
            before[on.NAP, k],
            c,
        )
        if constants:
            add_cell_bars(total, bars)
        return out_bar

    def caps_with_syn(k, bm_bar, nap_bar, z_bar, own_bar, total, bm, before, after, f, classes, c):
        v, potential_bar = c.cap1_rest - after[on.CAP1, k], nap_bar - nap_bar
        for i in range(N_CLASSES):
            # nap, reservoir, release = fibers_output(nap, v, reservoir, release, ...)
            v_bar, z_bar[on.RESERVOIR + i, k], z_bar[on.RELEASE + i, k], n_fibers_bar = fibers_output_adjoint(
                nap_bar,
                z_bar[on.RESERVOIR + i, k],
                z_bar[on.RELEASE + i, k],
                v,
                before[on.RESERVOIR + i, k],
                after[on.RELEASE + i, k],
                f[on.N_FIBERS + i, k],
                classes[on.V_HALF + i],
                classes[on.A1 + i],
                classes[on.A2 + i],
                classes[on.WEIGHT + i],
                c,
            )
            potential_bar = potential_bar + v_bar
            if constants:
                own_bar[on.FIBERS_BAR + i, k] = own_bar[on.FIBERS_BAR + i, k] + n_fibers_bar
        # v = c.cap1_rest - cap1
        z_bar[on.CAP1, k] = z_bar[on.CAP1, k] - potential_bar
        if constants:
            total[PLACES.cap1_rest] = total[PLACES.cap1_rest] + potential_bar
        return caps(k, bm_bar, nap_bar - nap_bar, z_bar, own_bar, total, bm, before, after, f, classes, c)

    return {JUST_HWR: just_hwr, TWO_CAP_WITH_SYN: caps_with_syn}.get(style, caps)


@cache
def respond_adjoint_of(switches: on.Switches, constants: bool) -> Callable:
    """Adjoint of `respond_of`: bar of the sample."""
    rows, delay = on.rows_of(switches.style, switches.delay), switches.delay
    g, dg, zb, dzb, out = rows.g, rows.dg, rows.zb, rows.dzb, rows.out
    per_thread, n_lanes = switches.per_thread, switches.n_lanes
    doublings, real = n_lanes.bit_length() - 1, np.dtype(switches.dtype).type
    cell_adjoint = cell_adjoint_of(switches.style, delay, constants)

    def ripple_back(slope, intercept, lane):
        """What flows into this thread from its apical end, and the bar of the sample."""
        for e in range(doublings):
            slope_behind = cuda.shfl_down_sync(ALL, slope, 1 << e)
            intercept_behind = cuda.shfl_down_sync(ALL, intercept, 1 << e)
            if lane + (1 << e) < n_lanes:
                intercept = slope * intercept_behind + intercept
                slope = slope * slope_behind
        behind = cuda.shfl_down_sync(ALL, intercept, 1)
        return behind if lane + 1 < n_lanes else real(0), intercept

    def respond_adjoint(
        z_bar, bm_bar, nap_bar, own_bar, total, z, f, bm, inputs, before, after, outs, slopes, elapsed, classes, c, lane
    ):
        slope, intercept, entry, x_bar = real(1), real(0), real(0), real(0)
        for turn in range(per_thread):
            k = per_thread - 1 - turn
            outs[k] = cell_adjoint(k, bm_bar[k], nap_bar[k], z_bar, own_bar, total, bm[k], before, after, f, classes, c)
            slopes[k] = slope
            if delay:
                intercept = z_bar[out, k]
            # out = stage_output(s, ...), and s enters z1
            outs[k], slope, intercept = ripple_step_adjoint(
                outs[k], slope, intercept, z_bar[on.Z1, k], z[g, k], z[dg, k], elapsed
            )
            if delay:  # the bar of the stage's input, which is what the stage before left a sample ago
                slopes[k] = intercept
        if delay:
            behind = cuda.shfl_down_sync(ALL, slopes[0], 1)
            for k in range(per_thread):
                z_bar[out, k] = slopes[k + 1] if k + 1 < per_thread else (behind if lane + 1 < n_lanes else real(0))
            x_bar = slopes[0]
            for k in range(per_thread):
                slopes[k] = real(0)
        else:
            entry, x_bar = ripple_back(slope, intercept, lane)
        for k in range(per_thread):
            # z1, z2, slope, intercept = stage_step(...), z1 = z1 + s
            z_bar[on.Z1, k], z2_bar, za_bar, g_bar, dg_bar, zb_bar, dzb_bar, r1_bar, bars = stage_step_adjoint(
                z_bar[on.Z1, k],
                z_bar[on.Z2, k],
                outs[k] + slopes[k] * entry,
                inputs[k],
                before[on.Z1, k],
                before[on.Z2, k],
                after[on.Z2, k],
                before[on.ZA, k],
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
            # za = z2
            z_bar[on.Z2, k] = z2_bar + z_bar[on.ZA, k]
            z_bar[on.ZA, k] = za_bar
            z_bar[g, k] = z_bar[g, k] + g_bar
            z_bar[dg, k] = z_bar[dg, k] + dg_bar
            z_bar[zb, k] = z_bar[zb, k] + zb_bar
            z_bar[dzb, k] = z_bar[dzb, k] + dzb_bar
            if constants:
                own_bar[on.R1_BAR, k] = own_bar[on.R1_BAR, k] + r1_bar
                add_stage_bars(total, bars)
        return x_bar

    return respond_adjoint
