"""The form of what a group gives: on its page, in the admin and for the API."""

from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _

from finops_site.models import GroupMapping
from finops_site.people.roles import role_choices
from finops_site.sign_in.group_grants import SCIM, BadMapping, check_mapping
from finops_site.sign_in.providers import identity_providers
from finops_site.translation import gettext_lazy as _lazy


def provider_names() -> dict[str, str]:
    """{id: name} of the providers that there are."""
    return {one.id: one.name for one in identity_providers().values()} | {SCIM: "SCIM"}


class GroupMappingForm(forms.ModelForm):
    provider = forms.ChoiceField(label=_lazy("Provider"), required=False)
    role = forms.ChoiceField(label=_lazy("Role"), required=False)

    class Meta:
        model = GroupMapping
        fields = ["provider", "group", "role", "team", "team_role"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = provider_names()
        if (known := self.instance.provider) and known not in names:
            # The settings name it no more.
            names[known] = known
        provider = cast(forms.ChoiceField, self.fields["provider"])
        provider.choices = [("", _("every provider")), *names.items()]
        cast(forms.ChoiceField, self.fields["role"]).choices = role_choices(_("none"))

    def _post_clean(self) -> None:
        """What the service would refuse is said beside the form; constraints of the table say it less well."""
        self.instance = forms.models.construct_instance(self, self.instance, self._meta.fields)
        if self.errors:
            return
        try:
            check_mapping(self.instance)
        except BadMapping as error:
            self.add_error(None, str(error))


class GroupMappingPageForm(GroupMappingForm):
    """The same on its page, where one that exists can be taken away."""

    remove = forms.BooleanField(
        label=_lazy("Remove it"), required=False, help_text=_lazy("What it gave goes at once, unless another gives it.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            del self.fields["remove"]
