"""How far the books know, for whoever shows or judges a total: the one answer to "is it all there?".

Pages, API, downloads, budgets, anomalies, KPIs, statements and commitments ask here. The rule is
`costs/calc/known_until.py`; here are the rows it judges, whose cost a question touches, and the sentences for people.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any

from django.conf import settings
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Exists, Max, OuterRef, Q
from django.utils.translation import gettext as _

from costs.calc.dimensions import Rollup, named
from costs.calc.filters import dimension_of
from costs.calc.known_until import (
    Arrival,
    Bill,
    DeliveredMonth,
    Gap,
    Knowledge,
    Rules,
    gather_bills,
    knowledge_of,
    undelivered,
)
from costs.calc.providers import provider_name
from costs.models import DeliveryMonth, InvoiceCost, MonthRollup, Stream
from costs.query.question import METRIC, METRIC_LABELS, Question
from costs.query.result_cache import cached
from costs.query.rows import filtered_rows, group_value
from costs.query.scope import NOBODY
from costs.query.tag_keys import tag_keys_of
from costs.querysets import METRICS
from finops_site.lib.periods import Month, Period, day_text, short_day_text
from finops_site.lib.person import Person
from finops_site.ui.figures import month_text
from finops_site.ui.request_memo import request_memo

# How many months before the days asked about say which bills somebody's cost comes from.
MONTHS_BEFORE = 3
ARRIVALS_DAYS = 150
# An account of a stream.
Touched = set[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class MissingPart:
    """Days that a total lacks: of which bill, and from where on; `metric` where only one of the costs is missing.

    `source` and `export` are empty for those who do not see the whole company.
    """

    provider: str
    source: str
    export: str
    first: date
    last: date
    known_until: date | None
    metric: str
    text: str


@dataclass(frozen=True, slots=True)
class KnownDays:
    """What is known of the days of a question; `notes` are sentences that stand beside every total of it."""

    until: date | None
    is_complete: bool
    is_final: bool
    missing: Sequence[MissingPart]
    notes: Sequence[str]
    until_text: str = ""

    def as_json(self) -> dict[str, Any]:
        """For the API: beside figures, as `known`."""
        return {
            "until": self.until,
            "is_complete": self.is_complete,
            "is_final": self.is_final,
            "missing": [
                {
                    "provider": part.provider,
                    "source": part.source,
                    "export": part.export,
                    "from": part.first,
                    "to": part.last,
                    "known_until": part.known_until,
                    "metric": part.metric,
                }
                for part in self.missing
            ],
            "notes": list(self.notes),
        }

    def covers(self, day: date) -> bool:
        """Whether the cost of `day` is known from every bill that goes on."""
        return self.until is not None and day <= self.until


def rules() -> Rules:
    """When a bill has ended, and when a month is final by its age."""
    return Rules(settings.FINOPS_ENDED_AFTER_MONTHS, settings.FINOPS_FINAL_AFTER_DAYS)


def known_of(user: Person, question: Question, as_of: date) -> KnownDays:
    """What is known of the question's days and metric, from the bills that can touch what `user` sees of it."""
    return _known(user, question.period, question.filters, question.metric, as_of)


def known_in(
    user: Person,
    period: Period,
    as_of: date,
    *,
    filters: Mapping[str, Sequence[str]] | None = None,
    metric: str = METRIC,
) -> KnownDays:
    """The same of a period; with the metric ANY, of days for which no cost at all is delivered."""
    return _known(user, period, filters or {}, metric, as_of)


def _known(user: Person, period: Period, filters: Mapping[str, Sequence[str]], metric: str, as_of: date) -> KnownDays:
    bills = bills_of(user, period, filters, as_of)
    return _in_words(user, knowledge_of(bills, period, as_of, rules(), metric), period, bills, as_of)


def books_are_whole(user: Person, period: Period, as_of: date) -> bool:
    """Whether every bill that is expected of the days up to `as_of` is here: what is in none of them is then 0."""
    known = known_in(user, period, as_of)
    return known.until is not None and not known.missing


