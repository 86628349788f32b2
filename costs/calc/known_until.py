"""How far the books know: until which day each bill is delivered, what is late, which month is final. Pure: no Django.

What is not delivered is unknown, never zero. What a bill brought before says what is expected of it: the days after the
last delivered one are *late* when it is usually further by now, *normal* when it is not, and nobody's concern when the
bill has ended.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from statistics import median_low

from finops_site.lib.periods import Month, Period

# A cloud's bill is never nearer to today than so.
LEAST_LAG_DAYS = 2
# A wait that is longer than this between two deliveries is a break and teaches nothing.
LONGEST_WAIT_DAYS = 45
# Fewer deliveries than this say nothing about how late they usually are, and no more of them are looked at.
FEWEST_WAITS, MOST_WAITS = 3, 12
# From so many earlier months a bill's usual last day is learnt.
MONTHS_LEARNT = 6
ANY = ""
NEVER = date.min


@dataclass(frozen=True, slots=True)
class Rules:
    """`ended_after`: full months of silence after which a bill has ended; `final_after`: days after a month's end."""

    ended_after: int = 2
    final_after: int = 10


@dataclass(frozen=True, slots=True)
class DeliveredMonth:
    """One version that counts of a month of a stream, and how far it goes.

    `accounts` are the accounts it covers (sub-accounts; billing accounts where it names none), `payers` its billing
    accounts, `metrics` those of the four costs that it states. `is_loose`: of files in no layout, so that each may bill
    other accounts.
    """

    stream: int
    source: int
    is_loose: bool
    view: str
    month: Month
    last_day: date
    accounts: frozenset[str]
    metrics: frozenset[str]
    payers: frozenset[str] = frozenset()
    provider: str = ""
    has_invoice: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """A delivery of a stream, whether it still counts or not: when it came, and the last day in it."""

    stream: int
    received_on: date
    last_day: date


@dataclass(slots=True)
class Bill:
    """What bills the same accounts again and again: a stream, two views of one, or the loose files of some accounts.

    `months` are {month: {metric: its last day}}, the last of any under ANY; `lag` is how many days it usually is late.
    """

    source: int
    streams: set[int] = field(default_factory=set)
    loose: set[int] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    payers: set[str] = field(default_factory=set)
    providers: set[str] = field(default_factory=set)
    months: dict[Month, dict[str, date]] = field(default_factory=dict)
    invoiced: dict[Month, bool] = field(default_factory=dict)
    lag: int = LEAST_LAG_DAYS
    is_off: bool = False

    def add(self, row: DeliveredMonth) -> None:
        """Counts one delivered month in."""
        self.streams.add(row.stream)
        self.accounts |= row.accounts
        self.payers |= row.payers
        self.providers |= set(filter(None, (name.strip() for name in row.provider.split(","))))
        if row.is_loose:
            self.loose.add(row.stream)
        last = min(row.last_day, row.month.period.last_day)
        days = self.months.setdefault(row.month, {})
        for metric in (ANY, *row.metrics):
            days[metric] = max(days.get(metric, last), last)
        self.invoiced[row.month] = self.invoiced.get(row.month, True) and row.has_invoice

    @property
    def last_month(self) -> Month:
        return max(self.months)

    def last_day(self, metric: str = ANY, until: date | None = None) -> date | None:
        """The last delivered day (of what states `metric`), no later than `until`."""
        days = [days[metric] for days in self.months.values() if metric in days]
        if until is not None:
            # Of a month that had not begun nothing was known; of a running one, no more than its days so far.
            days = [
                min(days[metric], until)
                for month, days in self.months.items()
                if metric in days and month.start <= until
            ]
        return max(days, default=None)

    def has_ended(self, as_of: date, rules: Rules) -> bool:
        """Whether nothing more is expected: it is switched off, or was silent for full months."""
        months = [month for month in self.months if month.start <= as_of]
        return self.is_off or not months or _months_between(max(months), Month.of(as_of)) > rules.ended_after

    def reaches(self, as_of: date) -> date:
        """The day until which its cost is all there: its last; a month's end once it has what it usually brings of one.

        A bill of fees of the 1st has nothing more to bring after them.
        """
        last = self.last_day(ANY, as_of) or NEVER
        month = Month.of(last)
        return month.period.last_day if last >= self.usual_end(month, as_of, slack=0) else last

    def expected_until(self, month: Month, as_of: date) -> date:
        """The day until which `month` should be delivered by now, by what the bill brought before."""
        return min(as_of - timedelta(days=self.lag), self.usual_end(month, as_of))

    def usual_end(self, month: Month, as_of: date, slack: int = LEAST_LAG_DAYS) -> date:
        """The day until which `month` should be delivered in the end, by what the bill brought before.

        A bill that usually has no charge on a month's last days need not have one this time.
        """
        earlier = [
            days[ANY]
            for other, days in sorted(self.months.items(), reverse=True)
            if other != month and other < Month.of(as_of)
        ][:MONTHS_LEARNT]
        if earlier:
            if short := median_low((Month.of(day).period.last_day - day).days for day in earlier):
                # So many days before the end, or on that day of the month; where they vary, two more are no news.
                of_month = month.start + timedelta(days=median_low(day.day for day in earlier) - 1)
                return min(month.period.last_day - timedelta(days=short), of_month) - timedelta(days=slack)
        elif month.next.start <= as_of and month in self.months:
            # The only month there is, and it is over: nothing says that it should be longer.
            return self.months[month][ANY]
        return month.period.last_day


