"""How the site knows the pillars without importing them, and the pillars one another.

A pillar calls ``registry.add`` in ``AppConfig.ready()``; the home page, the sidebar, ``seed_demo``, the monthly report,
the night and the mails read what was registered.
Adding a pillar changes no file of the site.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from finops_site.lib.money import ratio
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person


@dataclass(frozen=True, slots=True)
class NavSection:
    """A group of links in the sidebar; a link that names a group nobody registered comes after all of them."""

    label: str
    order: int = 100


@dataclass(frozen=True, slots=True)
class NavItem:
    """A link of the sidebar, shown to people who hold `permission` (everybody when it is empty)."""

    label: str
    url_name: str
    icon: str
    permission: str = ""
    order: int = 100
    section: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A block of the home page: `context(request)` fills `template`, or returns None to stay away."""

    name: str
    template: str
    context: Callable[[Any], dict[str, Any] | None]
    permission: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class DemoStep:
    """One part of the demo organisation: `run(say, as_of=...)` makes it, once; lower orders run first."""

    name: str
    run: Callable[..., None]
    order: int = 100


@dataclass(frozen=True, slots=True)
class Measure:
    """Where a figure of the programme stands, and where it should.

    `value` and `target` are in `unit`: "%" (70 means 70 %), "hours", or a currency code; a `value` of None is not known
    yet. `better` is "higher" or "lower"; a value that is the target has reached it. `words` say what was measured.
    """

    value: Decimal | None
    unit: str
    target: Decimal | None
    better: str
    words: str
    url: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is no value or no target."""
        if self.value is None or self.target is None:
            return None
        return self.value <= self.target if self.better == "lower" else self.value >= self.target


@dataclass(frozen=True, slots=True)
class Kpi:
    """A figure of the programme: `measure(user, as_of)` of what the user may see, or None to stay away."""

    name: str
    label: str
    measure: Callable[[Any, date], Measure | None]
    permission: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A part of the monthly report, on its page and in its PDF: `context(user, month)`, or None to stay away.

    The context holds what finops_site/reports/monthly_report.py names (`text`, `stats`, `charts`, `tables`, `links`),
    and one template and one Typst look draw it. `template` draws the page's part only of a context that holds none of
    these.
    """

    name: str
    title: str
    template: str
    context: Callable[[Any, Month], dict[str, Any] | None]
    permission: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class ReportMonth:
    """A month that has a report, and in a few words what is in it."""

    month: Month
    words: str = ""


@dataclass(frozen=True, slots=True)
class ReportMonths:
    """Which months have a report: `find(user, today)`, of what the user may see; `newest`, where it is known sooner."""

    name: str
    find: Callable[[Any, date], Sequence[ReportMonth]]
    permission: str = ""
    order: int = 100
    newest: Callable[[Any, date], Month | None] | None = None

    def last(self, user: Person, today: date) -> Month | None:
        if self.newest:
            return self.newest(user, today)
        return max((each.month for each in self.find(user, today)), default=None)


