"""The API answers each person with what the pages show her, exact to the last digit."""

import itertools
import json
from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from costs import tasks
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine, Delivery
from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.models import OwnershipRule
from tests import bills
from tests.people import person, token_of
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db

DATA = {"Tags": '{"Team": "Data"}', "ResourceId": "i-data", "BilledCost": "0.25"}
NOBODYS = {"Tags": "", "ResourceId": "i-nobody", "BilledCost": "0.000000000000000001", "ServiceName": "Tax"}
PAYMENTS = {"BilledCost": "1.10"}


@pytest.fixture(autouse=True)
def queued(monkeypatch):
    handed = []
    monkeypatch.setattr(tasks.load_delivery, "delay", handed.append)
    return handed


@pytest.fixture
def api():
    """A client with the token of a person."""

    def client(name) -> Client:
        return Client(headers={"Authorization": f"Token {token_of(person(name))}"})

    return client


@shared
def bill(tmp_path):
    """March: 1.10 of Payments, 0.25 of Data, the smallest stored amount of nobody; and 3 EUR of Payments in April."""
    for name in ["Payments", "Data"]:
        team = Team.objects.get_or_create(name=name)[0]
        OwnershipRule.objects.create(team=team, tag_key="Team", tag_value=name, order=team.pk)
    april = {"BillingPeriodStart": "2026-04-01T00:00:00Z", "ChargePeriodStart": "2026-04-02T00:00:00Z"}
    euros = {**april, "BillingCurrency": "EUR", "BilledCost": "3", "ListCost": ""}
    return deliver(tmp_path, [PAYMENTS, DATA, NOBODYS, euros])


def deliver(tmp_path, rows, name="bill.csv", source="northwind"):
    (received,) = receive_bill(source, [bills.write(tmp_path, name, bills.focus_csv(rows))], is_accepted=True)
    delivery = load_bill(received.delivery)
    assert delivery.status == Delivery.Status.CURRENT, delivery.message
    return delivery


def get(client, path, **parameters):
    response = client.get(f"/api/v1/{path}", parameters)
    assert response.status_code == 200, response.content
    return response.json()


def upload(client, content, name="march.csv", **fields):
    return client.post(
        "/api/v1/deliveries/", {"files": SimpleUploadedFile(name, content), "source": "northwind", **fields}
    )


def test_nobody_without_a_token_or_a_session_is_told_anything(client, bill):
    for path in ["deliveries/", "cost-lines/", "spend/", "teams/", "sources/", "me/", f"deliveries/{bill.pk}/"]:
        response = client.get(f"/api/v1/{path}")
        assert response.status_code == 401, path
        assert "not provided" in response.json()["detail"]
    assert client.get("/api/schema/").status_code == 401
    assert client.get("/api/docs/")["Location"].startswith("/accounts/login/")


def test_a_session_is_as_good_as_a_token(client):
    client.force_login(person("fay"), backend="finops_site.people.backends.RoleBackend")
    assert get(client, "me/")["email"] == "fay@demo.example"


def test_eli_is_told_who_he_is(api):
    assert get(api("eli"), "me/") == {
        "email": "eli@demo.example",
        "name": "Eli Navarro",
        "language": "",
        "time_zone": "UTC",
        "role": "engineering",
        "sees_whole_company": False,
        "cost_scope": {},
        "memberships": [{"team_id": Team.objects.get(name="Payments").pk, "team": "Payments", "role": "member"}],
    }


def test_eli_makes_a_token_that_replaces_the_one_before_and_stops_it(client):
    client.force_login(person("eli"), backend="finops_site.people.backends.RoleBackend")
    first, second = (client.post("/api/v1/me/token/").json()["token"] for _ in range(2))
    statuses = [
        Client(headers={"Authorization": f"Token {token}"}).get("/api/v1/me/").status_code for token in (first, second)
    ]
    assert statuses == [401, 200]
    assert client.delete("/api/v1/me/token/").status_code == 204
    assert Client(headers={"Authorization": f"Token {second}"}).get("/api/v1/me/").status_code == 401


