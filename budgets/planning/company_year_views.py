"""The company's year: from which month on, in months or in weeks."""

from functools import cached_property
from typing import Any

from django import forms
from django.urls import reverse_lazy
from django.utils import timezone

from budgets.models import CompanyYear
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import FormPage


class CompanyYearForm(forms.ModelForm):
    class Meta:
        model = CompanyYear
        fields = ["first_month", "weeks", "first_weekday", "rule"]


class CompanyYearPage(FormPage):
    """What new budgets are offered, and the columns of the annual plan; budgets that exist keep their own calendar."""

    permission_required = "budgets.change_companyyear"
    form_class = CompanyYearForm
    template_name = "budgets/company_year.html"
    title = _lazy("Company year")
    subtitle = _lazy(
        "The columns of the annual plan, and what new budgets are offered. No budget that exists is cut anew."
    )
    breadcrumbs = ((_lazy("Budgets"), "budgets:budgets"), (_lazy("Annual plan"), "budgets:annual_plan"))
    success_message = _lazy("The company's year is saved.")
    success_url = reverse_lazy("budgets:company_year")
    cancel_url_name = "budgets:annual_plan"

    @cached_property
    def object(self) -> CompanyYear:
        return CompanyYear.load()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        calendar = CompanyYear.load().calendar
        year = calendar.year_of(timezone.now().date())
        context = {
            "calendar": calendar,
            "days": calendar.year(year),
            "quarters": list(enumerate(calendar.periods("quarter", year), 1)),
            "months": list(enumerate(calendar.months(year), 1)),
        }
        return super().get_context_data(**{**context, **kwargs})
