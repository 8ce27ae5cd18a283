"""The threshold of hearing in quiet, and levels in dB HL as dB SPL in a free field and back.

The reference is that of ISO 389-7:2019 [1]_: pure tones from the front in a free field, heard with both ears by people
of 18 to 25 years with normal hearing, the level measured where the centre of the head would be, without the listener.
Up to 12.5 kHz it is the threshold of the equal-loudness contours of ISO 226:2023. Audiometers with earphones have other
references, for one ear and in a coupler (ISO 389-1, -2 and -8): what they read in dB HL is carried over to the free
field here as the same elevation above the reference.

References
----------
.. [1] ISO 389-7:2019, "Acoustics. Reference zero for the calibration of audiometric equipment. Part 7: Reference
   threshold of hearing under free-field and diffuse-field listening conditions", Table 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["hl_to_spl", "reference_threshold_db_spl", "spl_to_hl"]

# fmt: off
# Hz and dB SPL: ISO 389-7:2019, Table 1, free field. The edition of 2005 had 78.5 dB at 20 Hz and 73.2 dB at 18 kHz.
_FREQUENCY_HZ, _THRESHOLD_DB_SPL = np.array([
    (20, 78.1), (25, 68.7), (31.5, 59.5), (40, 51.1), (50, 44.0), (63, 37.5), (80, 31.5), (100, 26.5), (125, 22.1),
    (160, 17.9), (200, 14.4), (250, 11.4), (315, 8.6), (400, 6.2), (500, 4.4), (630, 3.0), (750, 2.4), (800, 2.2),
    (1000, 2.4), (1250, 3.5), (1500, 2.4), (1600, 1.7), (2000, -1.3), (2500, -4.2), (3000, -5.8), (3150, -6.0),
    (4000, -5.4), (5000, -1.5), (6000, 4.3), (6300, 6.0), (8000, 12.6), (9000, 13.9), (10000, 13.9), (11200, 13.0),
    (12500, 12.3), (14000, 18.4), (16000, 40.2), (18000, 70.4),
]).T
# fmt: on


def reference_threshold_db_spl(frequencies_hz: npt.ArrayLike) -> np.floating | np.ndarray:
    """Sound pressure level of 0 dB HL: the threshold of normal hearing in a free field.

    Parameters
    ----------
    frequencies_hz : float or array-like of any shape
        Frequencies in Hz, from 20 to 18000.

    Returns
    -------
    float or ndarray of the shape of `frequencies_hz`
        Thresholds in dB SPL: ISO 389-7:2019, linear in dB over the logarithm of frequency between its values.

    Raises
    ------
    ValueError
        If a frequency does not lie between 20 and 18000 Hz.

    Examples
    --------
    >>> from skaud.hearing import reference_threshold_db_spl
    >>> reference_threshold_db_spl([125, 1000, 4000, 8000])
    array([22.1,  2.4, -5.4, 12.6])
    """
    frequency = np.asarray(frequencies_hz, dtype=float)
    bad = frequency[~((frequency >= _FREQUENCY_HZ[0]) & (frequency <= _FREQUENCY_HZ[-1]))]
    if bad.size:
        raise ValueError(
            f"frequencies_hz={bad[0]:g} must lie between {_FREQUENCY_HZ[0]:g} and {_FREQUENCY_HZ[-1]:g} Hz, the table "
            "of ISO 389-7; leave it out."
        )
    return np.interp(np.log(frequency), np.log(_FREQUENCY_HZ), _THRESHOLD_DB_SPL)


def hl_to_spl(frequencies_hz: npt.ArrayLike, level_db_hl: npt.ArrayLike) -> np.floating | np.ndarray:
    """Sound pressure level in a free field of tones at levels in dB HL.

    Parameters
    ----------
    frequencies_hz : float or array-like of shape (n_frequencies,)
        Frequencies in Hz, from 20 to 18000.
    level_db_hl : float or array-like of shape (n_frequencies,) or (..., n_frequencies)
        Levels in dB HL: one for all frequencies or one for each. Where it is NaN, so is the result.

    Returns
    -------
    float or ndarray
        Levels in dB SPL, of the shape that the two broadcast to.

    Raises
    ------
    ValueError
        If a frequency does not lie between 20 and 18000 Hz, a level is infinite, or the shapes do not go together.

    Examples
    --------
    The thresholds of a moderate hearing loss:

    >>> from skaud.hearing import Audiogram, hl_to_spl
    >>> loss = Audiogram.standard("N3")
    >>> hl_to_spl(loss.frequencies_hz, loss.thresholds_db_hl).round(1)
    array([46.4, 41.8, 39.4, 37.4, 42.4, 47.4, 48.7, 49.2, 54.6, 69.3])
    """
    reference = reference_threshold_db_spl(frequencies_hz)
    return _level("level_db_hl", level_db_hl, reference) + reference


def spl_to_hl(frequencies_hz: npt.ArrayLike, level_db_spl: npt.ArrayLike) -> np.floating | np.ndarray:
    """Hearing level in dB HL of tones at sound pressure levels in a free field.

    Parameters
    ----------
    frequencies_hz : float or array-like of shape (n_frequencies,)
        Frequencies in Hz, from 20 to 18000.
    level_db_spl : float or array-like of shape (n_frequencies,) or (..., n_frequencies)
        Levels in dB SPL: one for all frequencies or one for each. Where it is NaN, so is the result.

    Returns
    -------
    float or ndarray
        Levels in dB HL, of the shape that the two broadcast to.

    Raises
    ------
    ValueError
        If a frequency does not lie between 20 and 18000 Hz, a level is infinite, or the shapes do not go together.

    Examples
    --------
    >>> from skaud.hearing import spl_to_hl
    >>> spl_to_hl([125, 1000, 4000], 60.0)
    array([37.9, 57.6, 65.4])
    """
    reference = reference_threshold_db_spl(frequencies_hz)
    return _level("level_db_spl", level_db_spl, reference) - reference


def _level(name: str, value: npt.ArrayLike, reference: np.floating | np.ndarray) -> np.ndarray:
    level = np.asarray(value, dtype=float)
    try:
        np.broadcast_shapes(level.shape, np.shape(reference))
    except ValueError:
        raise ValueError(
            f"{name} has shape {level.shape}, frequencies_hz has {np.shape(reference)}; give one level, or one for "
            "each frequency along the last axis."
        ) from None
    if np.isinf(level).any():
        raise ValueError(f"{name}={level[np.isinf(level)][0]} must be finite; use NaN where a level is missing.")
    return level
