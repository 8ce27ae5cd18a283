"""The biomimetic front end: auditory spectrogram and cortical features, with 212 learnable parameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from numpy.typing import ArrayLike
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions

from skaud._types import Seed
from skaud.fitting.learn import Learn
from skaud.models.auditory_spectrogram import AuditorySpectrogram
from skaud.pooling.temporal import Pooling
from skaud.stages.cortical import HELD_AT_ONCE, CorticalSTRF, refuse_pooling_of_complex


class BiomimeticFrontend(AuditorySpectrogram):
    """Biomimetic front end of Famularo et al. (2024): cochlear and cortical features with learnable parameters.

    An auditory spectrogram of 128 channels, and the responses of spectrotemporal receptive fields (STRFs) to it.
    With 40 of them, 212 parameters can be learned. Arrays of a device are computed there, by their own
    library.

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
    pooling : str, callable, sequence, dict, TemporalPooling or None, default="std"
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
    stages_ : Bunch
        The fitted stages by name, in order.
    latency_s_ : float
        Longest time that a stream waits for a frame: chunks go through in whole blocks, and STRFs hear ahead.

    Notes
    -----
    The equations stand in the help of the stages, in this order: `CochlearFilterbank`, `PowerLawCompression`,
    `LateralInhibition`, `LeakyIntegrator`, `CorticalSTRF`.

    The spread over time of a real response is its strength, and its mean close to 0; the mean says more where
    ``response="magnitude"``. Either is 5120 features, of neighbours that say nearly the same: for a classifier,
    ``skaud.recipes.auditory_spectrogram_cepstra`` makes 1920 of the magnitudes.

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

    stage_classes = {**AuditorySpectrogram.stage_classes, "cortical": CorticalSTRF}
    learn_sets = {
        "full": (*AuditorySpectrogram.learn_sets["full"], "scales_cycles_per_octave", "rates_hz"),
        "cortical": ("scales_cycles_per_octave", "rates_hz"),
    }
    frames_held = HELD_AT_ONCE

    _parameter_constraints: dict = {"output": [StrOptions({"spectrogram", "cortical"})]}

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
        pooling: Pooling = "std",
        rms_one_db_spl: float | None = 93.98,
        random_state: Seed = None,
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

    def check_parameters(self) -> None:
        super().check_parameters()
        refuse_pooling_of_complex(self)

    def make_stages(self) -> Bunch:
        stages = super().make_stages()
        stages.cortical.frame_rate_hz = self.sample_rate / self.frame_samples()  # the exact one
        return stages

    def make_design(self) -> None:
        is_first = not self.found_
        super().make_design()
        if is_first:
            self.initial_scales_cycles_per_octave_ = self.scales_cycles_per_octave_
            self.initial_rates_hz_ = self.rates_hz_
        # Drawn once a fit, however often it designs.
        given = self.parameters_in_use()
        drawn = {name: getattr(self, f"{name}_") for name in self.learn_sets["cortical"] if given[name] is None}
        self.found_ |= drawn
        self.stages_.cortical.found_ |= drawn
        if self.output == "cortical":
            self.latency_s_ += self.stages_.cortical.latency_s_
