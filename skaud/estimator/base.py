"""AudioTransformer: what every auditory model inherits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils import Bunch, InputTags, Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in

from skaud._fitted import (
    as_designed,
    as_fitted,
    fitted_copy,
    forget,
    parameter_names,
    remember_parameters,
    unfitted_on_failure,
)
from skaud._parameters import check_constraints, with_plain_numbers
from skaud._types import Features, Rates, Signals, Targets
from skaud._warnings import each_once
from skaud.estimator.device import simulate_on_device, transform_on_device
from skaud.estimator.faults import design_within_limits
from skaud.estimator.listening import at_level, hear, listen, refuse_unmeant, take_sounds
from skaud.estimator.movable_model import MovableModel
from skaud.estimator.protocol import Model
from skaud.estimator.responses import frames_of, full_responses, pooled_rows
from skaud.estimator.results import as_container, choose_container, no_rows, stack
from skaud.estimator.sounds import AudioInputTags, count_ears
from skaud.estimator.stream_state import StreamState
from skaud.estimator.streams import go_on, start
from skaud.estimator.vjp import vjp
from skaud.fitting.movable import Pullback, Value
from skaud.kernels.on_device import where_it_lies
from skaud.pooling.statistics import pooled_names
from skaud.pooling.temporal import TemporalPooling, check_pooling
from skaud.sound import check_rate, check_scale
from skaud.sound.clips import is_empty_column

N_JOBS = [Interval(Integral, None, -1, closed="right"), Interval(Integral, 1, None, closed="left"), None]  # not 0


class AudioTransformer(Model, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Base of all models and stages: sound in, features out.

    What one must say of itself stands in `skaud.estimator.protocol`. What is called after fit works on a copy that has
    the parameters of that fit (`skaud._fitted`); what it sets there is lost.
    """

    # fit and transform take the rate of the clips as metadata, and ask for it wherever they stand in a pipeline.
    __metadata_request__fit: dict[str, bool | None] = {"sample_rate": True}
    __metadata_request__transform: dict[str, bool | None] = {"sample_rate": True}

    _parameter_constraints: dict = {
        "sample_rate": [Interval(Real, 0, None, closed="neither")],
        "output": [str],
        "pooling": [str, callable, "array-like", dict, TemporalPooling, None],
        "frame_length": [Interval(Real, 0, None, closed="neither"), None],
        "rms_one_db_spl": [Interval(Real, None, None, closed="neither"), None],
        "dtype": [StrOptions({"float32", "float64"})],
        "n_jobs": N_JOBS,
    }

    def __init_subclass__(cls, **kwargs: object) -> None:
        # scikit-learn would wrap whatever transform returns; frames and lists of them must stay what they are.
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)
        # A class says what its own parameters may be; what it inherits, of those that it has, is added.
        declared = cls.constraints_of_stages()
        for base in reversed(cls.__mro__):
            declared |= vars(base).get("_parameter_constraints", {})
        if names := parameter_names(cls):
            cls._parameter_constraints = {name: declared[name] for name in names if name in declared}

    @classmethod
    def constraints_of_stages(cls) -> dict[str, list]:
        """What the stages that it is made of let their parameters be."""
        return {}

    # --- scikit-learn's methods ---

    @where_it_lies
    @with_plain_numbers
    def fit(self, X: Signals = None, y: Targets = None, sample_rate: Rates = None) -> Self:
        """Design the model from its parameters.

        Parameters
        ----------
        X : array of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples), or list of clips, default=None
            Sound; the clips of a list, ``(n_samples,)`` or ``(n_ears, n_samples)``, may differ in length. It is
            validated. None designs the model for sound of any length and with any ears.
        y : array-like of shape (n_signals,), default=None
            Ignored.
        sample_rate : float or sequence of float, default=None
            Rate of the clips in Hz, one for all or one a clip; None stands for the parameter `sample_rate`.

        Returns
        -------
        AudioTransformer
            The fitted model.

        Raises
        ------
        ValueError, TypeError
            If a parameter or X is not what the model can work with; the message says what to change.
        """
        with unfitted_on_failure(self):
            check_constraints(self)
            forget(self)
            remember_parameters(self)
            self.found_: dict[str, Value] = {}
            self.check_parameters()
            refuse_unmeant(self, y)
            self.n_ears_in_: int | None = self.n_ears_without_sound() if X is None else None
            self.takes_any_ears_ = X is None and self.suits_any_ears()
            self.rates_told_ = False
            if X is None:
                if sample_rate is not None:
                    raise ValueError(f"sample_rate={sample_rate!r} is that of clips, and X is None; leave it out.")
            else:
                sounds = take_sounds(self, X, sample_rate, reset=True)
                self.n_ears_in_ = sounds.n_ears
                self.rates_told_ = sample_rate is not None or any(rate != self.sample_rate for rate in sounds.rates)
            design_within_limits(self)
        return self

    def fit_transform(self, X: Signals, y: Targets = None, sample_rate: Rates = None) -> Features:
        """Fit, then transform the same signals.

        Parameters
        ----------
        X : array or list of clips
            As for `fit`.
        y : array-like of shape (n_signals,), default=None
            Passed to `fit`.
        sample_rate : float or sequence of float, default=None
            As for `fit`.

        Returns
        -------
        ndarray, list of ndarray, or data frame
            As `transform` returns it.
        """
        with each_once():
            return self.fit(X, y, sample_rate=sample_rate).transform(X, sample_rate=sample_rate)

    @where_it_lies
    @as_fitted
    def transform(self, X: Signals, sample_rate: Rates = None) -> Features:
        """Compute features.

        Parameters
        ----------
        X : array of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples), or list of clips
            Sound. A 2-D array must be as long as the one that `fit` saw, as everywhere in scikit-learn; the clips of a
            list may have any length.
        sample_rate : float or sequence of float, default=None
            Rate of the clips in Hz, one for all or one a clip; where it is not the model's, they are resampled.

        Returns
        -------
        ndarray of shape (n_signals, n_features), or data frame
            With pooling; see `get_feature_names_out`. Of a column without rows, no rows.
        ndarray of shape (n_signals, [n_ears,] n_channels, n_frames), or list of arrays
            With ``pooling=None``; a list where X is one.
        """
        if self.pooling is not None and is_empty_column(X):
            return no_rows(self, X, self.dtype)
        frame_samples = self.frame_samples()
        sounds = listen(self, X, sample_rate, fixed_length=True)
        if self.takes_any_ears_:
            self.n_ears_in_ = sounds.n_ears  # for the names of these features
        if sounds.n_ears != self.n_ears_in_:
            raise ValueError(
                f"X has {count_ears(sounds.n_ears)} and had {count_ears(self.n_ears_in_)} in fit; pass signals with "
                "the same ears, or fit again."
            )
        if not sounds.place.on_host:
            features = transform_on_device(self, at_level(self, sounds), frame_samples)
            if self.pooling is None:
                return sounds.place.give(features)
            return as_container(self, features, sounds.index, sounds.place)
        if self.pooling is not None:
            return as_container(self, pooled_rows(self, sounds, frame_samples), sounds.index, sounds.place)
        found = frames_of(self, sounds, frame_samples)
        frames = found if sounds.has_ears else [own[0] for own in found]
        return sounds.place.give(stack(frames) if sounds.is_array else frames)

    @as_fitted
    def get_feature_names_out(self, input_features: Sequence[str] | np.ndarray | None = None) -> np.ndarray:
        """Names of the features.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Ignored: one name, or one an ear, as the step before has in a pipeline. Samples have no names; where there
            are names for them, scikit-learn's rules for their number hold.

        Returns
        -------
        ndarray of str
            Such as ``nap_1055hz_mean``; the channels' names, ``nap_1055hz``, with ``pooling=None``. Where X had ears
            in fit, ``ear0_`` and so on stand in front.
        """
        if input_features is None or len(input_features) != self.n_rows_in():
            _check_feature_names_in(self, input_features, generate_names=False)
        ears = [""] if self.n_ears_in_ is None else [f"ear{e}_" for e in range(self.n_ears_in_)]
        channels = [f"{ear}{self.output}_{name}" for ear in ears for name in self.channel_names()]
        if self.pooling is None:
            return np.asarray(channels, dtype=object)
        return pooled_names(channels, *self.how_pooled())

    def n_rows_in(self) -> int:
        """Rows of samples in a clip, which a step before may have named."""
        return self.n_ears_in_ or 1

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose what pooled features come in.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Container of `transform`; None leaves it as it is. Time-resolved output stays as it is, always.

        Returns
        -------
        AudioTransformer
            The model itself.
        """
        choose_container(self, transform)
        return self

    # --- the models' own methods ---

    @where_it_lies
    @as_designed
    def simulate(self, X: Signals, outputs: str | Sequence[str] | None = None, sample_rate: Rates = None) -> Bunch:
        """Responses of the model's stages at full rate.

        A model that is not fitted designs itself for the call, if it has nothing to find; so do `initial_state` and
        `vjp`.

        Parameters
        ----------
        X : array of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples), or list of clips
            Sound, of any length.
        outputs : str or sequence of str, default=None
            Names of the responses; None stands for all that the model has.
        sample_rate : float or sequence of float, default=None
            Rate of the clips in Hz, as for `transform`.

        Returns
        -------
        Bunch
            Arrays ``(n_signals, [n_ears,] n_channels, n_samples)`` by name; lists of arrays where X is a list.

        Raises
        ------
        ValueError
            If the model has no output of that name.
        """
        names = self.check_outputs(outputs)
        sounds = listen(self, X, sample_rate)
        if not sounds.place.on_host:
            there = simulate_on_device(self, at_level(self, sounds), names)
            return Bunch(**{name: sounds.place.give(own) for name, own in there.items()})
        responses = full_responses(self, sounds, names)
        bunch = Bunch()
        for k, name in enumerate(names):
            arrays = [response[k] if sounds.has_ears else response[k][0] for response in responses]
            bunch[name] = sounds.place.give(stack(arrays) if sounds.is_array else arrays)
        return bunch

    @where_it_lies
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
        return vjp(self, X, wrt, output)

    @as_designed
    def initial_state(self, n_signals: int = 1, n_ears: int | None = None) -> StreamState:
        """State of a stream before its first sample.

        Parameters
        ----------
        n_signals : int, default=1
            Signals that the stream carries side by side.
        n_ears : int, default=None
            Ears of each, where the chunks have an axis for them.

        Returns
        -------
        StreamState
            For `transform_chunk`.
        """
        return start(self, n_signals, n_ears)

    @where_it_lies
    def transform_chunk(self, X: np.ndarray, state: StreamState) -> tuple[np.ndarray, StreamState]:
        """Go on with a stream.

        Chunk by chunk gives what the whole gives: to the bit at full rate (``frame_length=None``); frames come with the
        chunk that completes them. Nothing is pooled. A model that is not fitted designs itself anew for every chunk.

        Parameters
        ----------
        X : ndarray of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples)
            Next samples, at the model's sample rate.
        state : StreamState
            From `initial_state` or the chunk before; it is not changed.

        Returns
        -------
        Y : ndarray of shape (n_signals, [n_ears,] n_channels, n_frames)
            Response to the chunk.
        state : StreamState
            For the next chunk.

        Raises
        ------
        ValueError
            If X has another shape than the stream, or samples that are not finite, or state is another model's.
        """
        return go_on(self, X, state)

    def movable(
        self, X: Signals, sample_rate: Rates = None, *, fixed: Mapping[str, Value] | None = None
    ) -> MovableModel:
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
        model = fitted_copy(AudioTransformer.fit(clone(self), X, sample_rate=sample_rate))
        sounds = hear(model, X, sample_rate)
        if fixed is None:
            model.find(sounds.place)
        else:
            model.redesign(fixed)
        return MovableModel(model, sounds)

    @property
    @as_fitted
    def frame_rate_hz_(self) -> float:
        """Frames a second of the time-resolved output."""
        return self.sample_rate / (self.frame_samples() or 1)

    # --- what stands before and behind ---

    def check_parameters(self) -> None:
        """Refuse parameters that `_parameter_constraints` cannot judge."""
        if self.output not in self.check_outputs(None):
            raise ValueError(
                f"output={self.output!r} is not an output of this model; it must be one of {self.check_outputs(None)}."
            )
        self.check_rate()
        if self.rms_one_db_spl is not None:
            check_scale("rms_one_db_spl", self.rms_one_db_spl)
        check_pooling(self.pooling)

    def check_rate(self) -> None:
        """Refuse a sample rate that is none, or that the design was not made for."""
        check_rate("sample_rate", self.sample_rate)

    def designed_for(self, X: Signals) -> Self:
        """A copy that is designed, for a call that takes X or, with None, nothing."""
        return clone(self).fit()

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inherited = {name: getattr(tags.input_tags, name) for name in InputTags.__dataclass_fields__}
        tags.input_tags = AudioInputTags(**inherited | {"three_d_array": True})
        tags.transformer_tags.preserves_dtype = []  # the parameter dtype decides
        tags.array_api_support = True  # what comes back is of the library of X, and lies where X does
        return tags
