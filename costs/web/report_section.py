"""What the monthly report shows of costs: spend, by team, by service and what changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.calc.dimensions import named
from costs.models import DeliveryMonth
from costs.query import latest_month, trends
from costs.query.group_labels import group_labels
from costs.query.known_until import known_in
from costs.query.pivots import Pivot, build_pivots
from costs.query.question import METRIC_LABELS, Question, company_metric
from costs.query.scope import NOBODY, filters_of
from costs.query.spend import add, find_spend, minus, sums_by_currency
from costs.web.links import group_filters, lines_url
from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.money import EXACT, formatted, percent, ratio
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.lib.words import in_sentence, labelled
from finops_site.registry import Better, Measure, MeasureInput, ReportMonth, Unit
from finops_site.translation import text_lazy
from finops_site.ui.figures import month_text, percent_text, signed_text
from finops_site.ui.request_memo import request_memo

FIRST_DAY = date(2000, 1, 1)
SHOWN = 10
# Of the one page.
BRIEF_ROWS, BRIEF_TEAMS, MOST_SENTENCES = 6, 7, 2
# The share of cost that a mature practice can name an owner of: the FinOps Foundation's "run" of cost allocation.
OWNED_TARGET = Decimal(90)
HUNDRED = Decimal(100)
WITH_TEAM, WITHOUT_TEAM = _noop("of {month}'s {metric} has a team"), _noop("of {month}'s {metric} has no team")


def report_months(user: Person, today: date) -> list[ReportMonth]:
    """Every month up to this one that has any cost of hers, with its sum for each currency."""
    period = Period(FIRST_DAY, Month.of(today).next.start)
    sums: dict[date, list[str]] = {}
    for row in find_spend(user, Question(period, (), "month", company_metric())):
        if row.bucket and row.amount is not None:
            sums.setdefault(row.bucket, []).append(f"{formatted(row.amount, row.currency)} {row.currency}")
    return [ReportMonth(Month.of(month), ", ".join(texts)) for month, texts in sums.items()]


def newest_report_month(user: Person, today: date) -> Month | None:
    """The newest month up to this one that has any cost of hers."""
    day = latest_month.day(user, today)
    return Month.of(day) if day else None


def owned_share(user: Person, as_of: date) -> Measure | None:
    """How much of the month's cost has an owner, in percent, in the currency of most cost."""
    return request_memo(user, ("owned share", as_of), lambda: _measure_owned(user, as_of))


def unallocated_share(user: Person, as_of: date) -> Measure | None:
    """How much of the month's cost has no owner: what `owned_share` leaves of 100 %."""
    owned = owned_share(user, as_of)
    if owned is None:
        return None
    value = None if owned.value is None else EXACT.subtract(HUNDRED, owned.value)

    def words() -> str:
        with_team, without = (_share_text(form, Month.of(as_of)) for form in (WITH_TEAM, WITHOUT_TEAM))
        return str(owned.description).replace(with_team, without, 1)

    target = EXACT.subtract(HUNDRED, OWNED_TARGET)
    return replace(owned, value=value, target=target, better=Better.LOWER, description=text_lazy(words))


def _share_text(form: str, month: Month) -> str:
    return _(form).format(month=month_text(month, "long"), metric=in_sentence(METRIC_LABELS[company_metric()]))


def _measure_owned(user: Person, as_of: date) -> Measure | None:
    month = Month.of(as_of)
    # The days billed so far and not the month: the page has asked that already. Of a bill that is late nobody knows the
    # owner: the days that all bills have say it.
    comparison = trends.compare(user, month, as_of)
    days, known = comparison.now, known_in(user, month.period, as_of, metric=comparison.metric)
    text = text_lazy(lambda: _owned_words(user, month, as_of, comparison.metric))
    url = f"{reverse('costs:explorer')}?{urlencode({'group_by': 'team', 'from': month, 'to': month})}"
    if known.missing:
        if known.until is None or known.until < month.start:
            return Measure(None, Unit.PERCENT, OWNED_TARGET, Better.HIGHER, text, url)
        days = Period(days.start, min(days.end, known.until + timedelta(days=1)))
    by_owner = find_spend(user, Question(days, ("team",), "", comparison.metric))
    totals = sums_by_currency(by_owner)
    code = max(totals, key=lambda currency: totals[currency] or Decimal(0), default="")
    total = totals.get(code)
    if not total:
        return None
    owned = add(row.amount for row in by_owner if row.currency == code and row.group[0] != NOBODY)
    share = ratio(owned or Decimal(0), total)
    nobody = f"{reverse('costs:lines')}?{urlencode({'from': month, 'to': month, 'team': 'none'})}"
    inputs = (
        MeasureInput(_("Cost of the month"), total, url, Unit.MONEY, code),
        MeasureInput(_("Of it with a team"), owned or Decimal(0), url, Unit.MONEY, code),
        MeasureInput(_("Of it without one"), EXACT.subtract(total, owned or Decimal(0)), nobody, Unit.MONEY, code),
    )
    return Measure(percent(share), Unit.PERCENT, OWNED_TARGET, Better.HIGHER, text, url, "", inputs)


