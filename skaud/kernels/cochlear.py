"""Auditory spectrogram: filters, compression, lateral inhibition, leaky integration, and their adjoints.

Array-API code. A long sound goes through in blocks, and on the CPU a few channels at a time, so that memory holds
little but what is asked for; the reverse sweep computes the forward one again, block by block.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from skaud.kernels import fourier
from skaud.kernels._memory import memory_used_again
from skaud.kernels.array_api import array_namespace, constant, to_numpy, zeros
from skaud.kernels.leaky_integrator import decay_adjoint, integrate, integrate_adjoint

OUTPUTS = ("cochlea", "compressed", "inhibited", "spectrogram")


class Cochlea(NamedTuple):
    """What the kernel runs."""

    filters: fourier.FilterBank
    compression: np.ndarray  # (n_channels,), exponents
    kernel: np.ndarray  # (2,), lateral inhibition
    decay: float  # of the leaky integrator, a sample
    period: int  # samples a frame


class Gradients(NamedTuple):
    """Adjoints of a sound and of the parameters of its `Cochlea`."""

    x: Any
    compression: np.ndarray
    kernel: np.ndarray
    decay: float


# --- steps ---


def compress(x: Any, exponents: np.ndarray, log: Any = None) -> Any:
    """Signed power, sign(x) |x| ** exponent.

    x : (..., n_channels, n_samples); exponents : (n_channels,); log : log_magnitude(x), where it is known
    """
    if (exponents == 1).all():
        return x
    # sign(x) |x| ** a = x |x| ** (a - 1), one exponential
    power = constant(exponents[:, np.newaxis] - 1, x) * (log_magnitude(x) if log is None else log)
    return x * array_namespace(x).exp(power)


def compress_adjoint(out_bar: Any, x: Any, log: Any, out: Any, exponents: np.ndarray) -> tuple[Any, Any]:
    """Adjoint of `compress` for x and, over all signals and samples, for the exponents; out is what it returned.

    At 0 the slope of an exponent below 1 is infinite; 0 stands for it, so that silence has no gradient.
    """
    xp = array_namespace(x)
    # out = sign(x) * exp(exponents * log)
    relative_bar = out_bar * out
    exponents_bar = xp.sum(xp.vecdot(relative_bar, log), axis=0)
    if (exponents == 1).all():
        return out_bar, exponents_bar
    at_0 = x == 0
    x_bar = constant(exponents[:, np.newaxis], x) * relative_bar / xp.where(at_0, constant(np.ones(()), x), x)
    if (exponents == 1).any():
        x_bar = xp.where(at_0, out_bar * constant((exponents == 1)[:, np.newaxis], x), x_bar)
    return x_bar, exponents_bar


def log_magnitude(x: Any) -> Any:
    """Logarithm of |x|, that of the smallest number where x is 0."""
    xp = array_namespace(x)
    smallest = constant(np.asarray(float(xp.finfo(x.dtype).smallest_normal)), x)
    return xp.log(xp.maximum(xp.abs(x), smallest))


def inhibit(x: Any, kernel: np.ndarray) -> Any:
    """Rectified difference max(0, w0 x[k] + w1 x[k + 1]) over channels; x : (..., n_channels, n_samples)."""
    w0, w1 = float(kernel[0]), float(kernel[1])
    near = x[..., :-1, :] if w0 == 1 else w0 * x[..., :-1, :]
    difference = near - x[..., 1:, :] if w1 == -1 else near + w1 * x[..., 1:, :]
    return array_namespace(x).maximum(difference, zeros((), x))


def inhibit_adjoint(out_bar: Any, x: Any, out: Any, kernel: np.ndarray) -> tuple[Any, np.ndarray]:
    """Adjoint of `inhibit` for x and for the kernel; out is what it returned; the slope of max(0, .) at 0 is 0."""
    xp = array_namespace(x)
    # out = max(0, difference)
    difference_bar = out_bar * xp.astype(out > 0, out_bar.dtype)
    # difference = w0 * x[:-1] + w1 * x[1:]
    edge = zeros((*x.shape[:-2], 1, x.shape[-1]), x)
    far_bar = xp.concat([edge, difference_bar], axis=-2)
    near_bar = xp.concat([difference_bar, edge], axis=-2)
    w0, w1 = float(kernel[0]), float(kernel[1])
    near_bar = near_bar if w0 == 1 else w0 * near_bar
    x_bar = near_bar - far_bar if w1 == -1 else near_bar + w1 * far_bar
    parts = (x[..., :-1, :], x[..., 1:, :])
    return x_bar, np.array([float(xp.sum(xp.vecdot(difference_bar, part))) for part in parts])


# --- runs ---


@memory_used_again()
def run(x: Any, cochlea: Cochlea, outputs: tuple[str, ...], n_threads: int = 1) -> dict[str, Any]:
    """Responses by name.

    x : (n_signals, n_samples); cochlea, compressed : (n_signals, n_channels, n_samples), inhibited : one channel fewer,
    spectrogram : at the last sample of every period, at least one
    """
    xp = array_namespace(x)
    n_samples = x.shape[-1]
    depth = max(OUTPUTS.index(name) for name in outputs)
    x = whole_periods(x, cochlea.period)
    blocks = fourier.cut(x.shape[-1], cochlea.filters.response.shape[1], cochlea.period)
    spectra = cochlea.filters.spectra(blocks, x)
    groups = fourier.channel_groups(x, spectra.shape[0] - 1)
    pieces: dict[str, list] = {name: [] for name in outputs}
    before: list[Any] = [None] * len(groups)

    def respond(x_hat: Any, n_new: int, g: int) -> dict[str, Any]:
        # Inhibition needs one channel more than it returns.
        channels = slice(groups[g].start, groups[g].stop + 1)
        own = slice(None) if g == len(groups) - 1 else slice(-1)
        responses = _forward(x_hat, spectra[channels, :], n_new, blocks.n_fft, cochlea, channels, depth)
        if depth == 3:
            responses["spectrogram"] = integrate(responses["inhibited"], cochlea.decay, cochlea.period, before[g])
            before[g] = responses["spectrogram"][..., -1]
        return {name: responses[name][:, own if OUTPUTS.index(name) < 2 else slice(None), :] for name in outputs}

    for begin in range(0, x.shape[-1], blocks.hop):
        n_new = min(blocks.hop, x.shape[-1] - begin)
        x_hat = fourier.block_spectrum(x, begin, blocks)
        responses = fourier.in_threads(partial(respond, x_hat, n_new), range(len(groups)), n_threads)
        for name in outputs:
            pieces[name].append(_join([response[name] for response in responses], 1, xp))
    lengths = [n_frames(n_samples, cochlea.period) if name == "spectrogram" else n_samples for name in outputs]
    return {name: _join(pieces[name], -1, xp)[..., :length] for name, length in zip(outputs, lengths)}


@memory_used_again()
def run_adjoint(
    out_bar: Any,
    output: str,
    x: Any,
    cochlea: Cochlea,
    spectrogram: Any = None,
    n_threads: int = 1,
    *,
    for_x: bool = True,
) -> Gradients:
    """Adjoint of `run` for one output; `spectrogram` is what it returned, where that is the output."""
    xp = array_namespace(x)
    n_samples, period = x.shape[-1], cochlea.period
    depth = OUTPUTS.index(output)
    x = whole_periods(x, period)
    # The frame that the sound ends in the midst of was cut off.
    out_bar = _fit_length(out_bar, x.shape[-1] // period if depth == 3 else x.shape[-1])
    spectrogram = None if spectrogram is None else _fit_length(spectrogram, x.shape[-1] // period)
    blocks = fourier.cut(x.shape[-1], cochlea.filters.response.shape[1], period)
    spectra = cochlea.filters.spectra(blocks, x)
    groups = fourier.channel_groups(x, spectra.shape[0] - 1)
    compression_bar, kernel_bar, decay_bar = np.zeros(spectra.shape[0]), np.zeros(2), 0.0
    before_bar: list[Any] = [None] * len(groups)
    x_bars: list[Any] = []
    past_bar = None

    def reverse(x_hat: Any, begin: int, n_new: int, g: int) -> tuple[Any, tuple[slice, Any], Any, float]:
        channels = slice(groups[g].start, groups[g].stop + 1)
        own = channels if g == len(groups) - 1 or depth >= 2 else groups[g]
        here, frames = slice(begin, begin + n_new), slice(begin // period, (begin + n_new) // period)
        forward = _forward(
            x_hat, spectra[own, :], n_new, blocks.n_fft, cochlea, own, min(depth, 2), keep_log=depth >= 1
        )
        decay_bar, kernel_bar, compression_bar = 0.0, np.zeros(2), None
        # spectrogram = integrate(inhibited)
        if depth == 3:
            y_bar = out_bar[:, groups[g], frames]
            bar, before_bar[g], sums_bar = integrate_adjoint(y_bar, cochlea.decay, period, before_bar[g])
            y = spectrogram[:, groups[g], frames]
            y_before = spectrogram[:, groups[g], frames.start - 1] if frames.start else None
            decay_bar = decay_adjoint(sums_bar, forward["inhibited"], y, cochlea.decay, period, y_before)
        else:
            bar = out_bar[:, groups[g] if depth == 2 else own, here]
        # inhibited = inhibit(compressed)
        if depth >= 2:
            bar, kernel_bar = inhibit_adjoint(bar, forward["compressed"], forward["inhibited"], cochlea.kernel)
        # compressed = compress(cochlea)
        if depth >= 1:
            exponents = cochlea.compression[own]
            bar, compression_bar = compress_adjoint(
                bar, forward["cochlea"], forward["log"], forward["compressed"], exponents
            )
        # cochlea = filter_block(x_hat)
        x_hat_bar = fourier.filter_block_adjoint(bar, spectra[own, :], blocks.n_fft) if for_x else None
        return x_hat_bar, (own, compression_bar), kernel_bar, decay_bar

    for begin in reversed(range(0, x.shape[-1], blocks.hop)):
        n_new = min(blocks.hop, x.shape[-1] - begin)
        x_hat = fourier.block_spectrum(x, begin, blocks)
        results = fourier.in_threads(partial(reverse, x_hat, begin, n_new), range(len(groups)), n_threads)
        for _, (own, alpha_bar), w_bar, leak_bar in results:
            if alpha_bar is not None:
                compression_bar[own] += to_numpy(alpha_bar)
            kernel_bar += w_bar
            decay_bar += leak_bar
        if for_x:
            x_hat_bar = results[0][0]
            for other, *_ in results[1:]:
                x_hat_bar = x_hat_bar + other
            new_bar, next_past_bar = fourier.block_spectrum_adjoint(x_hat_bar, begin, n_new, blocks)
            if past_bar is not None:
                kept = n_new - past_bar.shape[-1]
                new_bar = xp.concat([new_bar[:, :kept], new_bar[:, kept:] + past_bar], axis=-1)
            past_bar = next_past_bar
            x_bars.append(new_bar)
    x_bar = _fit_length(_join(x_bars[::-1], -1, xp), n_samples) if for_x else None
    return Gradients(x_bar, compression_bar, kernel_bar, decay_bar)


def _forward(
    x_hat: Any,
    spectra: Any,
    n_new: int,
    n_fft: int,
    cochlea: Cochlea,
    channels: slice,
    depth: int,
    *,
    keep_log: bool = False,
) -> dict[str, Any]:
    responses = {"cochlea": fourier.filter_block(x_hat, spectra, n_new, n_fft)}
    if keep_log:
        responses["log"] = log_magnitude(responses["cochlea"])
    if depth >= 1:
        exponents = cochlea.compression[channels]
        responses["compressed"] = compress(responses["cochlea"], exponents, responses.get("log"))
    if depth >= 2:
        responses["inhibited"] = inhibit(responses["compressed"], cochlea.kernel)
    return responses


def n_frames(n_samples: int, period: int) -> int:
    """Frames of a sound: whole periods, and one for what is shorter."""
    return max(1, n_samples // period)


def whole_periods(x: Any, period: int) -> Any:
    """Fill x with zeros up to the next whole period."""
    return _fit_length(x, -(-x.shape[-1] // period) * period)


def _fit_length(x: Any, n: int) -> Any:
    if x.shape[-1] >= n:
        return x[..., :n]
    return array_namespace(x).concat([x, zeros((*x.shape[:-1], n - x.shape[-1]), x)], axis=-1)


def _join(pieces: list[Any], axis: int, xp: Any) -> Any:
    return pieces[0] if len(pieces) == 1 else xp.concat(pieces, axis=axis)
