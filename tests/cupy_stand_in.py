"""What cupy is to this package, over NumPy: an array of a device, which nothing reads from the host but `get`.

`install` puts it where `import cupy` finds it. Its arrays compute through their namespace alone, as the array API says,
and refuse what cupy refuses: to become NumPy's by themselves. `calls` lists what a device would be asked for: names of
functions, each at least one launch of a kernel, "to the device" and "to the host" for copies.
"""

import operator
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
from array_api_compat import numpy as host

from skaud.engines.engine import Engine

calls = []
current = [0]  # number of the device on which new arrays come to lie


class Device:
    """A device, which is the current one within a context."""

    def __init__(self, number=None):
        self.id = current[0] if number is None else number
        self.compute_capability = "90"

    def __repr__(self):
        return f"<CUDA Device {self.id}>"

    def __eq__(self, other):
        return self.id == other.id

    def __hash__(self):
        return hash(self.id)

    def __enter__(self):
        self.before, current[0] = current[0], self.id
        return self

    def __exit__(self, *_):
        current[0] = self.before


class ndarray:
    """An array of a device."""

    __module__ = "cupy"

    def __init__(self, values, device=None):
        self.values, self.number = np.asarray(values), current[0] if device is None else device

    shape = property(lambda self: self.values.shape)
    dtype = property(lambda self: self.values.dtype)
    ndim = property(lambda self: self.values.ndim)
    size = property(lambda self: self.values.size)
    device = property(lambda self: Device(self.number))
    flags = property(lambda self: self.values.flags)

    @property
    def __cuda_array_interface__(self):
        return self.values.__array_interface__ | {"version": 3}

    def __array__(self, *_, **__):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct one.")

    def __array_namespace__(self, **_):
        return Namespace()

    def get(self):
        calls.append("to the host")
        return self.values.copy()

    def __len__(self):
        return len(self.values)

    def __getitem__(self, key):
        return wrap(self.values[unwrap(key)], self.number)

    def __bool__(self):
        return bool(self.get())

    def __float__(self):
        return float(self.get())

    def __reduce__(self):
        return ndarray, (self.values, self.number)


def wrap(value, number=None):
    if isinstance(value, (np.ndarray, np.generic)):
        return ndarray(value, number)
    if isinstance(value, (list, tuple)):
        return type(value)(wrap(entry, number) for entry in value)
    return value


def unwrap(value):
    if isinstance(value, ndarray):
        return value.values
    if isinstance(value, (np.ndarray, np.generic)) and value.ndim:
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")  # as cupy says where a NumPy array meets its own
    if isinstance(value, (list, tuple)):
        return type(value)(unwrap(entry) for entry in value)
    return value


def numbers_of(values):
    found = {value.number for value in values if isinstance(value, ndarray)}
    for value in values:
        if isinstance(value, (list, tuple)):
            found |= numbers_of(value)
    return found


def lift(function):
    """A function of NumPy's for arrays of the device."""

    def lifted(*arguments, **options):
        numbers = numbers_of([*arguments, *options.values()])
        assert numbers <= {current[0]}, "arrays of a device that is not the current one"
        options.pop("device", None)  # which cupy's functions do not know
        number = current[0]
        options = {name: unwrap(value) for name, value in options.items()}
        calls.append(function.__name__)
        return wrap(function(*map(unwrap, arguments), **options), number)

    return lifted


def asarray(values, dtype=None, *, device=None, **_):
    """What takes NumPy's arrays to the device."""
    number = device.id if device is not None else getattr(values, "number", current[0])
    if not isinstance(values, (ndarray, NumbaArray)):
        calls.append("to the device")
    values = values.values if isinstance(values, (ndarray, NumbaArray)) else values
    return ndarray(np.array(values, dtype), number)


class Namespace:
    """The array API of the device."""

    asarray = staticmethod(asarray)

    def __getattr__(self, name):
        if name == "fft":
            return SimpleNamespace(**{own: lift(getattr(np.fft, own)) for own in ("fft", "ifft", "rfft", "irfft")})
        value = getattr(host, name)
        return value if isinstance(value, type) or not callable(value) else lift(value)


