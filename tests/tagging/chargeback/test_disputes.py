"""A correcting entry stays within what was disputed; above the line a second person confirms it."""

from datetime import timedelta
from decimal import Decimal
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.urls import reverse

from finops_site.models import OutgoingEmail, Team, User
from tagging.calc.correction_limits import CorrectionLimits, TooMuch
from tagging.chargeback import closing, disputes
from tagging.chargeback.closing_checklist import closing_checklist
from tagging.chargeback.disputes import CorrectingEntry, InvalidDispute
from tagging.models import Adjustment, ChargebackPeriod, Dispute, StatementLine
from tests.people import waiting_for
from tests.tagging.chargeback.helpers import MARCH, NOW, bill, charge, company, drafts, split_support, totals, usual


def dec(text):
    return Decimal(text)


@pytest.mark.parametrize(
    ("line", "statement", "amount", "before", "expected"),
    [
        ("33.33", "120", "33.33", "0", False),
        ("33.33", "120", "33.34", "0", True),
        ("33.33", "120", "20", "20", True),
        ("33.33", "120", "-5", "0", True),
        ("-50", "120", "-50", "0", False),
        ("-50", "120", "10", "0", True),
        ("0", "120", "1", "0", True),
        # A line may be more than its statement, which has credits, too: never alone.
        ("200", "120", "120", "0", False),
        ("200", "120", "120.01", "0", True),
        ("200", "120", "200", "0", True),
        ("200", "120", "60", "60.01", True),
    ],
)
def test_above_the_line_a_second_person_is_needed(line, statement, amount, before, expected):
    limits = CorrectionLimits("USD", dec(line), dec(statement), dec(before), dec(before))
    assert limits.needs_second_person(dec(amount)) is expected


@pytest.mark.parametrize(("amount", "before"), [("999999", "0"), ("-999999", "0"), ("100", "20.01"), ("120.01", "0")])
def test_above_the_statement_nobody_books_it(amount, before):
    limits = CorrectionLimits("USD", dec("33.33"), dec(120), moved_of_statement=dec(before))
    with pytest.raises(TooMuch, match=r"more than the statement charges, 120\.00 USD"):
        limits.needs_second_person(dec(amount))


@pytest.fixture
def flo(people):
    """A second person in finance."""
    user = User.objects.create_user("flo@demo.example", "pw", name="Flo Berg")
    user.groups.set([Group.objects.get(name="finance")])
    return user


@pytest.fixture
def dispute(people, lea, tmp_path):
    """A line of 20.01 that Payments disputes, on a statement of 120.11."""
    split_support(company())
    bill(tmp_path, usual())
    march = drafts()[MARCH]
    closing.close_month(march, people["fay"], seen=march.fingerprint, now=NOW)
    drafts()
    line = StatementLine.objects.get(statement__team__name="Payments", kind="shared")
    return disputes.raise_dispute(line, lea, "Too much support", NOW)


pages = pytest.mark.django_db


@pages
def test_a_correction_above_the_line_is_booked_when_a_second_person_confirms(dispute, fay, flo, lea, client_of):
    url = reverse("tagging:dispute", args=[dispute.pk])
    data = Team.objects.get(name="Data")
    refused = client_of(fay).post(url, {"answer": "So", "amount": "999999", "to_team": data.pk}).content.decode()
    assert "more than the statement charges" in refused
    answer = client_of(fay).post(url, {"answer": "Moved", "amount": "50", "to_team": data.pk}, follow=True)
    assert "Not booked yet" in answer.content.decode()
    assert not Adjustment.objects.exists()
    assert not OutgoingEmail.objects.filter(to=lea.email, subject__startswith="Corrected").exists()
    assert waiting_for(flo) == [f"A correcting entry waits for a second person: {dispute}"]
    assert waiting_for(fay) == []
    assert OutgoingEmail.objects.filter(to=flo.email, subject__startswith="A second person is needed").count() == 1
    own = client_of(fay).post(url, {"verb": "confirm"}).content.decode()
    assert "neither who proposed it" in own
    assert client_of(lea).post(url, {"verb": "confirm"}).status_code == 403
    client_of(flo).post(url, {"verb": "confirm"})
    adjustment = Adjustment.objects.get()
    assert (adjustment.amount, adjustment.created_by, str(adjustment.period.month)) == (50, flo, "2026-04")
    assert Dispute.objects.get().resolved_by == flo
    assert OutgoingEmail.objects.filter(to=lea.email, subject__startswith="Corrected").count() == 1


