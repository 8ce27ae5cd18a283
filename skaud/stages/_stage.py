"""What the stages of Osses et al. (2021) have in common as transformers."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha1
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skaud._gradients import ComplexStep, DifferentiableTransformer
from skaud._sounds import Sounds
from skaud._stream import StreamState
from skaud.design.osses2021 import Design
from skaud.kernels import osses2021 as kernels
from skaud.kernels import osses_layout as layout
from skaud.stages._chain_gradients import STEP, CoefficientBars, pull_back, record

OUTPUTS = ("filterbank", "hair_cell", "adaptation", "modulation")  # in the order of the kernel's stages
MIN_RATE_HZ, MAX_RATE_HZ = 8000, 192000
BLOCK = 8192  # samples between two calls of a kernel
BLOCK_FRAMES = 512  # frames that are pooled at a time


class Chain:
    """A run of stages on coefficients of one dtype; what the stages and the model share."""

    def __init__(self, design: Design, output: str, dtype: str) -> None:
        self.first = design.stages[0]
        self.design, self.dtype = design, dtype
        self.plan = self.plan_to(output)

    def plan_to(self, output: str) -> layout.Plan:
        """Plan of the run that ends with an output."""
        return layout.make_plan(self.design, self.first, OUTPUTS.index(output), self.dtype)

    def fingerprint(self) -> str:
        """Text that tells one design from another."""
        return sha1(b"".join(a.tobytes() for a in (*self.plan, *self.initial_state(1)))).hexdigest()[:10]

    def initial_state(self, n_rows: int) -> layout.State:
        """State after a long silence."""
        return layout.initial_state(self.design, self.dtype, n_rows)

    def n_outputs(self, output: str) -> int:
        """Rows of an output."""
        return sum(self.design.n_filters) if output == "modulation" else self.design.n_channels

    def full(self, x: np.ndarray, state: layout.State, names: tuple[str, ...]) -> list[np.ndarray]:
        """Outputs at full rate, (n_rows, n_outputs, n_samples) each; state goes on."""
        plan = self.plan_to(max(names, key=OUTPUTS.index))
        n_rows, n_samples = len(state.lines), x.shape[-1]
        arrays = {
            name: np.empty((n_rows if name in names else 0, self.n_outputs(name), n_samples), self.dtype)
            for name in OUTPUTS
        }
        kernels.run(x, state, plan, layout.workspace(plan), *arrays.values())
        return [arrays[name] for name in names]

    def frames(
        self, blocks: Iterator[np.ndarray], state: layout.State, n_samples: int, frame_length: int
    ) -> tuple[np.ndarray, int]:
        """Frames of the last stage, (n_rows, n_outputs, n_frames), and their number; state goes on."""
        output = OUTPUTS[int(self.plan.sizes[-1])]
        n_frames = (int(state.filled[0]) + n_samples) // frame_length
        out = np.empty((len(state.lines), self.n_outputs(output), max(1, n_frames)), self.dtype)
        work, done = layout.workspace(self.plan), 0
        for block in blocks:
            done = kernels.run_frames(block, state, self.plan, work, frame_length, out, done)
        return out, done

    def frame_blocks(self, blocks: Iterator[np.ndarray], n_rows: int, frame_length: int | None) -> Iterator[np.ndarray]:
        """As clip_frames, bit by bit, of a clip of more than one frame; of frame_length None, every sample."""
        state, work = self.initial_state(n_rows), layout.workspace(self.plan)
        output = OUTPUTS[int(self.plan.sizes[-1])]
        out, done = np.empty((n_rows, self.n_outputs(output), 0), self.dtype), 0
        for sound in blocks:
            for begin in range(0, sound.shape[-1], BLOCK):
                block = np.ascontiguousarray(sound[:, begin : begin + BLOCK])
                if frame_length is None:
                    yield self.full(block, state, (output,))[0]
                    continue
                n_frames = (int(state.filled[0]) + block.shape[-1]) // frame_length
                if done + n_frames > out.shape[-1]:
                    if done:
                        yield out[..., :done]
                    out, done = np.empty((*out.shape[:-1], max(n_frames, BLOCK_FRAMES)), self.dtype), 0
                done = kernels.run_frames(block, state, self.plan, work, frame_length, out, done)
        if done:
            yield out[..., :done]

    def clip_frames(self, blocks: Iterator[np.ndarray], n_rows: int, n_samples: int, frame_length: int) -> np.ndarray:
        """Frames of a whole clip; of one shorter than a frame, the mean of what there is."""
        state = self.initial_state(n_rows)
        out, n_frames = self.frames(blocks, state, n_samples, frame_length)
        if n_frames == 0:
            kernels.close_frame(state, self.plan, out, 0)
        return out

    def respond(self, x: np.ndarray, n_rows: int, output: str, frame_length: int | None) -> np.ndarray:
        """Frames of a whole clip, or with None its response at full rate."""
        if frame_length is None:
            return self.full(x, self.initial_state(n_rows), (output,))[0]
        return self.clip_frames(iter([x]), n_rows, x.shape[1], frame_length)


class ChainGradients(ComplexStep, DifferentiableTransformer):
    """Derivatives of a transformer whose coefficients make a chain."""

    _chain_: Chain

    @abstractmethod
    def _design_with(self, parameters: dict[str, Any]) -> Design:
        """Coefficients, with some parameters replaced by others, which may take a complex step."""

    @abstractmethod
    def _bounds(self) -> dict[str, tuple[float, float]]:
        """Physical limits of every parameter that has a derivative."""

    def _coefficients_vjp(self, name: str, bars: CoefficientBars) -> np.ndarray:
        """Bar of a parameter, from those of the coefficients: a complex step through the design."""
        value = self._differentiated(name)
        bar = np.empty(value.shape)
        for index in np.ndindex(value.shape):
            step = np.zeros(value.shape, complex)
            step[index] = STEP * 1j
            bar[index] = bars.along(self._design_with({name: (value + step)[()]}))
        return bar


class Stage(ComplexStep, DifferentiableTransformer):
    """A stage as a transformer of its own."""

    # At full rate and unpooled, unless a stage has these as parameters: what the next stage takes.
    pooling: Any = None
    frame_length: float | None = None
    rms_one_db_spl: float | None = None
    sample_rate: float

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_rate(self.sample_rate)


class ChainStage(Stage, ChainGradients):
    """A stage that runs in a chain."""

    coefficients_: Design

    @abstractmethod
    def _make_design(self, parameters: dict[str, Any]) -> Design:
        """Coefficients from all parameters."""

    def _resolve(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Parameters, with numbers where None stands for published ones."""
        return parameters

    def _design_with(self, parameters: dict[str, Any]) -> Design:
        return self._make_design(self._resolve(self._parameters()) | parameters)

    def _differentiated(self, name: str) -> np.ndarray:
        return np.asarray(self._resolve(self._parameters())[name], dtype=float)

    def _design(self) -> None:
        self.coefficients_ = self._design_with({})
        self._chain_ = Chain(self.coefficients_, self.output, self.dtype)
        self._fingerprint_ = self._chain_.fingerprint()

    def _rows(self, clip: np.ndarray) -> int:
        return len(clip)

    def _initial_arrays(self, n_ears: int) -> layout.State:
        return self._chain_.initial_state(n_ears)

    def _run_full(self, clips: list[np.ndarray], names: tuple[str, ...]) -> list[tuple[np.ndarray, ...]]:
        return [tuple(self._chain_.full(c, self._chain_.initial_state(self._rows(c)), names)) for c in clips]

    def _run_frames(self, clips: list[np.ndarray], frame_length: int | None) -> list[np.ndarray]:
        if frame_length is None:
            return [responses[0] for responses in self._run_full(clips, (self.output,))]
        return [self._chain_.clip_frames(iter([c]), self._rows(c), c.shape[-1], frame_length) for c in clips]

    def _frame_blocks(self, clips: list[np.ndarray], frame_length: int | None) -> Iterator[tuple[int, np.ndarray]]:
        for i, clip in enumerate(clips):
            for frames in self._chain_.frame_blocks(iter([clip]), self._rows(clip), frame_length):
                yield i, frames

    def _run_chunk(self, clip: np.ndarray, arrays: layout.State, frame_length: int | None) -> tuple[np.ndarray, Any]:
        state = arrays.copy()
        if frame_length is None:
            return self._chain_.full(clip, state, (self.output,))[0], state
        out, n_frames = self._chain_.frames(iter([clip]), state, clip.shape[-1], frame_length)
        return out[..., :n_frames], state

    def _run_vjp(
        self, clips: list[np.ndarray], output: str, frame_length: int | None, wrt: tuple[str, ...]
    ) -> tuple[list[np.ndarray], Callable]:
        (clip,) = clips
        response, run = record(self._chain_, clip, self._rows(clip), output, frame_length)

        def pullback(value_bars: list[np.ndarray]) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
            names = [name for name in wrt if name != "X"]
            x_bar, bars = pull_back(run, value_bars[0], 1 << self._chain_.first if names else 0)
            return [x_bar], {name: self._coefficients_vjp(name, bars) for name in names}

        return [response], pullback

    def _run_complex(
        self, clips: list[np.ndarray], output: str, frame_length: int | None, parameters: dict[str, Any]
    ) -> list[np.ndarray]:
        chain = Chain(self._design_with(parameters), output, "complex128")
        return [chain.respond(clip, self._rows(clip), output, frame_length) for clip in clips]


