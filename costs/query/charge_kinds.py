"""What kind of charge a cost line is: the FOCUS charge category, and within it what people leave out of a budget.

The first that fits, in this order: tax, credit, adjustment (a refund, a discount of a contract, or the correction of an
earlier invoice), support, Marketplace, the purchase of a commitment; else the charge category. Support and Marketplace
are known as far as the bill's service, or service category, names them.
"""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from django.db.models import Case, F, Q, TextField, Value, When

from costs.calc.charge_kinds import ADJUSTMENT, COMMITMENT, CREDIT, MARKETPLACE, PURCHASE, SUPPORT, TAX

# The index `costline_left_out` finds the lines of ADJUSTMENT and COMMITMENT.
KINDS = {
    TAX: Q(charge_category=TAX),
    CREDIT: Q(charge_category=CREDIT),
    ADJUSTMENT: Q(charge_category__in=[ADJUSTMENT, "Refund"]) | Q(charge_class="Correction"),
    SUPPORT: Q(service__icontains="support"),
    MARKETPLACE: Q(service__icontains="marketplace") | Q(service_category__icontains="marketplace"),
    COMMITMENT: Q(charge_category=PURCHASE) & ~Q(commitment=""),
}
# Those that come first, and that the charge category alone tells: any table of cost that has it knows them.
KINDS_OF_CATEGORY = {TAX, CREDIT}


def kind_of_charge() -> Case:
    """The kind as a value of a row."""
    whens = [When(condition, then=Value(kind)) for kind, condition in KINDS.items()]
    return Case(*whens, default=F("charge_category"), output_field=TextField())


def of_kinds(kinds: Sequence[str]) -> Q:
    """Rows of any of these kinds, each without those that an earlier kind takes."""
    chosen = [_only(kind) for kind in KINDS if kind in kinds]
    rest = [kind for kind in kinds if kind not in KINDS]
    if rest:
        chosen.append(Q(charge_category__in=rest) & ~reduce(or_, KINDS.values()))
    return reduce(or_, chosen, Q(pk__in=[]))


def _only(kind: str) -> Q:
    earlier = list(KINDS)[: list(KINDS).index(kind)]
    return KINDS[kind] & ~reduce(or_, (KINDS[name] for name in earlier)) if earlier else KINDS[kind]
