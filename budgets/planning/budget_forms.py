"""The forms of budgets and their amounts."""

import json
from datetime import date
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from budgets.calc import amounts
from budgets.models import Budget
from budgets.planning.suggestions import last_year_costs
from costs.calc.dimensions import DIMENSIONS, FILTER_BAR, TAG
from costs.query import filter_choices
from finops_site.lib.periods import Period
from finops_site.lib.person import Person
from finops_site.models import Team

AMOUNTS = ("way", "amount", "percent", "pasted")
# The form's field -> the explorer's filter. A budget counts its own team anyway.
SCOPE_FILTERS = {"teams" if name == "team" else name: name for name in FILTER_BAR}
AMOUNT_CHOICES = (
    ("flat", "the same for each period"),
    ("growing", "growing by a percentage"),
    ("shaped", "a total in the shape of last year"),
    ("pasted", "pasted from a spreadsheet"),
    ("keep", "as they are"),
)


class BudgetForm(forms.ModelForm):
    """A budget and the amounts of its periods."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    tag = forms.CharField(
        label="Tags",
        required=False,
        help_text="Key=value, one a line; of one key any of its values, of several keys all.",
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "Environment=Production\nCostCenter=CC-1001"}),
    )
    way = forms.ChoiceField(label="Amounts", choices=AMOUNT_CHOICES)
    amount = forms.CharField(label="Amount", required=False, help_text="Of a period, or in total where it has a shape.")
    percent = forms.DecimalField(label="Growth in %", required=False, min_value=-99, max_value=999)
    pasted = forms.CharField(
        label="Amounts, a cell for each period", required=False, widget=forms.Textarea(attrs={"rows": 4})
    )
    why = forms.CharField(label="Why", required=False, max_length=500, help_text="Stored with this version.")

    class Meta:
        model = Budget
        fields = [
            "name",
            "team",
            "basis",
            "currency",
            "kind",
            "start",
            "end",
            "parent",
            "rollover",
            "auto_months",
            "auto_factor",
            "with_credits",
            "with_refunds",
            "with_tax",
            "with_purchases",
        ]
        widgets = {"start": forms.DateInput(attrs={"type": "date"}), "end": forms.DateInput(attrs={"type": "date"})}

    def __init__(self, *args: Any, user: Person, today: date, teams: set[int] | None = None, **kwargs: Any) -> None:
        """`teams`: the only ones she may choose; None for finance, who may leave the team out too."""
        super().__init__(*args, **kwargs)
        self.user, self.today = user, today
        self.instance.scope = dict(self.instance.scope or {})
        field = cast(forms.ModelChoiceField, self.fields["team"])
        field.help_text = "It counts the cost of this team and of the teams below it; without one, the whole company's."
        if teams is not None:
            field.queryset, field.required = Team.objects.filter(pk__in=teams), True
        cast(forms.ModelChoiceField, self.fields["parent"]).queryset = (
            Budget.objects.visible_to(user).active().exclude(pk=self.instance.pk)
        )
        self._add_scope_fields()
        if self.instance.pk:
            self.initial.update(version=self.instance.version, way="keep")
        else:
            cast(forms.ChoiceField, self.fields["way"]).choices = AMOUNT_CHOICES[:-1]
            self.initial.setdefault("start", today.replace(month=1, day=1))

    def _add_scope_fields(self) -> None:
        for field, name in self._scope_filters().items():
            chosen = [str(value) for value in self.instance.scope.get(name, [])]
            choices = filter_choices.values(self.user, name)
            # What no bill has any more stays a choice until somebody removes it.
            choices = [*choices, *((value, value) for value in chosen if value not in dict(choices))]
            label = "Teams (one or more)" if name == "team" else DIMENSIONS[name].label
            self.fields[field] = forms.MultipleChoiceField(label=label, choices=choices, required=False)
            self.initial.setdefault(field, chosen)
        scope = self.instance.scope.items()
        tags = [f"{key[4:]}={value}" for key, values in scope if key.startswith(TAG) for value in values]
        self.initial.setdefault("tag", "\n".join(tags))
        self.order_fields(
            ["version", "name", "team", *SCOPE_FILTERS, "tag", "kind", "start", "end", "currency", *AMOUNTS, "why"]
        )

    def _scope_filters(self) -> dict[str, str]:
        """Shared cost belongs to no team: only who sees the whole company can choose its pools."""
        sees_pools = self.user.sees_whole_company
        return {field: name for field, name in SCOPE_FILTERS.items() if sees_pools or name != "pool"}

    @property
    def scope_is_clear(self) -> bool:
        """Whether what it would count is known and hers to see: only then may its cost be shown."""
        return not {*SCOPE_FILTERS, "team", "tag", "basis", "currency", NON_FIELD_ERRORS} & set(self.errors)

    def add_error(self, field: str | None, error: ValidationError | str) -> None:
        """The model's errors about the scope are shown at the teams of the form."""
        if field is None and isinstance(error, ValidationError) and "scope" in getattr(error, "error_dict", {}):
            error.error_dict["teams"] = error.error_dict.pop("scope")
        super().add_error(field, error)

    def clean_tag(self) -> dict[str, list[str]]:
        """{tag:Key: its values}."""
        tags: dict[str, list[str]] = {}
        for line in filter(None, (line.strip() for line in self.cleaned_data["tag"].splitlines())):
            key, _, value = (part.strip() for part in line.partition("="))
            if not key or not value:
                raise ValidationError(f"{line!r} is no tag: write it as Key=value.")
            tags.setdefault(f"{TAG}{key}", []).append(value)
        return tags

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        scope, offered = self.instance.scope, self._scope_filters()
        others = {key: scope[key] for key in scope if key not in offered.values() and not key.startswith(TAG)}
        chosen = {name: values[field] for field, name in offered.items() if values.get(field)}
        self.instance.scope = {**others, **values.get("tag", {}), **chosen}
        if not self.errors:
            try:
                self.new_amounts = self._new_amounts(values)
            except ValueError as error:
                self.add_error("pasted" if values["way"] == "pasted" else "amount", str(error))
        return values

    def _new_amounts(self, values: dict[str, Any]) -> dict[Period, Decimal] | None:
        """The amount of each period; None where the amounts stay, or follow the last months."""
        way, currency = values["way"], values["currency"]
        if way == "keep" or (values.get("auto_months") and not values["amount"]):
            return None
        periods = amounts.budget_periods(values["kind"], values["start"], values["end"])
        if way == "pasted":
            return dict(zip(periods, amounts.pasted_amounts(values["pasted"], len(periods)), strict=True))
        amount = amounts.parse_amount(values["amount"])
        if way == "growing":
            each_period = amounts.growing_amounts(amount, values["percent"] or Decimal(0), len(periods), currency)
        elif way == "shaped":
            for name in self._meta.fields or ():
                setattr(self.instance, name, values[name])
            each_period = amounts.shaped_amounts(amount, last_year_costs(self.instance, periods), currency)
        else:
            each_period = amounts.flat_amounts(amount, len(periods))
        return dict(zip(periods, each_period, strict=True))


