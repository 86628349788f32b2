"""Where files of the product are: a folder of this machine (or one that hosts share), or a bucket of object storage.

Files have names as ``bills/17/delivered/000-march.csv`` in both. One is under its name only when it is whole: a folder
gets it by a rename, a bucket by one PUT. What a bucket has is read from a copy on this machine (copies.py), except for
what is too large for it.

Nobody may take a bucket that does not answer for an empty one: it raises FilesUnreachable, and only a bucket that
answers may say that a file is not there (FileNotFoundError).
"""

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import urlsplit

from finops_site.files.copies import Copies, StoredFile
from finops_site.lib.language import gettext as _

# Under this scheme DuckDB reads a bucket itself, through direct.py.
SCHEME = "stored"
SCHEMES = ("s3", "gs", "az", "abfs", "abfss", "memory")
CHUNK = 8 << 20
PATIENCE: dict[str, str] = {"connect_timeout": "3s", "timeout": "300s"}
SCRATCH = "scratch-"
STATUS = re.compile(r"status code: (\d{3})")


class FilesUnreachable(OSError):
    """The place of files does not answer, or refuses; what it has is not known, and nothing there was changed."""


class Place(Protocol):
    """Where files are. Every method raises FilesUnreachable where the place does not answer."""

    address: str
    is_here: bool
    """Whether it is a folder that this machine sees."""

    def work_folder(self, name: str) -> Path:
        """A folder of this machine in which to make what goes there: in a folder it is that folder itself."""

    def put(self, file: Path, name: str) -> None:
        """Stores a copy of the file, in the place of what has this name."""

    def put_folder(self, folder: Path, name: str) -> None:
        """Stores the files of a folder, which goes, in the place of all that is below this name."""

    def list(self, name: str = "") -> dict[str, StoredFile]:
        """What is below this name, by name; in a folder without what is still being made."""

    def folders(self, name: str) -> set[str]:
        """The names of the folders right below this one."""

    def file_here(self, name: str) -> Path:
        """Where the file can be read on this machine. Raises FileNotFoundError where the place has none."""

    def folder_here(self, name: str, inside: str = "") -> str:
        """Where DuckDB reads the files of a folder; those of the folder `inside` it, where there is one."""

    def open(self, name: str) -> tuple[IO[bytes], int]:
        """A file to be read from its beginning, and its bytes. Raises FileNotFoundError where the place has none."""

    def remove(self, name: str) -> None:
        """Removes the file, or all that is below the name; what is not there is no error."""

    def set_aside(self, name: str, other: str) -> None:
        """Gives all that is below a name another one."""


def place_of(address: str, *, var: Path, copies_limit: int) -> Place:
    """The place of an address: a folder, or s3://bucket/folder, gs://… and az://container/folder; raises ValueError.

    Copies of what is in a bucket are kept below `var`, of at most `copies_limit` bytes.
    """
    scheme = urlsplit(address).scheme if "://" in address else ""
    if not scheme:
        return Folder(Path(address))
    if scheme not in SCHEMES:
        raise ValueError(f"{address}: files are kept in a folder, or at s3://, gs:// or az://.")
    if scheme != "memory" and not urlsplit(address).netloc:
        raise ValueError(f"{address} names no bucket.")
    return Bucket(address, var, copies_limit)


