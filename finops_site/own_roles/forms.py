"""The form of a role: on its page, in the admin and for the API."""

from typing import Any, cast

from django import forms

from finops_site.models import OwnRole
from finops_site.own_roles.abilities import Area, abilities_held, areas, may_be_chosen
from finops_site.own_roles.changes import LONGEST_NAME, CannotChangeRole, RoleWish, check_wish
from finops_site.own_roles.cost_scopes import (
    ACCOUNT_GROUP,
    LONGEST_KEY,
    SOURCE,
    BadScope,
    Scope,
    choices_of,
    parts_of,
    scope_from,
)
from finops_site.people.roles import ENGINEERING, ROLES, permission_names, shown_role
from finops_site.translation import gettext_lazy as _lazy


def lines_of(text: str) -> list[str]:
    """The lines that have something in them."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def shown_scope(scope: Scope) -> dict[str, str | list[str]]:
    """What the form shows of a scope."""
    parts = parts_of(scope)
    texts: dict[str, str | list[str]] = {name: "\n".join(parts[name]) for name in ("accounts", "tag_key", "tag_values")}
    return {**parts, **texts}


class OwnRoleForm(forms.ModelForm):
    name = forms.CharField(label=_lazy("Name"), max_length=LONGEST_NAME)
    base = forms.ChoiceField(
        label=_lazy("Based on"),
        help_text=_lazy(
            "Its people have the home and the second step of that role. It may do no more than that role, and read "
            "what executives read."
        ),
    )
    abilities = forms.MultipleChoiceField(
        label=_lazy("What it may do"),
        widget=forms.CheckboxSelectMultiple,
        help_text=_lazy("What its people may see and do."),
    )

    accounts = forms.CharField(
        label=_lazy("Sees these accounts"),
        required=False,
        widget=forms.Textarea({"rows": 3}),
        help_text=_lazy("Their ids, a line each. Its people see this cost beside what their teams own."),
    )
    account_groups = forms.MultipleChoiceField(label=_lazy("Sees these groups of accounts"), required=False)
    tag_key = forms.CharField(
        label=_lazy("Sees what has this tag"), required=False, max_length=LONGEST_KEY, help_text=_lazy("Its key.")
    )
    tag_values = forms.CharField(
        label=_lazy("With one of these values"),
        required=False,
        widget=forms.Textarea({"rows": 3}),
        help_text=_lazy("A line each. Where accounts, a tag and sources are named, all of them must fit."),
    )
    sources = forms.MultipleChoiceField(label=_lazy("Sees what these sources bring"), required=False)

    class Meta:
        model = OwnRole
        fields = ["description", "base"]

    field_order = (
        *("name", "description", "base", "abilities"),
        *("accounts", "account_groups", "tag_key", "tag_values", "sources"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        role: OwnRole | None = kwargs.get("instance")
        if role is not None and role.pk:
            held = permission_names(role.group.permissions.all())
            shown = {"name": role.group.name, "abilities": sorted(abilities_held(held))}
            kwargs["initial"] = {**shown, **shown_scope(role.cost_scope), **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)
        base = cast(forms.ChoiceField, self.fields["base"])
        base.choices = [(role, shown_role(role)) for role in ROLES]
        base.initial = ENGINEERING
        field = cast(forms.MultipleChoiceField, self.fields["abilities"])
        field.choices = [
            (area.name, [(one.name, one.label) for one in area.abilities if not one.stays_built_in]) for area in areas()
        ]

        for name, kind in (("account_groups", ACCOUNT_GROUP), ("sources", SOURCE)):
            offered = choices_of(kind)
            # Shown though it is gone: a save that dropped it unseen would show her people more than before.
            gone = [
                (value, value)
                for value in (role.cost_scope if role else {}).get(kind, ())
                if value not in dict(offered)
            ]
            cast(forms.MultipleChoiceField, self.fields[name]).choices = [*offered, *gone]

    def offered(self) -> list[Area]:
        """What the base that is chosen may have."""
        return may_be_chosen(str(self["base"].value() or ENGINEERING))

    def wish(self) -> RoleWish:
        """What was filled in."""
        chosen = self.cleaned_data
        scope = scope_from(
            lines_of(chosen["accounts"]),
            chosen["account_groups"],
            chosen["tag_key"],
            lines_of(chosen["tag_values"]),
            chosen["sources"],
        )
        return RoleWish(chosen["name"], chosen["base"], chosen["abilities"], chosen["description"], scope)

    def _post_clean(self) -> None:
        """What the service would refuse is said above the form; the row is the service's to write."""
        if self.errors:
            return
        try:
            check_wish(self.wish(), self.instance if self.instance.pk else None)
        except (CannotChangeRole, BadScope) as error:
            self.add_error(None, str(error))

    def save(self, commit: bool = True) -> OwnRole:
        """The row as it is: the service saves it, with its group."""
        return self.instance

    def save_m2m(self) -> None:
        """Nothing: the service has done it."""
