"""Bill files before anyone trusts them: what they are, how far they unfold, where their header is. Pure: no Django."""

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

from isal import igzip, isal_zlib

from costs.formats.base import TAG_COLUMNS, BadBill
from finops_site.lib.language import gettext as _
from finops_site.lib.words import number_text

GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
PARQUET = b"PAR1"
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
CHUNK = 1 << 20
MAX_HEADER = 1 << 20
MAX_COLUMNS = 2_000
LINE_END = re.compile(rb"\r\n|\n|\r")
# A line with what stands within its quotes, line ends and all.
QUOTED_LINE = re.compile(rb'(?:[^"\r\n]++|"(?:[^"]++|"")*+")*+')
# UTF-16 without its mark shows in so many bytes.
SHOWN = 64
# How Excel is told the delimiter.
SEPARATOR_LINE = re.compile(rb'(?:\xef\xbb\xbf)?"?sep=(.|\\t)"?', re.IGNORECASE)
csv.field_size_limit(16 << 20)
DELIMITERS = ",;\t|"


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def kind(path: Path, name: str) -> str:
    """``parquet``, ``gzip``, ``zip``, ``utf-16``, ``jsonl`` (JSON of any layout) or ``csv`` by the first bytes.

    Raises BadBill for what cannot be a bill.
    """
    with path.open("rb") as stream:
        head = stream.read(4096)
    if not head:
        raise BadBill(_("{name}: the file is empty.").format(name=name))
    return _kind_of(head, name)


def kind_of_text(path: Path, name: str, *, limit: int) -> str:
    """The kind of a file, of a gzip that of what is in it."""
    if (outside := kind(path, name)) != "gzip":
        return outside
    return _kind_of(next(unpacked(path, name, limit), b""), name)


def _kind_of(head: bytes, name: str) -> str:
    if head.startswith(PARQUET):
        return "parquet"
    if head.startswith(GZIP):
        return "gzip"
    if head.startswith(ZIP):
        return "zip"
    if utf_16(head):
        return "utf-16"
    if b"\x00" in head[:512].replace(b"\x00", b"", 3) or head.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8")):
        raise BadBill(
            _(
                "{name}: this is no bill but a binary file; we read CSV, JSON (plain, gzipped or in a ZIP) and Parquet."
            ).format(name=name)
        )
    return "jsonl" if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith((b"{", b"[")) else "csv"


def utf_16(head: bytes) -> str:
    """The codec of a text in UTF-16, by its mark or by the zeros at every other place; empty for any other text."""
    if head.startswith(UTF_16):
        return "" if head.startswith(codecs.BOM_UTF32_LE) else "utf-16"
    even, odd = head[:SHOWN:2], head[1:SHOWN:2]
    if len(odd) < 8 or any(even) == any(odd):
        return ""
    zeros, letters, codec = (even, odd, "utf-16-be") if any(odd) else (odd, even, "utf-16-le")
    return codec if all(letters) and not any(zeros) else ""


def unfold(path: Path, target: Path, name: str, *, limit: int) -> None:
    """Unpacks a gzip into `target`; raises BadBill when it ends early or would grow past `limit` bytes."""
    with target.open("wb") as plain:
        for chunk in unpacked(path, name, limit):
            plain.write(chunk)


def head_of_gzip(path: Path, target: Path, name: str, *, limit: int) -> None:
    """Unpacks the first megabyte into `target`."""
    target.write_bytes(next(unpacked(path, name, limit), b""))


def unpacked(path: Path, name: str, limit: int) -> Generator[bytes]:
    """The text of a gzip, a megabyte at a time; raises BadBill when it ends early, is damaged or grows past `limit`."""
    size = 0
    try:
        with igzip.open(path, "rb") as packed:  # type: ignore[no-untyped-call]
            while chunk := packed.read(CHUNK):
                size += len(chunk)
                if size > limit:
                    raise BadBill(
                        _("{name}: unfolds to more than {limit} bytes and was not read further.").format(
                            name=name, limit=number_text(limit)
                        )
                    )
                yield chunk
    except EOFError:
        raise BadBill(
            _("{name}: the gzip file ends early; it was cut off. Fetch it again.").format(name=name)
        ) from None
    except (igzip.BadGzipFile, isal_zlib.error) as error:  # type: ignore[misc]
        raise BadBill(
            _("{name}: the gzip file is damaged ({error}). Fetch it again.").format(name=name, error=error)
        ) from None


@dataclass(frozen=True, slots=True)
class Layout:
    """How a CSV is written: its columns (made unique) and its delimiter; `bare` are last columns that no row has.

    `skip` lines stand above the header. `has_word_none`: in this file ``None`` and ``null`` are values like any other,
    for somebody has tagged so. `new_line` is how rows end where names in the header have line ends, which may be
    others.
    """

    columns: tuple[str, ...]
    delimiter: str
    bare: tuple[str, ...] = ()
    skip: int = 0
    has_word_none: bool = False
    new_line: str = ""


def lines_in_head(path: Path) -> int:
    """How many lines the first megabyte has."""
    with path.open("rb") as stream:
        return stream.read(MAX_HEADER).count(b"\n") + 1


