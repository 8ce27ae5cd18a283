"""CARFAC's recursion as scalar steps, called by every loop on every device.

Symbols are those of R. F. Lyon, Human and Machine Hearing (2017), and of CARFAC v2 (2024): z1, z2 the rotating state
of a resonator, g the gain of a stage, za the delayed z2 from which the velocity is taken, zb the undamping of the pole.
"""

from typing import NamedTuple

import numpy as np

from skaud.kernels._compile import step

JUST_HWR, ONE_CAP, TWO_CAP, TWO_CAP_WITH_SYN = range(4)

# Literals in float32 that float32 holds exactly: they do not promote float32 arithmetic, and float64 stays exact.
ZERO = np.float32(0)
ONE = np.float32(1)
TWO = np.float32(2)
SIXTY_FOURTH = np.float32(1 / 64)

TAYLOR_TERMS = 17  # 1/17! is below the rounding of float64


class Constants(NamedTuple):
    """Scalars of the recursion, in the dtype of the computation; those of other hair cells are 0."""

    velocity_scale: float
    v_offset: float
    ac_coeff: float
    ihc_offset: float
    ihc_knee: float
    keep1: float  # 1 - in1: share of its charge that a capacitor keeps
    in1: float
    out1: float
    keep2: float
    in2: float
    out2: float
    keep_lpf: float  # 1 - lpf
    lpf: float
    lpf_gain: float  # lpf times the output gain
    lpf_rest: float  # lpf times the output at rest
    cap1_rest: float
    syn_per_width: float  # 1 / v_width
    syn_res: float
    syn_lpf: float
    spont_sub: float
    taylor: tuple  # 1/n!, the highest n first


@step
def half_wave(x):
    """Half-wave rectify, also complex numbers with a small imaginary part; NaN stays NaN."""
    return x - x if x.real <= ZERO else x


@step
def resonator_step(z1, z2, za, zb, r1, a0, c0, velocity_scale, v_offset):
    """Rotate and damp one resonator (Lyon 2017, fig. 16.2); returns z1 (before its input), z2."""
    v = (z2 - za) * velocity_scale + v_offset
    r = r1 + zb / (ONE + v * v)
    return r * (a0 * z1 - c0 * z2), r * (c0 * z1 + a0 * z2)


@step
def stage_output(s, z2, g, h):
    """Output of a stage whose input is s."""
    return g * (s + h * z2)


@step
def just_hwr_step(bm):
    """Hair cell that only rectifies, and saturates at 2."""
    rectified = half_wave(bm)
    return rectified if rectified.real < 2 else TWO + ZERO * rectified


@step
def high_pass_step(out, ac, ac_coeff):
    """Remove DC; returns the BM output and the new DC estimate."""
    bm = out - ac
    return bm, ac + ac_coeff * bm


@step
def conductance(bm, offset, knee):
    """Conductance of the hair cell (Lyon 2017, eq. 18.4)."""
    z = half_wave(bm + offset)
    z_squared = z * z
    z_cubed = z_squared * z
    return z_cubed / (z_cubed + z_squared + knee)


@step
def one_cap_step(bm, cap, lpf, nap, c):
    """One sample of the hair cell of v1; returns cap, and both smoothing filters' outputs above rest."""
    y = conductance(bm, c.ihc_offset, c.ihc_knee) * cap
    cap = cap * c.keep1 + c.in1 - y * c.out1
    lpf = lpf * c.keep_lpf + (y * c.lpf_gain - c.lpf_rest)
    return cap, lpf, nap * c.keep_lpf + lpf * c.lpf


@step
def two_cap_step(bm, cap1, cap2, nap, c):
    """One sample of the hair cell of v2; returns cap1, cap2, and the smoothed output above rest, the NAP.

    The receptor potential is 1 - cap1.
    """
    cap1 = cap1 * (c.keep1 - conductance(bm, c.ihc_offset, c.ihc_knee) * c.out1) + c.in1
    y = (ONE - cap1) * cap2
    cap2 = cap2 * c.keep2 + c.in2 - y * c.out2
    return cap1, cap2, nap * c.keep_lpf + (y * c.lpf_gain - c.lpf_rest)


@step
def exponential(x, taylor):
    """Exponential of |x| < 64, real or complex, as exp(x / 64)^64; `taylor` holds 1/n!, the highest n first."""
    y = x * SIXTY_FOURTH
    # Written out: LLVM vectorises the loop around it only when it sees no loop and no table here.
    e = ((y * taylor[0] + taylor[1]) * y + taylor[2]) * y + taylor[3]
    e = (((e * y + taylor[4]) * y + taylor[5]) * y + taylor[6]) * y + taylor[7]
    e = (((e * y + taylor[8]) * y + taylor[9]) * y + taylor[10]) * y + taylor[11]
    e = (((e * y + taylor[12]) * y + taylor[13]) * y + taylor[14]) * y + taylor[15]
    e = e * y + taylor[16]
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    return e * e


@step
def synapse_step(v, reservoir, release, v_half, a1, a2, c):
    """One sample of one class of fibres; returns reservoir, release (firing probability a fibre and sample)."""
    s = ONE / (ONE + exponential((v_half - v) * c.syn_per_width, c.taylor))
    r = (ONE - reservoir) * s
    release = release + c.syn_lpf * (a2 * r - release)
    return reservoir + c.syn_res * (a1 * r - reservoir), release


@step
def agc_filter_step(memory, epsilon, x):
    """First-order smoothing of one AGC stage."""
    return memory + epsilon * (x - memory)


@step
def spatial_step(basal, here, apical, fir_basal, fir_here, fir_apical):
    """Smoothing over neighbouring channels."""
    return fir_basal * basal + fir_here * here + fir_apical * apical


@step
def ear_mix_step(memory, mean, mix):
    """Share one AGC stage between the ears."""
    return memory + mix * (mean - memory)


@step
def relative_undamping(memory, health):
    """How far the outer hair cells undamp, given the AGC's fastest stage."""
    return (ONE - memory) * health


@step
def stage_gain(undamping, ga, gb, gc):
    """Gain that keeps a stage's gain at DC at 1."""
    return (ga * undamping + gb) * undamping + gc


@step
def slope_step(now, goal, decimation):
    """Increment a sample that leads from now to goal by the AGC's next update."""
    return (goal - now) / decimation


@step
def ramp_step(begin, slope, elapsed):
    """Where a ramp stands that many samples after the AGC's last update."""
    return begin + slope * elapsed
