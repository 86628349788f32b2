"""Bills in S3, and clients of AWS services: by the machine's own credentials, by stored keys, or as a role."""

import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from costs.charges.layouts import Entry
from costs.sources.storage import (
    Bucket,
    CloudAddress,
    StorageProblem,
    allowed_endpoint,
    as_storage_problem,
    secret_of,
    timeout_seconds,
    tries_again,
)
from finops_site.translation import gettext_lazy as _lazy

if TYPE_CHECKING:
    import boto3

REGION = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
READS, WRITES = "s3:ListBucket and s3:GetObject", "s3:PutObject"
DENIED = ("AccessDenied", "403")
EXPLANATIONS = {
    "NoSuchBucket": _lazy("there is no such bucket."),
    "InvalidAccessKeyId": _lazy("the access key is not known."),
    "SignatureDoesNotMatch": _lazy("the secret key does not fit the access key."),
    "ExpiredToken": _lazy("the credentials have expired."),
}


class S3Bucket:
    """An S3 bucket."""

    def __init__(self, source: Bucket) -> None:
        self.bucket, self.prefix = source.bucket, source.prefix
        self.client = aws_client("s3", source)

    def listing(self) -> Iterator[Entry]:
        with as_storage_problem(self._explain):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
            for page in pages:
                for item in page.get("Contents", ()):
                    if not item["Key"].endswith("/"):
                        yield Entry(item["Key"], item["ETag"].strip('"'), item["Size"], item["LastModified"])

    def fetch(self, key: str, target: Path) -> None:
        with as_storage_problem(self._explain), target.open("wb") as out:
            shutil.copyfileobj(self.client.get_object(Bucket=self.bucket, Key=key)["Body"], out, 1 << 20)

    def store(self, key: str, path: Path) -> None:
        with as_storage_problem(partial(self._explain, needed=WRITES)):
            self.client.upload_file(str(path), self.bucket, key)

    def _explain(self, error: Exception, needed: str = READS) -> StorageProblem | None:
        from boto3.exceptions import S3UploadFailedError
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, S3UploadFailedError):
            # It hides the error of S3 in its text, and as its context.
            error = error.__context__ if isinstance(error.__context__, Exception) else error
        if isinstance(error, ClientError):
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            explanation = EXPLANATIONS.get(code, _("S3 answered {value}.").format(value=code or status))
            if code in DENIED:
                explanation = _("access is denied; the role needs {needed} here.").format(needed=needed)
            is_temporary = status >= 500 or code == "SlowDown"
            words = _("Bucket {bucket}: {explanation}").format(bucket=self.bucket, explanation=explanation)
            return StorageProblem(words, is_temporary=is_temporary, is_denied=code in DENIED)
        if isinstance(error, BotoCoreError):
            return StorageProblem(
                _("Bucket {bucket}: {name}.").format(bucket=self.bucket, name=type(error).__name__), is_temporary=True
            )
        return None


def aws_client(service: str, address: CloudAddress, *, tries: int | None = None) -> Any:
    """A client of an AWS service at this address.

    What must not be done twice is tried once: `tries` counts the first; without it, as a storage is.
    Raises StorageProblem, in words without any secret, when the role cannot be assumed or the endpoint is not allowed.
    """
    return _session(address).client(service, **_client_options(address, tries))


def _client_options(address: CloudAddress, tries: int | None = None) -> dict[str, Any]:
    """Region, endpoint and patience; an endpoint that is not the provider's own must be one that the settings allow."""
    from botocore.config import Config

    config = Config(
        retries={"total_max_attempts": tries or 1 + tries_again(), "mode": "standard"},
        connect_timeout=timeout_seconds(),
        read_timeout=timeout_seconds(),
        s3={"addressing_style": "path"},
    )
    region = address.region or "us-east-1"
    if not REGION.fullmatch(region):
        # It becomes a part of the address that is asked.
        raise StorageProblem(
            _("{region!r} is no region of AWS: write it like eu-central-1.").format(region=region[:80])
        )
    options: dict[str, Any] = {"region_name": region, "config": config}
    if address.endpoint:
        options["endpoint_url"] = allowed_endpoint(address.endpoint)
    return options


def _session(address: CloudAddress) -> "boto3.Session":
    """A session with the credential's keys, or in its role, which is assumed anew for each session."""
    import boto3

    credential, secret = address.credential, secret_of(address)
    session = boto3.Session(
        aws_access_key_id=secret.get("access_key_id"), aws_secret_access_key=secret.get("secret_access_key")
    )
    if not (credential and credential.role_arn):
        return session
    role = {"RoleArn": credential.role_arn, "RoleSessionName": "finops-bills"}
    if credential.external_id:
        role["ExternalId"] = credential.external_id
    refused = _("The role {role_arn} cannot be assumed.").format(role_arn=credential.role_arn)
    with as_storage_problem(lambda error: StorageProblem(refused, is_denied=True)):
        keys = session.client("sts", **_client_options(address)).assume_role(**role)["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