BINARY = ("add", "sub", "mul", "truediv", "pow", "lt", "le", "gt", "ge", "eq", "ne", "and_", "or_")
for _name in BINARY:
    _function = lift(getattr(operator, _name))
    _mark = _name.rstrip("_")
    setattr(ndarray, f"__{_mark}__", lambda self, other, f=_function: f(self, other))
    if _name in ("add", "sub", "mul", "truediv", "pow"):
        setattr(ndarray, f"__r{_mark}__", lambda self, other, f=_function: f(other, self))
ndarray.__neg__ = lambda self: lift(operator.neg)(self)
ndarray.__invert__ = lambda self: lift(operator.invert)(self)


class NumbaArray:
    """An array of numba.cuda: it has places, and no arithmetic, and does not say where it lies."""

    __module__ = "numba.cuda.cudadrv.devicearray"

    def __init__(self, values):
        self.number = getattr(values, "number", current[0])
        self.values = np.asarray(values.values if isinstance(values, ndarray) else values)

    shape = property(lambda self: self.values.shape)
    dtype = property(lambda self: self.values.dtype)
    __cuda_array_interface__ = property(lambda self: self.values.__array_interface__ | {"version": 3})

    def __getitem__(self, key):
        if Ellipsis in (key if isinstance(key, tuple) else (key,)):
            raise TypeError("unsupported operand type(s) for +: 'ellipsis' and 'int'")  # as numba says
        return NumbaArray(ndarray(self.values[key], self.number))

    def copy_to_host(self):
        calls.append("to the host")
        return self.values.copy()


class OnStandIn(Engine):
    """What an engine for CUDA is: the CPU's, over arrays of the device alone."""

    def __init__(self, engine, place=None):
        self.engine, self.place = engine, place
        self.dtype, self.outputs, self.parts = engine.dtype, engine.outputs, engine.parts
        self.takes_channels = engine.takes_channels

    def start(self, n_signals, n_ears):
        return self.engine.start(n_signals, n_ears)

    def run(self, x, state, outputs, frame_samples):
        responses, state = self.engine.run(self._there(x), state, outputs, frame_samples)
        return {name: ndarray(own, x.number) for name, own in responses.items()}, state

    def record(self, x, output, frame_samples, **begin):
        response, tape = self.engine.record(self._there(x), output, frame_samples, **begin)
        return ndarray(response, x.number), tape

    def pull_back(self, tape, bar, wanted):
        x_bar, bars = self.engine.pull_back(tape, self._there(bar), wanted)
        return ndarray(x_bar, bar.number), bars

    def coefficients(self):
        return self.engine.coefficients()

    @staticmethod
    def _there(x):
        assert type(x) is ndarray
        assert x.number == current[0]
        return np.ascontiguousarray(x.values)


class Stream:
    """A stream, whose contexts `launches` remembers."""

    now = 0

    @classmethod
    def from_external(cls, other):
        version, own = other.__cuda_stream__()
        assert version == 0
        stream = cls()
        stream.own = own
        return stream

    def __enter__(self):
        self.before, Stream.now = Stream.now, self.own

    def __exit__(self, *_):
        Stream.now = self.before


launches = []  # device, stream, grid, block, arguments


class Module:
    """Machine code on the current device; its functions do nothing but to be remembered."""

    def load(self, code):
        self.code = code

    def get_function(self, name):
        def launched(grid, block, arguments):
            launches.append((current[0], Stream.now, grid, block, arguments, (self.code, name)))

        return launched


def install(monkeypatch, *, stream=7, free=100 * 2**20, total=2**40):
    """Let `import cupy` find the stand-in; it works on that stream, with so many bytes free of all."""
    cupy = ModuleType("cupy")
    cupy.asarray = asarray
    cupy.from_dlpack = lambda x: ndarray(np.from_dlpack(x))
    # Not the class above: array_api_compat would take its namespace from cupy's own modules.
    cupy.ndarray = type("other", (), {})
    cupy.cuda = SimpleNamespace(
        get_current_stream=lambda: SimpleNamespace(ptr=stream),
        runtime=SimpleNamespace(memGetInfo=lambda: (free // 4, total)),
        Device=Device,
    )
    cupy.cuda.Stream = Stream
    cupy.cuda.function = SimpleNamespace(Module=Module)
    cupy.get_default_memory_pool = lambda: SimpleNamespace(free_bytes=lambda: free - free // 4)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    return cupy
