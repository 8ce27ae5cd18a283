"""Derivatives that leave the range of their dtype are refused, never handed back in silence."""

import numpy as np
import pytest
from audio_checks import error, make_clips

from skaud import CARFAC, AuditorySpectrogram, Osses2021

CLIP = make_clips((0.05,))[0][np.newaxis]


def test_a_derivative_by_a_parameter_that_is_not_finite_is_refused_with_the_parameter():
    value, pullback = Osses2021(bandwidth_factor=1.7e308).fit(CLIP).vjp(CLIP, wrt="bandwidth_factor")
    with error(ValueError, "derivative with respect to 'bandwidth_factor' is not finite", "bandwidth_factor=1.7e+308"):
        pullback(np.ones_like(value))


def test_a_derivative_by_the_sound_that_is_not_finite_is_refused():
    value, pullback = CARFAC().fit(CLIP).vjp(CLIP, wrt="X")
    with error(ValueError, "derivative with respect to 'X' is not finite in float32", "smaller derivatives"):
        pullback(np.full_like(value, 3e38))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_derivatives_by_the_response_that_are_not_finite_are_the_callers_own(bad):
    value, pullback = CARFAC().fit(CLIP).vjp(CLIP, wrt="X")
    assert not np.isfinite(pullback(np.full_like(value, bad))["X"]).all()


def test_a_parameter_whose_derivative_overflows_as_a_number_of_python_is_named(monkeypatch):
    def overflow(*arguments):
        raise OverflowError("math range error")

    monkeypatch.setattr(AuditorySpectrogram, "parameter_bar", overflow)
    value, pullback = AuditorySpectrogram(integration_s=0.01).fit(CLIP).vjp(CLIP, wrt="integration_s")
    with error(ValueError, "derivative with respect to 'integration_s' is not finite", "integration_s=0.01"):
        pullback(np.ones_like(value))


@pytest.mark.parametrize("no_name", [3, np.ones((1, 3)), [None]], ids=["number", "derivatives", "list"])
def test_what_is_no_name_of_a_parameter_or_a_response_is_refused_with_the_names(no_name):
    model = CARFAC().fit(CLIP)
    with error(TypeError, "wrt has a", "must be a name or several", "'X'", "'ohc_health'"):
        model.vjp(CLIP, no_name)
    with error(TypeError, "output is a", "one name", "'features'", "'nap'"):
        model.vjp(CLIP, output=no_name)
    with error(TypeError, "outputs has a", "'nap'"):
        model.simulate(CLIP, no_name)
