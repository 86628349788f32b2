"""What tagging shows in the quarterly review, and the documents of teams: unit costs, compliance, closed statements."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.text import capfirst, slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.query.question import company_metric
from finops_site.lib import charts
from finops_site.lib.money import formatted
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.registry import TeamDocument
from finops_site.reports.monthly_report import figure_cell
from finops_site.ui.figures import month_text, percent_text
from tagging.calc import unit_costs
from tagging.chargeback.statement_pdf import closed_document
from tagging.models import ChargebackPeriod, Metric, Statement
from tagging.policy import compliance_figures
from tagging.policy.compliance_figures import COMPLIANT, TARGET, WRONG
from tagging.unit_costs import business_metrics
from tagging.unit_costs.business_metrics import WHOLE_COMPANY
from tagging.unit_costs.tables import price_text, units_text

MOST_METRICS, MOST_ROWS = 4, 6


def unit_cost_section(user: Person, period: Period, today: date) -> dict[str, Any] | None:
    """What one unit of business cost in the period, against as many months before."""
    metrics = list(Metric.objects.order_by("name")[:MOST_METRICS])
    teams = list(Team.objects.visible_to(user).order_by("name"))
    rows: list[list[Any]] = []
    sentences: list[str] = []
    before = Period(Month.of(period.start).plus(-len(period.months())).start, period.start)
    for metric in metrics:
        now, earlier = (_overall(user, metric, teams, days, today) for days in (period, before))
        # What a unit costs the whole company comes first, for it is what the page is about.
        for key in sorted(now, key=lambda key: (key[1] != str(WHOLE_COMPANY), key))[:MOST_ROWS]:
            point, old = now[key], earlier.get(key)
            rows.append(
                [
                    {"text": f"{metric}, {key[1]}", "url": metric.get_absolute_url()},
                    _units(point),
                    _price(point, key[0]),
                    _price(old, key[0]) if old else "—",
                ]
            )
            if not sentences and point.per_unit is not None:
                sentences.append(_sentence(metric, key, point, old))
    if not rows:
        return None
    return {
        "text": [
            *(sentences or [_("No cost per unit is known for these days.")]),
            _("Cost per unit is the cost of the days that were counted, divided by what was counted on them."),
        ],
        "tables": [
            {
                "title": _("Cost per unit"),
                "head": [_("What"), _("Units"), _("Cost per unit"), _("Before")],
                "rows": rows,
            }
        ],
    }


def _overall(
    user: Person, metric: Metric, teams: Sequence[Team], period: Period, today: date
) -> dict[tuple[str, str], Any]:
    """{(currency, name): all points as one} of those that counted anything."""
    answer = business_metrics.find_unit_costs(user, metric, teams, period, company_metric(), today)
    counted = (one for one in answer.series if any(point.units is not None for point in one.points))
    return {(one.currency, one.name): unit_costs.overall(one.points) for one in counted}


def _units(point: Any) -> str | dict[str, Any]:
    return "—" if point.units is None else figure_cell(units_text(point.units), point.units, "")


def _price(point: Any, currency: str) -> str | dict[str, Any]:
    return figure_cell(price_text(point.per_unit, currency), point.per_unit, currency)


def _sentence(metric: Metric, key: tuple[str, str], point: Any, old: Any) -> str:
    values = {"what": capfirst(f"{metric}, {key[1]}"), "price": price_text(point.per_unit, key[0])}
    if old is None or old.per_unit is None:
        return _("{what}: {price} for one; what it was before is not known.").format(**values)
    return _("{what}: {price} for one, {old} before.").format(**values, old=price_text(old.per_unit, key[0]))


def compliance_section(user: Person, period: Period, today: date) -> dict[str, Any] | None:
    """How many resources comply with the tag policy at the end of the period, and how that went on."""
    tallies = compliance_figures.compliance_by_month(user, min(today, period.last_day), 6)
    months = [month for month, tally in tallies.items() if tally.counted and month.start < period.end]
    if not months or months[-1].next.start <= period.start:
        return None
    last = tallies[months[-1]]
    shares = [tallies[month].by_resources for month in months]
    target = TARGET * 100
    sentence = ngettext(
        "{right} of {all} resource complies with the tag policy in {month}: {share}, the target is {target}.",
        "{right} of {all} resources comply with the tag policy in {month}: {share}, the target is {target}.",
        last.counted,
    )
    cost = _(" and ").join(f"{formatted(last.amount(code, WRONG), code)} {code}" for code in last.currencies)
    sentences = [
        sentence.format(
            right=f"{last.count(COMPLIANT):,}",
            all=f"{last.counted:,}",
            month=month_text(months[-1], "long"),
            share=percent_text(last.by_resources) or "—",
            target=percent_text(TARGET),
        ),
        _("Those that do not comply cost {amounts} in that month.").format(amounts=cost),
    ]
    percents = [None if share is None else (share * 100).quantize(Decimal("0.1")) for share in shares]
    return {
        "text": sentences,
        "charts": [
            {
                "id": "period-compliance",
                "kind": "line",
                "title": _("Resources that comply"),
                "categories": [month_text(month) for month in months],
                "series": [
                    charts.series(_("Comply"), percents),
                    charts.threshold(_("Target"), target, len(months), tone="calm"),
                ],
                "unit": "%",
            }
        ],
        "tables": [
            {
                "title": _("By month"),
                "head": [_("Month"), _("Comply"), _("Do not"), _("Share")],
                "rows": [
                    [
                        month_text(month, "long"),
                        *(_count(tallies[month].count(state)) for state in (COMPLIANT, WRONG)),
                        figure_cell(percent_text(share) or "—", None if share is None else share * 100, "%"),
                    ]
                    for month, share in zip(months, shares, strict=True)
                ],
            }
        ],
        "brief": {"text": sentences[:1]},
        "links": [(_("Tag compliance"), reverse("tagging:overview"))],
    }


def _count(count: int) -> str | dict[str, Any]:
    return figure_cell(f"{count:,}", Decimal(count), "")


def newest_closed_month(today: date) -> Month | None:
    """The newest billing month whose statements are closed."""
    closed = ChargebackPeriod.objects.filter(state=ChargebackPeriod.State.CLOSED, billing_month__lte=today)
    day = closed.order_by("-billing_month").values_list("billing_month", flat=True).first()
    return Month.of(day) if day else None


def team_documents(teams: Sequence[int], month: Month) -> list[TeamDocument]:
    """The closed statements of these teams: the PDFs that were kept when the month was closed."""
    period = ChargebackPeriod.objects.filter(
        billing_month=month.start, state=ChargebackPeriod.State.CLOSED, closed_by__isnull=False
    ).first()
    if period is None:
        return []
    rows = Statement.objects.filter(period=period, team__in=teams).order_by("team_name", "currency")
    by_team: dict[int, list[Statement]] = {}
    for statement in rows:
        by_team.setdefault(statement.team_id, []).append(statement)
    return [
        TeamDocument(
            team,
            of_team[0].team_name,
            f"statement-{month}-{slugify(of_team[0].team_name) or team}.pdf",
            closed_document(period, team),
            ", ".join(f"{formatted(one.document_total, one.currency)} {one.currency}" for one in of_team),
        )
        for team, of_team in by_team.items()
    ]
