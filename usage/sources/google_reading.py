"""Google Cloud projects asked what there is, by a service account that only views: Cloud Asset Inventory, by REST."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from costs.calc.providers import GOOGLE
from costs.sources.google_cloud import check_key
from costs.sources.storage import StorageProblem, allowed_endpoint, timeout_seconds
from finops_site.translation import gettext_lazy as _lazy
from usage.calc.aws_inventory import NOTHING
from usage.models import Connection, FactImport
from usage.sources.readings import CannotRead, Reading, Row

Kind = FactImport.Kind
Asset = Mapping[str, Any]
ASSETS = "https://cloudasset.googleapis.com"
RIGHT = "cloudasset.assets.listResource"
SCOPE = "https://www.googleapis.com/auth/cloud-platform.read-only"
ROWS_PER_PAGE = 500


@dataclass(frozen=True, slots=True)
class GoogleQuestion:
    """One kind of thing: the type of asset, and what of its data an inventory has."""

    kind: str
    label: str
    type: str
    row: Callable[[Asset], Row]


def _machine(data: Asset) -> Row:
    state = {"TERMINATED": "stopped", "SUSPENDED": "stopped"}.get(data.get("status", ""), str(data.get("status", "")))
    stopped = str(data.get("lastStopTimestamp", ""))[:10] if state == "stopped" else ""
    return {"state": state.lower(), "type": _end(data.get("machineType")), "last_used_day": stopped}


def _disk(data: Asset) -> Row:
    users = [_end(one) for one in data.get("users", ())]
    return {
        "state": "in-use" if users else "available",
        "attached_to": ", ".join(users) or NOTHING,
        "type": _end(data.get("type")),
        "size": data.get("sizeGb"),
        "size_unit": "GB",
        "last_used_day": str(data.get("lastDetachTimestamp", ""))[:10],
    }


def _snapshot(data: Asset) -> Row:
    return {"parent": _end(data.get("sourceDisk")), "size": data.get("diskSizeGb"), "size_unit": "GB"}


def _address(data: Asset) -> Row:
    users = [_end(one) for one in data.get("users", ())]
    return {"state": "in-use" if users else "available", "attached_to": ", ".join(users) or NOTHING}


def _bucket(data: Asset) -> Row:
    versioning = "enabled" if (data.get("versioning") or {}).get("enabled") else "off"
    rules = [one.get("action", {}).get("type", "") for one in (data.get("lifecycle") or {}).get("rule", ())]
    return {"type": data.get("storageClass"), "attributes": json.dumps({"versioning": versioning, "lifecycle": rules})}


def _end(text: Any) -> str:
    return str(text or "").rpartition("/")[2]


QUESTIONS: Sequence[GoogleQuestion] = (
    GoogleQuestion("machine", _lazy("Machines"), "compute.googleapis.com/Instance", _machine),
    GoogleQuestion("disk", _lazy("Disks"), "compute.googleapis.com/Disk", _disk),
    GoogleQuestion("snapshot", _lazy("Snapshots"), "compute.googleapis.com/Snapshot", _snapshot),
    GoogleQuestion("address", _lazy("Addresses"), "compute.googleapis.com/Address", _address),
    GoogleQuestion(
        "bucket", _lazy("Buckets, their versioning and lifecycle"), "storage.googleapis.com/Bucket", _bucket
    ),
)


class GoogleClient:
    """Asks as the service account of a connection's credential, or as the machine itself. Raises CannotRead."""

    def __init__(self, connection: Connection) -> None:
        try:
            self.base = allowed_endpoint(connection.endpoint) if connection.endpoint else ASSETS
            secret = connection.credential.secret() if connection.credential else {}
            check_key(secret)
            self.session = _session(secret, is_own=not connection.endpoint)
        except StorageProblem as problem:
            raise CannotRead(str(problem), is_expired=True) from None

    def assets(self, project: str, type_: str) -> Iterator[Asset]:
        """All assets of a type in a project."""
        from google.auth.exceptions import GoogleAuthError
        from requests.exceptions import RequestException

        query = {"assetTypes": type_, "contentType": "RESOURCE", "pageSize": str(ROWS_PER_PAGE)}
        while True:
            url = f"{self.base}/v1/projects/{project}/assets"
            try:
                answer = self.session.get(url, params=query, timeout=timeout_seconds(), allow_redirects=False)
                document = answer.json() if answer.status_code == 200 else {}
            except GoogleAuthError:
                raise CannotRead(_("Google Cloud refuses the credentials."), is_expired=True) from None
            except (RequestException, ValueError) as error:
                raise CannotRead(
                    _("{right}: no answer ({name}).").format(right=RIGHT, name=type(error).__name__)
                ) from None
            if answer.status_code == 401:
                raise CannotRead(_("Google Cloud refuses the credentials."), is_expired=True)
            if answer.status_code == 403:
                raise CannotRead(_("{right} is denied.").format(right=RIGHT), right=RIGHT)
            if answer.status_code != 200:
                text = _("{right}: Google Cloud answered {status}.")
                raise CannotRead(text.format(right=RIGHT, status=answer.status_code))
            yield from document.get("assets", ())
            if not document.get("nextPageToken"):
                return
            query["pageToken"] = document["nextPageToken"]


