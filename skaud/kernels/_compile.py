"""The one place that sets numba options."""

from collections.abc import Callable
from hashlib import sha1
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numba.np.arrayobj import make_array
from numba.np.unsafe.ndarray import to_fixed_tuple

from skaud._warnings import warn_caller
from skaud.kernels._cache import KernelCache, config
from skaud.kernels._compilers import KernelCompiler, LoopCompiler

# No "nnan", "ninf": a NaN must stay one. No "reassoc": a sum must not depend on how it was vectorised.
ARITHMETIC: dict[str, Any] = {"fastmath": {"contract", "arcp", "nsz"}, "error_model": "numpy"}

# A kernel is compiled anew where any of its sources changed, since its steps lie in several.
_SOURCES = sorted(Path(__file__).parent.rglob("*.py"))
FINGERPRINT = sha1(b"".join(path.read_bytes() for path in _SOURCES), usedforsecurity=False).hexdigest()[:12]

if config.DISABLE_JIT:
    warn_caller(
        "NUMBA_DISABLE_JIT is set: kernels run as Python, thousands of times slower; unset it unless you debug them.",
        RuntimeWarning,
    )


def _for_any_integer(dispatcher: Any) -> Any:
    """Let it compile once for all integers: numba, which infers types, would compile for literal ones first."""
    if config.DISABLE_JIT:
        return dispatcher
    find = dispatcher.get_call_template

    def get_call_template(args: Any, kws: dict[str, Any]) -> Any:
        return find(tuple(map(_without_value, args)), {name: _without_value(of) for name, of in kws.items()})

    dispatcher.get_call_template = get_call_template
    return dispatcher


def _without_value(of: Any) -> Any:
    return types.unliteral(of) if isinstance(of, types.IntegerLiteral) else of


def step(function: Callable) -> Any:
    """Compile a scalar step; it is inlined into every kernel, CPU or GPU, that calls it."""
    return numba.njit(inline="always", **ARITHMETIC)(function)


def loop(function: Callable) -> Any:
    """Compile a loop over steps; LLVM copies it into the kernels that call it, and Python cannot. No arrays overlap."""
    options: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, **ARITHMETIC}
    return _for_any_integer(numba.njit(forceinline=True, pipeline_class=LoopCompiler, **options)(function))


def kernel(function: Callable) -> Any:
    """Compile a whole run: without the GIL, kept on disk where a folder can be written.

    Its arrays must not overlap.
    """
    options: dict[str, Any] = {"no_cfunc_wrapper": True, **ARITHMETIC}
    compiled: Any = numba.njit(nogil=True, pipeline_class=KernelCompiler, **options)(function)
    if not config.DISABLE_JIT:
        compiled._cache = KernelCache(function, FINGERPRINT)
    return _for_any_integer(compiled)


def _intrinsic(in_python: Callable) -> Callable:
    """Code that is generated for a call; in_python does the same where nothing is compiled."""
    return lambda generator: in_python if config.DISABLE_JIT else intrinsic(generator)


# Tuple of so many entries of an array; numba's own does not run as Python.
fixed_tuple: Any = (lambda array, count: tuple(array[:count])) if config.DISABLE_JIT else to_fixed_tuple


def _binary_parts(x):
    mantissa, exponent = np.frexp(x)
    return 2 * mantissa, type(x)(exponent - 1)


@_intrinsic(_binary_parts)
def binary_parts(typing_context, x):
    """Mantissa from 1 up to 2, and exponent of 2, of a positive real number, both in its dtype; of bits, for vectors.

    Of what has no such parts, 0, a number below the smallest normal one, infinity or NaN, come any two numbers.
    """

    def generate(context, builder, signature, arguments):
        n_bits, n_mantissa, bias = (32, 23, 127) if x == types.float32 else (64, 52, 1023)
        whole = ir.IntType(n_bits)
        bits = builder.bitcast(arguments[0], whole)
        exponent = builder.trunc(
            builder.ashr(bits, whole(n_mantissa)), ir.IntType(32)
        )  # shorter ones are converted fast
        exponent = builder.sub(exponent, exponent.type(bias))
        digits = builder.and_(bits, whole((1 << n_mantissa) - 1))
        mantissa = builder.bitcast(builder.or_(digits, whole(bias << n_mantissa)), arguments[0].type)
        parts = mantissa, builder.sitofp(exponent, arguments[0].type)
        return context.make_tuple(builder, signature.return_type, parts)

    return types.UniTuple(x, 2)(x), generate


def _polynomial(x, coefficients):
    value = coefficients[0]
    for own in coefficients[1:]:
        value = value * x + own
    return value


@_intrinsic(_polynomial)
def polynomial(typing_context, x, coefficients):
    """Polynomial in a real number, of any number of coefficients in its dtype, a tuple, the highest power's first.

    Written out where it is compiled: LLVM vectorises the loop around it only when it sees no loop and no table here.
    """

    def generate(context, builder, signature, arguments):
        value, *rest = cgutils.unpack_tuple(builder, arguments[1])
        for own in rest:
            value = builder.fadd(builder.fmul(value, arguments[0], flags=("contract",)), own, flags=("contract",))
        return value

    return x(x, coefficients), generate


