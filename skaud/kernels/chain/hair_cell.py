"""Inner hair cell: half-wave rectification, then low-passes in a row; and a low-pass by itself."""

from skaud.kernels._compile import loop
from skaud.kernels.chain.kind import Kind, rows
from skaud.kernels.one_pole import TINY, low_pass_step, low_pass_step_adjoint
from skaud.kernels.pointwise import rectify_step, rectify_step_adjoint

B, A = rows(2)
PASS1, PASS2, PASS3, PASS4, PASS5 = rows(5)


@loop
def pass_sample(x, at, l, f, z):
    """One sample of the low-pass whose state lies at a row."""
    y, z[l + at] = low_pass_step(x, z[l + at], f[l + B], f[l + A])
    return y


@loop
def pass_sample_adjoint(y_bar, x, y, at, l, r, wanted):
    """Adjoint of pass_sample, whose output is y: bar of x."""
    f, f_bar, z_bar, _, _ = r
    # y, z = low_pass_step(x, z, b, a)
    x_bar, z_bar[l + at], b_bar, a_bar = low_pass_step_adjoint(y_bar, z_bar[l + at], x, y, f[l + B], f[l + A])
    if wanted:
        f_bar[l + B] += b_bar
        f_bar[l + A] += a_bar
    return x_bar


@loop
def low_pass_sample(x, l, f, z, taylor):
    """One sample of a single low-pass."""
    return pass_sample(x, PASS1, l, f, z)


@loop
def low_pass_sample_adjoint(y_bar, x, y, l, r, wanted):
    """Adjoint of low_pass_sample: bar of x."""
    return pass_sample_adjoint(y_bar, x, y, PASS1, l, r, wanted)


@loop
def one_pass_sample(x, l, f, z, taylor):
    """One sample, rectified and smoothed once."""
    return pass_sample(rectify_step(x) + TINY, PASS1, l, f, z)


@loop
def one_pass_sample_adjoint(y_bar, x, y, l, r, wanted):
    """Adjoint of one_pass_sample: bar of x."""
    # y = pass_sample(rectify_step(x) + TINY, ...)
    return rectify_step_adjoint(pass_sample_adjoint(y_bar, rectify_step(x) + TINY, y, PASS1, l, r, wanted), x)


@loop
def five_passes_sample(x, l, f, z, taylor):
    """One sample, rectified and smoothed five times; written out, so that it stays in registers."""
    y = pass_sample(rectify_step(x) + TINY, PASS1, l, f, z)
    y = pass_sample(y, PASS2, l, f, z)
    y = pass_sample(y, PASS3, l, f, z)
    y = pass_sample(y, PASS4, l, f, z)
    return pass_sample(y, PASS5, l, f, z)


@loop
def five_passes_sample_adjoint(y_bar, x, y, l, r, wanted):
    """Adjoint of five_passes_sample: bar of x."""
    f, _, _, u, _ = r
    b, a = f[l + B], f[l + A]
    y0 = rectify_step(x) + TINY
    y1, _ = low_pass_step(y0, u[l + PASS1], b, a)
    y2, _ = low_pass_step(y1, u[l + PASS2], b, a)
    y3, _ = low_pass_step(y2, u[l + PASS3], b, a)
    y4, _ = low_pass_step(y3, u[l + PASS4], b, a)
    # y5 = pass_sample(y4, ...), and so on down to y1
    y_bar = pass_sample_adjoint(y_bar, y4, y, PASS5, l, r, wanted)
    y_bar = pass_sample_adjoint(y_bar, y3, y4, PASS4, l, r, wanted)
    y_bar = pass_sample_adjoint(y_bar, y2, y3, PASS3, l, r, wanted)
    y_bar = pass_sample_adjoint(y_bar, y1, y2, PASS2, l, r, wanted)
    y_bar = pass_sample_adjoint(y_bar, y0, y1, PASS1, l, r, wanted)
    # y0 = rectify_step(x) + TINY
    return rectify_step_adjoint(y_bar, x)


class LowPass(Kind):
    """A low-pass of first order."""

    n_coefficients, n_states = 2, 1
    sample, sample_adjoint = staticmethod(low_pass_sample), staticmethod(low_pass_sample_adjoint)


class HairCellOfOnePass(Kind):
    """Rectifier and one low-pass."""

    n_coefficients, n_states = 2, 1
    sample, sample_adjoint = staticmethod(one_pass_sample), staticmethod(one_pass_sample_adjoint)


class HairCellOfFivePasses(Kind):
    """Rectifier and five equal low-passes."""

    n_coefficients, n_states, keeps_states = 2, 5, True
    only_for_bars = True
    sample, sample_adjoint = staticmethod(five_passes_sample), staticmethod(five_passes_sample_adjoint)


HAIR_CELLS: dict[int, type[Kind]] = {1: HairCellOfOnePass, 5: HairCellOfFivePasses}  # by the number of low-passes
