"""CARFAC on the CPU: channels side by side in SIMD lanes.

The ripple down the cascade is affine in its input, s -> g s + g h z2: `resonate` composes it inside all lanes at once,
group after group, `enter` takes it from lane to lane, `leave` applies it. The loops over lanes keep more than a handful
of operations, since LLVM unrolls shorter ones before it tries to vectorise.

A signal's result does not depend on the signals beside it: every one has rows of its own.
"""

import numpy as np

from skaud.kernels._compile import borrowed, kernel, loop, step
from skaud.kernels.carfac import (
    ONE_CAP,
    TWO_CAP,
    TWO_CAP_WITH_SYN,
    ZERO,
    Constants,
    high_pass_step,
    just_hwr_step,
    one_cap_step,
    ramp_step,
    resonator_step,
    stage_output,
    synapse_step,
    two_cap_step,
)
from skaud.kernels.carfac_agc import (
    add_samples,
    update_agc,
)
from skaud.kernels.carfac_layout import (
    A0,
    A1,
    A2,
    AC,
    BM,
    C0,
    CAP1,
    CAP2,
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
    SEGMENT,
    SLOPE,
    V_HALF,
    WEIGHT,
    Z1,
    Z2,
    ZA,
    ZB,
    G,
    H,
    Sizes,
)
from skaud.kernels.carfac_outputs import deliver

# --- plan and workspace, unfolded ------------------------------------------------------------------------------------


@loop
def unfold(plan):
    """Sizes and constants of a plan."""
    s, v = plan.sizes, plan.constants
    sizes = Sizes(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8])
    constants = Constants(
        velocity_scale=v[0],
        v_offset=v[1],
        ac_coeff=v[2],
        ihc_offset=v[3],
        ihc_knee=v[4],
        keep1=v[5],
        in1=v[6],
        out1=v[7],
        keep2=v[8],
        in2=v[9],
        out2=v[10],
        keep_lpf=v[11],
        lpf=v[12],
        lpf_gain=v[13],
        lpf_rest=v[14],
        cap1_rest=v[15],
        syn_per_width=v[16],
        syn_res=v[17],
        syn_lpf=v[18],
        spont_sub=v[19],
        taylor=(
            v[20],
            v[21],
            v[22],
            v[23],
            v[24],
            v[25],
            v[26],
            v[27],
            v[28],
            v[29],
            v[30],
            v[31],
            v[32],
            v[33],
            v[34],
            v[35],
            v[36],
        ),
    )
    return sizes, constants


@step
def split(work, n_rows, n_sources, width):
    """The workspace's parts: scratch, entry, smoothed."""
    work = borrowed(work)
    a = n_sources * n_rows * SEGMENT * width
    b = a + n_rows * LANES
    scratch = work[:a].reshape(n_sources, n_rows, SEGMENT, width)
    return scratch, work[a:b].reshape(n_rows, LANES), work[b : b + width + 2 * LANES]


# --- one sample of one row ------------------------------------------------------------------------------------------


@loop
def resonate(lines, row, n_groups, elapsed, velocity_scale, v_offset):
    """Step every resonator, and compose each lane's channels into one affine map of the lane's input.

    The input of a stage reaches its z1 here, one sample later, when it has been known for long.
    """
    for k in range(n_groups):
        for l in range(LANES):
            i = k * GROUP + l
            g = ramp_step(lines[row, i + (GROUP + G)], lines[row, i + (GROUP + DG)], elapsed)
            zb = ramp_step(lines[row, i + (GROUP + ZB)], lines[row, i + (GROUP + DZB)], elapsed)
            z1 = lines[row, i + (GROUP + Z1)] + lines[row, i + OUT]
            z2 = lines[row, i + (GROUP + Z2)]
            z1_next, z2_next = resonator_step(
                z1,
                z2,
                lines[row, i + (GROUP + ZA)],
                zb,
                lines[row, i + (GROUP + R1)],
                lines[row, i + (GROUP + A0)],
                lines[row, i + (GROUP + C0)],
                velocity_scale,
                v_offset,
            )
            lines[row, i + (GROUP + ZA)] = z2
            lines[row, i + (GROUP + Z1)] = z1_next
            lines[row, i + (GROUP + Z2)] = z2_next
            lines[row, i + (GROUP + INTERCEPT)] = stage_output(
                lines[row, i + INTERCEPT], z2_next, g, lines[row, i + (GROUP + H)]
            )
            lines[row, i + (GROUP + SLOPE)] = g * lines[row, i + SLOPE]