def test_elis_token_gets_only_the_lines_of_payments(api, bill):
    eli, fay = api("eli"), api("fay")
    assert {line["owner"] for line in get(eli, "cost-lines/")["results"]} == {"Payments"}
    assert {line["owner"] for line in get(fay, "cost-lines/")["results"]} == {"Payments", "Data", None}
    theirs = CostLine.objects.get(resource="i-data")
    unowned = CostLine.objects.get(resource="i-nobody")
    assert eli.get(f"/api/v1/cost-lines/{theirs.pk}/").status_code == 404
    assert eli.get(f"/api/v1/cost-lines/{unowned.pk}/").status_code == 404
    assert get(fay, f"cost-lines/{theirs.pk}/")["resource"] == "i-data"
    assert get(eli, "spend/", **{"from": "2026-03", "to": "2026-03"})["totals"] == {"USD": "1.1"}


def test_a_line_says_everything_with_every_digit(api, bill):
    line = CostLine.objects.get(resource="i-nobody")
    answer = get(api("fay"), f"cost-lines/{line.pk}/")
    assert answer["billed_cost"] == "0.000000000000000001"
    assert (answer["quantity"], answer["unit"], answer["currency"]) == ("24", "Hours", "USD")
    assert (answer["billing_month"], answer["charge_date"]) == ("2026-03", "2026-03-05")
    assert (answer["delivery"], answer["owner"], answer["tags"]) == (bill.pk, None, {})
    euro = CostLine.objects.get(currency="EUR")
    assert get(api("max"), f"cost-lines/{euro.pk}/")["list_cost"] is None


def test_lines_of_a_replaced_bill_are_gone(api, bill, tmp_path):
    old = CostLine.objects.get(resource="i-data")
    deliver(tmp_path, [{"ResourceId": "i-new"}], name="corrected.csv")
    fay = api("fay")
    assert fay.get(f"/api/v1/cost-lines/{old.pk}/").status_code == 404
    assert {line["resource"] for line in get(fay, "cost-lines/")["results"]} == {"i-new", "i-1"}


def test_lines_are_paged_by_cursor_and_never_by_offset(api, tmp_path):
    deliver(tmp_path, [{"ResourceId": f"i-{n:03}"} for n in range(25)])
    fay, seen, path = api("fay"), [], "/api/v1/cost-lines/?page_size=10"
    while path:
        with CaptureQueriesContext(connection) as queries:
            page = fay.get(path).json()
        assert not any("OFFSET" in query["sql"] for query in queries)
        seen += [line["resource"] for line in page["results"]]
        path = page["next"]
    assert len(seen) == len(set(seen)) == 25
    back = fay.get(page["previous"]).json()
    assert [line["resource"] for line in back["results"]] == seen[10:20]
    for lines, size in itertools.product(
        ["cost-lines/?", "virtual-tags/?", "charges/?line=x&"], ["abc", "0", "-1", "1001", "²"]
    ):
        refused = fay.get(f"/api/v1/{lines}page_size={size}")
        assert refused.json() == {"detail": f"page_size: {size!r} is no number of rows: use 1 to 1000."}, lines
        assert refused.status_code == 400
    bad = fay.get("/api/v1/cost-lines/?after=nonsense")
    assert bad.status_code == 400
    assert "cursor" in bad.json()["detail"]


def test_lines_are_filtered_by_the_words_of_spend(api, bill):
    fay = api("fay")
    for query in [{"resource": "i-data"}, {"team": "Data"}, {"tag:Team": "Data"}]:
        lines = get(fay, "cost-lines/", **{"from": "2026-03", **query})["results"]
        assert [line["resource"] for line in lines] == ["i-data"], query
    assert get(fay, "cost-lines/", **{"from": "2026-04-02", "to": "2026-04-02"})["results"][0]["currency"] == "EUR"
    assert get(fay, "cost-lines/", to="2026-02")["results"] == []
    for query in [{"acount": "1"}, {"from": "soon"}, {"team": "Nowhere"}, {"service": "\0"}]:
        assert fay.get("/api/v1/cost-lines/", query).status_code == 400, query


