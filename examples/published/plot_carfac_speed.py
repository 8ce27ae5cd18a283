"""
CARFAC v2, Table 3: speed by length of the segment
==================================================

The table of the paper times segments of 10 ms to 1000 s, and a long sound split into segments. Here is the same on
the machine that built this page: time of one thread for a second of sound, whole and as a stream in chunks of 10 ms.
Segments up to 10 s are timed unless told otherwise; all of the table's with::

    python examples/published/plot_carfac_speed.py --longest 1000

which on a machine of two cores, busy with other work, gave 3.2 ms whole and 11 ms in chunks for both 100 and 1000 s.
The published table has times of its own machine for NumPy and JAX, which were not at hand, so that none is printed
beside; programs run side by side on one machine stand on the performance page.
"""

import argparse
import time

import matplotlib.pyplot as plt
import numpy as np

from skaud import CARFAC, audio

RATE = 22050
parser = argparse.ArgumentParser(description="Time CARFAC on segments of many lengths.")
parser.add_argument("--longest", type=float, default=10.0, help="longest segment in s")
longest_s = parser.parse_args().longest
model = CARFAC(RATE, pooling=None, n_jobs=1).fit()


def time_whole(x):
    """Seconds of the processor, the shortest of three."""
    seconds = []
    for _ in range(3):
        begin = time.process_time()
        model.transform(x)
        seconds.append(time.process_time() - begin)
    return min(seconds)


def time_split(x, n_chunk):
    begin, state = time.process_time(), model.initial_state()
    for start in range(0, x.shape[1] - n_chunk + 1, n_chunk):
        _, state = model.transform_chunk(x[:, start : start + n_chunk], state)
    return time.process_time() - begin


# %%
# Time for a second of sound, noise at 60 dB SPL.
lengths_s = [s for s in (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0) if s <= longest_s]
noise = audio.make_noise(round(max(lengths_s) * RATE), "white", random_state=0)
noise = np.asarray(audio.set_level(noise, 60), np.float32)[np.newaxis]
for compiled in (time_whole(noise[:, : RATE // 100]), time_split(noise[:, : RATE // 100], RATE // 200)):
    assert compiled > 0
rows = []
print("segment                      published     found, ms for a second of sound")
for length_s in lengths_s:
    x = noise[:, : round(length_s * RATE)]
    rows.append((1000 * time_whole(x) / length_s, 1000 * time_split(x, RATE // 100) / length_s))
    print(f"{length_s:7g} s, whole             not at hand   {rows[-1][0]:8.2f}")
    print(f"{length_s:7g} s, split in 10 ms    not at hand   {rows[-1][1]:8.2f}")
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.loglog(lengths_s, rows, "o-", label=["whole", "in chunks of 10 ms"])
ax.set(
    xlabel="Segment (s)", ylabel="Processor time (ms) for a second of sound", title="CARFAC in 10 ms frames, one thread"
)
ax.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
ax.set_xticks(lengths_s, [f"{length_s:g}" for length_s in lengths_s])
ax.minorticks_off()
ax.legend()
plt.show()
