"""The table that `skaud features` writes, as parquet, csv or npz: whole or not at all."""

import contextlib
import csv
import importlib.util
import json
import os
import re
import secrets
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from skaud.command.names import cell_text

SUFFIXES = (".parquet", ".csv", ".npz")


class Table(NamedTuple):
    """Rows of features by path.

    paths : list of str; columns : dict of list of str, what a manifest said of every file; features : (n_paths,
    n_features) array; feature_names : list of str; about : dict, what all rows were made with
    """

    paths: list[str]
    columns: dict[str, list[str]]
    features: np.ndarray
    feature_names: list[str]
    about: dict[str, Any]


def can_write_parquet() -> bool:
    """Whether the library that parquet takes is installed."""
    return importlib.util.find_spec("pyarrow") is not None


def file_hash(path: Path) -> str:
    """Hash of a file's content."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def export(path: Path, table: Table, announce: Callable[[str], None]) -> None:
    """Write a table in place of what is at the path, in one step; its hash is announced just before."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(16)}.part")
    # A new file, or none: neither a link nor a file that is there already is followed.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(fresh, flags, 0o666), "w+b") as file:
            _WRITERS[path.suffix.lower()](file, table)
            file.flush()
            os.fsync(file.fileno())
        announce(file_hash(fresh))
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not every system has it for folders
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove_parts(path: Path) -> None:
    """Remove what a killed run left of an export."""
    pattern = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{32}}\.part")
    for name in os.listdir(path.parent):
        if pattern.fullmatch(name):
            path.with_name(name).unlink(missing_ok=True)


def _write_parquet(file: BinaryIO, table: Table) -> None:
    frame = _frame(table)
    frame.attrs["skaud"] = table.about  # pandas keeps it in the file's metadata
    frame.to_parquet(file, engine="pyarrow", index=False, write_page_checksum=True)


def _write_csv(file: BinaryIO, table: Table) -> None:
    frame = _frame(table._replace(columns={cell_text(c): list(map(cell_text, v)) for c, v in table.columns.items()}))
    # Text in quotes, always: not every reader takes a bare carriage return for text.
    frame.to_csv(file, index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC, encoding="utf-8")


def _write_npz(file: BinaryIO, table: Table) -> None:
    more: dict[str, Any] = {}
    if table.columns:
        more = {"column_names": np.array(list(table.columns)), "columns": np.array(list(table.columns.values())).T}
    np.savez_compressed(
        file,
        features=table.features,
        paths=np.array(table.paths, dtype=str),
        feature_names=np.array(table.feature_names, dtype=str),
        about=np.array(json.dumps(table.about)),
        **more,
    )


_WRITERS = {".parquet": _write_parquet, ".csv": _write_csv, ".npz": _write_npz}


def _frame(table: Table) -> Any:
    import pandas as pd

    frame = pd.DataFrame(table.features, columns=table.feature_names)
    for i, (name, values) in enumerate({"path": table.paths, **table.columns}.items()):
        frame.insert(i, name, np.array(values, dtype=object))
    return frame
