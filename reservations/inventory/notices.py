"""What somebody must know in time: commitments that end soon, and those that a week used too little of."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone

from finops_site.lib.money import exact_text, formatted
from finops_site.lib.periods import Period
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import Membership, User
from finops_site.people.roles import FINANCE
from reservations.calc.discount_application import utilisation
from reservations.models import Commitment, Coverage, Notice

WARN_DAYS = (90, 60, 30, 7)
LOW = Decimal("0.80")
# AWS keeps this share of what a reservation sells for on its marketplace.
MARKETPLACE_FEE = Decimal("0.12")
MONTH_DAYS = Decimal(365) / 12
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Use:
    """Sums of a commitment's days in a period, in its own unit and its currency; `days` had any."""

    used: Decimal
    unused: Decimal
    paid: Decimal
    unused_cost: Decimal
    on_demand: Decimal | None
    days: int

    @property
    def share(self) -> Decimal | None:
        return utilisation(self.used, self.unused)

    def a_day(self, amount: Decimal) -> Decimal:
        return amount / self.days if self.days else ZERO


def use_of(commitment: Commitment, period: Period) -> Use:
    """How the period used it; a day without a row is a day the bill says nothing about."""
    rows = list(commitment.days.within(period).filter(currency=commitment.currency))
    listed = [row.on_demand for row in rows]
    return Use(
        sum((row.used for row in rows), ZERO),
        sum((row.unused for row in rows), ZERO),
        sum((row.paid for row in rows), ZERO),
        sum((row.unused_cost for row in rows), ZERO),
        None if not listed or None in listed else sum((each for each in listed if each), ZERO),
        len({row.day for row in rows}),
    )


def last(days: int, day: date) -> Period:
    """The `days` days before `day`."""
    return Period(day - timedelta(days=days), day)


def after_the_end(commitment: Commitment, day: date) -> dict[str, Any]:
    """What the bill does on the day it ends, from the last 30 days: per day, with and without it, and the rise."""
    found = use_of(commitment, last(30, day))
    with_it = found.a_day(found.paid)
    if found.on_demand is None or not found.days:
        return {"days": found.days, "with": with_it, "without": None, "rise": None}
    without = found.a_day(found.on_demand)
    return {"days": found.days, "with": with_it, "without": without, "rise": without - with_it}


def notice_expiries(day: date) -> list[Notice]:
    """Makes the notice that is due of every commitment that ends within 90 days: one for each of 90, 60, 30 and 7."""
    ending = Commitment.objects.filter(end__gt=day, end__lte=day + timedelta(days=max(WARN_DAYS)))
    made = [_expiry(each, day) for each in ending]
    return [notice for notice, fresh in made if fresh]


def _expiry(commitment: Commitment, day: date) -> tuple[Notice, bool]:
    left = (commitment.end - day).days  # type: ignore[operator]
    due = min(days for days in WARN_DAYS if days >= left)
    figures = after_the_end(commitment, day)
    return Notice.objects.get_or_create(
        commitment=commitment,
        kind=Notice.Kind.EXPIRY,
        about=commitment.end,
        days_before=due,
        defaults={"text": expiry_text(commitment, left, figures), "figures": _texts(figures)},
    )


def expiry_text(commitment: Commitment, left: int, figures: dict[str, Any]) -> str:
    code = commitment.currency
    said = f"{commitment} ends on {commitment.end}, in {left} days."
    if figures["rise"] is None:
        return f"{said} The bills of the last 30 days do not say what its usage would cost on demand."
    word = "rises" if figures["rise"] >= 0 else "falls"
    rise, now, then = (formatted(abs(figures[name]), code) for name in ("rise", "with", "without"))
    return f"{said} From that day the bill {word} by about {rise} {code} a day: from {now} to {then} on demand."


def _texts(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: exact_text(value) if isinstance(value, Decimal) else value for name, value in figures.items()}


def notice_low_weeks(day: date) -> list[Notice]:
    """Makes a notice of every commitment that the seven days before `day` used less than 80 per cent of."""
    week = last(7, day)
    watched = Commitment.objects.in_force(day).filter(days__day__gte=week.start, days__day__lt=week.end).distinct()
    made = [_low_week(each, week, day) for each in watched]
    return [notice for notice in made if notice]


def _low_week(commitment: Commitment, week: Period, day: date) -> Notice | None:
    found = use_of(commitment, week)
    if found.share is None or found.share >= LOW or found.days < 7:
        return None
    # A week is told once: the next notice is about a week that has no day of this one.
    said = commitment.notices.filter(kind=Notice.Kind.UTILISATION, about__gt=week.start - timedelta(days=7))
    if said.exists():
        return None
    code = commitment.currency
    text = (
        f"{commitment} was used to {found.share:.0%} in the week of {week.start}: "
        f"{formatted(found.unused_cost, code)} {code} were paid for nothing."
    )
    return Notice.objects.create(
        commitment=commitment,
        kind=Notice.Kind.UTILISATION,
        about=week.start,
        text=text,
        figures=_texts({"utilisation": found.share, "unused_cost": found.unused_cost, "days": found.days}),
        options=contingency(commitment, found, day),
    )


