"""CARFAC's cascade and automatic gain control as scalar steps, called by every loop on every device.

The adjoint of a step stands below it. It takes the bars of what its step returns, then what the step takes; `x_bar` is
the derivative of the objective with respect to `x`. The line of the step that it reverses is quoted above each of its
own. What a channel does in a sample are four steps made of the others: `stage_step` before the ripple, a hair cell's
`..._output` after it (hair_cells.py), and in the AGC `gather_step` and `aim_step`.

Symbols are those of R. F. Lyon, Human and Machine Hearing (2017), and of CARFAC v2 (2024): z1, z2 the rotating state
of a resonator, g the gain of a stage, za the delayed z2 from which the velocity is taken, zb the undamping of the pole.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from skaud.kernels._compile import step
from skaud.kernels.one_pole import ONE, TWO, smoothing_step, smoothing_step_adjoint
from skaud.kernels.pointwise import quotient


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
    taylor: tuple  # `TAYLOR` of the exponential


# Constants of which a stage's adjoint has bars, in the order in which it returns them: a plain tuple, since not every
# compiler for a GPU makes named ones.
STAGE_BARS = "velocity_scale", "v_offset"


def adder(bars: tuple[str, ...], arguments: str, target: str, places: Constants) -> Callable:
    """Function that adds a tuple of bars of such constants, its last argument, to the targets at their places."""
    # Written for the names that there are: numba has no loop over them.
    lines = [f"    {target.format(getattr(places, name))} += own[{i}]" for i, name in enumerate(bars)]
    names: dict[str, Any] = {"__name__": __name__}
    exec("\n".join([f"def add({arguments}, own):", *lines]), names)
    return names["add"]


# --- cascade ---------------------------------------------------------------------------------------------------------


@step
def ramp_step(begin, slope, elapsed):
    """Where a ramp stands that many samples after the AGC's last update."""
    return begin + slope * elapsed


@step
def ramp_step_adjoint(now_bar, elapsed):
    """Adjoint of ramp_step: bars of begin, slope."""
    # now = begin + slope * elapsed
    return now_bar, now_bar * elapsed


@step
def resonator_step(z1, z2, za, zb, r1, a0, c0, velocity_scale, v_offset):
    """Rotate and damp one resonator (Lyon 2017, fig. 16.2); returns z1 (before its input), z2."""
    v = (z2 - za) * velocity_scale + v_offset
    r = r1 + quotient(zb, ONE + v * v)
    return r * (a0 * z1 - c0 * z2), r * (c0 * z1 + a0 * z2)


@step
def resonator_step_adjoint(z1_next_bar, z2_next_bar, z1, z2, za, zb, r1, a0, c0, velocity_scale, v_offset):
    """Adjoint of resonator_step, but for a0 and c0: bars of z1, z2, za, zb, r1, and of the constants."""
    v = (z2 - za) * velocity_scale + v_offset
    nlf = quotient(ONE, ONE + v * v)
    r = r1 + zb * nlf
    # z1_next, z2_next = r * (a0 * z1 - c0 * z2), r * (c0 * z1 + a0 * z2)
    r_bar = z1_next_bar * (a0 * z1 - c0 * z2) + z2_next_bar * (c0 * z1 + a0 * z2)
    z1_bar = r * (a0 * z1_next_bar + c0 * z2_next_bar)
    z2_bar = r * (a0 * z2_next_bar - c0 * z1_next_bar)
    # r = r1 + quotient(zb, ONE + v * v)
    zb_bar = r_bar * nlf
    v_bar = -TWO * v * zb * nlf * zb_bar
    # v = (z2 - za) * velocity_scale + v_offset
    velocity_bar = v_bar * velocity_scale
    constants_bar = (v_bar * (z2 - za), v_bar)  # in the order of STAGE_BARS
    return z1_bar, z2_bar + velocity_bar, -velocity_bar, zb_bar, r_bar, constants_bar


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
def stage_step(s_before, z1, z2, za, slope, intercept, g, dg, zb, dzb, r1, a0, c0, h, elapsed, c):
    """A channel before the ripple: its resonator, and its output as slope * x + intercept of some x.

    slope and intercept come in as those of the stage's input. s_before is what the input was a sample ago, where z1
    does not hold it yet. Returns z1 (before its input), z2, slope and intercept.
    """
    g_now = ramp_step(g, dg, elapsed)
    zb_now = ramp_step(zb, dzb, elapsed)
    z1, z2 = resonator_step(z1 + s_before, z2, za, zb_now, r1, a0, c0, c.velocity_scale, c.v_offset)
    return z1, z2, g_now * slope, stage_output(intercept, z2, g_now, h)