def _two_to(x, k):
    return type(x)(np.ldexp(x, int(k)))


@_intrinsic(_two_to)
def times_two_to(typing_context, x, k):
    """Number x times 2 to the power of k, a whole number of its dtype for which that is a normal number."""

    def generate(context, builder, signature, arguments):
        n_bits, n_mantissa, bias = (32, 23, 127) if x == types.float32 else (64, 52, 1023)
        whole, short = ir.IntType(n_bits), ir.IntType(32)  # shorter ones are converted fast
        exponent = builder.add(builder.fptosi(arguments[1], short), short(bias))
        bits = builder.shl(builder.sext(exponent, whole) if n_bits > 32 else exponent, whole(n_mantissa))
        return builder.fmul(arguments[0], builder.bitcast(bits, arguments[0].type))

    return x(x, x), generate


def _run_of(array: np.ndarray, index: tuple[int, ...], count: int) -> np.ndarray:
    """View of so many values of an array, from an index on."""
    return array.reshape(-1)[np.ravel_multi_index(index, array.shape) :][:count]


@_intrinsic(lambda value: value)
def borrowed(typing_context, value):
    """View of an array, or of all in a tuple, whose references numba does not count: calls in a loop would pay for it.

    The kernel that borrows must hold the arrays themselves for as long.
    """

    def lent(of):
        if isinstance(of, types.BaseTuple):
            return types.BaseTuple.from_types(tuple(map(lent, of)), getattr(of, "instance_class", None))
        return types.Array(of.dtype, of.ndim, of.layout) if isinstance(of, types.Array) else of

    def lend(context, builder, of, value):
        if isinstance(of, types.BaseTuple):
            entries = [lend(context, builder, *own) for own in zip(of, cgutils.unpack_tuple(builder, value))]
            return context.make_tuple(builder, lent(of), entries)
        if not isinstance(of, types.Array):
            return value
        view = make_array(of)(context, builder, value=value)
        view.meminfo = cgutils.get_null_value(view.meminfo.type)
        return view._getvalue()

    def generate(context, builder, signature, arguments):
        return lend(context, builder, value, arguments[0])

    return lent(value)(value), generate


@_intrinsic(lambda source, begin: source.reshape(-1)[begin:])
def pointer(typing_context, source, begin):
    """Pointer to an entry of a contiguous array, counted flat, or of what another pointer points to.

    It knows no end, and nobody counts it: code that works on pointers is compiled in half the time of code that slices
    arrays, and runs faster where a loop is as short as 16 lanes.
    """

    if isinstance(source, types.Array) and source.layout != "C":
        raise TypingError(f"a pointer needs a contiguous array, not {source}; copy it first")

    def generate(context, builder, signature, arguments):
        data = arguments[0]
        if isinstance(source, types.Array):
            data = make_array(source)(context, builder, value=data).data
        return builder.gep(data, [arguments[1]])

    return types.CPointer(source.dtype)(source, types.intp), generate


def _pointer(context, builder, array_type, array, index_type, index):
    """Pointer to the entry of an array at a tuple of indices, none of them counted from the end."""
    view = make_array(array_type)(context, builder, value=array)
    entries = cgutils.unpack_tuple(builder, index, index_type.count)
    return cgutils.get_item_pointer(context, builder, array_type, view, entries, wraparound=False)


def _copy_run(target, at, source, begin, count):
    _run_of(target, at, count)[...] = _run_of(source, begin, count)


@_intrinsic(_copy_run)
def copy_run(typing_context, target, at, source, begin, count):
    """Copy so many values that follow each other, from entry begin of an array to entry at of another; both tuples.

    A loop would do, but LLVM unrolls one of a known length into single values before it vectorises.
    """

    def generate(context, builder, signature, arguments):
        types_, given = signature.args, arguments
        to = _pointer(context, builder, types_[0], given[0], types_[1], given[1])
        out_of = _pointer(context, builder, types_[2], given[2], types_[3], given[3])
        item = context.get_abi_sizeof(context.get_data_type(target.dtype))
        cgutils.raw_memcpy(builder, to, out_of, given[4], item)
        return context.get_dummy_value()

    index = (types.UniTuple(types.intp, target.ndim), types.UniTuple(types.intp, source.ndim))
    return types.none(target, index[0], source, index[1], types.intp), generate


SQUARE = 16  # rows and columns that `transpose_square` exchanges


def _transpose_square(target, at, target_stride, n_written, source, begin, source_stride, n_read):
    to, out_of = _run_of(target, at, target.size), _run_of(source, begin, source.size)
    square = np.zeros((SQUARE, SQUARE), source.dtype)
    for i in range(min(n_read, SQUARE)):
        square[i] = out_of[i * source_stride :][:SQUARE]
    for i in range(min(n_written, SQUARE)):
        to[i * target_stride :][:SQUARE] = square[:, i]


