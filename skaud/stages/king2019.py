"""Compression, adaptation and modulation filters of King, Varnet & Lorenzi (2019) as transformers."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, StrOptions

from skaud.design import king2019 as design
from skaud.design.limits import MOST_FILTERS, MOST_OCTAVES, check_size
from skaud.estimator.naming import told_apart
from skaud.fitting.movable import Parameters
from skaud.kernels.chain.kind import Part, table_of
from skaud.kernels.chain.king2019 import BandEnvelope, Compress, HighPass, SignedBand
from skaud.pooling.temporal import Pooling
from skaud.stages.modulation import filter_parts, low_pass_parts
from skaud.stages.stage import ChainStage, ChannelStage, check_corner, corner_bounds

POSITIVE = [Interval(Real, 0, None, closed="neither")]


class Compression(ChannelStage, ChainStage):
    r"""Instantaneous compression, channel by channel.

    Parameters
    ----------
    sample_rate : float, default=44100
        Rate of the stage in Hz, 8 to 192 kHz.
    compression : {"broken_stick", "power"}, default="broken_stick"
        Linear up to the knee and a power above; or a power everywhere, which expands below the knee.
    compression_exponent : float or array of shape (n_channels,), default=0.3
        Exponent, 1 for none.
    compression_knee_db : float, default=30.0
        Level of the knee: that of a sound whose RMS has the amplitude of the knee.
    pooling : str, callable, sequence, dict, TemporalPooling or None, default=None
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    frame_length : float or None, default=None
        Length of a frame in s; None keeps every sample.
    rms_one_db_spl : float or None, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in plain samples; 93.98 for pascals, as has the published program,
        which None stands for. A `Sound` knows its own.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals.

    Attributes
    ----------
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
    With the exponent n (`compression_exponent`, 0.3) and the pressure k of the knee (`compression_knee_db`, 30 dB SPL;
    King et al. 2019 [1]_):

    .. math::

        y = x \text{ where } |x| \le k, \text{ else } \mathrm{sign}(x)\, k\, (|x| / k)^n

    ``compression="power"`` has the second form without the last k, everywhere: sign(x) (abs(x) / k)^n. Instantaneous:
    it makes harmonics, which alias above half the rate.

    `vjp` takes the slope at the knee as that below it, and that of a power law at 0, where it has none, as 0.

    References
    ----------
    .. [1] A. King, L. Varnet, C. Lorenzi, "Accounting for masking of frequency modulation by amplitude modulation with
       the modulation filter-bank concept", J. Acoust. Soc. Am. 145:2277, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import Compression
    >>> pressure = 10 ** ((np.array([20.0, 30, 60]) - 93.98) / 20)
    >>> compressed = Compression(dtype="float64").fit_transform(pressure.reshape(1, 1, 3))
    >>> (20 * np.log10(compressed.ravel()) + 93.98).round(1)
    array([20., 30., 39.])
    """

    all_outputs = ("compression",)
    output = "compression"
    full_scale_db_spl = design.FULL_SCALE_DB

    _parameter_constraints: dict = {
        "compression": [StrOptions({"broken_stick", "power"})],
        "compression_exponent": [*POSITIVE, "array-like"],
        "compression_knee_db": [Real],
    }

    def __init__(
        self,
        sample_rate: float = 44100,
        *,
        compression: str = "broken_stick",
        compression_exponent: float | ArrayLike = 0.3,
        compression_knee_db: float = 30.0,
        pooling: Pooling = None,
        frame_length: float | None = None,
        rms_one_db_spl: float | None = 93.98,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.compression = compression
        self.compression_exponent = compression_exponent
        self.compression_knee_db = compression_knee_db
        self.pooling = pooling
        self.frame_length = frame_length
        self.rms_one_db_spl = rms_one_db_spl
        self.dtype = dtype
        self.n_jobs = n_jobs

    def level_in_kernel(self) -> float:
        return self.full_scale_db_spl  # the knee is in pascals

    def check_parameters(self) -> None:
        super().check_parameters()
        exponents = np.asarray(self.compression_exponent, dtype=float)
        if exponents.ndim > 1 or not np.isfinite(exponents).all() or (exponents <= 0).any():
            raise ValueError(
                f"compression_exponent={self.compression_exponent!r} must be finite and above 0, one number or one a "
                "channel; the published one is 0.3, and 1 compresses nothing."
            )
        if not -200 <= self.compression_knee_db <= 200:
            raise ValueError(
                f"compression_knee_db={self.compression_knee_db} must lie between -200 and 200 dB SPL; the published "
                "knee is at 30."
            )

    def make_coefficients(self, parameters: Parameters) -> tuple[Part, ...]:
        exponent, n_channels = np.asarray(parameters["compression_exponent"]), self.n_channels_in_
        if exponent.ndim and len(exponent) != n_channels:
            raise ValueError(
                f"compression_exponent has {len(exponent)} numbers, and there are {n_channels} channels; give one a "
                "channel, or one for all."
            )
        knee = design.knee(parameters["compression_knee_db"])
        columns = table_of(exponent, knee, float(self.compression == "broken_stick"))
        return (Part(self.output, Compress, np.moveaxis(columns, 0, 1)),)

    def bounds(self) -> dict[str, tuple[float, float]]:
        return {"compression_exponent": (0.05, 1.0), "compression_knee_db": (-20.0, 100.0)}


class AdaptationHighPass(ChannelStage, ChainStage):
    r"""Adaptation as a high-pass of first order, channel by channel.

    Parameters
    ----------
    sample_rate : float, default=44100
        Rate of the stage in Hz, 8 to 192 kHz.
    adaptation_corner_hz : float, default=3.0
        Corner of the high-pass.
    pooling : str, callable, sequence, dict, TemporalPooling or None, default=None
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    frame_length : float or None, default=None
        Length of a frame in s; None keeps every sample.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals.

    Attributes
    ----------
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
    A Butterworth high-pass of first order with the corner f (`adaptation_corner_hz`, 3 Hz; King et al. [1]_), which
    takes away the steady part of a channel:

    .. math::

        y[t] = \frac{x[t] - x[t-1] + (1 - g)\, y[t-1]}{1 + g}, \qquad g = \tan(\pi f / f_s)

    References
    ----------
    .. [1] A. King, L. Varnet, C. Lorenzi, "Accounting for masking of frequency modulation by amplitude modulation with
       the modulation filter-bank concept", J. Acoust. Soc. Am. 145:2277, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import AdaptationHighPass
    >>> steady = np.ones((1, 1, 44100))
    >>> adapted = AdaptationHighPass().fit_transform(steady)
    >>> bool(adapted[0, 0, 0] > 0.99), bool(abs(adapted[0, 0, -1]) < 1e-6)
    (True, True)
    """

    all_outputs = ("adaptation",)
    output = "adaptation"

    _parameter_constraints: dict = {"adaptation_corner_hz": [Real]}

    def __init__(
        self,
        sample_rate: float = 44100,
        *,
        adaptation_corner_hz: float = 3.0,
        pooling: Pooling = None,
        frame_length: float | None = None,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.adaptation_corner_hz = adaptation_corner_hz
        self.pooling = pooling
        self.frame_length = frame_length
        self.dtype = dtype
        self.n_jobs = n_jobs

    def check_parameters(self) -> None:
        super().check_parameters()
        check_corner("adaptation_corner_hz", self.adaptation_corner_hz, self.sample_rate)

    def make_coefficients(self, parameters: Parameters) -> tuple[Part, ...]:
        coefficients = table_of(*design.high_pass(parameters["adaptation_corner_hz"], self.sample_rate))
        return (Part(self.output, HighPass, coefficients),)

    def bounds(self) -> dict[str, tuple[float, float]]:
        return {"adaptation_corner_hz": (0.1, 100.0)}


class ModulationBandpass(ChannelStage, ChainStage):
    r"""Band-pass modulation filters on every channel: Butterworth, with 4 poles.

    Parameters
    ----------
    sample_rate : float, default=44100
        Rate of the stage in Hz, 8 to 192 kHz.
    modulation_low_hz, modulation_high_hz : float, default=2.0, 150.0
        Range of the filters' centre frequencies.
    modulation_q : float, default=1.0
        Quality factor of the filters.
    modulation_n_filters : int or None, default=None
        Number of filters, evenly on a log axis; None is one after the other, each where the one before ends.
    modulation_low_pass_hz : float or None, default=None
        Corner of a low-pass of first order before the filters; None leaves it out.
    phase : {"insensitive", "signed"}, default="insensitive"
        Above 10 Hz the envelope of a filter's response, or all responses as they are; see Notes.
    pooling : str, callable, sequence, dict, TemporalPooling or None, default=None
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    frame_length : float or None, default=None
        Length of a frame in s; None keeps every sample.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals.

    Attributes
    ----------
    modulation_frequencies_hz_ : ndarray of shape (n_filters,)
        Centre frequencies of the filters.
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
    Butterworth band-passes of 4 poles (King et al. [1]_) at m from `modulation_low_hz` (2 Hz) to `modulation_high_hz`
    (150 Hz), with quality factor Q (`modulation_q`, 1):

    .. math::

        m_{k+1} = m_k\, \frac{s + 1}{s - 1}, \quad s = \sqrt{4 Q^2 + 1}, \qquad
        \text{edges } m \left( \tfrac{1}{2} \sqrt{4 + 1/Q^2} \mp \tfrac{1}{2 Q} \right)

    The published program takes the Hilbert envelope of the whole response, scaled to the response's RMS: what is to
    come changes what was. Here the envelope is the magnitude of the filter's two complex poles, of which the response
    is the real part: it depends on the past alone, so that streams have it too. With Q = 1, that of a steady modulation
    ripples by a tenth around its mean. `vjp` takes the derivative of a
    magnitude of 0, which has none, as 0; by the number of filters there is none.

    References
    ----------
    .. [1] A. King, L. Varnet, C. Lorenzi, "Accounting for masking of frequency modulation by amplitude modulation with
       the modulation filter-bank concept", J. Acoust. Soc. Am. 145:2277, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import ModulationBandpass
    >>> bank = ModulationBandpass().fit(np.zeros((1, 3, 100)))
    >>> bank.modulation_frequencies_hz_.round(1)
    array([ 2. ,  5.2, 13.7, 35.9, 94. ])
    >>> bank.get_feature_names_out()[1]
    'modulation_channel0_mf5.24'
    """

    all_outputs = ("modulation",)
    output = "modulation"

    _parameter_constraints: dict = {
        "modulation_low_hz": POSITIVE,
        "modulation_high_hz": POSITIVE,
        "modulation_q": [Interval(Real, 1e-3, 20, closed="both")],
        "modulation_n_filters": [Interval(Integral, 1, MOST_FILTERS, closed="both"), None],
        "modulation_low_pass_hz": [Real, None],
        "phase": [StrOptions({"insensitive", "signed"})],
    }

    def __init__(
        self,
        sample_rate: float = 44100,
        *,
        modulation_low_hz: float = 2.0,
        modulation_high_hz: float = 150.0,
        modulation_q: float = 1.0,
        modulation_n_filters: int | None = None,
        modulation_low_pass_hz: float | None = None,
        phase: str = "insensitive",
        pooling: Pooling = None,
        frame_length: float | None = None,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.modulation_low_hz = modulation_low_hz
        self.modulation_high_hz = modulation_high_hz
        self.modulation_q = modulation_q
        self.modulation_n_filters = modulation_n_filters
        self.modulation_low_pass_hz = modulation_low_pass_hz
        self.phase = phase
        self.pooling = pooling
        self.frame_length = frame_length
        self.dtype = dtype
        self.n_jobs = n_jobs

    def check_parameters(self) -> None:
        super().check_parameters()
        check_corner("modulation_low_pass_hz", self.modulation_low_pass_hz, self.sample_rate)
        if self.modulation_low_hz > self.modulation_high_hz:
            raise ValueError(
                f"modulation_low_hz={self.modulation_low_hz} must not exceed modulation_high_hz="
                f"{self.modulation_high_hz}; lower it."
            )
        octaves = np.log2(float(self.modulation_high_hz)) - np.log2(float(self.modulation_low_hz))
        remedy = f"raise it, or lower modulation_high_hz={self.modulation_high_hz}"
        check_size("modulation_low_hz", self.modulation_low_hz, octaves, MOST_OCTAVES, "octaves of filters", remedy)
        edge_hz = design.upper_edge(self._frequencies(self.get_params(deep=False))[-1], self.modulation_q)
        if edge_hz >= self.sample_rate / 2:
            raise ValueError(
                f"modulation_high_hz={self.modulation_high_hz} with modulation_q={self.modulation_q} makes a filter up "
                f"to {edge_hz:.4g} Hz, and half the sample rate is {self.sample_rate / 2:g} Hz; lower it, or raise "
                "modulation_q."
            )

    def _frequencies(self, parameters: Parameters) -> np.ndarray:
        """Centre frequencies; their number is that of the parameters as they were given."""
        limits = self.modulation_low_hz, self.modulation_high_hz
        n_filters = design.count_filters(*limits, self.modulation_q, self.modulation_n_filters)
        low_hz, high_hz, q = (parameters[f"modulation_{name}"] for name in ("low_hz", "high_hz", "q"))
        return design.modulation_frequencies(
            low_hz, high_hz, q, n_filters, spread=self.modulation_n_filters is not None
        )

    def make_design(self) -> None:
        self.modulation_frequencies_hz_ = self._frequencies(self.parameters_in_use())
        super().make_design()

    def make_coefficients(self, parameters: Parameters) -> tuple[Part, ...]:
        center_hz = self._frequencies(parameters)
        bands = design.design_bands(center_hz, self.sample_rate, parameters["modulation_q"])[:, np.newaxis]
        signed = (np.real(center_hz) <= design.SIGNED_UP_TO_HZ) | (self.phase == "signed")
        every = np.ones(self.n_channels_in_, int)
        return (
            *low_pass_parts(self.output, parameters["modulation_low_pass_hz"], self.sample_rate),
            *filter_parts(self.output, SignedBand, bands[signed], signed.sum() * every),
            *filter_parts(self.output, BandEnvelope, bands[~signed], (~signed).sum() * every),
        )

    def differentiable(self) -> tuple[str, ...]:
        high = () if self.modulation_n_filters is None else ("modulation_high_hz",)
        low_pass = () if self.modulation_low_pass_hz is None else ("modulation_low_pass_hz",)
        return ("modulation_low_hz", *high, "modulation_q", *low_pass)

    def bounds(self) -> dict[str, tuple[float, float]]:
        own = self.parameters_in_use()
        highest = self._frequencies(own)[-1]
        room = 0.45 * self.sample_rate / design.upper_edge(highest, own["modulation_q"])
        bounds = {
            "modulation_low_hz": (0.2 * own["modulation_low_hz"], min(5.0, room) * own["modulation_low_hz"]),
            "modulation_high_hz": (own["modulation_low_hz"], min(5.0, room) * own["modulation_high_hz"]),
            "modulation_q": (own["modulation_q"] / min(2.0, room), 2 * own["modulation_q"]),
            "modulation_low_pass_hz": corner_bounds(self.sample_rate),
        }
        return {name: bounds[name] for name in self.differentiable()}

    def names_after(self, names: list[str]) -> list[str]:
        filters = told_apart(lambda n: [f"mf{hz:.{n}g}" for hz in self.modulation_frequencies_hz_], range(3, 16))
        return [f"{name}_{own}" for name in names for own in filters]
