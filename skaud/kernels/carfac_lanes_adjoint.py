"""Adjoint of one sample of CARFAC on the CPU: the loops of carfac_lanes.py, backwards.

The ripple's adjoint runs from the apex to the base and is affine too, s_bar -> g (out_bar + s_bar) + z1_bar: the
`leave` adjoints compose it inside all lanes at once, `enter_adjoint` takes it from lane to lane, `resonate_adjoint`
applies it.

samples is the tape, with `taped` values a group: what a sample t began with is entry t, what it left entry t + 1.
"""

from skaud.kernels._compile import compose_down, loop
from skaud.kernels.carfac import (
    ZERO,
    high_pass_step_adjoint,
    just_hwr_step_adjoint,
    one_cap_step_adjoint,
    ramp_step,
    ramp_step_adjoint,
    resonator_step_adjoint,
    stage_output_adjoint,
    synapse_step_adjoint,
    two_cap_step_adjoint,
)
from skaud.kernels.carfac_layout import (
    A0,
    A1,
    A2,
    AC,
    BARS_GROUP,
    BM,
    C0,
    CAP1,
    CAP2,
    CONSTANT_ROWS,
    DG,
    DZB,
    GROUP,
    INTERCEPT,
    LANES,
    LPF,
    N_CLASSES,
    N_FIBERS,
    NAP,
    OUT,
    R1,
    RELEASE,
    RESERVOIR,
    SLOPE,
    V_HALF,
    WEIGHT,
    Z1,
    Z2,
    ZA,
    ZB,
    G,
    H,
)

(
    VELOCITY_SCALE,
    V_OFFSET,
    _AC_COEFF,
    _IHC_OFFSET,
    _IHC_KNEE,
    KEEP1,
    IN1,
    OUT1,
    KEEP2,
    IN2,
    OUT2,
    KEEP_LPF,
    LPF_COEFF,
    LPF_GAIN,
    LPF_REST,
    CAP1_REST,
    *_,
) = CONSTANT_ROWS


@loop
def release_transmitter_adjoint(bars, lines, samples, taped, seeds, frame, pending_bar, row, t, n_groups, c):
    """Adjoint of release_transmitter."""
    for k in range(n_groups):
        for l in range(LANES):
            i, j, q = k * GROUP + l, k * BARS_GROUP + l, k * taped + l
            v = c.cap1_rest - samples[row, t + 1, q + (taped - Z1 + CAP1)]
            nap_bar = seeds[0, row, frame, k * LANES + l] + pending_bar[row, 0, k * LANES + l]
            potential_bar = nap_bar - nap_bar
            for f in range(N_CLASSES):
                i, j, q = k * GROUP + l + f * LANES, k * BARS_GROUP + l + f * LANES, q + (LANES if f else 0)
                weight = lines[row, i + (GROUP + WEIGHT)]
                # nap += lines[N_FIBERS] * release * lines[WEIGHT]
                release_bar = (
                    bars[row, j + (BARS_GROUP + RELEASE)] + nap_bar * lines[row, i + (GROUP + N_FIBERS)] * weight
                )
                bars[row, j + (BARS_GROUP + N_FIBERS)] += (
                    nap_bar * samples[row, t + 1, q + (taped - Z1 + RELEASE)] * weight
                )
                # reservoir, release = synapse_step(v, lines[RESERVOIR], lines[RELEASE], ...)
                v_bar, reservoir_bar, release_bar = synapse_step_adjoint(
                    bars[row, j + (BARS_GROUP + RESERVOIR)],
                    release_bar,
                    v,
                    samples[row, t, q + (taped - Z1 + RESERVOIR)],
                    lines[row, i + (GROUP + V_HALF)],
                    lines[row, i + (GROUP + A1)],
                    lines[row, i + (GROUP + A2)],
                    c,
                )
                bars[row, j + (BARS_GROUP + RESERVOIR)] = reservoir_bar
                bars[row, j + (BARS_GROUP + RELEASE)] = release_bar
                potential_bar += v_bar
            # v = c.cap1_rest - lines[CAP1]
            j = k * BARS_GROUP + l
            bars[row, j + (BARS_GROUP + CAP1)] -= potential_bar
            bars[row, j + (BARS_GROUP + CAP1_REST)] += potential_bar


