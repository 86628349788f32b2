"""Tag compliance: how much complies, what to fix, and one resource with its tags."""

from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import chain
from typing import Any
from urllib.parse import urlencode

from django.db.models import F, Max, Min, Sum
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.generic import TemplateView

from costs.models import CostLine
from costs.query.spend import NOBODY
from costs.web.views.teams import lines_url
from finops_site.lib import charts
from finops_site.lib.money import percent
from finops_site.lib.periods import Month
from finops_site.ui.downloads import csv_download
from finops_site.ui.figures import month_text, percent_text
from finops_site.ui.pages import Action, Empty, ListPage, Page
from finops_site.ui.tables import total_rows
from tagging.calc.tag_policy import State
from tagging.models import TagException, TaggedResource
from tagging.policy import compliance, compliance_figures
from tagging.policy.compliance_figures import COMPLIANT, EXCEPTED, TARGET, WRONG, Tally
from tagging.policy.explanations import WORDS, Explainer
from tagging.policy.filters import ResourceFilter
from tagging.policy.tables import EXCEPTION_STATES, ResourceTable

GROUPS = [("team", "team"), ("account", "account"), ("service", "service")]
HUNDRED = Decimal(100)
NOTHING = Empty(
    "No resources yet",
    "A loaded bill brings them: each resource of it is checked against the tag policy within minutes.",
    "tags",
    Action("Upload a bill", "costs:delivery_upload", "upload", "costs.add_delivery"),
)


def worklist_url(month: Month, **wanted: Any) -> str:
    """The resources behind a figure."""
    return f"{reverse('tagging:resources')}?{urlencode({'month': month, **wanted}, doseq=True)}"


class MonthPage(Page):
    """A page about one charge month: the one asked for, or the latest that is worked out."""

    @cached_property
    def today(self) -> date:
        return timezone.now().date()

    @cached_property
    def month(self) -> Month | None:
        return compliance_figures.month_for(self.request.GET.get("month", ""), self.today)

    @property
    def is_stale(self) -> bool:
        """Whether the figures are of books or a policy before today's; new ones come within minutes."""
        stale = compliance.stale_months()
        return self.month in stale if self.month else bool(stale)


