"""Osses et al. (2021): the coefficients of all stages after the ears."""

from collections.abc import Sequence
from typing import NamedTuple

from skaud.design.adaptation import AdaptationCoefficients
from skaud.design.gammatone import GammatoneCoefficients
from skaud.design.modulation import N_LINEAR, ModulationCoefficients


class Design(NamedTuple):
    """Coefficients of a run of stages on so many channels; a stage that is not in it is None."""

    n_channels: int
    gammatone: GammatoneCoefficients | None = None
    hair_cell: tuple[float, float, int] | None = None  # b and a of each low-pass, and their number
    adaptation: AdaptationCoefficients | None = None
    envelope_low_pass: tuple[float, float] | None = None
    modulation: ModulationCoefficients | None = None  # the most filters that a channel has
    n_filters: tuple[int, ...] = ()  # a number a channel
    n_linear: int = N_LINEAR

    @property
    def stages(self) -> list[int]:
        """Numbers of the stages that it has, in `skaud.kernels.osses_layout`."""
        parts = (self.gammatone, self.hair_cell, self.adaptation, self.modulation)
        return [i for i, part in enumerate(parts) if part is not None]


def merge(designs: Sequence[Design]) -> Design:
    """One run of stages, of designs that have one each."""
    # Of every design only the fields of its own stage are not empty.
    fields = {k: v for design in designs for k, v in design._asdict().items() if v not in (None, ())}
    return Design(**fields | {"n_channels": designs[0].n_channels})
