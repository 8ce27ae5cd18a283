"""How fast the biomimetic front end is: python -m pytest tests/benchmarks.

F is the time of one real inverse FFT of (129, 32768) in float32, on one thread, on the same machine in the same run.
One second of sound, float32, two threads.
"""

import numpy as np
import pytest
import scipy.fft
from stopwatch import best_s

from skaud import AuditorySpectrogram, BiomimeticFrontend

SECOND = np.random.default_rng(0).standard_normal((1, 16000)).astype(np.float32)


@pytest.fixture
def f_s():
    spectra = np.ones((129, 16385), np.complex64)
    return best_s(lambda: scipy.fft.irfft(spectra, 32768))


@pytest.mark.parametrize("compression", [1.0, 0.3])
def test_spectrogram(benchmark, f_s, record, compression):
    model = AuditorySpectrogram(compression=compression, pooling=None, n_jobs=2).fit(SECOND)
    benchmark.pedantic(lambda: model.transform(SECOND), rounds=15, warmup_rounds=2)
    record(f"spectrogram, exponent {compression}", benchmark.stats.stats.min / f_s, "F", "<= 2")


@pytest.mark.parametrize("compression", [1.0, 0.3])
def test_cortical(benchmark, f_s, record, compression):
    model = BiomimeticFrontend(compression=compression, pooling=None, n_jobs=2).fit(SECOND)
    benchmark.pedantic(lambda: model.transform(SECOND), rounds=15, warmup_rounds=2)
    record(f"40 STRFs, exponent {compression}", benchmark.stats.stats.min / f_s, "F", "<= 3.5")


@pytest.mark.parametrize("compression", [1.0, 0.3])
def test_gradient_of_everything(benchmark, f_s, record, compression):
    model = BiomimeticFrontend(compression=compression, pooling=None, n_jobs=2).fit(SECOND)

    def gradient():
        value, pullback = model.vjp(SECOND)
        pullback(value)

    benchmark.pedantic(gradient, rounds=15, warmup_rounds=2)
    record(f"value and gradient, exponent {compression}", benchmark.stats.stats.min / f_s, "F", "<= 9")
