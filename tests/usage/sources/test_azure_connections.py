"""Fay connects Azure subscriptions by a service principal that only reads, against a small Azure of ours."""

import json
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from costs.models import Credential
from tests.usage.sources.test_connections import known, read
from usage.models import Connection
from usage.sources import connections

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 20, 2, 27, tzinfo=UTC)
OPEN, CLOSED = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"
MACHINE = f"/subscriptions/{OPEN}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/web"
DISK = f"/subscriptions/{OPEN}/resourceGroups/shop/providers/Microsoft.Compute/disks/data"


def thing(identity, **more):
    return {
        "id": identity,
        "name": identity.rpartition("/")[2],
        "location": "westeurope",
        "subscriptionId": OPEN,
        **more,
    }


@pytest.fixture
def azure(settings, tmp_path):
    """An Azure that answers by what a query is about; `answers` can be changed, `codes` end one otherwise."""
    answers = {
        "resourcecontainers": [{"subscriptionId": OPEN.upper()}],
        "virtualmachines": [thing(MACHINE, size="Standard_D4s_v5", state="PowerState/running")],
        "compute/disks": [thing(DISK, size=128, sku="Premium_LRS", managedBy=""), thing(f"{DISK}2", managedBy=MACHINE)],
        "loadbalancers": [thing(f"{DISK}/lb", pools=[{"properties": {"backendIPConfigurations": [{}, {}]}}])],
        "advisorresources": [
            {"subscriptionId": OPEN, "resource": MACHINE, "title": "Right-size", "saving": "120", "currency": "EUR"}
        ],
    }
    codes = {}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def answer(self, status, document):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self.path.endswith("/oauth2/v2.0/token"):
                self.answer(codes.get("token", 200), {"access_token": "t"})
                return
            question = json.loads(body)
            name = next((name for name in answers if name in question["query"]), "")
            rows = answers.get(name, [])
            # A page has one row.
            start = int(question["options"].get("$skipToken", 0))
            more = {"$skipToken": str(start + 1)} if len(rows) > start + 1 else {}
            self.answer(codes.get(name, 200), {"data": rows[start : start + 1], **more})

        def do_GET(self):
            start = NOW - timedelta(hours=30)
            moments = [(start + timedelta(hours=hour)).isoformat() for hour in range(24)]
            points = [{"timeStamp": moment, "average": 3.0, "maximum": 9.0} for moment in moments]
            value = [{"name": {"value": "Percentage CPU"}, "timeseries": [{"data": points}]}]
            self.answer(codes.get("metrics", 200), {"value": value})

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    settings.FINOPS_STORAGE_ENDPOINTS, settings.FINOPS_VAR = [url], str(tmp_path)
    yield url, answers, codes
    server.shutdown()
    server.server_close()


@pytest.fixture
def connection(azure):
    credential = Credential(name="azure")
    credential.seal({"tenant_id": "t", "client_id": "c", "client_secret": "s"})
    credential.save()
    values = {"name": "Azure", "provider": "azure", "accounts": OPEN, "endpoint": azure[0], "credential": credential}
    return Connection.objects.create(**values)


def test_subscriptions_become_an_inventory_metrics_and_advice(azure, connection):
    row = read(connection, NOW)
    assert (row.state, [part["problems"] for part in row.parts if part["problems"]]) == ("done", [])
    rows = {one[:2]: one[2:] for one in known("inventory", "kind, resource, account, region, state, attached_to")}
    assert rows["machine", MACHINE] == (OPEN, "westeurope", "running", None)
    assert rows["disk", DISK] == (OPEN, "westeurope", "available", "")
    assert rows["disk", f"{DISK}2"][2:] == ("in-use", MACHINE)
    ((_kind, attributes),) = known("inventory", "kind, attributes", "kind = 'load_balancer'")
    assert json.loads(attributes) == {"targets": 2}
    assert known("metrics", "metric, average, maximum") == [("cpu", 3, 9)]
    # Advisor states a year: rules count months.
    assert [(name, float(saving)) for name, saving in known("provider_advice", "title, monthly_saving")] == [
        ("Right-size", 10)
    ]


def test_a_subscription_that_cannot_be_seen_and_a_query_that_fails_take_nothing_away(azure, connection):
    _url, answers, codes = azure
    connection = read(connection, NOW)
    answers["compute/disks"] = []
    codes["compute/disks"] = 403
    Connection.objects.update(accounts=f"{OPEN}\n{CLOSED}")
    connection.refresh_from_db()
    row = read(connection, NOW + timedelta(days=1))
    problems = [text for part in row.parts for text in part["problems"]]
    assert problems == [
        f"{CLOSED} cannot be seen: give the role Reader on it.",
        "Microsoft.ResourceGraph/resources/read is denied.",
    ]
    assert ("disk", DISK) in known("inventory", "kind, resource")
    assert (OPEN, "disk") in known("unread", "account, kind")
    assert (CLOSED, "machine") in known("unread", "account, kind")


def test_a_secret_that_ended_is_said_by_test_and_reading_and_changes_nothing(azure, connection):
    read(connection, NOW)
    before = known("inventory", "kind, resource")
    azure[2]["token"] = 401
    words = "Azure refuses the service principal: its secret may have ended."
    assert connections.try_connection(connection).words == words
    row = read(connection, NOW + timedelta(days=1))
    assert (row.state, row.message) == ("failed", words)
    assert known("inventory", "kind, resource") == before


def test_an_address_that_is_not_allowed_is_never_asked(azure, connection, settings):
    settings.FINOPS_STORAGE_ENDPOINTS = []
    assert "is not an address that FINOPS_STORAGE_ENDPOINTS allows" in connections.try_connection(connection).words
