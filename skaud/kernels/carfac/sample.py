"""One sample of one row of CARFAC on the CPU: channels side by side in SIMD lanes.

The ripple down the cascade is affine in its input, s -> g s + g h z2: `resonate` composes it inside all lanes at once,
group after group, `enter` takes it from lane to lane, `leave` applies it. The loops over lanes keep more than a handful
of operations, since LLVM unrolls shorter ones before it tries to vectorise. Their indices are k * GROUP + l + GROUP: it
does not see that (k + 1) * GROUP + l is not negative.
"""

from collections.abc import Callable
from functools import cache

from skaud.kernels._compile import loop
from skaud.kernels.carfac import layout as at
from skaud.kernels.carfac.hair_cells import OUTPUT, TWO_CAP_WITH_SYN, fibers_output
from skaud.kernels.carfac.layout import GROUP, LANES, N_CLASSES
from skaud.kernels.carfac.steps import stage_step
from skaud.kernels.one_pole import ZERO


def resonate_for(delay):
    @loop
    def resonate(lines, row, n_groups, elapsed, c):
        """Step every resonator, and compose each lane's channels into one affine map of the lane's input.

        The input of a stage reaches its z1 here, one sample later, when it has been known for long. With delay it is
        the output of the stage before one sample ago, and reaches z1 at once.
        """
        for k in range(n_groups):
            for l in range(LANES):
                basal, i = k * GROUP + l, k * GROUP + l + GROUP
                z2, s = lines[row, i + at.Z2], lines[row, basal + at.OUT]
                if delay:
                    s_before, slope, intercept = ZERO, ZERO, s
                else:
                    s_before, slope, intercept = s, lines[row, basal + at.SLOPE], lines[row, basal + at.INTERCEPT]
                z1, z2_next, slope, intercept = stage_step(
                    s_before,
                    lines[row, i + at.Z1],
                    z2,
                    lines[row, i + at.ZA],
                    slope,
                    intercept,
                    lines[row, i + at.G],
                    lines[row, i + at.DG],
                    lines[row, i + at.ZB],
                    lines[row, i + at.DZB],
                    lines[row, i + at.R1],
                    lines[row, i + at.A0],
                    lines[row, i + at.C0],
                    lines[row, i + at.H],
                    elapsed,
                    c,
                )
                lines[row, i + at.ZA] = z2
                lines[row, i + at.Z1] = z1 + s if delay else z1
                lines[row, i + at.Z2] = z2_next
                lines[row, i + at.INTERCEPT] = intercept
                lines[row, i + at.SLOPE] = slope

    return resonate


@loop
def enter(x, lines, row, entry, n_groups):
    """Send the sample x from lane to lane; entry is what flows into each."""
    last = n_groups * GROUP
    s = x
    for l in range(LANES):
        entry[row, l] = s
        lines[row, at.OUT + l] = s
        s = lines[row, last + at.SLOPE + l] * s + lines[row, last + at.INTERCEPT + l]


@loop
def enter_delayed(x, lines, row, entry, n_groups):
    """As enter, with what the lane before gave one sample ago."""
    last = n_groups * GROUP
    for l in range(LANES - 1):
        entry[row, l + 1] = lines[row, last + at.OUT + l]
    entry[row, 0] = x
    for l in range(LANES):
        lines[row, at.OUT + l] = entry[row, l]


def leave_for(style):
    output, caps, second = OUTPUT[style], style in at.SECOND, at.SECOND.get(style, 0)

    @loop
    def leave(lines, row, entry, scratch, t, n_groups, c):
        """Outputs of all stages, and hair cells."""
        for k in range(n_groups):
            for l in range(LANES):
                i = k * GROUP + l + GROUP
                slope, intercept, ac = lines[row, i + at.SLOPE], lines[row, i + at.INTERCEPT], lines[row, i + at.AC]
                if caps:
                    out, bm, ac, cap, between, nap = output(
                        entry[row, l],
                        slope,
                        intercept,
                        ac,
                        lines[row, i + at.CAP1],
                        lines[row, i + second],
                        lines[row, i + at.NAP],
                        c,
                    )
                else:
                    out, bm, ac, nap = output(entry[row, l], slope, intercept, ac, c)
                lines[row, i + at.OUT] = out
                lines[row, i + at.BM] = bm
                lines[row, i + at.AC] = ac
                if caps:
                    lines[row, i + at.CAP1] = cap
                    lines[row, i + second] = between
                    lines[row, i + at.NAP] = nap
                scratch[0, row, t, k * LANES + l] = nap

    return leave


@loop
def release_transmitter(lines, row, scratch, t, n_groups, c):
    """Fibres of every class, driven by the receptor potential; they replace the hair cell's NAP."""
    for k in range(n_groups):
        for l in range(LANES):
            i = k * GROUP + l + GROUP
            v, nap = c.cap1_rest - lines[row, i + at.CAP1], -c.spont_sub
            for f in range(N_CLASSES):
                j = k * GROUP + l + f * LANES + GROUP  # not i + f * LANES: of that LLVM knows no sign
                nap, reservoir, release = fibers_output(
                    nap,
                    v,
                    lines[row, j + at.RESERVOIR],
                    lines[row, j + at.RELEASE],
                    lines[row, j + at.N_FIBERS],
                    lines[row, j + at.V_HALF],
                    lines[row, j + at.A1],
                    lines[row, j + at.A2],
                    lines[row, j + at.WEIGHT],
                    c,
                )
                lines[row, j + at.RESERVOIR] = reservoir
                lines[row, j + at.RELEASE] = release
            scratch[0, row, t, k * LANES + l] = nap


@cache
def respond_for(style: int, delay: bool) -> Callable:
    """Loop over the rows of a sample for one hair cell, with delay or ripple: numba compiles what a loop may call."""
    resonate, leave, synapse = resonate_for(delay), leave_for(style), style == TWO_CAP_WITH_SYN

    @loop
    def respond(x, time, lines, elapsed, n_groups, c, scratch, t, entry):
        """Cascade and hair cells of all rows, for the sample x[:, time]; the NAP goes to scratch[0, :, t].

        Rows take turns in every phase of a sample, so that one computes while another waits for its ripple.
        """
        n_rows = x.shape[0]
        if delay:
            for row in range(n_rows):
                enter_delayed(x[row, time], lines, row, entry, n_groups)
                resonate(lines, row, n_groups, elapsed, c)
        else:
            for row in range(n_rows):
                resonate(lines, row, n_groups, elapsed, c)
            for row in range(n_rows):
                enter(x[row, time], lines, row, entry, n_groups)
        for row in range(n_rows):
            leave(lines, row, entry, scratch, t, n_groups, c)
        if synapse:
            for row in range(n_rows):
                release_transmitter(lines, row, scratch, t, n_groups, c)

    return respond
