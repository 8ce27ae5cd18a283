"""King, Varnet & Lorenzi (2019): filterbank, compression, hair cells, adaptation, modulation filterbank."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from skaud.design.king2019 import FULL_SCALE_DB
from skaud.fitting.learn import Learn
from skaud.pooling.statistics import THIRDS
from skaud.pooling.temporal import Pooling
from skaud.stages.gammatone import GammatoneFilterbank
from skaud.stages.hair_cell import HairCellEnvelope
from skaud.stages.king2019 import AdaptationHighPass, Compression, ModulationBandpass
from skaud.stages.staged import StagedTransformer


class King2019(StagedTransformer):
    """Model of amplitude modulation of King, Varnet & Lorenzi (2019).

    Gammatone filterbank, compression above a knee, inner hair cells, adaptation by a high-pass, and band-pass
    modulation filters: each is a transformer of its own too, in `skaud.stages`.

    Parameters
    ----------
    sample_rate : float, default=44100
        Rate of the model in Hz, 8 to 192 kHz; clips at other rates are resampled to it.
    low_hz, high_hz : float, float or None, default=80.0, None
        Range of the centre frequencies; None is 8000 Hz, of whose channels those below half the sample rate are there.
    spacing : {"endpoints", "centered"}, default="centered"
        Channels from low_hz to high_hz; or in steps of exactly 1 ERB between them.
    bandwidth_factor : float, default=1.0
        Width of the filters over that of a healthy ear's.
    compression : {"broken_stick", "power"} or None, default="broken_stick"
        Linear up to the knee and a power above; a power everywhere, which expands below the knee; or no compression.
    compression_exponent : float or array of shape (n_channels,), default=0.3
        Exponent, 1 for none.
    compression_knee_db : float, default=30.0
        Level of the knee: that of a sound whose RMS has the amplitude of the knee.
    hair_cell_corner_hz : float or None, default=None
        Corner of the hair cells' low-pass of first order; None means 1000 Hz.
    adaptation_corner_hz : float, default=3.0
        Corner of the high-pass.
    modulation_low_hz, modulation_high_hz : float, default=2.0, 150.0
        Range of the modulation filters' centre frequencies.
    modulation_q : float, default=1.0
        Quality factor of the modulation filters.
    modulation_n_filters : int or None, default=None
        Number of modulation filters, evenly on a log axis; None is one after the other, each where the one before ends.
    modulation_low_pass_hz : float or None, default=None
        Corner of a low-pass of first order before the modulation filters; None leaves it out.
    phase : {"insensitive", "signed"}, default="insensitive"
        Above 10 Hz the envelope of a modulation filter's response, or all responses as they are.
    output : {"modulation", "adaptation", "hair_cell", "compression", "filterbank"}, default="modulation"
        Response that `transform` takes its features from.
    pooling : str, callable, sequence, dict, TemporalPooling or None, default=(("mean", 3), ("std", 1))
        Statistics over the frames of a signal, as `TemporalPooling` knows them: by default the mean of each third, and
        the standard deviation over all. None returns the frames.
    frame_length : float or None, default=0.010
        Length of a frame in s, over which responses are averaged; the last, incomplete one of a signal is dropped,
        unless it is the only one. None keeps every sample.
    rms_one_db_spl : float or None, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in plain samples; 93.98 for pascals, as has the published program,
        which None stands for. A `Sound` knows its own.
    learn : str, sequence of str, Learn, or None, default=None
        Parameters for `fit` to learn from labels, through a softmax head on the features: those that `vjp` knows
        and the output depends on; a `Learn` of them says how.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals; the result is the same for any number.

    Attributes
    ----------
    stages_ : Bunch
        The fitted stages by name, in order.
    n_channels_ : int
        Number of channels, low to high.
    channel_frequencies_hz_ : ndarray of shape (n_channels_,)
        Centre frequencies.
    modulation_index_ : pandas.MultiIndex
        Centre frequency and modulation frequency of every feature of "modulation".
    frame_rate_hz_ : float
        Frames a second.
    <parameter>_ : float or ndarray
        Value of every parameter that `learn` names, such as ``compression_exponent_``.
    n_iter_ : int
        Iterations of learning; 1 where nothing is learned.
    loss_curve_ : list of float
        Loss, where fit learned: at the start and after every iteration of L-BFGS, or in every iteration of Adam.
    validation_scores_ : list of float
        Accuracy on what was held out, after every iteration, with ``early_stopping=True``.
    n_ears_in_ : int or None
        Ears of the signals in `fit`; None where they had no axis for them.
    n_features_in_ : int
        Samples of a signal, where X was a 2-D array in `fit`.

    Notes
    -----
    The equations stand in the help of the stages, in this order: `GammatoneFilterbank`, `Compression`,
    `HairCellEnvelope`, `AdaptationHighPass`, `ModulationBandpass`.

    With ``phase="signed"`` the responses are those of the Auditory Modeling Toolbox 1.4, its modulation filters as
    second-order sections. Where the toolbox takes a Hilbert envelope, which depends on what is to come, the envelope
    here is causal, see `ModulationBandpass`. `vjp` has derivatives with respect to X and to all
    numbers but `low_hz`, `high_hz` and those that only count or leave out.

    References
    ----------
    .. [1] A. King, L. Varnet, C. Lorenzi, "Accounting for masking of frequency modulation by amplitude modulation with
       the modulation filter-bank concept", J. Acoust. Soc. Am. 145:2277, 2019.

    Examples
    --------
    >>> from skaud import King2019, datasets
    >>> X = datasets.make_am_noise([5, 90], duration_s=0.5, random_state=0)
    >>> model = King2019(low_hz=1000, high_hz=2000, pooling="mean").fit(X)
    >>> modulation_hz = model.modulation_index_.get_level_values("modulation_hz").to_numpy()
    >>> modulation_hz[:5].round()
    array([ 2.,  5., 14., 36., 94.])
    >>> slow, fast = model.transform(X)
    >>> float(modulation_hz[(fast - slow).argmax()].round())
    94.0
    """

    full_scale_db_spl = FULL_SCALE_DB
    hair_cell = "dau1996"  # its one low-pass at 1000 Hz

    stage_classes = {
        "filterbank": GammatoneFilterbank,
        "compression": Compression,
        "hair_cell": HairCellEnvelope,
        "adaptation": AdaptationHighPass,
        "modulation": ModulationBandpass,
    }
    _parameter_constraints: dict = {"compression": [StrOptions({"broken_stick", "power"}), None]}

    def __init__(
        self,
        sample_rate: float = 44100,
        *,
        low_hz: float = 80.0,
        high_hz: float | None = None,
        spacing: str = "centered",
        bandwidth_factor: float = 1.0,
        compression: str | None = "broken_stick",
        compression_exponent: float | ArrayLike = 0.3,
        compression_knee_db: float = 30.0,
        hair_cell_corner_hz: float | None = None,
        adaptation_corner_hz: float = 3.0,
        modulation_low_hz: float = 2.0,
        modulation_high_hz: float = 150.0,
        modulation_q: float = 1.0,
        modulation_n_filters: int | None = None,
        modulation_low_pass_hz: float | None = None,
        phase: str = "insensitive",
        output: str = "modulation",
        pooling: Pooling = THIRDS,
        frame_length: float | None = 0.010,
        rms_one_db_spl: float | None = 93.98,
        learn: str | Sequence[str] | Learn | None = None,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.low_hz = low_hz
        self.high_hz = high_hz
        self.spacing = spacing
        self.bandwidth_factor = bandwidth_factor
        self.compression = compression
        self.compression_exponent = compression_exponent
        self.compression_knee_db = compression_knee_db
        self.hair_cell_corner_hz = hair_cell_corner_hz
        self.adaptation_corner_hz = adaptation_corner_hz
        self.modulation_low_hz = modulation_low_hz
        self.modulation_high_hz = modulation_high_hz
        self.modulation_q = modulation_q
        self.modulation_n_filters = modulation_n_filters
        self.modulation_low_pass_hz = modulation_low_pass_hz
        self.phase = phase
        self.output = output
        self.pooling = pooling
        self.frame_length = frame_length
        self.rms_one_db_spl = rms_one_db_spl
        self.learn = learn
        self.dtype = dtype
        self.n_jobs = n_jobs

    def make_design(self) -> None:
        super().make_design()
        self.n_channels_ = self.stages_.filterbank.n_channels_
        self.channel_frequencies_hz_ = self.stages_.filterbank.channel_frequencies_hz_

    @property
    def modulation_index_(self) -> pd.MultiIndex:
        """Centre frequency and modulation frequency of every feature of "modulation", in Hz."""
        check_is_fitted(self)
        axes = [self.channel_frequencies_hz_.round(6), self.stages_.modulation.modulation_frequencies_hz_]
        return pd.MultiIndex.from_product(axes, names=["center_hz", "modulation_hz"])