class ReasonForm(forms.Form):
    """A reason and the version it is about."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    why = forms.CharField(required=False, max_length=500)


class CopyForm(ReasonForm):
    percent = forms.DecimalField(label="More, in %", initial=0, min_value=-99, max_value=999)


class ImportForm(forms.Form):
    """A table of amounts, first previewed, then written."""

    file = forms.FileField(required=False, help_text="CSV: budget, then a column for each month like 2026-03.")
    table = forms.CharField(required=False, widget=forms.HiddenInput)
    versions = forms.CharField(required=False, widget=forms.HiddenInput)
    why = forms.CharField(required=False, max_length=500)

    def clean_file(self) -> str:
        uploaded = self.cleaned_data["file"]
        if not uploaded:
            return ""
        if uploaded.size > 5 << 20:
            raise ValidationError("That is too big for a table of budgets.")
        try:
            return str(uploaded.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise ValidationError("The file is not UTF-8 text.") from None

    def clean_versions(self) -> dict[int, int]:
        try:
            versions = json.loads(self.cleaned_data["versions"] or "{}")
            return {int(pk): int(number) for pk, number in versions.items()}
        except (ValueError, AttributeError):
            raise ValidationError("Preview the table again first.") from None

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not values.get("file") and not values.get("table"):
            self.add_error("file", "Choose the file.")
        return values
