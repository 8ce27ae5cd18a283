"""Inner hair cell as a transformer: the envelope of every channel."""

from __future__ import annotations

from numbers import Real

from sklearn.utils._param_validation import StrOptions

from skaud.design.one_pole import HAIR_CELLS, low_pass
from skaud.fitting.movable import Parameters
from skaud.kernels.chain.hair_cell import HAIR_CELLS as KINDS
from skaud.kernels.chain.kind import Part, table_of
from skaud.pooling.temporal import Pooling
from skaud.stages.stage import ChainStage, ChannelStage, check_corner, corner_bounds


class HairCellEnvelope(ChannelStage, ChainStage):
    r"""Half-wave rectification and low-passes, channel by channel.

    Parameters
    ----------
    sample_rate : float, default=44100
        Rate of the stage in Hz, 8 to 192 kHz.
    hair_cell : {"breebaart2001", "dau1996"}, default="breebaart2001"
        Five first-order low-passes at 2000 Hz, 770 Hz over all; or a single one at 1000 Hz.
    hair_cell_corner_hz : float or None, default=None
        Corner of each low-pass; None means that of `hair_cell`.
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
    n_channels_in_ : int
        Channels of X in `fit`.
    coefficients_ : tuple of Part
        What happens to a channel, and its coefficients in float64.
    frame_rate_hz_ : float
        Frames a second; the sample rate where every sample is kept.
    n_ears_in_ : int or None
        Ears of the signals in `fit`; None where they had no axis for them.

    Notes
    -----
    Rectification, then n first-order Butterworth low-passes with the corner f (`hair_cell_corner_hz`): 5 of 2000 Hz
    for breebaart2001 [1]_, 1 of 1000 Hz for dau1996:

    .. math::

        y_0[t] = \max(0, x[t]), \qquad y_k[t] = \frac{g\, (y_{k-1}[t] + y_{k-1}[t-1]) + (1 - g)\, y_k[t-1]}{1 + g}

        g = \tan(\pi f / f_s), \qquad k = 1 \ldots n

    Phase locking falls accordingly from 770 Hz on. Gain at DC is 1; what is rectified above a quarter of the rate
    aliases.

    `vjp` takes the derivative of the rectifier at 0 as 0.

    References
    ----------
    .. [1] J. Breebaart, S. van de Par, A. Kohlrausch, "Binaural processing model based on contralateral inhibition. I",
       J. Acoust. Soc. Am. 110:1074, 2001.

    Examples
    --------
    >>> import numpy as np
    >>> from skaud import HairCellEnvelope
    >>> filtered = np.sin(2 * np.pi * 4000 * np.arange(441) / 44100) * np.ones((1, 3, 1))
    >>> HairCellEnvelope().fit_transform(filtered).shape
    (1, 3, 441)
    """

    all_outputs = ("hair_cell",)
    output = "hair_cell"

    _parameter_constraints: dict = {
        "hair_cell": [StrOptions(set(HAIR_CELLS))],
        "hair_cell_corner_hz": [Real, None],
    }

    def __init__(
        self,
        sample_rate: float = 44100,
        *,
        hair_cell: str = "breebaart2001",
        hair_cell_corner_hz: float | None = None,
        pooling: Pooling = None,
        frame_length: float | None = None,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.hair_cell = hair_cell
        self.hair_cell_corner_hz = hair_cell_corner_hz
        self.pooling = pooling
        self.frame_length = frame_length
        self.dtype = dtype
        self.n_jobs = n_jobs

    def check_parameters(self) -> None:
        super().check_parameters()
        check_corner("hair_cell_corner_hz", self.hair_cell_corner_hz, self.sample_rate)

    def resolve(self, parameters: Parameters) -> Parameters:
        published_hz, _ = HAIR_CELLS[self.hair_cell]
        given_hz = parameters["hair_cell_corner_hz"]
        return parameters | {"hair_cell_corner_hz": published_hz if given_hz is None else given_hz}

    def make_coefficients(self, parameters: Parameters) -> tuple[Part, ...]:
        _, n_passes = HAIR_CELLS[self.hair_cell]
        coefficients = table_of(*low_pass(parameters["hair_cell_corner_hz"], self.sample_rate))
        return (Part(self.output, KINDS[n_passes], coefficients),)

    def bounds(self) -> dict[str, tuple[float, float]]:
        return {"hair_cell_corner_hz": corner_bounds(self.sample_rate)}