@dataclass(frozen=True, slots=True)
class Gap:
    """Days of a period that a bill should have brought and has not: all of it, or one metric of it.

    `until` is the last day before them that it brought, where the gap is at the end of all it brought.
    """

    bill: Bill
    first: date
    last: date
    until: date | None = None
    metric: str = ANY

    @property
    def months(self) -> list[Month]:
        return Period(self.first, self.last + timedelta(days=1)).months()


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of a period.

    `until`: the last day until which every bill that goes on is delivered; None where no bill is. `gaps`: what is
    expected and missing. `open_months`: months that are over and not final yet. `is_over`: whether nothing more will
    come, so that the days after `until` stay unknown.
    """

    until: date | None
    gaps: Sequence[Gap] = ()
    open_months: Sequence[Month] = ()
    is_over: bool = False

    @property
    def is_complete(self) -> bool:
        return self.until is not None and not self.gaps


def gather_bills(
    rows: Iterable[DeliveredMonth],
    arrivals: Iterable[Arrival] = (),
    *,
    usual_waits: Mapping[int, int] | None = None,
    off: Iterable[int] = (),
) -> list[Bill]:
    """The bills that these months make.

    `usual_waits` are {source: days between two of its deliveries} where somebody stated them; `off` are sources that
    are switched off.
    """
    rows = list(rows)
    bills: dict[int, Bill] = {}
    for row, number in zip(rows, _group(rows), strict=True):
        bills.setdefault(number, Bill(row.source)).add(row)
    by_stream: dict[int, list[Arrival]] = {}
    for arrival in arrivals:
        by_stream.setdefault(arrival.stream, []).append(arrival)
    off, waits = set(off), usual_waits or {}
    for bill in bills.values():
        learnt = [usual_lag(by_stream[stream]) for stream in bill.streams if stream in by_stream]
        stated = waits.get(bill.source, 0)
        bill.lag = max([LEAST_LAG_DAYS, *learnt, stated + LEAST_LAG_DAYS if stated else 0])
        bill.is_off = bill.source in off
    return list(bills.values())


def _group(rows: Sequence[DeliveredMonth]) -> list[int]:
    """A number for each row: rows of one stream belong together, and so do loose files and views of the same accounts.

    The accounts are those of the source: another source with the same accounts bills them for other things.
    """
    parents: dict[object, object] = {}

    def root(key: object) -> object:
        while parents.setdefault(key, key) != key:
            parents[key] = key = parents[parents[key]]
        return key

    for row in rows:
        own: object = ("stream", row.stream)
        if row.is_loose or row.view:
            names: list[object] = [("account", row.source, account) for account in row.accounts]
            if row.is_loose:
                own = names[0] if names else own
            for name in names:
                parents[root(name)] = root(own)
    numbers: dict[object, int] = {}
    groups = []
    for row in rows:
        accounts = sorted(row.accounts)
        own = ("account", row.source, accounts[0]) if row.is_loose and accounts else ("stream", row.stream)
        groups.append(numbers.setdefault(root(own), len(numbers)))
    return groups


def usual_lag(arrivals: Iterable[Arrival]) -> int:
    """How many days a stream is behind just before it delivers again: its upper quartile, and never less than two.

    Deliveries of one day are one; a bill that was delivered long after its days was fetched later and teaches nothing.
    """
    by_day: dict[date, date] = {}
    for arrival in arrivals:
        by_day[arrival.received_on] = max(by_day.get(arrival.received_on, arrival.last_day), arrival.last_day)
    waits, known = [], None
    for received_on, last_day in sorted(by_day.items()):
        if known is not None and last_day > known:
            waits.append((received_on - known).days)
        known = max(known or last_day, last_day)
    lessons = sorted([days for days in waits if 0 <= days <= LONGEST_WAIT_DAYS][-MOST_WAITS:])
    if len(lessons) < FEWEST_WAITS:
        return LEAST_LAG_DAYS
    return max(LEAST_LAG_DAYS, lessons[(3 * len(lessons) - 1) // 4])


def knowledge_of(bills: Sequence[Bill], period: Period, as_of: date, rules: Rules, metric: str = ANY) -> Knowledge:
    """What these bills know of the days of `period`, on the day `as_of`."""
    going_on = [bill for bill in bills if not bill.has_ended(as_of, rules)]
    # Where none goes on, what the last one brought is all there will be.
    counted = going_on or list(bills)
    days = [day for bill in counted if (day := bill.last_day(ANY, as_of)) is not None]
    until = (min(days) if going_on else max(days)) if days else None
    gaps = [gap for bill in bills for gap in _gaps_of(bill, period, as_of, rules, metric)]
    ended = [month for month in period.months() if month.next.start <= as_of]
    late = {month for gap in gaps for month in gap.months}
    open_months = [month for month in ended[-2:] if _is_open(month, counted, as_of, rules, late)]
    return Knowledge(until, gaps, open_months, is_over=not going_on)


def last_shared_day(bills: Sequence[Bill], period: Period, as_of: date, rules: Rules) -> date | None:
    """The last day that counts when the days of `period` are compared: every bill has delivered until then.

    After it, what one of the bills has not brought would be compared as zero. A bill that brought nothing of the period
    yet does not end it: one that comes once a month would leave no day. None where there is no bill.
    """
    going_on = [bill for bill in bills if not bill.has_ended(as_of, rules)]
    last_days = [(bill, day) for bill in going_on or bills if (day := bill.last_day(ANY, as_of)) is not None]
    newest = max((day for _, day in last_days), default=None)
    if newest is None or not going_on:
        return newest
    return min([newest, *(bill.reaches(as_of) for bill, day in last_days if day >= period.start)])


def undelivered(bills: Iterable[Bill], period: Period, as_of: date, rules: Rules) -> list[Gap]:
    """The days of `period` that these bills lack, late or not yet due: a sum over them is short."""
    missing: list[Gap] = []
    for bill in bills:
        missing += _gaps_of(bill, period, as_of, rules, ANY)
        if not bill.has_ended(as_of, rules):
            missing += _still_to_come(bill, period, as_of)
    return missing


def _still_to_come(bill: Bill, period: Period, as_of: date) -> Iterator[Gap]:
    until = bill.last_day(ANY, as_of)
    for month in period.months():
        if until is None or until >= month.period.last_day:
            continue
        first = max(until + timedelta(days=1), month.start)
        if until >= bill.usual_end(month, as_of):
            # It has brought all that it usually brings of a month; the days that are not over may still bring more.
            first = max(first, as_of)
        if first <= month.period.last_day:
            yield Gap(bill, first, month.period.last_day, until)


def _is_open(month: Month, bills: Sequence[Bill], as_of: date, rules: Rules, late: set[Month]) -> bool:
    """Whether a month that is over may still change: neither the provider's word nor its age makes it final."""
    brought = [bill for bill in bills if month in bill.months]
    if not brought or (month not in late and all(bill.invoiced[month] for bill in brought)):
        return False
    return month in late or as_of < month.next.start + timedelta(days=rules.final_after)


