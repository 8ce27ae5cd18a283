"""Adjoint of one sample of CARFAC on the CPU: the loops of sample.py, backwards.

The ripple's adjoint runs from the apex to the base and is affine too, s_bar -> g (out_bar + s_bar) + z1_bar: the
`leave` adjoints compose it inside all lanes at once, `enter_adjoint` takes it from lane to lane, `resonate_adjoint`
applies it.

samples is the tape, with `taped` values a group: what a sample t began with is entry t, what it left entry t + 1. What
a run's switches decide is decided before anything is compiled: LLVM vectorises worse where the tape's stride is a
variable.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from skaud.kernels._compile import compose_down, loop
from skaud.kernels.carfac import layout as at
from skaud.kernels.carfac.hair_cells import CELL_BARS, OUTPUT_ADJOINT, TWO_CAP_WITH_SYN, fibers_output_adjoint
from skaud.kernels.carfac.layout import BARS, BARS_GROUP, GROUP, LANES, N_CLASSES, Z1
from skaud.kernels.carfac.steps import STAGE_BARS, adder, ripple_step_adjoint, stage_step_adjoint
from skaud.kernels.carfac.taping import n_taped
from skaud.kernels.one_pole import ZERO


def release_transmitter_adjoint_for(taped):
    @loop
    def release_transmitter_adjoint(bars, lines, samples, seeds, frame, pending_bar, row, t, n_groups, c):
        """Adjoint of release_transmitter."""
        for k in range(n_groups):
            for l in range(LANES):
                j, q = k * BARS_GROUP + l + BARS_GROUP, k * taped + l + taped
                v = c.cap1_rest - samples[row, t + 1, q + (at.CAP1 - Z1)]
                nap_bar = seeds[0, row, frame, k * LANES + l] + pending_bar[row, 0, k * LANES + l]
                potential_bar = nap_bar - nap_bar
                for f in range(N_CLASSES):
                    # From k, l and f, not from i, j and q: only of those LLVM knows that they are not below 0.
                    i_f = k * GROUP + l + f * LANES + GROUP
                    j_f = k * BARS_GROUP + l + f * LANES + BARS_GROUP
                    q_f = k * taped + l + f * LANES + taped
                    # nap, reservoir, release = fibers_output(nap, v, lines[RESERVOIR], lines[RELEASE], ...)
                    v_bar, reservoir_bar, release_bar, n_fibers_bar = fibers_output_adjoint(
                        nap_bar,
                        bars[row, j_f + at.RESERVOIR],
                        bars[row, j_f + at.RELEASE],
                        v,
                        samples[row, t, q_f + (at.RESERVOIR - Z1)],
                        samples[row, t + 1, q_f + (at.RELEASE - Z1)],
                        lines[row, i_f + at.N_FIBERS],
                        lines[row, i_f + at.V_HALF],
                        lines[row, i_f + at.A1],
                        lines[row, i_f + at.A2],
                        lines[row, i_f + at.WEIGHT],
                        c,
                    )
                    bars[row, j_f + at.RESERVOIR] = reservoir_bar
                    bars[row, j_f + at.RELEASE] = release_bar
                    bars[row, j_f + at.N_FIBERS] += n_fibers_bar
                    potential_bar += v_bar
                # v = c.cap1_rest - lines[CAP1]
                bars[row, j + at.CAP1] -= potential_bar
                bars[row, j + BARS.cap1_rest] += potential_bar

    return release_transmitter_adjoint


@loop
def output_adjoint(out_bar, bars, lines, row, k, l, elapsed):
    """From the bar of one channel's output to the composite of the lane's channels, from its apical end to here."""
    i, j, basal = k * GROUP + l + GROUP, k * BARS_GROUP + l + BARS_GROUP, k * BARS_GROUP + l
    out_bar, slope, intercept = ripple_step_adjoint(
        out_bar,
        bars[row, j + at.SLOPE],
        bars[row, j + at.INTERCEPT],
        bars[row, j + at.Z1],
        lines[row, i + at.G],
        lines[row, i + at.DG],
        elapsed,
    )
    bars[row, j + at.OUT] = out_bar
    bars[row, basal + at.INTERCEPT] = intercept
    bars[row, basal + at.SLOPE] = slope
    bars[row, j + at.BM] = ZERO


def bars_adder(names):
    """Loop add(bars, row, j, own) that adds such bars of constants to the rows of a channel that have them."""
    return loop(adder(names, "bars, row, j", "bars[row, j + {}]", BARS))


add_stage_bars, add_cell_bars = bars_adder(STAGE_BARS), bars_adder(CELL_BARS)


def leave_adjoint_for(style, delay, constants):
    caps, synapse, second = style in at.SECOND, style == TWO_CAP_WITH_SYN, at.SECOND.get(style, 0)
    taped, cell_adjoint = n_taped(style, constants), OUTPUT_ADJOINT[style]
    nap_at = (at.NAP if constants else second) - Z1  # only the constants' bars ask for the NAP

    @loop
    def leave_adjoint(bars, lines, samples, seeds, frame, pending_bar, row, t, n_groups, elapsed, c):
        """Adjoint of leave; with a synapse the NAP is not the hair cell's; constants: also their bars."""
        for turn in range(n_groups):
            k = turn if delay else max(n_groups - 1 - turn, 0)
            for l in range(LANES):
                j, q = k * BARS_GROUP + l + BARS_GROUP, k * taped + l + taped
                bm_bar, ac_bar, bm = bars[row, j + at.BM], bars[row, j + at.AC], samples[row, t + 1, q + (at.BM - Z1)]
                nap_bar = bars[row, j + at.NAP] if caps else ZERO
                if not synapse:
                    nap_bar = nap_bar + seeds[0, row, frame, k * LANES + l] + pending_bar[row, 0, k * LANES + l]
                if caps:
                    # out, bm, ac, cap, between, nap = output(entry, slope, intercept, ac, cap, between, nap, c)
                    out_bar, ac_bar, cap_bar, between_bar, nap_bar, constants_bar = cell_adjoint(
                        bm_bar,
                        ac_bar,
                        bars[row, j + at.CAP1],
                        bars[row, j + second],
                        nap_bar,
                        bm,
                        samples[row, t, q + (at.CAP1 - Z1)],
                        samples[row, t + 1, q + (at.CAP1 - Z1)],
                        samples[row, t, q + (second - Z1)],
                        samples[row, t, q + nap_at],
                        c,
                    )
                    bars[row, j + at.CAP1] = cap_bar
                    bars[row, j + second] = between_bar
                    bars[row, j + at.NAP] = nap_bar
                    if constants:
                        add_cell_bars(bars, row, j, constants_bar)
                else:
                    # out, bm, ac, nap = output(entry, slope, intercept, ac, c)
                    out_bar, ac_bar = cell_adjoint(bm_bar, ac_bar, nap_bar, bm, c)
                bars[row, j + at.AC] = ac_bar
                output_adjoint(out_bar, bars, lines, row, k, l, elapsed)

    return leave_adjoint


