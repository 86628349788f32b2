"""How the site knows the pillars without importing them, and the pillars one another.

A pillar calls ``registry.add`` in ``AppConfig.ready()``; the home page, the sidebar, ``seed_demo``, the monthly report,
the nightly run and the emails read what was registered. What a pillar declares before it is ready (addresses,
permissions, schedule) is in pillars.py. Adding a pillar changes no file of the site.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any, TypeVar

from finops_site.lib.language import gettext_noop
from finops_site.lib.money import ratio
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.lib.words import share_text


@dataclass(frozen=True, slots=True)
class NavSection:
    """A group of links in the sidebar; a link that names a group nobody registered comes after all of them."""

    label: str
    order: int = 100


@dataclass(frozen=True, slots=True)
class NavItem:
    """A link of the sidebar, shown to people who hold `permission` (everybody when it is empty).

    Pages that belong to it are its tabs (NavTab); its own page is the first of them, called `tab` there. Who may open
    only some of the tabs has the link too: it leads to the first of hers. `key` is the letter that opens it after g.
    """

    label: str
    url_name: str
    icon: str
    permission: str = ""
    order: int = 100
    section: str = ""
    tab: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class NavTab:
    """A tab at the top of the pages of one NavItem, that of the url name `parent`, of any pillar."""

    label: str
    url_name: str
    parent: str
    permission: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class Panel:
    """A block of the home page: `context(request)` fills `template`, or returns None to show nothing.

    `places` are the orders of roles whose home differs: {role: order, or None where that role does not have it}.
    """

    name: str
    template: str
    context: Callable[[Any], dict[str, Any] | None]
    permission: str = ""
    order: int = 100
    places: Mapping[str, int | None] = field(default_factory=dict)

    def place(self, role: str) -> int | None:
        """Where it stands on the home of a role; None where it does not."""
        return self.places.get(role, self.order)


@dataclass(frozen=True, slots=True)
class HomeFigure:
    """Figures that stand beside spend on home, for people of `roles` (all, where it names none).

    `stats(user, as_of)` returns figures as templates/includes/stat.html draws them.
    """

    name: str
    stats: Callable[[Person, date], Sequence[dict[str, Any]]]
    permission: str = ""
    order: int = 100
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DemoStep:
    """One part of the demo organisation: `run(write, as_of=...)` makes it, once, and writes its progress.

    With a `switch` it is made only where seed_demo is asked for it.
    """

    name: str
    run: Callable[..., None]
    order: int = 100
    switch: str = ""


@dataclass(frozen=True, slots=True)
class DemoPart:
    """What a pillar takes away of the demo company; lower orders first, what stands on something before it.

    `counts()` names what goes and what stays: (label, how many go, how many stay). `remove()` may run twice, and
    leaves what is real, and what something real stands on.
    """

    name: str
    label: str
    counts: Callable[[], Sequence[tuple[str, int, int]]]
    remove: Callable[[], None]
    order: int = 100


@dataclass(frozen=True, slots=True)
class SetupStep:
    """A line of the checklist of the first day: `why` in one sentence, and the page where it is done.

    `is_done()` asks the database; None where it is not known, which is not done. What the demo made does not count.
    Who lacks `permission` sees the line, and that somebody else does it. `minutes`: about how long it takes.
    """

    name: str
    label: str
    why: str
    url_name: str
    is_done: Callable[[], bool | None]
    permission: str = ""
    order: int = 100
    minutes: int = 5


class Unit(StrEnum):
    """What the value of a measure counts; a percentage is 70 for 70 %, money is in the measure's currency."""

    PERCENT = "%"
    HOURS = "hours"
    MONEY = "money"
    COUNT = "count"
    MONTHS = "months"


class Better(StrEnum):
    """Which way a measure should go."""

    HIGHER = "higher"
    LOWER = "lower"


