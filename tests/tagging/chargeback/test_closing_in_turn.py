"""Months before the first closing, who gets statements, and pools of a currency in which no team has direct cost."""

from datetime import date
from decimal import Decimal

import pytest
from django.core import mail

from costs.calc.exchange_rates import CurrencyRate
from costs.query.currency_conversion import load_rates
from finops_site.mail import outbox
from finops_site.models import Membership, OutgoingEmail, Team
from tagging.chargeback import closing, emails, invariants
from tagging.chargeback.closing_checklist import closing_checklist
from tagging.models import ChargebackPeriod, Statement, StatementLine
from tests.tagging.chargeback.helpers import MARCH, NOW, bill, charge, company, drafts, split_support, usual

pytestmark = pytest.mark.django_db


@pytest.fixture
def support(people):
    return company()


def close(period, user, **more):
    return closing.close_month(period, user, **{"seen": period.fingerprint, "now": NOW, **more})


def in_turn(period):
    return next(item for item in closing_checklist(period, NOW) if item.label == "In turn")


def test_months_before_the_first_closing_are_set_aside_or_closed(support, tmp_path, fay, client_of):
    bill(tmp_path, [*usual("2025-12"), *usual("2026-01"), *usual("2026-02"), *usual()])
    periods = drafts()
    assert "2025-12, 2026-01, 2026-02 before it are drafts" in in_turn(periods[MARCH]).text
    assert in_turn(periods[MARCH]).state == "warn"
    answer = client_of(fay).post("/chargeback/2026-01/aside/", {"verb": "aside_before"}, follow=True)
    assert "2 months are set aside" in answer.content.decode()
    assert "Set aside on" in answer.content.decode()
    close(drafts()["2026-02"], fay)
    first = in_turn(drafts()[MARCH])
    assert (first.state, first.text) == ("good", "The month is over, and every month before it is closed or set aside.")
    january = ChargebackPeriod.objects.get(billing_month="2026-01-01")
    with pytest.raises(closing.CannotClose, match="take it back first"):
        close(january, fay)
    with pytest.raises(closing.CannotClose, match="Feb 2026 is closed: the months after it"):
        closing.set_aside(drafts()[MARCH], fay, NOW)
    closing.take_back(january)
    assert not Statement.objects.filter(period=january).exclude(number=None).exists()
    close(drafts()["2026-01"], fay)
    close(drafts()[MARCH], fay)
    assert {str(month) for month in ChargebackPeriod.objects.closed_months()} == {"2026-01", "2026-02", "2026-03"}


def test_a_statement_without_a_lead_goes_to_whoever_leads_above_else_to_finance(support, tmp_path, fay, lea):
    payments, data = (Team.objects.get(name=name) for name in ("Payments", "Data"))
    Membership.objects.filter(team=data).delete()
    bill(tmp_path, usual())
    close(drafts()[MARCH], fay)
    assert emails.post_statement_emails(NOW) == 2
    assert set(OutgoingEmail.objects.values_list("to", flat=True)) == {lea.email, fay.email}
    outbox.send_queued_emails(NOW)
    message = next(sent for sent in mail.outbox if sent.to == [fay.email])
    assert "because nobody leads Data" in message.body
    OutgoingEmail.objects.all().delete()
    Statement.objects.update(notified_at=None)
    Team.objects.filter(pk=data.pk).update(parent=payments)
    assert emails.post_statement_emails(NOW) == 1
    assert OutgoingEmail.objects.get().subject == (
        "Chargeback of Data, Payments for Mar 2026: statements 2026-03-0001, 2026-03-0002"
    )
    mail.outbox.clear()
    outbox.send_queued_emails(NOW)
    reason = "because you lead Payments, and because nobody leads Data: it goes to whoever leads above"
    assert reason in mail.outbox[0].body


def test_a_closing_sends_one_mail_with_all_currencies(support, tmp_path, fay, lea):
    bill(tmp_path, [*usual(), charge("12.50", "Payments", BillingCurrency="EUR")])
    close(drafts()[MARCH], fay)
    emails.post_statement_emails(NOW)
    email = OutgoingEmail.objects.get(to=lea.email)
    outbox.send_queued_emails(NOW)
    message = next(sent for sent in mail.outbox if sent.to == [lea.email])
    assert "12.50 EUR" in message.body
    assert "100.10 USD" in message.body
    assert email.subject.endswith("statements 2026-03-0002, 2026-03-0003")


def test_what_reaches_nobody_is_tried_again(support, tmp_path, fay):
    Membership.objects.filter(team__name="Data").delete()
    bill(tmp_path, usual())
    close(drafts()[MARCH], fay)
    fay.is_active = False
    fay.save()
    assert emails.post_statement_emails(NOW) == 1
    assert Statement.objects.get(notified_at=None).team_name == "Data"
    fay.is_active = True
    fay.save()
    assert emails.post_statement_emails(NOW) == 1


def euro_support(amount="9"):
    return charge(amount, "", "AWS Support", day="01", BillingCurrency="EUR")


def shared_in_euro():
    lines = StatementLine.objects.filter(kind="shared", statement__currency="EUR")
    return {line.statement.team_name: line for line in lines.select_related("statement")}


