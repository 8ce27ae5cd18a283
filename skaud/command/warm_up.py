"""`skaud warm-up`: compile ahead what a container or a cluster needs, in parallel."""

import argparse
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

from skaud.command.compiling import compilation_said
from skaud.command.errors import ALL_FINE, FAILED, UsageError
from skaud.command.terminal import say

DTYPES = ("float32", "float64")


def _transform(model: Any, x: Any) -> None:
    model.transform(x)


def _simulate(model: Any, x: Any) -> None:
    model.simulate(x)


def _differentiate(model: Any, x: Any, **names: Any) -> None:
    value, pullback = model.vjp(x, **names)
    pullback(value)


def _differentiate_health(model: Any, x: Any) -> None:
    _differentiate(model, x, wrt=("X", "ohc_health"))


# Class, and calls that compile each a kernel of its own: a process compiles one at a time. The stages of Osses2021, and
# Dau1997, run on its kernels; the biomimetic models have none that are compiled.
JOBS: dict[str, tuple[str, tuple[Callable, ...]]] = {
    "carfac": ("CARFAC", (_differentiate, _differentiate_health, _transform, _simulate)),
    "osses2021": ("Osses2021", (_differentiate, _transform, _simulate)),
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
        "--dtypes", nargs="+", default=["float32"], metavar="DTYPE", help="float32, float64 (default: float32)"
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="processes at a time (default: one a processor)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand; return the exit status."""
    for name, given, valid in (("models", options.models, tuple(JOBS)), ("dtypes", options.dtypes, DTYPES)):
        for word in given:
            if word not in valid:
                raise UsageError(f"--{name} {word} must be one of: {', '.join(valid)}.")
    n_processes = (os.cpu_count() or 1) if options.jobs is None else options.jobs
    if n_processes < 1:
        raise UsageError(f"--jobs {n_processes} must be at least 1.")
    n_failed = 0
    # Not forked, which copies the locks of threads that do not run on.
    with ProcessPoolExecutor(n_processes, multiprocessing.get_context("spawn")) as executor:
        running: dict[str, Future] = {
            f"{name} {dtype} {call.__name__.strip('_')}": executor.submit(compile_for, name, call, dtype)
            for name in dict.fromkeys(options.models)
            for dtype in dict.fromkeys(options.dtypes)
            for call in JOBS[name][1]
        }
        for job, future in running.items():
            if error := future.exception():
                n_failed += 1
                say(f"skaud warm-up: {job} failed: {error}")
    say(f"skaud warm-up: {len(running) - n_failed} of {len(running)} calls compiled.")
    return FAILED if n_failed else ALL_FINE


def compile_for(name: str, call: Callable, dtype: str) -> None:
    """Compile what one call of one model needs."""
    import numpy as np

    import skaud

    x = np.zeros((1, 512), dtype)
    with compilation_said():
        call(getattr(skaud, JOBS[name][0])(dtype=dtype).fit(x), x)
