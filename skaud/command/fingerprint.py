"""What tells features of one version of the package from those of another."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

import skaud
from skaud.kernels.fourier import FilterBank

_ROOT = Path(skaud.__file__).parent
_NO_PART = ("command", "datasets", "display", "interop", "testing", "__main__.py")  # of what computes features
_PART = ("command/computing.py", "command/recording.py")  # the sound that a model hears
_BITS = 30  # of a coefficient that are looked at: the last ones differ between processors


def fingerprint(model: Any) -> str:
    """Hash of the version, of the source of all that computes, and of the coefficients of a fitted model."""
    digest = blake2b(skaud.__version__.encode(), digest_size=16)
    for name in sources():
        digest.update((_ROOT / name).read_bytes())
    for numbers in _numbers([_fitted(estimator) for estimator in _parts(model)]):
        mantissa, exponent = np.frexp(numbers.astype(np.float64))
        with np.errstate(invalid="ignore"):
            digest.update(np.rint(mantissa * 2.0**_BITS).astype(np.int64).tobytes() + exponent.tobytes())
    return digest.hexdigest()


def sources() -> list[str]:
    """Files of the package that decide what features are."""
    names = sorted(path.relative_to(_ROOT).as_posix() for path in _ROOT.rglob("*.py"))
    return [name for name in names if name in _PART or name.split("/")[0] not in _NO_PART]


def _parts(estimator: Any) -> Iterator[Any]:
    """An estimator, and all within a pipeline or a union, in order."""
    yield estimator
    for _, own in (*getattr(estimator, "steps", ()), *getattr(estimator, "transformer_list", ())):
        yield from _parts(own)


def _fitted(estimator: Any) -> dict[str, Any]:
    found = vars(estimator).items() if hasattr(estimator, "__dict__") else ()
    return {name: value for name, value in found if name.endswith("_") and not name.startswith("_")}


def _numbers(value: Any) -> Iterator[np.ndarray]:
    """Arrays of numbers anywhere in what a fit has left."""
    if isinstance(value, np.ndarray):
        if np.iscomplexobj(value):
            yield from (value.real, value.imag)
        elif value.dtype.kind in "fiub":
            yield value
    elif isinstance(value, (bool, int, float, np.number)):
        yield np.asarray(value, np.float64)
    elif isinstance(value, FilterBank):
        yield value.response
    elif isinstance(value, Mapping):
        for name in sorted(value, key=str):
            yield from _numbers(value[name])
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _numbers(item)
    elif is_dataclass(value):
        for part in fields(value):
            yield from _numbers(getattr(value, part.name))
