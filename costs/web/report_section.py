"""What costs has to say in the monthly report: spend, by team, by service, what changed."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from costs.query import latest_month, spend, trends
from costs.query.spend import Question
from costs.web.views.teams import METRIC, lines_url, my_filters
from finops_site.lib.money import EXACT, formatted, percent, ratio
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.registry import Better, Measure, ReportMonth, Unit
from finops_site.ui.figures import month_text, percent_text, signed_text

FIRST_DAY = date(2000, 1, 1)
SHOWN = 10
# The share of cost that a mature practice can name an owner of: the FinOps Foundation's "run" of cost allocation.
OWNED_TARGET = Decimal(90)


def months(user: Person, today: date) -> list[ReportMonth]:
    """Every month up to this one that has any cost of hers, with its sum for each currency."""
    period = Period(FIRST_DAY, Month.of(today).next.start)
    sums: dict[date, list[str]] = {}
    for row in spend.rows(user, Question(period, (), "month", METRIC)):
        if row.bucket and row.amount is not None:
            sums.setdefault(row.bucket, []).append(f"{formatted(row.amount, row.currency)} {row.currency}")
    return [ReportMonth(Month.of(month), ", ".join(said)) for month, said in sums.items()]


def newest(user: Person, today: date) -> Month | None:
    """The newest month up to this one that has any cost of hers."""
    day = latest_month.day(user, today)
    return Month.of(day) if day else None


def owned_share(user: Person, as_of: date) -> Measure | None:
    """How much of the month's cost has an owner, in percent, in the currency of most cost."""
    month = Month.of(as_of)
    # The days billed so far and not the month: the page has asked that already.
    by_owner = spend.rows(user, Question(trends.compare(user, month, as_of).now, ("team",), "", METRIC))
    whole = spend.sums(by_owner)
    code = max(whole, key=lambda each: whole[each] or Decimal(0), default="")
    if not whole.get(code):
        return None
    owned = spend.add(row.amount for row in by_owner if row.currency == code and row.group[0] != spend.NOBODY)
    share = ratio(owned or Decimal(0), whole[code])
    url = f"{reverse('costs:explorer')}?{urlencode({'group_by': 'team', 'from': month, 'to': month})}"
    return Measure(
        percent(share),
        Unit.PERCENT,
        OWNED_TARGET,
        Better.HIGHER,
        f"of {month_text(month, 'long')}'s cost has a team",
        url,
    )


def _comparison(user: Person, month: Month) -> trends.Comparison:
    return trends.compare(user, month, timezone.now().date())


def spending(user: Person, month: Month) -> dict[str, Any] | None:
    """The month against the month before and the year, with its course of thirteen months."""
    comparison = _comparison(user, month)
    now = trends.totals(user, comparison.now, {}, METRIC)
    if not now:
        return None
    before = trends.totals(user, comparison.before, {}, METRIC)
    a_year_ago = trends.totals(user, _a_year_before(comparison.now), {}, METRIC)
    year = trends.totals(user, Period(date(month.year, 1, 1), comparison.now.end), {}, METRIC)
    sums = [now, before, a_year_ago, year]
    stats = [
        stat for code in sorted(now) for stat in _stats(user, code, comparison, *(each.get(code) for each in sums))
    ]
    by = "team" if user.sees_whole_company else "service"
    charts = trends.course(user, month, by, {}, METRIC).charts
    return {
        "text": [_sentence(code, comparison, now.get(code), before.get(code)) for code in sorted(now)],
        "stats": stats,
        "charts": [{**chart, "title": f"Thirteen months by {by}, {chart['currency']}"} for chart in charts],
        "links": [("Explore", f"{reverse('costs:explorer')}?group_by={by}&period=12-months")],
    }


def _a_year_before(period: Period) -> Period:
    """The same days of the month a year before."""
    month = Month.of(period.start).plus(-12)
    return Period(month.start, min(month.next.start, month.start + timedelta(days=period.days)))


def _stats(
    user: Person,
    code: str,
    comparison: trends.Comparison,
    now: Decimal | None,
    before: Decimal | None,
    a_year_ago: Decimal | None,
    year: Decimal | None,
) -> list[dict[str, Any]]:
    ago = _a_year_before(comparison.now)
    return [
        {
            "label": comparison.said,
            "amount": now,
            "currency": code,
            "before": before,
            "against": comparison.against,
            "url": lines_url(comparison.now, {**my_filters(user), "currency": code}),
            "icon": "calendar-month",
        },
        {
            "label": f"A year before, {month_text(ago.start)}",
            "amount": a_year_ago,
            "currency": code,
            "note": _note_of_a_year_ago(comparison) if a_year_ago is not None else "no bill of that month",
            "url": lines_url(ago, {**my_filters(user), "currency": code}) if a_year_ago is not None else "",
            "icon": "history",
        },
        {
            "label": f"{comparison.month.year} so far",
            "amount": year,
            "currency": code,
            "note": f"January to {comparison.month.start:%B}",
            "icon": "calendar-stats",
        },
    ]


def _note_of_a_year_ago(comparison: trends.Comparison) -> str:
    return "the whole month" if comparison.is_whole else f"the first {comparison.now.days} days of it"


def _sentence(code: str, comparison: trends.Comparison, now: Decimal | None, before: Decimal | None) -> str:
    """What was spent, and how much more or less that is, for somebody who reads one line."""
    said = f"{comparison.said}: {formatted(now or Decimal(0), code)} {code}"
    if before is None:
        return f"{said}; there is no bill of the days before."
    gap = EXACT.subtract(now or Decimal(0), before)
    share = ratio(abs(gap), abs(before))
    change = f" ({percent_text(share)})" if share is not None else ""
    if not gap:
        return f"{said}, the same as before."
    than = f"{'more' if gap > 0 else 'less'} than {comparison.against.removeprefix('against ')}"
    return f"{said}, {formatted(abs(gap), code)} {code}{change} {than}."


