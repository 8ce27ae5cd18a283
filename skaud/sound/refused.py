"""What looks like numbers, and would be taken for samples in silence: masked arrays, and texts."""

import numpy as np

from skaud._types import Signals


def refuse_masked(X: Signals, name: str) -> None:
    """Refuse an array with a mask, or a list that holds one."""
    if isinstance(X, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, {np.ma.count_masked(X)} of whose {X.size} samples are masked, and no model can "
            "pass over samples; fill them, X.filled(0), or cut them out."
        )
    if isinstance(X, (list, tuple)):
        for i, clip in enumerate(X):
            if isinstance(clip, np.ma.MaskedArray):
                refuse_masked(clip, f"{name}[{i}]")


def refuse_text(X: Signals, name: str) -> None:
    """Refuse an array of objects, or a data frame, that holds text, of which NumPy and scikit-learn make numbers."""
    if any(getattr(dtype, "kind", "O") == "O" for dtype in getattr(X, "dtypes", [getattr(X, "dtype", None)])):
        texts = [value for value in np.asarray(X, dtype=object).flat if isinstance(value, (str, bytes))]
        if texts:
            raise TypeError(
                f"{name} holds text, such as {texts[0]!r}, not samples of sound; read files with skaud.audio.read, and "
                "convert numbers that are written as text."
            )
