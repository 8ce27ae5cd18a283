"""CepstralCoefficients: a cosine transform across channels."""

from __future__ import annotations

import re
from itertools import takewhile
from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval

from skaud.fitting.movable import Gradients
from skaud.frames.base import FrameTransformer, Heard
from skaud.kernels.array_api import Array
from skaud.kernels.frames import project, project_adjoint

_FREQUENCY = re.compile(r"^(.*?)(\d+(?:\.\d+)?)(hz)?$")


class CepstralCoefficients(FrameTransformer):
    r"""First coefficients of the orthonormal cosine transform of frames across their channels.

    The first is the overall level, the next few are the coarse shape of the spectrum; what neighbouring channels share
    goes into few numbers. Behind a logarithm they are a cepstrum; of log-mel frames, MFCC.

    Parameters
    ----------
    n_coefficients : int, default=16
        Coefficients to keep, at most the number of channels.

    Attributes
    ----------
    frame_shape_in_ : tuple of int
        Shape of one frame of X in fit, ([n_ears,] [n_filters,] n_channels).
    latency_frames_ : int
        Frames that a stream waits, 0.

    Notes
    -----
    Of the N channels x of a frame, for k from 0 to `n_coefficients` (16) - 1, in the unit of x [1]_:

    .. math::

        y_k = \sqrt{\frac{2 - \delta_{k0}}{N}} \sum_{n=0}^{N-1} x_n \cos \frac{\pi k (n + 1/2)}{N}

    References
    ----------
    .. [1] S. Davis, P. Mermelstein, "Comparison of parametric representations for monosyllabic word recognition in
       continuously spoken sentences", IEEE Trans. ASSP 28:357, 1980.

    Examples
    --------
    >>> from skaud import CARFAC, CepstralCoefficients, datasets
    >>> from sklearn.pipeline import make_pipeline
    >>> X = datasets.make_tone([500, 1000], duration_s=0.1, sample_rate=22050)
    >>> cepstra = make_pipeline(CARFAC(pooling=None), CepstralCoefficients(3)).fit(X)
    >>> cepstra.transform(X)[0].shape
    (3, 10)
    >>> cepstra.get_feature_names_out()[0]
    'nap_31to9371hz_cepstrum0'
    """

    _parameter_constraints: dict = {"n_coefficients": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, n_coefficients: int = 16) -> None:
        self.n_coefficients = n_coefficients

    def check_parameters(self, n_channels: int) -> None:
        if self.n_coefficients > n_channels:
            raise ValueError(
                f"n_coefficients={self.n_coefficients} is more than X has channels, {n_channels}; lower it."
            )

    def _basis(self) -> np.ndarray:
        n_channels = self.frame_shape_in_[-1]
        order = np.arange(self.n_coefficients)[:, np.newaxis]
        waves = np.cos(np.pi * order * (np.arange(n_channels) + 0.5) / n_channels)
        return np.sqrt(np.where(order == 0, 1, 2) / n_channels) * waves

    def run(self, x: Array, state: Heard, is_last: bool) -> tuple[Array, Heard]:
        return project(x, self._basis()), None

    def pull_back(self, y_bar: Array, x: Array) -> tuple[Array, Gradients]:
        return project_adjoint(y_bar, self._basis()), {}

    def names_after(self, names: list[str]) -> list[str]:
        joint = joint_name(names)
        return [f"{joint}_cepstrum{k}" for k in range(self.n_coefficients)]


def joint_name(names: list[str]) -> str:
    """Name of what goes over several channels: nap_100hz and nap_200hz are nap_100to200hz."""
    found = [_FREQUENCY.match(name) for name in names]
    if all(found):
        stems = {(match[1], match[3] or "") for match in found if match}
        hz = sorted((float(match[2]), match[2]) for match in found if match)
        if len(stems) == 1:
            stem, unit = stems.pop()
            return f"{stem}{hz[0][1]}to{hz[-1][1]}{unit}"
    shared = takewhile(lambda letters: len(set(letters)) == 1, zip(*names))
    return "".join(letters[0] for letters in shared).rstrip("0123456789_") or "channels"