class Overview(MonthPage, TemplateView):
    permission_required = "costs.view_costline"
    title = "Tag compliance"
    template_name = "tagging/overview.html"
    actions = (
        Action("Tag policy", "tagging:policy", "clipboard-check", "tagging.view_tagrequirement"),
        Action("Resources to fix", "tagging:resources", "list-details", primary=True),
    )

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        part = {"tag": self._tag_csv, "group": self._group_csv, "course": self._course_csv}.get(
            request.GET.get("_export", "")
        )
        if part and self.month:
            head, found = part()
            return csv_download(chain([head], found), f"tag-compliance-{request.GET['_export']}-{self.month}")
        return super().get(request, *args, **kwargs)

    @property
    def by(self) -> str:
        asked = self.request.GET.get("by", "team")
        return asked if asked in dict(GROUPS) else "team"

    @cached_property
    def whole(self) -> Tally:
        return compliance_figures.tally(self.request.user, self.month, self.today)

    @cached_property
    def tags(self) -> dict[str, Tally]:
        return compliance_figures.by_tag(self.request.user, self.month)

    def get_subtitle(self) -> str:
        return "Resources by charge month, with their last tags. Cost is effective, or billed where there is no other."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = {"month": self.month, "stale": self.is_stale, "target": TARGET}
        if self.month:
            context |= {
                "months": compliance_figures.months(),
                "whole": self.whole,
                "stats": self._stats(),
                "tag_rows": self._tag_rows(),
                "tag_chart": self._tag_chart(),
                "group_rows": self._group_rows(),
                "by": self.by,
                "groups": GROUPS,
                "course_chart": self._course_chart(),
                "untaggable": self._untaggable(),
            }
        return super().get_context_data(**{**context, "empty": NOTHING.for_user(self.request.user), **kwargs})

    def _stats(self) -> list[dict[str, Any]]:
        whole = self.whole
        cards = [
            {
                "label": "Resources that comply",
                "value": percent_text(whole.by_resources) or "—",
                "note": f"{whole.count(COMPLIANT):,} of {whole.counted:,}; the target is {percent_text(TARGET, 0)}",
                "url": worklist_url(self.month, state="compliant"),
                "icon": "target",
            },
        ]
        for code in whole.currencies:
            cards.append(
                {
                    "label": f"Cost that complies, {code}",
                    "value": percent_text(whole.by_cost(code)) or "—",
                    "note": "of the cost of resources that can carry tags",
                    "url": worklist_url(self.month, state="compliant", currency=code),
                    "icon": "cash",
                }
            )
            cards.append(
                {
                    "label": "Cost of what is to fix",
                    "amount": whole.amount(code, WRONG),
                    "currency": code,
                    "note": f"{whole.count(WRONG):,} resources",
                    "url": worklist_url(self.month, currency=code),
                    "icon": "alert-triangle",
                }
            )
        if whole.count(EXCEPTED):
            cards.append(
                {
                    "label": "Excepted",
                    "value": f"{whole.count(EXCEPTED):,}",
                    "note": "not counted while the exception lasts",
                    "url": worklist_url(self.month, state="excepted"),
                    "icon": "clock",
                }
            )
        return cards

    def _tag_rows(self) -> list[dict[str, Any]]:
        required = compliance_figures.requirements()
        return [
            {
                "tag": tag,
                "required": required.get(tag, False),
                "share": compliance_figures.share_ok(found),
                "cells": [self._fact_cell(tag, found, state) for state in State],
                "costs": [(code, found.amount(code, *(s for s in State if s is not State.OK))) for code in found.cost],
            }
            for tag, found in self.tags.items()
        ]

    def _fact_cell(self, tag: str, found: Tally, state: State) -> dict[str, Any]:
        url = worklist_url(self.month, tag=tag, fact=state.value, state="all")
        return {"count": found.count(state), "url": url, "label": WORDS[state]}

    def _tag_chart(self) -> dict[str, Any]:
        order = (State.OK, State.NOT_ALLOWED, State.EMPTY, State.MISSING)
        return {
            "id": "by-tag",
            "kind": "stacked-bar",
            "title": "Resources by what is the case with each tag",
            "categories": list(self.tags),
            "series": [
                charts.series(WORDS[state], [found.count(state) for found in self.tags.values()]) for state in order
            ],
            "unit": "resources",
            "table_id": "tags",
        }

    @cached_property
    def grouped(self) -> list[tuple[str, str, Tally]]:
        found = compliance_figures.by_group(self.request.user, self.month, self.today, self.by)
        names = compliance_figures.names(self.by, found)
        rows = [(key, names.get(key, key), tally) for key, tally in found.items()]
        return sorted(rows, key=lambda row: (row[0] == NOBODY, -row[2].count(WRONG), row[1]))

    def _group_rows(self) -> list[dict[str, Any]]:
        return [
            {
                "label": label,
                "counted": tally.counted,
                "compliant": tally.count(COMPLIANT),
                "wrong": tally.count(WRONG),
                "excepted": tally.count(EXCEPTED),
                "share": tally.by_resources,
                "costs": [(code, tally.amount(code, WRONG), tally.by_cost(code)) for code in tally.currencies],
                "url": worklist_url(self.month, **{self.by: key}),
                "all_url": worklist_url(self.month, **{self.by: key}, state="all"),
            }
            for key, label, tally in self.grouped
        ]

    @cached_property
    def course(self) -> dict[Month, Tally]:
        return compliance_figures.course(self.request.user, self.today)

    def _course_chart(self) -> dict[str, Any]:
        found = self.course
        codes = sorted({code for tally in found.values() for code in tally.currencies})
        target = charts.series("Target", [TARGET * HUNDRED for _ in found], dashed=True)
        by_resources = charts.series("By resources", [percent(tally.by_resources) for tally in found.values()])
        by_cost = [
            charts.series(f"By cost, {code}", [percent(tally.by_cost(code)) for tally in found.values()])
            for code in codes
        ]
        return {
            "id": "course",
            "kind": "line",
            "title": "Compliance by charge month",
            "categories": [month_text(month) for month in found],
            "series": [by_resources, *by_cost, target],
            "unit": "%",
            "csv_url": f"?{urlencode({'month': self.month, '_export': 'course'})}",
        }

    def _untaggable(self) -> list[dict[str, Any]]:
        return [
            {**row, "url": worklist_url(self.month, state="untaggable", currency=row["currency"])}
            for row in compliance_figures.untaggable(self.request.user, self.month)
        ]

    def _tag_csv(self) -> tuple[list[str], Any]:
        head = ["tag", *(state.value for state in State), "currency", *(f"cost {state.value}" for state in State)]
        return head, (
            [tag, *(found.count(state) for state in State), code, *(found.amount(code, state) for state in State)]
            for tag, found in self.tags.items()
            for code in found.currencies
        )

    def _group_csv(self) -> tuple[list[str], Any]:
        states = compliance_figures.STATES
        head = [self.by, "name", *states, "compliance", "currency", *(f"cost {state}" for state in states)]
        return head, (
            [key, label, *(tally.count(state) for state in states), tally.by_resources, code]
            + [tally.amount(code, state) for state in states]
            for key, label, tally in self.grouped
            for code in tally.currencies
        )

    def _course_csv(self) -> tuple[list[str], Any]:
        states = compliance_figures.STATES
        head = ["month", *states, "compliance", "currency", *(f"cost {state}" for state in states)]
        return head, (
            [str(month), *(tally.count(state) for state in states), tally.by_resources, code]
            + [tally.amount(code, state) for state in states]
            for month, tally in self.course.items()
            for code in tally.currencies
        )


