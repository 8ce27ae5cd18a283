"""Engines for devices: which of them computes there what an engine of the host does, and what goes wrong there.

The engine of a family for CUDA is made by ``make(engine, place)`` in `skaud.engines.<family>_cuda`. It has the
methods of `skaud.engines.engine.Engine`, over arrays of the library of `place`, on its device and its current stream;
bars of coefficients come as NumPy's. What it cannot do it says in `make`, or where it is asked for, by `NotOnDevice`.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from math import ceil, sqrt
from multiprocessing import current_process

from skaud.engines.engine import Engine
from skaud.engines.series import Series
from skaud.kernels.array_api import DEVICE_LIBRARIES, Array, Place, place_of

REMEDY = "pass ToNumpy().transform(X), which the CPU computes"
SHORTEST_SEGMENT = 16
CHECKPOINTS_SHARE = 1 / 8
SHARE = 0.6  # of the free memory, that estimates may be off and a device's memory in pieces
UNTOLD_BYTES = 2**30  # where a library does not tell what is free
INSTALL = "install it with: pip install 'skaud[gpu-cu13]', or 'skaud[gpu-cu12]'"


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


@contextmanager
def device_errors(place: Place, who: str, n_signals: int) -> Iterator[None]:
    """Name what a driver, an allocator or a missing library says, in the words of this package."""
    try:
        yield
    except ImportError as error:
        if place.on_host or (error.name or "").split(".")[0] not in DEVICE_LIBRARIES:
            raise
        raise ImportError(
            f"{who} runs on {place} by kernels of numba-cuda, which cannot be imported ({error}); {INSTALL}."
        ) from error
    except Exception as error:
        told = _told(error, place, who, n_signals)
        if told is None:
            raise
        raise told from error


def _told(error: Exception, place: Place, who: str, n_signals: int) -> Exception | None:
    """What an error of a device means; None where it is none."""
    if place.on_host:
        return None
    text = f"{type(error).__name__} {error}".lower().replace("_", "").replace(" ", "")
    if "outofmemory" in text or isinstance(error, MemoryError):
        free = free_bytes(place)
        has = "" if free is None else f", of which {free / 2**20:.0f} MiB are free,"
        return MemoryError(
            f"{n_signals} signals at once do not fit in the memory of {place.device}{has} as {who} computes them "
            f"({error}); pass about {max(1, n_signals // 2)} a call, or X in the host's memory."
        )
    if "insufficientdriver" in text or "driverversionisinsufficient" in text:
        return RuntimeError(
            f"the driver of {place.device} is too old for the CUDA that is installed ({error}); update the driver, or "
            f"install kernels for an older CUDA: pip install 'skaud[gpu-cu12]'. Meanwhile {REMEDY}."
        )
    if "nodevice" in text or "cudasupporterror" in text or "nocuda" in text:
        return RuntimeError(
            f"no driver of a GPU answers ({error}); install NVIDIA's, or see nvidia-smi whether it is there. "
            f"Meanwhile {REMEDY}."
        )
    return None


def free_bytes(place: Place) -> int | None:
    """Memory that is free on a device, and what its library keeps for new arrays; None where it does not tell."""
    told = _memory_of(place)
    return told and told[0]


def _memory_of(place: Place) -> tuple[int, int] | None:
    """Free memory of a device, and all that it has; None where its library does not tell."""
    try:
        library = sys.modules[place.library]
        if place.library == "torch":
            free, total = library.cuda.mem_get_info(place.device)
            kept = library.cuda.memory_reserved(place.device) - library.cuda.memory_allocated(place.device)
        else:
            with library.cuda.Device(int(place.device.rpartition(":")[2])):
                free, total = library.cuda.runtime.memGetInfo()
                kept = library.get_default_memory_pool().free_bytes()
        return int(free) + int(kept), int(total)
    except Exception:  # whoever asks can do without
        return None


def segment_of(x: Array, n_bytes: int) -> int:
    """Samples from one checkpoint, of n_bytes for all signals, to the next.

    Few, so that the tape of a segment stays in a device's cache; more where checkpoints would take over an eighth of
    its memory, up to the root of the number of samples, with which they and the tape take the least. What is free does
    not matter, so that sums over segments are the same bits in every run.
    """
    told, n_samples = _memory_of(place_of(x)), x.shape[-1]
    least = max(32, ceil(sqrt(n_samples)))
    if told is None:
        return least
    n_checkpoints = max(1, int(CHECKPOINTS_SHARE * told[1]) // n_bytes)
    return min(max(SHORTEST_SEGMENT, ceil(n_samples / n_checkpoints)), least)


def memory_at(place: Place) -> int:
    """Memory that array-API code may take of a device."""
    free = free_bytes(place)
    return UNTOLD_BYTES if free is None else max(1, int(SHARE * free))


def refuse_worker(place: Place) -> None:
    """Refuse arrays of a device in a worker process of joblib, each of which would copy them and start the device."""
    if not place.on_host and current_process().name.startswith("LokyProcess"):
        raise RuntimeError(
            f"X is of {place} in a worker process of joblib, where every worker would hold a copy of it and of the "
            "device's context; set n_jobs=1 in the search or the cross-validation, since the device computes clips "
            "side by side anyway, or use threads: with joblib.parallel_backend('threading')."
        )
