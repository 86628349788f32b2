"""Forms of buying: a request, the policy, limits, standing orders, and the filters of the list."""

from decimal import Decimal
from typing import Any, ClassVar, cast

import django_filters
from django import forms
from django.utils.translation import gettext as _

from costs.models import Credential
from finops_site.lib.money import typed_text
from finops_site.lib.periods import day_text
from finops_site.lib.person import Person
from finops_site.models import Team, User
from finops_site.people.roles import FINANCE
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.forms import AmountField
from reservations.calc import purchase_rules
from reservations.calc.purchase_titles import counted_text
from reservations.calc.terms import KINDS, OPTIONS
from reservations.forms import visible_teams
from reservations.models import ApproverLimit, BuyingPolicy, PlanItem, PurchaseRequest, StandingOrder
from reservations.purchases import approvals
from reservations.querysets import PurchaseQuerySet

SHOWN = [("approve", _lazy("waiting for my approval")), ("asked", _lazy("requested by me"))]


class PurchaseFilter(django_filters.FilterSet):
    shown = django_filters.ChoiceFilter(
        label=_lazy("Show"), choices=SHOWN, empty_label=_lazy("all"), method="filter_shown"
    )
    state = django_filters.MultipleChoiceFilter(
        label=_lazy("State"), choices=[(state, _lazy(label)) for state, label in purchase_rules.STATES.items()]
    )
    kind = django_filters.MultipleChoiceFilter(
        label=_lazy("Option"), choices=[(kind, _lazy(KINDS[kind])) for kind in OPTIONS]
    )
    team = django_filters.ModelMultipleChoiceFilter(label=_lazy("Team"), queryset=visible_teams)

    class Meta:
        model = PurchaseRequest
        fields: list[str] = []

    def filter_shown(self, rows: PurchaseQuerySet, name: str, value: str) -> PurchaseQuerySet:
        user = self.request.user
        if value == "approve":
            return rows.waiting_for(approvals.approver_for(user))
        return rows.filter(requested_by=user)


