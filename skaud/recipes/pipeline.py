"""FeaturePipeline: scikit-learn's Pipeline from sound to features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from types import NoneType
from typing import Any, Self

import numpy as np
from joblib import Memory
from sklearn import config_context
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import Tags, _safe_indexing
from sklearn.utils.validation import _num_samples, check_is_fitted

from skaud._fitted import forget
from skaud._parameters import check_constraints
from skaud._types import Features, Rates, Signals, Targets
from skaud.estimator.base import AudioTransformer
from skaud.estimator.listening import hear
from skaud.estimator.results import as_container, choose_container, no_rows, take_value_bar
from skaud.estimator.vjp import check_wrt
from skaud.fitting.classification import Labels
from skaud.fitting.learn import Learn, as_learn
from skaud.fitting.movable import Gradients, Pullback, Value
from skaud.fitting.parameters import names_to_learn
from skaud.fitting.solvers import warn_unless_converged
from skaud.fitting.training import train
from skaud.frames.base import FrameTransformer
from skaud.kernels.array_api import Place, array_namespace, is_foreign, of_host, take
from skaud.kernels.batches import clip_of
from skaud.kernels.on_device import DeviceMemoryError, on_device, where_it_lies
from skaud.pooling.temporal import TemporalPooling
from skaud.recipes.gradients import differentiable, vjp_of
from skaud.recipes.movable_pipeline import MovablePipeline
from skaud.recipes.steps import (
    Step,
    check_rates,
    fit_through,
    go_through,
    is_there,
    parts_of,
    pools,
    steps_of,
)
from skaud.recipes.stream import go_on, start, up_to_pooling
from skaud.sound import check_rate
from skaud.sound.clips import as_list, is_empty_column, take_apart
from skaud.stages.stage import ChannelStage

SIGNALS_AT_ONCE = 16
SIGNALS_AT_ONCE_ON_DEVICE = 1024


@dataclass
class PipelineState:
    """Where a stream through a `FeaturePipeline` stands.

    Attributes
    ----------
    states : list
        State of every step up to pooling; of a union, a list of those of its branches.
    """

    states: list[Any]


class FeaturePipeline(Pipeline):
    """Scikit-learn's Pipeline, from sound to features: a model, and steps on its frames.

    What it adds: the frames of a few signals at a time are held, not of all; streams and gradients go through all
    steps; pooled features come in a data frame under their names. The steps behind the model learn nothing from the
    signals but their channels: steps on frames, the models' stages, `TemporalPooling`, and unions and pipelines of
    these; scalers and classifiers come behind the pipeline, ``make_pipeline(recipes.best(), StandardScaler(), ...)``,
    or in a scikit-learn Pipeline of the same steps.

    Parameters
    ----------
    steps : list of (str, estimator)
        The model first, with ``pooling=None`` where steps follow.
    learn : str, sequence of str, Learn, or None, default=None
        Parameters of steps for `fit` to learn from labels, through a softmax head on the features, by their names in
        the pipeline, ("carfac__velocity_scale", "log__floor"); a `Learn` of them says how. L-BFGS is the solver,
        unless it names another.
    signals_at_once : int or None, default=None
        Signals whose frames are held at a time; None for 16, and on a device, which computes them side by side, for
        1024, or as many as its memory holds.
    plain_sample_rate : float or None, default=None
        Rate in Hz of clips that do not know theirs, which the model resamples; None for the model's.
    transform_input, memory, verbose : object
        As in scikit-learn; steps are so cheap beside the model that none is cached.

    Attributes
    ----------
    named_steps : Bunch
        The steps by name; what was learned stands in attributes of theirs, ``named_steps.log.floor_``.
    n_iter_, loss_curve_, validation_scores_ : int, list of float, list of float
        Iterations of learning, where the pipeline learns; loss, with L-BFGS at the start and after each, with Adam in
        each; accuracy on what was held out, after each.

    Examples
    --------
    >>> from skaud import CARFAC, CepstralCoefficients, FeaturePipeline, LogCompression, TemporalPooling, datasets
    >>> X = datasets.make_tone([500, 1000], duration_s=0.1, sample_rate=22050)
    >>> steps = [("carfac", CARFAC(pooling=None)), ("log", LogCompression()), ("cepstra", CepstralCoefficients(2))]
    >>> features = FeaturePipeline([*steps, ("pooling", TemporalPooling({"mean": 2, "std": 1}))])
    >>> features.fit_transform(X).shape
    (2, 6)
    >>> features.get_feature_names_out()[0]
    'log_nap_31to9371hz_cepstrum0_mean_part1of2'
    """

    def __init__(
        self,
        steps: list[tuple[str, Step]],
        *,
        learn: str | Sequence[str] | Learn | None = None,
        signals_at_once: int | None = None,
        plain_sample_rate: float | None = None,
        transform_input: list[str] | None = None,
        memory: str | Memory | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(steps, transform_input=transform_input, memory=memory, verbose=verbose)
        self.learn = learn
        self.signals_at_once = signals_at_once
        self.plain_sample_rate = plain_sample_rate

    def __getitem__(self, ind: int | str | slice) -> Any:
        """A step, or a pipeline of some, that takes clips as this one does."""
        part = super().__getitem__(ind)
        if isinstance(part, FeaturePipeline) and isinstance(ind, slice):
            part.signals_at_once, part.plain_sample_rate = self.signals_at_once, self.plain_sample_rate
        return part

    @where_it_lies
    def fit(self, X: Signals, y: Targets = None, sample_rate: Rates = None) -> Self:
        """Fit the model on all signals, and the steps on the frames of the first; learn what `learn` names.

        Parameters
        ----------
        X : array or list of clips
            Sound, as the model takes it.
        y : array-like of shape (n_signals,), or list of arrays, default=None
            Labels of the clips, for a pipeline or a model that learns; without a pooling step, an array of labels of
            the frames of each.
        sample_rate : float or sequence of float, default=None
            Rate of the clips in Hz, as for the model.

        Returns
        -------
        FeaturePipeline
            The fitted pipeline.

        Raises
        ------
        ValueError, TypeError
            If a parameter, X or y is not what a step can work with, or there is no such parameter to learn.

        Warns
        -----
        ConvergenceWarning
            If learning reached `max_iter`.
        """
        forget(self)
        self._check_steps()
        forget(self._model)  # whether it was told rates in an earlier fit
        sample_rate = self._told(X, sample_rate)
        X, place = take(X)
        with config_context(transform_output="default"):
            model = self._model.fit(X, y, sample_rate=sample_rate)
            first = slice(0, 1)
            frames = model.transform(_some(X, first), sample_rate=_rates_of(sample_rate, first))
            if steps_of(self)[1:]:
                # What a step learns of its frames, their shape, need not lie on a device.
                frames = np.asarray(frames) if place.on_host else np.zeros((1, *clip_of(frames, 0).shape), model.dtype)
            for step in steps_of(self)[1:]:
                frames = fit_through(step, frames)
            check_rates(Pipeline(self.steps[1:]), model.frame_rate_hz_)
        if self.learn is not None:
            self._learn(X, y, sample_rate, a_frame=isinstance(frames, list) or np.ndim(frames) > 2)
        return self

    def fit_transform(self, X: Signals, y: Targets = None, sample_rate: Rates = None) -> Features:
        """Fit, then transform the same signals.

        Parameters
        ----------
        X : array or list of clips
            As for `fit`.
        y : array-like of shape (n_signals,), default=None
            As for `fit`.
        sample_rate : float or sequence of float, default=None
            As for `fit`.

        Returns
        -------
        ndarray, list of ndarray, or data frame
            As `transform` returns it.
        """
        return self.fit(X, y, sample_rate=sample_rate).transform(X, sample_rate=sample_rate)

    @where_it_lies
    def transform(self, X: Signals, sample_rate: Rates = None) -> Features:
        """Compute features.

        Parameters
        ----------
        X : array or list of clips
            Sound, as the model takes it.
        sample_rate : float or sequence of float, default=None
            Rate of the clips in Hz, as for the model.

        Returns
        -------
        ndarray of shape (n_signals, n_features), or data frame
            With a pooling step; see `get_feature_names_out`. Of a column without rows, no rows.
        ndarray or list of ndarray
            Frames, without one.
        """
        check_is_fitted(self)
        if is_empty_column(X):
            return no_rows(self, X, self.steps[0][1].dtype)
        sample_rate = self._told(X, sample_rate)
        X, place = take(X)
        with config_context(transform_output="default"):
            done = self._in_batches(X, sample_rate, place)
        if isinstance(done[0], list):
            return place.give([frames for own in done for frames in own])
        joined = array_namespace(done[0]).concat(done)
        if joined.ndim > 2:
            return place.give(joined)
        index = X.index if hasattr(X, "iloc") else None  # lists have a method of that name
        return as_container(self, joined, index, place)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose what pooled features come in.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Container of `transform`; None leaves it as it is.

        Returns
        -------
        FeaturePipeline
            The pipeline itself.
        """
        choose_container(self, transform)
        return self

    @where_it_lies
    def vjp(self, X: Signals, wrt: str | Sequence[str] | None = None) -> tuple[Features, Pullback]:
        """Features, and the function that takes derivatives back through all steps.

        Parameters
        ----------
        X : array or list of clips
            Sound at the model's sample rate. The frames of all signals are held.
        wrt : str or sequence of str, default=None
            "X" and names of parameters, such as "carfac__ohc_health"; None stands for all that have a derivative.

        Returns
        -------
        value : ndarray
            As `transform` returns it, never as a data frame.
        pullback : callable
            Takes ``value_bar``, shaped as value, and returns a dict: "X", shaped as X, and the parameters in wrt.

        Raises
        ------
        ValueError
            If there is no derivative with respect to a name in wrt, or value_bar is not shaped as value.
        """
        check_is_fitted(self)
        names = check_wrt(self, wrt, differentiable(self))
        if self._told(X, None) not in (None, self.sample_rate):
            raise ValueError(
                f"X are plain samples at {self.plain_sample_rate:g} Hz, and derivatives are those by samples at the "
                f"model's rate, {self.sample_rate:g} Hz; resample them, and pass them as skaud.Sound."
            )
        X, place = take(X)
        with config_context(transform_output="default"):
            value, pull = vjp_of(self, X, names)

        def pullback(value_bar: Features) -> Gradients:
            bar = take_value_bar(value_bar, value, place)
            with on_device(place, type(self).__name__, len(bar) if isinstance(bar, list) else bar.shape[0]):
                x_bar, bars = pull(bar)
            return {name: place.give(x_bar) if name == "X" else bars[name] for name in names}

        return place.give(value), pullback

    def initial_state(self, n_signals: int = 1) -> PipelineState:
        """State of a stream before its first sample; its ears are those of fit.

        Parameters
        ----------
        n_signals : int, default=1
            Signals that the stream carries side by side.

        Returns
        -------
        PipelineState
            For `transform_chunk`.

        Raises
        ------
        ValueError
            If plain samples are at another rate than the model's, at which the chunks of a stream are.
        """
        check_is_fitted(self)
        if self.plain_sample_rate not in (None, self.sample_rate):
            raise ValueError(
                f"plain_sample_rate={self.plain_sample_rate:g} is not the model's rate, {self.sample_rate:g} Hz, at "
                "which a stream takes its chunks; resample them as they come, and set plain_sample_rate=None."
            )
        model = self._model
        first = model.initial_state(n_signals, n_ears=model.n_ears_in_)
        rest = [start(step, n_signals, model.n_ears_in_) for step in up_to_pooling(steps_of(self)[1:])]
        return PipelineState([first, *rest])

    @where_it_lies
    def transform_chunk(self, X: np.ndarray, state: PipelineState) -> tuple[Features, PipelineState]:
        """Go on with a stream: the frames that a pooling step would take.

        Parameters
        ----------
        X : ndarray of shape (n_signals, [n_ears,] n_samples)
            Next samples, at the model's sample rate.
        state : PipelineState
            From `initial_state` or the chunk before; it is not changed.

        Returns
        -------
        Y : ndarray of shape (n_signals, ..., n_frames), or list of them
            Frames; of a union whose branches pool, a list of theirs, which may wait for different times.
        state : PipelineState
            For the next chunk.
        """
        frames, place = take(X)
        states = []
        for step, own in zip((self._model, *up_to_pooling(steps_of(self)[1:])), state.states):
            frames, own = go_on(step, frames, own)
            states.append(own)
        return place.give(frames), PipelineState(states)

    @property
    def sample_rate(self) -> float:
        """Rate of the model in Hz."""
        return self._model.sample_rate

    # --- machinery ---

    def _check_steps(self) -> None:
        at_once = self.signals_at_once
        if isinstance(at_once, bool) or not isinstance(at_once, (Integral, NoneType)):
            raise ValueError(f"signals_at_once={at_once!r} must be an integer of at least 1, or None.")
        if at_once is not None and at_once < 1:
            raise ValueError(f"signals_at_once={at_once} must be at least 1, or None.")
        if self.plain_sample_rate is not None:
            check_rate("plain_sample_rate", self.plain_sample_rate)
        if not isinstance(self.steps, (list, tuple)) or not self.steps:
            raise ValueError(f"steps={self.steps!r:.80} must be a list of (name, step), the model first.")
        self._validate_names([name for name, _ in self.steps])
        if not isinstance(self._model, AudioTransformer):
            raise ValueError(
                f"step {self.steps[0][0]!r} is {self._model!r:.80}, and the first takes sound; put a model there, such "
                "as CARFAC(pooling=None), and what works on sound before the pipeline."
            )
        if steps_of(self)[1:] and getattr(self._model, "pooling", None) is not None:
            raise ValueError(
                f"step {self.steps[0][0]!r} pools its frames, pooling={self._model.pooling!r}, and steps follow that "
                f"take frames; set {self.steps[0][0]}__pooling=None."
            )
        for name, step in self.steps[1:]:
            if (other := _other_than_steps(step)) is not None:
                raise ValueError(
                    f"step {name!r} has {other!r}, which is no step on frames; put it behind the pipeline: "
                    "make_pipeline(features, it)."
                )
        _refuse_behind_pooling(self)

    @property
    def _model(self) -> AudioTransformer:
        """The first step."""
        model: AudioTransformer = self.steps[0][1]
        return model

    def _told(self, X: Signals, sample_rate: Rates) -> Rates:
        """Rates that the model is told: where nobody tells any, that of plain samples."""
        is_models = self.plain_sample_rate in (None, self.sample_rate)
        if sample_rate is not None or (is_models and not getattr(self._model, "rates_told_", False)):
            return sample_rate
        clips, _ = as_list(X)
        if clips and take_apart(clips[0], "X[0]").sample_rate is not None:
            return None
        return self.plain_sample_rate

    def _learn(self, X: Signals, y: Targets, sample_rate: Rates, *, a_frame: bool) -> None:
        """Train the parameters that `learn` names through a softmax head."""
        how = as_learn(self.learn)
        check_constraints(how)
        sounds = hear(self._model, X, sample_rate)
        movable = MovablePipeline(self, sounds)
        names = () if how.names is None else names_to_learn(movable, how.names, movable.known())
        if not names:
            return
        labels = Labels(of_host(y, "y"), len(sounds.rates), a_frame=a_frame)

        def tell(loss: float, found: Callable[[], dict[str, Value]], more: str) -> bool:
            if how.verbose:
                print(f"{movable.name}: loss {loss:.6g}{more}")
            return False

        trained = train(movable, names, how, how.solver or "lbfgs", labels, tell)
        movable.settle(trained.found)
        movable.measure()
        self.n_iter_, self.loss_curve_ = max(trained.solution.n_iter, 1), trained.solution.loss_curve
        if trained.scores is not None:
            self.validation_scores_ = trained.scores
        warn_unless_converged(movable.name, trained.solution)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        names = self.learn.names if isinstance(self.learn, Learn) else self.learn
        tags.array_api_support = True
        tags.target_tags.required = tags.target_tags.required or names is not None
        return tags

    def _in_batches(self, X: Signals, sample_rate: Rates, place: Place) -> list[Features]:
        """Output for all signals, some at a time; on a device half as many where memory does not hold them."""
        n_signals = len(X) if isinstance(X, list) else _num_samples(X)
        if not n_signals:
            raise ValueError("X has no clips, an empty list or array; pass at least one clip.")
        at_once = self.signals_at_once or (SIGNALS_AT_ONCE if place.on_host else SIGNALS_AT_ONCE_ON_DEVICE)
        done, begin = [], 0
        while begin < n_signals:
            some = slice(begin, min(begin + at_once, n_signals))
            try:
                frames = self._model.transform(_some(X, some), sample_rate=_rates_of(sample_rate, some))
                for step in steps_of(self)[1:]:
                    frames = go_through(step, frames)
            except DeviceMemoryError:
                if self.signals_at_once is not None or at_once == 1:
                    raise
                at_once = max(1, min(at_once, some.stop - begin) // 2)
                continue
            done.append(frames)
            begin = some.stop
        return done


def _some(X: Signals, some: slice) -> Signals:
    """Some of the clips of X; of a list without asking for pandas, which takes 0.4 s and 50 MB to load."""
    if isinstance(X, list):
        return X[some]
    return X[some, ...] if is_foreign(X) else _safe_indexing(X, some)


def _rates_of(sample_rate: Rates, some: slice) -> Rates:
    rates = of_host(sample_rate, "sample_rate")
    return rates if rates is None or np.ndim(rates) == 0 else np.asarray(rates)[some]


def _other_than_steps(step: Step) -> Step:
    """What of a step, or within it, learns from signals, or None."""
    if isinstance(step, (Pipeline, FeatureUnion)):
        return next((other for other in map(_other_than_steps, parts_of(step)) if other is not None), None)
    known = isinstance(step, (FrameTransformer, ChannelStage, TemporalPooling)) or not is_there(step)
    return None if known else step


def _refuse_behind_pooling(step: Step) -> None:
    """Refuse steps on frames where none are left."""
    parts = parts_of(step)
    for own, behind in pairwise(parts if isinstance(step, Pipeline) else []):
        if pools(own):
            raise ValueError(
                f"{behind!r} stands behind {own!r}, which leaves rows of features and no frames; put it before, or "
                "behind the pipeline: make_pipeline(features, it)."
            )
    for own in parts:
        _refuse_behind_pooling(own)
