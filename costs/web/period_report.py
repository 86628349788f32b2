"""What the quarterly review and the update of two weeks show of costs: spend, why it changed, teams and what comes."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from costs.calc.change_parts import KIND_LABELS
from costs.calc.period_changes import billed_part, days_just_before, has_whole_months
from costs.query import latest_month, trends
from costs.query.group_labels import group_labels
from costs.query.known_until import known_in
from costs.query.period_comparison import ComparedPeriods, compare_periods
from costs.query.question import METRIC_LABELS, Question, company_metric
from costs.query.scope import filters_of
from costs.query.spend import find_spend
from costs.web.explorer_forecast import NoForecast, forecast_months
from costs.web.links import group_filters, lines_url
from finops_site.lib import charts
from finops_site.lib.money import EXACT, exact_sum, formatted, ratio
from finops_site.lib.periods import Month, Period, day_text
from finops_site.lib.person import Person
from finops_site.lib.words import in_sentence
from finops_site.ui.figures import month_text, percent_text, signed_text

ZERO = Decimal(0)
TEAMS, SERVICES, FORECAST_MONTHS = 9, 8, 3
# The sentence names so many kinds of change, and sums the others.
MOST_KINDS = 3


def known_text(user: Person, period: Period, today: date) -> str:
    """Until when the cost of the period is known, for every page of a report."""
    known = known_in(user, period, today, metric=company_metric())
    if known.until is None:
        return _("No cost of these days is known.")
    if known.is_complete and known.until >= period.last_day:
        final = _("final") if known.is_final else _("a later bill may still add to it")
        return _("Cost known for all days to {day}, {final}.").format(day=day_text(period.last_day), final=final)
    return _("Cost known until {day}.").format(day=day_text(min(known.until, period.last_day)))


class _Days:
    """The billed days of a period and as many before it, and what they cost by currency."""

    def __init__(self, user: Person, period: Period, today: date) -> None:
        self.user, self.period, self.metric = user, period, company_metric()
        self.now = billed_part(period, latest_month.compared_until(user, period, today))
        self.before = days_just_before(period, self.now)
        self.spent, self.earlier = (
            trends.totals_shown_in(user, days, {}, self.metric) for days in (self.now, self.before)
        )

    @property
    def title(self) -> str:
        return days_title(self.now)

    @property
    def against(self) -> str:
        return _("against {days}").format(days=days_title(self.before))


def days_title(days: Period) -> str:
    """``Q3 2025``, ``October 2025``, or the first and the last day."""
    months = days.months()
    if has_whole_months(days):
        if len(months) == 1:
            return month_text(months[0], "long")
        if len(months) == 3 and months[0].number % 3 == 1:
            return f"Q{(months[0].number + 2) // 3} {months[0].year}"
    return _("{first} to {last}").format(first=day_text(days.start), last=day_text(days.last_day))


def spend_section(user: Person, period: Period, today: date) -> dict[str, Any] | None:
    """What was spent, against as many days before, with the months up to it."""
    days = _Days(user, period, today)
    if not days.spent:
        return None
    sentences = [_spend_sentence(code, days) for code in sorted(days.spent)]
    stats = [
        {
            "label": days.title,
            "amount": days.spent[code],
            "currency": code,
            "before": days.earlier.get(code),
            "against": days.against,
            "url": lines_url(days.now, {**filters_of(user), "currency": code}),
            "icon": "calendar-stats",
        }
        for code in sorted(days.spent)
    ]
    known = known_in(user, period, today, metric=days.metric)
    history = [_history(user, days, code) for code in sorted(days.spent)]
    return {
        "text": [
            *sentences,
            _("All figures are {metric}, by charge day.").format(metric=in_sentence(METRIC_LABELS[days.metric])),
            *known.notes,
        ],
        "stats": stats,
        "charts": history,
        "tables": [_months_table(chart) for chart in history] if days.period.days > 31 else [],
        "brief": {
            "text": sentences,
            "stats": stats[:2],
            "charts": [{**chart, "id": f"brief-{chart['id']}"} for chart in history[:1]],
        },
        "links": [(_("Explore"), f"{reverse('costs:explorer')}?{urlencode({'group_by': 'service'})}")],
    }


def _spend_sentence(code: str, days: _Days) -> str:
    now, before = days.spent[code], days.earlier.get(code)
    if now is None:
        return _("{days}: what was spent in {currency} is not known.").format(days=days.title, currency=code)
    spent = f"{formatted(now, code)} {code}"
    if before is None:
        return _("{days}: {spent}; there is no bill of the days before.").format(days=days.title, spent=spent)
    gap = EXACT.subtract(now, before)
    share = ratio(abs(gap), abs(before))
    values = {
        "days": days.title,
        "spent": spent,
        "gap": f"{formatted(abs(gap), code)} {code}",
        "share": percent_text(share) if share is not None else "—",
        "before": days_title(days.before),
    }
    if gap > 0:
        return _("{days}: {spent}, {gap} ({share}) more than {before}.").format(**values)
    return _("{days}: {spent}, {gap} ({share}) less than {before}.").format(**values)


def _history(user: Person, days: _Days, code: str) -> dict[str, Any]:
    """A bar for each month of a year up to the period, or for each day where it is shorter than a month."""
    by_month = days.period.days > 31
    first = Month.of(days.period.last_day).plus(-12).start if by_month else days.before.start
    shown = Period(first, days.period.end)
    rows = find_spend(user, Question(shown, (), "month" if by_month else "day", days.metric))
    sums = {row.bucket: row.amount for row in rows if row.currency == code and row.bucket}
    steps = [month.start for month in shown.months()] if by_month else list(shown.each_day())
    texts = [month_text(step) if by_month else day_text(step) for step in steps]
    cut = days.now.last_day
    unfinished = [
        _(charts.SO_FAR) if by_month and Month.of(step).period.last_day > cut >= step else "" for step in steps
    ]
    title = _("Months, {currency}") if by_month else _("Days, {currency}")
    return {
        "id": f"period-spend-{code.lower()}",
        "kind": "bar",
        "title": title.format(currency=code),
        "categories": texts,
        "series": [charts.series(METRIC_LABELS[days.metric], [sums.get(step) for step in steps])],
        "currency": code,
        "unfinished": unfinished if any(unfinished) else [],
    }


def _months_table(chart: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of the chart of months, the newest first, each against the month before."""
    amounts = chart["series"][0]["data"]
    rows = [
        [
            f"{name}, {so_far}" if so_far else name,
            {"amount": now, "currency": chart["currency"]},
            {
                "amount": trends.cost_difference(now, before) if None not in (now, before) else None,
                "currency": chart["currency"],
                "change": True,
                "before": before,
            },
        ]
        for name, so_far, before, now in zip(
            chart["categories"][1:],
            (chart["unfinished"] or [""] * len(amounts))[1:],
            amounts,
            amounts[1:],
            strict=False,
        )
    ]
    head = [_("Month"), chart["series"][0]["name"], _("Change")]
    return {"title": chart["title"], "head": head, "rows": rows[::-1]}


