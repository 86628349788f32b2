"""The table of budgets and its filters."""

from decimal import Decimal
from functools import cached_property
from typing import Any

import django_filters
import django_tables2
from django.db.models import F, Q, QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from budgets.alerts.recipients import AddressBook
from budgets.calc.headlines import whole_units
from budgets.forecast.status import WITHOUT_AMOUNT, badge_of_row, share_spent
from budgets.models import Budget, ProposedChange
from finops_site.models import Team
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import percent_text
from finops_site.ui.tables import BaseTable, MoneyColumn, PercentColumn, StatusColumn, status_html, usage_bar

BUDGET_STATES = {
    "draft": (_lazy("draft"), "calm", "pencil"),
    "proposed": (_lazy("proposed"), "warn", "hourglass"),
    "active": (_lazy("active"), "good", "circle-check"),
    "archived": (_lazy("archived"), "calm", "archive"),
}


class ForecastColumn(MoneyColumn):
    """The likeliest cost at the period's end, and under it the range that holds 8 in 10 outcomes."""

    def render(self, value: Decimal, record: Any) -> SafeString:
        if record.now_p10 == record.now_p90:
            return super().render(value, record)
        low, high = whole_units(record.now_p10), whole_units(record.now_p90)
        return format_html(
            '{}<span class="second-line">{}</span>',
            super().render(value, record),
            _("{low} to {high}").format(low=low, high=high),
        )


class BudgetTable(BaseTable):
    name = django_tables2.Column(_lazy("Budget"))
    team = django_tables2.Column(_lazy("Team"), accessor="team__name", default=_lazy("Company"))
    budgeted = MoneyColumn(_lazy("Amount"))
    now_spent = MoneyColumn(_lazy("Actual"))
    used = django_tables2.Column(_lazy("Used"), accessor="now_spent", orderable=False, empty_values=())
    now_p50 = ForecastColumn(_lazy("Forecast"))
    chance = PercentColumn(_lazy("Chance of overrun"), accessor="now_chance_of_overrun", places=0)
    state = StatusColumn(_lazy("State"), states=BUDGET_STATES)

    class Meta(BaseTable.Meta):
        phone_amount = "now_spent"
        phone_facts = ("used", "budgeted")
        model = Budget
        fields = ()
        caption = _lazy("Budgets")

    def render_name(self, value: str, record: Budget) -> SafeString:
        link = format_html('<a href="{}">{}</a>', record.get_absolute_url(), value)
        problems = self.book.problems_of(record) if record.state == Budget.State.ACTIVE else []
        if getattr(record, "lacks_amount", False):
            problems = [_("No amount for today: it is not judged."), *problems]
        if record.not_evaluated:
            problems = [_("The last night could not evaluate it."), *problems]
        if not problems:
            return link
        badge = status_html(_("Look at it"), "warn", "alert-triangle")
        return format_html('{} {}<span class="second-line">{}</span>', link, badge, " ".join(problems))

    @cached_property
    def book(self) -> AddressBook:
        """Who is notified of the budgets of the page."""
        page = getattr(self, "page", None)
        return AddressBook([row.record for row in (page.object_list if page else self.rows)])

    def value_name(self, value: str) -> str:
        return value

    def render_used(self, value: Decimal | None, record: Any) -> SafeString | str:
        """A bar with its words: the share in figures and the budget's status, whatever the colours."""
        if record.lacks_amount:
            return status_html(*WITHOUT_AMOUNT)
        if record.budgeted is None or record.now_as_of is None:
            return "—"
        share, badge = share_spent(value, record.budgeted), status_html(*badge_of_row(record))
        if share is None:
            return badge
        bar = usage_bar(
            share, badge_of_row(record)[1], _("{share} of the amount is spent").format(share=percent_text(share, 0))
        )
        return format_html('{}<span class="second-line">{} {}</span>', bar, percent_text(share, 0), badge)

    def value_used(self, value: Decimal, record: Any) -> Decimal | None:
        return share_spent(value, record.budgeted)


class BudgetFilter(django_filters.FilterSet):
    name = django_filters.CharFilter(label=_lazy("Name"), lookup_expr="icontains")
    team = django_filters.ModelChoiceFilter(label=_lazy("Team"), queryset=None)
    state = django_filters.MultipleChoiceFilter(label=_lazy("State"), choices=Budget.State.choices)
    kind = django_filters.ChoiceFilter(label=_lazy("Period"), choices=Budget.Kind.choices)
    risk = django_filters.ChoiceFilter(
        label=_lazy("Status"),
        choices=[("over", _lazy("over")), ("heading", _lazy("heading over"))],
        method="filter_by_risk",
    )

    change = django_filters.ChoiceFilter(
        label=_lazy("Proposed change"), choices=[("waiting", _lazy("waits for approval"))], method="filter_by_change"
    )

    class Meta:
        model = Budget
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filters["team"].queryset = Team.objects.visible_to(self.request.user)

    def filter_by_change(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        waiting = ProposedChange.objects.filter(state=ProposedChange.State.WAITING)
        return queryset.filter(pk__in=waiting.values("budget"))

    def filter_by_risk(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        over = Q(now_spent__gt=F("budgeted"))
        return queryset.filter(over if value == "over" else ~over & Q(now_chance_of_overrun__gte=Decimal("0.5")))
