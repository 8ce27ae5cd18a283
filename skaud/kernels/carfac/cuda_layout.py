"""How CARFAC lies in a GPU's memory: an array a purpose, a row an ear of a signal, channels along the last axis.

The ears of a signal are warps of one block. A thread holds neighbours: thread l the channels from l * per_thread on.
"""

from typing import Any, NamedTuple

import numpy as np

from skaud.kernels.carfac import layout as at
from skaud.kernels.carfac.hair_cells import JUST_HWR, ONE_CAP, TWO_CAP, TWO_CAP_WITH_SYN
from skaud.kernels.carfac.layout import LANES, N_CLASSES
from skaud.kernels.device import WARP

# Coefficients of a channel, by their rows on the CPU.
COEFFICIENTS: tuple[int, ...] = (at.A0, at.C0, at.H, at.R1, at.ZR, at.GA, at.GB, at.GC, at.HEALTH)
COEFFICIENTS += tuple(at.N_FIBERS + k * LANES for k in range(N_CLASSES))
A0, C0, H, R1, ZR, GA, GB, GC, HEALTH, N_FIBERS = range(10)
N_COEFFICIENTS = len(COEFFICIENTS)
# Coefficients of a class of fibres, the same in all channels: V_HALF of every class, A1 of every class, and so on.
CLASSES = (at.V_HALF, at.A1, at.A2, at.WEIGHT)
V_HALF, A1, A2, WEIGHT = (k * N_CLASSES for k in range(4))

# States of a channel: first those of the resonator and the hair cell, which a tape holds.
Z1, Z2, ZA = range(3)
CAP1, SECOND, NAP = 3, 4, 5  # the second is CAP2, or of v1 LPF
RESERVOIR, RELEASE = 6, 6 + N_CLASSES
_V2 = (at.CAP1, at.CAP2, at.NAP)
CELLS = {
    JUST_HWR: (),
    ONE_CAP: (at.CAP1, at.LPF, at.NAP),
    TWO_CAP: _V2,
    TWO_CAP_WITH_SYN: (*_V2, *(row + k * LANES for row in (at.RESERVOIR, at.RELEASE) for k in range(N_CLASSES))),
}
# What a response is taken from, besides states.
NAP_TAP, BM_TAP, AGC_TAP = -1, -2, -3

# Bars of what a channel has of its own: first those that the AGC's loop needs.
OWN: tuple[int, ...] = (at.ZR, at.GA, at.GB, at.GC, at.HEALTH, at.R1)
OWN += tuple(at.N_FIBERS + k * LANES for k in range(N_CLASSES))
ZR_BAR, GA_BAR, GB_BAR, GC_BAR, HEALTH_BAR, R1_BAR, FIBERS_BAR = range(7)
N_GOALS = HEALTH_BAR + 1

# A tape lies in shared memory, which answers in a tenth of the time of a cache, and of which 8 warps with all registers
# that a thread may have share 228 KB on an H100; a kernel is given 48 KB without being asked for more, and a warp's
# channels need some of it.
LONGEST_BLOCK, SHORTEST_BLOCK = 8, 4  # samples
SHARED_BYTES, MOST_SHARED_BYTES = 27 * 2**10, 47 * 2**10  # of a warp, of a block of threads

MOST_CHANNELS = 8 * WARP
MOST_STAGES = 8
MOST_EARS = 16


class Switches(NamedTuple):
    """What a kernel is made for.

    per_thread : channels of a thread, n_lanes : threads of a warp, dtype : "float32" or "float64"
    """

    style: int
    delay: bool
    closed: bool
    n_stages: int
    n_ears: int
    per_thread: int
    n_lanes: int
    dtype: str


class Rows(NamedTuple):
    """Where the states behind those of the hair cell lie; of a kernel for a hair cell."""

    ac: int
    g: int
    dg: int
    zb: int
    dzb: int
    out: int
    n_taped: int  # states that a tape holds
    n_states: int

    @property
    def n_ramps(self) -> int:
        """Rows of the ramps, from g on."""
        return self.dzb + 1 - self.g


class Design(NamedTuple):
    """What kernels read and never change.

    coefficients : (n_designs, N_COEFFICIENTS, n_channels), table : (n_stages, N_COLUMNS), classes : of fibres
    """

    coefficients: Any
    n_designs: Any
    table: Any
    classes: tuple[Any, ...]
    constants: Any


class State(NamedTuple):
    """What a run begins with and leaves.

    values : (n_rows, n_values, n_channels), states, what the AGC's stages remember and gather, sums of the frame that
    is not full, counts : (n_rows, n_stages + 1), phases of the stages, and how many samples the frame has
    """

    values: Any
    n_values: Any
    counts: Any


class Sizes(NamedTuple):
    """Of a run in frames of frame_samples, of which n_frames from number `first` on respond; checkpoints a segment."""

    n_samples: Any
    n_channels: Any
    frame_samples: Any
    n_frames: Any
    first: Any
    segment: Any


