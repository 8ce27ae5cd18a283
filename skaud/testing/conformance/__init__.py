"""Agreement with what was published, measured: golden and published numbers, fits, adjoints, invariances."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from skaud.testing.conformance import (
    auditory_images,
    biomimetic,
    carfac,
    fits,
    hearing,
    king2019,
    osses2021,
    promises,
    psychoacoustics,
)
from skaud.testing.conformance.row import Row

__all__ = ["KINDS", "Row", "conformance"]

# Kind of claim -> functions of the folder of golden numbers, or None, that measure it row by row.
KINDS: dict[str, tuple[Callable[[Path | None], Iterator[Row]], ...]] = {
    "golden": (carfac.golden, auditory_images.golden, osses2021.golden, king2019.golden, biomimetic.golden),
    "published": (
        carfac.published,
        hearing.published,
        auditory_images.published,
        osses2021.published,
        king2019.published,
        biomimetic.published,
        psychoacoustics.published,
    ),
    "fit": (fits.of_a_small_cochlea, fits.of_a_whole_cochlea, fits.of_the_adaptation),
    "adjoint": (promises.adjoints,),
    "invariance": (promises.invariances, promises.of_stages, promises.of_steps),
}


def conformance(references: str | Path | None = None, *, kinds: str | Sequence[str] = tuple(KINDS)) -> list[Row]:
    """Measure how near every model, stage and output is to what is claimed of it.

    Parameters
    ----------
    references : str or Path, default=None
        Folder of golden numbers of the published programs; without it, what needs them is named and skipped.
    kinds : str or sequence of str, default=("golden", "published", "fit", "adjoint", "invariance")
        What to measure: errors against golden numbers; numbers of the papers; parameters that a fit finds again;
        adjoints against complex steps; what must change nothing.

    Returns
    -------
    list of Row
        A row a claim: what was found, its limit, and where it was skipped, why.

    Raises
    ------
    ValueError
        If there is no such kind, or no such folder.

    Examples
    --------
    >>> from skaud.testing.conformance import conformance
    >>> conformance(kinds="golden")[0].text
    'CARFAC: two_cap_22050: nap, bm, agc: skipped, no folder of golden numbers was named'
    """
    wanted = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    unknown = [kind for kind in wanted if kind not in KINDS]
    if unknown:
        raise ValueError(f"kinds has {unknown[0]!r}, which is none of {tuple(KINDS)}.")
    folder = None if references is None else Path(references)
    if folder is not None and not folder.is_dir():
        raise ValueError(f"references={str(folder)!r} is no folder; leave it out to skip what needs golden numbers.")
    return [row for kind in wanted for measure in KINDS[kind] for row in measure(folder)]