@loop
def enter(x, lines, row, entry, n_groups):
    """Send the sample x from lane to lane; entry is what flows into each."""
    last = n_groups * GROUP
    s = x
    for l in range(LANES):
        entry[row, l] = s
        lines[row, OUT + l] = s
        s = lines[row, last + SLOPE + l] * s + lines[row, last + INTERCEPT + l]


@loop
def resonate_delayed(x, lines, row, entry, n_groups, elapsed, velocity_scale, v_offset):
    """As resonate and enter, with a stage's input the output of the stage before one sample ago."""
    last = n_groups * GROUP
    for l in range(LANES - 1):
        entry[row, l + 1] = lines[row, last + OUT + l]
    entry[row, 0] = x
    for l in range(LANES):
        lines[row, OUT + l] = entry[row, l]
    for k in range(n_groups):
        for l in range(LANES):
            i = k * GROUP + l
            g = ramp_step(lines[row, i + (GROUP + G)], lines[row, i + (GROUP + DG)], elapsed)
            zb = ramp_step(lines[row, i + (GROUP + ZB)], lines[row, i + (GROUP + DZB)], elapsed)
            z2 = lines[row, i + (GROUP + Z2)]
            s = lines[row, i + OUT]
            z1_next, z2_next = resonator_step(
                lines[row, i + (GROUP + Z1)],
                z2,
                lines[row, i + (GROUP + ZA)],
                zb,
                lines[row, i + (GROUP + R1)],
                lines[row, i + (GROUP + A0)],
                lines[row, i + (GROUP + C0)],
                velocity_scale,
                v_offset,
            )
            lines[row, i + (GROUP + ZA)] = z2
            lines[row, i + (GROUP + Z1)] = z1_next + s
            lines[row, i + (GROUP + Z2)] = z2_next
            lines[row, i + (GROUP + INTERCEPT)] = stage_output(s, z2_next, g, lines[row, i + (GROUP + H)])
            lines[row, i + (GROUP + SLOPE)] = g - g


@loop
def leave_just_hwr(lines, row, entry, scratch, t, n_groups, c):
    """Outputs of all stages, and the hair cell that only rectifies."""
    for k in range(n_groups):
        for l in range(LANES):
            i = k * GROUP + l
            out = lines[row, i + (GROUP + SLOPE)] * entry[row, l] + lines[row, i + (GROUP + INTERCEPT)]
            bm, ac = high_pass_step(out, lines[row, i + (GROUP + AC)], c.ac_coeff)
            lines[row, i + (GROUP + OUT)] = out
            lines[row, i + (GROUP + BM)] = bm
            lines[row, i + (GROUP + AC)] = ac
            scratch[0, row, t, k * LANES + l] = just_hwr_step(bm)


@loop
def leave_one_cap(lines, row, entry, scratch, t, n_groups, c):
    """Outputs of all stages, and the hair cell of v1."""
    for k in range(n_groups):
        for l in range(LANES):
            i = k * GROUP + l
            out = lines[row, i + (GROUP + SLOPE)] * entry[row, l] + lines[row, i + (GROUP + INTERCEPT)]
            bm, ac = high_pass_step(out, lines[row, i + (GROUP + AC)], c.ac_coeff)
            cap, lpf, nap = one_cap_step(
                bm, lines[row, i + (GROUP + CAP1)], lines[row, i + (GROUP + LPF)], lines[row, i + (GROUP + NAP)], c
            )
            lines[row, i + (GROUP + OUT)] = out
            lines[row, i + (GROUP + BM)] = bm
            lines[row, i + (GROUP + AC)] = ac
            lines[row, i + (GROUP + CAP1)] = cap
            lines[row, i + (GROUP + LPF)] = lpf
            lines[row, i + (GROUP + NAP)] = nap
            scratch[0, row, t, k * LANES + l] = nap


