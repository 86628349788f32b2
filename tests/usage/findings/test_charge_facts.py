"""What bills by the day, by the hour and by the month state of a resource."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest

from costs.formats.base import CHARGE_COLUMNS
from usage.calc.charge_facts import fill_from_charges, open_charges
from usage.calc.facts import make_tables

AS_OF = date(2026, 3, 31)
USUAL = {
    "ProviderName": "Amazon Web Services",
    "BillingAccountId": "payer",
    "SubAccountId": "1",
    "RegionId": "eu-west-1",
    "ResourceId": "i-1",
    "ServiceName": "Amazon Elastic Compute Cloud",
    "ServiceCategory": "Compute",
    "ChargeCategory": "Usage",
    "PricingCategory": "Standard",
    "BillingCurrency": "USD",
    "ConsumedUnit": "Hours",
    "x_UsageType": "EU-BoxUsage:m5.large",
}


@pytest.fixture
def facts_of(tmp_path):
    """Fills the facts from charges, (start, hours, cost, more) each, as they lie in Parquet."""

    def fill(charges, as_of=AS_OF):
        db = duckdb.connect()
        kinds = {"text": "VARCHAR", "tags": "VARCHAR", "moment": "TIMESTAMP"}
        columns = {name: kinds.get(kind, "DECIMAL(38, 18)") for name, kind in CHARGE_COLUMNS.items()}
        db.execute(f"CREATE TABLE written ({', '.join(f'{n} {k}' for n, k in columns.items())}, x_Problem VARCHAR)")
        for start, hours, cost, more in charges:
            row = {**USUAL, "ChargePeriodStart": start, "ChargePeriodEnd": start + timedelta(hours=hours)}
            row |= {"ConsumedQuantity": hours, "EffectiveCost": cost, "ListCost": cost, **more}
            db.execute(
                f"INSERT INTO written ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values())
            )
        db.execute(f"COPY written TO '{tmp_path}/charges.parquet'")
        make_tables(db)
        open_charges(db, [f"{tmp_path}/*.parquet"])
        fill_from_charges(db, as_of)
        return db

    return fill


def days(first, last, cost="2.40", **more):
    return [(datetime(2026, 3, day), 24, Decimal(cost), more) for day in range(first, last + 1)]


def rows(db, columns, table):
    return db.execute(f"SELECT {columns} FROM {table} ORDER BY ALL").fetchall()


def test_a_month_is_counted_at_the_pace_of_the_days_that_a_resource_was_there(facts_of):
    db = facts_of([*days(1, 31), *days(29, 31, ResourceId="i-new")])
    # 73 is 2.40 * 365 / 12 for both; the hours are those of the window: 30 days, and 3.
    columns = "provider, account, resource, instance_type, cost, monthly_cost, hours, days"
    assert rows(db, columns, "use") == [
        ("AWS", "1", "i-1", "m5.large", Decimal("72"), Decimal("73"), 720, 30),
        ("AWS", "1", "i-new", "m5.large", Decimal("7.2"), Decimal("73"), 72, 3),
    ]


def test_who_rests_at_weekends_is_there_and_costs_what_its_weekdays_cost(facts_of):
    # 2 to 27 March without weekends: 20 days; the bill goes on until Sunday the 29th with another machine.
    weekdays = [charge for charge in days(2, 27) if charge[0].weekday() < 5]
    db = facts_of([*weekdays, *days(1, 29, ResourceId="i-2"), *days(2, 10, ResourceId="i-left")])
    # 48 in the 28 days since the 2nd.
    ((cost,),) = db.execute("SELECT monthly_cost FROM there WHERE resource = 'i-1'").fetchall()
    assert cost == (Decimal(48) * 730 / (24 * 28)).quantize(Decimal("1E-10"))
    assert rows(db, "resource", "there") == [("i-1",), ("i-2",)]


def test_what_a_commitment_covers_is_no_open_cost(facts_of):
    covered = {"PricingCategory": "Committed", "CommitmentDiscountId": "sp-1", "CommitmentDiscountStatus": "Used"}
    db = facts_of([*days(1, 31), *days(1, 31, "1.20", **covered)])
    assert rows(db, "monthly_cost, monthly_open_cost", "there") == [(Decimal("109.5"), Decimal("73"))]


def test_a_monthly_charge_counts_by_its_days_within_the_window(facts_of):
    month = {"ChargePeriodEnd": datetime(2026, 4, 1), "ConsumedQuantity": 744}
    db = facts_of([(datetime(2026, 3, 1), 744, Decimal("31"), month)], as_of=date(2026, 4, 2))
    # The 2nd to the 31st: 30 of 31 days.
    assert rows(db, "cost, hours, days, first_day, last_day", "use") == [
        (Decimal("30"), 720, 30, date(2026, 3, 2), date(2026, 3, 31))
    ]


def test_hours_of_the_week_come_from_bills_by_the_hour_alone(facts_of):
    # Four weeks from Monday the 2nd: at nine every weekday, and at ten on two Mondays.
    hourly = [
        (datetime(2026, 3, day, 9), 1, Decimal("0.1"), {}) for day in range(2, 30) if date(2026, 3, day).weekday() < 5
    ]
    hourly += [(datetime(2026, 3, day, 10), 1, Decimal("0.1"), {}) for day in (2, 16)]
    db = facts_of([*hourly, *days(1, 29, ResourceId="i-daily")], as_of=date(2026, 3, 29))
    shares = dict(rows(db, "hour, share", "week_hours"))
    assert sorted(shares) == [9, 10, 33, 57, 81, 105]
    assert shares[9] == 1
    assert shares[10] == pytest.approx(0.5)


def test_taxes_credits_and_unused_commitments_are_no_use_of_a_resource(facts_of):
    db = facts_of(
        [
            *days(1, 31),
            *days(1, 31, ChargeCategory="Credit"),
            *days(1, 31, CommitmentDiscountStatus="Unused"),
            *days(1, 31, ResourceId=None),
        ]
    )
    assert rows(db, "resource, cost", "use") == [("i-1", Decimal("72"))]


def test_the_bill_states_the_list_price_of_a_machine(facts_of):
    db = facts_of(days(1, 31, ListUnitPrice=Decimal("0.107"), ChargeDescription="$0.107 per On Demand Linux m5.large"))
    columns = "provider, region, item, system, unit, price, currency, source"
    assert rows(db, columns, "prices") == [
        ("AWS", "eu-west-1", "m5.large", "Linux", "Hours", Decimal("0.107"), "USD", "bill")
    ]


def test_a_bill_without_cost_has_no_cost_and_not_zero(facts_of):
    db = facts_of([(start, hours, None, more) for start, hours, _cost, more in days(1, 31)])
    assert rows(db, "monthly_cost, monthly_open_cost", "there") == [(None, None)]
