"""What an engine is, and what derives from it for all of them: whole clips, blocks, batches, frames, derivatives.

A row is one ear of one signal; the rows of a signal lie side by side. `frame_samples` is the length of a frame, over
which a response is averaged; None keeps every sample. All that knows of estimators stands in `skaud.estimator`.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from copy import copy
from functools import cached_property
from hashlib import sha1
from typing import Any, Protocol, Self

import numpy as np

from skaud.engines.pieces import fit_length, join, own_copy
from skaud.kernels.array_api import array_namespace, is_foreign

BLOCK = 8192  # samples of a sound that are computed at a time, where nothing asks for more
STEP = 1e-30  # of the complex step, which is exact: nothing is subtracted

AnyState = Any  # of a run: a State, each engine's own
Tape = Any  # what `record` leaves to `pull_back`, each engine's own
Responses = dict[str, np.ndarray]  # by name: (n_signals, n_ears, n_channels, n_frames)


class Clip(Protocol):
    """Sound (n_ears, [n_channels,] n_samples): an array, or what gives its samples in order as they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> np.ndarray: ...


class State(Protocol):
    """All that a run changes; what is known of every row lies along the first axis."""

    def copy(self) -> Self:
        """One that a run may use up while this stays as it is."""

    def of_rows(self, rows: slice) -> Self:
        """View of some rows; how far the frame is filled is shared by all."""