class ResourcesPage(MonthPage, ListPage):
    permission_required = "costs.view_costline"
    model = TaggedResource
    title = "Resources to fix"
    table_class = ResourceTable
    orderings = ("-cost",)
    template_name = "tagging/resources.html"
    fragment_template_name = "tagging/resources_list.html"
    breadcrumbs = (("Tag compliance", "tagging:overview"),)
    export_name = "tag-resources"
    empty = Empty(
        "Nothing to fix",
        "Every resource of this month that can carry tags complies or is excepted.",
        "circle-check",
        Action("Tag compliance", "tagging:overview", "tags"),
    )

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("owner", "pool", "tag_set", "verdict")

    @cached_property
    def filterset(self) -> ResourceFilter:
        return ResourceFilter(self.request.GET, queryset=self.get_queryset(), request=self.request, today=self.today)

    def get_subtitle(self) -> str:
        month = f"{month_text(self.month, 'long')}, by charge day" if self.month else "No month is worked out yet"
        return f"{month}. The most expensive first, each with its last tags."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        sums = self.rows.order_by().values("currency").annotate(cost=Sum("cost")).values_list("currency", "cost")
        totals = total_rows({code: {"cost": amount} for code, amount in sums})
        return super().get_context_data(sums=totals, month=self.month, stale=self.is_stale, **kwargs)


