"""Osses et al. (2021): ears, filterbank, hair cells, adaptation, modulation filterbank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from skaud.design.adaptation import TIME_CONSTANTS_S
from skaud.design.ears import MIDDLE_EARS
from skaud.design.modulation import KINDS, LOWEST_HZ
from skaud.fitting.learn import Learn
from skaud.fitting.movable import Parameters
from skaud.pooling.statistics import THIRDS
from skaud.pooling.temporal import Pooling
from skaud.stages.adaptation import AdaptationLoops
from skaud.stages.ears import HeadphoneFilter, MiddleEarFilter
from skaud.stages.gammatone import GammatoneFilterbank
from skaud.stages.hair_cell import HairCellEnvelope
from skaud.stages.modulation import ModulationFilterbank
from skaud.stages.stage import ChainStage
from skaud.stages.staged import StagedTransformer

PRESETS: dict[str, Parameters] = {
    "osses2021": {},
    # What the Auditory Modeling Toolbox 1.4 computes.
    "amt": {"phase": "amt", "spacing": "centered", "middle_ear": "lopezpoveda2001", "max_modulation_hz": 1000.0},
    # T. Dau et al. (1997), JASA 102:2892.
    "dau1997": {
        "headphone": False,
        "middle_ear": None,
        "spacing": "centered",
        "hair_cell": "dau1996",
        "adaptation_limit": 10.0,
        "modulation": "dau1997",
        "max_modulation_hz": None,
    },
}


class Osses2021(StagedTransformer):
    """Monaural auditory model of Osses et al. (2021).

    Headphone and outer ear, middle ear, gammatone filterbank, inner hair cells, adaptation loops, modulation
    filterbank: each is a transformer of its own too, in `skaud.stages`.

    Parameters
    ----------
    sample_rate : float, default=44100
        Rate of the model in Hz, 8 to 192 kHz; clips at other rates are resampled to it.
    headphone : bool, default=True
        Whether the sound comes by headphone, and through the outer ear.
    middle_ear : {"jepsen2008", "lopezpoveda2001"} or None, default="jepsen2008"
        Middle ear; None leaves it out.
    phase : {"minimum", "zero", "amt"}, default="minimum"
        Ear filters: causal; without phase shift; or as in the Auditory Modeling Toolbox.
    headphone_gains_db, middle_ear_gains_db : array-like of shape (n_frequencies,) or None, default=None
        Gains at the frequencies of the published tables, ``stages_.headphone.frequencies_hz_`` and
        ``stages_.middle_ear.frequencies_hz_``; None means the published ones.
    low_hz : float, default=80.0
        Lowest centre frequency; where `high_hz` equals it, the only one.
    high_hz : float or None, default=None
        Highest centre frequency. None means the published 8000 Hz, capped by `sample_rate`: of the channels up to
        there, those below half the rate. A number beyond it is an error.
    spacing : {"endpoints", "centered"}, default="endpoints"
        Channels from low_hz to high_hz; or in steps of exactly 1 ERB between them.
    bandwidth_factor : float, default=1.0
        Width of the filters over that of a healthy ear's.
    hair_cell : {"breebaart2001", "dau1996"}, default="breebaart2001"
        Low-passes of the inner hair cell.
    hair_cell_corner_hz : float or None, default=None
        Corner of each of them; None means that of `hair_cell`.
    adaptation_limit : float or None, default=5.0
        By how much the onset may exceed the steady state in every loop; None is no limit.
    adaptation_time_constants_s : sequence of float, default=(0.005, 0.050, 0.129, 0.253, 0.500)
        Time constants of the loops.
    minimum_level_db : float, default=0.0
        Floor of the adaptation's input in dB SPL.
    modulation : {"jepsen2008", "dau1997"} or None, default="jepsen2008"
        Modulation filterbank; None leaves it out, with ``output="adaptation"`` or one before.
    max_modulation_hz : float or None, default=150.0
        Highest modulation frequency; None leaves the limit to the channels' centre frequencies.
    modulation_q : float, default=2.0
        Quality factor of the modulation filters above 10 Hz.
    modulation_low_pass_hz : float, default=2.5
        Corner of the lowest modulation filter, a low-pass.
    envelope_low_pass_hz : float or None, default=None
        Corner of the low-pass before the modulation filters; None means that of `modulation`.
    envelope_attenuation : float or None, default=None
        Factor of the magnitudes that the filters above 10 Hz give; None means that of `modulation`.
    output : {"modulation", "adaptation", "hair_cell", "filterbank", "middle_ear", "headphone"}, default="modulation"
        Response that `transform` takes its features from.
    pooling : str, callable, sequence, dict, TemporalPooling or None, default=(("mean", 3), ("std", 1))
        Statistics over the frames of a signal, as `TemporalPooling` knows them: by default the mean of each third, and
        the standard deviation over all. None returns the frames.
    frame_length : float or None, default=0.010
        Length of a frame in s, averaged inside the kernel; the last, incomplete one of a signal is dropped, unless it
        is the only one. None keeps every sample.
    rms_one_db_spl : float or None, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in plain samples; 93.98 for pascals, None for the scale of the
        published program, 100. A `Sound` knows its own.
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
        Centre frequency and modulation frequency of every feature of "modulation", where the model has it.
    coefficients_ : tuple of Part
        What happens to a channel from the filterbank on, one after the other, and its coefficients in float64.
    frame_rate_hz_ : float
        Frames a second.
    <parameter>_ : float or ndarray
        Value of every parameter that `learn` names, such as ``adaptation_limit_``.
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
    The equations stand in the help of the stages, in this order: `HeadphoneFilter`, `MiddleEarFilter`,
    `GammatoneFilterbank`, `HairCellEnvelope`, `AdaptationLoops`, `ModulationFilterbank`.

    `vjp` has derivatives with respect to X, the gains of the ears, `bandwidth_factor`, `hair_cell_corner_hz`, the
    parameters of the adaptation (`adaptation_limit` where there is a limit) and those of the modulation filters.
    Derivatives of the rectifier and of a magnitude at 0 are taken as 0, so that silence has finite ones. Below its
    floor the adaptation does not depend on X. With respect to `modulation_q` the number of filters stays what it is.

    References
    ----------
    .. [1] A. Osses, A. Kohlrausch, "Perceptual similarity between piano notes: Simulations with a template-based
       perception model", J. Acoust. Soc. Am. 149:3534, 2021.
    .. [2] P. Majdak, C. Hollomey, R. Baumgartner, "AMT 1.x: A toolbox for reproducible research in auditory modeling",
       Acta Acustica 6:19, 2022.

    Examples
    --------
    >>> from skaud import Osses2021, datasets
    >>> X = datasets.make_tone([250, 1000, 4000], duration_s=0.2, sample_rate=44100)
    >>> model = Osses2021(sample_rate=44100, output="adaptation", pooling="mean").fit(X)
    >>> features = model.transform(X)
    >>> features.shape
    (3, 31)
    >>> model.channel_frequencies_hz_[features.argmax(axis=1)].round(-1)
    array([ 250., 1050., 4040.])
    """

    stage_classes = {
        "headphone": HeadphoneFilter,
        "middle_ear": MiddleEarFilter,
        "filterbank": GammatoneFilterbank,
        "hair_cell": HairCellEnvelope,
        "adaptation": AdaptationLoops,
        "modulation": ModulationFilterbank,
    }
    renamed = {"headphone": {"gains_db": "headphone_gains_db"}, "middle_ear": {"gains_db": "middle_ear_gains_db"}}
    # The adaptation loops know the scale of level; what comes before them is linear.
    not_theirs = ("pooling", "frame_length", "n_jobs")

    _parameter_constraints: dict = {
        "headphone": ["boolean"],
        "middle_ear": [StrOptions(set(MIDDLE_EARS)), None],
        "modulation": [StrOptions(set(KINDS)), None],
    }

    def __init__(
        self,
        sample_rate: float = 44100,
        *,
        headphone: bool = True,
        middle_ear: str | None = "jepsen2008",
        phase: str = "minimum",
        headphone_gains_db: ArrayLike | None = None,
        middle_ear_gains_db: ArrayLike | None = None,
        low_hz: float = 80.0,
        high_hz: float | None = None,
        spacing: str = "endpoints",
        bandwidth_factor: float = 1.0,
        hair_cell: str = "breebaart2001",
        hair_cell_corner_hz: float | None = None,
        adaptation_limit: float | None = 5.0,
        adaptation_time_constants_s: ArrayLike = TIME_CONSTANTS_S,
        minimum_level_db: float = 0.0,
        modulation: str | None = "jepsen2008",
        max_modulation_hz: float | None = 150.0,
        modulation_q: float = 2.0,
        modulation_low_pass_hz: float = LOWEST_HZ,
        envelope_low_pass_hz: float | None = None,
        envelope_attenuation: float | None = None,
        output: str = "modulation",
        pooling: Pooling = THIRDS,
        frame_length: float | None = 0.010,
        rms_one_db_spl: float | None = 93.98,
        learn: str | Sequence[str] | Learn | None = None,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.headphone = headphone
        self.middle_ear = middle_ear
        self.phase = phase
        self.headphone_gains_db = headphone_gains_db
        self.middle_ear_gains_db = middle_ear_gains_db
        self.low_hz = low_hz
        self.high_hz = high_hz
        self.spacing = spacing
        self.bandwidth_factor = bandwidth_factor
        self.hair_cell = hair_cell
        self.hair_cell_corner_hz = hair_cell_corner_hz
        self.adaptation_limit = adaptation_limit
        self.adaptation_time_constants_s = adaptation_time_constants_s
        self.minimum_level_db = minimum_level_db
        self.modulation = modulation
        self.max_modulation_hz = max_modulation_hz
        self.modulation_q = modulation_q
        self.modulation_low_pass_hz = modulation_low_pass_hz
        self.envelope_low_pass_hz = envelope_low_pass_hz
        self.envelope_attenuation = envelope_attenuation
        self.output = output
        self.pooling = pooling
        self.frame_length = frame_length
        self.rms_one_db_spl = rms_one_db_spl
        self.learn = learn
        self.dtype = dtype
        self.n_jobs = n_jobs

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> Self:
        """Model with the parameters of a publication or a program.

        Parameters
        ----------
        name : {"osses2021", "amt", "dau1997"}
            The paper's model; what the Auditory Modeling Toolbox computes for it; the model of Dau et al. (1997).
        **overrides : Any
            Parameters to set otherwise.

        Returns
        -------
        Osses2021
            An unfitted model.

        Raises
        ------
        ValueError
            If there is no such preset.
        """
        if name not in PRESETS:
            raise ValueError(f"name={name!r} is not a preset; it must be one of {tuple(PRESETS)}.")
        return cls(**{**PRESETS[name], **overrides})

    # --- the stages ---

    def level_in_kernel(self) -> float:
        return self.level_of_one()

    def make_design(self) -> None:
        super().make_design()
        self.n_channels_ = self.stages_.filterbank.n_channels_
        self.channel_frequencies_hz_ = self.stages_.filterbank.channel_frequencies_hz_
        in_chain = (stage for stage in self.stages_.values() if isinstance(stage, ChainStage))
        self.coefficients_ = tuple(part for stage in in_chain for part in stage.coefficients_)

    @property
    def modulation_index_(self) -> pd.MultiIndex:
        """Centre frequency and modulation frequency of every feature of "modulation", in Hz."""
        check_is_fitted(self)
        if "modulation" not in self.stages_:
            raise AttributeError("modulation_index_: modulation=None leaves the modulation filterbank out.")
        return self.stages_.modulation.modulation_index_
