import os

import pytest

from skaud.command.names import cell_text, path_text, text_path

NAMES = [
    b"a/b.wav",
    "vögel/ü.wav".encode(),
    b"\xff\xfe.wav",
    b"line\nbreak\r.wav",
    b"\x1b[31mred.wav",
    rb"literal\xff.wav",
    b"back\\\xff.wav",
    rb"\x5cxff",
    b"\\\\x41\x85.wav",
    "sep\u2028arated.wav".encode(),
    "\u009b31m.wav".encode(),
    b'quo"te,comma.wav',
]


@pytest.mark.parametrize("name", NAMES)
def test_a_path_becomes_one_line_of_text_and_comes_back(name):
    text = path_text(name)
    assert text.encode().decode() == text
    assert len(text.splitlines()) == 1
    assert text_path(text) == name


def test_names_become_different_texts():
    assert len({path_text(name) for name in NAMES}) == len(NAMES)


def test_random_bytes_become_text_and_come_back():
    for length in range(1, 200):
        name = os.urandom(length).replace(b"\0", b"\\x")
        text = path_text(name)
        assert text_path(text) in (name, b"./" + name)


@pytest.mark.parametrize("first", "=+-@")
def test_no_path_begins_as_a_formula_and_it_still_leads_to_the_file(first, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = f"{first}1+1.wav"
    (tmp_path / name).touch()
    assert path_text(name) == f"./{name}"
    assert os.path.samefile(path_text(name), name)


def test_no_cell_begins_as_a_formula_but_numbers_stay_numbers():
    for text in ("=1+1", "+a", "-a", "@a", "\ta", "'a", "-", "+1+2"):
        assert cell_text(text) == f"'{text}"
    for text in ("-5", "+.5e-3", "a=1", "", "5"):
        assert cell_text(text) == text
