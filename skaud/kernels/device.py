"""What kernels on a GPU have in common: how one is made, compiled, kept on disk and launched.

A kernel is plain Python over scalar steps, flat arrays and `cuda`, which stands for what a thread asks of its device.
It is compiled with numba-cuda, which no other module names: a copy is made of the kernel and of all functions that it
calls, in which numba-cuda takes the place of `cuda`. Tests put a lockstep emulator there.
"""

import logging
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from types import CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from skaud.kernels import _cache
from skaud.kernels._compile import FINGERPRINT
from skaud.kernels.array_api import as_dtype, stream_of
from skaud.kernels.one_pole import ZERO
from skaud.kernels.pointwise import LOWEST, exponential, quotient, real_part

WARP = 32  # threads that shuffle values among them
ALL = 0xFFFFFFFF  # of a warp
MANY = 256  # threads of a block that can have 255 registers each
logger = logging.getLogger("skaud")

# Division and roots of single precision, to 2 units in the last place, without the branches that exactness takes; NaN
# and infinity stay what they are, as they would not with fast math. What is rounded towards 0 is of `quick_quotient`.
QUICK = (
    (re.compile(r"\bdiv\.rn\.f32\b"), "div.full.f32"),
    (re.compile(r"\brcp\.rn\.f32\b"), "rcp.approx.f32"),
    (re.compile(r"\bsqrt\.rn\.f32\b"), "sqrt.approx.f32"),
    (re.compile(r"\brcp\.rz\.f32\b"), "rcp.approx.ftz.f32"),
)


def quick_exponential(x, taylor):
    """What `exponential` computes, in single precision by the device's own powers of 2, to 2 units in the last place.

    Nine instructions instead of 17, and a third of their latency; NaN stays NaN.
    """
    return math.exp(x if x > LOWEST else LOWEST + ZERO * x)


def quick_quotient(x, divisor):
    """What `quotient` computes, in single precision: by the device's own reciprocal, in two instructions, not eight."""
    return x * cuda.libdevice.frcp_rz(divisor)


def itself(x):
    """What `real_part` gives of real numbers."""
    return x


def add_at(array, place, value):
    """Add to a number of double precision in memory that no other thread adds to.

    A GPU does not wait for what was there: its memory adds, in the order in which a thread asks.
    """
    array[place] = array[place] + value


class _Cuda:
    """What a thread asks of its device, by the names of numba-cuda: `shfl_up_sync`, `local.array` and so on."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError(f"cuda.{name} was asked for outside a kernel; launch the kernel.")


cuda: Any = _Cuda()


# What a thread has of NumPy: roots and exponentials of real numbers, and types.
_real_numpy = ModuleType("numpy_of_a_thread")
vars(_real_numpy).update(sqrt=math.sqrt, exp=math.exp, log=math.log)
vars(_real_numpy).update({name: getattr(np, name) for name in ("float32", "float64", "int32", "uint64")})


def copy_for(
    others: Sequence[tuple[Any, Any]], function: Callable, wrap: Callable[[Callable], Any], copies: dict[Any, Any]
) -> Any:
    """Copy of a function, and of all functions of ours that it calls, in which other things have taken places.

    others : what is replaced, and what takes its place. Functions that it calls are wrapped. Copies are kept in a
    dictionary.
    """

    def in_place_of(value: Any) -> Any:
        for own, other in others:
            if value is own:
                return other
        source = getattr(value, "py_func", value)
        if not isinstance(source, FunctionType) or not source.__module__.startswith("skaud."):
            return value
        if source not in copies:
            copies[source] = wrap(copy_for(others, source, wrap, copies))
        return copies[source]

    known = function.__globals__
    names = {name: in_place_of(known[name]) for name in _names(function.__code__) if name in known}
    closed = tuple(_cell(in_place_of(cell.cell_contents)) for cell in function.__closure__ or ())
    names |= {"__name__": function.__module__, "__builtins__": known["__builtins__"]}
    copied = FunctionType(function.__code__, names, function.__name__, function.__defaults__, closed)
    copied.__qualname__, copied.__module__ = function.__qualname__, function.__module__
    return copied


def _names(code: CodeType) -> set[str]:
    """Names that code, and functions within it, may look up."""
    return set(code.co_names).union(*(_names(own) for own in code.co_consts if isinstance(own, CodeType)))


def _cell(value: Any) -> Any:
    return (lambda: value).__closure__[0]  # type: ignore[index]


class Kernel:
    """A kernel made for some switches; called with a grid, a block and what the kernel takes.

    make : returns the function of the kernel, for the switches; arrays are given to it flat. A function whose blocks
    have many threads says so in its attribute `threads`, since they share the registers.
    """

    def __init__(self, make: Callable[..., Callable], *switches: Any) -> None:
        self.make, self.switches = make, switches
        self.function = make(*switches)
        self.threads = getattr(self.function, "threads", WARP)
        self.name = f"{make.__module__.removeprefix('skaud.kernels.')}.{make.__name__}"

    def __call__(self, grid: int, block: tuple[int, int], *arguments: Any) -> None:
        """Launch it on the current device and stream."""
        launch(self, grid, block, arguments)


@cache
def kernel(make: Callable[..., Callable], *switches: Any) -> Kernel:
    """The kernel for these switches, made once."""
    return Kernel(make, *switches)


def contiguous(x: Any, dtype: str) -> Any:
    """An array as a kernel takes it, which counts its entries flat."""
    return np.ascontiguousarray(x, dtype) if isinstance(x, np.ndarray) else as_dtype(x, dtype)


def launch(own: Kernel, grid: int, block: tuple[int, int], arguments: tuple[Any, ...]) -> None:
    """Run a kernel where its arrays lie, on the stream that their library works on; of torch's, cupy takes views."""
    import cupy

    given = flatten(arguments)
    first = next(value for value in given if hasattr(value, "__cuda_array_interface__"))
    views = [cupy.asarray(value) if hasattr(value, "__cuda_array_interface__") else value for value in given]
    with cupy.asarray(first).device, cupy.cuda.Stream.from_external(_Stream(stream_of(first))):
        compiled = _loaded(own, types_of(arguments), cupy.cuda.Device().id)
        if grid:
            compiled((grid, 1, 1), (*block, 1), tuple(views))


