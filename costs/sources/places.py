"""The place a source describes: whether it can be one, checked without the network."""

import re

from django.conf import settings
from django.utils.translation import gettext as _

from costs.models import Source
from costs.sources.folder import allowed_folder
from costs.sources.storage import StorageProblem

BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]\Z")
AZURE_ACCOUNT = re.compile(r"[a-z0-9]{3,24}\Z")
AWS_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,500}\Z")


def endpoint_choices() -> list[tuple[str, str]]:
    """The addresses that a place may have, for a form's drop-down: the provider's own, and those that are allowed."""
    return [("", _("the provider's own address")), *((url, url) for url in settings.FINOPS_STORAGE_ENDPOINTS)]


def place_problem(kind: str, bucket: str, region: str, endpoint: str) -> tuple[str, str] | None:
    """(field of a source, what is wrong with it); None where bills may lie there."""
    if kind == Source.Kind.UPLOAD:
        return None
    if kind == Source.Kind.FOLDER:
        try:
            allowed_folder(bucket)
        except StorageProblem as problem:
            return "bucket", str(problem)
        return None
    if not BUCKET.match(bucket):
        return "bucket", _("A bucket has 3 to 63 small letters, digits, dots and dashes.")
    if kind == Source.Kind.AZURE and not endpoint and not AZURE_ACCOUNT.match(region):
        return "region", _("Name the storage account: 3 to 24 small letters and digits.")
    return None
