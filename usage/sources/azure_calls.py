"""Azure asked by a service principal that only reads: a token, Resource Graph and Monitor, by REST.

Only Azure's own addresses are asked, or one that FINOPS_STORAGE_ENDPOINTS names; no answer sends us elsewhere.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import urllib3
from django.utils.translation import gettext as _

from costs.sources.storage import StorageProblem, allowed_endpoint, timeout_seconds, tries_again
from usage.models import Connection
from usage.sources.readings import CannotRead

LOGIN, MANAGEMENT = "https://login.microsoftonline.com", "https://management.azure.com"
GRAPH = "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01"
ROWS_PER_PAGE = 1000
MOST_BYTES = 64 * 2**20
# Azure says how many seconds to wait; longer than this nobody does.
LONGEST_PAUSE = 30


class AzureClient:
    """Asks as the service principal of a connection's credential. Raises CannotRead for whatever is refused."""

    def __init__(self, connection: Connection) -> None:
        credential = connection.credential
        secret = credential.secret() if credential else {}
        lacking = [name for name in ("tenant_id", "client_id", "client_secret") if not secret.get(name)]
        if lacking:
            raise CannotRead(
                _("The credential lacks {names} of a service principal.").format(names=", ".join(lacking)),
                is_expired=True,
            )
        try:
            own = allowed_endpoint(connection.endpoint) if connection.endpoint else ""
        except StorageProblem as problem:
            raise CannotRead(str(problem), is_expired=True) from None
        self.login, self.management = own or LOGIN, own or MANAGEMENT
        self.pool = urllib3.PoolManager(timeout=timeout_seconds(), retries=False)
        self.token = self._sign_in(secret)

    def _sign_in(self, secret: Mapping[str, str]) -> str:
        body = urlencode(
            {
                "grant_type": "client_credentials",
                "client_id": secret["client_id"],
                "client_secret": secret["client_secret"],
                "scope": f"{MANAGEMENT}/.default",
            }
        )
        url = f"{self.login}/{quote(secret['tenant_id'], safe='')}/oauth2/v2.0/token"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, answer = self._send("POST", url, body.encode(), headers)
        if status != 200 or not answer.get("access_token"):
            raise CannotRead(_("Azure refuses the service principal: its secret may have ended."), is_expired=True)
        return str(answer["access_token"])

    def graph(self, subscriptions: Sequence[str], query: str, right: str) -> Iterator[Mapping[str, Any]]:
        """All rows of a query of Resource Graph."""
        options: dict[str, Any] = {"resultFormat": "objectArray", "$top": ROWS_PER_PAGE}
        while True:
            body = {"subscriptions": list(subscriptions), "query": query, "options": options}
            answer = self._ask("POST", f"{self.management}{GRAPH}", right, json.dumps(body).encode())
            yield from answer.get("data", ())
            if not answer.get("$skipToken"):
                return
            options = {**options, "$skipToken": answer["$skipToken"]}

    def metrics(self, resource: str, right: str, **query: str) -> Mapping[str, Any]:
        """What Monitor measured of one resource."""
        parameters = urlencode({"api-version": "2023-10-01", **query})
        path = f"{quote(resource)}/providers/Microsoft.Insights/metrics?{parameters}"
        return self._ask("GET", f"{self.management}{path}", right)

    def _ask(self, method: str, url: str, right: str, body: bytes | None = None) -> Mapping[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        status, answer = self._send(method, url, body, headers)
        if status == 401:
            raise CannotRead(_("The credentials have expired."), is_expired=True)
        if status == 403:
            raise CannotRead(_("{right} is denied.").format(right=right), right=right)
        if status == 429:
            raise CannotRead(_("{right}: Azure was too busy; it is asked again the next time.").format(right=right))
        if status != 200:
            raise CannotRead(_("{right}: Azure answered {status}.").format(right=right, status=status))
        return answer

    def _send(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, Any]]:
        """(status, the document); asked again where Azure is busy."""
        for attempt in range(1 + tries_again()):
            try:
                response = self.pool.request(method, url, body=body, headers=dict(headers), redirect=False)
            except urllib3.exceptions.HTTPError as error:
                raise CannotRead(_("Azure did not answer: {name}.").format(name=type(error).__name__)) from None
            if response.status not in (429, 503) or attempt == tries_again():
                break
            time.sleep(min(_seconds(response.headers.get("Retry-After")), LONGEST_PAUSE))
        try:
            document = json.loads(response.data[:MOST_BYTES] or b"{}")
        except (ValueError, RecursionError):
            document = {}
        return response.status, document if isinstance(document, dict) else {}


def _seconds(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 1
