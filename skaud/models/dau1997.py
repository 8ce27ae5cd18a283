"""Dau et al. (1997): the stages of Osses et al. (2021) without ears, and with the constants of the older model."""

import inspect
from typing import Any

from skaud.models.osses2021 import PRESETS, Osses2021

_EARS = ("headphone", "middle_ear", "phase")
_THEIRS = inspect.signature(Osses2021.__init__)
# What scikit-learn and help() read of the constructor: that of Osses2021, without the ears, with defaults of its own.
_SIGNATURE = _THEIRS.replace(
    parameters=[
        parameter.replace(default=PRESETS["dau1997"].get(name, parameter.default))
        for name, parameter in _THEIRS.parameters.items()
        if not name.startswith(_EARS)
    ]
)


class Dau1997(Osses2021):  # numpydoc ignore=PR02
    """Model of amplitude modulation of Dau et al. (1997): what ``Osses2021.preset("dau1997")`` is.

    Gammatone filterbank, inner hair cells, adaptation loops and modulation filterbank of `Osses2021`, without a
    headphone, an outer and a middle ear, so that `headphone`, `middle_ear` and `phase` are no parameters. The others,
    and all attributes, are those of `Osses2021`; these have other defaults.

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

    References
    ----------
    .. [1] T. Dau, B. Kollmeier, A. Kohlrausch, "Modeling auditory processing of amplitude modulation. I. Detection and
       masking with narrow-band carriers", J. Acoust. Soc. Am. 102:2892, 1997.

    Examples
    --------
    >>> from skaud import Dau1997, datasets
    >>> X = datasets.make_am_noise([5, 77], duration_s=0.5, sample_rate=44100, random_state=0)
    >>> model = Dau1997(low_hz=3000, high_hz=3500, pooling="mean").fit(X)
    >>> modulation_hz = model.modulation_index_.get_level_values("modulation_hz").to_numpy()
    >>> modulation_hz[:11].round()
    array([  0.,   5.,  10.,  17.,  28.,  46.,  77., 129., 214., 357., 595.])
    >>> slow, fast = model.transform(X)
    >>> modulation_hz[(fast - slow).argmax()].round()
    np.float64(77.0)
    """

    def __init__(self, sample_rate: float = 44100, **parameters: Any) -> None:
        _SIGNATURE.bind(self, sample_rate, **parameters)  # refuses what is no parameter
        super().__init__(sample_rate, **PRESETS["dau1997"] | parameters)

    __init__.__signature__ = _SIGNATURE  # type: ignore[attr-defined]

    @classmethod
    def preset(cls, name: str = "dau1997", **overrides: Any) -> "Dau1997":
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