def _owned_words(user: Person, month: Month, as_of: date, metric: str) -> str:
    """What the share is of, and the first bill that it lacks."""
    text = _share_text(WITH_TEAM, month)
    known = known_in(user, month.period, as_of, metric=metric)
    return labelled(text, known.notes[0]) if known.missing else text


def count_bill_months(since: date, as_of: date) -> int:
    """Months of cost that bills in force hold, up to the month of `as_of`."""
    listed = DeliveryMonth.objects.current().values_list("charge_months", flat=True)
    return len({text[:7] for months in listed for text in months if date.fromisoformat(text) <= as_of})


def _comparison(user: Person, month: Month) -> trends.Comparison:
    """Each currency as it was billed, in every part of the report."""
    return replace(trends.compare(user, month, timezone.now().date()), shown_in="")


def spending_section(user: Person, month: Month) -> dict[str, Any] | None:
    """The month against the month before and the year, with its course of thirteen months."""
    comparison = _comparison(user, month)
    now = trends.totals_shown_in(user, comparison.now, {}, comparison.metric)
    if not now:
        return None
    before = trends.totals_shown_in(user, comparison.before, {}, comparison.metric)
    month_ago = Month.of(comparison.now.start).plus(-12)
    days_ago = Period(month_ago.start, min(month_ago.next.start, month_ago.start + timedelta(days=comparison.now.days)))
    a_year_ago = trends.totals_shown_in(user, days_ago, {}, comparison.metric)
    year = trends.totals_shown_in(user, Period(date(month.year, 1, 1), comparison.now.end), {}, comparison.metric)
    stats = []
    for code in sorted(now):
        filters = {**filters_of(user), "currency": code}
        stats += [
            _this_month(comparison, code, now.get(code), before.get(code), filters),
            _a_year_before(comparison, days_ago, code, a_year_ago.get(code), filters),
            {
                "label": _("{year} so far").format(year=month.year),
                "amount": year.get(code),
                "currency": code,
                "note": _("January to {month}").format(month=month_text(month, "long name")),
                "icon": "calendar-stats",
            },
        ]
    by = "team" if user.sees_whole_company else "service"
    title = _("Thirteen months by {by}, {currency}")
    charts = [
        {**chart, "title": title.format(by=in_sentence(named(by).label), currency=chart["currency"])}
        for chart in trends.monthly_history(user, comparison, by, {}).charts
    ]
    sentences = [_sentence(code, comparison, now.get(code), before.get(code)) for code in sorted(now)]
    return {
        "brief": {
            "text": sentences[:MOST_SENTENCES],
            "stats": stats[:3],
            "charts": [{**chart, "id": f"brief-{chart['id']}"} for chart in charts[:1]],
        },
        "text": [
            *sentences,
            _("All figures are {metric}, by charge day.").format(metric=in_sentence(comparison.metric_label)),
            *known_in(user, comparison.year, timezone.now().date(), metric=comparison.metric).notes,
        ],
        "stats": stats,
        "charts": charts,
        "links": [(_("Explore"), f"{reverse('costs:explorer')}?group_by={by}&period=12-months")],
    }


def _this_month(
    comparison: trends.Comparison, code: str, now: Decimal | None, before: Decimal | None, filters: dict[str, Any]
) -> dict[str, Any]:
    return {
        "label": comparison.title,
        "amount": now,
        "currency": code,
        "before": before,
        "against": comparison.against,
        "url": lines_url(comparison.now, filters),
        "icon": "calendar-month",
    }


def _a_year_before(
    comparison: trends.Comparison, days: Period, code: str, amount: Decimal | None, filters: dict[str, Any]
) -> dict[str, Any]:
    """The same days of the month a year before."""
    full = (
        _("the whole month")
        if comparison.has_full_month
        else ngettext("the first day of it", "the first {days} days of it", comparison.now.days).format(
            days=comparison.now.days
        )
    )
    return {
        "label": _("A year before, {month}").format(month=month_text(days.start)),
        "amount": amount,
        "currency": code,
        "note": _("no bill of that month") if amount is None else full,
        "url": "" if amount is None else lines_url(days, filters),
        "icon": "history",
    }


