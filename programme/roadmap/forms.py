"""Forms of a programme: starting one, its milestones, risks, phases, what is told to whom, and other dates."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from finops_site.models import Team, User
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.forms import AmountField, DayInput
from programme.calc.programme_dates import LONGEST_DAYS
from programme.models import (
    Communication,
    DecisionPoint,
    Milestone,
    Phase,
    Programme,
    ProgrammeTemplate,
    ReportSchedule,
    Risk,
)
from programme.roadmap.live_figures import figure_labels, label_of
from programme.roadmap.programmes import NINETY_DAYS, OF_PROGRAMME


class StartForm(forms.Form):
    plan = forms.ChoiceField(label=_lazy("Plan"))
    name = forms.CharField(
        label=_lazy("Name"), max_length=200, required=False, help_text=_lazy("Empty: as the plan is called.")
    )
    start = forms.DateField(label=_lazy("First day"), widget=DayInput())
    days = forms.IntegerField(
        label=_lazy("Length, days"),
        required=False,
        min_value=1,
        max_value=LONGEST_DAYS,
        help_text=_lazy("Empty: as long as the plan. A shorter one must still hold all that is in it."),
    )
    begins_now = forms.BooleanField(
        label=_lazy("It runs from now on"),
        required=False,
        help_text=_lazy("Milestones tick themselves and mails go out. One programme runs at a time."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["plan"].choices = [  # type: ignore[attr-defined]
            (NINETY_DAYS, _("Ninety days, as it comes with the product")),
            *((str(row.pk), row.name) for row in ProgrammeTemplate.objects.all()),
            *((f"{OF_PROGRAMME}{row.pk}", _("Again: {name}").format(name=row)) for row in Programme.objects.all()),
        ]


class FigureForm(forms.ModelForm):
    """A figure and its limit go together; a figure that nobody registers any more stays until it is changed."""

    figure = forms.ChoiceField(label=_lazy("Figure"), required=False)

    class Meta:
        fields = ("figure", "comparison", "limit")
        field_classes = {"limit": AmountField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = figure_labels()
        own = self.instance.figure
        gone = [(own, label_of(own))] if own and own not in labels else []
        self.fields["figure"].choices = [("", _("None: people say it")), *labels.items(), *gone]  # type: ignore[attr-defined]
        if "owner" in self.fields:
            self.fields["owner"].queryset = people()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("figure") and values.get("limit") is None and "limit" not in self.errors:
            self.add_error("limit", _("Say from which value on."))
        if not values.get("figure"):
            values["limit"] = None
        return values


class MilestoneForm(FigureForm):
    class Meta(FigureForm.Meta):
        model = Milestone
        fields = (  # type: ignore[assignment]
            *("name", "deliverable", "due", "figure", "comparison", "limit"),
            *("owner", "owner_role", "team", "is_required"),
        )
        widgets = {"due": DayInput()}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].queryset = Team.objects.order_by("name")  # type: ignore[attr-defined]


class RiskForm(FigureForm):
    class Meta(FigureForm.Meta):
        model = Risk
        fields = (  # type: ignore[assignment]
            *("name", "trigger", "mitigation", "contingency"),
            *("figure", "comparison", "limit", "watched_from", "owner", "owner_role"),
        )
        widgets = {"watched_from": DayInput()}


class PhaseForm(forms.ModelForm):
    class Meta:
        model = Phase
        fields = ("name", "goal", "start", "end")
        widgets = {"start": DayInput(), "end": DayInput(is_last=True)}


class CommunicationForm(forms.ModelForm):
    class Meta:
        model = Communication
        fields = ("audience", "what", "when", "channel", "schedule_name")

    schedule_name = forms.ChoiceField(
        label=_lazy("Scheduled report"), required=False, help_text=_lazy("Which schedule of reports sends it.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = list(ReportSchedule.objects.values_list("name", flat=True))
        # One that was deleted stays chosen until somebody chooses another.
        gone = [self.instance.schedule_name] if self.instance.schedule_name not in ["", *names] else []
        choices = [("", _("None: by hand")), *((name, name) for name in [*names, *gone])]
        self.fields["schedule_name"].choices = choices  # type: ignore[attr-defined]


class MoveForm(forms.Form):
    to = forms.DateField(label=_lazy("New day"), widget=DayInput())
    rest = forms.BooleanField(
        label=_lazy("Move the rest with it"),
        required=False,
        help_text=_lazy(
            "All that begins no earlier, and the end of the programme, by as many days. What is over stays."
        ),
    )


class DecisionForm(forms.Form):
    verdict = forms.ChoiceField(label=_lazy("Decision"), choices=DecisionPoint.VERDICTS, widget=forms.RadioSelect)
    why = forms.CharField(label=_lazy("Why"), max_length=2000, widget=forms.Textarea({"rows": 3}))


class TickForm(forms.Form):
    note = forms.CharField(label=_lazy("What was reached"), max_length=500)


class TemplateForm(forms.Form):
    name = forms.CharField(label=_lazy("Name of the template"), max_length=200)


def people() -> QuerySet[User]:
    return User.objects.filter(is_active=True).order_by("name", "email")
