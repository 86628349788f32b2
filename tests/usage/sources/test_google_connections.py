"""Fay connects Google Cloud projects by a service account that only views, against a small Asset Inventory of ours."""

import json
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from costs.models import Credential
from tests.usage.sources.test_connections import known, read
from usage.models import Connection
from usage.sources import connections

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 20, 2, 27, tzinfo=UTC)
ZONE = "//compute.googleapis.com/projects/shop-prod/zones/europe-west1-b"


def asset(kind, name, **data):
    resource = {
        "location": "europe-west1-b",
        "data": {"name": name, "creationTimestamp": "2026-01-02T03:04:05Z", **data},
    }
    return {"name": f"{ZONE}/{kind}/{name}", "resource": resource}


@pytest.fixture
def google(settings, tmp_path):
    """(address, {type of asset: assets}, {project: status of an error})."""
    assets = {
        "compute.googleapis.com/Instance": [asset("instances", "web", status="TERMINATED", machineType="x/e2-medium")],
        "compute.googleapis.com/Disk": [asset("disks", "lost", sizeGb="200"), asset("disks", "own", users=["x/web"])],
    }
    codes = {}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            address, query = urlsplit(self.path), parse_qs(urlsplit(self.path).query)
            rows, start = assets.get(query["assetTypes"][0], []), int(query.get("pageToken", ["0"])[0])
            more = {"nextPageToken": str(start + 1)} if len(rows) > start + 1 else {}
            self.send_response(codes.get(address.path.split("/")[3], 200))
            self.end_headers()
            self.wfile.write(json.dumps({"assets": rows[start : start + 1], **more}).encode())

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    settings.FINOPS_STORAGE_ENDPOINTS, settings.FINOPS_VAR = [url], str(tmp_path)
    yield url, assets, codes
    server.shutdown()
    server.server_close()


def test_projects_become_an_inventory_and_what_one_denies_takes_nothing_away(google):
    url, assets, codes = google
    connection = Connection.objects.create(name="Google", provider="google", accounts="shop-prod", endpoint=url)
    assert connections.try_connection(connection).is_ok
    row = read(connection, NOW)
    assert (row.state, [part["problems"] for part in row.parts if part["problems"]]) == ("done", [])
    place = "projects/shop-prod/zones/europe-west1-b"
    rows = {one[1]: one[2:] for one in known("inventory", "kind, resource, region, state, attached_to, size")}
    assert rows[f"{place}/instances/web"][:2] == ("europe-west1", "stopped")
    assert rows[f"{place}/disks/lost"][1:] == ("available", "", 200)
    assert rows[f"{place}/disks/own"][1:3] == ("in-use", "web")
    assets.clear()
    codes["shop-prod"] = 403
    row = read(connection, NOW + timedelta(days=1))
    assert row.state == "partly"
    assert "shop-prod: cloudasset.assets.listResource is denied." in row.parts[0]["problems"]
    assert {one for _kind, one in known("inventory", "kind, resource")} == set(rows)


def test_credentials_that_are_refused_or_would_send_us_elsewhere_are_said(google):
    url, _assets, codes = google
    codes["shop-prod"] = 401
    connection = Connection.objects.create(name="Google", provider="google", accounts="shop-prod", endpoint=url)
    assert read(connection, NOW).message == "Google Cloud refuses the credentials."
    credential = Credential(name="key")
    credential.seal({"type": "service_account", "token_uri": "http://169.254.169.254/token"})
    credential.save()
    connection.credential = credential
    assert "is not an address that FINOPS_STORAGE_ENDPOINTS allows" in connections.try_connection(connection).words
