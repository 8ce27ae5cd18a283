"""Noise of several colours, and where its random numbers come from."""

import numpy as np

RandomState = int | np.random.RandomState | None

_EXPONENT = {"white": 0.0, "pink": -0.5, "brown": -1.0}  # amplitude goes with frequency to this power


def check_color(color: object) -> str:
    """Colour of a noise; an error where there is none of the name."""
    if not isinstance(color, str) or color not in _EXPONENT:
        raise ValueError(f"color={color!r} must be one of {sorted(_EXPONENT)}; choose one of them.")
    return color


def colored_noise(random: np.random.Generator, n_samples: int, color: str) -> np.ndarray:
    """Gaussian noise with an RMS of 1; where it is coloured it has no offset, and takes two samples."""
    noise = random.standard_normal(n_samples)
    if color != "white":
        cycles = np.arange(n_samples // 2 + 1)  # a clip
        gain = np.zeros(cycles.size)
        gain[1:] = cycles[1:] ** _EXPONENT[color]
        noise = np.fft.irfft(np.fft.rfft(noise) * gain, n_samples)
    return noise / np.sqrt(np.mean(noise**2))


def draw_seed(random_state: RandomState) -> int:
    """Draw a seed as scikit-learn's estimators do: an int gives the same one each time."""
    from sklearn.utils import check_random_state

    try:
        random = check_random_state(random_state)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"random_state={random_state!r} is no seed ({error}); pass an integer from 0 to {2**32 - 1}, a "
            "numpy.random.RandomState, or None."
        ) from error
    return int(random.randint(2**31 - 1))


def generator(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """Make the generator of one purpose and item, so that random_state=0 in two functions gives unrelated numbers."""
    return np.random.default_rng([seed, *purpose.encode(), *numbers])
