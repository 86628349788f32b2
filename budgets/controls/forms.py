"""Forms of controls: what one does and when, until when it is armed, and the policy of all."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.calc.controls.actions import STOP
from budgets.calc.controls.rules import DEV_VALUES
from budgets.models import Budget, Control, ControlPolicy
from finops_site.lib.money import exact_text
from finops_site.lib.periods import time_zones
from finops_site.models import Team, User
from finops_site.people.reader_language import zone_of
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.forms import AmountField

MOST_LINES = 500


class LinesField(forms.CharField):
    """A list of texts, one a line; twice the same is once."""

    def __init__(self, *, rows: int = 3, **options: Any) -> None:
        super().__init__(widget=forms.Textarea({"rows": rows}), max_length=20_000, **options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        text = super().clean(value)
        lines = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
        if len(lines) > MOST_LINES:
            raise forms.ValidationError(_("At most {most_lines} lines.").format(most_lines=MOST_LINES))
        return lines


class ControlForm(forms.ModelForm):
    """A control of a budget's threshold, or of anomalies where no budget is given."""

    accounts = LinesField(
        label=_lazy("In these accounts"),
        help_text=_lazy(
            "One a line, and nothing is touched in any other: accounts, subscriptions, projects, contexts."
        ),
    )
    dev_values = LinesField(
        label=_lazy("Dev and test are"),
        required=False,
        help_text=_lazy("Values of that tag, one a line. What has no such tag is neither, and is left alone."),
    )
    exempt_tags = LinesField(
        label=_lazy("Exempt by tag"),
        required=False,
        help_text=_lazy(
            "Key or Key=value, one a line. Whatever says production in a tag or in its name is always exempt."
        ),
    )
    share_percent = AmountField(
        label=_lazy("At most this share of the scope's cost a day, %"),
        min_value=1,
        max_value=100,
        decimal_places=1,
        max_digits=4,
    )
    time_zone = forms.ChoiceField(choices=[(name, name) for name in sorted(time_zones())])

    class Meta:
        model = Control
        fields = (
            *("name", "threshold", "team", "service", "account", "least_excess", "action", "targets", "wanted"),
            *("accounts", "environment_tag", "dev_values", "exempt_tags", "most_resources"),
            *("box_hours", "box_weekday", "box_time", "time_zone", "quiet_from", "quiet_until"),
        )
        field_classes = {"least_excess": AmountField}
        labels = {
            "threshold": _lazy("Proposed when it reaches"),
            "team": _lazy("Anomalies of"),
            "service": _lazy("Service"),
            "account": _lazy("Account"),
            "least_excess": _lazy("At least so much more than expected"),
            "action": _lazy("What it does"),
            "targets": _lazy("What no bill shows"),
            "wanted": _lazy("Scale or lower to"),
            "environment_tag": _lazy("The tag that says dev or test"),
            "most_resources": _lazy("At most so many resources at once"),
            "box_hours": _lazy("Undone after hours"),
            "quiet_from": _lazy("Runs not by itself from"),
            "quiet_until": _lazy("until"),
        }
        help_texts = {
            "threshold": _lazy("Once in a period, as its alert."),
            "environment_tag": _lazy("Its other spellings of the tag policy count too."),
            "targets": _lazy(
                "One a line, such as: lambda 111122223333/eu-west-1/resize. Machines are found in the bill."
            ),
            "wanted": _lazy("The size of a group, or the quota. Nothing is ever scaled up."),
            "box_hours": _lazy("Empty where it ends at a weekday and time."),
        }
        widgets = {
            "targets": forms.Textarea({"rows": 3}),
            "box_time": forms.TimeInput({"type": "time"}),
            "quiet_from": forms.TimeInput({"type": "time"}),
            "quiet_until": forms.TimeInput({"type": "time"}),
        }

    field_order = (
        *("name", "threshold", "team", "service", "account", "least_excess", "action", "targets", "wanted", "accounts"),
        *("environment_tag", "dev_values", "exempt_tags", "most_resources", "share_percent", "box_hours"),
        *("box_weekday", "box_time", "time_zone", "quiet_from", "quiet_until"),
    )

    def __init__(self, *args: Any, user: User, budget: Budget | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.budget = budget
        self.instance.trigger = Control.Trigger.THRESHOLD if budget else Control.Trigger.ANOMALY
        share = self.instance.most_share if self.instance.pk else Decimal("0.5")
        self.fields["share_percent"].initial = exact_text(share * 100)
        if not self.instance.pk:
            self.fields["dev_values"].initial = list(DEV_VALUES)
            self.fields["time_zone"].initial = str(zone_of(user))
        if budget:
            field = cast(forms.ModelChoiceField, self.fields["threshold"])
            field.queryset = budget.thresholds.select_related("budget").filter(is_active=True)
            field.required, field.empty_label = True, None
            for name in ("team", "service", "account", "least_excess"):
                del self.fields[name]
        else:
            del self.fields["threshold"]
            teams = cast(forms.ModelChoiceField, self.fields["team"])
            teams.queryset, teams.empty_label = Team.objects.visible_to(user), _("the whole company")
            self.initial["least_excess"] = exact_text(self.instance.least_excess)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("box_hours") and values.get("box_weekday") is not None:
            self.add_error("box_hours", _("Give the hours, or a weekday and a time: one of the two."))
        if values.get("share_percent"):
            self.instance.most_share = values["share_percent"] / 100
        if values.get("action") == STOP:
            values["wanted"] = 0
        return values


class ArmForm(forms.Form):
    """Until when a control may run by itself."""

    until = forms.DateTimeField(
        label=_lazy("Armed until, UTC"),
        widget=forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_lazy("Until then it runs by itself, within its accounts, exemptions, limits and quiet times."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["until"].initial = (timezone.now() + timedelta(days=30)).astimezone(UTC).replace(minute=0, second=0)

    def clean_until(self) -> datetime:
        until: datetime = self.cleaned_data["until"]
        return until.replace(tzinfo=UTC)


class ControlPolicyForm(forms.ModelForm):
    class Meta:
        model = ControlPolicy
        fields = ("by_role", "most_resources")
        labels = {"by_role": _lazy("Run by role"), "most_resources": _lazy("Most resources of one change set")}
        help_texts = {
            "by_role": _lazy(
                "In the accounts and for the actions of the allow-list (control access), which an "
                "administrator keeps. Otherwise a person runs the script."
            ),
        }
