"""Engines one after the other as an engine: what one leaves the next takes."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from skaud.engines.engine import BLOCK, AnyState, Engine, Responses, Tape, respond
from skaud.engines.pieces import join
from skaud.kernels.array_api import Array, array_namespace, beside, zeros


class States(NamedTuple):
    """State of every engine."""

    own: tuple[AnyState, ...]

    def copy(self) -> "States":
        """Copy that shares nothing that a run changes."""
        return States(tuple(state.copy() for state in self.own))

    def of_rows(self, rows: slice) -> "States":
        """States of some rows."""
        return States(tuple(state.of_rows(rows) for state in self.own))


def series(engines: Sequence[Engine]) -> Engine:
    """Engines as one."""
    return engines[0] if len(engines) == 1 else Series(engines)


class Series(Engine):
    """Engines each of which takes the last response of the one before it."""

    lengths: tuple[tuple[int, ...], ...] | None = None  # of what each engine leaves, of clips of several lengths

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines, self.dtype = tuple(engines), engines[0].dtype
        self.outputs = tuple(name for engine in engines for name in engine.outputs)
        self.parts = tuple(name for engine in engines for name in engine.parts)
        self.takes_channels = engines[0].takes_channels

        self.spreads = any(engine.spreads for engine in engines)

    @property
    def engines(self) -> tuple[Engine, ...]:
        """Those that it is made of."""
        return self._engines

    def start(self, n_signals: int, n_ears: int) -> States:
        """State of every engine before the first sample."""
        return States(tuple(engine.start(n_signals, n_ears) for engine in self.engines))

    def run(
        self, x: np.ndarray, state: States, outputs: Sequence[str], frame_samples: int | None
    ) -> tuple[Responses, States]:
        """Run the next samples through all engines up to the last that is asked for; frames block by block."""
        n_samples = x.shape[-1]
        if self._holds_little(n_samples, frame_samples):
            return self._run_from(0, x, state, outputs, frame_samples)
        pieces: dict[str, list[np.ndarray]] = {name: [] for name in outputs}
        for begin in range(0, n_samples, BLOCK):
            responses, state = self._run_from(0, x[..., begin : begin + BLOCK], state, outputs, frame_samples)
            for name, response in responses.items():
                pieces[name].append(response)
        return {name: join(own) for name, own in pieces.items()}, state

    def whole(self, x: np.ndarray, outputs: Sequence[str], frame_samples: int | None) -> Responses:
        """Responses to whole clips."""
        if self.lengths is None and not self._holds_little(x.shape[-1], frame_samples):
            return super().whole(x, outputs, frame_samples)
        responses: Responses = {}
        last = self._last(outputs)
        for i, engine in enumerate(self.engines[: last + 1]):
            found = engine.whole(x, self._names(i, last, outputs), frame_samples if i == last else None)
            responses |= {name: response for name, response in found.items() if name in outputs}
            x = self._taken(i + 1, self._silenced(i, found[engine.outputs[-1]])) if i < last else x
        return responses

    def _holds_little(self, n_samples: int, frame_samples: int | None) -> bool:
        """Whether what one engine leaves to the next may be held; some engines leave frames."""
        return frame_samples is None or n_samples <= BLOCK or self.spreads

    def _run_from(
        self, k: int, x: np.ndarray, state: States, outputs: Sequence[str], frame_samples: int | None
    ) -> tuple[Responses, States]:
        """Run samples that engine k takes."""
        responses: Responses = {}
        states, last = list(state.own), self._last(outputs)
        for i in range(k, last + 1):
            engine, names = self.engines[i], self._names(i, last, outputs)
            # What the next engine takes is no frames; those are of one output alone, the last.
            found, states[i] = engine.run(x, states[i], names, frame_samples if i == last else None)
            responses |= {name: found[name] for name in names if name in outputs}
            if i < last:
                x = self._taken(i + 1, found[engine.outputs[-1]])
        return responses, States(tuple(states))

    def finish(self, state: States, outputs: Sequence[str], frame_samples: int | None) -> Responses:
        """What the engines still have to say, one after the other, to those behind them."""
        pieces: dict[str, list[np.ndarray]] = {}
        last = self._last(outputs)
        for i, engine in enumerate(self.engines[: last + 1]):
            names = self._names(i, last, outputs)
            rest = engine.finish(state.own[i], names, frame_samples if i == last else None)
            responses = {name: response for name, response in rest.items() if name in outputs}
            if rest and i < last:
                x = self._taken(i + 1, rest[engine.outputs[-1]])
                found, state = self._run_from(i + 1, x, state, outputs, frame_samples)
                responses |= {name: found[name] for name in found if name in outputs}
            for name, response in responses.items():
                pieces.setdefault(name, []).append(response)
        return {name: join(own) for name, own in pieces.items()}

    def record(self, x: np.ndarray, output: str, frame_samples: int | None) -> tuple[np.ndarray, tuple[Tape, ...]]:
        """Response to whole clips, and the tape of every engine that it took."""
        recorded = []
        for i, engine in enumerate(self.engines[: self._last((output,))]):
            response, tape = engine.record(x, engine.outputs[-1], None)
            x = self._taken(i + 1, self._silenced(i, response))
            recorded.append(tape)
        response, tape = self.engines[len(recorded)].record(x, output, frame_samples)
        return response, (*recorded, tape)

    def pull_back(
        self, tape: tuple[Tape, ...], bar: np.ndarray, wanted: Sequence[str]
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Bars of x and of the coefficients of every engine; of those behind the output, 0."""
        bars: list[tuple[np.ndarray, ...]] = [
            tuple(np.zeros(array.shape) for array in engine.coefficients()) for engine in self.engines[len(tape) :]
        ]
        for k, own in reversed(list(enumerate(tape))):
            engine = self.engines[k]
            names = {name for name in wanted if name in engine.parts}
            if any(name in before.parts for before in self.engines[:k] for name in wanted):
                names |= {"X"} & set(engine.parts)
            x_bar, of_coefficients = engine.pull_back(own, bar, tuple(names))
            bars.insert(0, of_coefficients)
            bar = x_bar if engine.takes_channels else x_bar[:, :, np.newaxis, ...]
            bar = self._silenced(k - 1, bar) if k else bar
        return x_bar, tuple(array for own in bars for array in own)

    def taken_by(self, i: int, x: np.ndarray) -> np.ndarray:
        """What engine i takes of whole clips."""
        for k, engine in enumerate(self.engines[:i]):
            x = self._taken(k + 1, respond(engine, x, engine.outputs[-1:], None)[engine.outputs[-1]])
        return x

    def with_threads(self, n_threads: int) -> "Series":
        """The engines, each with so many threads."""
        return Series([engine.with_threads(n_threads) for engine in self.engines])

    def with_memory(self, n_bytes: int) -> "Series":
        """The engines, which work in it one after the other."""
        return Series([engine.with_memory(n_bytes) for engine in self.engines])

    def of_lengths(self, lengths: Sequence[int]) -> "Series":
        """The engines for clips of which silence follows after so many samples, as each leaves them to the next."""
        own, left = [], []
        for engine in self.engines:
            own.append(engine.of_lengths(lengths))
            lengths = [engine.n_frames(n, engine.outputs[-1], None) for n in lengths]
            left.append(tuple(lengths))
        series = Series(own)
        series.lengths = tuple(left)
        return series

    def _silenced(self, i: int, response: Array) -> Array:
        """What engine i left, with silence where the clips that are shorter have ended; of bars, too."""
        if self.lengths is None:
            return response
        lengths = self.lengths[i]
        if min(lengths) == response.shape[-1]:
            return response
        xp, is_there = array_namespace(response), np.arange(response.shape[-1]) < np.array(lengths)[:, np.newaxis]
        return xp.where(beside(is_there[:, np.newaxis, np.newaxis], response), response, zeros((), response))

    def alike(self, n_samples: int, frame_samples: int | None) -> Hashable:
        """Of all engines, each for the length that it takes."""
        keys = []
        for engine in self.engines:
            keys.append(engine.alike(n_samples, frame_samples if engine is self.engines[-1] else None))
            n_samples = engine.n_frames(n_samples, engine.outputs[-1], None)
        return tuple(keys)

    def n_frames(self, n_samples: int, output: str, frame_samples: int | None) -> int:
        """Frames of the response to a clip."""
        last = self._last((output,))
        for engine in self.engines[:last]:
            n_samples = engine.n_frames(n_samples, engine.outputs[-1], None)
        return self.engines[last].n_frames(n_samples, output, frame_samples)

    def bytes_of_signal(self, n_ears: int, n_samples: int, output: str) -> int:
        """Of the engines one after the other, whose responses are all there."""
        total, last = 0, self._last((output,))
        for i, engine in enumerate(self.engines[: last + 1]):
            name = output if i == last else engine.outputs[-1]
            total += engine.bytes_of_signal(n_ears, n_samples, name)
            n_samples = engine.n_frames(n_samples, name, None)
        return total

    def bytes_on_device(
        self, n_ears: int, n_samples: int, outputs: Sequence[str], frame_samples: int | None, *, backwards: bool
    ) -> int:
        """Of the engines one after the other."""
        total, last = 0, self._last(tuple(outputs))
        for i, engine in enumerate(self.engines[: last + 1]):
            names = [name for name in outputs if name in engine.outputs] or [engine.outputs[-1]]
            total += engine.bytes_on_device(
                n_ears, n_samples, names, frame_samples if i == last else None, backwards=backwards
            )
            n_samples = engine.n_frames(n_samples, names[-1], None)
        return total

    def derivative(self, response: np.ndarray, output: str) -> np.ndarray:
        """As the engine says that has the output."""
        return self.engines[self._last((output,))].derivative(response, output)

    def coefficients(self) -> tuple[np.ndarray, ...]:
        """Those of every engine."""
        return tuple(array for engine in self.engines for array in engine.coefficients())

    def switches(self) -> tuple[Hashable, ...]:
        """Those of every engine."""
        return tuple(engine.switches() for engine in self.engines)

    def _taken(self, i: int, response: np.ndarray) -> np.ndarray:
        """What engine i takes of the response before it: channels, or the one there is as sound."""
        if self.engines[i].takes_channels:
            return response
        return np.ascontiguousarray(response[:, :, 0]) if isinstance(response, np.ndarray) else response[:, :, 0, ...]

    def _names(self, i: int, last: int, outputs: Sequence[str]) -> list[str]:
        """What engine i is asked for: outputs, and what the next one takes."""
        own = self.engines[i].outputs
        return [name for name in own if name in outputs or (i < last and name == own[-1])]

    def _last(self, outputs: Sequence[str]) -> int:
        """Number of the last engine that has one of the outputs."""
        return max(i for i, engine in enumerate(self.engines) if not set(engine.outputs).isdisjoint(outputs))
