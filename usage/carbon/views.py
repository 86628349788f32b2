"""The page of carbon: what providers state of the emissions of a month, by provider, team, service and region."""

from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from finops_site.lib.periods import Month
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import csv_download
from finops_site.ui.figures import month_text
from finops_site.ui.pages import Page
from usage.carbon.figures import Carbon

MOST_PLACES = 10


class CarbonPage(Page, TemplateView):
    permission_required = "usage.view_carbonmonth"
    title = _lazy("Carbon")
    template_name = "usage/carbon.html"
    parameters = ("month",)
    exports = ("csv",)

    @cached_property
    def carbon(self) -> Carbon:
        return Carbon(self.person)

    @cached_property
    def month(self) -> Month | None:
        """The month of the address where it is one that was delivered, else the newest."""
        wanted = self.request.GET.get("month", "")
        return next((month for month in self.carbon.months if str(month) == wanted), None) or self.carbon.newest

    def get_subtitle(self) -> str:
        if self.month is None or not self.carbon.rows:
            return _("What providers state of the emissions of what runs.")
        return _("What providers state of the emissions of {month}, in kilograms of CO2e.").format(
            month=month_text(self.month, "long")
        )

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("_export"):
            name = f"carbon-{self.month}" if self.month else "carbon"
            return csv_download(self.carbon.export_rows(self.month), name)
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        month, carbon = self.month, self.carbon
        # What is delivered of accounts that are not hers alone is the company's.
        is_of_others = bool(carbon.months) and not carbon.rows
        context: dict[str, Any] = {"month": month, "is_of_others": is_of_others}
        if month and carbon.rows:
            context |= {
                "providers": carbon.by_provider(month),
                "months": carbon.by_month(),
                "teams": carbon.by_team(month),
                "services": carbon.by_place(month, "service", MOST_PLACES),
                "regions": carbon.by_place(month, "region", MOST_PLACES),
            }
        return super().get_context_data(**{**context, **kwargs})
