"""Stages that name what they make of a channel after that channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skaud._fitted import as_fitted
from skaud.pooling.statistics import pooled_names
from skaud.stages.cochlear import ResponseStage


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
