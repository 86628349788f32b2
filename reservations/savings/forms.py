"""The filters of the savings ledger."""

from typing import Any

import django_filters

from reservations.calc.realised_savings import REASON_NAMES as REASON_NAMES
from reservations.models import LedgerMonth, PurchaseRequest


class LedgerFilter(django_filters.FilterSet):
    month = django_filters.DateFromToRangeFilter(label="Month")
    request = django_filters.ModelMultipleChoiceFilter(
        label="Purchase", queryset=lambda request: _purchases(request), field_name="request"
    )
    reason = django_filters.MultipleChoiceFilter(label="Mostly missing for", choices=list(REASON_NAMES.items()))

    class Meta:
        model = LedgerMonth
        fields: list[str] = []


def _purchases(request: Any) -> Any:
    if request is None:
        return PurchaseRequest.objects.none()
    return PurchaseRequest.objects.visible_to(request.user).filter(months__isnull=False).distinct()