@step
def stage_step_adjoint(
    z1_next_bar, z2_next_bar, out_bar, s, z1, z2, z2_next, za, g, dg, zb, dzb, r1, a0, c0, h, elapsed, c
):
    """Adjoint of stage_step with the stage's output for slope and intercept, its input s, and z1 + s_before for z1.

    Bars of z1, z2, za, g, dg, zb, dzb, r1, and of the constants; `ripple_step_adjoint` has that of s.
    """
    g_now = ramp_step(g, dg, elapsed)
    zb_now = ramp_step(zb, dzb, elapsed)
    # out = stage_output(s, z2_next, g_now, h)
    _, from_out_bar, g_now_bar = stage_output_adjoint(out_bar, s, z2_next, g_now, h)
    # z1_next, z2_next = resonator_step(z1, z2, za, zb_now, r1, a0, c0, c.velocity_scale, c.v_offset)
    z1_bar, z2_bar, za_bar, zb_now_bar, r1_bar, constants_bar = resonator_step_adjoint(
        z1_next_bar, from_out_bar + z2_next_bar, z1, z2, za, zb_now, r1, a0, c0, c.velocity_scale, c.v_offset
    )
    # g_now, zb_now = ramp_step(g, dg, elapsed), ramp_step(zb, dzb, elapsed)
    g_bar, dg_bar = ramp_step_adjoint(g_now_bar, elapsed)
    zb_bar, dzb_bar = ramp_step_adjoint(zb_now_bar, elapsed)
    return z1_bar, z2_bar, za_bar, g_bar, dg_bar, zb_bar, dzb_bar, r1_bar, constants_bar


@step
def ripple_step_adjoint(out_bar, slope_bar, intercept_bar, z1_bar, g, dg, elapsed):
    """The ripple backwards, from the apex: out_bar + x_bar is the bar of this stage's output, by what x_bar is later.

    slope_bar and intercept_bar come in as those of the stage after this one: what reaches this one from there is
    slope_bar * x_bar + intercept_bar. Returns the bar of the output but for slope_bar, and the two of this stage.
    """
    g_now = ramp_step(g, dg, elapsed)
    # out = g_now * (s + h * z2), and s enters z1
    return out_bar + intercept_bar, g_now * slope_bar, g_now * intercept_bar + (g_now * out_bar + z1_bar)


# --- automatic gain control ------------------------------------------------------------------------------------------


@step
def gather_step(memory, gathered, deeper, epsilon, scale, feedback):
    """A channel of one AGC stage in time: what it gathered, and the memory of the deeper one, smoothed."""
    return smoothing_step(memory, gathered * scale + feedback * deeper, epsilon)


@step
def gather_step_adjoint(next_bar, memory, gathered, deeper, epsilon, scale, feedback):
    """Adjoint of gather_step: bars of memory, gathered, deeper, epsilon, scale, feedback."""
    # next = smoothing_step(memory, gathered * scale + feedback * deeper, epsilon)
    x = gathered * scale + feedback * deeper
    memory_bar, x_bar, epsilon_bar = smoothing_step_adjoint(next_bar, memory, x, epsilon)
    return memory_bar, x_bar * scale, x_bar * feedback, epsilon_bar, x_bar * gathered, x_bar * deeper


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
    return quotient(goal - now, decimation)


@step
def slope_step_adjoint(slope_bar, decimation):
    """Adjoint of slope_step: bars of now, goal."""
    # slope = quotient(goal - now, decimation)
    goal_bar = quotient(slope_bar, decimation)
    return -goal_bar, goal_bar


@step
def aim_step(memory, health, zr, ga, gb, gc, g, dg, zb, dzb, decimation):
    """A channel at the AGC's update: g and zb where their ramps have led, and the slopes to what the AGC asks for."""
    u = relative_undamping(memory, health)
    g_now = ramp_step(g, dg, decimation)
    zb_now = ramp_step(zb, dzb, decimation)
    g_slope = slope_step(g_now, stage_gain(u, ga, gb, gc), decimation)
    return g_now, g_slope, zb_now, slope_step(zb_now, zr * u, decimation)


@step
def aim_step_adjoint(g_next_bar, dg_next_bar, zb_next_bar, dzb_next_bar, memory, health, zr, ga, gb, gc, decimation):
    """Adjoint of aim_step: bars of memory, health, zr, ga, gb, gc, g, dg, zb, dzb."""
    u = relative_undamping(memory, health)
    # dzb_next = slope_step(zb_now, zr * u, decimation)
    zb_now_bar, zb_goal_bar = slope_step_adjoint(dzb_next_bar, decimation)
    # dg_next = slope_step(g_now, stage_gain(u, ga, gb, gc), decimation)
    g_now_bar, g_goal_bar = slope_step_adjoint(dg_next_bar, decimation)
    # zb_now = ramp_step(zb, dzb, decimation)
    zb_bar, dzb_bar = ramp_step_adjoint(zb_now_bar + zb_next_bar, decimation)
    # g_now = ramp_step(g, dg, decimation)
    g_bar, dg_bar = ramp_step_adjoint(g_now_bar + g_next_bar, decimation)
    # g_goal = stage_gain(u, ga, gb, gc)
    u_bar, ga_bar, gb_bar, gc_bar = stage_gain_adjoint(g_goal_bar, u, ga, gb, gc)
    # u = relative_undamping(memory, health)
    memory_bar, health_bar = relative_undamping_adjoint(u_bar + zb_goal_bar * zr, memory, health)
    return memory_bar, health_bar, zb_goal_bar * u, ga_bar, gb_bar, gc_bar, g_bar, dg_bar, zb_bar, dzb_bar
