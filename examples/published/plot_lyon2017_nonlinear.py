"""
Lyon 2017: tuning, compression, gain control, suppression
=========================================================

What the book (chapters 16 to 19) says of the cochlea, in CARFAC: transfer functions, their dependence on level, the
compression of a tone's growth, the gain control's answer to a step, and one tone's suppression by another.
"""

import matplotlib.pyplot as plt
import numpy as np

from skaud import CARFAC, datasets
from skaud.testing.conformance.carfac import (
    ADAPTATION,
    SPREAD,
    adapted_to_a_tone,
    gain_control_spread,
    peak_of,
    tuning,
)

RATE = 22050
model = CARFAC(RATE, dtype="float64").fit()
CHANNEL = int(np.abs(model.channel_frequencies_hz_ - 2000).argmin())
place_hz = model.channel_frequencies_hz_[CHANNEL]


def tone(hz, db_spl, seconds=0.3):
    return datasets.make_tone(hz, duration_s=seconds, sample_rate=RATE, db_spl=db_spl)


def rms(response, begin_s=0.2):
    return np.sqrt(np.mean(response[..., round(begin_s * RATE) :] ** 2, axis=-1))


# %%
# **Transfer functions** in the linear model, and what tones of several levels leave of the one at 2 kHz: peaks fall
# and broaden.
frequencies_hz = np.geomspace(100, 9000, 500)
gains_db = 20 * np.log10(np.abs(model.transfer_function(frequencies_hz)))
figure, (ax, levels) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
ax.semilogx(frequencies_hz, gains_db[::8].T, lw=1)
ax.set(xlabel="Frequency (kHz)", ylabel="Gain (dB)", ylim=(-60, 65), title="Every eighth channel, linear")
ax.set_xticks([100, 200, 500, 1000, 2000, 5000], ["0.1", "0.2", "0.5", "1", "2", "5"])
ax.minorticks_off()
probes_hz = np.geomspace(800, 4000, 15)
peaks = {}
for db_spl in (20, 40, 60, 80):
    clips = [clip for hz in probes_hz for clip in tone(hz, db_spl)]
    gain = [20 * np.log10(rms(bm[CHANNEL]) / rms(x.samples)) for bm, x in zip(model.simulate(clips, "bm").bm, clips)]
    peaks[db_spl] = max(gain), probes_hz[np.argmax(gain)]
    levels.semilogx(probes_hz, gain, "o-", ms=3, label=f"{db_spl} dB SPL")
levels.set_xticks([1000, 2000, 3000, 4000], ["1", "2", "3", "4"])
levels.set_xticks([], minor=True)
levels.set(xlabel="Frequency of the tone (kHz)", ylabel="Gain (dB)", title=f"Channel of {place_hz:.0f} Hz")
levels.legend()

# %%
# **Adaptation to a tone** (figure 19.9 of the book): transfer functions of the linear model before (dotted) and with
# the undamping that 2 s of a tone of 1 kHz with 84 dB SPL leave.
adapted = adapted_to_a_tone()
figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
for each, style in ((model, ":"), (adapted, "-")):
    ax.set_prop_cycle(None)
    gains_db = 20 * np.log10(np.abs(each.transfer_function(frequencies_hz)))
    ax.semilogx(frequencies_hz, gains_db[::6].T, style, lw=1.2)
ax.set(xlabel="Frequency (kHz)", ylabel="Gain (dB)", ylim=(-20, 65), title="Before and beside a tone of 1 kHz")
ax.set_xticks([100, 200, 500, 1000, 2000, 5000], ["0.1", "0.2", "0.5", "1", "2", "5"])
ax.minorticks_off()

