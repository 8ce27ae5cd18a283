"""What of CARFAC's design is computed when asked: the cascade's transfer functions, and their peaks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from skaud._fitted import as_designed, fitted_copy
from skaud.design import carfac_response as response
from skaud.design.carfac import CARFACCoefficients, of_ears
from skaud.estimator.learning import LearningTransformer
from skaud.stages.stage import check_frequencies


class CascadeResponse(LearningTransformer):
    """A model whose channels are CARFAC's cascade."""

    ears_: tuple[CARFACCoefficients, ...]  # of all ears, or one an ear
    peaks_: list[response.Characteristics] | None  # found when somebody asks: takes 14 ms

    @property
    def channel_frequencies_hz_(self) -> np.ndarray:
        """Frequency of the peak of every channel's transfer function."""
        return of_ears([ear.frequency_hz for ear in self._find_peaks()])

    @property
    def characteristic_gains_db_(self) -> np.ndarray:
        """Gain at the peak of every channel's transfer function, on the scale of the published program."""
        return of_ears([ear.gain_db for ear in self._find_peaks()])

    @property
    def bandwidths_hz_(self) -> np.ndarray:
        """3 dB bandwidth around the peak of every channel."""
        return of_ears([ear.bandwidth_hz for ear in self._find_peaks()])

    @property
    def q_(self) -> np.ndarray:
        """Frequency of the peak of every channel over its bandwidth."""
        return of_ears([ear.q for ear in self._find_peaks()])

    def _find_peaks(self) -> list[response.Characteristics]:
        sample_rate = fitted_copy(self).sample_rate
        if self.peaks_ is None:
            self.peaks_ = [response.characteristics(ear.car, sample_rate) for ear in self.ears_]
        return self.peaks_

    @as_designed
    def transfer_function(self, frequencies_hz: ArrayLike) -> np.ndarray:
        """Complex transfer function of every channel, from the input to the basilar membrane.

        That of the linear model in open loop, at the undamping that `ohc_health` leaves (Lyon 2017, figure 16.6). A
        model that has nothing to find in `fit`, no `audiogram` and nothing to `learn`, need not be fitted.

        Parameters
        ----------
        frequencies_hz : array-like of shape (n_frequencies,)
            Frequencies, from 0 to half the sample rate.

        Returns
        -------
        ndarray of complex of shape (n_channels_, n_frequencies)
            Response to a sinusoid of amplitude 1 on the scale of the published program, where an RMS of 1.0 is 107 dB
            SPL, whatever `rms_one_db_spl`; to one of 1 Pa it is 13.02 dB less.

        Raises
        ------
        ValueError
            If a frequency is negative or above half the sample rate.
        NotFittedError
            If `fit` has something to find and was not called.
        """
        frequencies = check_frequencies(frequencies_hz, self.sample_rate)
        ears = [response.transfer_function(ear.car, self.sample_rate, frequencies) for ear in self.ears_]
        return of_ears(ears)
