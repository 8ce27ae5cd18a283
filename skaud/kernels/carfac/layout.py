"""How CARFAC's channels lie in memory on the CPU.

Channel c lies in lane c // n_groups and group c % n_groups, so a lane holds n_groups neighbours. Everything of one
channel lies in one flat array, the lines: (group, row, lane), with a group more in front, the header, which holds what
flows into the first channel of each lane. Constant strides in one array let LLVM prove that nothing overlaps.
"""

from typing import Any, NamedTuple

import numpy as np

from skaud.kernels._compile import fixed_tuple, loop
from skaud.kernels.carfac.hair_cells import ONE_CAP, TWO_CAP, TWO_CAP_WITH_SYN
from skaud.kernels.carfac.steps import Constants
from skaud.kernels.lanes import LANES, SEGMENT, aligned_copies, aligned_empty, scratch
from skaud.kernels.pointwise import TAYLOR

N_CLASSES = 3  # spontaneous-rate classes of the synapse
# Columns of the AGC's table, which has a row a stage; FEEDBACK is the gain of the deeper stage's memory at the input.
DECIMATION, INPUT_SCALE, EPSILON, FEEDBACK, BASAL, HERE, APICAL, MIX = range(8)
N_COLUMNS = MIX + 1
SOWN = 128  # frames between two visits to their bars

# Rows of a group. Coefficients of the cascade.
A0, C0, H, R1 = (row * LANES for row in range(4))
# What a run changes: DC of the output, ramps from one update of the AGC to the next, cascade, hair cell, synapse (a row
# a class).
AC, G, DG, ZB, DZB = (row * LANES for row in range(4, 9))
RAMPS = DZB + LANES - G  # values of a group's ramps
ZA, Z1, Z2, OUT, BM, CAP1, CAP2, NAP, LPF = (row * LANES for row in range(9, 18))
RESERVOIR, RELEASE = 18 * LANES, (18 + N_CLASSES) * LANES
# The composite of a lane's channels so far: out = SLOPE * input of the lane + INTERCEPT.
SLOPE, INTERCEPT = ((18 + 2 * N_CLASSES + row) * LANES for row in range(2))
# Coefficients of the synapse, a row a class.
N_FIBERS, V_HALF, A1, A2, WEIGHT = ((20 + N_CLASSES * row) * LANES for row in range(2, 7))
# What closes the AGC's loop.
ZR, GA, GB, GC, HEALTH = ((20 + 7 * N_CLASSES + row) * LANES for row in range(5))
GOALS_END = HEALTH + LANES
N_ROWS = 20 + 7 * N_CLASSES + 5
GROUP = N_ROWS * LANES  # from one group to the next

# Bars lie where what they belong to lies, those of the constants behind them: BARS.velocity_scale and so on.
N_CONSTANTS = len(Constants._fields) - 1  # without the Taylor sum
PLACES = Constants._make([*range(N_CONSTANTS), ()])  # of the constants among each other
BARS = Constants._make([*((N_ROWS + place) * LANES for place in PLACES[:-1]), ()])
BARS_GROUP = (N_ROWS + N_CONSTANTS) * LANES
# Row of the second of the three states that a hair cell with capacitors has, between CAP1 and NAP.
SECOND = {ONE_CAP: LPF, TWO_CAP: CAP2, TWO_CAP_WITH_SYN: CAP2}


class State(NamedTuple):
    """Everything a run changes. A row is an ear of a signal, the ears of a signal one after the other.

    lines : (n_rows, (n_groups + 1) * GROUP), memory and pending : (n_rows, n_stages, n_groups * LANES),
    frame_sum : (n_rows, n_outputs, n_groups * LANES), phase : (n_stages,), frame_filled : (1,), samples in frame_sum.
    """

    lines: np.ndarray
    memory: np.ndarray
    pending: np.ndarray
    frame_sum: np.ndarray
    phase: np.ndarray
    frame_filled: np.ndarray

    def copy(self) -> "State":
        """Copy that shares nothing."""
        return State._make(aligned_copies(self))

    def of_signals(self, n_signals: int) -> "State":
        """So many times this state, that of one signal; a copy."""
        arrays = aligned_empty(*((n_signals * len(own), *own.shape[1:]) for own in self[:4]), dtype=self.lines.dtype)
        for array, own in zip(arrays, self[:4]):
            array.reshape(n_signals, *own.shape)[...] = own
        return State._make([*arrays, self.phase.copy(), self.frame_filled.copy()])

    def of_rows(self, rows: slice) -> "State":
        """View of some rows."""
        return State._make([*(array[rows] for array in self[:4]), self.phase, self.frame_filled])

    def apart(self, rows: slice) -> "State":
        """View of some rows that go on by themselves, with a time of their own."""
        return State._make([*(array[rows] for array in self[:4]), self.phase.copy(), self.frame_filled.copy()])


