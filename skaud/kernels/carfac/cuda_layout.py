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
CAP1, CAP2, NAP = 3, 4, 5  # of v2
LPF = 4  # of v1, in the place of CAP2
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

N_COLUMNS = 8  # of the AGC's table
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