def why_section(user: Person, period: Period, today: date) -> dict[str, Any] | None:
    """Why spend changed, in parts that sum to the change exactly, and by service."""
    days = _Days(user, period, today)
    if not days.spent or not days.earlier:
        return None
    question = Question(days.now, ("service",), "", days.metric)
    compared = compare_periods(user, question, days.before, top=SERVICES)
    compared = [one for one in compared if one.total.before is not None]
    if not compared:
        return None
    sentences = [_why_sentence(one) for one in compared]
    return {
        "text": [*sentences, _("The parts sum to the change exactly, to the last digit.")],
        "charts": [chart for one in compared[:1] if (chart := _why_chart(one, days))],
        "tables": [table for one in compared for table in (_why_table(one), _services_table(user, one, days))],
        "brief": {"text": sentences, "tables": [_why_table(compared[0])]},
    }


def _parts(one: ComparedPeriods) -> list[tuple[str, Decimal]]:
    """The kinds of change and their sums, the largest first."""
    return sorted(((kind, sum_) for kind, sum_ in one.total.parts.items() if sum_), key=lambda pair: -abs(pair[1]))


def _why_sentence(one: ComparedPeriods) -> str:
    code, gap = one.currency, one.total.difference
    parts = _parts(one)
    if not parts:
        return _("Nothing changed in {currency}.").format(currency=code)
    most = len(parts) if len(parts) == MOST_KINDS + 1 else MOST_KINDS
    words = [f"{in_sentence(_(KIND_LABELS[kind]))} {signed_text(amount, code)}" for kind, amount in parts]
    named = ", ".join(words[:most])
    if rest := [amount for _kind, amount in parts[most:]]:
        more = _("{parts}, and {count} others, together {amount}")
        named = more.format(parts=named, count=len(rest), amount=signed_text(exact_sum(rest), code))
    return _("The change of {gap} is made of: {parts}.").format(gap=signed_text(gap, code), parts=named)


