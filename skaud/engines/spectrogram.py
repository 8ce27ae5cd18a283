"""The auditory spectrogram as an engine: cochlear filters, compression, lateral inhibition, leaky integration.

Sound goes through in blocks that begin where they begin in every clip and every stream, and on the CPU a few channels
at a time, so that memory holds little but what is asked for. The reverse run computes the forward one again, of sounds
that are too long to keep it.
"""

from collections.abc import Hashable, Sequence
from functools import partial
from math import prod

import numpy as np

from skaud.engines.engine import Engine, Responses, frame_means, frame_means_adjoint
from skaud.engines.pieces import fit_length, join, own_copy, piece, rows_of
from skaud.engines.spectrogram_layout import (
    COCHLEA,
    COMPRESSED,
    INHIBITED,
    OUTPUTS,
    SPECTROGRAM,
    Design,
    Kept,
    SpectrogramState,
    SpectrogramTape,
    join_groups,
    past_after,
)
from skaud.engines.spectrogram_sections import SLOPE, Sections
from skaud.kernels import fourier
from skaud.kernels._memory import memory_used_again
from skaud.kernels.array_api import Array, array_namespace, beside, is_foreign, to_numpy, zeros
from skaud.kernels.leaky_integrator import factor_adjoint, leak, leak_adjoint
from skaud.kernels.threads import threads

FACTOR = "factor"  # of the integrator, beside its weights
KEPT_BYTES = 300_000_000  # of a run that is recorded: what the reverse run else computes again
ARRAYS_AT_ONCE = 16  # of the size of a block of all channels, in the reverse run on a device


