"""How much of what a person sees complies with the tag policy: counts and exact costs, per currency.

Compliance = what complies / what is counted. Counted is every resource that can carry tags and has no exception in
force. Charges that cannot carry tags are never counted; they are told apart, with their sum.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, QuerySet, Sum, Value

from costs.models import Dimension
from costs.query.result_cache import remembered
from costs.query.spend import NOBODY, POOLED, SHARED, UNOWNED, team_or_shared
from finops_site.lib.money import EXACT, exact_sum, ratio
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Team
from tagging.calc.tag_policy import State
from tagging.models import ComplianceMonth, TaggedResource, TagRequirement

# The share of resources, and of cost, that should comply.
TARGET = Decimal("0.95")
COMPLIANT, WRONG, EXCEPTED = "compliant", "wrong", "excepted"
STATES = (COMPLIANT, WRONG, EXCEPTED)
# What figures may be grouped by -> the field.
GROUPS = {"team": "owner", "account": "sub_account", "service": "service", "provider": "provider"}
LABELS = {"team": "Team", "account": "Account", "service": "Service", "provider": "Provider"}


@dataclass(slots=True)
class Tally:
    """Resources by state, and their cost by currency and state."""

    resources: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cost: dict[str, dict[str, Decimal]] = field(default_factory=dict)

    def add(self, state: str, currency: str, resources: int, cost: Decimal) -> None:
        self.resources[state] += resources
        sums = self.cost.setdefault(currency, defaultdict(Decimal))
        sums[state] = EXACT.add(sums[state], cost)

    def count(self, *states: str) -> int:
        return sum(self.resources.get(state, 0) for state in states)

    def amount(self, currency: str, *states: str) -> Decimal:
        sums = self.cost.get(currency, {})
        return exact_sum(sums.get(state, Decimal(0)) for state in states)

    @property
    def counted(self) -> int:
        return self.count(COMPLIANT, WRONG)

    @property
    def by_resources(self) -> Decimal | None:
        """The share of counted resources that comply; None where there is none."""
        return ratio(Decimal(self.count(COMPLIANT)), Decimal(self.counted))

    def by_cost(self, currency: str) -> Decimal | None:
        """The share of their cost that complies; None where they cost nothing."""
        return ratio(self.amount(currency, COMPLIANT), self.amount(currency, COMPLIANT, WRONG))

    @property
    def currencies(self) -> list[str]:
        return sorted(self.cost)


def versions() -> tuple[Any, ...]:
    """What tells today's figures from those of before: which months are worked out, and how often they changed."""
    return tuple(ComplianceMonth.objects.values_list("pk", "revision"))


def months() -> list[Month]:
    """The charge months that are worked out, the latest first."""
    return [Month.of(day) for day in ComplianceMonth.objects.values_list("charge_month", flat=True)]


def month_for(text: str, today: date) -> Month | None:
    """The month asked for if it is there, else the latest up to today's; None where there is none yet."""
    there = months()
    try:
        asked = Month.parse(text)
    except ValueError:
        asked = None
    if asked in there:
        return asked
    past = [month for month in there if month.start <= today]
    return (past or there or [None])[0]


def rows(user: Person, month: Month, filters: Mapping[str, Any] | None = None) -> QuerySet:
    """The resources of a month that `user` may see."""
    return TaggedResource.objects.visible_to(user).in_month(month).filter(**(filters or {}))


def kept(user: Person, question: tuple[Any, ...], make: Any) -> Any:
    """An answer kept as long as books, policy, exceptions and the day stay the same."""
    return remembered(user, ("compliance", versions(), *question), make)


def tally(user: Person, month: Month, today: date, filters: Mapping[str, Any] | None = None) -> Tally:
    """All that is counted in a month."""
    return by_group(user, month, today, None, filters).get("", Tally())


def by_group(
    user: Person, month: Month, today: date, group: str | None, filters: Mapping[str, Any] | None = None
) -> dict[str, Tally]:
    """{value of the group: its tally}; NOBODY stands for what nobody owns, POOLED for what pools hold."""
    question = ("by", str(month), today, group, sorted((filters or {}).items()))
    return _tallies(kept(user, question, lambda: _grouped(rows(user, month, filters), today, group)))


