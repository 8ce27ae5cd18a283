"""Dau et al. (1997): the stages of Osses et al. (2021) without ears, and with the constants of the older model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from numpy.typing import ArrayLike

from skaud.design.adaptation import TIME_CONSTANTS_S
from skaud.design.modulation import LOWEST_HZ
from skaud.fitting.learn import Learn
from skaud.models.osses2021 import Osses2021
from skaud.pooling.statistics import THIRDS
from skaud.pooling.temporal import Pooling


class Dau1997(Osses2021):  # numpydoc ignore=PR02
    """Model of amplitude modulation of Dau et al. (1997): what ``Osses2021.preset("dau1997")`` is.

    Gammatone filterbank, inner hair cells, adaptation loops and modulation filterbank of `Osses2021`, without a
    headphone, an outer and a middle ear, so that `headphone`, `middle_ear` and `phase` are no parameters. The others
    are those of `Osses2021`; these have other defaults.

    Parameters
    ----------
    spacing : {"endpoints", "centered"}, default="centered"
        Channels in steps of exactly 1 ERB.
    hair_cell : {"breebaart2001", "dau1996"}, default="dau1996"
        Half-wave rectifier and a low-pass of first order at 1 kHz.
    adaptation_limit : float or None, default=10.0
        By how much the onset may exceed the steady state in every loop.
    modulation : {"jepsen2008", "dau1997"} or None, default="dau1997"
        Modulation filterbank on the whole envelope, with the magnitude as it is above 10 Hz.
    max_modulation_hz : float or None, default=None
        Highest modulation frequency; None is a quarter of the channel's centre frequency.

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
    The equations stand in the help of the stages, in this order: `GammatoneFilterbank`, `HairCellEnvelope`,
    `AdaptationLoops`, `ModulationFilterbank`. What `vjp` has derivatives by is told in `Osses2021`.

    References
    ----------
    .. [1] T. Dau, B. Kollmeier, A. Kohlrausch, "Modeling auditory processing of amplitude modulation. I. Detection and
       masking with narrow-band carriers", J. Acoust. Soc. Am. 102:2892, 1997.

    Examples
    --------
    >>> from skaud import Dau1997, datasets
    >>> X = datasets.make_am_noise([5, 77], duration_s=0.5, random_state=0)
    >>> model = Dau1997(low_hz=3000, high_hz=3500, pooling="mean").fit(X)
    >>> modulation_hz = model.modulation_index_.get_level_values("modulation_hz").to_numpy()
    >>> modulation_hz[:11].round()
    array([  0.,   5.,  10.,  17.,  28.,  46.,  77., 129., 214., 357., 595.])
    >>> slow, fast = model.transform(X)
    >>> float(modulation_hz[(fast - slow).argmax()].round())
    77.0
    """

    def __init__(
        self,
        sample_rate: float = 44100,
        *,
        low_hz: float = 80.0,
        high_hz: float | None = None,
        spacing: str = "centered",
        bandwidth_factor: float = 1.0,
        hair_cell: str = "dau1996",
        hair_cell_corner_hz: float | None = None,
        adaptation_limit: float | None = 10.0,
        adaptation_time_constants_s: ArrayLike = TIME_CONSTANTS_S,
        minimum_level_db: float = 0.0,
        modulation: str | None = "dau1997",
        max_modulation_hz: float | None = None,
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
        super().__init__(
            sample_rate,
            headphone=False,
            middle_ear=None,
            low_hz=low_hz,
            high_hz=high_hz,
            spacing=spacing,
            bandwidth_factor=bandwidth_factor,
            hair_cell=hair_cell,
            hair_cell_corner_hz=hair_cell_corner_hz,
            adaptation_limit=adaptation_limit,
            adaptation_time_constants_s=adaptation_time_constants_s,
            minimum_level_db=minimum_level_db,
            modulation=modulation,
            max_modulation_hz=max_modulation_hz,
            modulation_q=modulation_q,
            modulation_low_pass_hz=modulation_low_pass_hz,
            envelope_low_pass_hz=envelope_low_pass_hz,
            envelope_attenuation=envelope_attenuation,
            output=output,
            pooling=pooling,
            frame_length=frame_length,
            rms_one_db_spl=rms_one_db_spl,
            learn=learn,
            dtype=dtype,
            n_jobs=n_jobs,
        )

    @classmethod
    def preset(cls, name: str = "dau1997", **overrides: Any) -> Self:
        """Model with the parameters of the publication.

        Parameters
        ----------
        name : {"dau1997"}, default="dau1997"
            The only one; `Osses2021` has others.
        **overrides : Any
            Parameters to set otherwise.

        Returns
        -------
        Dau1997
            An unfitted model.

        Raises
        ------
        ValueError
            If there is no such preset.
        """
        if name != "dau1997":
            raise ValueError(f"name={name!r} is not a preset of Dau1997, only 'dau1997' is; ask Osses2021.")
        return cls(**overrides)
