"""Tables of cost lines, teams and exchange rates."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

import django_tables2
from django.db.models import Case, Value, When
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import override

from costs.models import AccountGroup, CostLine, Dimension, ExchangeRate
from costs.query.line_addresses import LineAddress, addresses_of
from costs.query.scope import SHARED, SHARED_IN_FILES, UNOWNED, UNOWNED_IN_FILES
from finops_site.lib.periods import day_text
from finops_site.lib.words import labelled, some_of
from finops_site.templatetags.finops import rate as rate_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import money_html
from finops_site.ui.tables import BaseTable, ChangeColumn, DayColumn, MoneyColumn, NumberColumn, TagColumn

# For columns whose cells are not broken over lines.
WHOLE_WORDS = {"td": {"class": "nowrap"}}


class BilledTotalsColumn(NumberColumn):
    """The billed cost out of {currency: {metric: exact text}}, an amount for each currency.

    In files it is a number, and its currency stands in a column of its own; of several currencies both are lists.
    """

    currency = "currencies"

    def code(self, record: Any) -> str:
        return "; ".join(sorted(record.totals or {}))

    def render(self, value: Mapping[str, Mapping[str, str]]) -> SafeString | str:
        sums = [(money_html(amount["billed_cost"], code),) for code, amount in sorted(value.items())]
        return format_html_join("", "<div>{}</div>", sums) if sums else "—"

    def value(self, value: Mapping[str, Mapping[str, str]]) -> Decimal | str:
        amounts = [amount["billed_cost"] for _code, amount in sorted(value.items())]
        return Decimal(amounts[0]) if len(amounts) == 1 else "; ".join(amounts)


class AccountGroupTable(BaseTable):
    name = django_tables2.Column(_lazy("Group"))
    description = django_tables2.Column(_lazy("What they have in common"))
    accounts = django_tables2.Column(_lazy("Accounts"), accessor="accounts__all", orderable=False)

    class Meta(BaseTable.Meta):
        model = AccountGroup
        fields = ()
        caption = _lazy("Groups of accounts")

    def render_name(self, value: str, record: AccountGroup) -> SafeString | str:
        if self.request is None or not self.request.user.has_perm("costs.change_accountgroup"):
            return value
        return format_html('<a href="{}">{}</a>', reverse("costs:account_group", args=[record.pk]), value)

    def value_name(self, value: str) -> str:
        return value

    def render_accounts(self, value: Any) -> str:
        return some_of([row.account for row in value], 8)

    def value_accounts(self, value: Any) -> str:
        return "; ".join(row.account for row in value)


class OwnerColumn(django_tables2.Column):
    """The team that owns a row, else the pool that holds it (at the accessor `pool`), else "Unowned"."""

    empty_values = ()

    def __init__(self, *args: Any, pool: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.pool = django_tables2.A(pool)

    def render(self, value: object, record: object) -> str:
        if value is not None:
            return str(value)
        pool = self.pool.resolve(record, quiet=True)
        return labelled(SHARED, pool) if pool else str(UNOWNED)

    def value(self, value: object, record: object) -> str:
        with override("en"):
            return self.render(value, record)


class LineTable(BaseTable):
    """Cost lines; the day opens the line. The CSV has what the page folds together in columns of their own."""

    charge_date = DayColumn(_lazy("Charge day"))
    service = django_tables2.Column(_lazy("Service and resource"))
    resource = django_tables2.Column(visible=False)
    sub_account = django_tables2.Column(_lazy("Account and region"))
    region = django_tables2.Column(visible=False)
    owner = OwnerColumn(_lazy("Team"), pool="pool")
    tags = TagColumn(accessor="tag_set__tags", verbose_name=_lazy("Tags"), limit=2)
    charge_category = django_tables2.Column(_lazy("Category"))
    billed_cost = MoneyColumn(_lazy("Billed cost"))
    effective_cost = MoneyColumn(_lazy("Effective cost"))
    currency = django_tables2.Column(visible=False)
    quantity = django_tables2.Column(visible=False)
    unit = django_tables2.Column(visible=False)
    owner_rule = django_tables2.Column(_lazy("Named by"), visible=False)

    class Meta(BaseTable.Meta):
        phone_name = "service"
        phone_facts = ("charge_date", "owner")
        model = CostLine
        fields = ()
        caption = _lazy("Cost lines")
        csv_fields = {
            "Charge day": "charge_date",
            "Billing month": "billing_month",
            "Provider": "provider",
            "Account": "sub_account",
            "Service": "service",
            "Region": "region",
            "Resource": "resource",
            "Resource name": "resource_name",
            "Team": Coalesce(
                "owner__name", Case(When(pool=None, then=Value(UNOWNED_IN_FILES)), default=Value(SHARED_IN_FILES))
            ),
            "Pool": "pool__name",
            "Named by": "owner_rule",
            "Tags": "tag_set__tags",
            "Category": "charge_category",
            "Billed cost": "billed_cost",
            "Effective cost": "effective_cost",
            "Currency": "currency",
            "Quantity": "quantity",
            "Unit": "unit",
        }

    @cached_property
    def account_names(self) -> dict[str, str]:
        labelled = Dimension.objects.filter(name="sub_account").exclude(label="")
        return dict(labelled.values_list("value", "label")[:5000])

    @cached_property
    def addresses(self) -> dict[int, LineAddress]:
        """The addresses of the lines that the page shows, which outlive their bill."""
        return addresses_of([row.record for row in self.paginated_rows])

    def render_charge_date(self, value: date, record: CostLine) -> SafeString:
        # A newer bill may have come between the rows and their keys: the number says what became of its line.
        address = self.addresses.get(record.pk) or LineAddress(str(record.pk))
        return format_html('<a href="{}">{}</a>', address.url, day_text(value))

    def value_charge_date(self, value: date) -> str:
        return value.isoformat()

    def render_service(self, value: str, record: CostLine) -> SafeString:
        name = record.resource_name or record.resource.rsplit("/", 1)[-1] or record.charge_description
        detail = " ".join(part for part in (name, record.instance_type) if part)
        return format_html('{}<span class="second-line" title="{}">{}</span>', value, record.resource, detail)

    def value_service(self, value: str) -> str:
        return value

    def render_sub_account(self, value: str, record: CostLine) -> SafeString:
        name = self.account_names.get(value, value)
        return format_html('<span title="{}">{}</span><span class="second-line">{}</span>', value, name, record.region)

    def value_sub_account(self, value: str) -> str:
        return value


class TeamTable(BaseTable):
    """Teams with this month so far, the same days before, and the last full month."""

    team = django_tables2.Column(_lazy("Team"))
    cost_center = django_tables2.Column(_lazy("Cost centre"))
    now = MoneyColumn(_lazy("Month so far"))
    change = ChangeColumn(_lazy("Change"), before="before")
    last = MoneyColumn(_lazy("Last month"))

    class Meta(BaseTable.Meta):
        orderable = False
        caption = _lazy("Teams")

    def render_team(self, value: str, record: dict[str, Any]) -> SafeString:
        return format_html('<a href="{}">{}</a>', record["url"], value)


class ClusterShareTable(BaseTable):
    """What namespaces, workloads or labels cost; what nothing took is said as idle."""

    key = django_tables2.Column("Of", orderable=False, empty_values=())
    cluster = django_tables2.Column(_lazy("Cluster"), orderable=False)
    share = MoneyColumn(_lazy("Share"), orderable=False)
    currency = django_tables2.Column(visible=False)

    caption = _lazy("Shares of clusters")

    class Meta(BaseTable.Meta):
        pass

    def render_key(self, value: str | None, record: dict[str, Any]) -> str:
        return _("Idle") if record["is_idle"] else value or "—"

    def value_key(self, value: str | None, record: dict[str, Any]) -> str:
        return value or ""


class ExchangeRateTable(BaseTable):
    day = DayColumn(_lazy("Day"))
    monthly = django_tables2.Column("Is", orderable=False)
    base = django_tables2.Column(_lazy("One"), orderable=False)
    rate = NumberColumn(_lazy("Is worth"), orderable=False)
    quote = django_tables2.Column("In", orderable=False)
    source = django_tables2.Column(_lazy("Source"), orderable=False)

    caption = _lazy("Exchange rates")

    class Meta(BaseTable.Meta):
        model = ExchangeRate
        fields = ["day", "monthly", "base", "rate", "quote", "source"]

    def render_monthly(self, value: bool) -> str:
        return _("average of the month") if value else _("the day's")

    def render_rate(self, value: Decimal) -> str:
        return rate_text(value)

    def value_rate(self, value: Decimal) -> str:
        return f"{value.normalize():f}"
