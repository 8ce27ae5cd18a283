"""What a run of the auditory spectrogram works on: coefficients of its stages, state, tape, pieces of arrays."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skaud.engines.pieces import join
from skaud.kernels.array_api import Array
from skaud.kernels.fourier import FilterBank

OUTPUTS = COCHLEA, COMPRESSED, INHIBITED, SPECTROGRAM = "cochlea", "compressed", "inhibited", "spectrogram"


class Design(NamedTuple):
    """Coefficients of the stages, None for those that are not there; n_channels is that of the first.

    gain : factor before the compression; compression : (n_channels,), exponents; inhibition : (2,), weights of a
    channel and the next; decay : of the integrator, a sample; period : samples of a frame
    """

    n_channels: int
    filters: FilterBank | None = None
    gain: float = 1.0
    compression: np.ndarray | None = None
    inhibition: np.ndarray | None = None
    decay: complex | None = None
    period: int = 1

    @property
    def factor(self) -> complex:
        """Decay of the integrator, a frame."""
        assert self.decay is not None
        return self.decay**self.period


def merge(designs: Sequence[Design]) -> Design:
    """Design of stages one after the other, from those of each alone."""
    defaults, merged = Design._field_defaults, designs[0]
    for design in designs[1:]:
        # By value: of a design that was pickled no number is the same object.
        own = {k: v for k, v in design._asdict().items() if k in defaults}
        own = {k: v for k, v in own.items() if (v is not None if defaults[k] is None else v != defaults[k])}
        merged = merged._replace(**own)
    return merged


class SpectrogramState(NamedTuple):
    """Where a run stands; a run makes new arrays, and changes none.

    past : (n_rows, n_taps - 1), samples that the filters still hear; waiting : (n_rows, [n_channels,] n), samples that
    wait until a block is full; level : (n_rows, n_channels), of the integrator; frame : (n_rows, n_channels, n), of a
    frame that is not complete
    """

    n_ears: int
    past: Array
    waiting: Array
    level: Array
    frame: Array
    n_done: int  # samples that went through

    def copy(self) -> "SpectrogramState":
        """The state itself."""
        return self

    def of_rows(self, rows: slice) -> "SpectrogramState":
        """State of some rows."""
        arrays = ("past", "waiting", "level", "frame")
        return self._replace(**{name: getattr(self, name)[rows] for name in arrays})


Kept = dict[tuple[int, int], dict[str, Array]]  # responses by the first sample of a batch and its first channel


class SpectrogramTape(NamedTuple):
    """What the adjoint must know of a run; it computes again what is not kept."""

    x: Array
    output: str
    frame_samples: int | None
    kept: Kept
    spectrogram: Array | None  # the response, where it is that


def join_groups(groups: list[Array], overlap: int) -> Array:
    """Bars of groups of channels side by side; with overlap, neighbours share a channel, and add there."""
    pieces = groups[:1]
    for own in groups[1:]:
        if overlap:
            first = own[:, :1, ...] + pieces[-1][:, -1:, ...]
            pieces[-1], own = pieces[-1][:, :-1, ...], join([first, own[:, 1:, ...]], 1)
        pieces.append(own)
    return join(pieces, 1)


def past_after(past: Array, new: Array) -> Array:
    """Samples that the next block hears."""
    n, n_new = past.shape[-1], new.shape[-1]
    return new[..., n_new - n :] if n_new >= n else join([past[..., n_new:], new])
