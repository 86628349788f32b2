"""Forms of what a budget warns at, and whom it tells."""

from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from budgets.models import Budget, Recipient, Threshold
from costs.models import Credential
from finops_site.lib import http_client
from finops_site.models import User
from finops_site.people.roles import ROLES

MOST_THRESHOLDS = 50
# More than these do not read what they are told: a list of the mail server's, or a channel, takes any number.
MOST_RECIPIENTS = 100
TARGETS = ("user", "role", "address", "url")


class ThresholdForm(forms.ModelForm):
    class Meta:
        model = Threshold
        fields = ["kind", "percent", "amount", "probability"]
        labels = {"kind": "Warns of", "percent": "Percentage", "amount": "or an amount"}

    def __init__(self, *args: Any, budget: Budget, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.budget = budget
        self.fields["amount"].widget.attrs["step"] = "any"
        self.fields[
            "probability"
        ].help_text = "Only for a forecast: how likely it must be, 0.5 where it is more likely than not."

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        others = Threshold.objects.filter(budget=self.instance.budget, is_active=True).exclude(pk=self.instance.pk)
        if not self.instance.pk and others.count() >= MOST_THRESHOLDS:
            raise ValidationError(f"It warns at {MOST_THRESHOLDS} points already: switch one off first.")
        if not self.errors and others.filter(**said).exists():
            raise ValidationError("It warns so already.")
        return said


class RecipientForm(forms.ModelForm):
    """Who is told. The address of a channel is as good as a key: it is written and never shown again."""

    role = forms.ChoiceField(required=False, choices=[("", "—"), *((name, name) for name in ROLES)])
    url = forms.URLField(
        label="Address of the channel", required=False, max_length=1000, assume_scheme="https", widget=forms.TextInput
    )
    time_zone = forms.ChoiceField(
        required=False,
        choices=[("", "the person's own, else UTC"), *((name, name) for name in sorted(available_timezones()))],
    )

    class Meta:
        model = Recipient
        fields = [
            "kind",
            "user",
            "role",
            "address",
            "url",
            "secret",
            "when",
            "quiet_from",
            "quiet_until",
            "time_zone",
        ]
        labels = {
            "kind": "Whom",
            "user": "Person",
            "address": "E-mail address",
            "secret": "Signed with",
            "quiet_from": "Quiet from",
            "quiet_until": "until",
        }
        widgets = {name: forms.TimeInput(attrs={"type": "time"}) for name in ("quiet_from", "quiet_until")}

    def __init__(self, *args: Any, budget: Budget, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.budget = budget
        self.kept_url, self.kept_kind = self.instance.url, self.instance.kind
        self.initial["url"] = ""
        if self.kept_url:
            self.fields["url"].help_text = f"Empty: as it is, at {urlsplit(self.kept_url).hostname}."
        self.fields["user"].queryset = User.objects.filter(is_active=True).order_by("name", "email")
        self.fields["secret"].queryset = Credential.objects.exclude(sealed="")

    def clean_secret(self) -> Credential | None:
        secret: Credential | None = self.cleaned_data["secret"]
        if secret and not secret.secret().get("hmac"):
            raise ValidationError('This credential has no "hmac" to sign with: ask an administrator for another.')
        return secret

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        self._keep_only_its_own(said)
        if said.get("url") and "url" not in self.errors:
            _refuse_what_cannot_be_asked(self, said["url"])
        self._refuse_too_many(said)
        return said

    def _keep_only_its_own(self, said: dict[str, Any]) -> None:
        """A recipient has one target, whatever else was filled in before the kind was chosen."""
        kind = said.get("kind", "")
        own = "url" if kind in Recipient.CHANNELS else kind
        if own == "url" and not said.get("url") and kind == self.kept_kind:
            said["url"] = self.kept_url
        for name in TARGETS:
            if name != own:
                said[name] = None if name == "user" else ""
                self.errors.pop(name, None)
        if own != "url":
            said["secret"] = None
            self.errors.pop("secret", None)

    def _refuse_too_many(self, said: dict[str, Any]) -> None:
        others = Recipient.objects.filter(budget=self.instance.budget).exclude(pk=self.instance.pk)
        if not self.instance.pk and others.count() >= MOST_RECIPIENTS:
            raise ValidationError(
                f"It tells {MOST_RECIPIENTS} already: give the address of a mailing list, or a channel, instead."
            )
        same = {"kind": said.get("kind"), **{name: said.get(name) for name in TARGETS}}
        if not self.errors and others.filter(**same).exists():
            raise ValidationError("It tells them already.")


def _refuse_what_cannot_be_asked(form: forms.Form, url: str) -> None:
    """At once what would fail every night; a name nobody knows just now may be known by then."""
    try:
        http_client.check_address_resolves(url, settings.FINOPS_HTTP_ALLOWED_HOSTS)
    except http_client.Undeliverable as reason:
        if not reason.temporary:
            form.add_error("url", str(reason))
