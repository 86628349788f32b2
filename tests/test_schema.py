"""The API does what its description says, whatever is sent to it: no answer is an error of ours."""

import os
from collections import Counter

import hypothesis
import pytest
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck

from costs import tasks
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.wsgi import application
from tests import bills
from tests.people import person, signed_in
from tests.shared_fixtures import shared

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_transaction")]

DESCRIBED = SchemaGenerator().get_schema(request=None, public=True)
schema = schemathesis.openapi.from_dict(DESCRIBED)
schema.app = application
REACHED: set[tuple[str, int]] = set()
# Each operation is asked by them in turn, by Fay first: what another may not is refused, and no error of ours either.
ASKING = ("fay", "lea", "ada", "max", "eli", "ola")
ASKED: Counter[str] = Counter()
# ``FINOPS_HOSTILE=40`` asks so often as each of them; the suite asks five times in all.
EXAMPLES = int(os.environ.get("FINOPS_HOSTILE", "0")) * len(ASKING) or 5


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch):
    monkeypatch.setattr(tasks.load_delivery, "delay", lambda delivery: None)


@shared
def cookies(db, tmp_path) -> dict[str, dict[str, str]]:
    """What each one's browser sends; there is a bill with a rejected row to ask about."""
    bill = bills.write(tmp_path, "march.csv", bills.focus_csv([{}, {"BilledCost": "abc"}]))
    load_bill(receive_bill("northwind", [bill])[0].delivery)
    clients = {name: signed_in(person(name)) for name in ASKING}
    return {
        name: {"sessionid": client.cookies["sessionid"].value, "csrftoken": "c" * 32}
        for name, client in clients.items()
    }


@schema.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
def test_no_request_is_an_error_of_ours(case, cookies):
    invented = {name.lower(): text for name, text in (case.headers or {}).items()}
    invented.pop("authorization", None)
    operation = f"{case.method} {case.path}"
    theirs = cookies[ASKING[ASKED[operation] % len(ASKING)]]
    ASKED[operation] += 1
    case.headers = {**invented, "X-CSRFToken": theirs["csrftoken"]}
    case.cookies = theirs
    response = case.call()
    REACHED.add((operation, response.status_code))
    assert response.status_code < 500, response.text
    assert response.status_code != 401, "whoever asks is signed in"
    described = DESCRIBED["paths"][case.path].get(case.method.lower())
    # There is no such verb: who may not read the address is refused first.
    none = {"405", "403", "200" if case.method in ("OPTIONS", "HEAD") else ""}
    declared = described["responses"] if described else none
    assert str(response.status_code) in declared, response.text


@pytest.mark.skipif("PYTEST_XDIST_WORKER" in os.environ, reason="a worker sees only its own requests")
def test_requests_really_reached_every_operation():
    reached = {name for name, _ in REACHED}
    known = {f"{verb.upper()} {path}" for path, verbs in DESCRIBED["paths"].items() for verb in verbs}
    assert reached >= known
    reads = {name for name, status in REACHED if status == 200 and name.startswith("GET")}
    assert {"GET /api/v1/deliveries/", "GET /api/v1/cost-lines/", "GET /api/v1/spend/", "GET /api/v1/me/"} <= reads
