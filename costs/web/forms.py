"""Forms of the cost pages."""

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import RegexValidator
from django.http import QueryDict
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from costs.account_groups import BadGroup, check_free, read_accounts
from costs.calc import exchange_rates
from costs.clusters import shares
from costs.focus_export import request_export
from costs.formats import FORMATS, NAMES
from costs.ingest import uploads
from costs.models import AccountGroup, DeliveryMonth, FocusExport, Source
from costs.query.question import company_metric
from finops_site.lib.periods import Month
from finops_site.models import User
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import month_text
from finops_site.ui.filters import MonthField

TITLES = {name: ", ".join(known.title for known in FORMATS if known.name == name) for name in NAMES}
FORMAT_CHOICES = [
    ("auto", _lazy("Recognise it")),
    *((name, title[0].upper() + title[1:]) for name, title in TITLES.items()),
]
MODE_CHOICES = [("", _lazy("As its source is set")), *Source.Mode.choices]
currency_code = RegexValidator(r"\A[A-Za-z]{3}\Z", _lazy("Write the currency as its three letters, like USD."))


class ManyFiles(forms.FileInput):
    allow_multiple_selected = True

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """With the limit, so that the page can warn before hours of upload that a bill is too big."""
        limit = settings.BILL_MAX_UPLOAD_BYTES
        limits = {"data-max-bytes": limit, "data-max-text": filesizeformat(limit)}
        return super().get_context(name, value, {**(attrs or {}), **limits})


class FilesField(forms.FileField):
    """Many files; cleans to a list. Empty ones pass: `deliver` names the file that is empty."""

    widget = ManyFiles

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        files = [super(FilesField, self).clean(one, initial) for one in data or [None]]
        if problem := uploads.too_big([file for file in files if file]):
            raise forms.ValidationError(problem)
        return files


class BillUploadForm(forms.Form):
    """A bill, and what it does not contain itself."""

    files = FilesField(
        label=_lazy("Bill"), allow_empty_file=True, error_messages={"required": _lazy("Choose the bill's files.")}
    )  # type: ignore[assignment]
    source = forms.CharField(
        label=_lazy("Source"),
        max_length=100,
        help_text=_lazy("Where the bill comes from: one export of one provider. A new name makes a new source."),
        widget=forms.TextInput({"list": "sources", "autocomplete": "off", "placeholder": _lazy("AWS payer account")}),
    )
    mode = forms.ChoiceField(
        label=_lazy("What it does to its months"),
        choices=MODE_CHOICES,
        required=False,
        help_text=_lazy("A new source replaces: the corrected bill counts, not the one before. A bill in parts adds."),
    )
    format = forms.ChoiceField(label=_lazy("Format"), choices=FORMAT_CHOICES, initial="auto", required=False)
    month = MonthField(
        label=_lazy("Billing month"), required=False, help_text=_lazy("For bills without dates, like an inventory.")
    )
    currency = forms.CharField(
        label=_lazy("Currency"),
        required=False,
        validators=[currency_code],
        help_text=_lazy("For bills that name none."),
        widget=forms.TextInput({"placeholder": "USD", "autocomplete": "off", "maxlength": 3}),
    )
    date_order = forms.ChoiceField(
        label=_lazy("Order of dates"),
        choices=[("", _lazy("As the bill shows it")), *Source.DateOrder.choices],
        required=False,
        help_text=_lazy("For dates like 03/04/2026 that nothing in the bill decides."),
    )
    decimal_mark = forms.ChoiceField(
        label=_lazy("Decimal mark"),
        choices=[("", _lazy("As the bill shows it")), *Source.DecimalMark.choices],
        required=False,
        help_text=_lazy("For amounts like 1,234 that nothing in the bill decides."),
    )
    bill_stopped = forms.BooleanField(label=_lazy("Charge stopped machines too (inventories only)"), required=False)

    def deliver(self, user: User) -> list[Any]:
        """Hands the bill in; raises BadBill."""
        chosen = self.cleaned_data
        return uploads.deliver(
            chosen["files"],
            chosen["source"],
            user=user,
            month=chosen["month"],
            format=chosen["format"] or "auto",
            mode=chosen["mode"] or None,
            currency=chosen["currency"] or None,
            date_order=chosen["date_order"] or None,
            decimal_mark=chosen["decimal_mark"] or None,
            bill_stopped=chosen["bill_stopped"],
        )

    @property
    def known_sources(self) -> Sequence[str]:
        return list(Source.objects.values_list("name", flat=True))


class ExportForm(forms.Form):
    """Which month to write, and as what."""

    month = forms.ChoiceField(label=_lazy("Billing month"))
    version = forms.ChoiceField(label="FOCUS", choices=FocusExport.Version.choices, required=False)
    kind = forms.ChoiceField(label=_lazy("File"), choices=FocusExport.Kind.choices)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        months = DeliveryMonth.objects.current().order_by("-billing_month").values_list("billing_month", flat=True)
        named = list(dict.fromkeys(str(Month.of(month)) for month in months))
        cast(forms.ChoiceField, self.fields["month"]).choices = [(name, month_text(name)) for name in named]
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-select"

    def save(self, user: User) -> FocusExport:
        month = Month.parse(self.cleaned_data["month"])
        version = self.cleaned_data["version"] or FocusExport.Version.V1_2
        return request_export(month.start, self.cleaned_data["kind"], user, version)