def _sentence(code: str, comparison: trends.Comparison, now: Decimal | None, before: Decimal | None) -> str:
    """What was spent, and how much more or less that is, for somebody who reads one line."""
    spent = labelled(comparison.title, f"{formatted(now or Decimal(0), code)} {code}")
    if before is None:
        return _("{spent}; there is no bill of the days before.").format(spent=spent)
    gap = EXACT.subtract(now or Decimal(0), before)
    share = ratio(abs(gap), abs(before))
    change = f" ({percent_text(share)})" if share is not None else ""
    if not gap:
        return _("{spent}, the same as before.").format(spent=spent)
    words = (
        _("{spent}, {gap}{change} more than {before}.") if gap > 0 else _("{spent}, {gap}{change} less than {before}.")
    )
    return words.format(
        spent=spent, gap=f"{formatted(abs(gap), code)} {code}", change=change, before=comparison.days_before
    )


def team_section(user: Person, month: Month) -> dict[str, Any] | None:
    """A row for each team, the unowned among them; nothing for somebody with one team, whose page has it."""
    if not user.sees_whole_company and len(user.visible_team_ids) < 2:
        return None
    return _by(user, month, "team", lambda key: reverse("costs:team", args=[key]) if key.isdigit() else "")


def _by(user: Person, month: Month, by: str, url_of: Callable[[str], str]) -> dict[str, Any] | None:
    comparison = _comparison(user, month)
    pivots = build_pivots(user, Question(comparison.now, (by,), "", comparison.metric), top=SHOWN)
    if not pivots:
        return None
    earlier = find_spend(user, Question(comparison.before, (by,), "", comparison.metric))
    tables = []
    for pivot in pivots:
        before = {row.group[0]: row.amount for row in earlier if row.currency == pivot.currency}
        total = add(before.values())
        tables.append(
            {
                "title": f"{comparison.title}, {comparison.against}, {pivot.currency}",
                "head": [named(by).label, comparison.metric_label, _("Change"), _("Share")],
                "rows": _rows(user, pivot, by, before, comparison, url_of),
                "totals": [[{"text": _("Total")}, *_figures(pivot.currency, pivot.total, total, pivot.total, "")]],
            }
        )
    return {"brief": {"tables": [_short(tables[0])]}, "tables": tables}


def _short(table: dict[str, Any]) -> dict[str, Any]:
    """Names, amounts and changes; with their sum where all rows are there."""
    rows, totals = (
        [[row[0], row[1], {**row[2], "before": None}] for row in table[name]] for name in ("rows", "totals")
    )
    fits = len(rows) <= BRIEF_TEAMS
    return {"title": "", "head": table["head"][:3], "rows": rows[:BRIEF_TEAMS], "totals": totals if fits else []}


def _rows(
    user: Person,
    pivot: Pivot,
    by: str,
    before: Mapping[str, Decimal | None],
    comparison: trends.Comparison,
    url_of: Callable[[str], str],
) -> list[list[Any]]:
    """A row for each group; `before` are the amounts of the days before, of the pivot's currency."""
    code, total = pivot.currency, add(before.values())
    listed = add(before.get(group.keys[0]) for group in pivot.groups if group.keys)
    rows = []
    for group in pivot.groups:
        earlier = before.get(group.keys[0]) if group.keys else minus(total, listed)
        filters = {**filters_of(user), **group_filters((by,), group.keys)} if group.keys and group.keys[0] else {}
        url = lines_url(comparison.now, {**filters, "currency": code}) if filters else ""
        name = {"text": group.label, "url": url_of(group.keys[0]) if group.keys else ""}
        rows.append([name, *_figures(code, group.total, earlier, pivot.total, url)])
    # What was there before and is gone has no row of its own where nothing is put together as Other.
    if pivot.groups and pivot.groups[-1].keys and (gone := minus(total, listed)):
        rows.append([{"text": _("Gone since")}, *_figures(code, Decimal(0), gone, pivot.total, "")])
    return rows


def _figures(code: str, now: Decimal | None, before: Decimal | None, total: Decimal | None, url: str) -> list[Any]:
    gap = trends.cost_difference(now, before)
    share = ratio(now, total) if now is not None and total else None
    return [
        {"amount": now, "currency": code, "url": url},
        {"amount": gap, "currency": code, "change": True, "before": before},
        percent_text(share) or "—",
    ]


