"""Tables of cost."""

from functools import cached_property
from typing import Any

import django_tables2
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from costs.models import CostLine, Dimension
from costs.spend import UNOWNED
from finops_site.tables import BaseTable, DayColumn, MoneyColumn, NumberColumn, TagColumn


class LineTable(BaseTable):
    """Cost lines; the day opens the line, its resource tells what it was."""

    charge_date = DayColumn("Charge day")
    service = django_tables2.Column()
    resource = django_tables2.Column("Resource", empty_values=())
    sub_account = django_tables2.Column("Account")
    region = django_tables2.Column()
    owner = django_tables2.Column("Team", default=UNOWNED)
    charge_category = django_tables2.Column("Category")
    tags = TagColumn(accessor="tag_set__tags", verbose_name="Tags", limit=2)
    quantity = NumberColumn("Quantity")
    billed_cost = MoneyColumn("Billed cost")
    effective_cost = MoneyColumn("Effective cost")

    class Meta(BaseTable.Meta):
        model = CostLine
        fields = ()
        caption = "Cost lines"

    @cached_property
    def account_names(self) -> dict[str, str]:
        found = Dimension.objects.filter(name="sub_account").exclude(label="")
        return dict(found.values_list("value", "label")[:5000])

    def render_charge_date(self, value: Any, record: CostLine) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("costs:line", args=[record.pk]), value.isoformat())

    def value_charge_date(self, value: Any) -> str:
        return value.isoformat()

    def render_resource(self, record: CostLine) -> SafeString | str:
        if not record.resource:
            return record.charge_description or "—"
        name = record.resource_name or record.resource.rsplit("/", 1)[-1]
        detail = " ".join(part for part in (record.resource_type, record.instance_type) if part)
        return format_html('<span title="{}">{}</span> <span class="faint">{}</span>', record.resource, name, detail)

    def value_resource(self, record: CostLine) -> str:
        return record.resource

    def render_sub_account(self, value: str) -> SafeString:
        return format_html('<span title="{}">{}</span>', value, self.account_names.get(value, value))

    def value_sub_account(self, value: str) -> str:
        return value

    def render_quantity(self, value: Any, record: CostLine) -> SafeString:
        return format_html("{} <span class='faint'>{}</span>", f"{value.normalize():,f}"[:14], record.unit)

    def value_quantity(self, value: Any) -> Any:
        return value
