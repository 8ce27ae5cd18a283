"""CARFAC's recursion as scalar steps, called by every loop on every device; the adjoint of each stands below it.

An adjoint takes the bars of what its step returns, then what the step takes; `x_bar` is the derivative of the objective
with respect to `x`. The line of the step that it reverses is quoted above each of its own.

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
THREE = np.float32(3)
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
def half_wave_adjoint(y_bar, x):
    """Adjoint of half_wave."""
    # y = x - x if x.real <= ZERO else x
    return y_bar - y_bar if x.real <= ZERO else y_bar


@step
def resonator_step(z1, z2, za, zb, r1, a0, c0, velocity_scale, v_offset):
    """Rotate and damp one resonator (Lyon 2017, fig. 16.2); returns z1 (before its input), z2."""
    v = (z2 - za) * velocity_scale + v_offset
    r = r1 + zb / (ONE + v * v)
    return r * (a0 * z1 - c0 * z2), r * (c0 * z1 + a0 * z2)


@step
def resonator_step_adjoint(z1_next_bar, z2_next_bar, z1, z2, za, zb, r1, a0, c0, velocity_scale, v_offset):
    """Adjoint of resonator_step, but for a0 and c0: bars of z1, z2, za, zb, r1, velocity_scale, v_offset."""
    v = (z2 - za) * velocity_scale + v_offset
    nlf = ONE / (ONE + v * v)
    r = r1 + zb * nlf
    # z1_next, z2_next = r * (a0 * z1 - c0 * z2), r * (c0 * z1 + a0 * z2)
    r_bar = z1_next_bar * (a0 * z1 - c0 * z2) + z2_next_bar * (c0 * z1 + a0 * z2)
    z1_bar = r * (a0 * z1_next_bar + c0 * z2_next_bar)
    z2_bar = r * (a0 * z2_next_bar - c0 * z1_next_bar)
    # r = r1 + zb / (ONE + v * v)
    zb_bar = r_bar * nlf
    v_bar = -TWO * v * zb * nlf * zb_bar
    # v = (z2 - za) * velocity_scale + v_offset
    velocity_bar = v_bar * velocity_scale
    return z1_bar, z2_bar + velocity_bar, -velocity_bar, zb_bar, r_bar, v_bar * (z2 - za), v_bar


@step
def stage_output(s, z2, g, h):
    """Output of a stage whose input is s."""
    return g * (s + h * z2)


@step
def stage_output_adjoint(out_bar, s, z2, g, h):
    """Adjoint of stage_output, but for h: bars of s, z2, g."""
    # out = g * (s + h * z2)
    s_bar = out_bar * g
    return s_bar, s_bar * h, out_bar * (s + h * z2)


@step
def just_hwr_step(bm):
    """Hair cell that only rectifies, and saturates at 2."""
    rectified = half_wave(bm)
    return rectified if rectified.real < 2 else TWO + ZERO * rectified


@step
def just_hwr_step_adjoint(nap_bar, bm):
    """Adjoint of just_hwr_step."""
    # nap = half_wave(bm), at most 2
    return nap_bar - nap_bar if bm.real >= 2 else half_wave_adjoint(nap_bar, bm)


@step
def high_pass_step(out, ac, ac_coeff):
    """Remove DC; returns the BM output and the new DC estimate."""
    bm = out - ac
    return bm, ac + ac_coeff * bm


@step
def high_pass_step_adjoint(bm_bar, ac_next_bar, ac_coeff):
    """Adjoint of high_pass_step, but for ac_coeff: bars of out, ac."""
    # ac_next = ac + ac_coeff * bm
    out_bar = bm_bar + ac_next_bar * ac_coeff
    # bm = out - ac
    return out_bar, ac_next_bar - out_bar


@step
def conductance(bm, offset, knee):
    """Conductance of the hair cell (Lyon 2017, eq. 18.4)."""
    z = half_wave(bm + offset)
    z_squared = z * z
    z_cubed = z_squared * z
    return z_cubed / (z_cubed + z_squared + knee)


@step
def conductance_adjoint(q_bar, bm, offset, knee):
    """Adjoint of conductance, for bm."""
    z = half_wave(bm + offset)
    z_squared = z * z
    z_cubed = z_squared * z
    # q = z_cubed / (z_cubed + z_squared + knee)
    per_sum = ONE / (z_cubed + z_squared + knee)
    z_bar = q_bar * (z_squared * (z_squared + THREE * knee)) * (per_sum * per_sum)
    # z = half_wave(bm + offset)
    return half_wave_adjoint(z_bar, bm + offset)


@step
def one_cap_step(bm, cap, lpf, nap, c):
    """One sample of the hair cell of v1; returns cap, and both smoothing filters' outputs above rest."""
    y = conductance(bm, c.ihc_offset, c.ihc_knee) * cap
    cap = cap * c.keep1 + c.in1 - y * c.out1
    lpf = lpf * c.keep_lpf + (y * c.lpf_gain - c.lpf_rest)
    return cap, lpf, nap * c.keep_lpf + lpf * c.lpf


