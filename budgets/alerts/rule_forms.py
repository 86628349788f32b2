"""Forms of when a budget warns, and whom it notifies."""

from typing import Any, cast
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from budgets.models import Budget, Recipient, Threshold
from costs.models import Credential
from finops_site.lib import http_client
from finops_site.lib.periods import time_zones
from finops_site.models import User
from finops_site.people.roles import ROLES
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.forms import AmountField

MOST_THRESHOLDS = 50
# More people than these do not read such mails: a mailing list of the mail server, or a channel, has any number.
MOST_RECIPIENTS = 100
TARGETS = ("user", "role", "address", "url")


class ThresholdForm(forms.ModelForm):
    class Meta:
        model = Threshold
        fields = ["kind", "percent", "amount", "probability"]
        labels = {"kind": _lazy("Warns of"), "percent": _lazy("Percentage"), "amount": _lazy("or an amount")}
        field_classes = dict.fromkeys(("percent", "amount", "probability"), AmountField)
        help_texts = {
            "probability": _lazy(
                "Only for a forecast: how likely it must be, such as 0.8; it warns on the first night then. "
                "Empty: more likely than not, on two nights in a row."
            )
        }

    def __init__(self, *args: Any, budget: Budget, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.budget = budget

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("kind") != Threshold.Kind.FORECAST and "probability" in values:
            # Nothing but a forecast has one, and two thresholds that differ in it alone would be the same.
            values["probability"] = None
        others = Threshold.objects.filter(budget=self.instance.budget, is_active=True).exclude(pk=self.instance.pk)
        if not self.instance.pk and others.count() >= MOST_THRESHOLDS:
            raise ValidationError(
                _("It has {most_thresholds} thresholds already: switch one off first.").format(
                    most_thresholds=MOST_THRESHOLDS
                )
            )
        if not self.errors and others.filter(**values).exists():
            raise ValidationError(_("It has this threshold already."))
        return values


class RecipientForm(forms.ModelForm):
    """Who is notified. The address of a channel is as secret as a key: it is entered and never shown again."""

    role = forms.ChoiceField(required=False, choices=[("", "—"), *((name, _lazy(name)) for name in ROLES)])
    url = forms.URLField(
        label=_lazy("Address of the channel"),
        required=False,
        max_length=1000,
        assume_scheme="https",
        widget=forms.TextInput,
    )
    time_zone = forms.ChoiceField(
        required=False,
        choices=[
            ("", _lazy("the person's own, else the company's")),
            *((name, name) for name in sorted(time_zones())),
        ],
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
            "kind": _lazy("Whom"),
            "user": _lazy("Person"),
            "address": _lazy("E-mail address"),
            "secret": _lazy("Signed with"),
            "quiet_from": _lazy("Quiet from"),
            "quiet_until": _lazy("until"),
        }
        widgets = {name: forms.TimeInput(attrs={"type": "time"}) for name in ("quiet_from", "quiet_until")}

    def __init__(self, *args: Any, budget: Budget, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.budget = budget
        self.saved_url, self.saved_kind = self.instance.url, self.instance.kind
        self.initial["url"] = ""
        if self.saved_url:
            self.fields["url"].help_text = _("Leave empty to keep it: it is at {hostname}.").format(
                hostname=urlsplit(self.saved_url).hostname
            )
        cast(forms.ModelChoiceField, self.fields["user"]).queryset = User.objects.filter(is_active=True).order_by(
            "name", "email"
        )
        cast(forms.ModelChoiceField, self.fields["secret"]).queryset = Credential.objects.exclude(sealed="")

    def clean_secret(self) -> Credential | None:
        secret: Credential | None = self.cleaned_data["secret"]
        if secret and not secret.secret().get("hmac"):
            raise ValidationError(_('This credential has no "hmac" to sign with: ask an administrator for another.'))
        return secret

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        self._drop_other_targets(values)
        if values.get("url") and "url" not in self.errors:
            # Refused at once, as it would fail every night; a name that is not known just now may be known by then.
            try:
                http_client.check_address_resolves(values["url"], settings.FINOPS_HTTP_ALLOWED_HOSTS)
            except http_client.Undeliverable as reason:
                if not reason.temporary:
                    self.add_error("url", str(reason))
        others = Recipient.objects.filter(budget=self.instance.budget).exclude(pk=self.instance.pk)
        if not self.instance.pk and others.count() >= MOST_RECIPIENTS:
            raise ValidationError(
                _(
                    "It has {most_recipients} recipients already: give the address of a mailing list, or a channel."
                ).format(most_recipients=MOST_RECIPIENTS)
            )
        same = {"kind": values.get("kind"), **{name: values.get(name) for name in TARGETS}}
        if not self.errors and others.filter(**same).exists():
            raise ValidationError(_("It has this recipient already."))
        return values

    def _drop_other_targets(self, values: dict[str, Any]) -> None:
        """A recipient has one target, whatever else was filled in before the kind was chosen."""
        kind = values.get("kind", "")
        own = "url" if kind in Recipient.CHANNELS else kind
        if own == "url" and not values.get("url") and kind == self.saved_kind:
            values["url"] = self.saved_url
        for name in TARGETS:
            if name != own:
                values[name] = None if name == "user" else ""
                self.errors.pop(name, None)
        if own != "url":
            values["secret"] = None
            self.errors.pop("secret", None)
