"""What stages have in common as transformers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skaud._types import Rates, Signals
from skaud.engines.chain import Chain
from skaud.engines.engine import Engine
from skaud.estimator.base import AudioTransformer
from skaud.estimator.faults import short
from skaud.estimator.sounds import Sounds
from skaud.fitting.movable import Parameters
from skaud.kernels.chain.kind import Part
from skaud.pooling.temporal import Pooling

Coefficients = TypeVar("Coefficients")

MIN_RATE_HZ, MAX_RATE_HZ = 8000, 192000


class Stage(AudioTransformer):
    """A stage as a transformer of its own."""

    # At full rate and unpooled, unless a stage has these as parameters: what the next stage takes.
    pooling: Pooling = None
    frame_length: float | None = None
    rms_one_db_spl: float | None = None
    sample_rate: float

    shared_engine: type[Engine] | None = None  # in which it runs as one with its neighbours

    # Behind another stage the rate of the clips is not that of X, which would be resampled again: whoever routes a rate
    # says to which stage.
    __metadata_request__fit = {"sample_rate": None}
    __metadata_request__transform = {"sample_rate": None}

    def check_rate(self) -> None:
        super().check_rate()
        check_rate(self.sample_rate)

    def level_in_kernel(self) -> float:
        return self.level_of_one()  # what depends on level knows it itself; the rest is linear

    def names_after(self, names: list[str]) -> list[str]:
        """Names of the stage's outputs, from those of what it takes."""
        return self.channel_names()


class FusedStage(Stage, Generic[Coefficients]):
    """A stage that runs as one with its neighbours, in an engine that they share."""

    shared_engine: type[Engine]
    coefficients_: Coefficients

    @abstractmethod
    def make_coefficients(self, parameters: Parameters) -> Coefficients:
        """What it brings to the engine, from all parameters, some of which may be complex."""

    @abstractmethod
    def fuse(self, coefficients: Sequence[Coefficients], dtype: str) -> Engine:
        """Engine of this stage and those behind it, from what each brings."""

    def coefficients_with(self, parameters: Parameters) -> Coefficients:
        """What it brings, with some parameters replaced by others, which may take a complex step."""
        if not parameters:
            return self.coefficients_
        return self.make_coefficients(self.resolve(self.parameters_in_use()) | parameters)

    def make_engine(self, parameters: Parameters, dtype: str) -> Engine:
        return self.fuse([self.coefficients_with(parameters)], dtype)

    def value_of(self, name: str) -> np.ndarray:
        return np.asarray(self.resolve(self.parameters_in_use())[name], dtype=float)

    def resolve(self, parameters: Parameters) -> Parameters:
        """Parameters, with numbers where None stands for published ones."""
        return parameters

    def make_design(self) -> None:
        self.coefficients_ = self.make_coefficients(self.resolve(self.parameters_in_use()))
        super().make_design()


class ChainStage(FusedStage[tuple[Part, ...]]):
    """A stage that runs in a chain, by itself or with its neighbours."""

    shared_engine = Chain

    @property
    def n_channels_in_chain(self) -> int:
        """Channels that go through its parts."""
        return self.n_channels_in_

    def fuse(self, coefficients: Sequence[tuple[Part, ...]], dtype: str) -> Chain:
        parts = [part for own in coefficients for part in own]
        return Chain(parts, self.n_channels_in_chain, dtype, takes_channels=self.takes_channels)


