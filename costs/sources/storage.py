"""Where bills lie: a folder or a bucket, listed and fetched; each kind behind the same two verbs."""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings

from costs.charges.layouts import Entry

BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]\Z")
ACCOUNT = re.compile(r"[a-z0-9]{3,24}\Z")
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,500}\Z")
TIMEOUT_SECONDS = 60
TRIES = 4


class StorageProblem(Exception):
    """What keeps us from a source's bills, in words without any secret. `passing` says that trying again may help."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        self.passing = passing
        super().__init__(message)


class Storage(Protocol):
    """A place with bills."""

    def listing(self) -> Iterator[Entry]:
        """Every object below the source's prefix."""

    def fetch(self, key: str, target: Path) -> None:
        """Writes the object to `target`."""


class Folder:
    """A folder of this machine below one of FINOPS_FOLDERS."""

    def __init__(self, source: Any) -> None:
        self.root = folder_of(source.bucket)

    def listing(self) -> Iterator[Entry]:
        if not self.root.is_dir():
            raise StorageProblem(f"The folder {self.root} is not there.")
        for path in sorted(self.root.rglob("*")):
            # A link may lead out of the folder; a file that is still written would be read half.
            if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                stat = path.stat()
                modified = datetime.fromtimestamp(stat.st_mtime, UTC)
                yield Entry(str(path.relative_to(self.root)), str(stat.st_mtime_ns), stat.st_size, modified)

    def fetch(self, key: str, target: Path) -> None:
        path = (self.root / key).resolve()
        if not path.is_relative_to(self.root):
            raise StorageProblem(f"{key} leads out of the folder.")
        shutil.copyfile(path, target)


def folder_of(text: str) -> Path:
    """The folder a source names, below a folder that the administrator of the machine allows; raises StorageProblem."""
    allowed = [Path(each).resolve() for each in settings.FINOPS_FOLDERS]
    path = (allowed[0] / text).resolve() if allowed else Path(text).resolve()
    if not any(path.is_relative_to(each) for each in allowed):
        raise StorageProblem(f"{text} is not below a folder that FINOPS_FOLDERS allows.")
    return path


class S3:
    """An S3 bucket, by the machine's own credentials, by stored keys, or as a role that is assumed."""

    def __init__(self, source: Any) -> None:
        self.bucket, self.prefix = source.bucket, source.prefix
        self.client = _session(source).client("s3", **_address(source), config=_config())

    def listing(self) -> Iterator[Entry]:
        with _words(self._said):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
            for page in pages:
                for each in page.get("Contents", ()):
                    if not each["Key"].endswith("/"):
                        yield Entry(each["Key"], each["ETag"].strip('"'), each["Size"], each["LastModified"])

    def fetch(self, key: str, target: Path) -> None:
        with _words(self._said), target.open("wb") as out:
            shutil.copyfileobj(self.client.get_object(Bucket=self.bucket, Key=key)["Body"], out, 1 << 20)

    def _said(self, error: Exception) -> StorageProblem | None:
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, ClientError):
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            words = S3_WORDS.get(code, f"S3 answered {code or status}.")
            return StorageProblem(f"Bucket {self.bucket}: {words}", passing=status >= 500 or code == "SlowDown")
        if isinstance(error, BotoCoreError):
            return StorageProblem(f"Bucket {self.bucket}: {type(error).__name__}.", passing=True)
        return None


def aws_client(service: str, place: Any, *, tries: int = 1 + TRIES) -> Any:
    """A client of an AWS service as `place.credential` says, in `place.region`, at `place.endpoint` (empty: AWS's own).

    What must not be done twice is tried once: `tries` counts the first.
    Raises StorageProblem, in words without any secret, when the role cannot be assumed or the address is not allowed.
    """
    return _session(place).client(service, **_address(place), config=_config(tries))


S3_WORDS = {
    "NoSuchBucket": "there is no such bucket.",
    "AccessDenied": "access is denied; the role needs s3:ListBucket and s3:GetObject here.",
    "403": "access is denied; the role needs s3:ListBucket and s3:GetObject here.",
    "InvalidAccessKeyId": "the access key is not known.",
    "SignatureDoesNotMatch": "the secret key does not fit the access key.",
    "ExpiredToken": "the credentials have expired.",
}


def _config(tries: int = 1 + TRIES) -> Any:
    from botocore.config import Config

    return Config(
        retries={"total_max_attempts": tries, "mode": "standard"},
        connect_timeout=TIMEOUT_SECONDS,
        read_timeout=TIMEOUT_SECONDS,
        s3={"addressing_style": "path"},
    )


def _address(source: Any) -> dict[str, Any]:
    """Region and endpoint; an endpoint that is not the provider's own must be one that the settings allow."""
    found = {"region_name": source.region or "us-east-1"}
    if source.endpoint:
        found["endpoint_url"] = allowed_endpoint(source.endpoint)
    return found


def allowed_endpoint(url: str) -> str:
    """Raises StorageProblem unless FINOPS_STORAGE_ENDPOINTS names it: nobody's typing sends us anywhere else."""
    if url not in settings.FINOPS_STORAGE_ENDPOINTS:
        raise StorageProblem(f"{url} is not an address that FINOPS_STORAGE_ENDPOINTS allows.")
    return url


