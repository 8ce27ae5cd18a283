"""Adaptation loops as a transformer."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike

from skaud.design.adaptation import TIME_CONSTANTS_S, design_adaptation, is_limited, lowest_limit
from skaud.fitting.movable import Parameters
from skaud.kernels.chain.adaptation import LimitedLoop, Loop, Rescale
from skaud.kernels.chain.kind import Part, table_of
from skaud.pooling.temporal import Pooling
from skaud.stages.stage import ChainStage, ChannelStage

MAX_LOOPS = 8
NO_FLOOR = float(np.finfo(np.float32).min)


class AdaptationLoops(ChannelStage, ChainStage):
    r"""Divisive feedback loops, channel by channel.

    The output is in model units: steady sounds come out near their level in dB SPL, changes well above or below.

    Parameters
    ----------
    sample_rate : float, default=44100
        Rate of the stage in Hz, 8 to 192 kHz.
    adaptation_limit : float or None, default=5.0
        By how much the onset may exceed the steady state in every loop; 10 is that of Dau et al. (1997), None (or
        infinity, 1, 0) is no limit.
    adaptation_time_constants_s : sequence of float, default=(0.005, 0.050, 0.129, 0.253, 0.500)
        Time constants of the loops, 1 to 8.
    minimum_level_db : float, default=0.0
        Floor of the input in dB SPL.
    pooling : str, callable, sequence, dict, TemporalPooling or None, default=None
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    frame_length : float or None, default=None
        Length of a frame in s, averaged inside the kernel; None keeps every sample.
    rms_one_db_spl : float or None, default=93.98
        Level in dB SPL that 1.0 stands for in X, that of the filterbank before; 93.98 for pascals, None for the scale
        of the published program, 100.
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
    Five loops, each dividing its input by its own low-passed output, with time constants τ
    (`adaptation_time_constants_s`: 5, 50, 129, 253, 500 ms [1]_), of an input of at least m (`minimum_level_db`, 0 dB
    SPL, as a fraction of 100 dB). With a limit l (`adaptation_limit`, 5 [2]_, 10 in Dau et al. 1997) the onset of loop
    j cannot exceed 1 + M:

    .. math::

        x_0 = \max(x, m), \qquad q_j[t] = x_{j-1}[t] / s_j[t-1]

        x_j = q_j \text{ where } q_j \le 1, \text{ else } 1 + M_j \tanh((q_j - 1) / M_j), \qquad
        M_j = (1 - s_j[0]^2)\, l - 1

        s_j[t] = a_j s_j[t-1] + (1 - a_j)\, x_j[t], \qquad a_j = e^{-1 / (\tau_j f_s)}

        y = 100\, \frac{x_5 - s_5[0]}{1 - s_5[0]}, \qquad s_1[0] = \sqrt{m}, \quad s_j[0] = \sqrt{s_{j-1}[0]}

    y is in model units: 0 for m, 100 for 100 dB SPL in steady state, since five square roots make nearly a logarithm.
    Slow: what follows a sound is attenuated for a second. The response depends on the level that `rms_one_db_spl` says.

    `vjp` has a derivative for `adaptation_limit` only where there is a limit. The limiter's own derivative has no jump:
    it is 1 where the limiter begins. At the floor and below, the response depends on the floor alone: the derivative
    with respect to X is 0. That for `minimum_level_db` includes the state that the loops begin with.

    References
    ----------
    .. [1] T. Dau, D. Pueschel, A. Kohlrausch, "A quantitative model of the 'effective' signal processing in the
       auditory system. I", J. Acoust. Soc. Am. 99:3615, 1996.
    .. [2] A. Osses, A. Kohlrausch, "Perceptual similarity between piano notes", J. Acoust. Soc. Am. 149:3534, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import AdaptationLoops
    >>> steady = np.full((1, 1, 2 * 44100), 10 ** ((60 - 93.98) / 20))  # 60 dB SPL, in pascals
    >>> float(AdaptationLoops().fit_transform(steady)[0, 0, -1].round())
    56.0
    """

    all_outputs = ("adaptation",)
    output = "adaptation"

    _parameter_constraints: dict = {
        "adaptation_limit": [Real, None],
        "adaptation_time_constants_s": ["array-like"],
        "minimum_level_db": [Real],
    }

    def __init__(
        self,
        sample_rate: float = 44100,
        *,
        adaptation_limit: float | None = 5.0,
        adaptation_time_constants_s: ArrayLike = TIME_CONSTANTS_S,
        minimum_level_db: float = 0.0,
        pooling: Pooling = None,
        frame_length: float | None = None,
        rms_one_db_spl: float | None = 93.98,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.adaptation_limit = adaptation_limit
        self.adaptation_time_constants_s = adaptation_time_constants_s
        self.minimum_level_db = minimum_level_db
        self.pooling = pooling
        self.frame_length = frame_length
        self.rms_one_db_spl = rms_one_db_spl
        self.dtype = dtype
        self.n_jobs = n_jobs

    def check_parameters(self) -> None:
        super().check_parameters()
        limit, time_constants = self.adaptation_limit, np.asarray(self.adaptation_time_constants_s, dtype=float)
        if limit is not None and not (limit == 0 or limit >= 1):
            raise ValueError(
                f"adaptation_limit={limit} must be above 1, or None (or 0, 1, infinity) for no limit; the published "
                "ones are 5 and 10."
            )
        if time_constants.ndim != 1 or not 1 <= len(time_constants) <= MAX_LOOPS:
            raise ValueError(
                f"adaptation_time_constants_s has shape {time_constants.shape}; it must be one axis of 1 to "
                f"{MAX_LOOPS} time constants, one a loop."
            )
        if not np.isfinite(time_constants).all() or (time_constants <= 0).any():
            raise ValueError(
                f"adaptation_time_constants_s={self.adaptation_time_constants_s!r} must be finite and above 0 s; leave "
                "out a loop that is not wanted."
            )
        if not -1000 < self.minimum_level_db < self.full_scale_db_spl:
            raise ValueError(
                f"minimum_level_db={self.minimum_level_db} must lie below {self.full_scale_db_spl:g} dB SPL, the level "
                "of full scale, and above -1000; the published one is 0."
            )
        self.make_coefficients(self.get_params(deep=False))

    def make_coefficients(self, parameters: Parameters) -> tuple[Part, ...]:
        loops = design_adaptation(
            self.sample_rate,
            parameters["adaptation_time_constants_s"],
            parameters["adaptation_limit"],
            parameters["minimum_level_db"],
            self.level_of_one(),
        )
        limited = is_limited(parameters["adaptation_limit"])
        columns = [loops.smoothing, *([loops.range, -2 / loops.range] if limited else [])]
        return (
            Part(self.output, Rescale, table_of(0, loops.gain, loops.floor)),
            Part(self.output, LimitedLoop if limited else Loop, table_of(*columns), table_of(loops.start)),
            Part(self.output, Rescale, table_of(loops.offset, loops.scale, NO_FLOOR)),
        )

    def differentiable(self) -> tuple[str, ...]:
        limit = ("adaptation_limit",) if is_limited(self.parameters_in_use()["adaptation_limit"]) else ()
        return (*limit, "adaptation_time_constants_s", "minimum_level_db")

    def bounds(self) -> dict[str, tuple[float, float]]:
        parameters = self.parameters_in_use()
        n_loops, limit = len(parameters["adaptation_time_constants_s"]), parameters["adaptation_limit"]
        floor = 10 ** ((parameters["minimum_level_db"] - self.full_scale_db_spl) / 20)
        bounds = {"adaptation_time_constants_s": (1e-4, 5.0), "minimum_level_db": (-100.0, 40.0)}
        if is_limited(limit):
            # A little above what the floor allows, and below the floor that the limit allows.
            bounds["adaptation_limit"] = (max(1.05, 1.02 * lowest_limit(n_loops, floor)), 100.0)
            highest = self.full_scale_db_spl + 20 * np.log10((1 - 1.02 / limit) ** (0.5 * 2**n_loops))
            bounds["minimum_level_db"] = (-100.0, float(min(40.0, highest)))
        return {name: bounds[name] for name in self.differentiable()}

    def joint_bounds(self, names: tuple[str, ...]) -> dict[str, tuple[float, float]]:
        bounds = self.bounds()
        if {"adaptation_limit", "minimum_level_db"} <= set(names):
            # A higher floor needs a higher limit: the floor may rise half its way, and the limit fall to meet it.
            parameters = self.parameters_in_use()
            lowest_db, highest_db = bounds["minimum_level_db"]
            highest_db = (min(max(parameters["minimum_level_db"], lowest_db), highest_db) + highest_db) / 2
            n_loops = len(parameters["adaptation_time_constants_s"])
            limit = 1.02 * lowest_limit(n_loops, 10 ** ((highest_db - self.full_scale_db_spl) / 20))
            bounds["minimum_level_db"] = lowest_db, highest_db
            bounds["adaptation_limit"] = max(1.05, limit), bounds["adaptation_limit"][1]
        return bounds
