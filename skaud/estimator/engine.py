"""Models and stages whose responses an engine computes: what of an estimator derives from its engine."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
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
from skaud.estimator.device import OnDevice
from skaud.estimator.results import stack
from skaud.estimator.sounds import Sounds
from skaud.estimator.vjp import DifferentiableTransformer
from skaud.pooling.running import RunningPool, can_run
from skaud.pooling.statistics import columns

_POOLED_AT_ONCE = 512  # frames of some channels, which double precision makes larger
_TAKEN_AT_ONCE = 1024  # frames that these come from


class EngineTransformer(OnDevice, DifferentiableTransformer):
    """Base of estimators that have an engine; they supply `make_engine`, and call `_start_engine` in `_design`."""

    engine_: Engine

    @abstractmethod
    def make_engine(self, parameters: dict[str, Any], dtype: str) -> Engine:
        """Engine of the designed model, some of whose parameters are replaced by others, which may be complex."""

    def _parts_of(self, names: Sequence[str]) -> tuple[str, ...]:
        """Parts of the engine whose coefficients depend on these parameters."""
        return self.engine_.parts if names else ()

    def parameter_bar(self, name: str, bars: tuple[np.ndarray, ...]) -> np.ndarray:
        """Bar of a parameter, from those of the coefficients: a complex step through the design."""
        value = self.value_of(name)
        bar = np.empty(value.shape)
        for index in np.ndindex(value.shape):
            step = np.zeros(value.shape, complex)
            step[index] = STEP * 1j
            bar[index] = along(bars, self.make_engine({name: (value + step)[()]}, "complex128"))
        return bar

    def _start_engine(self) -> None:
        """Make the engine, once all that it depends on is designed."""
        self.engine_ = self.make_engine({}, self.dtype)

    @property
    def _fingerprint_(self) -> str:  # type: ignore[override]
        return self.engine_.fingerprint

    @property
    def _signals_at_once(self) -> int:  # type: ignore[override]
        return self.engine_.signals_at_once

    def _as_engine_takes(self, clips: list[np.ndarray]) -> list[np.ndarray]:
        """Clips (n_ears, n_samples) or, for an engine that takes channels, (n_ears, n_channels, n_samples)."""
        return clips

    def _run_full(self, clips: list[np.ndarray], names: tuple[str, ...]) -> list[tuple[np.ndarray, ...]]:
        results = (respond(self.engine_, clip[np.newaxis], names, None) for clip in self._as_engine_takes(clips))
        return [tuple(responses[name][0] for name in names) for responses in results]

    def _run_frames(self, clips: list[np.ndarray], frame_samples: int | None) -> list[np.ndarray]:
        return respond_side_by_side(self.engine_, self._as_engine_takes(clips), self.output, frame_samples)

    def _frame_blocks(self, clips: list[np.ndarray], frame_samples: int | None) -> Iterator[tuple[int, np.ndarray]]:
        return respond_in_blocks(self.engine_, self._as_engine_takes(clips), self.output, frame_samples)

    def _initial_arrays(self, n_ears: int) -> Any:
        return self.engine_.start(1, n_ears)

    def _run_chunk(self, clip: np.ndarray, arrays: Any, frame_samples: int | None) -> tuple[np.ndarray, Any]:
        (chunk,) = self._as_engine_takes([clip])
        responses, state = self.engine_.run(chunk[np.newaxis], arrays.copy(), (self.output,), frame_samples)
        return responses[self.output][0], state

    def _run_vjp(
        self, clips: list[np.ndarray], output: str, frame_samples: int | None, wrt: tuple[str, ...]
    ) -> tuple[list[np.ndarray], Callable]:
        engine, x = self.engine_, np.stack(self._as_engine_takes(clips))
        response, tapes = engine.record_in_groups(x, output, frame_of(x.shape[-1], frame_samples))
        wanted = self._parts_of([name for name in wrt if name != "X"])
        wanted += ("X",) if "X" in wrt and "X" in engine.parts else ()

        def pullback(bars: list[np.ndarray]) -> tuple[list[np.ndarray], list[tuple[np.ndarray, ...]]]:
            together = stack(bars)
            groups = [engine.pull_back(tape, together[own], wanted) for own, tape in tapes]
            x_bars = [own for x_bar, _ in groups for own in x_bar]
            return [own.reshape(clip.shape) for own, clip in zip(x_bars, clips)], [bars for _, bars in groups]

        return list(response), pullback

    def _map(self, run: Any, sounds: Sounds, batches: list[list[int]], argument: Any, *, pools: bool) -> list[Any]:
        self._spread(len(batches))
        return super()._map(run, sounds, batches, argument, pools=pools)

    def _vjp_runner(self, n_batches: int) -> Callable:
        self._spread(n_batches)
        return super()._vjp_runner(n_batches)

    def _spread(self, n_batches: int) -> None:
        """Give threads that batches do not need to the engine."""
        if self.engine_.spreads:
            self.engine_ = self.engine_.with_threads(max(1, effective_n_jobs(self.n_jobs) // n_batches))

    def _run_pooled(
        self,
        clips: list[np.ndarray],
        frame_samples: int | None,
        check: Callable[[int, np.ndarray], None],
        **options: Any,
    ) -> list[np.ndarray]:
        *before, last = getattr(self.engine_, "engines", (self.engine_,))
        n_frames = max(clip.shape[-1] for clip in clips) // (frame_samples or 1)
        parts = last.apart() if n_frames > self._frames_at_once else [last]
        if len(parts) == 1:
            return super()._run_pooled(clips, frame_samples, check, **options)
        statistics, segments = self._pooling()
        n_columns, rows = len(columns(statistics, segments)), []
        for i, clip in enumerate(self._as_engine_takes(clips)):
            x = self.engine_.taken_by(len(before), clip[np.newaxis])[0]
            pooled = [self._pool_part(part, x, partial(check, i)) for part in parts]
            rows.append(np.concatenate([row.reshape(n_columns, len(x), -1) for row in pooled], axis=-1).ravel())
        return rows

    def _pool_part(self, part: Engine, x: np.ndarray, check: Callable[[np.ndarray], None]) -> np.ndarray:
        """Pooled features of some channels of a clip."""
        statistics, segments = self._pooling()
        pool = RunningPool(x.shape[-1], statistics, segments)
        if not can_run(statistics):
            (whole,) = respond_side_by_side(part, [x], self.output, None)
            check(whole)
            pool.add(whole)
            return pool.result()
        for _, frames in respond_in_blocks(part, [x], self.output, None, _TAKEN_AT_ONCE):
            check(frames)
            for begin in range(0, frames.shape[-1], _POOLED_AT_ONCE):
                pool.add(frames[..., begin : begin + _POOLED_AT_ONCE])
        return pool.result()

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
        return {name: self.parameter_bar(name, total) for name in names if name != "X"}

    def _derivatives(
        self,
        clips: list[np.ndarray],
        steps: list[np.ndarray],
        parameter_steps: dict[str, np.ndarray],
        output: str,
        frame_samples: int | None,
    ) -> list[np.ndarray]:
        stepped = {name: self.value_of(name) + 1j * STEP * step for name, step in parameter_steps.items()}
        engine = self.make_engine(stepped, "complex128")
        moved = self._as_engine_takes([clip + 1j * STEP * step for clip, step in zip(clips, steps)])
        results = (respond(engine, clip[np.newaxis], (output,), frame_samples) for clip in moved)
        return [engine.derivative(responses[output][0], output) for responses in results]
