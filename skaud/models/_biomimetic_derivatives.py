"""Forward derivatives of the auditory spectrogram: its formulas with a complex step in them, which test the adjoint."""

import numpy as np
from scipy import signal

from skaud.engines.engine import STEP
from skaud.kernels import cochlear as kernel


def of_spectrogram(
    x: np.ndarray,
    x_step: np.ndarray,
    cochlea: kernel.Cochlea,
    parameter_steps: dict[str, np.ndarray],
    sample_rate: float,
    output: str,
) -> np.ndarray:
    """Output of the cochlear stages in complex numbers: the imaginary part is STEP times the derivative."""
    n_samples, period = x.shape[-1], cochlea.period
    nothing = np.zeros(())
    padded = kernel.whole_periods(np.concatenate([x, x_step]), period)
    y, y_step = np.split(kernel.run(padded, cochlea, ("cochlea",))["cochlea"], 2)
    response = y + 1j * STEP * y_step
    depth = kernel.OUTPUTS.index(output)
    if depth >= 1:
        exponents = cochlea.compression + 1j * STEP * parameter_steps.get("compression", nothing)
        sign = np.where(y < 0, -1, 1)
        response = np.where(y == 0, 0, sign * np.where(y == 0, 1, sign * response) ** exponents[:, np.newaxis])
    if depth >= 2:
        w0, w1 = cochlea.kernel + 1j * STEP * parameter_steps.get("lateral_inhibition", nothing)
        response = w0 * response[:, :-1] + w1 * response[:, 1:]
        response = np.where(response.real > 0, response, 0)
    if depth == 3:
        integration_s = -1 / (np.log(cochlea.decay) * sample_rate)
        integration_s = integration_s + 1j * STEP * parameter_steps.get("integration_s", nothing)
        decay = np.exp(-1 / (integration_s * sample_rate))
        response = signal.lfilter([1], [1, -decay], response)[..., period - 1 :: period]
        return response[..., : kernel.n_frames(n_samples, period)]
    return response[..., :n_samples]
