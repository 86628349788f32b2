"""What the pages of ownership share: where they stand, and a page about one month."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.utils import timezone

from costs.query import latest_month
from finops_site.lib.periods import Month
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Page

BREADCRUMBS = ((_lazy("Ownership"), "tagging:ownership"),)


class OwnershipMonthPage(Page):
    """A page about one month of use: the latest that has cost, unless the address names another."""

    parameters: Sequence[str] = ("month",)

    @cached_property
    def month(self) -> Month:
        try:
            return Month.parse(self.request.GET.get("month", ""))
        except ValueError:
            return self._latest

    @cached_property
    def _latest(self) -> Month:
        return latest_month.month(self.person, timezone.now().date())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        months = [self._latest.plus(-back) for back in range(13)]
        return super().get_context_data(month=self.month, months=months, **kwargs)
