"""What the pages of one billing month of chargeback share."""

from functools import cached_property
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone

from costs.query.known_until import KnownDays
from finops_site.lib.periods import Month
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Page
from tagging.chargeback.periods import known_of_month, period_summary
from tagging.models import ChargebackPeriod

BREADCRUMBS = ((_lazy("Chargeback"), "tagging:chargeback"),)


class PeriodPage(Page):
    """A page about one billing month of chargeback; a month without one is 404."""

    kwargs: dict[str, Any]
    permission_required = "tagging.view_statement"
    breadcrumbs = BREADCRUMBS

    @cached_property
    def period(self) -> ChargebackPeriod:
        try:
            start = Month.parse(self.kwargs["month"]).start
        except ValueError:
            raise Http404("no such month") from None
        return get_object_or_404(
            ChargebackPeriod.objects.select_related("closed_by", "set_aside_by"), billing_month=start
        )

    @cached_property
    def known(self) -> KnownDays:
        """What the bills know of the month, of what the person may see."""
        return known_of_month(self.person, self.period, timezone.now().date())

    @property
    def period_summary(self) -> str:
        """The state, basis and discounts of the month, for the line under a title."""
        return period_summary(self.period)
