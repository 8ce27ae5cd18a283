"""Osses et al. (2021) at work: ears, then the chain of the other stages, in whole clips, blocks or chunks."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skaud.base import AudioTransformer
from skaud.stages._running import mean_of_blocks
from skaud.stages._stage import OUTPUTS, Chain
from skaud.stages.ears import EarStage, check_causal, iter_blocks

EARS = ("headphone", "middle_ear")


class Osses2021Runs(AudioTransformer):
    """How the model, once it is designed, answers to sound."""

    _outputs = (*EARS, *OUTPUTS)

    phase: str
    stages_: Bunch
    _chain_: Chain

    def _ears(self, last: str = "middle_ear") -> dict[str, EarStage]:
        """Ear filters in order, up to the last that is asked for."""
        names = EARS[: EARS.index(last) + 1]
        return {name: self.stages_[name] for name in names if name in self.stages_}

    def _stream(self, clip: np.ndarray, last: str = "middle_ear") -> Iterator[np.ndarray]:
        """Blocks of a clip behind the ear filters."""
        blocks = iter_blocks(clip)
        for stage in self._ears(last).values():
            blocks = stage._stream(blocks)
        return blocks

    def _run_full(self, clips: list[np.ndarray], names: tuple[str, ...]) -> list[tuple[np.ndarray, ...]]:
        return [self._run_one(clip, names) for clip in clips]

    def _run_one(self, clip: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, ...]:
        sound = clip
        responses: dict[str, np.ndarray] = {}
        for name, stage in self._ears().items():
            sound = stage._filtered(sound)
            responses[name] = sound[:, np.newaxis]
        inner = tuple(name for name in names if name in OUTPUTS)
        if inner:
            state = self._chain_.initial_state(len(clip))
            responses |= dict(zip(inner, self._chain_.full(sound, state, inner)))
        return tuple(responses[name] for name in names)

    def _run_frames(self, clips: list[np.ndarray], frame_length: int | None) -> list[np.ndarray]:
        if frame_length is None:
            return [responses[0] for responses in self._run_full(clips, (self.output,))]
        if self.output in EARS:
            return [frames_of(self._run_one(clip, (self.output,))[0], frame_length) for clip in clips]
        return [self._chain_.clip_frames(self._stream(clip), len(clip), clip.shape[1], frame_length) for clip in clips]

    def _frame_blocks(self, clips: list[np.ndarray], frame_length: int | None) -> Iterator[tuple[int, np.ndarray]]:
        for i, clip in enumerate(clips):
            if self.output in EARS:
                blocks = mean_of_blocks(self._stream(clip, self.output), frame_length or 1)
            else:
                blocks = self._chain_.frame_blocks(self._stream(clip), len(clip), frame_length)
            for frames in blocks:
                yield i, frames

    def _initial_arrays(self, n_ears: int) -> Any:
        ears = self._ears().values()
        if ears:
            check_causal(self.phase)
        if self.output in EARS and self.frame_length is not None:
            raise ValueError(
                f"output={self.output!r} has no frames in chunks; use frame_length=None, or the stage itself."
            )
        return [stage._history(n_ears) for stage in ears], self._chain_.initial_state(n_ears)

    def _run_chunk(self, clip: np.ndarray, arrays: Any, frame_length: int | None) -> tuple[np.ndarray, Any]:
        histories, state = arrays
        after, responses = [], {}
        for (name, stage), history in zip(self._ears().items(), histories):
            clip, history = stage._go_on(clip, history)
            responses[name] = clip[:, np.newaxis]
            after.append(history)
        if self.output in EARS:
            return responses[self.output], (after, state)
        state = state.copy()
        if frame_length is None:
            return self._chain_.full(clip, state, (self.output,))[0], (after, state)
        out, n_frames = self._chain_.frames(iter([clip]), state, clip.shape[1], frame_length)
        return out[..., :n_frames], (after, state)


def frames_of(response: np.ndarray, frame_length: int) -> np.ndarray:
    """Means over frames of the last axis."""
    length = min(frame_length, response.shape[-1])
    n_frames = response.shape[-1] // length
    return response[..., : n_frames * length].reshape(*response.shape[:-1], n_frames, length).mean(axis=-1)


def frames_adjoint(frames_bar: np.ndarray, frame_length: int, n_samples: int) -> np.ndarray:
    """Bar of a response of so many samples, from that of frames_of."""
    length = min(frame_length, n_samples)
    response_bar = np.zeros((*frames_bar.shape[:-1], n_samples))
    # frames = response.reshape(..., n_frames, length).mean(axis=-1)
    response_bar[..., : frames_bar.shape[-1] * length] = np.repeat(frames_bar / length, length, axis=-1)
    return response_bar