@loop
def enter_adjoint(bars, row, entry):
    """Send the bar from lane to lane, last lane first; entry is what flows into each from its apical end.

    Returns the bar of the sample that entered the first lane.
    """
    # s = slope * s + intercept
    return compose_down(entry, (row, 0), bars, (row, at.SLOPE), (row, at.INTERCEPT))


@loop
def enter_delayed_adjoint(bars, row, entry, n_groups):
    """As enter_adjoint, with what flows into a lane kept for the sample before."""
    last = n_groups * BARS_GROUP
    for l in range(LANES):
        entry[row, l] = ZERO
    # entry[l + 1] = lines[last + OUT + l]
    for l in range(LANES - 1):
        bars[row, last + at.INTERCEPT + l] = bars[row, at.INTERCEPT + l + 1]
    return bars[row, at.INTERCEPT]


def resonate_adjoint_for(taped, delay, constants):
    @loop
    def resonate_adjoint(bars, lines, samples, entry, row, t, n_groups, elapsed, c):
        """Adjoint of resonate, or of resonate_delayed; constants: also the bars of what does not change."""
        for k in range(n_groups):
            for l in range(LANES):
                i, j, q = k * GROUP + l + GROUP, k * BARS_GROUP + l + BARS_GROUP, k * taped + l + taped
                basal = k * taped + l
                z1 = samples[row, t, q + (at.Z1 - Z1)]
                if delay:
                    s = samples[row, t, basal + (at.OUT - Z1)]
                    if k == 0:
                        s = samples[row, t + 1, basal + (at.OUT - Z1)]
                else:
                    s = samples[row, t + 1, basal + (at.OUT - Z1)]
                    z1 = z1 + samples[row, t, basal + (at.OUT - Z1)]
                # z1, z2, slope, intercept = stage_step(s_before, z1, z2, ...); out = slope * entry + intercept
                z1_bar, z2_bar, za_bar, g_bar, dg_bar, zb_bar, dzb_bar, r1_bar, constants_bar = stage_step_adjoint(
                    bars[row, j + at.Z1],
                    bars[row, j + at.Z2],
                    bars[row, j + at.OUT] + bars[row, j + at.SLOPE] * entry[row, l],
                    s,
                    z1,
                    samples[row, t, q + (at.Z2 - Z1)],
                    samples[row, t + 1, q + (at.Z2 - Z1)],
                    samples[row, t - 1, q + (at.Z2 - Z1)],
                    lines[row, i + at.G],
                    lines[row, i + at.DG],
                    lines[row, i + at.ZB],
                    lines[row, i + at.DZB],
                    lines[row, i + at.R1],
                    lines[row, i + at.A0],
                    lines[row, i + at.C0],
                    lines[row, i + at.H],
                    elapsed,
                    c,
                )
                # lines[ZA] = z2
                bars[row, j + at.Z2] = z2_bar + bars[row, j + at.ZA]
                bars[row, j + at.ZA] = za_bar
                bars[row, j + at.Z1] = z1_bar
                bars[row, j + at.G] += g_bar
                bars[row, j + at.DG] += dg_bar
                bars[row, j + at.ZB] += zb_bar
                bars[row, j + at.DZB] += dzb_bar
                if constants:
                    bars[row, j + at.R1] += r1_bar
                    add_stage_bars(bars, row, j, constants_bar)

    return resonate_adjoint


