"""What `skaud features` has done so far: an SQLite database beside the output, a row a file, safe at any moment."""

import json
import os
import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skaud.command.errors import UsageError

_APPLICATION = 0x534B4155  # "SKAU", in the header of the file: a database of another program is left alone
_TABLES = (
    "CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL, checksum BLOB NOT NULL)",
    "CREATE TABLE files (number INTEGER PRIMARY KEY, identity BLOB NOT NULL UNIQUE, name BLOB NOT NULL,"
    " size INTEGER NOT NULL, modified_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL, content BLOB NOT NULL,"
    " columns TEXT NOT NULL, features BLOB, checksum BLOB NOT NULL)",
)
_DAMAGED = (sqlite3.DatabaseError, UnicodeError)  # the latter where even the message has damaged names
_READ_AT_ONCE = 500  # rows; SQLite takes 999 numbers in a query
_COMMIT_S = 0.25  # at most so much work is lost by a run that is killed
_LOCK_S = 1.0  # how long another run is waited for
_RETRY_S = 0.05  # between two attempts, at most
_KINDS = {own: own.__name__[:1].encode() for own in (bytes, int, str)}  # in a checksum, before a value
_BY_CHANCE = random.SystemRandom()  # forked processes share the state of any other


class Stamp(NamedTuple):
    """By what a file is known to be the same without being read: size, and times of change in ns.

    `changed_ns` is 0 where the file was so young that it may have changed again within a tick of the clock.
    """

    size: int
    modified_ns: int
    changed_ns: int


@dataclass(frozen=True)
class Row:
    """A file, by its name as it was given, and its features, or None while they are to be computed."""

    name: bytes
    stamp: Stamp
    content: bytes  # hash of it
    columns: dict[str, str] = field(default_factory=dict)  # of the manifest
    features: np.ndarray | None = None

    def with_features(self, features: np.ndarray) -> "Row":
        """The row, with features."""
        return Row(self.name, self.stamp, self.content, self.columns, features)


def journal_path(output: Path) -> Path:
    """Where the journal of an output is."""
    return output.with_name(output.name + ".journal")


