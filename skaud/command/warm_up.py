"""`skaud warm-up`: compile ahead what a container or a cluster needs, in parallel."""

import argparse
import os
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from skaud.command.errors import ALL_FINE, FAILED, UsageError
from skaud.command.interruption import postponed
from skaud.command.terminal import say

DTYPES = ("float32", "float64")


def _transform(model: Any, x: Any) -> None:
    model.transform(x)


def _simulate(model: Any, x: Any) -> None:
    model.simulate(x)


def _differentiate(model: Any, x: Any, **names: Any) -> None:
    value, pullback = model.vjp(x, **names)
    pullback(value)


def _differentiate_by_sound(model: Any, x: Any) -> None:
    _differentiate(model, x, wrt="X")


def _differentiate_health(model: Any, x: Any) -> None:
    _differentiate(model, x, wrt=("X", "ohc_health"))


def _differentiate_compressed(model: Any, x: Any) -> None:
    _differentiate(model.set_params(compression=0.5).fit(x), x)


def _learn(model: Any, x: Any) -> None:
    from skaud import Learn

    model.set_params(learn=Learn("velocity_scale", max_iter=1, tol=1e30)).fit([x[0], x[0]], [0, 1])


def _fit_audiogram(model: Any, x: Any) -> None:
    from skaud import Audiogram

    model.set_params(audiogram=Audiogram([1000.0, 2000.0], [10.0, 10.0])).fit(x)


# Class and call, which compile a kernel or more of their own: a process compiles one at a time.
_CHAIN = (_differentiate, _differentiate_by_sound)  # of stages, which every call runs by the same kernel
JOBS: dict[str, tuple[tuple[str, Callable], ...]] = {
    "carfac": tuple(
        ("CARFAC", call)
        for call in (_differentiate, _differentiate_health, _learn, _fit_audiogram, _transform, _simulate)
    ),
    "osses2021": tuple(("Osses2021", call) for call in _CHAIN),
    "dau1997": tuple(("Dau1997", call) for call in _CHAIN),
    "king2019": tuple(("King2019", call) for call in _CHAIN),
    "biomimetic": (("BiomimeticFrontend", _differentiate_compressed),),
}


def add_parser(subcommands: Any) -> None:
    """Add the subcommand."""
    parser = subcommands.add_parser(
        "warm-up",
        help="compile the kernels ahead, for a container or a cluster",
        description="Compile the kernels of models with their default parameters, in parallel processes, and keep them "
        "in the folder that the environment variable NUMBA_CACHE_DIR names, or beside the package. Later processes "
        "load them, also from a folder that they may only read.",
    )
    parser.add_argument(
        "--models", nargs="+", default=[*JOBS], metavar="MODEL", help=f"some of: {', '.join(JOBS)} (default: all)"
    )
    parser.add_argument(
        "--dtypes", nargs="+", default=["float32"], metavar="DTYPE", help="some of: float32, float64 (default: float32)"
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="processes at a time (default: one a processor)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand; return the exit status."""
    for name, given, valid in (("models", options.models, tuple(JOBS)), ("dtypes", options.dtypes, DTYPES)):
        for word in given:
            if word not in valid:
                raise UsageError(f"--{name} {word} must be one of: {', '.join(valid)}.")
    from skaud.command.processes import process_pool

    n_processes = (os.cpu_count() or 1) if options.jobs is None else options.jobs
    if n_processes < 1:
        raise UsageError(f"--jobs {n_processes} must be at least 1.")
    jobs = dict.fromkeys(job for model in options.models for job in JOBS[model])
    dtypes, n_failed = dict.fromkeys(options.dtypes), 0
    with process_pool(n_processes) as pool:
        with postponed():  # while processes are begun
            running: dict[str, Future] = {
                f"{name} {dtype} {call.__name__.strip('_')}": pool.submit(compile_for, name, call, dtype)
                for dtype in dtypes
                for name, call in jobs
            }
        for job, future in running.items():
            if error := future.exception():
                n_failed += 1
                say(f"skaud warm-up: {job} failed: {error}")
    say(f"skaud warm-up: {len(running) - n_failed} of {len(running)} calls compiled.")
    return FAILED if n_failed else ALL_FINE


def compile_for(name: str, call: Callable, dtype: str) -> None:
    """Compile what one call of one model or stage needs."""
    import numpy as np

    import skaud
    from skaud.kernels import _cache

    x = np.zeros((1, 512), dtype)
    _cache._warned = False  # a job of its own, in a process that had others
    with warnings.catch_warnings():
        # Elsewhere a cache that keeps nothing is no fault; here it is all that is wanted.
        warnings.filterwarnings("error", ".*cannot be (written|made)", RuntimeWarning)
        call(getattr(skaud, name)(dtype=dtype).fit(x), x)
