"""What models and stages are to one another, and to engines, streams and fits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from skaud._fitted import parameter_names
from skaud._types import Rates, Signals
from skaud.design.limits import LONGEST_FRAME, check_size
from skaud.engines.engine import STEP, Engine, along
from skaud.estimator.callbacks import FitProgress
from skaud.estimator.signals import check_sounds
from skaud.estimator.sounds import Sounds
from skaud.fitting.movable import Bounds, Parameters, Value
from skaud.kernels.array_api import Place
from skaud.pooling.statistics import Statistics
from skaud.pooling.temporal import Pooling, TemporalPooling


class Source(NamedTuple):
    """Where a value comes from: a response of the engine, in frames or at full rate, and whether it is pooled."""

    output: str
    frame_samples: int | None
    pooled: bool


def as_names(parameter: str, value: object, available: Sequence[str]) -> tuple[str, ...]:
    """One name or several as a tuple; an error that tells what there is where they are no names at all."""
    names = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(
                f"{parameter} has a {type(name).__name__}; it must be a name or several, among {tuple(available)}."
            )
    return names


class Model(ABC):
    """What others may ask of a model or a stage, besides what users do (`skaud.estimator.base`).

    What a new one says of itself stands first, then what it may say otherwise than most, then what derives. What
    another file calls or overrides has a public name; an underscore is for the file that it stands in. Methods go by
    the attributes as they stand; `skaud._fitted.fitted_copy` has those of the last fit.

    Attributes
    ----------
    all_outputs : tuple of str
        Names of the responses that there are with some parameters.
    full_scale_db_spl : float
        Level in dB SPL that the published program takes an RMS of 1.0 for.
    takes_channels : bool
        Whether an axis between signals and samples of X is one of channels, not of ears.
    overflow_lasts : bool
        Whether a response at full rate that left the range of its dtype never comes back.
    learn_sets : dict
        Words of `learn` for several parameters at once.
    frames_held : int
        Frames of a signal that are held to be pooled at once; those of a longer one are pooled as they come.
    engine_ : Engine
        What computes, once the model is designed.
    found_ : dict
        What fit has found, by name of the parameter, in place of what was given.
    takes_any_ears_ : bool
        Whether it was fitted to no sound, and has no ears of its own.
    rates_told_ : bool
        Whether fit was told rates, which later plain samples would lack.
    at_fit_ : dict
        Parameters as they were at the last fit, by which `skaud._fitted.fitted_copy` goes.
    """

    all_outputs: tuple[str, ...] = ()

    sample_rate: float
    output: str
    pooling: Pooling
    frame_length: float | None
    rms_one_db_spl: float | None
    dtype: str
    n_jobs: int | None

    full_scale_db_spl: float = 100.0
    takes_channels = False
    overflow_lasts = False
    learn_sets: Mapping[str, tuple[str, ...]] = {}
    frames_held = 4096  # 41 s of 10 ms

    engine_: Engine
    found_: dict[str, Value]
    n_ears_in_: int | None
    n_features_in_: int
    n_samples_in_: int | None  # samples of a 2-D X in fit, at the model's rate
    takes_any_ears_: bool
    rates_told_ = False
    at_fit_: Parameters

    # --- what a model says of itself ---

    @abstractmethod
    def make_engine(self, parameters: Parameters, dtype: str) -> Engine:
        """Engine of the designed model, some of whose parameters are replaced by others, which may be complex."""

    @abstractmethod
    def channel_names(self) -> list[str]:
        """Name of every channel of the output, such as 1055hz."""

    def bounds(self) -> Mapping[str, Bounds]:
        """Parameters that have a derivative, and the lowest and highest value that learning may give each."""
        return {}

    # --- what it may say otherwise ---

    def make_design(self) -> None:
        """Set the fitted attributes from `parameters_in_use`, and make the engine."""
        self.engine_ = self.make_engine({}, self.dtype)

    def check_parameters(self) -> None:
        """Refuse parameters that `_parameter_constraints` cannot judge."""
        return

    def available_outputs(self) -> tuple[str, ...]:
        """Names of the responses that it has with these parameters."""
        return self.all_outputs

    def frame_samples(self) -> int | None:
        """Samples of a frame, or None for every sample."""
        if self.frame_length is None:
            return None
        samples = self.frame_length * self.sample_rate
        check_size("frame_length", self.frame_length, samples, LONGEST_FRAME, "samples a frame", "lower it")
        return max(1, round(samples))

    def differentiable(self) -> tuple[str, ...]:
        """Parameters that have a derivative."""
        return tuple(self.bounds())

    def joint_bounds(self, names: tuple[str, ...]) -> Mapping[str, Bounds]:
        """Bounds within which these parameters may move at the same time."""
        return self.bounds()

    def value_of(self, name: str) -> np.ndarray:
        """Value of a parameter, shaped as its bar."""
        return np.asarray(self.parameters_in_use()[name], dtype=float)

    def parameter_bar(self, name: str, bars: tuple[np.ndarray, ...]) -> np.ndarray:
        """Bar of a parameter, from those of the coefficients: a complex step through the design."""
        value = self.value_of(name)
        bar = np.empty(value.shape)
        for index in np.ndindex(value.shape):
            step = np.zeros(value.shape, complex)
            step[index] = STEP * 1j
            bar[index] = along(bars, self.make_engine({name: (value + step)[()]}, "complex128"))
        return bar

    def unlearnable(self) -> dict[str, str]:
        """Parameters that no fit may learn though they have a derivative, and why."""
        return {}

    def find(self, place: Place, progress: FitProgress | None = None) -> None:
        """Find parameters that need no labels, once the model is designed as given; it may compute where X lies."""
        return

    def measure(self) -> None:
        """Measure what is known of the model, once parameters of it were learned."""
        return

    def check_sounds(
        self, X: Signals, sample_rate: Rates, *, reset: bool = False, fixed_length: bool = False
    ) -> Sounds:
        """Clips of X, validated (`skaud.estimator.signals`), with one axis or several between ears and samples."""
        return check_sounds(self, X, sample_rate, reset=reset, fixed_length=fixed_length)

    def check_ears(self, n_ears: int) -> None:
        """Refuse sound of other ears than those that fit found something for."""
        return

    def channels_in(self) -> tuple[int, ...]:
        """Length of the axis of channels between ears and samples, of X that has one."""
        return ()

    def as_engine_takes(self, clips: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """Clips (n_ears, n_samples) or, for an engine that takes channels, (n_ears, n_channels, n_samples)."""
        self.check_ears(len(clips[0]))
        return clips

    def shape_in_x(self, shape: tuple[int, ...], *, has_ears: bool) -> tuple[int, ...]:
        """Shape that a clip (n_ears, ..., n_samples) has in X, with an axis of ears or without."""
        return shape if has_ears else shape[1:]

    def level_in_kernel(self) -> float:
        """Level in dB SPL of an RMS of 1.0 in what the kernel takes."""
        return self.full_scale_db_spl

    def parts_moved_by(self, names: Sequence[str]) -> tuple[str, ...]:
        """Parts of the engine whose coefficients depend on these parameters."""
        return self.engine_.parts if names else ()

    def n_ears_without_sound(self) -> int | None:
        """Ears that the parameters ask for; None for sound without an axis of ears."""
        return None

    def suits_any_ears(self) -> bool:
        """Whether the parameters leave open how many ears there are."""
        return self.n_ears_without_sound() is None

    def why_no_chunks(self) -> str | None:
        """Why the parameters do not allow it to go on with a sound chunk by chunk, and what does; None if they do."""
        return None

    # --- what derives ---

    def parameters_in_use(self) -> Parameters:
        """Parameters, with what fit has found in place of what was given."""
        return {name: getattr(self, name) for name in parameter_names(type(self))} | self.found_

    def check_outputs(self, outputs: str | Sequence[str] | None) -> tuple[str, ...]:
        """Names of the responses that are asked for, None for all; an error where it has not one of them."""
        available = self.available_outputs()
        names = available if outputs is None else as_names("outputs", outputs, available)
        for name in names or ("nothing",):
            if name not in available:
                raise ValueError(
                    f"outputs has {name!r}; {type(self).__name__} has {available} with these parameters, choose among "
                    "them."
                )
        return names

    def source_of(self, output: str) -> Source:
        """Where "features", or a response at full rate, comes from; an error where there is none of that name."""
        if not isinstance(output, str):
            known = ("features", *self.available_outputs())
            raise TypeError(f"output is a {type(output).__name__}; it must be one name, among {known}.")
        if output == "features":
            return Source(self.output, self.frame_samples(), self.pooling is not None)
        self.check_outputs((output,))
        return Source(output, None, False)

    def redesign(self, found: Mapping[str, Value]) -> None:
        """Design again, with values that fit has found in place of the parameters that were given."""
        self.found_ = dict(found)
        self.make_design()

    def level_of_one(self, scale: float | None = None) -> float:
        """Level in dB SPL of an RMS of 1.0 in clips, of which some know their own scale."""
        if scale is not None:
            return scale
        return self.full_scale_db_spl if self.rms_one_db_spl is None else self.rms_one_db_spl

    def gain(self, scale: float | None = None) -> float:
        """Factor from the samples of a clip to those that the kernel takes."""
        return 10 ** ((self.level_of_one(scale) - self.level_in_kernel()) / 20)

    def how_pooled(self) -> tuple[Statistics, int]:
        """Statistics, and how many parts of a signal each is computed in."""
        if isinstance(self.pooling, TemporalPooling):
            return self.pooling.statistics, self.pooling.segments
        assert self.pooling is not None
        return self.pooling, 1

    def wanted_parts(self, names: Sequence[str]) -> tuple[str, ...]:
        """What the engine is asked the bars of, for those of X and of parameters."""
        parts = self.parts_moved_by([name for name in names if name != "X"])
        return (*parts, "X") if "X" in names and "X" in self.engine_.parts else parts
