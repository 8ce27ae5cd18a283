"""
Dau et al. 1997: detection of modulation, and of a tone in noise
================================================================

Thresholds of sinusoidal amplitude modulation as a function of its rate, for noise of 3, 31 and 314 Hz bandwidth at
5 kHz (figures 3 to 5 of Dau, Kollmeier & Kohlrausch 1997, J. Acoust. Soc. Am. 102:2892) and for a tone of 5 kHz
(Kohlrausch, Fassel & Dau 2000, J. Acoust. Soc. Am. 108:723), and the threshold of a tone in noise, all by
`TemplateObserver` with `Dau1997` in one channel.

Two thresholds of modulated noise, and those with tones, are measured while this page is built; the others, four tracks
each, were measured before, in two minutes of one thread, and stand in `dau1997_thresholds.csv` beside this script,
written by::

    python examples/published/plot_dau1997_detection.py --all

`--settings` measures in the same way what some of them depend on, for the page on observers.

The abstract of the paper says that thresholds have a low-pass characteristic where the rate is below half the bandwidth
of the carrier, and a high-pass characteristic above; that of 2000, that with tones as carriers they are flat up to 100
to 130 Hz. This is what the thresholds here are held against: the figures have points and no numbers, and none were at
hand. Beside them stand thresholds that another program found for the same carriers: medians that A. Osses noted in
2015 in a public report (github.com/aosses-tue/mb, Reports/r20151016_update_dau1997_jepsen2008.m), with a low-pass of
150 Hz before the modulation filters, and templates of -6 dB (3 Hz wide) and -1 dB (31 Hz wide).
Templates here are of full modulation; a fainter one gives lower thresholds, most where the carrier is narrow, as the
page on observers shows, and then those of the other program.
"""

import argparse
import csv
import datetime
import platform
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skaud import Dau1997, TemplateObserver, datasets
from skaud.display import TrackDisplay
from skaud.psychoacoustics import adaptive_track, calibrated_noise_variance, make_trials

RATE = 22050
RATES_HZ = (3, 5, 10, 20, 50, 100, 150)
BANDWIDTHS_HZ = (3, 31, 314)
OTHER_RATES_HZ = (3, 5, 10, 20, 50, 100, 120)
OTHER = {  # bandwidth in Hz -> thresholds in dB of the other program
    3: [-11.5, -20.25, -30.0, -28.5, -27.5, -27.75, -26.25],
    31: [-5.5, -9.5, -13.75, -12.75, -19.25, -18.0, -19.25],
}
HERE = Path(__file__).parent if "__file__" in globals() else Path()  # the gallery runs it in its folder
parser = argparse.ArgumentParser(description="Measure thresholds of modulation and of a tone in noise.")
parser.add_argument("--all", action="store_true", help="measure all thresholds of modulation, in minutes")
parser.add_argument("--settings", action="store_true", help="measure what thresholds depend on, in minutes")
arguments = parser.parse_args()

# %%
# The internal noise lets one channel at 1 kHz just discriminate 60 and 61 dB SPL, as in the paper.


def one_channel(hz, frame_s=0.005):
    """Model of one channel, in frames of 5 ms."""
    return Dau1997(RATE, low_hz=hz, high_hz=hz, pooling=None, frame_length=frame_s)


variance = calibrated_noise_variance(one_channel(1000))


def find_threshold(center_hz, make_trial, audible, start, n_trials=50, noise=1, frame_s=0.005, **limits):
    """Threshold of an observer who listens to one channel, with so many times the calibrated internal noise."""
    observer = TemplateObserver(one_channel(center_hz, frame_s), internal_noise_variance=noise * variance)
    observer.fit(*make_trials(make_trial, audible, n_trials, random_state=1))
    return adaptive_track(observer, make_trial, start, random_state=2, **limits)


def find_depth(bandwidth_hz, rate_hz, template_db=0, **options):
    """Threshold of modulation in dB, 20 log m, of a carrier of 1 s with 65 dB SPL, modulated or not."""
    band_hz = 5000 - bandwidth_hz / 2, 5000 + bandwidth_hz / 2

    def make_trial(depth_db, random_state):
        depths = [10 ** (depth_db / 20), 0, 0]
        return datasets.make_am_noise(
            rate_hz, depths, 1.0, RATE, 65, random_state=random_state, band_hz=band_hz, ramp_s=0.2
        )

    return find_threshold(5000, make_trial, template_db, -2, highest=0, **options)


