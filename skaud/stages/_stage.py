"""What the stages of Osses et al. (2021) have in common as transformers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skaud._engines import EngineTransformer
from skaud._fitted import as_designed
from skaud._sounds import Sounds
from skaud._stream import StreamState
from skaud.design.osses2021 import Design
from skaud.engines.chain import Chain

MIN_RATE_HZ, MAX_RATE_HZ = 8000, 192000


class Stage(EngineTransformer):
    """A stage as a transformer of its own."""

    # At full rate and unpooled, unless a stage has these as parameters: what the next stage takes.
    pooling: Any = None
    frame_length: float | None = None
    rms_one_db_spl: float | None = None
    sample_rate: float

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_rate(self.sample_rate)

    def _design(self) -> None:
        self._start_engine()

    def _check_chunks(self) -> None:
        """Refuse to go on with a sound chunk by chunk where the parameters do not allow it."""

    def _initial_arrays(self, n_ears: int) -> Any:
        self._check_chunks()
        return super()._initial_arrays(n_ears)

    def _names_after(self, names: list[str]) -> list[str]:
        """Names of the stage's outputs, from those of what it takes."""
        return self._channel_names()


class ChainStage(Stage):
    """A stage that runs in a chain."""

    coefficients_: Design

    @abstractmethod
    def _make_design(self, parameters: dict[str, Any]) -> Design:
        """Coefficients from all parameters."""

    def _resolve(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Parameters, with numbers where None stands for published ones."""
        return parameters

    def _design_with(self, parameters: dict[str, Any]) -> Design:
        """Coefficients, with some parameters replaced by others, which may take a complex step."""
        return self._make_design(self._resolve(self._parameters()) | parameters)

    def _differentiated(self, name: str) -> np.ndarray:
        return np.asarray(self._resolve(self._parameters())[name], dtype=float)

    def _design(self) -> None:
        self.coefficients_ = self._design_with({})
        super()._design()

    def _engine(self, parameters: dict[str, Any], dtype: str) -> Chain:
        return Chain(self._design_with(parameters) if parameters else self.coefficients_, dtype)


class ChannelStage(Stage):
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

    def _designed_for(self, X: Any) -> Self:
        if X is None and self._n_channels_without_sound() is None:
            raise NotFittedError(
                f"{type(self).__name__} has the channels of the X that it is fitted on, and is not fitted; call fit "
                "first."
            )
        return clone(self).fit(X)

    def _n_channels_without_sound(self) -> int | None:
        """Channels that the parameters ask for; None where any will do."""
        return None

    def _n_ears_without_sound(self) -> int | None:
        n_channels = self._n_channels_without_sound()
        if n_channels is None:
            raise ValueError(
                f"X is None, and {type(self).__name__} has the channels of X; pass the response of a filterbank, or an "
                "array of zeros in its shape."
            )
        return n_channels

    def _redesign(self, found: Mapping[str, Any]) -> None:
        self.n_ears_in_ = self.n_channels_in_ if self._has_channels_ else None
        super()._redesign(found)

    def _design_runs(self) -> None:
        self.n_ears_in_ = self.n_channels_in_ if self._has_channels_ else None
        super()._design_runs()

    def _as_engine_takes(self, clips: list[np.ndarray]) -> list[np.ndarray]:
        return [clip[np.newaxis] for clip in clips]

    def _n_rows_in(self) -> int:
        return self.n_channels_in_

    def _initial_arrays(self, n_ears: int) -> Any:
        return super()._initial_arrays(1)

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

    @as_designed
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

    @as_designed
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
        return self._names_after([f"channel{c}" for c in range(self.n_channels_in_)])

    def _names_after(self, names: list[str]) -> list[str]:
        return names


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
