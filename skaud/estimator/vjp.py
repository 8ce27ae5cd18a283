"""Vector-Jacobian products of models: the adjoint of transform and simulate."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.base import clone

from skaud._fitted import as_designed
from skaud.engines.device import no_kernel
from skaud.estimator.base import AudioTransformer
from skaud.estimator.movable import MovableModel
from skaud.estimator.results import check_gradients, check_responses, check_rows, check_value_bar, stack
from skaud.estimator.sounds import Sounds
from skaud.fitting.movable import Pullback, Value
from skaud.kernels.array_api import take
from skaud.pooling.adjoint import pool_adjoint
from skaud.pooling.statistics import pool
from skaud.sound.refused import refuse_masked


def check_wrt(estimator: Any, wrt: str | Sequence[str] | None, differentiable: tuple[str, ...]) -> tuple[str, ...]:
    """Names of what to differentiate with respect to, "X" and parameters that have a derivative."""
    names = ("X", *differentiable) if wrt is None else (wrt,) if isinstance(wrt, str) else tuple(wrt)
    for name in names:
        if name != "X" and name not in differentiable:
            raise ValueError(
                f"wrt has {name!r}; with these parameters {type(estimator).__name__} has derivatives with respect to "
                f"'X' and {differentiable}, choose among them."
            )
    return names


class DifferentiableTransformer(AudioTransformer):
    """Base of the models that have an adjoint; they implement what stands at the end."""

    @as_designed
    def vjp(self, X: Any, wrt: str | Sequence[str] | None = None, output: str = "features") -> tuple[Any, Pullback]:
        """Response, and the function that takes derivatives back through it.

        Where an objective depends on the response by ``value_bar``, it depends on the samples and the parameters by
        what ``pullback(value_bar)`` returns, exactly: the model is run backwards. The derivative of a half-wave
        rectifier at 0 is 0, and so is that of a power with an exponent below 1. For complex values, a derivative is
        that by the real part plus i times that by the imaginary part.

        Parameters
        ----------
        X : array of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples), or list of clips
            Sound at the model's sample rate, of any length; resample other sound first, with `skaud.audio.resample`.
        wrt : str or sequence of str, default=None
            What to differentiate with respect to: "X" and names of parameters; None stands for "X" and every parameter
            that has a derivative.
        output : str, default="features"
            What `transform` returns, or a name that `simulate` knows, at full rate.

        Returns
        -------
        value : ndarray or list of ndarray
            As `transform` (never as a data frame) or `simulate` returns it.
        pullback : callable
            Takes ``value_bar``, shaped as value, and returns a dict: "X", shaped as X, and every parameter in wrt,
            shaped as it was given to the model; an entry a channel or filter where a callable was given, or None, and
            always for `compression`.

        Raises
        ------
        ValueError
            If the model has no such output, or no derivative with respect to a name in wrt; from pullback, if a
            derivative is not finite.

        Examples
        --------
        >>> from skaud import CARFAC, datasets
        >>> X = datasets.make_tone([250, 1000], duration_s=0.05, sample_rate=22050)
        >>> model = CARFAC(pooling="mean", dtype="float64").fit(X)
        >>> value, pullback = model.vjp(X, wrt=["X", "ohc_health"])
        >>> grads = pullback(value)  # of the objective sum(value ** 2) / 2
        >>> grads["X"][0].shape, grads["ohc_health"].shape
        ((1102,), ())
        """
        names = check_wrt(self, wrt, self.differentiable())
        if output != "features":
            self.check_outputs((output,))
        sounds = self.hear(X, at_model_rate=True)
        value, pullback = self.vjp_of_sounds(sounds, names, output)
        place = sounds.place
        if place.like is None or not place.on_host:
            return value, pullback

        def pullback_of_library(value_bar: Any) -> dict[str, Any]:
            grads = pullback(take(value_bar, "value_bar")[0])
            return grads | {name: place.give(grads[name]) for name in ("X",) if name in grads}

        return place.give(value), pullback_of_library

    def movable(self, X: Any, sample_rate: Any = None, *, fixed: Mapping[str, Value] | None = None) -> MovableModel:
        """Give a fitted clone whose parameters a fit can move, with X for it to hear.

        What the model's own fit would learn from labels it does not learn; what it finds without, as in an audiogram,
        it finds. It serves `skaud.fitting.fit_response`.

        Parameters
        ----------
        X : array of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples), or list of clips
            Sound.
        sample_rate : float or sequence of float, default=None
            Rate of the clips in Hz, as for `fit`.
        fixed : dict, default=None
            Values that another clone found without labels; they are not found again.

        Returns
        -------
        MovableModel
            Its attribute `model` is the clone.
        """
        model = clone(self)
        AudioTransformer.fit(model, X, sample_rate=sample_rate)
        if fixed is None:
            model.find()
        else:
            model.redesign(fixed)
        return MovableModel(model, model.hear(X, sample_rate))

    def vjp_of_sounds(self, sounds: Sounds, names: tuple[str, ...], output: str = "features") -> tuple[Any, Pullback]:
        """`vjp` of sounds that are checked: at the model's rate and level, in its dtype."""
        if not sounds.place.on_host:
            return self._vjp_on_device(sounds, names, output)
        source, frame_samples = (self.output, self.frame_samples()) if output == "features" else (output, None)
        pooled = output == "features" and self.pooling is not None
        batches = self._equal_batches(sounds.clips)
        run = self._pooled_vjp_runner(len(batches)) if pooled else self._vjp_runner(len(batches))
        n_jobs = min(effective_n_jobs(self.n_jobs), len(batches))
        jobs = (delayed(run)([sounds.clips[i] for i in b], source, frame_samples, names) for b in batches)
        runs = Parallel(n_jobs=n_jobs, prefer="threads")(jobs)
        responses: list[Any] = [None] * len(sounds.clips)
        for batch, (batch_responses, _) in zip(batches, runs):
            for i, response in zip(batch, batch_responses):
                responses[i] = response
        (check_rows if pooled else check_responses)(self, responses, sounds.clips, range(len(responses)))
        own_shapes = [response.shape for response in responses]
        whole = responses if pooled or sounds.has_ears else [response[0] for response in responses]
        value: Any = stack(whole) if pooled or sounds.is_array else whole

        def pullback(value_bar: Any) -> dict[str, Any]:
            check_value_bar(value_bar, value)
            refuse_masked(value_bar, "value_bar")
            bars = [np.asarray(bar) for bar in value_bar]
            if any(np.iscomplexobj(bar) and not np.iscomplexobj(v) for bar, v in zip(bars, value)):
                raise ValueError(f"value_bar is {bars[0].dtype} for a real value; pass its real part.")
            bars = [bar.reshape(shape) for bar, shape in zip(bars, own_shapes)]
            jobs = (delayed(back)([bars[i] for i in batch]) for batch, (_, back) in zip(batches, runs))
            x_bars: list[Any] = [None] * len(bars)
            parameter_bars = []
            for batch, (clip_bars, of_parameters) in zip(batches, Parallel(n_jobs=n_jobs, prefer="threads")(jobs)):
                for i, clip_bar in zip(batch, clip_bars):
                    x_bars[i] = clip_bar
                parameter_bars.append(of_parameters)
            with np.errstate(over="ignore", invalid="ignore"):  # told below
                try:
                    grads = self._sum_parameter_bars(parameter_bars, names)
                except ArithmeticError:  # of a number of Python's
                    grads = {name: np.array(np.nan) for name in names}
                grads = ({"X": self._shape_as_x(x_bars, sounds)} if "X" in names else {}) | grads
            check_gradients(self, grads, bars)
            return grads

        return value, pullback

    def _shape_as_x(self, x_bars: list[np.ndarray], sounds: Sounds) -> Any:
        """Bars of the samples as they were given: their level, their axes."""
        gains = [np.dtype(self.dtype).type(self.gain(scale)) for scale in sounds.scales]
        shaped = [bar if gain == 1 else bar * gain for bar, gain in zip(x_bars, gains)]
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

    def value_of(self, name: str) -> np.ndarray:
        """Value of a parameter, shaped as its bar."""
        return np.asarray(self._parameters()[name], dtype=float)

    # --- what a model may do in its own way ---

    def _sum_parameter_bars(self, bars: list[Any], names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Bars of the parameters from what the pullbacks of the batches, in order, returned for them."""
        return {name: sum(own[name] for own in bars) for name in names if name != "X"}

    def _vjp_on_device(self, sounds: Sounds, names: tuple[str, ...], output: str) -> tuple[Any, Pullback]:
        """`vjp` of sounds where they lie, at their level."""
        raise no_kernel(self, sounds.place)

    def _vjp_runner(self, n_batches: int) -> Callable:
        """`_run_vjp`, told how many run at once."""
        return self._run_vjp

    def _pooled_vjp_runner(self, n_batches: int) -> Callable:
        """`_vjp_runner` of pooled features: a row of them, (n_features,), for each response."""
        run = self._vjp_runner(n_batches)

        def run_and_pool(*arguments: Any) -> tuple[list[np.ndarray], Callable]:
            responses, back = run(*arguments)
            pooling = self._pooling()

            def pullback(row_bars: list[np.ndarray]) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
                return back([pool_adjoint(bar, response, *pooling) for bar, response in zip(row_bars, responses)])

            return [pool(response, *pooling) for response in responses], pullback

        return run_and_pool

    def bounds(self) -> dict[str, tuple[Any, Any]]:
        """Lowest and highest value that learning may give a parameter; numbers, or arrays as `value_of`."""
        return {}

    def unlearnable(self) -> dict[str, str]:
        """Parameters that no fit may learn though they have a derivative, and why."""
        return {}

    def _learnable_names(self) -> tuple[str, ...]:
        """Parameters that a fit may learn."""
        return tuple(name for name in self.differentiable() if name not in self.unlearnable())

    def joint_bounds(self, names: tuple[str, ...]) -> dict[str, tuple[Any, Any]]:
        """Bounds within which these parameters may move at the same time."""
        return self.bounds()

    def find(self, progress: Any = None) -> None:
        """Find parameters that need no labels, once the model is designed as given."""

    def measure(self) -> None:
        """Measure what is known of the model, once parameters of it were learned."""

    # --- what a model implements ---

    @abstractmethod
    def differentiable(self) -> tuple[str, ...]:
        """Parameters that have a derivative."""

    @abstractmethod
    def _run_vjp(
        self, clips: list[np.ndarray], output: str, frame_samples: int | None, wrt: tuple[str, ...]
    ) -> tuple[list[np.ndarray], Callable[[list[np.ndarray]], tuple[list[np.ndarray], Any]]]:
        """Responses (n_ears, n_channels, n_frames) of clips of one shape, and their pullback.

        It takes the bars of the responses, and returns those of the clips, and of the parameters in wrt by name, or
        whatever `_sum_parameter_bars` takes.
        """

    @abstractmethod
    def _derivatives(
        self,
        clips: list[np.ndarray],
        steps: list[np.ndarray],
        parameter_steps: dict[str, np.ndarray],
        output: str,
        frame_samples: int | None,
    ) -> list[np.ndarray]:
        """Derivatives of the responses in the direction of the steps, computed forwards: what tests the adjoint."""
