"""CARFAC on a GPU: what its kernel there computes, and its runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skaud.design.carfac import CARFACCoefficients

COMPUTED = {"ihc_style": "two_cap", "open_loop": False, "use_delay_buffer": False, "output": "nap"}


def run_on_gpu(
    x: Any,
    ears: Sequence[CARFACCoefficients],
    parameters: Mapping[str, Any],
    *,
    frame_samples: int,
    dtype: str,
    gain: float,
) -> Any:
    """Frames of signals x (n_signals, n_samples) on a device; parameters : of the model, those of `COMPUTED`."""
    from skaud.kernels.carfac.cuda import find_not_finite, run_two_cap

    for name, value in COMPUTED.items():
        if parameters[name] != value:
            raise ValueError(
                f"{name}={parameters[name]!r} has no kernel on the GPU, only {name}={value!r} has; change it, or pass "
                "a NumPy array."
            )
    if len(x.shape) != 2 or 0 in x.shape or x.dtype != np.dtype(dtype):
        raise ValueError(
            f"X on the GPU is {x.dtype} of shape {x.shape}; it must be {dtype}, (n_signals, n_samples): cast or "
            "reshape it, or set dtype."
        )
    if wrong := find_not_finite(x):
        raise ValueError(
            f"X[{wrong[0]}] on the GPU has samples that are NaN or infinity (inf); every sample must be finite. "
            "Cut them out."
        )
    if len(ears) > 1:
        raise ValueError(
            "X on the GPU has no axis of ears, and the model was fitted to two audiograms; fit it to one, or "
            "pass a NumPy array."
        )
    return run_two_cap(x, ears[0], min(frame_samples, x.shape[1]), dtype, gain)
