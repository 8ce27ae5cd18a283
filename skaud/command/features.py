"""`skaud features`: a model's features of sound files, a row a file."""

import argparse
import ast
import glob
import importlib
import importlib.util
import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from skaud.command.errors import ALL_FINE, FAILED, UsageError
from skaud.command.interruption import Interrupted, uninterrupted
from skaud.command.terminal import say

# Name on the command line -> module and class.
MODELS = {
    "carfac": ("skaud.models.carfac", "CARFAC"),
    "osses2021": ("skaud.models.osses2021", "Osses2021"),
    "dau1997": ("skaud.models.dau1997", "Dau1997"),
    "biomimetic": ("skaud.models.biomimetic", "BiomimeticFrontend"),
}


def add_parser(subcommands: Any) -> None:
    """Add the subcommand."""
    parser = subcommands.add_parser(
        "features",
        help="compute features of sound files",
        description="Compute a model's features of sound files, a row a file. A file that cannot be read is reported "
        "and left out; the exit status is then 1. Ctrl-C keeps the rows that are done, --resume goes on from there.",
    )
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="sound file, folder of such, or pattern such as '*.wav'"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="features.parquet, .csv or .npz")
    parser.add_argument("--model", default="carfac", help=f"one of: {', '.join(MODELS)} (default: %(default)s)")
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="parameter of the model, such as --param ohc_health=0.5; repeat as needed",
    )
    parser.add_argument(
        "--sample-rate", type=float, metavar="HZ", help="rate of the model; files at other rates are resampled to it"
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="files at a time (default: one a CPU core)")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="keep the rows that the output has, compute the others")
    existing.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand; return the exit status."""
    from joblib import cpu_count

    from skaud.command.feature_file import FeatureFile

    output = _check_output(options)
    n_jobs = cpu_count() if options.jobs is None else options.jobs
    if n_jobs < 1:
        raise UsageError(f"--jobs {n_jobs} must be at least 1.")
    model = _make_model(options)
    paths = {_name(path): path for path in _find_files(options.paths)}
    if not paths:
        raise UsageError(f"no sound files in {', '.join(options.paths)}.")

    about = {"model": options.model, **model.get_params(deep=False)}
    del about["n_jobs"]
    file = FeatureFile(output, about, list(model.get_feature_names_out()), model.dtype)
    if options.resume:
        try:
            file.resume()
        except ValueError as error:
            raise UsageError(error) from error
    file.open()
    n_unreadable = 0
    try:
        n_unreadable = _compute(file, model, paths, n_jobs)
    except Interrupted as error:
        error.remedy = "go on with --resume"
        raise
    finally:
        with uninterrupted():
            file.close(list(paths))
            n_rows = sum(name in file.rows for name in paths)
            say(f"{output}: {n_rows} of {len(paths)} files, {len(file.columns)} features.")
    if n_unreadable:
        say(f"skaud features: {n_unreadable} of {len(paths)} files could not be read.")
        return FAILED
    return ALL_FINE


def _check_output(options: argparse.Namespace) -> Path:
    from skaud.command.feature_file import SUFFIXES, journal_path

    output = Path(options.output)
    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"-o {output} must end in {', '.join(SUFFIXES)}: the suffix says the format.")
    if output.suffix.lower() == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise UsageError("parquet takes pyarrow: pip install 'skaud[parquet]', or write .csv or .npz.")
    for path in (output, journal_path(output)):
        if path.exists() and not (options.resume or options.overwrite):
            raise UsageError(f"{path} exists; go on with --resume, or begin anew with --overwrite.")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"-o {output}: {error}.") from error
    return output


def _make_model(options: argparse.Namespace) -> Any:
    """Fitted model."""
    import numpy as np

    if options.model not in MODELS:
        raise UsageError(f"--model {options.model} must be one of: {', '.join(MODELS)}.")
    module, name = MODELS[options.model]
    model = getattr(importlib.import_module(module), name)()
    valid = [parameter for parameter in model.get_params(deep=False) if parameter != "n_jobs"]
    parameters: dict[str, Any] = {}
    for text in options.param:
        parameter, separator, value = text.partition("=")
        if not separator:
            raise UsageError(f"--param {text} must be name=value.")
        if parameter not in valid:
            raise UsageError(f"--param {parameter}: {name} has no such parameter, it has: {', '.join(valid)}.")
        parameters[parameter] = _value(value)
    if options.sample_rate is not None:
        if parameters.get("sample_rate", options.sample_rate) != options.sample_rate:
            raise UsageError(f"--sample-rate {options.sample_rate:g} and --param sample_rate differ; give one of them.")
        rate = options.sample_rate
        parameters["sample_rate"] = int(rate) if rate.is_integer() else rate
    if "pooling" in parameters and parameters["pooling"] is None:
        raise UsageError("--param pooling=None leaves frames, not a row a file; name statistics, such as pooling=mean.")
    try:
        return model.set_params(**parameters).fit([np.zeros(1, np.float32)])
    except (ValueError, TypeError) as error:
        raise UsageError(error) from error


def _value(text: str) -> Any:
    """Python literal, or else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _find_files(paths: Sequence[str]) -> Iterator[str]:
    """Files named, below folders and matched by patterns; a name that leads nowhere as it is."""
    from skaud.datasets import _SOUND_SUFFIXES

    for path in paths:
        for match in [path] if os.path.lexists(path) else sorted(glob.glob(path, recursive=True)) or [path]:
            if not os.path.isdir(match):
                yield match
                continue
            for folder, subfolders, names in os.walk(match):
                subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
                for name in sorted(names):
                    if name.lower().endswith(_SOUND_SUFFIXES) and not name.startswith("."):
                        yield os.path.join(folder, name)


def _name(path: str) -> str:
    """What the output calls a file: one name a path, and text even where the path's bytes are none."""
    return os.path.normpath(path).encode("utf-8", "backslashreplace").decode()


def _compute(file: Any, model: Any, paths: dict[str, str], n_jobs: int) -> int:
    """Add the rows that are missing, in the order of the paths by name; return how many files could not be read."""
    from tqdm import tqdm

    from skaud import audio

    def row(path: str) -> Any:
        clip, rate = audio.read(path, mono=True)
        return model.transform([clip], sample_rate=rate)[0]

    n_unreadable = 0
    executor = ThreadPoolExecutor(n_jobs)
    running: deque[tuple[str, Future]] = deque()
    to_do = [name for name in paths if name not in file.rows]
    waiting = iter(to_do)
    bar = tqdm(
        total=len(paths), initial=len(paths) - len(to_do), unit="file", disable=None, file=sys.stderr, leave=False
    )
    try:
        while True:
            # A few more than there are threads, so that none of them waits for a slow file that is next in order.
            while len(running) < 4 * n_jobs and (name := next(waiting, None)) is not None:
                running.append((name, executor.submit(row, paths[name])))
            if not running:
                return n_unreadable
            name, future = running.popleft()
            try:
                features = future.result()
            except Exception as error:  # whatever is wrong with one file, the others go on
                n_unreadable += 1
                say(f"{name} left out: {error}")
            else:
                file.add(name, features)
            bar.update()
    finally:
        executor.shutdown(cancel_futures=True)
        bar.close()