class Checkpoints(NamedTuple):
    """States that a run has passed, without coefficients and frames: an axis of checkpoints, then as in `State`.

    segment : samples from one to the next, 0 where none are kept,
    lines : (n_checkpoints, n_rows, LANES + n_groups * n_changing), what flows into each lane, and the rows from AC on.
    """

    segment: int
    lines: np.ndarray
    memory: np.ndarray
    pending: np.ndarray
    phase: np.ndarray

    @classmethod
    def empty(cls, state: State, segment: int, n_checkpoints: int, n_changing: int) -> "Checkpoints":
        """Room for so many, with n_changing values of each group."""
        n_rows, n_groups = len(state.lines), state.lines.shape[1] // GROUP - 1
        shapes = ((n_rows, LANES + n_groups * n_changing), state.memory.shape, state.pending.shape)
        lines, memory, pending = (np.empty((n_checkpoints, *shape), state.lines.dtype) for shape in shapes)
        return cls(segment, lines, memory, pending, np.empty((n_checkpoints, *state.phase.shape), np.int64))


class Asked(NamedTuple):
    """What a run is to respond with: the NAP unless first is 1, then rows of the lines, in frames of so many samples.

    frame_samples : 1 for every sample
    """

    taps: np.ndarray
    first: int
    frame_samples: int

    @property
    def n_responses(self) -> int:
        """The NAP, and taps."""
        return 1 - self.first + len(self.taps)


class Sizes(NamedTuple):
    """Integers that fix a run."""

    n_groups: int
    n_channels: int
    last: int  # position of the last channel
    after: int  # position behind it
    n_ears: int
    closed: int
    first_decimation: int


N_SIZES, N_GROUPS = len(Sizes._fields), Sizes._fields.index("n_groups")
N_TAYLOR = len(TAYLOR)


class Plan(NamedTuple):
    """What a run reads and never changes: `Sizes`, `Constants`, and the AGC's table; arrays, which numba takes fast."""

    sizes: np.ndarray
    constants: np.ndarray
    table: np.ndarray

    @property
    def n_groups(self) -> int:
        """Groups of channels."""
        return int(self.sizes[N_GROUPS])

    @property
    def width(self) -> int:
        """Lanes of all groups."""
        return self.n_groups * LANES

    def with_ears(self, n_ears: int) -> "Plan":
        """Plan for signals of so many ears."""
        return self._replace(sizes=np.array(Sizes(*self.sizes)._replace(n_ears=n_ears)))


@loop
def sizes_of(plan):
    """`Sizes` of a plan."""
    return Sizes(*fixed_tuple(plan.sizes, N_SIZES))


@loop
def constants_of(plan):
    """`Constants` of a plan."""
    taylor = fixed_tuple(plan.constants[N_CONSTANTS:], N_TAYLOR)
    values = (*fixed_tuple(plan.constants[:N_CONSTANTS], N_CONSTANTS), taylor)
    return Constants(*values)


class Bars(NamedTuple):
    """Derivatives of the objective with respect to x, the state, the coefficients in it, and the AGC's table.

    x : (n_rows, n_samples), lines : (n_rows, (n_groups + 1) * BARS_GROUP), memory and pending : (n_rows, n_stages,
    n_groups * LANES), table : (n_stages, N_COLUMNS), float64, summed : (n_designs, as a row of lines), float64, the
    coefficients' bars over all rows of a design.
    """

    x: np.ndarray
    lines: np.ndarray
    memory: np.ndarray
    pending: np.ndarray
    table: np.ndarray
    summed: np.ndarray

    def of_rows(self, rows: slice) -> "Bars":
        """View of some rows; table and summed are those of all."""
        x, lines, memory, pending = (array[rows] for array in self[:4])
        return self._replace(x=x, lines=lines, memory=memory, pending=pending)


