"""Clips of a device in portions that run side by side: of like lengths, and no more than its memory holds."""

from collections.abc import Hashable, Iterator, Sequence
from sys import maxsize
from typing import NamedTuple

import numpy as np

from skaud.engines.engine import Engine
from skaud.engines.pieces import fit_length
from skaud.kernels.array_api import Array, array_namespace, beside


class Portion(NamedTuple):
    """Clips that run side by side.

    indices : which of them; x : (n, n_ears, ..., longest), shorter ones with silence behind; lengths : theirs, None
    where all are as long
    """

    indices: list[int]
    x: Array
    lengths: list[int] | None

    def engine_of(self, engine: Engine) -> Engine:
        """An engine that knows their lengths."""
        return engine if self.lengths is None else engine.of_lengths(self.lengths)

    def cut(self, values: Array, n_frames: Sequence[int] | None) -> list[tuple[list[int], Array]]:
        """Values (n, ..., most) of the portion by length, where of each clip so many are its own."""
        if n_frames is None or set(n_frames) == {values.shape[-1]}:
            return [(self.indices, values)]
        xp, found = array_namespace(values), []
        for n in sorted(set(n_frames)):
            own = [k for k, other in enumerate(n_frames) if other == n]
            some = values if len(own) == len(n_frames) else xp.take(values, beside(np.array(own), values), axis=0)
            found.append(([self.indices[k] for k in own], some[..., :n]))
        return found

    def join(self, groups: Sequence[tuple[list[int], Array]], n: int) -> Array:
        """What `cut` cut, with zeros behind each clip's own, up to n."""
        padded = [fit_length(own, n) for _, own in groups]
        if len(groups) == 1:
            return padded[0]
        xp, order = array_namespace(padded[0]), np.concatenate([indices for indices, _ in groups])
        place = {index: k for k, index in enumerate(order.tolist())}
        back = np.array([place[index] for index in self.indices])
        return xp.take(xp.concat(padded, axis=0), beside(back, padded[0]), axis=0)


def portions(
    engine: Engine, clips: Array, output: str, frame_samples: int | None, memory_bytes: int
) -> Iterator[Portion]:
    """Portions of an array of clips, or of a list of several lengths, the longest first."""
    if not isinstance(clips, list):
        size = _signals_at_once(engine, clips.shape[1:], output, memory_bytes)
        for begin in range(0, clips.shape[0], size):
            some = clips if size >= clips.shape[0] else clips[begin : begin + size, ...]
            yield Portion(list(range(begin, begin + some.shape[0])), some, None)
        return
    xp, alike = array_namespace(clips[0]), dict[Hashable, list[int]]()
    for i, clip in enumerate(clips):
        alike.setdefault(engine.alike(clip.shape[-1], frame_samples), []).append(i)
    for indices in alike.values():
        ordered = sorted(indices, key=lambda i: -clips[i].shape[-1])
        while ordered:
            size = _signals_at_once(engine, clips[ordered[0]].shape, output, memory_bytes)
            own, ordered = sorted(ordered[:size]), ordered[size:]
            lengths = [clips[i].shape[-1] for i in own]
            x = xp.stack([fit_length(clips[i], max(lengths)) for i in own])
            yield Portion(own, x, lengths if len(set(lengths)) > 1 else None)


def _signals_at_once(engine: Engine, shape: tuple[int, ...], output: str, memory_bytes: int) -> int:
    """Signals (n_ears, ..., n_samples) that fit in a device's memory."""
    n_bytes = engine.bytes_of_signal(shape[0], shape[-1], output)
    return max(1, memory_bytes // n_bytes) if n_bytes and memory_bytes else maxsize
