"""CARFAC on the CPU: channels side by side in SIMD lanes.

Channel c lies in lane c // n_groups and group c % n_groups, so a lane holds n_groups neighbours. The ripple down the
cascade is affine in its input, s -> g s + g h z2: `resonate` composes it inside all lanes at once, group after group,
`enter` takes it from lane to lane, `leave` applies it. Everything of one channel lies in one flat array, the lines:
(group, row, lane), with a group more in front, the header, which holds what flows into the first channel of each lane.
Constant strides in one array let LLVM prove that nothing overlaps, and vectorise; the loops over lanes keep more than a
handful of operations, since LLVM unrolls shorter ones before it tries.

A signal's result does not depend on the signals beside it: every signal is a run of its own.
"""

from math import factorial, prod
from typing import Any, NamedTuple

import numpy as np

from skaud.kernels._compile import borrowed, kernel, loop
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
    slope_step,
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
CACHE_LINE = 64  # bytes
# Columns of the AGC's table, which has a row a stage; FEEDBACK is the gain of the deeper stage's memory at the input.
DECIMATION, INPUT_SCALE, EPSILON, FEEDBACK, BASAL, HERE, APICAL, MIX = range(8)
SEGMENT = 64  # samples between two visits to the output arrays

# Rows of a group. Cascade: coefficients, state, and what it passes on.
A0, C0, H, R1, Z1, Z2, ZA, ZB, DZB, G, DG, AC, OUT, BM = (row * LANES for row in range(14))
# Composite of a lane's channels so far: out = SLOPE * input of the lane + INTERCEPT.
SLOPE, INTERCEPT = 14 * LANES, 15 * LANES
# Hair cell.
CAP1, CAP2, LPF, NAP = (row * LANES for row in range(16, 20))
# Synapse, a row a class.
RESERVOIR, RELEASE, N_FIBERS, V_HALF, A1, A2, WEIGHT = ((20 + N_CLASSES * row) * LANES for row in range(7))
# What closes the AGC's loop.
ZR, GA, GB, GC, HEALTH = ((20 + 7 * N_CLASSES + row) * LANES for row in range(5))
N_ROWS = 20 + 7 * N_CLASSES + 5
GROUP = N_ROWS * LANES  # from one group to the next


class State(NamedTuple):
    """Everything a run changes. A row is an ear of a signal, the ears of a signal one after the other.

    lines : (n_rows, (n_groups + 1) * GROUP), memory and pending : (n_rows, n_stages, n_groups * LANES), phase : (n_stages,),
    frame_sum : (n_rows, n_outputs, n_groups * LANES), frame_filled : (1,), samples that frame_sum holds.
    """

    lines: np.ndarray
    memory: np.ndarray
    pending: np.ndarray
    phase: np.ndarray
    frame_sum: np.ndarray
    frame_filled: np.ndarray

    def copy(self) -> "State":
        """Copy that shares nothing."""
        return State(*(aligned(array) for array in self))


class Plan(NamedTuple):
    """What a run reads and never changes, apart from the AGC's table: numba counts references to arrays, at a price."""

    n_groups: int
    n_channels: int
    last: int  # position of the last channel
    after: int  # position behind it
    n_ears: int
    style: int
    delay: bool
    closed: bool
    first_decimation: int
    constants: Constants


# --- layout ---------------------------------------------------------------------------------------------------------


