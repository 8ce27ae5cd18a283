import io
import os
import socket
import sys

import pytest
import soundfile

from skaud.command import main
from skaud.command.errors import UsageError
from skaud.command.files import Search
from skaud.command.names import path_text
from skaud.sound.files import sound_suffixes


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a few files in it."""
    for name in ("in/a.wav", "in/deeper/b.sph", "in/deeper/c.AU", "in/.hidden/d.wav", "in/x.txt", "in/.e.wav", "in/y"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(search):
    return [file.name for file in search.files.values()]


def test_every_format_that_libsndfile_writes_has_a_suffix_that_is_looked_for():
    for name in set(soundfile.available_formats()) - {"RAW", "MAT4", "MAT5", "SD2", "WAVEX", "MPC2K"}:
        assert f".{name.lower()}" in sound_suffixes()
    assert {".sph", ".snd", ".aif", ".oga", ".opus", ".mp3", ".wave"} <= set(sound_suffixes())


def test_a_folder_gives_its_sounds_and_counts_what_is_skipped(folder):
    os.symlink(folder / "in", folder / "in" / "loop")
    search = Search(["in"])
    assert names(search) == ["in/a.wav", "in/deeper/b.sph", "in/deeper/c.AU"]
    assert search.skipped == {"hidden": 2, ".txt": 1, "without suffix": 1, "links to folders": 1}
    assert "skipped 5 that are no sounds (hidden 2" in search.skipped_words()


def test_one_file_is_found_once_by_whatever_way_it_was_named(folder):
    os.symlink(folder / "in" / "deeper", folder / "link")
    ways = ["in/a.wav", "./in//a.wav", str(folder / "in" / "a.wav"), "link/../a.wav", "in/*.wav", "in"]
    search = Search(ways)
    assert list(search.files) == [
        os.fsencode(folder / "in" / name) for name in ("a.wav", "deeper/b.sph", "deeper/c.AU")
    ]
    assert names(search)[0] == "in/a.wav"


def test_dots_behind_a_link_lead_where_the_system_leads(folder):
    (folder / "elsewhere" / "inner").mkdir(parents=True)
    (folder / "elsewhere" / "a.wav").touch()
    os.symlink(folder / "elsewhere" / "inner", folder / "in" / "link")
    assert list(Search(["in/link/../a.wav"]).files) == [os.fsencode(folder / "elsewhere" / "a.wav")]


def test_what_leads_nowhere_is_missing_and_a_literal_name_is_no_pattern(folder):
    (folder / "in" / "[a].wav").touch()
    search = Search(["in/[a].wav", "in/z*.wav"])
    assert names(search) == ["in/[a].wav"]
    assert search.missing == ["in/z*.wav"]


def test_a_folder_that_cannot_be_looked_into_is_told(folder, monkeypatch):
    look = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: look(path) if "deeper" not in path else look(path + "/gone"))
    search = Search(["in"])
    assert names(search) == ["in/a.wav"]
    assert [name for name, _ in search.unreadable] == ["in/deeper"]


@pytest.mark.parametrize("separator", [b"\n", b"\0"])
def test_a_list_of_paths_comes_on_the_standard_input(folder, monkeypatch, separator):
    (folder / "in" / os.fsdecode(b"\xff.wav")).touch()
    listed = separator.join([b"in/a.wav", b"in/deeper", b"in/\xff.wav", b""])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(listed)))
    assert [os.fsencode(name) for name in names(Search(["-"]))] == [
        b"in/a.wav", b"in/deeper/b.sph", b"in/deeper/c.AU", b"in/\xff.wav",
    ]  # fmt: skip


def test_lines_of_a_list_may_end_as_on_windows(folder, monkeypatch):
    (folder / "in" / "b.wav\r").touch()
    listed = b"in/a.wav\r\nin/deeper/b.sph\r\n\r\nin/b.wav\r\n"  # the last path ends so itself
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(listed)))
    search = Search(["-"])
    assert names(search) == ["in/a.wav", "in/deeper/b.sph", "in/b.wav\r"]
    assert search.missing == []
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"in/a.wav\r\0")))
    assert Search(["-"]).missing == ["in/a.wav\r"]


NAMES = [b"new\nline.wav", b"\xff.wav", rb"literal\x0a.wav", b"=1.wav", "sep\u2028.wav".encode(), b"a.wav"]


@pytest.mark.skipif(os.name == "nt", reason="no such names there")
def test_paths_that_a_table_has_escaped_lead_to_their_files(folder):
    (folder / "own").mkdir()
    for name in NAMES:
        (folder / "own" / os.fsdecode(name)).touch()
    (folder / "own" / "table.csv").write_text("\n".join(["path", *map(path_text, NAMES)]), "utf-8")
    search = Search(["own/table.csv"])
    assert search.missing == []
    assert list(search.files) == [os.path.join(os.fsencode(folder), b"own", name) for name in NAMES]


@pytest.mark.skipif(os.name == "nt", reason="no such names there")
def test_an_escaped_path_that_may_be_either_of_two_files_is_a_wrong_call(folder):
    for name in ("a\nb.wav", "a\\x0ab.wav"):
        (folder / "in" / name).touch()
    (folder / "in" / "table.csv").write_text("path\na\\x0ab.wav\n")
    with pytest.raises(UsageError, match="rename one of them"):
        Search(["in/table.csv"])


def test_a_manifest_gives_its_files_and_its_other_columns(folder):
    (folder / "in" / "table.csv").write_text(
        '\ufeffpath,word\na.wav,"zero, one"\ndeeper/b.sph,two\nz.wav,three\n', "utf-8"
    )
    search = Search(["in/table.csv"])
    assert [tuple(file) for file in search.files.values()] == [
        ("in/a.wav", {"word": "zero, one"}),
        ("in/deeper/b.sph", {"word": "two"}),
    ]
    assert search.missing == ["in/z.wav"]


@pytest.mark.parametrize(
    "outside",
    ["\\x2e./b.wav", "\\x2fetc/b.wav", "../b.wav", "/etc/b.wav", "deeper/../../b.wav", "C:\\b.wav", "..\\b.wav"],
)
def test_a_manifest_leaves_its_folder_only_when_allowed(folder, outside):
    (folder / "in" / "table.csv").write_text(f"path\n{outside}\n")
    (folder / "b.wav").touch()
    with pytest.raises(UsageError, match=r"leaves its folder.*--outside"):
        Search(["in/table.csv"])
    assert len(Search(["in/table.csv"], outside=True).files) + len(Search(["in/table.csv"], outside=True).missing) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("file\na.wav\n", "one column path"),
        ("path,x,x\na.wav,1,2\n", "no column twice"),
        ("path,path\na.wav,a.wav\n", "one column path"),
        ("path,x\na.wav,1,2\n", "3 cells in line 2"),
        ("path,x\n,1\n", "no path in row 1"),
        ("", "one column path"),
        ('path\n"a.wav\n', "cannot be read"),
        ("path,x\na.wav,1\na.wav,2\n", "more than once"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_a_wrong_call(folder, content, words):
    (folder / "in" / "table.csv").write_text(content)
    with pytest.raises(UsageError, match=words):
        Search(["in/table.csv"])


def test_a_manifest_that_is_no_text_is_a_wrong_call(folder):
    (folder / "in" / "table.csv").write_bytes(b"path\n\xff\n")
    with pytest.raises(UsageError, match="UTF-8"):
        Search(["in/table.csv"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_an_empty_list_is_told_of(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    assert main(["features", "-", "-o", str(tmp_path / "x.csv")]) == 2
    assert "no sound files in the list on the standard input" in capsys.readouterr().err


def test_pipes_and_sockets_are_found_without_being_opened(folder):
    os.mkfifo(folder / "in" / "pipe.wav")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("in/socket.wav")
    assert names(Search(["in"]))[-2:] == ["in/deeper/b.sph", "in/deeper/c.AU"]
    assert {"in/pipe.wav", "in/socket.wav"} <= set(names(Search(["in"])))
