"""Where a stream stands."""

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from skaud._types import Estimator, Signals
from skaud.estimator.sounds import check_real
from skaud.sound.refused import refuse_masked


@dataclass
class StreamState:
    """Where a stream stands: what `transform_chunk` takes and returns.

    Attributes
    ----------
    model : str
        Class and design that the state belongs to; another model refuses it.
    n_signals, n_ears : int
        Signals side by side, and their ears; n_ears is None where X has no axis of ears.
    arrays : list
        The model's own arrays, one entry a signal; on a device one for all.
    fitted : object
        The fitted model that made it, which goes on with it and is not made anew for every chunk; None in a copy.
    place : str
        Library and device of the arrays, "" before the first chunk, and "host" for all libraries of the host.
    """

    model: str
    n_signals: int
    n_ears: int | None
    arrays: list[Any]
    fitted: Estimator = field(default=None, repr=False, compare=False)
    place: str = ""

    def __getstate__(self) -> dict[str, object]:
        return vars(self) | {"fitted": None}

    def is_of(self, estimator: Estimator) -> bool:
        """Whether the estimator's last fit made it."""
        return self.fitted is not None and self.fitted.at_fit_ is vars(estimator).get("at_fit_")

    def followed_by(self, arrays: list[Any], fitted: Estimator, place: str) -> Self:
        """State after a chunk."""
        return type(self)(self.model, self.n_signals, self.n_ears, arrays, fitted, place)

    def check_model(self, model: str) -> None:
        """Refuse a state of another model."""
        if self.model != model:
            raise ValueError(
                f"state belongs to {self.model!r}, this model is {model!r}; begin a new stream with initial_state()."
            )

    def check_place(self, place: str) -> None:
        """Refuse a chunk that lies where the stream did not begin."""
        if self.place not in ("", place):
            raise TypeError(
                f"X is of {place} and the stream began on {self.place}; move the chunks there, or begin a new stream "
                "with initial_state()."
            )

    def check_chunk(self, X: Signals, channels: tuple[int, ...] = ()) -> np.ndarray:
        """Samples (n_signals, n_ears, [n_channels,] n_samples) with which the stream may go on, if they are finite."""
        ears = () if self.n_ears is None else (self.n_ears,)
        shape = (self.n_signals, *ears, *channels)
        refuse_masked(X, "X")
        X = np.asarray(X)
        if X.shape[:-1] != shape:
            raise ValueError(
                f"X has shape {X.shape}; this stream takes chunks of shape {(*shape, 'n_samples')}, as initial_state "
                "was told."
            )
        return check_real(X, "X").reshape(self.n_signals, self.n_ears or 1, *channels, X.shape[-1])