@pages
def test_a_correction_that_is_turned_down_books_nothing_and_says_why(dispute, fay, flo):
    disputes.resolve_dispute(dispute, fay, "Moved", NOW, CorrectingEntry(Decimal(50), None))
    assert dispute.state == "proposed"
    with pytest.raises(InvalidDispute, match="has proposed a correcting entry"):
        disputes.resolve_dispute(dispute, flo, "No", NOW)
    with pytest.raises(InvalidDispute, match="Say why"):
        disputes.reject_correction(dispute, flo, " ", NOW)
    disputes.reject_correction(dispute, flo, "The metric was right", NOW)
    assert (dispute.state, dispute.proposed_by, dispute.rejected_why) == ("open", None, "The metric was right")
    assert OutgoingEmail.objects.filter(to=fay.email, subject__startswith="Not confirmed").count() == 1
    assert not Adjustment.objects.exists()
    disputes.resolve_dispute(dispute, fay, "Then not", NOW)
    assert dispute.state == "answered"


@pages
def test_small_corrections_of_one_line_count_together(dispute, fay, lea):
    disputes.resolve_dispute(dispute, fay, "Half of it", NOW, CorrectingEntry(Decimal(15), None))
    assert dispute.state == "corrected"
    again = disputes.raise_dispute(dispute.line, lea, "Still too much", NOW)
    disputes.resolve_dispute(again, fay, "The other half", NOW, CorrectingEntry(Decimal(15), None))
    assert again.state == "proposed"


@pages
def test_what_a_draft_has_moved_already_counts_once(people, lea, fay, tmp_path):
    company()
    bill(tmp_path, [charge("50"), charge("50", service="Amazon S3")])
    drafts()
    data = Team.objects.get(name="Data")
    for line in StatementLine.objects.filter(kind="direct"):
        dispute = disputes.raise_dispute(line, lea, "Not ours", NOW)
        disputes.resolve_dispute(dispute, fay, "Moved", NOW, CorrectingEntry(Decimal(50), data))
        assert dispute.state == "corrected"
        drafts()
    assert totals(drafts()[MARCH]) == {"Payments": 0, "Data": 100}


@pages
def test_what_is_moved_stays_with_the_service_or_the_pool_of_its_line(dispute, lea, fay):
    data = Team.objects.get(name="Data")
    disputes.resolve_dispute(dispute, fay, "Moved", NOW, CorrectingEntry(Decimal(20), data))
    direct = dispute.line.statement.lines.get(kind="direct")
    of_service = disputes.raise_dispute(direct, lea, "Not ours", NOW)
    disputes.resolve_dispute(of_service, fay, "Moved", NOW, CorrectingEntry(Decimal(10), data))
    drafts()
    lines = StatementLine.objects.filter(kind="adjustment")
    about = {(abs(line.amount), line.service, line.pool and line.pool.name, line.booked_as) for line in lines}
    assert about == {(10, "Amazon EC2", None, "Amazon EC2"), (20, "", "Support", "Support")}


@pages
def test_an_entry_that_would_be_booked_as_zero_is_refused(dispute, fay):
    with pytest.raises(InvalidDispute, match="less than the smallest amount in USD"):
        disputes.resolve_dispute(dispute, fay, "A trace", NOW, CorrectingEntry(Decimal("0.001"), None))
    assert not Adjustment.objects.exists()