class KpiArea(StrEnum):
    """The headings that KPIs stand under, in their order; translated where they are shown."""

    COMMITMENTS = gettext_noop("Commitments")
    BUDGETS = gettext_noop("Budgets and forecast")
    OWNERSHIP = gettext_noop("Tags and ownership")
    VALUE = gettext_noop("Value of the programme")
    OTHER = gettext_noop("Others")


@dataclass(frozen=True, slots=True)
class MeasureInput:
    """A figure that a measure was made of, and the list that it counts; None where it is not known."""

    label: str
    value: Decimal | None
    url: str = ""
    unit: Unit = Unit.COUNT
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """The value of a KPI and its target: None where it is not known yet, or where there is no target.

    A value that equals its target has reached it. `description` names what was measured, or why it is not known: best
    as a text that is written when somebody reads it (finops_site.translation.text_lazy), for nights keep it.
    """

    value: Decimal | None
    unit: Unit
    target: Decimal | None
    better: Better
    description: str
    url: str = ""
    currency: str = ""
    inputs: tuple[MeasureInput, ...] = ()

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is no value or no target."""
        if self.value is None or self.target is None:
            return None
        return self.value <= self.target if self.better == Better.LOWER else self.value >= self.target


@dataclass(frozen=True, slots=True)
class Kpi:
    """A figure of the programme: `measure(user, as_of)` of what the user may see, or None to show nothing.

    What its page says of it: `definition`, one sentence, and `formula`; `area`, the heading it stands under; the name
    that the FinOps Foundation has for it; the target of the plan, in `currency` where it is money, and what the plan
    says it was before; and why there is no value while there is nothing to measure. `only_now`: why a day that is over
    cannot be asked any more; empty where `measure` answers of it what that day's books said.
    """

    name: str
    label: str
    measure: Callable[[Person, date], Measure | None]
    permission: str = ""
    order: int = 100
    area: KpiArea = KpiArea.OTHER
    definition: str = ""
    formula: str = ""
    foundation_name: str = ""
    unit: Unit = Unit.PERCENT
    better: Better = Better.HIGHER
    target: Decimal | None = None
    baseline: Decimal | None = None
    currency: str = ""
    why_unknown: str = ""
    only_now: str = ""


@dataclass(frozen=True, slots=True)
class KpiTarget:
    """The target that somebody set for a KPI, None for none; of money in `currency`."""

    value: Decimal | None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class KpiArchive:
    """Who keeps the targets of KPIs and their past, of the whole company.

    `targets()`: {name of a KPI: its target} of those that somebody set. `stored(as_of)`: the newest day that a night
    stored up to `as_of`, and {name: measure} of it, or None where that is older than a day. `url(name)`: a KPI's page.
    """

    name: str
    targets: Callable[[], Mapping[str, KpiTarget]]
    stored: Callable[[date], tuple[date, Mapping[str, Measure]] | None]
    url: Callable[[str], str]
    order: int = 100


@dataclass(frozen=True, slots=True)
class ProgressCount:
    """Whole things that a programme's milestones wait for: `count(since, as_of)`, of the whole company.

    What happens is counted from the day `since` to the end of the day `as_of`, what is in force on `as_of`; None where
    that is not known, which is not zero.
    """

    name: str
    label: str
    count: Callable[[date, date], int | None]
    order: int = 100


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A part of the monthly report, on its page and in its PDF: `context(user, month)`, or None to show nothing.

    The context holds what finops_site/reports/monthly_report.py names (`text`, `stats`, `charts`, `tables`, `links`,
    `brief`), and one template and one Typst look draw it. `template` draws the page's part only of a context that holds
    none of these.
    """

    name: str
    title: str
    template: str
    context: Callable[[Person, Month], dict[str, Any] | None]
    permission: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class PeriodSection:
    """A part of the reports about more or less than a month: the quarterly review, the update of two weeks.

    `context(user, period, today)` is that of a ReportSection; the first sentence of its text is what its page says at
    its head. `in_update`: its brief is in the update, too.
    """

    name: str
    title: str
    context: Callable[[Person, Period, date], dict[str, Any] | None]
    permission: str = ""
    order: int = 100
    in_update: bool = False