def _session(secret: Mapping[str, Any], *, is_own: bool) -> Any:
    """Raises StorageProblem where the packages of clouds are missing, or the key cannot be used."""
    try:
        import google.auth
        import requests
        from google.auth.transport.requests import AuthorizedSession
        from google.oauth2.service_account import Credentials
    except ImportError:
        raise StorageProblem(_("Google Cloud needs the packages of requirements-cloud.txt.")) from None
    try:
        if secret:
            return AuthorizedSession(Credentials.from_service_account_info(secret, scopes=[SCOPE]))
        # An address of ours, as that of a test, is asked without credentials.
        return AuthorizedSession(google.auth.default(scopes=[SCOPE])[0]) if is_own else requests.Session()
    except (ValueError, google.auth.exceptions.GoogleAuthError):
        raise StorageProblem(_("The Google Cloud credentials cannot be used.")) from None


def read_google(reading: Reading) -> None:
    """Asks every project of the connection; what one does not answer stops no other. Raises CannotRead where the
    credentials are refused."""
    client = GoogleClient(reading.connection)
    for project in reading.connection.account_list:
        for question in QUESTIONS:
            _ask(reading, client, project, question)


def _ask(reading: Reading, client: GoogleClient, project: str, question: GoogleQuestion) -> None:
    part = reading.part(question.kind, str(question.label))
    try:
        assets = list(client.assets(project, question.type))
    except CannotRead as problem:
        if problem.is_expired:
            raise
        part.problems.append(f"{project}: {problem}")
        reading.collection.leave_out(Kind.INVENTORY, GOOGLE, project, "", question.kind)
        return
    rows = []
    for asset in assets:
        resource = asset.get("resource") or {}
        data = resource.get("data") or {}
        rows.append(
            {
                "provider": GOOGLE,
                "account": project,
                "region": _region(str(resource.get("location", "")).lower()),
                # As bills name it: ``//compute.googleapis.com/projects/…`` without the service.
                "resource": str(asset["name"]).removeprefix("//").partition("/")[2],
                "kind": question.kind,
                "name": data.get("name", ""),
                "created_day": str(data.get("creationTimestamp") or data.get("timeCreated") or "")[:10],
                **question.row(data),
            }
        )
    part.rows += reading.collection.add(Kind.INVENTORY, rows)


def _region(location: str) -> str:
    """The region of a zone: ``europe-west1`` of ``europe-west1-b``."""
    head, _dash, tail = location.rpartition("-")
    return head if len(tail) == 1 and head else location


def missing_rights(connection: Connection) -> tuple[str, list[str], list[str]]:
    """(projects, rights that are denied, other problems). Raises CannotRead."""
    client = GoogleClient(connection)
    denied: list[str] = []
    problems: list[str] = []
    for project in connection.account_list:
        try:
            next(client.assets(project, QUESTIONS[0].type), None)
        except CannotRead as problem:
            if problem.is_expired:
                raise
            (denied if problem.right else problems).append(problem.right or str(problem))
    return ", ".join(connection.account_list), denied, problems
