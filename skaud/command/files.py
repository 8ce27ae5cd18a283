"""Which files a command is about: named, below folders, matched by patterns, in lists and in manifests."""

import contextlib
import csv
import glob
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from skaud.command.errors import UsageError
from skaud.command.names import text_path
from skaud.sound.files import leaves_folder, sound_suffixes


class File(NamedTuple):
    """A file by the name it was given, and what a manifest said of it."""

    name: str
    columns: dict[str, str]


class Search:
    """Files that were named, each once.

    files : dict of File by identity, the absolute path without links
    columns : dict of str by name, the first manifest that has it
    missing : list of str, names that lead nowhere
    unreadable : list of (str, OSError), folders that could not be looked into
    skipped : Counter of the suffixes of files below folders that are no sounds, and of what else is left out
    """

    def __init__(self, paths: Sequence[str], outside: bool = False) -> None:
        self.files: dict[bytes, File] = {}
        self.columns: dict[str, str] = {}
        self.missing: list[str] = []
        self.unreadable: list[tuple[str, OSError]] = []
        self.skipped: Counter[str] = Counter()
        self._outside = outside
        for path in paths:
            if path == "-":
                for name in _listed(sys.stdin.buffer.read()):
                    self._add(name)
            else:
                for name in [path] if os.path.lexists(path) else sorted(glob.glob(path, recursive=True)) or [path]:
                    self._add(name)

    def _add(self, name: str) -> None:
        if os.path.isdir(name):
            self._add_folder(name)
        elif name.lower().endswith(".csv"):
            self._add_manifest(name)
        elif not os.path.lexists(name):
            self.missing.append(name)
        else:
            self._add_file(name, os.path.realpath(name))

    def _add_file(self, name: str, real: str, columns: dict[str, str] | None = None) -> None:
        identity = os.fsencode(real)
        known = self.files.get(identity)
        if known is None or (columns and not known.columns):
            self.files[identity] = File(known.name if known else _clean(name), columns or {})
        elif columns and columns != known.columns:
            raise UsageError(
                f"{_clean(name)} is in manifests more than once, and not with the same: {known.columns} and {columns}; "
                "a file gives one row, so leave one out."
            )

    def _add_folder(self, top: str) -> None:
        suffixes = sound_suffixes()
        waiting = [(_clean(top), os.path.realpath(top))]
        while waiting:
            folder, real = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    inside = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                self.unreadable.append((folder, error))
                continue
            deeper = []
            for entry in inside:
                name = os.path.join(folder, entry.name)
                if entry.name.startswith("."):
                    self.skipped["hidden"] += 1
                elif entry.is_dir():
                    if entry.is_symlink():  # it may lead back to where it is
                        self.skipped["links to folders"] += 1
                    else:
                        deeper.append((name, os.path.join(real, entry.name)))
                elif entry.name.lower().endswith(suffixes):
                    link = entry.is_symlink()
                    self._add_file(name, os.path.realpath(name) if link else os.path.join(real, entry.name))
                else:
                    self.skipped[os.path.splitext(entry.name)[1].lower() or "without suffix"] += 1
            waiting += reversed(deeper)

    def _add_manifest(self, manifest: str) -> None:
        for number, row in enumerate(_rows(manifest), 1):
            name = row.pop("path")
            if not name:
                raise UsageError(
                    f"{manifest} has no path in row {number} below the header; fill it, or remove the row."
                )
            for column in row if number == 1 else ():
                self.columns.setdefault(column, manifest)
            paths = [os.path.join(os.path.dirname(manifest), own) for own in self._readings(manifest, name)]
            found = [path for path in paths if os.path.lexists(path)]
            if len(found) > 1:
                raise UsageError(
                    f"{manifest} names {name!r}, and there is such a file, and one at the path that it stands for in a "
                    "table of skaud features; rename one of them."
                )
            if found:
                self._add_file(found[0], os.path.realpath(found[0]), row)
            else:
                self.missing.append(paths[0])

    def _readings(self, manifest: str, name: str) -> list[str]:
        r"""A path as a manifest has it, and the one that it stands for if a command wrote it, with \xHH for bytes."""
        readings = [name]
        with contextlib.suppress(UnicodeDecodeError):  # on Windows, whose paths are text
            readings = list(dict.fromkeys([name, os.fsdecode(text_path(name))]))
        readings = [reading for reading in readings if self._outside or not leaves_folder(reading)]
        if not readings:
            raise UsageError(
                f"{manifest} names {name!r}, which leaves its folder; move the file there, or allow it with "
                "--outside if you trust the manifest."
            )
        return readings

    def skipped_words(self) -> str:
        """How many files were skipped, of what kinds."""
        kinds = ", ".join(f"{kind} {n}" for kind, n in self.skipped.most_common())
        n_files = sum(self.skipped.values())
        return f"skipped {n_files} that {'is no sound' if n_files == 1 else 'are no sounds'} ({kinds})"


def _clean(name: str) -> str:
    """Name without ./ and doubled slashes; .. stays, as the folder before it may be a link."""
    parts = name.split(os.sep)
    kept = [part for i, part in enumerate(parts) if part not in ("", ".") or (part == "" and i == 0)]
    return os.sep.join(kept) or (os.sep if name.startswith(os.sep) else ".")


def _listed(content: bytes) -> list[str]:
    """Paths in a list, a line each, which may end as on Windows, or with NUL between them, as `find -print0` has it."""
    if b"\0" in content:
        parts = content.split(b"\0")
    else:
        lines = content.split(b"\n")
        parts = [line[:-1] if line.endswith(b"\r") and not os.path.lexists(line) else line for line in lines]
    return [os.fsdecode(part) for part in parts if part]


def _rows(manifest: str) -> Iterator[dict[str, str]]:
    try:
        with open(manifest, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            if header.count("path") != 1 or len(set(header)) != len(header):
                raise UsageError(f"{manifest} must have one column path and no column twice; its header is {header}.")
            for row in reader:
                if len(row) != len(header):
                    if not row:
                        continue
                    raise UsageError(
                        f"{manifest} has {len(row)} cells in line {reader.line_num}, its header {len(header)}; put "
                        "cells with commas in quotes."
                    )
                yield dict(zip(header, row))
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"{manifest} cannot be read ({error}); save it as comma-separated UTF-8.") from error