def test_spend_by_service_and_month_is_exact(api, bill):
    answer = get(api("fay"), "spend/", **{"group_by": "service,month", "from": "2026-03", "to": "2026-04"})
    compute = "Amazon Elastic Compute Cloud"
    known = answer.pop("known")
    assert (known["until"], known["is_complete"]) == ("2026-04-02", False), "after the only bill nothing is known"
    assert answer == {
        "from": "2026-03-01",
        "to": "2026-04-30",
        "group_by": ["service", "month"],
        "metric": "billed_cost",
        "results": [
            {"service": compute, "month": "2026-03", "currency": "USD", "billed_cost": "1.35"},
            {"service": compute, "month": "2026-04", "currency": "EUR", "billed_cost": "3"},
            {"service": "Tax", "month": "2026-03", "currency": "USD", "billed_cost": "0.000000000000000001"},
        ],
        "totals": {"EUR": "3", "USD": "1.350000000000000001"},
        "unmatched": [],
    }


MARCH = {"from": "2026-03", "to": "2026-03"}


@pytest.mark.parametrize(
    ("query", "totals"),
    [
        ({"team": "Payments"}, {"USD": "1.1"}),
        ({"team": ["Payments", "none"]}, {"USD": "1.100000000000000001"}),
        ({"team": "unowned"}, {"USD": "0.000000000000000001"}),
        ({"service": "Tax"}, {"USD": "0.000000000000000001"}),
        ({"account": "000000000042", "region": "us-east-1"}, {"USD": "1.350000000000000001"}),
        ({"tag:Team": "Data"}, {"USD": "0.25"}),
        ({"tag:team": "Data"}, {"USD": "0.25"}),
        ({"tag:Team": ""}, {"USD": "0.000000000000000001"}),
        ({"billing_month": "2026-04"}, {}),
        ({"resource": "i-data"}, {"USD": "0.25"}),
        ({"service": ""}, {"USD": "1.350000000000000001"}),
        ({"from": "2026-03-05", "to": "2026-03-05"}, {"USD": "1.350000000000000001"}),
        ({"from": "2026-03-06", "to": "2026-03-31"}, {}),
        ({"metric": "list_cost", "to": "2026-04"}, {"USD": "3", "EUR": None}),
        ({"to": "2026-04", "currency": "EUR"}, {"EUR": "3"}),
    ],
)
def test_spend_is_filtered(api, bill, query, totals):
    assert get(api("fay"), "spend/", **{**MARCH, **query})["totals"] == totals


def test_spend_by_team_day_and_tag_uses_the_names_people_know(api, bill):
    fay = api("fay")
    by_team = get(fay, "spend/", **MARCH, group_by="team")["results"]
    assert sorted((row["team"] or "", row["billed_cost"]) for row in by_team) == [
        ("", "0.000000000000000001"),
        ("Data", "0.25"),
        ("Payments", "1.1"),
    ]
    by_day = get(fay, "spend/", **MARCH, group_by="day,tag:Team", team="Data")["results"]
    assert by_day == [{"day": "2026-03-05", "tag:Team": "Data", "currency": "USD", "billed_cost": "0.25"}]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"group_by": "colour"}, "'colour' is nothing to group"),
        ({"group_by": "service,service"}, "different things"),
        ({"group_by": "day,month"}, "one step of time"),
        ({"group_by": "tag:"}, "nothing to group"),
        ({"metric": "profit"}, "'profit' is no metric"),
        ({"from": "2025-13"}, "'2025-13' is not a month"),
        ({"from": "soon"}, "neither a month"),
        ({"from": "2026-04", "to": "2026-03"}, "ends (2026-03) before it starts"),
        ({"to": "9999-12"}, "out of range"),
        ({"to": "0001-01"}, "is not a month"),
        ({"billing_month": "abc"}, "'abc' is not a month"),
        ({"team": "Nowhere"}, "there is no team 'Nowhere'"),
        ({"team": "²"}, "there is no team"),
        ({"team": "99999999999999999999999"}, "there is no team"),
        ({"acount": "1"}, "'acount' is nothing to group or filter by"),
        ({"service": "a\0b"}, "NUL"),
    ],
)
def test_what_cannot_be_asked_is_told_why(api, query, says):
    response = api("fay").get("/api/v1/spend/", query)
    assert response.status_code == 400
    assert says in response.json()["detail"]


def test_spend_is_of_the_last_twelve_months_unless_said_otherwise(api):
    fay, month = api("fay"), Month.of(timezone.now().date())
    answer = get(fay, "spend/")
    assert (answer["from"], answer["to"]) == (str(month.plus(-11).start), str(month.period.last_day))
    assert get(fay, "spend/", to="2026-03-15")["from"] == "2025-04-01"
    assert get(fay, "spend/", **{"from": str(month.start)})["to"] == str(month.period.last_day)


