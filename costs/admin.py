"""The admin of bills: sources are edited there; what was delivered and what it cost is only looked at."""

from datetime import date
from functools import cached_property
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from costs.account_groups import save_group
from costs.models import (
    AccountGroup,
    CostLine,
    Credential,
    Delivery,
    DeliveryFile,
    DeliveryMonth,
    Dimension,
    ExchangeRate,
    ExportPlace,
    FetchedBill,
    FocusExport,
    Invoice,
    InvoiceCost,
    Reject,
    RestatedCost,
    Restatement,
    Source,
    Stream,
    TagSet,
)
from costs.models.sources import parse_secret
from costs.scheduled_exports import check_place
from costs.sources.connection_test import try_connection
from costs.sources.google_cloud import check_key
from costs.sources.places import AWS_ROLE, endpoint_choices
from costs.sources.storage import StorageProblem
from costs.sources.sync import sync_after_change, sync_after_credential_change
from costs.web.forms import GroupedAccountsForm
from costs.web.source_form import SourceForm
from finops_site.admin import MOST_ROWS, FactAdmin
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.lib.words import number_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import month_text
from finops_site.ui.forms import AmountField

# Each may take half a minute, and somebody waits.
MOST_TESTED = 3


@admin.register(Source)
class SourceAdmin(ModelAdmin):
    form = SourceForm
    fields = [*SourceForm.Meta.fields, "complements", "created_at"]
    list_display = ["name", "kind", "place", "delivery_mode", "sync", "synced_at"]
    search_fields = ["name"]
    readonly_fields = ["created_at"]
    filter_horizontal = ["complements"]
    actions = ["test_connection"]

    @admin.action(description=_lazy("Test the connection; nothing is loaded"), permissions=["change"])
    def test_connection(self, request: HttpRequest, queryset: models.QuerySet[Source]) -> None:
        for source in queryset.select_related("credential")[:MOST_TESTED]:
            connection = try_connection(source)
            words = f"{source}: {connection.words}"
            if connection.missing:
                words += " " + _("Missing: {missing}").format(missing=connection.missing)
            self.message_user(request, words, messages.SUCCESS if connection.is_ok else messages.ERROR)

    def save_model(self, request: HttpRequest, obj: Source, form: SourceForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        sync_after_change(obj)


@admin.register(AccountGroup)
class AccountGroupAdmin(ModelAdmin):
    form = GroupedAccountsForm
    fields = ["name", "description", "accounts"]
    list_display = ["name", "description"]
    search_fields = ["name", "accounts__account"]

    def save_model(self, request: HttpRequest, obj: AccountGroup, form: GroupedAccountsForm, change: bool) -> None:
        save_group(obj, form.cleaned_data["accounts"])


@admin.register(Stream)
class StreamAdmin(ModelAdmin):
    """What a source brings, and how much a newer version may change before finance is asked."""

    fields = ["source", "export", "view", "partition", "is_judged", "hold_down", "hold_up", "created_at"]
    formfield_overrides = {models.DecimalField: {"form_class": AmountField, "widget": UnfoldAdminTextInputWidget}}
    readonly_fields = ["source", "export", "view", "partition", "created_at"]
    list_display = ["source", "export", "view", "partition", "is_judged", "hold_down", "hold_up"]
    list_filter = ["source", "is_judged"]
    search_fields = ["export", "partition"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Stream | None = None) -> bool:
        return False


class CredentialForm(forms.ModelForm):
    """A secret can be written and never read: an empty field leaves the stored one."""

    secret = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"}),
        help_text=_lazy(
            "A JSON object. AWS: access_key_id, secret_access_key. Azure: sas_token or account_key. "
            "Google Cloud: the service account's key. It is kept encrypted and never shown; empty leaves "
            "it as it is."
        ),
    )
    forget_secret = forms.BooleanField(required=False)

    class Meta:
        model = Credential
        fields = ["name", "role_arn", "external_id"]

    def clean_role_arn(self) -> str:
        role = self.cleaned_data["role_arn"]
        if role and not AWS_ROLE.match(role):
            raise forms.ValidationError(_("A role looks like arn:aws:iam::123456789012:role/name."))
        return role

    def clean_secret(self) -> dict[str, Any]:
        text = self.cleaned_data["secret"]
        secret = parse_secret(text) if text.strip() else {}
        try:
            check_key(secret)
        except StorageProblem as problem:
            raise forms.ValidationError(str(problem)) from None
        return secret

    def save(self, commit: bool = True) -> Credential:
        if self.cleaned_data["secret"] or self.cleaned_data["forget_secret"]:
            self.instance.seal(self.cleaned_data["secret"])
        return super().save(commit)


