"""Addresses of cost pages: every figure opens to the lines behind it."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from costs.calc.charge_kinds import CREDIT, SUPPORT, TAX
from costs.calc.filters import Operator, filter_name, filter_value
from costs.query.question import METRIC_LABELS, Question
from costs.web.filters import FURTHER, filters_in, further_filter
from finops_site.lib.periods import Period
from finops_site.ui.keyset import PAGING_PARAMETERS

# What belongs to one look at an answer, and not to the question that another is made of.
OF_ONE_LOOK = (*PAGING_PARAMETERS, "_export", "skip")
# Filters that ask for more than the group of the name: a team with all below it, a part of a resource's name.
EXACTLY = {"team": "own_team", "resource": "resource__is"}


def lines_url(period: Period, filters: Mapping[str, Any]) -> str:
    """The cost lines of a period, with the explorer's filters."""
    query = {name: [values] if isinstance(values, str) else values for name, values in filters.items()}
    if resources := query.pop("resource", ()):
        # Of the lines page this name searches in parts of names: a figure is about these resources alone.
        exactly = query.get(EXACTLY["resource"], resources)
        query[EXACTLY["resource"]] = [resource for resource in exactly if resource in resources]
    query |= {"from": period.start, "to": period.last_day}
    return f"{reverse('costs:lines')}?{urlencode(query, doseq=True)}"


def group_filters(group_by: Sequence[str], keys: Sequence[str]) -> dict[str, list[str]]:
    """The filters that leave exactly one group: a team without those below it, a resource and none with a like name."""
    names = [EXACTLY.get(name) or filter_name(name) for name in group_by]
    values = [[filter_value(name, key)] for name, key in zip(group_by, keys, strict=True)]
    return dict(zip(names, values, strict=True))


def exclusions(address: QueryDict) -> list[dict[str, Any]]:
    """Tax, support and credits, each left out or taken in again by one click: {label, is_out, url}."""
    name = filter_name("charge_kind", Operator.NOT)
    out = filters_in(address).get(name, [])
    # The further filter may be the one that leaves them out.
    others = FURTHER if further_filter(address)[0] == name else ()
    links = []
    for kind, label in ((TAX, _("tax")), (SUPPORT, _("support")), (CREDIT, _("credits"))):
        query = address.copy()
        for other in (*OF_ONE_LOOK, *others):
            query.pop(other, None)
        rest = [one for one in out if one.lower() != kind.lower()]
        is_out = rest != out
        query.setlist(name, rest if is_out else [*out, kind])
        links.append({"label": label, "is_out": is_out, "url": f"?{query.urlencode()}"})
    return links


def compare_url(address: QueryDict, question: Question) -> str:
    """The comparison of the question's days with those before, by the same dimensions and filters."""
    query = address.copy()
    for name in (*OF_ONE_LOOK, "period", "grain", "show_in", "forecast"):
        query.pop(name, None)
    if query.get("metric") not in METRIC_LABELS:
        # Quantities and prices: their cost is compared.
        query.pop("metric", None)
    query["from"], query["to"] = question.period.start.isoformat(), question.period.last_day.isoformat()
    return f"{reverse('costs:compare')}?{query.urlencode()}"