class ChannelStage(ChainStage):
    """A stage whose input has channels already: (n_signals, n_channels, n_samples), or one channel without the axis.

    Attributes
    ----------
    n_channels_in_ : int
        Channels of X in `fit`.
    """

    def _design(self) -> None:
        # To the base class an axis between signals and samples is one of ears.
        self._has_channels_ = self.n_ears_in_ is not None
        self.n_channels_in_ = self.n_ears_in_ or 1
        self.n_ears_in_ = None
        super()._design()

    def _redesign(self, found: Mapping[str, Any]) -> None:
        self.n_ears_in_ = self.n_channels_in_ if self._has_channels_ else None
        super()._redesign(found)

    def _design_runs(self) -> None:
        self.n_ears_in_ = self.n_channels_in_ if self._has_channels_ else None
        super()._design_runs()

    def _rows(self, clip: np.ndarray) -> int:
        return 1

    def _n_rows_in(self) -> int:
        return self.n_channels_in_

    def _initial_arrays(self, n_ears: int) -> layout.State:
        return self._chain_.initial_state(1)

    def _sounds(self, X: Any, sample_rate: Any, *, fixed_length: bool = False) -> Sounds:
        sounds = super()._sounds(X, sample_rate, fixed_length=fixed_length)
        n_channels = len(sounds.clips[0])
        if n_channels != self.n_channels_in_:
            raise ValueError(
                f"X has {n_channels} channels and had {self.n_channels_in_} in fit; pass the response of the same "
                "filterbank, or fit again."
            )
        return sounds._replace(has_ears=False)

    def _shape_as_x(self, x_bars: list[np.ndarray], sounds: Sounds) -> Any:
        return super()._shape_as_x(x_bars, sounds._replace(has_ears=self._has_channels_))

    def initial_state(self, n_signals: int = 1, n_ears: int | None = None) -> StreamState:
        """State of a stream before its first sample.

        Parameters
        ----------
        n_signals : int, default=1
            Signals that the stream carries side by side.
        n_ears : None
            The stage has no axis of ears.

        Returns
        -------
        StreamState
            For `transform_chunk`.
        """
        if n_ears is not None:
            raise ValueError(
                f"n_ears={n_ears!r} must be None: {type(self).__name__} takes channels, one ear at a time."
            )
        state = super().initial_state(n_signals)
        return StreamState(
            state.model, state.n_signals, self.n_channels_in_ if self._has_channels_ else None, state.arrays
        )

    def transform_chunk(self, X: np.ndarray, state: StreamState) -> tuple[np.ndarray, StreamState]:
        """Go on with a stream.

        Parameters
        ----------
        X : ndarray of shape (n_signals, n_channels, n_samples)
            Next samples, at the stage's sample rate; without the axis of channels where `fit` saw none.
        state : StreamState
            From `initial_state` or the chunk before; it is not changed.

        Returns
        -------
        Y : ndarray of shape (n_signals, n_outputs, n_frames)
            Response to the chunk.
        state : StreamState
            For the next chunk.
        """
        Y, state = super().transform_chunk(X, state)
        return (Y[:, 0] if self._has_channels_ else Y), state

    def _channel_names(self) -> list[str]:
        return [f"channel{c}" for c in range(self.n_channels_in_)]


