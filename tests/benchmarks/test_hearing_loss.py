"""How well and how fast CARFAC is fitted to audiograms: python -m pytest tests/benchmarks/test_hearing_loss.py.

Seconds are of the processor, which other work on the machine does not lengthen; kernels are compiled, one thread.
"""

import time
import warnings

import numpy as np
import pytest
from scipy.optimize import minimize

from skaud import CARFAC, Audiogram
from skaud.fitting import predicted_audiogram
from skaud.fitting.audiogram import GRID, along_cochlea, fit_health, roughness_of

SILENCE = np.zeros((1, 100))


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


@pytest.mark.parametrize("sample_rate", [22050, 48000])
@pytest.mark.parametrize("name", ["N2", "S1"])
def test_adjoint_against_finite_differences(record, name, sample_rate):
    """The same fit by the same solver with the same tolerances, its gradient by SciPy's differences."""
    model, audiogram = CARFAC(sample_rate).fit(SILENCE), Audiogram.standard(name)
    ear = model._quiet_ear(audiogram.frequencies_hz, steady=False)
    loss_db = np.minimum(audiogram.thresholds_db_hl, ear.thresholds_db_hl(np.zeros(model.n_channels_)))
    silent, n = np.zeros(len(loss_db)), model.n_channels_
    losses = np.transpose([ear.healthy_db - ear.response_db(silent, np.full(n, health)) for health in GRID])
    start = along_cochlea(ear, [np.interp(-loss, -column, GRID) for loss, column in zip(loss_db, losses)])

    def misfit(health):
        return 0.5 * np.mean((ear.response_db(loss_db, health) - ear.healthy_db) ** 2) + roughness_of(health, ear)[0]

    def differences():
        options = {"maxiter": 200, "maxfun": 10**6, "ftol": 1e-5, "gtol": 1e-5, "maxcor": 20}
        return minimize(misfit, start, method="L-BFGS-B", bounds=[(0, 1)] * n, options=options)

    fits = [cpu_s(lambda: fit_health(ear, loss_db, None, max_iter=200, tol=1e-5)) for _ in range(3)]
    solution, adjoint_s = fits[-1][0], min(seconds for _, seconds in fits)
    result, differences_s = cpu_s(differences)
    assert result.fun == pytest.approx(solution.loss_curve[-1], rel=0.02)
    case = f"{name} at {sample_rate / 1000:g} kHz"
    record(f"{case}: finite differences over adjoint, whole fit", differences_s / adjoint_s, "", ">= 20")
    per_iteration = differences_s / result.nit / (adjoint_s / solution.n_iter)
    record(f"{case}: finite differences over adjoint, an iteration", per_iteration, "", "-")
