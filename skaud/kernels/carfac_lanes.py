"""CARFAC on the CPU: channels side by side in SIMD lanes.

Channel c lies in lane c // n_groups and group c % n_groups, so a lane holds n_groups neighbours. The ripple down the
cascade is affine in its input, s -> g s + g h z2: `resonate` composes it inside all lanes at once, group after group,
`enter` takes it from lane to lane, `leave` applies it. Everything of one channel lies in one flat array, the lines:
(group, row, lane), with a group more in front, the header, which holds what flows into the first channel of each lane.
Constant strides in one array let LLVM prove that nothing overlaps, and vectorise; the loops over lanes keep more than a
handful of operations, since LLVM unrolls shorter ones before it tries.

A signal's result does not depend on the signals beside it: every signal is a run of its own.
"""

from math import factorial
from typing import Any, NamedTuple

import numpy as np

from skaud.kernels._compile import kernel
from skaud.kernels.carfac import (
    ONE_CAP,
    TAYLOR_TERMS,
    TWO_CAP,
    TWO_CAP_WITH_SYN,
    ZERO,
    Constants,
    agc_filter_step,
    ear_mix_step,
    high_pass_step,
    just_hwr_step,
    one_cap_step,
    ramp_step,
    relative_undamping,
    resonator_step,
    spatial_step,
    stage_gain,
    stage_output,
    synapse_step,
    two_cap_step,
)

LANES = 16
N_CLASSES = 3  # spontaneous-rate classes of the synapse
SEGMENT = 64  # samples between two visits to the output arrays

# Rows of a group. Cascade: coefficients, state, and what it passes on.
A0, C0, H, R1, Z1, Z2, ZA, ZB, DZB, G, DG, AC, OUT, BM = (row * LANES for row in range(14))
# Composite of a lane's channels so far: out = SLOPE * input of the lane + INTERCEPT.
SLOPE, INTERCEPT = 14 * LANES, 15 * LANES
# Hair cell, and the sum of the NAP since the AGC last looked.
CAP1, CAP2, LPF, LPF2, NAP, NAP_SUM = (row * LANES for row in range(16, 22))
# Synapse, a row a class.
RESERVOIR, RELEASE, N_FIBERS, V_HALF, A1, A2, WEIGHT = ((22 + N_CLASSES * row) * LANES for row in range(7))
# What closes the AGC's loop.
ZR, GA, GB, GC, HEALTH = ((22 + 7 * N_CLASSES + row) * LANES for row in range(5))
N_ROWS = 22 + 7 * N_CLASSES + 5
GROUP = N_ROWS * LANES  # from one group to the next


class AGC(NamedTuple):
    """Arrays of the AGC, a row a stage."""

    decimation: np.ndarray
    epsilon: np.ndarray
    spatial_fir: np.ndarray
    mix: np.ndarray


class State(NamedTuple):
    """Everything a run changes, for one signal.

    lines : (n_ears, (n_groups + 1) * GROUP), memory and pending : (n_stages, n_ears, n_groups * LANES), phase : (n_stages,),
    frame_sum : (n_taps, n_ears, n_groups * LANES), frame_filled : (1,), samples that frame_sum holds.
    """

    lines: np.ndarray
    memory: np.ndarray
    pending: np.ndarray
    phase: np.ndarray
    frame_sum: np.ndarray
    frame_filled: np.ndarray

    def copy(self) -> "State":
        """Copy that shares nothing."""
        return State(*(array.copy() for array in self))


class Plan(NamedTuple):
    """What a run reads and never changes."""

    n_groups: int
    n_channels: int
    style: int
    delay: bool
    closed: bool
    constants: Constants
    agc: AGC


# --- layout ---------------------------------------------------------------------------------------------------------


