"""Engines for devices: which of them computes there what an engine of the host does, and what goes wrong there.

The engine of a family for CUDA is made by ``make(engine, place)`` in `skaud.engines.<family>_cuda`. It has the
methods of `skaud.engines.engine.Engine`, over arrays of the library of `place`, on its device and its current stream;
bars of coefficients come as NumPy's. What it cannot do it says in `make`, or where it is asked for, by `NotOnDevice`.
"""

from importlib import import_module
from importlib.util import find_spec
from math import ceil, sqrt

from skaud.engines.engine import Engine
from skaud.engines.series import Series
from skaud.kernels.array_api import Array, Place, place_of
from skaud.kernels.on_device import CHECKPOINTS_SHARE, REMEDY, SHARE, free_bytes, memory_of

UNTOLD_BYTES = 2**30  # where a library does not tell what is free


class NotOnDevice(TypeError):
    """What has no kernel on a device."""


def engine_for(engine: Engine, place: Place, who: str) -> Engine:
    """The engine that computes at `place` what `engine` does on the host; `NotOnDevice` if there is none.

    Engines of array-API code serve every device, and one that was made is kept with the engine that it was made of.
    who : the model, for the error
    """
    if engine.any_library:
        return engine
    key, made = (place.library, place.device), vars(engine).setdefault("on_devices", {})
    if key not in made:
        made[key] = _make(engine, place, who)
    return made[key]


def _make(engine: Engine, place: Place, who: str) -> Engine:
    if isinstance(engine, Series):
        return Series([engine_for(own, place, who) for own in engine.engines])
    module = f"{type(engine).__module__}_cuda"
    if not place.on_cuda or place.library == "jax" or find_spec(module) is None:
        raise no_kernel(who, place)
    return import_module(module).make(engine, place._replace(like=None))


def no_kernel(who: object, place: Place) -> NotOnDevice:
    """Error for a model, or its name, that does not compute arrays of a place."""
    name = who if isinstance(who, str) else type(who).__name__
    have = "; arrays of jax on a GPU are computed as cupy.from_dlpack(X)" if place.library == "jax" else ""
    return NotOnDevice(
        f"{name} has no kernel for X where it lies, {place}{have}, and nothing is copied in silence; {REMEDY}."
    )


def segment_of(x: Array, n_bytes: int, block: int) -> int:
    """Samples from one checkpoint, of n_bytes for all signals, to the next: a number of blocks.

    One block, which then needs not be reached from where a segment begins; more where checkpoints would take over a
    quarter of a device's memory, up to the root of the number of samples. What is free does not matter, so that sums
    over blocks are the same bits in every run.
    """
    n_samples = x.shape[-1]
    n_checkpoints = max(1, room_of_tape(x) // max(1, n_bytes))
    return min(max(1, ceil(n_samples / n_checkpoints / block)) * block, longest_segment(n_samples, block))


def room_of_tape(x: Array) -> int:
    """Bytes that may be kept of a run which need not be, for a faster adjoint; 0 where nobody tells what there is."""
    told = memory_of(place_of(x))
    return 0 if told is None else int(CHECKPOINTS_SHARE * told[1])


def longest_segment(n_samples: int, block: int) -> int:
    """Samples between checkpoints with which they and what is kept of a segment take the least: a number of blocks."""
    return max(1, ceil(max(32, sqrt(n_samples * block)) / block)) * block


def memory_at(place: Place) -> int:
    """Memory that array-API code may take of a device."""
    free = free_bytes(place)
    return UNTOLD_BYTES if free is None else max(1, int(SHARE * free))
