"""A model as fits see it: parameters that move between bounds, and what moves with them."""

from collections.abc import Mapping, Sequence

import numpy as np

from skaud._types import Features
from skaud.engines.engine import STEP, respond
from skaud.estimator.protocol import Model
from skaud.estimator.sounds import Sounds
from skaud.estimator.vjp import vjp_of_sounds
from skaud.fitting.movable import Bounds, Gradients, Pullback, Value
from skaud.kernels.array_api import array_namespace, beside, is_foreign, to_numpy
from skaud.kernels.batches import clip_of


class MovableModel:
    """A designed model whose parameters a fit moves; it is changed in place.

    Parameters
    ----------
    model : AudioTransformer
        Model, designed.
    sounds : Sounds or None, default=None
        What its response is to, at its rate and level; None where a fit asks for no response.

    Attributes
    ----------
    fixed : dict
        What was found before, by name; it stays.
    """

    def __init__(self, model: Model, sounds: Sounds | None = None) -> None:
        self.model, self._sounds = model, sounds
        self.fixed: dict[str, Value] = dict(model.found_)

    @property
    def name(self) -> str:
        """Name of the model's class."""
        return type(self.model).__name__

    @property
    def sets(self) -> Mapping[str, tuple[str, ...]]:
        """Words for several parameters at once."""
        return self.model.learn_sets

    def known(self) -> tuple[str, ...]:
        """Parameters that may be moved."""
        reasons = self.model.unlearnable()
        return tuple(name for name in self.model.differentiable() if name not in reasons)

    def why_not(self, name: str) -> str | None:
        """Why a parameter that has a derivative may not be moved, where there is a reason."""
        return self.model.unlearnable().get(name)

    def bounds(self, names: tuple[str, ...]) -> Mapping[str, Bounds]:
        """Lowest and highest values of parameters that move together."""
        return self.model.joint_bounds(names)

    def value(self, name: str) -> np.ndarray:
        """Value of a parameter, shaped as its derivative."""
        return self.model.value_of(name)

    def move(self, values: Mapping[str, Value]) -> None:
        """Design as much as responses need, with these values of parameters."""
        self.model.redesign(self.fixed | dict(values))

    def settle(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Design wholly, with these values; the fitted attributes that show them."""
        for name in values:
            vars(self.model).pop(f"{name}_", None)
        self.model.redesign(self.fixed | dict(values))
        for name, value in values.items():
            if not hasattr(self.model, f"{name}_"):  # the design shows it otherwise
                setattr(self.model, f"{name}_", value)
        return {f"{name}_": getattr(self.model, f"{name}_") for name in values}

    def measure(self) -> None:
        """Measure what is known of the model anew."""
        self.model.measure()

    def vjp(
        self, names: tuple[str, ...], output: str = "features", *, some: Sequence[int] | None = None
    ) -> tuple[Features, Pullback]:
        """Response to all clips, or to some, and its pullback, on the host, where the optimiser is; sounds stay."""
        return from_host(*self.vjp_where_it_lies(names, output, some=some))

    def vjp_where_it_lies(
        self, names: tuple[str, ...], output: str = "features", *, some: Sequence[int] | None = None
    ) -> tuple[Features, Pullback]:
        """Response to all clips, or to some, and its pullback, as `vjp` of the model has them."""
        assert self._sounds is not None
        source, sounds = self.model.source_of(output), self._sounds
        if some is not None:
            clips, scales = [clip_of(sounds.clips, i) for i in some], [sounds.scales[i] for i in some]
            rates = [sounds.rates[i] for i in some]
            sounds = sounds._replace(clips=clips, scales=scales, rates=rates, is_array=False)
        return vjp_of_sounds(self.model, sounds, names, source)

    def differentiable(self) -> tuple[str, ...]:
        """Parameters that have a derivative, whether or not they may be moved."""
        return self.model.differentiable()

    def shapes_of_clips(self) -> list[tuple[int, ...]]:
        """Shapes of the clips, with an axis of ears."""
        assert self._sounds is not None
        return [tuple(clip_of(self._sounds.clips, i).shape) for i in range(len(self._sounds.rates))]

    def derivatives(self, name: str, directions: Sequence[np.ndarray], output: str) -> list[np.ndarray]:
        """Derivatives of the responses to all clips, computed forwards, as "X" or a parameter moves in a direction."""
        assert self._sounds is not None
        source = self.model.source_of(output)
        clips, scales, steps = self._sounds.clips, self._sounds.scales, {name: directions[0]}
        moved = [np.zeros(clip.shape) for clip in clips]
        if name == "X":
            moved, steps = [self.model.gain(scale) * own for scale, own in zip(scales, directions)], {}
        stepped = {name: self.value(name) + 1j * STEP * step for name, step in steps.items()}
        engine = self.model.make_engine(stepped, "complex128")
        taken = self.model.as_engine_takes([clip + 1j * STEP * step for clip, step in zip(clips, moved)])
        results = (respond(engine, clip[np.newaxis], (source.output,), source.frame_samples) for clip in taken)
        return [engine.derivative(responses[source.output][0], source.output) for responses in results]


def from_host(value: Features, pullback: Pullback) -> tuple[Features, Pullback]:
    """Responses, one a clip, and a pullback that takes their bars, of NumPy both, wherever the value lies."""
    first = value[0] if isinstance(value, list) else value
    if not is_foreign(first):
        return value, lambda bars: pullback(bars if isinstance(value, list) else np.stack(list(bars)))
    responses = [to_numpy(clip_of(value, i)) for i in range(len(value) if isinstance(value, list) else value.shape[0])]

    def pullback_from_host(bars: Features) -> Gradients:
        own = [beside(np.asarray(bar, v.dtype), first) for bar, v in zip(bars, responses)]
        return pullback(own if isinstance(value, list) else array_namespace(own[0]).stack(own))

    return responses, pullback_from_host