# %%
# **Rate-level functions and compression**: growth of the basilar membrane at its own place and an octave below, and
# of the NAP.
levels_db = np.arange(0, 101, 10)
growth = {}
for hz in (place_hz, place_hz / 2):
    responses = model.simulate([clip for db in levels_db for clip in tone(hz, db)], ["bm", "nap"])
    growth[hz] = np.array(
        [(rms(bm[CHANNEL]), nap[CHANNEL, -RATE // 10 :].mean()) for bm, nap in zip(responses.bm, responses.nap)]
    )
figure, (ax, rates) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for hz, own in growth.items():
    ax.plot(levels_db, 20 * np.log10(own[:, 0]), "o-", label=f"{hz:.0f} Hz")
    rates.plot(levels_db, own[:, 1], "o-", label=f"{hz:.0f} Hz")
ax.plot([0, 60], 20 * np.log10(growth[place_hz][0, 0]) + np.array([0, 60]), "k:", label="linear")
ax.set(xlabel="Level (dB SPL)", ylabel="Basilar membrane (dB)", title=f"Channel of {place_hz:.0f} Hz")
rates.set(xlabel="Level (dB SPL)", ylabel="Mean NAP")
ax.legend()

# %%
# **Gain control**: a tone that rises by 40 dB for a quarter of a second. What the AGC leaves of the undamping falls
# fast and recovers slowly.
t = np.arange(RATE) / RATE
step = np.where((t > 0.25) & (t < 0.5), 0.1, 0.001) * np.sqrt(2) * np.sin(2 * np.pi * place_hz * t)
answer = model.simulate(step[np.newaxis], ["agc", "nap"])
figure, (ax, below) = plt.subplots(2, 1, figsize=(9, 5), sharex=True, layout="constrained")
ax.plot(t, answer.nap[0, CHANNEL], lw=0.5)
left = answer.agc[0, CHANNEL] / answer.agc[0, CHANNEL, 0]
below.plot(t, left)
ax.set(ylabel="NAP", title="A step of 40 dB, 34 to 74 to 34 dB SPL")
below.set(xlabel="Time (s)", ylabel="Undamping left")

# %%
# **Spread of the gain control** (figure 19.7 of the book): what each stage remembers of an input to channel 40 alone,
# after 0.74 s. Slower stages smooth over more channels at a time, and feed the faster ones, which add them up.
memories = gain_control_spread()
figure, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
for stage, (memory, seconds) in enumerate(zip(memories, model.agc_time_constants_s), 1):
    ax.plot(memory, ".-", label=f"stage {stage}, {1000 * seconds:g} ms")
ax.set(xlabel="Channel, base to apex", ylabel="Memory", xlim=(20, 60), title="Input of 100 to channel 40")
ax.legend()

# %%
# **Two-tone suppression**: the response at a probe's own frequency beside a louder tone at other frequencies.
suppressors_hz = np.geomspace(1000, 4000, 13)
probe = tone(place_hz, 40)[0].samples
sounds = [probe] + [probe + tone(hz, 75)[0].samples for hz in suppressors_hz]
bm = model.simulate(np.stack(sounds), "bm").bm[:, CHANNEL, -RATE // 10 :]
turn = np.exp(-2j * np.pi * place_hz * np.arange(bm.shape[-1]) / RATE) * np.hanning(bm.shape[-1])
suppression_db = 20 * np.log10(np.abs(bm @ turn)[1:] / np.abs(bm @ turn)[0])
apart = np.abs(np.log2(suppressors_hz / place_hz)) > 0.1
figure, ax = plt.subplots(figsize=(8, 3.8), layout="constrained")
ax.semilogx(suppressors_hz[apart], suppression_db[apart], "o-")
ax.axvline(place_hz, color="grey", ls=":")
ax.set_xticks([1000, 2000, 3000, 4000], ["1", "2", "3", "4"])
ax.set_xticks([], minor=True)
ax.set(
    xlabel="Frequency of the suppressor, 75 dB SPL (kHz)", ylabel="Probe, 40 dB SPL (dB)", title="Two-tone suppression"
)

# %%
# The numbers. Those of the adaptation and of the gain control's spread are in tests of google/carfac, which name
# figures 19.9 and 19.7; published numbers for the other stimuli are not at hand: the book shows the kinds of behaviour.
slope = np.diff(20 * np.log10(growth[place_hz][:, 0])) / 10
below_slope = np.diff(20 * np.log10(growth[place_hz / 2][:, 0])) / 10
before, during, after = (left[round(s * RATE) - 1] for s in (0.25, 0.5, 1.0))
falling, rising = left[round(0.25 * RATE) : round(0.5 * RATE)], left[round(0.5 * RATE) :]
fall_ms = 1000 * np.argmax(falling < (before + during) / 2) / RATE
rise_ms = 1000 * np.argmax(rising > (after + during) / 2) / RATE
print("                                                      published      found")
for channel, wanted_db in ADAPTATION["two_cap"].items():
    (hz, before_db, *_), (_, beside_db, *_) = tuning(model, channel), tuning(adapted, channel)
    name = f"peak of channel {channel}, {hz:.0f} Hz, beside the tone"
    print(f"{name:52s}  {-wanted_db:6.2f} dB      {beside_db - before_db:6.2f} dB")
for (stage, numbers), memory in zip(SPREAD.items(), memories):
    for name, wanted, own in zip(("peak, in channels", "its value", "its width"), numbers, peak_of(memory)):
        print(f"{f'spread of stage {stage}: {name}':52s}  {wanted:9.4f}      {own:9.4f}")
for db_spl, (gain, hz) in peaks.items():
    print(f"largest gain for tones of {db_spl} dB SPL                  no number      {gain:.1f} dB, at {hz:.0f} Hz")
print(f"growth at the place, 40 to 80 dB SPL, dB/dB           no number      {slope[4:8].mean():.2f}")
print(f"growth an octave below, 40 to 80 dB SPL, dB/dB        no number      {below_slope[4:8].mean():.2f}")
print(f"growth near threshold, dB/dB                          no number      {slope[0]:.2f}")
print(f"undamping left at 34, 74 and again 34 dB SPL          no number      {before:.2f}, {during:.2f}, {after:.2f}")
print(f"half of its fall, and of its recovery, after          no number      {fall_ms:.1f} ms, {rise_ms:.0f} ms")
print(f"strongest suppression by a tone of 75 dB SPL          no number      {suppression_db[apart].min():.1f} dB")
plt.show()