class Checkpoints(NamedTuple):
    """The states every segment; thread by thread, which are `per_thread` times `n_lanes` numbers a row.

    values : (n_checkpoints, n_rows, n_states + 2 * n_stages, per_thread, n_lanes), phases : (n_checkpoints, n_rows,
    n_stages); of the blocks of a segment (n_rows, n_blocks, ...), and phases thread by thread, too
    """

    values: Any
    phases: Any


class Tape(NamedTuple):
    """What a reverse run knows of a block, with n_updates updates of the AGC at most; thread by thread.

    n_blocks : of a segment, blocks : the states where each of them begins, samples : (n_rows, block, n_taped + 2,
    per_thread, n_lanes), states, the stage's input and bm, where they do not fit in shared memory, ramps : (n_rows,
    n_updates + 1, n_ramps, per_thread, n_lanes), reached : (n_rows, n_updates, per_thread, n_lanes), kept : (n_rows,
    n_updates, 3 * n_stages, per_thread, n_lanes), dues : (n_rows, n_updates), parked : (n_rows, n_parked, per_thread,
    n_lanes), bars while a block runs forwards
    """

    n_updates: Any
    n_blocks: Any
    checkpoints: Checkpoints
    blocks: Checkpoints
    samples: Any
    ramps: Any
    reached: Any
    kept: Any
    dues: Any
    parked: Any


class Bars(NamedTuple):
    """What a reverse run leaves; zeros before, in double precision but for x.

    channels : (n_rows, n_states + n_own, n_channels), scalars : (n_rows, N_CONSTANTS, n_lanes), table : (n_rows,
    n_stages, N_COLUMNS, n_lanes), x : (n_rows, n_samples)
    """

    channels: Any
    scalars: Any
    table: Any
    x: Any


def n_own(constants: bool) -> int:
    """Bars of a channel's coefficients."""
    return len(OWN) if constants else N_GOALS


def n_parked(switches: Switches) -> int:
    """Bars of a channel's states that go from one block to the next."""
    return rows_of(switches.style, switches.delay).n_states + 2 * switches.n_stages


def n_on_tape(switches: Switches) -> int:
    """Numbers of a channel's sample that a tape holds: states, the stage's input and bm."""
    return rows_of(switches.style, switches.delay).n_taped + 2


def block_of(switches: Switches) -> tuple[int, bool]:
    """Samples that go back together, and whether their tape lies in shared memory."""
    sample = n_on_tape(switches) * switches.per_thread * switches.n_lanes * np.dtype(switches.dtype).itemsize
    n_fit = min(SHARED_BYTES, MOST_SHARED_BYTES // switches.n_ears) // sample
    return (min(n_fit, LONGEST_BLOCK), True) if n_fit >= SHORTEST_BLOCK else (LONGEST_BLOCK, False)


def rows_of(style: int, delay: bool) -> Rows:
    """Rows of the states for a hair cell, with delay or ripple."""
    first = 3 + len(CELLS[style])
    return Rows._make([*range(first, first + 6), first, first + 5 + delay])


def cpu_rows(style: int, delay: bool) -> tuple[int, ...]:
    """Rows of the states on the CPU, but that Z1 holds its stage's input already."""
    own = (at.Z1, at.Z2, at.ZA, *CELLS[style], at.AC, at.G, at.DG, at.ZB, at.DZB)
    return (*own, at.OUT) if delay else own


def tap_of(row: int, style: int) -> int:
    """What a response is taken from that the CPU takes from a row of its lines."""
    if row == at.BM:
        return BM_TAP
    return AGC_TAP if row == at.ZB else cpu_rows(style, False).index(row)


def switches_for(
    style: int, n_channels: int, n_stages: int, n_ears: int, dtype: str, *, delay: bool, closed: bool
) -> Switches:
    """Switches of a model; an error where it is too large."""
    sizes = (
        ("channels", n_channels, MOST_CHANNELS, "raise erb_per_step or min_pole_hz"),
        ("stages of the AGC", n_stages, MOST_STAGES, "shorten agc_time_constants_s"),
        ("ears", n_ears, MOST_EARS, "pass fewer ears"),
    )
    for name, size, most, remedy in sizes:
        if size > most:
            raise ValueError(f"X on a GPU may have {most} {name}, this is {size}; {remedy}, or pass a NumPy array.")
    return Switches(style, delay, closed, n_stages, n_ears, -(-n_channels // WARP), WARP, dtype)


def channels_of(coefficients: np.ndarray, rows: tuple[int, ...]) -> np.ndarray:
    """Some rows (n_ears, n_rows, n_channels) of the CPU's (n_ears, n_channels, all rows)."""
    return np.ascontiguousarray(coefficients[..., [row // LANES for row in rows]].swapaxes(1, 2))


def classes_of(coefficients: np.ndarray) -> tuple[Any, ...]:
    """What classes of fibres have, of the CPU's (n_ears, n_channels, all rows)."""
    return tuple(coefficients[0, 0, row // LANES + k] for row in CLASSES for k in range(N_CLASSES))
