"""The forms of reports: a schedule, and a report that somebody wants now."""

import re
from datetime import date
from typing import Any, cast
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib import http_client
from finops_site.lib.periods import day_text, is_in_reach
from finops_site.models import SavedView, Team, User
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.forms import time_zone_field
from programme.models import ReportKind, ReportSchedule
from programme.reports.schedules import weekdays

# More people than these read such mail by a mailing list.
MOST_RECIPIENTS = 200


class ScheduleForm(forms.ModelForm):
    """Who gets which report when. The address of a channel is as secret as a key: it is never shown again."""

    weekday = forms.TypedChoiceField(label=_lazy("On the weekday"), coerce=int, required=False)
    hour = forms.TypedChoiceField(label=_lazy("At"), coerce=int, choices=[(hour, f"{hour}:00") for hour in range(24)])
    time_zone = time_zone_field("UTC")
    people = forms.ModelMultipleChoiceField(
        User.objects.filter(is_active=True).order_by("name", "email"),
        label=_lazy("People"),
        required=False,
        help_text=_lazy("Each gets what she may see at the moment it is sent."),
    )
    addresses = forms.CharField(
        label=_lazy("Addresses outside"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_lazy("One a line. Somebody without a login gets what you, the owner, may see."),
    )
    url = forms.URLField(
        label=_lazy("Address of the channel"),
        required=False,
        max_length=1000,
        assume_scheme="https",
        widget=forms.TextInput,
    )

    class Meta:
        model = ReportSchedule
        fields = [
            "name",
            "kind",
            "team",
            "view",
            "every",
            "weekday",
            "day",
            "hour",
            "time_zone",
            "channel",
            "people",
            "to_leads",
            "addresses",
            "url",
            "secret",
        ]

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user, self.saved_url = user, self.instance.url
        if self.instance.pk is None:
            self.instance.owner = user
        cast(forms.ChoiceField, self.fields["weekday"]).choices = list(enumerate(weekdays()))
        views = SavedView.objects.visible_to(user)
        cast(forms.ModelChoiceField, self.fields["view"]).queryset = SavedView.objects.filter(
            Q(pk__in=views) | Q(pk=self.instance.view_id)
        )
        cast(forms.ModelChoiceField, self.fields["team"]).queryset = Team.objects.visible_to(user)
        secrets = cast(forms.ModelChoiceField, self.fields["secret"])
        if secrets.queryset is not None:
            secrets.queryset = secrets.queryset.exclude(sealed="")
        self.initial["url"] = ""
        if self.saved_url:
            self.fields["url"].help_text = _("Leave empty to keep it: it is at {host}.").format(
                host=urlsplit(self.saved_url).hostname
            )
        if self.instance.pk:
            rows = list(self.instance.recipients.staying())
            self.initial.setdefault("people", [row.user_id for row in rows if row.user_id])
            self.initial.setdefault("addresses", "\n".join(row.address for row in rows if row.address))

    def clean_name(self) -> str:
        # It stands in subjects of mails, which are one line.
        return " ".join(self.cleaned_data["name"].split())

    def clean_weekday(self) -> int:
        value = self.cleaned_data["weekday"]
        return value if value not in ("", None) else 0

    def clean_time_zone(self) -> str:
        return self.cleaned_data["time_zone"] or "UTC"

    def clean_addresses(self) -> list[str]:
        typed = [text for text in re.split(r"[\s,;]+", self.cleaned_data["addresses"]) if text]
        for address in typed:
            try:
                validate_email(address)
            except ValidationError:
                raise ValidationError(
                    _("{address} is no address of a mailbox.").format(address=repr(address))
                ) from None
        return list({address.lower(): address for address in typed}.values())

    def clean_secret(self) -> Any:
        secret = self.cleaned_data["secret"]
        if secret and not secret.secret().get("hmac"):
            raise ValidationError(_('This credential has no "hmac" to sign with: ask an administrator for another.'))
        return secret

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        is_mail = values.get("channel") == ReportSchedule.Channel.MAIL
        if is_mail:
            values.update(url="", secret=None)
            people, addresses = values.get("people") or [], values.get("addresses") or []
            if not self.errors and not (people or addresses or values.get("to_leads")):
                self.add_error("people", _("Choose who gets it."))
            if len(people) + len(addresses) > MOST_RECIPIENTS:
                self.add_error(
                    "people", _("At most {count}: give the address of a mailing list.").format(count=MOST_RECIPIENTS)
                )
        else:
            values.update(people=[], addresses=[], to_leads=False)
            values["url"] = values.get("url") or self.saved_url
            self._check_url(values["url"])
        return values

    def _check_url(self, url: str) -> None:
        """Refused at once, as it would fail at night; a name that nobody knows just now may be known by then."""
        if not url or "url" in self.errors:
            return
        try:
            http_client.check_address_resolves(url, settings.FINOPS_HTTP_ALLOWED_HOSTS)
        except http_client.Undeliverable as reason:
            if not reason.temporary:
                self.add_error("url", str(reason))


class MakeForm(forms.Form):
    """A report that somebody wants now, of the newest days that are over, or of those up to a day."""

    kind = forms.ChoiceField(
        label=_lazy("Report"),
        choices=[(kind.value, kind.label) for kind in ReportKind if kind != ReportKind.STATEMENTS],
    )
    day = forms.DateField(
        label=_lazy("As it would be made on"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_lazy("Empty: today. It is about the month, the quarter or the two weeks before this day."),
    )
    team = forms.ModelChoiceField(
        Team.objects.none(), label=_lazy("Only of the team"), required=False, empty_label=_lazy("all that you may see")
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ModelChoiceField, self.fields["team"]).queryset = Team.objects.visible_to(user)

    def clean_day(self) -> date | None:
        """One that is over, as the page of a report as it stands now asks."""
        day: date | None = self.cleaned_data["day"]
        if day is not None and (day > timezone.now().date() or not is_in_reach(day)):
            raise ValidationError(_("Nothing is known of {day}: choose a day up to today.").format(day=day_text(day)))
        return day
