"""The auditory spectrogram: the cochlear half of the biomimetic front end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha1
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval

from skaud.design import cochlear as design
from skaud.engines.engine import STEP
from skaud.estimator.learning import LearningTransformer
from skaud.estimator.results import check_value_bar
from skaud.estimator.sounds import Sounds
from skaud.fitting.learn import Learn
from skaud.kernels import cochlear as kernel
from skaud.kernels.array_api import array_namespace, is_foreign
from skaud.models import _biomimetic_derivatives as derivatives
from skaud.pooling.temporal import TemporalPooling
from skaud.stages.cochlear import check_exponents, check_inhibition, design_filters, frame_period

_FOREIGN_STATISTICS = ("mean", "std", "min", "max")


class AuditorySpectrogram(LearningTransformer):
    """Auditory spectrogram with learnable parameters.

    129 constant-Q filters, power-law compression, lateral inhibition with half-wave rectification, and leaky
    integration: the cochlear stages of the biomimetic front end, 132 parameters. Arrays of cupy, torch or JAX are
    computed by their own library, and come back as such.

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
    pooling : str, callable, sequence, TemporalPooling or None, default=("mean", "std")
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    rms_one_db_spl : float or None, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in plain samples; 93.98 for pascals, None for the scale of the
        published program, 100. A `Sound` knows its own.
    learn : str, sequence of str, Learn, or None, default=None
        Parameters for `fit` to learn from labels, through a softmax head on the features: "compression" (one exponent a
        channel), "lateral_inhibition", "integration_s", or "full" for all; a `Learn` of them says how.
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
    .. [1] T. Chi, P. Ru, S. A. Shamma, "Multiresolution spectrotemporal analysis of complex sounds", JASA 118, 887,
       2005.
    .. [2] R. L. Famularo, D. N. Zotkin, S. A. Shamma, R. Duraiswami, "Biomimetic frontend for differentiable audio
       processing", 2024.

    Examples
    --------
    >>> from skaud import AuditorySpectrogram, datasets
    >>> X = datasets.make_tone([250, 1000, 4000], duration_s=0.2, sample_rate=16000)
    >>> model = AuditorySpectrogram(pooling="mean").fit(X)
    >>> features = model.transform(X)
    >>> features.shape
    (3, 128)
    >>> model.channel_frequencies_hz_[features.argmax(axis=1)].round(-1)
    array([ 240.,  960., 3840.])
    """

    output: str = "spectrogram"
    _outputs: tuple[str, ...] = kernel.OUTPUTS
    _learnable: tuple[str, ...] = ("compression", "lateral_inhibition", "integration_s")
    _learn_sets = {"full": _learnable}
    _solver = "adam"

    _parameter_constraints: dict = {
        **{k: v for k, v in LearningTransformer._parameter_constraints.items() if k not in ("output", "frame_length")},
        "filters": [str, Path, "array-like"],
        "compression": [Real, "array-like"],
        "lateral_inhibition": ["array-like"],
        "integration_s": [Interval(Real, 0, None, closed="neither")],
        "frame_rate_hz": [Interval(Real, 0, None, closed="neither")],
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
        pooling: str | Callable | Sequence | TemporalPooling | None = ("mean", "std"),
        rms_one_db_spl: float | None = 93.98,
        learn: str | Sequence[str] | Learn | None = None,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.filters = filters
        self.compression = compression
        self.lateral_inhibition = lateral_inhibition
        self.integration_s = integration_s
        self.frame_rate_hz = frame_rate_hz
        self.pooling = pooling
        self.rms_one_db_spl = rms_one_db_spl
        self.learn = learn
        self.dtype = dtype
        self.n_jobs = n_jobs

    # --- parameters to coefficients ---

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.sample_rate < design.SAMPLE_RATE:
            raise ValueError(
                f"sample_rate={self.sample_rate} must be at least {design.SAMPLE_RATE:.0f} Hz, for filters up to 7246 "
                "Hz; raise it, clips at lower rates are resampled to it."
            )
        if is_foreign(self.filters):
            raise ValueError("filters must be 'roex', a path, or B and A as NumPy arrays; convert them.")
        frame_period(self.sample_rate, self.frame_rate_hz)

    def _design_runs(self) -> None:
        parameters = self._parameters()
        self.compression_ = check_exponents(parameters["compression"], design.N_CHANNELS)
        self.lateral_inhibition_ = check_inhibition(parameters["lateral_inhibition"])
        self.integration_s_ = float(parameters["integration_s"])

    def _design(self) -> None:
        self._design_runs()
        self.channel_frequencies_hz_ = design.centre_frequencies_hz()[:-1]
        self.n_channels_ = design.N_CHANNELS - 1
        self._filter_bank_ = design_filters(self.filters, self.sample_rate, self.dtype)
        self.impulse_responses_ = self._filter_bank_.response
        self._fingerprint_ = sha1(
            b"".join(np.asarray(value).tobytes() for value in (self.impulse_responses_, *self._learnt().values()))
        ).hexdigest()[:10]

    def _learnt(self) -> dict[str, Any]:
        """Values of the learnable parameters."""
        return {name: getattr(self, f"{name}_") for name in self._learnable}

    def _cochlea(self) -> kernel.Cochlea:
        return kernel.Cochlea(
            self._filter_bank_,
            self.compression_,
            self.lateral_inhibition_,
            float(np.exp(-1 / (self.integration_s_ * self.sample_rate))),
            frame_period(self.sample_rate, self.frame_rate_hz),
        )

    def _channel_names(self) -> list[str]:
        return [f"{hz:.0f}hz" for hz in self.channel_frequencies_hz_]

    def _frame_samples(self) -> int:
        return frame_period(self.sample_rate, self.frame_rate_hz)

    # --- runs ---

    def _respond(self, x: Any, names: tuple[str, ...], n_threads: int) -> dict[str, Any]:
        """Responses (n_rows, n_channels, ...) to sounds x (n_rows, n_samples), by name; more may come along."""
        gain = self._gain_to_program()
        responses = kernel.run(x if gain == 1 else x * gain, self._cochlea(), names, n_threads)
        if "cochlea" in responses and gain != 1:  # it is linear, and so at the level of x
            responses["cochlea"] = responses["cochlea"] / gain
        return responses

    def _level_in_kernel(self) -> float:
        return self._level_of_one()

    def _gain_to_program(self) -> float:
        """Factor from samples to those that the compression takes."""
        return 10 ** ((self._level_of_one() - self._rms_one_db_spl) / 20)

    def _pull_back(
        self, bar: Any, output: str, x: Any, responses: dict[str, Any], wrt: set[str], n_threads: int
    ) -> dict[str, Any]:
        """Gradients by name from that of one output; responses is what `_respond` returned for it."""
        cochlea, gain = self._cochlea(), self._gain_to_program()
        spectrogram = responses.get("spectrogram")
        # cochlea = run(gain * x) / gain
        bar = bar / gain if output == "cochlea" and gain != 1 else bar
        sound = x if gain == 1 else x * gain
        grads = kernel.run_adjoint(bar, output, sound, cochlea, spectrogram, n_threads, for_x="X" in wrt)
        # decay = exp(-1 / (integration_s * sample_rate))
        integration_bar = grads.decay * cochlea.decay / (self.sample_rate * self.integration_s_**2)
        return {
            "X": grads.x if gain == 1 or grads.x is None else grads.x * gain,
            "compression": grads.compression,
            "lateral_inhibition": grads.kernel,
            "integration_s": integration_bar,
        }

    def _bounds(self) -> dict[str, tuple[Any, Any]]:
        return {"compression": (0.05, 3.0), "lateral_inhibition": (-3.0, 3.0), "integration_s": (5e-4, 0.5)}

    def _differentiable(self) -> tuple[str, ...]:
        return self._learnable

    def _differentiated(self, name: str) -> np.ndarray:
        return np.asarray(getattr(self, f"{name}_"), dtype=float)

    def _vjp_runner(self, n_batches: int) -> Callable:
        return partial(self._run_vjp, n_threads=max(1, effective_n_jobs(self.n_jobs) // n_batches))

    def _run_vjp(
        self,
        clips: list[np.ndarray],
        output: str,
        frame_length: int | None,
        wrt: tuple[str, ...],
        n_threads: int = 1,
    ) -> tuple[list[np.ndarray], Callable]:
        (clip,) = clips
        responses = self._respond(clip, (output,), n_threads)
        response = responses[output]

        def pullback(value_bars: list[np.ndarray]) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
            bar = np.ascontiguousarray(value_bars[0], response.dtype)
            grads = self._pull_back(bar, output, clip, responses, set(wrt), n_threads)
            return [grads["X"]], {name: np.asarray(grads[name], dtype=float) for name in wrt if name != "X"}

        # A caller may change the value before the pullback runs.
        return [response.copy()], pullback

    def _derivatives(
        self,
        clips: list[np.ndarray],
        steps: list[np.ndarray],
        parameter_steps: dict[str, np.ndarray],
        output: str,
        frame_length: int | None,
    ) -> list[np.ndarray]:
        pairs = (self._derivative(clip, step, parameter_steps, output) for clip, step in zip(clips, steps))
        return [derivative for _, derivative in pairs]

    def _derivative(
        self, clip: np.ndarray, step: np.ndarray, parameter_steps: dict[str, np.ndarray], output: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Response to one clip, and its derivative in the direction of the steps."""
        gain = self._gain_to_program()
        found = derivatives.of_spectrogram(
            clip * gain, step * gain, self._cochlea(), parameter_steps, self.sample_rate, output
        )
        found = found / gain if output == "cochlea" else found
        return found.real, found.imag / STEP

    def _map(self, run: Any, sounds: Sounds, batches: list[list[int]], argument: Any, *, pools: bool) -> list[Any]:
        n_threads = max(1, effective_n_jobs(self.n_jobs) // len(batches))
        return super()._map(partial(run, n_threads=n_threads), sounds, batches, argument, pools=pools)

    def _run_frames(self, clips: list[np.ndarray], frame_length: int | None, n_threads: int = 1) -> list[np.ndarray]:
        return [self._respond(clip, (self.output,), n_threads)[self.output] for clip in clips]

    def _run_full(
        self, clips: list[np.ndarray], names: tuple[str, ...], n_threads: int = 1
    ) -> list[tuple[np.ndarray, ...]]:
        responses = [self._respond(clip, names, n_threads) for clip in clips]
        return [tuple(response[name] for name in names) for response in responses]

    def _initial_arrays(self, n_ears: int) -> Any:
        raise TypeError(
            f"{type(self).__name__} filters whole blocks, so it has no chunk-by-chunk form; pass whole signals "
            "to transform."
        )

    def _run_chunk(self, clip: np.ndarray, arrays: Any, frame_length: int | None) -> Any:
        return self._initial_arrays(len(clip))

    # --- arrays of other libraries ---

    def _stays_where_it_is(self, X: Any) -> bool:
        return is_foreign(X)

    def _as_rows(self, X: Any) -> Any:
        """X of another library, (n_signals, n_samples), at the model's level; an error where it is something else."""
        xp = array_namespace(X)
        if len(X.shape) != 2 or 0 in X.shape or X.dtype != getattr(xp, self.dtype):
            raise ValueError(
                f"X is a {type(X).__name__} of {X.dtype} and shape {tuple(X.shape)}; it must be {self.dtype}, "
                "(n_signals, n_samples): cast or reshape it, or set dtype."
            )
        if not bool(xp.all(xp.isfinite(X))):
            raise ValueError("X has samples that are NaN or infinite; every sample must be finite. Cut them out.")
        return X

    def _vjp_where_it_is(
        self, X: Any, names: tuple[str, ...], output: str
    ) -> tuple[Any, Callable[[Any], dict[str, Any]]]:
        if output == "features" and self.pooling is not None:
            raise ValueError(
                f"pooling={self.pooling!r} has no gradient for a {type(X).__name__}; set pooling=None, or pass "
                "a NumPy array."
            )
        source = self.output if output == "features" else output
        x = self._as_rows(X)
        responses = self._respond(x, (source,), 1)
        value = responses[source]

        def pullback(value_bar: Any) -> dict[str, Any]:
            check_value_bar(value_bar, value)
            bar = array_namespace(value).astype(value_bar, value.dtype)
            grads = self._pull_back(bar, source, x, responses, set(names), 1)
            return {name: grads[name] for name in names}

        return value, pullback

    def _simulate_on_gpu(self, X: Any, name: str) -> Any:
        return self._respond(self._as_rows(X), (name,), 1)[name]

    def _transform_on_gpu(self, X: Any, frame_length: int | None) -> Any:
        xp = array_namespace(X)
        frames = self._simulate_on_gpu(X, self.output)
        if self.pooling is None:
            return frames
        statistics, segments = self._pooling()
        names = (statistics,) if isinstance(statistics, str) or callable(statistics) else tuple(statistics)
        if segments != 1 or any(name not in _FOREIGN_STATISTICS for name in names):
            raise ValueError(
                f"pooling={self.pooling!r} is for NumPy arrays; a {type(X).__name__} is pooled by "
                f"{_FOREIGN_STATISTICS}, in one segment. Choose among them, or set pooling=None for the frames."
            )
        pooled = [xp.reshape(getattr(xp, name)(frames, axis=-1), (X.shape[0], -1)) for name in names]
        return xp.concat(pooled, axis=-1)
