"""CARFAC's adjoint: every step against a complex step, the whole against gradients computed elsewhere."""

import inspect
import tracemalloc

import numpy as np
import pytest

from skaud import CARFAC
from skaud.design import carfac as design
from skaud.kernels._compile import kernel
from skaud.kernels.carfac import hair_cells, steps
from skaud.kernels.carfac.layout import LANES, lane_position, make_constants, n_groups_for
from skaud.kernels.carfac.outputs import deliver, sow
from skaud.kernels.pointwise import TAYLOR

STEP = 1e-30
CELL = {
    "one_cap": ("keep1", "in1", "out1", "keep_lpf", "lpf", "lpf_gain", "lpf_rest"),
    "two_cap": ("keep1", "in1", "out1", "keep2", "in2", "out2", "keep_lpf", "lpf_gain", "lpf_rest"),
}


def constants(ihc_style):
    return make_constants(CARFAC(ihc_style=ihc_style).fit(np.ones((1, 100))).coefficients_, np.float64)


def error(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def jacobian(step, arguments, wrt, c, of_constants):
    """Derivatives (n_outputs, n_wrt) by complex steps, with respect to arguments by name, then to constants."""
    moved = [arguments | {name: arguments[name] + 1j * STEP} | ({"c": c} if c else {}) for name in wrt]
    moved += [arguments | {"c": c._replace(**{name: getattr(c, name) + 1j * STEP})} for name in of_constants]
    columns = []
    for values in moved:
        outputs = step(**values)
        columns.append([np.imag(out) / STEP for out in (outputs if isinstance(outputs, tuple) else (outputs,))])
    return np.array(columns).T


# Step, what it is differentiated with respect to, the hair cell whose constants it takes.
STEPS = [
    ("resonator_step", ("z1", "z2", "za", "zb", "r1", "velocity_scale", "v_offset"), None),
    ("stage_output", ("s", "z2", "g"), None),
    ("just_hwr_step", ("bm",), None),
    ("high_pass_step", ("out", "ac"), None),
    ("conductance", ("bm",), None),
    ("one_cap_step", ("bm", "cap", "lpf", "nap"), "one_cap"),
    ("two_cap_step", ("bm", "cap1", "cap2", "nap"), "two_cap"),
    ("synapse_step", ("v", "reservoir", "release"), "two_cap_with_syn"),
    ("fibers_output", ("v", "reservoir", "release", "n_fibers"), "two_cap_with_syn"),
    ("gather_step", ("memory", "gathered", "deeper", "epsilon", "scale", "feedback"), None),
    ("aim_step", ("memory", "health", "zr", "ga", "gb", "gc", "g", "dg", "zb", "dzb"), None),
    ("relative_undamping", ("memory", "health"), None),
    ("stage_gain", ("undamping", "ga", "gb", "gc"), None),
    ("slope_step", ("now", "goal"), None),
    ("ramp_step", ("begin", "slope"), None),
]


@pytest.mark.parametrize(("name", "wrt", "cell"), STEPS, ids=[name for name, *_ in STEPS])
@pytest.mark.parametrize("seed", range(3))
def test_a_step_and_its_adjoint_are_transposes(name, wrt, cell, seed):
    rng = np.random.default_rng(seed)
    home = steps if hasattr(steps, name) else hair_cells
    step, adjoint = getattr(home, name), getattr(home, f"{name}_adjoint")
    if cell != "two_cap_with_syn":  # quicker; else NumPy would add the compiled exponential to ONE in single precision
        step, adjoint = step.py_func, adjoint.py_func
    c = constants(cell) if cell else None
    arguments = {
        n: np.float64(rng.uniform(0.1, 0.9))
        for n in inspect.signature(getattr(step, "py_func", step)).parameters
        if n != "c"
    }
    J = jacobian(step, arguments, wrt, c, CELL.get(cell, ()))
    bars = rng.standard_normal(len(J))
    known = dict(arguments) | ({"c": c} if cell else {})
    if cell in CELL:
        known["cap_next"] = known["cap1_next"] = step(**known)[0]
    if name == "fibers_output":
        known["release_next"] = step(**known)[2]
    names = list(inspect.signature(getattr(adjoint, "py_func", adjoint)).parameters)
    found = adjoint(*bars, *(known[n] for n in names[len(bars) :]))
    if cell in CELL:
        found = [*found[:-1], *(found[-1][hair_cells.CELL_BARS.index(n)] for n in CELL[cell])]
    if name == "resonator_step":
        found = [*found[:-1], *found[-1]]
    np.testing.assert_allclose(np.ravel(found), bars @ J, rtol=1e-13, atol=1e-15)


def test_a_stage_and_its_adjoint_are_transposes():
    """With the ripple's: what its input does to its output and to its z1."""
    rng, c = np.random.default_rng(0), constants("two_cap")
    wrt = ("s", "z1", "z2", "za", "g", "dg", "zb", "dzb", "r1")
    known = {name: rng.uniform(0.1, 0.9) for name in (*wrt, "a0", "c0", "h", "elapsed")}
    bars = rng.standard_normal(3)

    def stage(s, z1, c=c, **others):
        z1, z2, _, out = steps.stage_step.py_func(0.0, z1, slope=0.0, intercept=s, c=c, **others)
        return z1 + s, z2, out

    J = jacobian(stage, known, wrt, c, ("velocity_scale", "v_offset"))
    z1_bar, *found, constants_bar = steps.stage_step_adjoint.py_func(*bars, z2_next=stage(**known)[1], c=c, **known)
    ripple = [known[name] for name in ("g", "dg", "elapsed")]
    _, _, s_bar = steps.ripple_step_adjoint.py_func(bars[2], 0.0, 0.0, bars[0], *ripple)
    np.testing.assert_allclose([s_bar, z1_bar, *found, *constants_bar], bars @ J, rtol=1e-13)


@pytest.mark.parametrize("cell", ["just_hwr", "one_cap", "two_cap"])
def test_what_follows_the_ripple_and_its_adjoint_are_transposes(cell):
    rng, c, style = np.random.default_rng(0), constants(cell), design.IHC_STYLES.index(cell)
    output, adjoint = hair_cells.OUTPUT[style].py_func, hair_cells.OUTPUT_ADJOINT[style].py_func
    states = ("ac", "cap", "second", "nap") if cell in CELL else ("ac",)
    known = {n: rng.uniform(0.1, 0.9) for n in ("entry", *states)} | {"slope": 1.0, "intercept": 0.0}
    J = jacobian(output, known, ("entry", *states), c, CELL.get(cell, ()))[1:]  # without that of the output itself
    bars, after = rng.standard_normal(len(J)), output(**known, c=c)
    known |= {"bm": after[1], "cap_next": after[3], "c": c}
    found = adjoint(*bars, *(known[n] for n in list(inspect.signature(adjoint).parameters)[len(bars) :]))
    if cell in CELL:
        found = [*found[:-1], *(found[-1][hair_cells.CELL_BARS.index(n)] for n in CELL[cell])]
    np.testing.assert_allclose(found, bars @ J, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("x", [-50.0, -3.0, -0.1, 0.1, 3.0, 20.0])
def test_the_sigmoid_and_its_slope_are_exact(x):
    found, slope = hair_cells.sigmoid(x, TAYLOR)
    assert found == pytest.approx(1 / (1 + np.exp(x)), rel=1e-6, abs=1e-12)
    derivative = hair_cells.sigmoid(x + 1j * STEP, TAYLOR)[0].imag / STEP
    assert slope == pytest.approx(derivative, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize(("x", "expected"), [(-0.5, 0), (0.5, 3), (2.5, 0)])
def test_no_derivative_passes_where_the_rectifier_is_shut_or_saturated(x, expected):
    assert hair_cells.just_hwr_step_adjoint(3.0, x) == expected


def test_the_spatial_filter_and_its_adjoint_are_transposes():
    fir, x, out_bar = np.array([0.2, 0.5, 0.3]), np.arange(1.0, 8), np.arange(7.0, 0, -1)
    out = [0, *(steps.spatial_step(*x[i - 1 : i + 2], *fir) for i in range(1, 6)), 0]
    out_bar[[0, 6]] = 0
    padded = np.pad(out_bar, 1)
    x_bar = [steps.spatial_step_adjoint(padded[i + 2], padded[i + 1], padded[i], *fir) for i in range(7)]
    assert np.dot(out, out_bar) == pytest.approx(np.dot(x, x_bar), rel=1e-14)


@kernel
def deliver_one(scratch, out, begin):
    deliver(scratch, 0, 0, out, 0, begin, scratch.shape[2])


@kernel
def sow_all(value_bar, begin, seeds):
    sow(value_bar, begin, 0, seeds, seeds.shape[3] // LANES)


@pytest.mark.parametrize("n_samples", [5, 32, 60])  # less than a square, whole squares, a square and what is left
@pytest.mark.parametrize("n_channels", [16, 27, 71])
def test_samples_reach_their_channel_and_nothing_else(n_samples, n_channels):
    position = lane_position(n_channels)
    scratch = np.random.default_rng(0).standard_normal((1, 1, n_samples, n_groups_for(n_channels) * LANES))
    out = np.full((1, 1, n_channels, n_samples + 2), np.nan)
    deliver_one(scratch, out, 1)
    np.testing.assert_array_equal(out[0, 0, :, 1:-1], scratch[0, 0, :, position])
    assert np.isnan(out[..., [0, -1]]).all()


@pytest.mark.parametrize(("begin", "n_filled"), [(0, 40), (40, 37), (80, 0)])
def test_bars_reach_their_lane_and_0_stands_where_there_is_none(begin, n_filled):
    value_bar, position = np.random.default_rng(0).standard_normal((1, 1, 71, 77)), lane_position(71)
    seeds = np.full((1, 1, 40, 5 * LANES), np.nan)
    seeds[..., np.setdiff1d(np.arange(5 * LANES), position)] = 0
    sow_all(value_bar, begin, seeds)
    np.testing.assert_array_equal(
        seeds[0, 0, :n_filled, position], value_bar[0, 0, :, begin : begin + n_filled], strict=True
    )
    assert not seeds[0, 0, n_filled:].any()
    assert not np.delete(seeds, position, axis=3).any()


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-8), ("float32", 1e-3)])
@pytest.mark.parametrize("ihc_style", ["two_cap", "one_cap"])
def test_gradients_are_those_of_the_published_program(golden, ihc_style, dtype, tolerance):
    g = {key.split("/")[1]: array for key, array in golden("carfac_gradient.npz").items() if ihc_style in key}
    x = g["x"].T
    model = CARFAC(22050, ihc_style=ihc_style, ohc_health=g["ohc_health"], rms_one_db_spl=None, dtype=dtype).fit(x)
    wrt = ("X", "ohc_health", "velocity_scale", "v_offset")
    nap, pullback = model.vjp(x, wrt=wrt, output="nap")
    grads = pullback(g["weights"].T[np.newaxis])
    assert error(nap[0].T, g["nap"]) < tolerance
    assert np.sum(g["weights"] * nap[0].T) == pytest.approx(g["loss"], rel=tolerance)
    assert error(grads["X"][0], g["grad_x"]) < tolerance
    for name in wrt[1:]:
        assert error(grads[name], g[f"grad_{name}"]) < tolerance, name


@pytest.mark.parametrize("ihc_style", design.IHC_STYLES)
def test_float32_gradients_are_those_of_float64(ihc_style):
    x = 0.1 * np.random.default_rng(0).standard_normal((2, 1500))
    grads = {}
    for dtype in ("float32", "float64"):
        model = CARFAC(ihc_style=ihc_style, dtype=dtype, pooling="mean", rms_one_db_spl=None).fit(x)
        names = ("X", *model.differentiable())
        value, pullback = model.vjp(x, wrt=names)
        grads[dtype] = pullback(np.cos(np.arange(value.size)).reshape(value.shape))
    for name in names:  # some parameters have no effect on one ear, or on this hair cell
        expected = grads["float64"][name]
        np.testing.assert_allclose(grads["float32"][name], expected, rtol=0, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("begin", [1, 100, 299])  # the seeds are sown 128 samples at a time
def test_a_response_may_begin_later_than_its_sound(begin):
    X = np.random.default_rng(1).standard_normal((3, 1, 300)) * 0.01  # three signals, of which two are reversed at once
    engine = CARFAC(8000, erb_per_step=1.0, dtype="float64").fit(X[:, 0]).engine_
    whole, whole_tape = engine.record(X, "nap", None)
    late, late_tape = engine.record(X, "nap", None, begin=begin)
    np.testing.assert_array_equal(late, whole[..., begin:])
    bars = np.random.default_rng(2).standard_normal(late.shape)
    padded = np.concatenate([np.zeros((*bars.shape[:-1], begin)), bars], axis=-1)
    found_x, found = engine.pull_back(late_tape, bars, engine.parts)
    wanted_x, wanted = engine.pull_back(whole_tape, padded, engine.parts)
    for own, other in zip((found_x, *found), (wanted_x, *wanted), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-9, atol=1e-12 * max(1, np.abs(other).max(initial=0)))


def test_memory_grows_like_the_square_root_of_the_length():
    def peak(n_samples):
        x = np.zeros((1, n_samples), np.float32)
        model = CARFAC(pooling="mean").fit(x)
        model.vjp(x[:, :500])[1](np.ones((1, model.n_channels_)))
        tracemalloc.start()
        value, pullback = model.vjp(x)
        pullback(np.ones_like(value))
        _, bytes_at_peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # Besides the samples' own derivative, a few copies of samples and frames.
        return bytes_at_peak - 4 * x.nbytes

    assert peak(160_000) < 3 * peak(40_000)  # twice, and what does not grow


@pytest.mark.slow
def test_the_gradient_of_a_minute_fits_in_a_gigabyte():
    x = 0.1 * np.random.default_rng(0).standard_normal((1, 60 * 22050)).astype(np.float32)
    model = CARFAC(pooling="mean").fit(x)
    tracemalloc.start()
    value, pullback = model.vjp(x, wrt=("X", "ohc_health"))
    grads = pullback(np.ones_like(value))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.isfinite(grads["X"]).all()
    assert peak < 1e9