class ResourcePage(MonthPage, TemplateView):
    permission_required = "costs.view_costline"
    template_name = "tagging/resource.html"
    breadcrumbs = (("Tag compliance", "tagging:overview"), ("Resources to fix", "tagging:resources"))

    @cached_property
    def rows(self) -> list[TaggedResource]:
        """The resource in every month that the person may see, the latest first."""
        found = TaggedResource.objects.visible_to(self.request.user).filter(key=self.kwargs["key"])
        rows = list(
            found.select_related("owner", "pool", "tag_set__delivered", "verdict").order_by(
                "-charge_month", "-last_day", "-id"
            )
        )
        if not rows:
            raise Http404
        return rows

    @cached_property
    def here(self) -> list[TaggedResource]:
        """Its rows of the month shown: one for each owner and currency."""
        asked = self.request.GET.get("month", "")
        mine = [row for row in self.rows if str(Month.of(row.charge_month)) == asked]
        return mine or [row for row in self.rows if row.charge_month == self.rows[0].charge_month]

    @property
    def row(self) -> TaggedResource:
        return self.here[0]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Somebody else's resource is not found, before anything of it is drawn.
        _ = self.rows
        return super().get(request, *args, **kwargs)

    def get_title(self) -> str:
        return self.row.resource_name or self.row.resource.rsplit("/", 1)[-1]

    def get_subtitle(self) -> str:
        parts = [self.row.service, self.row.resource_type, self.row.region]
        return ", ".join(part for part in parts if part)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        month = Month.of(self.row.charge_month)
        explained = Explainer().lines(self.row)
        days = list(self._days(month))
        context = {
            "row": self.row,
            "here": self.here,
            "month": month,
            "explained": explained,
            "wrong": [line for line in explained if line.required and line.todo],
            "state": self._state(),
            "delivered": delivered_tags(self.row),
            "virtual": virtual_tags(self.row),
            "days": days,
            "charts": [self._chart(days, code) for code in sorted({day["currency"] for day in days})],
            "lines_url": lines_url(month.period, {"resource": self.row.resource}),
            "sets": self._tag_sets(month),
            "months": [(each, Month.of(each.charge_month)) for each in self.rows],
            "exceptions": self._exceptions(),
            "may_except": self.request.user.has_perm("tagging.add_tagexception"),
        }
        return super().get_context_data(**{**context, **kwargs})

    def _state(self) -> str:
        mine = TaggedResource.objects.filter(pk=self.row.pk).with_state(self.today)
        return mine.values_list("state", flat=True).get()

    def _lines(self, month: Month) -> Any:
        place = {"provider": self.row.provider, "sub_account": self.row.sub_account, "resource": self.row.resource}
        return CostLine.objects.visible_to(self.request.user).charged_in(month.period).filter(**place)

    def _days(self, month: Month) -> Any:
        sums = {"billed_cost": Sum("billed_cost"), "effective_cost": Sum("effective_cost")}
        days = self._lines(month).order_by("charge_date").values("currency", day=F("charge_date")).annotate(**sums)
        first = lines_url(month.period, {})
        for day in days:
            query = {"resource": self.row.resource, "from": day["day"], "to": day["day"]}
            yield {**day, "url": f"{first.split('?')[0]}?{urlencode(query)}"}

    def _chart(self, days: list[dict[str, Any]], code: str) -> dict[str, Any]:
        mine = [day for day in days if day["currency"] == code]
        return {
            "id": f"by-day-{code.lower()}",
            "kind": "bar",
            "title": f"Effective cost by day, {code}",
            "categories": [f"{day['day']:%d %b}" for day in mine],
            "series": [charts.series("Effective cost", [day["effective_cost"] for day in mine])],
            "currency": code,
            "table_id": "days",
        }

    def _tag_sets(self, month: Month) -> list[dict[str, Any]]:
        """The sets of tags it carried in the month, with their days."""
        sets = self._lines(month).order_by().values("tag_set", tags=F("tag_set__tags"))
        found = sets.annotate(first=Min("charge_date"), last=Max("charge_date"), cost=Sum("effective_cost"))
        return list(found.order_by("first", "last", "tag_set"))

    def _exceptions(self) -> list[dict[str, Any]]:
        asked = TagException.objects.visible_to(self.request.user).filter(resource_key=self.row.key)
        return [
            {"row": each, "state": EXCEPTION_STATES[each.state_on(self.today)]}
            for each in asked.select_related("owner", "decided_by")
        ]


def delivered_tags(row: TaggedResource) -> dict[str, Any]:
    """The tags as the bill has them, without what we laid over them."""
    if row.tag_set is None:
        return {}
    return (row.tag_set.delivered or row.tag_set).tags


def virtual_tags(row: TaggedResource) -> dict[str, Any]:
    """The tags that we set and the bill does not have."""
    return row.tag_set.virtual if row.tag_set else {}