def aligned_empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Uninitialised array that begins at a cache line, so that no SIMD access straddles two."""
    n_bytes = prod(shape) * np.dtype(dtype).itemsize
    raw = np.empty(n_bytes + CACHE_LINE, np.uint8)
    begin = -raw.ctypes.data % CACHE_LINE
    return raw[begin : begin + n_bytes].view(dtype).reshape(shape)


def aligned(array: np.ndarray) -> np.ndarray:
    """Copy of an array that begins at a cache line."""
    copy = aligned_empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def n_groups_for(n_channels: int) -> int:
    """Groups that hold so many channels; the last lanes may stay empty."""
    return -(-n_channels // LANES)


def lane_position(n_channels: int, *, beyond: int = 0) -> np.ndarray:
    """Index into (group, lane), flattened, of every channel, and of so many empty ones beyond the last."""
    channel = np.arange(n_channels + beyond)
    n_groups = n_groups_for(n_channels)
    return channel % n_groups * LANES + channel // n_groups


def plan(
    coefficients: Any, style: int, dtype: Any, *, n_ears: int = 1, delay: bool = False, closed: bool = True
) -> tuple[Plan, np.ndarray]:
    """Constants of a run, and its AGC table, from a design (`skaud.design.carfac.CARFACCoefficients`)."""
    car, hair, synapse, agc = coefficients
    scalar = np.dtype(dtype).type
    cell = hair._asdict() if hair is not None else {}
    lpf, in1 = cell.get("lpf", 0.0), cell.get("in1", cell.get("into", 0.0))
    values = {
        "velocity_scale": car.velocity_scale,
        "v_offset": car.v_offset,
        "ac_coeff": car.ac_coeff,
        "ihc_offset": cell.get("offset", 0.0),
        "ihc_knee": cell.get("knee", 0.0),
        "keep1": 1 - in1,
        "in1": in1,
        "out1": cell.get("out1", cell.get("out", 0.0)),
        "keep2": 1 - cell.get("in2", 0.0),
        "in2": cell.get("in2", 0.0),
        "out2": cell.get("out2", 0.0),
        "keep_lpf": 1 - lpf,
        "lpf": lpf,
        "lpf_gain": lpf * cell.get("gain", 0.0),
        "lpf_rest": lpf * cell.get("rest", 0.0),
        "cap1_rest": cell.get("cap1_rest", cell.get("cap_rest", 0.0)),
        "syn_per_width": 1 / synapse.v_width if synapse else 0.0,
        "syn_res": synapse.res if synapse else 0.0,
        "syn_lpf": synapse.lpf if synapse else 0.0,
        "spont_sub": synapse.spont_sub if synapse else 0.0,
    }
    input_scale = 1 / agc.decimation
    input_scale[0] *= agc.detect_scale
    feedback = np.full(len(agc.epsilon), agc.stage_gain)
    feedback[-1] = 0.0
    position = lane_position(len(car.pole_hz), beyond=1)
    taylor = tuple(scalar(1 / factorial(TAYLOR_TERMS - 1 - n)) for n in range(TAYLOR_TERMS))
    fixed = Plan(
        n_groups=n_groups_for(len(car.pole_hz)),
        n_channels=len(car.pole_hz),
        last=int(position[-2]),
        after=int(position[-1]),
        n_ears=n_ears,
        style=style,
        delay=delay,
        closed=closed,
        first_decimation=int(agc.decimation[0]),
        constants=Constants(**{name: scalar(value) for name, value in values.items()}, taylor=taylor),
    )
    columns = (agc.decimation, input_scale, agc.epsilon, feedback, *agc.spatial_fir.T, agc.mix)
    return fixed, aligned(np.stack(columns, axis=1).astype(dtype))


def initial_state(coefficients: Any, dtype: Any, n_rows: int, *, n_outputs: int = 1, open_loop: bool = False) -> State:
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
        rows |= {CAP1: getattr(hair, "cap1_rest", getattr(hair, "cap_rest", 0.0))}
        rows |= {CAP2: getattr(hair, "cap2_rest", 0.0)}
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
    arrays = State(
        lines=np.tile(lines.reshape(1, -1), (n_rows, 1)),
        memory=np.zeros((n_rows, n_stages, width), dtype),
        pending=np.zeros((n_rows, n_stages, width), dtype),
        phase=np.zeros(n_stages, np.int64),
        frame_sum=np.zeros((n_rows, n_outputs, width), dtype),
        frame_filled=np.zeros(1, np.int64),
    )
    return arrays.copy()


def workspace(p: Plan, n_rows: int, n_taps: int, dtype: Any) -> np.ndarray:
    """Memory that a run needs besides its state."""
    width = p.n_groups * LANES
    return aligned_empty(((1 + n_taps) * n_rows * SEGMENT * width + n_rows * LANES + width + 2 * LANES,), dtype)


@loop
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


# --- the AGC, whenever its first decimation has passed --------------------------------------------------------------


@loop
def add_samples(scratch, source, row, start, stop, total, target):
    """Add samples start to stop of scratch[source, row] to total[row, target], one after the other."""
    t = start
    while stop - t >= 8:
        for i in range(total.shape[2]):
            total[row, target, i] = (
                total[row, target, i]
                + scratch[source, row, t, i]
                + scratch[source, row, t + 1, i]
                + scratch[source, row, t + 2, i]
                + scratch[source, row, t + 3, i]
                + scratch[source, row, t + 4, i]
                + scratch[source, row, t + 5, i]
                + scratch[source, row, t + 6, i]
                + scratch[source, row, t + 7, i]
            )
        t += 8
    while t < stop:
        for i in range(total.shape[2]):
            total[row, target, i] += scratch[source, row, t, i]
        t += 1


@loop
def smooth(memory, pending, row, s, smoothed, table, n_groups, last, after):
    """Stage s of one row: what it gathered and the deeper stage's memory, smoothed in time, then over channels."""
    width = n_groups * LANES
    epsilon, scale, feedback = table[s, EPSILON], table[s, INPUT_SCALE], table[s, FEEDBACK]
    basal, here, apical = table[s, BASAL], table[s, HERE], table[s, APICAL]
    deeper = min(s + 1, memory.shape[1] - 1)
    for i in range(width):
        smoothed[i + LANES] = agc_filter_step(
            memory[row, s, i], epsilon, pending[row, s, i] * scale + feedback * memory[row, deeper, i]
        )
        pending[row, s, i] = ZERO
    if last + 1 < width:  # the edge repeats: the first empty channel takes the last real one's value
        smoothed[after + LANES] = smoothed[last + LANES]
    smoothed[0] = smoothed[LANES]
    smoothed[width + LANES + LANES - 1] = smoothed[width + LANES - 1]
    for l in range(LANES - 1):  # neighbours of a lane's ends lie in the lanes beside it
        smoothed[l + 1] = smoothed[width + l]
        smoothed[width + LANES + l] = smoothed[LANES + l + 1]
    for i in range(width):
        memory[row, s, i] = spatial_step(smoothed[i], smoothed[i + LANES], smoothed[i + 2 * LANES], basal, here, apical)


