"""Where backups are put: a folder, a bucket of S3, or any place that an installed package of fsspec reaches.

The operator names it in the settings, and her environment has the credentials (AWS_ACCESS_KEY_ID, a role, the
AWS_ENDPOINT_URL of a MinIO): nobody who signs in can change it. A file is under its name only when it is whole.
"""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit


class TargetProblem(Exception):
    """Why the target did not take, list or give something, in one line."""


class Target(Protocol):
    address: str
    is_here: bool
    """Whether it is a folder of this machine."""

    def put(self, file: Path, name: str) -> None: ...

    def sizes(self) -> dict[str, int]:
        """The bytes of each file there, by name."""

    def fetch(self, name: str, file: Path) -> None: ...

    def remove(self, name: str) -> None: ...


def target_of(address: str) -> Target:
    """The target of an address; raises TargetProblem where no package reaches it."""
    scheme = urlsplit(address).scheme if "://" in address else ""
    if not scheme:
        return Folder(Path(address))
    return Bucket(address) if scheme == "s3" else FsspecPlace(address)


def split_address(address: str) -> tuple[Target, str]:
    """The target and the name in it of one file: s3://bucket/folder/finops-….finops."""
    place, _, name = address.rpartition("/")
    return target_of(place), name


class Folder:
    is_here = True

    def __init__(self, folder: Path) -> None:
        self.folder, self.address = folder, str(folder)

    def put(self, file: Path, name: str) -> None:
        with _plainly(self.address):
            if not self.folder.is_dir():
                raise TargetProblem(f"there is no folder {self.folder}.")
            half = self.folder / f".{name}.{uuid.uuid4().hex[:8]}.part"
            try:
                half.touch(mode=0o600)
                with file.open("rb") as source, half.open("wb") as out:
                    shutil.copyfileobj(source, out, 1 << 20)
                half.rename(self.folder / name)
            finally:
                half.unlink(missing_ok=True)

    def sizes(self) -> dict[str, int]:
        with _plainly(self.address):
            return {path.name: path.stat().st_size for path in self.folder.iterdir() if path.is_file()}

    def fetch(self, name: str, file: Path) -> None:
        with _plainly(self.address):
            shutil.copyfile(self.folder / name, file)

    def remove(self, name: str) -> None:
        with _plainly(self.address):
            (self.folder / name).unlink(missing_ok=True)


class Bucket:
    """S3, and what speaks as it does; boto3 reads credentials, region and endpoint from the environment."""

    is_here = False

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.address, self.bucket = address.rstrip("/"), parts.netloc
        self.prefix = f"{parts.path.strip('/')}/".lstrip("/")

    @property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        return boto3.client("s3", config=Config(connect_timeout=10, read_timeout=60, retries={"max_attempts": 5}))

    def put(self, file: Path, name: str) -> None:
        # In parts, each with its sum; the object is there only when the last part is.
        with _plainly(self.address):
            self._client.upload_file(str(file), self.bucket, self.prefix + name)

    def sizes(self) -> dict[str, int]:
        with _plainly(self.address):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
            objects = [row for page in pages for row in page.get("Contents", ())]
        return {row["Key"].removeprefix(self.prefix): row["Size"] for row in objects}

    def fetch(self, name: str, file: Path) -> None:
        with _plainly(self.address):
            self._client.download_file(self.bucket, self.prefix + name, str(file))

    def remove(self, name: str) -> None:
        with _plainly(self.address):
            self._client.delete_object(Bucket=self.bucket, Key=self.prefix + name)


class FsspecPlace:
    """What an installed package of fsspec reaches, as gs:// with gcsfs or sftp:// with paramiko."""

    is_here = False

    def __init__(self, address: str) -> None:
        import fsspec

        self.address = address.rstrip("/")
        try:
            self.system, self.root = fsspec.core.url_to_fs(self.address)
        except (ImportError, ValueError) as error:
            raise TargetProblem(f"{self.address} cannot be reached: {error}") from None

    def put(self, file: Path, name: str) -> None:
        half = f"{self.root}/.{name}.part"
        with _plainly(self.address):
            self.system.makedirs(self.root, exist_ok=True)
            self.system.put_file(str(file), half)
            self.system.mv(half, f"{self.root}/{name}")

    def sizes(self) -> dict[str, int]:
        with _plainly(self.address):
            if not self.system.exists(self.root):
                return {}
            return {row["name"].rpartition("/")[2]: row["size"] for row in self.system.ls(self.root, detail=True)}

    def fetch(self, name: str, file: Path) -> None:
        with _plainly(self.address):
            self.system.get_file(f"{self.root}/{name}", str(file))

    def remove(self, name: str) -> None:
        with _plainly(self.address):
            self.system.rm_file(f"{self.root}/{name}")


@contextmanager
def _plainly(address: str) -> Iterator[None]:
    """Whatever a place answers becomes one line; packages of fsspec raise what they like."""
    try:
        yield
    except TargetProblem:
        raise
    except Exception as error:
        words = " ".join(str(getattr(error, "strerror", None) or error).split())[:300]
        raise TargetProblem(f"{address} answered: {words or type(error).__name__}.") from None
