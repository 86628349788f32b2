"""The forms of saved views and dashboards, on their pages and in the API."""

from typing import Any, cast

from django import forms
from django.db.models import Q
from django.forms import ModelChoiceField
from django.utils.translation import gettext as _

from finops_site.lib.periods import WEEKDAYS
from finops_site.models import Dashboard, SavedView, Team, User, ViewMail
from finops_site.saved_views.keep_views import LAST_DAY, MailSchedule
from finops_site.saved_views.sharing import WITH_COMPANY, teams_to_share_with
from finops_site.translation import gettext_lazy as _lazy

# What belongs to whoever looks at a view; the rest is its owner's to change.
PERSONAL = ("pinned", "mail_every", "mail_weekday", "mail_day")


class ShareForm(forms.ModelForm):
    """A name and with whom it is shared: her teams, and the company where her role lets her."""

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        team = cast(ModelChoiceField, self.fields["team"])
        # A team that it is shared with stays a choice when she has left it.
        team.queryset = Team.objects.filter(Q(pk__in=teams_to_share_with(user)) | Q(pk=self.instance.team_id))
        team.empty_label = _("nobody: it is private")
        if not user.has_perm(WITH_COMPANY) and not self.instance.with_company:
            del self.fields["with_company"]


class SavedViewForm(ShareForm):
    """A saved view, and what somebody does with it for herself: pin it, have it mailed."""

    address = forms.CharField(
        required=False,
        widget=forms.HiddenInput,
        help_text=_lazy("The page with its filters, as it stands behind the name of this site: /costs/?group_by=team."),
    )
    pinned = forms.BooleanField(label=_lazy("Pin it on my home page"), required=False)
    mail_every = forms.ChoiceField(
        label=_lazy("Mail it to me"),
        choices=[("", _lazy("never")), *ViewMail.Every.choices],
        required=False,
        help_text=_lazy("To your own address, with what you may see of it on that day."),
    )
    mail_weekday = forms.TypedChoiceField(
        label=_lazy("On the weekday"),
        choices=[(number, _lazy(day)) for number, day in enumerate(WEEKDAYS)],
        coerce=int,
        required=False,
    )
    mail_day = forms.IntegerField(
        label=_lazy("On the day of the month"), min_value=1, max_value=LAST_DAY, initial=1, required=False
    )

    class Meta:
        model = SavedView
        fields = ["name", "team", "with_company"]

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, user=user, **kwargs)
        if self.instance.pk and self.instance.owner_id != user.pk:
            self.fields = {name: field for name, field in self.fields.items() if name in PERSONAL}

    @property
    def schedule(self) -> MailSchedule:
        chosen = self.cleaned_data
        return MailSchedule(chosen["mail_every"], chosen["mail_weekday"] or 0, chosen["mail_day"] or 1)


class DashboardForm(ShareForm):
    class Meta:
        model = Dashboard
        fields = ["name", "team", "with_company"]


class DashboardBodyForm(DashboardForm):
    """The same with its items, for the API."""

    items = forms.CharField(
        required=False,
        widget=forms.Textarea,
        help_text=_lazy("What stands on it, in order: view 12, or panel history."),
    )
