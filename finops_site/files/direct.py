"""Files of a bucket as DuckDB reads them without a copy, in parts: what is larger than all copies may be.

DuckDB's own way is an extension that has to be downloaded; this one goes through the same credentials as all else.
"""

import threading
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

import duckdb
from fsspec import AbstractFileSystem

from finops_site.files.places import SCHEME, Bucket
from finops_site.files.product import product_files


class StoredFiles(AbstractFileSystem):
    """The files of a bucket under ``stored://name``."""

    protocol = SCHEME
    cachable = False

    def __init__(self, bucket: Bucket) -> None:
        super().__init__()
        self.bucket = bucket

    def open(self, path: str, mode: str = "rb", **_: Any) -> Any:
        return _Parts(self.bucket, self._strip_protocol(path))

    def size(self, path: str) -> int:
        return self.bucket.about(self._strip_protocol(path)).size

    def modified(self, path: str) -> datetime:
        return self.bucket.about(self._strip_protocol(path)).changed_at

    def exists(self, path: str, **_: Any) -> bool:
        return bool(self.glob(path))

    def glob(self, path: str, **_: Any) -> list[str]:
        pattern = self._strip_protocol(path)
        listed = self.bucket.list(pattern.rpartition("/")[0])
        return [f"{SCHEME}://{name}" for name in listed if fnmatchcase(name, pattern)]


class _Parts:
    """A file of a bucket that is read in parts, all of the same version of it."""

    def __init__(self, bucket: Bucket, name: str) -> None:
        self.bucket, self.name, about = bucket, name, bucket.about(name)
        self.size, self.mark = about.size, about.mark
        # DuckDB's threads share the file: each seeks and then reads.
        self.here = threading.local()

    def seek(self, place: int, whence: int = 0) -> int:
        self.here.place = place + (0, self.tell(), self.size)[whence]
        return self.here.place

    def tell(self) -> int:
        return int(getattr(self.here, "place", 0))

    def read(self, size: int = -1) -> bytes:
        begin = self.tell()
        end = self.size if size < 0 else min(self.size, begin + size)
        if begin >= end:
            return b""
        options = {"range": (begin, end), **({"if_match": self.mark} if self.mark else {})}
        block = bytes(self.bucket.store.get(self.name, options=options).bytes())
        self.here.place = begin + len(block)
        return block

    def close(self) -> None:
        """Nothing is open between two reads."""


def read_stored(db: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Lets DuckDB read what `Place.folder_here` gives, where that is in a bucket; returns the same connection."""
    place = product_files()
    if isinstance(place, Bucket):
        db.register_filesystem(StoredFiles(place))
    return db
