"""The page of proof: what each mended finding saved, month by month, and why it differs from its promise."""

from typing import Any

import django_filters
import django_tables2
from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, Empty, ListPage
from finops_site.ui.tables import BaseTable, MoneyColumn, MonthColumn
from usage.calc.proof import GAP_WORDS, Gap
from usage.models import Finding, SavingMonth
from usage.proof.reports import mended_without_proof
from usage.worklist.finding_texts import headline


class ProofFilters(django_filters.FilterSet):
    gap = django_filters.MultipleChoiceFilter(
        label=_lazy("Against the promise"), choices=[(gap.value, _lazy(words)) for gap, words in GAP_WORDS.items()]
    )

    class Meta:
        model = SavingMonth
        fields = ["gap"]


class ProofTable(BaseTable):
    finding = django_tables2.Column(_lazy("Finding"), linkify=lambda record: record.finding.get_absolute_url())
    month = MonthColumn(verbose_name=_lazy("Month"))
    cost_before = MoneyColumn(verbose_name=_lazy("Cost before"))
    cost_after = MoneyColumn(verbose_name=_lazy("Cost now"))
    promised = MoneyColumn(verbose_name=_lazy("Promised"), default="—")
    amount = MoneyColumn(verbose_name=_lazy("Saved"), default=_lazy("not known"))
    gap = django_tables2.Column(_lazy("Why"))

    class Meta(BaseTable.Meta):
        model = SavingMonth
        fields = ("finding", "month", "cost_before", "cost_after", "promised", "amount", "gap")
        caption = _lazy("What was saved")
        phone_amount = "amount"

    def render_finding(self, value: Finding) -> str:
        return headline(value)

    def render_gap(self, value: str) -> str:
        return _(GAP_WORDS[Gap(value)])


class ProofPage(ListPage):
    permission_required = "usage.view_savingmonth"
    title = _lazy("What was saved")
    subtitle = _lazy("The cost before a finding was mended, less the cost in each whole month after, by the bills.")
    model = SavingMonth
    table_class = ProofTable
    filterset_class = ProofFilters
    export_name = "usage-savings"
    empty = Empty(
        _lazy("Nothing is proved yet"),
        _lazy("When a finding is mended, the first whole month after it proves it or brings it back."),
        "report-money",
        Action(_lazy("What could cost less"), "usage:overview", "bulb"),
    )

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().select_related("finding")

    def get_notes(self) -> list[str]:
        waiting = mended_without_proof(self.person)
        if not waiting:
            return []
        text = ngettext(
            "{count} mended finding waits for its first whole month: what it saved is not known yet.",
            "{count} mended findings wait for their first whole month: what they saved is not known yet.",
            waiting,
        )
        return [text.format(count=waiting)]

    def get_totals(self) -> list[dict[str, Any]]:
        known = self.rows.filter(amount__isnull=False).order_by().values("currency")
        return list(known.annotate(amount=Sum("amount")).order_by("currency"))