def _session(source: Any) -> Any:
    """A session with the source's credentials; a role is assumed anew for each synchronisation."""
    import boto3

    credential = source.credential
    secret = credential.secret() if credential else {}
    session = boto3.Session(
        aws_access_key_id=secret.get("access_key_id"), aws_secret_access_key=secret.get("secret_access_key")
    )
    if not (credential and credential.role_arn):
        return session
    asked = {"RoleArn": credential.role_arn, "RoleSessionName": "finops-bills"}
    if credential.external_id:
        asked["ExternalId"] = credential.external_id
    with _words(lambda error: StorageProblem(f"The role {credential.role_arn} cannot be assumed.")):
        given = session.client("sts", **_address(source), config=_config()).assume_role(**asked)["Credentials"]
    return boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


class AzureBlob:
    """A container of an Azure storage account, by a connection string or a SAS token."""

    def __init__(self, source: Any) -> None:
        try:
            from azure.storage.blob import ContainerClient
        except ImportError:
            raise StorageProblem("Azure needs the packages of requirements-cloud.txt.") from None
        self.name, self.prefix = source.bucket, source.prefix
        secret = source.credential.secret() if source.credential else {}
        account = allowed_endpoint(source.endpoint) if source.endpoint else _azure_account(source.region)
        token = secret.get("sas_token") or secret.get("account_key")
        self.client = ContainerClient(account, source.bucket, credential=token, retry_total=TRIES)

    def listing(self) -> Iterator[Entry]:
        with _words(self._said):
            for blob in self.client.list_blobs(name_starts_with=self.prefix or None):
                yield Entry(blob.name, str(blob.etag).strip('"'), blob.size, blob.last_modified)

    def fetch(self, key: str, target: Path) -> None:
        with _words(self._said), target.open("wb") as out:
            self.client.download_blob(key).readinto(out)

    def _said(self, error: Exception) -> StorageProblem | None:
        from azure.core.exceptions import AzureError, HttpResponseError

        if isinstance(error, HttpResponseError):
            words = {403: "access is denied.", 404: "there is no such container."}
            said = words.get(error.status_code or 0, f"Azure answered {error.status_code}.")
            return StorageProblem(f"Container {self.name}: {said}", passing=(error.status_code or 500) >= 500)
        if isinstance(error, AzureError):
            return StorageProblem(f"Container {self.name}: {type(error).__name__}.", passing=True)
        return None


def _azure_account(name: str) -> str:
    if not ACCOUNT.match(name):
        raise StorageProblem("The name of the storage account has 3 to 24 small letters and digits.")
    return f"https://{name}.blob.core.windows.net"


class GoogleCloud:
    """A Google Cloud Storage bucket, by the machine's own credentials or a stored service account."""

    def __init__(self, source: Any) -> None:
        try:
            from google.auth.credentials import AnonymousCredentials
            from google.cloud import storage
        except ImportError:
            raise StorageProblem("Google Cloud needs the packages of requirements-cloud.txt.") from None
        self.name, self.prefix = source.bucket, source.prefix
        options = {"api_endpoint": allowed_endpoint(source.endpoint)} if source.endpoint else None
        secret = source.credential.secret() if source.credential else {}
        with _words(lambda error: StorageProblem("The Google Cloud credentials cannot be used.")):
            if secret:
                self.client = storage.Client.from_service_account_info(secret, client_options=options)
            elif options:
                self.client = storage.Client("none", AnonymousCredentials(), client_options=options)
            else:
                self.client = storage.Client()

    def listing(self) -> Iterator[Entry]:
        with _words(self._said):
            for blob in self.client.list_blobs(self.name, prefix=self.prefix or None, timeout=TIMEOUT_SECONDS):
                mark = blob.etag or blob.md5_hash or str(blob.generation)
                yield Entry(blob.name, mark, int(blob.size or 0), blob.updated or datetime.now(UTC))

    def fetch(self, key: str, target: Path) -> None:
        with _words(self._said):
            self.client.bucket(self.name).blob(key).download_to_filename(str(target), timeout=TIMEOUT_SECONDS)

    def _said(self, error: Exception) -> StorageProblem | None:
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError

        if isinstance(error, GoogleAPIError):
            code = getattr(error, "code", None) or 0
            words = {403: "access is denied.", 404: "there is no such bucket."}
            said = words.get(code, f"Google Cloud answered {code}.")
            return StorageProblem(f"Bucket {self.name}: {said}", passing=code >= 500)
        if isinstance(error, GoogleAuthError):
            return StorageProblem(f"Bucket {self.name}: the credentials were refused.")
        return None


KINDS: Mapping[str, Callable[[Any], Storage]] = {
    "folder": Folder,
    "s3": S3,
    "azure": AzureBlob,
    "gcs": GoogleCloud,
}


def of(source: Any) -> Storage:
    """The place a source names. Raises StorageProblem when it cannot be reached as it is described."""
    return KINDS[source.kind](source)


@contextmanager
def _words(said: Callable[[Exception], StorageProblem | None]) -> Iterator[None]:
    """Lets an error of a provider's library out as a StorageProblem: its own text may hold addresses and tokens."""
    try:
        yield
    except StorageProblem:
        raise
    except Exception as error:
        problem = said(error)
        if problem is None and isinstance(error, OSError):
            problem = StorageProblem(f"{type(error).__name__}: {os.strerror(error.errno or 0)}.", passing=True)
        if problem is None:
            raise
        raise problem from None
