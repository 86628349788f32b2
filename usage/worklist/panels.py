"""Findings on the pages of others: home, a team's page, and as advice where somebody asks what can be done."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from costs.query.scope import NOBODY, TeamTree
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.lib.words import number_text
from finops_site.people.signed_in import signed_in_user
from finops_site.registry import AdviceItem
from usage.models import Finding
from usage.models.findings import FindingQuerySet
from usage.worklist import worklist_figures
from usage.worklist.finding_texts import CONFIDENCES, name_of
from usage.worklist.rule_names import title_of

SHOWN = 5
SHOWN_OF_TEAM = 3
MOST_ADVICE = 3
# Filters of the explorer that findings have too, by the same names.
FIELDS = ("account", "service", "provider", "region", "resource")


def findings_panel(request: HttpRequest) -> dict[str, Any] | None:
    """What saves most of what she sees and nobody has mended; None where there is nothing."""
    return _panel(Finding.objects.visible_to(signed_in_user(request)).open(), SHOWN)


def team_findings_panel(user: Person, team: int, month: Month) -> dict[str, Any] | None:
    """The same of one team, as it is today, whatever month its page shows."""
    return _panel(Finding.objects.visible_to(user).open().filter(owner=team), SHOWN_OF_TEAM)


def _panel(rows: FindingQuerySet, most: int) -> dict[str, Any] | None:
    sums = worklist_figures.sums_by_currency(rows)
    if not sums:
        return None
    return {
        "sums": [(code, one.counted) for code, one in sums.items() if one.counted is not None],
        "count": sum(one.count for one in sums.values()),
        "unknown": sum(one.unknown for one in sums.values()),
        "rows": [
            (row, title_of(row.rule), name_of(row), CONFIDENCES.get(row.confidence, (row.confidence, "calm", "point")))
            for row in rows[:most]
        ],
    }


def usage_advice(user: Person | None, filters: Mapping[str, Sequence[str]], as_of: date) -> list[AdviceItem]:
    """What could cost less of what the filters describe, by kind, what saves most first.

    Nothing where findings do not have what is filtered by, and nothing for everything to somebody without a login.
    """
    wanted = {name: values for name, values in filters.items() if name != "currency" and values}
    if user is None and not wanted:
        return []
    rows = Finding.objects.all() if user is None else Finding.objects.visible_to(user)
    described = _described(rows.open(), wanted)
    if described is None:
        return []
    if codes := filters.get("currency"):
        described = described.filter(currency__in=codes)
    return [
        AdviceItem(
            _("{what}: {count} to mend").format(what=title_of(group.value), count=number_text(group.sums.count)),
            f"{reverse('usage:findings')}?{urlencode({**_in_list(wanted), 'rule': group.value}, doseq=True)}",
            group.sums.counted,
            group.currency,
        )
        for group in worklist_figures.group_by(described, "rule")[:MOST_ADVICE]
    ]


def _described(rows: FindingQuerySet, filters: Mapping[str, Sequence[str]]) -> FindingQuerySet | None:
    """The findings of what the filters describe; None where they filter by what findings do not have."""
    for name, values in filters.items():
        if name == "team":
            teams = TeamTree().with_teams_below(values)
            owned = Q(owner__in=[int(team) for team in teams if team.isdigit()])
            rows = rows.filter(owned | Q(owner=None) if NOBODY in teams else owned)
        elif name in FIELDS:
            rows = rows.filter(**{f"{name}__in": values})
        else:
            return None
    return rows


def _in_list(filters: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The same filters as the list has them."""
    shown = {name: list(values) for name, values in filters.items() if name in ("team", "account", "provider")}
    resources = filters.get("resource", ())
    return {**shown, "q": resources[0]} if len(resources) == 1 else shown