class Tape(NamedTuple):
    """What a segment's forward run leaves for the reverse run.

    samples : (n_rows, n_samples + 2, (n_groups + 1) * n_taped), the rows from Z1 on, before the first sample and after
    every one; in front of them an entry that has z2 only, before the sample before the first,
    ramps : (n_rows, n_updates + 1, n_groups * RAMPS), reached : (n_rows, n_updates, width), memory after an update,
    kept : (n_rows, n_updates, 3 * n_stages or 0, width), what the bars of the AGC's table need: what the stages
    gathered, their memories before, and after they were smoothed,
    elapsed : (n_samples,), samples since the last update, due : (n_updates,), stages whose time had come.
    """

    samples: np.ndarray
    ramps: np.ndarray
    reached: np.ndarray
    kept: np.ndarray
    elapsed: np.ndarray
    due: np.ndarray


class Work(NamedTuple):
    """Memory that a run works in besides its state.

    scratch : (n_sources, n_rows, SEGMENT, width), the NAP and what is tapped, entry : (n_rows, LANES), what flows into
    each lane, smoothed : (width + 2 * LANES,), a stage of the AGC with the neighbours of its ends.
    """

    scratch: np.ndarray
    entry: np.ndarray
    smoothed: np.ndarray


class Room(NamedTuple):
    """Memory that a reverse run works in: a segment's tape, bars of `SOWN` frames of the responses, and the AGC's.

    padded : (width + 4 * LANES,), bars of a stage between two lanes of zeros at either end, smoothed_bar : as
    `Work.smoothed`
    """

    tape: Tape
    seeds: np.ndarray
    work: Work
    padded: np.ndarray
    smoothed_bar: np.ndarray


