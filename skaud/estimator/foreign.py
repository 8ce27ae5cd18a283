"""Arrays of other libraries: what an engine of array-API code computes where they lie."""

from collections.abc import Callable
from typing import Any

from skaud.engines.engine import respond
from skaud.estimator.engine import EngineTransformer
from skaud.estimator.results import check_value_bar
from skaud.kernels.array_api import array_namespace, is_foreign
from skaud.pooling.statistics import columns

_STATISTICS = ("mean", "std", "min", "max")


class AnyArrays(EngineTransformer):
    """Base of estimators that compute arrays of cupy, torch and JAX, too, and return such."""

    def _stays_where_it_is(self, X: Any) -> bool:
        return is_foreign(X)

    def _take_where_it_is(self, X: Any) -> None:
        if len(X.shape) > 2 + len(self._channels_in()):
            self.n_ears_in_ = X.shape[1]

    def _as_engine_takes_it(self, X: Any) -> tuple[Any, bool]:
        """X with an axis of ears, and whether it had one; an error where it is something else."""
        xp, channels = array_namespace(X), self._channels_in()
        shape, n_axes = tuple(X.shape), 2 + len(channels)
        named = "(n_signals, [n_ears,] n_channels, n_samples)" if channels else "(n_signals, [n_ears,] n_samples)"
        if X.dtype != getattr(xp, self.dtype) or 0 in shape or len(shape) not in (n_axes, n_axes + 1):
            raise ValueError(
                f"X is a {type(X).__name__} of {X.dtype} and shape {shape}; it must be {self.dtype}, {named}: cast or "
                "reshape it, or set dtype."
            )
        if channels and shape[-2] != channels[0]:
            raise ValueError(f"X has {shape[-2]} channels and had {channels[0]} in fit; fit again.")
        if not bool(xp.all(xp.isfinite(X))):
            raise ValueError("X has samples that are NaN or infinite; every sample must be finite. Cut them out.")
        has_ears = len(shape) > n_axes
        return X if has_ears else X[:, None, ...], has_ears

    def _simulate_on_gpu(self, X: Any, name: str) -> Any:
        x, has_ears = self._as_engine_takes_it(X)
        response = respond(self.engine_, x, (name,), None)[name]
        return response if has_ears else response[:, 0, ...]

    def _transform_on_gpu(self, X: Any, frame_samples: int | None) -> Any:
        xp = array_namespace(X)
        if self.frame_length is not None:
            raise ValueError(
                f"frame_length={self.frame_length} is for NumPy arrays; leave it at None for a {type(X).__name__}."
            )
        frames = self._simulate_on_gpu(X, self.output)
        if self.pooling is None:
            return frames
        statistics, segments = self._pooling()
        names = (statistics,) if isinstance(statistics, str) or callable(statistics) else tuple(statistics)
        in_parts = any(own.n_parts != 1 for own in columns(statistics, segments))
        if in_parts or any(name not in _STATISTICS for name in names):
            raise ValueError(
                f"pooling={self.pooling!r} is for NumPy arrays; a {type(X).__name__} is pooled by {_STATISTICS}, in "
                "one segment. Choose among them, or set pooling=None for the frames."
            )
        return xp.concat([xp.reshape(getattr(xp, name)(frames, axis=-1), (X.shape[0], -1)) for name in names], axis=-1)

    def _vjp_where_it_is(
        self, X: Any, names: tuple[str, ...], output: str
    ) -> tuple[Any, Callable[[Any], dict[str, Any]]]:
        if output == "features" and self.pooling is not None:
            raise ValueError(
                f"pooling={self.pooling!r} has no gradient for a {type(X).__name__}; set pooling=None, or pass a NumPy "
                "array."
            )
        x, has_ears = self._as_engine_takes_it(X)
        engine = self.engine_
        response, tape = engine.record(x, self.output if output == "features" else output, None)
        value = response if has_ears else response[:, 0, ...]
        wanted = self._parts_of([name for name in names if name != "X"])
        wanted += ("X",) if "X" in names and "X" in engine.parts else ()

        def pullback(value_bar: Any) -> dict[str, Any]:
            check_value_bar(value_bar, value)
            xp = array_namespace(value)
            bar = xp.reshape(xp.astype(value_bar, value.dtype), response.shape)
            x_bar, bars = engine.pull_back(tape, bar, wanted)
            grads = {name: self.parameter_bar(name, bars) for name in names if name != "X"}
            return ({"X": xp.reshape(x_bar, X.shape)} if "X" in names else {}) | grads

        return value, pullback
