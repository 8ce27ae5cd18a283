"""The biomimetic front end against its authors' JAX program, and against the numbers of the paper."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.base import clone

from skaud import AuditorySpectrogram, BiomimeticFrontend, CochlearFilterbank
from skaud.testing.conformance.row import Row, error, load, skip_all

KEYS = {"cochlea": "cochlea", "compressed": "compressed", "inhibited": "rectified"}  # output -> golden key
LEARNED = ("compression", "lateral_inhibition", "integration_s", "scales_cycles_per_octave", "rates_hz")
LIMIT = 1e-6
PAPER = "Famularo et al. 2024"


def golden(references: Path | None) -> Iterator[Row]:
    """Responses and gradients, with the filters of the published program."""
    file = load(references, "biomimetic_nsl.npz")
    if isinstance(file, str):
        yield from skip_all("BiomimeticFrontend", [*KEYS, "spectrogram", "cortical", "gradients"], file)
        yield from skip_all("AuditorySpectrogram", ["features"], file)
        yield from skip_all("CochlearFilterbank", ["default filters"], file)
        return
    X = file["x"][np.newaxis]
    model = BiomimeticFrontend(
        filters=(file["B"], file["A"]),
        compression=file["alpha"],
        lateral_inhibition=file["kernel"],
        integration_s=-1 / (16000 * np.log(file["leak"])),
        scales_cycles_per_octave=file["sr"][:, 0],
        rates_hz=file["sr"][:, 1],
        response="complex",
        pooling=None,
        rms_one_db_spl=None,
        dtype="float64",
    ).fit(X)
    responses = model.simulate(X)
    for output, key in KEYS.items():
        found = error(responses[output][0, ::4, ::16], file[key])
        yield Row("BiomimeticFrontend", "golden", output, found, LIMIT)
    yield Row(
        "BiomimeticFrontend", "golden", "spectrogram", error(responses.spectrogram[0], file["spectrogram"]), LIMIT
    )
    stride = int(file["cortical_stride"])
    cortical = responses.cortical[0].transpose(0, 2, 1)[:, ::stride, ::stride]
    yield Row("BiomimeticFrontend", "golden", "cortical", error(cortical, file["cortical"]), LIMIT)
    single = clone(model).set_params(dtype="float32").fit(X).simulate(X, "spectrogram").spectrogram[0]
    yield Row("BiomimeticFrontend", "golden", "spectrogram, float32", error(single, file["spectrogram"]), 1e-4)
    yield from _gradients(clone(model).set_params(response="real").fit(X), X, file)
    roex = clone(model).set_params(filters="roex").fit(X).simulate(X, "spectrogram").spectrogram[0]
    same = float(np.corrcoef(roex.ravel(), file["spectrogram"].ravel())[0, 1])
    what = "spectrogram by the default filters, 1 - correlation"
    source = "a goal of this package: formula and program differ"
    yield Row("BiomimeticFrontend", "golden", what, 1 - same, 0.04, source=source)
    yield _filters(file)
    spectrogram = AuditorySpectrogram(
        filters=(file["B"], file["A"]),
        compression=file["alpha"],
        lateral_inhibition=file["kernel"],
        integration_s=-1 / (16000 * np.log(file["leak"])),
        pooling=None,
        rms_one_db_spl=None,
        dtype="float64",
    ).fit_transform(X)[0]
    found = error(spectrogram, file["spectrogram"])
    yield Row("AuditorySpectrogram", "golden", "features", found, LIMIT)


def _filters(file: dict[str, np.ndarray]) -> Row:
    """How far the default filters are from the published ones, where these are within 10 dB of their peaks."""
    impulse = np.zeros((1, 16384))
    impulse[0, 0] = 1.0
    gains_db = []
    for filters in ("roex", (file["B"], file["A"])):
        response = CochlearFilterbank(filters=filters, dtype="float64").fit_transform(impulse)[0]
        gains = np.abs(np.fft.rfft(response, 32768))
        gains_db.append(20 * np.log10(gains / gains.max(axis=1, keepdims=True) + 1e-12))
    own_db, other_db = gains_db
    found = float(np.sqrt(np.mean((own_db - other_db)[other_db > -10] ** 2)))
    what = "default filters, RMS distance in dB within 10 dB of the peaks"
    source = "a bound of this package: formula and program differ"
    return Row("CochlearFilterbank", "golden", what, found, 1.4, source=source)


def _gradients(model: BiomimeticFrontend, X: np.ndarray, file: dict[str, np.ndarray]) -> Iterator[Row]:
    value, pullback = model.vjp(X, wrt=LEARNED)
    shape = (value.shape[1], value.shape[3], value.shape[2])
    weights = np.random.default_rng(int(file["weights_seed"])).standard_normal(shape) / 1000
    bars = pullback(weights.transpose(0, 2, 1)[np.newaxis])
    # The program learns leak = exp(-1 / (integration_s * rate)).
    leak = bars["integration_s"] * model.integration_s_**2 * 16000 / file["leak"]
    strfs = np.stack([bars["scales_cycles_per_octave"], bars["rates_hz"]], axis=1)
    found = {
        "exponents": (bars["compression"], file["grad_alpha"]),
        "lateral inhibition": (bars["lateral_inhibition"], file["grad_kernel"]),
        "integration time": (leak, file["grad_leak"]),
        "scales and rates": (strfs, file["grad_sr"]),
    }
    for name, (own, wanted) in found.items():
        own, wanted = np.squeeze(own), np.squeeze(wanted)
        yield Row("BiomimeticFrontend", "golden", f"gradient by {name}", error(own, wanted), LIMIT)


def published(references: Path | None = None) -> Iterator[Row]:
    """Numbers of the paper."""
    model = BiomimeticFrontend().fit()
    n_learned = sum(np.size(getattr(model, f"{name}_")) for name in LEARNED)
    yield Row("BiomimeticFrontend", "published", "parameters that can be learned", n_learned, 0, 212, PAPER)
    hz = model.channel_frequencies_hz_
    source = "follows from 24 an octave, channel 31 at 440 Hz (Chi et al. 2005)"
    yield Row("BiomimeticFrontend", "published", "first channel in Hz", float(hz[0]), 0.5, 180, source)
    yield Row("BiomimeticFrontend", "published", "frames a second", float(model.frame_rate_hz_), 0, 200, PAPER)
