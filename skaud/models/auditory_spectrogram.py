"""The auditory spectrogram: the cochlear half of the biomimetic front end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from skaud.fitting.learn import Learn
from skaud.pooling.statistics import THIRDS
from skaud.pooling.temporal import Pooling
from skaud.stages.cochlear_filterbank import CochlearFilterbank
from skaud.stages.spectrogram import LateralInhibition, LeakyIntegrator, PowerLawCompression, frame_period
from skaud.stages.staged import StagedTransformer


class AuditorySpectrogram(StagedTransformer):
    """Auditory spectrogram with learnable parameters.

    129 constant-Q filters, power-law compression, lateral inhibition with half-wave rectification, and leaky
    integration: the cochlear stages of the biomimetic front end, 132 parameters. Arrays of a
    device are computed there, by their own library.

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
    pooling : str, callable, sequence, dict, TemporalPooling or None, default=(("mean", 3), ("std", 1))
        Statistics over the frames of a signal, as `TemporalPooling` knows them: by default the mean of each third, and
        the standard deviation over all. None returns the frames.
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
    stages_ : Bunch
        The fitted stages by name, in order.
    latency_s_ : float
        Longest time that a stream waits for a frame: chunks go through in whole blocks.

    Notes
    -----
    The equations stand in the help of the stages, in this order: `CochlearFilterbank`, `PowerLawCompression`,
    `LateralInhibition`, `LeakyIntegrator`.

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

    stage_classes = {
        "cochlea": CochlearFilterbank,
        "compressed": PowerLawCompression,
        "inhibited": LateralInhibition,
        "spectrogram": LeakyIntegrator,
    }
    output: str = "spectrogram"
    frame_length = None
    default_solver = "adam"
    learn_sets = {"full": ("compression", "lateral_inhibition", "integration_s")}
    not_theirs = ("pooling", "frame_length", "n_jobs")

    def __init__(
        self,
        sample_rate: float = 16000,
        *,
        filters: str | Path | tuple[ArrayLike, ArrayLike] = "roex",
        compression: float | ArrayLike = 1.0,
        lateral_inhibition: ArrayLike = (1, -1),
        integration_s: float = 0.008,
        frame_rate_hz: float = 200,
        pooling: Pooling = THIRDS,
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

    def make_design(self) -> None:
        super().make_design()
        self.channel_frequencies_hz_ = self.stages_.cochlea.channel_frequencies_hz_[:-1]
        self.n_channels_ = len(self.channel_frequencies_hz_)
        self.latency_s_ = self.stages_.cochlea.latency_s_
        for stage in self.stages_.values():
            for name in stage.differentiable():
                setattr(self, f"{name}_", getattr(stage, f"{name}_"))

    @property
    def impulse_responses_(self) -> np.ndarray:
        """Cochlear filters, (129, n_taps)."""
        responses: np.ndarray = self.stages_.cochlea.impulse_responses_
        return responses

    def level_in_kernel(self) -> float:
        return self.level_of_one()  # the compression knows the level; the rest is linear

    def frame_samples(self) -> int:
        return frame_period(self.sample_rate, self.frame_rate_hz)