def keep(name, how, rows):
    """Write a table, below a line on how it was measured."""
    with (HERE / name).open("w", newline="") as file:
        file.write(f"# python examples/published/plot_dau1997_detection.py {how}; ")
        file.write(f"{datetime.date.today()}, {platform.machine()}\n")
        csv.writer(file, lineterminator="\n").writerows(rows)


if arguments.all:
    rows = [("bandwidth in Hz", "rate in Hz", "threshold in dB", "standard error in dB")]
    for bandwidth_hz in BANDWIDTHS_HZ:
        for rate_hz in RATES_HZ:
            own = find_depth(bandwidth_hz, rate_hz)
            rows.append((bandwidth_hz, rate_hz, f"{own.threshold:.2f}", f"{own.standard_error:.2f}"))
    keep("dau1997_thresholds.csv", "--all", rows)

if arguments.settings:
    settings = {
        "as in the example": {},
        "frames of 1 ms in place of 5 ms": {"frame_s": 0.001},
        "a template of 200 trials in place of 50": {"n_trials": 200},
        "4 times the variance of the internal noise": {"noise": 4},
        "a quarter of it": {"noise": 0.25},
        "a template of depth -6 dB in place of 0 dB": {"template_db": -6},
    }
    places = {f"{width} Hz wide, {rate_hz} Hz": (width, rate_hz) for width, rate_hz in ((3, 20), (31, 10), (314, 10))}
    found = {name: [find_depth(*place, **options) for place in places.values()] for name, options in settings.items()}
    rows = [(name, *(f"{own.threshold:.1f} ± {own.standard_error:.1f}" for own in row)) for name, row in found.items()]
    keep("dau1997_settings.csv", "--settings", [("", *places), *rows])

MEASURED = {bandwidth_hz: [] for bandwidth_hz in BANDWIDTHS_HZ}  # threshold in dB at each rate, and its standard error
with (HERE / "dau1997_thresholds.csv").open(newline="") as file:
    file.readline()  # how it was measured
    for row in csv.DictReader(file):
        found = float(row["threshold in dB"]), float(row["standard error in dB"])
        MEASURED[int(row["bandwidth in Hz"])].append(found)

# %%
# **A tone as carrier** is the same in every trial: the internal noise alone limits, and `predict_proba` is the
# psychometric function in closed form. Threshold is where it crosses 70.7 %.
TONE_RATES_HZ = (16, 32, 64, 100, 130, 200)
depths_db = np.arange(-36, -8, 3)


def modulated_tone(rate_hz, depth_db):
    """Tone with two sidebands, 1 s, 65 dB SPL with modulation and without."""
    side = depth_db - 20 * np.log10(2)
    tones = [5000, 5000 - rate_hz, 5000 + rate_hz], [0, side, side], [0, np.pi / 2, -np.pi / 2]
    return datasets.make_tone_complex(*tones, 1.0, RATE, 65, ramp_s=0.2)[0]


proportions = []
plain = datasets.make_tone(5000, 1.0, RATE, 65, ramp_s=0.2)[0]
for rate_hz in TONE_RATES_HZ:
    observer = TemplateObserver(one_channel(5000), internal_noise_variance=variance)
    observer.fit([[modulated_tone(rate_hz, 0), plain, plain]], [0])
    trials = [[modulated_tone(rate_hz, depth_db), plain, plain] for depth_db in depths_db]
    proportions.append(observer.predict_proba(trials)[:, 0])
tone_thresholds_db = np.array([np.interp(0.5**0.5, own, depths_db) for own in proportions])
figure, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
ax.plot(depths_db, np.transpose(proportions), "o-", label=[f"{rate_hz} Hz" for rate_hz in TONE_RATES_HZ])
ax.axhline(0.5**0.5, color="0.6", linestyle=":")
ax.axhline(1 / 3, color="0.6", linestyle=":")
ax.set(xlabel="20 log m (dB)", ylabel="Proportion correct", title="carrier a tone of 5 kHz")
ax.legend()