@loop
def mix_ears(memory, first, n_ears, s, mix):
    """Share stage s between the ears of the signal whose first row is given."""
    for i in range(memory.shape[2]):
        mean = memory[first, s, i]
        for ear in range(1, n_ears):
            mean += memory[first + ear, s, i]
        mean = mean / np.float32(n_ears)
        for ear in range(n_ears):
            memory[first + ear, s, i] = ear_mix_step(memory[first + ear, s, i], mean, mix)


@loop
def aim(lines, row, memory, n_groups, decimation):
    """Let the cascade's damping and gain run towards what the AGC's fastest stage asks for."""
    for k in range(n_groups):
        for l in range(LANES):
            i = k * GROUP + l
            u = relative_undamping(memory[row, 0, k * LANES + l], lines[row, i + (GROUP + HEALTH)])
            g_goal = stage_gain(
                u, lines[row, i + (GROUP + GA)], lines[row, i + (GROUP + GB)], lines[row, i + (GROUP + GC)]
            )
            g = ramp_step(lines[row, i + (GROUP + G)], lines[row, i + (GROUP + DG)], decimation)
            zb = ramp_step(lines[row, i + (GROUP + ZB)], lines[row, i + (GROUP + DZB)], decimation)
            lines[row, i + (GROUP + G)] = g
            lines[row, i + (GROUP + ZB)] = zb
            lines[row, i + (GROUP + DG)] = slope_step(g, g_goal, decimation)
            lines[row, i + (GROUP + DZB)] = slope_step(zb, lines[row, i + (GROUP + ZR)] * u, decimation)