@dataclass(frozen=True, slots=True)
class Freshness:
    """Until when the figures of a period are known: `known(user, period, today)`, one sentence for every page of it."""

    name: str
    known: Callable[[Person, Period, date], str]
    permission: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class TeamDocument:
    """The document of one team and month as it was closed: the same bytes for everybody, ever after."""

    team: int
    team_name: str
    file_name: str
    content: bytes
    summary: str


@dataclass(frozen=True, slots=True)
class TeamDocumentSource:
    """Who keeps documents of teams: `documents(teams, month)`, none of a month that is not closed.

    `newest(today)` is the newest month that is closed; None where none is.
    """

    name: str
    label: str
    documents: Callable[[Sequence[int], Month], list[TeamDocument]]
    newest: Callable[[date], Month | None]
    permission: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class ReportMonth:
    """A month that has a report, and in a few words what is in it."""

    month: Month
    description: str = ""


@dataclass(frozen=True, slots=True)
class ReportMonthSource:
    """Which months have a report: `months(user, today)`, of what the user may see.

    `newest` answers for the last of them alone, where that takes less time.
    """

    name: str
    months: Callable[[Person, date], Sequence[ReportMonth]]
    permission: str = ""
    order: int = 100
    newest: Callable[[Person, date], Month | None] | None = None

    def newest_month(self, user: Person, today: date) -> Month | None:
        if self.newest:
            return self.newest(user, today)
        return max((row.month for row in self.months(user, today)), default=None)


class HealthState(StrEnum):
    GOOD = "good"
    WARNING = "warn"
    BROKEN = "bad"
    RUNNING = "busy"
    NOTHING_YET = "calm"


@dataclass(frozen=True, slots=True)
class HealthStatus:
    """The state of one part of the system, and a message that gives the reason."""

    label: str
    state: HealthState
    message: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A group of statuses on the page Health: `run(now)` returns one for each part that it looks at."""

    name: str
    title: str
    run: Callable[[datetime], Sequence[HealthStatus]]
    order: int = 100


@dataclass(frozen=True, slots=True)
class MetricSource:
    """A number for Prometheus, read when it is asked: `read(now)` yields (values of the labels, number) for each line.

    `name` is that of the metric, with its unit at the end (``finops_held_bills``, ``finops_backup_age_seconds``).
    """

    name: str
    help: str
    read: Callable[[datetime], Iterable[tuple[tuple[str, ...], float]]]
    labels: tuple[str, ...] = ()
    order: int = 100


class NightlyCheckFailed(Exception):
    """Raised by a nightly check that did what it could: the message, as it is, becomes the red line on Health."""


@dataclass(frozen=True, slots=True)
class NightlyCheck:
    """A job of every night: `run(as_of)` does it and returns a summary of what was done, one line for Health.

    The checks of a night run one after the other, lower orders first. One that raises is red on Health, stops no other
    and is run again an hour later; so it may run twice for one day, and must then do nothing twice. A night that was
    missed is not run later: a check that needs every night asks the database which ones are missing.
    """

    name: str
    run: Callable[[date], str]
    order: int = 100
    # What Health calls it; its name where that is nobody's word.
    label: str = ""


@dataclass(frozen=True, slots=True)
class OutgoingEmailCheck:
    """Emails whose key begins with `prefix` are looked at once more before they are sent.

    `why_not(email, now)` returns why this one must not be sent any more, and has seen to what is sent instead; or an
    empty text. Of emails that nobody checks, those to people who were switched off since, or may not see any more what
    they are about, are not sent. `is_listed_elsewhere`: those that failed stand on pages of their own.
    """

    name: str
    prefix: str
    why_not: Callable[[Any, datetime], str]
    order: int = 100
    is_listed_elsewhere: bool = True


@dataclass(frozen=True, slots=True)
class NotificationKind:
    """A kind of email that is a notification on the site as well: `name` is that of its templates.

    Each reader chooses where she gets it. `always_mailed` says why its mail cannot be switched off; empty where it
    can. Who lacks `permission` is not offered the choice.
    """

    name: str
    label: str
    permission: str = ""
    order: int = 100
    always_mailed: str = ""


@dataclass(frozen=True, slots=True)
class Possession:
    """What somebody looks after until she leaves: how many she has, and what ends of it at once when she does.

    `url_name` is the page where somebody else takes it over.
    """

    name: str
    label: str
    count: Callable[[Any], int]
    let_go: Callable[[Any], None]
    url_name: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class UnsentMessage:
    """A message that was not sent, as the page of those shows it; `reason` is the server's answer, or what failed."""

    queue: str
    pk: int
    at: datetime
    to: str
    subject: str
    state: str
    attempts: int
    reason: str
    url: str = ""

    @property
    def identity(self) -> str:
        """What names it among the messages of all queues."""
        return f"{self.queue}:{self.pk}"