def n_groups_for(n_channels: int) -> int:
    """Groups that hold so many channels; the last lanes may stay empty."""
    return -(-n_channels // LANES)


def lane_position(n_channels: int) -> np.ndarray:
    """Index into (group, lane), flattened, of every channel."""
    channel = np.arange(n_channels)
    n_groups = n_groups_for(n_channels)
    return channel % n_groups * LANES + channel // n_groups


def plan(coefficients: Any, style: int, dtype: Any, *, delay: bool, closed: bool) -> Plan:
    """Constants of a run from a design (`skaud.design.carfac.CARFACCoefficients`)."""
    car, hair, synapse, agc = coefficients
    scalar = np.dtype(dtype).type
    cell = hair._asdict() if hair is not None else {}
    values = {
        "velocity_scale": car.velocity_scale,
        "v_offset": car.v_offset,
        "ac_coeff": car.ac_coeff,
        "ihc_offset": cell.get("offset", 0.0),
        "ihc_knee": cell.get("knee", 0.0),
        "lpf": cell.get("lpf", 0.0),
        "out1": cell.get("out1", cell.get("out", 0.0)),
        "in1": cell.get("in1", cell.get("into", 0.0)),
        "out2": cell.get("out2", 0.0),
        "in2": cell.get("in2", 0.0),
        "gain": cell.get("gain", 0.0),
        "rest": cell.get("rest", 0.0),
        "cap1_rest": cell.get("cap1_rest", cell.get("cap_rest", 0.0)),
        "syn_per_width": 1 / synapse.v_width if synapse else 0.0,
        "syn_res": synapse.res if synapse else 0.0,
        "syn_lpf": synapse.lpf if synapse else 0.0,
        "spont_sub": synapse.spont_sub if synapse else 0.0,
        "detect_scale": agc.detect_scale / agc.decimation[0],
        "stage_gain": agc.stage_gain,
        "ramp": 1 / agc.decimation[0],
    }
    taylor = tuple(scalar(1 / factorial(TAYLOR_TERMS - 1 - n)) for n in range(TAYLOR_TERMS))
    return Plan(
        n_groups=n_groups_for(len(car.pole_hz)),
        n_channels=len(car.pole_hz),
        style=style,
        delay=delay,
        closed=closed,
        constants=Constants(**{name: scalar(value) for name, value in values.items()}, taylor=taylor),
        agc=AGC(agc.decimation.copy(), *(array.astype(dtype) for array in (agc.epsilon, agc.spatial_fir, agc.mix))),
    )


def initial_state(coefficients: Any, dtype: Any, n_ears: int, *, n_taps: int = 1, open_loop: bool = False) -> State:
    """State at rest. The lines carry a copy of the coefficients of their channels."""
    car, hair, synapse, agc = coefficients
    n_channels = len(car.pole_hz)
    n_groups = n_groups_for(n_channels)
    group, lane = np.divmod(lane_position(n_channels), LANES)
    lines = np.zeros((n_groups + 1, N_ROWS, LANES), dtype)
    # A closed loop starts at full undamping and lets the AGC bring in the health; an open one stays where it starts.
    start = car.ohc_health if open_loop else np.ones(n_channels)
    rows = {
        A0: car.a0,
        C0: car.c0,
        H: car.h,
        R1: car.r1,
        ZB: car.zr * start,
        G: car.stage_gain(start),
        ZR: car.zr,
        GA: car.ga,
        GB: car.gb,
        GC: car.gc,
        HEALTH: car.ohc_health,
    }
    if hair is not None:
        rows |= {LPF: hair.rest, CAP1: getattr(hair, "cap1_rest", getattr(hair, "cap_rest", 0.0))}
        rows |= {CAP2: hair.cap2_rest} if hasattr(hair, "cap2_rest") else {LPF2: hair.rest}
    for k in range(N_CLASSES if synapse else 0):
        rows |= {
            RESERVOIR + k * LANES: synapse.q0[k],
            RELEASE + k * LANES: synapse.spont_p[k],
            N_FIBERS + k * LANES: synapse.n_fibers[:, k],
            V_HALF + k * LANES: synapse.v_half[k],
            A1 + k * LANES: synapse.a1[k],
            A2 + k * LANES: synapse.a2[k],
            WEIGHT + k * LANES: synapse.agc_weight[k],
        }
    for row, values in rows.items():
        lines[group + 1, row // LANES, lane] = values
    lines[0, SLOPE // LANES] = 1
    n_stages, width = len(agc.epsilon), n_groups * LANES
    return State(
        lines=np.tile(lines.reshape(1, -1), (n_ears, 1)),
        memory=np.zeros((n_stages, n_ears, width), dtype),
        pending=np.zeros((n_stages, n_ears, width), dtype),
        phase=np.zeros(n_stages, np.int64),
        frame_sum=np.zeros((n_taps, n_ears, width), dtype),
        frame_filled=np.zeros(1, np.int64),
    )


# --- one sample of one ear ------------------------------------------------------------------------------------------


@kernel
def resonate(lines, n_groups, velocity_scale, v_offset):
    """Step every resonator, and compose each lane's channels into one affine map of the lane's input.

    The input of a stage reaches its z1 here, one sample later, when it has been known for long.
    """
    for k in range(n_groups):
        for l in range(LANES):
            i = k * GROUP + l
            g = lines[i + (GROUP + G)] + lines[i + (GROUP + DG)]
            zb = lines[i + (GROUP + ZB)] + lines[i + (GROUP + DZB)]
            z1 = lines[i + (GROUP + Z1)] + lines[i + OUT]
            z2 = lines[i + (GROUP + Z2)]
            z1_next, z2_next = resonator_step(
                z1,
                z2,
                lines[i + (GROUP + ZA)],
                zb,
                lines[i + (GROUP + R1)],
                lines[i + (GROUP + A0)],
                lines[i + (GROUP + C0)],
                velocity_scale,
                v_offset,
            )
            lines[i + (GROUP + G)] = g
            lines[i + (GROUP + ZB)] = zb
            lines[i + (GROUP + ZA)] = z2
            lines[i + (GROUP + Z1)] = z1_next
            lines[i + (GROUP + Z2)] = z2_next
            lines[i + (GROUP + INTERCEPT)] = stage_output(lines[i + INTERCEPT], z2_next, g, lines[i + (GROUP + H)])
            lines[i + (GROUP + SLOPE)] = g * lines[i + SLOPE]


@kernel
def enter(x, lines, entry, n_groups):
    """Send the sample x from lane to lane; entry is what flows into each."""
    last = n_groups * GROUP
    s = x
    for l in range(LANES):
        entry[l] = s
        lines[OUT + l] = s
        s = lines[last + SLOPE + l] * s + lines[last + INTERCEPT + l]


@kernel
def resonate_delayed(x, lines, entry, n_groups, velocity_scale, v_offset):
    """As resonate and enter, with a stage's input the output of the stage before one sample ago."""
    last = n_groups * GROUP
    for l in range(LANES - 1):
        entry[l + 1] = lines[last + OUT + l]
    entry[0] = x
    for l in range(LANES):
        lines[OUT + l] = entry[l]
    for back in range(n_groups):  # from the last group on, so that the outputs before are still those of one sample ago
        k = n_groups - 1 - back
        for l in range(LANES):
            i = k * GROUP + l
            g = lines[i + (GROUP + G)] + lines[i + (GROUP + DG)]
            zb = lines[i + (GROUP + ZB)] + lines[i + (GROUP + DZB)]
            z2 = lines[i + (GROUP + Z2)]
            s = lines[i + OUT]
            z1_next, z2_next = resonator_step(
                lines[i + (GROUP + Z1)],
                z2,
                lines[i + (GROUP + ZA)],
                zb,
                lines[i + (GROUP + R1)],
                lines[i + (GROUP + A0)],
                lines[i + (GROUP + C0)],
                velocity_scale,
                v_offset,
            )
            lines[i + (GROUP + G)] = g
            lines[i + (GROUP + ZB)] = zb
            lines[i + (GROUP + ZA)] = z2
            lines[i + (GROUP + Z1)] = z1_next + s
            lines[i + (GROUP + Z2)] = z2_next
            out = stage_output(s, z2_next, g, lines[i + (GROUP + H)])
            lines[i + (GROUP + OUT)] = out
            lines[i + (GROUP + INTERCEPT)] = out
            lines[i + (GROUP + SLOPE)] = g - g


@kernel
def leave_just_hwr(lines, entry, n_groups, c):
    """Outputs of all stages, and the hair cell that only rectifies."""
    for k in range(n_groups):
        for l in range(LANES):
            i = k * GROUP + l
            out = lines[i + (GROUP + SLOPE)] * entry[l] + lines[i + (GROUP + INTERCEPT)]
            bm, ac = high_pass_step(out, lines[i + (GROUP + AC)], c.ac_coeff)
            nap = just_hwr_step(bm)
            lines[i + (GROUP + OUT)] = out
            lines[i + (GROUP + BM)] = bm
            lines[i + (GROUP + AC)] = ac
            lines[i + (GROUP + NAP)] = nap
            lines[i + (GROUP + NAP_SUM)] += nap


@kernel
def leave_one_cap(lines, entry, n_groups, c):
    """Outputs of all stages, and the hair cell of v1."""
    for k in range(n_groups):
        for l in range(LANES):
            i = k * GROUP + l
            out = lines[i + (GROUP + SLOPE)] * entry[l] + lines[i + (GROUP + INTERCEPT)]
            bm, ac = high_pass_step(out, lines[i + (GROUP + AC)], c.ac_coeff)
            cap, lpf1, lpf2 = one_cap_step(
                bm, lines[i + (GROUP + CAP1)], lines[i + (GROUP + LPF)], lines[i + (GROUP + LPF2)], c
            )
            nap = lpf2 - c.rest
            lines[i + (GROUP + OUT)] = out
            lines[i + (GROUP + BM)] = bm
            lines[i + (GROUP + AC)] = ac
            lines[i + (GROUP + CAP1)] = cap
            lines[i + (GROUP + LPF)] = lpf1
            lines[i + (GROUP + LPF2)] = lpf2
            lines[i + (GROUP + NAP)] = nap
            lines[i + (GROUP + NAP_SUM)] += nap


@kernel
def leave_two_cap(lines, entry, n_groups, c):
    """Outputs of all stages, and the hair cell of v2."""
    for k in range(n_groups):
        for l in range(LANES):
            i = k * GROUP + l
            out = lines[i + (GROUP + SLOPE)] * entry[l] + lines[i + (GROUP + INTERCEPT)]
            bm, ac = high_pass_step(out, lines[i + (GROUP + AC)], c.ac_coeff)
            cap1, cap2, lpf = two_cap_step(
                bm, lines[i + (GROUP + CAP1)], lines[i + (GROUP + CAP2)], lines[i + (GROUP + LPF)], c
            )
            nap = lpf - c.rest
            lines[i + (GROUP + OUT)] = out
            lines[i + (GROUP + BM)] = bm
            lines[i + (GROUP + AC)] = ac
            lines[i + (GROUP + CAP1)] = cap1
            lines[i + (GROUP + CAP2)] = cap2
            lines[i + (GROUP + LPF)] = lpf
            lines[i + (GROUP + NAP)] = nap
            lines[i + (GROUP + NAP_SUM)] += nap


@kernel
def synapse(lines, n_groups, c):
    """Fibres of every class, driven by the receptor potential; they replace what the hair cell added to the NAP."""
    for k in range(n_groups):
        for l in range(LANES):
            i = k * GROUP + l
            before = lines[i + (GROUP + NAP)]
            v = c.cap1_rest - lines[i + (GROUP + CAP1)]
            nap = -c.spont_sub
            for f in range(0, N_CLASSES * LANES, LANES):
                reservoir, release = synapse_step(
                    v,
                    lines[i + f + (GROUP + RESERVOIR)],
                    lines[i + f + (GROUP + RELEASE)],
                    lines[i + f + (GROUP + V_HALF)],
                    lines[i + f + (GROUP + A1)],
                    lines[i + f + (GROUP + A2)],
                    c,
                )
                lines[i + f + (GROUP + RESERVOIR)] = reservoir
                lines[i + f + (GROUP + RELEASE)] = release
                nap += lines[i + f + (GROUP + N_FIBERS)] * release * lines[i + f + (GROUP + WEIGHT)]
            lines[i + (GROUP + NAP)] = nap
            lines[i + (GROUP + NAP_SUM)] += nap - before


# --- the AGC, whenever its first decimation has passed --------------------------------------------------------------


@kernel
def smooth(memory, pending, smoothed, fir, n_groups, n_channels):
    """Spatial filter of one stage of one ear, from smoothed (its temporal filter's output) into memory."""
    width = n_groups * LANES
    if n_channels < width:  # the edge repeats: the first empty channel takes the last real one's value
        last, after = n_channels - 1, n_channels
        smoothed[(after % n_groups + 1) * LANES + after // n_groups] = smoothed[
            (last % n_groups + 1) * LANES + last // n_groups
        ]
    smoothed[0] = smoothed[LANES]
    smoothed[width + LANES + LANES - 1] = smoothed[width + LANES - 1]
    for l in range(LANES - 1):  # neighbours of a lane's ends lie in the lanes beside it
        smoothed[l + 1] = smoothed[width + l]
        smoothed[width + LANES + l] = smoothed[LANES + l + 1]
    for i in range(width):
        memory[i] = spatial_step(smoothed[i], smoothed[i + LANES], smoothed[i + 2 * LANES], fir[0], fir[1], fir[2])
        pending[i] = ZERO


@kernel
def update_agc(lines, state, smoothed, p):
    """Hand the summed NAP to the AGC's stages, deeper ones first, and aim the cascade's ramps at the new undamping."""
    memory, pending, phase, agc, c = state.memory, state.pending, state.phase, p.agc, p.constants
    n_stages, n_ears, width = memory.shape
    for ear in range(n_ears):
        line, waiting = lines[ear], pending[0, ear]
        for k in range(p.n_groups):
            for l in range(LANES):
                waiting[k * LANES + l] = line[k * GROUP + l + (GROUP + NAP_SUM)] * c.detect_scale
                line[k * GROUP + l + (GROUP + NAP_SUM)] = ZERO
    updated = 1
    for s in range(1, n_stages):
        for ear in range(n_ears):
            above, waiting = pending[s - 1, ear], pending[s, ear]
            for i in range(width):
                waiting[i] += above[i]
        phase[s] += 1
        if phase[s] < agc.decimation[s]:
            break
        phase[s] = 0
        n_inputs = np.float32(agc.decimation[s])
        for ear in range(n_ears):
            waiting = pending[s, ear]
            for i in range(width):
                waiting[i] /= n_inputs
        updated = s + 1
    for s in range(updated - 1, -1, -1):
        for ear in range(n_ears):
            m, waiting = memory[s, ear], pending[s, ear]
            if s + 1 < n_stages:
                deeper = memory[s + 1, ear]
                for i in range(width):
                    waiting[i] += c.stage_gain * deeper[i]
            for i in range(width):
                smoothed[i + LANES] = agc_filter_step(m[i], agc.epsilon[s], waiting[i])
            smooth(m, waiting, smoothed, agc.spatial_fir[s], p.n_groups, p.n_channels)
    if n_ears > 1:
        for s in range(updated):
            for i in range(width):
                mean = memory[s, 0, i]
                for ear in range(1, n_ears):
                    mean += memory[s, ear, i]
                mean = mean / np.float32(n_ears)
                for ear in range(n_ears):
                    memory[s, ear, i] = ear_mix_step(memory[s, ear, i], mean, agc.mix[s])
    for ear in range(n_ears):
        line, m = lines[ear], memory[0, ear]
        for k in range(p.n_groups):
            for l in range(LANES):
                i = k * GROUP + l
                u = relative_undamping(m[k * LANES + l], line[i + (GROUP + HEALTH)])
                g = stage_gain(u, line[i + (GROUP + GA)], line[i + (GROUP + GB)], line[i + (GROUP + GC)])
                line[i + (GROUP + DZB)] = ramp_step(line[i + (GROUP + ZB)], line[i + (GROUP + ZR)] * u, c.ramp)
                line[i + (GROUP + DG)] = ramp_step(line[i + (GROUP + G)], g, c.ramp)


# --- runs -----------------------------------------------------------------------------------------------------------


@kernel
def advance(x, start, stop, state, p, taps, scratch, entry, smoothed):
    """Run samples start to stop of x (n_ears, n_samples); scratch takes the tapped rows, (n_taps, n_ears, SEGMENT, width)."""
    lines, c, style, n_groups = state.lines, p.constants, p.style, p.n_groups
    for t in range(start, stop):
        for ear in range(x.shape[0]):
            line = lines[ear]
            if p.delay:
                resonate_delayed(x[ear, t], line, entry, n_groups, c.velocity_scale, c.v_offset)
            else:
                resonate(line, n_groups, c.velocity_scale, c.v_offset)
                enter(x[ear, t], line, entry, n_groups)
            if style >= TWO_CAP:
                leave_two_cap(line, entry, n_groups, c)
                if style == TWO_CAP_WITH_SYN:
                    synapse(line, n_groups, c)
            elif style == ONE_CAP:
                leave_one_cap(line, entry, n_groups, c)
            else:
                leave_just_hwr(line, entry, n_groups, c)
            for tap in range(len(taps)):
                row, target = taps[tap], scratch[tap, ear, t - start]
                for k in range(n_groups):
                    for l in range(LANES):
                        target[k * LANES + l] = line[k * GROUP + l + (GROUP + row)]
        if p.closed:
            state.phase[0] += 1
            if state.phase[0] == p.agc.decimation[0]:
                state.phase[0] = 0
                update_agc(lines, state, smoothed, p)


@kernel
def run(x, state, p, taps, out):
    """Full rate: out is (n_taps, n_ears, n_channels, n_samples)."""
    n_ears, n_samples = x.shape
    width = p.n_groups * LANES
    scratch = np.empty((len(taps), n_ears, SEGMENT, width), x.dtype)
    entry = np.empty(LANES, x.dtype)
    smoothed = np.empty(width + 2 * LANES, x.dtype)
    for start in range(0, n_samples, SEGMENT):
        stop = min(start + SEGMENT, n_samples)
        advance(x, start, stop, state, p, taps, scratch, entry, smoothed)
        for tap in range(len(taps)):
            for ear in range(n_ears):
                source = scratch[tap, ear]
                for channel in range(p.n_channels):
                    position = channel % p.n_groups * LANES + channel // p.n_groups
                    target = out[tap, ear, channel]
                    for t in range(stop - start):
                        target[start + t] = source[t, position]


@kernel
def run_frames(x, state, p, taps, frame_length, out):
    """Averages over frames: out is (n_taps, n_ears, n_channels, n_frames); returns how many frames were completed.

    A frame that x leaves unfinished stays in state.frame_sum.
    """
    n_ears, n_samples = x.shape
    width = p.n_groups * LANES
    scratch = np.empty((len(taps), n_ears, SEGMENT, width), x.dtype)
    entry = np.empty(LANES, x.dtype)
    smoothed = np.empty(width + 2 * LANES, x.dtype)
    start, n_frames = 0, 0
    while start < n_samples:
        stop = min(start + SEGMENT, n_samples, start + frame_length - state.frame_filled[0])
        advance(x, start, stop, state, p, taps, scratch, entry, smoothed)
        for tap in range(len(taps)):
            for ear in range(n_ears):
                total = state.frame_sum[tap, ear]
                for t in range(stop - start):
                    row = scratch[tap, ear, t]
                    for i in range(width):
                        total[i] += row[i]
        state.frame_filled[0] += stop - start
        if state.frame_filled[0] == frame_length:
            close_frame(state, p, frame_length, out, n_frames)
            n_frames += 1
        start = stop
    return n_frames


@kernel
def close_frame(state, p, n_samples, out, frame):
    """Write the mean over n_samples, and start a new sum."""
    count = np.float32(n_samples)
    n_taps, n_ears, width = state.frame_sum.shape
    for tap in range(n_taps):
        for ear in range(n_ears):
            total = state.frame_sum[tap, ear]
            for channel in range(p.n_channels):
                out[tap, ear, channel, frame] = total[channel % p.n_groups * LANES + channel // p.n_groups] / count
            for i in range(width):
                total[i] = ZERO
    state.frame_filled[0] = 0
