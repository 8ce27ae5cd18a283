"""Engines one after the other as an engine: what one leaves the next takes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from skaud.engines.engine import BLOCK, Engine, Responses, join


class States(NamedTuple):
    """State of every engine."""

    own: tuple[Any, ...]

    def copy(self) -> "States":
        """Copy that shares nothing that a run changes."""
        return States(tuple(state.copy() for state in self.own))

    def of_rows(self, rows: slice) -> "States":
        """States of some rows."""
        return States(tuple(state.of_rows(rows) for state in self.own))


class Series(Engine):
    """Engines each of which takes the last response of the one before it."""

    def __init__(self, engines: Sequence[Engine]) -> None:
        self.engines, self.dtype = tuple(engines), engines[0].dtype
        self.outputs = tuple(name for engine in engines for name in engine.outputs)
        self.parts = tuple(name for engine in engines for name in engine.parts)
        self.takes_channels = engines[0].takes_channels

    def start(self, n_signals: int, n_ears: int) -> States:
        """State of every engine before the first sample."""
        return States(tuple(engine.start(n_signals, n_ears) for engine in self.engines))

    def run(
        self, x: np.ndarray, state: States, outputs: Sequence[str], frame_samples: int | None
    ) -> tuple[Responses, States]:
        """Run the next samples through all engines up to the last that is asked for; frames block by block."""
        n_samples = x.shape[-1]
        if frame_samples is None or n_samples <= BLOCK:
            return self._run_from(0, x, state, outputs, frame_samples)
        pieces: dict[str, list[np.ndarray]] = {name: [] for name in outputs}
        for begin in range(0, n_samples, BLOCK):
            responses, state = self._run_from(0, x[..., begin : begin + BLOCK], state, outputs, frame_samples)
            for name, response in responses.items():
                pieces[name].append(response)
        return {name: join(own) for name, own in pieces.items()}, state

    def _run_from(
        self, k: int, x: np.ndarray, state: States, outputs: Sequence[str], frame_samples: int | None
    ) -> tuple[Responses, States]:
        """Run samples that engine k takes."""
        responses: Responses = {}
        states, last = list(state.own), self._last(outputs)
        for i in range(k, last + 1):
            engine = self.engines[i]
            # What the next engine takes is no frames; those are of one output alone, the last.
            names = [name for name in engine.outputs if name in outputs or (i < last and name == engine.outputs[-1])]
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
            rest = engine.finish(state.own[i], engine.outputs[-1:], frame_samples if i == last else None)
            responses = {name: response for name, response in rest.items() if name in outputs}
            if rest and i < last:
                x = self._taken(i + 1, rest[engine.outputs[-1]])
                found, state = self._run_from(i + 1, x, state, outputs, frame_samples)
                responses |= {name: found[name] for name in found if name in outputs}
            for name, response in responses.items():
                pieces.setdefault(name, []).append(response)
        return {name: join(own) for name, own in pieces.items()}

    def record(self, x: np.ndarray, output: str, frame_samples: int | None) -> tuple[np.ndarray, tuple[Any, ...]]:
        """Response to whole clips, and the tape of every engine that it took."""
        recorded = []
        for i, engine in enumerate(self.engines[: self._last((output,))]):
            response, tape = engine.record(x, engine.outputs[-1], None)
            x = self._taken(i + 1, response)
            recorded.append(tape)
        response, tape = self.engines[len(recorded)].record(x, output, frame_samples)
        return response, (*recorded, tape)

    def pull_back(
        self, tape: tuple[Any, ...], bar: np.ndarray, wanted: Sequence[str]
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Bars of x and of the coefficients of every engine; of those behind the output, 0."""
        bars: list[tuple[np.ndarray, ...]] = [
            tuple(np.zeros(array.shape) for array in engine.coefficients()) for engine in self.engines[len(tape) :]
        ]
        for engine, own in zip(reversed(self.engines[: len(tape)]), reversed(tape)):
            x_bar, of_coefficients = engine.pull_back(own, bar, [name for name in wanted if name in engine.parts])
            bars.insert(0, of_coefficients)
            bar = x_bar if engine.takes_channels else x_bar[:, :, np.newaxis]
        return x_bar, tuple(array for own in bars for array in own)

    def coefficients(self) -> tuple[np.ndarray, ...]:
        """Those of every engine."""
        return tuple(array for engine in self.engines for array in engine.coefficients())

    def _taken(self, i: int, response: np.ndarray) -> np.ndarray:
        """What engine i takes of the response before it: channels, or the one there is as sound."""
        return response if self.engines[i].takes_channels else np.ascontiguousarray(response[:, :, 0])

    def _last(self, outputs: Sequence[str]) -> int:
        """Number of the last engine that has one of the outputs."""
        return max(i for i, engine in enumerate(self.engines) if not set(engine.outputs).isdisjoint(outputs))
