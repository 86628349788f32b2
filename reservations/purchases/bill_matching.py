"""What was bought, found in the bills by the id that the provider gave it."""

from datetime import datetime
from functools import reduce
from operator import or_

from django.db import transaction
from django.db.models import Q

from reservations.calc import purchase_rules
from reservations.models import Commitment, PurchaseRequest
from reservations.purchases.purchase_events import change_state


@transaction.atomic
def match_purchases_with_bills(now: datetime) -> int:
    """Ties what was bought to the commitment that a bill shows under its id; returns how many matched."""
    matched = 0
    bought = PurchaseRequest.objects.select_for_update().filter(state=purchase_rules.BOUGHT, commitment=None)
    for row in bought.exclude(reference=""):
        # An ARN ends with the id, after a slash (EC2, savings plans) or a colon (databases, caches).
        ends = [Q(commitment_id__endswith=f"{mark}{row.reference}") for mark in "/:"]
        by_id = reduce(or_, ends, Q(commitment_id=row.reference))
        candidates = Commitment.objects.filter(by_id, first_seen__isnull=False, purchase=None)[:2]
        if len(candidates) == 1:
            row.commitment = candidates[0]
            change_state(row, "find", None, f"First seen in the bill of {row.commitment.first_seen}.", now)
            matched += 1
    return matched
