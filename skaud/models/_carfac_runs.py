"""CARFAC on the CPU: from clips to the kernel's arrays, and from the rows of its lines to outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skaud._fitted import as_designed, as_fitted
from skaud._sounds import count_ears
from skaud.base import AudioTransformer
from skaud.design import carfac_response
from skaud.design.carfac import CARFACCoefficients
from skaud.kernels.carfac import layout
from skaud.kernels.carfac import run as lanes
from skaud.stages._stage import check_frequencies
from skaud.stages.pooling import pool

# Row of the kernel's lines that holds an output, or what `_finish` makes it from.
_ROWS = {"bm": layout.BM, "receptor_potential": layout.CAP1, "agc": layout.ZB, "ohc": layout.ZA}


class CARFACRuns(AudioTransformer):
    """How CARFAC, once it is designed, answers to sound."""

    _outputs = ("nap", "bm", "receptor_potential", "agc", "ohc", "spikes_per_s")
    _rms_one_db_spl = 107.0
    _signals_at_once = 4

    ihc_style: str
    open_loop: bool
    n_channels_: int
    _ears_: tuple[CARFACCoefficients, ...]  # one for all ears, or one an ear
    _plan_: layout.Plan

    @as_designed
    def transfer_function(self, frequencies_hz: ArrayLike) -> np.ndarray:
        """Complex transfer function of every channel, from the input to the basilar membrane.

        That of the linear model in open loop, at the undamping that `ohc_health` leaves (Lyon 2017, section 16.6). A
        model that has nothing to find in `fit`, no `audiogram` and nothing to `learn`, need not be fitted.

        Parameters
        ----------
        frequencies_hz : array-like of shape (n_frequencies,)
            Frequencies, from 0 to half the sample rate.

        Returns
        -------
        ndarray of complex of shape (n_channels_, n_frequencies)
            Response to a unit sinusoid.

        Raises
        ------
        ValueError
            If a frequency is negative or above half the sample rate.
        NotFittedError
            If `fit` has something to find and was not called.
        """
        frequencies = check_frequencies(frequencies_hz, self.sample_rate)
        ears = [carfac_response.transfer_function(ear.car, self.sample_rate, frequencies) for ear in self._ears_]
        return of_ears(ears)

    @property
    @as_fitted
    def nap_rest_(self) -> np.ndarray:
        """Output of a healthy hair cell in silence, subtracted to give the NAP; (n_channels_,)."""
        hair_cell, synapse = self._ears_[0].hair_cell, self._ears_[0].synapse
        rest = getattr(hair_cell, "rest", 0.0) if synapse is None else synapse.spont_sub
        return np.full(self.n_channels_, rest)

    def _available_outputs(self) -> tuple[str, ...]:
        lacking = {
            "just_hwr": ("receptor_potential", "spikes_per_s"),
            "one_cap": ("receptor_potential", "spikes_per_s"),
            "two_cap": ("spikes_per_s",),
            "two_cap_with_syn": (),
        }[self.ihc_style]
        return tuple(name for name in self._outputs if name not in lacking)

    def _kernel_plan(self, n_ears: int) -> layout.Plan:
        if len(self._ears_) not in (1, n_ears):
            raise ValueError(
                f"X has {count_ears(n_ears)}, and the model was fitted to the audiograms of {len(self._ears_)}; pass "
                f"signals of shape (n_signals, {len(self._ears_)}, n_samples), or fit to one audiogram, which holds "
                "for any."
            )
        ear = getattr(getattr(self, "predicted_audiogram_", None), "ear", None)
        if n_ears > 1 and ear:
            raise ValueError(
                f"X has {n_ears} ears, and the model was fitted to the audiogram of the {ear} ear; pass sound of that "
                "ear, or fit to audiograms of both, None for a healthy one, or to one without ear=, it holds for any."
            )
        return self._plan_ if n_ears == 1 else self._plan_.with_ears(n_ears)

    def _state(self, n_rows: int) -> layout.State:
        return state_of_ears(self._ears_, self.dtype, n_rows, open_loop=self.open_loop)

    def _taps(self, name: str) -> tuple[np.ndarray, int]:
        """Rows that the kernel must tap for an output, and the number of the first source that belongs to it."""
        if name == "nap":
            return np.empty(0, np.int64), 0
        if name == "spikes_per_s":
            return layout.RELEASE + layout.LANES * np.arange(layout.N_CLASSES), 1
        return np.array([_ROWS[name]]), 1

    def _finish(self, name: str, response: np.ndarray) -> np.ndarray:
        """Output from tapped rows (n_ears, n_rows, n_channels, n_samples)."""
        if name == "spikes_per_s":
            per_release = spikes_per_release(self._ears_, self.sample_rate).astype(self.dtype)
            return np.moveaxis(response, 1, 2) * per_release[..., np.newaxis]
        if name == "receptor_potential":
            return response[:, 0] * -1 + np.dtype(self.dtype).type(getattr(self._ears_[0].hair_cell, "cap1_rest", 0.0))
        return response[:, 0]

    def _run_full(self, clips: list[np.ndarray], names: tuple[str, ...]) -> list[tuple[np.ndarray, ...]]:
        (clip,) = clips
        plan = self._kernel_plan(clip.shape[0])
        taps = [self._taps(name)[0] for name in names]
        first = 0 if "nap" in names else 1
        n_outputs = sum(len(t) for t in taps) + (first == 0)
        out = np.empty((clip.shape[0], n_outputs, self.n_channels_, clip.shape[1]), self.dtype)
        rows = np.concatenate(taps).astype(np.int64)
        work = layout.workspace(plan, clip.shape[0], len(rows))
        lanes.run(clip, 0, clip.shape[1], self._state(clip.shape[0]), plan, rows, first, work, out)
        responses, at = [], 1 - first
        for name, tap in zip(names, taps):
            part = out[:, :1] if name == "nap" else out[:, at : at + len(tap)]
            at += 0 if name == "nap" else len(tap)
            responses.append(self._finish(name, part))
        return [tuple(responses)]

    def _run_frames(self, clips: list[np.ndarray], frame_length: int | None) -> list[np.ndarray]:
        if frame_length is None:
            return [self._run_full([clip], (self.output,))[0][0] for clip in clips]
        most = clips[-1].shape[1] // frame_length + 1  # all at once
        return [frames for _, frames in self._frames_side_by_side(clips, frame_length, most)]

    def _frame_blocks(self, clips: list[np.ndarray], frame_length: int | None) -> Iterator[tuple[int, np.ndarray]]:
        if frame_length is not None:
            yield from self._frames_side_by_side(clips, frame_length, self._frames_at_once)
            return
        for i, clip in enumerate(clips):
            state = self._initial_arrays(clip.shape[0])
            for begin in range(0, clip.shape[1], self._frames_at_once):
                block = np.ascontiguousarray(clip[:, begin : begin + self._frames_at_once])
                samples, state = self._run_chunk(block, state, None)
                yield i, samples

    def _frames_side_by_side(
        self, clips: list[np.ndarray], frame_length: int, most: int
    ) -> Iterator[tuple[int, np.ndarray]]:
        """(which clip, its next frames), at most so many at once.

        The clips come with the shortest first, so that the rows of those that ended can be left behind.
        """
        n_ears, lengths = clips[0].shape[0], [clip.shape[1] for clip in clips]
        plan, state = self._kernel_plan(n_ears), self._state(len(clips) * n_ears)
        taps, first = self._taps(self.output)
        work = layout.workspace(plan, len(clips) * n_ears, len(taps))
        for start in range(0, lengths[-1], most * frame_length):
            stop = min(start + most * frame_length, lengths[-1])
            running = [i for i, length in enumerate(lengths) if length > start]
            x = clips[-1][:, start:stop]
            if len(running) > 1 or not x.flags.c_contiguous:
                x = np.zeros((len(running) * n_ears, stop - start), self.dtype)
                for k, i in enumerate(running):
                    part = clips[i][:, start:stop]
                    x[k * n_ears : (k + 1) * n_ears, : part.shape[1]] = part
            out = np.empty((len(x), 1, self.n_channels_, max(1, (stop - start) // frame_length)), self.dtype)
            begin, n_frames = 0, 0
            for k, i in enumerate(running):
                end, rest = min(lengths[i], stop) - start, slice(k * n_ears, None)
                if end > begin:
                    remaining = state.of_rows(slice(i * n_ears, None))
                    n_frames = lanes.run_frames(
                        x[rest], begin, end, remaining, plan, taps, first, frame_length, work, out[rest], n_frames
                    )
                    begin = end
                response = out[k * n_ears : (k + 1) * n_ears]
                if start == 0 and n_frames == 0:  # shorter than a frame: the mean of what there is
                    own = state.of_rows(slice(i * n_ears, (i + 1) * n_ears))
                    filled = own._replace(frame_sum=own.frame_sum.copy(), frame_filled=state.frame_filled.copy())
                    lanes.close_frame(filled, plan, response, 0)
                if start == 0 or n_frames:
                    yield i, self._finish(self.output, response[..., : max(1, n_frames)])

    def _initial_arrays(self, n_ears: int) -> layout.State:
        return self._state(n_ears)

    def _run_chunk(
        self, clip: np.ndarray, arrays: layout.State, frame_length: int | None
    ) -> tuple[np.ndarray, layout.State]:
        plan = self._kernel_plan(clip.shape[0])
        taps, first = self._taps(self.output)
        state = arrays.copy()
        n_samples = clip.shape[1]
        work = layout.workspace(plan, clip.shape[0], len(taps))
        if frame_length is None:
            out = np.empty((clip.shape[0], 1, self.n_channels_, n_samples), self.dtype)
            lanes.run(clip, 0, n_samples, state, plan, taps, first, work, out)
        else:
            n_frames = (int(state.frame_filled[0]) + n_samples) // frame_length
            out = np.empty((clip.shape[0], 1, self.n_channels_, n_frames), self.dtype)
            lanes.run_frames(clip, 0, n_samples, state, plan, taps, first, frame_length, work, out, 0)
        return self._finish(self.output, out), state

    def _transform_on_gpu(self, X: Any, frame_length: int | None) -> Any:
        frames = self._run_on_gpu(X, self.output, frame_length or 1)
        if self.pooling is None:
            return frames
        if not hasattr(frames, "__array_function__"):
            raise ValueError(
                f"pooling={self.pooling!r} needs an array that can compute, such as cupy's, and X is "
                f"{type(X).__name__}; pass cupy.asarray(X), or set pooling=None for the frames."
            )
        statistics, segments = self._pooling()
        return np.stack([pool(signal, statistics, segments) for signal in frames])  # cupy answers to NumPy's functions

    def _simulate_on_gpu(self, X: Any, name: str) -> Any:
        return self._run_on_gpu(X, name, 1)

    def _run_on_gpu(self, X: Any, output: str, frame_length: int) -> Any:
        """Frames of signals X (n_signals, n_samples) on a device."""
        from skaud.kernels.carfac.cuda import find_not_finite, run_two_cap

        needed = {"ihc_style": "two_cap", "open_loop": False, "use_delay_buffer": False}
        found = {name: getattr(self, name) for name in needed} | {"output": output}
        for name, value in (needed | {"output": "nap"}).items():
            if found[name] != value:
                raise ValueError(
                    f"{name}={found[name]!r} has no kernel on the GPU, only {name}={value!r} has; change it, or pass a "
                    "NumPy array."
                )
        if len(X.shape) != 2 or 0 in X.shape or X.dtype != np.dtype(self.dtype):
            raise ValueError(
                f"X on the GPU is {X.dtype} of shape {X.shape}; it must be {self.dtype}, (n_signals, n_samples): cast "
                "or reshape it, or set dtype."
            )
        if wrong := find_not_finite(X):
            raise ValueError(
                f"X[{wrong[0]}] on the GPU has samples that are NaN or infinity (inf); every sample must be finite. "
                "Cut them out."
            )
        if len(self._ears_) > 1:
            raise ValueError(
                "X on the GPU has no axis of ears, and the model was fitted to two audiograms; fit it to one, or "
                "pass a NumPy array."
            )
        return run_two_cap(X, self._ears_[0], frame_length, self.dtype, self._gain())


def state_of_ears(
    ears: Sequence[CARFACCoefficients], dtype: Any, n_rows: int, *, n_outputs: int = 1, open_loop: bool = False
) -> layout.State:
    """State at rest of rows that belong to these ears in turn, or all to one design."""
    state = layout.initial_state(ears[0], dtype, n_rows, n_outputs=n_outputs, open_loop=open_loop)
    for number, ear in enumerate(ears[1:], 1):
        state.lines[number :: len(ears)] = layout.initial_state(ear, dtype, 1, open_loop=open_loop).lines
    return state


def spikes_per_release(ears: Sequence[CARFACCoefficients], sample_rate: float) -> np.ndarray:
    """Spikes a second in the channels of these ears at a release of 1 a sample, (n_ears, n_channels, n_classes)."""
    return np.stack([ear.synapse.n_fibers * sample_rate for ear in ears if ear.synapse is not None])


def of_ears(values: Sequence[Any]) -> Any:
    """What holds for all ears; or an entry an ear, along a first axis, where a fit found each its own."""
    if len(values) == 1:
        return values[0]
    return np.stack(values) if isinstance(values[0], np.ndarray) else tuple(values)
