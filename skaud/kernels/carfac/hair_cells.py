"""CARFAC's inner hair cells and synapse as scalar steps; the adjoint of each stands below it, as in steps.py."""

import numpy as np

from skaud.kernels._compile import step
from skaud.kernels.one_pole import ONE, TWO, ZERO, smoothing_step, smoothing_step_adjoint
from skaud.kernels.pointwise import exponential, quotient, real_part, rectify_step, rectify_step_adjoint

JUST_HWR, ONE_CAP, TWO_CAP, TWO_CAP_WITH_SYN = range(4)
THREE = np.float32(3)


# Constants of which a hair cell's adjoint has bars, in the order in which it returns them.
CELL_BARS = "keep1", "in1", "out1", "keep2", "in2", "out2", "keep_lpf", "lpf", "lpf_gain", "lpf_rest"


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
def just_hwr_step(bm):
    """Hair cell that only rectifies, and saturates at 2."""
    rectified = rectify_step(bm)
    return rectified if real_part(rectified) < 2 else TWO + ZERO * rectified


@step
def just_hwr_step_adjoint(nap_bar, bm):
    """Adjoint of just_hwr_step."""
    # nap = rectify_step(bm), at most 2
    return nap_bar - nap_bar if real_part(bm) >= 2 else rectify_step_adjoint(nap_bar, bm)


@step
def conductance(bm, offset, knee):
    """Conductance of the hair cell (Lyon 2017, section 18.3)."""
    z = rectify_step(bm + offset)
    z_squared = z * z
    z_cubed = z_squared * z
    return quotient(z_cubed, z_cubed + z_squared + knee)


@step
def conductance_adjoint(q_bar, bm, offset, knee):
    """Adjoint of conductance, for bm."""
    z = rectify_step(bm + offset)
    z_squared = z * z
    z_cubed = z_squared * z
    # q = quotient(z_cubed, z_cubed + z_squared + knee)
    per_sum = quotient(ONE, z_cubed + z_squared + knee)
    z_bar = q_bar * (z_squared * (z_squared + THREE * knee)) * (per_sum * per_sum)
    # z = rectify_step(bm + offset)
    return rectify_step_adjoint(z_bar, bm + offset)


@step
def one_cap_step(bm, cap, lpf, nap, c):
    """One sample of the hair cell of v1; returns cap, and both smoothing filters' outputs above rest."""
    y = conductance(bm, c.ihc_offset, c.ihc_knee) * cap
    cap = cap * c.keep1 + c.in1 - y * c.out1
    lpf = lpf * c.keep_lpf + (y * c.lpf_gain - c.lpf_rest)
    return cap, lpf, nap * c.keep_lpf + lpf * c.lpf


@step
def one_cap_step_adjoint(cap_next_bar, lpf_next_bar, nap_next_bar, bm, cap, cap_next, lpf, nap, c):
    """Adjoint of one_cap_step, which does not need cap_next: bars of bm, cap, lpf, nap, and of the constants."""
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
    zero = cap_next_bar - cap_next_bar
    constants_bar = (
        cap_next_bar * cap,  # keep1
        cap_next_bar,  # in1
        -cap_next_bar * y,  # out1
        zero,  # keep2
        zero,  # in2
        zero,  # out2
        filtered_bar * lpf + nap_next_bar * nap,  # keep_lpf
        nap_next_bar * lpf_next,  # lpf
        filtered_bar * y,  # lpf_gain
        -filtered_bar,  # lpf_rest
    )
    return *states_bar, constants_bar


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
    """Adjoint of two_cap_step, whose new cap1 is cap1_next: bars of bm, cap1, cap2, nap, and of the constants."""
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
    constants_bar = (
        factor_bar,  # keep1
        charge_bar,  # in1
        -factor_bar * q,  # out1
        cap2_next_bar * cap2,  # keep2
        cap2_next_bar,  # in2
        -cap2_next_bar * y,  # out2
        nap_next_bar * nap,  # keep_lpf
        nap_next_bar - nap_next_bar,  # lpf
        nap_next_bar * y,  # lpf_gain
        -nap_next_bar,  # lpf_rest
    )
    return *states_bar, constants_bar


@step
def sigmoid(x, taylor):
    """1 / (1 + exp(x)) and its derivative; the exponential is taken of -|x|, where it is exact."""
    e = exponential(x if real_part(x) < ZERO else -x, taylor)
    per_sum = quotient(ONE, ONE + e)
    return per_sum if real_part(x) < ZERO else e * per_sum, -per_sum * (per_sum * e)


@step
def synapse_step(v, reservoir, release, v_half, a1, a2, c):
    """One sample of one class of fibres; returns reservoir, release (firing probability a fibre and sample)."""
    s, _ = sigmoid((v_half - v) * c.syn_per_width, c.taylor)
    r = (ONE - reservoir) * s
    return smoothing_step(reservoir, a1 * r, c.syn_res), smoothing_step(release, a2 * r, c.syn_lpf)


