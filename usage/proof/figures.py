"""Figures of usage: what is wasted of the cost, what was removed, and the rows that the savings model counts."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.db.models import Count, Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from costs.query.known_until import books_are_whole
from finops_site.lib.money import percent
from finops_site.lib.periods import Month, last_months, month_text
from finops_site.lib.person import Person
from finops_site.people.savings_scopes import scope_of, team_key, team_parents
from finops_site.registry import Better, Measure, MeasureInput, SavingsEvidence, Unit
from finops_site.translation import gettext_lazy as _lazy
from finops_site.translation import text_lazy
from finops_site.ui.request_memo import request_memo
from usage.calc.proof import GAP_WORDS, Gap
from usage.models import Finding, SavingMonth
from usage.worklist.worklist_figures import WasteShare, newest_evaluation, waste_shares

NOT_EVALUATED, NO_WHOLE_MONTH = _lazy("Nothing was evaluated yet."), _lazy("No whole month proves a saving yet.")


def waste(user: Person, as_of: date) -> list[WasteShare]:
    """The share of waste by currency, the dearest first, as the overview shows it; asked once in a request.

    Nothing for a day before the newest evaluation: findings are those of now, and what they were then is not known.
    """
    newest = newest_evaluation()
    if newest is None or newest.as_of > as_of:
        return []
    return request_memo(user, "waste", lambda: waste_shares(user, newest))


def waste_share_measure(user: Person, as_of: date) -> Measure | None:
    """The share of the cost that is waste, in the currency of most cost; unknown before the first evaluation."""
    wasted = waste(user, as_of)
    url = reverse("usage:overview")
    if not wasted:
        return Measure(None, Unit.PERCENT, None, Better.LOWER, NOT_EVALUATED, url)
    main = wasted[0]
    words = text_lazy(
        lambda: _("of the cost of usage in {currency}, by findings that are certain or likely").format(
            currency=main.currency
        )
    )
    inputs = (
        MeasureInput(_("Findings would save a month"), main.waste, url, Unit.MONEY, main.currency),
        MeasureInput(_("Cost of usage, an average month"), main.cost, "/costs/", Unit.MONEY, main.currency),
        MeasureInput(_("Findings without a known saving"), Decimal(main.unknown), url),
    )
    return Measure(percent(main.share, 2), Unit.PERCENT, None, Better.LOWER, words, url, "", inputs)


def waste_found_measure(user: Person, as_of: date) -> Measure | None:
    """What findings would save a month, in the currency of most cost; unknown before the first evaluation."""
    wasted, url = waste(user, as_of), reverse("usage:findings")
    if not wasted:
        return Measure(None, Unit.MONEY, None, Better.LOWER, NOT_EVALUATED, url)
    main = wasted[0]
    inputs = (
        MeasureInput(_("Findings"), Decimal(main.findings), url),
        MeasureInput(_("Findings without a known saving"), Decimal(main.unknown), url),
    )
    words = text_lazy(lambda: _("a month, by findings that are certain or likely"))
    return Measure(main.waste, Unit.MONEY, None, Better.LOWER, words, url, main.currency, inputs)


def removed_measure(user: Person, as_of: date) -> Measure | None:
    """What mended findings saved in their newest whole month, by the bill; unknown while no month is proved."""
    rows = SavingMonth.objects.visible_to(user).filter(month__lt=Month.of(as_of).start, amount__isnull=False)
    newest = rows.order_by("-month").values_list("month", flat=True).first()
    url = reverse("usage:proof")
    if newest is None:
        return Measure(None, Unit.MONEY, None, Better.HIGHER, NO_WHOLE_MONTH, url)
    sums = rows.filter(month=newest).order_by().values("currency").annotate(saved=Sum("amount"), n=Count("pk"))
    main = max(sums, key=lambda row: row["saved"])
    words = text_lazy(
        lambda: _("saved in {month} by what was mended, as the bill shows").format(month=month_text(newest))
    )
    inputs = (MeasureInput(_("Mended findings"), Decimal(main["n"]), url),)
    return Measure(main["saved"], Unit.MONEY, None, Better.HIGHER, words, url, main["currency"], inputs)


def mended_nothing(user: Person, as_of: date) -> bool:
    """Whether usage is known to have saved nothing: no finding was mended by then, and the bills are whole."""
    mended = Finding.objects.visible_to(user).filter(mended_day__lte=as_of)
    knows_all = user.sees_whole_company and books_are_whole(user, last_months(12, as_of), as_of)
    return knows_all and not mended.exists()


def saving_evidence(user: Person, as_of: date) -> Sequence[SavingsEvidence]:
    """What mended findings saved, month by month, for the realised savings of the programme; only what is known."""
    rows = (
        SavingMonth.objects.visible_to(user)
        .filter(month__lt=Month.of(as_of).start, amount__isnull=False)
        .exclude(amount=0)
    )
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
