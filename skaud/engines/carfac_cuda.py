"""CARFAC on a GPU: what its kernel there computes, as an engine."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from skaud.design.carfac import IHC_STYLES
from skaud.engines.carfac import Cascade
from skaud.engines.device import NotOnDevice
from skaud.engines.engine import Engine, Responses
from skaud.kernels.array_api import Place


def make(engine: Cascade, place: Place) -> Engine:
    """The engine for a device; an error where the kernel lacks what the design asks for."""
    given = {
        "ihc_style": (IHC_STYLES[engine.style], "two_cap"),
        "open_loop": (not engine.closed, False),
        "use_delay_buffer": (engine.delay, False),
        "ears with audiograms of their own": (len(engine.ears), 1),
    }
    for name, (value, computed) in given.items():
        if value != computed:
            raise _lacking(f"{name}={value!r}", f"{name}={computed!r}", place)
    return NapOnGpu(engine, place)


class NapOnGpu(Engine):
    """The NAP of whole clips."""

    parts = ()

    def __init__(self, engine: Cascade, place: Place) -> None:
        self.cascade, self.place = engine, place
        self.dtype, self.outputs = engine.dtype, engine.outputs

    def start(self, n_signals: int, n_ears: int) -> Any:
        """Refuse streams."""
        raise _lacking("a stream", "whole clips", self.place)

    def run(self, x: Any, state: Any, outputs: Sequence[str], frame_samples: int | None) -> tuple[Responses, Any]:
        """Refuse streams."""
        raise _lacking("a stream", "whole clips", self.place)

    def whole(self, x: Any, outputs: Sequence[str], frame_samples: int | None) -> Responses:
        """NAP of whole clips, of at least a frame."""
        from skaud.kernels.carfac.cuda import run_two_cap

        for name in outputs:
            if name != "nap":
                raise _lacking(f"output={name!r}", "output='nap'", self.place)
        n_signals, n_ears, n_samples = x.shape
        rows = x.reshape(n_signals * n_ears, n_samples)
        out = run_two_cap(rows, self.cascade.ears[0], frame_samples or 1, self.dtype)
        return {"nap": out.reshape(n_signals, n_ears, *out.shape[1:])}

    def record(self, x: Any, output: str, frame_samples: int | None) -> tuple[Any, Any]:
        """Refuse derivatives."""
        raise _lacking("vjp", "transform and simulate", self.place)

    def pull_back(self, tape: Any, bar: Any, wanted: Sequence[str]) -> tuple[Any, tuple[np.ndarray, ...]]:
        """Refuse derivatives."""
        raise _lacking("vjp", "transform and simulate", self.place)

    def coefficients(self) -> tuple[np.ndarray, ...]:
        """Those of the CPU's engine."""
        return self.cascade.coefficients()


def _lacking(what: str, there: str, place: Place) -> NotOnDevice:
    return NotOnDevice(
        f"CARFAC has no kernel for {what} where X lies, {place}, only for {there}; change it, or pass "
        "ToNumpy().transform(X)."
    )
