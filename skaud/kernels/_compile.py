"""The one place that sets numba options."""

from collections.abc import Callable
from hashlib import sha1
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

# No "nnan", "ninf": a NaN must stay one. No "reassoc": a sum must not depend on how it was vectorised.
ARITHMETIC: dict[str, Any] = {"fastmath": {"contract", "arcp", "nsz"}, "error_model": "numpy"}

# numba finds a cached kernel by its name and by the date of its own file; a step in another file may have changed.
_SOURCES = sorted(Path(__file__).parent.rglob("*.py"))
FINGERPRINT = sha1(b"".join(path.read_bytes() for path in _SOURCES), usedforsecurity=False).hexdigest()[:12]


class _DistinctArrays(CompilerBase):
    """Compiler that takes it that no two arrays given to a function overlap, where one of them is written.

    Else LLVM compares the ends of all arrays before every loop, which costs as much as the short loops themselves.
    """

    def define_pipelines(self) -> list[Any]:
        self.state.flags.noalias = True
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]


def step(function: Callable) -> Any:
    """Compile a scalar step; it is inlined into every kernel, CPU or GPU, that calls it."""
    return numba.njit(inline="always", **ARITHMETIC)(function)


def loop(function: Callable) -> Any:
    """Compile a loop over steps; LLVM copies it into the kernels that call it. Its arrays must not overlap."""
    return numba.njit(forceinline=True, pipeline_class=_DistinctArrays, **ARITHMETIC)(function)


def kernel(function: Callable) -> Any:
    """Compile a whole run: without the GIL, cached on disk where a cache folder can be written.

    Its arrays must not overlap.
    """
    function.__qualname__ += f"_{FINGERPRINT}"
    options: dict[str, Any] = {"nogil": True, "pipeline_class": _DistinctArrays, **ARITHMETIC}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no folder it may write to
        return numba.njit(**options)(function)


@intrinsic
def borrowed(typing_context, array):
    """View of an array whose references numba does not count: every call in a loop would pay for counting.

    The kernel that borrows must hold the array itself for as long.
    """

    def generate(context, builder, signature, arguments):
        view = make_array(array)(context, builder, value=arguments[0])
        view.meminfo = cgutils.get_null_value(view.meminfo.type)
        return view._getvalue()

    return types.Array(array.dtype, array.ndim, array.layout)(array), generate


def _pointer(context, builder, array_type, array, index_type, index):
    """Pointer to the entry of an array at a tuple of indices, none of them counted from the end."""
    view = make_array(array_type)(context, builder, value=array)
    entries = cgutils.unpack_tuple(builder, index, index_type.count)
    return cgutils.get_item_pointer(context, builder, array_type, view, entries, wraparound=False)


@intrinsic
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


@intrinsic
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


@intrinsic
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
