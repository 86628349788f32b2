"""Bills in Google Cloud Storage."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from costs.charges.layouts import Entry
from costs.sources.storage import (
    Bucket,
    StorageProblem,
    allowed_endpoint,
    allowed_host,
    as_storage_problem,
    secret_of,
    timeout_seconds,
)

# Where Google gives out tokens. A service account's key names one, and whoever pastes a key could name any address.
TOKEN_HOSTS = ("oauth2.googleapis.com", "www.googleapis.com", "accounts.google.com")
UNIVERSE = "googleapis.com"


class GoogleBucket:
    """A Google Cloud Storage bucket, by the machine's own credentials or a stored service account."""

    def __init__(self, source: Bucket) -> None:
        try:
            from google.auth.credentials import AnonymousCredentials
            from google.cloud import storage
        except ImportError:
            raise StorageProblem(_("Google Cloud needs the packages of requirements-cloud.txt.")) from None
        self.name, self.prefix = source.bucket, source.prefix
        options = {"api_endpoint": allowed_endpoint(source.endpoint)} if source.endpoint else None
        secret = secret_of(source)
        check_key(secret)
        with as_storage_problem(lambda error: StorageProblem(_("The Google Cloud credentials cannot be used."))):
            if secret:
                self.client = storage.Client.from_service_account_info(secret, client_options=options)
            elif options:
                self.client = storage.Client("none", AnonymousCredentials(), client_options=options)
            else:
                self.client = storage.Client()
            # No answer sends us elsewhere.
            self.client._http.max_redirects = 0

    def listing(self) -> Iterator[Entry]:
        with as_storage_problem(self._explain):
            for blob in self.client.list_blobs(self.name, prefix=self.prefix or None, timeout=timeout_seconds()):
                mark = blob.etag or blob.md5_hash or str(blob.generation)
                yield Entry(blob.name, mark, int(blob.size or 0), blob.updated or datetime.now(UTC))

    def fetch(self, key: str, target: Path) -> None:
        with as_storage_problem(self._explain):
            self.client.bucket(self.name).blob(key).download_to_filename(str(target), timeout=timeout_seconds())

    def store(self, key: str, path: Path) -> None:
        with as_storage_problem(self._explain):
            self.client.bucket(self.name).blob(key).upload_from_filename(str(path), timeout=timeout_seconds())

    def _explain(self, error: Exception) -> StorageProblem | None:
        from google.api_core.exceptions import GoogleAPIError, RetryError
        from google.auth.exceptions import GoogleAuthError, TransportError
        from google.cloud.storage.exceptions import DataCorruption
        from requests.exceptions import RequestException

        if isinstance(error, DataCorruption):
            return StorageProblem(
                _("Bucket {name}: what arrived is not what was sent.").format(name=self.name), is_temporary=True
            )
        if isinstance(error, RetryError | TransportError | RequestException):
            return StorageProblem(_("Bucket {name}: no answer.").format(name=self.name), is_temporary=True)
        if isinstance(error, GoogleAPIError):
            code = getattr(error, "code", None) or 0
            explanations = {403: _("access is denied."), 404: _("there is no such bucket.")}
            explanation = explanations.get(code, _("Google Cloud answered {code}.").format(code=code))
            return StorageProblem(
                _("Bucket {name}: {explanation}").format(name=self.name, explanation=explanation),
                is_temporary=code >= 500,
                is_denied=code in (401, 403),
            )
        if isinstance(error, GoogleAuthError):
            return StorageProblem(
                _("Bucket {name}: the credentials were refused.").format(name=self.name), is_denied=True
            )
        return None


def check_key(secret: Mapping[str, Any]) -> None:
    """Raises StorageProblem for a service account's key that would send us to an address that is not Google's."""
    if not secret:
        return
    if token_uri := secret.get("token_uri"):
        allowed_host(str(token_uri), TOKEN_HOSTS)
    universe = secret.get("universe_domain") or UNIVERSE
    if universe != UNIVERSE:
        allowed_endpoint(f"https://storage.{universe}")
