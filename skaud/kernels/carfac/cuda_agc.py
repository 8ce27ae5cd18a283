"""CARFAC's automatic gain control on a GPU: what the thread of a warp does for its channels."""

from collections.abc import Callable
from functools import cache

import numpy as np

from skaud.kernels.carfac import cuda_layout as on
from skaud.kernels.carfac import layout as at
from skaud.kernels.carfac.cuda_memory import store_own_for
from skaud.kernels.carfac.layout import N_COLUMNS
from skaud.kernels.carfac.steps import aim_step, gather_step, spatial_step
from skaud.kernels.device import ALL, cuda
from skaud.kernels.one_pole import smoothing_step
from skaud.kernels.pointwise import quotient


class Agc:
    """Functions of a row's automatic gain control, for some switches."""

    def __init__(self, switches: on.Switches) -> None:
        rows = on.rows_of(switches.style, switches.delay)
        g, dg, zb, dzb = rows.g, rows.dg, rows.zb, rows.dzb
        n_stages, n_ears, per_thread = switches.n_stages, switches.n_ears, switches.per_thread
        real = np.dtype(switches.dtype).type

        def hand_on(pending, phase, table):
            """Hand what each stage gathered to the deeper one; returns the number of stages whose time has come."""
            due = 1
            for s in range(1, n_stages):
                if due == s:
                    for k in range(per_thread):
                        pending[s, k] = pending[s, k] + pending[s - 1, k] * table[(s - 1) * N_COLUMNS + at.INPUT_SCALE]
                    phase[s] = phase[s] + 1
                    if real(phase[s]) >= table[s * N_COLUMNS + at.DECIMATION]:
                        phase[s] = 0
                        due = s + 1
            return due

        def neighbours(k, smoothed, below, above, lane, n_channels):
            """Channels on either side; at an end the channel itself."""
            basal = smoothed[k - 1] if k > 0 else (below if lane > 0 else smoothed[0])
            apical = smoothed[k + 1] if k + 1 < per_thread else above
            return basal, apical if lane * per_thread + k + 1 < n_channels else smoothed[k]

        def smooth(s, memory, pending, table, smoothed, lane, n_channels):
            row = s * N_COLUMNS
            for k in range(per_thread):
                smoothed[k] = gather_step(
                    memory[s, k],
                    pending[s, k],
                    memory[min(s + 1, n_stages - 1), k],
                    table[row + at.EPSILON],
                    table[row + at.INPUT_SCALE],
                    table[row + at.FEEDBACK],
                )
                pending[s, k] = real(0)
            below = cuda.shfl_up_sync(ALL, smoothed[per_thread - 1], 1)
            above = cuda.shfl_down_sync(ALL, smoothed[0], 1)
            for k in range(per_thread):
                basal, apical = neighbours(k, smoothed, below, above, lane, n_channels)
                memory[s, k] = spatial_step(
                    basal, smoothed[k], apical, table[row + at.BASAL], table[row + at.HERE], table[row + at.APICAL]
                )

        def smooth_due(memory, pending, due, table, smoothed, lane, n_channels):
            """The stages whose time has come, deeper ones first."""
            for i in range(n_stages):
                if n_stages - 1 - i < due:
                    smooth(n_stages - 1 - i, memory, pending, table, smoothed, lane, n_channels)

        def share_due(memory, due, table, shared, lane, ear):
            """Share them between the ears."""
            for s in range(n_stages if n_ears > 1 else 0):
                if s < due:
                    for k in range(per_thread):
                        shared[ear, lane * per_thread + k] = memory[s, k]
                    cuda.syncthreads()
                    for k in range(per_thread):
                        mean = shared[0, lane * per_thread + k]
                        for other in range(1, n_ears):
                            mean = mean + shared[other, lane * per_thread + k]
                        mean = quotient(mean, real(n_ears))
                        memory[s, k] = smoothing_step(memory[s, k], mean, table[s * N_COLUMNS + at.MIX])
                    cuda.syncthreads()

        def aim(z, f, memory, table):
            """Let the cascade's damping and gain run towards what the fastest stage asks for."""
            for k in range(per_thread):
                z[g, k], z[dg, k], z[zb, k], z[dzb, k] = aim_step(
                    memory[0, k],
                    f[on.HEALTH, k],
                    f[on.ZR, k],
                    f[on.GA, k],
                    f[on.GB, k],
                    f[on.GC, k],
                    z[g, k],
                    z[dg, k],
                    z[zb, k],
                    z[dzb, k],
                    table[at.DECIMATION],
                )

        self.hand_on, self.smooth_due, self.share_due, self.aim = hand_on, smooth_due, share_due, aim
        self.neighbours = neighbours


@cache
def advance_of(switches: on.Switches, taped: bool, constants: bool) -> Callable:
    """Function that hands a sample's NAP to the AGC, and updates it where its time has come; returns how often.

    taped : it leaves what its adjoint must know of a row's update, constants : and what the bars of the table need
    """
    agc, store, rows = Agc(switches), store_own_for(switches), on.rows_of(switches.style, switches.delay)
    hand_on, smooth_due, share_due, aim = agc.hand_on, agc.smooth_due, agc.share_due, agc.aim
    n_stages, per_thread = switches.n_stages, switches.per_thread
    g, n_ramps, width = rows.g, rows.n_ramps, per_thread * switches.n_lanes

    def advance(
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
        tape,
        row,
        update,
    ):
        for k in range(per_thread):
            pending[0, k] = pending[0, k] + nap[k]
        phase[0] = phase[0] + 1
        if phase[0] < decimation:
            return 0
        phase[0] = 0
        due = hand_on(pending, phase, table)
        if constants:
            kept = (row * tape.n_updates + update) * 3 * n_stages * width
            store(pending, 0, tape.kept, kept, n_stages, lane, n_channels)
            store(memory, 0, tape.kept, kept + n_stages * width, n_stages, lane, n_channels)
        smooth_due(memory, pending, due, table, smoothed, lane, n_channels)
        if constants:
            store(memory, 0, tape.kept, kept + 2 * n_stages * width, n_stages, lane, n_channels)
        share_due(memory, due, table, shared, lane, ear)
        aim(z, f, memory, table)
        if taped:
            place = row * tape.n_updates + update
            store(memory, 0, tape.reached, place * width, 1, lane, n_channels)
            store(z, g, tape.ramps, (place + row + 1) * n_ramps * width, n_ramps, lane, n_channels)
            if lane == 0:
                tape.dues[place] = due
        return 1

    return advance
