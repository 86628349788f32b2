"""The forms of budgets and their amounts."""

import contextlib
import json
import re
from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import Any, cast

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from budgets.calc import amounts
from budgets.calc.amounts import BudgetCut
from budgets.calc.fiscal_calendar import FiscalCalendar
from budgets.models import Budget, CompanyYear
from budgets.models.budgets import CATEGORIES, KINDS
from budgets.planning import budget_changes
from budgets.planning.suggestions import last_year_costs, usual_currency
from costs.calc.dimensions import DIMENSIONS, FILTER_BAR, FILTERABLE, TAG, names_where
from costs.calc.filters import (
    OPERATOR_WORDS,
    YES,
    BadFilter,
    Operator,
    filter_label,
    filter_name,
    filter_value,
    is_tag,
    read_filter,
    split_name,
)
from costs.query import filter_choices
from costs.query.filter_values import FilterValues
from costs.query.stored_values import stored_values
from finops_site.lib.language import gettext_noop
from finops_site.lib.money import typed_text
from finops_site.lib.periods import Period, day_text
from finops_site.lib.person import Person
from finops_site.models import Team, User
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.forms import AmountField, LongForm

AMOUNTS = ("way", "percent", "pasted")
# What is as the form first shows it where it was not sent.
DEFAULTS = ("basis", "currency", "kind", "start", "auto_factor", "way")
# The form's field -> the explorer's filter. A budget counts its own team anyway.
SCOPE_FILTERS = {"teams" if name == "team" else name: name for name in FILTER_BAR}
# Empty rows for filters that ask otherwise than by a list.
SPARE_CONDITIONS = 2
CONDITION_HELP = _lazy("One value a line; any of them will do, and with “is not” none of them.")
# What is stored by its id and written by its name.
BY_ID = names_where(lambda dimension: dimension.is_by_id)
TAG_SIGNS = {Operator.NOT: "!=", Operator.PREFIX: "^=", Operator.CONTAINS: "*=", Operator.IS: "="}
TAG_LINE = re.compile(r"(.+?)\s*(!=|\^=|\*=|=)\s*(.+)")
COUNTS, PERIOD, HOW, BASIS, LEFT_OUT = (
    _lazy("What it counts"),
    _lazy("Period, start and currency"),
    _lazy("How amounts are made"),
    _lazy("Basis, parent, carrying over"),
    _lazy("What is left out"),
)
AMOUNT_CHOICES = (
    ("flat", _lazy("the same for each period")),
    ("growing", _lazy("growing by a percentage")),
    ("shaped", _lazy("a total in the shape of last year")),
    ("pasted", _lazy("pasted from a spreadsheet")),
    ("keep", _lazy("as they are; an amount above holds from this period on")),
)


def _tag_lines(name: str, values: Sequence[str]) -> list[str]:
    """A tag's filter as lines of the form; none where they would be read as something else, like a key with ``=``."""
    dimension, operator = split_name(name)
    if not is_tag(dimension) or operator not in TAG_SIGNS:
        return []
    parts = [(dimension.removeprefix(TAG), TAG_SIGNS[operator], value) for value in values]
    lines = ["".join(part) for part in parts]
    read_back = [TAG_LINE.fullmatch(line.strip()) for line in lines]
    return lines if [match and match.groups() for match in read_back] == parts else []


def _has_field(name: str, values: Sequence[str], own: Collection[str]) -> bool:
    """Whether a filter of a scope has a drop-down, or lines among the tags; `own` are those with a drop-down."""
    dimension, operator = split_name(name)
    if is_tag(dimension):
        return bool(_tag_lines(name, values))
    return operator is Operator.IS and (dimension in own or dimension == "pool")


