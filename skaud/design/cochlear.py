"""Cochlear filters of the biomimetic front end: impulse responses, in float64.

Sources: R. L. Famularo, D. N. Zotkin, S. A. Shamma, R. Duraiswami (2024), Biomimetic frontend for differentiable audio
processing; T. Chi, P. Ru, S. A. Shamma (2005), JASA 118:887.

The roex filters follow eq. 1 of Famularo et al., with minimum phase. Three constants are free there: the unit of the
logarithmic frequency axis, the offset of the cutoff from the centre frequency, and the floor of the skirts. They were
fitted once, and rounded, to the filters of Chi et al. (the magnitudes within 10 dB of their peaks, and the auditory
spectrogram of a noisy chirp): 1.3 dB RMS, and a correlation of 0.99 between the spectrograms.
"""

from pathlib import Path

import numpy as np
from scipy import fft

from skaud.design.minimum_phase import minimum_phase_response

N_CHANNELS = 129
CHANNELS_PER_OCTAVE = 24
SAMPLE_RATE = 16000.0  # Hz, of the published coefficients

ROEX_ALPHA, ROEX_BETA = 0.3, 8.0  # Famularo et al. 2024, eq. 1
ROEX_UNIT_OCTAVES = 2.2  # one unit of x; fitted, as the next two
ROEX_CUTOFF_OCTAVES = 0.075  # x_h above the centre frequency
ROEX_FLOOR_DB = -20.0  # of the skirts, re peak
ROEX_LENGTH_S = 0.128  # the cutoff's edge rings on for ever; a window ends it here

_MOST_ROWS = 100  # of a file's table of coefficients: the toolbox's are shorter
# Filters 75 and 76 of the published coefficients have a pole within 3e-7 of the unit circle.
MAX_POLE_RADIUS = 0.9995
DAMPING = 0.99


def centre_frequencies_hz() -> np.ndarray:
    """Centre frequencies, 180 to 7246 Hz, 24 an octave (Chi et al. 2005)."""
    return 440 * 2 ** ((np.arange(N_CHANNELS) - 31) / CHANNELS_PER_OCTAVE)


def roex_filters(sample_rate: float) -> np.ndarray:
    """Impulse responses (129, n_taps) of the roex filters, peak gain 1, minimum phase."""
    n_fft = 2 ** int(np.ceil(np.log2(2 * sample_rate)))  # cepstra that are aliased below -100 dB
    n_taps = round(ROEX_LENGTH_S * sample_rate)
    frequency_hz = fft.rfftfreq(n_fft, 1 / sample_rate)
    octaves = np.log2(np.maximum(frequency_hz, frequency_hz[1] / 2))
    cutoffs = np.log2(centre_frequencies_hz()) + ROEX_CUTOFF_OCTAVES
    peak = ROEX_ALPHA / ROEX_BETA
    window = np.cos(np.pi / 2 * np.arange(n_taps) / n_taps) ** 2
    responses = np.empty((N_CHANNELS, n_taps))
    for cutoff, response in zip(cutoffs, responses):  # all at once would take gigabytes at high rates
        below = np.maximum(cutoff - octaves, 0) / ROEX_UNIT_OCTAVES  # x_h - x
        magnitude = (below / peak) ** ROEX_ALPHA * np.exp(ROEX_ALPHA - ROEX_BETA * below)
        log_magnitude = 0.5 * np.log(magnitude**2 + 10 ** (ROEX_FLOOR_DB / 10))
        response[:] = minimum_phase_response(log_magnitude, n_fft)[:n_taps] * window
        response /= np.abs(fft.rfft(response, n_fft)).max()
    return responses


def rational_filters(numerator: np.ndarray, denominator: np.ndarray, tolerance: float) -> np.ndarray:
    """Impulse responses (129, n_taps) of B / A, each up to where what follows has an RMS below `tolerance`, re all.

    numerator, denominator : (129, n_coefficients), in powers of z^-1
    """
    B, A = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    if B.ndim != 2 or B.shape != A.shape or B.shape[0] != N_CHANNELS:
        raise ValueError(
            f"filters has arrays of shape {B.shape} and {A.shape}; B and A must both be ({N_CHANNELS}, "
            "n_coefficients): pad the shorter rows with zeros."
        )
    if not (np.isfinite(B).all() and np.isfinite(A).all()) or (A[:, 0] == 0).any():
        raise ValueError(
            "filters has coefficients that are NaN or infinite, or a row of A that starts with 0; mend it."
        )
    radius = pole_radii(A)
    if (radius > MAX_POLE_RADIUS).any():
        k = int(radius.argmax())
        raise ValueError(
            f"filters has a pole of radius {radius[k]:.7g} in filter {k}, above {MAX_POLE_RADIUS}: it rings for "
            f"seconds, or for ever. Damp it: multiply B[{k}] and A[{k}] by {DAMPING} ** numpy.arange({A.shape[1]})."
        )
    n_fft = 65536  # MAX_POLE_RADIUS ** n_fft is 6e-15
    response = np.stack([fft.irfft(fft.rfft(b, n_fft) / fft.rfft(a, n_fft), n_fft) for b, a in zip(B, A)])
    tail = np.cumsum(response[:, ::-1] ** 2, axis=1)[:, ::-1]  # energy
    n_taps = int((tail > tolerance**2 * tail[:, :1]).sum(axis=1).max())
    return response[:, : max(1, n_taps)]


def read_nsl(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """B and A, (129, n_coefficients), from a coefficient file of the NSL toolbox, such as aud24.mat.

    Its matrix COCHBA has a column a filter: the order, then B + i A. Filters that ring for ever are damped. SciPy's
    reader of these files crashes on some that are damaged: read files that you trust alone.
    """
    from scipy import io  # only here: it takes a fiftieth of a second to import

    try:
        names = [name for name, *_ in io.whosmat(path)]
        content = io.loadmat(path, variable_names=["COCHBA"]) if "COCHBA" in names else {}
    except Exception as error:  # whatever SciPy says of a damaged file
        raise ValueError(f"filters={str(path)!r} cannot be read as a MATLAB file: {error}. Check the path.") from error
    table = content.get("COCHBA")
    if not isinstance(table, np.ndarray) or not np.iscomplexobj(table):
        raise ValueError(
            f"filters={str(path)!r} holds {sorted(names)}, not the complex matrix COCHBA of the NSL toolbox; "
            "pass its aud24.mat."
        )
    if table.ndim != 2 or table.shape[1] != N_CHANNELS or not 2 <= len(table) <= _MOST_ROWS:
        raise ValueError(
            f"filters={str(path)!r} has a COCHBA of shape {table.shape}, not of {N_CHANNELS} columns and 2 to "
            f"{_MOST_ROWS} rows; pass the toolbox's aud24.mat."
        )
    if not np.isfinite(table).all() or (np.abs(table[0].real) >= len(table)).any():
        raise ValueError(
            f"filters={str(path)!r} has a COCHBA with values that are not finite, or orders beyond its rows; pass the "
            "toolbox's aud24.mat."
        )
    order = table[0].real.astype(int)
    powers = np.arange(table.shape[0] - 1)
    coefficients = np.where(powers[:, np.newaxis] <= order, table[1:], 0).T
    B, A = coefficients.real.copy(), coefficients.imag.copy()
    ringing = pole_radii(A) > MAX_POLE_RADIUS
    B[ringing] *= DAMPING**powers
    A[ringing] *= DAMPING**powers
    return B, A


def pole_radii(denominator: np.ndarray) -> np.ndarray:
    """Largest pole radius of every filter."""
    return np.array([np.abs(np.roots(a)).max(initial=0.0) for a in denominator])