@dataclass(frozen=True, slots=True)
class QueueState:
    """How many messages wait, since when the oldest of those that are due does, and how many failed in a week."""

    waiting: int
    oldest: datetime | None
    failed: int


@dataclass(frozen=True, slots=True)
class MessageQueue:
    """A queue of messages to people: how it is, what it could not send to whom `user` may see, and another try.

    `retry(user, pks, now)` returns how many messages wait again; only those that `user` may have sent.
    """

    name: str
    label: str
    state: Callable[[datetime], QueueState]
    unsent: Callable[[Person], list[UnsentMessage]]
    retry: Callable[[Person, Sequence[int], datetime], int]
    may_retry: Callable[[Person], bool]
    order: int = 100


@dataclass(frozen=True, slots=True)
class AdviceItem:
    """One thing that can be done, with its address in this site; `amount` is what it saves in a month, if known."""

    text: str
    url: str
    amount: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class AdviceSource:
    """What can be done about the cost that `filters` describe (those of the explorer), the most useful first.

    `items(user, filters, as_of)` looks only at what `user` may see. A user of None stands for an email to somebody
    without a login: advice then keeps to what the filters themselves name.
    """

    name: str
    items: Callable[[Person | None, Mapping[str, Sequence[str]], date], list[AdviceItem]]
    permission: str = ""
    order: int = 100


class Urgency(IntEnum):
    """What comes first of what there is to do."""

    NOW = 1
    SOON = 2
    SOME_DAY = 3


@dataclass(frozen=True, slots=True)
class ToDo:
    """One thing to do, named by what it is about, and its address; `amount` is the money that is at stake, if known.

    `note` says in a few words what the matter is, or what the amount counts.
    """

    text: str
    url: str
    amount: Decimal | None = None
    currency: str = ""
    note: str = ""
    urgency: Urgency = Urgency.SOON


@dataclass(frozen=True, slots=True)
class ToDoSource:
    """What people of `roles` (all, where it names none) should see to: `rows(user)`, a queryset, one row for each.

    All sources are counted in one query. `items(user, rows, most)` returns at most `most`, those with most money first,
    and is asked only where there are rows; `url_name` is the list that has all of them.
    """

    name: str
    label: str
    icon: str
    rows: Callable[[Person], Any]
    items: Callable[[Person, Any, int], list[ToDo]]
    permission: str = ""
    order: int = 100
    roles: tuple[str, ...] = ()
    url_name: str = ""


@dataclass(frozen=True, slots=True)
class PendingDecision:
    """Something that goes no further until somebody decides: what it is, and its address.

    `amount` is the money that is decided about, if known, and `note` what that amount counts.
    """

    text: str
    url: str
    amount: Decimal | None = None
    currency: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class PendingDecisionSource:
    """What waits for a person's decision: `rows(user)`, a queryset, and `items(user, rows)`, the texts to show.

    Only those who hold `permission` are asked for; the texts are made only where there are rows.
    """

    name: str
    rows: Callable[[Person], Any]
    items: Callable[[Person, Any], list[PendingDecision]]
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

    @property
    def share_text(self) -> str:
        """The same as whole percent: ``112%``; a dash where the amount is zero."""
        return "—" if self.share is None else share_text(self.share)