class SuggestingInput(forms.TextInput):
    """A text with suggestions; no search, which a filter bar would send letter by letter."""


class GroupedAccountsForm(forms.ModelForm):
    """A group and its accounts."""

    accounts = forms.CharField(
        label=_lazy("Accounts"),
        widget=forms.Textarea(attrs={"rows": 8}),
        help_text=_lazy("One a line, by the id or the name that bills have. An account is in one group."),
    )

    class Meta:
        model = AccountGroup
        fields = ["name", "description"]
        labels = {"name": _lazy("Name"), "description": _lazy("Description")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.initial["accounts"] = "\n".join(self.instance.accounts.values_list("account", flat=True))

    def clean_accounts(self) -> list[str]:
        try:
            accounts = read_accounts(self.cleaned_data["accounts"])
            check_free(self.instance, accounts)
        except BadGroup as error:
            raise forms.ValidationError(str(error)) from None
        return accounts


class AccountGroupForm(GroupedAccountsForm):
    """The same on its page, where a group that exists can be taken away."""

    remove = forms.BooleanField(
        label=_lazy("Remove the group"), required=False, help_text=_lazy("Its accounts are in none then.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            del self.fields["remove"]


class ClusterQuestionForm(forms.Form):
    """Which shares of clusters to show; `question` is what was asked, or what is shown where nothing was."""

    month = MonthField(label=_lazy("Month"), required=False)
    cluster = forms.ChoiceField(label=_lazy("Cluster"), required=False)
    by = forms.CharField(
        label=_lazy("By"), required=False, widget=SuggestingInput({"list": "splits", "placeholder": "label:app"})
    )
    metric = forms.ChoiceField(
        label=_lazy("Cost"),
        required=False,
        choices=[("effective_cost", _lazy("Effective cost")), ("billed_cost", _lazy("Billed cost"))],
    )

    def __init__(self, data: QueryDict, *, month: Month, clusters: Sequence[str]) -> None:
        usual = {"month": str(month), "by": "namespace", "metric": company_metric()}
        super().__init__(usual | {name: value for name, value in data.items() if value})
        self.default_month = month
        choices = [("", _("All clusters")), *((name, name) for name in clusters)]
        cast(forms.ChoiceField, self.fields["cluster"]).choices = choices

    def clean_by(self) -> str:
        by = str(self.cleaned_data["by"])
        if by and by not in shares.GROUPINGS and not (by.startswith(shares.LABEL) and by != shares.LABEL):
            raise forms.ValidationError(
                _("Choose {names} or {label}<key>.").format(names=", ".join(shares.GROUPINGS), label=shares.LABEL)
            )
        return by

    @property
    def question(self) -> dict[str, Any]:
        chosen = self.cleaned_data if self.is_valid() else {}
        return {
            "month": chosen.get("month") or self.default_month,
            "cluster": chosen.get("cluster") or "",
            "by": chosen.get("by") or "namespace",
            "metric": chosen.get("metric") or company_metric(),
        }


class ClusterFileForm(forms.Form):
    """A file that says what ran on which machines."""

    files = FilesField(  # type: ignore[assignment]
        label=_lazy("Files"),
        allow_empty_file=True,
        error_messages={"required": _lazy("Choose a file.")},
        help_text=_lazy(
            "The JSON of OpenCost's or Kubecost's allocation API, their CSV, or an AWS Cost and Usage "
            "Report with split cost allocation data, all its parts at once."
        ),
    )
    cluster = forms.CharField(
        label=_lazy("Cluster"),
        required=False,
        max_length=200,
        help_text=_lazy("If the file does not name it: as your bill's tags do."),
    )


class RatesForm(forms.Form):
    """A file of exchange rates."""

    MOST_BYTES = 20 << 20

    file = forms.FileField(
        label=_lazy("File"),
        help_text=_lazy("CSV: date (or month), base, quote, rate; or the ECB's history or portal export."),
    )
    source = forms.CharField(
        label=_lazy("Source"),
        required=False,
        max_length=100,
        help_text=_lazy("Where they come from, if the file does not name it."),
    )

    def clean_file(self) -> list[exchange_rates.CurrencyRate]:
        uploaded = self.cleaned_data["file"]
        if uploaded.size > self.MOST_BYTES:
            raise forms.ValidationError(_("That is too big for a file of rates."))
        try:
            return exchange_rates.parse(uploaded.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise forms.ValidationError(_("The file is not UTF-8 text.")) from None
        except exchange_rates.BadRates as error:
            raise forms.ValidationError(str(error)) from None
