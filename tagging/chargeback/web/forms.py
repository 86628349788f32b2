"""Forms of chargeback: how a pool is split, the basis of a month, a dispute and its answer."""

from datetime import date
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.core.validators import MaxValueValidator
from django.utils.translation import gettext as _

from costs.models import Dimension, Pool
from finops_site.lib.money import BadAmount, parse_amount
from finops_site.lib.periods import Month
from finops_site.models import Team
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.filters import MonthField
from finops_site.ui.forms import AmountField, LongForm
from tagging.calc import pool_splits
from tagging.calc.journal import CannotBook
from tagging.calc.journal_layouts import LAYOUTS, check_dynamics_account
from tagging.calc.pool_splits import BadSplit, Party
from tagging.chargeback import splits
from tagging.models import ChargebackPeriod, JournalAccount, Split

# A share of a pool is less; and what is taken from one may go to another.
MOST_PERCENT = Decimal(1000)
LAST_POSTING_DAY = date(9998, 12, 31)


class SplitForm(forms.ModelForm):
    """A split with its parts: `parts` are those of the form once it is valid."""

    start = MonthField(
        label=_lazy("From"), required=False, help_text=_lazy("First billing month, like 2026-03; empty: always.")
    )
    end = MonthField(label=_lazy("Until"), required=False, help_text=_lazy("First billing month it no longer holds."))
    recipients = forms.MultipleChoiceField(
        label=_lazy("Among"),
        required=False,
        help_text=_lazy(
            "Teams, and pools that are then split themselves. None: every team with direct cost (or a value)."
        ),
    )
    shares = forms.CharField(
        label=_lazy("Fixed shares, percent"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "placeholder": "Payments = 62.5\nData = 37.5"}),
        help_text=_lazy("Only for fixed shares: one team or pool a line, like “Payments = 62.5”. They make 100."),
    )

    class Meta:
        model = Split
        fields = ["pool", "method", "metric"]
        labels = {"pool": _lazy("Pool"), "method": _lazy("Method"), "metric": _lazy("Metric")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        teams = [(f"team-{team.pk}", team.name) for team in Team.objects.all()]
        pools = [(f"pool-{pool.pk}", _("{pool} (pool)").format(pool=pool.name)) for pool in Pool.objects.all()]
        cast(forms.MultipleChoiceField, self.fields["recipients"]).choices = [*teams, *pools]
        self.fields["metric"].required = False
        if self.instance.pk and not self.is_bound:
            self._fill_from(self.instance)
        self.order_fields(["pool", "method", "recipients", "shares", "metric", "start", "end"])

    def _fill_from(self, split: Split) -> None:
        parts = list(split.parts.select_related("team", "into"))
        self.initial["start"] = str(Month.of(split.start)) if split.start else ""
        self.initial["end"] = str(Month.of(split.end)) if split.end else ""
        self.initial["recipients"] = [f"{part.party.kind}-{part.party.id}" for part in parts]
        self.initial["shares"] = "\n".join(
            f"{part.team or part.into} = {part.share.normalize():f}" for part in parts if part.share is not None
        )

    def clean_start(self) -> date | None:
        return _first_day(self.cleaned_data["start"])

    def clean_end(self) -> date | None:
        return _first_day(self.cleaned_data["end"])

    def clean_shares(self) -> dict[Party, Decimal]:
        # Where a pool is called like a team, the team is meant.
        parties = {pool.name.lower(): pool_splits.pool(pool.pk) for pool in Pool.objects.all()}
        parties |= {team.name.lower(): pool_splits.team(team.pk) for team in Team.objects.all()}
        shares: dict[Party, Decimal] = {}
        for number, line in enumerate(self.cleaned_data["shares"].splitlines(), 1):
            if line.strip():
                party, share = _parse_share(line, number, parties)
                if party in shares:
                    raise forms.ValidationError(
                        _("Line {number}: {value} is named twice.").format(
                            number=number, value=line.rpartition("=")[0].strip()
                        )
                    )
                shares[party] = share
        return shares

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        self.instance.start, self.instance.end = cleaned["start"], cleaned["end"]
        if cleaned["method"] != Split.Method.METRIC:
            self.instance.metric = cleaned["metric"] = None
        self.parts: dict[Party, Decimal | None]
        if cleaned["method"] == Split.Method.FIXED:
            self.parts = dict(cleaned["shares"])
        else:
            chosen = (value.split("-") for value in cleaned["recipients"])
            self.parts = {Party(kind, int(pk)): None for kind, pk in chosen}
        names = ("pool", "method", "metric", "start", "end")
        try:
            splits.check_split(Split(pk=self.instance.pk, **{name: cleaned[name] for name in names}), self.parts)
        except BadSplit as error:
            raise forms.ValidationError(str(error)) from None
        return cleaned


def _first_day(month: Month | None) -> date | None:
    return month.start if month else None


def _parse_share(line: str, number: int, parties: dict[str, Party]) -> tuple[Party, Decimal]:
    name, _ignored, text = line.rpartition("=")
    party = parties.get(name.strip().lower())
    if party is None:
        raise forms.ValidationError(
            _("Line {number}: no team and no pool is called {value!r}.").format(
                number=number, value=name.strip() or line.strip()
            )
        )
    try:
        share = parse_amount(text.strip().removesuffix("%"), most=MOST_PERCENT)
    except BadAmount as error:
        raise forms.ValidationError(
            _("Line {number}: {text!r} is no percentage. {error}").format(number=number, text=text.strip(), error=error)
        ) from None
    if share.as_tuple().exponent < -9 or abs(share) > MOST_PERCENT:  # type: ignore[operator]
        raise forms.ValidationError(
            _("Line {number}: {text} is no percentage of up to nine decimals.").format(number=number, text=text.strip())
        )
    return party, share


class PeriodForm(forms.ModelForm):
    """The settings that are fixed when the month is closed."""

    class Meta:
        model = ChargebackPeriod
        fields = ["basis", "discounts"]
        labels = {"basis": _lazy("Basis")}
        widgets = dict.fromkeys(fields, forms.Select(attrs={"class": "form-select"}))


class AccountsForm(LongForm):
    """The journal's accounts. `not_billed` are the services and pools that no bill names, once it is valid."""

    services = forms.CharField(
        label=_lazy("Accounts of services"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 5, "placeholder": "Amazon EC2 = 6110\nSupport = 6120"}),
        help_text=_lazy("One service or pool a line, like “Amazon EC2 = 6110”. All others: the cost centres' account."),
    )

    class Meta:
        model = JournalAccount
        fields = [
            "expense",
            "clearing",
            "unowned_center",
            "services",
            "tax",
            "accrued",
            "rounding",
            "dynamics_journal",
            "dynamics_account",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.not_billed: list[str] = []
        by_service = self.instance.services or {}
        self.initial["services"] = "\n".join(f"{name} = {account}" for name, account in sorted(by_service.items()))

    def folded_fields(self) -> dict[str, list[str]]:
        return {"Microsoft Dynamics 365": ["dynamics_journal", "dynamics_account"]}

    def clean_services(self) -> dict[str, str]:
        accounts: dict[str, str] = {}
        for number, line in enumerate(self.cleaned_data["services"].splitlines(), 1):
            if not line.strip():
                continue
            name, divider, account = (part.strip() for part in line.rpartition("="))
            if not (divider and name and account):
                raise forms.ValidationError(
                    _("Line {number}: write a service and its account, like “Amazon EC2 = 6110”.").format(number=number)
                )
            if name in accounts:
                raise forms.ValidationError(_("Line {number}: {name} is named twice.").format(number=number, name=name))
            accounts[name] = account
        billed = set(Dimension.objects.filter(name="service", value__in=accounts).values_list("value", flat=True))
        billed |= set(Pool.objects.filter(name__in=accounts).values_list("name", flat=True))
        self.not_billed = [name for name in accounts if name not in billed]
        return accounts

    def clean_dynamics_account(self) -> str:
        pattern = self.cleaned_data["dynamics_account"]
        try:
            check_dynamics_account(pattern)
        except CannotBook as problem:
            raise forms.ValidationError(str(problem)) from None
        return pattern


class JournalForm(forms.Form):
    """How a journal is written: in which columns, and when it is posted."""

    layout = forms.ChoiceField(
        label=_lazy("Columns"), choices=[(name, _lazy(layout.label)) for name, layout in LAYOUTS.items()]
    )
    posted = forms.DateField(
        label=_lazy("Posting date"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_lazy("Empty: the last day of the month."),
        # An accrual is reversed after it.
        validators=[MaxValueValidator(LAST_POSTING_DAY, _lazy("The posting date is until 31 Dec 9998."))],
        error_messages={"invalid": _lazy("The posting date is a day, like 2026-03-31.")},
    )


class DisputeForm(forms.Form):
    comment = forms.CharField(
        label=_lazy("What is wrong with it?"),
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_lazy("Finance reads it, and you get the answer by email. Both are kept with the statement."),
    )


class ResolveForm(forms.Form):
    """Finance's answer, with a correcting entry where an amount is given."""

    answer = forms.CharField(label=_lazy("Answer"), max_length=4000, widget=forms.Textarea(attrs={"rows": 4}))
    amount = AmountField(
        label=_lazy("Correcting entry"),
        required=False,
        max_digits=38,
        decimal_places=18,
        help_text=_lazy(
            "The amount that is taken off this team, in the statement's currency. Empty: the answer "
            "alone. Above the disputed line a second person confirms it."
        ),
    )
    to_team = forms.ModelChoiceField(
        Team.objects.all(), label=_lazy("Moves to"), required=False, empty_label=_lazy("nobody (unowned)")
    )


class DecisionForm(forms.Form):
    """What a second person says of a proposed correcting entry."""

    why = forms.CharField(
        label=_lazy("If not, why?"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_lazy("Whoever proposed it reads this."),
    )
