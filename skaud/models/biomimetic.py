"""The biomimetic front end: auditory spectrogram and cortical features, with 212 learnable parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in

from skaud._fitted import as_fitted
from skaud.design.cochlear import CHANNELS_PER_OCTAVE
from skaud.estimator.callbacks import FitProgress
from skaud.estimator.sounds import Sounds
from skaud.fitting.classification import Labels
from skaud.fitting.learn import Learn
from skaud.models.auditory_spectrogram import AuditorySpectrogram
from skaud.pooling.statistics import pooled_names
from skaud.pooling.temporal import TemporalPooling
from skaud.stages._cortical_derivatives import of_cortical
from skaud.stages._pooled_cortical import pooled_vjp, respond_pooled
from skaud.stages.cortical import (
    RESPONSES,
    STRFs,
    design_strfs,
    pull_back,
    respond,
    strf_names,
)

SMALLEST_SCALE = 0.05  # cycles/octave, half of what 128 channels resolve: next to nothing passes a filter below


class BiomimeticFrontend(AuditorySpectrogram):
    """Biomimetic front end of Famularo et al. (2024): cochlear and cortical features with learnable parameters.

    An auditory spectrogram of 128 channels, and the responses of spectrotemporal receptive fields (STRFs) to it.
    With 40 of them, 212 parameters can be learned. Arrays of cupy, torch or JAX are computed by their own library, and
    come back as such.

    Parameters
    ----------
    sample_rate : float, default=16000
        Rate of the model in Hz, at least 16000; clips at other rates are resampled to it.
    filters : {"roex"}, (B, A), or path, default="roex"
        Cochlear filters: rounded exponentials with minimum phase; numerators and denominators, two arrays (129,
        n_coefficients); or a coefficient file of the NSL toolbox (``aud24.mat``), made for 16 kHz, which must come from
        whom you trust.
    compression : float or array of shape (129,), default=1.0
        Exponents of the power law.
    lateral_inhibition : sequence of 2 float, default=(1, -1)
        Weights of a channel and of the next higher one.
    integration_s : float, default=0.008
        Time constant of the leaky integration, in s.
    frame_rate_hz : float, default=200
        Frames a second, about: a frame has the nearest whole number of samples, and `frame_rate_hz_` tells the exact
        rate, 200.45 at 22.05 kHz.
    n_strfs : int, default=40
        Number of STRFs; with ``init="log"`` a multiple of 8.
    init : {"log", "random"}, default="log"
        Scales of 0.25 to 8 cycles/octave with rates of +-2 to +-32 Hz each, or scales U(0, 9) and rates U(-9, 9).
    scales_cycles_per_octave : array of shape (n_strfs,) or None, default=None
        Scales of the STRFs, instead of `init`.
    rates_hz : array of shape (n_strfs,) or None, default=None
        Rates of the STRFs, instead of `init`; above 0 for sweeps towards lower frequencies.
    response : {"real", "magnitude", "complex"}, default="real"
        Part of the STRFs' complex response; "complex" needs ``pooling=None``.
    output : {"cortical", "spectrogram"}, default="cortical"
        Response that `transform` takes its features from.
    pooling : str, callable, sequence, TemporalPooling or None, default=("mean", "std")
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    rms_one_db_spl : float or None, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in plain samples; 93.98 for pascals, None for the scale of the
        published program, 100. A `Sound` knows its own.
    random_state : int, RandomState or None, default=None
        For ``init="random"``.
    learn : str, sequence of str, Learn, or None, default=None
        Parameters for `fit` to learn from labels, through a softmax head on the features: "full" for all, "cortical"
        for scales and rates, or names of some; a `Learn` of them says how. A rate keeps its sign.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals, or over the channels of a single one; the result is the same for any number.

    Attributes
    ----------
    n_channels_ : int
        Number of channels of the spectrogram, 128.
    channel_frequencies_hz_ : ndarray of shape (n_channels_,)
        Centre frequencies of the cochlear filters, but for the highest, which only inhibits its neighbour.
    impulse_responses_ : ndarray of shape (129, n_taps)
        Cochlear filters.
    compression_ : ndarray of shape (129,)
        Exponents of the power law.
    lateral_inhibition_ : ndarray of shape (2,)
        Weights of the lateral inhibition.
    integration_s_ : float
        Time constant of the leaky integration.
    scales_cycles_per_octave_, rates_hz_ : ndarray of shape (n_strfs,)
        STRFs.
    initial_scales_cycles_per_octave_, initial_rates_hz_ : ndarray of shape (n_strfs,)
        Those that learning began with.
    frame_rate_hz_ : float
        Frames a second, exactly.
    n_iter_, loss_curve_, validation_scores_ : int, list of float, list of float
        Iterations of learning, 1 where nothing is learned; loss, with L-BFGS at the start and after each, with Adam in
        each; accuracy on what was held out, after each.
    n_ears_in_ : int or None
        Ears of the signals in `fit`; None where they had no axis for them.
    n_features_in_ : int
        Samples of a signal, where X was a 2-D array in `fit`.

    References
    ----------
    .. [1] R. L. Famularo, D. N. Zotkin, S. A. Shamma, R. Duraiswami, "Biomimetic frontend for differentiable audio
       processing", 2024.
    .. [2] T. Chi, P. Ru, S. A. Shamma, "Multiresolution spectrotemporal analysis of complex sounds", JASA 118, 887,
       2005.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import BiomimeticFrontend, datasets
    >>> X = datasets.make_tone([250, 1000], duration_s=0.2, sample_rate=16000)
    >>> model = BiomimeticFrontend(pooling=None).fit(X)
    >>> frames = model.transform(X)
    >>> frames[0].shape
    (40, 128, 40)
    >>> value, pullback = model.vjp(X)  # gradients of a loss
    >>> grads = pullback([2 * own for own in value])
    >>> {name: np.size(grad) for name, grad in grads.items() if name != "X"}
    {'compression': 129, 'lateral_inhibition': 2, 'integration_s': 1, 'scales_cycles_per_octave': 40, 'rates_hz': 40}
    """

    _outputs = (*AuditorySpectrogram._outputs, "cortical")
    _learnable = (*AuditorySpectrogram._learnable, "scales_cycles_per_octave", "rates_hz")
    _learn_sets = {"full": _learnable, "cortical": _learnable[-2:]}

    _parameter_constraints: dict = {
        **AuditorySpectrogram._parameter_constraints,
        "n_strfs": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions({"log", "random"})],
        "scales_cycles_per_octave": ["array-like", None],
        "rates_hz": ["array-like", None],
        "response": [StrOptions(set(RESPONSES))],
        "output": [StrOptions({"spectrogram", "cortical"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        sample_rate: float = 16000,
        *,
        filters: str | Path | tuple[ArrayLike, ArrayLike] = "roex",
        compression: float | ArrayLike = 1.0,
        lateral_inhibition: ArrayLike = (1, -1),
        integration_s: float = 0.008,
        frame_rate_hz: float = 200,
        n_strfs: int = 40,
        init: str = "log",
        scales_cycles_per_octave: ArrayLike | None = None,
        rates_hz: ArrayLike | None = None,
        response: str = "real",
        output: str = "cortical",
        pooling: str | Callable | Sequence | TemporalPooling | None = ("mean", "std"),
        rms_one_db_spl: float | None = 93.98,
        random_state: Any = None,
        learn: str | Sequence[str] | Learn | None = None,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(
            sample_rate,
            filters=filters,
            compression=compression,
            lateral_inhibition=lateral_inhibition,
            integration_s=integration_s,
            frame_rate_hz=frame_rate_hz,
            pooling=pooling,
            rms_one_db_spl=rms_one_db_spl,
            learn=learn,
            dtype=dtype,
            n_jobs=n_jobs,
        )
        self.n_strfs = n_strfs
        self.init = init
        self.random_state = random_state
        self.scales_cycles_per_octave = scales_cycles_per_octave
        self.rates_hz = rates_hz
        self.response = response
        self.output = output

    @as_fitted
    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the features.

        Parameters
        ----------
        input_features : None
            Samples have no names; where there are names for them, scikit-learn's rules for their number hold.

        Returns
        -------
        ndarray of str
            Such as ``rate+4.0_scale2.00_1055hz_mean``, or ``spectrogram_1055hz_mean``; without the statistic with
            ``pooling=None``. Where X had ears in fit, ``ear0_`` and so on stand in front.
        """
        if self.output != "cortical":
            return super().get_feature_names_out(input_features)
        _check_feature_names_in(self, input_features, generate_names=False)
        ears = [""] if self.n_ears_in_ is None else [f"ear{e}_" for e in range(self.n_ears_in_)]
        strfs = strf_names(self.scales_cycles_per_octave_, self.rates_hz_)
        names = [f"{ear}{strf}_{channel}" for ear in ears for strf in strfs for channel in self._channel_names()]
        if self.pooling is None:
            return np.asarray(names, dtype=object)
        return pooled_names(names, *self._pooling())

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.response == "complex" and self.output == "cortical" and self.pooling is not None:
            raise ValueError(
                f"response='complex' cannot be pooled (pooling={self.pooling!r}); set pooling=None, or choose "
                "response='real' or 'magnitude'."
            )

    def _design_runs(self) -> None:
        parameters, is_first = self._parameters(), not self._found_
        self.scales_cycles_per_octave_, self.rates_hz_ = design_strfs(
            self,
            parameters["scales_cycles_per_octave"],
            parameters["rates_hz"],
            self._frames_a_second(),
            CHANNELS_PER_OCTAVE,
        )
        # Drawn once a fit, however often it designs.
        self._found_ |= {name: getattr(self, f"{name}_") for name in self._learnable[-2:] if parameters[name] is None}
        if is_first:
            self.initial_scales_cycles_per_octave_ = self.scales_cycles_per_octave_
            self.initial_rates_hz_ = self.rates_hz_
        super()._design_runs()

    def _frames_a_second(self) -> float:
        """The exact rate, which rates of STRFs refer to."""
        return self.sample_rate / self._frame_samples()

    def _strfs(self) -> STRFs:
        return STRFs(self.scales_cycles_per_octave_, self.rates_hz_, self._frames_a_second(), CHANNELS_PER_OCTAVE)

    def _respond(self, x: Any, names: tuple[str, ...], n_threads: int) -> dict[str, Any]:
        if "cortical" not in names:
            return super()._respond(x, names, n_threads)
        before = tuple(name for name in names if name not in ("cortical", "spectrogram"))
        if before:
            responses = super()._respond(x, (*before, "spectrogram"), n_threads)
        else:
            responses = {"spectrogram": self._spectrogram(x, n_threads)}
        responses["cortical"] = respond(responses["spectrogram"], self._strfs(), self.response, n_threads)
        return responses

    def _run_pooled(
        self,
        clips: list[np.ndarray],
        frame_samples: int | None,
        check: Callable[[int, np.ndarray], None],
        n_threads: int = 1,
        **options: Any,
    ) -> list[np.ndarray]:
        if self.output != "cortical":
            return super()._run_pooled(clips, frame_samples, check, n_threads=n_threads, **options)
        spectrograms = [self._spectrogram(clip, n_threads) for clip in clips]
        settings = self._strfs(), self.response, self._pooling(), n_threads
        return [respond_pooled(spectrogram, *settings) for spectrogram in spectrograms]

    def _pooled_vjp_runner(self, n_batches: int) -> Callable:
        if self.output != "cortical":
            return super()._pooled_vjp_runner(n_batches)
        return partial(self._run_cortical_vjp, n_threads=max(1, effective_n_jobs(self.n_jobs) // n_batches))

    def _run_cortical_vjp(
        self, clips: list[np.ndarray], output: str, frame_length: int | None, wrt: tuple[str, ...], n_threads: int
    ) -> tuple[list[np.ndarray], Callable]:
        """`_run_vjp` after pooling: of one filter after the other."""
        (clip,) = clips
        spectrogram = self._spectrogram(clip, n_threads)
        row, back = pooled_vjp(spectrogram, self._strfs(), self.response, self._pooling(), n_threads)

        def pullback(row_bars: list[np.ndarray]) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
            bar, grads = back(row_bars[0])
            grads = grads | self._pull_back_cochlea(bar, clip, spectrogram, wrt, n_threads)
            return [grads["X"]], {name: np.asarray(grads[name], dtype=float) for name in wrt if name != "X"}

        return [row], pullback

    def _pull_back_cochlea(
        self, bar: Any, clip: Any, spectrogram: Any, wrt: Iterable[str], n_threads: int
    ) -> dict[str, Any]:
        """Gradients by name from that of the spectrogram, if wrt has one of them."""
        if {*wrt} <= {*self._learnable[-2:]}:
            return {"X": None}
        return super()._pull_back(bar, "spectrogram", clip, {"spectrogram": spectrogram}, {*wrt}, n_threads)

    def _spectrogram(self, clip: np.ndarray, n_threads: int) -> np.ndarray:
        kept = getattr(self, "_kept_spectrograms_", {})
        if id(clip) not in kept:
            kept[id(clip)] = super()._respond(clip, ("spectrogram",), n_threads)["spectrogram"]
        return kept[id(clip)]

    def _learn(self, sounds: Sounds, labels: Labels, progress: FitProgress) -> None:
        if {*self._names_to_learn()} <= {*self._learnable[-2:]}:
            self._kept_spectrograms_: dict[int, np.ndarray] = {}  # which learning does not change, by id of the clip
        try:
            super()._learn(sounds, labels, progress)
        finally:
            if hasattr(self, "_kept_spectrograms_"):
                del self._kept_spectrograms_

    def _derivative(
        self, clip: np.ndarray, step: np.ndarray, parameter_steps: dict[str, np.ndarray], output: str
    ) -> tuple[np.ndarray, np.ndarray]:
        if output != "cortical":
            return super()._derivative(clip, step, parameter_steps, output)
        spectrogram, derivative = super()._derivative(clip, step, parameter_steps, "spectrogram")
        return of_cortical(spectrogram, derivative, self._strfs(), parameter_steps, self.response)

    def _learnable_names(self) -> tuple[str, ...]:
        return self._learnable if self.output == "cortical" else AuditorySpectrogram._learnable

    def _bounds(self) -> dict[str, tuple[Any, Any]]:
        rates = np.sign(self.rates_hz_)  # the sign chooses half of the spectrum: no rate crosses 0
        slowest, fastest = 0.05 * rates, self._frames_a_second() / 2 * rates
        return super()._bounds() | {
            "scales_cycles_per_octave": (SMALLEST_SCALE, CHANNELS_PER_OCTAVE / 2),
            "rates_hz": (np.minimum(slowest, fastest), np.maximum(slowest, fastest)),
        }

    def _pull_back(
        self, bar: Any, output: str, x: Any, responses: dict[str, Any], wrt: set[str], n_threads: int
    ) -> dict[str, Any]:
        grads = {name: np.zeros(len(self.rates_hz_)) for name in self._learnable[-2:]}
        if output == "cortical":
            bar, grads = pull_back(bar, responses["spectrogram"], self._strfs(), self.response, n_threads)
            return grads | self._pull_back_cochlea(bar, x, responses["spectrogram"], wrt, n_threads)
        return grads | super()._pull_back(bar, output, x, responses, wrt, n_threads)
