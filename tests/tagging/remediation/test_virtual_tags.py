"""Suggestions are accepted into virtual tags, the numbers follow, and all of it can be taken back."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from costs.demo import bills as demo_bills
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine
from finops_site.audit.context import as_person
from finops_site.models import AuditEntry, Team
from tagging.models import OwnershipRule, Suggestion, SuggestionDecision, TaggedResource, VirtualTag
from tagging.ownership.demo import make_ownership_rules
from tagging.policy import compliance
from tagging.remediation import claims, suggestions, virtual_tags
from tagging.remediation.batch_application import apply_batch
from tagging.remediation.suggestion_answers import accept_suggestions, refuse_suggestions
from tagging.remediation.virtual_tags import RemediationError
from tests import bills
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
TODAY = NOW.date()
FIVE = '{"Owner": "lea", "Environment": "Production", "Team": "Payments", "CostCenter": "CC-1001", "Project": "p-1"}'


def load(folder, rows, name="march.csv", **defaults):
    (received,) = receive_bill(
        "northwind", [bills.write(folder, name, bills.focus_csv(rows, **defaults))], is_accepted=True
    )
    delivery = load_bill(received.delivery)
    assert delivery.status == "current", delivery.message
    compliance.refresh_compliance()
    return delivery


@shared
def shop(people, tmp_path):
    """Ten machines with all five tags, and one with the Owner alone; tags name the team."""
    team = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Tag Owner", team=team, tag_key="Owner", tag_value="lea", order=20)
    kin = [{"ResourceId": f"i-{n}", "ResourceName": f"web-{n}", "Tags": FIVE} for n in range(10)]
    bare = {"ResourceId": "i-99", "ResourceName": "web-99", "Tags": '{"Owner": "lea"}', "EffectiveCost": "7"}
    lost = {"ResourceId": "i-98", "ResourceName": "web-98", "Tags": "", "EffectiveCost": "3"}
    load(tmp_path, [*kin, bare, lost])
    suggestions.rebuild_suggestions(TODAY)
    return people


def about(resource):
    return Suggestion.objects.filter(resource=resource)


def accept(rows, user, **options):
    done = accept_suggestions(rows, user=user, now=NOW, **options)
    if done.batch:
        apply_batch(done.batch, NOW)
    return done


def complies(resource):
    return TaggedResource.objects.get(resource=resource).verdict.is_compliant


def test_what_is_missing_is_suggested_with_evidence(shop):
    by_tag = {one.tag: one for one in about("i-99")}
    assert {tag: one.value for tag, one in by_tag.items()} == {
        "Environment": "Production",
        "Team": "Payments",
        "CostCenter": "CC-1001",
        "Project": "p-1",
    }
    assert all(one.evidence[0]["words"] and one.confidence > Decimal("0.8") for one in by_tag.values())
    assert {one.wrong_tags for one in by_tag.values()} == {4}


def test_made_again_a_suggestion_keeps_its_number(shop):
    before = set(Suggestion.objects.values_list("pk", "tag"))
    suggestions.rebuild_suggestions(TODAY)
    assert set(Suggestion.objects.values_list("pk", "tag")) == before


def test_a_lead_sees_her_own_and_finance_what_nobody_owns(shop):
    assert set(Suggestion.objects.visible_to(shop["lea"]).values_list("resource", flat=True)) == {"i-99"}
    assert not Suggestion.objects.visible_to(shop["ola"]).exists()
    assert set(Suggestion.objects.visible_to(shop["fay"]).values_list("resource", flat=True)) == {"i-98", "i-99"}


def test_the_gain_counts_only_resources_that_become_whole(shop):
    assert suggestions.potential_gain(about("i-99")).costs == {"USD": Decimal(7)}
    assert suggestions.potential_gain(about("i-99").exclude(tag="Team")).compliant == 0


def test_accepting_changes_the_numbers_and_keeps_what_the_bill_said(shop):
    assert not complies("i-99")
    done = accept(about("i-99"), shop["lea"])
    assert (done.tags_set, done.too_late) == (4, 0)
    assert complies("i-99")
    line = CostLine.objects.get(resource="i-99")
    assert line.tag_set.tags["Team"] == "Payments"
    assert line.tag_set.as_delivered == {"Owner": "lea"}
    assert line.tag_set.virtual.keys() == {"Environment", "Team", "CostCenter", "Project"}
    assert not about("i-99").exists()
    done.batch.refresh_from_db()
    assert done.batch.applied_at == NOW


def test_accepted_tags_of_what_nobody_owned_give_it_an_owner(shop):
    accept(about("i-98"), shop["fay"])
    assert CostLine.objects.get(resource="i-98").owner.name == "Payments"
    assert CostLine.objects.filter(owner__isnull=True).count() == 0


def test_accepted_tags_do_not_vote(shop):
    accept(about("i-99"), shop["lea"])
    suggestion = about("i-98").get(tag="Project")
    assert suggestion.evidence[0]["total"] == 10


def test_a_batch_is_undone_and_the_books_are_as_they_were(shop):
    before = list(CostLine.objects.order_by("pk").values("resource", "owner", "tag_set", "effective_cost"))
    done = accept(about("i-98"), shop["fay"])
    assert virtual_tags.undo_batch(done.batch.pk, user=shop["fay"], now=NOW) == done.tags_set
    apply_batch(done.batch, NOW)
    assert list(CostLine.objects.order_by("pk").values("resource", "owner", "tag_set", "effective_cost")) == before
    assert about("i-98").exists()
    with pytest.raises(RemediationError, match="has undone this"):
        virtual_tags.undo_batch(done.batch.pk, user=shop["fay"], now=NOW)


def test_who_accepts_second_is_told_so(shop):
    same = list(about("i-99").values_list("pk", flat=True))
    first = accept(Suggestion.objects.filter(pk__in=same), shop["lea"])
    second = accept(Suggestion.objects.filter(pk__in=same), shop["eli"])
    assert (first.tags_set, second.batch, second.tags_set) == (4, None, 0)
    assert VirtualTag.objects.in_force().count() == 4


def test_the_database_allows_one_open_tag_of_a_key(shop):
    done = accept(about("i-99"), shop["lea"])
    tag = done.batch.tags.first()
    tag.pk, tag.key = None, tag.key.upper()
    with pytest.raises(IntegrityError), transaction.atomic():
        tag.save()


def test_a_refused_value_never_comes_again_for_that_resource(shop):
    refuse_suggestions(about("i-99").filter(tag="Project"), user=shop["lea"], now=NOW)
    suggestions.rebuild_suggestions(TODAY)
    assert not about("i-99").filter(tag="Project").exists()
    assert SuggestionDecision.objects.get().answer == "refused"
    assert about("i-98").filter(tag="Project").exists()


def test_every_tag_stands_in_the_audit_log_with_who_set_it(shop):
    with as_person(shop["lea"]):
        accept(about("i-99"), shop["lea"])
    entries = AuditEntry.objects.of(VirtualTag)
    assert {(entry.actor, entry.action) for entry in entries} == {(shop["lea"], "insert")}
    assert entries.count() == 4


def test_a_tag_set_by_hand_takes_the_place_of_the_one_before_from_its_day_on(shop):
    row = TaggedResource.objects.get(resource="i-99")
    for value, day in (("Staging", 1), ("Dev", 4)):
        virtual_tags.set_virtual_tag(
            row, "Environment", value, start=date(2026, 3, day), end=None, user=shop["lea"], now=NOW
        )
    first, second = VirtualTag.objects.order_by("start")
    assert (first.end, second.end) == (date(2026, 3, 4), None)
    apply_batch(second.batch, NOW)
    assert CostLine.objects.get(resource="i-99").tag_set.tags["Environment"] == "Dev"


def test_a_tag_that_ended_no_longer_counts(shop):
    row = TaggedResource.objects.get(resource="i-99")
    tag = virtual_tags.set_virtual_tag(row, "Project", "x", start=date(2026, 3, 1), end=None, user=shop["lea"], now=NOW)
    virtual_tags.end_virtual_tag(tag.pk, date(2026, 3, 5), user=shop["lea"], now=NOW)
    apply_batch(tag.batch, NOW)
    # The charge is of the fifth: the tag holds until then, not on it.
    assert "Project" not in CostLine.objects.get(resource="i-99").tag_set.tags
    with pytest.raises(RemediationError, match="not in force"):
        virtual_tags.end_virtual_tag(tag.pk, date(2026, 3, 9), user=shop["lea"], now=NOW)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("k" * 200, "x", "200 characters"),
        ("", "x", "needs a key"),
        ("aws:createdBy", "x", "by AWS alone"),
        ("Team", " ", "says nothing"),
        ("Team", "v" * 257, "257 characters"),
    ],
)
def test_a_tag_no_provider_would_keep_is_refused_in_words(shop, key, value, words):
    row = TaggedResource.objects.get(resource="i-99")
    with pytest.raises(RemediationError, match=words):
        virtual_tags.set_virtual_tag(row, key, value, start=TODAY, end=None, user=shop["lea"], now=NOW)


def test_emoji_and_right_to_left_values_are_kept_as_they_are(shop):
    row = TaggedResource.objects.get(resource="i-99")
    value = "תשלומים 💸 \"quoted\" 'and' \\"
    tag = virtual_tags.set_virtual_tag(
        row, "Project", value, start=date(2026, 3, 1), end=None, user=shop["lea"], now=NOW
    )
    apply_batch(tag.batch, NOW)
    assert CostLine.objects.get(resource="i-99").tag_set.tags["Project"] == value


def test_a_tag_on_a_resource_that_is_gone_changes_nothing_and_harms_nobody(shop):
    row = TaggedResource.objects.get(resource="i-99")
    row.resource, row.key = "i-gone", "0" * 32
    tag = virtual_tags.set_virtual_tag(row, "Project", "x", start=date(2026, 3, 1), end=None, user=shop["fay"], now=NOW)
    assert apply_batch(tag.batch, NOW) == 0


def test_a_lead_claims_what_nobody_owns_and_finance_confirms(shop):
    team = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Tag Team", team=team, tag_key="Team", tag_value="Payments")
    with pytest.raises(RemediationError, match="exactly as the bill"):
        claims.claim_resource("i-99", team, user=shop["lea"], now=NOW)
    tag = claims.claim_resource("web-98", team, user=shop["lea"], now=NOW)
    assert not VirtualTag.objects.in_force().exists()
    with pytest.raises(RemediationError, match="claimed already"):
        claims.claim_resource("i-98", team, user=shop["ola"], now=NOW)
    claims.answer_claim(tag.pk, confirm=True, user=shop["fay"], now=NOW)
    apply_batch(tag.batch, NOW)
    assert CostLine.objects.get(resource="i-98").owner == team
    with pytest.raises(RemediationError, match="is answered"):
        claims.answer_claim(tag.pk, confirm=False, user=shop["fay"], now=NOW)


def test_the_demo_passes_95_percent_when_its_suggestions_are_accepted(people, tmp_path):
    as_of = date(2026, 3, 20)
    make_ownership_rules(lambda _: None, as_of=as_of)
    path = demo_bills.write_bills(tmp_path, as_of=as_of)[-1]
    (received,) = receive_bill("northwind", [path])
    assert load_bill(received.delivery).status == "current"
    compliance.refresh_compliance()

    def share():
        rows = TaggedResource.objects.taggable()
        return rows.filter(verdict__is_compliant=True).count() / rows.count()

    before, unowned = share(), CostLine.objects.filter(owner__isnull=True).totals()["USD"]["billed_cost"]
    total = CostLine.objects.totals()
    suggestions.rebuild_suggestions(TODAY)
    accept(Suggestion.objects.all(), people["fay"])
    assert 0.1 < before < 0.3
    assert share() > 0.95
    assert CostLine.objects.totals() == total
    assert CostLine.objects.filter(owner__isnull=True).totals()["USD"]["billed_cost"] < unowned


def test_every_service_queues_its_own_application(shop, monkeypatch, django_capture_on_commit_callbacks):
    queued = []
    monkeypatch.setattr("tagging.tasks.apply_virtual_tags.delay", queued.append)
    row = TaggedResource.objects.get(resource="i-99")
    with django_capture_on_commit_callbacks(execute=True):
        details = {"start": date(2026, 3, 1), "end": None, "user": shop["lea"], "now": NOW}
        tag = virtual_tags.set_virtual_tag(row, "Project", "x", **details)
    apply_batch(tag.batch, NOW)
    with django_capture_on_commit_callbacks(execute=True):
        virtual_tags.end_virtual_tag(tag.pk, date(2026, 3, 5), user=shop["lea"], now=NOW)
    tag.batch.refresh_from_db()
    # An applied batch that changes is applied again.
    assert (queued, tag.batch.applied_at) == ([tag.batch.pk] * 2, None)
    with django_capture_on_commit_callbacks(execute=True):
        batch = accept_suggestions(about("i-98"), user=shop["fay"], now=NOW).batch
    with django_capture_on_commit_callbacks(execute=True):
        virtual_tags.undo_batch(batch.pk, user=shop["fay"], now=NOW)
    assert queued[2:] == [batch.pk] * 2
