"""Learning: parameters of a model, trained on labels."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import train_test_split
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import _num_samples

from skaud._fitted import unfitted_on_failure
from skaud._warnings import each_once
from skaud.estimator.callbacks import CallbackSupportMixin, FitProgress, with_callbacks
from skaud.estimator.sounds import Sounds
from skaud.estimator.vjp import DifferentiableTransformer
from skaud.fitting.classification import Labels, SoftmaxObjective, check_weights
from skaud.fitting.learn import Learn
from skaud.fitting.parameters import BoundedParameters, names_to_learn
from skaud.fitting.solvers import Solution, minimize_adam, minimize_lbfgs, warn_unless_converged


class LearningTransformer(CallbackSupportMixin, DifferentiableTransformer):
    """Base of the models whose parameters `fit` can learn from labels."""

    learn: str | Sequence[str] | Learn | None
    loss_curve_: Any

    # Words for several parameters at once.
    _learn_sets: dict[str, tuple[str, ...]] = {}
    _solver = "lbfgs"  # where `learn` names none

    _parameter_constraints: dict = {
        **DifferentiableTransformer._parameter_constraints,
        "learn": [str, "array-like", Learn, None],
    }

    @with_callbacks
    def fit(self, X: Any = None, y: Any = None, sample_rate: Any = None, sample_weight: Any = None) -> Self:
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
            verbose = self._how_to_learn().verbose
            progress = FitProgress(self, X, y, verbose=verbose, max_iter=self._most_iterations())
            super().fit(X, y, sample_rate)
            self.n_iter_ = 1  # a model that learns nothing is designed once
            learns = len(self._names_to_learn()) > 0
            if learns and X is None:
                raise ValueError(f"learn={self.learn!r} requires X and y to be passed, and X is None; pass clips.")
            weights = (
                None if sample_weight is None else check_weights(sample_weight, 0 if X is None else _num_samples(X))
            )
            if learns:  # what is wrong with X and y is said before anything is found
                if self._stays_where_it_is(X):
                    raise TypeError(f"X is {type(X).__name__}, and learning runs on the CPU; pass a NumPy array.")
                sounds = self._at_level(self._sounds(X, sample_rate))
                labels = Labels(y, len(sounds.clips), a_frame=self.pooling is None, weights=weights)
            self._find(progress)
            if learns:
                self._learn(sounds, labels, progress)
                self._measure()
        progress.close()
        return self

    def fit_transform(self, X: Any, y: Any = None, sample_rate: Any = None, sample_weight: Any = None) -> Any:
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

    def _how_to_learn(self) -> Learn:
        """What `learn` asks for, with the defaults where it names parameters alone."""
        return self.learn if isinstance(self.learn, Learn) else Learn(self.learn)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._how_to_learn()._validate_params()

    def _most_iterations(self) -> int | None:
        """Iterations that fit may take, 0 if it only designs; None where their number is not known."""
        how = self._how_to_learn()
        return 0 if how.names is None else how.max_iter

    def _learn(self, sounds: Sounds, labels: Labels, progress: FitProgress) -> None:
        """Train the parameters that `learn` names through a softmax head."""
        names, how = self._names_to_learn(), self._how_to_learn()
        random_state = check_random_state(how.random_state)
        held_out: np.ndarray | None = None
        indices = labels.counted()
        if how.early_stopping:
            indices, held_out = _split_off(labels, how.validation_fraction, random_state)
        objective = SoftmaxObjective(
            self, BoundedParameters(self, names), sounds, labels, l2=how.l2, signals_at_once=how.batch_size
        )
        start = objective.begin(indices)
        best = (-np.inf, -np.inf), start
        scores: list[float] = []
        n_without = 0

        def watch(x: np.ndarray, loss: float) -> bool:
            nonlocal best, n_without
            more = ""
            if held_out is not None:
                accuracy, held_out_loss = objective.score(x, held_out)
                scores.append(accuracy)
                n_without = 0 if accuracy > best[0][0] else n_without + 1
                if (accuracy, -held_out_loss) > best[0]:
                    best = (accuracy, -held_out_loss), x.copy()
                more = f", accuracy on what was held out {accuracy:.3f}"
            stop = progress.iteration(loss, lambda: self._set_learned(objective, x), more)
            return stop or n_without >= how.n_iter_no_change

        low, high = objective.parameters.low, objective.parameters.high
        solution: Solution
        if (how.solver or self._solver) == "lbfgs":
            solution = minimize_lbfgs(
                lambda u: objective.projected(u, indices),
                start,
                (low, high),
                max_iter=how.max_iter,
                tol=how.tol,
                watch=lambda u, loss: watch(objective.with_head(u, indices), loss),
            )
        else:
            free = np.full(objective.n_head, np.inf)
            solution = minimize_adam(
                lambda x, some: objective.joint(x, indices[some]),
                np.append(start, np.zeros(objective.n_head)),
                (np.append(low, -free), np.append(high, free)),
                n_samples=len(indices),
                batch_size=how.batch_size,
                learning_rate=how.learning_rate,
                max_iter=how.max_iter,
                tol=how.tol,
                n_iter_no_change=how.n_iter_no_change,
                random_state=random_state,
                watch=watch,
            )
        self._set_learned(objective, solution.x if held_out is None else best[1])
        self.n_iter_, self.loss_curve_ = max(solution.n_iter, 1), solution.loss_curve
        if held_out is not None:
            self.validation_scores_ = scores
        warn_unless_converged(self, solution)

    def _set_learned(self, objective: SoftmaxObjective, x: np.ndarray) -> dict[str, Any]:
        """Design with what was learned; the fitted attributes that hold it."""
        found = objective.found(x)
        self._redesign(objective.fixed | found)
        return self._set_found(found)

    def _designed_for(self, X: Any) -> Self:
        if self._how_to_learn().names is not None:
            raise NotFittedError(
                f"{type(self).__name__} has learn={self.learn!r} and is not fitted: what it learns is not known yet. "
                "Call fit(X, y) first, or set learn=None for the parameters as they are given."
            )
        return super()._designed_for(X)

    def _names_to_learn(self) -> tuple[str, ...]:
        """Parameters that `learn` names; an error if the output does not depend on one of them."""
        names = self._how_to_learn().names
        return () if names is None else names_to_learn(self, names, self._learnable_names())

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self._how_to_learn().names is not None
        return tags


def _split_off(
    labels: Labels, validation_fraction: float, random_state: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of clips to train on and of those held out: as many of each class, if labels are a clip each."""
    counted = labels.counted()
    n_signals = len(counted)
    n_held_out = int(np.ceil(validation_fraction * n_signals))
    of_clips = None if labels.of_frames else np.concatenate(labels.codes)[counted]
    needed = 1 if of_clips is None else len(labels.classes)
    if n_held_out < needed or n_signals - n_held_out < needed:
        raise ValueError(
            f"validation_fraction={validation_fraction} holds out {n_held_out} of {n_signals} signals, and "
            f"both parts need at least {needed}, one a class; change it, pass more signals, or set "
            "early_stopping=False."
        )
    if of_clips is not None and np.bincount(of_clips).min() < 2:
        rare = labels.classes[np.bincount(of_clips).argmin()]
        raise ValueError(
            f"y has one clip of class {rare!r}, and early_stopping=True needs 2 to hold one out; pass more, or set "
            "early_stopping=False."
        )
    parts = train_test_split(counted, test_size=n_held_out, random_state=random_state, stratify=of_clips)
    return np.sort(parts[0]), np.sort(parts[1])
