"""Forms of buying: asking, the policy, limits, standing orders, and the filters of the list."""

from typing import Any

import django_filters
from django import forms

from costs.models import Credential
from finops_site.lib.money import exact_text
from finops_site.lib.person import Person
from finops_site.models import Team, User
from finops_site.people.roles import FINANCE
from reservations.calc import purchase_rules
from reservations.calc.terms import KINDS, OPTIONS
from reservations.forms import teams_of
from reservations.models import ApproverLimit, BuyingPolicy, PlanItem, PurchaseRequest, StandingOrder
from reservations.purchases import approvals

MINE = [("approve", "waiting for me"), ("asked", "asked for by me")]


class PurchaseFilter(django_filters.FilterSet):
    mine = django_filters.ChoiceFilter(label="Show", choices=MINE, empty_label="all", method="of_mine")
    state = django_filters.MultipleChoiceFilter(label="State", choices=list(purchase_rules.STATES.items()))
    kind = django_filters.MultipleChoiceFilter(label="Option", choices=[(kind, KINDS[kind]) for kind in OPTIONS])
    team = django_filters.ModelMultipleChoiceFilter(label="Team", queryset=teams_of)

    class Meta:
        model = PurchaseRequest
        fields: list[str] = []

    def of_mine(self, rows: Any, name: str, value: str) -> Any:
        user = self.request.user
        return rows.waiting_for(approvals.approver_for(user)) if value == "approve" else rows.filter(requested_by=user)


class AskForm(forms.Form):
    """How much of a recommended purchase is asked for, and why."""

    batch = forms.TypedChoiceField(label="Buy", coerce=int, widget=forms.RadioSelect)
    comment = forms.CharField(
        label="Why",
        required=False,
        max_length=2000,
        widget=forms.Textarea({"rows": 3}),
        help_text="What the approver should know: what runs there, and until when.",
    )

    def __init__(self, *args: Any, item: PlanItem, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = batches(item)
        self.fields["batch"].choices = choices
        # The first step of the ladder: what can be undone by not buying the second.
        self.fields["batch"].initial = next((n for n, _ in choices if n == 1), choices[0][0] if choices else None)


def batches(item: PlanItem) -> list[tuple[int, str]]:
    """What may still be asked for: all of it while nothing is, else the batches that are left."""
    taken = PurchaseRequest.objects.taken_of(item)
    if 0 in taken:
        return []
    ladder = item.working.get("ladder", [])
    found = [] if taken else [(0, f"All of it: {_quantity(item.quantity, item)}")]
    steps = [
        (number, f"Batch {number} of {len(ladder)}: {_quantity(step['quantity'], item)}, planned for {step['buy_on']}")
        for number, step in enumerate(ladder, 1)
        if number not in taken
    ]
    return found + (steps if len(ladder) > 1 or not found else [])


def _quantity(value: Any, item: PlanItem) -> str:
    return f"{value if isinstance(value, str) else exact_text(value)} {item.unit}"


class PolicyForm(forms.ModelForm):
    credential = forms.ModelChoiceField(
        Credential.objects.all(),
        required=False,
        label="Buy as",
        empty_label="nobody: the API stays off",
        help_text="An administrator makes it; its role may buy and nothing else.",
    )

    class Meta:
        model = BuyingPolicy
        fields = ["by_api", "credential", "monthly_ceiling", "default_limit"]
        labels = {"monthly_ceiling": "Monthly ceiling of the API, USD", "default_limit": "Limit of an approver, USD"}
        help_texts = {
            "by_api": "Otherwise a purchase is handed out as commands or a sheet, and a person buys it.",
            "monthly_ceiling": "Whole terms, committed in a calendar month.",
            "default_limit": "Whole terms. Whoever raises it keeps the old one herself until somebody else sets hers.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("monthly_ceiling", "default_limit"):
            self.initial[name] = exact_text(self.initial.get(name))

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        for name in ("monthly_ceiling", "default_limit"):
            if said.get(name) is not None and said[name] < 0:
                self.add_error(name, "It must not be negative.")
        if said.get("by_api") and not said.get("credential"):
            self.add_error("credential", "Say as whom the API buys.")
        return said


class LimitForm(forms.ModelForm):
    class Meta:
        model = ApproverLimit
        fields = ["user", "limit"]
        labels = {"user": "Approver", "limit": "Approves up to, USD"}
        help_texts = {"limit": "Over the whole term, upfront included."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["user"]
        field.queryset = User.objects.in_role(FINANCE).order_by("email")
        if self.instance.pk:
            field.disabled = True
            self.initial["limit"] = exact_text(self.instance.limit)
        else:
            field.queryset = field.queryset.filter(approver_limit=None)

    def clean_limit(self) -> Any:
        limit = self.cleaned_data["limit"]
        if limit < 0:
            raise forms.ValidationError("It must not be negative.")
        return limit


class StandingOrderForm(forms.ModelForm):
    percent = forms.DecimalField(
        label="While at least this share of what is owned is used, %",
        initial=90,
        min_value=0,
        max_value=100,
        decimal_places=1,
        max_digits=4,
    )

    class Meta:
        model = StandingOrder
        fields = ["name", "team", "is_active"]
        labels = {"is_active": "Active: unticked, it is paused", "team": "For"}
        help_texts = {"team": "Whose recommendations it follows."}

    def __init__(self, *args: Any, user: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].queryset = Team.objects.visible_to(user)
        self.fields["team"].empty_label = "the whole company"
        if self.instance.pk:
            self.fields["percent"].initial = exact_text(self.instance.minimum_utilisation * 100)

    def save(self, commit: bool = True) -> StandingOrder:
        self.instance.minimum_utilisation = self.cleaned_data["percent"] / 100
        return super().save(commit)
