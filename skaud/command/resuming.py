"""How a run of `skaud features` begins: what an earlier one has done, and what of it still holds."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from skaud.command.errors import UsageError
from skaud.command.export import check_columns, is_of_parts, output_hash, remove_parts
from skaud.command.files import File, Search
from skaud.command.journal import Journal, journal_path
from skaud.command.names import path_text
from skaud.command.recording import is_same
from skaud.command.terminal import say

_SHOWN = 200  # characters of a parameter in a message


def check_output(output: Path, resume: bool, overwrite: bool, in_parts: bool) -> None:
    """Refuse what would cost the user something, before anything is written."""
    for path in (output, journal_path(output)):
        if path.is_symlink():
            raise UsageError(f"{path} is a link; name the file that it leads to, {os.path.realpath(path)}.")
    if output.is_dir() and not is_of_parts(output):
        raise UsageError(f"-o {output} is a folder, and not one of parts that skaud features wrote; name another.")
    if output.exists() and not (output.is_dir() if in_parts else output.is_file()):
        kind = "a folder of parts: give --part" if output.is_dir() else "a file, not a folder of parts"
        raise UsageError(f"-o {output} is {kind}, or move it away.")
    if output.exists() and not (resume or overwrite):
        raise UsageError(f"{output} exists; go on with --resume, or begin anew with --overwrite.")
    if resume and output.exists() and not journal_path(output).exists():
        raise UsageError(
            f"{output} has no {journal_path(output).name} beside it, which says what its rows are of; put it back, or "
            "begin anew with --overwrite."
        )


def begin(
    journal: Journal, output: Path, about: dict[str, Any], search: Search, resume: bool, overwrite: bool, in_parts: bool
) -> None:
    """Take over what the journal has, or begin it."""
    check_output(output, resume, overwrite, in_parts)  # again: nobody else can change it now
    remove_parts(output)
    before = journal.about
    if overwrite or (before is None and not output.exists()):
        journal.begin(about, [output_hash(output)] if output.exists() else [])
        return
    if not resume:
        raise UsageError(f"{journal.path} exists; go on with --resume, or begin anew with --overwrite.")
    if before is None:
        raise UsageError(f"{journal.path} is empty; remove it, or begin anew with --overwrite.")
    _check_parameters(output, before["parameters"], about["parameters"])
    if output.exists() and output_hash(output) not in journal.exported:
        raise UsageError(
            f"{output} is not what skaud features wrote: it was changed or is damaged. Move it away, and --resume "
            "writes it anew from its journal; or begin anew with --overwrite."
        )
    if before != about:
        check_columns(_columns_kept(journal, search), about["features"])  # which another version may name otherwise
        say(f"{output} was made by another version of skaud, or with other constants: all its rows are computed anew.")
        journal.begin_anew(about)


def _columns_kept(journal: Journal, search: Search) -> dict[str, str]:
    """Columns that are in the journal alone, as the tables that they are of are not named now."""
    of = f"{journal.path} (from a table to be named again)"
    return {name: of for identity, row in journal.rows() if identity not in search.files for name in row.columns}


def to_do(journal: Journal, search: Search) -> Iterator[tuple[bytes, File]]:
    """Files without a row that holds, by identity: those that the journal alone knows first, then those named now."""
    done = set()
    named = search.files
    for identity, row in journal.rows():
        file = named.get(identity) or File(os.fsdecode(row.name), row.columns)
        if row.features is not None:
            try:
                same, stamp = is_same(identity, row.stamp, row.content)
            except FileNotFoundError:
                same, stamp = identity not in named, row.stamp  # a recording may go when it has its row
            except (OSError, ValueError):
                same, stamp = False, row.stamp
            if same:
                done.add(identity)
                now = replace(row, name=os.fsencode(file.name), stamp=stamp, columns=file.columns)
                if (now.name, now.stamp, now.columns) != (row.name, row.stamp, row.columns):
                    journal.put(identity, now)
                continue
            say(f"{path_text(file.name)} has changed: its row is computed anew.")
            journal.put(identity, replace(row, features=None))
        if identity not in named:
            yield identity, file
    for identity, file in named.items():
        if identity not in done:
            yield identity, file


def row_path(name: bytes, identity: bytes, named: bool) -> str:
    """Path of a row in the table: as it was given, if it leads from here to the file; else absolute."""
    here = named or os.fsencode(os.path.realpath(name)) == identity
    return path_text(name if here else identity)


def _check_parameters(output: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    for name in (*now, *before):
        if before.get(name) != now.get(name):
            was, is_now = (repr(parameters.get(name))[:_SHOWN] for parameters in (before, now))
            raise UsageError(
                f"{output} was made with {name}={was}, this run has {name}={is_now}; give the same, or write to "
                "another file."
            )