def _why_chart(one: ComparedPeriods, days: _Days) -> dict[str, Any] | None:
    before, after = one.total.before or ZERO, one.total.after or ZERO
    steps = [(_(KIND_LABELS[kind]), amount) for kind, amount in _parts(one)]
    if EXACT.add(before, exact_sum(amount for _name, amount in steps)) != after:
        return None
    return {
        **charts.waterfall((days_title(days.before), before), steps, (days.title, after)),
        "id": f"period-why-{one.currency.lower()}",
        "kind": "bar",
        "across": True,
        "title": _("What led from one to the other, {currency}").format(currency=one.currency),
        "currency": one.currency,
    }


def _why_table(one: ComparedPeriods) -> dict[str, Any]:
    code = one.currency
    rows = [[_(KIND_LABELS[kind]), _change(amount, code)] for kind, amount in _parts(one)]
    return {
        "title": _("Why it changed, {currency}").format(currency=code),
        "head": [_("Why it changed"), _("Amount")],
        "rows": rows,
        "totals": [[_("Change"), _change(one.total.difference, code)]],
    }


def _services_table(user: Person, one: ComparedPeriods, days: _Days) -> dict[str, Any]:
    code = one.currency

    def cells(label: Any, group: Any) -> list[Any]:
        return [
            label,
            {"amount": group.after, "currency": code},
            {"amount": group.difference, "currency": code, "change": True, "before": group.before},
        ]

    def link(group: Any) -> dict[str, str]:
        if not group.keys:
            return {"text": group.label}
        filters = {**filters_of(user), **group_filters(("service",), group.keys), "currency": code}
        return {"text": group.label, "url": lines_url(days.now, filters)}

    return {
        "title": _("By service, {currency}").format(currency=code),
        "head": [_("Service"), days.title, _("Change")],
        "rows": [cells(link(group), group) for group in one.groups],
        "totals": [cells(_("Total"), one.total)],
    }


def _change(amount: Decimal, code: str) -> dict[str, Any]:
    return {"amount": amount, "currency": code, "change": True, "before": None}


def team_section(user: Person, period: Period, today: date) -> dict[str, Any] | None:
    """Who spent it: a row for each team, against the days before."""
    if not user.sees_whole_company and len(user.visible_team_ids) < 2:
        return None
    days = _Days(user, period, today)
    now, before = (find_spend(user, Question(part, ("team",), "", days.metric)) for part in (days.now, days.before))
    if not now:
        return None
    labels = group_labels(("team",), [*now, *before])
    sides = {"now": now, "before": before}
    sentences, tables = [], []
    for code in sorted({row.currency for row in now}):
        amounts = {
            side: {row.group[0]: row.amount for row in rows if row.currency == code} for side, rows in sides.items()
        }
        sentence, table = _teams_of(code, amounts, labels, days)
        sentences.append(sentence)
        tables.append(table)
    chart = {
        "id": "period-teams",
        "kind": "bar",
        "across": True,
        "title": tables[0]["title"],
        "categories": [row[0]["text"] if isinstance(row[0], dict) else row[0] for row in tables[0]["rows"]],
        "series": [charts.series(METRIC_LABELS[days.metric], [row[1]["amount"] for row in tables[0]["rows"]])],
        "currency": tables[0]["rows"][0][1]["currency"],
    }
    return {"text": sentences, "tables": tables, "charts": [chart]}


