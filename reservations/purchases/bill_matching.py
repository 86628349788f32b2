"""What was bought, found in the bills by the id that the provider gave it."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from reservations.calc import purchase_rules
from reservations.calc.terms import is_same_id
from reservations.models import Commitment, PurchaseRequest
from reservations.purchases.purchase_events import change_state


@transaction.atomic
def match_purchases_with_bills(now: datetime) -> int:
    """Ties what was bought to the commitment that a bill shows under its id; returns how many matched."""
    matched = 0
    bought = PurchaseRequest.objects.select_for_update().filter(state=purchase_rules.BOUGHT, commitment=None)
    for row in bought.exclude(reference=""):
        alike = Commitment.objects.filter(
            commitment_id__iendswith=row.reference, first_seen__isnull=False, purchase=None
        )
        candidates = [one for one in alike if is_same_id(one.commitment_id, row.reference)]
        if len(candidates) == 1:
            row.commitment = candidates[0]
            change_state(
                row,
                "find",
                None,
                _("First seen in the bill of {first_seen}.").format(first_seen=row.commitment.first_seen),
                now,
            )
            matched += 1
    return matched
