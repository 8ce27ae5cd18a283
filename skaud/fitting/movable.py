"""What fits know of models."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from skaud._types import Features

Value = float | np.ndarray  # of a parameter that moves
Bounds = tuple[npt.ArrayLike, npt.ArrayLike]  # lowest and highest value
Parameters = dict[str, Any]  # by name; their kinds are those of the constructor
Gradients = dict[str, Any]  # derivatives by name: "X", in the form of X, and parameters, arrays
Pullback = Callable[[Any], Gradients]  # from derivatives by a response, shaped as it


class Movable(Protocol):
    """A designed model as fits see it, see `skaud.estimator.movable_model`."""

    fixed: dict[str, Value]

    @property
    def name(self) -> str:
        """Name of the model's class."""

    @property
    def sets(self) -> Mapping[str, tuple[str, ...]]:
        """Words for several parameters at once."""

    def known(self) -> tuple[str, ...]:
        """Parameters that may be moved."""

    def why_not(self, name: str) -> str | None:
        """Why a parameter may not be moved."""

    def bounds(self, names: tuple[str, ...]) -> Mapping[str, Bounds]:
        """Lowest and highest values of parameters that move together."""

    def value(self, name: str) -> np.ndarray:
        """Value of a parameter."""

    def move(self, values: Mapping[str, Value]) -> None:
        """Design as much as responses need."""

    def settle(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Design wholly, and show the values."""

    def measure(self) -> None:
        """Measure what is known of the model anew."""

    def vjp(
        self, names: tuple[str, ...], output: str = "features", *, some: Sequence[int] | None = None
    ) -> tuple[Features, Pullback]:
        """Response to the clips, and its pullback."""
