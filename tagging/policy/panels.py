"""Tag compliance in the monthly report, among the programme's figures and as advice."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, cast

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.calc.dimensions import named
from costs.calc.filters import dimension_of
from costs.query.rows import filter_by
from finops_site.lib.money import formatted, percent
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.lib.words import counted, number_text
from finops_site.people.audit import is_changed_by_people
from finops_site.registry import AdviceItem, Better, Measure, MeasureInput, Unit
from finops_site.translation import text_lazy
from finops_site.ui.figures import month_text
from finops_site.ui.request_memo import request_memo
from tagging.models import TaggedResource, TagRequirement
from tagging.models.policy import TaggedResourceQuerySet
from tagging.policy import compliance_figures
from tagging.policy.compliance_figures import COMPLIANT, TARGET, WRONG
from tagging.policy.explanations import Explainer

SHOWN = 3


def policy_is_own() -> bool:
    """Whether somebody made the policy that the product begins with her company's own."""
    return is_changed_by_people(TagRequirement)


def team_tags_panel(user: Person, team: int, month: Month) -> dict[str, Any] | None:
    """How much of a team's own resources of a month comply, and the dearest that do not; None where nothing counts."""
    today, own = timezone.now().date(), {"owner": team}
    if month not in compliance_figures.computed_months():
        return None
    tally = compliance_figures.tally(user, month, today, own)
    if not tally.counted:
        return None
    explainer = Explainer()
    wrong = compliance_figures.resources_of_month(user, month, own).wrong(today)
    dearest = wrong.select_related("verdict", "tag_set").order_by("-cost", "-id")[:SHOWN]
    return {
        "tally": tally,
        "wrong": tally.count(WRONG),
        "costs": [(code, tally.amount(code, WRONG)) for code in tally.currencies],
        "rows": [(row, [status.tag for status in explainer.wrong(row)]) for row in dearest],
    }


def _latest(user: Person, as_of: date) -> tuple[Month, compliance_figures.Tally] | tuple[None, None]:
    """(the latest month that is computed, its tally), or twice None."""

    def compute() -> tuple[Month, compliance_figures.Tally] | tuple[None, None]:
        month = compliance_figures.month_known_by(user, as_of)
        return (month, compliance_figures.tally(user, month, as_of)) if month else (None, None)

    return request_memo(user, ("compliance", as_of), compute)


def _compliance_words(tally: compliance_figures.Tally, month: Month) -> str:
    return ngettext(
        "{compliant} of {resources} resource that can carry tags, {month}",
        "{compliant} of {resources} resources that can carry tags, {month}",
        tally.counted,
    ).format(
        compliant=number_text(tally.count(COMPLIANT)), resources=number_text(tally.counted), month=month_text(month)
    )


def compliance_kpi(user: Person, as_of: date) -> Measure | None:
    """The share of resources that comply, in percent, against the target."""
    month, tally = _latest(user, as_of)
    if month is None or tally is None:
        return None
    share = tally.by_resources
    text = text_lazy(lambda: _compliance_words(tally, month))
    url = f"{reverse('tagging:overview')}?month={month}"
    to_fix = f"{reverse('tagging:resources')}?month={month}"
    inputs = (
        MeasureInput(_("Resources that can carry tags"), Decimal(tally.counted), f"{to_fix}&state=all"),
        MeasureInput(_("Of them as the policy has it"), Decimal(tally.count(COMPLIANT)), f"{to_fix}&state={COMPLIANT}"),
        MeasureInput(_("Of them to fix"), Decimal(tally.count(WRONG)), to_fix),
    )
    return Measure(percent(share), Unit.PERCENT, TARGET * 100, Better.HIGHER, text, url, "", inputs)


def count_required_tags(since: date, as_of: date) -> int:
    """Tags that the policy requires on the day `as_of`."""
    has_begun, goes_on = Q(starts_on=None) | Q(starts_on__lte=as_of), Q(ends_on=None) | Q(ends_on__gt=as_of)
    return TagRequirement.objects.filter(has_begun, goes_on, is_required=True).count()


def compliance_report(user: Person, month: Month) -> dict[str, Any] | None:
    """Compliance of a month and its tags, for the monthly report."""
    if month not in compliance_figures.computed_months():
        return None
    last_day = month.next.start
    tally = compliance_figures.tally(user, month, last_day)
    if not tally.counted:
        return None
    tags = compliance_figures.by_tag(user, month)
    required = compliance_figures.requirements()
    cost = _(" and ").join(f"{formatted(tally.amount(code, WRONG), code)} {code}" for code in tally.currencies)
    head = [_("Tag"), _("Right"), _("Key missing"), _("Value empty"), _("Value not allowed")]
    rows = [
        [tag, *(str(by_state.count(state)) for state in ("ok", "missing", "empty", "not_allowed"))]
        for tag, by_state in tags.items()
        if required.get(tag)
    ]
    return {
        "month": month,
        "tally": tally,
        "share": tally.by_resources,
        "target": TARGET,
        "costs": [(code, tally.amount(code, WRONG)) for code in tally.currencies],
        "text": (
            ngettext(
                "{compliant} of {resources} resource that can carry tags complies with the policy; {wrong} does "
                "not, at a cost of {cost}.",
                "{compliant} of {resources} resources that can carry tags comply with the policy; {wrong} do "
                "not, at a cost of {cost}.",
                tally.counted,
            ).format(
                compliant=number_text(tally.count(COMPLIANT)),
                resources=number_text(tally.counted),
                wrong=number_text(tally.count(WRONG)),
                cost=cost,
            )
        ),
        "tables": [{"title": _("Resources by required tag"), "head": head, "rows": rows}],
    }


def tagging_advice(user: Person | None, filters: Mapping[str, Sequence[str]], as_of: date) -> list[AdviceItem]:
    """Tags to add to what the filters describe; it saves nothing by itself, so no amount is named."""
    month = compliance_figures.newest_month(as_of)
    if month is None:
        return []
    rows = _described(user, month, filters)
    count = rows.wrong(as_of).count() if rows is not None else 0
    if not count:
        return []
    names = ("team", "account", "service", "provider")
    query = "".join(f"&{name}={value}" for name in names for value in filters.get(name, ()))
    url = f"{reverse('tagging:resources')}?month={month}{query}"
    return [
        AdviceItem(
            _("{resources} required tags: tag them").format(
                resources=counted(count, "resource here misses", "resources here miss")
            ),
            url,
        )
    ]


def _described(
    user: Person | None, month: Month, filters: Mapping[str, Sequence[str]]
) -> TaggedResourceQuerySet | None:
    """The resources the filters describe; None where resources do not have what they filter by."""
    fields = {field.name for field in TaggedResource._meta.get_fields()}
    if any(named(dimension_of(name)).field not in fields for name in filters):
        return None
    if user is None and not filters:
        return None
    visible = TaggedResource.objects.all() if user is None else TaggedResource.objects.visible_to(user)
    return cast(TaggedResourceQuerySet, filter_by(visible.in_month(month), filters))
