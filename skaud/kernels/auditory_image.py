"""Stabilized auditory images: the strongest sample of a window triggers, what surrounds it is blended in.

Channel by channel, from one event to the next: a window ends every `step` samples, an image every `hop`. Both count
from the first sample of a clip or stream, so that no result depends on where a chunk begins.
"""

from typing import NamedTuple

import numpy as np

from skaud.kernels._compile import kernel, loop, pointer, step
from skaud.kernels.lanes import LANES
from skaud.kernels.one_pole import ZERO

ONE = np.float32(1)


class Plan(NamedTuple):
    """What a run goes by; arrays in the precision of the run, real also where the run is complex.

    window : (n_window,); middle : where it is largest; weighting : floor and half of `blend_weight`; apart :
    (n_channels, n_lags), what a lag of a channel counts in sums over channels
    """

    first_lag: int
    n_lags: int
    last_lag: int
    step: int
    window: np.ndarray
    middle: int
    weighting: np.ndarray
    apart: np.ndarray


@step
def blend_weight(strength, floor, half):
    """Share of what a trigger brings: 0.05 of one that is hardly there, to nearly 1."""
    return (floor + strength) / (half + strength)


@step
def blend_weight_adjoint(weight_bar, strength, floor, half):
    """Bar of the strength."""
    # weight = (floor + strength) / (half + strength)
    return weight_bar * (half - floor) / ((half + strength) * (half + strength))


@loop
def strongest(wave, window, n_window, best):
    """First index where wave * window is largest, -1 where nothing is above 0: how large, lane by lane, then where."""
    for l in range(LANES):
        best[l] = ZERO
    begin = 0
    while begin + 4 * LANES <= n_window:  # four at a time: else each waits for the one before to be stored
        x, w = pointer(wave, begin), pointer(window, begin)
        for l in range(LANES):
            first, second = x[l].real * w[l], x[l + LANES].real * w[l + LANES]
            third, fourth = x[l + 2 * LANES].real * w[l + 2 * LANES], x[l + 3 * LANES].real * w[l + 3 * LANES]
            first, third = first if first > second else second, third if third > fourth else fourth
            first = first if first > third else third
            best[l] = first if first > best[l] else best[l]
        begin += 4 * LANES
    while begin + LANES <= n_window:
        x, w = pointer(wave, begin), pointer(window, begin)
        for l in range(LANES):
            value = x[l].real * w[l]
            best[l] = value if value > best[l] else best[l]
        begin += LANES
    largest = best[0]
    for l in range(1, LANES):
        largest = best[l] if best[l] > largest else largest
    for i in range(begin, n_window):
        value = wave[i].real * window[i]
        largest = value if value > largest else largest
    if not largest > ZERO:
        return -1
    begin = 0
    while begin + LANES <= n_window:
        x, w, n_found = pointer(wave, begin), pointer(window, begin), np.int32(0)
        for l in range(LANES):
            n_found += np.int32(x[l].real * w[l] == largest)
        if n_found:
            break
        begin += LANES
    while wave[begin].real * window[begin] != largest:
        begin += 1
    return begin


@loop
def blend(wave, end, plan, image, best):
    """Blend what surrounds the trigger of the window that ends at `end` of wave into the image; where that was."""
    window, n_lags = pointer(plan.window, 0), plan.n_lags
    begin = end - plan.last_lag - len(plan.window)
    chosen = strongest(pointer(wave, begin), window, len(plan.window), best)
    triggered = begin + (chosen if chosen >= 0 else plan.middle)
    # In silence the window's middle triggers, as strongly as a wave of ones.
    strength = wave[triggered] * window[chosen] if chosen >= 0 else window[plan.middle] + ZERO * wave[triggered]
    weight = blend_weight(strength, plan.weighting[0], plan.weighting[1])
    rest, around = ONE - weight, pointer(wave, triggered + plan.first_lag)
    for l in range(n_lags):
        image[l] = rest * image[l] + weight * around[l]
    return chosen