@step
def synapse_step_adjoint(reservoir_next_bar, release_next_bar, v, reservoir, v_half, a1, a2, c):
    """Adjoint of synapse_step: bars of v, reservoir, release."""
    s, slope = sigmoid((v_half - v) * c.syn_per_width, c.taylor)
    # reservoir_next = smoothing_step(reservoir, a1 * r, c.syn_res)
    kept_bar, into_bar, _ = smoothing_step_adjoint(reservoir_next_bar, ZERO, ZERO, c.syn_res)
    # release_next = smoothing_step(release, a2 * r, c.syn_lpf)
    release_bar, out_of_bar, _ = smoothing_step_adjoint(release_next_bar, ZERO, ZERO, c.syn_lpf)
    # r = (ONE - reservoir) * s
    r_bar = into_bar * a1 + out_of_bar * a2
    s_bar = r_bar * (ONE - reservoir)
    # s, _ = sigmoid((v_half - v) * c.syn_per_width, c.taylor)
    v_bar = -s_bar * slope * c.syn_per_width
    return v_bar, kept_bar - r_bar * s, release_bar


# --- what a channel does after the ripple ----------------------------------------------------------------------------


@step
def bm_output(entry, slope, intercept, ac, c):
    """The stage's output, from what entered where slope and intercept begin; returns out, bm, ac."""
    out = slope * entry + intercept
    bm, ac = high_pass_step(out, ac, c.ac_coeff)
    return out, bm, ac


@step
def just_hwr_output(entry, slope, intercept, ac, c):
    """The stage's output and a hair cell that only rectifies; returns out, bm, ac, nap."""
    out, bm, ac = bm_output(entry, slope, intercept, ac, c)
    return out, bm, ac, just_hwr_step(bm)


@step
def just_hwr_output_adjoint(bm_next_bar, ac_next_bar, nap_bar, bm, c):
    """Adjoint of just_hwr_output: bars of out, ac."""
    # nap = just_hwr_step(bm)
    bm_bar = just_hwr_step_adjoint(nap_bar, bm) + bm_next_bar
    # bm, ac_next = high_pass_step(out, ac, c.ac_coeff)
    return high_pass_step_adjoint(bm_bar, ac_next_bar, c.ac_coeff)


def caps_output_of(cell_step):
    @step
    def caps_output(entry, slope, intercept, ac, cap, second, nap, c):
        """The stage's output and a hair cell with three states; returns out, bm, ac, cap, second, nap."""
        out, bm, ac = bm_output(entry, slope, intercept, ac, c)
        cap, second, nap = cell_step(bm, cap, second, nap, c)
        return out, bm, ac, cap, second, nap

    return caps_output


def caps_output_adjoint_of(cell_step_adjoint):
    @step
    def caps_output_adjoint(
        bm_next_bar, ac_next_bar, cap_next_bar, second_next_bar, nap_next_bar, bm, cap, cap_next, second, nap, c
    ):
        """Adjoint of caps_output: bars of out, ac, cap, second, nap, and of the constants."""
        # cap_next, second_next, nap_next = cell_step(bm, cap, second, nap, c)
        bm_bar, cap_bar, second_bar, nap_bar, constants_bar = cell_step_adjoint(
            cap_next_bar, second_next_bar, nap_next_bar, bm, cap, cap_next, second, nap, c
        )
        # bm, ac_next = high_pass_step(out, ac, c.ac_coeff)
        out_bar, ac_bar = high_pass_step_adjoint(bm_bar + bm_next_bar, ac_next_bar, c.ac_coeff)
        return out_bar, ac_bar, cap_bar, second_bar, nap_bar, constants_bar

    return caps_output_adjoint


# What every hair cell does, and its adjoint.
OUTPUT = {JUST_HWR: just_hwr_output, ONE_CAP: caps_output_of(one_cap_step), TWO_CAP: caps_output_of(two_cap_step)}
OUTPUT[TWO_CAP_WITH_SYN] = OUTPUT[TWO_CAP]
OUTPUT_ADJOINT = {
    JUST_HWR: just_hwr_output_adjoint,
    ONE_CAP: caps_output_adjoint_of(one_cap_step_adjoint),
    TWO_CAP: caps_output_adjoint_of(two_cap_step_adjoint),
}
OUTPUT_ADJOINT[TWO_CAP_WITH_SYN] = OUTPUT_ADJOINT[TWO_CAP]


@step
def fibers_output(nap, v, reservoir, release, n_fibers, v_half, a1, a2, weight, c):
    """A class of fibres, driven by the receptor potential v, added to the NAP; returns nap, reservoir, release."""
    reservoir, release = synapse_step(v, reservoir, release, v_half, a1, a2, c)
    return nap + n_fibers * release * weight, reservoir, release


@step
def fibers_output_adjoint(
    nap_bar, reservoir_next_bar, release_next_bar, v, reservoir, release_next, n_fibers, v_half, a1, a2, weight, c
):
    """Adjoint of fibers_output: bars of v, reservoir, release, n_fibers; that of nap is nap_bar."""
    # nap_next = nap + n_fibers * release_next * weight
    released_bar = release_next_bar + nap_bar * n_fibers * weight
    # reservoir_next, release_next = synapse_step(v, reservoir, release, v_half, a1, a2, c)
    v_bar, reservoir_bar, release_bar = synapse_step_adjoint(
        reservoir_next_bar, released_bar, v, reservoir, v_half, a1, a2, c
    )
    return v_bar, reservoir_bar, release_bar, nap_bar * release_next * weight