def contingency(commitment: Commitment, week: Use, day: date) -> list[dict[str, Any]]:
    """What can be done about it, each priced until the end: exchange, sell, move workloads, or wait."""
    months = commitment.months_left(day)
    idle = week.a_day(week.unused_cost)
    rest = idle * MONTH_DAYS * months if months is not None else None
    options = [_wait(commitment, week, rest, day), _move(commitment, idle, rest, day)]
    if commitment.kind == "ri_convertible":
        options.insert(0, _option("Exchange", rest, commitment, "the unused part for a type that runs on demand now"))
    if commitment.kind == "ri_standard" and months is not None and week.share is not None:
        options.insert(0, _sell(commitment, week.share, months, rest))
    return sorted(options, key=lambda each: -Decimal(each["saves"] or 0))


def _option(name: str, saves: Decimal | None, commitment: Commitment, working: str) -> dict[str, Any]:
    cents = None if saves is None else saves.quantize(Decimal("0.01"))
    return {"name": name, "saves": exact_text(cents), "currency": commitment.currency, "working": working}


def _sell(commitment: Commitment, share: Decimal, months: Decimal, rest: Decimal | None) -> dict[str, Any]:
    """The unused machines on the marketplace: what is left of their upfront fee, and what need not be paid any more."""
    term = Decimal(commitment.term_months or 12)
    upfront = (commitment.upfront or ZERO) * min(months / term, Decimal(1)) * (1 - share)
    recurring = (commitment.recurring_hourly or ZERO) * 730 * months * (1 - share)
    proceeds = upfront * (1 - MARKETPLACE_FEE)
    working = (
        f"{1 - share:.0%} of it, {months:.1f} months left: {proceeds:,.2f} for the upfront fee after the marketplace's "
        f"{MARKETPLACE_FEE:.0%}, and {recurring:,.2f} that need not be paid. AWS asks to have held it for 30 days."
    )
    known = commitment.upfront is not None or commitment.recurring_hourly is not None
    if not known:
        return _option("Sell", rest and rest * (1 - MARKETPLACE_FEE), commitment, "its fees are unknown: load its CSV")
    return _option("Sell", proceeds + recurring, commitment, working)


def _move(commitment: Commitment, idle: Decimal, rest: Decimal | None, day: date) -> dict[str, Any]:
    """Usage of the same family and region that runs on demand and could run on it."""
    rows = Coverage.objects.within(last(7, day)).filter(currency=commitment.currency)
    if commitment.instance_type:
        rows = rows.filter(family=commitment.instance_type.partition(".")[0])
    if commitment.region:
        rows = rows.filter(region=commitment.region)
    sums = rows.aggregate(eligible=Sum("eligible_cost"), covered=Sum("covered_cost"))
    uncovered = ((sums["eligible"] or ZERO) - (sums["covered"] or ZERO)) / 7
    share = min(Decimal(1), uncovered / idle) if idle else ZERO
    working = f"{uncovered:,.2f} a day run on demand where it applies, {idle:,.2f} of it stand idle"
    return _option("Move workloads", None if rest is None else rest * share, commitment, working)


def _wait(commitment: Commitment, week: Use, rest: Decimal | None, day: date) -> dict[str, Any]:
    """By the trend: the week before against this one."""
    before = use_of(commitment, last(7, day - timedelta(days=7))).share
    if before is None or week.share is None:
        return _option("Wait", ZERO, commitment, "there is no week before to compare with")
    word = "rising" if week.share > before else "falling" if week.share < before else "unchanged"
    cost = "" if rest is None else f"; unchanged it costs {rest:,.2f} until it ends"
    return _option("Wait", ZERO, commitment, f"{before:.0%} the week before, {week.share:.0%} now: {word}{cost}")


def send(notices: Iterable[Notice], now: datetime | None = None) -> int:
    """Posts each notice once, to finance and to the leads of the team that owns the commitment; returns how many."""
    at = now or timezone.now()
    return sum(_post(notice, at) for notice in notices)


@transaction.atomic
def _post(notice: Notice, now: datetime) -> bool:
    """The claim and the letters stand together or not at all; the outbox sends each letter once."""
    if not Notice.objects.filter(pk=notice.pk, sent_at=None).update(sent_at=now):
        return False
    for address in recipients(notice.commitment):
        message = make_message("commitment-notice", address, _context(notice))
        outbox.queue_email(f"commitment notice {notice.pk} to {address}", message, now=now)
    return True


def unsent() -> Any:
    return Notice.objects.filter(sent_at=None).select_related("commitment__owner").order_by("pk")


def recipients(commitment: Commitment) -> list[str]:
    finance = {user.email for user in User.objects.in_role(FINANCE)}
    leads = Membership.objects.filter(team=commitment.owner, role=Membership.Role.LEAD, user__is_active=True)
    return sorted(finance | set(leads.values_list("user__email", flat=True) if commitment.owner_id else ()))


def _context(notice: Notice) -> dict[str, Any]:
    url = absolute_url(reverse("reservations:commitment", args=[notice.commitment_id]))
    return {"notice": notice, "commitment": notice.commitment, "url": url}