def _teams_of(
    code: str,
    amounts: Mapping[str, Mapping[str, Decimal | None]],
    labels: Mapping[tuple[str, ...], str],
    days: _Days,
) -> tuple[str, dict[str, Any]]:
    now, before = amounts["now"], amounts["before"]
    keys = sorted({*now, *before}, key=lambda key: (-(now.get(key) or ZERO), labels[(key,)]))
    total = exact_sum(filter(None, now.values()))
    shown, rest = (keys, []) if len(keys) <= TEAMS + 1 else (keys[:TEAMS], keys[TEAMS:])

    def cells(label: Any, of: Sequence[str]) -> list[Any]:
        new, old = (exact_sum(filter(None, (side.get(key) for key in of))) for side in (now, before))
        share = ratio(new, total) if total else None
        return [
            label,
            {"amount": new, "currency": code},
            {"amount": EXACT.subtract(new, old), "currency": code, "change": True, "before": old},
            percent_text(share) or "—",
        ]

    def link(key: str) -> dict[str, str]:
        return {"text": labels[(key,)], "url": reverse("costs:team", args=[key]) if key.isdigit() else ""}

    rows = [cells(link(key), [key]) for key in shown]
    if rest:
        rows.append(cells(_("{count} more").format(count=len(rest)), rest))
    top = shown[0]
    share = percent_text(ratio(now.get(top) or ZERO, total) if total else None) or "—"
    sentence = _("{team} spent most: {amount}, {share} of all in {currency}.").format(
        team=labels[(top,)], amount=f"{formatted(now.get(top) or ZERO, code)} {code}", share=share, currency=code
    )
    title = _("{days}, {against}, {currency}").format(days=days.title, against=days.against, currency=code)
    head = [_("Team"), METRIC_LABELS[days.metric], _("Change"), _("Share")]
    return sentence, {"title": title, "head": head, "rows": rows, "totals": [cells(_("Total"), keys)]}


def forecast_section(user: Person, period: Period, today: date) -> dict[str, Any] | None:
    """What the next three months will cost, eight times in ten between two amounts."""
    metric = company_metric()
    until = known_in(user, Period(period.start, max(period.end, today)), today, metric=metric).until
    if until is None:
        return None
    first = Month.of(until + timedelta(days=1))
    question = Question(Period(first.plus(-12).start, first.plus(FORECAST_MONTHS).start), (), "month", metric)
    try:
        forecasts = forecast_months(user, question, "", until, today, FORECAST_MONTHS)
    except NoForecast as error:
        return {"text": [str(error)]}
    spans_by = {code: spans for code, spans in sorted(forecasts.items()) if spans}
    if not spans_by:
        return None
    sentences = [_forecast_sentence(code, spans) for code, spans in spans_by.items()]
    return {
        "text": [*sentences, _("What is spent of a month already is part of its forecast.")],
        "tables": [_forecast_table(code, spans) for code, spans in spans_by.items()],
        "charts": [_forecast_chart(user, code, spans, metric) for code, spans in list(spans_by.items())[:1]],
        "brief": {"text": sentences[:1]},
    }


def _forecast_sentence(code: str, spans: Sequence[Any]) -> str:
    likely = f"{formatted(exact_sum(one.likely for one in spans), code)} {code}"
    return _(
        "{first} to {last} will cost about {likely}; each lies between its low and its high eight times in ten."
    ).format(
        first=month_text(spans[0].days.start, "long"), last=month_text(spans[-1].days.start, "long"), likely=likely
    )


def _forecast_table(code: str, spans: Sequence[Any]) -> dict[str, Any]:
    rows = [
        [
            month_text(one.days.start, "long"),
            *({"amount": getattr(one, side), "currency": code} for side in ("low", "likely", "high")),
        ]
        for one in spans
    ]
    return {
        "title": _("Forecast, {currency}; eight times in ten between low and high").format(currency=code),
        "head": [_("Month"), _("Low"), _("Likely"), _("High")],
        "rows": rows,
    }


def _forecast_chart(user: Person, code: str, spans: Sequence[Any], metric: str) -> dict[str, Any]:
    first = Month.of(spans[0].days.start)
    past = Period(first.plus(-12).start, first.start)
    sums = {
        row.bucket: row.amount
        for row in find_spend(user, Question(past, (), "month", metric))
        if row.currency == code and row.bucket
    }
    months = [month.start for month in past.months()]
    none_before: list[Decimal | None] = [None] * (len(months) - 1)
    last = sums.get(months[-1])

    def along(side: str) -> list[Decimal | None]:
        return [*none_before, last, *(getattr(one, side) for one in spans)]

    return {
        "id": f"period-forecast-{code.lower()}",
        "kind": "bar",
        "title": _("Twelve months, and the three to come, {currency}").format(currency=code),
        "categories": [month_text(step) for step in (*months, *(one.days.start for one in spans))],
        "series": [
            charts.series(METRIC_LABELS[metric], [*(sums.get(step) for step in months), *[None] * len(spans)]),
            charts.band(_("Eight times in ten"), along("low"), along("high"), currency=code),
            charts.series(_("Forecast"), along("likely"), kind="line", dashed=True, tone="calm"),
        ],
        "currency": code,
    }
