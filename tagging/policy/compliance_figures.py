"""How much of what a person sees complies with the tag policy: counts and exact costs, per currency.

Compliance = what complies / what is counted. Counted is every resource that can carry tags and has no exception in
force. Charges that cannot carry tags are never counted; they stand apart, with their sum.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from django.db.models import F, Max, Sum, Value
from django.utils.translation import gettext as _

from costs.calc.dimensions import DIMENSIONS
from costs.calc.known_until import ANY
from costs.models import Dimension
from costs.query.known_until import KnownDays, known_in
from costs.query.result_cache import cached
from costs.query.scope import NOBODY, POOLED, SHARED, UNOWNED, team_or_shared
from finops_site.lib.addresses import BadFilter
from finops_site.lib.money import EXACT, exact_sum, ratio
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Team
from tagging.calc.tag_policy import State
from tagging.models import ComplianceMonth, ComplianceRollup, TaggedResource, TagRequirement
from tagging.models.policy import TaggedResourceQuerySet

Answer = TypeVar("Answer")
Filters = Mapping[str, Any] | None
# (group, state, currency, resources, cost), as the database sums them.
Sums = list[tuple[Any, ...]]
# The share of resources, and of cost, that should comply.
TARGET = Decimal("0.95")
COMPLIANT, WRONG, EXCEPTED = "compliant", "wrong", "excepted"
STATES = (COMPLIANT, WRONG, EXCEPTED)
# What figures may be grouped by -> the field.
GROUPS = {name: DIMENSIONS[name].field for name in ("team", "account", "service", "provider")}


@dataclass(slots=True)
class Tally:
    """Resources by state, and by currency and state how many are billed in it and what they cost."""

    resources: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    billed_in: dict[str, dict[str, int]] = field(default_factory=dict)
    cost: dict[str, dict[str, Decimal]] = field(default_factory=dict)

    def add(self, state: str, currency: str, resources: int, cost: Decimal) -> None:
        self.resources[state] += resources
        self.billed_in.setdefault(currency, defaultdict(int))[state] += resources
        sums = self.cost.setdefault(currency, defaultdict(Decimal))
        sums[state] = EXACT.add(sums[state], cost)

    def count(self, *states: str) -> int:
        return sum(self.resources.get(state, 0) for state in states)

    def count_in(self, currency: str, *states: str) -> int:
        """How many of the resources that are billed in this currency."""
        return sum(self.billed_in.get(currency, {}).get(state, 0) for state in states)

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

    def by_resources_in(self, currency: str) -> Decimal | None:
        """The same of the resources that are billed in one currency."""
        return ratio(Decimal(self.count_in(currency, COMPLIANT)), Decimal(self.count_in(currency, COMPLIANT, WRONG)))

    def by_cost(self, currency: str) -> Decimal | None:
        """The share of their cost that complies; None where they cost nothing."""
        return ratio(self.amount(currency, COMPLIANT), self.amount(currency, COMPLIANT, WRONG))

    @property
    def currencies(self) -> list[str]:
        return sorted(self.cost)


def versions() -> tuple[Any, ...]:
    """Differs when the figures do: which months are computed, and how often they changed."""
    return tuple(ComplianceMonth.objects.values_list("pk", "revision"))


def computed_months() -> list[Month]:
    """The charge months that are computed, the latest first."""
    return [Month.of(day) for day in ComplianceMonth.objects.values_list("charge_month", flat=True)]


def month_for(text: str, today: date) -> Month | None:
    """The month named if it is computed, else the latest up to today's; None where there is none yet."""
    months = computed_months()
    try:
        named = Month.parse(text)
    except ValueError:
        named = None
    if named in months:
        return named
    past = [month for month in months if month.start <= today]
    return next(iter(past or months), None)


def newest_month(as_of: date) -> Month | None:
    """The newest month that is computed and has begun by a day; None where there is none: a later one is none of it."""
    return next((month for month in computed_months() if month.start <= as_of), None)


def month_known_by(user: Person, as_of: date) -> Month | None:
    """The newest computed month whose figures hold nothing later than a day, so that they were known by then.

    Figures are of whole months: of a day in the middle of one that has gone on since, the month before answers.
    """
    begun = [month for month in computed_months() if month.start <= as_of]
    return next((month for month in begun if month.period.last_day <= as_of or _last_day(user, month) <= as_of), None)


def _last_day(user: Person, month: Month) -> date:
    """The last day of a month that its figures hold."""
    rows = TaggedResource.objects.in_month(month)

    def compute() -> date:
        last: date | None = rows.aggregate(last=Max("last_day"))["last"]
        return last or month.start

    return cached_answer(user, ("last day", str(month)), compute)


def chosen_month(text: str, today: date) -> Month | None:
    """The month named, or the latest where none is. Raises BadFilter for one that cannot be read or is not computed."""
    if not text:
        return month_for("", today)
    try:
        month = Month.parse(text)
    except ValueError as error:
        raise BadFilter(str(error)) from None
    if month not in computed_months():
        raise BadFilter(_("{month} is not computed: no current bill has charges of it.").format(month=month))
    return month


def resources_of_month(user: Person, month: Month, filters: Filters = None) -> TaggedResourceQuerySet:
    """The resources of a month that `user` may see."""
    return TaggedResource.objects.visible_to(user).in_month(month).filter(**(filters or {}))


