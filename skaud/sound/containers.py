"""What the headers of sound files announce, to tell a file that was cut from a whole one."""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_MOST_CHUNKS = 10000
_TAIL = 1 << 17  # more than the longest page of an Ogg file
# Sizes written by programs that stream, and so could not go back and fill them in.
_UNKNOWN = range(0xFFFFFF00, 0x100000000)


class Chunk(NamedTuple):
    """Part of a file: its name, where its content begins, and how many bytes it says to have."""

    name: bytes
    begin: int
    n_bytes: int


def missing_part(file: BinaryIO) -> str | None:
    """What a file's header announces and the file has not, in words; None if nothing, or the header does not say."""
    end = file.seek(0, io.SEEK_END)
    head = _at(file, 0, 40)
    if head[:4] == b"OggS":
        return _missing_pages(file, end)
    announced = _announced(file, head, end)
    if announced is None or announced.n_bytes <= end - announced.begin:
        return None
    return f"{max(0, end - announced.begin)} of the {announced.n_bytes} bytes that its header announces"


def unclosed_samples(file: BinaryIO) -> tuple[int, bytes] | None:
    """Of a wav that says to have 0 bytes of samples and has more: where its header is wrong, and what is right."""
    head = _at(file, 0, 12)
    if head[:3] != b"RIF" or head[8:] != b"WAVE":
        return None
    end, order = file.seek(0, io.SEEK_END), "<>"[head[:4] == b"RIFX"]
    data = next((chunk for chunk in _chunks(file, 12, end, f"{order}I") if chunk.name == b"data"), None)
    if data is None or data.n_bytes or data.begin >= end:
        return None
    last = None
    for last in _chunks(file, data.begin, end, f"{order}I"):
        if not (last.name.isascii() and last.name.decode().isprintable()):
            return data.begin - 4, struct.pack(f"{order}I", min(end - data.begin, 0xFFFFFFFF))
    # Further chunks up to the very end: there are no samples indeed.
    if last is not None and end <= last.begin + last.n_bytes + last.n_bytes % 2 <= end + 1:
        return None
    return data.begin - 4, struct.pack(f"{order}I", min(end - data.begin, 0xFFFFFFFF))


def _announced(file: BinaryIO, head: bytes, end: int) -> Chunk | None:
    """Samples, as the header has them."""
    kind, form = head[:4], head[8:12]
    if kind in (b"RIFF", b"RIFX") and form == b"WAVE":
        data = _find(_chunks(file, 12, end, "<I" if kind == b"RIFF" else ">I"), b"data")
        return data if data and data.n_bytes not in _UNKNOWN else None
    if kind in (b"RF64", b"BW64") and form == b"WAVE":
        ds64 = _find(_chunks(file, 12, end, "<I"), b"ds64")
        data = _find(_chunks(file, 12, end, "<I"), b"data")
        size = _at(file, ds64.begin + 8, 8) if ds64 else b""
        return data._replace(n_bytes=struct.unpack("<Q", size)[0]) if data and len(size) == 8 else None
    if kind == b"riff" and len(head) == 40:
        return _find(_chunks(file, 40, end, "<Q", name_length=16, counts_itself=True, multiple=8), b"data")
    if kind == b"caff":  # sizes of packets may come behind the samples
        chunks = list(_chunks(file, 8, end, ">q", multiple=1))
        return next((chunk for chunk in chunks if chunk.begin + chunk.n_bytes > end), None)
    if kind == b"FORM" and form in (b"AIFF", b"AIFC", b"8SVX", b"16SV"):
        return _find(_chunks(file, 12, end, ">I"), b"BODY" if form.endswith(b"SV") or form == b"8SVX" else b"SSND")
    if kind in (b".snd", b"dns.") and len(head) >= 12:
        begin, n_bytes = struct.unpack(">II" if kind == b".snd" else "<II", head[4:12])
        return Chunk(kind, begin, n_bytes) if n_bytes not in _UNKNOWN else None
    if head.startswith(b"NIST_1A\n"):
        return _nist_samples(file)
    return None


def _chunks(
    file: BinaryIO,
    begin: int,
    end: int,
    size: str,
    name_length: int = 4,
    counts_itself: bool = False,
    multiple: int = 2,
) -> Iterator[Chunk]:
    """Parts of a file, each with a header of name and size; they begin at multiples of so many bytes."""
    header_length = name_length + struct.calcsize(size)
    for _ in range(_MOST_CHUNKS):
        header = _at(file, begin, header_length)
        if len(header) < header_length:
            return
        begin += header_length
        n_bytes = struct.unpack(size, header[name_length:])[0]
        if counts_itself:
            n_bytes = max(0, n_bytes - header_length)
        yield Chunk(header[:4], begin, n_bytes)
        begin += n_bytes + -n_bytes % multiple
        if begin >= end or n_bytes < 0:
            return


def _find(chunks: Iterator[Chunk], name: bytes) -> Chunk | None:
    return next((chunk for chunk in chunks if chunk.name == name), None)


def _nist_samples(file: BinaryIO) -> Chunk | None:
    """NIST SPHERE: a header of text, its length in the second line."""
    fields: dict[bytes, bytes] = {}
    lines = _at(file, 0, 16384).split(b"\n")
    for line in lines[2:]:
        words = line.split(maxsplit=2)
        if len(words) == 3:
            fields[words[0]] = words[2]
    try:
        counts = [int(fields[name]) for name in (b"sample_count", b"channel_count", b"sample_n_bytes")]
        begin = int(lines[1])
    except (KeyError, ValueError, IndexError):
        return None
    return (
        Chunk(b"NIST", begin, counts[0] * counts[1] * counts[2])
        if fields.get(b"sample_coding", b"pcm") in (b"pcm", b"ulaw", b"alaw")
        else None
    )


def _missing_pages(file: BinaryIO, end: int) -> str | None:
    """Of an Ogg file, whose last page is marked so."""
    tail = _at(file, max(0, end - _TAIL), _TAIL)
    begin = tail.rfind(b"OggS")
    page = tail[begin:] if begin >= 0 else b""
    if len(page) < 27 or len(page) < 27 + page[26] or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]]):
        return "an Ogg stream without its last page"
    return None if page[5] & 4 else "an Ogg stream without its last page"


def _at(file: BinaryIO, begin: int, n_bytes: int) -> bytes:
    file.seek(begin)
    return file.read(n_bytes)


class Corrected(io.RawIOBase):
    """A binary file some bytes of whose header are taken to be others."""

    def __init__(self, file: BinaryIO, begin: int, content: bytes) -> None:
        super().__init__()
        self._file, self._begin, self._content = file, begin, content
        file.seek(0)

    def readable(self) -> bool:
        """As io.RawIOBase has it."""
        return True

    def seekable(self) -> bool:
        """As io.RawIOBase has it."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As io.RawIOBase has it."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As io.RawIOBase has it."""
        return self._file.tell()

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """As io.RawIOBase has it."""
        first = self._file.tell()
        read = bytearray(self._file.read(len(buffer)))
        for i, byte in enumerate(self._content, self._begin - first):
            if 0 <= i < len(read):
                read[i] = byte
        buffer[: len(read)] = bytes(read)
        return len(read)
