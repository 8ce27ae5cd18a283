"""The audiogram: hearing thresholds of one ear in dB HL over frequency."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from skaud._types import Plot
from skaud.design.limits import check_number
from skaud.hearing import reading

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Audiogram"]

# dB HL: Bisgaard, Vlaming & Dahlquist 2010, Table 2 (N: flat and moderately sloping) and Table 4 (S: steep)
_STANDARD_HZ = (250, 375, 500, 750, 1000, 1500, 2000, 3000, 4000, 6000)
_STANDARD_DB_HL = {
    "N1": (10, 10, 10, 10, 10, 10, 15, 20, 30, 40),
    "N2": (20, 20, 20, 22.5, 25, 30, 35, 40, 45, 50),
    "N3": (35, 35, 35, 35, 40, 45, 50, 55, 60, 65),
    "N4": (55, 55, 55, 55, 55, 60, 65, 70, 75, 80),
    "N5": (65, 67.5, 70, 72.5, 75, 80, 80, 80, 80, 80),
    "N6": (75, 77.5, 80, 82.5, 85, 90, 90, 95, 100, 100),
    "N7": (90, 92.5, 95, 100, 105, 105, 105, 105, 105, 105),
    "S1": (10, 10, 10, 10, 10, 10, 15, 30, 55, 70),
    "S2": (20, 20, 20, 22.5, 25, 35, 55, 75, 95, 95),
    "S3": (30, 30, 35, 47.5, 60, 70, 75, 80, 80, 85),
}


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Audiogram:
    """Hearing thresholds of one ear at two or more frequencies.

    An audiogram is a value: it cannot be changed, two with the same numbers are equal, and it works as a parameter of
    a scikit-learn estimator and as a key of a dict.

    Parameters
    ----------
    frequencies_hz : array-like of shape (n_frequencies,)
        Frequencies in Hz, increasing, from 20 to 20000.
    thresholds_db_hl : array-like of shape (n_frequencies,)
        Thresholds in dB HL, from -20 to 130; NaN or None where missing. At least two must be there. Where there was no
        response, the highest level that was tried.
    ear : {"left", "right"}, optional
        The ear, by default not stated.
    no_response : array-like of bool of shape (n_frequencies,), optional
        True where the tone was not heard at the highest level tried: the threshold is at least that. By default every
        tone was heard.

    Attributes
    ----------
    frequencies_hz : ndarray of shape (n_frequencies,)
        Frequencies in Hz, float64, read-only.
    thresholds_db_hl : ndarray of shape (n_frequencies,)
        Thresholds in dB HL, float64, read-only; NaN where missing.
    ear : {"left", "right"} or None
        The ear.
    no_response : ndarray of bool of shape (n_frequencies,)
        True where the threshold is at least that, read-only.
    measured : ndarray of shape (n_frequencies,)
        True where there is a threshold, or the level at which there was no response.
    columns : tuple or None
        Names of the columns that `from_row` took, in the order of the frequencies; None where it comes from no row. It
        says where the numbers come from, and does not count when audiograms are compared.

    Raises
    ------
    TypeError
        If frequencies or thresholds are not numbers.
    ValueError
        If there are fewer than two frequencies or thresholds, a frequency comes twice or out of order, a number is out
        of its range, the lengths differ, the ear is unknown, or no level is given where there was no response.

    See Also
    --------
    skaud.hearing.hl_to_spl : Thresholds as sound pressure levels in a free field.

    Examples
    --------
    >>> from skaud.hearing import Audiogram
    >>> audiogram = Audiogram([250, 500, 1000, 2000, 4000], [10, 15, 20, None, 60], ear="right")
    >>> audiogram.thresholds_at([750, 2000])
    array([17.92481..., 40.        ])
    >>> audiogram.pure_tone_average()
    33.75
    >>> Audiogram.standard("N3", ear="left").thresholds_db_hl
    array([35., 35., 35., 35., 40., 45., 50., 55., 60., 65.])

    At 8000 Hz not even 90 dB HL were heard:

    >>> Audiogram([1000, 4000, 8000], [20, 55, 90], no_response=[False, False, True])
    Audiogram([1000, 4000, 8000], [20, 55, 90], no_response=[False, False, True])
    """

    frequencies_hz: np.ndarray
    thresholds_db_hl: np.ndarray
    ear: str | None
    no_response: np.ndarray
    columns: tuple | None

    def __init__(
        self,
        frequencies_hz: npt.ArrayLike,
        thresholds_db_hl: npt.ArrayLike,
        ear: str | None = None,
        no_response: npt.ArrayLike | None = None,
    ):
        frequency = reading.numbers("frequencies_hz", frequencies_hz)
        threshold = reading.numbers("thresholds_db_hl", thresholds_db_hl)
        reading.check_frequencies(frequency)
        reading.check_thresholds(threshold, frequency)
        if ear not in (None, "left", "right"):
            raise ValueError(f"ear={ear!r} must be 'left', 'right' or None; an audiogram is of one ear, make two.")
        unheard = reading.mask_of_no_response(no_response, frequency, threshold)
        self._set(frequencies_hz=frequency, thresholds_db_hl=threshold, ear=ear, no_response=unheard, columns=None)

    def _set(self, **fields: object) -> Audiogram:
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        return self

    @classmethod
    def standard(cls, name: str, ear: str | None = None) -> Audiogram:
        """Make one of the ten standard audiograms of IEC 60118-15.

        Parameters
        ----------
        name : {"N1", "N2", "N3", "N4", "N5", "N6", "N7", "S1", "S2", "S3"}
            N1 (very mild) to N7 (profound) are flat or slope moderately, S1 (very mild) to S3 (moderate to severe)
            slope steeply.
        ear : {"left", "right"}, optional
            The ear, by default not stated.

        Returns
        -------
        Audiogram
            Thresholds at 250, 375, 500, 750, 1000, 1500, 2000, 3000, 4000 and 6000 Hz.

        Raises
        ------
        ValueError
            If there is no such audiogram.

        References
        ----------
        .. [1] N. Bisgaard, M. S. M. G. Vlaming, M. Dahlquist, "Standard audiograms for the IEC 60118-15 measurement
           procedure", Trends in Amplification 14, 113-120, 2010.

        Examples
        --------
        >>> from skaud.hearing import Audiogram
        >>> Audiogram.standard("S2").thresholds_db_hl
        array([20. , 20. , 20. , 22.5, 25. , 35. , 55. , 75. , 95. , 95. ])
        """
        if name not in tuple(_STANDARD_DB_HL):
            raise ValueError(f"name={name!r} must be one of {', '.join(_STANDARD_DB_HL)}; choose one of them.")
        return cls(_STANDARD_HZ, _STANDARD_DB_HL[name], ear)

    @classmethod
    def from_dict(
        cls, thresholds_db_hl: Mapping[Any, float | None], ear: str | None = None, no_response: Iterable[object] = ()
    ) -> Audiogram:
        """Make an audiogram from a dict of frequency and threshold.

        Parameters
        ----------
        thresholds_db_hl : dict
            Thresholds in dB HL by frequency, in any order. A frequency is a number of Hz or text such as "500",
            "500 Hz", "1k" or "1.5 kHz".
        ear : {"left", "right"}, optional
            The ear, by default not stated.
        no_response : list, optional
            Frequencies at which the highest level tried was not heard, written in the same ways.

        Returns
        -------
        Audiogram
            The audiogram, sorted by frequency.

        Raises
        ------
        ValueError, TypeError
            If it is no dict, a key is no frequency, or for what the class refuses.

        Examples
        --------
        >>> from skaud.hearing import Audiogram
        >>> Audiogram.from_dict({"500 Hz": 10, "1k": 20, 250: 5}, ear="left")
        Audiogram([250, 500, 1000], [5, 10, 20], ear='left')
        """
        found = reading.points(reading.items_of(thresholds_db_hl), no_response)
        return cls(found.frequencies_hz, found.thresholds_db_hl, ear, found.no_response)

    @classmethod
    def from_series(cls, series: pd.Series, ear: str | None = None, no_response: Iterable[object] = ()) -> Audiogram:
        """Make an audiogram from a pandas Series over frequency.

        Parameters
        ----------
        series : pandas.Series
            Thresholds in dB HL; the index has their frequencies, in any order, written as for `from_dict`.
        ear : {"left", "right"}, optional
            The ear, by default not stated.
        no_response : list, optional
            Frequencies at which the highest level tried was not heard.

        Returns
        -------
        Audiogram
            The audiogram, sorted by frequency.

        Raises
        ------
        ValueError
            If a label is no frequency, or for what the class refuses.

        Examples
        --------
        >>> import pandas as pd
        >>> from skaud.hearing import Audiogram
        >>> Audiogram.from_series(pd.Series({500: 10.0, 1000: 20.0}))
        Audiogram([500, 1000], [10, 20])
        """
        found = reading.points(series.items(), no_response)
        return cls(found.frequencies_hz, found.thresholds_db_hl, ear, found.no_response)

    @classmethod
    def from_row(
        cls,
        row: pd.Series | Mapping[Any, Any],
        columns: Sequence[Any] | Mapping[Any, float] | None = None,
        ear: str | None = None,
        no_response: Iterable[object] = (),
    ) -> Audiogram:
        """Make an audiogram from a row of a table that has a column for each frequency.

        Parameters
        ----------
        row : pandas.Series or dict
            A row, such as ``frame.loc[i]``; it may have other columns.
        columns : list or dict, optional
            The columns with thresholds; as a dict, the frequency in Hz of each. By default all columns whose names are
            frequencies from 20 to 20000 Hz, written as for `from_dict`.
        ear : {"left", "right"}, optional
            The ear, by default not stated.
        no_response : list, optional
            Those of the columns whose level is the highest that was tried, and not heard.

        Returns
        -------
        Audiogram
            The audiogram, sorted by frequency; its `columns` says which columns were taken.

        Raises
        ------
        ValueError, TypeError
            If there is no such column, a column's name is no frequency, or for what the class refuses; the message then
            lists the columns that were taken.

        Examples
        --------
        >>> import pandas as pd
        >>> from skaud.hearing import Audiogram
        >>> frame = pd.DataFrame({"listener": ["A"], "age": [71], "500": [20], "1k": [35], "R4000": [60]})
        >>> audiogram = Audiogram.from_row(frame.loc[0])
        >>> audiogram, audiogram.columns
        (Audiogram([500, 1000], [20, 35]), ('500', '1k'))
        >>> Audiogram.from_row(frame.loc[0], columns={"1k": 1000, "R4000": 4000}, ear="right")
        Audiogram([1000, 4000], [35, 60], ear='right')
        """
        taken = reading.columns_of_row(row, columns)
        items = [(name, value) for name, value in row.items() if name in taken]
        found = reading.points(items, no_response, taken)
        try:
            audiogram = cls(found.frequencies_hz, found.thresholds_db_hl, ear, found.no_response)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{error} The columns taken were {reading.in_words(found)}.") from None
        return audiogram._set(columns=tuple(found.labels))

    @property
    def measured(self) -> np.ndarray:
        """Mask of shape (n_frequencies,), True where there is a threshold or the level that was not heard."""
        return ~np.isnan(self.thresholds_db_hl)

    def thresholds_at(self, frequencies_hz: npt.ArrayLike, extend_octaves: float = 0.5) -> np.floating | np.ndarray:
        """Interpolate thresholds, linear in dB over the logarithm of frequency.

        A point without a response counts with the level that was tried: around it, thresholds are at least those
        returned.

        Parameters
        ----------
        frequencies_hz : float or array-like of any shape
            Frequencies in Hz.
        extend_octaves : float, default=0.5
            How far beyond the lowest and the highest measured frequency their thresholds are held, in octaves;
            `numpy.inf` holds them everywhere.

        Returns
        -------
        float or ndarray of the shape of `frequencies_hz`
            Thresholds in dB HL, interpolated across missing ones.

        Raises
        ------
        ValueError
            If a frequency lies further out than `extend_octaves`.

        Examples
        --------
        >>> from skaud.hearing import Audiogram
        >>> Audiogram.standard("N1").thresholds_at([2000, 2449.49, 8000]).round(2)
        array([15. , 17.5, 40. ])
        """
        meant = "0 or more; 0 refuses to extend the audiogram"
        extend_octaves = check_number("extend_octaves", extend_octaves, meant, 0, np.inf)
        frequency = np.asarray(frequencies_hz, dtype=float)
        known = self.frequencies_hz[self.measured]
        reach = 2.0 ** min(extend_octaves + 1e-9, 64)  # with rounding, the ends themselves are within reach
        bad = frequency[~((frequency >= known[0] / reach) & (frequency <= known[-1] * reach))]
        if bad.size:
            beyond = f" or {extend_octaves:g} octaves beyond" if extend_octaves else ""
            raise ValueError(
                f"frequencies_hz={bad[0]:g} must lie within the measured {known[0]:g} to {known[-1]:g} Hz{beyond}; "
                "leave it out, or hold the last threshold with thresholds_at(..., extend_octaves=numpy.inf)."
            )
        return np.interp(np.log2(frequency), np.log2(known), self.thresholds_db_hl[self.measured])

    def pure_tone_average(self, frequencies_hz: npt.ArrayLike = (500, 1000, 2000, 4000)) -> float:
        """Average the thresholds at some frequencies.

        A point without a response counts with the level that was tried, so that the average is at least the one
        returned.

        Parameters
        ----------
        frequencies_hz : array-like of shape (n,), default=(500, 1000, 2000, 4000)
            Frequencies in Hz, within those measured; where there is no threshold, it is interpolated. By default those
            of the World Health Organization's grades of hearing loss.

        Returns
        -------
        float
            Average in dB HL.

        Raises
        ------
        ValueError
            If there is no frequency, or one lies outside those measured.

        Examples
        --------
        >>> from skaud.hearing import Audiogram
        >>> Audiogram.standard("N4").pure_tone_average()
        62.5
        """
        if not np.size(frequencies_hz):
            raise ValueError("frequencies_hz is empty, there is nothing to average; give at least one frequency.")
        return float(np.mean(self.thresholds_at(frequencies_hz, extend_octaves=0)))

    def difference(self, other: Audiogram) -> pd.Series:
        """Subtract the thresholds of another audiogram; ``audiogram - other`` does the same.

        Parameters
        ----------
        other : Audiogram
            Of the other ear, or of another day.

        Returns
        -------
        pandas.Series
            Differences in dB at the frequencies heard in both, positive where this audiogram has the greater loss. A
            point without a response has no known difference, and is left out.

        Raises
        ------
        ValueError
            If no frequency was heard in both.

        Examples
        --------
        >>> from skaud.hearing import Audiogram
        >>> before, after = Audiogram([1000, 2000, 4000], [0, 5, 10]), Audiogram([1000, 4000], [0, 35])
        >>> (after - before).to_dict()
        {1000.0: 0.0, 4000.0: 25.0}
        """
        heard = [one.to_series()[one.measured & ~one.no_response] for one in (self, other)]
        difference = (heard[0] - heard[1]).dropna().rename("difference_db")
        if difference.empty:
            raise ValueError(
                f"other has thresholds at {heard[1].index.tolist()} Hz, this audiogram at {heard[0].index.tolist()} "
                "Hz; compare thresholds_at common frequencies."
            )
        return difference

    def to_series(self) -> pd.Series:
        """Give the thresholds as a pandas Series.

        Returns
        -------
        pandas.Series
            Thresholds in dB HL over frequency in Hz; NaN where missing, and the level that was tried where there was no
            response, which `from_series` must be told again.

        Examples
        --------
        >>> from skaud.hearing import Audiogram
        >>> Audiogram([500, 1000], [10, 15]).to_series()
        frequency_hz
        500.0     10.0
        1000.0    15.0
        Name: threshold_db_hl, dtype: float64
        """
        import pandas as pd

        index = pd.Index(self.frequencies_hz, name="frequency_hz")
        return pd.Series(self.thresholds_db_hl, index, name="threshold_db_hl", copy=True)

    def plot(self, ax: Plot | None = None) -> Plot:
        """Plot on the form of the clinic.

        Loss points downwards, an octave is as long as 20 dB. The right ear has red circles, the left ear blue crosses;
        across a missing threshold the line is dotted; no line leads to a symbol with an arrow, which got no response.
        Plot two ears on the same `ax` to compare them.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to plot on; by default new ones.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.

        Examples
        --------
        >>> from skaud.hearing import Audiogram
        >>> ax = Audiogram.standard("N3", ear="right").plot()
        >>> ax = Audiogram.standard("S2", ear="left").plot(ax)
        """
        from skaud.hearing.form import draw, new_axes

        ax = new_axes("Audiogram.plot") if ax is None else ax
        draw(ax, [self])
        return ax

    def __sub__(self, other: Audiogram) -> pd.Series:
        return self.difference(other) if isinstance(other, Audiogram) else NotImplemented

    def __len__(self) -> int:
        return self.frequencies_hz.size

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, Audiogram) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        frequencies, thresholds, ear, no_response = self._values()
        more = f", ear={ear!r}" if ear else ""
        more += f", no_response={list(no_response)}" if no_response else ""
        return f"Audiogram([{', '.join(map(_short, frequencies))}], [{', '.join(map(_short, thresholds))}]{more})"

    def __reduce__(self) -> tuple:  # made anew by pickle and deepcopy: read-only arrays stay so
        return _make, (self._values(), self.columns)

    def _values(self) -> tuple:
        """Arguments that make this audiogram, with None for NaN, which is not equal to itself."""
        thresholds = [None if np.isnan(threshold) else threshold for threshold in self.thresholds_db_hl.tolist()]
        no_response = tuple(self.no_response.tolist()) if self.no_response.any() else None
        return tuple(self.frequencies_hz.tolist()), tuple(thresholds), self.ear, no_response


def _make(values: tuple, columns: tuple | None) -> Audiogram:
    return Audiogram(*values)._set(columns=columns)


def _short(number: float | None) -> str:
    return repr(number if number is None or number % 1 else int(number))
