"""Gzips as DuckDB reads them: the text they hold, unpacked once and checked on the way. Pure: no Django.

DuckDB's own way takes twice as long to unpack, knows no limit, and of several streams that were put one after the other
(``cat a.gz b.gz``) reads only the first.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import duckdb
from fsspec import AbstractFileSystem
from isal import igzip

from costs.charges import files
from costs.formats.base import BadBill

SCHEME = "unfolded"
# A gzip states its size modulo this (RFC 1952).
ROUND = 1 << 32
SAMPLE = 4 << 20
# So many of the last blocks are kept, for DuckDB reads those again that it had dropped for want of memory.
BLOCKS = 4


Read = TypeVar("Read")


class SizeMisjudged(OSError):
    """The text is longer or shorter than it was taken for."""


class Gzips(AbstractFileSystem):  # type: ignore[misc]
    """The gzips of a bill for DuckDB, under the addresses that `address` gives.

    No error may pass through DuckDB's threads: what is wrong with a gzip is kept, and `read_all` raises it.
    """

    protocol = SCHEME
    cachable = False

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.names: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        self.misjudged: set[str] = set()
        self.bad: BadBill | None = None

    def address(self, path: Path, name: str) -> str:
        """What DuckDB reads instead of the file; `name` is what people call it."""
        self.names[str(path)] = name
        return f"{SCHEME}://{path}"

    def read_all(self, attempt: Callable[[], Read]) -> Read:
        """What `attempt` makes of the texts, made again where a size was misjudged.

        Raises the BadBill that says what is wrong with a gzip (cut off, damaged, without end) before whatever was
        stumbled over because of it.
        """
        try:
            read = attempt()
        except (BadBill, duckdb.Error):
            if self._look_again():
                return self.read_all(attempt)
            raise
        return self.read_all(attempt) if self._look_again() else read

    def _look_again(self) -> bool:
        """Looks through the gzips whose size was misjudged; whether there were any."""
        if self.bad:
            raise self.bad
        paths, self.misjudged = self.misjudged, set()
        for path in paths:
            self.sizes[path] = self._measure(path)
        return bool(paths)

    def _measure(self, path: str) -> int:
        return sum(map(len, files.unpacked(Path(path), self.names[path], self.limit)))

    def open(self, path: str, mode: str = "rb", **_: Any) -> "GzipText":
        return GzipText(self, self._strip_protocol(path))

    def size(self, path: str) -> int:
        file = self._strip_protocol(path)
        if file not in self.sizes:
            # Zero is the end of several streams, the last of them empty: of nothing DuckDB would not even read a byte.
            self.sizes[file] = likely_size(Path(file)) or self._measure(file)
        return self.sizes[file]

    def exists(self, path: str, **_: Any) -> bool:
        return Path(self._strip_protocol(path)).exists()

    def glob(self, path: str, **_: Any) -> list[str]:
        return [path]

    def modified(self, path: str) -> datetime:
        return datetime.fromtimestamp(Path(self._strip_protocol(path)).stat().st_mtime, UTC)


@contextmanager
def readable(db: duckdb.DuckDBPyConnection, limit: int) -> Iterator[Gzips]:
    """Lets DuckDB read gzips that unfold to no more than `limit` bytes."""
    gzips = Gzips(limit)
    db.register_filesystem(gzips)
    try:
        yield gzips
    finally:
        db.unregister_filesystem(SCHEME)


def likely_size(path: Path) -> int:
    """The bytes of the text: what the end of the gzip states, and as many rounds more as its beginning makes likely.

    Wrong for several streams, and perhaps for texts of very uneven stuff: whoever reads notices.
    """
    packed = path.stat().st_size
    with path.open("rb") as raw:
        raw.seek(-4, 2)
        size_in_round = int.from_bytes(raw.read(4), "little")
        if packed < SAMPLE:
            return size_in_round
        raw.seek(0)
        with igzip.open(raw, "rb") as text:  # type: ignore[no-untyped-call]
            unpacked = len(text.read(SAMPLE))
            ratio = unpacked / raw.tell()
    return size_in_round + ROUND * max(0, round((packed * ratio - size_in_round) / ROUND))


class GzipText:
    """The text of one gzip, read forwards; anew from the start where DuckDB steps back further than the last blocks."""

    def __init__(self, gzips: Gzips, path: str) -> None:
        self.gzips, self.path, self.size = gzips, path, gzips.size(path)
        # DuckDB's threads share the file: each seeks and then reads.
        self.here = threading.local()
        self.lock = threading.Lock()
        self.blocks: OrderedDict[int, bytes] = OrderedDict()
        self._rewind()

    def _rewind(self) -> None:
        self.at, self.rest = 0, b""
        self.chunks = files.unpacked(Path(self.path), self.gzips.names[self.path], self.gzips.limit)

    def seek(self, offset: int, whence: int = 0) -> int:
        self.here.offset = offset
        return offset

    def tell(self) -> int:
        return getattr(self.here, "offset", 0)

    def read(self, count: int) -> bytes:
        """Fewer bytes than requested make DuckDB stop; `gzips` then knows why."""
        start = self.tell()
        with self.lock:
            try:
                block = self._block(start, count)
            except BadBill as bad:
                self.gzips.bad, block = bad, b""
            except SizeMisjudged:
                self.gzips.misjudged.add(self.path)
                block = b""
        self.here.offset = start + len(block)
        return block

    def _block(self, start: int, count: int) -> bytes:
        cached = self.blocks.get(start, b"")
        if len(cached) >= count:
            return cached[:count]
        if start < self.at:
            self._rewind()
        while self.at < start:
            self._next(min(files.CHUNK, start - self.at))
        self.blocks[start] = block = self._next(count)
        if len(self.blocks) > BLOCKS:
            self.blocks.popitem(last=False)
        return block

    def _next(self, count: int) -> bytes:
        parts, missing = [], count
        while missing:
            chunk = self.rest or next(self.chunks, b"")
            if not chunk:
                raise SizeMisjudged
            parts.append(chunk[:missing])
            self.rest = chunk[missing:]
            missing -= len(parts[-1])
        self.at += count
        if self.at == self.size and (self.rest or next(self.chunks, b"")):
            raise SizeMisjudged
        return b"".join(parts)

    def close(self) -> None:
        self.chunks.close()
