"""What every kind of part promises, whatever it computes: an adjoint, and states that know all of the past."""

import numpy as np
import pytest

from skaud.engines.chain import Chain
from skaud.engines.engine import STEP, respond
from skaud.kernels.chain import adaptation, gammatone, hair_cell, king2019, modulation  # noqa: F401, that define kinds
from skaud.kernels.chain.kind import Kind, Part
from skaud.kernels.lanes import LANES, SEGMENT

# All kinds in one chain, since a kernel is made for a list of them: what has a floor and the loops first, filters last.
FIRST = [adaptation.Rescale, adaptation.LimitedLoop, adaptation.Loop]
KINDS = FIRST + sorted(set(Kind.__subclasses__()) - set(FIRST), key=lambda kind: (kind.is_filter, kind.__name__))
N_CHANNELS = LANES + 3
N_TIMES = 2


def chain(dtype="float64", moved=None):
    """Every kind two times, or two filters, of which every other channel has one; the numbers of one kind may move."""
    random, parts = np.random.default_rng(0), []
    for kind in KINDS:
        coefficients = random.uniform(0.1, 0.4, (N_TIMES, N_CHANNELS, kind.n_coefficients))
        if kind is gammatone.Gammatone or kind.is_filter:  # whose poles are 1 + step
            coefficients = -coefficients
        start = random.uniform(0.5, 1.0, (N_TIMES, N_CHANNELS, kind.n_states))
        if kind is moved:
            coefficients = coefficients + 1j * STEP * random.standard_normal(coefficients.shape)
            start = start + 1j * STEP * random.standard_normal(start.shape)
        if kind is adaptation.LimitedLoop:
            coefficients[..., 2:] = -2 / coefficients[..., 1:2]  # as the limit's two numbers belong together
        n_filters = tuple(1 + c % 2 for c in range(N_CHANNELS)) if kind.is_filter else ()
        parts.append(Part(kind.__name__, kind, coefficients, start, n_filters))
    return Chain(parts, N_CHANNELS, dtype, takes_channels=True)


def sound(n_samples):
    return np.random.default_rng(1).uniform(2.0, 8.0, (2, 1, N_CHANNELS, n_samples))


@pytest.mark.parametrize("frame_samples", [None, 50])
@pytest.mark.parametrize("kind", [None, *KINDS])
def test_a_kind_has_its_adjoint(kind, frame_samples):
    random, x, output = np.random.default_rng(2), sound(3 * SEGMENT + 7), KINDS[-1].__name__
    moved = chain("complex128", kind)
    # The numbers beside those that move are drawn as without them.
    engine = Chain(
        [part._replace(coefficients=part.coefficients.real, start=part.start.real) for part in moved.links],
        N_CHANNELS,
        "float64",
        takes_channels=True,
    )
    dx = random.standard_normal(x.shape) * (kind is None)
    response, tape = engine.record(x, output, frame_samples)
    step = respond(moved, x + 1j * STEP * dx, (output,), frame_samples)[output].imag / STEP
    bar = random.standard_normal(response.shape)
    x_bar, bars = engine.pull_back(tape, bar, engine.parts)
    directions = [numbers.imag / STEP for numbers in moved.coefficients()]
    found = (x_bar * dx).sum() + sum((own * direction).sum() for own, direction in zip(bars, directions))
    assert found == pytest.approx((bar * step).sum(), rel=1e-10)
    assert found != 0 or kind is modulation.Itself  # which has no numbers


@pytest.mark.parametrize("frame_samples", [None, 10])
@pytest.mark.parametrize("output", [kind.__name__ for kind in KINDS if kind.is_filter])
def test_pieces_of_a_sound_respond_as_the_whole(output, frame_samples):
    # Of one filter alone: sums of single precision depend on the order, and on what the compiler fuses.
    x, kind = sound(200).astype("float32"), next(kind for kind in KINDS if kind.__name__ == output)
    coefficients = -np.random.default_rng(3).uniform(0.1, 0.4, (N_TIMES, N_CHANNELS, kind.n_coefficients))
    parts = [Part(output, kind, coefficients, n_filters=(N_TIMES,) * N_CHANNELS)]
    engine = Chain(parts, N_CHANNELS, "float32", takes_channels=True)
    state, pieces = engine.start(2, 1), []
    for begin, end in ((0, 1), (1, 70), (70, 70), (70, 193), (193, 200)):
        responses, state = engine.run(x[..., begin:end], state, (output,), frame_samples)
        pieces.append(responses[output])
    whole = respond(engine, x, (output,), frame_samples)[output]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=-1), whole)
