"""
Lyon 2017: stabilized auditory images and pitchograms
=====================================================

What repeats stands still: images of a vowel and of iterated rippled noise, each with its pitch at its period, and the
pitchogram of a glide (chapter 21).
"""

import matplotlib.pyplot as plt
import numpy as np

from skaud import CARFAC, Pitchogram, Sound, StabilizedAuditoryImage, audio, datasets
from skaud.display import AuditoryImageDisplay, PitchogramDisplay

RATE = 22050
carfac = CARFAC(RATE, pooling=None, frame_length=None).fit()
images = StabilizedAuditoryImage(RATE)
pitches = Pitchogram(RATE, channel_frequencies_hz=carfac.pole_frequencies_hz_)


def picture(sound, title):
    """The last image of a sound, and its mean over channels."""
    image = images.fit_transform(carfac.transform([sound]))[0][..., -1]
    display = AuditoryImageDisplay.from_image(
        image, lags_s=images.lags_s_, frequencies_hz=carfac.channel_frequencies_hz_
    )
    display.ax_.set_title(title)
    return display, image.mean(axis=0)


def peak_s(mean, longest_s):
    """Lag from 2.5 ms on where the mean is largest."""
    lags = images.lags_s_
    searched = (lags > 0.0025) & (lags < longest_s)
    return lags[searched][mean[searched].argmax()]


# %%
# **A vowel**: columns at the period and its multiples, as the vocal folds repeat; the formants are the rows where they
# are bright, and ring within each period.
vowels = datasets.make_vowels(n_speakers=1, n_takes=1, duration_s=(0.4, 0.4), random_state=0)
which = list(vowels.target).index("aa")
heard = 1 - (images.max_lag_s + images.trigger_window_s / 2) / 0.4  # where the newest window has its middle
period_s = 1 / (vowels.f0_hz[which] * (1.1 - 0.2 * heard))  # these voices fall, from 1.1 to 0.9 of their pitch
display, mean = picture(audio.set_level(vowels.clips[which], 65), 'A vowel, "aa"')
display.mean_ax_.axvline(1000 * period_s, color="tab:red", lw=0.8, ls="--")
vowel_s = peak_s(mean, 1.5 * period_s)

# %%
# **Iterated rippled noise**: noise to which it is added 8 ms later, sixteen times. There is no pulse to see in the
# waveform; still there is a pitch, at the delay.
DELAY_S = 0.008
delay = round(DELAY_S * RATE)
noise = np.random.default_rng(0).standard_normal(RATE)
for _ in range(16):
    noise[delay:] = noise[delay:] + noise[:-delay]
rippled = audio.set_level(Sound(noise, RATE), 65)
display, mean = picture(rippled, "Iterated rippled noise, delay 8 ms")
display.mean_ax_.axvline(1000 * DELAY_S, color="tab:red", lw=0.8, ls="--")
frames = pitches.fit_transform(carfac.transform([rippled]))[0][:, 20:]
over_time = frames.mean(axis=1)
searched = (pitches.lags_s_ > 0.0025) & (pitches.lags_s_ < 0.012)
rippled_s = pitches.lags_s_[searched][over_time[searched].argmax()]

# %%
# **A glide**: twelve harmonics that rise by an octave in a second, and fall again. The brightest ridge is the pitch;
# those below it are multiples of its period.
t = np.arange(2 * RATE) / RATE
f0 = 110 * 2 ** (1 - np.abs(t - 1))
phase = 2 * np.pi * np.cumsum(f0) / RATE
glide = audio.set_level(Sound(sum(np.cos(k * phase) for k in range(1, 13)), RATE), 65)
frames = pitches.transform(carfac.transform([glide]))[0]
display = PitchogramDisplay.from_response(
    frames, lag_edges_s=pitches.lag_edges_s_, frame_rate_hz=pitches.frame_rate_hz_
)
display.ax_.set_title("An octave up and down")

# %%
# The pitch of the glide is read off between 100 and 240 Hz, and compared with what it was in the middle of the window
# that came last, 40 ms before.
searched = (1 / pitches.lags_s_ > 100) & (1 / pitches.lags_s_ < 240)
found_hz = 1 / pitches.lags_s_[searched][frames[searched].argmax(axis=0)]
times = (np.arange(frames.shape[1]) + 1) / pitches.frame_rate_hz_ - pitches.max_lag_s - pitches.trigger_window_s / 2
later = times > 0.05
apart = np.abs(np.log2(found_hz[later] / np.interp(times[later], t, f0)))
print("                                              expected      found")
print(f"period of the vowel                           {1000 * period_s:.2f} ms       {1000 * vowel_s:.2f} ms")
print(f"delay of iterated rippled noise               {1000 * DELAY_S:.2f} ms       {1000 * rippled_s:.2f} ms")
print(f"pitch of the glide, median error              0             {12 * np.median(apart):.2f} semitones")
plt.show()
