"""Forms of budgets."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from budgets.calc import amounts
from budgets.models import Budget
from budgets.planning import budget_changes
from costs.calc.dimensions import DIMENSIONS, FILTER_BAR, TAG
from costs.query import filter_choices
from finops_site.lib.periods import Period
from finops_site.lib.person import Person
from finops_site.models import Team

AMOUNTS = ("way", "amount", "percent", "pasted")
# The form's field -> the filter. Its own team a budget counts anyway.
SCOPED = {"teams" if name == "team" else name: name for name in FILTER_BAR}
WAYS = (
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
    way = forms.ChoiceField(label="Amounts", choices=WAYS)
    amount = forms.CharField(label="Amount", required=False, help_text="Of a period, or in all where it has a shape.")
    percent = forms.DecimalField(label="Growth in %", required=False, min_value=-99, max_value=999)
    pasted = forms.CharField(
        label="Amounts, a cell for each period", required=False, widget=forms.Textarea(attrs={"rows": 4})
    )
    why = forms.CharField(label="Why", required=False, max_length=500, help_text="Kept with this version.")

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
        self._offer_teams(teams)
        self.fields["parent"].queryset = Budget.objects.visible_to(user).active().exclude(pk=self.instance.pk)
        self._offer_scope()
        if self.instance.pk:
            self.initial |= {"version": self.instance.version, "way": "keep"}
        else:
            self.fields["way"].choices = WAYS[:-1]
            self.initial.setdefault("start", today.replace(month=1, day=1))

    def _offer_teams(self, teams: set[int] | None) -> None:
        field = self.fields["team"]
        field.help_text = "It counts the cost of this team and of the teams below it; without one, the whole company's."
        if teams is not None:
            field.queryset, field.required = Team.objects.filter(pk__in=teams), True

    def _offer_scope(self) -> None:
        for field, name in self._scoped().items():
            kept = [str(value) for value in self.instance.scope.get(name, [])]
            offered = filter_choices.values(self.user, name)
            # What no bill holds any more stays until somebody takes it out.
            offered = [*offered, *((value, value) for value in kept if value not in dict(offered))]
            label = "Teams (one or more)" if name == "team" else DIMENSIONS[name].label
            self.fields[field] = forms.MultipleChoiceField(label=label, choices=offered, required=False)
            self.initial.setdefault(field, kept)
        scope = self.instance.scope.items()
        tags = [f"{key[4:]}={value}" for key, values in scope if key.startswith(TAG) for value in values]
        self.initial.setdefault("tag", "\n".join(tags))
        self.order_fields(
            ["version", "name", "team", *SCOPED, "tag", "kind", "start", "end", "currency", *AMOUNTS, "why"]
        )

    def _scoped(self) -> dict[str, str]:
        """Shared cost is nobody's alone: only who sees the whole company is offered its pools."""
        whole = self.user.sees_whole_company
        return {field: name for field, name in SCOPED.items() if whole or name != "pool"}

    @property
    def scope_is_clear(self) -> bool:
        """Whether what it would count is known and hers to see: only then may anything be said of its cost."""
        return not {*SCOPED, "team", "tag", "basis", "currency", NON_FIELD_ERRORS} & set(self.errors)

    def add_error(self, field: Any, error: Any) -> None:
        """What the model says of the scope stands at the teams of the form."""
        if field is None and "scope" in getattr(error, "error_dict", {}):
            error.error_dict["teams"] = error.error_dict.pop("scope")
        super().add_error(field, error)

    def clean_tag(self) -> dict[str, list[str]]:
        """{tag:Key: its values}."""
        found: dict[str, list[str]] = {}
        for line in filter(None, (line.strip() for line in self.cleaned_data["tag"].splitlines())):
            key, _, value = (part.strip() for part in line.partition("="))
            if not key or not value:
                raise ValidationError(f"{line!r} is no tag: write it as Key=value.")
            found.setdefault(f"{TAG}{key}", []).append(value)
        return found

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        scope, asked = self.instance.scope, self._scoped()
        kept = {key: scope[key] for key in scope if key not in asked.values() and not key.startswith(TAG)}
        chosen = {name: said[field] for field, name in asked.items() if said.get(field)}
        self.instance.scope = {**kept, **said.get("tag", {}), **chosen}
        if not self.errors:
            try:
                self.wanted = self._amounts(said)
            except ValueError as error:
                self.add_error("pasted" if said["way"] == "pasted" else "amount", str(error))
        return said

    def _amounts(self, said: dict[str, Any]) -> dict[Period, Decimal] | None:
        """The amounts asked for; None where they stay, or follow the last months."""
        if said["way"] == "keep" or (said.get("auto_months") and not said["amount"]):
            return None
        periods = amounts.periods(said["kind"], said["start"], said["end"])
        return dict(zip(periods, self._each(said, periods), strict=True))

    def _each(self, said: dict[str, Any], periods: list[Period]) -> list[Decimal]:
        if said["way"] == "pasted":
            return amounts.pasted(said["pasted"], len(periods))
        amount = amounts.parse_amount(said["amount"])
        if said["way"] == "growing":
            return amounts.growing(amount, said["percent"] or Decimal(0), len(periods), said["currency"])
        if said["way"] == "shaped":
            for name in self._meta.fields:
                setattr(self.instance, name, said[name])
            return amounts.shaped(amount, budget_changes.last_year(self.instance, periods), said["currency"])
        return amounts.flat(amount, len(periods))


class WhyForm(forms.Form):
    """A reason and the version it is about."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    why = forms.CharField(required=False, max_length=500)


class CopyForm(WhyForm):
    percent = forms.DecimalField(label="More, in %", initial=0, min_value=-99, max_value=999)


class ImportForm(forms.Form):
    """A table of amounts, first to be looked at, then to be written."""

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
            found = json.loads(self.cleaned_data["versions"] or "{}")
            return {int(pk): int(number) for pk, number in found.items()}
        except (ValueError, AttributeError):
            raise ValidationError("Look at the table again first.") from None

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if not said.get("file") and not said.get("table"):
            self.add_error("file", "Choose the file.")
        return said