@loop
def leave_adjoint(bm_bar, bars, lines, row, i, j, elapsed, ac_coeff):
    """From the bar of one channel's BM output to the composite of the lane's channels, from its apical end to here."""
    # bm, ac = high_pass_step(out, lines[AC], c.ac_coeff)
    out_bar, ac_bar = high_pass_step_adjoint(bm_bar, bars[row, j + (BARS_GROUP + AC)], ac_coeff)
    bars[row, j + (BARS_GROUP + AC)] = ac_bar
    # s = out of the channel before; out = g * s + ..., and s enters z1
    g = ramp_step(lines[row, i + (GROUP + G)], lines[row, i + (GROUP + DG)], elapsed)
    apical_bar = bars[row, j + (BARS_GROUP + INTERCEPT)]
    bars[row, j + (BARS_GROUP + OUT)] = out_bar + apical_bar
    bars[row, j + INTERCEPT] = g * apical_bar + (g * out_bar + bars[row, j + (BARS_GROUP + Z1)])
    bars[row, j + SLOPE] = g * bars[row, j + (BARS_GROUP + SLOPE)]


@loop
def leave_just_hwr_adjoint(bars, lines, samples, taped, seeds, frame, pending_bar, row, t, p, elapsed, c):
    """Adjoint of leave_just_hwr."""
    for turn in range(p.n_groups):
        k = turn if p.delay else max(p.n_groups - 1 - turn, 0)
        for l in range(LANES):
            i, j, q = k * GROUP + l, k * BARS_GROUP + l, k * taped + l
            nap_bar = seeds[0, row, frame, k * LANES + l] + pending_bar[row, 0, k * LANES + l]
            # nap = just_hwr_step(bm)
            bm_bar = just_hwr_step_adjoint(nap_bar, samples[row, t + 1, q + (taped - Z1 + BM)])
            bm_bar = bm_bar + bars[row, j + (BARS_GROUP + BM)]
            bars[row, j + (BARS_GROUP + BM)] = ZERO
            leave_adjoint(bm_bar, bars, lines, row, i, j, elapsed, c.ac_coeff)


@loop
def leave_one_cap_adjoint(bars, lines, samples, taped, seeds, frame, pending_bar, row, t, p, elapsed, c, constants):
    """Adjoint of leave_one_cap; constants: also their bars."""
    for turn in range(p.n_groups):
        k = turn if p.delay else max(p.n_groups - 1 - turn, 0)
        for l in range(LANES):
            i, j, q = k * GROUP + l, k * BARS_GROUP + l, k * taped + l
            nap_bar = seeds[0, row, frame, k * LANES + l] + pending_bar[row, 0, k * LANES + l]
            # cap, lpf, nap = one_cap_step(bm, lines[CAP1], lines[LPF], lines[NAP], c)
            bm_bar, cap_bar, lpf_bar, nap_bar, keep1, in1, out1, keep_lpf, lpf, lpf_gain, lpf_rest = (
                one_cap_step_adjoint(
                    bars[row, j + (BARS_GROUP + CAP1)],
                    bars[row, j + (BARS_GROUP + LPF)],
                    nap_bar + bars[row, j + (BARS_GROUP + NAP)],
                    samples[row, t + 1, q + (taped - Z1 + BM)],
                    samples[row, t, q + (taped - Z1 + CAP1)],
                    samples[row, t, q + (taped - Z1 + LPF)],
                    samples[row, t, q + (taped - Z1 + NAP)],
                    c,
                )
            )
            bars[row, j + (BARS_GROUP + CAP1)] = cap_bar
            bars[row, j + (BARS_GROUP + LPF)] = lpf_bar
            bars[row, j + (BARS_GROUP + NAP)] = nap_bar
            if constants:
                bars[row, j + (BARS_GROUP + KEEP1)] += keep1
                bars[row, j + (BARS_GROUP + IN1)] += in1
                bars[row, j + (BARS_GROUP + OUT1)] += out1
                bars[row, j + (BARS_GROUP + KEEP_LPF)] += keep_lpf
                bars[row, j + (BARS_GROUP + LPF_COEFF)] += lpf
                bars[row, j + (BARS_GROUP + LPF_GAIN)] += lpf_gain
                bars[row, j + (BARS_GROUP + LPF_REST)] += lpf_rest
            bm_bar = bm_bar + bars[row, j + (BARS_GROUP + BM)]
            bars[row, j + (BARS_GROUP + BM)] = ZERO
            leave_adjoint(bm_bar, bars, lines, row, i, j, elapsed, c.ac_coeff)