def test_another_teams_name_is_as_unknown_to_eli_as_one_that_is_not_there(api, bill):
    response = api("eli").get("/api/v1/spend/", {"team": "Data"})
    assert response.status_code == 400
    assert response.json()["detail"] == "there is no team 'Data': use its name or its id."


def test_teams_are_hers_with_what_they_spent_this_month(api, tmp_path):
    today = date.today()
    payments = person("lea").teams.get()
    data = Team.objects.get(name="Data")
    below = Team.objects.create(name="Checkout", parent=payments, cost_center="CC-7")
    for team in [payments, data, below]:
        OwnershipRule.objects.create(team=team, tag_key="Team", tag_value=team.name, order=team.pk)
    now = {"BillingPeriodStart": str(today.replace(day=1)), "ChargePeriodStart": str(today.replace(day=1))}
    rows = [{**now, "Tags": json.dumps({"Team": name})} for name in ["Payments", "Data", "Checkout", "Checkout"]]
    deliver(tmp_path, rows)
    teams = get(api("lea"), "teams/")
    spent = {team["name"]: team["month_to_date"]["USD"]["billed_cost"] for team in teams["results"]}
    assert spent == {"Payments": "1", "Checkout": "2"}
    assert next(team for team in teams["results"] if team["name"] == "Checkout")["parent"] == payments.pk
    fay = api("fay")
    assert {team["name"] for team in get(fay, "teams/")["results"]} >= {"Payments", "Data", "Checkout"}
    assert get(fay, f"teams/{data.pk}/")["month_to_date"] == {"USD": {"billed_cost": "1", "effective_cost": "1"}}


def test_somebody_elses_team_is_404(api, bill):
    assert api("eli").get(f"/api/v1/teams/{Team.objects.get(name='Data').pk}/").status_code == 404


@pytest.mark.parametrize("name", ["eli", "lea", "ola"])
def test_engineering_is_refused_deliveries_and_sources(api, bill, name):
    client = api(name)
    for path in ["deliveries/", f"deliveries/{bill.pk}/", f"deliveries/{bill.pk}/rejects/", "sources/"]:
        assert client.get(f"/api/v1/{path}").status_code == 403, path
    assert upload(client, b"a,b\n1,2\n").status_code == 403


def test_max_reads_deliveries_and_makes_none(api, bill):
    client = api("max")
    assert get(client, "deliveries/")["count"] == 1
    assert get(client, "sources/")["results"][0]["name"] == "northwind"
    assert upload(client, bills.focus_csv([{}])).status_code == 403
    assert client.delete(f"/api/v1/deliveries/{bill.pk}/").status_code in (403, 405)


def test_nobody_changes_a_fact(api, bill):
    fay, line = api("fay"), CostLine.objects.first()
    for path in [f"deliveries/{bill.pk}/", f"cost-lines/{line.pk}/", "cost-lines/", "spend/", "teams/"]:
        for verb in ["put", "patch", "delete"]:
            assert getattr(fay, verb)(f"/api/v1/{path}").status_code == 405, (verb, path)