class Journal:
    """The journal of an output, held for this process alone.

    Raises
    ------
    UsageError
        If the file is no journal, or is damaged, or another process holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _check_ours(path)
        self._committed_s = time.monotonic()
        self._about_hash: bytes | None = None
        self._format: tuple[np.dtype, int] | None = None
        while True:
            self._connection = sqlite3.connect(path, timeout=0.0, isolation_level=None)
            try:
                self._open()
                return
            except BaseException as error:
                self._connection.close()
                if "locked" in str(error) and time.monotonic() < self._committed_s + _LOCK_S:
                    # Two that begin at once may each hold what the other waits for: both let go, and come back apart.
                    time.sleep(_BY_CHANCE.uniform(0.1, 1.0) * _RETRY_S)
                    continue
                if isinstance(error, _DAMAGED):
                    raise self._explain(error) from error
                raise

    def _open(self) -> None:
        run = self._connection.execute
        run("PRAGMA locking_mode=EXCLUSIVE")  # one process at a time; the lock goes with the process
        run("PRAGMA trusted_schema=OFF")
        run("PRAGMA cell_size_check=ON")
        run("BEGIN EXCLUSIVE")
        if run("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            for table in _TABLES:
                run(table)
            run(f"PRAGMA application_id={_APPLICATION}")
        run("COMMIT")
        if not os.path.exists(self.path):
            raise UsageError(f"{self.path} was removed by another run just now; try again.")
        run("PRAGMA journal_mode=WAL")  # a killed run leaves what it committed
        run("PRAGMA synchronous=NORMAL")
        if (said := run("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(said)
        tables = run("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY sql").fetchall()
        if tuple(sql for (sql,) in tables) != _TABLES:
            raise sqlite3.DatabaseError("its tables are not those of a journal")
        run("BEGIN")

    def _explain(self, error: Exception) -> Exception:
        if isinstance(error, sqlite3.OperationalError):
            if "locked" not in str(error):
                return error  # of the disk
            output = self.path.with_suffix("")
            return UsageError(f"{output} is being written by another run; wait for it, or write to another file.")
        return UsageError(f"{self.path} is damaged ({error}); remove it and use --overwrite, or write to another file.")

    # --- what the rows have in common ---

    @property
    def about(self) -> dict[str, Any] | None:
        """What the rows were made with; None in a journal without any."""
        return self._get("about")

    @property
    def exported(self) -> list[str]:
        """Hashes that the output may have."""
        return self._get("exported") or []

    @exported.setter
    def exported(self, hashes: list[str]) -> None:
        self._set("exported", hashes)
        self.commit()

    def begin(self, about: dict[str, Any], replaceable: list[str]) -> None:
        """Forget all rows, and begin those made with something else; outputs of these hashes may be replaced."""
        self._connection.execute("DELETE FROM files")
        self._set("about", about)
        self._set("exported", replaceable)
        self.commit()

    def begin_anew(self, about: dict[str, Any]) -> None:
        """Forget the features of all files, not the files, and begin with something else."""
        rows = [(identity, replace(row, features=None)) for identity, row in self.rows()]
        self._set("about", about)
        for identity, row in rows:
            self.put(identity, row)
        self.commit()

    def _get(self, key: str) -> Any:
        found = self._select("SELECT value, checksum FROM about WHERE key = ?", key)
        if not found:
            return None
        value, checksum = found[0]
        if checksum != _checksum(key, value):
            raise self._explain(sqlite3.DatabaseError(f"a wrong checksum of {key!r}"))
        return json.loads(value)

    def _set(self, key: str, value: Any) -> None:
        text = json.dumps(value)
        self._connection.execute("INSERT OR REPLACE INTO about VALUES (?, ?, ?)", (key, text, _checksum(key, text)))
        self._about_hash = self._format = None

    # --- rows ---

    def rows(self) -> Iterator[tuple[bytes, Row]]:
        """Identity, the absolute path without links, and row of every file, in the order in which they first came."""
        return self.rows_of([number for (number,) in self._select("SELECT number FROM files ORDER BY number")])

    def done(self) -> Iterator[tuple[int, bytes, list[str]]]:
        """Number, identity and names of the columns of every file that has features, which are not read."""
        for number, identity, columns in self._select(
            "SELECT number, identity, columns FROM files WHERE features IS NOT NULL ORDER BY number"
        ):
            try:
                names = list(json.loads(columns))
            except (ValueError, TypeError) as error:  # its checksum would tell, but is not read here
                raise self._explain(sqlite3.DatabaseError(f"columns of file {number} are no columns")) from error
            yield number, identity, names

    def rows_of(self, numbers: Sequence[int]) -> Iterator[tuple[bytes, Row]]:
        """Identity and row of files by number, of which few are held at a time."""
        for begin in range(0, len(numbers), _READ_AT_ONCE):
            some = numbers[begin : begin + _READ_AT_ONCE]
            found = self._select(f"SELECT * FROM files WHERE number IN ({','.join('?' * len(some))})", *some)
            by_number = {row[0]: row for row in found}
            for number in some:
                if number not in by_number:
                    raise self._explain(sqlite3.DatabaseError(f"file {number} is listed and not there"))
                yield self._checked(*by_number[number])

    def _checked(
        self, number: int, identity: bytes, name: bytes, size: int, modified_ns: int, changed_ns: int,
        content: bytes, columns: str, features: bytes | None, checksum: bytes,
    ) -> tuple[bytes, Row]:  # fmt: skip
        dtype, n_features = self._row_format()
        stamp = Stamp(size, modified_ns, changed_ns)
        if checksum != self._row_checksum(identity, name, *stamp, content, columns, features):
            raise self._explain(sqlite3.DatabaseError(f"a wrong checksum of file {number}"))
        array = None if features is None else np.frombuffer(features, dtype)
        if array is not None and len(array) != n_features:
            raise self._explain(sqlite3.DatabaseError(f"{len(array)} features of file {number}"))
        return identity, Row(name, stamp, content, json.loads(columns), array)

    def put(self, identity: bytes, row: Row) -> None:
        """Keep a row, in place of an earlier one of the file; written to the disk within a moment."""
        features = None if row.features is None else np.ascontiguousarray(row.features).tobytes()
        values = (identity, row.name, *row.stamp, row.content, json.dumps(row.columns), features)
        self._connection.execute(
            "INSERT INTO files (identity, name, size, modified_ns, changed_ns, content, columns, features, checksum)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (identity) DO UPDATE SET name = excluded.name,"
            " size = excluded.size, modified_ns = excluded.modified_ns, changed_ns = excluded.changed_ns,"
            " content = excluded.content, columns = excluded.columns, features = excluded.features,"
            " checksum = excluded.checksum",
            (*values, self._row_checksum(*values)),
        )
        if time.monotonic() - self._committed_s > _COMMIT_S:
            self.commit()

    def is_empty(self) -> bool:
        """Whether it has no file."""
        return not self._select("SELECT 1 FROM files LIMIT 1")

    def drop(self, identity: bytes) -> None:
        """Forget a file."""
        self._connection.execute("DELETE FROM files WHERE identity = ?", (identity,))

    def _row_format(self) -> tuple[np.dtype, int]:
        if self._format is None:
            about = self.about
            if about is None:
                raise self._explain(sqlite3.DatabaseError("it does not say what its rows are"))
            self._format = np.dtype(about["dtype"]).newbyteorder("<"), len(about["features"])
        return self._format

    def _row_checksum(self, *values: Any) -> bytes:
        """Of a row, and of what it was made with: rows of two runs cannot be mixed."""
        if self._about_hash is None:
            self._about_hash = _checksum(json.dumps(self.about))
        return _checksum(self._about_hash, *values)

    # --- the disk ---

    def commit(self) -> None:
        """Write to the disk what was put."""
        self._connection.execute("COMMIT")
        self._connection.execute("BEGIN")
        self._committed_s = time.monotonic()

    def close(self) -> None:
        """Write all to the disk and let others have it."""
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")
        self._connection.close()

    def discard(self) -> None:
        """Close and remove it."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _select(self, query: str, *values: Any) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except _DAMAGED as error:
            raise self._explain(error) from error


