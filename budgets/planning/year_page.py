"""What pages about one year have in common."""

from functools import cached_property

from django.utils import timezone
from django.views.generic import TemplateView

from finops_site.ui.pages import Page


class YearPage(Page, TemplateView):
    """A page about one year: `?year=2026`, or the current one."""

    @cached_property
    def year(self) -> int:
        text = self.request.GET.get("year", "")
        return int(text) if text.isdecimal() and 1990 < int(text) < 2200 else timezone.now().date().year
