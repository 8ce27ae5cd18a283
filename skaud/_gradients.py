"""Vector-Jacobian products of models: the adjoint of transform and simulate."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from skaud._array_api import on_gpu
from skaud._responses import check_responses, stack
from skaud._sounds import Sounds
from skaud.base import AudioTransformer
from skaud.stages.pooling import pool, pool_adjoint


class DifferentiableTransformer(AudioTransformer):
    """Base of the models that have an adjoint; they implement what stands at the end."""

    def vjp(
        self, X: Any, wrt: str | Sequence[str] = ("X",), output: str = "features"
    ) -> tuple[Any, Callable[[Any], dict[str, Any]]]:
        """Response, and the function that takes derivatives back through it.

        Where an objective depends on the response by ``value_bar``, it depends on the samples and the parameters by
        what ``pullback(value_bar)`` returns, exactly: the model is run backwards, from checkpoints, in memory that
        grows like the square root of the length.

        Parameters
        ----------
        X : array of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples), or list of clips
            Sound at the model's sample rate, of any length.
        wrt : str or sequence of str, default=("X",)
            What to differentiate with respect to: "X" and names of parameters.
        output : str, default="features"
            What `transform` returns, or a name that `simulate` knows, at full rate.

        Returns
        -------
        value : ndarray or list of ndarray
            As `transform` (never as a data frame) or `simulate` returns it.
        pullback : callable
            Takes ``value_bar``, shaped as value, and returns a dict: "X", shaped as X, and every parameter in wrt,
            shaped as it was given to the model; an entry a channel where a callable was given, or None.

        Raises
        ------
        ValueError
            If the model has no such output, or no derivative with respect to a name in wrt.

        Examples
        --------
        >>> from skaud import CARFAC, datasets
        >>> X = datasets.make_tone([250, 1000], duration_s=0.05)
        >>> model = CARFAC(pooling="mean", dtype="float64").fit(X)
        >>> value, pullback = model.vjp(X, wrt=["X", "ohc_health"])
        >>> grads = pullback(value)  # of the objective sum(value ** 2) / 2
        >>> grads["X"].shape, grads["ohc_health"].shape
        ((2, 1102), ())
        """
        check_is_fitted(self)
        names = (wrt,) if isinstance(wrt, str) else tuple(wrt)
        for name in names:
            if name != "X" and name not in self._differentiable():
                raise ValueError(
                    f"wrt has {name!r}; with these parameters {type(self).__name__} has derivatives with respect to "
                    f"'X' and {self._differentiable()}, choose among them."
                )
        if on_gpu(X):
            raise TypeError("X is on a GPU, and the adjoint runs on the CPU; pass a NumPy array.")
        featured = output == "features"
        frame_length = self._frame_samples() if featured else None
        (source,) = (self.output,) if featured else self._check_outputs(output)
        sounds = self._sounds(X, None)
        batches = self._equal_batches(sounds.clips)
        jobs = (delayed(self._run_vjp)([sounds.clips[i] for i in b], source, frame_length, names) for b in batches)
        runs = Parallel(n_jobs=self.n_jobs, prefer="threads")(jobs)
        responses: list[Any] = [None] * len(sounds.clips)
        for batch, (batch_responses, _) in zip(batches, runs):
            for i, response in zip(batch, batch_responses):
                responses[i] = response
        check_responses(self, responses, sounds.clips, range(len(responses)))
        pooled = featured and self.pooling is not None
        own_shapes = [response.shape for response in responses]
        frames = responses if pooled else None
        without_ears = [response if sounds.has_ears else response[0] for response in responses]
        value: Any
        if pooled:
            value = np.stack([pool(response, *self._pooling()) for response in without_ears])
        else:
            value = stack(without_ears) if sounds.is_array else without_ears

        def pullback(value_bar: Any) -> dict[str, Any]:
            if len(value_bar) != len(own_shapes) or any(np.shape(b) != np.shape(v) for b, v in zip(value_bar, value)):
                raise ValueError(
                    f"value_bar has shapes {[np.shape(b) for b in value_bar]} where value has "
                    f"{[np.shape(v) for v in value]}; pass one derivative for every entry of value."
                )
            bars = [np.asarray(bar) for bar in value_bar]
            if frames is not None:
                bars = [pool_adjoint(bar, signal, *self._pooling()) for bar, signal in zip(bars, frames)]
            bars = [bar.reshape(shape) for bar, shape in zip(bars, own_shapes)]
            jobs = (delayed(back)([bars[i] for i in batch]) for batch, (_, back) in zip(batches, runs))
            grads: dict[str, Any] = {}
            x_bars: list[Any] = [None] * len(bars)
            for batch, (clip_bars, parameter_bars) in zip(
                batches, Parallel(n_jobs=self.n_jobs, prefer="threads")(jobs)
            ):
                for i, clip_bar in zip(batch, clip_bars):
                    x_bars[i] = clip_bar
                for name, bar in parameter_bars.items():
                    grads[name] = grads[name] + bar if name in grads else bar
            return ({"X": self._shape_as_x(x_bars, sounds)} if "X" in names else {}) | grads

        return value, pullback

    def _shape_as_x(self, x_bars: list[np.ndarray], sounds: Sounds) -> Any:
        """Bars of the samples as they were given: their level, their axes."""
        scale = self._to_level(np.ones(1))[0]
        shaped = [bar if scale == 1 else bar * scale for bar in x_bars]
        if not sounds.has_ears:
            shaped = [bar[0] for bar in shaped]
        return stack(shaped) if sounds.is_array else shaped

    def _equal_batches(self, clips: list[np.ndarray]) -> list[list[int]]:
        """Indices of clips that run side by side: of one shape."""
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for i, clip in enumerate(clips):
            by_shape.setdefault(clip.shape, []).append(i)
        size = max(1, self._signals_at_once // clips[0].shape[0])
        return [group[i : i + size] for group in by_shape.values() for i in range(0, len(group), size)]

    def _differentiated(self, name: str) -> np.ndarray:
        """Value of a parameter, shaped as its bar."""
        return np.asarray(self._parameters()[name], dtype=float)

    # --- what a model implements ---

    @abstractmethod
    def _differentiable(self) -> tuple[str, ...]:
        """Parameters that have a derivative."""

    @abstractmethod
    def _run_vjp(
        self, clips: list[np.ndarray], output: str, frame_length: int | None, wrt: tuple[str, ...]
    ) -> tuple[list[np.ndarray], Callable[[list[np.ndarray]], tuple[list[np.ndarray], dict[str, np.ndarray]]]]:
        """Responses (n_ears, n_channels, n_frames) of clips of one shape, and their pullback.

        It takes the bars of the responses, and returns those of the clips, and of the parameters in wrt by name.
        """

    @abstractmethod
    def _run_complex(
        self, clips: list[np.ndarray], output: str, frame_length: int | None, parameters: dict[str, Any]
    ) -> list[np.ndarray]:
        """Responses in complex numbers, with some parameters replaced by complex ones: what tests the adjoint."""
