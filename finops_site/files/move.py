"""Files from one place to another, compared byte for byte; what is there already is not sent again."""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from finops_site.files.places import CHUNK, Place
from finops_site.files.product import FOLDERS

# What is done: files looked at, files in all, the name.
Progress = Callable[[int, int, str], None]


@dataclass(slots=True)
class Move:
    """What a run did: files and bytes in all, those that had to be sent, and names whose copy is another."""

    files: int = 0
    bytes: int = 0
    sent: int = 0
    differ: list[str] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        return not self.differ


def move_files(source: Place, target: Place, progress: Progress, *, only_compare: bool = False) -> Move:
    """Copies every file of the product that the target lacks, and reads each back; the source stays as it is.

    A run that was stopped is begun again: it sends what is missing. With `only_compare` nothing is sent. Raises
    FilesUnreachable.
    """
    move = Move()
    there = {name: file for folder in FOLDERS for name, file in target.list(folder).items()}
    files = [file for folder in FOLDERS for file in source.list(folder).values()]
    for number, file in enumerate(files, start=1):
        progress(number, len(files), file.name)
        try:
            stream, size = source.open(file.name)
        except FileNotFoundError:
            # It stopped counting meanwhile.
            continue
        with stream:
            digest = _digest(stream)
        move.files, move.bytes = move.files + 1, move.bytes + size
        is_same = file.name in there and there[file.name].size == size and _digest_of(target, file.name) == digest
        if not is_same and not only_compare:
            _send(source, target, file.name)
            move.sent += 1
            is_same = _digest_of(target, file.name) == digest
        if not is_same:
            move.differ.append(file.name)
    return move


def _send(source: Place, target: Place, name: str) -> None:
    if source.is_here:
        target.put(source.file_here(name), name)
        return
    stream, _ignored = source.open(name)
    with stream, tempfile.NamedTemporaryFile() as copy:
        while block := stream.read(CHUNK):
            copy.write(block)
        copy.flush()
        target.put(Path(copy.name), name)


def _digest_of(place: Place, name: str) -> str:
    try:
        stream, _ignored = place.open(name)
    except FileNotFoundError:
        return ""
    with stream:
        return _digest(stream)


def _digest(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := stream.read(CHUNK):
        digest.update(block)
    return digest.hexdigest()
