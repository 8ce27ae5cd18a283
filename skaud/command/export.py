"""The table that `skaud features` writes, as parquet, csv or npz: whole or not at all."""

import contextlib
import importlib.util
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from skaud.command.errors import UsageError
from skaud.command.names import cell_text

SUFFIXES = (".parquet", ".csv", ".npz")
_PART = re.compile(r"part-\d{5,}\.parquet")


class Table(NamedTuple):
    """What the rows of a table have in common.

    feature_names : list of str; dtype : of features; columns : list of str, what manifests said of every file; about :
    dict, what all rows were made with
    """

    feature_names: list[str]
    dtype: str
    columns: list[str]
    about: dict[str, Any]


class Rows(NamedTuple):
    """Some rows of a table: paths, texts of every column, and features, one after the other."""

    paths: list[str]
    columns: dict[str, list[str]]
    features: list[np.ndarray]


def check_columns(manifests: Mapping[str, str], feature_names: Sequence[str]) -> None:
    """Refuse columns, each with the manifest it is of, that are named as features are."""
    twice = [name for name in feature_names if name in manifests]
    if twice:
        more = f" and {len(twice) - 3} more" * (len(twice) > 3)
        raise UsageError(
            f"{manifests[twice[0]]} has columns named as features are, {', '.join(twice[:3])}{more}: no column "
            "may be there twice. Rename them, or leave them out of the table."
        )


def can_write_parquet() -> bool:
    """Whether the library that parquet takes is installed."""
    return importlib.util.find_spec("pyarrow") is not None


def output_hash(path: Path) -> str:
    """Hash of a file's content, or of that of a folder of parts."""
    digest = sha256()
    for part in sorted(path.iterdir()) if path.is_dir() else [path]:
        if path.is_dir():
            digest.update(os.fsencode(part.name) + part.stat().st_size.to_bytes(8, "big"))
        with part.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def is_of_parts(folder: Path) -> bool:
    """Whether a folder holds nothing but parts, so that nothing of the user's is lost with it."""
    return all(_PART.fullmatch(name) for name in os.listdir(folder))


def export(
    path: Path, table: Table, rows: Iterator[Rows], announce: Callable[[str], None], *, in_parts: bool = False
) -> None:
    """Write a table in place of what is at the path, in one step; its hash is announced just before.

    Rows come some at a time, and are held so, but for npz. In parts, the table is a folder of files, one for these.
    """
    fresh, before = (path.with_name(f".{path.name}.{secrets.token_hex(16)}.part") for _ in range(2))
    try:
        if in_parts:
            fresh.mkdir()
            for k, some in enumerate(rows):
                _write(fresh / f"part-{k:05}.parquet", ".parquet", table, iter([some]))
            _sync_folder(fresh)
        else:
            _write(fresh, path.suffix.lower(), table, rows)
        announce(output_hash(fresh))
        if in_parts and path.exists():  # a folder is not replaced in one step: for an instant there is none
            os.rename(path, before)
        os.replace(fresh, path)
    finally:
        _remove(fresh)
        if path.exists():
            _remove(before)
    _sync_folder(path.parent)


def _write(path: Path, suffix: str, table: Table, rows: Iterator[Rows]) -> None:
    # A new file, or none: neither a link nor a file that is there already is followed.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, 0o666), "w+b") as file:
        _WRITERS[suffix](file, table, rows)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    with contextlib.suppress(OSError):  # not every system has it for folders
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove_parts(path: Path) -> None:
    """Remove what a killed run left of an export."""
    pattern = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{32}}\.part")
    for name in os.listdir(path.parent):
        if pattern.fullmatch(name):
            _remove(path.with_name(name))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write_parquet(file: BinaryIO, table: Table, rows: Iterator[Rows]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    schema = _schema(table)
    texts = ["path", *table.columns]  # numbers seldom repeat: a dictionary of them costs time, memory and room
    with parquet.ParquetWriter(file, schema, write_page_checksum=True, use_dictionary=texts) as writer:
        for some in rows:
            columns: list[list[Any]] = [_text_buffers(texts) for texts in (some.paths, *some.columns.values())]
            features = np.array(some.features, table.dtype).T.copy()
            columns += [[pa.py_buffer(own)] for own in features]
            # From buffers: `pa.array` would load pandas, to see whether it is given something of it.
            arrays = [
                pa.Array.from_buffers(field.type, len(some.paths), [None, *buffers])
                for field, buffers in zip(schema, columns)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _text_buffers(texts: list[str]) -> list[Any]:
    """Texts as Arrow has them: where each begins, and all one after the other."""
    import pyarrow as pa

    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return [pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]


def _schema(table: Table) -> Any:
    import pyarrow as pa

    texts = [pa.field(name, pa.string()) for name in ("path", *table.columns)]
    numbers = [pa.field(name, pa.from_numpy_dtype(np.dtype(table.dtype))) for name in table.feature_names]
    # Where pandas has the `attrs` of a data frame.
    return pa.schema(texts + numbers, {"PANDAS_ATTRS": json.dumps({"skaud": table.about})})


def _write_csv(file: BinaryIO, table: Table, rows: Iterator[Rows]) -> None:
    # Text in quotes, always: not every reader takes a bare carriage return for text.
    names = ["path", *map(cell_text, table.columns), *table.feature_names]
    file.write((",".join(map(_quoted, names)) + "\n").encode())
    for some in rows:
        columns = [list(map(cell_text, texts)) for texts in some.columns.values()]
        for texts, features in zip(zip(some.paths, *columns), some.features):
            numbers = features.astype(table.dtype).astype("S")  # digits that tell it from its neighbours
            file.write(b",".join([*(_quoted(text).encode() for text in texts), *numbers.tolist()]) + b"\n")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _write_npz(file: BinaryIO, table: Table, rows: Iterator[Rows]) -> None:
    paths: list[str] = []
    columns: dict[str, list[str]] = {name: [] for name in table.columns}
    features = []
    for some in rows:
        paths += some.paths
        for name, texts in some.columns.items():
            columns[name] += texts
        features.append(np.array(some.features, table.dtype))
    more: dict[str, Any] = {}
    if columns:
        more = {"column_names": np.array(table.columns), "columns": np.array(list(columns.values())).T}
    np.savez_compressed(
        file,
        features=np.concatenate(features),
        paths=np.array(paths, dtype=str),
        feature_names=np.array(table.feature_names, dtype=str),
        about=np.array(json.dumps(table.about)),
        **more,
    )


_WRITERS = {".parquet": _write_parquet, ".csv": _write_csv, ".npz": _write_npz}
