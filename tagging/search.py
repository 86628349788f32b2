"""Statements by team, number and month, and resources by name, id and owner."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from finops_site.lib.person import Person
from finops_site.registry import SearchHit
from finops_site.ui.search import with_words
from tagging.models import ComplianceMonth, Statement, TaggedResource


def find_statements(user: Person, words: Sequence[str], most: int) -> list[SearchHit]:
    """The latest months first; a month is named as in its address, 2026-03."""
    rows = Statement.objects.visible_to(user).select_related("period")
    statements = with_words(rows, words, "team_name", "number", "currency", "period__billing_month").order_by(
        "-period__billing_month", "team_name", "currency"
    )
    return [
        SearchHit(
            f"{statement.team_name}, {statement.period.month}",
            statement.get_absolute_url(),
            f"{statement.number or _('draft')}, {statement.currency}",
        )
        for statement in statements[:most]
    ]


def find_resources(user: Person, words: Sequence[str], most: int) -> list[SearchHit]:
    """Those of the latest month that compliance was computed for: a search over all months takes as many times as
    long and finds a resource once for every month."""
    latest = ComplianceMonth.objects.order_by("-charge_month").first()
    if latest is None:
        return []
    rows = TaggedResource.objects.visible_to(user).filter(charge_month=latest.charge_month).exclude(resource="")
    return [
        SearchHit(str(row), row.get_absolute_url(), row.service)
        for row in with_words(rows, words, "resource_name", "resource")[:most]
    ]