def by_team(user: Person, month: Month) -> dict[str, Any] | None:
    """A row for each team, the unowned among them; nothing for somebody with one team, whose page says it already."""
    if not user.sees_whole_company and len(user.visible_team_ids) < 2:
        return None
    return _by(user, month, "team", _team_url)


def _team_url(key: str) -> str:
    return reverse("costs:team", args=[key]) if key.isdigit() else ""


def by_service(user: Person, month: Month) -> dict[str, Any] | None:
    """The dearest services, and the exact rest as Other."""
    return _by(user, month, "service", lambda key: "")


def _by(user: Person, month: Month, by: str, url_of: Callable[[str], str]) -> dict[str, Any] | None:
    comparison = _comparison(user, month)
    found = spend.pivots(user, Question(comparison.now, (by,), "", METRIC), top=SHOWN)
    if not found:
        return None
    earlier = spend.rows(user, Question(comparison.before, (by,), "", METRIC))
    before = {(row.group[0], row.currency): row.amount for row in earlier}
    tables = [_table(user, pivot, by, before, comparison, url_of) for pivot in found]
    return {"tables": tables}


def _table(
    user: Person,
    pivot: spend.Pivot,
    by: str,
    before: Mapping[tuple[str, str], Decimal | None],
    comparison: trends.Comparison,
    url_of: Callable[[str], str],
) -> dict[str, Any]:
    code = pivot.currency
    whole = spend.add(amount for (_, currency), amount in before.items() if currency == code)
    listed = spend.add(before.get((group.keys[0], code)) for group in pivot.groups if group.keys)
    rows = []
    for group in pivot.groups:
        earlier = before.get((group.keys[0], code)) if group.keys else spend.minus(whole, listed)
        filters = {**my_filters(user), by: list(group.keys)} if group.keys and group.keys[0] else {}
        url = lines_url(comparison.now, {**filters, "currency": code}) if filters else ""
        name = {"text": group.label, "url": url_of(group.keys[0]) if group.keys else ""}
        rows.append([name, *_figures(code, group.total, earlier, pivot.total, url)])
    # What was there before and is gone has no row of its own where nothing is put together as Other.
    if pivot.groups and pivot.groups[-1].keys and (gone := spend.minus(whole, listed)):
        rows.append([{"text": "Gone since"}, *_figures(code, Decimal(0), gone, pivot.total, "")])
    return {
        "title": f"{comparison.said}, {comparison.against}, {code}",
        "head": [spend.LABELS[by], "Cost", "Change", "Share"],
        "rows": rows,
        "totals": [[{"text": "Total"}, *_figures(code, pivot.total, whole, pivot.total, "")]],
    }


def _figures(code: str, now: Decimal | None, before: Decimal | None, whole: Decimal | None, url: str) -> list[Any]:
    gap = trends.difference(now, before)
    share = ratio(now, whole) if now is not None and whole else None
    return [
        {"amount": now, "currency": code, "url": url},
        {"amount": gap, "currency": code, "change": True, "before": before},
        percent_text(share) or "—",
    ]


def changed(user: Person, month: Month) -> dict[str, Any] | None:
    """The largest changes by service and what each was; new, gone, more and less add up to the whole change."""
    comparison = _comparison(user, month)
    found = trends.drivers(user, comparison, "service", {}, METRIC)
    if not found:
        return None
    return {
        "text": [_changes_in_words(code, named, comparison) for code, named in found.items()],
        "tables": [_changes(user, code, named, comparison) for code, named in found.items() if named],
    }


def _changes_in_words(code: str, named: Sequence[trends.Named], comparison: trends.Comparison) -> str:
    if not named:
        return f"Nothing changed in {code} {comparison.against}."
    whole = spend.add(each.change.difference for each in named) or Decimal(0)
    top = named[0]
    largest = f"the largest change is {top.label} with {signed_text(top.change.difference, code)}"
    return f"{signed_text(whole, code)} {comparison.against}; {largest}."


def _changes(user: Person, code: str, named: Sequence[trends.Named], comparison: trends.Comparison) -> dict[str, Any]:
    shown, rest = named[:SHOWN], named[SHOWN:]
    rows = []
    for each in shown:
        period = comparison.before if each.change.kind == "gone" else comparison.now
        filters = {**my_filters(user), **({"service": [each.change.key]} if each.change.key else {})}
        name = {"text": each.label, "url": lines_url(period, {**filters, "currency": code})}
        rows.append([name, each.change.kind, *_pair(code, each.change.before, each.change.after)])
    if rest:
        sums = [spend.add(getattr(each.change, side) for each in rest) for side in ("before", "after")]
        rows.append([f"{len(rest)} more", "", *_pair(code, *sums)])
    sums = [spend.add(getattr(each.change, side) for each in named) for side in ("before", "after")]
    return {
        "title": f"By service, {comparison.against}, {code}",
        "head": ["Service", "What", "Before", "Now", "Change"],
        "rows": rows,
        "totals": [["All that changed", "", *_pair(code, *sums)]],
    }


def _pair(code: str, before: Decimal | None, after: Decimal | None) -> list[Any]:
    gap = trends.difference(after, before)
    amounts = [{"amount": amount, "currency": code} for amount in (before, after)]
    return [*amounts, {"amount": gap, "currency": code, "change": True}]
