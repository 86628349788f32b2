"""The worklist of resources to fix, and one resource with its tags, cost and exceptions."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.db.models import Count, F, Max, Min, QuerySet, Sum
from django.http import Http404
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from costs.models import CostLine
from costs.query.known_until import KnownDays
from costs.web.links import group_filters, lines_url
from finops_site.lib import charts
from finops_site.lib.addresses import BadFilter
from finops_site.lib.periods import Month, Period, short_day_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import month_text
from finops_site.ui.filters import filter_names, many_names
from finops_site.ui.pages import Action, Empty, ListPage
from finops_site.ui.tables import total_rows
from tagging.models import TagException, TaggedResource
from tagging.models.policy import TaggedResourceQuerySet
from tagging.policy import compliance_figures
from tagging.policy.compliance_page import ComplianceMonthPage
from tagging.policy.explanations import Explainer
from tagging.policy.filters import ResourceFilter
from tagging.policy.tables import EXCEPTION_STATES, ResourceTable


class ResourcesPage(ComplianceMonthPage, ListPage):
    parameters = filter_names(ResourceFilter)
    many_parameters = many_names(ResourceFilter)
    permission_required = "costs.view_costline"
    model = TaggedResource
    title = _lazy("Resources to fix")
    table_class = ResourceTable
    orderings = ("-cost",)
    per_page = 25
    template_name = "tagging/resources.html"
    fragment_template_name = "tagging/resources_list.html"
    breadcrumbs = ((_lazy("Tag compliance"), "tagging:overview"),)
    export_name = "tag-resources"
    empty = Empty(
        _lazy("Nothing to fix"),
        _lazy("Every resource of this month that can carry tags complies or is excepted."),
        "circle-check",
        Action(_lazy("Tag compliance"), "tagging:overview", "tags"),
    )

    def get_queryset(self) -> TaggedResourceQuerySet:
        return TaggedResource.objects.visible_to(self.person).select_related("owner", "pool", "tag_set", "verdict")

    @cached_property
    def filterset(self) -> ResourceFilter:
        return ResourceFilter(self.request.GET, queryset=self.get_queryset(), request=self.request, today=self.today)

    @cached_property
    def known(self) -> KnownDays | None:
        """Of what the filters leave."""
        if self.month is None or not self.filterset.is_valid():
            return None
        names = ("team", "account", "service", "provider")
        filters = {name: values for name in names if (values := self.request.GET.getlist(name))}
        return compliance_figures.known_of_month(self.person, self.month, self.today, filters)

    def get_subtitle(self) -> str:
        month = (
            _("{month_text}, by charge day").format(month_text=month_text(self.month, "long"))
            if self.month
            else _("No month is computed yet")
        )
        return _("{month}. The most expensive first, each with its last tags.").format(month=month)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        by_currency = self.rows.order_by().values("currency").annotate(cost=Sum("cost"), n=Count("pk"))
        sums = list(by_currency.values_list("currency", "cost", "n"))
        context = {
            "sums": total_rows({code: {"cost": amount} for code, amount, _ignored in sums}),
            "count": sum(n for _ignored, _ignored, n in sums),
            "month": self.month,
            "stale": self.is_stale,
        }
        return super().get_context_data(**{**context, **kwargs})


class ResourcePage(ComplianceMonthPage, TemplateView):
    permission_required = "costs.view_costline"
    template_name = "tagging/resource.html"
    breadcrumbs = ((_lazy("Tag compliance"), "tagging:overview"), (_lazy("Resources to fix"), "tagging:resources"))

    @cached_property
    def rows(self) -> list[TaggedResource]:
        """The resource in every month that the person may see, the latest first."""
        visible = TaggedResource.objects.visible_to(self.person).filter(key=self.kwargs["key"])
        related = visible.select_related("owner", "pool", "tag_set__delivered", "verdict")
        rows = list(related.order_by("-charge_month", "-last_day", "-id"))
        if not rows:
            raise Http404
        return rows

    @cached_property
    def month_rows(self) -> list[TaggedResource]:
        """Its rows of the month shown: one for each owner and currency."""
        month = self.request.GET.get("month", "")
        if month:
            return [row for row in self.rows if str(Month.of(row.charge_month)) == month]
        return [row for row in self.rows if row.charge_month == self.rows[0].charge_month]

    def check_address(self) -> None:
        # Somebody else's resource is not found, before anything else is said of it.
        _ignored = self.rows
        super().check_address()
        if not self.month_rows:
            raise BadFilter(_("This resource has no charges in {month}.").format(month=month_text(self.month, "long")))

    @property
    def row(self) -> TaggedResource:
        return self.month_rows[0]

    def get_title(self) -> str:
        return self.row.resource_name or self.row.resource.rsplit("/", 1)[-1]

    def get_subtitle(self) -> str:
        parts = [self.row.service, self.row.resource_type, self.row.region]
        return ", ".join(part for part in parts if part)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        month = Month.of(self.row.charge_month)
        statuses = Explainer().statuses(self.row)
        days = self._days(month)
        row_now = TaggedResource.objects.filter(pk=self.row.pk).with_state(self.today)
        exceptions = TagException.objects.visible_to(self.person).filter(resource_key=self.row.key)
        context = {
            "row": self.row,
            "month_rows": self.month_rows,
            "month": month,
            "statuses": statuses,
            "wrong": [status for status in statuses if status.required and status.todo],
            "state": row_now.values_list("state", flat=True).get(),
            # The tags as the bill has them, without those we laid over them, which stand apart.
            "delivered": (self.row.tag_set.delivered or self.row.tag_set).tags if self.row.tag_set else {},
            "virtual": self.row.tag_set.virtual if self.row.tag_set else {},
            "days": days,
            "charts": [self._chart(days, code) for code in sorted({day["currency"] for day in days})],
            "lines_url": lines_url(month.period, group_filters(("resource",), [self.row.resource])),
            "sets": self._tag_sets(month),
            "months": [(row, Month.of(row.charge_month)) for row in self.rows],
            "exceptions": [
                {"row": exception, "state": EXCEPTION_STATES[exception.state_on(self.today)]}
                for exception in exceptions.select_related("owner", "decided_by")
            ],
            "may_except": self.person.has_perm("tagging.add_tagexception"),
        }
        return super().get_context_data(**{**context, **kwargs})

    def _lines(self, month: Month) -> QuerySet[CostLine]:
        lines = CostLine.objects.visible_to(self.person).charged_in(month.period).of_resources([self.row.resource])
        return lines.filter(provider=self.row.provider, sub_account=self.row.sub_account)

    def _days(self, month: Month) -> list[dict[str, Any]]:
        """Its cost of each day and currency, with the address of the cost lines behind it."""
        sums = {"billed_cost": Sum("billed_cost"), "effective_cost": Sum("effective_cost")}
        days = self._lines(month).order_by("charge_date").values("currency", day=F("charge_date")).annotate(**sums)
        resource = group_filters(("resource",), [self.row.resource])
        return [{**day, "url": lines_url(Period(day["day"], day["day"] + timedelta(days=1)), resource)} for day in days]

    def _chart(self, days: list[dict[str, Any]], code: str) -> dict[str, Any]:
        days = [day for day in days if day["currency"] == code]
        return {
            "id": f"by-day-{code.lower()}",
            "kind": "bar",
            "title": _("Effective cost by day, {code}").format(code=code),
            "categories": [short_day_text(day["day"]) for day in days],
            "series": [charts.series(_("Effective cost"), [day["effective_cost"] for day in days])],
            "currency": code,
            "table_id": "days",
        }

    def _tag_sets(self, month: Month) -> list[Mapping[str, object]]:
        """The sets of tags it carried in the month, with their days."""
        sets = self._lines(month).order_by().values("tag_set", tags=F("tag_set__tags"))
        spans = sets.annotate(first=Min("charge_date"), last=Max("charge_date"), cost=Sum("effective_cost"))
        return list(spans.order_by("first", "last", "tag_set"))