@loop
def leave_two_cap_adjoint(
    bars, lines, samples, taped, seeds, frame, pending_bar, row, t, p, elapsed, c, synapse, constants
):
    """Adjoint of leave_two_cap; with a synapse the NAP is not the hair cell's; constants: also their bars."""
    for turn in range(p.n_groups):
        k = turn if p.delay else max(p.n_groups - 1 - turn, 0)
        for l in range(LANES):
            i, j, q = k * GROUP + l, k * BARS_GROUP + l, k * taped + l
            nap_bar = bars[row, j + (BARS_GROUP + NAP)]
            if not synapse:
                nap_bar = nap_bar + seeds[0, row, frame, k * LANES + l] + pending_bar[row, 0, k * LANES + l]
            # cap1, cap2, nap = two_cap_step(bm, lines[CAP1], lines[CAP2], lines[NAP], c)
            bm_bar, cap1_bar, cap2_bar, nap_bar, keep1, in1, out1, keep2, in2, out2, keep_lpf, lpf_gain, lpf_rest = (
                two_cap_step_adjoint(
                    bars[row, j + (BARS_GROUP + CAP1)],
                    bars[row, j + (BARS_GROUP + CAP2)],
                    nap_bar,
                    samples[row, t + 1, q + (taped - Z1 + BM)],
                    samples[row, t, q + (taped - Z1 + CAP1)],
                    samples[row, t + 1, q + (taped - Z1 + CAP1)],
                    samples[row, t, q + (taped - Z1 + CAP2)],
                    samples[row, t, q + (taped - Z1 + (NAP if constants else CAP2))],  # only their bars ask for it
                    c,
                )
            )
            bars[row, j + (BARS_GROUP + CAP1)] = cap1_bar
            bars[row, j + (BARS_GROUP + CAP2)] = cap2_bar
            bars[row, j + (BARS_GROUP + NAP)] = nap_bar
            if constants:
                bars[row, j + (BARS_GROUP + KEEP1)] += keep1
                bars[row, j + (BARS_GROUP + IN1)] += in1
                bars[row, j + (BARS_GROUP + OUT1)] += out1
                bars[row, j + (BARS_GROUP + KEEP2)] += keep2
                bars[row, j + (BARS_GROUP + IN2)] += in2
                bars[row, j + (BARS_GROUP + OUT2)] += out2
                bars[row, j + (BARS_GROUP + KEEP_LPF)] += keep_lpf
                bars[row, j + (BARS_GROUP + LPF_GAIN)] += lpf_gain
                bars[row, j + (BARS_GROUP + LPF_REST)] += lpf_rest
            bm_bar = bm_bar + bars[row, j + (BARS_GROUP + BM)]
            bars[row, j + (BARS_GROUP + BM)] = ZERO
            leave_adjoint(bm_bar, bars, lines, row, i, j, elapsed, c.ac_coeff)


@loop
def enter_adjoint(bars, row, entry):
    """Send the bar from lane to lane, last lane first; entry is what flows into each from its apical end.

    Returns the bar of the sample that entered the first lane.
    """
    # s = slope * s + intercept
    return compose_down(entry, (row, 0), bars, (row, SLOPE), (row, INTERCEPT))


