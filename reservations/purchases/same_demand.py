"""Whether a purchase buys again what another request, or a commitment that is new, covers already.

Of other plans count the requests that this recommendation could not know of: what was approved before it was worked
out is taken off its demand already. The purchases of one plan are worked out together and fit beside each other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum
from django.utils.translation import gettext as _

from finops_site.lib.money import formatted
from finops_site.lib.periods import day_text
from finops_site.lib.words import some_of
from reservations.calc import purchase_rules
from reservations.calc.purchase_rules import CannotBuy
from reservations.calc.reach import Reach
from reservations.models import Commitment, Coverage, PurchaseRequest, Utilisation
from reservations.purchases.demand_and_prices import newest_period_of, use_a_day

ZERO, ONE, YEAR_DAYS = Decimal(0), Decimal(1), Decimal(365)
# Requests and approvals wait for each other, so that two of the same moment see each other.
LOCK = "purchases of the same demand"


class SameDemand(CannotBuy):
    """The demand is bought or requested already; `requests` are those that cover it."""

    def __init__(self, message: str, requests: Sequence[PurchaseRequest]) -> None:
        super().__init__(message)
        self.requests = list(requests)


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody else will cover, a day at on-demand prices, and who: a request, or an owned commitment."""

    reach: Reach
    a_day: Decimal
    words: str
    request: PurchaseRequest | None = None


def check_same_demand(row: PurchaseRequest) -> None:
    """Raises SameDemand where others cover so much of what this can cover that too little is left for it."""
    claims = [claim for claim in _claims(row) if _overlaps(claim.reach, row.reach)]
    if not claims:
        return
    use = use_a_day(row.currency)
    own = [one for one in use if row.reach.covers(one)]
    # Where coverage has no row of what both can cover (capacity units, cores), their own machines are compared.
    seen, unseen = [], []
    for claim in claims:
        if own and any(claim.reach.covers(one) for one in use):
            seen += [claim] if any(claim.reach.covers(one) for one in own) else []
        else:
            unseen += [claim] if _shares_machines(claim, row) else []
    claims = [*seen, *unseen]
    wanted = (row.on_demand_cost + sum((other.on_demand_cost for other in _siblings(row)), ZERO)) / YEAR_DAYS
    shares = [(claim, _share(claim, use)) for claim in seen]
    left = sum((_left(one, shares) for one in own), ZERO) - sum((claim.a_day for claim in unseen), ZERO)
    if not claims or (own and left >= wanted * (1 - purchase_rules.DEMAND_MAY_FALL)):
        return
    who = some_of([claim.words for claim in claims], 3, between="; ", last="; and ")
    code = row.currency
    amounts = (
        _("{max} {code} a day are left to cover, and this would cover {wanted}.").format(
            max=formatted(max(left, ZERO), code), code=code, wanted=formatted(wanted, code)
        )
        if own
        else _("No bill shows how much there is to cover.")
    )
    raise SameDemand(
        _(
            "The same machines would be bought twice: {who}. {amounts} Work out a new recommendation, "
            "which takes it off."
        ).format(who=who, amounts=amounts),
        [claim.request for claim in claims if claim.request],
    )


def blocking_requests(row: PurchaseRequest) -> tuple[str, list[PurchaseRequest]]:
    """(why it must not go on, the requests that keep it from it); empty where nothing does."""
    try:
        check_same_demand(row)
    except SameDemand as problem:
        return str(problem), problem.requests
    return "", []


def _claims(row: PurchaseRequest) -> Iterable[Claim]:
    """Of requests: before this one is approved all that are; afterwards those that were approved before it."""
    others = PurchaseRequest.objects.filter(state__in=purchase_rules.UNBILLED, currency=row.currency)
    others = others.exclude(pk=row.pk).select_related("team")
    if row.plan is not None:
        known = Q(approved_at__isnull=False, approved_at__lte=row.plan.created_at)
        others = others.exclude(Q(plan__isnull=False, plan=row.plan) | known)
    if row.approved_at:
        others = others.filter(approved_at__lt=row.approved_at)
    elif row.pk:
        others = others.exclude(state=purchase_rules.WAITING)
    for other in others.order_by("pk"):
        state = other.get_state_display()
        yield Claim(
            other.reach,
            other.on_demand_cost / YEAR_DAYS,
            _("request {other} is {state} and in no bill yet").format(other=other.pk, state=state),
            other,
        )
    yield from _new_commitments(row)


def _new_commitments(row: PurchaseRequest) -> Iterable[Claim]:
    """Commitments that the bills show since a few days only, and that this recommendation did not know: of the days
    before, the use looks as if nothing covered it."""
    period = newest_period_of(Coverage)
    if period is None or row.plan is None:
        return
    new = Commitment.objects.filter(first_seen__gt=period.start, created_at__gte=row.plan.created_at)
    for commitment in new.exclude(purchase__plan=row.plan).order_by("pk"):
        days = Utilisation.objects.filter(commitment=commitment, currency=row.currency).within(period)
        covered = days.aggregate(sum=Sum("on_demand"))["sum"] or ZERO
        count = days.values("day").distinct().count()
        if not count or commitment.first_seen is None:
            continue
        used = Coverage.objects.within(period)
        known, before = (
            rows.aggregate(n=Count("day", distinct=True))["n"]
            for rows in (used, used.filter(day__lt=commitment.first_seen))
        )
        share = Decimal(before) / known if known else ZERO
        yield Claim(
            commitment.reach,
            covered / count * share,
            _("{commitment} covers it since {first_seen}").format(
                commitment=commitment, first_seen=day_text(commitment.first_seen)
            ),
        )


def _siblings(row: PurchaseRequest) -> Iterable[PurchaseRequest]:
    """The other batches of the same purchase, which no bill shows yet."""
    same = PurchaseRequest.objects.filter(plan=row.plan, position=row.position, state__in=purchase_rules.UNBILLED)
    return same.exclude(pk=row.pk) if row.plan else same.none()


def _overlaps(one: Reach, other: Reach) -> bool:
    pairs = ((one.region, other.region), (one.family, other.family))
    services = one.services is None or other.services is None or not set(one.services).isdisjoint(other.services)
    return one.provider == other.provider and services and all(not a or not b or a == b for a, b in pairs)


def _shares_machines(claim: Claim, row: PurchaseRequest) -> bool:
    """Whether both can cover one of the machines that a request was made for; of what names none the reach decides."""
    others = claim.request.request_snapshot.get("pools") if claim.request else None
    own = row.request_snapshot.get("pools")
    return not own or not others or not set(own).isdisjoint(others)


def _share(claim: Claim, use: Iterable[dict[str, Any]]) -> Decimal:
    """The part that it will cover of all that it can; it takes the same part of each."""
    within_reach = sum((one["uncovered"] for one in use if claim.reach.covers(one)), ZERO)
    return min(claim.a_day / within_reach, ONE) if within_reach > 0 else ONE


def _left(one: dict[str, Any], shares: Iterable[tuple[Claim, Decimal]]) -> Decimal:
    taken = sum((share for claim, share in shares if claim.reach.covers(one)), ZERO)
    return Decimal(one["uncovered"]) * max(ONE - taken, ZERO)
