"""Learning: parameters of a model, trained on labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

from numpy.typing import ArrayLike
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags
from sklearn.utils.validation import _num_samples

from skaud._fitted import unfitted_on_failure
from skaud._parameters import check_constraints, with_plain_numbers
from skaud._types import Features, Rates, Signals, Targets
from skaud._warnings import each_once
from skaud.estimator.base import AudioTransformer
from skaud.estimator.callbacks import CallbackSupportMixin, FitProgress, with_callbacks
from skaud.estimator.listening import hear
from skaud.estimator.movable_model import MovableModel
from skaud.estimator.sounds import Sounds
from skaud.fitting.classification import Labels, check_weights
from skaud.fitting.learn import Learn, as_learn
from skaud.fitting.movable import Value
from skaud.fitting.parameters import names_to_learn
from skaud.fitting.solvers import warn_unless_converged
from skaud.fitting.training import train
from skaud.kernels.array_api import of_host, take
from skaud.kernels.on_device import where_it_lies


class LearningTransformer(CallbackSupportMixin, AudioTransformer):
    """Base of the models whose parameters `fit` can learn from labels."""

    learn: str | Sequence[str] | Learn | None
    loss_curve_: Sequence[float]

    default_solver = "lbfgs"  # where `learn` names none

    _parameter_constraints: dict = {"learn": [str, "array-like", Learn, None]}

    @where_it_lies
    @with_callbacks
    @with_plain_numbers
    def fit(
        self, X: Signals = None, y: Targets = None, sample_rate: Rates = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Design the model from its parameters, and learn those that `learn` names.

        Parameters
        ----------
        X : array of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples), or list of clips, default=None
            Sound; the clips of a list, ``(n_samples,)`` or ``(n_ears, n_samples)``, may differ in length. It is
            validated. None, where nothing is learned, designs the model for sound of any length and with any ears.
        y : array-like of shape (n_signals,), or list of arrays, default=None
            Labels of the clips, which `learn` needs; without, they are ignored. With ``pooling=None``, an array of
            ``n_frames`` labels for each clip, or a label that all its frames bear.
        sample_rate : float or sequence of float, default=None
            Rate of the clips in Hz, one for all or one a clip; None stands for the parameter `sample_rate`.
        sample_weight : array-like of shape (n_signals,), default=None
            How much each clip counts in what is learned, as if it were there so often; None stands for 1. Where
            nothing is learned it is without effect.

        Returns
        -------
        LearningTransformer
            The fitted model.

        Raises
        ------
        ValueError, TypeError
            If a parameter, X or y is not what the model can work with; the message says what to change. The model is
            then not fitted, even if it was before.

        Warns
        -----
        ConvergenceWarning
            If learning reached `max_iter`.
        """
        with unfitted_on_failure(self), each_once():
            (X, place), y = take(X), of_host(y, "y")
            sample_weight = of_host(sample_weight, "sample_weight")
            verbose = self.how_to_learn().verbose
            progress = FitProgress(self, X, y, verbose=verbose, max_iter=self.most_iterations())
            super().fit(X, y, sample_rate)
            self.n_iter_ = 1  # a model that learns nothing is designed once
            learns = len(self.learned_names()) > 0
            if learns and X is None:
                raise ValueError(f"learn={self.learn!r} requires X and y to be passed, and X is None; pass clips.")
            weights = (
                None if sample_weight is None else check_weights(sample_weight, 0 if X is None else _num_samples(X))
            )
            if learns:  # what is wrong with X and y is said before anything is found
                sounds = hear(self, X, sample_rate)
                labels = Labels(y, len(sounds.rates), a_frame=self.pooling is None, weights=weights)
            self.find(place, progress)
            if learns:
                self.learn_from(sounds, labels, progress)
                self.measure()
        progress.close()
        return self

    def fit_transform(
        self, X: Signals, y: Targets = None, sample_rate: Rates = None, sample_weight: ArrayLike | None = None
    ) -> Features:
        """Fit, then transform the same signals.

        Parameters
        ----------
        X : array or list of clips
            As for `fit`.
        y : array-like of shape (n_signals,), or list of arrays, default=None
            As for `fit`.
        sample_rate : float or sequence of float, default=None
            As for `fit`.
        sample_weight : array-like of shape (n_signals,), default=None
            As for `fit`.

        Returns
        -------
        ndarray, list of ndarray, or data frame
            As `transform` returns it.
        """
        with each_once():
            fitted = self.fit(X, y, sample_rate=sample_rate, sample_weight=sample_weight)
            return fitted.transform(X, sample_rate=sample_rate)

    def how_to_learn(self) -> Learn:
        """What `learn` asks for, with the defaults where it names parameters alone."""
        return as_learn(self.learn)

    def check_parameters(self) -> None:
        super().check_parameters()
        check_constraints(self.how_to_learn())

    def most_iterations(self) -> int | None:
        """Iterations that fit may take, 0 if it only designs; None where their number is not known."""
        how = self.how_to_learn()
        return 0 if how.names is None else how.max_iter

    def learn_from(self, sounds: Sounds, labels: Labels, progress: FitProgress) -> None:
        """Train the parameters that `learn` names through a softmax head."""
        model, how = MovableModel(self, sounds), self.how_to_learn()

        def tell(loss: float, found: Callable[[], dict[str, Value]], more: str) -> bool:
            return progress.iteration(loss, lambda: model.settle(found()), more)

        trained = train(model, self.learned_names(), how, how.solver or self.default_solver, labels, tell)
        model.settle(trained.found)
        self.n_iter_, self.loss_curve_ = max(trained.solution.n_iter, 1), trained.solution.loss_curve
        if trained.scores is not None:
            self.validation_scores_ = trained.scores
        warn_unless_converged(model.name, trained.solution)

    def designed_for(self, X: Signals) -> Self:
        if self.how_to_learn().names is not None:
            raise NotFittedError(
                f"{type(self).__name__} has learn={self.learn!r} and is not fitted: what it learns is not known yet. "
                "Call fit(X, y) first, or set learn=None for the parameters as they are given."
            )
        return super().designed_for(X)

    def learnable_names(self) -> tuple[str, ...]:
        """Parameters that fit may learn: those that the output depends on."""
        return MovableModel(self).known()

    def learned_names(self) -> tuple[str, ...]:
        """Parameters that `learn` names; an error if the output does not depend on one of them."""
        names = self.how_to_learn().names
        return () if names is None else names_to_learn(MovableModel(self), names, self.learnable_names())

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.how_to_learn().names is not None
        return tags