def known_together(parts: Iterable[KnownDays]) -> KnownDays:
    """What is known of several questions at once, for one note beside all of them: complete where each of them is."""
    parts = list(parts)
    shortest = min(parts, key=lambda part: part.until or date.min, default=KnownDays(None, True, True, (), ()))
    return KnownDays(
        shortest.until,
        all(part.is_complete for part in parts),
        all(part.is_final for part in parts),
        list(dict.fromkeys(gap for part in parts for gap in part.missing)),
        list(dict.fromkeys(note for part in parts for note in part.notes)),
        shortest.until_text,
    )


def bills_of(user: Person, period: Period, filters: Mapping[str, Sequence[str]], as_of: date) -> list[Bill]:
    """The bills with cost, in the period or shortly before it, that `user` sees and the filters leave."""
    bills = delivered_bills(user, as_of)
    touched = _touched(user, period, filters)
    return bills if touched is None else [bill for bill in bills if touches(bill, touched)]


def touches(bill: Bill, touched: Iterable[tuple[int, str]]) -> bool:
    """Whether a bill brings any of these accounts of streams; of a stream with a layout, every account."""
    return any(
        stream in bill.streams and (stream not in bill.loose or account in bill.accounts or account in bill.payers)
        for stream, account in touched
    )


def bills_by_value(user: Person, period: Period, dimension: str, as_of: date) -> dict[str, list[Bill]] | None:
    """{value of a dimension: the bills that bring its cost, in the period or shortly before it}, of what `user` sees.

    None where only cost lines know the dimension: any bill may bring it.
    """
    if not _is_coarse(dimension):
        return None
    keys = tag_keys_of([dimension])

    def query() -> dict[str, Touched]:
        rows = filtered_rows(MonthRollup.objects.visible_to(user), _recent(period, {})).order_by()
        names = ("delivery_month__stream_id", "sub_account", "billing_account")
        touched: dict[str, Touched] = {}
        for value, stream, account, billing in (
            rows.annotate(value=group_value(dimension, keys)).values_list("value", *names).distinct()
        ):
            touched.setdefault(NOBODY if value is None else str(value), set()).add((stream, account or billing))
        return touched

    by_value = cached(user, ("accounts of streams by", dimension, period, sorted(keys.items())), query)
    bills = delivered_bills(user, as_of)
    return {value: [bill for bill in bills if touches(bill, touched)] for value, touched in by_value.items()}


def undelivered_days(bills: Iterable[Bill], period: Period, as_of: date) -> list[Gap]:
    """The days of a period that these bills lack, late or not: whatever is judged by them is judged by a part."""
    return undelivered(bills, period, as_of, rules())


def delivered_bills(user: Person, as_of: date) -> list[Bill]:
    """Every bill of the company and its months, out of three queries that are asked once in a request."""
    return request_memo(user, ("delivered bills", as_of), lambda: _gather(user, as_of))


def _gather(user: Person, as_of: date) -> list[Bill]:
    rows, arrivals, waits, off = cached(user, ("delivered months", as_of), lambda: _delivered(as_of))
    return gather_bills(rows, arrivals, usual_waits=waits, off=off)