class _Stream:
    """A stream of another library, as the protocol of CUDA's Python libraries names it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.number


def flatten(arguments: Any) -> list[Any]:
    """Arguments as the machine code takes them: tuples entry by entry."""
    own: list[Any] = []
    for value in arguments:
        own += flatten(value) if isinstance(value, tuple) else [value]
    return own


def types_of(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """What is known of arguments when a kernel is compiled: "float32*" for an array, else the type or the tuple's."""
    return tuple(_type_of(value) for value in arguments)


def _type_of(value: Any) -> Any:
    if isinstance(value, tuple):
        return type(value), tuple(_type_of(own) for own in value)
    if isinstance(value, np.generic):
        return value.dtype.name
    return f"{str(value.dtype).split('.')[-1]}*"


@cache
def _loaded(own: Kernel, types: tuple[Any, ...], device: int) -> Any:
    """Machine code of a kernel, loaded to the current device."""
    import cupy

    capability = cupy.cuda.Device(device).compute_capability  # such as "90"
    code = machine_code(own, types, (int(capability[:-1]), int(capability[-1])))
    module = cupy.cuda.function.Module()
    module.load(code)
    return module.get_function(ENTRY)


# --- compiling ---

ENTRY = "kernel"
_COMPILING = Lock()  # what numba-cuda is told of a device holds for all threads