def n_groups_for(n_channels: int) -> int:
    """Groups that hold so many channels; the last lanes may stay empty."""
    return -(-n_channels // LANES)


def lane_position(n_channels: int, *, beyond: int = 0) -> np.ndarray:
    """Index into (group, lane), flattened, of every channel, and of so many empty ones beyond the last."""
    channel = np.arange(n_channels + beyond)
    n_groups = n_groups_for(n_channels)
    return channel % n_groups * LANES + channel // n_groups


def make_constants(coefficients: Any, dtype: Any) -> Constants:
    """Scalars of the recursion from a design (`skaud.design.carfac.CARFACCoefficients`)."""
    car, hair, synapse, _ = coefficients
    cell = hair._asdict() if hair is not None else {}
    lpf, in1 = cell.get("lpf", 0.0), cell.get("in1", cell.get("into", 0.0))
    values = Constants(
        **{name: getattr(car, name) for name in Constants._fields if hasattr(car, name)},
        ihc_offset=cell.get("offset", 0.0),
        ihc_knee=cell.get("knee", 0.0),
        keep1=1 - in1,
        in1=in1,
        out1=cell.get("out1", cell.get("out", 0.0)),
        keep2=1 - cell.get("in2", 0.0),
        in2=cell.get("in2", 0.0),
        out2=cell.get("out2", 0.0),
        keep_lpf=1 - lpf,
        lpf=lpf,
        lpf_gain=lpf * cell.get("gain", 0.0),
        lpf_rest=lpf * cell.get("rest", 0.0),
        cap1_rest=cell.get("cap1_rest", 0.0),
        syn_per_width=1 / synapse.v_width if synapse else 0.0,
        syn_res=synapse.res if synapse else 0.0,
        syn_lpf=synapse.lpf if synapse else 0.0,
        spont_sub=synapse.spont_sub if synapse else 0.0,
        taylor=TAYLOR,
    )
    scalar = np.dtype(dtype).type
    cast = {name: scalar(value) for name, value in values._asdict().items() if name != "taylor"}
    return Constants(**cast, taylor=tuple(scalar(term) for term in values.taylor))


def make_plan(coefficients: Any, dtype: Any, *, closed: bool = True) -> Plan:
    """Plan of a run, for one ear, from a design."""
    agc, constants = coefficients.agc, make_constants(coefficients, dtype)
    n_channels = len(coefficients.car.pole_hz)
    last, after = lane_position(n_channels, beyond=1)[-2:]
    first_decimation = int(agc.decimation[0])
    sizes = Sizes(n_groups_for(n_channels), n_channels, last, after, 1, closed, first_decimation)
    input_scale = np.append(agc.detect_scale, np.ones(len(agc.epsilon) - 1)) / agc.decimation
    feedback = np.full(len(agc.epsilon), agc.stage_gain)
    feedback[-1] = 0.0
    columns = (agc.decimation, input_scale, agc.epsilon, feedback, *agc.spatial_fir.T, agc.mix)
    return Plan(
        sizes=np.array(sizes, np.int64),
        constants=np.array([*constants[:-1], *constants.taylor], dtype),
        table=np.stack(columns, axis=1).astype(dtype),
    )


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


def join_rows(states: list[State]) -> State:
    """State whose rows are those of others, which have passed as many samples."""
    arrays = [np.concatenate(arrays) for arrays in zip(*(state[:4] for state in states))]
    return State._make([*arrays, states[0].phase, states[0].frame_filled])


def workspace(plan: Plan, n_rows: int, n_taps: int) -> Work:
    """Memory that a run needs besides its state; this thread's next run may get the same."""
    width = plan.width
    shapes = (1 + n_taps, n_rows, SEGMENT, width), (n_rows, LANES), (width + 2 * LANES,)
    return Work._make(scratch(*shapes, dtype=plan.constants.dtype))


def rows_of_channels(lines: np.ndarray, group_size: int, n_channels: int) -> np.ndarray:
    """Rows of every channel, (n, n_channels, n_rows of a group), of lines (n, (n_groups + 1) * group_size)."""
    groups = lines.reshape(len(lines), -1, group_size // LANES, LANES)
    group, lane = np.divmod(lane_position(n_channels), LANES)
    return groups[:, group + 1, :, lane].swapaxes(0, 1)


def zero_bars(plan: Plan, x: np.ndarray, n_designs: int) -> Bars:
    """Bars after the last sample, on which nothing depends; the rows of x have so many designs in turn."""
    n_rows, stage_shape = len(x), (len(x), len(plan.table), plan.width)
    lines_shape = (n_rows, (plan.n_groups + 1) * BARS_GROUP)
    lines, memory, pending = aligned_empty(lines_shape, stage_shape, stage_shape, dtype=plan.constants.dtype)
    for array in (lines, memory, pending):
        array[...] = 0
    return Bars(
        np.empty_like(x), lines, memory, pending, np.zeros(plan.table.shape), np.zeros((n_designs, lines.shape[1]))
    )


def empty_room(plan: Plan, n_rows: int, n_samples: int, n_taps: int, n_taped: int, *, keep: bool) -> Room:
    """Room for segments of up to so many samples, with n_taped values a group on the tape; keep: the AGC's table's."""
    width, dtype = plan.width, plan.constants.dtype
    n_updates = n_samples // int(plan.table[0, DECIMATION].real) + 1
    samples, ramps, reached, kept, seeds, padded, smoothed_bar = aligned_empty(
        (n_rows, n_samples + 2, (plan.n_groups + 1) * n_taped),
        (n_rows, n_updates + 1, plan.n_groups * RAMPS),
        (n_rows, n_updates, width),
        (n_rows, n_updates, 3 * len(plan.table) if keep else 0, width),
        (1 + n_taps, n_rows, SOWN, width),
        (width + 4 * LANES,),
        (width + 2 * LANES,),
        dtype=dtype,
    )
    seeds[...], padded[...] = 0, 0
    tape = Tape(samples, ramps, reached, kept, np.empty(n_samples, np.int64), np.empty(n_updates, np.int64))
    return Room(tape, seeds, workspace(plan, n_rows, 0), padded, smoothed_bar)
