"""CARFAC v2: physical parameters to coefficients, in float64.

Sources: R. F. Lyon, Human and Machine Hearing (2017), chapters 16 to 19; R. F. Lyon et al. (2024), The CARFAC v2
cochlear model in Matlab, NumPy, and JAX.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from inspect import Parameter, signature
from typing import Any, NamedTuple

import numpy as np

from skaud.design.carfac_agc import AGCCoefficients, design_agc
from skaud.design.carfac_cascade import CARCoefficients, design_car, pole_frequencies
from skaud.design.carfac_hair_cell import OneCap, Synapse, TwoCap, design_one_cap, design_synapse, design_two_cap

IHC_STYLES = ("just_hwr", "one_cap", "two_cap", "two_cap_with_syn")
FULL_SCALE_DB_SPL = 107.0  # of the published program: what it takes an RMS of 1.0 for


class CARFACCoefficients(NamedTuple):
    """Everything the recursion needs; `synapse` is None unless ihc_style is two_cap_with_syn."""

    car: CARCoefficients
    hair_cell: OneCap | TwoCap | None
    synapse: Synapse | None
    agc: AGCCoefficients


def of_ears(values: Sequence[Any]) -> Any:
    """What holds for all ears; or an entry an ear, along a first axis, where a fit found each its own."""
    if len(values) == 1:
        return values[0]
    return np.stack(values) if isinstance(values[0], np.ndarray) else tuple(values)


def design_carfac(sample_rate: float, ihc_style: str, parameters: Mapping[str, Any]) -> CARFACCoefficients:
    """Coefficients of the whole model from its parameters by name; ohc_health and n_fibers resolved to arrays."""

    def design(part: Callable[..., Any], *given: Any) -> Any:
        return part(sample_rate, *given, **{name: parameters[name] for name in _named(part)})

    pole_hz = design(pole_frequencies)
    hair_cells = {"just_hwr": None, "one_cap": design_one_cap}
    design_hair_cell = hair_cells.get(ihc_style, design_two_cap)
    return CARFACCoefficients(
        car=design(design_car, pole_hz),
        hair_cell=None if design_hair_cell is None else design(design_hair_cell),
        synapse=design(design_synapse, len(pole_hz)) if ihc_style == "two_cap_with_syn" else None,
        agc=design(design_agc),
    )


@cache
def _named(part: Callable[..., Any]) -> tuple[str, ...]:
    """Parameters that a part of the design takes by name."""
    return tuple(name for name, own in signature(part).parameters.items() if own.kind is Parameter.KEYWORD_ONLY)
