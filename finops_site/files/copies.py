"""Copies on this machine of files that are in a bucket, so that a second reading costs no transfer.

A copy is under the digest of the names, sizes and marks (ETag) of what it is a copy of: a file that changed in the
bucket is another one, and no copy is ever stale. The oldest go when all of them are larger than the limit, not those
that were used in the last hour: somebody may be reading them.
"""

import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

IN_USE_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as its place lists it; `mark` changes with its content."""

    name: str
    size: int
    mark: str
    changed_at: datetime


class Copies:
    """The copies of one host, below `root`, of `limit` bytes together."""

    def __init__(self, root: Path, limit: int) -> None:
        self.root, self.limit = root, limit

    def folder_of(self, files: Sequence[StoredFile], download: Callable[[StoredFile, Path], None]) -> Path:
        """The folder with a copy of each of these files, under the last part of its name; downloads what is not here.

        One that is not here is whole when it appears: a killed download leaves nothing under that name.
        """
        folder = self.root / _digest(files)
        with suppress(FileNotFoundError):
            os.utime(folder)
            return folder
        half = self.root / f"half-{uuid.uuid4().hex}"
        half.mkdir(parents=True)
        try:
            for file in files:
                download(file, half / _last(file.name))
            _keep(half, folder)
        finally:
            shutil.rmtree(half, ignore_errors=True)
        self._forget_old(besides=folder)
        return folder

    def take(self, files: Sequence[StoredFile], paths: Mapping[str, Path]) -> None:
        """Makes files of this machine, which were just stored, the copies of them; the paths are gone then."""
        folder, half = self.root / _digest(files), self.root / f"half-{uuid.uuid4().hex}"
        if sum(file.size for file in files) > self.limit or not all(file.mark for file in files):
            return
        half.mkdir(parents=True)
        try:
            for file in files:
                shutil.move(paths[file.name], half / _last(file.name))
            _keep(half, folder)
        finally:
            shutil.rmtree(half, ignore_errors=True)
        self._forget_old(besides=folder)

    def _forget_old(self, *, besides: Path) -> None:
        """Removes the copies that nobody used for longest, as many as are over the limit."""
        now, copies = time.time(), []
        for folder in self.root.iterdir():
            with suppress(FileNotFoundError):
                used_at = folder.stat().st_mtime
                copies.append((used_at, sum(path.stat().st_size for path in folder.iterdir()), folder))
        too_much = sum(size for _ignored, size, _ignored2 in copies) - self.limit
        for used_at, size, folder in sorted(copies):
            if too_much <= 0:
                return
            if folder != besides and now - used_at > IN_USE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
                too_much -= size


def _keep(half: Path, folder: Path) -> None:
    try:
        half.rename(folder)
    except OSError:
        # Another process was quicker; what it has is the same.
        if not folder.is_dir():
            raise


def _digest(files: Sequence[StoredFile]) -> str:
    lines = sorted(f"{file.name}\x1f{file.size}\x1f{file.mark}" for file in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:40]


def _last(name: str) -> str:
    return name.rpartition("/")[2]
