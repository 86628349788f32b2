"""Texts as they come, written anew as DuckDB reads them: in UTF-8, with lines that end alike. Pure: no Django."""

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from costs.charges import files
from costs.formats.base import BadBill

# A quote opens a cell only where a cell begins: after one of these, or after the quote it doubles.
BEFORE_A_CELL = frozenset(b',;\t|\n\r"')


def rewrite(path: Path, target: Path, name: str, *, limit: int, one_ending: bool) -> None:
    """Writes the text of a file, which may be a gzip or UTF-16, as UTF-8; with `one_ending` its lines end alike.

    Raises BadBill when it cannot be read as text or is longer than `limit` bytes.
    """
    chunks: Iterable[bytes] = _utf8(path, name, limit)
    with target.open("wb") as plain:
        for chunk in _with_one_ending(chunks) if one_ending else chunks:
            plain.write(chunk)


def has_mixed_endings(path: Path, name: str, *, limit: int) -> bool:
    """Whether the lines of a CSV end in more than one way, or as on old Macintoshes; of any other file False."""
    if files.kind_of_text(path, name, limit=limit) not in ("csv", "utf-16"):
        return False
    endings = set()
    for _, piece, is_quoted in _pieces(_utf8(path, name, limit)):
        if not is_quoted:
            both = piece.count(b"\r\n")
            counts = {"crlf": both, "lf": piece.count(b"\n") - both, "cr": piece.count(b"\r") - both}
            endings |= {ending for ending, count in counts.items() if count}
            if len(endings) > 1 or "cr" in endings:
                return True
    return False


def _chunks(path: Path, name: str, limit: int) -> Iterator[bytes]:
    if files.kind(path, name) == "gzip":
        yield from files.unpacked(path, name, limit)
        return
    with path.open("rb") as stream:
        while chunk := stream.read(files.CHUNK):
            yield chunk


def _utf8(path: Path, name: str, limit: int) -> Iterator[bytes]:
    chunks = _chunks(path, name, limit)
    first = next(chunks, b"")
    if not first.startswith(files.UTF_16):
        yield first
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder("utf-16")()
    try:
        yield decoder.decode(first).encode()
        for chunk in chunks:
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise BadBill(f"{name}: the text is damaged UTF-16 ({error}). Save it as UTF-8.") from None


def _with_one_ending(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for quote, part, is_quoted in _pieces(chunks):
        yield quote + (part if is_quoted else part.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))


def _pieces(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bytes, bool]]:
    """(the quote before the part if there is one, a part of the text without quotes, whether it stands within them).

    No CRLF is cut in two.
    """
    is_quoted, last, rest = False, ord("\n"), b""
    for chunk in chain(chunks, [b""]):
        text, rest = rest + chunk, b""
        if chunk and text.endswith(b"\r"):
            text, rest = text[:-1], b"\r"
        for number, part in enumerate(text.split(b'"')):
            if number:
                is_quoted, last = not is_quoted and last in BEFORE_A_CELL, ord('"')
            yield b'"' * bool(number), part, is_quoted
            last = part[-1] if part else last