def _gaps_of(bill: Bill, period: Period, as_of: date, rules: Rules, metric: str) -> Iterator[Gap]:
    """The gaps of one bill, one for each run of months; a bill that has ended has none at its end.

    Days that are not delivered, and those of the delivered ones that lack the metric.
    """
    last_month = max((month for month in bill.months if month.start <= as_of), default=min(bill.months))
    waiting: dict[str, Gap] = {}
    for month in period.months():
        if month < min(bill.months) or month.start > as_of or _is_silence(bill, month, rules):
            continue
        here = {gap.metric: gap for gap in _gaps_in_month(bill, month, last_month, period, as_of, rules, metric)}
        for name in dict.fromkeys((ANY, metric)):
            before, gap = waiting.get(name), here.get(name)
            if before and not (gap and _goes_on(before, gap)):
                yield waiting.pop(name)
                before = None
            if gap:
                waiting[name] = Gap(bill, before.first if before else gap.first, gap.last, gap.until, name)
    yield from waiting.values()


def _gaps_in_month(
    bill: Bill, month: Month, last_month: Month, period: Period, as_of: date, rules: Rules, metric: str
) -> Iterator[Gap]:
    days = bill.months.get(month, {})
    until = days.get(ANY)
    if month >= last_month and bill.has_ended(as_of, rules):
        # What it brought may still lack a metric.
        expected = until or month.start - timedelta(days=1)
    else:
        expected = bill.expected_until(month, as_of)
    expected, last_asked = min(expected, period.last_day), min(month.period.last_day, period.last_day)
    if (until is None or min(until, as_of) < expected) and expected >= max(month.start, period.start):
        start = max(until + timedelta(days=1) if until else month.start, period.start)
        yield Gap(bill, start, last_asked, bill.last_day(ANY, as_of) if month >= last_month else until)
    if not metric or until is None:
        return
    stated = days.get(metric, NEVER)
    start, last = max(stated + timedelta(days=1), month.start, period.start), min(until, period.last_day)
    if stated < min(until, expected) - timedelta(days=LEAST_LAG_DAYS) and start <= last:
        yield Gap(bill, start, last, days.get(metric), metric)


def _goes_on(before: Gap, gap: Gap) -> bool:
    """Whether the second gap is the same one, a month later."""
    next_day = before.last + timedelta(days=1)
    return before.metric == gap.metric and before.until == gap.until and (next_day == gap.first or bool(gap.metric))


def _is_silence(bill: Bill, month: Month, rules: Rules) -> bool:
    """Whether the bill brought nothing for longer than it takes to have ended, and came back after that."""
    if month in bill.months:
        return False
    before = max((other for other in bill.months if other < month), default=None)
    after = min((other for other in bill.months if other > month), default=None)
    return before is not None and after is not None and _months_between(before, after) - 1 > rules.ended_after


def _months_between(first: Month, last: Month) -> int:
    return (last.year - first.year) * 12 + last.number - first.number
