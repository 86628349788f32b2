"""What reports say of usage: what could be saved, what was mended, and what the bills prove of it."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from finops_site.lib import charts
from finops_site.lib.money import formatted
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.ui.figures import month_text, percent_text
from usage.models import Finding, SavingMonth
from usage.proof.figures import waste


def usage_report(user: Person, month: Month) -> dict[str, Any] | None:
    """The section of the monthly report; None where nothing was evaluated yet."""
    return usage_of_period(user, month.period, month.period.last_day)


def usage_of_period(user: Person, period: Period, today: date) -> dict[str, Any] | None:
    """The section of a review: waste as the newest evaluation sees it, and what was saved in the period."""
    wasted = waste(user, today)
    saved = SavingMonth.objects.visible_to(user).filter(month__gte=period.start, month__lt=period.end)
    sums = saved.filter(amount__isnull=False).order_by().values("currency")
    rows = list(sums.annotate(saved=Sum("amount"), promised=Sum("promised"), n=Count("finding", distinct=True)))
    if not wasted and not rows:
        return None
    sentences = [_waste_text(one) for one in wasted if one.findings]
    sentences += [
        ngettext(
            "{count} mended finding saved {saved} of {promised} promised, by the bills.",
            "{count} mended findings saved {saved} of {promised} promised, by the bills.",
            row["n"],
        ).format(
            count=row["n"],
            saved=f"{formatted(row['saved'], row['currency'])} {row['currency']}",
            promised=f"{formatted(row['promised'] or Decimal(0), row['currency'])} {row['currency']}",
        )
        for row in rows
    ]
    unproved = saved.filter(amount=None).values("finding").distinct().count()
    if unproved:
        sentences.append(
            ngettext(
                "Of {count} more it is not known what it saved.",
                "Of {count} more it is not known what they saved.",
                unproved,
            ).format(count=unproved)
        )
    return {
        "text": sentences or [_("Nothing that could cost less is open.")],
        "charts": [_chart(saved, rows[0]["currency"])] if rows else [],
        "links": [
            (_("What could cost less"), reverse("usage:overview")),
            (_("What was saved"), reverse("usage:proof")),
        ],
        "brief": {"text": sentences[:2]},
    }


def _waste_text(one: Any) -> str:
    text = _("{share} of the cost of usage in {currency} is waste: {saving} a month, in {count} findings.").format(
        share=percent_text(one.share) or "—",
        currency=one.currency,
        saving=f"{formatted(one.waste, one.currency)} {one.currency}" if one.waste is not None else _("not known"),
        count=one.findings,
    )
    if one.unknown:
        text += " " + _("Of {count} of them the saving is not known and not counted.").format(count=one.unknown)
    return text


def _chart(rows: Any, code: str) -> dict[str, Any]:
    months = list(
        rows.filter(currency=code)
        .order_by("month")
        .values("month")
        .annotate(saved=Sum("amount"), together=Sum("promised", filter=Q(amount__isnull=False)))
    )
    return {
        "id": f"usage-saved-{code.lower()}",
        "kind": "bar",
        "title": _("Promised and proved by bills, {currency}").format(currency=code),
        "categories": [month_text(row["month"]) for row in months],
        "series": [
            charts.series(_("Promised"), [row["together"] for row in months], tone="calm"),
            charts.series(_("Proved"), [row["saved"] for row in months], tone="good"),
        ],
        "currency": code,
    }


def mended_without_proof(user: Person) -> int:
    """How many mended findings wait for their first whole month."""
    return Finding.objects.visible_to(user).filter(state=Finding.State.MENDED, saving_months=None).count()
