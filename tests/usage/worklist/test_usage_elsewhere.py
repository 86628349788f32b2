"""Findings on home, on a team's page, as advice, as something to do, and in the search."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from finops_site.registry import Urgency, registry
from finops_site.ui.search import find_everywhere
from tests.people import signed_in
from tests.usage.worklist.helpers import finding, two_rules  # noqa: F401
from usage.worklist import panels, to_do

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("two_rules")]
TODAY = date(2026, 3, 10)


def texts(user):
    return [(item.text, item.urgency) for item in to_do.list_findings(user, to_do.findings_to_do(user), 10)]


def test_home_shows_eli_what_saves_most_of_his_team_and_not_of_others(eli):
    finding("vol-1"), finding("vol-2", saving=None), finding("vol-3", team="Data", saving="900")
    page = " ".join(signed_in(eli).get("/").content.decode().split())
    assert "What could cost less" in page
    assert "Of 1 the saving is not known" in page
    assert "900" not in page.partition("What could cost less")[2].partition("</section>")[0]


def test_a_team_without_findings_has_no_panel_of_them(lea, eli):
    assert panels.team_findings_panel(lea, eli.visible_team_ids[0], None) is None
    row = finding()
    context = panels.team_findings_panel(lea, row.owner_id, None)
    assert (context["count"], [one.pk for one, *_rest in context["rows"]]) == (1, [row.pk])


def test_what_eli_took_on_and_what_nobody_took_is_his_to_do(eli, lea):
    late = timezone.now().date() - timedelta(days=1)
    finding("a", name="late", assignee=eli, due_day=late, state="accepted")
    finding("b", name="free", saving="3")
    finding("c", name="back", saving="2", state="back")
    finding("d", assignee=lea)
    finding("e", state="snoozed")
    finding("f", team="Data")
    assert texts(eli) == [
        ("Unattached disk: late", Urgency.NOW),
        ("Unattached disk: free", Urgency.SOME_DAY),
        ("Unattached disk: back", Urgency.SOON),
    ]


def test_advice_is_of_what_the_filters_describe(fay):
    row = finding("a", saving="4")
    finding("b", saving="6"), finding("c", rule="gp3", saving=None), finding("d", team="Data")
    items = panels.usage_advice(fay, {"team": [str(row.owner_id)]}, TODAY)
    assert [(item.text, item.amount, item.currency) for item in items] == [
        ("Unattached disk: 2 to mend", 10, "USD"),
        ("gp2 to gp3: 1 to mend", None, "USD"),
    ]
    assert items[0].url == f"/usage/findings/?team={row.owner_id}&rule=unattached-disk"
    assert signed_in(fay).get(items[0].url).status_code == 200


def test_no_advice_where_findings_do_not_have_what_is_filtered_by(fay, lea):
    finding()
    assert panels.usage_advice(fay, {"tag:CostCenter": ["42"]}, TODAY) == []
    assert panels.usage_advice(None, {}, TODAY) == [], "a mail to a stranger has nothing of all teams"
    assert len(panels.usage_advice(None, {"account": ["000000000042"]}, TODAY)) == 1


def test_the_search_finds_a_finding_by_its_resource_for_who_sees_it(lea, ola):
    finding("vol-77", name="old-data"), finding("vol-78", name="old-data-2", state="gone")

    def hits(user):
        return [hit.label for group in find_everywhere(user, "old-data") for hit in group.hits]

    assert "Unattached disk: old-data" in hits(lea)
    assert "Unattached disk: old-data-2" not in hits(lea)
    assert "Unattached disk: old-data" not in hits(ola)


def test_the_registry_has_the_kind_of_mail_that_is_sent():
    from finops_site.registry import NotificationKind

    assert "finding-assigned" in {kind.name for kind in registry.of(NotificationKind)}
