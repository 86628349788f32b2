"""The API does what its description says, whatever is sent to it: no answer is an error of ours."""

import os

import hypothesis
import pytest
import schemathesis
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck

from costs import tasks
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.wsgi import application
from tests import bills
from tests.people import person
from tests.shared_fixtures import shared

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_transaction")]

DESCRIBED = SchemaGenerator().get_schema(request=None, public=True)
schema = schemathesis.openapi.from_dict(DESCRIBED)
schema.app = application
REACHED: set[tuple[str, int]] = set()


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch):
    monkeypatch.setattr(tasks.load_delivery, "delay", lambda delivery: None)


@shared
def cookies(db, tmp_path) -> dict[str, str]:
    """What Fay's browser sends; she has a bill with a rejected row to ask about."""
    bill = bills.write(tmp_path, "march.csv", bills.focus_csv([{}, {"BilledCost": "abc"}]))
    load_bill(receive_bill("northwind", [bill])[0].delivery)
    client = Client()
    client.force_login(person("fay"), backend="finops_site.people.backends.RoleBackend")
    return {"sessionid": client.cookies["sessionid"].value, "csrftoken": "c" * 32}


@schema.parametrize()
@hypothesis.settings(
    max_examples=5, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
def test_no_request_is_an_error_of_ours(case, cookies):
    invented = {name.lower(): text for name, text in (case.headers or {}).items()}
    invented.pop("authorization", None)
    case.headers = {**invented, "X-CSRFToken": cookies["csrftoken"]}
    case.cookies = cookies
    response = case.call()
    REACHED.add((f"{case.method} {case.path}", response.status_code))
    assert response.status_code < 500, response.text
    assert response.status_code != 401, "the requests are Fay's"
    operation = DESCRIBED["paths"][case.path].get(case.method.lower())
    # There is no such verb: who may not read the address is refused first.
    none = {"405", "403", "200" if case.method in ("OPTIONS", "HEAD") else ""}
    declared = operation["responses"] if operation else none
    assert str(response.status_code) in declared, response.text


@pytest.mark.skipif("PYTEST_XDIST_WORKER" in os.environ, reason="a worker sees only its own requests")
def test_requests_really_reached_every_operation():
    reached = {name for name, _ in REACHED}
    known = {f"{verb.upper()} {path}" for path, verbs in DESCRIBED["paths"].items() for verb in verbs}
    assert reached >= known
    reads = {name for name, status in REACHED if status == 200 and name.startswith("GET")}
    assert {"GET /api/v1/deliveries/", "GET /api/v1/cost-lines/", "GET /api/v1/spend/", "GET /api/v1/me/"} <= reads
