"""Spectrotemporal receptive fields as an engine: frames of a spectrogram in, frames of every filter's response out."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from skaud.design import cortical as design
from skaud.engines.engine import STEP, Engine, Responses, respond
from skaud.engines.pieces import join, own_copy, rows_of, side_by_side
from skaud.kernels import cortical as kernel
from skaud.kernels._memory import memory_used_again
from skaud.kernels.array_api import Array, array_namespace, beside, is_foreign, to_numpy, zeros
from skaud.kernels.threads import threads

REVERSED_AT_ONCE = 8  # filters, whose spectra are then summed
ARRAYS_AT_ONCE = 6  # of the size of a filter's spectrum of a row, in the reverse run on a device
POOLED_AT_ONCE = 4  # filters, whose frames are held where those of all are too many


class STRFs(NamedTuple):
    """Filters, and the spectrogram's axes."""

    scales_cycles_per_octave: np.ndarray
    rates_hz: np.ndarray
    frame_rate_hz: float
    channels_per_octave: float


class CorticalState(NamedTuple):
    """Where a run stands; a run makes new arrays, and changes none.

    heard : (n_rows, n_channels, n), frames that the next block hears, as far as they are there; begin : number of its
    first new frame; n_frames : that came
    """

    n_ears: int
    heard: Array
    begin: int
    n_frames: int

    def copy(self) -> "CorticalState":
        """The state itself."""
        return self

    def of_rows(self, rows: slice) -> "CorticalState":
        """State of some rows."""
        return self._replace(heard=self.heard[rows])


