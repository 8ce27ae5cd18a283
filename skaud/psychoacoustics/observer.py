"""The optimal detector of Dau et al. (1996): a template, and internal noise."""

from __future__ import annotations

from numbers import Real
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import InputTags, Tags, check_random_state
from sklearn.utils._param_validation import HasMethods, Interval

from skaud._fitted import as_fitted, forget, remember_parameters, unfitted_on_failure
from skaud._parameters import check_constraints, with_plain_numbers
from skaud._types import Estimator, Seed, Signals, Targets
from skaud.estimator.sounds import AudioInputTags
from skaud.models.dau1997 import Dau1997
from skaud.psychoacoustics.calibration import calibrated_noise_variance
from skaud.psychoacoustics.forced_choice import choice_probabilities
from skaud.psychoacoustics.representation import Trials, check_trials, correlate, make_template, rate_of

_REQUIRES_Y = "TemplateObserver requires y to be passed, but the target y is None"  # in scikit-learn's words


class TemplateObserver(ClassifierMixin, BaseEstimator):
    r"""Optimal detector: which interval of a trial holds the signal.

    A model turns every interval into an internal representation. The template is the normalised difference of the mean
    representations of intervals with a clearly audible signal and of intervals without; the decision variable is the
    correlation of an interval with it, plus internal noise. The interval where it is largest is the answer.

    Parameters
    ----------
    model : estimator or None, default=None
        What `transform` of gives frames: a model of this package with ``pooling=None``, or a pipeline without pooling.
        None is ``Dau1997(pooling=None)``, in frames of 10 ms. It is cloned.
    internal_noise_variance : float or None, default=None
        Variance of the internal noise in the decision variable, in squared units of the model times seconds. None is
        that with which the model just discriminates 60 from 61 dB SPL at 1 kHz: `calibrated_noise_variance`.
    random_state : int, RandomState instance or None, default=None
        Seed of the internal noise. With an int every call draws the same noise; trials that are given one at a time
        need an instance, or None.

    Attributes
    ----------
    template_ : ndarray of shape (n_features, n_frames)
        The template; the sum of its squares, times `frame_s_`, is 1. Channels, filters and ears are its rows.
    frame_s_ : float
        Length of a frame in s: that of the model's frames, in whole samples, where it has ``frame_rate_hz_``; otherwise
        the length of an interval over its frames.
    internal_noise_variance_ : float
        Variance of the internal noise.
    classes_ : ndarray of shape (n_intervals,)
        Intervals, counted from 0.
    model_ : estimator
        The fitted model.

    Notes
    -----
    With :math:`R_c(t)` the representation of an interval in feature c, and s and m that of a mean interval with
    signal and of one with the masker alone [1]_ [2]_ [3]_,

    .. math:: T_c(t) = \frac{R^s_c(t) - R^m_c(t)}{\sqrt{\sum_{c,t} \left(R^s_c(t) - R^m_c(t)\right)^2 \, \Delta t}}

    .. math:: D = \sum_{c,t} T_c(t) \, R_c(t) \, \Delta t + N(0, \sigma^2)

    Noise of a power density of :math:`\sigma^2` in every feature becomes :math:`N(0, \sigma^2)` in D, whatever the
    number of features and the length of a frame. The published detectors take the masker's mean representation off
    first, which changes D by the same number in all intervals, and so no answer.

    `predict` draws; `predict_proba` is what it draws from, in closed form. The largest of a row of `predict_proba` is
    what an observer without noise would answer. D of two intervals are two numbers, not their difference.

    References
    ----------
    .. [1] T. Dau, D. Püschel, A. Kohlrausch, "A quantitative model of the 'effective' signal processing in the auditory
       system. I. Model structure", J. Acoust. Soc. Am. 99:3615, 1996.
    .. [2] T. Dau, B. Kollmeier, A. Kohlrausch, "Modeling auditory processing of amplitude modulation. I. Detection and
       masking with narrow-band carriers", J. Acoust. Soc. Am. 102:2892, 1997.
    .. [3] A. Osses, A. Kohlrausch, "Perceptual similarity between piano notes: Simulations with a template-based
       perception model", J. Acoust. Soc. Am. 149:3534, 2021.

    Examples
    --------
    Which of three noises is modulated at 20 Hz:

    >>> from skaud import Dau1997, TemplateObserver, datasets
    >>> from skaud.psychoacoustics import make_trials
    >>> def make_trial(depth_db, random_state):
    ...     depths = [10 ** (depth_db / 20), 0, 0]
    ...     return datasets.make_am_noise(20, depths, 0.3, 16000, band_hz=(900, 1100), random_state=random_state)
    >>> model = Dau1997(16000, low_hz=1000, high_hz=1000, pooling=None)
    >>> observer = TemplateObserver(model, random_state=0).fit(*make_trials(make_trial, 0, 20, random_state=0))
    >>> observer.score(*make_trials(make_trial, -3, 20, random_state=1)) > 0.9
    True
    """

    _parameter_constraints: dict = {
        "model": [HasMethods(["fit", "transform"]), None],
        "internal_noise_variance": [Interval(Real, 0, None, closed="left"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        model: Estimator | None = None,
        *,
        internal_noise_variance: float | None = None,
        random_state: Seed = None,
    ) -> None:
        self.model = model
        self.internal_noise_variance = internal_noise_variance
        self.random_state = random_state

    @with_plain_numbers
    def fit(self, X: Signals, y: Targets) -> Self:
        """Make the template from trials whose signal is clearly audible.

        Parameters
        ----------
        X : array of shape (n_trials, n_intervals, [n_ears,] n_samples), or list of lists of clips
            Trials; their intervals last equally long. Plain samples are at the model's rate and level.
        y : array-like of shape (n_trials,)
            Interval with the signal, counted from 0.

        Returns
        -------
        TemplateObserver
            The fitted observer.

        Raises
        ------
        ValueError, TypeError
            If a parameter, X or y is not what the observer can work with, or the signal makes no difference; the
            message says what to change.
        """
        check_constraints(self)
        with unfitted_on_failure(self):
            forget(self)
            remember_parameters(self)
            model = Dau1997(pooling=None) if self.model is None else self.model
            if y is None:
                raise ValueError(f"{_REQUIRES_Y}; pass the interval with the signal in each trial.")
            trials = check_trials(X, rate_of(model))
            places = self._check_places(y, trials)
            self.model_ = clone(model).fit(trials.intervals)
            self.template_, self.frame_s_ = make_template(self.model_, trials, places)
            given = self.internal_noise_variance
            self.internal_noise_variance_ = calibrated_noise_variance(model) if given is None else float(given)
            self.classes_ = np.arange(trials.n_intervals)
        return self

    @as_fitted
    def correlate(self, X: Signals) -> np.ndarray:
        """Correlation of every interval with the template: the decision variable without internal noise.

        Parameters
        ----------
        X : array of shape (n_trials, n_intervals, [n_ears,] n_samples), or list of lists of clips
            Trials, as for `fit`.

        Returns
        -------
        ndarray of shape (n_trials, n_intervals)
            In units of the model times the square root of seconds.

        Raises
        ------
        ValueError
            If the trials are not like those of fit.
        """
        trials = check_trials(X, rate_of(self.model_))
        if trials.n_intervals != len(self.classes_):
            raise ValueError(
                f"X has trials of {trials.n_intervals} intervals, and in fit they had {len(self.classes_)}; pass as "
                "many, or fit again."
            )
        return correlate(self.model_, trials, self.template_, self.frame_s_)

    @as_fitted
    def decision_function(self, X: Signals) -> np.ndarray:
        """Decision variable of every interval: its correlation with the template, and internal noise.

        Parameters
        ----------
        X : array of shape (n_trials, n_intervals, [n_ears,] n_samples), or list of lists of clips
            Trials, as for `fit`.

        Returns
        -------
        ndarray of shape (n_trials, n_intervals)
            Decision variables, of two intervals as well.

        Raises
        ------
        ValueError
            If the trials are not like those of fit.
        """
        values = self.correlate(X)
        noise = check_random_state(self.random_state).standard_normal(values.shape)
        return values + np.sqrt(self.internal_noise_variance_) * noise

    @as_fitted
    def predict(self, X: Signals) -> np.ndarray:
        """Answer of every trial.

        Parameters
        ----------
        X : array of shape (n_trials, n_intervals, [n_ears,] n_samples), or list of lists of clips
            Trials, as for `fit`.

        Returns
        -------
        ndarray of shape (n_trials,)
            Interval with the largest decision variable, counted from 0.

        Raises
        ------
        ValueError
            If the trials are not like those of fit.
        """
        return self.classes_[self.decision_function(X).argmax(axis=1)]

    @as_fitted
    def predict_proba(self, X: Signals) -> np.ndarray:
        """Probability of every answer, over the internal noise; nothing is drawn.

        Parameters
        ----------
        X : array of shape (n_trials, n_intervals, [n_ears,] n_samples), or list of lists of clips
            Trials, as for `fit`.

        Returns
        -------
        ndarray of shape (n_trials, n_intervals)
            How often `predict` answers so; no belief of the observer's.

        Raises
        ------
        ValueError
            If the trials are not like those of fit.
        """
        values = self.correlate(X)
        return choice_probabilities(values, float(np.sqrt(self.internal_noise_variance_)))

    def _check_places(self, y: Targets, trials: Trials) -> np.ndarray:
        """Interval with the signal in every trial."""
        places: npt.NDArray[Any] = np.asarray(y)
        if places.shape != (len(trials),):
            raise ValueError(f"y has shape {places.shape}, and X has {len(trials)} trials; give each its interval.")
        if places.dtype.kind not in "iuf" or not np.isin(places, np.arange(trials.n_intervals)).all():
            raise ValueError(
                f"y={places!r} must be intervals counted from 0 to {trials.n_intervals - 1}: that with the signal."
            )
        return places.astype(int)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inherited = {name: getattr(tags.input_tags, name) for name in InputTags.__dataclass_fields__}
        tags.input_tags = AudioInputTags(**inherited | {"two_d_array": False, "three_d_array": True, "ragged": False})
        tags.non_deterministic = True  # unless random_state is a number
        return tags
