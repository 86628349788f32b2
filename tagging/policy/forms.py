"""Forms of the tag policy and of exceptions from it."""

from datetime import date
from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _

from costs.query import filter_choices
from finops_site.lib.periods import day_text
from finops_site.lib.person import Person
from finops_site.models import User
from finops_site.translation import gettext_lazy as _lazy
from tagging.models import TagException, TaggedResource, TagRequirement
from tagging.policy import exceptions


class ListField(forms.CharField):
    """A list, one entry a line; cleans to a list of texts without blanks at their ends."""

    widget = forms.Textarea

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "widget": forms.Textarea(attrs={"rows": 4}), **options})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        return [line.strip() for line in super().clean(value).splitlines() if line.strip()]


class AliasesField(ListField):
    """``prod = Production``, one a line; cleans to {what people write: what it means}."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(f"{alias} = {meant}" for alias, meant in value.items()) if isinstance(value, dict) else value

    def clean(self, value: Any) -> dict[str, str]:
        aliases: dict[str, str] = {}
        for line in super().clean(value):
            alias, sign, meant = (part.strip() for part in line.partition("="))
            if not sign or not alias or not meant:
                raise forms.ValidationError(
                    _("{line!r}: write an alias and what it means, like prod = Production").format(line=line)
                )
            if aliases.get(alias, meant) != meant:
                raise forms.ValidationError(
                    _("{alias} would mean {aliases} and {meant}: an alias means one value.").format(
                        alias=alias, aliases=aliases[alias], meant=meant
                    )
                )
            aliases[alias] = meant
        return aliases


class RequirementForm(forms.ModelForm):
    """One rule of the policy. Ended months stay as they are unless finance chooses otherwise."""

    PAST = [
        ("keep", _lazy("Keep them: the change counts from this month on")),
        ("change", _lazy("Change them too: figures that people have seen will change")),
    ]

    allowed_values = ListField(
        label=_lazy("Allowed values"), help_text=_lazy("One a line. Any value will do where none is given.")
    )
    value_aliases = AliasesField(
        label=_lazy("Value aliases"),
        help_text=_lazy("What people write and what it means, one a line: prod = Production"),
    )
    key_aliases = ListField(
        label=_lazy("Also known as"), help_text=_lazy("Other keys that mean this tag, one a line: env")
    )
    services = ListField(
        label=_lazy("Services"), help_text=_lazy("Only these services, as the bill names them; empty: all.")
    )
    resource_types = ListField(
        label=_lazy("Resource types"), help_text=_lazy("Only these types, as the bill names them; empty: all.")
    )
    providers = forms.MultipleChoiceField(
        label=_lazy("Providers"), required=False, help_text=_lazy("Only these providers; none: all.")
    )
    past = forms.ChoiceField(
        label=_lazy("Months that have ended"), choices=PAST, widget=forms.RadioSelect, initial="keep"
    )

    class Meta:
        model = TagRequirement
        fields = [
            *("key", "is_required", "description", "allowed_values", "value_aliases", "pattern", "case_rule"),
            *("key_aliases", "providers", "services", "resource_types", "starts_on", "ends_on", "order"),
        ]
        labels = {
            "key": _lazy("Key"),
            "description": _lazy("Description"),
            "pattern": _lazy("Pattern"),
            "order": _lazy("Order"),
        }
        widgets = {
            "starts_on": forms.DateInput(attrs={"type": "date"}),
            "ends_on": forms.DateInput(attrs={"type": "date"}),
        }

    def __init__(self, *args: Any, user: Person, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        choices = filter_choices.values(user, "provider")
        others = [(name, name) for name in self.instance.providers if name not in dict(choices)]
        cast(forms.MultipleChoiceField, self.fields["providers"]).choices = [*choices, *others]
        self.before = TagRequirement.objects.filter(pk=self.instance.pk).first() if self.instance.pk else None

    @property
    def keep_past(self) -> bool:
        return self.cleaned_data.get("past") != "change"

    def clean_starts_on(self) -> date | None:
        """A day before this month is only for those who change ended months; an old rule keeps the day it had."""
        day = self.cleaned_data.get("starts_on")
        first = self.today.replace(day=1)
        current = self.before.starts_on if self.before else None
        if day and day < first and day != current and self.data.get(self.add_prefix("past")) != "change":
            raise forms.ValidationError(
                _(
                    "{day} lies before this month: months that have ended would change. Choose {first} or later, "
                    "or choose below that ended months change too."
                ).format(day=day_text(day), first=day_text(first))
            )
        return day


class ExceptionForm(forms.ModelForm):
    """A request: which tag of the resource, who answers for it, why, and until when."""

    tag = forms.ChoiceField(label=_lazy("Tag"), required=False)

    class Meta:
        model = TagException
        fields = ["tag", "owner", "reason", "expires_on"]
        labels = {"owner": _lazy("Answers for it"), "reason": _lazy("Reason")}
        widgets = {
            "reason": forms.Textarea(attrs={"rows": 3}),
            "expires_on": forms.DateInput(attrs={"type": "date"}),
        }

    def __init__(
        self, *args: Any, user: Person, row: TaggedResource, wrong: list[str], today: date, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.row, self.today = row, today
        cast(forms.ChoiceField, self.fields["tag"]).choices = [("", _("every tag")), *((key, key) for key in wrong)]
        people = User.objects.filter(is_active=True, teams=row.owner) if row.owner_id else User.objects.none()
        people = people | User.objects.filter(pk=user.pk)
        cast(forms.ModelChoiceField, self.fields["owner"]).queryset = people.distinct().order_by("email")
        self.fields["owner"].initial = user.pk

    def clean_expires_on(self) -> date:
        day = self.cleaned_data["expires_on"]
        if problem := exceptions.day_problem(day, self.today):
            raise forms.ValidationError(problem)
        return day

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        open_requests = TagException.objects.filter(resource_key=self.row.key, state=TagException.State.REQUESTED)
        if open_requests.filter(tag=data.get("tag", "")).exists():
            raise forms.ValidationError(_("Somebody has requested this already: finance has not answered yet."))
        return data


class DecisionForm(forms.Form):
    """Finance's answer."""

    answer = forms.CharField(
        label=_lazy("Answer"), required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 2})
    )
