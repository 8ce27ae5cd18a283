"""Where a stream stands between two chunks."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skaud._sounds import check_samples


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
        The model's own arrays, one entry a signal.
    """

    model: str
    n_signals: int
    n_ears: int | None
    arrays: list[Any]

    def check_chunk(self, X: Any, model: str) -> np.ndarray:
        """Samples (n_signals, n_ears, n_samples) with which that model may go on from here."""
        if self.model != model:
            raise ValueError(
                f"state belongs to {self.model!r}, this model is {model!r}; begin a new stream with initial_state()."
            )
        shape = (self.n_signals,) if self.n_ears is None else (self.n_signals, self.n_ears)
        X = np.asarray(X)
        if X.shape[:-1] != shape:
            raise ValueError(
                f"X has shape {X.shape}; this stream takes chunks of shape {(*shape, 'n_samples')}, as initial_state "
                "was told."
            )
        return check_samples(X, "X").reshape(self.n_signals, self.n_ears or 1, X.shape[-1])
