"""Figures of usage: what is wasted of the cost, what was removed, and the rows that the savings model counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Count, Q, Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from costs.models import DayRollup
from finops_site.lib.money import EXACT, percent, ratio
from finops_site.lib.periods import Month, Period, month_text
from finops_site.lib.person import Person
from finops_site.people.savings_scopes import scope_of, team_key, team_parents
from finops_site.registry import Better, Measure, MeasureInput, SavingsEvidence, Unit
from finops_site.ui.request_memo import request_memo
from usage.calc.facts import MONTH_HOURS
from usage.calc.proof import GAP_WORDS, Gap
from usage.calc.rules.base import Confidence
from usage.models import Evaluation, Finding, SavingMonth

ZERO = Decimal(0)
HOURS_A_DAY = 24


@dataclass(frozen=True, slots=True)
class Waste:
    """Of one currency: what all cost in an average month, what findings that are sure or likely would save of it, and
    how many findings have no known saving (they are in no sum)."""

    currency: str
    monthly_cost: Decimal
    saving: Decimal
    findings: int
    unknown: int

    @property
    def share(self) -> Decimal | None:
        return ratio(self.saving, self.monthly_cost) if self.monthly_cost > 0 else None


def newest_evaluation(as_of: date) -> Evaluation | None:
    """The newest run that is done, not after a day."""
    return Evaluation.objects.filter(state=Evaluation.State.DONE, as_of__lte=as_of).first()


def waste(user: Person, as_of: date) -> list[Waste]:
    """By currency, the dearest first; nothing before the first evaluation: not known is not zero.

    Findings that need a look are no waste yet, and neither is what was dismissed.
    """
    return request_memo(user, ("waste", as_of), lambda: _waste(user, as_of))


def _waste(user: Person, as_of: date) -> list[Waste]:
    run = newest_evaluation(as_of)
    if run is None or run.first_day is None or run.last_day is None:
        return []
    period = Period(run.first_day, run.last_day + timedelta(days=1))
    rows = DayRollup.objects.visible_to(user).charged_in(period).order_by()
    costs = dict(rows.values_list("currency").annotate(cost=Sum("effective_cost")))
    counted = Q(state__in=(*Finding.OPEN, Finding.State.SNOOZED)) & ~Q(confidence=Confidence.LOOK)
    findings = Finding.objects.visible_to(user).filter(counted).order_by()
    sums = {
        row["currency"]: row
        for row in findings.values("currency").annotate(
            saving=Sum("counted_saving"), n=Count("pk"), unknown=Count("pk", filter=Q(counted_saving=None))
        )
    }
    wasted = []
    for currency, cost in costs.items():
        if cost is not None:
            row = sums.get(currency, {})
            hours = Decimal(period.days * HOURS_A_DAY)
            monthly = EXACT.divide(EXACT.multiply(cost, Decimal(MONTH_HOURS)), hours)
            wasted.append(Waste(currency, monthly, row.get("saving") or ZERO, row.get("n", 0), row.get("unknown", 0)))
    return sorted(wasted, key=lambda one: -one.monthly_cost)


def waste_share_measure(user: Person, as_of: date) -> Measure | None:
    """The share of the cost that is waste, in the currency of most cost; unknown before the first evaluation."""
    wasted = waste(user, as_of)
    url = reverse("usage:overview")
    if not wasted:
        return Measure(None, Unit.PERCENT, None, Better.LOWER, _("Nothing was evaluated yet."), url)
    main = wasted[0]
    words = _("of the cost in {currency}, by findings that are certain or likely").format(currency=main.currency)
    inputs = (
        MeasureInput(_("Findings would save a month"), main.saving, url, Unit.MONEY, main.currency),
        MeasureInput(_("All cost, an average month"), main.monthly_cost, "/costs/", Unit.MONEY, main.currency),
        MeasureInput(_("Findings without a known saving"), Decimal(main.unknown), url),
    )
    return Measure(percent(main.share, 2), Unit.PERCENT, None, Better.LOWER, words, url, "", inputs)


def waste_found_measure(user: Person, as_of: date) -> Measure | None:
    """What findings would save a month, in the currency of most cost; unknown before the first evaluation."""
    wasted, url = waste(user, as_of), reverse("usage:findings")
    if not wasted:
        return Measure(None, Unit.MONEY, None, Better.LOWER, _("Nothing was evaluated yet."), url)
    main = wasted[0]
    inputs = (
        MeasureInput(_("Findings"), Decimal(main.findings), url),
        MeasureInput(_("Findings without a known saving"), Decimal(main.unknown), url),
    )
    words = _("a month, by findings that are certain or likely")
    return Measure(main.saving, Unit.MONEY, None, Better.LOWER, words, url, main.currency, inputs)


def removed_measure(user: Person, as_of: date) -> Measure | None:
    """What mended findings saved in their newest whole month, by the bill; unknown while no month is proved."""
    rows = SavingMonth.objects.visible_to(user).filter(month__lt=Month.of(as_of).start, amount__isnull=False)
    newest = rows.order_by("-month").values_list("month", flat=True).first()
    url = reverse("usage:proof")
    if newest is None:
        return Measure(None, Unit.MONEY, None, Better.HIGHER, _("No whole month proves a saving yet."), url)
    sums = rows.filter(month=newest).order_by().values("currency").annotate(saved=Sum("amount"), n=Count("pk"))
    main = max(sums, key=lambda row: row["saved"])
    words = _("saved in {month} by what was mended, as the bill shows").format(month=month_text(newest))
    inputs = (MeasureInput(_("Mended findings"), Decimal(main["n"]), url),)
    return Measure(main["saved"], Unit.MONEY, None, Better.HIGHER, words, url, main["currency"], inputs)


def saving_evidence(user: Person, as_of: date) -> Sequence[SavingsEvidence]:
    """What mended findings saved, month by month, for the realised savings of the programme; only what is known."""
    rows = SavingMonth.objects.visible_to(user).filter(month__lte=as_of, amount__isnull=False).exclude(amount=0)
    parents = team_parents()
    return [
        SavingsEvidence(
            Month.of(row.month),
            row.amount,
            row.currency,
            row.finding.resource_name or row.finding.resource,
            _("What it cost on demand before it was mended, less what it cost in the month: {gap}.").format(
                gap=_(GAP_WORDS[Gap(row.gap)])
            ),
            row.finding.get_absolute_url(),
            scope=frozenset({f"resource:{row.finding.resource}"}),
            within=frozenset({team_key(row.finding.owner_id)}) if row.finding.owner_id else scope_of(None, parents),
        )
        for row in rows.select_related("finding").order_by("month", "pk")
        if row.amount is not None
    ]