@admin.register(Credential)
class CredentialAdmin(ModelAdmin):
    form = CredentialForm
    list_display = ["name", "role_arn", "has_secret", "created_at"]

    def save_model(self, request: HttpRequest, obj: Credential, form: CredentialForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        sync_after_credential_change(obj)


class ExportPlaceForm(forms.ModelForm):
    """Where FOCUS files go. An address other than the provider's own can only be one of those allowed."""

    endpoint = forms.ChoiceField(required=False)

    class Meta:
        model = ExportPlace
        fields = [
            *("name", "kind", "bucket", "prefix", "region", "endpoint", "credential", "version", "file", "months"),
            "is_enabled",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["endpoint"]).choices = endpoint_choices()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        described = {name: cleaned.get(name) or "" for name in ("kind", "bucket", "prefix", "region", "endpoint")}
        try:
            check_place(ExportPlace(**described))
        except ValidationError as error:
            self.add_error(None, error)
        return cleaned


@admin.register(ExportPlace)
class ExportPlaceAdmin(ModelAdmin):
    form = ExportPlaceForm
    list_display = ["name", "kind", "bucket", "version", "file", "months", "is_enabled", "written_at", "problem"]
    readonly_fields = ["written_at", "problem"]


@admin.register(ExchangeRate)
class ExchangeRateAdmin(FactAdmin):
    list_display = ["day", "monthly", "base", "quote", "rate", "source"]
    list_filter = ["monthly", "base", "quote"]


@admin.register(FetchedBill)
class FetchedBillAdmin(FactAdmin):
    list_display = ["name", "source", "delivery", "at"]
    list_select_related = ["source", "delivery__source"]


@admin.register(Delivery)
class DeliveryAdmin(FactAdmin):
    list_display = [
        "__str__",
        "status",
        "format",
        "provider",
        "rows_read",
        "rows_rejected",
        "received_by",
        "received_at",
    ]
    list_filter = ["status", "source"]
    list_select_related = ["source", "received_by"]
    search_fields = ["source__name", "message"]


@admin.register(DeliveryFile)
class DeliveryFileAdmin(FactAdmin):
    list_display = ["name", "delivery", "bytes", "sha256"]
    list_select_related = ["delivery__source"]
    search_fields = ["name", "sha256"]


@admin.register(Reject)
class RejectAdmin(FactAdmin):
    list_display = ["file", "line", "column", "reason", "delivery"]
    list_select_related = ["delivery__source"]
    search_fields = ["file", "column"]


@admin.register(FocusExport)
class FocusExportAdmin(FactAdmin):
    list_display = ["__str__", "kind", "status", "rows", "requested_by", "created_at"]
    list_select_related = ["requested_by"]


@admin.register(Invoice)
class InvoiceAdmin(FactAdmin):
    """Only looked at: whether it may be edited depends on its signature, which its page knows."""

    list_display = ["__str__", "issuer", "billing_account", "billing_month", "exact_total", "currency", "signed_by"]
    list_select_related = ["signed_by"]
    list_filter = ["currency"]
    search_fields = ["invoice_id", "issuer", "billing_account"]

    @admin.display(description="total")
    def exact_total(self, invoice: Invoice) -> str | None:
        return exact_text(invoice.total)


@admin.register(InvoiceCost)
class InvoiceCostAdmin(FactAdmin):
    list_display = ["billing_month", "billing_account", "invoice_id", "issuer", "billed", "currency", "charges"]
    search_fields = ["invoice_id", "billing_account"]

    @admin.display(description=_lazy("billed cost"))
    def billed(self, cost: InvoiceCost) -> str | None:
        return exact_text(cost.billed_cost)

    def visible(self, rows: QuerySet, user: Person) -> QuerySet:
        return super().visible(rows, user).filter(delivery_month__is_current=True)


@admin.register(Restatement)
class RestatementAdmin(FactAdmin):
    list_display = ["__str__", "covered_until", "created_at"]
    list_select_related = ["delivery__source"]


@admin.register(RestatedCost)
class RestatedCostAdmin(FactAdmin):
    list_display = [
        "service",
        "sub_account",
        "owner",
        "pool",
        "currency",
        "billed_before",
        "billed_after",
        "billed_new",
    ]
    list_select_related = ["owner", "pool"]


@admin.register(TagSet)
class TagSetAdmin(FactAdmin):
    list_display = ["__str__"]


@admin.register(Dimension)
class DimensionAdmin(FactAdmin):
    list_display = ["name", "value", "label"]
    list_filter = ["name"]
    search_fields = ["value", "label"]


class ChargeMonthFilter(admin.SimpleListFilter):
    """One month of use at a time, the latest unless another is chosen: no list reads all months."""

    title = _lazy("charge month")
    parameter_name = "charge_month"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(month), month_text(month)) for month in self.months]

    def has_output(self) -> bool:
        return True

    @cached_property
    def months(self) -> list[Month]:
        """Every month that charges of current bills were used in, the latest first."""
        used = DeliveryMonth.objects.current().order_by().values_list("charge_months", flat=True)
        return sorted({Month.of(date.fromisoformat(day)) for days in used for day in days}, reverse=True)

    def chosen(self) -> Month:
        today = Month.of(timezone.now().date())
        if self.value() in [str(month) for month in self.months]:
            return Month.parse(self.value())  # type: ignore[arg-type]
        return next((month for month in self.months if month <= today), today)

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.charged_in(self.chosen().period)  # type: ignore[attr-defined]

    def choices(self, changelist: Any) -> Any:
        chosen = str(self.chosen())
        for value, label in self.lookup_choices:
            address = changelist.get_query_string({self.parameter_name: value})
            yield {"selected": value == chosen, "query_string": address, "display": label}


