"""Files of a bucket as DuckDB reads them without a copy, in parts: what is larger than all copies may be.

DuckDB's own way is an extension that has to be downloaded; this one goes through the same credentials as all else.
"""

from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

import duckdb
from fsspec import AbstractFileSystem

from finops_site.files.places import SCHEME, Bucket
from finops_site.files.product import product_files

BUFFER = 1 << 20


class StoredFiles(AbstractFileSystem):
    """The files of a bucket under ``stored://name``."""

    protocol = SCHEME
    cachable = False

    def __init__(self, bucket: Bucket) -> None:
        super().__init__()
        self.bucket = bucket

    def open(self, path: str, mode: str = "rb", **_: Any) -> Any:
        import obstore

        return obstore.open_reader(self.bucket.store, self._strip_protocol(path), buffer_size=BUFFER)

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


def read_stored(db: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Lets DuckDB read what `Place.folder_here` gives, where that is in a bucket; returns the same connection."""
    place = product_files()
    if isinstance(place, Bucket):
        db.register_filesystem(StoredFiles(place))
    return db
