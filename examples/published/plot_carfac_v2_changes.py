"""
CARFAC v2, sections 2.6, 2.7 and 2.9: delay, stage gain, outer hair cells
=========================================================================

Three changes of version 2: a sample of delay for every stage, so that hardware may compute all stages at once; a
parabola in place of the exact gain of a stage; and the health of the outer hair cells (Lyon et al. 2024).
"""

import matplotlib.pyplot as plt
import numpy as np

from skaud import CARFAC, datasets

RATE = 22050
linear = {"linear_car": True, "open_loop": True, "rms_one_db_spl": None, "dtype": "float64"}

# %%
# **Stage gain against undamping** (2.7): exact, and the parabola through undampings of 0, 1/2 and 1.
car = CARFAC(RATE, dtype="float64").fit().coefficients_.car
u = np.linspace(0, 1, 101)[:, np.newaxis]
radius = car.r1 + car.zr * u
common = 1 - 2 * radius * car.a0 + radius**2
exact = common / (common + car.h * radius * car.c0)
parabola = car.ga * u**2 + car.gb * u + car.gc
figure, (ax, error) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for channel in (5, 20, 40, 60):
    (line,) = ax.plot(u, exact[:, channel], label=f"{car.pole_hz[channel]:.0f} Hz")
    ax.plot(u, parabola[:, channel], "k:", lw=1)
    error.plot(u, 20 * np.log10(parabola[:, channel] / exact[:, channel]), color=line.get_color())
ax.set(xlabel="Relative undamping", ylabel="Stage gain", title="Exact, and parabola (dotted)")
ax.legend(title="pole")
error.set(xlabel="Relative undamping", ylabel="Parabola over exact (dB)")

# %%
# **Delay buffer** (2.6): impulse responses begin a sample later in every stage, and the mean of the NAP over frames
# hardly changes.
impulse = np.zeros((1, 400))
impulse[0, 0] = 1
now, later = (CARFAC(RATE, use_delay_buffer=delay, **linear).simulate(impulse, "bm").bm[0] for delay in (False, True))
onset = [np.argmax(np.abs(response) > 0, axis=1) for response in (now, later)]
vowel = datasets.make_vowels(n_speakers=1, n_takes=1, sample_rate=RATE, random_state=0).clips[:1]
frames = [CARFAC(RATE, use_delay_buffer=delay, pooling=None).fit_transform(vowel)[0] for delay in (False, True)]
change = np.abs(frames[1].mean(axis=1) - frames[0].mean(axis=1)).max() / frames[0].mean(axis=1).max()
figure, (ax, means) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
ax.plot(onset[0], label="exact cascade")
ax.plot(onset[1], label="delay buffer")
ax.set(xlabel="Channel", ylabel="First sample of the response")
ax.legend()
means.plot(frames[0].mean(axis=1), label="exact cascade")
means.plot(frames[1].mean(axis=1), "k:", label="delay buffer")
means.set(xlabel="Channel", ylabel="Mean NAP of a vowel")
means.legend()

# %%
# **Health of the outer hair cells** (2.9): transfer functions of one channel, and the gain that is lost along the
# cochlea.
frequencies_hz = np.geomspace(100, 8000, 400)
figure, (ax, along) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
healthy = CARFAC(RATE, dtype="float64").fit()
for health in (1.0, 0.75, 0.5, 0.25, 0.0):
    ear = CARFAC(RATE, ohc_health=health, dtype="float64").fit()
    ax.semilogx(frequencies_hz, 20 * np.log10(np.abs(ear.transfer_function(frequencies_hz)[40])), label=f"{health:g}")
    lost_db = healthy.characteristic_gains_db_ - ear.characteristic_gains_db_
    along.semilogx(healthy.channel_frequencies_hz_, lost_db, label=f"{health:g}")
ax.set(xlabel="Frequency (kHz)", ylabel="Gain of channel 40 (dB)", ylim=(-40, 65))
ax.legend(title="health")
along.set(xlabel="Frequency of the channel (kHz)", ylabel="Gain lost (dB)")
for each in (ax, along):
    each.set_xticks([100, 200, 500, 1000, 2000, 5000], ["0.1", "0.2", "0.5", "1", "2", "5"])
    each.minorticks_off()

# %%
# The paper gives the parabola and the delay without a number for what they change; the bound of 0.01 dB is of this
# package's tests.
worst_db = np.abs(20 * np.log10(parabola / exact)).max()
print("                                                 published       found")
print(f"parabola against exact stage gain                no number       {worst_db:.4f} dB at most")
stagger = np.unique(np.diff(onset[1] - onset[0]))
print(f"delay of a stage                                 1 sample        {', '.join(map(str, stagger))} sample")
print(f"mean NAP, change by the delay                    no number       {100 * change:.2f} % of the largest")
print(f"gain lost without outer hair cells               up to 50 dB     {lost_db.max():.1f} dB")
plt.show()
