"""A pipeline as fits see it: parameters of all its steps, and sound for it to hear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn import config_context
from sklearn.pipeline import Pipeline

from skaud._types import Features
from skaud.estimator.movable_model import MovableModel, from_host
from skaud.estimator.sounds import Sounds
from skaud.fitting.movable import Bounds, Gradients, Pullback, Value
from skaud.frames.base import FrameTransformer
from skaud.pooling.temporal import TemporalPooling
from skaud.recipes.gradients import vjp_through, within
from skaud.recipes.steps import steps_within


class MovableStep:
    """A fitted step on frames whose parameters a fit moves: they count as those of its fit."""

    def __init__(self, step: FrameTransformer) -> None:
        self.step = step

    @property
    def sets(self) -> Mapping[str, tuple[str, ...]]:
        """Words for several parameters at once: none."""
        return {}

    def known(self) -> tuple[str, ...]:
        """Parameters that may be moved."""
        return self.step.differentiable()

    def why_not(self, name: str) -> str | None:
        """Why a parameter may not be moved: no reason is known."""
        return None

    def bounds(self, names: tuple[str, ...]) -> Mapping[str, Bounds]:
        """Lowest and highest values of parameters."""
        return self.step.bounds()

    def value(self, name: str) -> np.ndarray:
        """Value of a parameter."""
        return np.asarray(self.step.at_fit_[name], dtype=float)

    def move(self, values: Mapping[str, Value]) -> None:
        """Compute with these values."""
        self.step.at_fit_ = self.step.at_fit_ | dict(values)

    def settle(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Compute with these values, and show them."""
        self.move(values)
        for name, value in values.items():
            setattr(self.step, f"{name}_", value)
        return {f"{name}_": value for name, value in values.items()}

    def measure(self) -> None:
        """Measure nothing: all is known of a step."""


class MovablePipeline:
    """A fitted `FeaturePipeline` whose parameters a fit moves, in place; those of a step bear its name in front."""

    def __init__(self, pipeline: Pipeline, sounds: Sounds) -> None:
        self.pipeline = pipeline
        self.fixed: dict[str, Value] = {}
        name, first = pipeline.steps[0]
        self.model = MovableModel(first, sounds)
        self.parts: dict[str, MovableStep | MovableModel] = {f"{name}__": self.model}
        for prefix, step in steps_within(pipeline):
            if isinstance(step, FrameTransformer):
                self.parts[prefix] = MovableStep(step)
            elif step is not first and not isinstance(step, TemporalPooling):
                self.parts[prefix] = MovableModel(step)

    @property
    def name(self) -> str:
        """Name of the pipeline's class."""
        return type(self.pipeline).__name__

    @property
    def sets(self) -> Mapping[str, tuple[str, ...]]:
        """Words for several parameters of a step at once, its name in front."""
        return {
            f"{prefix}{word}": tuple(f"{prefix}{name}" for name in names)
            for prefix, part in self.parts.items()
            for word, names in part.sets.items()
        }

    def known(self) -> tuple[str, ...]:
        """Parameters that may be moved."""
        return tuple(f"{prefix}{name}" for prefix, part in self.parts.items() for name in part.known())

    def why_not(self, name: str) -> str | None:
        """Why a parameter may not be moved, where there is a reason."""
        prefix, own = self._split(name)
        return self.parts[prefix].why_not(own) if prefix in self.parts else None

    def bounds(self, names: tuple[str, ...]) -> Mapping[str, Bounds]:
        """Lowest and highest values of parameters that move together."""
        found: dict[str, Bounds] = {}
        for prefix, part in self.parts.items():
            own = tuple(name.removeprefix(prefix) for name in names if self._split(name)[0] == prefix)
            found |= {f"{prefix}{name}": bounds for name, bounds in part.bounds(own).items()}
        return found

    def value(self, name: str) -> np.ndarray:
        """Value of a parameter, shaped as its derivative."""
        prefix, own = self._split(name)
        return self.parts[prefix].value(own)

    def move(self, values: Mapping[str, Value]) -> None:
        """Design as much as responses need, with these values of parameters."""
        for part, own in self._by_part(values):
            part.move(own)

    def settle(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Design wholly, with these values, which the steps then show."""
        for part, own in self._by_part(values):
            part.settle(own)
        return dict(values)

    def measure(self) -> None:
        """Measure what is known of the model anew."""
        for part in self.parts.values():
            part.measure()

    def vjp(
        self, names: tuple[str, ...], output: str = "features", *, some: Sequence[int] | None = None
    ) -> tuple[Features, Pullback]:
        """Features of all clips, or of some, and their pullback."""
        first, *rest = self.pipeline.steps
        own = tuple(within(first[0], names))
        with config_context(transform_output="default"):
            frames, pull_model = self.model.vjp_where_it_lies(own, some=some)
            value, pull = vjp_through(rest, frames, names)

        def pullback(bars: Features) -> Gradients:
            frames_bar, grads = pull(bars)
            if own:
                grads |= {f"{first[0]}__{name}": bar for name, bar in pull_model(frames_bar).items()}
            return grads

        return from_host(value, pullback)

    def _by_part(self, values: Mapping[str, Value]) -> list[tuple[MovableStep | MovableModel, dict[str, Value]]]:
        by_prefix: dict[str, dict[str, Value]] = {}
        for name, value in values.items():
            prefix, own = self._split(name)
            by_prefix.setdefault(prefix, {})[own] = value
        return [(self.parts[prefix], own) for prefix, own in by_prefix.items()]

    @staticmethod
    def _split(name: str) -> tuple[str, str]:
        """What stands in front of a parameter's name, and the name."""
        prefix, mark, own = name.rpartition("__")
        return prefix + mark, own