class Folder:
    """Files below a folder."""

    is_here = True

    def __init__(self, root: Path) -> None:
        self.root, self.address = root, str(root)

    def work_folder(self, name: str) -> Path:
        return self.root / name

    def put(self, file: Path, name: str) -> None:
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        half = target.with_name(f".{uuid.uuid4().hex}.part")
        try:
            shutil.copyfile(file, half)
            half.replace(target)
        finally:
            half.unlink(missing_ok=True)

    def put_folder(self, folder: Path, name: str) -> None:
        target = self.root / name
        if target == folder:
            return
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.rename(target)
        except OSError as error:
            if error.errno != 18:  # EXDEV: the two lie on different disks
                raise
            half = target.with_name(f"{SCRATCH}{uuid.uuid4().hex}")
            try:
                shutil.copytree(folder, half)
                half.rename(target)
            finally:
                shutil.rmtree(half, ignore_errors=True)
            shutil.rmtree(folder)

    def list(self, name: str = "") -> dict[str, StoredFile]:
        listed, root = {}, self.root / name
        for path in sorted(root.rglob("*")):
            inside = path.relative_to(self.root)
            is_scratch = any(part.startswith(SCRATCH) for part in inside.parts) or path.match(".*.part")
            if path.is_symlink() or is_scratch or not path.is_file():
                continue
            with suppress(FileNotFoundError):
                about = path.stat()
                mark, changed = str(about.st_mtime_ns), datetime.fromtimestamp(about.st_mtime, UTC)
                listed[inside.as_posix()] = StoredFile(inside.as_posix(), about.st_size, mark, changed)
        return listed

    def folders(self, name: str) -> set[str]:
        return {path.name for path in (self.root / name).glob("*") if path.is_dir()}

    def file_here(self, name: str) -> Path:
        return self.root / name

    def folder_here(self, name: str, inside: str = "") -> str:
        own = self.root / name / inside
        return str(own if own.is_dir() else self.root / name)

    def open(self, name: str) -> tuple[IO[bytes], int]:
        file = (self.root / name).open("rb")
        return file, os.fstat(file.fileno()).st_size

    def remove(self, name: str) -> None:
        path = self.root / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def set_aside(self, name: str, other: str) -> None:
        (self.root / name).rename(self.root / other)


class Bucket:
    """Files below a prefix of object storage, by the credentials of the environment."""

    is_here = False

    def __init__(self, address: str, var: Path, copies_limit: int) -> None:
        self.address, self.var = address.rstrip("/"), var
        self.copies = Copies(var / "copies", copies_limit)
        self._opened: Any = None

    @property
    def store(self) -> Any:
        # Not before it is needed: its threads do not live on in a process that is forked from this one.
        if self._opened is None:
            self._opened = open_store(self.address, PATIENCE, retries=2)
        return self._opened

    def work_folder(self, name: str) -> Path:
        return self.var / name

    def put(self, file: Path, name: str) -> None:
        self._put(file, name)

    def _put(self, file: Path, name: str) -> StoredFile:
        with self._plainly():
            # In parts where it is large: the object is there when the last one is.
            result = self.store.put(name, file)
        return StoredFile(name, file.stat().st_size, str(result["e_tag"] or ""), datetime.now(UTC))

    def put_folder(self, folder: Path, name: str) -> None:
        before = set(self.list(name))
        stored = {}
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            inside = path.relative_to(folder).as_posix()
            stored[f"{name}/{inside}"] = self._put(path, f"{name}/{inside}")
        self._delete(before - set(stored))
        # Who brought it reads it next.
        for file in stored.values():
            # Of no consequence where it fails, as on a full disk: it is fetched when it is read.
            with suppress(OSError):
                self.copies.take([file], {file.name: folder / file.name.removeprefix(f"{name}/")})
        shutil.rmtree(folder, ignore_errors=True)

    def list(self, name: str = "") -> dict[str, StoredFile]:
        with self._plainly():
            chunks = list(self.store.list(f"{name}/" if name else None))
        rows = [row for chunk in chunks for row in chunk]
        return {row["path"]: stored_file(row) for row in sorted(rows, key=lambda row: str(row["path"]))}

    def folders(self, name: str) -> set[str]:
        with self._plainly():
            prefixes = self.store.list_with_delimiter(f"{name}/")["common_prefixes"]
        return {prefix.rstrip("/").rpartition("/")[2] for prefix in prefixes}

    def about(self, name: str) -> StoredFile:
        """Size and mark of a file. Raises FileNotFoundError where the bucket answers that it has none."""
        with self._plainly():
            with suppress(FileNotFoundError):
                return stored_file(self.store.head(name))
            # A bucket that is gone answers the same; a list of it tells the two apart.
            self.store.list_with_delimiter(name)
        raise FileNotFoundError(_("{name} is not at {address}.").format(name=name, address=self.address))

    def file_here(self, name: str) -> Path:
        file = self.about(name)
        return self.copies.folder_of([file], self._download) / name.rpartition("/")[2]

    def folder_here(self, name: str, inside: str = "") -> str:
        listed = self.list(name)
        own = [file for file in listed.values() if inside and file.name.startswith(f"{name}/{inside}/")]
        name = f"{name}/{inside}" if own else name
        files = own or [file for file in listed.values() if "/" not in file.name.removeprefix(f"{name}/")]
        if sum(file.size for file in files) > self.copies.limit:
            return f"{SCHEME}://{name}"
        return str(self.copies.folder_of(files, self._download))

    def open(self, name: str) -> tuple[IO[bytes], int]:
        import obstore

        size = self.about(name).size
        with self._plainly():
            reader = obstore.open_reader(self.store, name, buffer_size=CHUNK)
        return _Reader(self, reader), size  # type: ignore[return-value]

    def remove(self, name: str) -> None:
        names = set(self.list(name))
        with self._plainly(), suppress(FileNotFoundError):
            self.store.head(name)
            names.add(name)
        self._delete(names)

    def set_aside(self, name: str, other: str) -> None:
        for file in self.list(name):
            with self._plainly():
                self.store.copy(file, f"{other}{file.removeprefix(name)}")
        self.remove(name)

    def _delete(self, names: set[str]) -> None:
        if names:
            with self._plainly():
                self.store.delete(sorted(names))

    def _download(self, file: StoredFile, target: Path) -> None:
        with target.open("wb") as out, self._plainly():
            size = sum(out.write(block) for block in self.store.get(file.name).stream(min_chunk_size=CHUNK))
        if size != file.size:
            raise FilesUnreachable(
                _("{address} gave {size} of {expected} bytes of {name}.").format(
                    address=self.address, size=size, expected=file.size, name=file.name
                )
            )

    def _plainly(self) -> Any:
        return plainly(self.address)