def corner_bounds(sample_rate: float) -> tuple[float, float]:
    """Limits between which a corner frequency may be fitted."""
    return 20.0, 0.45 * sample_rate


def check_corner(name: str, corner_hz: float | None, sample_rate: float) -> None:
    """Refuse a corner frequency that a digital filter cannot have."""
    if corner_hz is not None and not 0 < corner_hz < sample_rate / 2:
        raise ValueError(
            f"{name}={corner_hz} must lie above 0 and below half the sample rate, {sample_rate / 2:g} Hz; lower it, or "
            f"raise sample_rate={sample_rate}."
        )


def check_frequencies(frequencies_hz: ArrayLike, sample_rate: float) -> np.ndarray:
    """One axis of frequencies that a transfer function has a value at."""
    frequencies = np.atleast_1d(np.asarray(frequencies_hz, dtype=float))
    outside = ~((frequencies >= 0) & (frequencies <= sample_rate / 2))
    if frequencies.ndim != 1 or outside.any():
        raise ValueError(
            f"frequencies_hz={frequencies[outside] if frequencies.ndim == 1 else frequencies} must be one axis of "
            f"frequencies from 0 to half the sample rate, {sample_rate / 2} Hz; leave out the others."
        )
    return frequencies


def check_rate(sample_rate: float) -> None:
    """Refuse rates that the design was not made for."""
    if not MIN_RATE_HZ <= sample_rate <= MAX_RATE_HZ:
        raise ValueError(
            f"sample_rate={sample_rate} must lie between {MIN_RATE_HZ} and {MAX_RATE_HZ} Hz, where the filters are "
            "defined; choose a rate within, clips at other rates are resampled to it."
        )
