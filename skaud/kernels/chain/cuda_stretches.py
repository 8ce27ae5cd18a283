"""How the adjoint of a chain on a GPU takes it apart: stretches for registers, blocks for shared memory.

They are those that bars of all coefficients need, also where only that of the sound is wanted: a run that leaves what
enters stretches does not know yet what for.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skaud.kernels.chain.cuda import Shape, Slot

MOST_NUMBERS = 64  # that a thread holds of some slots: coefficients, states before and behind a sample, and their bars
# Samples that go back together, and bytes of shared memory, of which a kernel is given no more without being asked.
LONGEST_BLOCK, MOST_SHARED_BYTES = 8, 48 * 2**10


class Stretch(NamedTuple):
    """Slots that go back together, links in a row or filters.

    entry : row of what enters it, of those that are kept of a sample; -1 for the sound, taped : each slot whose states
    the adjoint must know, as one that knows its rows on the tape, n_taped : rows of all of them
    """

    slots: tuple[Slot, ...]
    entry: int
    taped: dict[Slot, Slot]

    @property
    def is_of_filters(self) -> bool:
        return self.slots[0].kind.is_filter

    @property
    def n_taped(self) -> int:
        """Rows of states on the tape."""
        return sum(slot.kind.n_states for slot in self.taped)

    @property
    def n_on_tape(self) -> int:
        """Numbers of a channel's sample in shared memory: these, what enters, what links leave, and what goes back."""
        return self.n_taped + (1 if self.is_of_filters else len(self.slots) + 1) + 1

    @property
    def is_replayed(self) -> bool:
        """Whether the adjoint must know anything."""
        return bool(self.taped) or not self.is_of_filters


def stretches_of(shape: Shape, wanted: bool) -> tuple[list[Stretch], list[Stretch]]:
    """Links, from the first to the last, and filters, in stretches of like size that fit in registers."""
    n_links = len(shape.links)
    links, filters = _in_parts(shape.slots[:n_links]), _in_parts(shape.slots[n_links:])
    of_links = [Stretch(slots, i - 1, _taped_of(slots, wanted)) for i, slots in enumerate(links)]
    return of_links, [Stretch(slots, len(links) - 1, _taped_of(slots, wanted)) for slots in filters]


def entries_of(shape: Shape) -> tuple[int, ...]:
    """Row of what enters each link, of those that are kept of a sample, -1 for none, and of what enters the filters."""
    links, _ = stretches_of(shape, wanted=True)
    rows = {stretch.slots[0]: stretch.entry for stretch in links}
    return *(rows.get(slot, -1) for slot in shape.slots[: len(shape.links)]), len(links) - 1


def n_entries(shape: Shape) -> int:
    """Numbers that are kept of a sample."""
    return max(entries_of(shape)) + 1


def block_of(shape: Shape) -> int:
    """Samples that go back together."""
    most = max(own.n_on_tape for stretches in stretches_of(shape, wanted=True) for own in stretches)
    sample = max(1, most) * shape.n_lanes * np.dtype(shape.dtype).itemsize
    return max(1, min(LONGEST_BLOCK, MOST_SHARED_BYTES // sample))


def _taped_of(slots: Sequence[Slot], wanted: bool) -> dict[Slot, Slot]:
    found: dict[Slot, Slot] = {}
    n = 0
    for slot in slots:
        if slot.kind.keeps_states and (wanted or not slot.kind.only_for_bars):
            found[slot] = slot._replace(states=n)
            n += slot.kind.n_states
    return found


def _in_parts(slots: Sequence[Slot]) -> list[tuple[Slot, ...]]:
    """Equal ones: loops around few slots would be unrolled, for which registers do not suffice."""
    sizes = [slot.kind.n_coefficients * 2 + slot.kind.n_states * 3 for slot in slots]
    n_parts = -(-sum(sizes) // MOST_NUMBERS)
    ends = np.cumsum(sizes) - np.array(sizes) / 2
    numbers = np.minimum(ends * n_parts // max(1, sum(sizes)), n_parts - 1) if n_parts else np.zeros(len(slots))
    found = (tuple(own for own, number in zip(slots, numbers) if number == part) for part in range(max(1, n_parts)))
    return [own for own in found if own]
