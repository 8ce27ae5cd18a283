"""Clips of any library, an array or a list of different lengths: grouped by shape, run side by side, put in order."""

from collections.abc import Sequence

import numpy as np

from skaud.kernels.array_api import Array, array_namespace, beside


def clip_of(clips: Array, i: int) -> Array:
    """Clip i of a list, or of an array."""
    return clips[i] if isinstance(clips, list) else clips[i, ...]


def gather(clips: Array, indices: Sequence[int]) -> Array:
    """Some clips of a list, which are of one shape, or of an array, as one array."""
    if isinstance(clips, list):
        return array_namespace(clips[indices[0]]).stack([clips[i] for i in indices])
    first, n = indices[0], len(indices)
    if list(indices) == list(range(first, first + n)):
        return clips[first : first + n, ...]
    return array_namespace(clips).take(clips, beside(np.asarray(indices), clips), axis=0)


def groups_of(clips: Array) -> list[tuple[list[int], Array]]:
    """(which clips, one array of them) for every shape: what runs side by side."""
    if not isinstance(clips, list):
        return [(list(range(clips.shape[0])), clips)]
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for i, clip in enumerate(clips):
        by_shape.setdefault(tuple(clip.shape), []).append(i)
    return [(indices, gather(clips, indices)) for indices in by_shape.values()]


def in_order(groups: Sequence[tuple[list[int], Array]], *, is_array: bool) -> Array:
    """What was computed of every group, (n_signals, ...), as one array, or clip by clip in a list."""
    if is_array:
        return groups[0][1] if len(groups) == 1 else array_namespace(groups[0][1]).concat([own for _, own in groups])
    ordered: list[Array] = [None] * sum(len(indices) for indices, _ in groups)
    for indices, computed in groups:
        for k, i in enumerate(indices):
            ordered[i] = computed[k, ...]
    return ordered


def rows_in_order(groups: Sequence[tuple[list[int], Array]]) -> Array:
    """Rows of features of every group, (n_signals, n_features), as one array in the order of the clips."""
    if len(groups) == 1:
        return groups[0][1]
    xp = array_namespace(groups[0][1])
    rows = xp.concat([own for _, own in groups], axis=0)
    order = np.argsort(np.concatenate([indices for indices, _ in groups]))
    return xp.take(rows, beside(order, rows), axis=0)


def all_finite(x: Array) -> bool:
    """Whether no element is NaN or infinite; asked of the device."""
    xp = array_namespace(x)
    return bool(xp.all(xp.isfinite(x)))


def zeros_of_no_size(x: Array) -> np.ndarray:
    """NumPy array of the shape of x which takes no memory: so that one code checks the shapes of all kinds."""
    kind = dtype_of(x).kind
    return np.broadcast_to(np.zeros((), "c8" if kind == "c" else "f4"), tuple(x.shape))


def dtype_of(x: Array) -> np.dtype:
    """Dtype of x as NumPy calls it; float32 for those that it does not know, such as bfloat16."""
    try:
        return np.dtype(str(x.dtype).split(".")[-1])
    except TypeError:
        return np.dtype("float32")