class Engine(ABC):
    """A design made ready to run, in one dtype.

    x : (n_signals, n_ears, n_samples), or (n_signals, n_ears, n_channels, n_samples) where `takes_channels`

    Attributes
    ----------
    dtype : str
        "float32", "float64", or "complex128", for complex steps.
    outputs : tuple of str
        Names of the responses, in the order of the stages.
    parts : tuple of str
        Names of what `pull_back` may be asked the bars of coefficients for; "X" too where that of x costs extra.
    takes_channels : bool
        Whether x has an axis of channels.
    any_library : bool
        Whether it computes arrays of every library with the array API, wherever they lie.
    spreads : bool
        Whether it can use `n_threads` for one signal.
    signals_at_once : int
        Signals that had better run side by side.
    frames_at_once : int
        Frames that are held where a long clip goes through in blocks.
    memory_bytes : int
        What array-API code may take of a device's memory at once; 0 for as little as on the host.
    """

    dtype: str
    outputs: tuple[str, ...]
    parts: tuple[str, ...]
    takes_channels = False
    any_library = False
    spreads = False
    signals_at_once = 1
    frames_at_once = 512
    n_threads = 1
    memory_bytes = 0

    def __getstate__(self) -> dict[str, object]:
        # What was made for a device stays there: a model opens where there is none.
        return {name: value for name, value in vars(self).items() if name != "on_devices"}

    # --- the four methods ---

    @abstractmethod
    def start(self, n_signals: int, n_ears: int) -> AnyState:
        """State before the first sample."""

    @abstractmethod
    def run(
        self, x: np.ndarray, state: AnyState, outputs: Sequence[str], frame_samples: int | None
    ) -> tuple[Responses, AnyState]:
        """Responses to the next samples, and the state after them; the state given is used up.

        Frames are of one output. They come with the samples that complete them.
        """

    @abstractmethod
    def record(self, x: np.ndarray, output: str, frame_samples: int | None) -> tuple[np.ndarray, Tape]:
        """Response to whole clips, of at least a frame, and a tape of how it came about, which `pull_back` leaves."""

    @abstractmethod
    def pull_back(
        self, tape: Tape, bar: np.ndarray, wanted: Sequence[str]
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Bars of x and of the coefficients, from the bar of the response; of parts that are not wanted, 0 will do.

        The bars of coefficients are summed over signals and ears, in double precision, and shaped as `coefficients`.
        """

    # --- what responses depend on ---

    @abstractmethod
    def coefficients(self) -> tuple[np.ndarray, ...]:
        """All numbers that responses depend on; parameters act through them alone."""

    def switches(self) -> tuple[Hashable, ...]:
        """What tells designs of equal coefficients apart."""
        return ()

    def arrays_of(self, part: str) -> slice | None:
        """Those of the coefficients that belong to a part alone; None where parts share arrays."""
        return slice(None) if self.outputs == (part,) else None

    def derivative(self, response: np.ndarray, output: str) -> np.ndarray:
        """Derivative in the direction of the complex step that x and the coefficients had, of one signal's response."""
        return response.imag / STEP

    @cached_property
    def fingerprint(self) -> str:
        """Text that tells one design from another."""
        numbers = repr(self.switches()).encode() + b"".join(array.tobytes() for array in self.coefficients())
        return sha1(numbers, usedforsecurity=False).hexdigest()[:10]

    # --- what an engine may do otherwise ---

    def finish(self, state: AnyState, outputs: Sequence[str], frame_samples: int | None) -> Responses:
        """What is still to come where a clip ends: the end of a response that comes before its sound."""
        return {}

    def ends(self, state: AnyState, outputs: Sequence[str], frame_samples: int | None) -> Iterator[Responses]:
        """What `finish` gives, piece by piece where all of it at once is much."""
        rest = self.finish(state, outputs, frame_samples)
        if rest:
            yield rest

    def whole(self, x: np.ndarray, outputs: Sequence[str], frame_samples: int | None) -> Responses:
        """Responses to whole clips, of at least a frame."""
        responses, state = self.run(x, self.start(*x.shape[:2]), outputs, frame_samples)
        rest = self.finish(state, outputs, frame_samples)
        return {name: join([own, rest[name]]) if name in rest else own for name, own in responses.items()}

    def record_in_groups(
        self, x: np.ndarray, output: str, frame_samples: int | None
    ) -> tuple[np.ndarray, list[tuple[slice, Tape]]]:
        """As record, with a tape for every group of signals, `signals_at_once` or all of them.

        Sums over signals are made group by group, in order: they are the same however many are recorded at once.
        """
        response, tape = self.record(x, output, frame_samples)
        return response, [(slice(None), tape)]

    def with_threads(self, n_threads: int) -> Self:
        """The engine, with so many threads for a signal."""
        engine = copy(self)
        engine.n_threads = n_threads
        return engine

    # --- engines that are made of several ---

    @property
    def engines(self) -> "tuple[Engine, ...]":
        """Those that it is made of, each of which takes the last response of the one before it."""
        return (self,)

    def apart(self) -> "list[Engine]":
        """Engines whose responses, along the channels, are this one's; one where that holds no less."""
        return [self]

    # --- clips of several lengths, and a device's memory ---

    def with_memory(self, n_bytes: int) -> Self:
        """The engine, with so many bytes of a device's memory to work in."""
        engine = copy(self)
        engine.memory_bytes = n_bytes
        return engine

    def of_lengths(self, lengths: Sequence[int]) -> Self:
        """The engine for clips of which silence follows after so many samples; it may run through that, too."""
        return self

    def alike(self, n_samples: int, frame_samples: int | None) -> Hashable:
        """Clips for which this is the same run side by side, the shorter ones with silence behind them."""
        return n_samples if n_samples < (frame_samples or 1) else 0  # a clip that is shorter than a frame is a frame

    def n_frames(self, n_samples: int, output: str, frame_samples: int | None) -> int:
        """Frames of the response to a clip."""
        return n_samples if frame_samples is None else max(1, n_samples // frame_samples)

    def bytes_of_signal(self, n_ears: int, n_samples: int, output: str) -> int:
        """Memory that a signal takes at least, forwards and backwards; 0 where a kernel's launch takes all signals."""
        return 0

    def bytes_on_device(
        self, n_ears: int, n_samples: int, outputs: Sequence[str], frame_samples: int | None, *, backwards: bool
    ) -> int:
        """Memory of a device that a signal takes in all, its response with it; for the error where it does not fit."""
        return sum(self.bytes_of_signal(n_ears, n_samples, name) for name in outputs)


# --- forwards ---


def frame_of(n_samples: int, frame_samples: int | None) -> int | None:
    """Frame of a clip: one that is shorter than a frame is a frame."""
    return None if frame_samples is None else min(frame_samples, n_samples)


def respond(engine: Engine, x: np.ndarray, outputs: Sequence[str], frame_samples: int | None) -> Responses:
    """Responses to whole clips of one length; the last frame is dropped where it is not complete."""
    return engine.whole(x, outputs, frame_of(x.shape[-1], frame_samples))


def respond_in_blocks(
    engine: Engine, clips: Sequence[Clip], output: str, frame_samples: int | None, hop: int | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """(which clip, its next frames), in blocks of `hop` samples; side by side, bit by bit as each clip alone.

    None stands for blocks of the engine's `frames_at_once`. The clips, without the axis of signals, come with the
    shortest first: the rows of those that ended are left behind.
    """
    long = [i for i, clip in enumerate(clips) if clip.shape[-1] >= (frame_samples or 1)]
    for i in range(len(clips) - len(long)):
        yield i, respond(engine, clips[i][np.newaxis], (output,), frame_samples)[output][0]
    if not long:
        return
    lengths, n_ears = [clip.shape[-1] for clip in clips], len(clips[0])
    state = engine.start(len(long), n_ears)
    hop = max(engine.frames_at_once * (frame_samples or 1), BLOCK) if hop is None else hop
    pieces: dict[int, list[np.ndarray]] = {i: [] for i in long}
    begin, running = 0, long
    while running:
        # To the end of the block, or of the shortest clip that is left.
        end = min((begin // hop + 1) * hop, lengths[running[0]])
        x = np.stack([clips[i][..., begin:end] for i in running])
        responses, state = engine.run(x, state, (output,), frame_samples)
        for i, response in zip(running, responses[output]):
            pieces[i].append(response)
            # A block of a clip comes whole, whatever ends beside it: sums over blocks are then the same to the bit.
            if end % hop == 0 or end == lengths[i]:
                block, pieces[i] = join(pieces[i]), []
                if block.shape[-1]:
                    yield i, block
        begin = end
        n_ended = sum(lengths[i] == begin for i in running)
        if n_ended:
            ended = state.of_rows(slice(0, n_ended * n_ears)).copy()  # the frame of the others goes on
            ends = engine.finish(ended, (output,), frame_samples)
            for i, response in zip(running, ends.get(output, ())):
                if response.shape[-1]:
                    yield i, response
            running, state = running[n_ended:], state.of_rows(slice(n_ended * n_ears, None))


def respond_side_by_side(
    engine: Engine, clips: Sequence[Clip], output: str, frame_samples: int | None
) -> np.ndarray | list[np.ndarray]:
    """Frames of every clip, as `respond_in_blocks` takes them; one array of all where clips are arrays of one shape."""
    if isinstance(clips, np.ndarray):
        return respond(engine, clips, (output,), frame_samples)[output]
    arrays = [clip for clip in clips if isinstance(clip, np.ndarray)]
    if len(arrays) == len(clips) and clips[0].shape == clips[-1].shape:  # the shortest and the longest
        return respond(engine, np.stack(arrays), (output,), frame_samples)[output]
    pieces: list[list[np.ndarray]] = [[] for _ in clips]
    hop = clips[-1].shape[-1] if arrays else None  # what is not there yet comes in blocks
    for i, response in respond_in_blocks(engine, clips, output, frame_samples, hop):
        pieces[i].append(response)
    return [join(own) for own in pieces]


# --- derivatives ---


def along(bars: Sequence[np.ndarray], engine: Engine) -> float:
    """Derivative in the direction of the complex step that the coefficients of an engine have."""
    pairs = zip(bars, engine.coefficients(), strict=True)
    return sum(float((bar * coefficients.imag).sum()) for bar, coefficients in pairs) / STEP


# --- frames, for engines whose kernels know none ---


def frame_means(waiting: np.ndarray, response: np.ndarray, frame_samples: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Frames that the next samples complete, and those that wait for more; both (..., n_samples)."""
    if frame_samples is None:
        return response, waiting
    joined = join([waiting, response]) if waiting.shape[-1] else response
    n_frames = joined.shape[-1] // frame_samples
    whole, rest = joined[..., : n_frames * frame_samples], joined[..., n_frames * frame_samples :]
    xp = array_namespace(whole)
    frames = xp.mean(xp.reshape(whole, (*whole.shape[:-1], n_frames, frame_samples)), axis=-1)
    return frames, own_copy(rest)


def frame_means_adjoint(frames_bar: np.ndarray, frame_samples: int | None, n_samples: int) -> np.ndarray:
    """Bar of a response of so many samples, from that of its means over frames."""
    if frame_samples is None:
        return frames_bar
    if is_foreign(frames_bar):
        repeated = array_namespace(frames_bar).repeat(frames_bar / frame_samples, frame_samples, axis=-1)
        return fit_length(repeated, n_samples)
    response_bar = np.zeros((*frames_bar.shape[:-1], n_samples))
    # frames = response.reshape(..., n_frames, frame_samples).mean(axis=-1)
    within = frames_bar.shape[-1] * frame_samples
    response_bar[..., :within] = np.repeat(frames_bar / frame_samples, frame_samples, axis=-1)
    return response_bar
