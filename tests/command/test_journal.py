import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from skaud.command.errors import UsageError
from skaud.command.journal import Journal, Row, Stamp

ABOUT = {"dtype": "float32", "features": ["a", "b"], "parameters": {"model": "carfac"}, "fingerprint": "1"}


def row(name="x.wav", value=1.0, **columns):
    return Row(name.encode(), Stamp(1, 2, 3), b"hash", columns, np.full(2, value, "float32"))


@pytest.fixture
def path(tmp_path):
    """A journal of three rows."""
    path = tmp_path / "x.csv.journal"
    journal = Journal(path)
    journal.begin(ABOUT, [])
    for i in range(3):
        journal.put(b"/%d.wav" % i, row(f"{i}.wav", i, word=str(i)))
    journal.close()
    return path


def test_rows_come_back_as_they_were_in_the_order_in_which_they_came(path):
    journal = Journal(path)
    journal.put(b"/0.wav", row("0.wav", 7.0))  # in place of the earlier
    rows = list(journal.rows())
    assert [identity for identity, _ in rows] == [b"/0.wav", b"/1.wav", b"/2.wav"]
    assert [float(r.features[0]) for _, r in rows] == [7.0, 1.0, 2.0]
    assert rows[1][1].columns == {"word": "1"}
    assert (rows[1][1].name, rows[1][1].stamp, rows[1][1].content) == (b"1.wav", Stamp(1, 2, 3), b"hash")
    assert journal.about == ABOUT
    journal.close()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_second_writer_is_told_so(path):
    journal = Journal(path)
    with pytest.raises(UsageError, match=r"x\.csv is being written by another run"):
        Journal(path)
    journal.close()
    Journal(path).close()


def test_rows_made_with_something_else_are_not_taken(path):
    journal = Journal(path)
    journal._set("about", {**ABOUT, "fingerprint": "2"})  # without begin_anew
    with pytest.raises(UsageError, match=r"damaged .*checksum"):
        list(journal.rows())
    journal.close()


def test_files_survive_a_change_of_what_rows_are_made_with_but_features_do_not(path):
    journal = Journal(path)
    journal.begin_anew({**ABOUT, "fingerprint": "2"})
    assert [(identity, r.features) for identity, r in journal.rows()] == [(b"/%d.wav" % i, None) for i in range(3)]
    journal.close()


@pytest.mark.parametrize("change", ["features = x'0000803f00000040'", "name = 'y'", "size = 9", "columns = '{}'"])
def test_a_changed_row_is_found(path, change):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE files SET {change} WHERE identity = ?", (b"/1.wav",))
        connection.commit()
    journal = Journal(path)
    with pytest.raises(UsageError, match="damaged"):
        list(journal.rows())
    journal.close()


@pytest.mark.parametrize("columns", ["'{'", "''", "3", "x'ff'"])
def test_columns_that_are_damaged_are_found_before_a_table_is_written(path, columns):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE files SET columns = {columns} WHERE identity = ?", (b"/1.wav",))
        connection.commit()
    journal = Journal(path)
    with pytest.raises(UsageError, match="damaged"):
        list(journal.done())
    journal.close()


def test_a_file_that_is_listed_and_not_there_is_found(path):
    journal = Journal(path)
    assert [number for number, _, _ in journal.done()] == [1, 2, 3]
    assert [row.name for _, row in journal.rows_of([3, 1])] == [b"2.wav", b"0.wav"]
    with pytest.raises(UsageError, match=r"damaged .*file 4 is listed and not there"):
        list(journal.rows_of([4]))
    journal.close()


def test_a_journal_that_another_run_begins_just_now_is_not_in_its_own_way(tmp_path, monkeypatch):
    path = tmp_path / "x.csv.journal"
    exists = Path.exists

    def begin_then(self):
        if self == path and not exists(path):
            path.touch()
            path.with_name(path.name + "-journal").touch()
            return False
        return exists(self)

    monkeypatch.setattr(Path, "exists", begin_then)
    Journal(path).close()


def test_nothing_of_somebody_elses_is_opened(tmp_path):
    with closing(sqlite3.connect(tmp_path / "theirs.journal")) as connection:
        connection.execute("CREATE TABLE files (x)")
    (tmp_path / "text.journal").write_text("dear diary")
    os.symlink(tmp_path / "text.journal", tmp_path / "link.journal")
    (tmp_path / "new.journal-wal").write_text("mine")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    for name in ("theirs", "text", "link", "new"):
        with pytest.raises(UsageError, match=r"move it away|is a link"):
            Journal(tmp_path / f"{name}.journal")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_of_two_that_begin_at_once_one_has_it(tmp_path, monkeypatch):
    monkeypatch.setattr("skaud.command.journal._LOCK_S", 0.1)

    def open_at(begin_s, path):
        process = os.fork()
        if process == 0:
            status = 1
            try:
                while time.monotonic() < begin_s:
                    pass
                held = Journal(path)
                for _ in range(1000):  # until the other has gone, or 10 s
                    if path.with_suffix(".alone").exists():
                        break
                    time.sleep(0.01)
                held.close()
                status = 0
            except UsageError:
                status = 2
            finally:
                os._exit(status)
        return process

    for i in range(8):
        begin_s = time.monotonic() + 0.01
        running = {open_at(begin_s, tmp_path / f"{i}.journal") for _ in range(2)}
        ended = []
        while running:
            for process, status in (os.waitpid(own, os.WNOHANG) for own in tuple(running)):
                if process:
                    running.remove(process)
                    ended.append(os.WEXITSTATUS(status))
                    (tmp_path / f"{i}.alone").touch()
            time.sleep(0.005)
        assert ended == [2, 0]
