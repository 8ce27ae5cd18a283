"""Gammatone filter: four equal complex one-pole sections, each taking what the one before leaves."""

from skaud.kernels._compile import loop
from skaud.kernels.chain.kind import Kind, rows
from skaud.kernels.lanes import LANES
from skaud.kernels.one_pole import TINY, TWO, ZERO, complex_one_pole_step, complex_one_pole_step_adjoint

STEP_RE, STEP_IM, SECTION_B = rows(3)
SECTION1, SECTION2, SECTION3, SECTION4 = rows(8)[::2]  # real part, then imaginary part
AFTER = 8 * LANES  # of the states before a sample, those behind it


@loop
def section_sample(x_re, x_im, at, l, f, z):
    """One sample of the section whose state lies in the rows from `at` on."""
    b = f[l + SECTION_B]
    z[l + at], z[l + at + LANES] = complex_one_pole_step(
        z[l + at], z[l + at + LANES], b * x_re, b * x_im, f[l + STEP_RE], f[l + STEP_IM]
    )
    return z[l + at], z[l + at + LANES]


@loop
def section_sample_adjoint(re_bar, im_bar, x_re, x_im, at, l, r, wanted):
    """Adjoint of section_sample: bars of x_re, x_im."""
    f, f_bar, z_bar, u, _ = r
    re_bar, im_bar = z_bar[l + at] + re_bar, z_bar[l + at + LANES] + im_bar
    # re, im = complex_one_pole_step(re, im, b * x_re, b * x_im, step_re, step_im)
    z_bar[l + at], z_bar[l + at + LANES], step_re_bar, step_im_bar = complex_one_pole_step_adjoint(
        re_bar, im_bar, u[l + at], u[l + at + LANES], f[l + STEP_RE], f[l + STEP_IM]
    )
    if wanted:
        f_bar[l + STEP_RE] += step_re_bar
        f_bar[l + STEP_IM] += step_im_bar
        f_bar[l + SECTION_B] += x_re * re_bar + x_im * im_bar
    return f[l + SECTION_B] * re_bar, f[l + SECTION_B] * im_bar


@loop
def gammatone_sample(x, l, f, z, taylor):
    """One sample of sound; the output is 2 Re of the last section."""
    re, im = section_sample(x + TINY, ZERO, SECTION1, l, f, z)
    re, im = section_sample(re, im, SECTION2, l, f, z)
    re, im = section_sample(re, im, SECTION3, l, f, z)
    re, im = section_sample(re, im, SECTION4, l, f, z)
    return TWO * re


@loop
def gammatone_sample_adjoint(y_bar, x, y, l, r, wanted):
    """Adjoint of gammatone_sample: bar of x."""
    _, _, _, u, _ = r
    # y = TWO * re4
    # re, im = section_sample(...) of the last section, and so on to the first
    re_bar, im_bar = section_sample_adjoint(
        TWO * y_bar, ZERO, u[l + (AFTER + SECTION3)], u[l + (AFTER + SECTION3 + LANES)], SECTION4, l, r, wanted
    )
    re_bar, im_bar = section_sample_adjoint(
        re_bar, im_bar, u[l + (AFTER + SECTION2)], u[l + (AFTER + SECTION2 + LANES)], SECTION3, l, r, wanted
    )
    re_bar, im_bar = section_sample_adjoint(
        re_bar, im_bar, u[l + (AFTER + SECTION1)], u[l + (AFTER + SECTION1 + LANES)], SECTION2, l, r, wanted
    )
    re_bar, im_bar = section_sample_adjoint(re_bar, im_bar, x + TINY, ZERO, SECTION1, l, r, wanted)
    return re_bar


class Gammatone(Kind):
    """A filter a channel."""

    n_coefficients, n_states, keeps_states = 3, 8, True
    only_for_bars = True
    sample, sample_adjoint = staticmethod(gammatone_sample), staticmethod(gammatone_sample_adjoint)