def machine_code(own: Kernel, types: tuple[Any, ...], capability: tuple[int, ...]) -> bytes:
    """Cubin of a kernel for a compute capability, from disk where it lies there."""
    parts = (FINGERPRINT, _compiler_version(), own.name, _describe(own.switches), _describe(types), capability)
    name = f"{own.name}-{sha256(repr(parts).encode()).hexdigest()[:32]}.cubin"
    folders = _cache._folders(own.make)
    for folder in folders:
        try:
            return _cache._read(folder / name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            _cache._warn(folder / name, f"cannot be used ({type(error).__name__}: {error})")
    logger.info("compiling %s, once for this machine", own.name)
    code = assemble(ptx(own, types, capability), capability)
    for folder in folders:
        try:
            _cache._write(folder / name, _cache._checksum(name, code) + code)
            break
        except OSError as error:
            problem = f"cannot be written ({error})"
    else:
        _cache._warn(Path(folders[0]) / name, problem)
    return code


def ptx(own: Kernel, types: tuple[Any, ...], capability: tuple[int, ...]) -> str:
    """Assembly text of a kernel, whose entry is called `ENTRY`."""
    compiler = _compiler()
    copies: dict[Any, Any] = {}

    def wrap(function: Callable) -> Any:
        return compiler.jit(device=True, forceinline=True)(function)

    others: list[tuple[Any, Any]] = [(cuda, compiler), (np, _real_numpy), (real_part, wrap(itself))]
    others += [(add_at, _memory_adds())]
    if "float32*" in types:
        others += [(exponential, wrap(quick_exponential))]
        others += [(quotient, wrap(copy_for(others, quick_quotient, wrap, copies)))]
    function = copy_for(others, own.function, wrap, copies)
    signature = _numba_type("void")(*(_numba_type(own) for own in types))
    options = {"launch_bounds": own.threads} if own.threads > MANY else {}
    try:
        with _COMPILING, _compiling_for(capability):
            text = compiler.compile(function, signature, device=False, abi="numba", cc=capability, **options)[0]
    except AttributeError as error:
        if "numpy" not in str(error):
            raise
        raise ImportError(
            f"numba-cuda {_compiler_version()} does not know NumPy {np.__version__} ({error}): pip install 'numpy<2.5'",
            name="numba",
        ) from error
    (entry,) = re.findall(r"\.entry\s+(\S+?)\(", text)
    text = text.replace(entry, ENTRY)
    for exact, quick in QUICK:
        text = exact.sub(quick, text)
    return text


@cache
def _memory_adds() -> Any:
    """What `add_at` does, by one instruction."""
    from llvmlite import ir
    from numba.core import types
    from numba.cuda.extending import intrinsic

    @intrinsic
    def add(typing_context: Any, array: Any, place: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            given = builder.gep(arguments[0], [arguments[1]]), arguments[2]
            kind = ir.FunctionType(ir.VoidType(), [own.type for own in given])
            builder.call(ir.InlineAsm(kind, "red.global.add.f64 [$0], $1;", "l,d", side_effect=True), given)
            return context.get_dummy_value()

        return types.void(array, place, value), generate

    return add


@contextmanager
def _compiling_for(capability: tuple[int, ...]) -> Iterator[None]:
    """Let numba-cuda compile what a kernel calls for a compute capability, without asking a driver for one."""
    from numba.cuda import dispatcher

    ask = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
    try:
        yield
    finally:
        dispatcher.get_current_device = ask


def assemble(text: str, capability: tuple[int, ...]) -> bytes:
    """Machine code from assembly text."""
    from cuda.core import Program, ProgramOptions

    options = ProgramOptions(arch="sm_{}{}".format(*capability))
    return bytes(Program(text, "ptx", options).compile("cubin").code)


def _compiler() -> ModuleType:
    """numba-cuda; an error that says what to install where it is missing."""
    try:
        import numba_cuda  # noqa: F401
        from numba import cuda as compiler
    except ImportError as error:
        raise ImportError(
            "X lies on a GPU, whose kernels numba-cuda compiles, and that is not installed; pip install "
            "skaud[gpu-cu12] or skaud[gpu-cu13], as the driver has CUDA 12 or 13, or pass a NumPy array."
        ) from error
    return compiler


def _compiler_version() -> str:
    _compiler()
    return version("numba-cuda")


def _numba_type(of: Any) -> Any:
    from numba.core import types

    if isinstance(of, str):
        name = of.removesuffix("*")
        return types.CPointer(getattr(types, name)) if of != name else getattr(types, name)
    kind, own = of
    inner = [_numba_type(entry) for entry in own]
    if hasattr(kind, "_fields"):
        return types.NamedTuple(inner, kind) if len(set(inner)) > 1 else types.NamedUniTuple(inner[0], len(inner), kind)
    return types.UniTuple(inner[0], len(inner)) if len(set(inner)) == 1 else types.Tuple(inner)


def _describe(value: Any) -> str:
    """Text for switches and types, the same in every process."""
    if isinstance(value, tuple):
        return f"({', '.join(_describe(own) for own in value)})"
    return value.__qualname__ if isinstance(value, type) else repr(value)


# --- the device itself, for `python -m skaud.testing gpu` ---


def describe() -> dict[str, str]:
    """Device, driver and versions; an error where there is none."""
    import cupy

    properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    return {
        "device": properties["name"].decode(),
        "compute capability": "{}.{}".format(properties["major"], properties["minor"]),
        "memory in GiB": f"{properties['totalGlobalMem'] / 2**30:.1f}",
        "driver": str(cupy.cuda.runtime.driverGetVersion()),
        "CUDA of cupy": str(cupy.cuda.runtime.runtimeGetVersion()),
        "cupy": cupy.__version__,
        "numba-cuda": _compiler_version(),
    }


def to_device(x: np.ndarray) -> Any:
    """An array of cupy."""
    import cupy

    return cupy.asarray(x)


def another_stream() -> Any:
    """Context in which cupy works on a stream that does not wait for the default one."""
    import cupy

    return cupy.cuda.Stream(non_blocking=True)


def synchronize() -> None:
    """Wait for all that the device has to do."""
    import cupy

    cupy.cuda.Device().synchronize()
