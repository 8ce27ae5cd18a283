"""Modulation filterbank as a transformer."""

from collections.abc import Callable, Sequence
from numbers import Real

import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions

from skaud.base import AudioTransformer
from skaud.design import gammatone
from skaud.design import modulation as design
from skaud.design.one_pole import low_pass
from skaud.design.osses2021 import Design
from skaud.stages._stage import ChannelStage
from skaud.stages.gammatone import GammatoneFilterbank, check_range
from skaud.stages.pooling import TemporalPooling

MAX_Q = 50  # already 250 filters a channel


class ModulationFilterbank(ChannelStage):
    """Modulation filters on every channel of a filterbank, those below a quarter of its centre frequency.

    Filters up to 10 Hz keep the phase of the modulation, those above give its magnitude.

    Parameters
    ----------
    sample_rate : float, default=44100
        Rate of the stage in Hz, 8 to 192 kHz.
    low_hz, high_hz, spacing : float, float, str, default=80.0, 8000.0, "endpoints"
        Channels of the filterbank before, as for `GammatoneFilterbank`.
    modulation : {"jepsen2008", "dau1997"}, default="jepsen2008"
        With a low-pass at 150 Hz before, and magnitudes scaled by the root of 1/2; or without both.
    max_modulation_hz : float or None, default=150.0
        Highest modulation frequency; None leaves the limit to the channels' centre frequencies.
    modulation_q : float, default=2.0
        Quality factor of the filters above 10 Hz.
    pooling : str, callable, sequence, TemporalPooling or None, default=None
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    frame_length : float or None, default=None
        Length of a frame in s, averaged inside the kernel; None keeps every sample.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals.

    Attributes
    ----------
    modulation_index_ : pandas.MultiIndex
        Centre frequency and modulation frequency of every feature, in Hz.
    n_channels_in_ : int
        Channels of X in `fit`.
    coefficients_ : Design
        Coefficients, in float64.

    References
    ----------
    .. [1] T. Dau, B. Kollmeier, A. Kohlrausch, "Modeling auditory processing of amplitude modulation. I", J. Acoust.
       Soc. Am. 102:2892, 1997.
    .. [2] M. Jepsen, S. Ewert, T. Dau, "A computational model of human auditory signal processing and perception",
       J. Acoust. Soc. Am. 124:422, 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import ModulationFilterbank
    >>> bank = ModulationFilterbank(low_hz=500, high_hz=1000).fit(np.zeros((1, 5, 100)))
    >>> bank.modulation_index_[:3].to_list()
    [(500.0, 0.0), (500.0, 5.0), (500.0, 10.0)]
    >>> bank.get_feature_names_out()[1]
    'modulation_fc500_mf5'
    """

    _outputs = ("modulation",)
    output = "modulation"

    _parameter_constraints: dict = {
        **AudioTransformer._parameter_constraints,
        **{name: GammatoneFilterbank._parameter_constraints[name] for name in ("low_hz", "high_hz", "spacing")},
        "modulation": [StrOptions(set(design.KINDS))],
        "max_modulation_hz": [Interval(Real, 0, None, closed="neither"), None],
        "modulation_q": [Real],
    }

    def __init__(
        self,
        sample_rate: float = 44100,
        *,
        low_hz: float = 80.0,
        high_hz: float = 8000.0,
        spacing: str = "endpoints",
        modulation: str = "jepsen2008",
        max_modulation_hz: float | None = 150.0,
        modulation_q: float = 2.0,
        pooling: str | Callable | Sequence | TemporalPooling | None = None,
        frame_length: float | None = None,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.low_hz = low_hz
        self.high_hz = high_hz
        self.spacing = spacing
        self.modulation = modulation
        self.max_modulation_hz = max_modulation_hz
        self.modulation_q = modulation_q
        self.pooling = pooling
        self.frame_length = frame_length
        self.dtype = dtype
        self.n_jobs = n_jobs

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_range(self.low_hz, self.high_hz, self.sample_rate)
        if not 0.5 < self.modulation_q <= MAX_Q:
            raise ValueError(
                f"modulation_q={self.modulation_q} must be above 0.5, where filters side by side would reach 0 Hz, and "
                f"at most {MAX_Q}; the published one is 2."
            )

    def _make_design(self) -> Design:
        center_hz = gammatone.center_frequencies(self.low_hz, self.high_hz, self.spacing)
        if len(center_hz) != self.n_channels_in_:
            raise ValueError(
                f"X has {self.n_channels_in_} channels, and low_hz={self.low_hz}, high_hz={self.high_hz}, spacing="
                f"{self.spacing!r} make {len(center_hz)}; pass those of the filterbank that X comes from."
            )
        limits = design.channel_limits(center_hz, self.max_modulation_hz)
        frequencies = [design.modulation_frequencies(limit, self.modulation_q) for limit in limits]
        pairs = [(fc, mf) for fc, channel in zip(center_hz.round(6), frequencies) for mf in channel]
        self.modulation_index_ = pd.MultiIndex.from_tuples(pairs, names=["center_hz", "modulation_hz"])
        longest = max(frequencies, key=len)
        low_passed = self.modulation == "jepsen2008"
        return Design(
            n_channels=len(center_hz),
            envelope_low_pass=low_pass(design.LOW_PASS_HZ, self.sample_rate) if low_passed else None,
            modulation=design.design_modulation(longest, self.sample_rate, self.modulation_q, self.modulation),
            n_filters=tuple(len(channel) for channel in frequencies),
        )

    def _channel_names(self) -> list[str]:
        return modulation_names(self.modulation_index_)


def modulation_names(index: pd.MultiIndex) -> list[str]:
    """Names such as fc1055_mf5."""
    return [f"fc{fc:.0f}_mf{mf:.0f}" for fc, mf in index]
