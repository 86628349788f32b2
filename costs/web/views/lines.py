"""Cost lines, and each of them down to the charges as delivered."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.calc.dimensions import FILTERABLE
from costs.calc.filters import is_filter_name, takes_filter
from costs.models import CostLine
from costs.query import drilldown, spend
from costs.query.known_until import KnownDays, known_of
from costs.query.line_addresses import MOST_DIGITS, FoundLine, LineAddress, NoSuchLine, addresses_of, find_line
from costs.query.result_cache import cached
from costs.query.stored_values import unmatched_values, unmatched_words
from costs.web.filters import LineFilter
from costs.web.tables import LineTable
from finops_site.lib import charts
from finops_site.lib.addresses import BadFilter
from finops_site.lib.periods import day_text, days_text, short_day_text
from finops_site.lib.person import Person
from finops_site.lib.words import some_of
from finops_site.registry import registry
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import month_text
from finops_site.ui.pages import Action, DetailPage, Empty, ListPage
from finops_site.ui.tables import total_rows
from finops_site.ui.view_figures import Figures, ViewFigures, known_figures

# The columns of a charge that are money.
AMOUNTS = ("ListUnitPrice", "BilledCost", "EffectiveCost", "ListCost")


class LinesPage(ListPage):
    permission_required = "costs.view_costline"
    model = CostLine
    title = _lazy("Cost lines")
    table_class = LineTable
    per_page = 25
    orderings = ("-charge_date", "billed_cost", "effective_cost")
    template_name = "costs/lines.html"
    fragment_template_name = "costs/lines_list.html"
    empty = Empty(
        _lazy("No cost lines"),
        _lazy("A loaded bill makes them: one for each day, account, service, resource and set of tags."),
        "list-details",
        Action(_lazy("Upload a bill"), "costs:delivery_upload", "upload", "costs.add_delivery"),
    )

    def known_names(self) -> list[str]:
        own = [name for name in self.filterset.filters if not is_filter_name(name)]
        return [*FILTERABLE, *own, *super().known_names()]

    def takes_name(self, name: str) -> bool:
        return takes_filter(name)

    def takes_many(self, name: str) -> bool:
        return takes_filter(name) or super().takes_many(name)

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("owner", "pool", "tag_set")

    @cached_property
    def filterset(self) -> LineFilter:
        today = timezone.now().date()
        return LineFilter(self.request.GET, queryset=self.get_queryset(), request=self.request, today=today)

    def get_subtitle(self) -> str:
        if not self.filterset.is_valid():
            return ""
        period = self.filterset.period
        days = days_text(period.start, period.last_day)
        return _("Charge days {days} (UTC). Open a line to see its charges as delivered.").format(days=days)

    def get_sums(self) -> list[dict[str, Any]]:
        """The sums of all that the filters leave, from the smallest table that knows them."""
        if not self.filterset.is_valid():
            return []
        if self.filterset.needs_lines:
            return total_rows(self.rows.totals(["billed_cost", "effective_cost"]))
        sums: dict[str, dict[str, Any]] = {}
        for metric in ("billed_cost", "effective_cost"):
            question = self.filterset.question.for_metric(metric)
            for currency, amount in spend.total_spend(self.person, question).items():
                sums.setdefault(currency, {})[metric] = amount
        return total_rows(sums)

    def get_figures(self) -> ViewFigures:
        """The sums of all lines: counting them takes longer."""
        if problems := self.get_problems():
            return ViewFigures(problems=problems)
        sums = [Figures(_("Billed cost"), row["currency"], row["billed_cost"]) for row in self.get_sums()]
        return known_figures(sums, list(self.get_notes()), self.known)

    def get_unmatched(self) -> list[str]:
        if not self.filterset.is_valid():
            return []
        question = self.filterset.question
        with_tag = replace(question, filters={**self.filterset.tag_filter, **question.filters})
        return unmatched_words(unmatched_values(self.person, with_tag))

    @cached_property
    def known(self) -> KnownDays | None:
        valid = self.filterset.is_valid()
        return known_of(self.person, self.filterset.question, timezone.now().date()) if valid else None

    def cursor_of_page(self, number: int) -> str | None:
        """Kept, because skipping thousands of lines takes as long as all the rest of the page."""
        question = ("page", number, self.request.GET.urlencode(), self.filterset.period, self.per_page)
        return cached(self.person, question, partial(super().cursor_of_page, number))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(sums=self.get_sums(), **kwargs)


class LinePage(DetailPage):
    """A cost line, or what stands in its place since another bill counts, or what became of it."""

    permission_required = "costs.view_costline"
    model = CostLine
    template_name = "costs/line.html"
    parameters: Sequence[str] = ("delivery",)
    breadcrumbs = ((_lazy("Cost lines"), "costs:lines"),)

    def check_address(self) -> None:
        super().check_address()
        delivery = self.request.GET.get("delivery", "")
        if delivery and not (delivery.isascii() and delivery.isdecimal()):
            raise BadFilter(_("{delivery!r} is no delivery: use its number.").format(delivery=delivery[:80]))

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        leads_to = found_line(request, self.person, self.kwargs["key"])
        if leads_to.line is None:
            return self.without_line(leads_to)
        self.object = leads_to.line
        if self.kwargs["key"].isdecimal():
            # The number of a line is gone with the next bill: people are to copy what lasts.
            return redirect(addresses_of([self.object])[self.object.pk].url)
        return self.render_to_response(self.get_context_data(object=self.object))

    @property
    def address(self) -> LineAddress:
        """As it was opened: it names the bill where several have the line."""
        return LineAddress(self.kwargs["key"], delivery_in(self.request))

    def without_line(self, leads_to: FoundLine) -> HttpResponseBase:
        """Leads on to the one line that stands in its place; lists several; says why there is none, which is 404."""
        addresses = addresses_of(leads_to.successors)
        if len(addresses) == 1 and leads_to.is_same_thing:
            messages.info(
                self.request, f"{leads_to.reason} {_('This line stands in the place of the one you opened.')}"
            )
            (address,) = addresses.values()
            return redirect(address.url)
        lines = [(line, addresses[line.pk].url) for line in leads_to.successors]
        self.object = None
        if leads_to.is_beside:
            self.title = _("Several bills have this cost line")
        else:
            self.title = _("This cost line was replaced") if lines else _("This cost line is not there any more")
        context = self.get_context_data(reason=leads_to.reason, lines=lines, day=leads_to.day)
        status = 200 if lines else 404
        return TemplateResponse(self.request, "costs/line_replaced.html", context, status=status)

    def get_subtitle(self) -> str:
        line = self.object
        if line is None:
            return ""
        month = month_text(line.billing_month)
        return _("Charge day {charge_date}, billing month {month}, {provider}").format(
            charge_date=day_text(line.charge_date), month=month, provider=line.provider
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if self.object is None:
            return super().get_context_data(**kwargs)
        charges = drilldown.charges_of(self.object)
        days = drilldown.resource_by_day(self.person, self.object)
        history = self._chart(days) if len(days) > 1 else None
        facts = registry.line_facts(self.person, self.object)
        of_bill = {"delivery": self.address.delivery} if self.address.delivery else {}
        return super().get_context_data(
            charges_query=urlencode({"line": self.address.key, **of_bill, "page_size": 1000}),
            charges=charges,
            heads=_heads(self.object.currency),
            history=history,
            days=days,
            facts=facts,
            address=self.address,
            **kwargs,
        )

    def _chart(self, days: list[dict[str, Any]]) -> dict[str, Any]:
        """The resource's cost on each day of the bill."""
        return {
            "id": "resource-by-day",
            "kind": "bar",
            "title": _("{resource} in this bill, by day").format(
                resource=self.object.resource_name or self.object.resource
            ),
            "categories": [short_day_text(row["day"]) for row in days],
            "series": [charts.series(_("Effective cost"), [row["effective_cost"] for row in days])],
            "currency": self.object.currency,
            "table_id": "resource-days",
        }