class Spectrogram(Engine):
    """Stages of an auditory spectrogram, from the first that the design has; the spectrogram itself is made of frames.

    One that begins with filters takes sound, any other takes channels.
    """

    spreads = True
    any_library = True

    def __init__(self, design: Design, dtype: str) -> None:
        self.design, self.dtype = design, dtype
        there = (design.filters, design.compression, design.inhibition, design.decay)
        self.outputs = tuple(name for name, own in zip(OUTPUTS, there) if own is not None)
        self.parts = (*self.outputs, "X")
        self.takes_channels = design.filters is None
        self.block = fourier.Block(design.period, 1, 0)
        if design.filters is not None:
            self.block = fourier.whole_block(design.filters.response.shape[1], design.period)

    @property
    def latency_samples(self) -> int:
        """Most samples that a response waits for in a stream."""
        return self.block.n_new

    def start(self, n_signals: int, n_ears: int) -> SpectrogramState:
        """State after a long silence."""
        n_rows, n_out = n_signals * n_ears, self._width(self.outputs[-1])
        dtype = np.dtype(self.dtype)
        return SpectrogramState(
            n_ears,
            np.zeros((n_rows, self.block.n_taps - 1), dtype),
            np.zeros((n_rows, *((self.design.n_channels,) if self.takes_channels else ()), 0), dtype),
            np.zeros((n_rows, n_out), dtype),
            np.zeros((n_rows, n_out, 0), dtype),
            0,
        )

    @memory_used_again()
    def run(
        self, x: Array, state: SpectrogramState, outputs: Sequence[str], frame_samples: int | None
    ) -> tuple[Responses, SpectrogramState]:
        """Run as many whole blocks as there are now."""
        rows = rows_of(x, self.dtype)
        joined = join([state.waiting, rows]) if state.waiting.shape[-1] else rows
        n_whole = joined.shape[-1] // self.block.n_new * self.block.n_new
        batches = self._batches(n_whole, rows.shape[0], is_first=state.n_done == 0)
        responses, state = self._run_batches(joined[..., :n_whole], batches, state, outputs, frame_samples)
        rest = joined[..., n_whole:]
        return responses, state._replace(waiting=own_copy(rest))

    def whole(self, x: Array, outputs: Sequence[str], frame_samples: int | None) -> Responses:
        """Responses to whole clips: of one that is shorter than a frame of the spectrogram, that frame."""
        return self._run_to_the_end(rows_of(x, self.dtype), self.start(*x.shape[:2]), outputs, frame_samples)

    def finish(self, state: SpectrogramState, outputs: Sequence[str], frame_samples: int | None) -> Responses:
        """The block that a clip ends in."""
        if not state.waiting.shape[-1]:
            return {}
        return self._run_to_the_end(state.waiting, state, outputs, frame_samples)

    @memory_used_again()
    def _run_to_the_end(
        self,
        x: Array,
        state: SpectrogramState,
        outputs: Sequence[str],
        frame_samples: int | None,
        kept: Kept | None = None,
    ) -> Responses:
        n_samples = x.shape[-1]
        batches = self._batches(n_samples, x.shape[0], is_first=state.n_done == 0)
        responses, _ = self._run_batches(x, batches, state, outputs, None, kept)
        for name, response in responses.items():
            if name == SPECTROGRAM:
                n_frames = n_samples // self.design.period
                responses[name] = response[..., : n_frames if state.n_done else max(1, n_frames)]
                continue
            responses[name] = response[..., :n_samples]
            if frame_samples is not None:
                waiting = state.frame.reshape(*response.shape[:-1], -1)
                responses[name], _ = frame_means(waiting, responses[name], frame_samples)
        return responses

    def _run_batches(
        self,
        x: Array,
        batches: Sequence[tuple[int, fourier.Block, int]],
        state: SpectrogramState,
        outputs: Sequence[str],
        frame_samples: int | None,
        kept: Kept | None = None,
    ) -> tuple[Responses, SpectrogramState]:
        """Run batches of blocks that x (n_rows, [n_channels,] n_samples) consists of; and the state."""
        xp, n_rows = array_namespace(x), x.shape[0]
        sections = self._sections(outputs)
        groups = fourier.channel_groups(x, self.design.n_channels - sections.overlap)
        pieces: dict[str, list] = {name: [] for name in outputs}
        past, level = beside(state.past, x), beside(state.level, x)
        with threads(self.n_threads) as map_in_order:
            for begin, block, end in batches:
                new = piece(x, begin, end)
                run = partial(sections.respond, sections.cochlea_of(new, past, block), outputs, begin, kept)
                found = list(map_in_order(run, groups))
                for name in outputs:
                    joined = join([own[name] for own in found], 1)
                    joined = xp.reshape(joined, (n_rows, joined.shape[1], -1))
                    if name == SPECTROGRAM:
                        joined = leak(joined, self.design.factor, level)
                        level = joined[..., -1]
                    pieces[name].append(joined)
                past = past_after(past, new)
        responses, frame = {}, state.frame
        for name in outputs:
            whole = join(pieces[name]) if batches else zeros((n_rows, self._width(name), 0), x)
            if name != SPECTROGRAM:
                whole, frame = frame_means(frame, whole, frame_samples)
            responses[name] = xp.reshape(whole, (n_rows // state.n_ears, state.n_ears, *whole.shape[1:]))
        return responses, state._replace(past=past, level=level, frame=frame, n_done=state.n_done + x.shape[-1])

    def record(self, x: Array, output: str, frame_samples: int | None) -> tuple[Array, SpectrogramTape]:
        """Response to whole clips, and their tape."""
        kept: Kept | None = {} if self._can_keep(x, output) else None
        response = self._run_to_the_end(
            rows_of(x, self.dtype), self.start(*x.shape[:2]), (output,), frame_samples, kept
        )
        # What the caller gets is the caller's, to write to.
        spectrogram = own_copy(response[output]) if output == SPECTROGRAM else None
        return response[output], SpectrogramTape(x, output, frame_samples, kept or {}, spectrogram)

    def _can_keep(self, x: Array, output: str) -> bool:
        """Whether there are dear stages, and memory for what they return."""
        n_bytes = 4 * prod(x.shape) * self.design.n_channels * np.dtype(self.dtype).itemsize
        is_dear = self.design.filters is not None and COMPRESSED in self._sections((output,)).names
        return is_dear and not is_foreign(x) and n_bytes <= KEPT_BYTES

    @memory_used_again()
    def pull_back(
        self, tape: SpectrogramTape, bar: Array, wanted: Sequence[str]
    ) -> tuple[Array, tuple[np.ndarray, ...]]:
        """Bars of x and of the coefficients, batch by batch; those are added up over rows, in their order, at last."""
        rows, xp = rows_of(tape.x, self.dtype), array_namespace(tape.x)
        bars: dict[str, np.ndarray] = {
            COMPRESSED: np.zeros((rows.shape[0], self.design.n_channels)),
            INHIBITED: np.zeros((rows.shape[0], 2)),
            SLOPE: np.zeros(rows.shape[0]),
            FACTOR: np.zeros(rows.shape[0]),
        }
        if not wanted:
            return zeros(tape.x.shape, rows), self._coefficient_bars(bars)
        n_rows, n_samples = rows.shape[0], rows.shape[-1]
        sections, has_frames = self._sections((tape.output,)), tape.output == SPECTROGRAM
        batches = self._batches(n_samples, n_rows, is_first=True)
        if not has_frames:
            bar = frame_means_adjoint(bar, tape.frame_samples, n_samples)
        bar = bar if is_foreign(bar) else np.ascontiguousarray(bar, self.dtype)
        period = self.design.period if has_frames else 1
        bar = xp.reshape(bar, (n_rows, *bar.shape[2:]))
        bar = leak_adjoint(bar, self.design.factor) if has_frames else bar
        if tape.spectrogram is not None:
            y = xp.reshape(tape.spectrogram, (n_rows, *tape.spectrogram.shape[2:]))
            bars[FACTOR] = to_numpy(factor_adjoint(bar, y, 0 * y[..., 0]))
        groups = fourier.channel_groups(rows, self.design.n_channels - sections.overlap)
        past = beside(self.start(n_rows, 1).past, rows)
        x_bars: list[Array] = []
        with threads(self.n_threads) as map_in_order:
            for begin, block, end in batches:
                new, own_bar = piece(rows, begin, end), piece(bar, begin // period, end // period)
                bar_of_blocks = xp.reshape(own_bar, (n_rows, bar.shape[1], -1, block.n_new // period))
                cochlea = sections.cochlea_of(new, past, block)
                run = partial(sections.reverse, bar_of_blocks, cochlea, block, begin, tape.kept, wanted)
                found = list(map_in_order(run, groups))
                for channels, own, _ in found:
                    if COMPRESSED in own:
                        bars[COMPRESSED][:, channels] += to_numpy(own[COMPRESSED])
                    for name in (INHIBITED, SLOPE):
                        bars[name] += to_numpy(own[name]) if name in own else 0
                if "X" in wanted:
                    self._add_x_bar(x_bars, [x_bar for _, _, x_bar in found], block, sections.overlap)
                past = past_after(past, new)
        x_bar = fit_length(join(x_bars), n_samples) if x_bars else zeros(rows.shape, rows)
        return xp.reshape(x_bar, tape.x.shape), self._coefficient_bars(bars)

    def _add_x_bar(self, x_bars: list[Array], found: list[Array], block: fourier.Block, overlap: int) -> None:
        """Append the bar of a batch's samples, and add that of the samples before to the batch before."""
        if self.takes_channels:
            x_bars.append(join_groups(found, overlap)[:, :, 0, :])
            return
        new_bar, past_bar = fourier.block_spectra_adjoint(sum(found[1:], found[0]), block)
        if x_bars and past_bar.shape[-1]:
            n_alone = x_bars[-1].shape[-1] - past_bar.shape[-1]
            x_bars[-1] = join([x_bars[-1][:, :n_alone], x_bars[-1][:, n_alone:] + past_bar])
        x_bars.append(new_bar)

    def _coefficient_bars(self, of_rows: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """Bars as the coefficients stand, 0 of what the output does not depend on."""
        bars = {name: own.sum(axis=0) for name, own in of_rows.items()}
        if SPECTROGRAM in self.outputs:
            assert self.design.decay is not None
            # factor = decay ** period
            period, decay = self.design.period, self.design.decay.real
            bars = bars | {SPECTROGRAM: np.array([bars[SLOPE] + bars[FACTOR] * period * decay ** (period - 1)])}
        return tuple(bars[name] for name in self.outputs if name != COCHLEA)

    def coefficients(self) -> tuple[np.ndarray, ...]:
        """Exponents, weights of the inhibition, decay."""
        own = (self.design.compression, self.design.inhibition, self.design.decay)
        return tuple(np.atleast_1d(array) for array in own if array is not None)

    def arrays_of(self, part: str) -> slice:
        """Every stage but the filters has an array."""
        k = [name for name in self.outputs if name != COCHLEA].index(part)
        return slice(k, k + 1)

    def switches(self) -> tuple[Hashable, ...]:
        """The filters, the gain, and the length of a frame."""
        filters = self.design.filters
        return b"" if filters is None else filters.response.tobytes(), self.design.gain, self.design.period

    # --- lengths ---

    def _batches(self, n_samples: int, n_rows: int = 1, *, is_first: bool) -> list[tuple[int, fourier.Block, int]]:
        """Begin, block and end of blocks that run side by side, for so many samples, and silence up to the last end."""
        if self.takes_channels:  # nothing is cut: there is nothing to hear before
            end = -(-n_samples // self.design.period) * self.design.period
            return [(0, fourier.Block(end, 1, 0), end)] if end else []
        return fourier.batches(
            self.block, n_samples, self.design.period, is_first=is_first, at_once=self._blocks_at_once(n_rows)
        )

    def _blocks_at_once(self, n_rows: int) -> int:
        """Blocks of a sound that fit in a device's memory; 0 for as many as on the host."""
        if not self.memory_bytes:
            return 0
        return max(1, self.memory_bytes // (n_rows * self._bytes_of_samples(self.block.n_fft)))

    def _bytes_of_samples(self, n_samples: int) -> int:
        """Memory that the stages of a row take for so many samples, forwards and backwards."""
        return ARRAYS_AT_ONCE * self.design.n_channels * n_samples * np.dtype(self.dtype).itemsize

    def alike(self, n_samples: int, frame_samples: int | None) -> Hashable:
        """Clips of like lengths: silence costs as much as sound."""
        shortest = max(self.design.period, frame_samples or 1)
        return (n_samples < shortest) * n_samples, n_samples.bit_length()

    def n_frames(self, n_samples: int, output: str, frame_samples: int | None) -> int:
        """Frames of the response to a clip."""
        return super().n_frames(n_samples, output, self.design.period if output == SPECTROGRAM else frame_samples)

    def bytes_of_signal(self, n_ears: int, n_samples: int, output: str) -> int:
        """A block of every row, and the response, which is there in pieces, whole and as a derivative."""
        n_frames = self.n_frames(n_samples, output, None)
        held = 4 * n_samples + 4 * self.design.n_channels * n_frames
        n_at_once = n_samples if self.takes_channels else min(n_samples, self.block.n_fft)
        return n_ears * (self._bytes_of_samples(n_at_once) + held * np.dtype(self.dtype).itemsize)

    def _sections(self, outputs: Sequence[str]) -> Sections:
        """Stages up to the last that is asked for."""
        return Sections(self.design, self.outputs[: 1 + max(self.outputs.index(name) for name in outputs)])

    def _width(self, output: str) -> int:
        """Channels of an output."""
        has_fewer = self.design.inhibition is not None and output in (INHIBITED, SPECTROGRAM)
        return self.design.n_channels - has_fewer