@loop
def leave_two_cap(lines, row, entry, scratch, t, n_groups, c):
    """Outputs of all stages, and the hair cell of v2."""
    for k in range(n_groups):
        for l in range(LANES):
            i = k * GROUP + l
            out = lines[row, i + (GROUP + SLOPE)] * entry[row, l] + lines[row, i + (GROUP + INTERCEPT)]
            bm, ac = high_pass_step(out, lines[row, i + (GROUP + AC)], c.ac_coeff)
            cap1, cap2, nap = two_cap_step(
                bm, lines[row, i + (GROUP + CAP1)], lines[row, i + (GROUP + CAP2)], lines[row, i + (GROUP + NAP)], c
            )
            lines[row, i + (GROUP + OUT)] = out
            lines[row, i + (GROUP + BM)] = bm
            lines[row, i + (GROUP + AC)] = ac
            lines[row, i + (GROUP + CAP1)] = cap1
            lines[row, i + (GROUP + CAP2)] = cap2
            lines[row, i + (GROUP + NAP)] = nap
            scratch[0, row, t, k * LANES + l] = nap


@loop
def release_transmitter(lines, row, scratch, t, n_groups, c):
    """Fibres of every class, driven by the receptor potential; they replace the hair cell's NAP."""
    for k in range(n_groups):
        for l in range(LANES):
            i = k * GROUP + l
            v = c.cap1_rest - lines[row, i + (GROUP + CAP1)]
            nap = -c.spont_sub
            for f in range(N_CLASSES):
                j = i + GROUP + f * LANES
                reservoir, release = synapse_step(
                    v,
                    lines[row, j + RESERVOIR],
                    lines[row, j + RELEASE],
                    lines[row, j + V_HALF],
                    lines[row, j + A1],
                    lines[row, j + A2],
                    c,
                )
                lines[row, j + RESERVOIR] = reservoir
                lines[row, j + RELEASE] = release
                nap += lines[row, j + N_FIBERS] * release * lines[row, j + WEIGHT]
            scratch[0, row, t, k * LANES + l] = nap


# --- runs -----------------------------------------------------------------------------------------------------------


@loop
def respond(x, time, lines, elapsed, p, c, scratch, t, entry):
    """Cascade and hair cells of all rows, for the sample x[:, time]; the NAP goes to scratch[0, :, t].

    Rows take turns in every phase of a sample, so that one computes while another waits for its ripple.
    """
    style, n_groups, n_rows = p.style, p.n_groups, x.shape[0]
    if p.delay:
        for row in range(n_rows):
            resonate_delayed(x[row, time], lines, row, entry, n_groups, elapsed, c.velocity_scale, c.v_offset)
    else:
        for row in range(n_rows):
            resonate(lines, row, n_groups, elapsed, c.velocity_scale, c.v_offset)
        for row in range(n_rows):
            enter(x[row, time], lines, row, entry, n_groups)
    if style >= TWO_CAP:
        for row in range(n_rows):
            leave_two_cap(lines, row, entry, scratch, t, n_groups, c)
        if style == TWO_CAP_WITH_SYN:
            for row in range(n_rows):
                release_transmitter(lines, row, scratch, t, n_groups, c)
    elif style == ONE_CAP:
        for row in range(n_rows):
            leave_one_cap(lines, row, entry, scratch, t, n_groups, c)
    else:
        for row in range(n_rows):
            leave_just_hwr(lines, row, entry, scratch, t, n_groups, c)


