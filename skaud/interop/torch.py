"""Models as modules of torch: their adjoints behind autograd, so that networks train jointly with them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from skaud._fitted import fitted_copy
from skaud._parameters import check_given
from skaud._types import Estimator
from skaud._warnings import warn_caller
from skaud.engines.device import NotOnDevice, engine_for
from skaud.estimator.base import AudioTransformer
from skaud.estimator.movable_model import MovableModel
from skaud.fitting.movable import Bounds, Value
from skaud.fitting.parameters import BoundedParameters, names_to_learn
from skaud.kernels.array_api import array_namespace, host_view, place_of

__all__ = ["as_module"]


def as_module(
    estimator: Estimator,
    learn: str | Sequence[str] | None = None,
    *,
    output: str = "features",
    bounds: Mapping[str, Bounds] | None = None,
) -> Any:
    """Make a ``torch.nn.Module`` of a fitted model, differentiated by the model's own adjoint.

    The module computes where its input lies, by the engine of that device. Where the model has none there, it computes
    on the CPU, and a warning says so. It works on a copy: the estimator stays as it is.

    Parameters
    ----------
    estimator : CARFAC, BiomimeticFrontend, or any other model with `vjp`
        Fitted model; its `dtype` is that of the module's parameters and output.
    learn : str, sequence of str, or None, default=None
        Parameters that the module shows to an optimiser; () for none, None for those of the estimator's `learn`.
    output : str, default="features"
        What the module returns: "features" for what `transform` does, or the name of a response that `simulate` knows.
    bounds : mapping of str to (lowest, highest), default=None
        Bounds of parameters, in place of the model's own.

    Returns
    -------
    AuditoryModule
        A ``torch.nn.Module``: ``module(x)`` takes a tensor ``(batch, n_samples)`` or ``(batch, n_ears, n_samples)`` at
        the model's rate, and returns what the model does for such an array. See Notes for what else it has.

    Raises
    ------
    ImportError
        If torch is not installed.
    TypeError, ValueError
        If the estimator has no `vjp`, no such output, or cannot learn such a parameter, as `fit` cannot; or if bounds
        name what is not learned.

    Notes
    -----
    What the optimiser moves are positions between the bounds, ``module.positions[name]``, from 0, the lowest value, to
    1, the highest, along the logarithm where the bounds are far apart; so that one learning rate suits all parameters.
    A position that a step has taken out of the bounds is put back onto them before the next run. Parameters without
    bounds are positions in units of their size. On a bound, where `ohc_health` starts if it is 1, the gradient is that
    of the way inwards: differences to both sides, as ``torch.autograd.gradcheck`` takes them, see half of it there, for
    the outer one leads nowhere. Check gradients at a start within the bounds.

    ``module.values()`` are the parameters themselves, by name; ``module.to_estimator()`` is a fitted copy of the
    estimator that has them. ``state_dict``, ``copy.deepcopy`` and ``torch.save`` work as for other modules. The
    gradient of the gradient is not known.

    Examples
    --------
    >>> import pytest
    >>> torch = pytest.importorskip("torch")
    >>> from skaud import CARFAC, datasets
    >>> from skaud.interop.torch import as_module
    >>> X = datasets.make_tone([250, 1000], duration_s=0.05, sample_rate=22050)
    >>> front = as_module(CARFAC(pooling="mean").fit(X), learn=["velocity_scale"])
    >>> network = torch.nn.Sequential(front, torch.nn.Linear(71, 2))
    >>> network(torch.tensor([x.samples for x in X], dtype=torch.float32)).shape
    torch.Size([2, 2])
    >>> [name for name, _ in network.named_parameters()]
    ['0.positions.velocity_scale', '1.weight', '1.bias']
    """
    module = _module_class()
    constraints: dict = {"output": [str], "bounds": [Mapping, None]}
    check_given(constraints, {"output": output, "bounds": bounds}, "as_module")
    if not isinstance(estimator, AudioTransformer):
        raise TypeError(
            f"estimator is a {type(estimator).__name__}, which has no vjp that takes sound; pass a model such as "
            "CARFAC or BiomimeticFrontend."
        )
    estimator = fitted_copy(estimator)
    if output != "features":
        estimator.check_outputs((output,))
    return module(estimator, _names(estimator, learn), output, bounds)


def _names(estimator: Estimator, learn: str | Sequence[str] | None) -> tuple[str, ...]:
    """Parameters that `learn` names."""
    if learn is None:
        return estimator.learned_names() if hasattr(estimator, "learn") else ()
    model = MovableModel(estimator)
    return names_to_learn(model, learn, model.known(), may_be_none=True)


def _import_torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "skaud.interop.torch needs torch, which cannot be imported; install it with: pip install 'skaud[torch]'"
        ) from error
    return torch


def __getattr__(name: str) -> Any:
    if name == "AuditoryModule":  # the class is made when torch is there; pickles find it under this name
        return _module_class()
    raise AttributeError(f"module 'skaud.interop.torch' has no attribute {name!r}")


class _Run:
    """A model with the parameters of one run, which stays as it is until the run is taken back."""

    def __init__(self, estimator: Estimator, bounded: BoundedParameters, u: np.ndarray) -> None:
        self.model, self.bounded, self.u = copy.copy(estimator), bounded, u.copy()
        MovableModel(self.model).move(bounded.unpack(u))

    def signals(self, x: Any) -> Any:
        """What the model takes of a tensor: itself where the model computes on its device, else a copy on the CPU."""
        x, place = x.detach(), place_of(x)
        if place.on_host:
            return host_view(x, "x")
        try:
            engine_for(self.model.engine_, place, type(self.model).__name__)
        except NotOnDevice as error:
            warn_caller(f"x is copied from {place.device} to the CPU and the response back: {error}")
            return host_view(x.cpu(), "x")
        return x

    def respond(self, signals: Any, wrt: tuple[str, ...], output: str) -> tuple[Any, Any]:
        """Response to signals, and its pullback; None where nothing asks for it."""
        if wrt:
            return self.model.vjp(signals, wrt, output)
        if output != "features":
            return self.model.simulate(signals, output, sample_rate=self.model.sample_rate)[output], None
        # Clips of a list may have any length; a data frame is nothing for torch.
        model = copy.copy(self.model).set_output(transform="default")
        found = model.transform(list(signals), sample_rate=model.sample_rate)
        return array_namespace(found[0]).stack(found) if isinstance(found, list) else found, None

    def pull_back(self, grads: Mapping[str, Value]) -> list[np.ndarray]:
        """Derivatives by the positions, name by name."""
        bounded = self.bounded
        zeros = {name: np.zeros(part.stop - part.start) for name, part in bounded.slices.items()}
        u_bar = bounded.pull_back(self.u, zeros | {name: grads[name] for name in bounded.names if name in grads})
        return [u_bar[part] for part in bounded.slices.values()]


@lru_cache(maxsize=1)
def _module_class() -> type:
    """The class AuditoryModule, once torch is there."""
    torch: Any = _import_torch()
    from torch.autograd.function import once_differentiable

    class Response(torch.autograd.Function):
        """A run of the model, and its adjoint."""

        @staticmethod
        def forward(ctx: Any, x: Any, run: _Run, output: str, *positions: Any) -> Any:
            wanted = [ctx.needs_input_grad[0], *ctx.needs_input_grad[3:]]
            names = [name for name, is_wanted in zip(("X", *run.bounded.names), wanted) if is_wanted]
            value, ctx.pullback = run.respond(run.signals(x), tuple(names), output)
            ctx.run, ctx.kinds = run, [(t.dtype, t.device, t.shape) for t in (x, *positions)]
            ctx.on_host = isinstance(value, np.ndarray)
            return torch.from_numpy(np.ascontiguousarray(value)).to(x.device) if ctx.on_host else value

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, value_bar: Any) -> Any:
            bar = value_bar.detach()
            grads = ctx.pullback(bar.cpu().numpy() if ctx.on_host else bar)
            bars = [grads.get("X"), *ctx.run.pull_back(grads)]
            wanted = [ctx.needs_input_grad[0], *ctx.needs_input_grad[3:]]
            x_bar, *positions_bar = map(as_tensor, bars, ctx.kinds, wanted)
            return x_bar, None, None, *positions_bar

    def as_tensor(bar: Any, kind: tuple[Any, Any, Any], is_wanted: bool) -> Any:
        """Derivative as a tensor of the kind of what it belongs to."""
        dtype, device, shape = kind
        return torch.as_tensor(bar, dtype=dtype, device=device).reshape(shape) if is_wanted else None

    class AuditoryModule(torch.nn.Module):
        """A skaud model as a module; made by `as_module`."""

        def __init__(
            self, estimator: Estimator, names: tuple[str, ...], output: str, bounds: Mapping[str, Bounds] | None
        ) -> None:
            super().__init__()
            self.estimator, self.output = copy.copy(estimator), output
            self._bounded = BoundedParameters(MovableModel(estimator), names, bounds)
            start = torch.as_tensor(self._bounded.start(), dtype=getattr(torch, estimator.dtype))
            parts = {name: start[part].clone() for name, part in self._bounded.slices.items()}
            self.positions = torch.nn.ParameterDict({name: torch.nn.Parameter(part) for name, part in parts.items()})
            self._last: _Run | None = None

        def forward(self, x: Any) -> Any:
            """Response to signals (batch, n_samples) or (batch, n_ears, n_samples)."""
            if not isinstance(x, torch.Tensor) or not x.is_floating_point() or x.ndim not in (2, 3):
                kind = f"{x.dtype}, {tuple(x.shape)}" if isinstance(x, torch.Tensor) else type(x).__name__
                raise ValueError(
                    f"x is {kind}; it must be a tensor of real samples, (batch, n_samples) or (batch, n_ears, "
                    "n_samples): reshape or cast it."
                )
            positions = (self.positions[name] for name in self._bounded.names)
            return Response.apply(x, self._run(), self.output, *positions)

        def values(self) -> dict[str, Value]:
            """Values of the parameters, by name, as the estimator takes them."""
            return self._bounded.unpack(self._vector())

        def to_estimator(self) -> Any:
            """Fitted copy of the estimator that has the values of the parameters."""
            model = MovableModel(copy.deepcopy(self.estimator))
            model.settle(self.values())
            model.measure()
            return model.model

        def extra_repr(self) -> str:
            """Model, output and learned parameters."""
            return f"{type(self.estimator).__name__}, output={self.output!r}, learn={self._bounded.names}"

        def _vector(self) -> np.ndarray:
            """Positions between the bounds; those outside are put back."""
            parts = []
            for name, part in self._bounded.slices.items():
                position = self.positions[name].data
                low, high = (torch.as_tensor(b[part]).to(position) for b in (self._bounded.low, self._bounded.high))
                if bool(((position < low) | (position > high)).any()):
                    position.copy_(torch.minimum(torch.maximum(position, low), high))
                parts.append(position.detach().cpu().double().numpy())
            return np.concatenate(parts) if parts else np.zeros(0)

        def _run(self) -> _Run:
            u = self._vector()
            if self._last is None or not np.array_equal(self._last.u, u):
                self._last = _Run(self.estimator, self._bounded, u)
            return self._last

        def __getstate__(self) -> dict[str, Any]:
            return self.__dict__ | {"_last": None}

    AuditoryModule.__qualname__ = "AuditoryModule"
    return AuditoryModule