@loop
def next_multiple(period, after):
    """The next multiple of a period."""
    return (after // period + 1) * period


@kernel
def run(source, origin, begin, end, hop, n_before, plan, buffers, images, sums, best):
    """Go through the windows and images that end in (begin, end], samples of the stream.

    source (n_rows, n_channels, n) has its samples from `origin` on; buffers (n_rows, n_channels, n_lags) are the images
    as they stand. images (n_rows, n_images, n_channels, n_lags) and sums over channels (n_rows, n_images, n_lags), from
    0 on, get those behind the first n_before of the stream, unless they have no rows.
    """
    n_rows, n_channels, n_source = source.shape
    n_lags, n_images = plan.n_lags, max(images.shape[1], sums.shape[1])
    best = pointer(best, 0)
    for row in range(n_rows):
        for c in range(n_channels):
            wave = pointer(source, (row * n_channels + c) * n_source)
            image = pointer(buffers, (row * n_channels + c) * n_lags)
            time = min(next_multiple(plan.step, begin), next_multiple(hop, begin))
            while time <= end:
                if time % plan.step == 0:
                    blend(wave, time - origin, plan, image, best)
                if time % hop == 0:
                    i = time // hop - 1 - n_before
                    if len(images):
                        out = pointer(images, ((row * n_images + i) * n_channels + c) * n_lags)
                        for l in range(n_lags):
                            out[l] = image[l]
                    if len(sums):
                        total, counts = pointer(sums, (row * n_images + i) * n_lags), pointer(plan.apart, c * n_lags)
                        for l in range(n_lags):
                            total[l] = total[l] + counts[l] * image[l]
                time = min(next_multiple(plan.step, time), next_multiple(hop, time))


@kernel
def run_adjoint(source, n_samples, hop, plan, images_bar, sums_bar, source_bar, kept, chosen, image_bar, best):
    """Adjoint of `run` over a whole clip: adds to source_bar, where source has plan's `n_heard` zeros in front.

    Triggers stay where they are. kept (n_windows, n_lags) and chosen (n_windows,) are room for the images before every
    blend of a channel, and for its triggers, and image_bar (n_lags,).
    """
    n_rows, n_channels, n_source = source.shape
    n_lags, n_window, origin = plan.n_lags, len(plan.window), n_samples - n_source
    n_images, n_blends = n_samples // hop, n_samples // plan.step
    floor, half = plan.weighting[0], plan.weighting[1]
    window, bar, best = pointer(plan.window, 0), pointer(image_bar, 0), pointer(best, 0)
    for row in range(n_rows):
        for c in range(n_channels):
            wave = pointer(source, (row * n_channels + c) * n_source)
            wave_bar = pointer(source_bar, (row * n_channels + c) * n_source)
            for l in range(n_lags):
                kept[0, l] = ZERO
            for k in range(n_blends):
                after = pointer(kept, (k + 1) * n_lags)
                for l in range(n_lags):
                    after[l] = kept[k, l]
                chosen[k] = blend(wave, (k + 1) * plan.step - origin, plan, after, best)
            for l in range(n_lags):
                bar[l] = ZERO
            i, k = n_images - 1, n_blends - 1
            while i >= 0 or k >= 0:
                if (i + 1) * hop >= (k + 1) * plan.step:
                    if len(images_bar):
                        own = pointer(images_bar, ((row * n_images + i) * n_channels + c) * n_lags)
                        # images[i] = image
                        for l in range(n_lags):
                            bar[l] = bar[l] + own[l]
                    else:
                        own, counts = pointer(sums_bar, (row * n_images + i) * n_lags), pointer(plan.apart, c * n_lags)
                        # sums[i] = sums[i] + apart * image
                        for l in range(n_lags):
                            bar[l] = bar[l] + counts[l] * own[l]
                    i -= 1
                    continue
                begin = (k + 1) * plan.step - origin - plan.last_lag - n_window
                triggered = begin + (chosen[k] if chosen[k] >= 0 else plan.middle)
                strength = wave[triggered] * window[chosen[k]] if chosen[k] >= 0 else window[plan.middle]
                weight, weight_bar = blend_weight(strength, floor, half), ZERO * strength
                first = triggered + plan.first_lag
                before, around, around_bar = pointer(kept, k * n_lags), pointer(wave, first), pointer(wave_bar, first)
                # image = (1 - weight) * image + weight * around
                for l in range(n_lags):
                    weight_bar += bar[l] * (around[l] - before[l])
                    around_bar[l] = around_bar[l] + weight * bar[l]
                    bar[l] = (ONE - weight) * bar[l]
                if chosen[k] >= 0:
                    # strength = wave[triggered] * window[chosen]
                    wave_bar[triggered] += window[chosen[k]] * blend_weight_adjoint(weight_bar, strength, floor, half)
                k -= 1


@kernel
def average_cells(sums, first, begin, weights, out):
    """Averages (n_rows, n_images, n_cells) of sums (n_rows, n_images, n_lags) over the lags of every cell."""
    for row in range(len(sums)):
        for i in range(sums.shape[1]):
            for k in range(len(first)):
                total = ZERO * sums[row, i, first[k]]
                for l in range(begin[k + 1] - begin[k]):
                    total += weights[begin[k] + l] * sums[row, i, first[k] + l]
                out[row, i, k] = total


@kernel
def average_cells_adjoint(out_bar, first, begin, weights, sums_bar):
    """Adjoint of `average_cells`: adds to sums_bar."""
    for row in range(len(out_bar)):
        for i in range(out_bar.shape[1]):
            for k in range(len(first)):
                for l in range(begin[k + 1] - begin[k]):
                    # total = total + weights * sums
                    sums_bar[row, i, first[k] + l] += weights[begin[k] + l] * out_bar[row, i, k]
