"""Headphone, outer ear and middle ear as transformers: sound in, sound out."""

from collections.abc import Iterable, Iterator
from hashlib import sha1
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import StrOptions

from skaud._stream import StreamState
from skaud.base import AudioTransformer
from skaud.design import ears as design
from skaud.kernels.fir import convolve, prepare_taps
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

    def _published_table(self) -> design.Table:
        raise NotImplementedError

    def _filter(self, table: design.Table) -> design.EarFilter:
        raise NotImplementedError

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if (self.frequencies_hz is None) != (self.gains_db is None):
            missing = "frequencies_hz" if self.frequencies_hz is None else "gains_db"
            raise ValueError(
                f"{missing}=None must be given where the other is: a table has both; None for both is the ear's own."
            )

    def _design(self) -> None:
        if self.frequencies_hz is None:
            table = self._published_table()
        else:
            table = design.user_table(np.asarray(self.frequencies_hz), np.asarray(self.gains_db))
        self.filter_ = self._filter(table)
        self._fingerprint_ = sha1(self.filter_.fir.tobytes()).hexdigest()[:10]

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
        return [(np.concatenate(list(self._stream(iter_blocks(clip))), axis=1)[:, np.newaxis],) for clip in clips]

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
        return np.zeros((n_rows, len(prepare_taps(self.filter_.fir, self.dtype)) - 1), self.dtype)

    def _go_on(self, x: np.ndarray, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Filter a block; history is what came before it."""
        taps = prepare_taps(self.filter_.fir, self.dtype)
        x = np.concatenate([history, x], axis=1)
        out = np.empty((len(x), x.shape[1] - len(taps) + 1), self.dtype)
        convolve(x, taps, out)
        return out, x[:, out.shape[1] :].copy()

    def _stream(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Filtered blocks of one clip, as long as the clip and ahead by the filter's advance."""
        early, history = self.filter_.advance, self._history(1)
        for i, block in enumerate(blocks):
            out, history = self._go_on(block, history if i else self._history(len(block)))
            skipped = min(early, out.shape[1])
            early -= skipped
            if skipped < out.shape[1]:
                yield out[:, skipped:]
        if self.filter_.advance:  # zeros follow the clip; one shorter than the advance drops the rest of it
            out, _ = self._go_on(np.zeros((len(history), self.filter_.advance), self.dtype), history)
            yield out[:, early:]


class HeadphoneFilter(EarStage):
    """Headphone and outer ear, after Pralong & Carlile (1996).

    Parameters
    ----------
    sample_rate : float, default=44100
        Rate of the stage in Hz, 8 to 192 kHz.
    phase : {"minimum", "zero", "amt"}, default="minimum"
        Causal; without phase shift; or as in the Auditory Modeling Toolbox: linear phase, forward by 257 samples.
    frequencies_hz, gains_db : array-like of shape (n_frequencies,) or None, default=None
        Gains of another ear; None for both means the published ones.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals.

    Attributes
    ----------
    filter_ : EarFilter
        Taps, and by how many samples the output comes forward.

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

    def _filter(self, table: design.Table) -> design.EarFilter:
        return design.design_ear(table, self.sample_rate, self.phase)


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
        Gains of another ear; None for both means the published ones.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals.

    Attributes
    ----------
    filter_ : EarFilter
        Taps, and by how many samples the output comes forward.

    References
    ----------
    .. [1] M. Jepsen, S. Ewert, T. Dau, "A computational model of human auditory signal processing and perception",
       J. Acoust. Soc. Am. 124:422, 2008.
    .. [2] E. Lopez-Poveda, R. Meddis, "A human nonlinear cochlear filterbank", J. Acoust. Soc. Am. 110:3107, 2001.
    """

    _outputs = ("middle_ear",)
    output = "middle_ear"

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

    def _filter(self, table: design.Table) -> design.EarFilter:
        amt_minimum = self.middle_ear == "lopezpoveda2001"
        return design.design_ear(table, self.sample_rate, self.phase, normalise=True, amt_minimum=amt_minimum)


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
