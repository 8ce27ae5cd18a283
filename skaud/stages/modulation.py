"""Modulation filterbank as a transformer."""

from __future__ import annotations

from numbers import Real

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skaud.design import modulation as design
from skaud.design.one_pole import low_pass
from skaud.estimator.naming import told_apart
from skaud.fitting.movable import Parameters
from skaud.kernels.chain.hair_cell import LowPass
from skaud.kernels.chain.kind import Kind, Part, table_of
from skaud.kernels.chain.modulation import EnvelopeFilter, LinearFilter
from skaud.pooling.temporal import Pooling
from skaud.stages.gammatone import GammatoneFilterbank, channels_between
from skaud.stages.stage import ChainStage, ChannelStage, check_corner, corner_bounds

MAX_Q = 50  # already 250 filters a channel


class ModulationFilterbank(ChannelStage, ChainStage):
    r"""Modulation filters on every channel of a filterbank, those below a quarter of its centre frequency.

    Filters up to 10 Hz keep the phase of the modulation, those above give its magnitude.

    Parameters
    ----------
    sample_rate : float, default=44100
        Rate of the stage in Hz, 8 to 192 kHz.
    low_hz, high_hz, spacing : float, float or None, str, default=80.0, None, "endpoints"
        Channels of the filterbank before, as for `GammatoneFilterbank`; with ``high_hz=None`` up to 8000 Hz, or as far
        as half of `sample_rate`.
    modulation : {"jepsen2008", "dau1997"}, default="jepsen2008"
        With a low-pass at 150 Hz before, and magnitudes scaled by the root of 1/2; or without both.
    max_modulation_hz : float or None, default=150.0
        Highest modulation frequency; None leaves the limit to the channels' centre frequencies.
    modulation_q : float, default=2.0
        Quality factor of the filters above 10 Hz.
    modulation_low_pass_hz : float, default=2.5
        Corner of the lowest modulation filter, a low-pass of second order.
    envelope_low_pass_hz : float or None, default=None
        Corner of the low-pass before the filters; None means that of `modulation`.
    envelope_attenuation : float or None, default=None
        Factor of the magnitudes; None means that of `modulation`.
    pooling : str, callable, sequence, dict, TemporalPooling or None, default=None
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    frame_length : float or None, default=None
        Length of a frame in s, averaged inside the kernel; None keeps every sample.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals.

    Attributes
    ----------
    channel_frequencies_hz_ : ndarray of shape (n_channels_in_,)
        Centre frequencies of the channels.
    modulation_index_ : pandas.MultiIndex
        Centre frequency and modulation frequency of every feature, in Hz.
    n_channels_in_ : int
        Channels of X in `fit`.
    coefficients_ : tuple of Part
        What happens to a channel, one after the other, and its coefficients in float64.
    frame_rate_hz_ : float
        Frames a second; the sample rate where every sample is kept.
    n_ears_in_ : int or None
        Ears of the signals in `fit`; None where they had no axis for them.

    Notes
    -----
    On each channel, first a Butterworth low-pass of first order at `modulation_low_pass_hz` (150 Hz for jepsen2008
    [2]_, none for dau1997 [1]_). Filters at 0 Hz (a Butterworth low-pass of second order, `envelope_low_pass_hz`, 2.5
    Hz), 5 and 10 Hz, then with constant Q (`modulation_q`, 2) up to a quarter of the centre frequency and
    `max_modulation_hz`:

    .. math::

        m_3 = \frac{12.5}{1 - 1/(2Q)}, \qquad m_{k+1} = m_k\, \frac{1 + 1/(2Q)}{1 - 1/(2Q)}

        z[t] = e^{-b/2 + i w} z[t-1] + 2\, (1 - e^{-b/2})\, x[t]

        w = 2 \pi m / f_s, \qquad b = 2 \pi \cdot 5 / f_s \text{ below 10 Hz, from there } w / Q

        y = \mathrm{Re}\, z \text{ up to 10 Hz, then } a\, |z|

    with a (`envelope_attenuation`) of 1/√2 for jepsen2008 and 1 for dau1997. Magnitudes are not negative and have no
    phase.

    `vjp` takes the derivative of a magnitude of 0, which has none, as 0. With respect to `modulation_q` it moves
    and widens the filters, and leaves their number as it is.

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

    all_outputs = ("modulation",)
    output = "modulation"

    _parameter_constraints: dict = {
        **{name: GammatoneFilterbank._parameter_constraints[name] for name in ("low_hz", "high_hz", "spacing")},
        "modulation": [StrOptions(set(design.KINDS))],
        "max_modulation_hz": [Interval(Real, 0, None, closed="neither"), None],
        "modulation_q": [Real],
        "modulation_low_pass_hz": [Real],
        "envelope_low_pass_hz": [Real, None],
        "envelope_attenuation": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        sample_rate: float = 44100,
        *,
        low_hz: float = 80.0,
        high_hz: float | None = None,
        spacing: str = "endpoints",
        modulation: str = "jepsen2008",
        max_modulation_hz: float | None = 150.0,
        modulation_q: float = 2.0,
        modulation_low_pass_hz: float = design.LOWEST_HZ,
        envelope_low_pass_hz: float | None = None,
        envelope_attenuation: float | None = None,
        pooling: Pooling = None,
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
        self.modulation_low_pass_hz = modulation_low_pass_hz
        self.envelope_low_pass_hz = envelope_low_pass_hz
        self.envelope_attenuation = envelope_attenuation
        self.pooling = pooling
        self.frame_length = frame_length
        self.dtype = dtype
        self.n_jobs = n_jobs

    def check_parameters(self) -> None:
        super().check_parameters()
        channels_between(self.low_hz, self.high_hz, self.spacing, self.sample_rate)
        if not 0.5 < self.modulation_q <= MAX_Q:
            raise ValueError(
                f"modulation_q={self.modulation_q} must be above 0.5, where filters side by side would reach 0 Hz, and "
                f"at most {MAX_Q}; the published one is 2."
            )
        check_corner("modulation_low_pass_hz", self.modulation_low_pass_hz, self.sample_rate)
        check_corner("envelope_low_pass_hz", self.envelope_low_pass_hz, self.sample_rate)

    def make_design(self) -> None:
        self.channel_frequencies_hz_ = channels_between(self.low_hz, self.high_hz, self.spacing, self.sample_rate)
        super().make_design()

    @property
    def modulation_index_(self) -> pd.MultiIndex:  # made when asked for: what a fit keeps are plain arrays
        """Centre frequency and modulation frequency of every feature, in Hz."""
        check_is_fitted(self)
        own_q = self.parameters_in_use()["modulation_q"]
        counts = self._count_filters()
        modulation_hz = design.first_frequencies(max(counts), own_q)
        pairs = [(fc, mf) for fc, n in zip(self.channel_frequencies_hz_.round(6), counts) for mf in modulation_hz[:n]]
        return pd.MultiIndex.from_tuples(pairs, names=["center_hz", "modulation_hz"])

    def n_channels_without_sound(self) -> int | None:
        return len(channels_between(self.low_hz, self.high_hz, self.spacing, self.sample_rate))

    def resolve(self, parameters: Parameters) -> Parameters:
        published = {
            "envelope_low_pass_hz": design.LOW_PASS_HZ[self.modulation],
            "envelope_attenuation": design.ATTENUATION[self.modulation],
        }
        return parameters | {name: value for name, value in published.items() if parameters[name] is None}

    def _count_filters(self) -> np.ndarray:
        """Filters of every channel.

        Their number is that of the parameter as it was given: features must not come and go while Q is fitted.
        """
        limits = design.channel_limits(self.channel_frequencies_hz_, self.max_modulation_hz)
        below = design.modulation_frequencies(limits.max(), self.modulation_q)
        return np.maximum(design.N_LINEAR, np.searchsorted(below, limits))

    def make_coefficients(self, parameters: Parameters) -> tuple[Part, ...]:
        center_hz = self.channel_frequencies_hz_
        if len(center_hz) != self.n_channels_in_:
            raise ValueError(
                f"X has {self.n_channels_in_} channels, and low_hz={self.low_hz}, high_hz={self.high_hz}, spacing="
                f"{self.spacing!r} make {len(center_hz)}; pass those of the filterbank that X comes from."
            )
        counts = self._count_filters()
        m = design.design_modulation(
            design.first_frequencies(counts.max(), parameters["modulation_q"]),
            self.sample_rate,
            parameters["modulation_q"],
            low_pass_hz=parameters["modulation_low_pass_hz"],
            attenuation=parameters["envelope_attenuation"],
        )
        linear = table_of(m.step_re, m.step_im, m.b, m.mix_re, m.mix_im, m.direct)[: design.N_LINEAR]
        envelope = table_of(m.step_re, m.step_im, m.b, m.mix_re)[design.N_LINEAR :]
        low_pass_hz = parameters["envelope_low_pass_hz"]
        return (
            *low_pass_parts(self.output, low_pass_hz, self.sample_rate),
            *filter_parts(self.output, LinearFilter, linear, np.full(len(counts), design.N_LINEAR)),
            *filter_parts(self.output, EnvelopeFilter, envelope, counts - design.N_LINEAR),
        )

    def differentiable(self) -> tuple[str, ...]:
        low_passed = self.resolve(self.parameters_in_use())["envelope_low_pass_hz"] is not None
        low_pass = ("envelope_low_pass_hz",) if low_passed else ()
        return ("modulation_q", "modulation_low_pass_hz", *low_pass, "envelope_attenuation")

    def bounds(self) -> dict[str, tuple[float, float]]:
        # Below this Q the highest filter would lie above a quarter of the sample rate.
        n_filters, lowest = max(self._count_filters()), 0.51
        while design.first_frequencies(n_filters, lowest)[-1] > self.sample_rate / 4:
            lowest *= 1.02
        bounds = {
            "modulation_q": (lowest, 20.0),
            "modulation_low_pass_hz": (0.1, 20.0),
            "envelope_low_pass_hz": corner_bounds(self.sample_rate),
            "envelope_attenuation": (1e-3, 1e3),
        }
        return {name: bounds[name] for name in self.differentiable()}

    def names_after(self, names: list[str]) -> list[str]:
        return modulation_names(self.modulation_index_)


def low_pass_parts(stage: str, corner_hz: float | None, sample_rate: float) -> tuple[Part, ...]:
    """A low-pass before the filters, or none."""
    if corner_hz is None:
        return ()
    return (Part(stage, LowPass, table_of(*low_pass(corner_hz, sample_rate))),)


def filter_parts(stage: str, kind: type[Kind], coefficients: np.ndarray, n_filters: np.ndarray) -> tuple[Part, ...]:
    """Filters of one kind, of which every channel has so many, or none."""
    return (Part(stage, kind, coefficients, n_filters=tuple(n_filters.tolist())),) if len(coefficients) else ()


def modulation_names(index: pd.MultiIndex) -> list[str]:
    """Names such as fc1055_mf5; filters closer than 1 Hz get decimals."""
    return told_apart(lambda n: [f"fc{fc:.0f}_mf{mf:.{n}f}" for fc, mf in index], range(16))