class _Reader:
    """A file of a bucket that is read from its beginning; what goes wrong meanwhile is said as everywhere."""

    def __init__(self, bucket: Bucket, reader: Any) -> None:
        self.bucket, self.reader = bucket, reader

    def read(self, size: int = -1) -> bytes:
        """So many bytes, fewer only at the end: the reader itself gives what it happens to have."""
        blocks: list[bytes] = []
        with plainly(self.bucket.address):
            while size and (block := bytes(self.reader.read(None if size < 0 else size))):
                blocks.append(block)
                size -= len(block) if size > 0 else 0
        return b"".join(blocks)

    def close(self) -> None:
        self.reader.close()

    def __enter__(self) -> "_Reader":
        return self

    def __exit__(self, *_ignored: object) -> None:
        self.close()


def open_store(address: str, patience: dict[str, str], retries: int) -> Any:
    """obstore's store of an address; credentials, region and endpoint are those of the environment."""
    from obstore.store import MemoryStore, from_url

    if address.startswith("memory://"):
        return MemoryStore()
    # A MinIO or an emulator of this machine has no TLS; its address says so, in the operator's own environment.
    endpoints = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT")
    is_plain = any(os.environ.get(name, "").startswith("http://") for name in endpoints)
    options: Any = {**patience, "allow_http": is_plain}
    return from_url(address, client_options=options, retry_config={"max_retries": retries})


def stored_file(row: Any) -> StoredFile:
    return StoredFile(str(row["path"]), int(row["size"]), str(row["e_tag"] or ""), row["last_modified"])


@contextmanager
def plainly(address: str) -> Iterator[None]:
    """Whatever object storage answers becomes FilesUnreachable, with a sentence for people."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, FileNotFoundError, PermissionError, ValueError) as error:
        raise FilesUnreachable(_reason(error).format(address=address)) from error


def _reason(error: Exception) -> str:
    # Of a list that fails only the text says how.
    status = STATUS.search(str(error))
    code = int(status[1]) if status else 404 if isinstance(error, FileNotFoundError) else 0
    if code in (401, 403):
        return _("{address}, where files are kept, refuses access; nothing there was changed.")
    if code == 404:
        return _("{address}, where files are kept, is not there; nothing was changed.")
    return _("{address}, where files are kept, does not answer; nothing there was changed. Try again later.")
