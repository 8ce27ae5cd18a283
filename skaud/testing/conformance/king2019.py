"""King2019 and its stages against the Auditory Modeling Toolbox 1.4, and against the numbers of the paper."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from skaud import AdaptationHighPass, Compression, King2019, ModulationBandpass
from skaud.testing.conformance.row import Row, error, load, skip_all

# Output -> golden key and limit. The golden numbers are every fifth sample, so recursions are fed with our own.
KEYS = {"filterbank": ("filterbank", 1e-7), "hair_cell": ("hair_cell", 1e-6), "adaptation": ("adapted", 1e-6)}
PAPER = "King et al. 2019"


def golden(references: Path | None) -> Iterator[Row]:
    """Responses end to end; compression fed with the toolbox's filterbank."""
    file = load(references, "king2019_amt.npz")
    if isinstance(file, str):
        yield from skip_all("King2019", [*KEYS, "modulation"], file)
        for name in ("AdaptationHighPass", "Compression", "ModulationBandpass"):
            yield from skip_all(name, ["default"], file)
        return
    numbers = {key.removeprefix("default/"): value for key, value in file.items()}
    X = numbers["x"][np.newaxis]
    responses = King2019(phase="signed", dtype="float64").simulate(X)
    for output, (key, limit) in KEYS.items():
        found = error(responses[output][0, :, ::5], numbers[key])
        yield Row("King2019", "golden", output, found, limit)
    compressed = Compression(dtype="float64").fit_transform(numbers["filterbank"][np.newaxis])[0]
    adapted = AdaptationHighPass(dtype="float64").fit_transform(responses.hair_cell)[0, :, ::5]
    what = "our hair cells, adapted"
    yield Row("AdaptationHighPass", "golden", what, error(adapted, numbers["adapted"]), 1e-6)
    what = "the toolbox's filterbank, compressed"
    yield Row("Compression", "golden", what, error(compressed, numbers["compressed"]), 1e-12)
    bands = responses.modulation[0].reshape(len(numbers["fc"]), len(numbers["mfc"]), -1)
    for k, hz in enumerate(numbers["mfc"]):
        found = error(bands[:, k, ::5], numbers["modulation_sos"][k])
        yield Row("King2019", "golden", f"modulation, {hz:.3g} Hz", found, 1e-6)
    own = ModulationBandpass(phase="signed", dtype="float64").fit_transform(responses.adaptation)[0]
    own = own.reshape(bands.shape)[..., ::5].transpose(1, 0, 2)
    what = "our adaptation, all bands"
    yield Row("ModulationBandpass", "golden", what, error(own, numbers["modulation_sos"]), 1e-6)
    nowhere = "the toolbox takes the Hilbert envelope of the whole response, which is not causal"
    yield from skip_all("King2019", ['modulation, phase="insensitive"'], nowhere)


def published(references: Path | None = None) -> Iterator[Row]:
    """Numbers of the paper."""
    own = King2019().fit().stages_.modulation.modulation_frequencies_hz_
    for hz, found in zip((2.0, 5.24, 13.7, 35.9, 94.0), own, strict=True):
        yield Row("King2019", "published", f"modulation filter at {hz:g} Hz", float(found), 0.06, hz, PAPER)