@dataclass(frozen=True, slots=True)
class TeamPanel:
    """A block of a team's page: `context(user, team, month)` fills `template`, or returns None to show nothing.

    It says itself by which days it counts, and as of when.
    """

    name: str
    template: str
    context: Callable[[Person, int, Month], dict[str, Any] | None]
    permission: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class BudgetSource:
    """Where budgets are kept: `budgets(user, team, month)` returns those of one team that the user may see."""

    name: str
    budgets: Callable[[Person, int, Month], list[TeamBudget]]
    permission: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class KnownChange:
    """A change of cost that a contract announces before any bill does: a commitment that ends, or one that begins.

    From `first` up to, not including, `end` (None: for good) the cost that `filters` describe is `amount` more each day
    (less, where it is negative), in `currency`, counted by `basis` ("billed_cost" or "effective_cost"). `filters` name
    one value of each dimension they restrict, as the explorer's do; the team is the one that owns the lines.
    """

    first: date
    filters: Mapping[str, str]
    basis: str
    amount: Decimal
    currency: str
    description: str
    end: date | None = None


@dataclass(frozen=True, slots=True)
class KnownChangeSource:
    """Who knows of changes to come: `changes(period)` returns those whose first day lies in `period`."""

    name: str
    changes: Callable[[Period], Sequence[KnownChange]]
    order: int = 100


@dataclass(frozen=True, slots=True)
class SpanForecast:
    """What some days will cost: as likely more as less than `likely`, eight times in ten between `low` and `high`.

    What is spent of them already is part of all three. In the currency of the history, in its whole cents.
    """

    days: Period
    low: Decimal
    likely: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class CostForecaster:
    """Who forecasts cost: `forecast(daily, delivered, as_of, spans, currency)`, one for each span of days.

    `daily` is the cost of each day up to `delivered`, the last that is known; a year of them or more is well.
    """

    name: str
    forecast: Callable[[Mapping[date, Decimal], date, date, Sequence[Period], str], list[SpanForecast]]
    permission: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class LineFact:
    """What an app knows of one cost line, as a label and a text; `url` leads to where it can be looked up."""

    label: str
    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class LineFactSource:
    """Who knows more of a cost line, like the rule that named its owner: `facts(user, line)`, of what she may see."""

    name: str
    facts: Callable[[Person, Any], list[LineFact]]
    permission: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A thing that a search found: what it is called, its address, and a few words that tell it from its namesakes."""

    label: str
    url: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class SearchSource:
    """Things of one kind that people look for by name: `hits(user, words, most)`, of what `user` may see.

    Every word stands in what names the thing, in any case of letters; at most `most`, the likeliest first.
    """

    name: str
    label: str
    icon: str
    hits: Callable[[Person, Sequence[str], int], list[SearchHit]]
    permission: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class SavingsEvidence:
    """What was saved in a month and is proved; negative where it cost more than it would have without.

    `scope` names what it was saved on (``resource:i-0ab``, ``team:4``), `within` the wider scopes that contain it:
    where the scope of one row meets the scope or the `within` of another, both may show the same money: it counts once.
    `evidence` says in a sentence how it is proved; `url` is the page that shows it.
    """

    month: Month
    amount: Decimal
    currency: str
    what: str
    evidence: str
    url: str
    scope: frozenset[str]
    within: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SavingsEvidenceSource:
    """Who proves savings: `rows(user, as_of)`, of what the user may see, never more than is known as of that day.

    `lever` is the pillar of the savings model that they belong to: ``commitments``, ``alerts``, ``tags`` or ``usage``.
    Lower orders are stronger proof, as bills are stronger than forecasts: what two sources show counts as the first's.
    Without a row `is_nothing(user, as_of)` says whether that is 0, for nothing was done that could save and the bills
    are whole; else, and where it is None, what was saved is not known.
    """

    name: str
    label: str
    lever: str
    rows: Callable[[Person, date], Sequence[SavingsEvidence]]
    order: int = 100
    is_nothing: Callable[[Person, date], bool] | None = None


@dataclass(frozen=True, slots=True)
class TeamMonthCost:
    """What a team owns of the cost of a month; `team` is None for what nobody owns."""

    team: int | None
    month: Month
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class TeamCostSource:
    """Cost by team and month: `months(user, period, as_of)`, only months that the bills know to their end."""

    name: str
    months: Callable[[Person, Period, date], Sequence[TeamMonthCost]]
    order: int = 100


@dataclass(frozen=True, slots=True)
class StatementReadSource:
    """Since when teams see their cost: `since()`, {team: the day on which it first had its statement}."""

    name: str
    since: Callable[[], Mapping[int, date]]
    order: int = 100


@dataclass(frozen=True, slots=True)
class ScopeChoices:
    """What the sight of a role may be limited to: `choices()` are (value, name) of the filter called `name`."""

    name: str
    choices: Callable[[], list[tuple[str, str]]]
    order: int = 100


@dataclass(frozen=True, slots=True)
class ExchangeRateSource:
    """The company's exchange rates: `rate(currency, target, month)`, what one unit is worth; None without one."""

    name: str
    rate: Callable[[str, str, Month], Decimal | None]
    order: int = 100


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """What one `unit` of a thing costs by a price list: an hour of a machine type, a gigabyte for a month.

    On demand where `option` is empty; else under that kind of commitment, its upfront fee spread over the hours.
    """

    provider: str
    service: str
    region: str
    item: str
    system: str
    unit: str
    price: Decimal
    currency: str
    source: str
    option: str = ""
    term_months: int = 0
    payment: str = ""