@loop
def update_agc(lines, memory, pending, phase, table, p, smoothed):
    """Hand the summed NAP to the stages whose time has come, deeper ones first; close the loop."""
    n_rows, n_stages, width = memory.shape
    due = 1
    while due < n_stages:
        scale = table[due - 1, INPUT_SCALE]
        for row in range(n_rows):
            for i in range(width):  # by way of smoothed: LLVM cannot see that two rows of one array do not overlap
                smoothed[i] = pending[row, due - 1, i] * scale
            for i in range(width):
                pending[row, due, i] += smoothed[i]
        phase[due] += 1
        if phase[due] < table[due, DECIMATION]:
            break
        phase[due] = 0
        due += 1
    for s in range(due - 1, -1, -1):
        for row in range(n_rows):
            smooth(memory, pending, row, s, smoothed, table, p.n_groups, p.last, p.after)
    if p.n_ears > 1:
        for s in range(due):
            for first in range(0, n_rows, p.n_ears):
                mix_ears(memory, first, p.n_ears, s, table[s, MIX])
    for row in range(n_rows):
        aim(lines, row, memory, p.n_groups, table[0, DECIMATION])


# --- runs -----------------------------------------------------------------------------------------------------------


@loop
def advance(x, start, stop, lines, memory, pending, phase, table, p, taps, scratch, entry, smoothed):
    """Run samples start to stop of x (n_rows, n_samples).

    scratch (1 + n_taps, n_rows, SEGMENT, width) takes the NAP, then the tapped rows. Rows take turns in every phase of
    a sample, so that one computes while another waits for its ripple.
    """
    c, style, n_groups, n_rows = p.constants, p.style, p.n_groups, x.shape[0]
    summed = 0
    for t in range(stop - start):
        elapsed = np.float32(phase[0] + 1)  # samples since the AGC's last update, this one included
        if p.delay:
            for row in range(n_rows):
                resonate_delayed(x[row, start + t], lines, row, entry, n_groups, elapsed, c.velocity_scale, c.v_offset)
        else:
            for row in range(n_rows):
                resonate(lines, row, n_groups, elapsed, c.velocity_scale, c.v_offset)
            for row in range(n_rows):
                enter(x[row, start + t], lines, row, entry, n_groups)
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
def run(x, start, stop, state, table, p, taps, first, work, out):
    """Samples start to stop of x at full rate.

    out (n_rows, n_outputs, n_channels, n_samples) takes the NAP and the taps, from number `first` on.
    """
    n_rows, width, n_sources = x.shape[0], p.n_groups * LANES, 1 + len(taps)
    scratch, entry, smoothed = split(work, n_rows, n_sources, width)
    x, table, taps = borrowed(x), borrowed(table), borrowed(taps)
    lines, memory, pending = borrowed(state.lines), borrowed(state.memory), borrowed(state.pending)
    phase = borrowed(state.phase)
    for begin in range(start, stop, SEGMENT):
        end = min(begin + SEGMENT, stop)
        advance(x, begin, end, lines, memory, pending, phase, table, p, taps, scratch, entry, smoothed)
        for row in range(n_rows):
            for output in range(out.shape[1]):
                for channel in range(p.n_channels):
                    position = channel % p.n_groups * LANES + channel // p.n_groups
                    for t in range(end - begin):
                        out[row, output, channel, begin + t] = scratch[first + output, row, t, position]


@kernel
def close_frame(state, p, out, frame):
    """Write the mean of what the frame holds, and start a new one."""
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
def run_frames(x, start, stop, state, table, p, taps, first, frame_length, work, out, n_frames):
    """As run, averaged over frames of frame_length samples; out has n_frames already, returns how many it has then.

    A frame that x leaves unfinished stays in state.frame_sum.
    """
    n_rows, width, n_sources = x.shape[0], p.n_groups * LANES, 1 + len(taps)
    scratch, entry, smoothed = split(work, n_rows, n_sources, width)
    x, table, taps = borrowed(x), borrowed(table), borrowed(taps)
    lines, memory, pending = borrowed(state.lines), borrowed(state.memory), borrowed(state.pending)
    phase = borrowed(state.phase)
    begin = start
    while begin < stop:
        end = min(begin + SEGMENT, stop, begin + frame_length - state.frame_filled[0])
        advance(x, begin, end, lines, memory, pending, phase, table, p, taps, scratch, entry, smoothed)
        for row in range(n_rows):
            for output in range(out.shape[1]):
                add_samples(scratch, first + output, row, 0, end - begin, state.frame_sum, output)
        state.frame_filled[0] += end - begin
        if state.frame_filled[0] == frame_length:
            close_frame(state, p, out, n_frames)
            n_frames += 1
        begin = end
    return n_frames