@step
def one_cap_step_adjoint(cap_next_bar, lpf_next_bar, nap_next_bar, bm, cap, lpf, nap, c):
    """Adjoint of one_cap_step.

    Bars of bm, cap, lpf, nap, and of keep1, in1, out1, keep_lpf, lpf, lpf_gain, lpf_rest.
    """
    q = conductance(bm, c.ihc_offset, c.ihc_knee)
    y = q * cap
    lpf_next = lpf * c.keep_lpf + (y * c.lpf_gain - c.lpf_rest)
    # nap_next = nap * c.keep_lpf + lpf_next * c.lpf
    filtered_bar = lpf_next_bar + nap_next_bar * c.lpf
    # lpf_next = lpf * c.keep_lpf + (y * c.lpf_gain - c.lpf_rest)
    # cap_next = cap * c.keep1 + c.in1 - y * c.out1
    y_bar = filtered_bar * c.lpf_gain - cap_next_bar * c.out1
    # y = conductance(bm, c.ihc_offset, c.ihc_knee) * cap
    bm_bar = conductance_adjoint(y_bar * cap, bm, c.ihc_offset, c.ihc_knee)
    cap_bar = cap_next_bar * c.keep1 + y_bar * q
    states_bar = bm_bar, cap_bar, filtered_bar * c.keep_lpf, nap_next_bar * c.keep_lpf
    cap_constants_bar = cap_next_bar * cap, cap_next_bar, -cap_next_bar * y
    keep_lpf_bar = filtered_bar * lpf + nap_next_bar * nap
    return *states_bar, *cap_constants_bar, keep_lpf_bar, nap_next_bar * lpf_next, filtered_bar * y, -filtered_bar


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
def two_cap_step_adjoint(cap1_next_bar, cap2_next_bar, nap_next_bar, bm, cap1, cap1_next, cap2, nap, c):
    """Adjoint of two_cap_step, whose new cap1 is cap1_next.

    Bars of bm, cap1, cap2, nap, and of keep1, in1, out1, keep2, in2, out2, keep_lpf, lpf_gain, lpf_rest.
    """
    q = conductance(bm, c.ihc_offset, c.ihc_knee)
    y = (ONE - cap1_next) * cap2
    # nap_next = nap * c.keep_lpf + (y * c.lpf_gain - c.lpf_rest)
    # cap2_next = cap2 * c.keep2 + c.in2 - y * c.out2
    y_bar = nap_next_bar * c.lpf_gain - cap2_next_bar * c.out2
    # y = (ONE - cap1_next) * cap2
    charge_bar = cap1_next_bar - y_bar * cap2
    cap2_bar = cap2_next_bar * c.keep2 + y_bar * (ONE - cap1_next)
    # cap1_next = cap1 * (c.keep1 - conductance(bm, c.ihc_offset, c.ihc_knee) * c.out1) + c.in1
    factor_bar = charge_bar * cap1
    cap1_bar = charge_bar * (c.keep1 - q * c.out1)
    bm_bar = conductance_adjoint(-factor_bar * c.out1, bm, c.ihc_offset, c.ihc_knee)
    states_bar = bm_bar, cap1_bar, cap2_bar, nap_next_bar * c.keep_lpf
    cap1_constants_bar = factor_bar, charge_bar, -factor_bar * q
    cap2_constants_bar = cap2_next_bar * cap2, cap2_next_bar, -cap2_next_bar * y
    return *states_bar, *cap1_constants_bar, *cap2_constants_bar, nap_next_bar * nap, nap_next_bar * y, -nap_next_bar


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
def synapse_step_adjoint(reservoir_next_bar, release_next_bar, v, reservoir, v_half, a1, a2, c):
    """Adjoint of synapse_step: bars of v, reservoir, release."""
    e = exponential((v_half - v) * c.syn_per_width, c.taylor)
    s = ONE / (ONE + e)
    # reservoir_next = reservoir + c.syn_res * (a1 * r - reservoir)
    # release_next = release + c.syn_lpf * (a2 * r - release)
    r_bar = reservoir_next_bar * c.syn_res * a1 + release_next_bar * c.syn_lpf * a2
    # r = (ONE - reservoir) * s
    s_bar = r_bar * (ONE - reservoir)
    reservoir_bar = reservoir_next_bar - reservoir_next_bar * c.syn_res - r_bar * s
    # s = ONE / (ONE + exponential((v_half - v) * c.syn_per_width, c.taylor))
    v_bar = s_bar * s * (s * e) * c.syn_per_width
    return v_bar, reservoir_bar, release_next_bar - release_next_bar * c.syn_lpf


