"""Adjoint of CARFAC's automatic gain control on a GPU: the functions of cuda_agc.py, backwards."""

import numpy as np

from skaud.kernels.carfac import cuda_layout as on
from skaud.kernels.carfac import layout as at
from skaud.kernels.carfac.cuda_agc import Agc
from skaud.kernels.carfac.layout import N_COLUMNS
from skaud.kernels.carfac.steps import aim_step_adjoint, gather_step, gather_step_adjoint, spatial_step_adjoint
from skaud.kernels.device import ALL, add_at, cuda
from skaud.kernels.one_pole import smoothing_step_adjoint
from skaud.kernels.pointwise import quotient


class AgcAdjoint:
    """Adjoints of the functions of `Agc`; kept is the tape's, (3 * n_stages, channels of the thread)."""

    def __init__(self, switches: on.Switches, constants: bool) -> None:
        rows, neighbours = on.rows_of(switches.style, switches.delay), Agc(switches).neighbours
        g, dg, zb, dzb = rows.g, rows.dg, rows.zb, rows.dzb
        n_stages, n_ears, per_thread = switches.n_stages, switches.n_ears, switches.per_thread
        n_lanes = switches.n_lanes
        real = np.dtype(switches.dtype).type

        def add_to(table_bars, own_bars, s, column, bar):
            """Add to a bar of the table, in this thread's own place: between two updates no register holds it."""
            add_at(table_bars, own_bars + (s * N_COLUMNS + column) * n_lanes, np.float64(bar))

        def aim_adjoint(z_bar, own_bar, memory_bar, f, reached, table):
            for k in range(per_thread):
                (
                    stage_bar,
                    health_bar,
                    zr_bar,
                    ga_bar,
                    gb_bar,
                    gc_bar,
                    z_bar[g, k],
                    z_bar[dg, k],
                    z_bar[zb, k],
                    z_bar[dzb, k],
                ) = aim_step_adjoint(
                    z_bar[g, k],
                    z_bar[dg, k],
                    z_bar[zb, k],
                    z_bar[dzb, k],
                    reached[k],
                    f[on.HEALTH, k],
                    f[on.ZR, k],
                    f[on.GA, k],
                    f[on.GB, k],
                    f[on.GC, k],
                    table[at.DECIMATION],
                )
                memory_bar[0, k] = memory_bar[0, k] + stage_bar
                own_bar[on.ZR_BAR, k] = own_bar[on.ZR_BAR, k] + zr_bar
                own_bar[on.GA_BAR, k] = own_bar[on.GA_BAR, k] + ga_bar
                own_bar[on.GB_BAR, k] = own_bar[on.GB_BAR, k] + gb_bar
                own_bar[on.GC_BAR, k] = own_bar[on.GC_BAR, k] + gc_bar
                own_bar[on.HEALTH_BAR, k] = own_bar[on.HEALTH_BAR, k] + health_bar

        def share_due_adjoint(memory_bar, table_bars, own_bars, due, kept, table, shared, lane, ear):
            for s in range(n_stages if n_ears > 1 else 0):
                if s < due:
                    for k in range(per_thread):
                        # memory = smoothing_step(memory, mean, mix)
                        memory, mean = real(0), real(0)
                        if constants:
                            memory = kept[2 * n_stages + s, k]
                            shared[ear, lane * per_thread + k] = memory
                            cuda.syncthreads()
                            for other in range(n_ears):
                                mean = mean + quotient(shared[other, lane * per_thread + k], real(n_ears))
                            cuda.syncthreads()
                        memory_bar[s, k], mean_bar, mix_bar = smoothing_step_adjoint(
                            memory_bar[s, k], memory, mean, table[s * N_COLUMNS + at.MIX]
                        )
                        if constants:
                            add_to(table_bars, own_bars, s, at.MIX, mix_bar)
                        shared[ear, lane * per_thread + k] = mean_bar
                    cuda.syncthreads()
                    # mean = sum of memory / n_ears
                    for k in range(per_thread):
                        mean_bar = real(0)
                        for other in range(n_ears):
                            mean_bar = mean_bar + shared[other, lane * per_thread + k]
                        memory_bar[s, k] = memory_bar[s, k] + quotient(mean_bar, real(n_ears))
                    cuda.syncthreads()

        def spatial_adjoint(s, smoothed_bar, memory_bar, table, lane, n_channels):
            row = s * N_COLUMNS
            below = cuda.shfl_up_sync(ALL, memory_bar[s, per_thread - 1], 1)
            above = cuda.shfl_down_sync(ALL, memory_bar[s, 0], 1)
            for k in range(per_thread):
                channel, here = lane * per_thread + k, memory_bar[s, k]
                basal = memory_bar[s, k - 1] if k > 0 else below
                apical = memory_bar[s, k + 1] if k + 1 < per_thread else above
                # memory = spatial_step(basal, smoothed, apical, BASAL, HERE, APICAL), at an end with itself
                smoothed_bar[k] = spatial_step_adjoint(
                    apical if channel + 1 < n_channels else real(0),
                    here,
                    basal if channel > 0 else real(0),
                    table[row + at.BASAL],
                    table[row + at.HERE],
                    table[row + at.APICAL],
                )
                if channel >= n_channels:
                    smoothed_bar[k] = real(0)
                if channel == 0:
                    smoothed_bar[k] = smoothed_bar[k] + table[row + at.BASAL] * here
                if channel + 1 == n_channels:
                    smoothed_bar[k] = smoothed_bar[k] + table[row + at.APICAL] * here

        def spatial_table_adjoint(s, table_bars, own_bars, memory_bar, kept, table, smoothed, lane, n_channels):
            row = s * N_COLUMNS
            for k in range(per_thread):
                smoothed[k] = gather_step(
                    kept[n_stages + s, k],
                    kept[s, k],
                    kept[2 * n_stages + min(s + 1, n_stages - 1), k],
                    table[row + at.EPSILON],
                    table[row + at.INPUT_SCALE],
                    table[row + at.FEEDBACK],
                )
            below = cuda.shfl_up_sync(ALL, smoothed[per_thread - 1], 1)
            above = cuda.shfl_down_sync(ALL, smoothed[0], 1)
            basal_bar, here_bar, apical_bar = real(0), real(0), real(0)
            for k in range(per_thread):
                basal, apical = neighbours(k, smoothed, below, above, lane, n_channels)
                basal_bar = basal_bar + memory_bar[s, k] * basal
                here_bar = here_bar + memory_bar[s, k] * smoothed[k]
                apical_bar = apical_bar + memory_bar[s, k] * apical
            add_to(table_bars, own_bars, s, at.BASAL, basal_bar)
            add_to(table_bars, own_bars, s, at.HERE, here_bar)
            add_to(table_bars, own_bars, s, at.APICAL, apical_bar)

        def smooth_adjoint(
            s, memory_bar, pending_bar, table_bars, own_bars, kept, table, smoothed, smoothed_bar, lane, n_channels
        ):
            row = s * N_COLUMNS
            spatial_adjoint(s, smoothed_bar, memory_bar, table, lane, n_channels)
            if constants:
                spatial_table_adjoint(s, table_bars, own_bars, memory_bar, kept, table, smoothed, lane, n_channels)
            own_epsilon_bar, own_scale_bar, own_feedback_bar = real(0), real(0), real(0)
            for k in range(per_thread):
                memory, gathered, deeper = real(0), real(0), real(0)
                if constants:
                    memory, gathered = kept[n_stages + s, k], kept[s, k]
                    deeper = kept[2 * n_stages + min(s + 1, n_stages - 1), k]
                # smoothed = gather_step(memory, pending, deeper, epsilon, scale, feedback)
                memory_bar[s, k], pending_bar[s, k], deeper_bar, epsilon_bar, scale_bar, feedback_bar = (
                    gather_step_adjoint(
                        smoothed_bar[k],
                        memory,
                        gathered,
                        deeper,
                        table[row + at.EPSILON],
                        table[row + at.INPUT_SCALE],
                        table[row + at.FEEDBACK],
                    )
                )
                if s + 1 < n_stages:
                    memory_bar[s + 1, k] = memory_bar[s + 1, k] + deeper_bar
                own_epsilon_bar = own_epsilon_bar + epsilon_bar
                own_scale_bar = own_scale_bar + scale_bar
                own_feedback_bar = own_feedback_bar + feedback_bar
            if constants:
                add_to(table_bars, own_bars, s, at.EPSILON, own_epsilon_bar)
                add_to(table_bars, own_bars, s, at.INPUT_SCALE, own_scale_bar)
                add_to(table_bars, own_bars, s, at.FEEDBACK, own_feedback_bar)

        def smooth_due_adjoint(
            memory_bar, pending_bar, table_bars, own_bars, due, kept, table, smoothed, smoothed_bar, lane, n_channels
        ):
            for s in range(n_stages):
                if s < due:
                    smooth_adjoint(
                        s,
                        memory_bar,
                        pending_bar,
                        table_bars,
                        own_bars,
                        kept,
                        table,
                        smoothed,
                        smoothed_bar,
                        lane,
                        n_channels,
                    )

        def hand_on_adjoint(pending_bar, table_bars, own_bars, due, kept, table):
            for i in range(n_stages - 1):
                s = n_stages - 1 - i
                if s <= due:
                    scale_bar = real(0)
                    for k in range(per_thread):
                        # pending[s] = pending[s] + pending[s - 1] * INPUT_SCALE
                        pending_bar[s - 1, k] = (
                            pending_bar[s - 1, k] + pending_bar[s, k] * table[(s - 1) * N_COLUMNS + at.INPUT_SCALE]
                        )
                        if constants:
                            scale_bar = scale_bar + pending_bar[s, k] * kept[s - 1, k]
                    if constants:
                        add_to(table_bars, own_bars, s - 1, at.INPUT_SCALE, scale_bar)

        self.aim, self.share_due, self.hand_on = aim_adjoint, share_due_adjoint, hand_on_adjoint
        self.smooth_due = smooth_due_adjoint
