"""Texts as they come, written anew as DuckDB reads them: in UTF-8, with lines that end alike. Pure: no Django."""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from costs.charges import files
from costs.formats.base import BadBill
from finops_site.lib.language import gettext as _

# A quote opens a cell only where a cell begins: after one of these, or after the quote it doubles.
BEFORE_A_CELL = frozenset(b',;\t|\n\r"')

WINDOWS = "cp1252"
# What is a character of several bytes in UTF-8, and hardly ever two beside one another in Windows-1252.
_UTF_8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_CAPITALS, _SMALL = rb"\x8a\x8c\x8e\xc0-\xd6\xd8-\xde", rb"\x9a\x9c\x9e\xdf-\xf6\xf8-\xfe"
_LETTER = rb"[A-Za-z" + _CAPITALS + _SMALL + rb"]"
# What no text of Western Europe has in Windows-1252, and texts in other code pages have nearly always.
_NOT_WINDOWS = re.compile(
    # Bytes that stand for nothing, or for a letter that hardly anybody writes.
    rb"[\x81\x8d\x8f\x90\x9d\x9f\xff]"
    # Three accented letters in a row: Cyrillic, Greek, Chinese.
    rb"|[" + _CAPITALS + _SMALL + rb"]{3}"
    # A sign inside a word (Polish), unless it is one of dashes, apostrophes and the like.
    rb"|"
    + _LETTER
    + rb"[\x83\x86-\x89\x8b\x91\x93-\x95\x98\x9b\xa1-\xac\xaf-\xb6\xb8-\xbf\xd7\xf7]"
    + _LETTER
    +
    # What opens a quotation, at the end of a word (DOS).
    rb"|"
    + _LETTER
    + rb"[\x82\x84\xa1\xbf]"
    # A capital behind a small letter (Macintosh).
    rb"|[a-z" + _SMALL + rb"][" + _CAPITALS + rb"]"
)
_WORD = re.compile(rb"[^\s,;|\"'(){}]*[\x80-\xff][^\s,;|\"'(){}]*")
# What is looked for may begin in one chunk and end in the next.
_OVERLAP = 3


@dataclass(frozen=True, slots=True)
class OtherText:
    """Text in Windows-1252: the first word that shows it, and its line."""

    word: str
    line: int


def rewrite(path: Path, target: Path, name: str, *, limit: int, one_ending: bool) -> OtherText | None:
    """Writes the text of a file, which may be a gzip, as UTF-8; with `one_ending` its lines end alike.

    The text may be UTF-16 or Windows-1252; of the latter what shows it is returned. Raises BadBill when it cannot be
    read as text or is longer than `limit` bytes.
    """
    windows = in_windows_1252(path, name, limit=limit)
    chunks = _recoded(path, name, limit) if windows else _utf8(path, name, limit)
    with target.open("wb") as plain:
        for chunk in _with_one_ending(chunks) if one_ending else chunks:
            plain.write(chunk)
    return windows


def in_windows_1252(path: Path, name: str, *, limit: int) -> OtherText | None:
    """What shows that a text is written in Windows-1252, as Excel saves CSV: all its bytes are likely words in it.

    None for UTF-8, for a text that mixes both, and where another code page is as likely: nothing is guessed then.
    """
    if files.kind_of_text(path, name, limit=limit) not in ("csv", "jsonl"):
        return None
    other: OtherText | None = None
    line, before = 1, b""
    for chunk in _chunks(path, name, limit):
        text = before + chunk
        if not text.isascii():
            if _UTF_8.search(text) or _NOT_WINDOWS.search(text):
                return None
            if other is None and (word := _WORD.search(text)):
                above = line + text.count(b"\n", len(before), word.start())
                other = OtherText(word[0].decode(WINDOWS)[:60], above)
        line += chunk.count(b"\n")
        before = text[-_OVERLAP:]
    return other


def has_mixed_endings(path: Path, name: str, *, limit: int) -> bool:
    """Whether the lines of a CSV end in more than one way, or as on old Macintoshes; of any other file False."""
    if files.kind_of_text(path, name, limit=limit) not in ("csv", "utf-16"):
        return False
    endings = set()
    for _ignored, piece, is_quoted in _pieces(_utf8(path, name, limit)):
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


def _recoded(path: Path, name: str, limit: int) -> Iterator[bytes]:
    return (chunk.decode(WINDOWS).encode() for chunk in _chunks(path, name, limit))


def _utf8(path: Path, name: str, limit: int) -> Iterator[bytes]:
    chunks = _chunks(path, name, limit)
    first = next(chunks, b"")
    encoding = files.utf_16(first)
    if not encoding:
        yield first
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        yield decoder.decode(first).encode()
        for chunk in chunks:
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise BadBill(
            _("{name}: the text is damaged UTF-16 ({error}). Save it as UTF-8.").format(name=name, error=error)
        ) from None


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