def _check_ours(path: Path) -> None:
    """Refuse a file of somebody else's at the journal's place; before it is opened, as closing drops locks."""
    if path.is_symlink():
        raise UsageError(f"{path} is a link; remove it, or write to another file.")
    if path.exists():
        if not path.is_file():
            raise UsageError(f"{path} is in the way of the journal; move it away, or write to another file.")
        with path.open("rb") as file:
            header = file.read(100)
        ours = header[:16] == b"SQLite format 3\0" and header[68:72] == _APPLICATION.to_bytes(4, "big")
        if header and not ours:
            raise UsageError(
                f"{path} is no journal of skaud features, or a damaged one; move it away and use --overwrite, or write "
                "to another file."
            )
        return
    for suffix in ("-journal", "-wal", "-shm"):  # SQLite would take it for its own
        # Of another run that has begun since, both are there.
        if (beside := path.with_name(path.name + suffix)).exists() and not path.exists():
            raise UsageError(f"{beside} is in the way of the journal; move it away, or write to another file.")


def _checksum(*values: Any) -> bytes:
    parts = []
    for value in values:
        content = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
        kind = _KINDS.get(type(value)) or type(value).__name__[:1].encode()
        parts += [kind, len(content).to_bytes(8, "big"), content]
    return blake2b(b"".join(parts), digest_size=16).digest()
