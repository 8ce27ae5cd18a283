"""Headphone, outer ear and middle ear as transformers: sound in, sound out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import StrOptions

from skaud._fitted import as_designed, as_fitted
from skaud._types import Features, Rates, Signals
from skaud.design import ears as design
from skaud.engines.fir import Fir
from skaud.estimator.stream_state import StreamState
from skaud.fitting.movable import Gradients, Parameters, Pullback
from skaud.kernels.array_api import is_array, take
from skaud.sound import Sound
from skaud.sound.clips import as_list, take_apart
from skaud.stages.stage import Stage


class EarStage(Stage):
    """A FIR filter of the ear."""

    _parameter_constraints: dict = {
        "phase": [StrOptions(set(design.PHASES))],
        "frequencies_hz": ["array-like", None],
        "gains_db": ["array-like", None],
    }
    phase: str
    frequencies_hz: ArrayLike | None
    gains_db: ArrayLike | None

    _normalise = False

    @abstractmethod
    def _published_table(self) -> design.Table:
        """The ear's own gains."""

    def check_parameters(self) -> None:
        super().check_parameters()
        if self.gains_db is None and self.frequencies_hz is not None:
            raise ValueError(
                "gains_db=None must be given where frequencies_hz is: a table has both; None for both is the ear's own."
            )

    def _table(self) -> design.Table:
        """Gains at frequencies, as published or as given."""
        published, gains_db = self._published_table(), self.parameters_in_use()["gains_db"]
        if gains_db is None:
            return published
        frequencies = published.frequencies_hz if self.frequencies_hz is None else np.asarray(self.frequencies_hz)
        return design.user_table(frequencies, np.asarray(gains_db))

    def make_design(self) -> None:
        table = self._table()
        self.frequencies_hz_, self.gains_db_ = table.frequencies_hz, self._in_db(table)
        self.filter_ = self._filter(table)
        super().make_design()

    def _in_db(self, table: design.Table) -> np.ndarray:
        """Gains of a table in dB; re the largest where the filter has no gain of its own."""
        if self.parameters_in_use()["gains_db"] is not None:
            return np.asarray(self.parameters_in_use()["gains_db"], dtype=float)
        return 20 * np.log10(table.gains / (table.gains.max() if self._normalise else 1))

    def _filter(self, table: design.Table) -> design.EarFilter:
        return design.design_ear(table, self.sample_rate, self.phase, **self._options())

    def _options(self) -> dict[str, bool]:
        """What `design_ear` must know besides."""
        return {"normalise": self._normalise}

    @as_fitted
    def transform(self, X: Signals, sample_rate: Rates = None) -> Features:
        """Filter.

        Parameters
        ----------
        X : array of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples), or list of clips
            Sound.
        sample_rate : float or sequence of float, default=None
            Rate of the clips in Hz, one for all or one a clip; where it is not the stage's, they are resampled.

        Returns
        -------
        ndarray, list of ndarray or list of Sound
            Sound, in the shape of X; Sounds where the clips of X know their rate, so that what follows knows it too.
        """
        response = super().transform(X, sample_rate=sample_rate)
        if not isinstance(response, list):
            return _sound_of(response)
        filtered = [_sound_of(clip) for clip in response]
        clips, _ = as_list(X)
        if not clips or is_array(clips[0]) or take_apart(clips[0], "X[0]").sample_rate is None:
            return filtered
        return [Sound(clip, self.sample_rate, self.level_of_one()) for clip in filtered]

    @as_designed
    def vjp(
        self, X: Signals, wrt: str | Sequence[str] | None = None, output: str = "features"
    ) -> tuple[Features, Pullback]:
        """Filtered sound, and the function that takes derivatives back through the filter.

        Parameters
        ----------
        X : array of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples), or list of clips
            Sound at the stage's sample rate.
        wrt : str or sequence of str, default=None
            What to differentiate with respect to: "X" and "gains_db"; None stands for both.
        output : str, default="features"
            What `transform` returns, or the stage's own name for what `simulate` returns.

        Returns
        -------
        value : ndarray or list of ndarray
            As `transform` or `simulate` returns it.
        pullback : callable
            Takes ``value_bar``, shaped as value, and returns a dict: "X", shaped as X, and "gains_db", an entry a
            frequency.
        """
        value, pullback = super().vjp(X, wrt, output)
        if output != "features":
            return value, pullback
        sound = [_sound_of(clip) for clip in value] if isinstance(value, list) else _sound_of(value)

        def pullback_of_sound(value_bar: Features) -> Gradients:
            bars, _ = take(value_bar, "value_bar")
            is_list = isinstance(bars, (list, tuple))
            return pullback([bar[..., None, :] for bar in bars] if is_list else bars[..., None, :])

        return sound, pullback_of_sound

    @as_designed
    def transform_chunk(self, X: np.ndarray, state: StreamState) -> tuple[np.ndarray, StreamState]:
        """Go on with a stream.

        Parameters
        ----------
        X : ndarray of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples)
            Next samples, at the stage's sample rate.
        state : StreamState
            From `initial_state` or the chunk before; it is not changed.

        Returns
        -------
        Y : ndarray of the shape of X
            Filtered chunk.
        state : StreamState
            For the next chunk.
        """
        Y, state = super().transform_chunk(X, state)
        return _sound_of(Y), state

    def channel_names(self) -> list[str]:
        return ["sound"]

    def make_engine(self, parameters: Parameters, dtype: str) -> Fir:
        fir = self.filter_.fir
        if "gains_db" in parameters:
            table = self._table()
            gains = table.gains * 10 ** ((parameters["gains_db"] - self.gains_db_) / 20)
            fir = self._filter(design.Table(table.frequencies_hz, gains)).fir
        return Fir(self.output, fir, self.filter_.advance, dtype)

    def why_no_chunks(self) -> str | None:
        if self.phase == "minimum":
            return None
        return (
            f"phase={self.phase!r} needs samples that a chunk does not hold yet, its ear filters look ahead; use "
            "phase='minimum' for chunks, or transform the whole signal."
        )

    # --- derivatives ---

    def bounds(self) -> dict[str, tuple[float, float]]:
        """Physical limits of every parameter that has a derivative."""
        return {"gains_db": (-80.0, 40.0)}

    def value_of(self, name: str) -> np.ndarray:
        return self.gains_db_

    def parameter_bar(self, name: str, bars: tuple[np.ndarray, ...]) -> np.ndarray:
        (taps_bar,), table = bars, self._table()
        gains_bar = design.design_ear_adjoint(taps_bar, table, self.sample_rate, self.phase, **self._options())
        # gains = 10 ** (gains_db / 20)
        return gains_bar * table.gains * (np.log(10) / 20)


