"""Proportions of right answers against integrals of signal detection theory."""

import numpy as np
import pytest
from audio_checks import error
from scipy.integrate import quad
from scipy.stats import norm

from skaud.psychoacoustics import d_prime, proportion_correct
from skaud.psychoacoustics.forced_choice import choice_probabilities


@pytest.mark.parametrize("n_intervals", [2, 3, 4, 10])
@pytest.mark.parametrize("distance", [-1.0, 0.0, 1.265, 4.0])
def test_the_proportion_correct_is_the_integral(distance, n_intervals):
    integral = quad(lambda x: norm.pdf(x - distance) * norm.cdf(x) ** (n_intervals - 1), -15, 15, epsabs=1e-13)[0]
    assert proportion_correct(distance, n_intervals) == pytest.approx(integral, abs=1e-11)


def test_two_intervals_have_the_closed_form():
    d = np.linspace(-3, 6, 19)
    np.testing.assert_allclose(proportion_correct(d, 2), norm.cdf(d / np.sqrt(2)), atol=1e-12)


def test_d_prime_of_published_tables():
    # Hacker & Ratcliff 1979, Table 1: d' for M-alternative forced choice
    assert d_prime(0.75, 2) == pytest.approx(0.95, abs=0.005)
    assert d_prime(0.75, 3) == pytest.approx(1.43, abs=0.005)
    assert d_prime(0.75, 4) == pytest.approx(1.68, abs=0.005)
    assert d_prime(1 / 3, 3) == 0


def test_d_prime_and_proportion_are_inverse():
    for proportion in (0.4, 0.5**0.5, 0.99):
        assert proportion_correct(d_prime(proportion, 3), 3) == pytest.approx(proportion, abs=1e-10)


def test_d_prime_of_several_proportions_is_that_of_each():
    proportions = np.array([[1 / 3, 0.75], [0.9, 0.99]])
    found = d_prime(proportions)
    assert found.shape == (2, 2)
    np.testing.assert_array_equal(found.ravel(), [d_prime(one) for one in proportions.flat])
    np.testing.assert_allclose(proportion_correct(found), proportions, atol=1e-10)
    assert isinstance(d_prime(0.75), float)


def test_choices_are_as_probable_as_they_are_frequent():
    values, n = np.array([[0.3, -0.2, 1.0, 0.0]]), 200_000
    drawn = (values + 0.7 * np.random.default_rng(0).standard_normal((n, 4))).argmax(axis=1)
    found = choice_probabilities(values, 0.7)[0]
    np.testing.assert_allclose(np.bincount(drawn) / n, found, atol=4 * np.sqrt(0.25 / n))
    assert found.sum() == pytest.approx(1, abs=1e-12)


def test_without_noise_the_largest_is_chosen_and_equals_share():
    found = choice_probabilities([[1, 2, 0], [3, 3, 1]], 0.0)
    np.testing.assert_array_equal(found, [[0, 1, 0], [0.5, 0.5, 0]])


def test_what_no_observer_can_do_is_named():
    with error(ValueError, "n_intervals=1", "at least 2"):
        proportion_correct(1.0, 1)
    with error(ValueError, "proportion=0.2", "chance, 0.3333 with n_intervals=3"):
        d_prime(0.2)
    with error(ValueError, "proportion=1", "below 1"):
        d_prime(1)
    with error(ValueError, "proportion=1.2", "below 1"):
        d_prime([0.9, 1.2])
    for wrong in ("0.9", True, None, ["a"], [[0.9], [0.8, 0.7]]):
        with error(ValueError, "proportion=", "numbers"):
            d_prime(wrong)
        with error(ValueError, "d_prime=", "numbers"):
            proportion_correct(wrong)
    with error(ValueError, "d_prime=[1.0, nan]", "NaN"):
        proportion_correct([1.0, np.nan])
    for wrong in (2.5, True, "3", np.nan, np.inf, None, [2, 3]):
        for of in (d_prime, proportion_correct):
            with error(ValueError, f"n_intervals={wrong!r}", "whole number of at least 2"):
                of(0.9, wrong)