class BudgetForm(LongForm):
    """A budget and the amounts of its periods."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    tag = forms.CharField(
        label=_lazy("Tags"),
        required=False,
        help_text=(
            _lazy(
                "Key=value, one a line; of one key any of its values, of several keys all. != is not, ^= "
                "begins with, *= contains."
            )
        ),
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "Environment=Production\nCostCenter=CC-1001"}),
    )
    way = forms.ChoiceField(label=_lazy("Amounts"), choices=AMOUNT_CHOICES)
    amount = forms.CharField(
        label=_lazy("Amount"),
        required=False,
        help_text=(
            _lazy(
                "Of each month, or of the period chosen below. A period that the budget starts or ends amid "
                "counts its own days only, and its amount is for those days."
            )
        ),
    )
    calendar = forms.ChoiceField(label=_lazy("Months, quarters and years are"), required=False)
    percent = AmountField(label=_lazy("Growth in %"), required=False, min_value=-99, max_value=999)
    pasted = forms.CharField(
        label=_lazy("Amounts, a cell for each period"), required=False, widget=forms.Textarea(attrs={"rows": 4})
    )
    why = forms.CharField(
        label=_lazy("Why"), required=False, max_length=500, help_text=_lazy("Stored with this version.")
    )

    class Meta:
        model = Budget
        fields = [
            "name",
            "team",
            "basis",
            "currency",
            "kind",
            "calendar",
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
            "with_support",
            "with_marketplace",
        ]
        field_classes = {"auto_factor": AmountField}
        widgets = {"start": forms.DateInput(attrs={"type": "date"}), "end": forms.DateInput(attrs={"type": "date"})}

    def __init__(self, *args: Any, user: Person, today: date, teams: set[int] | None = None, **kwargs: Any) -> None:
        """`teams`: the only ones she may choose; None for finance, who may leave the team out too."""
        super().__init__(*args, **kwargs)
        self.user, self.today, self.teams = user, today, teams
        self.instance.scope = dict(self.instance.scope or {})
        field = cast(forms.ModelChoiceField, self.fields["team"])
        field.help_text = _(
            "It counts the cost of this team and of the teams below it; without one, the whole company's."
        )
        field.empty_label = _("The whole company")
        if teams is not None:
            field.queryset, field.required = Team.objects.filter(pk__in=teams), True
            field.empty_label = None if len(teams) == 1 else _("Choose a team")
        cast(forms.ModelChoiceField, self.fields["parent"]).queryset = (
            Budget.objects.visible_to(user).active().exclude(pk=self.instance.pk)
        )
        self._add_calendars()
        self._add_scope_fields()
        if self.instance.pk:
            self.initial.update(version=self.instance.version, way="keep")
            self.fields["amount"].help_text = _("Empty: the amounts stay. An amount holds from this period on.")
        else:
            cast(forms.ChoiceField, self.fields["way"]).choices = AMOUNT_CHOICES[:-1]
            self.initial["start"] = self.initial.get("start") or today.replace(day=1)
            self.initial.setdefault("way", "flat")
            if currency := usual_currency(user, today):
                self.initial["currency"] = currency
        # Asked for, though amounts that are pasted or follow the last months stand in its place.
        self.fields["amount"].is_asked = True  # type: ignore[attr-defined]
        self._fill_what_was_not_sent()

    def _fill_what_was_not_sent(self) -> None:
        """Name, team and amount are enough: any other field that is not in the form at all is as it first shows it."""
        if not self.is_bound:
            return
        missing = [name for name in DEFAULTS if name not in self.data]
        if missing:
            data = cast(QueryDict, self.data).copy()
            for name in missing:
                data[name] = str(self.fields[name].prepare_value(self.get_initial_for_field(self.fields[name], name)))
            self.data = data

    def _add_calendars(self) -> None:
        """Those from January, the company's, and the one that this budget was made with."""
        company = CompanyYear.load().calendar
        codes = dict.fromkeys(["", company.code, self.instance.calendar])
        field = cast(forms.ChoiceField, self.fields["calendar"])
        field.choices = [(code, str(FiscalCalendar.parse(code)).capitalize()) for code in codes]
        self.stored_cut = (self.instance.kind, self.instance.calendar)
        self.stored_currency = self.instance.currency
        if not self.instance.pk:
            self.initial.setdefault("calendar", company.code)
        if len(codes) == 1:
            field.widget = forms.HiddenInput()

    def _add_scope_fields(self) -> None:
        for field, name in self._scope_filters().items():
            chosen = [str(value) for value in self.instance.scope.get(name, [])]
            choices = [(filter_value(name, value), label) for value, label in filter_choices.values(self.user, name)]
            # What no bill has any more stays a choice until somebody removes it.
            choices = [*choices, *((value, value) for value in chosen if value not in dict(choices))]
            label = _("Teams (one or more)") if name == "team" else DIMENSIONS[name].label
            self.fields[field] = forms.MultipleChoiceField(label=label, choices=choices, required=False)
            self.initial.setdefault(field, chosen)
        tags = []
        for name, values in self.instance.scope.items():
            tags += _tag_lines(name, values)
        self.initial.setdefault("tag", "\n".join(tags))
        self._add_conditions()
        self.order_fields(
            [
                "version",
                "name",
                "team",
                "amount",
                *SCOPE_FILTERS,
                "tag",
                *chain.from_iterable(self.conditions),
                "kind",
                "calendar",
                "start",
                "end",
                "currency",
                *AMOUNTS,
                "auto_months",
                "auto_factor",
            ]
        )

    def folded_fields(self) -> dict[str, list[str]]:
        """All but name, team and amount; why it is changed is asked of what is there already."""
        why = [] if self.instance.pk else ["why"]
        return {
            COUNTS: [*SCOPE_FILTERS, "tag", *chain.from_iterable(self.conditions)],
            PERIOD: ["kind", "calendar", "start", "end", "currency"],
            HOW: [*AMOUNTS, "auto_months", "auto_factor"],
            BASIS: ["basis", "parent", "rollover", *why],
            LEFT_OUT: [*CATEGORIES, *KINDS],
        }

    def folded_notes(self) -> dict[str, str]:
        """What each group says now, so that it need not be opened to be seen."""
        scope = FilterValues()
        counts = "; ".join(scope.describe(name, values) for name, values in self.instance.scope.items())
        period = [self._shown("kind"), _("from {shown}").format(shown=self._shown("start"))]
        if self["end"].value():
            period.append(_("until {shown}").format(shown=self._shown("end")))
        left = [str(self[name].label) for name in (*CATEGORIES, *KINDS) if not self[name].value()]
        return {
            COUNTS: counts or _("all cost of the team, or of the company"),
            PERIOD: ", ".join([*period, self._shown("currency")]),
            HOW: self._average() or self._shown("way").partition(";")[0],
            BASIS: self._shown("basis"),
            LEFT_OUT: ", ".join(left) or _("nothing"),
        }

    def _average(self) -> str:
        value = str(self["auto_months"].value() or "")
        months = int(value) if value.isdecimal() and len(value) < 4 else 2
        words = ngettext("average of the last month", "average of the last {value} months", months)
        return words.format(value=value) if value else ""

    def _shown(self, name: str) -> str:
        """The value of a field in words."""
        value = self[name].value()
        if isinstance(self.fields[name], forms.DateField):
            with contextlib.suppress(ValueError):
                value = day_text(value if isinstance(value, date) else date.fromisoformat(str(value)))
        choices = dict(getattr(self.fields[name], "choices", ()))
        return str(choices.get(value, value) or "")

    def _add_conditions(self) -> None:
        """A row of fields for each filter of the scope that has no field of its own, and empty rows for more."""
        own = self._scope_filters().values()
        rows = [(name, values) for name, values in self.instance.scope.items() if not _has_field(name, values, own)]
        rows += [("", [])] * SPARE_CONDITIONS
        keys = [f"{TAG}{key}" for key in filter_choices.tag_keys(self.user)]
        offered = filter_choices.offered(self.user, FILTERABLE)
        named_before = [split_name(name)[0] for name, _ignored in rows if name]
        names = dict.fromkeys([*(name for name in offered if name != "currency"), *keys, *named_before])
        dimensions = [("", "—"), *((name, filter_label(name, Operator.IS)) for name in names)]
        self.conditions: list[tuple[str, str, str]] = []
        for number, (name, values) in enumerate(rows, 1):
            dimension, operator = split_name(name) if name else ("", Operator.NOT)
            fields = (f"condition{number}_of", f"condition{number}_operator", f"condition{number}_values")
            self.fields[fields[0]] = forms.ChoiceField(
                label=_("Condition {number}").format(number=number), choices=dimensions, required=False
            )
            self.fields[fields[1]] = forms.ChoiceField(
                label=_("How it is compared"), choices=[(str(op), _(words)) for op, words in OPERATOR_WORDS.items()]
            )
            self.fields[fields[1]].initial = str(Operator.NOT)
            self.fields[fields[1]].required = False
            self.fields[fields[2]] = forms.CharField(
                label=_("With"), required=False, help_text=CONDITION_HELP, widget=forms.Textarea(attrs={"rows": 2})
            )
            texts = self._names_of(dimension, values)
            for field, value in zip(fields, (dimension, str(operator), "\n".join(texts)), strict=True):
                self.initial.setdefault(field, value)
            self.conditions.append(fields)

    def _names_of(self, dimension: str, values: Sequence[str]) -> list[str]:
        """Teams and pools by their names; anything else as it is."""
        labels = dict(filter_choices.values(self.user, dimension)) if dimension in BY_ID else {}
        return [labels.get(str(value), str(value)) for value in values]

    def _scope_filters(self) -> dict[str, str]:
        """Shared cost belongs to no team: only who sees the whole company can choose its pools."""
        sees_pools = self.user.sees_whole_company
        return {field: name for field, name in SCOPE_FILTERS.items() if sees_pools or name != "pool"}

    @property
    def scope_is_clear(self) -> bool:
        """Whether what it would count is known and hers to see: only then may its cost be shown."""
        conditions = chain.from_iterable(self.conditions)
        return not {*SCOPE_FILTERS, *conditions, "team", "tag", "basis", "currency", NON_FIELD_ERRORS} & set(
            self.errors
        )

    def add_error(self, field: str | None, error: ValidationError | str) -> None:
        """The model's errors about the scope are shown at the teams of the form."""
        if field is None and isinstance(error, ValidationError) and "scope" in getattr(error, "error_dict", {}):
            error.error_dict["teams"] = error.error_dict.pop("scope")
        super().add_error(field, error)

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).strip().upper()

    def clean_calendar(self) -> str:
        """Whoever sends none leaves it as it is."""
        sent = not self.fields["calendar"].widget.value_omitted_from_data(self.data, self.files, "calendar")
        return str(self.cleaned_data["calendar"] if sent else self.instance.calendar)

    def clean_tag(self) -> dict[str, list[str]]:
        """{tag:Key, with its operator: its values}."""
        tags: dict[str, list[str]] = {}
        for line in filter(None, (line.strip() for line in self.cleaned_data["tag"].splitlines())):
            match = TAG_LINE.fullmatch(line)
            if match is None:
                raise ValidationError(_("{line!r} is no tag: write it as Key=value.").format(line=line))
            key, sign, value = match.groups()
            operator = next(operator for operator, written in TAG_SIGNS.items() if written == sign)
            tags.setdefault(filter_name(f"{TAG}{key}", operator), []).append(value)
        return tags

    def _read_conditions(self, values: dict[str, Any]) -> dict[str, list[str]]:
        """{name of a filter: its values} of the rows that are filled in; what cannot be read is an error of its row."""
        filters: dict[str, list[str]] = {}
        for of, how, text in self.conditions:
            dimension = values.get(of)
            written = [line.strip() for line in (values.get(text) or "").splitlines() if line.strip()]
            if not dimension:
                if written:
                    self.add_error(of, _("What is compared with this?"))
                continue
            operator = Operator(values.get(how) or Operator.NOT)
            if operator is Operator.EMPTY:
                written = [written[0].lower() if written else YES]
            name = filter_name(dimension, operator)
            try:
                if dimension in BY_ID and operator in (Operator.IS, Operator.NOT):
                    written = self._ids_of(dimension, written)
                if not written:
                    raise BadFilter(_("Write at least one value."))
                read_filter(name, written)
                written = stored_values(dimension, operator, written)
            except BadFilter as error:
                self.add_error(text, str(error))
                continue
            filters[name] = [*filters.get(name, []), *written]
        return filters

    def _ids_of(self, dimension: str, names: Sequence[str]) -> list[str]:
        """The ids of teams and pools by their names. Raises BadFilter for a name that she does not see."""
        ids = {label.lower(): value for value, label in filter_choices.values(self.user, dimension)}
        unknown = [name for name in names if name.lower() not in ids and name not in ids.values()]
        if unknown:
            raise BadFilter(
                _("There is no {label} {names}.").format(
                    label=DIMENSIONS[dimension].label.lower(), names=", ".join(unknown)
                )
            )
        return [ids.get(name.lower(), name) for name in names]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        chosen = {name: values[field] for field, name in self._scope_filters().items() if values.get(field)}
        # Pools that a lead cannot choose stay as finance chose them.
        hidden = {name: own for name, own in self.instance.scope.items() if name == "pool" and name not in chosen}
        if "pool" in self._scope_filters().values():
            hidden = {}
        scope: dict[str, list[str]] = {}
        for part in (hidden, values.get("tag", {}), chosen, self._read_conditions(values)):
            for name, own in part.items():
                scope[name] = [*dict.fromkeys([*scope.get(name, []), *own])]
        self.instance.scope = scope
        if not self.errors:
            try:
                self.new_amounts = self._new_amounts(values)
            except ValueError as error:
                self.add_error("pasted" if values["way"] == "pasted" else "amount", str(error))
            stays = self.instance.pk and values["way"] == "keep"
            if stays and self.stored_cut != (values["kind"], values["calendar"]):
                text = _("Its periods are cut anew, and the amounts do not fit them: choose how the new ones are made.")
                self.add_error("way", text)
            elif stays and self.stored_currency != values["currency"]:
                text = _("Its amounts are in {stored_currency}: choose how those in {currency} are made.").format(
                    stored_currency=self.stored_currency, currency=values["currency"]
                )
                self.add_error("way", text)
        return values

    def save_budget(self, *, by: User, proposes: bool = False) -> Budget:
        """Creates the budget or changes it, as a proposal of whoever may do no more. Raises StaleBudget, WrongState."""
        why, budget = self.cleaned_data["why"], self.instance
        if budget.pk is None:
            state = Budget.State.PROPOSED if proposes else Budget.State.ACTIVE
            return budget_changes.create_budget(budget, self.new_amounts or {}, by=by, why=why, state=state)
        if self.teams is not None:
            budget.state = Budget.State.PROPOSED
        version = self.cleaned_data["version"] or 0
        return budget_changes.change_budget(
            budget, self.new_amounts, version=version, by=by, why=why, what=gettext_noop("edited")
        )

    def _cut_of(self, values: dict[str, Any]) -> BudgetCut:
        return BudgetCut(values["kind"], values["start"], values["end"], FiscalCalendar.parse(values["calendar"]))

    def _amounts_from_now_on(self, values: dict[str, Any]) -> dict[Period, Decimal]:
        """The amount for this period and those after it; what is over stays as it was."""
        amount = amounts.parse_amount(values["amount"], currency=values["currency"])
        cut = self._cut_of(values)
        rows = [row.period for row in self.instance.periods.all()]
        periods = {period for period in [*rows, *cut.periods()] if cut.has(period) and period.end > self.today}
        if not periods:
            raise ValueError(_("No period of it is ahead: choose below how its amounts are made."))
        return dict.fromkeys(sorted(periods), amount)

    def _new_amounts(self, values: dict[str, Any]) -> dict[Period, Decimal] | None:
        """The amount of each period; None where the amounts stay, or follow the last months."""
        way, currency = values["way"], values["currency"]
        if way == "keep":
            return self._amounts_from_now_on(values) if values["amount"] else None
        if values.get("auto_months") and not values["amount"]:
            return {}
        periods = self._cut_of(values).periods()
        if way == "pasted":
            return dict(zip(periods, amounts.pasted_amounts(values["pasted"], len(periods), currency), strict=True))
        amount = amounts.parse_amount(values["amount"], currency=currency)
        if way == "growing":
            each_period = amounts.growing_amounts(amount, values["percent"] or Decimal(0), len(periods), currency)
        elif way == "shaped":
            for name in self._meta.fields or ():
                setattr(self.instance, name, values[name])
            each_period = amounts.shaped_amounts(amount, last_year_costs(self.instance, periods), currency)
        else:
            each_period = amounts.flat_amounts(amount, len(periods))
        return dict(zip(periods, each_period, strict=True))