def _grouped(found: QuerySet, today: date, group: str | None) -> list[tuple[Any, ...]]:
    value = team_or_shared() if group == "team" else F(GROUPS[group]) if group else Value("")
    sums = found.taggable().with_state(today).annotate(group=value).order_by().values("group", "state", "currency")
    counted = sums.annotate(resources=Count("pk"), amount=Sum("cost"))
    return [
        (NOBODY if key is None else key, *rest)
        for key, *rest in counted.values_list("group", "state", "currency", "resources", "amount")
    ]


def _tallies(found: Iterable[tuple[Any, ...]]) -> dict[str, Tally]:
    result: dict[str, Tally] = {}
    for key, *sums in found:
        result.setdefault(key, Tally()).add(*sums)
    return result


def by_tag(user: Person, month: Month, filters: Mapping[str, Any] | None = None) -> dict[str, Tally]:
    """{tag: how many resources have each of its states}, in the policy's order; exceptions are not looked at here."""
    question = ("tag", str(month), sorted((filters or {}).items()))
    found = _tallies(kept(user, question, lambda: _by_tag(rows(user, month, filters))))
    order = {key: number for number, key in enumerate(requirements())}
    return dict(sorted(found.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))


def _by_tag(found: QuerySet) -> list[tuple[Any, ...]]:
    names = ("verdict__tag_facts__tag", "verdict__tag_facts__state", "currency")
    sums = found.taggable().filter(verdict__tag_facts__isnull=False).order_by().values(*names)
    return list(sums.annotate(resources=Count("pk"), amount=Sum("cost")).values_list(*names, "resources", "amount"))


def requirements() -> dict[str, bool]:
    """{tag: whether it is required}, in the policy's order."""
    found: dict[str, bool] = {}
    for key, required in TagRequirement.objects.order_by("order", "pk").values_list("key", "is_required"):
        found[key] = found.get(key, False) or required
    return found


def share_ok(one: Tally) -> Decimal | None:
    """The share of the resources a tag is asked of that have it right."""
    return ratio(Decimal(one.count(State.OK)), Decimal(one.count(*State)))


def untaggable(user: Person, month: Month, filters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Why charges cannot carry tags, with the sum of each reason and currency."""
    question = ("untaggable", str(month), sorted((filters or {}).items()))
    return kept(user, question, lambda: _untaggable(rows(user, month, filters)))


def _untaggable(found: QuerySet) -> list[dict[str, Any]]:
    labels = dict(TaggedResource.WhyNot.choices)
    sums = found.exclude(why_not="").order_by().values("why_not", "currency")
    summed = sums.annotate(amount=Sum("cost"), charged=Sum("lines")).order_by("currency", "why_not")
    return [{**row, "label": labels[row["why_not"]]} for row in summed]


def course(user: Person, today: date, count: int = 13, filters: Mapping[str, Any] | None = None) -> dict[Month, Tally]:
    """The tally of each of the last months, the earliest first."""
    last = sorted(month for month in months() if month.start <= today)[-count:]
    question = ("course", [str(month) for month in last], today, sorted((filters or {}).items()))
    found = kept(user, question, lambda: _course(user, last, today, filters))
    tallies = _tallies(found)
    return {month: tallies.get(str(month), Tally()) for month in last}


def _course(
    user: Person, last: Sequence[Month], today: date, filters: Mapping[str, Any] | None
) -> list[tuple[Any, ...]]:
    mine = TaggedResource.objects.visible_to(user).filter(charge_month__in=[month.start for month in last])
    sums = mine.filter(**(filters or {})).taggable().with_state(today).order_by()
    counted = sums.values("charge_month", "state", "currency").annotate(resources=Count("pk"), amount=Sum("cost"))
    return [
        (str(Month.of(row["charge_month"])), row["state"], row["currency"], row["resources"], row["amount"])
        for row in counted
    ]


def names(group: str, values: Iterable[str]) -> dict[str, str]:
    """What people call the values of a group."""
    values = list(values)
    if group == "team":
        teams = Team.objects.filter(pk__in=[value for value in values if value.isdigit()])
        return {str(team.pk): team.name for team in teams} | {NOBODY: UNOWNED, POOLED: SHARED}
    known = Dimension.objects.filter(name=GROUPS[group], value__in=values).exclude(label="")
    return {each.value: f"{each.label} ({each.value})" for each in known} | {"": f"no {LABELS[group].lower()}"}