def test_fay_delivers_a_bill_and_reads_its_exact_totals(api, queued, django_capture_on_commit_callbacks):
    fay, exact = api("fay"), "1234567890.1234567890123456789"
    content = bills.focus_csv([{"BilledCost": exact}, {"BilledCost": "=cmd()", "ResourceId": "i-2"}])
    with django_capture_on_commit_callbacks(execute=True):
        response = upload(fay, content, mode="append", month="2026-03")
    assert response.status_code == 201, response.content
    received = response.json()
    assert (received["status"], received["already_delivered"]) == ("received", False)
    assert received["files"][0]["name"] == "march.csv"
    assert queued == [received["id"]]
    load_bill(Delivery.objects.get())
    loaded = get(fay, f"deliveries/{received['id']}/")
    assert (loaded["status"], loaded["billing_months"]) == ("current", ["2026-03"])
    assert loaded["totals"]["USD"]["billed_cost"] == exact
    assert loaded["residual"]["USD"]["billed_cost"] == "-0.0000000000000000001"
    assert loaded["months"][0]["totals"]["USD"]["billed_cost"] == "1234567890.123456789012345679"
    (reject,) = get(fay, f"deliveries/{received['id']}/rejects/")["results"]
    assert (reject["line"], reject["column"], reject["value"]) == (3, "BilledCost", "=cmd()")
    again = upload(fay, content, mode="append", month="2026-03")
    assert again.status_code == 200
    assert (again.json()["id"], again.json()["already_delivered"]) == (received["id"], True)
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize(
    ("content", "fields", "says"),
    [
        (b"name,age\nada,36\n", {}, {"detail": "none of the columns we look for"}),
        (b"", {}, {"detail": "march.csv: the file is empty"}),
        (bills.focus_csv([{}]), {"month": "soon"}, {"month": "is not a month"}),
        (bills.focus_csv([{}]), {"source": "  "}, {"source": "may not be blank"}),
        (bills.focus_csv([{}]), {"source": "a\0"}, {"source": "Null characters"}),
        (bills.focus_csv([{}]), {"currency": "euro"}, {"currency": "three letters"}),
        (bills.focus_csv([{}]), {"format": "excel"}, {"format": "not a valid choice"}),
        (bills.focus_csv([{}]), {"files": ""}, {"files": ""}),
    ],
)
def test_what_is_no_bill_is_refused_with_its_reason(api, content, fields, says):
    response = upload(api("fay"), content, **fields)
    assert response.status_code == 400
    for name, words in says.items():
        assert words in str(response.json()[name])
    assert not Delivery.objects.exists()


@override_settings(BILL_MAX_UPLOAD_BYTES=10)
def test_too_big_a_bill_is_refused_with_the_limit(api):
    response = upload(api("fay"), bills.focus_csv([{}]))
    assert response.status_code == 400
    assert "can be uploaded at once" in response.json()["files"][0]


def test_several_manifests_are_several_bills(api):
    manifest = {"billingPeriod": {"start": "20260301T000000.000Z"}, "reportName": "cur"}
    files = [
        SimpleUploadedFile(
            f"{n}-Manifest.json", json.dumps({**manifest, "reportName": n, "reportKeys": [f"{n}.csv"]}).encode()
        )
        for n in "ab"
    ] + [SimpleUploadedFile(f"{n}.csv", bills.cur_csv([{}])) for n in "ab"]
    response = api("fay").post("/api/v1/deliveries/", {"files": files, "source": "aws"})
    assert response.status_code == 400
    assert "These files are 2 bills" in response.json()["detail"]


def test_lists_are_filtered_as_on_the_page(api, bill, tmp_path):
    other = deliver(tmp_path, [{"BilledCost": "9"}], name="o.csv", source="azure")
    fay = api("fay")
    assert [row["id"] for row in get(fay, "deliveries/", source=other.source_id)["results"]] == [other.pk]
    assert [row["id"] for row in get(fay, "deliveries/", month="2026-04")["results"]] == [bill.pk]
    assert fay.get("/api/v1/deliveries/?month=soon").status_code == 400
    assert fay.get("/api/v1/deliveries/?page=99").status_code == 404


def test_the_list_of_deliveries_costs_the_same_queries_however_long_it_is(api, tmp_path, django_assert_max_num_queries):
    fay = api("fay")
    deliver(tmp_path, [{}])
    with django_assert_max_num_queries(15) as few:
        get(fay, "deliveries/")
    for number in range(5):
        deliver(tmp_path, [{"BilledCost": str(number)}])
    with django_assert_max_num_queries(len(few)):
        get(fay, "deliveries/")


def test_the_documentation_is_read_under_a_policy_of_its_own(client):
    client.force_login(person("eli"), backend="finops_site.people.backends.RoleBackend")
    response = client.get("/api/docs/")
    assert response.status_code == 200
    assert "script-src 'self';" in response["Content-Security-Policy"]
    assert "<script>" not in response.content.decode()
    schema = client.get("/api/schema/?format=json").json()
    assert {"/api/v1/deliveries/", "/api/v1/cost-lines/", "/api/v1/spend/", "/api/v1/teams/"} <= set(schema["paths"])
    spend = schema["paths"]["/api/v1/spend/"]["get"]
    assert {"200", "400", "401", "403", "404"} == set(spend["responses"]), "404: not in that format"
    assert {"group_by", "from", "to", "metric", "service", "team"} <= {
        parameter["name"] for parameter in spend["parameters"]
    }
