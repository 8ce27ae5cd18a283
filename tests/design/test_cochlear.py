import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from audio_checks import error
from scipy import io, signal

from skaud import BiomimeticFrontend
from skaud.design import cochlear as design

RATE = 16000


def test_there_are_24_channels_an_octave_from_180_to_7246_hz():
    frequencies = design.centre_frequencies_hz()
    np.testing.assert_allclose(frequencies[[0, 31, 128]], [179.7, 440, 7246.3], atol=0.1)
    np.testing.assert_allclose(frequencies[24:] / frequencies[:-24], 2)


def decibels(response):
    magnitude = np.abs(np.fft.rfft(response, 32768))
    return 20 * np.log10(magnitude / magnitude.max(axis=1, keepdims=True))


def test_roex_filters_follow_the_published_ones_within_10_db_of_their_peaks(golden):
    file = golden("biomimetic_nsl.npz")
    published = decibels(design.rational_filters(file["B"], file["A"], 1e-9))
    near = published > -10
    distance_db = (decibels(design.roex_filters(RATE)) - published)[near]
    assert np.sqrt(np.mean(distance_db**2)) < 1.4  # the goal is 2.2


@pytest.mark.parametrize("rate", [16000, 44100])
def test_roex_filters_peak_at_their_centre_frequency_with_gain_1(rate):
    response = design.roex_filters(rate)
    magnitude = np.abs(np.fft.rfft(response, 4 * rate))
    np.testing.assert_allclose(magnitude.max(axis=1), 1, atol=2e-3)
    peak_hz = magnitude.argmax(axis=1) / 4
    octaves = np.log2(peak_hz / design.centre_frequencies_hz())
    assert np.abs(octaves).max() < 0.05


def test_roex_filters_have_minimum_phase():
    response = design.roex_filters(RATE)[64]
    cepstrum = np.fft.irfft(np.log(np.abs(np.fft.rfft(response, 65536))))
    cepstrum[1:32768] *= 2
    cepstrum[32769:] = 0
    minimum = np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))[: response.size]
    assert np.abs(response - minimum).max() < 1e-2 * np.abs(response).max()


def random_filters():
    random = np.random.default_rng(0)
    sections = [signal.butter(2, sorted(random.uniform(0.02, 0.9, 2)), "band") for _ in range(129)]
    return np.array([b for b, _ in sections]), np.array([a for _, a in sections])


def test_rational_filters_are_the_impulse_responses_of_b_over_a():
    B, A = random_filters()
    response = design.rational_filters(B, A, 1e-9)
    impulse = np.eye(1, response.shape[1])[0]
    wanted = np.array([signal.lfilter(b, a, impulse) for b, a in zip(B, A)])
    assert np.abs(response - wanted).max() < 1e-9


def test_a_filter_that_rings_for_ever_is_refused():
    B, A = random_filters()
    A[75] = np.poly([0.9999997, 0.5, 0.5, 0.5])
    with error(ValueError, "filters", "0.9999997", "filter 75", "0.9995", "multiply B[75]"):
        design.rational_filters(B, A, 1e-6)


@pytest.mark.parametrize(
    ("B", "A", "words"),
    [
        (np.ones((128, 3)), np.ones((128, 3)), ("(128, 3)", "129")),
        (np.ones((129, 3)), np.ones((129, 2)), ("(129, 3)", "(129, 2)", "zeros")),
        (np.full((129, 3), np.nan), np.ones((129, 3)), ("NaN",)),
        (np.ones((129, 3)), np.zeros((129, 3)), ("starts with 0",)),
    ],
)
def test_arrays_that_are_not_129_filters_are_refused(B, A, words):
    with error(ValueError, "filters", *words):
        design.rational_filters(B, A, 1e-6)


def nsl_file(path, B, A, order):
    table = np.zeros((B.shape[1] + 1, 129), complex)
    table[0] = order + 1j * design.centre_frequencies_hz()
    table[1:] = (B + 1j * A).T
    io.savemat(path, {"COCHBA": table})


def test_a_file_of_the_nsl_toolbox_has_a_column_a_filter(tmp_path):
    B, A = random_filters()
    nsl_file(tmp_path / "aud24.mat", B, A, 4)
    read = design.read_nsl(tmp_path / "aud24.mat")
    np.testing.assert_array_equal(read[0], B)
    np.testing.assert_array_equal(read[1], A)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_front_end_takes_the_file_as_it_takes_its_arrays(tmp_path, kind):
    B, A = random_filters()
    nsl_file(tmp_path / "aud24.mat", B, A, 4)
    X = np.random.default_rng(1).standard_normal((1, 400))
    of_file, of_arrays = (
        BiomimeticFrontend(filters=filters, n_strfs=8).fit_transform(X)
        for filters in (kind(tmp_path / "aud24.mat"), (B, A))
    )
    np.testing.assert_array_equal(of_file, of_arrays)


def test_filters_of_a_file_that_ring_for_ever_are_damped(tmp_path):
    B, A = random_filters()
    A[75] = np.poly([0.9999997, 0.5, 0.5, 0.5])
    nsl_file(tmp_path / "aud24.mat", B, A, 4)
    _, read = design.read_nsl(str(tmp_path / "aud24.mat"))
    np.testing.assert_allclose(design.pole_radii(read)[75], 0.99 * 0.9999997)
    np.testing.assert_array_equal(read[74], A[74])


def test_a_file_that_was_cut_is_refused_by_name(tmp_path):
    B, A = random_filters()
    path = tmp_path / "aud24.mat"
    nsl_file(path, B, A, 4)
    whole = path.read_bytes()
    for end in range(0, len(whole), 499):
        path.write_bytes(whole[:end])
        with error(ValueError, "aud24.mat"):
            design.read_nsl(path)


@pytest.mark.parametrize(
    "table", [np.ones((5, 128)), np.ones((500, 129)), np.full((5, 129), np.nan), 9 * np.ones((5, 129))]
)
def test_tables_that_are_no_filters_are_refused(tmp_path, table):
    io.savemat(tmp_path / "aud24.mat", {"COCHBA": table + 0j})
    with error(ValueError, "aud24.mat", "COCHBA"):
        design.read_nsl(tmp_path / "aud24.mat")


def test_other_files_are_refused(tmp_path):
    io.savemat(tmp_path / "other.mat", {"x": np.ones(3)})
    with error(ValueError, "other.mat", "['x']", "COCHBA"):
        design.read_nsl(tmp_path / "other.mat")
    with error(ValueError, "missing.mat", "path"):
        design.read_nsl(tmp_path / "missing.mat")


def test_filters_of_a_high_rate_are_designed_one_after_the_other():
    tracemalloc.start()
    design.roex_filters(48000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 50e6  # bytes; all channels at once take a gigabyte, and four at 192 kHz
