"""Gammatone filterbank: four equal complex one-pole sections a channel, channels side by side."""

from skaud.kernels._compile import loop, step
from skaud.kernels.one_pole import TINY, TWO, ZERO, complex_one_pole_step, complex_one_pole_step_adjoint
from skaud.kernels.osses_layout import (
    GROUP,
    IM1,
    IM2,
    IM3,
    IM4,
    LANES,
    RE1,
    RE2,
    RE3,
    RE4,
    SECTION_B,
    SECTIONS,
    STEP_IM,
    STEP_RE,
    TAPED_SECTIONS,
)


@step
def gammatone_step(x, re1, im1, re2, im2, re3, im3, re4, im4, step_re, step_im, b):
    """One sample of one channel; returns the states of the sections, the output is 2 Re of the last."""
    re1, im1 = complex_one_pole_step(re1, im1, b * x, ZERO, step_re, step_im)
    re2, im2 = complex_one_pole_step(re2, im2, b * re1, b * im1, step_re, step_im)
    re3, im3 = complex_one_pole_step(re3, im3, b * re2, b * im2, step_re, step_im)
    re4, im4 = complex_one_pole_step(re4, im4, b * re3, b * im3, step_re, step_im)
    return re1, im1, re2, im2, re3, im3, re4, im4


@step
def gammatone_step_adjoint(
    re1_next_bar, im1_next_bar, re2_next_bar, im2_next_bar, re3_next_bar, im3_next_bar, re4_next_bar, im4_next_bar,
    x, re1, im1, re2, im2, re3, im3, re4, im4,
    re1_next, im1_next, re2_next, im2_next, re3_next, im3_next,
    step_re, step_im, b,
):  # fmt: skip
    """Adjoint of gammatone_step, which returns re1_next and so on: bars of states, x, step_re, step_im, b."""
    # re4_next, im4_next = complex_one_pole_step(re4, im4, b * re3_next, b * im3_next, step_re, step_im)
    re4_bar, im4_bar, re_bar_4, im_bar_4 = complex_one_pole_step_adjoint(
        re4_next_bar, im4_next_bar, re4, im4, step_re, step_im
    )
    re3_next_bar, im3_next_bar = re3_next_bar + b * re4_next_bar, im3_next_bar + b * im4_next_bar
    b_bar_4 = re3_next * re4_next_bar + im3_next * im4_next_bar
    # re3_next, im3_next = complex_one_pole_step(re3, im3, b * re2_next, b * im2_next, step_re, step_im)
    re3_bar, im3_bar, re_bar_3, im_bar_3 = complex_one_pole_step_adjoint(
        re3_next_bar, im3_next_bar, re3, im3, step_re, step_im
    )
    re2_next_bar, im2_next_bar = re2_next_bar + b * re3_next_bar, im2_next_bar + b * im3_next_bar
    b_bar_3 = re2_next * re3_next_bar + im2_next * im3_next_bar
    # re2_next, im2_next = complex_one_pole_step(re2, im2, b * re1_next, b * im1_next, step_re, step_im)
    re2_bar, im2_bar, re_bar_2, im_bar_2 = complex_one_pole_step_adjoint(
        re2_next_bar, im2_next_bar, re2, im2, step_re, step_im
    )
    re1_next_bar, im1_next_bar = re1_next_bar + b * re2_next_bar, im1_next_bar + b * im2_next_bar
    b_bar_2 = re1_next * re2_next_bar + im1_next * im2_next_bar
    # re1_next, im1_next = complex_one_pole_step(re1, im1, b * x, ZERO, step_re, step_im)
    re1_bar, im1_bar, re_bar_1, im_bar_1 = complex_one_pole_step_adjoint(
        re1_next_bar, im1_next_bar, re1, im1, step_re, step_im
    )
    states_bar = re1_bar, im1_bar, re2_bar, im2_bar, re3_bar, im3_bar, re4_bar, im4_bar
    step_re_bar, step_im_bar = re_bar_1 + re_bar_2 + re_bar_3 + re_bar_4, im_bar_1 + im_bar_2 + im_bar_3 + im_bar_4
    return *states_bar, b * re1_next_bar, step_re_bar, step_im_bar, x * re1_next_bar + b_bar_2 + b_bar_3 + b_bar_4


@loop
def filter_gammatone(x, row, begin, end, lines, block, n_groups, tape, slot):
    """Samples begin to end of x (n_rows, n_samples) through all channels, into block; tape (or None) from slot on."""
    for t in range(end - begin):
        s = x[row, begin + t] + TINY
        for k in range(n_groups):
            for l in range(LANES):
                i = k * GROUP + l
                re1, im1, re2, im2, re3, im3, re4, im4 = gammatone_step(
                    s,
                    lines[row, i + RE1],
                    lines[row, i + IM1],
                    lines[row, i + RE2],
                    lines[row, i + IM2],
                    lines[row, i + RE3],
                    lines[row, i + IM3],
                    lines[row, i + RE4],
                    lines[row, i + IM4],
                    lines[row, i + STEP_RE],
                    lines[row, i + STEP_IM],
                    lines[row, i + SECTION_B],
                )
                lines[row, i + RE1] = re1
                lines[row, i + IM1] = im1
                lines[row, i + RE2] = re2
                lines[row, i + IM2] = im2
                lines[row, i + RE3] = re3
                lines[row, i + IM3] = im3
                lines[row, i + RE4] = re4
                lines[row, i + IM4] = im4
                block[(t * n_groups + k) * LANES + l] = TWO * re4
        if tape is not None:
            for k in range(n_groups):
                states = lines[row, k * GROUP + SECTIONS :][:TAPED_SECTIONS]
                taped = tape.sections[((slot + t + 1) * n_groups + k) * TAPED_SECTIONS :][:TAPED_SECTIONS]
                for i in range(TAPED_SECTIONS):
                    taped[i] = states[i]