@cache
def respond_adjoint_for(style: int, delay: bool, constants: bool) -> Callable:
    """Adjoint of respond for one hair cell, with delay or ripple; constants: with the bars of what does not change."""
    taped, synapse = n_taped(style, constants), style == TWO_CAP_WITH_SYN
    release_transmitter_adjoint = release_transmitter_adjoint_for(taped)
    resonate_adjoint = resonate_adjoint_for(taped, delay, constants)
    leave_adjoint = leave_adjoint_for(style, delay, constants)

    @loop
    def respond_adjoint(bars, lines, tape, seeds, frame, start, u, n_groups, c, entry):
        """Adjoint of sample u of a segment that begins with sample `start`, in all rows; seeds has the NAP's bars."""
        n_rows, elapsed = lines.shape[0], np.float32(tape.elapsed[u])
        for row in range(n_rows):
            if synapse:
                release_transmitter_adjoint(
                    bars.lines, lines, tape.samples, seeds, frame, bars.pending, row, u + 1, n_groups, c
                )
            leave_adjoint(bars.lines, lines, tape.samples, seeds, frame, bars.pending, row, u + 1, n_groups, elapsed, c)
        for row in range(n_rows):
            if delay:
                bars.x[row, start + u] = enter_delayed_adjoint(bars.lines, row, entry, n_groups)
            else:
                bars.x[row, start + u] = enter_adjoint(bars.lines, row, entry)
        for row in range(n_rows):
            resonate_adjoint(bars.lines, lines, tape.samples, entry, row, u + 1, n_groups, elapsed, c)

    return respond_adjoint
