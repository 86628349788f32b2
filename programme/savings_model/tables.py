"""Tables of the savings model: changes of assumptions, and the evidence of what is realised."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import django_tables2
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.tables import BaseTable, MomentColumn, MoneyColumn, MonthColumn
from programme.calc.savings_model import CASES
from programme.models import AssumptionChange
from programme.savings_model.words import ABSENT, ASSUMPTION_LABELS, CASE_LABELS, LEVER_LABELS, value_text


class ChangeTable(BaseTable):
    """Every change of an assumption, the latest first."""

    at = MomentColumn(_lazy("When"))
    assumption = django_tables2.Column(_lazy("Assumption"), orderable=False)
    change = django_tables2.Column(_lazy("Change"), accessor="pk", orderable=False)
    reason = django_tables2.Column(_lazy("Why"), orderable=False)
    by_name = django_tables2.Column(_lazy("By"), orderable=False)

    caption = _lazy("Changes of assumptions")

    class Meta(BaseTable.Meta):
        model = AssumptionChange
        fields = ["at", "assumption", "change", "reason", "by_name"]
        phone_name = "assumption"

    def render_assumption(self, record: AssumptionChange) -> SafeString:
        row = record.assumption
        return format_html('<a href="{}">{}</a>', row.get_absolute_url(), ASSUMPTION_LABELS[row.key])

    def value_assumption(self, record: AssumptionChange) -> str:
        return record.assumption.key

    def render_change(self, record: AssumptionChange) -> str:
        return change_text(record)

    def value_change(self, record: AssumptionChange) -> str:
        return change_text(record)


def change_text(change: AssumptionChange) -> str:
    """What changed, each field from what to what: ``Expected 76,000 USD → 80,000 USD``."""
    labels = {**CASE_LABELS, "currency": _("Currency"), "source": _("Source")}
    return "; ".join(
        f"{labels[name]} {_field_text(change, change.before, name)} → {_field_text(change, change.after, name)}"
        for name in (*CASES, "currency", "source")
        if change.before.get(name) != change.after.get(name)
    )


def _field_text(change: AssumptionChange, values: Mapping[str, str | None], name: str) -> str:
    text = values.get(name)
    if name not in CASES or not text:
        return text or ABSENT
    return value_text(Decimal(text), change.assumption.kind.unit, values.get("currency") or "")


class EvidenceTable(BaseTable):
    """What is proved, row by row: what a row shows, and what of it counts."""

    month = MonthColumn(_lazy("Month"))
    what = django_tables2.Column(_lazy("What"))
    lever = django_tables2.Column(_lazy("Pillar"), attrs={"td": {"class": "nowrap"}})
    amount = MoneyColumn(_lazy("Shown"))
    counted = MoneyColumn(_lazy("Counts"))
    source = django_tables2.Column(_lazy("Proved by"))
    evidence = django_tables2.Column(_lazy("How"), orderable=False, attrs={"td": {"class": "breakable"}})
    same_as = django_tables2.Column(_lazy("The rest is in"), orderable=False)

    caption = _lazy("What is proved")

    class Meta(BaseTable.Meta):
        phone_name = "what"
        phone_amount = "counted"

    def render_what(self, value: str, record: dict[str, Any]) -> SafeString:
        return format_html('<a href="{}">{}</a>', record["url"], value)

    def render_lever(self, value: str) -> str:
        return str(LEVER_LABELS[value])

    def value_lever(self, value: str) -> str:
        return value