class ProposeChangeForm(forms.Form):
    """Another amount for a budget that is in force, from one of its periods on."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    amount = forms.CharField(max_length=60)
    first = forms.ChoiceField(label=_lazy("From"), help_text=_lazy("Periods before it stay as they are."))
    why = forms.CharField(
        label=_lazy("Why"), required=False, max_length=500, help_text=_lazy("Finance reads it when it decides.")
    )

    def __init__(self, *args: Any, budget: Budget, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.budget = budget
        self.ahead = [row for row in budget.periods.all() if row.end > today]
        first = cast(forms.ChoiceField, self.fields["first"])
        first.choices = [(row.start.isoformat(), _("{words} on").format(words=row.words)) for row in self.ahead]
        self.fields["amount"].label = _("Amount, {kind}, in {currency}").format(
            kind=budget.get_kind_display(), currency=budget.currency
        )
        self.initial.setdefault("version", budget.version)
        # As it is now: what is proposed is a change of it.
        if self.ahead:
            self.initial.setdefault("amount", typed_text(self.ahead[0].amount))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.ahead:
            raise ValidationError(_("No period of it is ahead: finance gives it more first."))
        if not self.errors:
            try:
                amount = amounts.parse_amount(values["amount"], currency=self.budget.currency)
            except ValueError as error:
                self.add_error("amount", str(error))
            else:
                days = [row for row in self.ahead if row.start.isoformat() >= values["first"]]
                self.new_amounts = {row.period: amount for row in days}
        return values


class ReasonForm(forms.Form):
    """A reason and the version it is about."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    why = forms.CharField(required=False, max_length=500)