def test_a_pool_in_a_currency_without_direct_cost_is_split_by_what_teams_cost_in_the_other(support, tmp_path):
    split_support(support)
    bill(tmp_path, [*usual(payments="100", data="50", support="30"), euro_support()])
    march = drafts()[MARCH]
    shared = shared_in_euro()
    assert {name: line.amount for name, line in shared.items()} == {"Payments": 6, "Data": 3}
    assert shared["Payments"].formula == "no direct cost in EUR: direct cost 100.00 of 150.00 USD: 66.7%"
    assert march.problems == ["Support (EUR): no team has direct cost in EUR, so it is split by direct cost in USD."]
    assert march.totals.get(currency="EUR").unallocated == 0


def test_several_other_currencies_are_added_at_the_rates_of_the_month_or_wait_for_them(support, tmp_path):
    split_support(support)
    in_pounds = charge("50", "Data", BillingCurrency="GBP")
    bill(tmp_path, [charge("100", "Payments"), in_pounds, euro_support()])
    march = drafts()[MARCH]
    assert "no rates of 2026-03 are loaded to add that in GBP, USD: load them" in march.problems[0]
    assert march.totals.get(currency="EUR").unallocated == 9
    day = date(2026, 3, 31)
    load_rates([CurrencyRate("EUR", "USD", day, Decimal("1.25")), CurrencyRate("EUR", "GBP", day, Decimal("0.5"))])
    # The draft notices that rates were loaded: 80 EUR of Payments, 100 EUR of Data.
    march = drafts()[MARCH]
    shared = shared_in_euro()
    assert {name: line.amount for name, line in shared.items()} == {"Payments": 4, "Data": 5}
    assert "1 USD = 0.8000 EUR of 31 Mar 2026" in shared["Data"].formula
    assert march.totals.get(currency="EUR").unallocated == 0


def test_an_even_split_needs_no_rate(support, tmp_path):
    split_support(support, "even")
    in_pounds = charge("50", "Data", BillingCurrency="GBP")
    bill(tmp_path, [charge("100", "Payments"), in_pounds, euro_support("8")])
    march = drafts()[MARCH]
    assert {name: line.amount for name, line in shared_in_euro().items()} == {"Payments": 4, "Data": 4}
    assert march.problems == ["Support (EUR): no team has direct cost in EUR, so it is split evenly."]


def test_a_month_whose_cost_nobody_owns_is_closed_without_a_statement(support, tmp_path, fay, client_of):
    bill(tmp_path, [charge("7", "", "Amazon SQS")])
    march = drafts()[MARCH]
    answer = client_of(fay).post(f"/chargeback/{MARCH}/close/", {"seen": march.fingerprint}, follow=True)
    assert "March 2026 is closed: no team is charged for it." in answer.content.decode()
    march.refresh_from_db()
    assert (march.is_closed, march.totals.get().unowned, march.statements.count()) == (True, 7, 0)


def test_rates_that_are_loaded_after_closing_leave_the_books_right(support, tmp_path, fay):
    split_support(support)
    bill(tmp_path, [charge("100", "Payments"), charge("50", "Data", BillingCurrency="GBP"), euro_support()])
    close(drafts()[MARCH], fay)
    day = date(2026, 3, 31)
    load_rates([CurrencyRate("EUR", "USD", day, Decimal("1.25")), CurrencyRate("EUR", "GBP", day, Decimal("0.5"))])
    drafts()
    assert [check for check in invariants.check_statements(None) if not check.holds] == []


def test_a_month_is_not_compared_with_one_that_nobody_was_charged_for(support, tmp_path, fay, client_of):
    february = [charge("70", "Payments", month="2026-02"), charge("20", "Data", month="2026-02")]
    bill(tmp_path, [*february, *usual()])
    closing.set_aside(drafts()["2026-02"], fay, NOW)
    bill(tmp_path, [charge("200", "Payments", month="2026-02"), *usual()])
    march = drafts()[MARCH]
    payments = Statement.objects.get(period=march, team__name="Payments")

    def changes():
        page = client_of(fay).get(payments.get_absolute_url())
        change = page.context["shown"][0].change
        table = client_of(fay).get(march.get_absolute_url()).context["table"]
        row = next(row.record for row in table.rows if row.record["team"] == "Payments")
        assert (row["before"], row["change"]) == (change.before, change.amount)
        assert table.columns["change"].header == "Against last month (set aside)"
        return change.before, change.amount, change.against, [reason["label"] for reason in change.reasons]

    first = (0, Decimal("100.10"), "against last month (set aside)", ["Nobody was charged for last month"])
    assert changes() == first
    close(march, fay)
    closing.take_back(ChargebackPeriod.objects.get(billing_month="2026-02-01"))
    assert changes() == first


def test_the_page_of_a_closed_month_names_who_closed_it_as_she_was_called_then(support, tmp_path, fay, client_of):
    bill(tmp_path, [charge("7", "", "Amazon SQS")])
    march = drafts()[MARCH]
    close(march, fay)
    name = str(fay)
    type(fay).objects.filter(pk=fay.pk).update(name="Fay Changed")
    subtitle = client_of(fay).get(march.get_absolute_url()).context["subtitle"]
    assert f"by {name}." in subtitle