@dataclass(frozen=True, slots=True)
class UnitPriceSource:
    """Who has price lists: `prices(items, day)`, those in force on a day of the named items; None asks for all."""

    name: str
    prices: Callable[[Sequence[str] | None, date], Iterable[UnitPrice]]
    order: int = 100


@dataclass(frozen=True, slots=True)
class PlannedUse:
    """Something that is planned: what it costs in an average month of 730 hours, of which it runs `hours_share`.

    `cost` is what is estimated, `on_demand` the same at list prices; None is not known, and negative is what is taken
    away. What is bought with a commitment of its own `is_committed`.
    """

    item: str
    region: str
    unit: str
    cost: Decimal | None
    on_demand: Decimal | None
    currency: str
    provider: str = ""
    service: str = ""
    hours_share: Decimal = Decimal(1)
    is_committed: bool = False


@dataclass(frozen=True, slots=True)
class PlanEffect:
    """A figure as it is, and as it would be with each of several plans, in their order; None is not known.

    `note` says in a sentence what it counts, or why it is not known.
    """

    label: str
    before: Decimal | None
    after: Sequence[Decimal | None]
    unit: Unit
    currency: str = ""
    note: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class PlanEffectSource:
    """What plans would change: `effects(user, team, plans, currency, today)`, of what the user may see.

    Each plan is what it would run; `team` is whose it is, None where nobody says. All amounts are in `currency`.
    """

    name: str
    effects: Callable[[Person, int | None, Sequence[Sequence[PlannedUse]], str, date], Sequence[PlanEffect]]
    permission: str = ""
    order: int = 100


Entry = (
    NavItem
    | NavSection
    | NavTab
    | Panel
    | HomeFigure
    | TeamPanel
    | DemoStep
    | DemoPart
    | SetupStep
    | Kpi
    | ProgressCount
    | KpiArchive
    | ReportSection
    | PeriodSection
    | Freshness
    | TeamDocumentSource
    | ReportMonthSource
    | NightlyCheck
    | HealthCheck
    | MetricSource
    | OutgoingEmailCheck
    | NotificationKind
    | Possession
    | MessageQueue
    | AdviceSource
    | PendingDecisionSource
    | ToDoSource
    | BudgetSource
    | KnownChangeSource
    | CostForecaster
    | LineFactSource
    | SearchSource
    | SavingsEvidenceSource
    | TeamCostSource
    | StatementReadSource
    | ScopeChoices
    | ExchangeRateSource
    | UnitPriceSource
    | PlanEffectSource
)
Kind = TypeVar("Kind", bound=Entry)


