"""The base of pages about compliance in one charge month, and the address of the resources behind a figure."""

from collections.abc import Sequence
from datetime import date
from functools import cached_property
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from costs.query.known_until import KnownDays
from finops_site.lib.periods import Month
from finops_site.ui.pages import Page
from tagging.policy import compliance, compliance_figures


def worklist_url(month: Month, **filters: object) -> str:
    """The resources behind a figure."""
    return f"{reverse('tagging:resources')}?{urlencode({'month': month, **filters}, doseq=True)}"


class ComplianceMonthPage(Page):
    """A page about one charge month: the one chosen, or the latest that is computed."""

    parameters: Sequence[str] = ("month",)

    def check_address(self) -> None:
        super().check_address()
        _ = self.month

    @cached_property
    def today(self) -> date:
        return timezone.now().date()

    @cached_property
    def month(self) -> Month | None:
        return compliance_figures.chosen_month(self.request.GET.get("month", ""), self.today)

    @cached_property
    def known(self) -> KnownDays | None:
        """What the bills know of the month: resources of days that are not delivered are not counted yet."""
        return compliance_figures.known_of_month(self.person, self.month, self.today) if self.month else None

    @property
    def is_stale(self) -> bool:
        """Whether the bills or the policy have changed since; new figures come within minutes."""
        stale = compliance.stale_months()
        return self.month in stale if self.month else bool(stale)
