"""Headphone, outer ear and middle ear as transformers: sound in, sound out."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha1
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import StrOptions

from skaud._stream import StreamState
from skaud.base import AudioTransformer
from skaud.design import ears as design
from skaud.kernels.fir import convolve, convolve_adjoint, prepare_taps
from skaud.stages._stage import BLOCK, Stage


class EarStage(Stage):
    """A FIR filter of the ear."""

    _parameter_constraints: dict = {
        **AudioTransformer._parameter_constraints,
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

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.gains_db is None and self.frequencies_hz is not None:
            raise ValueError(
                "gains_db=None must be given where frequencies_hz is: a table has both; None for both is the ear's own."
            )

    def _table(self) -> design.Table:
        """Gains at frequencies, as published or as given."""
        published, gains_db = self._published_table(), self._parameters()["gains_db"]
        if gains_db is None:
            return published
        frequencies = published.frequencies_hz if self.frequencies_hz is None else np.asarray(self.frequencies_hz)
        return design.user_table(frequencies, np.asarray(gains_db))

    def _design(self) -> None:
        table = self._table()
        self.frequencies_hz_, self.gains_db_ = table.frequencies_hz, self._in_db(table)
        self.filter_ = self._filter(table)
        self._fingerprint_ = sha1(self.filter_.fir.tobytes()).hexdigest()[:10]

    def _in_db(self, table: design.Table) -> np.ndarray:
        """Gains of a table in dB; re the largest where the filter has no gain of its own."""
        if self._parameters()["gains_db"] is not None:
            return np.asarray(self._parameters()["gains_db"], dtype=float)
        return 20 * np.log10(table.gains / (table.gains.max() if self._normalise else 1))

    def _filter(self, table: design.Table) -> design.EarFilter:
        return design.design_ear(table, self.sample_rate, self.phase, **self._options())

    def _options(self) -> dict[str, bool]:
        """What `design_ear` must know besides."""
        return {"normalise": self._normalise}

    def transform(self, X: Any, sample_rate: Any = None) -> Any:
        """Filter.

        Parameters
        ----------
        X : array of shape (n_signals, n_samples) or (n_signals, n_ears, n_samples), or list of clips
            Sound.
        sample_rate : float or sequence of float, default=None
            Rate of the clips in Hz, one for all or one a clip; where it is not the stage's, they are resampled.

        Returns
        -------
        ndarray or list of ndarray
            Sound, in the shape of X.
        """
        response = super().transform(X, sample_rate=sample_rate)
        return response[..., 0, :] if isinstance(response, np.ndarray) else [clip[..., 0, :] for clip in response]

    def vjp(
        self, X: Any, wrt: str | Sequence[str] | None = None, output: str = "features"
    ) -> tuple[Any, Callable[[Any], dict[str, Any]]]:
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
        sound = value[..., 0, :] if isinstance(value, np.ndarray) else [clip[..., 0, :] for clip in value]

        def pullback_of_sound(value_bar: Any) -> dict[str, Any]:
            return pullback([np.asarray(bar)[..., np.newaxis, :] for bar in value_bar])

        return sound, pullback_of_sound

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
        return Y[..., 0, :], state

    def _channel_names(self) -> list[str]:
        return ["sound"]

    def _run_full(self, clips: list[np.ndarray], names: tuple[str, ...]) -> list[tuple[np.ndarray, ...]]:
        return [(self._filtered(clip)[:, np.newaxis],) for clip in clips]

    def _run_frames(self, clips: list[np.ndarray], frame_length: int | None) -> list[np.ndarray]:
        return [responses[0] for responses in self._run_full(clips, (self.output,))]

    def _initial_arrays(self, n_ears: int) -> np.ndarray:
        check_causal(self.phase)
        return self._history(n_ears)

    def _run_chunk(self, clip: np.ndarray, arrays: np.ndarray, frame_length: int | None) -> tuple[np.ndarray, Any]:
        out, history = self._go_on(clip, arrays)
        return out[:, np.newaxis], history

    # --- filtering block by block ---

    def _history(self, n_rows: int) -> np.ndarray:
        """Samples before the first, as many as the filter looks back."""
        return self._before(n_rows, prepare_taps(self.filter_.fir, self.dtype))

    def _before(self, n_rows: int, taps: np.ndarray) -> np.ndarray:
        return np.zeros((n_rows, len(taps) - 1), taps.dtype)

    def _go_on(
        self, x: np.ndarray, history: np.ndarray, taps: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Filter a block; history is what came before it."""
        taps = prepare_taps(self.filter_.fir, self.dtype) if taps is None else taps
        x = np.concatenate([history, x], axis=1)
        out = np.empty((len(x), x.shape[1] - len(taps) + 1), taps.dtype)
        convolve(x, taps, out)
        return out, x[:, out.shape[1] :].copy()

    def _stream(self, blocks: Iterable[np.ndarray], taps: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Filtered blocks of one clip, as long as the clip and ahead by the filter's advance."""
        taps = prepare_taps(self.filter_.fir, self.dtype) if taps is None else taps
        early, history = self.filter_.advance, self._before(1, taps)
        for i, block in enumerate(blocks):
            out, history = self._go_on(block, history if i else self._before(len(block), taps), taps)
            skipped = min(early, out.shape[1])
            early -= skipped
            if skipped < out.shape[1]:
                yield out[:, skipped:]
        if self.filter_.advance:  # zeros follow the clip; one shorter than the advance drops the rest of it
            out, _ = self._go_on(np.zeros((len(history), self.filter_.advance), taps.dtype), history, taps)
            yield out[:, early:]

    def _filtered(self, clip: np.ndarray, taps: np.ndarray | None = None) -> np.ndarray:
        """A whole clip, filtered."""
        return np.concatenate(list(self._stream(iter_blocks(clip), taps)), axis=1)

    # --- derivatives ---

    def _differentiable(self) -> tuple[str, ...]:
        return ("gains_db",)

    def _bounds(self) -> dict[str, tuple[float, float]]:
        """Physical limits of every parameter that has a derivative."""
        return {"gains_db": (-80.0, 40.0)}

    def _differentiated(self, name: str) -> np.ndarray:
        return self.gains_db_

    def _filtered_adjoint(self, out_bar: np.ndarray) -> np.ndarray:
        """Bar of a clip, from that of its filtered self: the filter, backwards in time."""
        return np.ascontiguousarray(self._filtered(out_bar[:, ::-1])[:, ::-1])

    def _taps_adjoint(self, x: np.ndarray, out_bar: np.ndarray) -> np.ndarray:
        """Bar of the filter's taps, for a clip x."""
        n_taps, advance = len(self.filter_.fir), self.filter_.advance
        around = np.pad(x, ((0, 0), (n_taps - 1 - advance, advance)))
        taps_bar = np.zeros(n_taps)
        convolve_adjoint(around, out_bar, taps_bar)
        return taps_bar[::-1]

    def _gains_vjp(self, x: np.ndarray, out_bar: np.ndarray) -> np.ndarray:
        """Bar of the gains in dB, for a clip x."""
        table, taps_bar = self._table(), self._taps_adjoint(x, out_bar)
        gains_bar = design.design_ear_adjoint(taps_bar, table, self.sample_rate, self.phase, **self._options())
        # gains = 10 ** (gains_db / 20)
        return gains_bar * table.gains * (np.log(10) / 20)

    def _complex_taps(self, gains_db: np.ndarray | None) -> np.ndarray:
        """Taps in complex numbers, for gains of which some are complex; None means those that it has."""
        if gains_db is None:
            return prepare_taps(self.filter_.fir, "complex128")
        table = self._table()
        gains = table.gains * 10 ** ((gains_db - self.gains_db_) / 20)
        return prepare_taps(self._filter(design.Table(table.frequencies_hz, gains)).fir, "complex128")

    def _run_vjp(
        self, clips: list[np.ndarray], output: str, frame_length: int | None, wrt: tuple[str, ...]
    ) -> tuple[list[np.ndarray], Callable]:
        (clip,) = clips

        def pullback(value_bars: list[np.ndarray]) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
            out_bar = np.require(value_bars[0][:, 0], self.dtype, ["C_CONTIGUOUS", "WRITEABLE"])
            grads = {"gains_db": self._gains_vjp(clip, out_bar)} if "gains_db" in wrt else {}
            return [self._filtered_adjoint(out_bar)], grads

        return [self._filtered(clip)[:, np.newaxis]], pullback

    def _run_complex(
        self, clips: list[np.ndarray], output: str, frame_length: int | None, parameters: dict[str, Any]
    ) -> list[np.ndarray]:
        taps = self._complex_taps(parameters.get("gains_db"))
        return [self._filtered(clip, taps)[:, np.newaxis] for clip in clips]


class HeadphoneFilter(EarStage):
    """Headphone and outer ear, after Pralong & Carlile (1996).

    Parameters
    ----------
    sample_rate : float, default=44100
        Rate of the stage in Hz, 8 to 192 kHz.
    phase : {"minimum", "zero", "amt"}, default="minimum"
        Causal; without phase shift; or as in the Auditory Modeling Toolbox: linear phase, forward by 257 samples.
    frequencies_hz, gains_db : array-like of shape (n_frequencies,) or None, default=None
        Gains of another ear; None for both means the published ones, and gains alone stand for the published
        frequencies.
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

    Notes
    -----
    `vjp` has derivatives with respect to X, by the filter backwards in time, and to `gains_db`, by the design
    backwards, its cepstrum included: an entry a frequency. Gains beyond half the sample rate have derivative 0.

    References
    ----------
    .. [1] D. Pralong, S. Carlile, "The role of individualized headphone calibration for the generation of high fidelity
       virtual auditory space", J. Acoust. Soc. Am. 100:3785, 1996.

    Examples
    --------
    >>> from skaud import HeadphoneFilter, datasets
    >>> X = datasets.make_tone([500, 2700], duration_s=0.2, sample_rate=44100)
    >>> Y = HeadphoneFilter(sample_rate=44100).fit_transform(X)
    >>> (Y.std(axis=1) / X.std(axis=1)).round(1)
    array([1. , 2.7])
    """

    _outputs = ("headphone",)
    output = "headphone"

    def __init__(
        self,
        sample_rate: float = 44100,
        *,
        phase: str = "minimum",
        frequencies_hz: ArrayLike | None = None,
        gains_db: ArrayLike | None = None,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.phase = phase
        self.frequencies_hz = frequencies_hz
        self.gains_db = gains_db
        self.dtype = dtype
        self.n_jobs = n_jobs

    def _published_table(self) -> design.Table:
        return design.headphone_table()


class MiddleEarFilter(EarStage):
    """Middle ear, its largest gain 0 dB.

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

    Notes
    -----
    `vjp` has derivatives with respect to X, by the filter backwards in time, and to `gains_db`, by the design
    backwards, its cepstrum included: an entry a frequency. Gains beyond half the sample rate have derivative 0.

    References
    ----------
    .. [1] M. Jepsen, S. Ewert, T. Dau, "A computational model of human auditory signal processing and perception",
       J. Acoust. Soc. Am. 124:422, 2008.
    .. [2] E. Lopez-Poveda, R. Meddis, "A human nonlinear cochlear filterbank", J. Acoust. Soc. Am. 110:3107, 2001.
    """

    _outputs = ("middle_ear",)
    output = "middle_ear"
    _normalise = True

    _parameter_constraints: dict = {
        **EarStage._parameter_constraints,
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
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.middle_ear = middle_ear
        self.phase = phase
        self.frequencies_hz = frequencies_hz
        self.gains_db = gains_db
        self.dtype = dtype
        self.n_jobs = n_jobs

    def _published_table(self) -> design.Table:
        return design.middle_ear_table(self.middle_ear, self.sample_rate)

    def _options(self) -> dict[str, bool]:
        return super()._options() | {"amt_minimum": self.middle_ear == "lopezpoveda2001"}


def iter_blocks(clip: np.ndarray) -> Iterator[np.ndarray]:
    """Blocks (n_rows, at most BLOCK) of a clip (n_rows, n_samples)."""
    for begin in range(0, clip.shape[1], BLOCK):
        yield np.ascontiguousarray(clip[:, begin : begin + BLOCK])


def check_causal(phase: str) -> None:
    """Refuse to filter chunks with a filter that looks ahead."""
    if phase != "minimum":
        raise ValueError(
            f"phase={phase!r} needs samples that a chunk does not hold yet, its ear filters look ahead; use "
            "phase='minimum' for chunks, or transform the whole signal."
        )