def sums_of_month(user: Person, month: Month, filters: Filters = None) -> TaggedResourceQuerySet:
    """The same resources, those that are alike counted and summed in one row."""
    return ComplianceRollup.objects.visible_to(user).in_month(month).filter(**(filters or {}))


def cached_answer(user: Person, question: tuple[Any, ...], compute: Callable[[], Answer]) -> Answer:
    """An answer cached as long as bills, policy, exceptions and the day stay the same."""
    return cached(user, ("compliance", versions(), *question), compute)


def tally(user: Person, month: Month, today: date, filters: Filters = None) -> Tally:
    """All that is counted in a month."""
    return by_group(user, month, today, None, filters).get("", Tally())


def by_group(user: Person, month: Month, today: date, group: str | None, filters: Filters = None) -> dict[str, Tally]:
    """{value of the group: its tally}; NOBODY stands for what is unowned, POOLED for what pools hold."""

    def compute() -> Sums:
        value = team_or_shared() if group == "team" else F(GROUPS[group]) if group else Value("")
        rows = sums_of_month(user, month, filters).taggable().with_state(today).annotate(group=value)
        sums = rows.order_by().values("group", "state", "currency").annotate(count=Sum("resources"), amount=Sum("cost"))
        return [
            (NOBODY if key is None else key, *rest)
            for key, *rest in sums.values_list("group", "state", "currency", "count", "amount")
        ]

    question = ("by", str(month), today, group, sorted((filters or {}).items()))
    return _tallies(cached_answer(user, question, compute))


def _tallies(sums: Sums) -> dict[str, Tally]:
    tallies: dict[str, Tally] = {}
    for key, *values in sums:
        tallies.setdefault(key, Tally()).add(*values)
    return tallies


def by_tag(user: Person, month: Month, filters: Filters = None) -> dict[str, Tally]:
    """{tag: how many resources have each of its states}, in the policy's order; exceptions do not count here."""

    def compute() -> Sums:
        names = ("verdict__tag_facts__tag", "verdict__tag_facts__state", "currency")
        rows = sums_of_month(user, month, filters).taggable().filter(verdict__tag_facts__isnull=False)
        sums = rows.order_by().values(*names).annotate(count=Sum("resources"), amount=Sum("cost"))
        return list(sums.values_list(*names, "count", "amount"))

    question = ("tag", str(month), sorted((filters or {}).items()))
    order = {key: number for number, key in enumerate(requirements())}
    tallies = _tallies(cached_answer(user, question, compute))
    return dict(sorted(tallies.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))


def requirements() -> dict[str, bool]:
    """{tag: whether it is required}, in the policy's order."""
    tags: dict[str, bool] = {}
    for key, required in TagRequirement.objects.order_by("order", "pk").values_list("key", "is_required"):
        tags[key] = tags.get(key, False) or required
    return tags


def share_ok(tally: Tally) -> Decimal | None:
    """The share of the resources that need a tag and have it right."""
    return ratio(Decimal(tally.count(State.OK)), Decimal(tally.count(*State)))


def untaggable(user: Person, month: Month, filters: Filters = None) -> list[dict[str, Any]]:
    """Why charges cannot carry tags, with the sum of each reason and currency."""

    def compute() -> list[dict[str, Any]]:
        labels = dict(TaggedResource.WhyNot.choices)
        rows = sums_of_month(user, month, filters).exclude(why_not="").order_by().values("why_not", "currency")
        sums = rows.annotate(amount=Sum("cost"), charged=Sum("lines")).order_by("currency", "why_not")
        return [{**row, "label": labels[row["why_not"]]} for row in sums]

    return cached_answer(user, ("untaggable", str(month), sorted((filters or {}).items())), compute)


def compliance_by_month(user: Person, today: date, count: int = 13, filters: Filters = None) -> dict[Month, Tally]:
    """The tally of each of the last months, the earliest first."""
    months = sorted(month for month in computed_months() if month.start <= today)[-count:]

    def compute() -> Sums:
        rows = ComplianceRollup.objects.visible_to(user).filter(charge_month__in=[month.start for month in months])
        groups = rows.filter(**(filters or {})).taggable().with_state(today).order_by()
        sums = groups.values("charge_month", "state", "currency").annotate(count=Sum("resources"), amount=Sum("cost"))
        return [
            (str(Month.of(row["charge_month"])), row["state"], row["currency"], row["count"], row["amount"])
            for row in sums
        ]

    question = ("course", [str(month) for month in months], today, sorted((filters or {}).items()))
    tallies = _tallies(cached_answer(user, question, compute))
    return {month: tallies.get(str(month), Tally()) for month in months}


def known_of_month(
    user: Person, month: Month, today: date, filters: Mapping[str, Sequence[str]] | None = None
) -> KnownDays:
    """What the bills know of a charge month: resources of days that are not delivered are in no figure of it."""
    return known_in(user, month.period, today, filters=filters, metric=ANY)


def group_labels(group: str, values: Iterable[str]) -> dict[str, str]:
    """What people call the values of a group."""
    values = list(values)
    if group == "team":
        teams = Team.objects.filter(pk__in=[value for value in values if value.isdigit()])
        return {str(team.pk): team.name for team in teams} | {NOBODY: UNOWNED, POOLED: SHARED}
    nothing = {"account": _("no account"), "service": _("no service"), "provider": _("no provider")}
    labelled = Dimension.objects.filter(name=GROUPS[group], value__in=values).exclude(label="")
    return {row.value: f"{row.label} ({row.value})" for row in labelled} | {"": nothing.get(group, "")}