class Cortical(Engine):
    """Filters for frames of n_channels channels; the responses have an axis of filters in front of that of channels.

    How the filters are designed depends on the number of frames, up to the longest; of more, as of a stream, they go
    through in blocks, which hear frames before and after.
    """

    takes_channels = True
    spreads = True
    any_library = True
    outputs = ("cortical",)
    parts = ("cortical", "X")

    def __init__(self, strfs: STRFs, n_channels: int, response: str, dtype: str) -> None:
        self.strfs, self.n_channels, self.response, self.dtype = strfs, n_channels, response, dtype
        self._designs: dict[int, kernel.Cortex] = {}
        self._there: dict[tuple, list[kernel.Filters]] = {}

    def __getstate__(self) -> dict[str, object]:
        return super().__getstate__() | {"_designs": {}, "_there": {}}

    @property
    def latency_frames(self) -> int:
        """Most frames that a response waits for in a stream."""
        return 3 * design.LONGEST_RATE_FILTER

    def start(self, n_signals: int, n_ears: int) -> CorticalState:
        """State before the first frame."""
        return CorticalState(n_ears, np.zeros((n_signals * n_ears, self.n_channels, 0), self.dtype), 0, 0)

    def run(
        self, x: Array, state: CorticalState, outputs: Sequence[str], frame_samples: int | None
    ) -> tuple[Responses, CorticalState]:
        """Run as many whole blocks as there are now, with what they hear."""
        rows = rows_of(x, self.dtype)
        heard = join([beside(state.heard, rows), rows])
        n, n_frames = design.LONGEST_RATE_FILTER, state.n_frames + rows.shape[-1]
        blocks = [block for block in kernel.cut(n_frames, n) if block.begin >= state.begin and not block.alone]
        blocks = [block for block in blocks if block.begin + 3 * n <= n_frames]
        first = max(0, state.begin - n)
        response = self._respond(heard, first, blocks, state.n_ears)
        begin = blocks[-1].begin + 2 * n if blocks else state.begin
        after = CorticalState(state.n_ears, own_copy(heard[..., max(0, begin - n) - first :]), begin, n_frames)
        return {self.outputs[0]: response}, after

    def finish(self, state: CorticalState, outputs: Sequence[str], frame_samples: int | None) -> Responses:
        """The blocks that are left, after which there is silence; all of a spectrogram that is as short as filters."""
        return {self.outputs[0]: self._respond(state.heard, *self._left(state), state.n_ears)}

    def ends(self, state: CorticalState, outputs: Sequence[str], frame_samples: int | None) -> Iterator[Responses]:
        """The same, a block at a time."""
        first, blocks = self._left(state)
        for block in blocks:
            yield {self.outputs[0]: self._respond(state.heard, first, [block], state.n_ears)}

    @staticmethod
    def _left(state: CorticalState) -> tuple[int, list[kernel.Block]]:
        """Number of the first frame that is held, and blocks that are left."""
        blocks = kernel.cut(state.n_frames, design.rate_bins(state.n_frames)) if state.n_frames else []
        first = max(0, state.begin - design.LONGEST_RATE_FILTER)
        return first, [block for block in blocks if block.begin >= state.begin]

    @memory_used_again()
    def _respond(self, heard: Array, first: int, blocks: Sequence[kernel.Block], n_ears: int) -> Array:
        """Response to blocks of frames (n_rows, n_channels, n), the first of which has that number."""
        xp, pieces = array_namespace(heard), []
        for block in blocks:
            window = kernel.window(heard, first, block)
            if self.dtype == "complex128":
                pieces.append(self._respond_with_step(window, block))
                continue
            filters = self._filters(window, block)
            finish = xp.abs if self.response == "magnitude" else lambda out: out
            pieces.append(self._filter(window, block, filters, real=self.response == "real", finish=finish))
        if pieces:
            response = join(pieces)
        else:
            shape = (heard.shape[0], len(self.strfs.rates_hz), self.n_channels, 0)
            response = zeros(shape, heard)
        return xp.reshape(response, (response.shape[0] // n_ears, n_ears, *response.shape[1:]))

    def _filter(
        self,
        window: Array,
        block: kernel.Block,
        filters: list[kernel.Filters],
        *,
        real: bool,
        finish: Callable[[Array], Array] = lambda out: out,
    ) -> Array:
        """Responses (n_rows, n_filters, n_channels, n_new)."""
        spectrum = kernel.transform(window, design.padded_length(self.n_channels), block)

        def respond_and_finish(strfs: kernel.Filters) -> Array:
            return finish(kernel.respond(spectrum, strfs, block, self.n_channels, real=real))

        with threads(self.n_threads) as map_in_order:
            return side_by_side(map_in_order(respond_and_finish, filters), len(self.strfs.rates_hz))

    def record(self, x: Array, output: str, frame_samples: int | None) -> tuple[Array, Array]:
        """Response to whole spectrograms; these are the tape."""
        return respond(self, x, (output,), frame_samples)[output], x

    @memory_used_again()
    def pull_back(self, tape: Array, bar: Array, wanted: Sequence[str]) -> tuple[Array, tuple[np.ndarray, ...]]:
        """Bars of the spectrogram, of scales and of rates: block by block, a few filters at a time."""
        spectrogram, xp = rows_of(tape, self.dtype), array_namespace(tape)
        n_frames = spectrogram.shape[-1]
        if not is_foreign(bar):
            bar = np.asarray(bar, np.result_type(self.dtype, np.complex64) if np.iscomplexobj(bar) else self.dtype)
        bar = xp.reshape(bar, (spectrogram.shape[0], *bar.shape[2:]))
        blocks = kernel.cut(n_frames, design.rate_bins(n_frames))
        n_scale_bins = design.padded_length(self.n_channels)
        filters = self._filters(spectrogram, blocks[0], with_slopes=True)
        bars, window_bars = np.zeros((2, spectrogram.shape[0], len(self.strfs.rates_hz))), []
        with threads(self.n_threads) as map_in_order:
            for block in blocks:
                spectrum = kernel.transform(kernel.window(spectrogram, 0, block), n_scale_bins, block)
                conjugate = xp.conj(spectrum)

                def reverse(
                    strfs: kernel.Filters,
                    block: kernel.Block = block,
                    spectrum: Array = spectrum,
                    conjugate: Array = conjugate,
                ):
                    own = bar[:, strfs.numbers, :, block.begin : block.begin + block.n_new]
                    if self.response == "magnitude":
                        own = self._magnitude_adjoint(own, spectrum, strfs, block)
                    return kernel.respond_adjoint(own, conjugate, strfs, block)

                sums: dict[int, Array] = {}
                for begin in range(0, len(filters), REVERSED_AT_ONCE):
                    some = filters[begin : begin + REVERSED_AT_ONCE]
                    for strfs, (passed_bar, *of_rows) in zip(some, map_in_order(reverse, some)):
                        first = strfs.passed.start
                        sums[first] = kernel.add_scales(sums.get(first), passed_bar, spectrum.shape[-2])
                        for total, own in zip(bars, of_rows):
                            total[:, strfs.numbers] += to_numpy(own)
                if "X" in wanted:
                    whole = self._whole_spectrum(sums, spectrum)
                    window_bars.append(kernel.transform_adjoint(whole, self.n_channels, block))
        x_bar = zeros(spectrogram.shape, spectrogram)
        if window_bars:
            x_bar = kernel.windows_adjoint(window_bars, n_frames, blocks[0].n_rate_bins)
        rates_bar, scales_bar = bars.sum(axis=1)  # row by row
        return xp.reshape(x_bar, tape.shape), (scales_bar, rates_bar)

    @staticmethod
    def _whole_spectrum(halves: dict[int, Array], spectrum: Array) -> Array:
        """Bar of the spectrum, from those of its halves by the number of their first bins; one may be missing."""
        n_bins = spectrum.shape[-1]
        found = [own for _, own in sorted(halves.items())]
        if len(found) == 1 and found[0].shape[-1] < n_bins:
            found.insert(1 if 0 in halves else 0, zeros(found[0].shape, spectrum))
        return join(found)

    def _magnitude_adjoint(self, bar: Array, spectrum: Array, strfs: kernel.Filters, block: kernel.Block) -> Array:
        """Bar of complex responses, from that of their magnitudes, whose slope at 0 is 0."""
        xp = array_namespace(bar)
        out = kernel.respond(spectrum, strfs, block, self.n_channels, real=False)
        # value = |out|
        magnitude = xp.abs(out)
        return xp.where(magnitude > 0, bar / xp.where(magnitude > 0, magnitude, xp.ones_like(magnitude)), 0 * bar) * out

    def _respond_with_step(self, window: np.ndarray, block: kernel.Block) -> np.ndarray:
        """Response with a complex step in the frames, the scales and the rates, in each of which it is linear.

        Of complex responses come the real parts, then the imaginary parts: each can have a step.
        """
        cortex = self._design(block)
        scales, rates, frame_rate_hz, channels_per_octave = self.strfs
        n_rates, n_scales = cortex.rates.shape[1], cortex.scales.shape[1]
        moved = design.scale_filters(scales, n_scales, channels_per_octave).imag / STEP
        turned = design.rate_filters_slope(rates, n_rates, frame_rate_hz)
        runs = (
            (window.real, cortex),
            (window.imag / STEP, cortex),
            (window.real, cortex._replace(scales=moved)),
            (window.real, cortex._replace(rates=turned)),
        )
        filters = [kernel.filters_beside(x, own, alone=block.alone) for x, own in runs]
        out, *steps = (self._filter(x.copy(), block, own, real=False) for (x, _), own in zip(runs, filters))
        step = sum(steps)
        if self.response == "magnitude":
            magnitude = np.abs(out)
            slope = (np.conj(out) * step).real / np.where(magnitude > 0, magnitude, 1)
            return magnitude + 1j * STEP * slope
        parts = [out.real + 1j * STEP * step.real, out.imag + 1j * STEP * step.imag]
        return np.concatenate(parts if self.response == "complex" else parts[:1], axis=1)

    def derivative(self, response: np.ndarray, output: str) -> np.ndarray:
        """Derivative in the direction of the complex step."""
        steps = super().derivative(response, output)
        if self.response != "complex":
            return steps
        real, imaginary = np.split(steps, 2, axis=-3)
        return real + 1j * imaginary

    def coefficients(self) -> tuple[np.ndarray, ...]:
        """Scales and rates."""
        return self.strfs.scales_cycles_per_octave, self.strfs.rates_hz

    def switches(self) -> tuple[Hashable, ...]:
        """Part of the response, and the axes."""
        return self.response, self.n_channels, self.strfs.frame_rate_hz, self.strfs.channels_per_octave

    def apart(self) -> list[Engine]:
        """Engines of some filters each."""
        scales, rates, *axes = self.strfs
        some = [slice(k, k + POOLED_AT_ONCE) for k in range(0, len(rates), POOLED_AT_ONCE)]
        chosen = [STRFs(scales[own], rates[own], *axes) for own in some]
        engines = [Cortical(strfs, self.n_channels, self.response, self.dtype) for strfs in chosen]
        return [engine.with_threads(self.n_threads) for engine in engines]

    def _filters(self, x: Array, block: kernel.Block, *, with_slopes: bool = False) -> list[kernel.Filters]:
        """The filters for blocks of x, beside it; made once."""
        place = type(x), str(x.dtype), str(getattr(x, "device", "cpu"))
        at_once = self._filters_at_once(x, block)
        key = block.n_rate_bins, block.alone, at_once, with_slopes, *place
        if key not in self._there:
            cortex = self._design(block)
            slopes = self._slopes(cortex) if with_slopes else None
            self._there[key] = kernel.filters_beside(x, cortex, alone=block.alone, at_once=at_once, slopes=slopes)
        return self._there[key]

    def _slopes(self, cortex: kernel.Cortex) -> kernel.Cortex:
        """Derivatives of the filters by their rates and scales."""
        scales, rates, frame_rate_hz, channels_per_octave = self.strfs
        n_rates, n_scales = cortex.rates.shape[1], cortex.scales.shape[1]
        return kernel.Cortex(
            design.rate_filters_slope(rates + 1j * STEP, n_rates, frame_rate_hz),
            cortex.upwards,
            design.scale_filters_slope(scales, n_scales, channels_per_octave),
        )

    def _filters_at_once(self, x: Array, block: kernel.Block) -> int:
        """Filters whose responses fit in a device's memory side by side; one on the host."""
        n_at_once = self.memory_bytes // (x.shape[0] * self._bytes_of_filter(block.n_fft)) if self.memory_bytes else 1
        return min(max(1, n_at_once), len(self.strfs.rates_hz))

    def _bytes_of_filter(self, n_fft: int) -> int:
        """Memory that the run of a filter takes for a row, forwards and backwards."""
        n_scale_bins = design.padded_length(self.n_channels)
        return ARRAYS_AT_ONCE * n_scale_bins * n_fft * 2 * np.dtype(self.dtype).itemsize

    def alike(self, n_samples: int, frame_samples: int | None) -> Hashable:
        """Spectrograms that are cut alike, by filters of the same length."""
        return design.padded_length(n_samples)

    def n_frames(self, n_samples: int, output: str, frame_samples: int | None) -> int:
        """Frames of the response, one for each that is taken."""
        return n_samples

    def bytes_of_signal(self, n_ears: int, n_samples: int, output: str) -> int:
        """The response, which is there in pieces, whole and as a derivative, and the run of a filter."""
        n_fft = kernel.cut(n_samples, design.rate_bins(n_samples))[0].n_fft
        held = 4 * len(self.strfs.rates_hz) * self.n_channels * n_samples * (1 if self.response == "real" else 2)
        return n_ears * (held * np.dtype(self.dtype).itemsize + self._bytes_of_filter(n_fft))

    def _design(self, block: kernel.Block) -> kernel.Cortex:
        """Filters of the length that a block asks for."""
        n = block.n_rate_bins
        if n not in self._designs:
            scales, rates, frame_rate_hz, channels_per_octave = self.strfs
            filters = design.rate_filters(rates.real, n, frame_rate_hz)
            n_scale_bins = design.padded_length(self.n_channels)
            over_scales = design.scale_filters(scales.real, n_scale_bins, channels_per_octave)
            self._designs[n] = kernel.Cortex(filters.transfer, rates.real > 0, over_scales)
        return self._designs[n]