@_intrinsic(_transpose_square)
def transpose_square(typing_context, target, at, target_stride, n_written, source, begin, source_stride, n_read):
    """Transpose a square of SQUARE rows, in registers.

    Its rows follow each other by a stride in values, from entry begin of the source and entry at of the target, both
    tuples; of the source's only the first n_read are read, the others are 0; of the target's n_written are written.
    """

    def generate(context, builder, signature, arguments):
        index = ir.IntType(64)
        bits = 8 * context.get_abi_sizeof(context.get_data_type(target.dtype))
        value, vector = ir.IntType(bits), ir.VectorType(ir.IntType(bits), SQUARE)  # no arithmetic: also complex numbers

        def row(first, stride, number):
            return builder.gep(first, [builder.mul(stride, index(number))])

        def begin_of(i):
            types_, given = signature.args, arguments
            pointer = _pointer(context, builder, types_[i], given[i], types_[i + 1], given[i + 1])
            return builder.bitcast(pointer, value.as_pointer()), given[i + 2], given[i + 3]

        to, target_step, written = begin_of(0)
        out_of, source_step, read = begin_of(4)
        rows = []
        for i in range(SQUARE):
            there = builder.icmp_signed("<", index(i), read)
            pointer = builder.select(there, row(out_of, source_step, i), out_of)
            loaded = builder.load(builder.bitcast(pointer, vector.as_pointer()), align=bits // 8)
            rows.append(builder.select(there, loaded, ir.Constant(vector, None)))
        step = 1
        while step < SQUARE:  # squares of `step` exchange their off-diagonal halves
            for i in (i for i in range(SQUARE) if not i & step):
                pair = rows[i], rows[i + step]
                for first, shift in ((i, 0), (i + step, step)):
                    chosen = [j + shift if not j & step else SQUARE + j - step + shift for j in range(SQUARE)]
                    mask = ir.Constant(ir.VectorType(ir.IntType(32), SQUARE), chosen)
                    rows[first] = builder.shuffle_vector(*pair, mask)
            step *= 2
        for i in range(SQUARE):
            with builder.if_then(builder.icmp_signed("<", index(i), written)):
                pointer = builder.bitcast(row(to, target_step, i), vector.as_pointer())
                builder.store(rows[i], pointer, align=bits // 8)
        return context.get_dummy_value()

    into = (target, types.UniTuple(types.intp, target.ndim), types.intp, types.intp)
    out_of = (source, types.UniTuple(types.intp, source.ndim), types.intp, types.intp)
    return types.none(*into, *out_of), generate


def _compose_down(entry, at, lines, slope, intercept):
    entries, slopes, intercepts = (
        _run_of(array, index, SQUARE) for array, index in ((entry, at), (lines, slope), (lines, intercept))
    )
    value = lines.dtype.type(0)
    for l in reversed(range(SQUARE)):
        entries[l] = value
        value = slopes[l] * value + intercepts[l]
    return value


@_intrinsic(_compose_down)
def compose_down(typing_context, entry, at, lines, slope, intercept):
    """Send a value, 0 at first, from the last of SQUARE lanes to the first: s -> slope * s + intercept, real numbers.

    What enters each lane goes to entry, what leaves the first is returned; slope, intercept and at are tuples, where
    the lanes begin. A scan: one lane after the other would wait for 16 multiplications.
    """

    def generate(context, builder, signature, arguments):
        value = context.get_data_type(lines.dtype)
        vector, numbers = ir.VectorType(value, SQUARE), ir.VectorType(ir.IntType(32), SQUARE)
        none, bits = ir.Constant(vector, None), context.get_abi_sizeof(value)

        def pointer(array, index):
            types_, given = signature.args, arguments
            first = _pointer(context, builder, types_[array], given[array], types_[index], given[index])
            return builder.bitcast(first, vector.as_pointer())

        def from_behind(lanes, distance):
            chosen = [i + distance for i in range(SQUARE)]  # from `none`, behind the last
            return builder.shuffle_vector(lanes, none, ir.Constant(numbers, chosen))

        slopes, sums = (builder.load(pointer(2, i), align=bits) for i in (3, 4))
        distance = 1
        while distance < SQUARE:
            carried = builder.fmul(slopes, from_behind(sums, distance), flags=("contract",))
            sums = builder.fadd(carried, sums, flags=("contract",))
            slopes = builder.fmul(slopes, from_behind(slopes, distance))
            distance *= 2
        builder.store(from_behind(sums, 1), pointer(0, 1), align=bits)
        return builder.extract_element(sums, ir.Constant(ir.IntType(32), 0))

    two, of_entry = types.UniTuple(types.intp, lines.ndim), types.UniTuple(types.intp, entry.ndim)
    return lines.dtype(entry, of_entry, lines, two, two), generate
