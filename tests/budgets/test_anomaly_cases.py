"""What is an anomaly and what is none: refunds, fees, jobs that stop, slow rises; whom it is mailed to, and how."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from budgets.anomalies import detection
from budgets.anomalies.sensitivity import sensitivities_of
from budgets.models import Anomaly, AnomalySensitivity
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.lib.periods import Month, Period
from finops_site.models import AuditEntry, OutgoingEmail, Team
from tests import bills
from tests.budgets.conftest import at
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
FIRST = date(2025, 12, 1)
OTHER = {"ResourceId": "backup-vault", "ResourceName": "backup-vault", "ServiceName": "AWS Backup"}


@pytest.fixture
def deliver_days(tmp_path, payments):
    """Delivers what each day cost, from September 2025 on: `cost(day)` is a text, or a list of lines of their own."""

    def deliver(until, cost, first=FIRST, name="daily"):
        month = Month.of(first)
        while month.start <= until:
            span = Period(max(first, month.start), min(month.next.start, until + timedelta(days=1)))
            rows = [line for day in span.each_day() for line in _lines(month, day, cost(day))]
            path = bills.write(tmp_path, f"{name}-{month}.csv", bills.focus_csv(rows))
            (received,) = receive_bill("northwind", [path], is_accepted=True)
            load_bill(received.delivery)
            month = month.next

    return deliver


def _lines(month, day, costs):
    for line in [costs] if isinstance(costs, str) else costs:
        amount, more = (line, {}) if isinstance(line, str) else line
        yield {
            "BillingPeriodStart": f"{month.start}T00:00:00Z",
            "BillingPeriodEnd": f"{month.next.start}T00:00:00Z",
            "ChargePeriodStart": f"{day}T00:00:00Z",
            "ChargePeriodEnd": f"{day + timedelta(days=1)}T00:00:00Z",
            **dict.fromkeys(("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"), amount),
            **more,
        }


def nights(first, last):
    """Checks every night; returns what is reported, oldest first."""
    for day in Period(first, last + timedelta(days=1)).each_day():
        detection.detect_anomalies(day, now=at(day))
    return list(Anomaly.objects.order_by("day", "pk"))


def wobble(day, base=100):
    """A cost that differs a little from day to day, as costs do."""
    return Decimal(base) * (100 + (day.toordinal() * 7919) % 7 - 3) / 100


def text(amount):
    return f"{amount:.2f}"


def test_normal_days_after_a_refund_are_no_anomaly_and_nobody_gets_mail(deliver_days, fay, lea):
    """Case 31: 100 a day, 1,000 given back on 15 March."""
    deliver_days(date(2026, 3, 20), lambda day: "-900.00" if day == date(2026, 3, 15) else "100.00", date(2025, 12, 1))
    assert nights(date(2026, 3, 12), date(2026, 3, 22)) == []
    assert OutgoingEmail.objects.count() == 0


def test_a_credit_within_usage_that_ends_is_no_anomaly(deliver_days, fay, lea):
    """100 used each day, 60 of it given back as a line of its own until 10 March."""
    credit = {"ResourceId": "", "ResourceName": "", "SkuId": "promotion"}
    deliver_days(date(2026, 3, 24), lambda day: ["100.00", *([("-60.00", credit)] if day < date(2026, 3, 10) else [])])
    assert nights(date(2026, 3, 12), date(2026, 3, 26)) == []


def test_a_slow_rise_is_found_with_since_when_and_how_much_money(deliver_days, fay, lea):
    since, growth = date(2026, 2, 20), Decimal("1.01")

    def cost(day):
        return text(wobble(day) * growth ** max((day - since).days, 0))

    deliver_days(date(2026, 3, 25), cost)
    (anomaly,) = nights(date(2026, 3, 1), date(2026, 3, 27))
    assert (anomaly.kind, anomaly.pattern) == ("service", "creep")
    assert abs((anomaly.day - since).days) <= 5
    more = sum(Decimal(cost(day)) for day in anomaly.period.each_day()) - 100 * anomaly.days
    assert abs(anomaly.excess - more) < more / 10
    assert anomaly.last_day == date(2026, 3, 23), "it is followed while it goes on"
    assert anomaly.per_month > 0
    assert OutgoingEmail.objects.filter(to=lea.email).count() == 1, "one e-mail for one cause"


def test_a_backup_that_stopped_is_a_drop_in_words_of_its_own(deliver_days, fay, lea, eli):
    deliver_days(
        date(2026, 3, 24), lambda day: [text(wobble(day)), *([("40.00", OTHER)] if day < date(2026, 3, 12) else [])]
    )
    (anomaly,) = nights(date(2026, 3, 10), date(2026, 3, 26))
    assert (anomaly.pattern, anomaly.service, anomaly.day) == ("drop", "AWS Backup", date(2026, 3, 12))
    assert (anomaly.actual, anomaly.excess) == (0, -40 * anomaly.days)
    assert anomaly.contributors[0]["label"] == "backup-vault"
    assert sorted(OutgoingEmail.objects.values_list("to", flat=True)) == [eli.email, fay.email, lea.email]
    mail = OutgoingEmail.objects.get(to=eli.email)
    assert (
        "AWS Backup in 000000000042 has cost 120.00 USD less since 12 Mar 2026: has something stopped?" in mail.subject
    )
    assert anomaly.get_severity_display() == "warning"
    assert sum(Decimal(part["amount"]) for part in anomaly.contributors) == anomaly.excess


def test_a_bill_that_is_late_is_no_drop(deliver_days, fay, lea):
    """Nothing is known after the 12th: unknown is not zero."""
    deliver_days(date(2026, 3, 12), lambda day: [text(wobble(day)), ("40.00", OTHER)])
    assert nights(date(2026, 3, 10), date(2026, 3, 26)) == []


def test_a_month_without_a_bill_is_no_drop_and_what_follows_no_jump(deliver_days, fay):
    deliver_days(date(2026, 1, 31), lambda day: text(wobble(day)))
    deliver_days(date(2026, 3, 25), lambda day: text(wobble(day)), date(2026, 3, 1))
    assert nights(date(2026, 2, 10), date(2026, 3, 27)) == []


def test_the_first_bills_of_a_company_are_no_anomaly(deliver_days, fay):
    deliver_days(date(2026, 3, 25), lambda day: text(wobble(day)), date(2026, 3, 5))
    assert nights(date(2026, 3, 8), date(2026, 3, 27)) == []


# Sensitivity, list, API.


@shared
def two_anomalies(payments):
    """A jump of 500 and a slow rise of 90 by now, of Payments."""
    days = {"day": date(2026, 3, 10), "last_day": date(2026, 3, 12), "found_as_of": date(2026, 3, 14)}
    small = Anomaly.objects.create(
        **{"kind": "team", "team": payments, "currency": "USD", "actual": 390, "expected": 300, "pattern": "creep"},
        **{**days, "latest_a_day": 40},
    )
    large = Anomaly.objects.create(
        **{"kind": "service", "service": "Amazon S3", "account": "1", "team": payments, "currency": "USD"},
        **{**days, "actual": 800, "expected": 300},
    )
    return large, small


def test_lea_reads_anomalies_by_money_with_their_kind(two_anomalies, lea, client_of):
    large, small = two_anomalies
    rows = client_of(lea).get("/api/v1/anomalies/").json()["results"]
    assert [(row["id"], row["pattern"]) for row in rows] == [(large.pk, "jump"), (small.pk, "creep")]
    assert (rows[0]["per_month"], rows[1]["per_month"], rows[1]["difference"]) == (None, "1200", "90")
    page = client_of(lea).get(reverse("budgets:anomalies"))
    assert [row.record.pk for row in page.context["table"].paginated_rows] == [large.pk, small.pk]
    only = client_of(lea).get(reverse("budgets:anomalies"), {"pattern": "creep"})
    assert [row.record.pk for row in only.context["table"].paginated_rows] == [small.pk]
    assert "slow rise" in only.content.decode()
    home = client_of(lea).get("/").content.decode()
    assert home.index("Amazon S3 in 1: jump since") < home.index("Payments: slow rise since 10 Mar 2026")


def test_the_page_of_a_slow_rise_says_since_when_what_to_do_and_shows_what_is_usual(two_anomalies, lea, client_of):
    page = client_of(lea).get(two_anomalies[1].get_absolute_url())
    assert "rises slowly: 90.00 USD more since 10 Mar 2026" in page.content.decode()
    assert "never deleted" in page.content.decode()
    assert [one["name"] for one in page.context["chart"]["series"]] == ["Actual", "Expected", "Usual"]


def test_lea_sets_the_sensitivity_of_her_team_and_not_of_olas(payments, lea, eli, ola, fay, max_, client_of):
    url, data = reverse("budgets:sensitivity_add"), {"team": payments.pk, "level": "low", "why": "load tests"}
    data_team = Team.objects.get(name="Data")
    assert client_of(lea).post(url, data | {"team": data_team.pk}).status_code == 200
    assert not AnomalySensitivity.objects.exists(), "the form refuses"
    client_of(lea).post(url, data)
    row = AnomalySensitivity.objects.get()
    assert (row.team, row.level) == (payments, "low")
    assert AuditEntry.objects.about(row).filter(actor=lea).exists()
    assert client_of(ola).get(reverse("budgets:sensitivity", args=[row.pk])).status_code == 404
    assert "already" in client_of(fay).post(url, data).content.decode()
    for person, may in ((lea, True), (eli, False)):
        page = client_of(person).get(reverse("budgets:sensitivities")).content.decode()
        for address in (url, reverse("budgets:sensitivity", args=[row.pk])):
            assert (f'href="{address}"' in page) is may, "a link would only refuse eli"
    api = "/api/v1/anomaly-sensitivities/"
    body = {"team": data_team.pk, "service": "", "account": "", "level": "high"}
    assert client_of(lea).post(api, body).status_code == 403
    assert client_of(max_).post(api, body).status_code == 403
    assert client_of(ola).post(api, body).status_code == 201
    assert client_of(fay).post(api, body).status_code == 400, "it has one already"
    assert client_of(fay).post(api, {"level": "high"}).status_code == 400, "of nothing"
    client_of(lea).post(reverse("budgets:sensitivity_remove", args=[row.pk]))
    assert AnomalySensitivity.objects.get().team == data_team


def test_the_sensitivity_that_names_most_counts_and_a_team_hands_its_own_down(payments):
    below = Team.objects.create(name="Cards", parent=payments)
    for fields in (
        {"team": payments, "level": "low"},
        {"service": "Amazon S3", "level": "high"},
        {"team": below, "service": "Amazon S3", "account": "1", "level": "normal"},
    ):
        AnomalySensitivity.objects.create(**fields)
    scopes = [
        ("team", below.pk, "", "", "USD"),
        ("service", payments.pk, "Amazon EC2", "1", "USD"),
        ("service", payments.pk, "Amazon S3", "1", "USD"),
        ("service", below.pk, "Amazon S3", "1", "USD"),
        ("service", None, "Amazon EC2", "1", "USD"),
    ]
    assert sensitivities_of(scopes) == ["low", "low", "high", "normal", "normal"]
