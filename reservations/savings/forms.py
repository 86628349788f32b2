"""The filters of the savings ledger."""

from typing import cast

import django_filters
from django.http import HttpRequest

from finops_site.people.signed_in import signed_in_user
from finops_site.translation import gettext_lazy as _lazy
from reservations.calc.realised_savings import REASON_NAMES as REASON_NAMES
from reservations.models import LedgerMonth, PurchaseRequest
from reservations.querysets import PurchaseQuerySet


def ledger_purchases(request: HttpRequest | None) -> PurchaseQuerySet:
    """The purchases with lines in the ledger that the filter of this request offers."""
    if request is None:
        return PurchaseRequest.objects.none()
    rows = PurchaseRequest.objects.visible_to(signed_in_user(request))
    return cast(PurchaseQuerySet, rows.filter(months__isnull=False).distinct())


class LedgerFilter(django_filters.FilterSet):
    month = django_filters.DateFromToRangeFilter(label=_lazy("Month"))
    request = django_filters.ModelMultipleChoiceFilter(
        label=_lazy("Purchase"), queryset=ledger_purchases, field_name="request"
    )
    reason = django_filters.MultipleChoiceFilter(
        label=_lazy("Mostly missing for"), choices=[(name, _lazy(label)) for name, label in REASON_NAMES.items()]
    )

    class Meta:
        model = LedgerMonth
        fields: list[str] = []