def service_section(user: Person, month: Month) -> dict[str, Any] | None:
    """What each service costs and how that changed: the dearest of both times, the rest in one row; they sum."""
    comparison = _comparison(user, month)
    before, now = (
        find_spend(user, Question(days, ("service",), "", comparison.metric))
        for days in (comparison.before, comparison.now)
    )
    if not now:
        return None
    labels = group_labels(("service",), [*before, *now])
    services: dict[str, list[_Service]] = {}
    for code in sorted({row.currency for row in (*before, *now)}):
        old, new = ({row.group[0]: row.amount for row in rows if row.currency == code} for rows in (before, now))
        every = [_Service(key, labels[(key,)], old.get(key), new.get(key)) for key in {*old, *new}]
        services[code] = sorted(every, key=lambda one: (-max(one.now or 0, one.before or 0), one.label))
    return {
        "text": [_changes_in_words(code, every, comparison) for code, every in services.items()],
        "tables": [_services_table(user, code, every, comparison) for code, every in services.items()],
        "brief": {"tables": [_largest_changes(*next(iter(services.items())))]},
    }


@dataclass(frozen=True, slots=True)
class _Service:
    """What a service cost in the days before and in these; None where no bill has any."""

    key: str
    label: str
    before: Decimal | None
    now: Decimal | None

    @property
    def change(self) -> Decimal:
        return trends.cost_difference(self.now, self.before) or Decimal(0)

    @property
    def kind(self) -> str:
        if not self.change:
            return ""
        if not self.before or not self.now:
            return _noop("gone") if self.before else _noop("new")
        return _noop("more") if self.change > 0 else _noop("less")


def _kind_text(kind: str) -> str:
    return _(kind) if kind else ""


def _changes_in_words(code: str, services: Sequence[_Service], comparison: trends.Comparison) -> str:
    top = max(services, key=lambda one: abs(one.change))
    if not top.change:
        return _("Nothing changed in {code} {against}.").format(code=code, against=comparison.against)
    total = add(one.change for one in services) or Decimal(0)
    largest = _("the largest change is {top} with {change}").format(top=top.label, change=signed_text(top.change, code))
    return _("{change} {against}; {largest}.").format(
        change=signed_text(total, code), against=comparison.against, largest=largest
    )


def _services_table(
    user: Person, code: str, services: Sequence[_Service], comparison: trends.Comparison
) -> dict[str, Any]:
    total = add(one.now for one in services)
    rows = [_service_row(user, code, one, comparison, total) for one in services[:SHOWN]]
    if rest := services[SHOWN:]:
        rows.append([_("{count} more").format(count=len(rest)), "", *_before_and_now(code, rest, total)])
    return {
        "title": f"{comparison.title}, {comparison.against}, {code}",
        "head": [_("Service"), _("What"), _("Before"), comparison.metric_label, _("Change"), _("Share")],
        "rows": rows,
        "totals": [[_("Total"), "", *_before_and_now(code, services, total)]],
    }


def _service_row(
    user: Person, code: str, one: _Service, comparison: trends.Comparison, total: Decimal | None
) -> list[Any]:
    """What is gone leads to its lines in the days before."""
    days = comparison.before if one.kind == "gone" else comparison.now
    filters = {**filters_of(user), **group_filters(("service",), (one.key,)), "currency": code}
    return [
        {"text": one.label, "url": lines_url(days, filters)},
        _kind_text(one.kind),
        *_before_and_now(code, [one], total),
    ]


def _before_and_now(code: str, services: Sequence[_Service], total: Decimal | None) -> list[Any]:
    """The sums before and now, their difference, and the share of all."""
    before, now = (add(getattr(one, side) for one in services) for side in ("before", "now"))
    share = ratio(now, total) if now is not None and total else None
    return [
        {"amount": before, "currency": code},
        {"amount": now, "currency": code},
        {"amount": trends.cost_difference(now, before), "currency": code, "change": True, "before": before},
        percent_text(share) or "—",
    ]


def _largest_changes(code: str, services: Sequence[_Service]) -> dict[str, Any]:
    largest = sorted((one for one in services if one.change), key=lambda one: -abs(one.change))[:BRIEF_ROWS]
    rows = [
        [one.label, _kind_text(one.kind), {"amount": one.change, "currency": code, "change": True, "before": None}]
        for one in largest
    ]
    return {"title": "", "head": [_("Largest changes"), _("What"), _("Change")], "rows": rows}