class PurchaseRequestForm(forms.Form):
    """How much of a recommended purchase is requested, and why."""

    batch = forms.TypedChoiceField(label=_lazy("Buy"), coerce=int, widget=forms.RadioSelect)
    comment = forms.CharField(
        label=_lazy("Why"),
        required=False,
        max_length=2000,
        widget=forms.Textarea({"rows": 3}),
        help_text=_lazy("What the approver should know: what runs there, and until when."),
    )

    def __init__(self, *args: Any, item: PlanItem, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = batch_choices(item)
        cast(forms.ChoiceField, self.fields["batch"]).choices = choices
        # The first monthly batch: what can be undone by not buying the second.
        self.fields["batch"].initial = next(
            (n for n, _ignored in choices if n == 1), choices[0][0] if choices else None
        )


def batch_choices(item: PlanItem) -> list[tuple[int, str]]:
    """What may still be requested: all of it while nothing is, else the monthly batches that are left."""
    taken = PurchaseRequest.objects.batches_taken(item)
    if 0 in taken:
        return []
    ladder = item.working.get("ladder", [])
    all_of_it = [] if taken else [(0, _("All of it: {amount}").format(amount=counted_text(item.quantity, item.unit)))]
    batches = [
        (
            number,
            _("Batch {number} of {all}: {amount}, planned for {day}").format(
                number=number,
                all=len(ladder),
                amount=counted_text(Decimal(batch["quantity"]), item.unit),
                day=day_text(batch["buy_on"]),
            ),
        )
        for number, batch in enumerate(ladder, 1)
        if number not in taken
    ]
    return all_of_it + (batches if len(ladder) > 1 or not all_of_it else [])


class PolicyForm(forms.ModelForm):
    """The policy of buying and of what is recommended; shares are written in per cent."""

    AMOUNTS = ("monthly_ceiling", "default_limit", "upfront_limit")
    SHARES: ClassVar = {
        "cash_percent": "cash_rate",
        "coverage_percent": "coverage_limit",
        "utilisation_percent": "minimum_utilisation",
    }

    credential = forms.ModelChoiceField(
        Credential.objects.all(),
        required=False,
        label=_lazy("Buy as"),
        empty_label=_lazy("nobody: the API stays off"),
        help_text=_lazy("An administrator makes it; its role may buy and nothing else."),
    )

    cash_percent = AmountField(
        label=_lazy("Cash costs, % a year"),
        min_value=0,
        max_value=100,
        max_digits=5,
        decimal_places=2,
        help_text=_lazy("What is paid upfront costs so much more, and no slice is bought that returns less than it."),
    )
    coverage_percent = AmountField(
        label=_lazy("Cover at most, %"),
        required=False,
        min_value=0,
        max_value=100,
        max_digits=5,
        decimal_places=2,
        help_text=_lazy("Of demand at on-demand prices: the rest is room to change. Empty is no limit."),
    )
    utilisation_percent = AmountField(
        label=_lazy("Expect to use at least, %"),
        required=False,
        min_value=0,
        max_value=100,
        max_digits=5,
        decimal_places=2,
        help_text=_lazy("Of every purchase. Empty is any."),
    )

    class Meta:
        model = BuyingPolicy
        fields = ["by_api", "credential", "monthly_ceiling", "default_limit", "longest_term", "upfront_limit"]
        labels = {
            "monthly_ceiling": _lazy("Monthly ceiling of the API, USD"),
            "default_limit": _lazy("Limit of an approver, USD"),
            "longest_term": _lazy("Longest term"),
            "upfront_limit": _lazy("Cash on the first day, at most, USD"),
        }
        help_texts = {
            "longest_term": _lazy("A commitment is paid to its end, whatever runs."),
            "upfront_limit": _lazy("Of one recommendation. 0 is none; empty is no limit but what cash costs."),
            "by_api": _lazy("Otherwise a purchase is exported as commands or a sheet, and a person buys it."),
            "monthly_ceiling": _lazy("Whole terms, committed in a calendar month."),
            "default_limit": _lazy(
                "Whole terms. Whoever raises it keeps the old one herself until somebody else sets hers."
            ),
        }
        field_classes = dict.fromkeys(("monthly_ceiling", "default_limit", "upfront_limit"), AmountField)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.AMOUNTS:
            self.initial[name] = typed_text(self.initial.get(name))
        for field, name in self.SHARES.items():
            share = getattr(self.instance, name)
            self.fields[field].initial = None if share is None else typed_text(share * 100)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for name in self.AMOUNTS:
            if values.get(name) is not None and values[name] < 0:
                self.add_error(name, _("It must not be negative."))
        if values.get("by_api") and not values.get("credential"):
            self.add_error("credential", _("Choose as whom the API buys."))
        for field, name in self.SHARES.items():
            percent = values.pop(field, None)
            values[name] = None if percent is None else percent / 100
        return values


class LimitForm(forms.ModelForm):
    class Meta:
        model = ApproverLimit
        fields = ["user", "limit"]
        labels = {"user": _lazy("Approver"), "limit": _lazy("Approves up to, USD")}
        help_texts = {"limit": _lazy("Over the whole term, upfront included.")}
        field_classes = {"limit": AmountField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast(forms.ModelChoiceField, self.fields["user"])
        field.queryset = User.objects.in_role(FINANCE).order_by("email")
        if self.instance.pk:
            field.disabled = True
            self.initial["limit"] = typed_text(self.instance.limit)
        else:
            field.queryset = field.queryset.filter(approver_limit=None)

    def clean_limit(self) -> Decimal:
        limit = self.cleaned_data["limit"]
        if limit < 0:
            raise forms.ValidationError(_("It must not be negative."))
        return limit


class StandingOrderForm(forms.ModelForm):
    percent = AmountField(
        label=_lazy("While at least this share of what is owned is used, %"),
        initial=90,
        min_value=0,
        max_value=100,
        decimal_places=1,
        max_digits=4,
    )

    class Meta:
        model = StandingOrder
        fields = ["name", "team", "is_active"]
        labels = {"name": _lazy("Name"), "is_active": _lazy("Active: unticked, it is paused"), "team": _lazy("For")}
        help_texts = {"team": _lazy("Whose recommendations it follows.")}

    def __init__(self, *args: Any, user: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ModelChoiceField, self.fields["team"]).queryset = Team.objects.visible_to(user)
        cast(forms.ModelChoiceField, self.fields["team"]).empty_label = _("the whole company")
        if self.instance.pk:
            self.fields["percent"].initial = typed_text(self.instance.minimum_utilisation * 100)

    def save(self, commit: bool = True) -> StandingOrder:
        self.instance.minimum_utilisation = self.cleaned_data["percent"] / 100
        return super().save(commit)
