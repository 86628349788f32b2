"""Which storage each kind of source is fetched from."""

from collections.abc import Callable, Mapping

from costs.models import Source
from costs.sources.aws import S3Bucket
from costs.sources.azure_blob import AzureContainer
from costs.sources.folder import Folder
from costs.sources.google_cloud import GoogleBucket
from costs.sources.storage import Storage

STORAGES: Mapping[str, Callable[[Source], Storage]] = {
    Source.Kind.FOLDER: Folder,
    Source.Kind.S3: S3Bucket,
    Source.Kind.AZURE: AzureContainer,
    Source.Kind.GCS: GoogleBucket,
}


def storage_of(source: Source) -> Storage:
    """The place a source names. Raises StorageProblem when it cannot be reached as it is described."""
    return STORAGES[source.kind](source)