@pages
def test_a_line_is_disputed_from_the_api_alone_with_the_amount_of_its_document(dispute, fay, lea, client_of):
    statement = dispute.line.statement
    row = client_of(lea).get(f"/api/v1/disputes/{dispute.pk}/").json()
    assert (row["amount"], Decimal(row["exact_amount"])) == ("20.01", dispute.line.amount)
    lines = client_of(lea).get(f"/api/v1/chargeback/{MARCH}/teams/{statement.team_id}/").json()[0]["lines"]
    line = next(line["id"] for line in lines if line["kind"] == "direct")
    body = {"line": line, "comment": "Not ours"}
    answer = client_of(lea).post("/api/v1/disputes/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["line"]) == (201, line)
    disputes.resolve_dispute(dispute, fay, "Moved", NOW, CorrectingEntry(Decimal(50), None))
    page = client_of(fay).get(reverse("tagging:dispute", args=[dispute.pk])).content.decode()
    assert "20.014" not in page


@pages
def test_going_back_before_proposals_leaves_an_open_dispute_without_their_answer(dispute, fay):
    disputes.resolve_dispute(dispute, fay, "Moved", NOW, CorrectingEntry(Decimal(50), None))
    name = "tagging.migrations.0039_corrections_and_accounts"
    import_module(name).only_states_of_before(apps, None)
    dispute.refresh_from_db()
    assert (dispute.state, dispute.answer) == ("open", "")


@pages
def test_what_a_restated_bill_gave_back_is_not_given_back_again(dispute, lea, fay, tmp_path):
    bill(tmp_path, usual(payments="10"))
    drafts()
    direct = disputes.raise_dispute(dispute.line.statement.lines.get(kind="direct"), lea, "Not ours", NOW)
    # 90.10 of the line and 105.11 of the statement's 120.11 are back by a correction in April.
    for amount in ("100.10", "50"):
        with pytest.raises(InvalidDispute, match=r"after 105\.11 USD before is more than the statement charges"):
            disputes.resolve_dispute(direct, fay, "Moved", NOW, CorrectingEntry(dec(amount), None))
    assert not Adjustment.objects.exists()
    disputes.resolve_dispute(direct, fay, "Moved", NOW, CorrectingEntry(dec("12"), None))
    assert direct.state == "proposed"
    disputes.reject_correction(direct, fay, "Too much", NOW)
    disputes.resolve_dispute(direct, fay, "Moved", NOW, CorrectingEntry(dec("10"), None))
    assert direct.state == "corrected"


@pages
def test_what_a_restated_bill_charges_on_top_is_disputed_where_it_is_charged(dispute, lea, fay, tmp_path):
    bill(tmp_path, usual(payments="150"))
    drafts()
    direct = disputes.raise_dispute(dispute.line.statement.lines.get(kind="direct"), lea, "Not ours", NOW)
    disputes.resolve_dispute(direct, fay, "Moved", NOW, CorrectingEntry(dec("110"), None))
    assert direct.state == "proposed"
    on_top = StatementLine.objects.get(kind="correction", corrects=dispute.line.statement, service="Amazon EC2")
    of_april = disputes.raise_dispute(on_top, lea, "Not ours", NOW)
    disputes.resolve_dispute(of_april, fay, "Moved", NOW, CorrectingEntry(dec("49.90"), None))
    assert of_april.state == "corrected"


@pages
def test_an_entry_that_a_restated_bill_left_too_large_stops_the_closing_until_it_is_taken_back(
    people, lea, fay, tmp_path, client_of
):
    company()
    bill(tmp_path, usual())
    drafts()
    line = StatementLine.objects.get(statement__team__name="Payments", kind="direct")
    dispute = disputes.raise_dispute(line, lea, "Not ours", NOW)
    disputes.resolve_dispute(dispute, fay, "Moved", NOW, CorrectingEntry(dec("100.10"), None))
    assert not [item for item in closing_checklist(drafts()[MARCH], NOW) if item.label == "Correcting entry"]
    bill(tmp_path, usual(payments="10"))
    march = drafts()[MARCH]
    item = next(item for item in closing_checklist(march, NOW) if item.label == "Correcting entry")
    assert (item.state, "100.10 USD of 10.00 USD is moved" in item.text) == ("bad", True)
    with pytest.raises(closing.CannotClose, match="move more than is left of what was disputed"):
        closing.close_month(march, fay, seen=march.fingerprint, now=NOW)
    page = client_of(fay).get(dispute.get_absolute_url()).content.decode()
    assert "Take it back" in page
    url = f"/api/v1/disputes/{dispute.pk}/turn-down/"
    answer = client_of(fay).post(url, {"why": "The bill was restated"}, content_type="application/json")
    assert (answer.status_code, answer.json()["state"], answer.json()["resolved_by"]) == (200, "open", None)
    assert OutgoingEmail.objects.filter(to=lea.email, subject__startswith="Taken back").count() == 1
    disputes.resolve_dispute(dispute, fay, "The bill was restated", NOW + timedelta(hours=1))
    assert OutgoingEmail.objects.filter(to=lea.email, subject__startswith="Answered").count() == 1
    march = drafts()[MARCH]
    closing.close_month(march, fay, seen=march.fingerprint, now=NOW)
    assert totals(march)["Payments"] == 10


@pages
def test_an_entry_of_a_closed_month_is_not_taken_back(dispute, lea, fay, tmp_path):
    disputes.resolve_dispute(dispute, fay, "Moved", NOW, CorrectingEntry(dec("20"), None))
    april = drafts()["2026-04"]
    ChargebackPeriod.objects.filter(pk=april.pk).update(state="closed", closed_at=NOW, closed_by=fay)
    with pytest.raises(InvalidDispute, match="booked in April 2026, which is no draft any more"):
        disputes.reject_correction(dispute, fay, "Wrong", NOW)
    assert Adjustment.objects.count() == 1
