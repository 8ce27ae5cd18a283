"""What the parameters of the auditory spectrogram's stages may be, and what they stand for."""

from functools import lru_cache
from hashlib import sha1
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skaud._warnings import warn_caller
from skaud.design import cochlear as design
from skaud.design.limits import LONGEST_PERIOD, check_size
from skaud.kernels.fourier import FilterBank

FloatOrArray = float | ArrayLike


def as_numbers(name: str, value: Any) -> np.ndarray:
    """Value of a parameter as floats; an error where it is not numbers, or rows of different lengths."""
    try:
        if np.iscomplexobj(value):
            raise TypeError("it is complex")
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        given = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:80]}..."
        raise ValueError(f"{name}={given} is not an array of real numbers ({error}); pass those alone.") from error


def check_exponents(compression: FloatOrArray, n_channels: int) -> np.ndarray:
    """Exponents (n_channels,)."""
    exponents = as_numbers("compression", compression)
    if exponents.shape not in ((), (n_channels,)) or not np.isfinite(exponents).all() or (exponents <= 0).any():
        raise ValueError(
            f"compression={compression!r} must be a finite number above 0, or {n_channels} of them, one a channel; 1 "
            "is linear, 0.3 strong."
        )
    return np.broadcast_to(exponents, (n_channels,)).copy()


def check_inhibition(lateral_inhibition: ArrayLike) -> np.ndarray:
    """Kernel (2,)."""
    kernel = as_numbers("lateral_inhibition", lateral_inhibition)
    if kernel.shape != (2,) or not np.isfinite(kernel).all():
        raise ValueError(
            f"lateral_inhibition={lateral_inhibition!r} must be 2 finite numbers, the weights of a channel and of the "
            "next; the published ones are (1, -1)."
        )
    return kernel


def frame_period(sample_rate: float, frame_rate_hz: float) -> int:
    """Samples of a frame: the whole number next to what the rates ask for."""
    if frame_rate_hz > sample_rate:
        raise ValueError(
            f"frame_rate_hz={frame_rate_hz} must not exceed sample_rate={sample_rate}: a frame has a sample at least; "
            "lower it."
        )
    samples = sample_rate / frame_rate_hz
    remedy = f"raise it, or lower sample_rate={sample_rate}"
    check_size("frame_rate_hz", frame_rate_hz, samples, LONGEST_PERIOD, "samples a frame", remedy)
    return round(samples)


def design_filters(filters: Any, sample_rate: float, dtype: str) -> FilterBank:
    """Filters as the parameter `filters` asks for them."""
    if isinstance(filters, str) and filters == "roex":
        return _roex(float(sample_rate))
    if isinstance(filters, (str, Path)):
        if sample_rate != design.SAMPLE_RATE:
            raise ValueError(
                f"filters={str(filters)!r} is made for {design.SAMPLE_RATE:.0f} Hz and sample_rate is {sample_rate}; "
                "set it to 16000, or filters='roex'."
            )
        filters = design.read_nsl(filters)
    if isinstance(filters, np.ndarray):
        filters = list(filters) if filters.ndim else ()
    if len(filters) != 2:
        raise ValueError(f"filters has {len(filters)} parts; it must be 'roex', a path, or the pair of arrays (B, A).")
    # What is cut off lies below the rounding of the dtype.
    numerator, denominator = (as_numbers(f"filters[{i}]", part) for i, part in enumerate(filters))
    tolerance = 1e-6 if dtype == "float32" else 1e-9
    return FilterBank(design.rational_filters(numerator, denominator, tolerance))


class RoexFilters(FilterBank):
    """The roex filters at a rate; in a pickle there is the rate alone, from which they are made again."""

    def __init__(self, sample_rate: float) -> None:
        response = design.roex_filters(sample_rate)
        response.flags.writeable = False  # all models of this rate share it
        super().__init__(response)
        self.sample_rate = sample_rate

    def __getstate__(self) -> dict:
        return {"sample_rate": self.sample_rate, "content": sha1(self.response, usedforsecurity=False).hexdigest()}

    def __setstate__(self, state: dict) -> None:
        vars(self).update(vars(_roex(state["sample_rate"])))
        if sha1(self.response, usedforsecurity=False).hexdigest() != state["content"]:
            warn_caller(
                "The cochlear filters of a pickled model are made again here, by another version of skaud, NumPy or on "
                "another processor, and differ from those that it had; fit it anew."
            )


@lru_cache(maxsize=4)
def _roex(sample_rate: float) -> RoexFilters:
    return RoexFilters(sample_rate)
