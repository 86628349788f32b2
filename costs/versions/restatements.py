"""What changed when a newer bill replaced an older one, and who should be notified."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import DecimalField, ExpressionWrapper, F, Max, Q, QuerySet, Sum, Value
from django.db.models.functions import Abs, Coalesce
from django.utils.translation import gettext as _

from costs.models import CostLine, DayRollup, Delivery, DeliveryMonth, RestatedCost, Restatement
from finops_site.lib.person import Person
from finops_site.models import Membership, Team, User
from finops_site.people.roles import FINANCE

ZERO = Value(Decimal(0), output_field=DecimalField(max_digits=38, decimal_places=18))

# Both versions of a month, in one pass over their day rollups: sums of the older one, of the newer one on the days the
# older one covers, and of the newer one on days after them.
INSERT = """
    INSERT INTO costs_restatedcost (restatement_id, service, sub_account, owner_id, pool_id, currency,
        billed_before, billed_after, billed_new, effective_before, effective_after, effective_new)
    SELECT * FROM (
        SELECT %(restatement)s::bigint, service, sub_account, owner_id, pool_id, currency,
            sum(billed_cost) FILTER (WHERE is_old) AS billed_before,
            sum(billed_cost) FILTER (WHERE NOT is_old AND charge_date <= %(until)s) AS billed_after,
            sum(billed_cost) FILTER (WHERE NOT is_old AND charge_date > %(until)s) AS billed_new,
            sum(effective_cost) FILTER (WHERE is_old) AS effective_before,
            sum(effective_cost) FILTER (WHERE NOT is_old AND charge_date <= %(until)s) AS effective_after,
            sum(effective_cost) FILTER (WHERE NOT is_old AND charge_date > %(until)s) AS effective_new
        FROM (SELECT *, delivery_month_id = ANY(%(old)s) AS is_old FROM costs_dayrollup
            WHERE delivery_month_id = ANY(%(old)s) OR delivery_month_id = ANY(%(new)s)) both_versions
        GROUP BY 1, 2, 3, 4, 5, 6
    ) sums
    WHERE billed_before IS DISTINCT FROM billed_after OR effective_before IS DISTINCT FROM effective_after
        OR billed_new IS NOT NULL OR effective_new IS NOT NULL
"""


def record_restatements(delivery: Delivery, months: Sequence[DeliveryMonth], replaced: Sequence[DeliveryMonth]) -> None:
    """Records what the months change in each older delivery of which they replace some; nothing if nothing changed."""
    older = {(row.delivery_id, row.billing_month) for row in replaced if row.delivery_id != delivery.pk}
    for restatement in delivery.restatements.all():
        # Recorded while the delivery was held: it counts beside that one now.
        if (restatement.replaced_id, restatement.billing_month) not in older:
            restatement.delete()
    for delivery_id, billing_month in sorted(older):
        old = [row.pk for row in replaced if (row.delivery_id, row.billing_month) == (delivery_id, billing_month)]
        new = [month.pk for month in months if month.billing_month == billing_month]
        until = DayRollup.objects.filter(delivery_month__in=old).aggregate(last=Max("charge_date"))["last"]
        restatement, _ignored = Restatement.objects.get_or_create(
            delivery=delivery, replaced_id=delivery_id, billing_month=billing_month, defaults={"covered_until": until}
        )
        restatement.costs.all().delete()
        with connection.cursor() as cursor:
            cursor.execute(INSERT, {"restatement": restatement.pk, "old": old, "new": new, "until": until})
            written = cursor.rowcount
        if not written:
            restatement.delete()


def _gap(kind: str) -> ExpressionWrapper:
    after, before = Coalesce(F(f"{kind}_after"), ZERO), Coalesce(F(f"{kind}_before"), ZERO)
    return ExpressionWrapper(after - before, output_field=DecimalField(max_digits=38, decimal_places=18))


def restated_costs(delivery: Delivery) -> QuerySet:
    """What the delivery changed, the largest difference first."""
    rows = RestatedCost.objects.filter(restatement__delivery=delivery).select_related(
        "owner", "pool", "restatement__replaced"
    )
    return rows.annotate(difference=_gap("billed"), effective_difference=_gap("effective")).order_by(
        Abs("difference").desc(), "id"
    )


def restatement_summary(delivery: Delivery) -> list[dict[str, Any]]:
    """For each month and currency: the differences on the days both bills cover, and the cost of new days."""
    rows = RestatedCost.objects.filter(restatement__delivery=delivery).order_by(
        "restatement__billing_month", "currency"
    )
    named = rows.values("restatement__billing_month", "restatement__replaced", "restatement__covered_until", "currency")
    sums = named.annotate(
        restated=Sum(_gap("billed")),
        restated_effective=Sum(_gap("effective")),
        new=Sum("billed_new"),
        new_effective=Sum("effective_new"),
    )
    return [{key.removeprefix("restatement__"): value for key, value in row.items()} for row in sums]


@dataclass(frozen=True, slots=True)
class PersonToNotify:
    """Somebody whom a restatement concerns, and why."""

    name: str
    email: str
    why: str


def people_to_notify(delivery: Delivery) -> list[PersonToNotify]:
    """Finance, and the leads of the teams whose cost of days already covered was changed."""
    changed = restated_costs(delivery).exclude(difference=0, effective_difference=0)
    if not changed.exists():
        return []
    teams = Team.objects.filter(pk__in=changed.exclude(owner=None).values("owner"))
    leads = Membership.objects.filter(team__in=teams, role=Membership.Role.LEAD).select_related("user", "team")
    finance = User.objects.in_role(FINANCE)
    return [PersonToNotify(str(user), user.email, "finance") for user in finance] + [
        PersonToNotify(str(lead.user), lead.user.email, _("leads {team}").format(team=lead.team))
        for lead in leads
        if lead.user.is_active
    ]


def corrections(user: Person) -> QuerySet:
    """Charges invoiced in a later month than the one they belong to: adjustments of months that had been invoiced.

    Summed by the two months, service, account and team, the latest invoice first.
    """
    late = Q(charge_class="Correction") | Q(charge_date__lt=F("billing_month"))
    rows = CostLine.objects.visible_to(user).filter(late).order_by()
    named = rows.values(
        "billing_month", "charge_date__year", "charge_date__month", "service", "sub_account", "currency"
    )
    sums = named.annotate(
        team=F("owner__name"), pool_name=F("pool__name"), billed=Sum("billed_cost"), effective=Sum("effective_cost")
    )
    return sums.order_by("-billing_month", "-charge_date__year", "-charge_date__month", "service", "sub_account")
