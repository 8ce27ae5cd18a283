"""AudioTransformer: what every auditory model inherits."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils import Bunch, InputTags, Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in

from skaud._fitted import as_designed, as_fitted, forget, parameter_names, remember_parameters, unfitted_on_failure
from skaud._warnings import each_once
from skaud.design.limits import LONGEST_FRAME, check_size
from skaud.engines.device import no_kernel
from skaud.estimator.limits import check_constraints, design_within_limits
from skaud.estimator.listening import Listening
from skaud.estimator.results import as_container, check_responses, check_rows, stack
from skaud.estimator.sounds import AudioInputTags, Sounds, count_ears
from skaud.estimator.streams import Streaming
from skaud.pooling.running import RunningPool, can_run
from skaud.pooling.statistics import check_parts, pooled_names, resolve_statistics
from skaud.pooling.temporal import TemporalPooling
from skaud.sound import check_rate, check_scale

N_JOBS = [Interval(Integral, None, -1, closed="right"), Interval(Integral, 1, None, closed="left"), None]  # not 0


class AudioTransformer(Listening, Streaming, TransformerMixin, BaseEstimator, ABC, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Base of all models: sound in, features out.

    A model implements the methods below "What a model implements", and says in `_outputs` what `simulate` can return
    and in `full_scale_db_spl` what level its published program takes RMS 1.0 for. What is called after fit works on a
    copy that has the parameters of that fit (`skaud._fitted`); what it sets there is lost.
    """

    _outputs: tuple[str, ...] = ()
    _signals_at_once = 1  # how many signals a model's kernel runs side by side
    overflow_lasts = False  # whether a response at full rate that left the range of its dtype never comes back
    _frames_at_once = 4096  # how many frames of a signal are held to be pooled: 41 s of 10 ms

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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # scikit-learn would wrap whatever transform returns; frames and lists of them must stay what they are.
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)
        # A class says what its own parameters may be; what it inherits, of those that it has, is added.
        declared = cls._constraints_of_stages()
        for base in reversed(cls.__mro__):
            declared |= vars(base).get("_parameter_constraints", {})
        if names := parameter_names(cls):
            cls._parameter_constraints = {name: declared[name] for name in names if name in declared}

    @classmethod
    def _constraints_of_stages(cls) -> dict[str, list]:
        """What the stages that it is made of let their parameters be."""
        return {}

    # --- scikit-learn's methods ---

    def fit(self, X: Any = None, y: Any = None, sample_rate: Any = None) -> Self:
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
            self.found_: dict[str, Any] = {}
            self.check_parameters()
            self._check_meant(y)
            self.n_ears_in_: int | None = self._n_ears_without_sound() if X is None else None
            self.takes_any_ears_ = X is None and self._suits_any_ears()
            self._rates_told_ = False
            if X is None:
                if sample_rate is not None:
                    raise ValueError(f"sample_rate={sample_rate!r} is that of clips, and X is None; leave it out.")
            else:
                sounds = self._take_sounds(X, sample_rate, reset=True)
                self.n_ears_in_ = sounds.n_ears
                self._rates_told_ = sample_rate is not None or any(rate != self.sample_rate for rate in sounds.rates)
            design_within_limits(self)
        return self

    def fit_transform(self, X: Any, y: Any = None, sample_rate: Any = None) -> Any:
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

    @as_fitted
    def transform(self, X: Any, sample_rate: Any = None) -> Any:
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
            With pooling; see `get_feature_names_out`.
        ndarray of shape (n_signals, [n_ears,] n_channels, n_frames), or list of arrays
            With ``pooling=None``; a list where X is one.
        """
        frame_samples = self.frame_samples()
        sounds = self._sounds(X, sample_rate, fixed_length=True)
        if self.takes_any_ears_:
            self.n_ears_in_ = sounds.n_ears  # for the names of these features
        if sounds.n_ears != self.n_ears_in_:
            raise ValueError(
                f"X has {count_ears(sounds.n_ears)} and had {count_ears(self.n_ears_in_)} in fit; pass signals with "
                "the same ears, or fit again."
            )
        if not sounds.place.on_host:
            features = self._transform_on_device(self._at_level(sounds), frame_samples)
            return features if self.pooling is None else as_container(self, features, sounds.index, sounds.place)
        batches = self._batches(sounds.clips)
        if self.pooling is not None:
            rows = self._map(self._run_pooled, sounds, batches, frame_samples, pools=True)
            return as_container(self, stack(rows), sounds.index, sounds.place)
        results = self._map(self._run_frames, sounds, batches, frame_samples, pools=False)
        frames = results if sounds.has_ears else [frames[0] for frames in results]
        return sounds.place.give(stack(frames) if sounds.is_array else frames)

    @as_fitted
    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
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
        if input_features is None or len(input_features) != self._n_rows_in():
            _check_feature_names_in(self, input_features, generate_names=False)
        ears = [""] if self.n_ears_in_ is None else [f"ear{e}_" for e in range(self.n_ears_in_)]
        channels = [f"{ear}{self.output}_{name}" for ear in ears for name in self.channel_names()]
        if self.pooling is None:
            return np.asarray(channels, dtype=object)
        return pooled_names(channels, *self._pooling())

    def _n_rows_in(self) -> int:
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
        if transform not in (None, "default", "pandas", "polars"):
            raise ValueError(
                f"transform={transform!r} must be 'default', 'pandas' or 'polars', or None to change nothing."
            )
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}  # the name that clone carries over
        return self

    # --- the models' own methods ---

    @as_designed
    def simulate(self, X: Any, outputs: str | Sequence[str] | None = None, sample_rate: Any = None) -> Bunch:
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
        sounds = self._sounds(X, sample_rate)
        if not sounds.place.on_host:
            return Bunch(**self._simulate_on_device(self._at_level(sounds), names))
        responses = self._map(self._run_full, sounds, [[i] for i in range(len(sounds.clips))], names, pools=False)
        bunch = Bunch()
        for k, name in enumerate(names):
            arrays = [response[k] if sounds.has_ears else response[k][0] for response in responses]
            bunch[name] = sounds.place.give(stack(arrays) if sounds.is_array else arrays)
        return bunch

    @property
    @as_fitted
    def frame_rate_hz_(self) -> float:
        """Frames a second of the time-resolved output."""
        return self.sample_rate / (self.frame_samples() or 1)

    # --- what a model implements ---

    def check_parameters(self) -> None:
        """Refuse parameters that `_parameter_constraints` cannot judge."""
        if self.output not in self.check_outputs(None):
            raise ValueError(
                f"output={self.output!r} is not an output of this model; it must be one of {self.check_outputs(None)}."
            )
        self._check_rate()
        if self.rms_one_db_spl is not None:
            check_scale("rms_one_db_spl", self.rms_one_db_spl)
        if isinstance(self.pooling, TemporalPooling):
            self.pooling._validate_params()
            self.pooling._check_parameters("pooling")
        elif self.pooling is not None:
            resolve_statistics(self.pooling, "pooling")
            check_parts(self.pooling, 1, "pooling")

    def _check_rate(self) -> None:
        """Refuse a sample rate that is none, or that the design was not made for."""
        check_rate("sample_rate", self.sample_rate)

    @abstractmethod
    def _design(self) -> None:
        """Set the fitted attributes from `_parameters`, and `_fingerprint_`, a text that tells designs apart."""

    @abstractmethod
    def channel_names(self) -> list[str]:
        """Name of every channel, such as 1055hz."""

    @abstractmethod
    def _run_frames(self, clips: list[np.ndarray], frame_samples: int | None) -> list[np.ndarray]:
        """Frames (n_ears, n_channels, n_frames) of self.output; None: every sample.

        The clips have equal ears, and come with the shortest first.
        """

    @abstractmethod
    def _run_full(self, clips: list[np.ndarray], names: tuple[str, ...]) -> list[tuple[np.ndarray, ...]]:
        """Full-rate responses (n_ears, n_channels, n_samples) by name, a tuple a clip."""

    def _frame_blocks(
        self, clips: list[np.ndarray], frame_samples: int | None
    ) -> Iterator[tuple[int, np.ndarray]] | None:
        """What `_run_frames` returns, bit by bit: (which clip, its next frames), `_frames_at_once` or so.

        None where the model makes all frames of a clip at once; features of long clips then take more memory.
        """
        return None

    def available_outputs(self) -> tuple[str, ...]:
        return self._outputs

    def _transform_on_device(self, sounds: Sounds, frame_samples: int | None) -> Any:
        """Features, or frames, of sounds where they lie, at their level."""
        raise no_kernel(self, sounds.place)

    def _simulate_on_device(self, sounds: Sounds, names: tuple[str, ...]) -> dict[str, Any]:
        """Responses of sounds where they lie, at their level."""
        raise no_kernel(self, sounds.place)

    # --- shared machinery ---

    def _parameters(self) -> dict[str, Any]:
        """Parameters, with what fit has found in place of what was given."""
        return {name: getattr(self, name) for name in parameter_names(type(self))} | self.found_

    def _designed_for(self, X: Any) -> Self:
        """A copy that is designed, for a call that takes X or, with None, nothing."""
        return clone(self).fit()

    def _n_ears_without_sound(self) -> int | None:
        """Ears that the parameters ask for; None for sound without an axis of ears."""
        return None

    def _suits_any_ears(self) -> bool:
        """Whether the parameters leave open how many ears there are."""
        return self._n_ears_without_sound() is None

    def redesign(self, found: Mapping[str, Any]) -> None:
        """Design again, with values that fit has found in place of the parameters that were given."""
        self.found_ = dict(found)
        self._design()

    def frame_samples(self) -> int | None:
        """Samples of a frame, or None for every sample."""
        if self.frame_length is None:
            return None
        samples = self.frame_length * self.sample_rate
        check_size("frame_length", self.frame_length, samples, LONGEST_FRAME, "samples a frame", "lower it")
        return max(1, round(samples))

    def _run_pooled(
        self,
        clips: list[np.ndarray],
        frame_samples: int | None,
        check: Callable[[int, np.ndarray], None],
        **options: Any,
    ) -> list[np.ndarray]:
        """Pooled features of every clip; frames of a long one are not held, where its statistics allow it.

        check(i, frames) : refuses frames of clip i that are not finite
        """
        statistics, segments = self._pooling()
        n_frames = [max(1, clip.shape[-1] // (frame_samples or 1)) for clip in clips]
        blocks = None
        if max(n_frames) > self._frames_at_once and can_run(statistics):
            blocks = self._frame_blocks(clips, frame_samples)
        if blocks is None:
            whole = self._run_frames(clips, frame_samples, **options)
            n_frames, blocks = [frames.shape[-1] for frames in whole], enumerate(whole)
        pools = [RunningPool(n, statistics, segments) for n in n_frames]
        with np.errstate(over="ignore", invalid="ignore"):  # named by the check of the rows
            for i, frames in blocks:
                check(i, frames)
                pools[i].add(frames)
            return [pool.result() for pool in pools]

    def _pooling(self) -> tuple[Any, int]:
        if isinstance(self.pooling, TemporalPooling):
            return self.pooling.statistics, self.pooling.segments
        return self.pooling, 1

    def check_outputs(self, outputs: str | Sequence[str] | None) -> tuple[str, ...]:
        available = self.available_outputs()
        names = available if outputs is None else (outputs,) if isinstance(outputs, str) else tuple(outputs)
        for name in names or ("nothing",):
            if name not in available:
                raise ValueError(
                    f"outputs has {name!r}; {type(self).__name__} has {available} with these parameters, choose among "
                    "them."
                )
        return names

    def _batches(self, clips: list[np.ndarray]) -> list[list[int]]:
        """Indices of clips that run side by side: neighbours in length."""
        order = sorted(range(len(clips)), key=lambda i: clips[i].shape[-1])
        size = max(1, self._signals_at_once // clips[0].shape[0])
        return [order[i : i + size] for i in range(0, len(order), size)]

    def _map(self, run: Any, sounds: Sounds, batches: list[list[int]], argument: Any, *, pools: bool) -> list[Any]:
        """The response of every clip, or its row of features if run pools, to run(clips of a batch, argument)."""
        n_jobs = min(effective_n_jobs(self.n_jobs), len(batches))  # not a thread more than there is work for
        jobs = (delayed(self._run_batch)(run, sounds, batch, argument, pools) for batch in batches)
        done = (f(*a, **k) for f, a, k in jobs) if n_jobs == 1 else Parallel(n_jobs=n_jobs, prefer="threads")(jobs)
        results: list[Any] = [None] * len(sounds.clips)
        for batch, responses in zip(batches, done):
            for i, response in zip(batch, responses):
                results[i] = response
        return results

    def _run_batch(self, run: Any, sounds: Sounds, indices: list[int], argument: Any, pools: bool) -> list[Any]:
        """A job of `_map`: no more than its own clips, at their level, are held."""
        clips = [sounds.clips[i] for i in indices]
        heard = [self._to_level(sounds.clips[i], sounds.scales[i]) for i in indices]
        if not pools:
            responses = run(heard, argument)
            check_responses(self, responses, clips, indices)
            return responses

        def check(k: int, frames: np.ndarray) -> None:
            check_responses(self, [frames], [clips[k]], [indices[k]])

        rows = run(heard, argument, check)
        check_rows(self, rows, clips, indices)
        return rows

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inherited = {name: getattr(tags.input_tags, name) for name in InputTags.__dataclass_fields__}
        tags.input_tags = AudioInputTags(**inherited | {"three_d_array": True})
        tags.transformer_tags.preserves_dtype = []  # the parameter dtype decides
        tags.array_api_support = True  # what comes back is of the library of X, and lies where X does
        return tags