def preamble(path: Path, lines: int) -> dict[str, str]:
    """What the lines above the header state: the cells of a row by the names in the row above it."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        rows = list(csv.reader(islice(stream, lines)))
    pairs = [(names, cells) for names, cells in pairwise(rows) if len(names) == len(cells) > 2]
    return {name.strip(): cell for names, cells in pairs for name, cell in zip(names, cells, strict=True) if cell}


def csv_layout(path: Path, name: str, *, skip: int = 0) -> Layout:
    """The header of a CSV below `skip` lines; raises BadBill when there is none.

    A first line ``sep=;`` names the delimiter, and is no header.
    """
    with path.open("rb") as stream:
        start = stream.read(2 * MAX_HEADER)
    first_line, *_ignored = LINE_END.split(start, maxsplit=1)
    if len(first_line) >= MAX_HEADER:
        raise BadBill(_("{name}: this is no bill: its first line is longer than a megabyte.").format(name=name))
    separator = SEPARATOR_LINE.fullmatch(first_line)
    skip = max(skip, 1) if separator else skip
    text = (LINE_END.split(start, maxsplit=skip)[skip:] or [b""])[0] if skip else start
    line, new_line, below = _first_line(text)
    try:
        head = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadBill(
            _(
                "{name}: line {value}, the header, is not UTF-8 text; save the bill as UTF-8 and deliver it again."
            ).format(name=name, value=skip + 1)
        ) from None
    delimiter = separator[1].decode().replace("\\t", "\t") if separator else max(DELIMITERS, key=head.count)
    columns = _first_row(head, delimiter)
    if len(columns) < 2:
        raise BadBill(
            _("{name}: this is no bill we know: its first line is not a header of columns.").format(name=name)
        )
    if len(columns) > MAX_COLUMNS:
        raise BadBill(
            _("{name}: {columns} columns are more than the {most} that are read.").format(
                name=name, columns=len(columns), most=MAX_COLUMNS
            )
        )
    unique = tuple(_unique(" ".join(filter(None, map(str.strip, column.splitlines()))) for column in columns))
    first = below.decode("utf-8", "replace")
    cells = len(_first_row(first, delimiter)) or len(columns)
    if 1 < cells < len(unique):
        # Some exports leave out the last cells of every row; a single short row is a row cut off.
        rows = [row for row in islice(_rows(first, delimiter), 1000) if row]
        # The last row may be cut itself.
        if all(len(row) == cells for row in rows[:-1] or rows):
            return Layout(unique[:cells], delimiter, unique[cells:], skip, new_line=new_line)
    has_word_none = _has_word_none(unique, first, delimiter)
    return Layout(unique, delimiter, skip=skip, has_word_none=has_word_none, new_line=new_line)


def _first_line(text: bytes) -> tuple[bytes, str, bytes]:
    """(the first line, the line end behind it, what is below it).

    Where quotes are open at its end, the line goes on behind them; only then the line end is given, else it is empty.
    """
    line, below = (*LINE_END.split(text, maxsplit=1), b"")[:2]
    row = QUOTED_LINE.match(text) if line.count(b'"') % 2 else None
    end = row and LINE_END.match(text, row.end())
    if row is None or end is None:
        return line, "", below
    return row[0], end[0].decode(), text[end.end() :]


def _has_word_none(columns: Sequence[str], text: str, delimiter: str) -> bool:
    """Whether the first rows have ``None`` or ``null`` as values of tags: nowhere else, and beside empty cells."""
    places = {place for place, column in enumerate(columns) if column.lower().startswith(TAG_COLUMNS)}
    if not places:
        return False
    words = {"none", "null", "(null)"}
    rows = [row for row in islice(_rows(text, delimiter), 1000) if len(row) == len(columns)]
    tags = {row[place].strip().lower() for row in rows for place in places}
    if "" not in tags or tags.isdisjoint(words):
        return False
    return not any(
        cell.strip().lower() in words for row in rows for place, cell in enumerate(row) if place not in places
    )


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """The rows as far as they can be read as CSV."""
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    except csv.Error:
        return


def _first_row(text: str, delimiter: str) -> list[str]:
    return next(_rows(text, delimiter), [])


def _unique(columns: Iterable[str]) -> Iterator[str]:
    """DuckDB wants every column once, whatever its case; a repeated name gets a number."""
    seen: dict[str, int] = {}
    for number, column in enumerate(columns):
        base = column or f"column{number}"
        count = seen[base.lower()] = seen.get(base.lower(), 0) + 1
        yield base if count == 1 else f"{base} ({count})"


def lines_of_records(path: Path, layout: Layout, wanted: Iterable[int]) -> dict[int, int]:
    """On which line of the file each wanted record starts; records are counted as DuckDB counts them, from 1."""
    return {record: line for record, (line, _ignored) in rows_of_records(path, layout, wanted).items()}


def rows_of_records(path: Path, layout: Layout, wanted: Iterable[int]) -> dict[int, tuple[int, list[str]]]:
    """{record: (the line on which it starts, its cells as they are written)} of the wanted records.

    Only called where somebody must look at single rows: it reads up to the last wanted record.
    """
    targets = set(wanted)
    rows: dict[int, tuple[int, list[str]]] = {}
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        for _ignored in range(layout.skip):
            next(stream, None)
        reader = csv.reader(stream, delimiter=layout.delimiter)
        next(reader, None)
        record, line = 0, layout.skip + reader.line_num
        for row in reader:
            start, line = line + 1, layout.skip + reader.line_num
            # DuckDB sees neither blank lines nor rows of more or fewer cells nor what is not valid UTF-8.
            is_broken = any("\udc80" <= char <= "\udcff" for cell in row for char in cell)
            record += len(row) == len(layout.columns) and not is_broken
            if record in targets:
                rows.setdefault(record, (start, row))
            if targets and record >= max(targets):
                break
    return rows


def line_at(path: Path, offsets: Iterable[int]) -> dict[int, int]:
    """The line number of each byte offset."""
    lines, line, position = {}, 1, 0
    with path.open("rb") as stream:
        for offset in sorted(set(offsets)):
            while position < offset and (chunk := stream.read(min(CHUNK, offset - position))):
                line += chunk.count(b"\n")
                position += len(chunk)
            lines[offset] = line
    return lines
