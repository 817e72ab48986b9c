"""Physical lines of a text file: numbered, bounded in memory, in whatever encoding it has."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, cast

from retrieval.errors import InvalidInput
from retrieval.sources.encodings import guess_encoding, wide_without_bom

MAX_LINE_BYTES = 1 << 20
_CHUNK = 1 << 18
_SAMPLE_BYTES = 1 << 16
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: it begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNDECODABLE = b"\xff"  # never occurs in UTF-8, so such a line is found later


class Line(NamedTuple):
    """One physical line. ``problem`` is "" or why ``text`` is only its beginning, for show."""

    number: int
    text: str
    problem: str


@dataclass(frozen=True, slots=True)
class TextFacts:
    """What one pass over the file found: encoding, how many lines, and the bytes of a BOM."""

    encoding: str
    lines: int
    bom: int
    newline: bytes
    empty: bool


def open_bytes(path: Path) -> IO[bytes]:
    """The file for reading, through gzip where its name ends in .gz."""
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def look_at(path: Path) -> TextFacts:
    """Read the file once, in constant memory, to learn its encoding and length.

    UTF-8 when it is valid or only a few lines are not; by BOM; else the legacy encoding
    that its first non-ASCII lines look most like.

    Raises:
        InvalidInput: the file cannot be read.
    """
    try:
        with open_bytes(path) as stream:
            return _look(stream)
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidInput(
            f"{path} cannot be read: {error}", "check the file and its rights"
        ) from error


def read_lines(path: Path, facts: TextFacts) -> Iterator[Line]:
    """Lines without their ends. Memory stays below a few MiB, whatever the file holds.

    A line above ``MAX_LINE_BYTES``, one that is not valid in the file's encoding and one
    with a NUL byte carry a ``problem``.
    """
    codec = "utf-8" if facts.encoding.startswith(("utf-16", "utf-32")) else facts.encoding
    try:
        with open_bytes(path) as stream:
            stream.read(facts.bom)
            for number, (data, size) in enumerate(_split(_chunks(stream, facts), facts.newline), 1):
                yield _line(number, data, size, codec)
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidInput(
            f"{path} cannot be read to its end: {error}", "the file is damaged; get it again"
        ) from error


def _line(number: int, data: bytes, size: int, codec: str) -> Line:
    if size > MAX_LINE_BYTES:
        problem = f"line has {size:,} bytes, at most {MAX_LINE_BYTES:,} are read"
    elif b"\x00" in data:
        problem = "contains a NUL byte"
    else:
        try:
            return Line(number, data.decode(codec), "")
        except UnicodeDecodeError as error:
            problem = f"not valid {codec} at byte {error.start + 1} of the line"
    return Line(number, data[:1000].decode(codec, "backslashreplace"), problem)


def _split(chunks: Iterator[bytes], newline: bytes) -> Iterator[tuple[bytes, int]]:
    """Lines as (bytes, true size); of a line that is too long only the beginning is kept."""
    rest, dropped = b"", 0
    for chunk in chunks:
        pieces = (rest + chunk).split(newline)
        rest = pieces.pop()
        for piece in pieces:
            yield piece.removesuffix(b"\r"), len(piece) + dropped
            dropped = 0
        if len(rest) > MAX_LINE_BYTES:
            dropped += len(rest) - 1000
            rest = rest[:1000]
    if rest or dropped:
        yield rest.removesuffix(b"\r"), len(rest) + dropped


def _chunks(stream: IO[bytes], facts: TextFacts) -> Iterator[bytes]:
    """Chunks in an encoding where a newline is one byte: UTF-16 and UTF-32 become UTF-8."""
    if not facts.encoding.startswith(("utf-16", "utf-32")):
        while chunk := stream.read(_CHUNK):
            yield chunk
        return
    decoder = codecs.getincrementaldecoder(facts.encoding)("replace")
    while chunk := stream.read(_CHUNK):
        yield _as_utf8(decoder.decode(chunk))
    if tail := decoder.decode(b"", final=True):
        yield _as_utf8(tail)


def _as_utf8(text: str) -> bytes:
    return text.encode("utf-8").replace("\ufffd".encode(), _UNDECODABLE)


def _look(stream: IO[bytes]) -> TextFacts:
    head = stream.read(_CHUNK)
    bom, encoding = next(
        ((len(mark), name) for mark, name in _BOMS if head.startswith(mark)), (0, "")
    )
    encoding = encoding or wide_without_bom(head[:_SAMPLE_BYTES])
    newline = b"\r" if b"\r" in head and b"\n" not in head else b"\n"
    sample, lines, last, decoder, valid = bytearray(), 0, b"", _utf8_decoder(), True
    chunk = head[bom:]
    while chunk:
        lines += chunk.count(newline)
        last = chunk[-1:]
        if not encoding:
            if valid:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    valid = False
            if len(sample) < _SAMPLE_BYTES and not chunk.isascii():
                sample += b"\n".join(x for x in chunk.split(newline)[1:-1] if not x.isascii())
                sample += b"" if sample else chunk[:_SAMPLE_BYTES]
                del sample[_SAMPLE_BYTES:]
        chunk = stream.read(_CHUNK)
    if not encoding:
        encoding = "utf-8" if valid and _complete(decoder) else guess_encoding(_lines_of(sample))
    return TextFacts(encoding, lines + (last != newline), bom, newline, not head[bom:].strip())


def _utf8_decoder() -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")()


def _complete(decoder: codecs.IncrementalDecoder) -> bool:
    return not decoder.getstate()[0]


def _lines_of(sample: bytearray) -> list[bytes]:
    lines = [line for line in bytes(sample).splitlines() if not line.isascii()]
    if len(sample) >= _SAMPLE_BYTES and len(lines) > 1:
        lines.pop()  # cut in the middle, perhaps in the middle of a character
    return lines