@loop
def enter_delayed_adjoint(bars, row, entry, n_groups):
    """As enter_adjoint, with what flows into a lane kept for the sample before."""
    last = n_groups * BARS_GROUP
    for l in range(LANES):
        entry[row, l] = ZERO
    # entry[l + 1] = lines[last + OUT + l]
    for l in range(LANES - 1):
        bars[row, last + INTERCEPT + l] = bars[row, INTERCEPT + l + 1]
    return bars[row, INTERCEPT]


@loop
def resonate_adjoint(bars, lines, samples, taped, entry, row, t, n_groups, elapsed, c, delay, constants):
    """Adjoint of resonate, or of resonate_delayed; constants: also the bars of what does not change."""
    for k in range(n_groups):
        for l in range(LANES):
            i, j, q = k * GROUP + l, k * BARS_GROUP + l, k * taped + l
            g = ramp_step(lines[row, i + (GROUP + G)], lines[row, i + (GROUP + DG)], elapsed)
            zb = ramp_step(lines[row, i + (GROUP + ZB)], lines[row, i + (GROUP + DZB)], elapsed)
            z1 = samples[row, t, q + (taped - Z1 + Z1)]
            if delay:
                s = samples[row, t, q + (OUT - Z1)]
                if k == 0:
                    s = samples[row, t + 1, q + (OUT - Z1)]
            else:
                s = samples[row, t + 1, q + (OUT - Z1)]
                z1 = z1 + samples[row, t, q + (OUT - Z1)]
            # out = slope * entry + intercept
            out_bar = bars[row, j + (BARS_GROUP + OUT)] + bars[row, j + (BARS_GROUP + SLOPE)] * entry[row, l]
            # out = stage_output(s, z2_next, g, lines[H])
            _, z2_next_bar, g_bar = stage_output_adjoint(
                out_bar, s, samples[row, t + 1, q + (taped - Z1 + Z2)], g, lines[row, i + (GROUP + H)]
            )
            # z1_next, z2_next = resonator_step(z1, z2, lines[ZA], zb, lines[R1], lines[A0], lines[C0], ...)
            z1_bar, z2_bar, za_bar, zb_bar, r1_bar, velocity_scale_bar, v_offset_bar = resonator_step_adjoint(
                bars[row, j + (BARS_GROUP + Z1)],
                z2_next_bar + bars[row, j + (BARS_GROUP + Z2)],
                z1,
                samples[row, t, q + (taped - Z1 + Z2)],
                samples[row, t - 1, q + (taped - Z1 + Z2)],
                zb,
                lines[row, i + (GROUP + R1)],
                lines[row, i + (GROUP + A0)],
                lines[row, i + (GROUP + C0)],
                c.velocity_scale,
                c.v_offset,
            )
            # lines[ZA] = z2
            bars[row, j + (BARS_GROUP + Z2)] = z2_bar + bars[row, j + (BARS_GROUP + ZA)]
            bars[row, j + (BARS_GROUP + ZA)] = za_bar
            bars[row, j + (BARS_GROUP + Z1)] = z1_bar
            # g, zb = ramp_step(lines[G], lines[DG], elapsed), ramp_step(lines[ZB], lines[DZB], elapsed)
            g_bar, dg_bar = ramp_step_adjoint(g_bar, elapsed)
            zb_bar, dzb_bar = ramp_step_adjoint(zb_bar, elapsed)
            bars[row, j + (BARS_GROUP + G)] += g_bar
            bars[row, j + (BARS_GROUP + DG)] += dg_bar
            bars[row, j + (BARS_GROUP + ZB)] += zb_bar
            bars[row, j + (BARS_GROUP + DZB)] += dzb_bar
            if constants:
                bars[row, j + (BARS_GROUP + R1)] += r1_bar
                bars[row, j + (BARS_GROUP + VELOCITY_SCALE)] += velocity_scale_bar
                bars[row, j + (BARS_GROUP + V_OFFSET)] += v_offset_bar