def _sound_of(response: Features) -> Features:
    """A response without its one channel, in its own library."""
    values, place = take(response, "response")
    return place.give(values[..., 0, :])


class HeadphoneFilter(EarStage):
    r"""Headphone and outer ear, after Pralong & Carlile (1996).

    Parameters
    ----------
    sample_rate : float, default=44100
        Rate of the stage in Hz, 8 to 192 kHz.
    phase : {"minimum", "zero", "amt"}, default="minimum"
        Causal; without phase shift; or as in the Auditory Modeling Toolbox: linear phase, forward by 257 samples.
    frequencies_hz, gains_db : array-like of shape (n_frequencies,) or None, default=None
        Gains of another ear; None for both means the published ones, and gains alone stand for the published
        frequencies.
    rms_one_db_spl : float or None, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in plain samples and in the output; 93.98 for pascals, None for
        the scale of the published program, 100. A `Sound` knows its own.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals.

    Attributes
    ----------
    filter_ : EarFilter
        Taps, and by how many samples the output comes forward.
    frequencies_hz_, gains_db_ : ndarray of shape (n_frequencies,)
        Gains that the filter was designed from.
    frame_rate_hz_ : float
        Frames a second; the sample rate where every sample is kept.
    n_ears_in_ : int or None
        Ears of the signals in `fit`; None where they had no axis for them.
    n_features_in_ : int
        Samples of a signal, where X was a 2-D array in `fit`.

    Notes
    -----
    A filter of 513 taps with the gains g (`gains_db`, in dB) at the frequencies f (`frequencies_hz`) of Pralong &
    Carlile (1996) [1]_, fitted there to the mean of measured ears, by frequency sampling with a Hamming window:

    .. math::

        y[t] = \sum_{k=0}^{512} h_k\, x[t - k], \qquad |H(f)| = 10^{g(f) / 20}, \quad |H(0)| = |H(f_s / 2)| = 0

    ``phase="minimum"`` gives h the phase that goes with its magnitude. Sound below 125 Hz is attenuated, DC is removed.

    `vjp` has derivatives with respect to X, by the filter backwards in time, and to `gains_db`, by the design
    backwards, its cepstrum included: an entry a frequency. Gains beyond half the sample rate have derivative 0.

    References
    ----------
    .. [1] D. Pralong, S. Carlile, "The role of individualized headphone calibration for the generation of high fidelity
       virtual auditory space", J. Acoust. Soc. Am. 100:3785, 1996.

    Examples
    --------
    >>> from skaud import HeadphoneFilter, datasets
    >>> X = datasets.make_tone([500, 2700], duration_s=0.2)
    >>> Y = HeadphoneFilter(sample_rate=44100).fit_transform(X)
    >>> [round(float(y.samples.std() / x.samples.std()), 1) for x, y in zip(X, Y)]
    [1.0, 2.7]
    """

    all_outputs = ("headphone",)
    output = "headphone"

    def __init__(
        self,
        sample_rate: float = 44100,
        *,
        phase: str = "minimum",
        frequencies_hz: ArrayLike | None = None,
        gains_db: ArrayLike | None = None,
        rms_one_db_spl: float | None = 93.98,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.phase = phase
        self.frequencies_hz = frequencies_hz
        self.gains_db = gains_db
        self.rms_one_db_spl = rms_one_db_spl
        self.dtype = dtype
        self.n_jobs = n_jobs

    def _published_table(self) -> design.Table:
        return design.headphone_table()


class MiddleEarFilter(EarStage):
    r"""Middle ear, its largest gain 0 dB.

    Parameters
    ----------
    sample_rate : float, default=44100
        Rate of the stage in Hz, 8 to 192 kHz.
    middle_ear : {"jepsen2008", "lopezpoveda2001"}, default="jepsen2008"
        Impedance after Jepsen et al. (2008), or stapes velocity after Lopez-Poveda & Meddis (2001).
    phase : {"minimum", "zero", "amt"}, default="minimum"
        Causal; without phase shift; or as in the Auditory Modeling Toolbox, brought forward by 257 samples:
        linear phase for jepsen2008, minimum phase for lopezpoveda2001.
    frequencies_hz, gains_db : array-like of shape (n_frequencies,) or None, default=None
        Gains of another ear; None for both means the published ones, and gains alone stand for the published
        frequencies.
    rms_one_db_spl : float or None, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in plain samples and in the output; 93.98 for pascals, None for
        the scale of the published program, 100. A `Sound` knows its own.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals.

    Attributes
    ----------
    filter_ : EarFilter
        Taps, and by how many samples the output comes forward.
    frequencies_hz_, gains_db_ : ndarray of shape (n_frequencies,)
        Gains that the filter was designed from, the published ones re the largest.
    frame_rate_hz_ : float
        Frames a second; the sample rate where every sample is kept.
    n_ears_in_ : int or None
        Ears of the signals in `fit`; None where they had no axis for them.
    n_features_in_ : int
        Samples of a signal, where X was a 2-D array in `fit`.

    Notes
    -----
    A filter of 513 taps, with the amplitude A of the published table, as 1 over the impedance [1]_ or as the velocity
    of the stapes [2]_, and largest gain 0 dB:

    .. math::

        y[t] = \sum_{k=0}^{512} h_k\, x[t - k], \qquad |H(f)| = A(f) / \max_f A(f)

    DC is removed.

    `vjp` has derivatives with respect to X, by the filter backwards in time, and to `gains_db`, by the design
    backwards, its cepstrum included: an entry a frequency. Gains beyond half the sample rate have derivative 0.

    References
    ----------
    .. [1] M. Jepsen, S. Ewert, T. Dau, "A computational model of human auditory signal processing and perception",
       J. Acoust. Soc. Am. 124:422, 2008.
    .. [2] E. Lopez-Poveda, R. Meddis, "A human nonlinear cochlear filterbank", J. Acoust. Soc. Am. 110:3107, 2001.

    Examples
    --------
    >>> from skaud import MiddleEarFilter, datasets
    >>> X = datasets.make_tone([800, 3000], duration_s=0.2)
    >>> Y = MiddleEarFilter(sample_rate=44100).fit_transform(X)
    >>> [round(float(y.samples.std() / x.samples.std()), 2) for x, y in zip(X, Y)]
    [1.0, 0.22]
    """

    all_outputs = ("middle_ear",)
    output = "middle_ear"
    _normalise = True

    _parameter_constraints: dict = {
        "middle_ear": [StrOptions(set(design.MIDDLE_EARS))],
    }

    def __init__(
        self,
        sample_rate: float = 44100,
        *,
        middle_ear: str = "jepsen2008",
        phase: str = "minimum",
        frequencies_hz: ArrayLike | None = None,
        gains_db: ArrayLike | None = None,
        rms_one_db_spl: float | None = 93.98,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.middle_ear = middle_ear
        self.phase = phase
        self.frequencies_hz = frequencies_hz
        self.gains_db = gains_db
        self.rms_one_db_spl = rms_one_db_spl
        self.dtype = dtype
        self.n_jobs = n_jobs

    def _published_table(self) -> design.Table:
        return design.middle_ear_table(self.middle_ear, self.sample_rate)

    def _options(self) -> dict[str, bool]:
        return super()._options() | {"amt_minimum": self.middle_ear == "lopezpoveda2001"}