class CategoryFilter(admin.SimpleListFilter):
    """The categories that occur, from the drop-downs' own table: distinct over lines would read them all."""

    title = "category"
    parameter_name = "charge_category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        known = Dimension.objects.filter(name=self.parameter_name).values_list("value", flat=True)
        return [(value, value) for value in known]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(charge_category=self.value()) if self.value() else queryset


@admin.register(CostLine)
class CostLineAdmin(FactAdmin):
    list_display = [
        "charge_date",
        "service",
        "resource_name",
        "sub_account",
        "owner",
        "pool",
        "charge_category",
        "billed",
        "currency",
    ]
    list_filter = [ChargeMonthFilter, CategoryFilter]
    list_select_related = ["owner", "pool"]
    search_fields = ["resource", "resource_name"]
    search_help_text = format_lazy(
        _lazy("A resource of the month; the list ends after {rows} lines."), rows=number_text(MOST_ROWS)
    )
    ordering = ["-charge_date", "-id"]
    sortable_by = ["charge_date"]

    @admin.display(description=_lazy("billed cost"))
    def billed(self, line: CostLine) -> str | None:
        return exact_text(line.billed_cost)

    def visible(self, rows: QuerySet, user: Person) -> QuerySet:
        return rows.visible_to(user)  # type: ignore[attr-defined]
