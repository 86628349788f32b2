"""The page My settings: one's own language and time zone, and the way to what else is one's own."""

from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.forms.forms import BaseForm
from django.urls import reverse_lazy
from django.utils import translation
from django.utils.translation import gettext as _

from finops_site.models import User
from finops_site.people.reader_language import language_of_page
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.forms import time_zone_field
from finops_site.ui.pages import FormPage


class MySettingsForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["name", "language", "time_zone"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        language = cast(forms.TypedChoiceField, self.fields["language"])
        language.choices = [("", _("As the browser says")), *settings.LANGUAGES]
        language.help_text = _("Of pages and of mail. Mail knows no browser: without a choice it is in the company's.")
        self.fields["time_zone"] = time_zone_field(
            _("The company's"), _("For times of day. Days of charges stay UTC days, as providers bill them.")
        )


class MySettingsPage(FormPage):
    permission_required = None
    form_class = MySettingsForm
    template_name = "my_settings.html"
    title = _lazy("My settings")
    subtitle = _lazy("How you read this site and its mail.")
    success_url = reverse_lazy("my_settings")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "instance": User.objects.get(pk=self.person.pk)}

    def save(self, form: BaseForm) -> User:
        person: User = super().save(form)
        # It is read in the language that was chosen just now.
        with translation.override(language_of_page(self.request, person)):
            messages.success(self.request, _("Saved."))
        return person
