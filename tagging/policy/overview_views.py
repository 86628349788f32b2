"""The overview of tag compliance: how much complies, by tag, by group and by month."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, cast
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from costs.query.scope import NOBODY
from finops_site.lib import charts
from finops_site.lib.money import percent
from finops_site.lib.periods import Month
from finops_site.lib.words import counted, number_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import csv_download
from finops_site.ui.figures import month_text, percent_text
from finops_site.ui.pages import Action, Empty
from tagging.calc.tag_policy import State
from tagging.policy import compliance_figures
from tagging.policy.compliance_figures import COMPLIANT, EXCEPTED, TARGET, WRONG, Tally
from tagging.policy.compliance_page import ComplianceMonthPage, worklist_url
from tagging.policy.explanations import PATTERNS, STATE_LABELS, TONES

GROUPS = [("team", _lazy("team")), ("account", _lazy("account")), ("service", _lazy("service"))]
GROUP_TITLES = {"team": _lazy("By team"), "account": _lazy("By account"), "service": _lazy("By service")}
NO_RESOURCES = Empty(
    _lazy("No resources yet"),
    _lazy("A loaded bill brings them: each resource of it is checked against the tag policy within minutes."),
    "tags",
    Action(_lazy("Upload a bill"), "costs:delivery_upload", "upload", "costs.add_delivery"),
)


class ComplianceOverview(ComplianceMonthPage, TemplateView):
    parameters = ("month", "by")
    exports = ("tag", "group", "course")
    parameter_values = {"by": tuple(dict(GROUPS))}
    permission_required = "costs.view_costline"
    title = _lazy("Tag compliance")
    template_name = "tagging/overview.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        name = request.GET.get("_export", "")
        export = {"tag": self._tag_csv, "group": self._group_csv, "course": self._course_csv}.get(name)
        if export and self.month:
            return csv_download(export(), f"tag-compliance-{name}-{self.month}", self.known.notes if self.known else ())
        return super().get(request, *args, **kwargs)

    @property
    def by(self) -> str:
        group = self.request.GET.get("by", "team")
        return group if group in dict(GROUPS) else "team"

    @property
    def charge_month(self) -> Month:
        """The month of the figures: where no month is computed, the page asks for none."""
        return cast(Month, self.month)

    @cached_property
    def total(self) -> Tally:
        return compliance_figures.tally(self.person, self.charge_month, self.today)

    @cached_property
    def tags(self) -> dict[str, Tally]:
        return compliance_figures.by_tag(self.person, self.charge_month)

    def get_subtitle(self) -> str:
        return _(
            "Resources by charge month, with their last tags. Cost is effective, or billed where there is no other."
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = {"month": self.month, "stale": self.is_stale, "target": TARGET, "known": self.known}
        if self.month:
            context |= {
                "months": compliance_figures.computed_months(),
                "total": self.total,
                "stats": self._stats(),
                "tag_rows": self._tag_rows(),
                "tag_chart": self._tag_chart(),
                "group_rows": self._group_rows(),
                "by": self.by,
                "by_label": dict(GROUPS)[self.by],
                "by_title": GROUP_TITLES[self.by],
                "groups": GROUPS,
                "trend_chart": self._trend_chart(),
                "untaggable": [
                    {**row, "url": worklist_url(self.month, state="untaggable", currency=row["currency"])}
                    for row in compliance_figures.untaggable(self.person, self.month)
                ],
            }
        return super().get_context_data(**{**context, "empty": NO_RESOURCES.for_user(self.person), **kwargs})

    def _stats(self) -> list[dict[str, Any]]:
        total = self.total
        cards: list[dict[str, Any]] = [
            {
                "label": _("Resources that comply"),
                "value": percent_text(total.by_resources) or "—",
                "note": _("{total} of {counted}; the target is {target}").format(
                    total=number_text(total.count(COMPLIANT)),
                    counted=number_text(total.counted),
                    target=percent_text(TARGET, 0),
                ),
                "url": worklist_url(self.charge_month, state="compliant"),
                "icon": "target",
            },
        ]
        for code in total.currencies:
            cards.append(
                {
                    "label": _("Cost that complies, {code}").format(code=code),
                    "value": percent_text(total.by_cost(code)) or "—",
                    "note": _("of the cost of resources that can carry tags"),
                    "url": worklist_url(self.charge_month, state="compliant", currency=code),
                    "icon": "cash",
                }
            )
            cards.append(
                {
                    "label": _("Cost of what is to fix"),
                    "amount": total.amount(code, WRONG),
                    "currency": code,
                    "note": counted(total.count_in(code, WRONG), "resource"),
                    "url": worklist_url(self.charge_month, currency=code),
                    "icon": "alert-triangle",
                }
            )
        if total.count(EXCEPTED):
            cards.append(
                {
                    "label": _("Excepted"),
                    "value": number_text(total.count(EXCEPTED)),
                    "note": _("not counted while the exception lasts"),
                    "url": worklist_url(self.charge_month, state="excepted"),
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
                "share": compliance_figures.share_ok(tally),
                "cells": [
                    {
                        "count": tally.count(state),
                        "url": worklist_url(self.charge_month, tag=tag, fact=state.value, state="all"),
                        "label": STATE_LABELS[state],
                    }
                    for state in State
                ],
                "costs": [(code, tally.amount(code, *(s for s in State if s is not State.OK))) for code in tally.cost],
            }
            for tag, tally in self.tags.items()
        ]

    def _tag_chart(self) -> dict[str, Any]:
        order = (State.OK, State.NOT_ALLOWED, State.EMPTY, State.MISSING)
        return {
            "id": "by-tag",
            "kind": "stacked-bar",
            "title": _("Resources by the state of each tag"),
            "categories": list(self.tags),
            "series": [
                charts.series(
                    STATE_LABELS[state],
                    [tally.count(state) for tally in self.tags.values()],
                    tone=TONES[state],
                    pattern=PATTERNS.get(state, ""),
                )
                for state in order
            ],
            "unit": "resources",
            "table_id": "tags",
        }

    @cached_property
    def grouped(self) -> list[tuple[str, str, Tally]]:
        tallies = compliance_figures.by_group(self.person, self.charge_month, self.today, self.by)
        labels = compliance_figures.group_labels(self.by, tallies)
        rows = [(key, labels.get(key, key), tally) for key, tally in tallies.items()]
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
                "url": worklist_url(self.charge_month, **{self.by: key}),
                "all_url": worklist_url(self.charge_month, **{self.by: key}, state="all"),
            }
            for key, label, tally in self.grouped
        ]

    @cached_property
    def by_month(self) -> dict[Month, Tally]:
        return compliance_figures.compliance_by_month(self.person, self.today)

    def _trend_chart(self) -> dict[str, Any]:
        tallies = self.by_month.values()
        codes = sorted({code for tally in tallies for code in tally.currencies})
        target = charts.series(_("Target"), [TARGET * 100 for _ignored in tallies], dashed=True)
        by_resources = charts.series(_("By resources"), [percent(tally.by_resources) for tally in tallies])
        by_cost = [
            charts.series(_("By cost, {code}").format(code=code), [percent(tally.by_cost(code)) for tally in tallies])
            for code in codes
        ]
        return {
            "id": "course",
            "kind": "line",
            "title": _("Compliance by charge month"),
            "categories": [month_text(month) for month in self.by_month],
            "series": [by_resources, *by_cost, target],
            "unit": "%",
            "csv_url": f"?{urlencode({'month': self.month, '_export': 'course'})}",
        }

    def _tag_csv(self) -> Iterator[list[Any]]:
        states = [state.value for state in State]
        yield ["tag", *states, "currency", *(f"cost {state}" for state in states)]
        for tag, tally in self.tags.items():
            for code in tally.currencies:
                counts = (tally.count_in(code, state) for state in states)
                yield [tag, *counts, code, *(tally.amount(code, state) for state in states)]

    def _group_csv(self) -> Iterator[list[Any]]:
        rows = ([key, label, tally] for key, label, tally in self.grouped)
        return self._state_csv([self.by, "name"], rows)

    def _course_csv(self) -> Iterator[list[Any]]:
        return self._state_csv(["month"], ([str(month), tally] for month, tally in self.by_month.items()))

    def _state_csv(self, head: list[str], rows: Iterable[list[Any]]) -> Iterator[list[Any]]:
        """Rows that end in a tally, one for each of its currencies, with the resources that are billed in it."""
        states = compliance_figures.STATES
        yield [*head, *states, "compliance", "currency", *(f"cost {state}" for state in states)]
        for *names, tally in rows:
            for code in tally.currencies:
                counts = (tally.count_in(code, state) for state in states)
                amounts = (tally.amount(code, state) for state in states)
                yield [*names, *counts, tally.by_resources_in(code), code, *amounts]
