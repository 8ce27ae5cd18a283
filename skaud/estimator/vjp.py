"""Vector-Jacobian products of models: the adjoint of transform and simulate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs

from skaud._fitted import as_designed
from skaud._types import Features, Signals
from skaud.engines.engine import frame_of
from skaud.estimator.computing import Computing
from skaud.estimator.results import check_gradients, check_responses, check_rows, check_value_bar, stack
from skaud.estimator.sounds import Sounds
from skaud.fitting.movable import Gradients, Pullback
from skaud.kernels.array_api import take
from skaud.pooling.adjoint import pool_adjoint
from skaud.pooling.arrays import pool
from skaud.sound.refused import refuse_masked

# From the bars of the responses of a batch to those of its clips, and of the coefficients for every group of them.
Batch = Callable[[list[np.ndarray]], tuple[list[np.ndarray], list[tuple[np.ndarray, ...]]]]


def check_wrt(estimator: object, wrt: str | Sequence[str] | None, differentiable: tuple[str, ...]) -> tuple[str, ...]:
    """Names of what to differentiate with respect to, "X" and parameters that have a derivative."""
    names = ("X", *differentiable) if wrt is None else (wrt,) if isinstance(wrt, str) else tuple(wrt)
    for name in names:
        if name != "X" and name not in differentiable:
            raise ValueError(
                f"wrt has {name!r}; with these parameters {type(estimator).__name__} has derivatives with respect to "
                f"'X' and {differentiable}, choose among them."
            )
    return names


class Differentiable(Computing):
    """What takes derivatives back through a model."""

    @as_designed
    def vjp(
        self, X: Signals, wrt: str | Sequence[str] | None = None, output: str = "features"
    ) -> tuple[Features, Pullback]:
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

        def pullback_of_library(value_bar: Features) -> Gradients:
            grads = pullback(take(value_bar, "value_bar")[0])
            return grads | {name: place.give(grads[name]) for name in ("X",) if name in grads}

        return place.give(value), pullback_of_library

    def vjp_of_sounds(
        self, sounds: Sounds, names: tuple[str, ...], output: str = "features"
    ) -> tuple[Features, Pullback]:
        """`vjp` of sounds that are checked: at the model's rate and level, in its dtype."""
        if not sounds.place.on_host:
            return self._vjp_on_device(sounds, names, output)
        source, frame_samples = (self.output, self.frame_samples()) if output == "features" else (output, None)
        pooled = output == "features" and self.pooling is not None
        batches = self._equal_batches(sounds.clips)
        self._spread(len(batches))

        def record(batch: list[int]) -> tuple[list[np.ndarray], Batch]:
            return self._record([sounds.clips[i] for i in batch], source, frame_samples, names, pooled=pooled)

        n_jobs = min(effective_n_jobs(self.n_jobs), len(batches))
        runs = Parallel(n_jobs=n_jobs, prefer="threads")(delayed(record)(batch) for batch in batches)
        responses: list[np.ndarray] = [np.empty(0)] * len(sounds.clips)
        for batch, (batch_responses, _) in zip(batches, runs):
            for i, response in zip(batch, batch_responses):
                responses[i] = response
        (check_rows if pooled else check_responses)(self, responses, sounds.clips, range(len(responses)))
        own_shapes = [response.shape for response in responses]
        whole = responses if pooled or sounds.has_ears else [response[0] for response in responses]
        value: Features = stack(whole) if pooled or sounds.is_array else whole

        def pullback(value_bar: Features) -> Gradients:
            check_value_bar(value_bar, value)
            refuse_masked(value_bar, "value_bar")
            bars = [np.asarray(bar) for bar in value_bar]
            if any(np.iscomplexobj(bar) and not np.iscomplexobj(v) for bar, v in zip(bars, value)):
                raise ValueError(f"value_bar is {bars[0].dtype} for a real value; pass its real part.")
            bars = [bar.reshape(shape) for bar, shape in zip(bars, own_shapes)]
            jobs = (delayed(back)([bars[i] for i in batch]) for batch, (_, back) in zip(batches, runs))
            x_bars: list[np.ndarray] = [np.empty(0)] * len(bars)
            # In the order of the signals, however they were divided among threads: the sums are the same to the bit.
            groups = []
            for batch, (clip_bars, of_coefficients) in zip(batches, Parallel(n_jobs=n_jobs, prefer="threads")(jobs)):
                for i, clip_bar in zip(batch, clip_bars):
                    x_bars[i] = clip_bar
                groups += of_coefficients
            with np.errstate(over="ignore", invalid="ignore"):  # told below
                try:
                    total = tuple(np.sum(arrays, axis=0) for arrays in zip(*groups))
                    grads = {name: self.parameter_bar(name, total) for name in names if name != "X"}
                except ArithmeticError:  # of a number of Python's
                    grads = {name: np.array(np.nan) for name in names}
                grads = ({"X": self._shape_as_x(x_bars, sounds)} if "X" in names else {}) | grads
            check_gradients(self, grads, bars)
            return grads

        return value, pullback

    def _shape_as_x(self, x_bars: list[np.ndarray], sounds: Sounds) -> Features:
        """Bars of the samples as they were given: their level, their axes."""
        gains = [np.dtype(self.dtype).type(self.gain(scale)) for scale in sounds.scales]
        shaped = [bar if gain == 1 else bar * gain for bar, gain in zip(x_bars, gains)]
        if not sounds.has_ears:
            shaped = [bar[0] for bar in shaped]
        return stack(shaped) if sounds.is_array else shaped

    def _record(
        self, clips: list[np.ndarray], output: str, frame_samples: int | None, wrt: tuple[str, ...], *, pooled: bool
    ) -> tuple[list[np.ndarray], Batch]:
        """Responses to clips of one shape, or rows of their features, and their pullback.

        It takes the bars of the responses, and returns those of the clips, and, for every group of them, those of the
        coefficients.
        """
        engine, wanted, x = self.engine_, self._wanted(wrt), np.stack(self.as_engine_takes(clips))
        response, tapes = engine.record_in_groups(x, output, frame_of(x.shape[-1], frame_samples))

        def pullback(bars: list[np.ndarray]) -> tuple[list[np.ndarray], list[tuple[np.ndarray, ...]]]:
            if pooled:
                bars = [pool_adjoint(bar, own, *self._pooling()) for bar, own in zip(bars, response)]
            together = stack(bars)
            groups = [engine.pull_back(tape, together[own], wanted) for own, tape in tapes]
            x_bars = [own for x_bar, _ in groups for own in x_bar]
            return [own.reshape(clip.shape) for own, clip in zip(x_bars, clips)], [bars for _, bars in groups]

        return [pool(own, *self._pooling()) for own in response] if pooled else list(response), pullback

    def _equal_batches(self, clips: list[np.ndarray]) -> list[list[int]]:
        """Indices of clips that run side by side: of one shape."""
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for i, clip in enumerate(clips):
            by_shape.setdefault(clip.shape, []).append(i)
        batches, side_by_side = [], self.engine_.signals_at_once
        for group in by_shape.values():
            size = at_once = max(1, side_by_side // clips[0].shape[0])
            if side_by_side > 1:  # as many as a job can have: their responses then lie together
                size = at_once * ceil(len(group) / (at_once * effective_n_jobs(self.n_jobs)))
            batches += [group[i : i + size] for i in range(0, len(group), size)]
        return batches
