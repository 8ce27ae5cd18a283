"""Stages that take the response of another, channels over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.utils import Tags

from skaud._fitted import as_fitted
from skaud._types import Rates, Signals
from skaud.estimator.sounds import Sounds
from skaud.pooling.statistics import pooled_names
from skaud.sound import check_rate
from skaud.stages.stage import ChannelStage


class ResponseStage(ChannelStage):
    """A stage that takes the response of another, which has an axis of channels."""

    def check_rate(self) -> None:
        check_rate("sample_rate", self.sample_rate)  # no filter depends on it

    def check_sounds(
        self, X: Signals, sample_rate: Rates, *, reset: bool = False, fixed_length: bool = False
    ) -> Sounds:
        if getattr(X, "ndim", 3) == 2:
            raise ValueError(
                f"X has shape {tuple(X.shape)}, which has no axis of time, as pooled features have none; an array of "
                "responses is (n_signals, [n_ears,] n_channels, n_samples): set pooling=None in the model before, or "
                "pass the response to a single signal as X[numpy.newaxis]."
            )
        if isinstance(X, (list, tuple)) and len(X) and np.ndim(X[0]) < 2:
            raise ValueError(
                f"X[0] has shape {np.shape(X[0])}; a response is ([n_ears,] n_channels, n_samples). Reshape it, or set "
                "pooling=None in the model before."
            )
        return super().check_sounds(X, sample_rate, reset=reset, fixed_length=fixed_length)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags


class NamedStage(ResponseStage):
    """A stage whose outputs have the names of the channels of X within theirs, as the step before calls them."""

    @as_fitted
    def get_feature_names_out(self, input_features: Sequence[str] | np.ndarray | None = None) -> np.ndarray:
        """Names of the features.

        Parameters
        ----------
        input_features : sequence of str, default=None
            Names of the channels of X.

        Returns
        -------
        ndarray of str
            Such as ``cortical_rate+4.0_scale2.00_nap_1055hz``, or ``image_nap_1055hz_lag9.07ms``.
        """
        n_ears, n_channels = self.n_ears_in_ or 1, self.n_channels_in_
        if input_features is None or len(input_features) != n_ears * n_channels:
            return super().get_feature_names_out(input_features)
        given = [str(name) for name in input_features]  # which tell the ear, where there are several
        ears = [given[i : i + n_channels] for i in range(0, len(given), n_channels)]
        channels = [f"{self.output}_{name}" for names in ears for name in self.names_after(names)]
        return (
            np.asarray(channels, dtype=object) if self.pooling is None else pooled_names(channels, *self.how_pooled())
        )
