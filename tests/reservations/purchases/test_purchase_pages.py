"""Pages of buying: asked for, decided, handed out, recorded; the switch, the limits, standing orders."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from costs.models import Credential
from finops_site.lib.periods import day_text
from finops_site.models import AuditEntry, OutgoingEmail, Team
from reservations.calc import purchase_rules
from reservations.models import ApproverLimit, BuyingPolicy, Plan, PurchaseRequest, StandingOrder
from reservations.purchases import approvals, buying_policy, purchase_requests
from reservations.purchases.purchase_summary import describe_fall
from tests.people import waiting_for
from tests.reservations.purchases.test_purchase_requests import fred, make_item  # noqa: F401
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
EARLY = datetime(2026, 1, 1, tzinfo=UTC)


@shared
def item(people):
    item = make_item()
    Plan.objects.update(team=Team.objects.get(name="Payments"))
    numbers = dict.fromkeys(("ratio", "committed", "on_demand", "level", "runs", "next"), "1")
    item.working |= {**numbers, "days": [], "unit": "machines", "above": 0, "below": 0, "hours": 0}
    item.working["ladder"] = [{**step, "total": "1", "ends_on": "2027-03-21"} for step in item.working["ladder"]]
    item.save()
    item.refresh_from_db()
    return item


@shared
def row(item, eli):
    return purchase_requests.request_purchase(item, user=eli, batch=1, comment="It runs.", now=timezone.now())


def post(client, row, verb, **values):
    return client.post(row.get_absolute_url(), {"verb": verb, **values}, follow=True).content.decode()


def test_eli_asks_for_a_batch_from_its_proof(item, eli, client_of):
    proof = reverse("reservations:recommended_item", args=[item.plan_id, 1])
    address = reverse("reservations:purchase_ask", args=[item.plan_id, 1])
    assert address in client_of(eli).get(proof).content.decode()
    form = client_of(eli).get(address).content.decode()
    assert "All of it: 2 machines" in form
    assert "Batch 1 of 2: 1 machine, planned for 21 Mar 2026" in form
    page = client_of(eli).post(address, {"batch": "1", "comment": "Steady."}, follow=True).content.decode()
    assert "Steady." in page
    assert "Only finance approves purchases." in page
    assert "Request" in client_of(eli).get(proof).content.decode()
    assert "All of it" not in client_of(eli).get(address).content.decode(), "a batch is asked for: no longer the whole"


def test_max_reads_and_asks_for_nothing(item, row, max_, client_of):
    assert client_of(max_).get(reverse("reservations:purchase_ask", args=[item.plan_id, 1])).status_code == 403
    assert client_of(max_).post(row.get_absolute_url(), {"verb": "approve"}).status_code == 403
    assert "Only finance approves purchases." in client_of(max_).get(row.get_absolute_url()).content.decode()


def test_fay_reads_why_she_may_not_approve_her_own(item, fay, client_of):
    own = purchase_requests.request_purchase(item, user=fay, batch=1, comment="", now=timezone.now())
    page = client_of(fay).get(own.get_absolute_url()).content.decode()
    assert "Somebody else has to approve what you requested." in page
    assert 'value="approve"' not in page
    post(client_of(fay), own, "approve")
    own.refresh_from_db()
    assert own.state == purchase_rules.WAITING, "nor does she by typing the address"


def test_the_list_says_what_waits_for_whom(row, fay, fred, eli, client_of):  # noqa: F811
    url = reverse("reservations:purchases")

    def shows(user, shown):
        return row.get_absolute_url() in client_of(user).get(url, {"shown": shown}).content.decode()

    assert shows(fay, "approve")
    assert not shows(eli, "approve")
    assert shows(eli, "asked")
    ApproverLimit.objects.create(user=fred, limit=1)
    assert not shows(fred, "approve")
    csv = b"".join(client_of(fay).get(url, {"_export": "csv"}).streaming_content).decode("utf-8-sig")
    assert "1 × m5.large Linux in us-east-1, Standard RI, 1 year, no upfront" in csv
    assert "waiting for approval,438,438" in csv


def test_home_says_what_waits_for_whoever_may_decide(row, item, fay, fred, eli, lea, max_, client_of):  # noqa: F811
    assert waiting_for(fay) == waiting_for(fred) == [f"A purchase waits for your approval: {row}"]
    assert waiting_for(eli) == waiting_for(lea) == waiting_for(max_) == []
    hers = purchase_requests.request_purchase(item, user=fay, batch=2, comment="The rest.", now=timezone.now())
    assert waiting_for(fred) == [f"A purchase waits for your approval: {one}" for one in (hers, row)]
    assert waiting_for(fay) == [f"A purchase waits for your approval: {row}"], "not her own"
    page = client_of(fay).get("/").content.decode()
    assert f'href="{row.get_absolute_url()}">A purchase waits for your approval' in page
    approvals.approve_purchase(row.pk, user=fay, comment="", now=timezone.now())
    approvals.approve_purchase(hers.pk, user=fred, comment="", now=timezone.now())
    assert waiting_for(fay) == [f"An approved purchase is not bought yet: {one}" for one in (hers, row)]


def test_ola_finds_nothing_of_payments(row, ola, client_of):
    assert client_of(ola).get(row.get_absolute_url()).status_code == 404
    assert "No purchase is requested" in client_of(ola).get(reverse("reservations:purchases")).content.decode()


def test_fay_approves_hands_out_and_records(row, fay, client_of):
    client = client_of(fay)
    file = reverse("reservations:purchase_file", args=[row.pk, "sh"])
    assert "Only an exported purchase" in client.get(file, follow=True).content.decode()
    assert "It is approved" in post(client, row, "approve", comment="Go")
    assert "export it and buy it by hand" in client.get(row.get_absolute_url()).content.decode(), "why the API does not"
    assert "record the id" in post(client, row, "export")
    assert "purchase-reserved-instances-offering" in client.get(file).content.decode()
    sheet = client.get(reverse("reservations:purchase_file", args=[row.pk, "csv"]))
    assert b"m5.large" in b"".join(sheet.streaming_content)
    assert "Write down" in post(client, row, "record", reference=" ")
    page = post(client, row, "record", reference="ri-77")
    assert "ri-77 is looked for whenever a bill is loaded" in page
    assert [event.verb for event in row.events.all()] == ["ask", "approve", "export", "record"]


def test_a_rejection_says_why(row, fay, client_of):
    assert "Give the reason" in post(client_of(fay), row, "reject")
    assert "It goes away in May" in post(client_of(fay), row, "reject", comment="It goes away in May")


def test_the_switch_is_one_button(row, fay, eli, client_of):
    switch = reverse("reservations:buying_switch")
    assert client_of(eli).post(switch, {"stop": "1"}).status_code == 403
    assert "Buying is stopped" in client_of(fay).post(switch, {"stop": "1"}, follow=True).content.decode()
    approvals.approve_purchase(row.pk, user=fay, comment="", now=timezone.now())
    assert "Buying is stopped by finance" in post(client_of(fay), row, "export")
    client_of(fay).post(switch, {"stop": "0"})
    assert "record the id" in post(client_of(fay), row, "export")


def test_finance_says_what_the_api_may(fay, client_of):
    url = reverse("reservations:buying_policy")
    values = {"by_api": "on", "monthly_ceiling": "5000", "default_limit": "25000", "credential": ""}
    values |= {"longest_term": "12", "upfront_limit": "0", "cash_percent": "8"}
    assert "Choose as whom the API buys" in client_of(fay).post(url, values).content.decode()
    values["credential"] = Credential.objects.create(name="buyer").pk
    page = client_of(fay).post(url, values, follow=True).content.decode()
    assert "The buying policy is saved" in page
    assert "5,000.00" in page
    assert 'value="5000"' in page, "and no more digits than somebody typed"
    policy = BuyingPolicy.get()
    assert (policy.by_api, policy.monthly_ceiling) == (True, 5000)
    assert "must not be negative" in client_of(fay).post(url, {**values, "monthly_ceiling": "-1"}).content.decode()


def test_nobody_sets_her_own_limit(fay, fred, client_of):  # noqa: F811
    url = reverse("reservations:approver_limit_add")
    refused = client_of(fay).post(url, {"user": fay.pk, "limit": "9"}).content.decode()
    assert "Somebody else of finance sets your limit" in refused
    assert "The limit is set" in client_of(fay).post(url, {"user": fred.pk, "limit": "9"}, follow=True).content.decode()
    own = ApproverLimit.objects.get()
    assert (own.user, own.limit, own.set_by) == (fred, 9, fay)
    url = reverse("reservations:approver_limit", args=[own.pk])
    assert "Somebody else of finance" in client_of(fred).post(url, {"limit": "99"}).content.decode()


def test_a_standing_order_is_made_and_paused(fay, eli, client_of):
    url = reverse("reservations:standing_order_add")
    assert client_of(eli).get(url).status_code == 403
    page = client_of(fay).post(url, {"name": "Monthly", "team": "", "percent": "85", "is_active": "on"}, follow=True)
    assert "85%" in page.content.decode()
    order = StandingOrder.objects.get()
    assert (order.made_by, str(order.minimum_utilisation)) == (fay, "0.850")
    url = reverse("reservations:standing_order", args=[order.pk])
    page = client_of(fay).post(url, {"name": "Monthly", "team": "", "percent": "85"}, follow=True).content.decode()
    assert "Paused" in page


def test_what_is_used_of_the_ceiling_is_of_this_month(row, fay):
    buying_policy.set_policy(fay, monthly_ceiling=876)
    approvals.approve_purchase(row.pk, user=fay, comment="", now=timezone.now())
    PurchaseRequest.objects.update(through_api=True, executed_at=timezone.now(), state=purchase_rules.BOUGHT)
    assert buying_policy.ceiling_use(BuyingPolicy.get(), timezone.now())["percent"] == 50
    PurchaseRequest.objects.update(executed_at=EARLY)
    assert buying_policy.ceiling_use(BuyingPolicy.get(), timezone.now())["percent"] == 0


def test_by_the_api_somebody_else_approves_and_takes_the_commands(row, fay, eli, ola, client_of):
    detail = reverse("api:purchase-detail", args=[row.pk])
    approve, export = (reverse(f"api:purchase-{verb}", args=[row.pk]) for verb in ("approve", "export"))
    assert client_of(eli).post(approve).status_code == 403
    assert client_of(ola).get(detail).status_code == 404
    assert client_of(fay).post(export).json()["detail"].startswith("That cannot be done now")
    values = client_of(fay).post(approve, {"comment": "Go"}, content_type="application/json").json()
    assert (values["state"], values["approved_by"], values["value"]) == ("approved", "fay@demo.example", "438")
    given = client_of(fay).post(export).json()
    assert "purchase-reserved-instances-offering" in given["commands"]
    assert given["csv"].startswith("request,title")
    assert [event["verb"] for event in client_of(eli).get(detail).json()["events"]] == ["ask", "approve", "export"]


def test_by_the_api_her_own_is_refused_in_words(item, fay, client_of):
    own = purchase_requests.request_purchase(item, user=fay, batch=1, comment="", now=timezone.now())
    answer = client_of(fay).post(reverse("api:purchase-approve", args=[own.pk]))
    assert (answer.status_code, answer.json()["detail"]) == (400, "Somebody else has to approve what you requested.")
    assert (
        client_of(fay)
        .post(reverse("api:purchase-reject", args=[own.pk]))
        .json()["detail"]
        .startswith("Give the reason")
    )


def test_what_somebody_decided_is_in_the_audit_log(row, fay, fred):  # noqa: F811

    approvals.approve_purchase(row.pk, user=fay, comment="", now=timezone.now())
    buying_policy.set_limit(fay, fred, 7)
    buying_policy.set_buying_switch(stop=True)
    for entry in (row, ApproverLimit.objects.get(), BuyingPolicy.get()):
        assert AuditEntry.objects.about(entry).exists()
    assert "approved" in AuditEntry.objects.about(row).first().changes["state"][1]


def test_an_approval_says_what_it_commits_to_and_what_if_demand_falls(row, fay, client_of):
    page = client_of(fay).get(row.get_absolute_url()).content.decode()
    confirm = re.search(r'value="approve"\s+data-confirm="([^"]*)"', page)[1]
    end = timezone.now().date().replace(year=timezone.now().year + 1)
    assert confirm == (
        "1 × m5.large Linux in us-east-1, Standard RI, 1 year, no upfront: it commits 438.00 USD for 1 year, until "
        f"{day_text(end)}. 0.00 USD are paid on the first day, 36.50 USD each month. "
        # 876 on demand falls to 613.20; the 438 of the commitment stay.
        "If what it covers falls by 30%, it still costs the same, and saves at least 175.20 USD a year, of 438.00."
    )
    letter = OutgoingEmail.objects.get(to="fay@demo.example")
    assert letter.subject == f"To approve: {row.title}"
    assert "saves at least 175.20 USD a year" in " ".join(bytes(letter.content).decode().replace("=\n", "").split())


def test_what_would_cost_more_after_a_fall_is_said(row):
    row.committed_cost = Decimal(700)
    assert describe_fall(row).endswith("costs up to 86.80 USD a year more than on demand.")


def test_an_engineer_reads_that_finance_decides_and_finance_that_somebody_else_does(item, eli, fay, client_of):
    address = reverse("reservations:purchase_ask", args=[item.plan_id, 1])
    page = client_of(eli).post(address, {"batch": "1", "comment": ""}, follow=True).content.decode()
    assert "It is requested: finance got an email, and decides." in page
    page = client_of(fay).post(address, {"batch": "2", "comment": ""}, follow=True).content.decode()
    assert "It is requested: somebody else of finance got an email, and decides." in page


def test_what_only_a_console_sells_is_bought_by_its_steps(row, fay, client_of):
    PurchaseRequest.objects.update(service="DynamoDB", instance_type="WriteCapacityUnit-Hrs", system="")
    approvals.approve_purchase(row.pk, user=fay, comment="", now=timezone.now())
    client = client_of(fay)
    page = post(client, row, "export")
    assert "AWS sells reservations of DynamoDB in its console only." in page
    assert "<li>Open AWS&#x27;s console in us-east-1: DynamoDB &gt; Reserved capacity" in page
    assert "AWS CLI" not in page
    file = client.get(reverse("reservations:purchase_file", args=[row.pk, "sh"])).content.decode()
    assert "# 1. Open AWS" in file