@loop
def advance(x, start, stop, lines, memory, pending, phase, table, p, c, taps, scratch, entry, smoothed):
    """Run samples start to stop of x (n_rows, n_samples).

    scratch (1 + n_taps, n_rows, SEGMENT, width) takes the NAP, then the tapped rows.
    """
    n_groups, n_rows = p.n_groups, x.shape[0]
    summed = 0
    for t in range(stop - start):
        elapsed = np.float32(phase[0] + 1)  # samples since the AGC's last update, this one included
        respond(x, start + t, lines, elapsed, p, c, scratch, t, entry)
        for tap in range(len(taps)):
            for row in range(n_rows):
                for k in range(n_groups):
                    for l in range(LANES):
                        value = lines[row, k * GROUP + l + (GROUP + taps[tap])]
                        if taps[tap] == ZB:
                            value = ramp_step(value, lines[row, k * GROUP + l + (GROUP + DZB)], elapsed)
                        scratch[1 + tap, row, t, k * LANES + l] = value
        if p.closed:
            phase[0] += 1
            due = phase[0] == p.first_decimation
            if due or t + 1 == stop - start:
                for row in range(n_rows):
                    add_samples(scratch, 0, row, summed, t + 1, pending, 0)
                summed = t + 1
            if due:
                phase[0] = 0
                update_agc(lines, memory, pending, phase, table, p, smoothed)


@kernel
def run(x, start, stop, state, plan, taps, first, work, out):
    """Samples start to stop of x at full rate.

    out (n_rows, n_outputs, n_channels, n_samples) takes the NAP and the taps, from number `first` on.
    """
    p, c = unfold(plan)
    n_rows, width, n_sources = x.shape[0], p.n_groups * LANES, 1 + len(taps)
    scratch, entry, smoothed = split(work, n_rows, n_sources, width)
    x, table, taps = borrowed(x), borrowed(plan.table), borrowed(taps)
    lines, memory, pending = borrowed(state.lines), borrowed(state.memory), borrowed(state.pending)
    phase = borrowed(state.phase)
    for begin in range(start, stop, SEGMENT):
        end = min(begin + SEGMENT, stop)
        advance(x, begin, end, lines, memory, pending, phase, table, p, c, taps, scratch, entry, smoothed)
        for row in range(n_rows):
            for output in range(out.shape[1]):
                deliver(scratch, first + output, row, out, output, begin, end - begin, p.n_groups, p.n_channels)


@kernel
def close_frame(state, plan, out, frame):
    """Write the mean of what the frame holds, and start a new one."""
    p, _ = unfold(plan)
    count = np.float32(state.frame_filled[0])
    n_rows, n_outputs, width = state.frame_sum.shape
    for row in range(n_rows):
        for output in range(n_outputs):
            for channel in range(p.n_channels):
                position = channel % p.n_groups * LANES + channel // p.n_groups
                out[row, output, channel, frame] = state.frame_sum[row, output, position] / count
            for i in range(width):
                state.frame_sum[row, output, i] = ZERO
    state.frame_filled[0] = 0


@kernel
def run_frames(x, start, stop, state, plan, taps, first, frame_length, work, out, n_frames):
    """As run, averaged over frames of frame_length samples; out has n_frames already, returns how many it has then.

    A frame that x leaves unfinished stays in state.frame_sum.
    """
    p, c = unfold(plan)
    n_rows, width, n_sources = x.shape[0], p.n_groups * LANES, 1 + len(taps)
    scratch, entry, smoothed = split(work, n_rows, n_sources, width)
    x, table, taps = borrowed(x), borrowed(plan.table), borrowed(taps)
    lines, memory, pending = borrowed(state.lines), borrowed(state.memory), borrowed(state.pending)
    phase = borrowed(state.phase)
    begin = start
    while begin < stop:
        end = min(begin + SEGMENT, stop, begin + frame_length - state.frame_filled[0])
        advance(x, begin, end, lines, memory, pending, phase, table, p, c, taps, scratch, entry, smoothed)
        for row in range(n_rows):
            for output in range(out.shape[1]):
                add_samples(scratch, first + output, row, 0, end - begin, state.frame_sum, output)
        state.frame_filled[0] += end - begin
        if state.frame_filled[0] == frame_length:
            close_frame(state, plan, out, n_frames)
            n_frames += 1
        begin = end
    return n_frames
