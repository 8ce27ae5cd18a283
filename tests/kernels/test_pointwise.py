"""Functions of one value: exact, also for complex steps and NaN."""

import math

import numpy as np
import pytest

from skaud.kernels.pointwise import (
    TAYLOR,
    exponential,
    exponential_of_any,
    logarithm,
    rectify_step,
    rectify_step_adjoint,
    series,
)

KINDS = [np.float32, np.float64]


@pytest.mark.parametrize("x", [-200.0, -39.0, -10.0, -1.0, -1e-3, 0.0, 1.5])
def test_exponential_is_that_of_the_library(x):
    assert exponential(x, TAYLOR) == pytest.approx(math.exp(x), rel=1e-11, abs=1e-12)


@pytest.mark.parametrize("x", [-39.0, -10.0, -1.0, 0.0, 1.5])
def test_the_exponential_is_its_own_derivative_as_computed(x):
    derivative = exponential(x + 1e-30j, TAYLOR).imag / 1e-30
    assert exponential(x, TAYLOR) == pytest.approx(derivative, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("x", [2e-38, 1e-5, 0.5, 0.7071, 0.7072, 1 - 1e-6, 1.0, 1 + 1e-6, 1.4142, 1.4143, 2.0, 3e38])
def test_logarithm_is_that_of_the_library(x, kind):
    x = kind(x)
    found = logarithm(x, series(kind))
    assert found == pytest.approx(math.log(x), rel=8 * float(np.finfo(kind).eps), abs=float(np.finfo(kind).eps) / 4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("x", [-87.0, -39.5, -1.0, -0.3466, -0.3465, -1e-6, 0.0, 1e-6, 0.3465, 0.3466, 1.5, 40.0, 88.0])
def test_exponential_of_any_number_is_that_of_the_library(x, kind):
    x = kind(x)
    assert exponential_of_any(x, series(kind)) == pytest.approx(math.exp(x), rel=4 * float(np.finfo(kind).eps))


@pytest.mark.parametrize("kind", KINDS)
def test_exponentials_beyond_the_range_are_nearly_nothing_or_infinite(kind):
    info, of = np.finfo(kind), series(kind)
    assert exponential_of_any(kind(-1e4), of) == pytest.approx(float(info.smallest_normal), rel=1e-4)
    assert exponential_of_any(of.highest, of) == pytest.approx(2.0 ** (info.maxexp - 0.501), rel=1e-4)
    assert exponential_of_any(kind(info.maxexp * math.log(2)), of) == math.inf
    assert exponential_of_any(kind(1e4), of) == math.inf
    assert math.isnan(exponential_of_any(kind(math.nan), of))


def test_rectifier_keeps_nan_and_the_imaginary_part():
    assert rectify_step(-1.0) == 0
    assert rectify_step(2 + 3j) == 2 + 3j
    assert rectify_step(-2 + 3j) == 0


def test_nan_stays_nan():
    assert math.isnan(rectify_step(math.nan))
    assert math.isnan(exponential(math.nan, TAYLOR))
    assert math.isnan(logarithm(math.nan, series(np.float64)))


def test_the_derivative_of_the_rectifier_at_0_is_0():
    assert rectify_step_adjoint(3.0, 0.0) == 0
    assert rectify_step_adjoint(3.0, 1e-9) == 3