def _delivered(as_of: date) -> tuple[list[DeliveredMonth], list[Arrival], dict[int, int], list[int]]:
    """(every month that counts; when each stream delivered lately, what was replaced since then too; the days between
    two bills of a source, where somebody stated them; the sources that are switched off).
    """
    since = as_of - timedelta(days=ARRIVALS_DAYS)
    lately = Q(delivery__received_at__date__range=(since, as_of))
    invoiced = InvoiceCost.objects.filter(delivery_month=OuterRef("pk"))
    months = DeliveryMonth.objects.filter(Q(is_current=True) | lately).order_by("pk")
    rows = months.select_related("stream__source", "delivery").annotate(
        last=Max("accounts__last_day"),
        named=ArrayAgg("accounts__sub_account", distinct=True, filter=~Q(accounts__sub_account=""), default=[]),
        payers=ArrayAgg("accounts__billing_account", distinct=True, default=[]),
        # The provider's word: an invoice on every charge.
        has_invoice=Exists(invoiced.exclude(invoice_id="")) & ~Exists(invoiced.filter(invoice_id="")),
    )
    delivered: list[DeliveredMonth] = []
    arrivals: dict[tuple[int, date], date] = {}
    sources = {row.stream.source for row in rows}
    for row in rows:
        if row.last is None:
            continue
        if row.is_current:
            delivered.append(_delivered_month(row))
        arrival = (row.stream_id, row.delivery.received_at.astimezone(UTC).date())
        if since <= arrival[1] <= as_of:
            arrivals[arrival] = max(row.last, arrivals.get(arrival, row.last))
    return (
        delivered,
        [Arrival(stream, received_on, last) for (stream, received_on), last in arrivals.items()],
        {source.pk: -(-source.expected_every_hours // 24) for source in sources if source.expected_every_hours},
        [source.pk for source in sources if not source.is_enabled],
    )


def _delivered_month(row: Any) -> DeliveredMonth:
    """`row`: a DeliveryMonth with its last day and accounts, see `_delivered`."""
    return DeliveredMonth(
        stream=row.stream_id,
        source=row.stream.source_id,
        is_loose=not row.stream.export,
        view=row.view,
        month=_charge_month(row),
        last_day=row.last,
        accounts=frozenset(row.named or row.payers),
        metrics=frozenset(name for name in METRICS if any(sums.get(name) for sums in row.totals.values())),
        payers=frozenset(row.payers),
        provider=row.delivery.provider,
        has_invoice=row.has_invoice,
    )


def _charge_month(row: DeliveryMonth) -> Month:
    """Its billing month; the last month of its charges where it bills in arrears and has none of its own."""
    if not row.charge_months or row.billing_month.isoformat() in row.charge_months:
        return Month.of(row.billing_month)
    return Month.parse(max(row.charge_months)[:7])


def _touched(user: Person, period: Period, filters: Mapping[str, Sequence[str]]) -> Touched | None:
    """The accounts of streams that a question is about; None for all of them.

    Filters that only cost lines know (a resource) are left out: a note too many, and not a search of every line.
    """
    chosen = {name: values for name, values in filters.items() if _is_coarse(name)}
    if user.sees_whole_company and not chosen:
        return None
    question = _recent(period, chosen)

    def query() -> Touched:
        rows = filtered_rows(MonthRollup.objects.visible_to(user), question).order_by()
        names = ("delivery_month__stream_id", "sub_account", "billing_account")
        return {(stream, account or billing) for stream, account, billing in rows.values_list(*names).distinct()}

    return cached(user, ("accounts of streams", question), query)


def _recent(period: Period, filters: Mapping[str, Sequence[str]]) -> Question:
    """The months of a period and the few before it, which say which bills somebody's cost comes from."""
    start, last = Month.of(period.start).plus(-MONTHS_BEFORE), Month.of(period.last_day)
    return Question(Period(start.start, last.next.start), (), "month", METRIC, filters)


def _is_coarse(filter_name: str) -> bool:
    name = dimension_of(filter_name)
    return name != "billing_month" and Rollup.MONTH in named(name).rollups


def _in_words(user: Person, knowledge: Knowledge, period: Period, bills: Sequence[Bill], as_of: date) -> KnownDays:
    if _is_before_all(bills, period):
        # No bill is late there, and yet nothing is known.
        return KnownDays(None, False, False, (), [_("Nothing is delivered: what it cost is not known.")])
    names = _Names(user, bills, as_of)
    missing = [_missing_part(gap, names) for gap in knowledge.gaps]
    notes = list(dict.fromkeys(part.text for part in missing))
    until = knowledge.until
    last_asked = min(period.last_day, as_of)
    goes_beyond = until is not None and until < last_asked
    if until is None or (knowledge.is_over and until < period.start):
        notes.append(
            _("Nothing is delivered after {day}: what it cost is not known.").format(day=names.day(until))
            if until
            else _("Nothing is delivered: what it cost is not known.")
        )
    elif knowledge.is_over and goes_beyond and last_asked >= Month.of(until).next.start:
        notes.append(_("Nothing is delivered after {day}.").format(day=names.day(until)))
    notes += [_("{month} is not final yet.").format(month=month_text(month)) for month in knowledge.open_months]
    text = _("Delivered until {day}.").format(day=names.day(until)) if until and goes_beyond else ""
    is_complete = knowledge.is_complete and not (knowledge.is_over and goes_beyond)
    # A month that goes on is billed once more.
    is_over = Month.of(period.last_day).next.start <= as_of
    is_final = is_complete and is_over and not knowledge.open_months and until is not None and period.last_day <= until
    return KnownDays(until, is_complete, is_final, missing, notes, text)


def _is_before_all(bills: Sequence[Bill], period: Period) -> bool:
    """Whether a period is over before the first month that any of these bills brought."""
    months = [min(bill.months) for bill in bills if bill.months]
    return bool(months) and period.last_day < min(months).start


def _missing_part(gap: Gap, names: "_Names") -> MissingPart:
    provider, source, export, name = names.of(gap.bill)
    if gap.metric:
        text = _("{metric} is not delivered for {name} {months}.").format(
            metric=METRIC_LABELS[gap.metric], name=name, months=_months_text(gap)
        )
        if gap.until:
            text = _("{metric} of {name} is delivered until {day}.").format(
                metric=METRIC_LABELS[gap.metric], name=name, day=names.day(gap.until)
            )
    elif gap.until is None:
        text = _("Without {name} {months}: nothing is delivered.").format(name=name, months=_months_text(gap))
    elif gap.until < gap.bill.last_month.start:
        text = _("Without {name} after {day}, to the end of {month}.").format(
            name=name, day=names.day(gap.until), month=month_text(Month.of(gap.until))
        )
    else:
        text = _("Without {name}, delivered until {day}.").format(name=name, day=names.day(gap.until))
    return MissingPart(provider, source, export, gap.first, gap.last, gap.until, gap.metric, text)


def _months_text(gap: Gap) -> str:
    months = gap.months
    if len(months) == 1:
        return _("in {month}").format(month=month_text(months[0]))
    return _("from {first} to {last}").format(first=month_text(months[0]), last=month_text(months[-1]))


class _Names:
    """What bills are called for one person: who does not see the company hears of no source and no export."""

    def __init__(self, user: Person, bills: Sequence[Bill], as_of: date) -> None:
        self.user, self.bills, self.as_of = user, bills, as_of
        self.streams: dict[int, Stream] | None = None

    def day(self, day: date) -> str:
        """The year only where it is not plain."""
        return short_day_text(day) if day.year == self.as_of.year else day_text(day)

    def of(self, bill: Bill) -> tuple[str, str, str, str]:
        """Provider, source and export of a bill, and all of them in words."""
        provider = f" {_('and')} ".join(sorted(set(map(provider_name, bill.providers)))) or _("one bill")
        if not self.user.sees_whole_company:
            alike = sum(other.providers == bill.providers for other in self.bills)
            return provider, "", "", provider if alike == 1 else _("a part of {provider}").format(provider=provider)
        if self.streams is None:
            wanted = {stream for other in self.bills for stream in other.streams}
            self.streams = {row.pk: row for row in Stream.objects.filter(pk__in=wanted).select_related("source")}
        rows = [self.streams[pk] for pk in sorted(bill.streams) if pk in self.streams]
        source = rows[0].source.name if rows else ""
        export = next((row.partition or row.export.rstrip("/").rpartition("/")[2] for row in rows if row.export), "")
        details = [text for text in (source, _("export {export}").format(export=export) if export else "") if text]
        shown = [text for text in details if text.lower() != provider.lower()]
        return provider, source, export, f"{provider} ({', '.join(shown)})" if shown else provider


def last_known_day(bills: Sequence[Bill], as_of: date) -> date | None:
    """The last day until which every one of these bills is delivered; days after it are unknown.

    Bills that have ended hold nothing up. Where all of them fell silent, nothing is known after the last; None where
    they were switched off, so that nothing more is expected, or where there are none.
    """
    knowledge = knowledge_of([bill for bill in bills if not bill.is_off], Month.of(as_of).period, as_of, rules())
    return knowledge.until


def bills_going_on(bills: Sequence[Bill], as_of: date) -> list[Bill]:
    """Those of the bills from which more is expected: neither switched off nor silent for full months."""
    return [bill for bill in bills if not bill.has_ended(as_of, rules())]


def is_delivered(bills: Sequence[Bill], month: Month) -> bool:
    """Whether any of these bills has brought a day of the month."""
    return any(month in bill.months for bill in bills)


def is_month_known(bills: Sequence[Bill], month: Month, as_of: date, metric: str = METRIC) -> bool:
    """Whether a month that is over is delivered, by all of these bills from which it is expected."""
    return is_delivered(bills, month) and not knowledge_of(bills, month.period, as_of, rules(), metric).gaps