def against(measure: Measure, target: KpiTarget | None) -> Measure:
    """The measure against a target that somebody set, if any; one in another currency says nothing about it."""
    if target is None:
        return measure
    is_other = measure.unit == Unit.MONEY and target.currency not in ("", measure.currency)
    return replace(measure, target=None if is_other else target.value)


# A sum of the whole company: what a team adds to it is not held against its target.
OF_THE_WHOLE = (Unit.COUNT, Unit.MONEY)


def against_for(user: Person, measure: Measure, target: KpiTarget | None) -> Measure:
    """The same as `user` is judged: who sees teams alone is held against shares and times, not against sums."""
    judged = against(measure, target)
    if judged.target is None or measure.unit not in OF_THE_WHOLE or user.sees_whole_company:
        return judged
    return replace(measure, target=None)


class Registry:
    """Every entry, by its kind and in its order."""

    def __init__(self) -> None:
        self.entries: dict[type, list[Any]] = {}

    def add(self, *entries: Entry) -> None:
        """Registers each entry among those of its kind; one that is registered twice is there once."""
        for entry in entries:
            of_its_kind = self.entries.setdefault(type(entry), [])
            if entry not in of_its_kind:
                of_its_kind.append(entry)
                of_its_kind.sort(key=lambda other: other.order)

    def remove(self, entry: Entry) -> None:
        self.entries[type(entry)].remove(entry)

    def of(self, kind: type[Kind]) -> list[Kind]:
        """All entries of a kind, in their order."""
        return self.entries.get(kind, [])

    def allowed(self, kind: type[Kind], user: Person | None) -> list[Kind]:
        """The entries of a kind that need no permission, or one that `user` holds."""
        return [
            entry
            for entry in self.of(kind)
            if not (permission := getattr(entry, "permission", "")) or (user is not None and user.has_perm(permission))
        ]

    def panels(self, user: Person, role: str) -> list[Panel]:
        """The panels of the home of somebody in a role, in the order of that role."""
        panels = [(panel, panel.place(role)) for panel in self.allowed(Panel, user)]
        placed = [(place, panel) for panel, place in panels if place is not None]
        return [panel for _, panel in sorted(placed, key=lambda pair: pair[0])]

    def team_panels(self, user: Person, team: int, month: Month) -> list[tuple[TeamPanel, dict[str, Any]]]:
        """Every block of a team's page in a month that this person may see and that has something to show."""
        panels = [(panel, panel.context(user, team, month)) for panel in self.allowed(TeamPanel, user)]
        return [(panel, context) for panel, context in panels if context is not None]

    def home_stats(self, user: Person, role: str, as_of: date) -> list[dict[str, Any]]:
        """The figures beside spend on the home of somebody in a role."""
        figures = [figure for figure in self.allowed(HomeFigure, user) if not figure.roles or role in figure.roles]
        return [stat for figure in figures for stat in figure.stats(user, as_of)]

    def measures(self, user: Person, as_of: date) -> list[tuple[Kpi, Measure]]:
        """Every figure of the programme that this person may see and that has a measure, against its target."""
        targets = self.kpi_targets()
        measures = [(kpi, kpi.measure(user, as_of)) for kpi in self.allowed(Kpi, user)]
        return [
            (kpi, against_for(user, measure, targets.get(kpi.name))) for kpi, measure in measures if measure is not None
        ]

    def stored_measures(self, user: Person, as_of: date) -> tuple[date, list[tuple[Kpi, Measure]]] | None:
        """The same as a night stored it, and of which day: for who sees the whole company; None where no night did."""
        archives = self.of(KpiArchive) if user.sees_whole_company else []
        stored = next(filter(None, (archive.stored(as_of) for archive in archives)), None)
        if stored is None:
            return None
        day, measures = stored
        targets, kpis = self.kpi_targets(), self.allowed(Kpi, user)
        return day, [(kpi, against(measures[kpi.name], targets.get(kpi.name))) for kpi in kpis if kpi.name in measures]

    def kpi_targets(self) -> dict[str, KpiTarget]:
        """{name of a KPI: the target that somebody set for it}."""
        return {name: target for archive in self.of(KpiArchive) for name, target in archive.targets().items()}

    def kpi_url(self, name: str) -> str:
        """The page of a KPI; empty where nobody keeps one."""
        return next((archive.url(name) for archive in self.of(KpiArchive)), "")

    def report_sections(self, user: Person, month: Month) -> list[tuple[ReportSection, dict[str, Any]]]:
        """Every section of the report of `month` that this person may see and that has something to show."""
        sections = [(section, section.context(user, month)) for section in self.allowed(ReportSection, user)]
        return [(section, context) for section, context in sections if context is not None]

    def period_sections(
        self, user: Person, period: Period, today: date, *, of_update: bool = False
    ) -> list[tuple[PeriodSection, dict[str, Any]]]:
        """Every section of a report about `period` that this person may see and that has something to show."""
        sections = [one for one in self.allowed(PeriodSection, user) if one.in_update or not of_update]
        contexts = [(section, section.context(user, period, today)) for section in sections]
        return [(section, context) for section, context in contexts if context is not None]

    def known_texts(self, user: Person, period: Period, today: date) -> list[str]:
        """Until when what a person sees of a period is known, in a sentence of each source."""
        texts = (source.known(user, period, today) for source in self.allowed(Freshness, user))
        return [text for text in texts if text]

    def report_months(self, user: Person, today: date) -> list[ReportMonth]:
        """Every month that has a report for this person, the newest first, with the descriptions of all sources."""
        descriptions: dict[Month, list[str]] = {}
        for source in self.allowed(ReportMonthSource, user):
            for row in source.months(user, today):
                descriptions.setdefault(row.month, []).append(row.description)
        return [
            ReportMonth(month, "; ".join(filter(None, descriptions[month])))
            for month in sorted(descriptions, reverse=True)
        ]

    def newest_report_month(self, user: Person, today: date) -> Month | None:
        months = (source.newest_month(user, today) for source in self.allowed(ReportMonthSource, user))
        return max((month for month in months if month), default=None)

    def budgets_of(self, user: Person, team: int, month: Month) -> list[TeamBudget]:
        """The budgets of a team in a month, of those that this person may see."""
        return [budget for source in self.allowed(BudgetSource, user) for budget in source.budgets(user, team, month)]

    def line_facts(self, user: Person, line: Any) -> list[LineFact]:
        """What the apps know of a cost line, as far as this person may see it."""
        return [fact for source in self.allowed(LineFactSource, user) for fact in source.facts(user, line)]

    def known_changes(self, period: Period) -> list[KnownChange]:
        """Every change known to begin in `period`, the earliest first: of the whole company, for the nightly run."""
        changes = [change for source in self.of(KnownChangeSource) for change in source.changes(period)]
        return sorted(changes, key=lambda change: change.first)

    def advice(
        self, user: Person | None, filters: Mapping[str, Sequence[str]], as_of: date, *, limit: int = 5
    ) -> list[AdviceItem]:
        """The advice of all pillars about this cost, what saves most first; what saves an unknown amount follows."""
        items = [item for source in self.allowed(AdviceSource, user) for item in source.items(user, filters, as_of)]
        return sorted(items, key=lambda item: (item.amount is None, -(item.amount or 0)))[:limit]

    def exchange_rate(self, currency: str, target: str, month: Month) -> Decimal | None:
        """What one unit of `currency` is worth in `target`, by the first source that knows; None where none does."""
        if currency == target:
            return Decimal(1)
        rates = (source.rate(currency, target, month) for source in self.of(ExchangeRateSource))
        return next((rate for rate in rates if rate is not None), None)


registry = Registry()
