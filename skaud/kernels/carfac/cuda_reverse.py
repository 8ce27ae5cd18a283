"""The reverse run of CARFAC on a GPU: segments, their blocks, tape and bars of all samples."""

from collections.abc import Callable

import numpy as np

from skaud.kernels.carfac import cuda_layout as on
from skaud.kernels.carfac import layout as at
from skaud.kernels.carfac.cuda import respond_of
from skaud.kernels.carfac.cuda_adjoint import respond_adjoint_of
from skaud.kernels.carfac.cuda_agc import advance_of
from skaud.kernels.carfac.cuda_agc_adjoint import AgcAdjoint
from skaud.kernels.carfac.cuda_layout import N_COEFFICIENTS
from skaud.kernels.carfac.cuda_memory import (
    either_memory,
    load_for,
    load_own_for,
    parking_for,
    state_mover,
    store_own_for,
)
from skaud.kernels.carfac.hair_cells import TWO_CAP_WITH_SYN
from skaud.kernels.carfac.layout import N_COLUMNS, N_CONSTANTS
from skaud.kernels.carfac.steps import ramp_step_adjoint
from skaud.kernels.device import add_at, cuda

BLOCKS_AT_ONCE = 8  # whose bars are moved to double precision together


def reverse_kernel(
    switches: on.Switches, taps: tuple[int, ...], constants: bool, block: int, is_shared: bool
) -> Callable:
    """Kernel of the adjoint of a run from rest.

    constants : with the bars of what a run does not change, block : samples whose tape there is at a time, is_shared :
    whether it lies in shared memory
    """
    respond, respond_adjoint = respond_of(switches), respond_adjoint_of(switches, constants)
    advance, back = advance_of(switches, True, constants), AgcAdjoint(switches, constants)
    hand_on_adjoint, smooth_due_adjoint = back.hand_on, back.smooth_due
    share_due_adjoint, aim_adjoint = back.share_due, back.aim
    per_thread, n_stages, n_ears, closed = switches.per_thread, switches.n_stages, switches.n_ears, switches.closed
    n_lanes, real, tape_in = switches.n_lanes, np.dtype(switches.dtype).type, either_memory(is_shared)
    load_design, load, store = load_for(switches), load_own_for(switches), store_own_for(switches)
    load_state, (park, take_back) = state_mover(load, switches, own=True), parking_for(switches)
    park_all, take_all_back = (state_mover(move, switches, own=True) for move in (park, take_back))
    rows, n_taps, n_bars = on.rows_of(switches.style, switches.delay), len(taps), on.n_own(constants)
    g, zb, dzb, n_states, n_taped, n_ramps = rows.g, rows.zb, rows.dzb, rows.n_states, rows.n_taped, rows.n_ramps
    n_saved, n_kept, width = n_states + 2 * n_stages, 3 * n_stages, per_thread * n_lanes
    n_parked, parks = on.n_parked(switches), switches.style == TWO_CAP_WITH_SYN
    n_of_sample = on.n_on_tape(switches) * width
    n_shared = n_ears * block * n_of_sample if is_shared else 1

    def load_seeds(seeds, value_bar, row, frame, n_frames, lane, n_channels):
        """Bars of what the samples of a frame give."""
        for k in range(per_thread):
            channel = lane * per_thread + k
            is_there = channel < n_channels and frame >= 0 and frame < n_frames
            for i in range(n_taps):
                place = ((row * n_taps + i) * n_channels + channel) * n_frames + frame
                seeds[i, k] = value_bar[place] if is_there else real(0)

    def seed(seeds, z_bar, bm_bar, nap_bar, pending_bar, elapsed):
        """Bars of a sample, by what it gives."""
        for k in range(per_thread):
            bm_bar[k], nap_bar[k] = real(0), pending_bar[0, k]
            for i in range(n_taps):
                own = seeds[i, k]
                if taps[i] == on.NAP_TAP:
                    nap_bar[k] = nap_bar[k] + own
                elif taps[i] == on.BM_TAP:
                    bm_bar[k] = bm_bar[k] + own
                elif taps[i] == on.AGC_TAP:
                    # ramp_step(zb, dzb, elapsed)
                    begin_bar, slope_bar = ramp_step_adjoint(own, elapsed)
                    z_bar[zb, k] = z_bar[zb, k] + begin_bar
                    z_bar[dzb, k] = z_bar[dzb, k] + slope_bar
                else:
                    z_bar[taps[i], k] = z_bar[taps[i], k] + own

    def clear(array, n):
        for i in range(n):
            for k in range(per_thread):
                array[i, k] = real(0)

    def add_own(own_bar, first, last, bars, row, lane, n_channels):
        """Move what gathered for channels to double precision."""
        for i in range(first, last):
            for k in range(per_thread):
                channel = lane * per_thread + k
                if channel < n_channels:
                    place = (row * (n_states + n_bars) + n_states + i) * n_channels + channel
                    add_at(bars.channels, place, np.float64(own_bar[i, k]))
                own_bar[i, k] = real(0)

    def add_total(total, bars, row, lane):
        """And what gathered for constants."""
        if constants:
            for i in range(N_CONSTANTS):
                add_at(bars.scalars, (row * N_CONSTANTS + i) * n_lanes + lane, np.float64(total[i]))
                total[i] = real(0)

    def reverse(x, lengths, design, sizes, tape, value_bar, bars):
        """Adjoint of run, from its checkpoints; value_bar (n_rows, n_taps, n_channels, n_frames) is that of sums."""
        signal, lane, ear = cuda.blockIdx.x, cuda.threadIdx.x, cuda.threadIdx.y
        row, n_channels, n_updates, n_blocks = signal * n_ears + ear, sizes.n_channels, tape.n_updates, tape.n_blocks
        n_samples, frame_samples, n_frames = sizes.n_samples, sizes.frame_samples, sizes.n_frames
        table, classes, c = design.table, design.classes, design.constants
        f, z = cuda.local.array((N_COEFFICIENTS, per_thread), real), cuda.local.array((n_states, per_thread), real)
        memory, pending = (
            cuda.local.array((n_stages, per_thread), real),
            cuda.local.array((n_stages, per_thread), real),
        )
        phase = cuda.local.array(n_stages, np.int32)
        slopes, intercepts = cuda.local.array(per_thread, real), cuda.local.array(per_thread, real)
        smoothed, nap = cuda.local.array(per_thread, real), cuda.local.array(per_thread, real)
        passed, reached = cuda.local.array((2, per_thread), real), cuda.local.array((1, per_thread), real)
        seeds = cuda.local.array((n_taps, per_thread), real)
        bm_bar, nap_bar = cuda.local.array(per_thread, real), cuda.local.array(per_thread, real)
        before = cuda.local.array((n_taped, per_thread), real)
        after = cuda.local.array((n_taped, per_thread), real)
        z_bar = cuda.local.array((n_states, per_thread), real)
        memory_bar = cuda.local.array((n_stages, per_thread), real)
        pending_bar = cuda.local.array((n_stages, per_thread), real)
        own_bar, total = cuda.local.array((n_bars, per_thread), real), cuda.local.array(N_CONSTANTS, real)
        own_kept = cuda.local.array((n_kept, per_thread), real)
        shared = cuda.shared.array((n_ears, width), real)
        samples = tape_in(tape.samples, cuda.shared.array(n_shared, real))
        own_samples = (ear if is_shared else row) * block * n_of_sample
        own_design = (ear % design.n_designs) * N_COEFFICIENTS * n_channels
        load_design(f, 0, design.coefficients, own_design, N_COEFFICIENTS, lane, n_channels)
        clear(z_bar, n_states)
        clear(memory_bar, n_stages)
        clear(pending_bar, n_stages)
        clear(own_bar, n_bars)
        for i in range(N_CONSTANTS):
            total[i] = real(0)
        own_table = row * n_stages * N_COLUMNS * n_lanes + lane
        length, decimation = lengths[signal], np.int32(table[at.DECIMATION])
        n_turns = (length + block - 1) // block
        # Counted from sample to sample, since a division takes as long as a stage: samples since the last update, the
        # frame, and the sample within it.
        since, frame = length % decimation if closed else 1, length // frame_samples
        within = length - frame * frame_samples
        load_seeds(seeds, value_bar, row, frame - sizes.first, n_frames, lane, n_channels)
        # The next checkpoint, and the number of a block in the segment that begins there, which goes back from it.
        checkpoint, number = (n_turns + n_blocks - 1) // n_blocks, 0
        for turn in range(n_turns):
            start = (n_turns - 1 - turn) * block
            n, first, u, update = min(block, length - start), 0, block, 0
            if parks:  # there would be no registers for bars while a block runs forwards
                begin = row * n_parked * width
                park_all(z_bar, memory_bar, pending_bar, tape.parked, begin, lane, n_channels)
            if number == 0:  # the last block of a segment, to which the blocks before it lead
                checkpoint -= 1
                place = checkpoint * (cuda.gridDim.x * n_ears) + row
                load_state(z, memory, pending, tape.checkpoints.values, place * n_saved * width, lane, n_channels)
                for s in range(n_stages):
                    phase[s] = tape.checkpoints.phases[place * n_stages + s]
                number = n_turns - turn - checkpoint * n_blocks
                first, place = (1 - number) * block, row * n_blocks
            else:
                place = row * n_blocks + number - 1
                begin = place * n_saved * width
                take_all_back(z, memory, pending, tape.blocks.values, begin, lane, n_channels)
                for s in range(n_stages):
                    phase[s] = tape.blocks.phases[(place * n_stages + s) * n_lanes + lane]
            number -= 1
            for v in range(first, n):
                if u == block:
                    u, update = 0, 0
                    store(z, g, tape.ramps, row * (n_updates + 1) * n_ramps * width, n_ramps, lane, n_channels)
                    if v < 0:
                        begin = place * n_saved * width
                        park_all(z, memory, pending, tape.blocks.values, begin, lane, n_channels)
                        for s in range(n_stages):
                            tape.blocks.phases[(place * n_stages + s) * n_lanes + lane] = phase[s]
                        place += 1
                begin = own_samples + u * n_of_sample
                park(z, 0, samples, begin, n_taped, lane, n_channels)
                elapsed = real(phase[0] + 1)
                respond(
                    x[row * n_samples + start + v],
                    z,
                    f,
                    slopes,
                    intercepts,
                    passed[0],
                    passed[1],
                    nap,
                    elapsed,
                    classes,
                    c,
                    lane,
                )
                park(passed, 0, samples, begin + n_taped * width, 2, lane, n_channels)
                u += 1
                if closed:
                    update += advance(
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
                    )
            cuda.syncwarp()  # the dues are there
            if parks:
                begin = row * n_parked * width
                take_all_back(z_bar, memory_bar, pending_bar, tape.parked, begin, lane, n_channels)
            for i in range(n_taped):
                for k in range(per_thread):
                    after[i, k] = z[i, k]
            for v in range(n):
                u = n - 1 - v
                if closed:
                    since = since if since > 0 else decimation
                within -= 1
                if within < 0:
                    frame, within = frame - 1, frame_samples - 1
                    load_seeds(seeds, value_bar, row, frame - sizes.first, n_frames, lane, n_channels)
                if closed and since == decimation:
                    update -= 1
                    place = row * n_updates + update
                    load(reached, 0, tape.reached, place * width, 1, lane, n_channels)
                    if constants:
                        load(own_kept, 0, tape.kept, place * n_kept * width, n_kept, lane, n_channels)
                    due = tape.dues[place]
                    aim_adjoint(z_bar, own_bar, memory_bar, f, reached[0], table)
                    if parks:
                        add_own(own_bar, 0, on.N_GOALS, bars, row, lane, n_channels)
                    share_due_adjoint(memory_bar, bars.table, own_table, due, own_kept, table, shared, lane, ear)
                    smooth_due_adjoint(
                        memory_bar,
                        pending_bar,
                        bars.table,
                        own_table,
                        due,
                        own_kept,
                        table,
                        smoothed,
                        passed[0],
                        lane,
                        n_channels,
                    )
                    hand_on_adjoint(pending_bar, bars.table, own_table, due, own_kept, table)
                    load(z, g, tape.ramps, (place + row) * n_ramps * width, n_ramps, lane, n_channels)
                elapsed = real(since)
                begin = own_samples + u * n_of_sample
                take_back(before, 0, samples, begin, n_taped, lane, n_channels)
                take_back(passed, 0, samples, begin + n_taped * width, 2, lane, n_channels)
                seed(seeds, z_bar, bm_bar, nap_bar, pending_bar, elapsed)
                if closed:
                    since -= 1
                entered_bar = respond_adjoint(
                    z_bar,
                    bm_bar,
                    nap_bar,
                    own_bar,
                    total,
                    z,
                    f,
                    passed[1],
                    passed[0],
                    before,
                    after,
                    intercepts,
                    slopes,
                    elapsed,
                    classes,
                    c,
                    lane,
                )
                if lane == 0:
                    bars.x[row * n_samples + start + u] = entered_bar
                for i in range(n_taped):
                    for k in range(per_thread):
                        after[i, k] = before[i, k]
            if parks or turn % BLOCKS_AT_ONCE == BLOCKS_AT_ONCE - 1 or turn == n_turns - 1:
                add_own(own_bar, on.N_GOALS if parks else 0, n_bars, bars, row, lane, n_channels)
                add_total(total, bars, row, lane)
        for i in range(n_states):
            for k in range(per_thread):
                channel = lane * per_thread + k
                if channel < n_channels:
                    bars.channels[(row * (n_states + n_bars) + i) * n_channels + channel] = np.float64(z_bar[i, k])

    reverse.threads = switches.n_lanes * n_ears  # type: ignore[attr-defined]
    return reverse