def found_line(request: HttpRequest, user: Person, key: str) -> FoundLine:
    """What the address of a line leads to; raises Http404 for what never was one."""
    try:
        return find_line(user, key, delivery_in(request))
    except NoSuchLine:
        raise Http404 from None


def delivery_in(request: HttpRequest) -> int | None:
    """The delivery that the address of a line names."""
    delivery = request.GET.get("delivery", "")
    return int(delivery[:MOST_DIGITS]) if delivery.isdecimal() else None


class ChargePage(LinePage):
    """One charge: the row as the provider wrote it, beside what we read of it.

    The row is looked up in the file as delivered, which takes as long as reading it: the page asks for it by itself.
    """

    template_name = "costs/charge.html"
    parameters = ("delivery", "row")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        leads_to = found_line(request, self.person, self.kwargs["key"])
        if leads_to.line is None:
            return self.without_line(leads_to)
        self.object = leads_to.line
        charge = drilldown.charge_of(self.object, self.kwargs["charge"])
        if charge is None:
            messages.info(request, _("The bill that counts now has no such charge: it may have another cost there."))
            return redirect(self.address.url)
        return self.render_to_response(self.get_context_data(object=self.object, charge=charge))

    def get_template_names(self) -> list[str]:
        return ["costs/charge_row.html" if self.wants_fragment("provider-row") else self.template_name]

    def get_title(self) -> str:
        return self.title or _("Charge")

    def get_subtitle(self) -> str:
        return str(self.object or "")

    def get_breadcrumbs(self) -> Any:
        return (*self.breadcrumbs, *([(str(self.object), self.address.url)] if self.object else []))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if self.object is None:
            return super().get_context_data(**kwargs)
        charge, delivery = kwargs["charge"], self.object.delivery_month.delivery
        shown: drilldown.ProviderRows | None = None
        if self.wants_fragment("provider-row") or "row" in self.request.GET:
            shown = drilldown.provider_rows(self.person, self.object, charge)
        columns = shown.rows[0].columns if shown and shown.rows else {}
        ours = [
            (name, text, some_of(columns.get(name, []), 4)) for name, text in drilldown.as_texts(charge).items() if text
        ]
        facts = registry.line_facts(self.person, self.object)
        url = self.address.url
        context = {"delivery": delivery, "shown": shown, "ours": ours, "facts": facts, "line_url": url}
        return DetailPage.get_context_data(self, **context, **kwargs)


def _heads(currency: str) -> list[tuple[str, bool]]:
    """The column titles of the charges, amounts with the currency of their line, and which are of numbers."""
    return [
        (f"{title}, {currency}" if name in AMOUNTS else title, name in AMOUNTS or name == "ConsumedQuantity")
        for name, title in drilldown.SHOWN.items()
    ]
