"""`skaud features`: a model's features of sound files, a row a file."""

import argparse
import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skaud.command.errors import ALL_FINE, FAILED, UsageError
from skaud.command.interruption import Interrupted, uninterrupted
from skaud.command.models import add_arguments, make_model
from skaud.command.names import path_text
from skaud.command.terminal import say

LONGEST_S = 3600.0
MOST_JOBS = 1024
EXPORTED_AT_ONCE = 1000  # rows


def add_parser(subcommands: Any) -> None:
    """Add the subcommand."""
    parser = subcommands.add_parser(
        "features",
        help="compute features of sound files",
        description="Compute a model's features of sound files, a row a file. A file that cannot be read is reported "
        "and left out; the exit status is then 1. What is done is kept in FILE.journal: after Ctrl-C, a crash or with "
        "more files, --resume goes on from there, from any folder, and computes anew what has changed.",
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="sound file; folder of such; pattern such as '*.wav'; table.csv with a column path, whose other columns "
        "are carried over, and named otherwise than features; or - for a list of paths on the standard input",
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="features.parquet, .csv or .npz")
    add_arguments(parser)
    channels = parser.add_mutually_exclusive_group()
    channels.add_argument("--ears", action="store_true", help="keep the channels of a file as ears (default: average)")
    channels.add_argument("--channel", type=int, metavar="N", help="take one channel of a file, 1 the first")
    parser.add_argument(
        "--level-db-spl",
        type=float,
        metavar="L",
        help="set every file to this level, its ears together (default: as its samples say)",
    )
    parser.add_argument(
        "--max-duration",
        type=float,
        default=LONGEST_S,
        metavar="S",
        help="leave out files that last longer, in seconds (default: %(default)g)",
    )
    parser.add_argument("--cut", action="store_true", help="take what is left of files that were cut (default: not)")
    parser.add_argument(
        "--outside", action="store_true", help="let a table name files that are not in its folder, or below"
    )
    workers = parser.add_mutually_exclusive_group()
    workers.add_argument("--jobs", type=int, metavar="N", help="files at a time (default: one a CPU core)")
    for name, example in (("dask", "tcp://10.0.0.1:8786"), ("ray", "auto")):
        workers.add_argument(
            f"--{name}",
            metavar="ADDRESS",
            help=f"let the workers of a {name.capitalize()} cluster compute, such as {example}, or local:N for N "
            "processes here; they read the files by their absolute paths",
        )
    parser.add_argument(
        "--part",
        type=int,
        metavar="N",
        help="write FILE.parquet as a folder of Parquet files of N rows each (default on a cluster: "
        f"{EXPORTED_AT_ONCE})",
    )
    parser.add_argument("--quiet", action="store_true", help="say only what went wrong")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="keep the rows that are done, compute the others")
    existing.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand; return the exit status."""
    from skaud.command.lazily import imported_lazily, uncollected

    with imported_lazily():
        with uncollected():
            output, search, work, about = _prepare(options)
        return _begin(options, output, search, work, about)


def _prepare(options: argparse.Namespace) -> tuple[Path, Any, Any, dict[str, Any]]:
    """Refuse what cannot be done, and fit the model, before anything is written."""
    from skaud.command.export import check_columns
    from skaud.command.files import Search
    from skaud.command.processes import begin_server
    from skaud.command.resuming import check_output
    from skaud.command.workers import n_processes

    output = _check_options(options)
    search = Search(options.paths, options.outside)
    if n_processes(options, list(search.files)) > 1:
        with contextlib.suppress(OSError):  # it is said when there is something to do
            begin_server()
    from skaud.command.running import prepare

    model = make_model(options)
    check_output(output, options.resume, options.overwrite, options.part is not None)
    if not search.files:
        raise UsageError(_nothing_found(options, search))
    work, about = prepare(options, model, search)
    check_columns(search.columns, about["features"])
    return output, search, work, about


def _begin(options: argparse.Namespace, output: Path, search: Any, work: Any, about: dict[str, Any]) -> int:
    from skaud.command.journal import journal_path

    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"-o {output}: {error}.") from error
    try:
        return _run(options, output, search, work, about)
    except sqlite3.Error as error:
        raise OSError(
            f"{journal_path(output)}: {error}; make room, and see that the folder can be written; --resume goes on. "
            "If it does not, remove it and use --overwrite."
        ) from error


def _run(options: argparse.Namespace, output: Path, search: Any, work: Any, about: dict[str, Any]) -> int:
    from skaud.command.journal import Journal, journal_path
    from skaud.command.resuming import begin
    from skaud.command.running import compute

    journal = Journal(journal_path(output))
    n_failed, nothing = 0, False
    try:
        begin(journal, output, about, search, options.resume, options.overwrite, options.part is not None)
        try:
            n_failed = compute(options, work, search, journal)
        except Interrupted as error:
            error.remedy = "go on with --resume"
            raise
        finally:
            with uninterrupted():
                n_rows = _export(journal, output, search, options.part)
                _sum_up(options, output, search, n_rows, journal)
                nothing = journal.is_empty() and not output.exists()
    finally:
        journal.discard() if nothing else journal.close()
    return FAILED if n_failed else ALL_FINE


def _check_options(options: argparse.Namespace) -> Path:
    from skaud.command.export import SUFFIXES, can_write_parquet

    output = Path(options.output)
    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"-o {output} must end in {', '.join(SUFFIXES)}: the suffix says the format.")
    if output.suffix.lower() == ".parquet" and not can_write_parquet():
        raise UsageError("parquet takes pyarrow: pip install 'skaud[parquet]', or write .csv or .npz.")
    if (options.dask or options.ray) and output.suffix.lower() == ".parquet" and options.part is None:
        options.part = EXPORTED_AT_ONCE
    if options.part is not None and output.suffix.lower() != ".parquet":
        raise UsageError(f"--part {options.part} is for parquet, and -o {output} is none; leave it out.")
    for name in ("dask", "ray"):
        if getattr(options, name) is not None:
            from skaud.command.workers import check_address

            check_address(name, getattr(options, name))
    for name, least in (("jobs", 1), ("channel", 1), ("part", 1)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise UsageError(f"--{name} {value} must be at least {least}.")
    if options.jobs is not None and options.jobs > MOST_JOBS:
        raise UsageError(f"--jobs {options.jobs} must be at most {MOST_JOBS}.")
    if options.level_db_spl is not None and not -100 <= options.level_db_spl <= 200:
        raise UsageError(f"--level-db-spl {options.level_db_spl} must lie between -100 and 200 dB SPL.")
    if not options.max_duration > 0:
        raise UsageError(f"--max-duration {options.max_duration} must be above 0 s.")
    return output


def _nothing_found(options: argparse.Namespace, search: Any) -> str:
    if search.missing:
        names = ", ".join(map(path_text, search.missing[:3])) + ", ..." * (len(search.missing) > 3)
        return f"there is no {names}; check the path (now in {os.getcwd()})."
    places = ("the list on the standard input" if path == "-" else path_text(path) for path in options.paths)
    text = f"no sound files in {', '.join(places)}"
    if search.unreadable:
        text += "; " + "; ".join(str(error) for _, error in search.unreadable)
    return text + (f"; {search.skipped_words()}." if search.skipped else ".")


def _export(journal: Any, output: Path, search: Any, part: int | None) -> int:
    """Write the rows of the journal, those of files that were not named first; return how many of those named."""
    from skaud.command.export import Rows, Table, export
    from skaud.command.resuming import row_path

    place = {identity: i for i, identity in enumerate(search.files)}
    done = sorted(journal.done(), key=lambda own: place.get(own[1], -1))
    if not done:
        return 0
    names = list(dict.fromkeys(name for _, _, columns in done for name in columns))

    def rows() -> Iterator[Rows]:
        at_once = part or EXPORTED_AT_ONCE
        for begin in range(0, len(done), at_once):
            own = list(journal.rows_of([number for number, _, _ in done[begin : begin + at_once]]))
            yield Rows(
                [row_path(row.name, identity, identity in place) for identity, row in own],
                {name: [row.columns.get(name, "") for _, row in own] for name in names},
                [row.features for _, row in own],
            )

    about = journal.about
    table = Table(
        about["features"], about["dtype"], names, {**about["parameters"], "fingerprint": about["fingerprint"]}
    )
    exported = journal.exported

    def announce(fresh: str) -> None:
        journal.exported = [*exported, fresh]  # killed now, the output is the old one or the new one

    export(output, table, rows(), announce, in_parts=part is not None)
    journal.exported = journal.exported[-1:]
    return sum(identity in place for _, identity, _ in done)


def _sum_up(options: argparse.Namespace, output: Path, search: Any, n_rows: int, journal: Any) -> None:
    n_features = len(journal.about["features"])
    n_files = len(search.files) + len(search.missing)
    if not n_rows and not output.exists():
        say(f"{path_text(str(output))} is not written: there is no row for it.")
    elif not options.quiet:
        say(f"{path_text(str(output))}: {n_rows} of {n_files} files, {n_features} features.")
    if search.skipped and not options.quiet:
        say(f"In folders, {search.skipped_words()}.")