class ChannelStage(Stage):
    """A stage whose input has channels: (n_signals, [n_ears,] n_channels, n_samples), or one channel without the axis.

    Attributes
    ----------
    n_channels_in_ : int
        Channels of X in `fit`.
    """

    n_channels_in_: int
    _has_channels_: bool  # whether X had an axis for them
    takes_channels = True

    __metadata_request__fit = {"sample_rate": False}  # of clips, and X are responses
    __metadata_request__transform = {"sample_rate": False}

    def make_design(self) -> None:
        if not hasattr(self, "n_channels_in_"):  # there was no X
            n_channels = self.n_channels_without_sound()
            if n_channels is None:
                raise ValueError(
                    f"X is None, and {type(self).__name__} has the channels of X; pass the response of a filterbank, "
                    "or an array of zeros in its shape."
                )
            self.take_channels(n_channels)
        super().make_design()

    def take_channels(self, n_channels: int | None) -> None:
        """Be a stage for so many channels, or for one without an axis."""
        self.n_channels_in_, self._has_channels_ = n_channels or 1, n_channels is not None

    def designed_for(self, X: Signals) -> Self:
        if X is None and self.n_channels_without_sound() is None:
            raise NotFittedError(
                f"{type(self).__name__} has the channels of the X that it is fitted on, and is not fitted; call fit "
                "first."
            )
        return clone(self).fit(X)

    def n_channels_without_sound(self) -> int | None:
        """Channels that the parameters ask for; None where any will do."""
        return None

    def check_sounds(
        self, X: Signals, sample_rate: Rates, *, reset: bool = False, fixed_length: bool = False
    ) -> Sounds:
        """Clips (n_ears, n_channels, n_samples)."""
        rows, n_ears = _join_ears(X)
        sounds = super().check_sounds(rows, sample_rate, reset=reset, fixed_length=fixed_length)
        n_channels = sounds.n_ears  # what lies between signals and samples
        if n_channels is not None:
            n_channels //= n_ears or 1
        if reset:
            self.take_channels(n_channels)
        elif (n_channels or 1) != self.n_channels_in_:
            raise ValueError(
                f"X has {n_channels or 1} channels and had {self.n_channels_in_} in fit; pass the response of the same "
                "filterbank, or fit again."
            )
        clips = [clip.reshape(n_ears or 1, n_channels or 1, clip.shape[-1]) for clip in sounds.clips]
        return sounds._replace(clips=clips, has_ears=n_ears is not None)

    def n_rows_in(self) -> int:
        return super().n_rows_in() * self.n_channels_in_

    def channels_in(self) -> tuple[int, ...]:
        return (self.n_channels_in_,) if self._has_channels_ else ()

    def as_engine_takes(self, clips: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        return [clip.reshape(len(clip), self.n_channels_in_, clip.shape[-1]) for clip in clips]

    def shape_in_x(self, shape: tuple[int, ...], *, has_ears: bool) -> tuple[int, ...]:
        # (n_ears, n_channels, n_samples)
        return super().shape_in_x(shape if self._has_channels_ else (shape[0], shape[-1]), has_ears=has_ears)

    def channel_names(self) -> list[str]:
        return self.names_after([f"channel{c}" for c in range(self.n_channels_in_)])

    def names_after(self, names: list[str]) -> list[str]:
        return names


def _join_ears(X: Signals) -> tuple[Signals, int | None]:
    """X with the axis of ears, where it has one, taken into that of channels; and the number of ears."""
    is_list = isinstance(X, (list, tuple))
    first = X[0] if is_list and len(X) else X
    if getattr(first, "ndim", 0) != (3 if is_list else 4):
        return X, None
    if not is_list:
        return np.asarray(X).reshape(len(X), -1, X.shape[-1]), X.shape[1]
    shapes = {np.shape(clip)[:-1] for clip in X}
    if len(shapes) > 1:
        raise ValueError(
            f"X has responses of {sorted(shapes, key=str)}; all of one call must have the same ears and channels."
        )
    return [np.asarray(clip).reshape(-1, clip.shape[-1]) for clip in X], first.shape[0]


def real_numbers(name: str, value: ArrayLike) -> np.ndarray:
    """Value of a parameter as floats; an error where it is not numbers, or rows of different lengths."""
    try:
        if np.iscomplexobj(value):
            raise TypeError("it is complex")
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name}={short(value)} is not an array of real numbers ({error}); pass those alone."
        ) from error


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
