"""Bills in Azure Blob Storage."""

from collections.abc import Iterator
from pathlib import Path

from django.utils.translation import gettext as _

from costs.charges.layouts import Entry
from costs.sources.places import AZURE_ACCOUNT
from costs.sources.storage import (
    Bucket,
    StorageProblem,
    allowed_endpoint,
    as_storage_problem,
    secret_of,
    timeout_seconds,
    tries_again,
)


class AzureContainer:
    """A container of an Azure storage account, by a SAS token or an account key."""

    def __init__(self, source: Bucket) -> None:
        try:
            from azure.storage.blob import ContainerClient
        except ImportError:
            raise StorageProblem(_("Azure needs the packages of requirements-cloud.txt.")) from None
        self.name, self.prefix = source.bucket, source.prefix
        if source.endpoint:
            account = allowed_endpoint(source.endpoint)
        elif AZURE_ACCOUNT.match(source.region):
            account = f"https://{source.region}.blob.core.windows.net"
        else:
            raise StorageProblem(_("The name of the storage account has 3 to 24 small letters and digits."))
        secret = secret_of(source)
        token = secret.get("sas_token") or secret.get("account_key")
        with as_storage_problem(self._explain):
            self.client = ContainerClient(
                account,
                source.bucket,
                credential=token,
                retry_total=tries_again(),
                connection_timeout=timeout_seconds(),
                read_timeout=timeout_seconds(),
                # No answer sends us elsewhere.
                permit_redirects=False,
            )

    def listing(self) -> Iterator[Entry]:
        with as_storage_problem(self._explain):
            for blob in self.client.list_blobs(name_starts_with=self.prefix or None):
                yield Entry(blob.name, str(blob.etag).strip('"'), blob.size, blob.last_modified)

    def fetch(self, key: str, target: Path) -> None:
        with as_storage_problem(self._explain), target.open("wb") as out:
            self.client.download_blob(key).readinto(out)

    def store(self, key: str, path: Path) -> None:
        with as_storage_problem(self._explain), path.open("rb") as stream:
            self.client.upload_blob(key, stream, overwrite=True)

    def _explain(self, error: Exception) -> StorageProblem | None:
        from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

        # An address without an account, and a key that is none, are noticed before anything is asked.
        if isinstance(error, ValueError) or (isinstance(error, ClientAuthenticationError) and not error.status_code):
            return StorageProblem(_("Container {name}: the account key cannot be used.").format(name=self.name))
        if isinstance(error, HttpResponseError):
            explanations = {403: _("access is denied."), 404: _("there is no such container.")}
            explanation = explanations.get(
                error.status_code or 0, _("Azure answered {status_code}.").format(status_code=error.status_code)
            )
            is_temporary = (error.status_code or 500) >= 500
            is_denied = error.status_code in (401, 403)
            return StorageProblem(
                _("Container {name}: {explanation}").format(name=self.name, explanation=explanation),
                is_temporary=is_temporary,
                is_denied=is_denied,
            )
        if isinstance(error, AzureError):
            return StorageProblem(
                _("Container {name}: {problem}.").format(name=self.name, problem=type(error).__name__),
                is_temporary=True,
            )
        return None
