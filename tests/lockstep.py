"""A CUDA device on the CPU: the threads of a block are greenlets that run from one barrier to the next.

They take turns in random order, shared and local memory begin as NaN, an index outside an array is an error, and so
are threads that wait at different barriers. A barrier or shuffle may be left out, by its place in the source, to see
that it is needed.
"""

import random
import sys
from types import SimpleNamespace

import numpy as np
from greenlet import getcurrent, greenlet

from skaud.kernels.device import copy_for, cuda


class LockstepError(RuntimeError):
    """Threads that would wait for ever, or never meet."""


class Memory:
    """An array that knows its ends, and its dtype: numbers of double precision are not rounded in silence."""

    __slots__ = ("array", "single")

    def __init__(self, array):
        self.array, self.single = array, array.dtype == np.float32

    def __getitem__(self, at):
        assert (min(at) if type(at) is tuple else at) >= 0, f"index {at} lies before the array"
        return self.array[at]

    def __setitem__(self, at, value):
        assert (min(at) if type(at) is tuple else at) >= 0, f"index {at} lies before the array"
        assert not self.single or type(value) is np.float32, f"{type(value)} is stored in single precision"
        self.array[at] = value


def flat(array):
    """An array as a kernel takes it."""
    found = array.reshape(-1)
    assert np.shares_memory(found, array) or not array.size, "an array for a kernel must be contiguous"
    return Memory(found)


def undefined(shape, dtype):
    """An array of nothing that may be read."""
    dtype = np.dtype(dtype)
    return np.full(shape, np.nan if dtype.kind == "f" else np.iinfo(dtype).max // 2, dtype)


def as_taken(own):
    """An argument as a kernel takes it: arrays, in tuples too, as `Memory`."""
    if isinstance(own, tuple):
        entries = map(as_taken, own)
        return type(own)._make(entries) if hasattr(own, "_make") else tuple(entries)
    if type(own).__module__ == "cupy":
        own = own.values
    return flat(own) if isinstance(own, np.ndarray) else own


def quiet(function):
    """The function, without NumPy's warnings: threads that have no channel compute anything."""

    def run(*arguments):
        with np.errstate(all="ignore"):  # a greenlet has settings of its own
            function(*arguments)

    return run


class Lockstep:
    """Takes the place of `cuda` in a kernel.

    left_out : (file within skaud, line) of the barrier or shuffle that does nothing; places : those that were
    passed, ran : (maker, dtype of the first array) of kernels
    """

    def __init__(self, *, seed=0, warp=32, left_out=None):
        self.random, self.warp, self.left_out, self.places = random.Random(seed), warp, left_out, set()
        self.ran = set()
        self.local = SimpleNamespace(array=lambda shape, dtype: Memory(undefined(shape, dtype)))
        self.shared = SimpleNamespace(array=self._shared)
        self.copies = {}

    threadIdx = property(lambda self: getcurrent().thread)
    blockIdx = property(lambda self: getcurrent().block)
    blockDim = property(lambda self: self.block_shape)
    gridDim = property(lambda self: self.grid_shape)

    def _shared(self, shape, dtype):
        own = getcurrent()
        own.n_shared += 1
        if own.n_shared not in self.arrays:
            self.arrays[own.n_shared] = Memory(undefined(shape, dtype))
        return self.arrays[own.n_shared]

    def _place(self):
        frame = sys._getframe(2)
        place = frame.f_code.co_filename.rsplit("skaud/", 1)[-1], frame.f_lineno
        self.places.add(place)
        return place

    def syncthreads(self):
        place = self._place()
        if place != self.left_out:
            getcurrent().parent.switch(("block", place))

    def syncwarp(self, mask=0xFFFFFFFF):
        place = self._place()
        if place != self.left_out:
            getcurrent().parent.switch(("warp", place))

    def _shuffle(self, place, value, source):
        own = getcurrent()
        if place == self.left_out:
            return value
        own.lanes[own.lane] = value
        own.parent.switch(("warp", place))
        found = own.lanes[source] if 0 <= source < self.warp else value
        own.parent.switch(("warp", place))
        assert type(found) is type(value), f"{place}: {type(value)} is exchanged for {type(found)}"
        return found

    def shfl_up_sync(self, mask, value, delta):
        return self._shuffle(self._place(), value, getcurrent().lane - delta)

    def shfl_down_sync(self, mask, value, delta):
        return self._shuffle(self._place(), value, getcurrent().lane + delta)

    def shfl_sync(self, mask, value, source):
        return self._shuffle(self._place(), value, source)

    def launch(self, kernel, grid, block, arguments):
        """Run a `skaud.kernels.device.Kernel`, block after block; as `skaud.kernels.device.launch`."""
        self.ran.add((kernel.make, arguments[0].dtype.name))
        self.run(kernel.function, grid, block, arguments)

    def run(self, function, grid, block, arguments):
        """Run a function as a kernel."""
        copied = copy_for(((cuda, self),), function, lambda own: own, self.copies)
        taken = [as_taken(own) for own in arguments]
        self.grid_shape, self.block_shape = SimpleNamespace(x=grid), SimpleNamespace(x=block[0], y=block[1])
        for index in range(grid):
            self._run_block(quiet(copied), index, taken)

    def _run_block(self, function, index, arguments):
        n = self.block_shape.x * self.block_shape.y
        lanes = [[None] * self.warp for _ in range(-(-n // self.warp))]
        self.arrays = {}
        threads = [greenlet(function) for _ in range(n)]
        for i, thread in enumerate(threads):
            thread.thread = SimpleNamespace(x=i % self.block_shape.x, y=i // self.block_shape.x)
            thread.block, thread.n_shared = SimpleNamespace(x=index), 0
            thread.lane, thread.lanes = i % self.warp, lanes[i // self.warp]
        self.waiting = {}
        self._let_run(threads, range(n), *arguments)
        while not all(thread.dead for thread in threads):
            moved = False
            for first in self.random.sample(range(0, n, self.warp), -(-n // self.warp)):
                moved |= self._run_warp(threads, range(first, min(n, first + self.warp)))
            alive = [i for i in range(n) if not threads[i].dead]
            places = {self.waiting[i] for i in alive}
            if alive and {kind for kind, _ in places} == {"block"} and len(alive) == n and len(places) == 1:
                self._let_run(threads, alive)
            elif not moved and alive:
                raise LockstepError(f"{n - len(alive)} threads have ended and the others wait at {sorted(places)}")

    def _run_warp(self, threads, members):
        """Let a warp pass its own barriers, as far as it comes; returns whether it moved."""
        moved = False
        while True:
            places = {self.waiting[i] for i in members if not threads[i].dead}
            if not places or len(places) > 1 or next(iter(places))[0] != "warp":
                break
            if any(threads[i].dead for i in members):
                raise LockstepError(f"threads of a warp have ended and others wait at {sorted(places)}")
            self._let_run(threads, members)
            moved = True
        return moved

    def _let_run(self, threads, members, *arguments):
        for i in self.random.sample(list(members), len(members)):
            self.waiting[i] = threads[i].switch(*arguments)
