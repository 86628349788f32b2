"""The KPIs of tags and chargeback: what complies, who has looked at her statement, and what one unit costs."""

from datetime import date
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _

from costs.query.question import company_metric
from finops_site.lib.money import percent, ratio
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.registry import Better, Kpi, KpiArea, Measure, MeasureInput, Unit
from finops_site.translation import gettext_lazy as _lazy
from finops_site.translation import text_lazy
from finops_site.ui.figures import month_text
from tagging.calc import unit_costs
from tagging.models import ChargebackPeriod, Metric, Statement, StatementOpening
from tagging.policy import panels
from tagging.policy.compliance_figures import TARGET
from tagging.unit_costs import business_metrics

HUNDRED = Decimal(100)
# Months of counts in which the newest one that is complete is looked for.
MONTHS_LOOKED_AT = 3


def team_adoption(user: Person, as_of: date) -> Measure | None:
    """The share of teams one of whose leads has opened the statement of the newest closed month, as of the day.

    None while no month with statements is closed.
    """
    closed = ChargebackPeriod.objects.closed().filter(closed_at__date__lte=as_of, statements__isnull=False)
    period = closed.order_by("-billing_month").first()
    if period is None:
        return None
    teams = set(Statement.objects.visible_to(user).filter(period=period).values_list("team", flat=True))
    opened = StatementOpening.objects.filter(period=period, team__in=teams, opened_at__date__lte=as_of)
    count, url = opened.order_by().values("team").distinct().count(), period.get_absolute_url()
    words = text_lazy(
        lambda: _("of teams with a statement of {month}: a lead has opened it").format(
            month=month_text(period.month, "long")
        )
    )
    inputs = (
        MeasureInput(_("Teams with a statement"), Decimal(len(teams)), url),
        MeasureInput(_("Of them opened by a lead"), Decimal(count), url),
    )
    share = ratio(Decimal(count), Decimal(len(teams)))
    return Measure(percent(share), Unit.PERCENT, HUNDRED, Better.HIGHER, words, url, "", inputs)


def unit_cost(user: Person, as_of: date) -> Measure | None:
    """What one unit of the first business metric with a target (else the first) cost in the newest complete month.

    The whole company's, or that of her own teams together; None where nothing is counted.
    """
    metrics = Metric.objects.visible_to(user)
    metric = metrics.exclude(target=None).first() or metrics.first()
    if metric is None:
        return None
    counted = [month for month in business_metrics.months_counted(metric) if month.period.end <= as_of]
    for month in reversed(counted[-MONTHS_LOOKED_AT:]):
        measure = _unit_cost_of(user, metric, month, as_of)
        if measure is not None:
            return measure
    return None


def _unit_cost_of(user: Person, metric: Metric, month: Month, as_of: date) -> Measure | None:
    teams = list(Team.objects.visible_to(user).order_by("name"))
    answer = business_metrics.find_unit_costs(user, metric, teams, month.period, company_metric(), as_of)
    own = [one for one in answer.series if not user.sees_whole_company or one.name == business_metrics.WHOLE_COMPANY]
    code = metric.target_currency or (own[0].currency if own else "")
    points = [point for one in own if one.currency == code for point in one.points]
    point = unit_costs.overall(points) if points else None
    if point is None or point.per_unit is None:
        return None
    url = f"{reverse('tagging:unit_costs')}?metric={metric.pk}&from={month}&to={month}"
    name = str(metric)
    words = text_lazy(lambda: _("for one of {name} in {month}").format(name=name, month=month_text(month, "long")))
    inputs = (
        MeasureInput(_("Cost of days on which it was counted"), point.cost, url, Unit.MONEY, code),
        MeasureInput(_("Counted {name}").format(name=name), point.units, url),
    )
    return Measure(point.per_unit, Unit.MONEY, metric.target, Better.LOWER, words, url, code, inputs)


KPIS = (
    Kpi(
        "tag-compliance",
        _lazy("Tag compliance"),
        panels.compliance_kpi,
        "costs.view_costline",
        20,
        KpiArea.OWNERSHIP,
        _lazy("The share of resources that have every tag of the policy, with a value that it allows."),
        _lazy("resources that comply / resources that can carry tags, of the newest month"),
        _lazy("Percentage of resources compliant with tagging policy"),
        target=TARGET * 100,
        baseline=Decimal(20),
        why_unknown=_lazy("No month has been checked against the tag policy."),
    ),
    Kpi(
        "team-adoption",
        _lazy("Team adoption"),
        team_adoption,
        "tagging.view_statement",
        30,
        KpiArea.OWNERSHIP,
        _lazy("The share of teams whose lead has opened the statement of the newest closed month."),
        _lazy("teams whose statement a lead has opened / teams with a statement"),
        "",
        target=HUNDRED,
        why_unknown=_lazy("No month of chargeback is closed, so nobody has a statement."),
    ),
    Kpi(
        "unit-cost",
        _lazy("Unit cost"),
        unit_cost,
        "tagging.view_metric",
        70,
        KpiArea.VALUE,
        _lazy("What one unit of business costs, of the newest month that is counted and billed to its end."),
        _lazy("cost of the days on which it was counted / what was counted"),
        _lazy("Cost per unit"),
        Unit.MONEY,
        Better.LOWER,
        why_unknown=_lazy("Nothing is counted in a month whose bills are all here."),
    ),
)
