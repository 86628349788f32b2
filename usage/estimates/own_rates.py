"""What a unit of something costs this company: effective cost on demand by quantity, in the newest whole month."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.db.models import Case, Q, Sum, Value, When

from costs.models import CostLine, MonthRollup
from costs.query.known_until import delivered_bills, is_month_known
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month
from finops_site.lib.person import WholeCompany
from usage.calc.estimate_prices import PLACES, OwnRate
from usage.calc.estimate_text import AMOUNT_A_MONTH, HOURS, PricedItem

HOUR_UNIT, GIGABYTE_UNIT = r"^(h|hr|hrs|hour|hours|1 hour)$", r"^(gb|gib|gigabyte)[- ]?(mo|month|months)"
MOST_BACK = 3
# What a line says that it runs: licences cost more than the machine.
SYSTEM = Case(
    When(instance_type__regex=r"^(db|cache)[.]", then=Value("")),
    When(charge_description__icontains="windows", then=Value("windows")),
    When(charge_description__iregex=r"rhel|red hat", then=Value("rhel")),
    When(charge_description__icontains="suse", then=Value("suse")),
    default=Value("linux"),
)


def newest_whole_month(today: date) -> Month | None:
    """The newest month that is over and that bills know to its end; None where none of the last three is."""
    bills = delivered_bills(WholeCompany(), today)
    months = [Month.of(today).plus(-back) for back in range(1, MOST_BACK + 1)]
    return next((month for month in months if is_month_known(bills, month, today)), None)


def own_rates(items: Sequence[PricedItem], month: Month) -> list[OwnRate]:
    """The company's own rates of these items in a whole month, in the currencies of its bills.

    Of what a commitment covers the price is the commitment's, and of spot it is the hour's: neither is a rate for more.
    """
    machines = sorted({item.item for item in items if item.unit == HOURS})
    stores = sorted({item.item for item in items if item.unit == AMOUNT_A_MONTH})
    lines = CostLine.objects.current().charged_in(month.period).filter(charge_category="Usage", quantity__gt=0)
    lines = lines.filter(pricing_category__in=("Standard", ""), effective_cost__gt=0).order_by()
    rates = []
    if machines:
        of_hours = lines.filter(instance_type__in=machines, unit__iregex=HOUR_UNIT).annotate(system=SYSTEM)
        for row in of_hours.values("instance_type", "region", "currency", "system").annotate(
            cost=Sum("effective_cost"), used=Sum("quantity")
        ):
            rates.append(_rate(row["instance_type"], row, HOURS, row["system"]))
    for store in stores:
        of_store = lines.filter(Q(charge_description__iregex=rf"\m{_plain(store)}\M"), unit__iregex=GIGABYTE_UNIT)
        for row in of_store.values("region", "currency").annotate(cost=Sum("effective_cost"), used=Sum("quantity")):
            rates.append(_rate(store, row, AMOUNT_A_MONTH))
    return rates


def _rate(item: str, row: dict, unit: str, system: str = "") -> OwnRate:
    price = EXACT.divide(row["cost"], row["used"]).quantize(PLACES)
    return OwnRate(item, row["region"], unit, price, row["currency"], system)


def _plain(text: str) -> str:
    """A text for a regular expression of PostgreSQL."""
    return "".join(sign if sign.isalnum() else f"[{sign}]" if sign in ".-_" else "." for sign in text)


def usual_region(month: Month) -> str:
    """The region where the company spends most in a whole month; empty where no bill names one."""
    rows = MonthRollup.objects.current().filter(charge_month=month.start).exclude(region__in=("", "global"))
    largest = rows.order_by().values("region").annotate(cost=Sum("effective_cost"))
    first = largest.order_by("-cost").first()
    return first["region"] if first and first["cost"] not in (None, Decimal(0)) else ""