@step
def agc_filter_step(memory, epsilon, x):
    """First-order smoothing of one AGC stage."""
    return memory + epsilon * (x - memory)


@step
def agc_filter_step_adjoint(memory_next_bar, memory, epsilon, x):
    """Adjoint of agc_filter_step: bars of memory, epsilon, x."""
    # memory_next = memory + epsilon * (x - memory)
    x_bar = memory_next_bar * epsilon
    return memory_next_bar - x_bar, memory_next_bar * (x - memory), x_bar


@step
def spatial_step(basal, here, apical, fir_basal, fir_here, fir_apical):
    """Smoothing over neighbouring channels."""
    return fir_basal * basal + fir_here * here + fir_apical * apical


@step
def spatial_step_adjoint(out_bar_apical, out_bar_here, out_bar_basal, fir_basal, fir_here, fir_apical):
    """Adjoint of spatial_step for one channel: it is the basal neighbour of the apical output, and so on."""
    # out = fir_basal * basal + fir_here * here + fir_apical * apical
    return fir_basal * out_bar_apical + fir_here * out_bar_here + fir_apical * out_bar_basal


@step
def ear_mix_step(memory, mean, mix):
    """Share one AGC stage between the ears."""
    return memory + mix * (mean - memory)


@step
def ear_mix_step_adjoint(memory_next_bar, memory, mean, mix):
    """Adjoint of ear_mix_step: bars of memory, mean, mix."""
    # memory_next = memory + mix * (mean - memory)
    mean_bar = memory_next_bar * mix
    return memory_next_bar - mean_bar, mean_bar, memory_next_bar * (mean - memory)


@step
def relative_undamping(memory, health):
    """How far the outer hair cells undamp, given the AGC's fastest stage."""
    return (ONE - memory) * health


@step
def relative_undamping_adjoint(undamping_bar, memory, health):
    """Adjoint of relative_undamping: bars of memory, health."""
    # undamping = (ONE - memory) * health
    return -undamping_bar * health, undamping_bar * (ONE - memory)


@step
def stage_gain(undamping, ga, gb, gc):
    """Gain that keeps a stage's gain at DC at 1."""
    return (ga * undamping + gb) * undamping + gc


@step
def stage_gain_adjoint(g_bar, undamping, ga, gb, gc):
    """Adjoint of stage_gain: bars of undamping, ga, gb, gc."""
    # g = (ga * undamping + gb) * undamping + gc
    gb_bar = g_bar * undamping
    return g_bar * (TWO * ga * undamping + gb), gb_bar * undamping, gb_bar, g_bar


@step
def slope_step(now, goal, decimation):
    """Increment a sample that leads from now to goal by the AGC's next update."""
    return (goal - now) / decimation


@step
def slope_step_adjoint(slope_bar, decimation):
    """Adjoint of slope_step: bars of now, goal."""
    # slope = (goal - now) / decimation
    goal_bar = slope_bar / decimation
    return -goal_bar, goal_bar


@step
def ramp_step(begin, slope, elapsed):
    """Where a ramp stands that many samples after the AGC's last update."""
    return begin + slope * elapsed


@step
def ramp_step_adjoint(now_bar, elapsed):
    """Adjoint of ramp_step: bars of begin, slope."""
    # now = begin + slope * elapsed
    return now_bar, now_bar * elapsed
