"""What the tag policy has to say on the home page, in the report, among the figures of the programme and as advice."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from costs.query import spend
from finops_site.lib.money import formatted, percent
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.registry import AdviceItem, Better, Measure, Unit
from finops_site.ui.figures import month_text
from finops_site.ui.request_memo import request_memo
from tagging.models import TaggedResource
from tagging.policy import compliance_figures
from tagging.policy.compliance_figures import COMPLIANT, TARGET, WRONG
from tagging.policy.explanations import Explainer

HUNDRED = Decimal(100)
SHOWN = 3


def to_fix(request: HttpRequest) -> dict[str, Any] | None:
    """How many resources of hers miss tags, what they cost, and the dearest of them."""
    today = timezone.now().date()
    month, tally = _latest(request.user, today)
    if month is None or not tally.counted:
        return None
    return {
        "month": month,
        "tally": tally,
        "wrong": tally.count(WRONG),
        "costs": [(code, tally.amount(code, WRONG)) for code in tally.currencies],
        "rows": _dearest(request.user, month, today) if tally.count(WRONG) else [],
        "whose": "The company" if request.user.sees_whole_company else "Your teams",
    }


def _latest(user: Person, as_of: date) -> tuple[Month, compliance_figures.Tally] | tuple[None, None]:
    """(the latest month that is worked out, its tally), or twice None."""
    return request_memo(user, ("compliance", as_of), lambda: _tally(user, as_of))


def _tally(user: Person, as_of: date) -> tuple[Month, compliance_figures.Tally] | tuple[None, None]:
    month = compliance_figures.month_for("", as_of)
    return (month, compliance_figures.tally(user, month, as_of)) if month else (None, None)


def _dearest(user: Person, month: Month, today: date) -> list[dict[str, Any]]:
    explainer = Explainer()
    rows = (
        compliance_figures.rows(user, month).wrong(today).select_related("verdict", "tag_set").order_by("-cost", "-id")
    )
    return [{"row": row, "wrong": explainer.wrong(row)} for row in rows[:SHOWN]]


def compliance_kpi(user: Person, as_of: date) -> Measure | None:
    """The share of resources that comply, in percent, against the target."""
    month, tally = _latest(user, as_of)
    if month is None:
        return None
    share = tally.by_resources
    words = f"{tally.count(COMPLIANT):,} of {tally.counted:,} resources that can carry tags, {month_text(month)}"
    return Measure(
        percent(share),
        Unit.PERCENT,
        TARGET * HUNDRED,
        Better.HIGHER,
        words,
        f"{reverse('tagging:overview')}?month={month}",
    )


def report(user: Person, month: Month) -> dict[str, Any] | None:
    """Compliance of a month and its tags, for the monthly report."""
    if month not in compliance_figures.months():
        return None
    last_day = month.next.start
    tally = compliance_figures.tally(user, month, last_day)
    if not tally.counted:
        return None
    tags = compliance_figures.by_tag(user, month)
    required = compliance_figures.requirements()
    head = ["Tag", "Right", "Key missing", "Value empty", "Value not allowed"]
    rows = [
        [tag, *(str(found.count(state)) for state in ("ok", "missing", "empty", "not_allowed"))]
        for tag, found in tags.items()
        if required.get(tag)
    ]
    return {
        "month": month,
        "tally": tally,
        "share": tally.by_resources,
        "target": TARGET,
        "costs": [(code, tally.amount(code, WRONG)) for code in tally.currencies],
        "text": _sentence(tally),
        "tables": [{"title": "Resources by required tag", "head": head, "rows": rows}],
    }


def _sentence(tally: compliance_figures.Tally) -> str:
    cost = " and ".join(f"{formatted(tally.amount(code, WRONG), code)} {code}" for code in tally.currencies)
    return (
        f"{tally.count(COMPLIANT):,} of {tally.counted:,} resources that can carry tags comply with the policy; "
        f"{tally.count(WRONG):,} do not, at a cost of {cost}."
    )


def advice(user: Person, filters: Mapping[str, Sequence[str]], as_of: date) -> list[AdviceItem]:
    """Tags to add to what the filters describe; it saves nothing by itself, so no amount is named."""
    month = compliance_figures.month_for(str(Month.of(as_of)), as_of)
    if month is None:
        return []
    found = _described(user, month, filters)
    count = found.wrong(as_of).count() if found is not None else 0
    if not count:
        return []
    known = {"team": "team", "account": "account", "service": "service", "provider": "provider"}
    wanted = "".join(f"&{name}={value}" for name in known for value in filters.get(name, ()))
    url = f"{reverse('tagging:resources')}?month={month}{wanted}"
    return [AdviceItem(f"{count:,} resource{'s' if count != 1 else ''} here miss required tags: tag them", url)]


def _described(user: Person, month: Month, filters: Mapping[str, Sequence[str]]) -> Any:
    """The resources the filters describe; None where they say what resources do not know."""
    if set(filters) - {"team", "account", "service", "provider", "region", "currency", "resource"}:
        return None
    if user is None and not filters:
        return None
    rows = TaggedResource.objects.all() if user is None else TaggedResource.objects.visible_to(user)
    found = rows.in_month(month)
    for name, values in filters.items():
        if name == "team":
            found = spend.of_teams(found, values)
        else:
            found = found.filter(**{f"{spend.FIELDS[name]}__in": list(values)})
    return found