class CopyForm(ReasonForm):
    """`parts`: what becomes of amounts of a part of a month, in words; they are raised only knowingly."""

    percent = AmountField(label=_lazy("More, in %"), initial=0, min_value=-99, max_value=999)

    def __init__(self, *args: Any, parts: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if parts:
            self.fields["raise_parts"] = forms.BooleanField(
                label=_("Raise amounts of a part to all of its days"),
                help_text=" ".join(parts),
                error_messages={
                    "required": _("{names} Tick it if that is right, or change the amount first.").format(
                        names=" ".join(parts)
                    )
                },
            )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        values.pop("raise_parts", None)
        return values


class ImportForm(forms.Form):
    """A table of amounts, first previewed, then written."""

    file = forms.FileField(required=False, help_text=_lazy("CSV: budget, then a column for each month like 2026-03."))
    decimal_mark = forms.ChoiceField(
        label=_lazy("Decimals are written"),
        required=False,
        choices=[
            ("", _lazy("as the file shows")),
            (".", _lazy("with a point: 1,234.56")),
            (",", _lazy("with a comma: 1.234,56")),
        ],
    )
    table = forms.CharField(required=False, widget=forms.HiddenInput)
    versions = forms.CharField(required=False, widget=forms.HiddenInput)
    why = forms.CharField(required=False, max_length=500)

    def clean_file(self) -> str:
        uploaded = self.cleaned_data["file"]
        if not uploaded:
            return ""
        if uploaded.size > 5 << 20:
            raise ValidationError(_("That is too big for a table of budgets."))
        try:
            return str(uploaded.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise ValidationError(_("The file is not UTF-8 text.")) from None

    def clean_versions(self) -> dict[int, int]:
        try:
            versions = json.loads(self.cleaned_data["versions"] or "{}")
            return {int(pk): int(number) for pk, number in versions.items()}
        except (ValueError, AttributeError, TypeError, OverflowError, RecursionError):
            raise ValidationError(_("Preview the table again first.")) from None

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not values.get("file") and not values.get("table"):
            self.add_error("file", _("Choose the file."))
        return values
