"""A claim, and what was found of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Row:
    """A claim, and what was found of it.

    Attributes
    ----------
    model : str
        Model or stage.
    kind : {"golden", "published", "fit", "adjoint", "invariance"}
        What it is held against.
    what : str
        Output, number or promise.
    found : float or None, default=None
        Error over the largest value; or the number itself, where one was published; None where nothing is counted.
    limit : float, default=0.0
        Largest error, or largest distance from the published number.
    published : float or None, default=None
        The published number; None where the limit alone is claimed.
    source : str, default=""
        Where it was published, or what it follows from.
    reason : str, default=""
        Why it was skipped, or how it failed.
    skipped : bool, default=False
        That it was not measured.
    failed : bool, default=False
        That a promise was broken which is no number.
    """

    model: str
    kind: str
    what: str
    found: float | None = None
    limit: float = 0.0
    published: float | None = None
    source: str = ""
    reason: str = ""
    skipped: bool = False
    failed: bool = False

    @property
    def verdict(self) -> str:
        """Whether it "holds", "fails", or was "skipped"."""
        if self.skipped:
            return "skipped"
        if self.found is None:
            return "fails" if self.failed else "holds"
        distance = abs(self.found - (self.published or 0.0))
        return "holds" if not self.failed and distance <= self.limit else "fails"  # NaN fails

    @property
    def cells(self) -> tuple[str, ...]:
        """Model, what, published or limit, found, difference, verdict, and source or reason, as a table has them."""
        difference = ""
        if self.published is not None:
            difference = "" if self.found is None else f"{self.found - self.published:+.2g}"
            bound, found = f"{self.published:.6g} ± {self.limit:.2g}", "" if self.found is None else f"{self.found:.6g}"
        elif self.skipped:
            bound = found = ""
        else:
            bound = short(self.limit) if self.found is not None or self.limit else "exactly"
            found = "" if self.found is None else short(self.found)
        return self.model, self.what, bound, found, difference, self.verdict, self.reason or self.source

    @property
    def text(self) -> str:
        """The claim in a line."""
        head = f"{self.model}: {self.what}"
        if self.skipped:
            return f"{head}: skipped, {self.reason}"
        if self.published is not None:
            head += f": {self.published:.6g} published, {self.found:.4g} found"
        elif self.found is not None:
            head += f": error {short(self.found)} of at most {short(self.limit)}"
        return f"{head}: {self.verdict}" + (f", {self.reason}" if self.reason else "")


def short(number: float) -> str:
    """A number in two digits, by its power of ten where it is small."""
    return f"{number:.2g}" if number == 0 or 0.01 <= abs(number) < 1000 else f"{number:.1e}".replace(".0e", "e")


def error(found: Any, wanted: Any) -> float:
    """Largest error over the largest value; infinity where the shapes differ."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    if found.shape != wanted.shape:
        return float("inf")
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def load(references: Path | None, file: str) -> dict[str, np.ndarray] | str:
    """Golden numbers of a file, or why there are none."""
    if references is None:
        return "no folder of golden numbers was named"
    path = references / file
    if not path.is_file():
        return f"{file} is not in the folder of golden numbers"
    with np.load(path) as numbers:
        return dict(numbers)


def skip_all(model: str, whats: Sequence[str], reason: str, kind: str = "golden") -> Iterator[Row]:
    """A skipped row for each claim."""
    for what in whats:
        yield Row(model, kind, what, reason=reason, skipped=True)
