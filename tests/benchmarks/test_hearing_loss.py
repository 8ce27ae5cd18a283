"""How well and how fast CARFAC is fitted to audiograms: python -m pytest tests/benchmarks/test_hearing_loss.py.

Seconds are of the processor, which other work on the machine does not lengthen; kernels are compiled, one thread.
"""

import time
import warnings

import numpy as np
import pytest

from skaud import CARFAC, Audiogram
from skaud.fitting import predicted_audiogram
from skaud.fitting.ear import fit_health
from skaud.fitting.quiet_ear import Cochlea, QuietEar

SILENCE = np.zeros((1, 100))
STEP = np.sqrt(np.finfo(float).eps)  # SciPy's, for numbers up to 1


def cpu_s(function):
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


@pytest.mark.parametrize("sample_rate", [22050, 48000])
@pytest.mark.parametrize("name", ["N1", "N2", "N3", "S1", "S2"])
def test_fit_to_a_standard_audiogram(record, name, sample_rate):
    audiogram = Audiogram.standard(name)
    model = CARFAC(sample_rate, audiogram=audiogram)
    model.fit(SILENCE)
    seconds = min(cpu_s(lambda: model.fit(SILENCE))[1] for _ in range(3))
    passive = CARFAC(sample_rate, ohc_health=0.0).fit(SILENCE)
    reach = predicted_audiogram(passive, audiogram.frequencies_hz).thresholds_db_hl
    inside = audiogram.thresholds_db_hl <= reach - 3
    case = f"{name} at {sample_rate / 1000:g} kHz"
    record(f"{case}: largest error inside the reach", np.abs(model.residual_loss_db_[inside]).max(), "dB", "<= 2")
    record(f"{case}: fit", seconds, "s", "<= 5" if sample_rate == 22050 else "-")
    record(f"{case}: iterations", model.n_iter_, "", "-")


class DifferencedEar:
    """An ear whose pullback runs it once more for every channel, as SciPy does for a gradient that it must find."""

    def __init__(self, ear):
        self.ear = ear

    def __getattr__(self, name):
        return getattr(self.ear, name)

    def vjp(self, level_db_hl, ohc_health, n_fibers, wrt):
        response_db = self.ear.response_db(level_db_hl, ohc_health, n_fibers)

        def pullback(response_bar):
            gradient = np.empty(self.ear.n_channels)
            for channel, value in enumerate(ohc_health):
                stepped = ohc_health.copy()
                stepped[channel] += STEP if value + STEP <= 1 else -STEP
                moved_db = self.ear.response_db(level_db_hl, stepped, n_fibers) - response_db
                gradient[channel] = response_bar @ moved_db / (stepped[channel] - value)
            return {"ohc_health": gradient}

        return response_db, pullback


@pytest.mark.parametrize("sample_rate", [22050, 48000])
@pytest.mark.parametrize("name", ["N2", "S1"])
def test_adjoint_against_finite_differences(record, name, sample_rate):
    """The same fit from the same start by the same solver; only the gradient is found by forward differences."""
    model, audiogram = CARFAC(sample_rate).fit(SILENCE), Audiogram.standard(name)
    ear = QuietEar(Cochlea.of(model), audiogram.frequencies_hz, steady=False)
    loss_db = np.minimum(audiogram.thresholds_db_hl, ear.thresholds_db_hl(np.zeros(model.n_channels_)))

    def fit(ear):
        return cpu_s(lambda: fit_health(ear, loss_db, None, max_iter=200, tol=1e-5))

    fits = [fit(ear) for _ in range(5)]
    solution, adjoint_s = fits[-1][0], min(seconds for _, seconds in fits)
    differenced, differences_s = fit(DifferencedEar(ear))
    assert differenced.loss_curve[-1] == pytest.approx(solution.loss_curve[-1], rel=0.02)
    case = f"{name} at {sample_rate / 1000:g} kHz"
    record(f"{case}: finite differences over adjoint, whole fit", differences_s / adjoint_s, "", ">= 20")
    per_iteration = differences_s / differenced.n_iter / (adjoint_s / solution.n_iter)
    record(f"{case}: finite differences over adjoint, an iteration", per_iteration, "", "-")
