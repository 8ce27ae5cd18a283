"""Models and stages whose responses an engine computes: what of an estimator derives from its engine."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from math import ceil
from typing import Any

import numpy as np
from joblib import effective_n_jobs

from skaud.engines.engine import (
    STEP,
    Engine,
    along,
    frame_of,
    respond,
    respond_in_blocks,
    respond_side_by_side,
)
from skaud.estimator.results import stack
from skaud.estimator.vjp import DifferentiableTransformer


class EngineTransformer(DifferentiableTransformer):
    """Base of estimators that have an engine; they supply `_engine`, and call `_start_engine` in `_design`."""

    _engine_: Engine

    @abstractmethod
    def _engine(self, parameters: dict[str, Any], dtype: str) -> Engine:
        """Engine of the designed model, some of whose parameters are replaced by others, which may be complex."""

    def _parts_of(self, names: Sequence[str]) -> tuple[str, ...]:
        """Parts of the engine whose coefficients depend on these parameters."""
        return self._engine_.parts if names else ()

    def _parameter_bar(self, name: str, bars: tuple[np.ndarray, ...]) -> np.ndarray:
        """Bar of a parameter, from those of the coefficients: a complex step through the design."""
        value = self._differentiated(name)
        bar = np.empty(value.shape)
        for index in np.ndindex(value.shape):
            step = np.zeros(value.shape, complex)
            step[index] = STEP * 1j
            bar[index] = along(bars, self._engine({name: (value + step)[()]}, "complex128"))
        return bar

    def _start_engine(self) -> None:
        """Make the engine, once all that it depends on is designed."""
        self._engine_ = self._engine({}, self.dtype)

    @property
    def _fingerprint_(self) -> str:  # type: ignore[override]
        return self._engine_.fingerprint

    @property
    def _signals_at_once(self) -> int:  # type: ignore[override]
        return self._engine_.signals_at_once

    def _as_engine_takes(self, clips: list[np.ndarray]) -> list[np.ndarray]:
        """Clips (n_ears, n_samples) or, for an engine that takes channels, (n_ears, n_channels, n_samples)."""
        return clips

    def _run_full(self, clips: list[np.ndarray], names: tuple[str, ...]) -> list[tuple[np.ndarray, ...]]:
        results = (respond(self._engine_, clip[np.newaxis], names, None) for clip in self._as_engine_takes(clips))
        return [tuple(responses[name][0] for name in names) for responses in results]

    def _run_frames(self, clips: list[np.ndarray], frame_samples: int | None) -> list[np.ndarray]:
        return respond_side_by_side(self._engine_, self._as_engine_takes(clips), self.output, frame_samples)

    def _frame_blocks(self, clips: list[np.ndarray], frame_samples: int | None) -> Iterator[tuple[int, np.ndarray]]:
        return respond_in_blocks(self._engine_, self._as_engine_takes(clips), self.output, frame_samples)

    def _initial_arrays(self, n_ears: int) -> Any:
        return self._engine_.start(1, n_ears)

    def _run_chunk(self, clip: np.ndarray, arrays: Any, frame_samples: int | None) -> tuple[np.ndarray, Any]:
        (chunk,) = self._as_engine_takes([clip])
        responses, state = self._engine_.run(chunk[np.newaxis], arrays.copy(), (self.output,), frame_samples)
        return responses[self.output][0], state

    def _run_vjp(
        self, clips: list[np.ndarray], output: str, frame_samples: int | None, wrt: tuple[str, ...]
    ) -> tuple[list[np.ndarray], Callable]:
        engine, x = self._engine_, np.stack(self._as_engine_takes(clips))
        response, tapes = engine.record_in_groups(x, output, frame_of(x.shape[-1], frame_samples))
        wanted = self._parts_of([name for name in wrt if name != "X"])

        def pullback(bars: list[np.ndarray]) -> tuple[list[np.ndarray], list[tuple[np.ndarray, ...]]]:
            together = stack(bars)
            groups = [engine.pull_back(tape, together[own], wanted) for own, tape in tapes]
            x_bars = [own for x_bar, _ in groups for own in x_bar]
            return [own.reshape(clip.shape) for own, clip in zip(x_bars, clips)], [bars for _, bars in groups]

        return list(response), pullback

    def _equal_batches(self, clips: list[np.ndarray]) -> list[list[int]]:
        if self._signals_at_once == 1:
            return super()._equal_batches(clips)
        # As many clips of one shape as a job can have: their responses then lie together.
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for i, clip in enumerate(clips):
            by_shape.setdefault(clip.shape, []).append(i)
        batches, at_once = [], max(1, self._signals_at_once // clips[0].shape[0])
        for group in by_shape.values():
            size = at_once * ceil(len(group) / (at_once * effective_n_jobs(self.n_jobs)))
            batches += [group[i : i + size] for i in range(0, len(group), size)]
        return batches

    def _sum_parameter_bars(
        self, bars: list[list[tuple[np.ndarray, ...]]], names: tuple[str, ...]
    ) -> dict[str, np.ndarray]:
        # In the order of the signals, however they were divided among threads: the sums are the same to the bit.
        groups = [group for batch in bars for group in batch]
        total = tuple(np.sum(arrays, axis=0) for arrays in zip(*groups))
        return {name: self._parameter_bar(name, total) for name in names if name != "X"}

    def _derivatives(
        self,
        clips: list[np.ndarray],
        steps: list[np.ndarray],
        parameter_steps: dict[str, np.ndarray],
        output: str,
        frame_samples: int | None,
    ) -> list[np.ndarray]:
        stepped = {name: self._differentiated(name) + 1j * STEP * step for name, step in parameter_steps.items()}
        engine = self._engine(stepped, "complex128")
        moved = self._as_engine_takes([clip + 1j * STEP * step for clip, step in zip(clips, steps)])
        results = (respond(engine, clip[np.newaxis], (output,), frame_samples) for clip in moved)
        return [responses[output][0].imag / STEP for responses in results]