@dataclass(frozen=True, slots=True)
class HealthStatus:
    """How one thing is: `state` is "good", "warn", "bad", "busy" or "calm" (nothing to say yet); `words` say why."""

    label: str
    state: str
    words: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A group of lights on the page Health: `look(now)` says how each of its things is."""

    name: str
    title: str
    look: Callable[[datetime], Sequence[HealthStatus]]
    order: int = 100


@dataclass(frozen=True, slots=True)
class NightlyCheck:
    """Something looked after once a night: `run(as_of)` does it and says in words what was done.

    It may run twice for one day, and must then do nothing twice.
    """

    name: str
    run: Callable[[date], str]
    order: int = 100


@dataclass(frozen=True, slots=True)
class AdviceItem:
    """One thing that can be done, with its address in this site; `amount` is what it saves in a month, if known."""

    text: str
    url: str
    amount: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """What can be done about the cost that `filters` describe (costs.spend's words), the most useful first.

    `find(user, filters, as_of)` looks only at what `user` may see. A user of None stands for a mail to somebody without
    a login: advice then keeps to what the filters themselves name.
    """

    name: str
    find: Callable[[Any, Mapping[str, Sequence[str]], date], list[AdviceItem]]
    permission: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class PendingDecision:
    """Something that goes no further until somebody decides: in words, with its address."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class PendingDecisions:
    """What waits for a person: `rows(user)`, a queryset of what she may decide, and `items(user, rows)` in words.

    Only those who hold `permission` are asked for; the words only where there are rows.
    """

    name: str
    rows: Callable[[Any], Any]
    items: Callable[[Any, Any], list[PendingDecision]]
    permission: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class TeamBudget:
    """What a team may spend in a month and what it did, by charge day; `amount` and `spent` are in `currency`."""

    name: str
    amount: Decimal
    spent: Decimal
    currency: str
    url: str

    @property
    def share(self) -> Decimal | None:
        """spent / amount; None where the amount is zero."""
        return ratio(self.spent, self.amount)


@dataclass(frozen=True, slots=True)
class BudgetSource:
    """A keeper of budgets: `find(user, team, month)` says those of one team that the user may see."""

    name: str
    find: Callable[[Any, int, Month], list[TeamBudget]]
    permission: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class KnownChange:
    """What a contract says of the days ahead before any bill does: a commitment that ends, or one that begins.

    From `first` up to, not including, `end` (None: for good) the cost that `filters` describe is `amount` more each day
    (less, where it is negative), in `currency`, counted by `basis` ("billed_cost" or "effective_cost"). `filters` name
    one value of each dimension they know, in costs.spend's words; the team is the one that owns the lines. `words` say
    what happens.
    """

    first: date
    filters: Mapping[str, str]
    basis: str
    amount: Decimal
    currency: str
    words: str
    end: date | None = None


@dataclass(frozen=True, slots=True)
class KnownChanges:
    """Who knows of changes to come: `find(period)` says those whose first day lies in `period`."""

    name: str
    find: Callable[[Period], Sequence[KnownChange]]
    order: int = 100


Thing = (
    NavItem
    | NavSection
    | Panel
    | DemoStep
    | Kpi
    | ReportSection
    | ReportMonths
    | NightlyCheck
    | HealthCheck
    | Advice
    | PendingDecisions
    | BudgetSource
    | KnownChanges
)


@dataclass(slots=True)
class Registry:
    nav: list[NavItem] = field(default_factory=list)
    nav_sections: list[NavSection] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)
    demo_steps: list[DemoStep] = field(default_factory=list)
    kpis: list[Kpi] = field(default_factory=list)
    report_sections: list[ReportSection] = field(default_factory=list)
    report_months: list[ReportMonths] = field(default_factory=list)
    nightly_checks: list[NightlyCheck] = field(default_factory=list)
    health_checks: list[HealthCheck] = field(default_factory=list)
    advice: list[Advice] = field(default_factory=list)
    waiting: list[PendingDecisions] = field(default_factory=list)
    budget_sources: list[BudgetSource] = field(default_factory=list)
    known_changes: list[KnownChanges] = field(default_factory=list)

    def add(self, *things: Thing) -> None:
        """Registers each thing in its list, in its order; a thing registered twice is kept once."""
        for thing in things:
            home = self._home(thing)
            if thing not in home:
                home.append(thing)
                home.sort(key=lambda known: known.order)

    def _home(self, thing: Thing) -> list[Any]:
        homes: dict[type, list[Any]] = {
            NavItem: self.nav,
            NavSection: self.nav_sections,
            Panel: self.panels,
            DemoStep: self.demo_steps,
            Kpi: self.kpis,
            ReportSection: self.report_sections,
            ReportMonths: self.report_months,
            NightlyCheck: self.nightly_checks,
            HealthCheck: self.health_checks,
            Advice: self.advice,
            PendingDecisions: self.waiting,
            BudgetSource: self.budget_sources,
            KnownChanges: self.known_changes,
        }
        return homes[type(thing)]

    def measures(self, user: Person, as_of: date) -> list[tuple[Kpi, Measure]]:
        """Every figure of the programme that this person may see and that has something to say."""
        found = [(kpi, kpi.measure(user, as_of)) for kpi in allowed(self.kpis, user)]
        return [(kpi, measure) for kpi, measure in found if measure is not None]

    def sections(self, user: Person, month: Month) -> list[tuple[ReportSection, dict[str, Any]]]:
        """Every part of the report of `month` that this person may see and that has something to say."""
        found = [(section, section.context(user, month)) for section in allowed(self.report_sections, user)]
        return [(section, context) for section, context in found if context is not None]

    def months(self, user: Person, today: date) -> list[ReportMonth]:
        """Every month that has a report for this person, the newest first; what several say of a month is joined."""
        found: dict[Month, list[str]] = {}
        for months in allowed(self.report_months, user):
            for each in months.find(user, today):
                found.setdefault(each.month, []).append(each.words)
        return [ReportMonth(month, "; ".join(filter(None, found[month]))) for month in sorted(found, reverse=True)]

    def newest_month(self, user: Person, today: date) -> Month | None:
        """The newest month that has a report for this person."""
        found = (months.last(user, today) for months in allowed(self.report_months, user))
        return max((month for month in found if month), default=None)

    def budgets_of(self, user: Person, team: int, month: Month) -> list[TeamBudget]:
        """The budgets of a team in a month, of those that this person may see."""
        return [found for each in allowed(self.budget_sources, user) for found in each.find(user, team, month)]

    def changes_in(self, period: Period) -> list[KnownChange]:
        """Every change known to begin in `period`, the earliest first: of the whole company, for the night."""
        found = [change for each in self.known_changes for change in each.find(period)]
        return sorted(found, key=lambda change: change.first)

    def what_can_be_done(
        self, user: Person, filters: Mapping[str, Sequence[str]], as_of: date, *, limit: int = 5
    ) -> list[AdviceItem]:
        """The advice of all pillars about this cost, what saves most first; what saves an unknown amount follows."""
        found = [item for advice in allowed(self.advice, user) for item in advice.find(user, filters, as_of)]
        return sorted(found, key=lambda item: (item.amount is None, -(item.amount or 0)))[:limit]


def allowed(things: Sequence[Any], user: Person) -> list[Any]:
    return [thing for thing in things if not thing.permission or (user is not None and user.has_perm(thing.permission))]


registry = Registry()
