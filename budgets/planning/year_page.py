"""What pages about one year have in common."""

from collections.abc import Sequence
from functools import cached_property

from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from finops_site.lib.addresses import BadFilter
from finops_site.ui.pages import Page

FIRST, LAST = 1991, 2199


class YearPage(Page, TemplateView):
    """A page about one year: `?year=2026`, or the current one."""

    parameters: Sequence[str] = ("year",)

    def check_address(self) -> None:
        """Whoever saves amounts is refused too: they would be those of another year."""
        super().check_address()
        _ignored = self.year

    def this_year(self) -> int:
        return timezone.now().date().year

    @cached_property
    def year(self) -> int:
        """Raises BadFilter for what is no year."""
        text = self.request.GET.get("year", "")
        if not text:
            return self.this_year()
        is_year = text.isascii() and text.isdecimal() and len(text) == 4
        if not is_year or not FIRST <= int(text) <= LAST:
            raise BadFilter(
                _("{text!r} is no year here: write it like 2026, from {first} to {last}.").format(
                    text=text[:80], first=FIRST, last=LAST
                )
            )
        return int(text)