# %%
# **Modulation.** Slow modulation of narrow carriers is masked by the fluctuations that the carrier has by itself; fast
# modulation by the internal noise alone. The filters up to 10 Hz know the phase of the modulation, those above do not.
now = find_depth(31, 10)
with_faint_template = find_depth(3, 20, template_db=-6)
figure, axes = plt.subplots(2, 2, figsize=(9, 7.5), sharey=True, layout="constrained")
axes = axes.ravel()
for ax, (bandwidth_hz, found) in zip(axes, MEASURED.items()):
    threshold_db, error_db = np.transpose(found)
    ax.errorbar(RATES_HZ, threshold_db, error_db, fmt="o-", capsize=3, label="TemplateObserver, Dau1997")
    if bandwidth_hz in OTHER:
        ax.plot(OTHER_RATES_HZ, OTHER[bandwidth_hz], "x--", color="tab:orange", label="another program, 2015")
    ax.axvline(bandwidth_hz / 2, color="0.8", linestyle=":")
    ax.set(xscale="log", xlim=(2.5, 200), title=f"carrier {bandwidth_hz} Hz wide", xlabel="Modulation rate (Hz)")
    ax.set_xticks(RATES_HZ, RATES_HZ, fontsize=8)
    ax.minorticks_off()
axes[3].plot(TONE_RATES_HZ, tone_thresholds_db, "o-")
axes[3].axvspan(100, 130, color="0.9")
axes[3].text(98, -4, "published: flat\nup to here", ha="right")
axes[3].set(xscale="log", xlim=(2.5, 300), title="carrier a tone", xlabel="Modulation rate (Hz)")
axes[3].set_xticks([16, 32, 64, 100, 200], [16, 32, 64, 100, 200])
axes[3].minorticks_off()
axes[3].set(ylim=(-32, 0))
figure.supylabel("Threshold, 20 log m (dB)")
axes[0].legend(loc="upper right")

# %%
# One of the tracks behind the threshold for 31 Hz at a rate of 10 Hz.
TrackDisplay.from_track(now.tracks[0], level_name="20 log m (dB)")

# %%
# **A tone in noise**: 2 kHz, 300 ms, in the middle of noise from 20 to 5000 Hz with 65 dB SPL.


def make_tone_trial(level_db, random_state):
    """Three noises, the first with the tone."""
    levels = [level_db, -np.inf, -np.inf]
    return datasets.make_tone_in_noise(2000, levels, 65, (20, 5000), 0.5, 0.3, RATE, random_state=random_state)


tone = find_threshold(2000, make_tone_trial, 75, 70)
TrackDisplay.from_track(tone.tracks[0], level_name="Level of the tone (dB SPL)")

# %%
print("carrier   rate     threshold")
for bandwidth_hz, found in MEASURED.items():
    for rate_hz, (db, error_db) in zip(RATES_HZ, found):
        print(f"{bandwidth_hz:4d} Hz {rate_hz:5d} Hz    {db:6.1f} ± {error_db:.1f} dB")
print(f"  31 Hz    10 Hz    {now.threshold:6.1f} ± {now.standard_error:.1f} dB, measured now")
print()
print("carrier   rate     other program    found")
for bandwidth_hz, other in OTHER.items():
    for rate_hz, other_db in zip(OTHER_RATES_HZ, other):
        if rate_hz in RATES_HZ:
            own_db = MEASURED[bandwidth_hz][RATES_HZ.index(rate_hz)][0]
            print(f"{bandwidth_hz:4d} Hz {rate_hz:5d} Hz    {other_db:6.1f}        {own_db:6.1f} dB")
faint_db = with_faint_template.threshold
print(f"   3 Hz    20 Hz    {OTHER[3][3]:6.1f}        {faint_db:6.1f} dB, template of -6 dB here, too")
print()
slope = np.polyfit(np.log2(RATES_HZ[2:]), [db for db, _ in MEASURED[314][2:]], 1)[0]
steps = {3: (0, 3), 31: (1, 5)}
print("                                          published    found")
print(f"314 Hz wide, from 10 to 150 Hz            rises        {slope:+.1f} dB an octave")
for bandwidth_hz, (low, high) in steps.items():
    change = MEASURED[bandwidth_hz][high][0] - MEASURED[bandwidth_hz][low][0]
    rates = f"from {RATES_HZ[low]} to {RATES_HZ[high]:3d} Hz"
    print(f"{bandwidth_hz:3d} Hz wide, {rates}             falls        {change:+.1f} dB")
found = ", ".join(f"{db:.1f}" for db in tone_thresholds_db)
print(f"tone, {', '.join(map(str, TONE_RATES_HZ))} Hz        flat to 100 to 130 Hz   {found} dB")
over = tone.threshold - (65 - 10 * np.log10(5000 - 20))
print(f"tone of 2 kHz over the noise in 1 Hz      about 20 dB  {over:.1f} ± {tone.standard_error:.1f} dB")
print("(Hawkins & Stevens 1950: critical ratio)")
plt.show()
