"""Notices that must come in time: of commitments that end soon, and of those that a week used too little of."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from finops_site.lib.money import exact_text, formatted
from finops_site.lib.periods import Period, day_text
from finops_site.lib.words import share_text
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import Membership, User
from finops_site.people.roles import FINANCE
from reservations.inventory.commitment_use import cost_after_end, days_before, use_of
from reservations.inventory.contingency import contingency
from reservations.models import Commitment, Notice

WARN_DAYS = (90, 60, 30, 7)
LOW = Decimal("0.80")
ZERO = Decimal(0)


def notice_expiries(day: date) -> list[Notice]:
    """Makes the notice that is due of every commitment that ends within 90 days: one for each of 90, 60, 30 and 7."""
    ending = Commitment.objects.filter(end__gt=day, end__lte=day + timedelta(days=max(WARN_DAYS)))
    notices = []
    for commitment in ending:
        end = cast(date, commitment.end)
        left = (end - day).days
        figures = cost_after_end(commitment, day)
        notice, is_new = Notice.objects.get_or_create(
            commitment=commitment,
            kind=Notice.Kind.EXPIRY,
            about=end,
            days_before=min(days for days in WARN_DAYS if days >= left),
            defaults={"text": expiry_text(commitment, left, figures), "figures": _as_text(figures)},
        )
        if is_new:
            notices.append(notice)
    return notices


def expiry_text(commitment: Commitment, left: int, figures: dict[str, Any]) -> str:
    code = commitment.currency
    ends = ngettext(
        "{commitment} ends on {end}, in {left} day.", "{commitment} ends on {end}, in {left} days.", left
    ).format(commitment=commitment, end=day_text(commitment.end), left=left)
    if figures["rise"] is None:
        return _("{ends} The bills of the last 30 days do not show what its usage would cost on demand.").format(
            ends=ends
        )
    rise, now, then = (formatted(abs(figures[name]), code) for name in ("rise", "with", "without"))
    text = _("{ends} From that day the bill rises by about {rise} {code} a day: from {now} to {then} on demand.")
    if figures["rise"] < 0:
        text = _("{ends} From that day the bill falls by about {rise} {code} a day: from {now} to {then} on demand.")
    return text.format(ends=ends, rise=rise, code=code, now=now, then=then)


def _as_text(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: exact_text(value) if isinstance(value, Decimal) else value for name, value in figures.items()}


def notice_low_weeks(day: date) -> list[Notice]:
    """Makes a notice of every commitment that the seven days before `day` used less than 80 per cent of."""
    week = days_before(7, day)
    watched = Commitment.objects.in_force(day).filter(days__day__gte=week.start, days__day__lt=week.end).distinct()
    notices = [_notice_low_week(commitment, week, day) for commitment in watched]
    return [notice for notice in notices if notice]


def _notice_low_week(commitment: Commitment, week: Period, day: date) -> Notice | None:
    use = use_of(commitment, week)
    if use.share is None or use.share >= LOW or use.days < 7:
        return None
    # One notice about a week: the next is about a week that has no day of this one.
    recent = commitment.notices.filter(kind=Notice.Kind.UTILISATION, about__gt=week.start - timedelta(days=7))
    if recent.exists():
        return None
    code = commitment.currency
    text = _(
        "{commitment} was used to {share} in the week of {start}: {unused_cost} {code} were paid for nothing."
    ).format(
        commitment=commitment,
        share=share_text(use.share),
        start=day_text(week.start),
        unused_cost=formatted(use.unused_cost, code),
        code=code,
    )
    return Notice.objects.create(
        commitment=commitment,
        kind=Notice.Kind.UTILISATION,
        about=week.start,
        text=text,
        figures=_as_text({"utilisation": use.share, "unused_cost": use.unused_cost, "days": use.days}),
        options=contingency(commitment, use, day),
    )


def send_notices(notices: Iterable[Notice], now: datetime | None = None) -> int:
    """Posts each notice once, to finance and to the leads of the team that owns the commitment; returns how many."""
    at = now or timezone.now()
    return sum(_post_notice(notice, at) for notice in notices)


@transaction.atomic
def _post_notice(notice: Notice, now: datetime) -> bool:
    """The claim and the emails are written together or not at all; the outbox sends each email once."""
    if not Notice.objects.filter(pk=notice.pk, sent_at=None).update(sent_at=now):
        return False
    url = absolute_url(reverse("reservations:commitment", args=[notice.commitment_id]))
    context = {"notice": notice, "commitment": notice.commitment, "url": url}
    for address in recipients(notice.commitment):
        message = make_message("commitment-notice", address, context)
        outbox.queue_email(f"commitment notice {notice.pk} to {address}", message, now=now)
    return True


def unsent_notices() -> QuerySet[Notice]:
    return Notice.objects.filter(sent_at=None).select_related("commitment__owner").order_by("pk")


def recipients(commitment: Commitment) -> list[str]:
    finance = {user.email for user in User.objects.in_role(FINANCE)}
    leads = Membership.objects.filter(team=commitment.owner, role=Membership.Role.LEAD, user__is_active=True)
    return sorted(finance | set(leads.values_list("user__email", flat=True) if commitment.owner_id else ()))
