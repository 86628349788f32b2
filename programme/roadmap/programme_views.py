"""Pages of a programme: the one that runs, one by its address, starting, ending, templates, maturity."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View

from finops_site.lib.periods import day_text, days_text
from finops_site.reports.monthly_report import make_home_gates
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, DetailPage, Empty, FormPage, ListPage, Page
from programme.calc.maturity import Level
from programme.calc.programme_dates import BadDates
from programme.models import Milestone, Programme
from programme.roadmap import plans
from programme.roadmap.communications import SEE_SCHEDULES, communication_rows
from programme.roadmap.forms import StartForm, TemplateForm
from programme.roadmap.maturity import maturity
from programme.roadmap.milestones import MAY_CHANGE
from programme.roadmap.programmes import (
    MAY_SEE,
    NINETY_DAYS,
    begin_programme,
    current_programme,
    start_programme,
)
from programme.roadmap.tables import MilestoneTable, ProgrammeTable
from programme.roadmap.timeline import criterion_text, make_timeline, now_text, programme_stats

ADD_SCHEDULE = "programme.add_reportschedule"
START = Action(_lazy("Start a programme"), "programme:programme_start", "flag", MAY_CHANGE, primary=True)
EMPTY = Empty(
    _lazy("No programme yet"),
    _lazy(
        "A plan of ninety days: phases, milestones that tick themselves, risks, three decisions. It starts in a click."
    ),
    "flag",
    START,
)
LEVEL_LOOKS = {
    Level.CRAWL: ("warn", "point"),
    Level.WALK: ("busy", "player-play"),
    Level.RUN: ("good", "checks"),
    Level.UNKNOWN: ("calm", "help"),
}


def programme_context(programme: Programme, page: Page) -> dict[str, Any]:
    """What templates/programme/roadmap.html draws."""
    today = timezone.now().date()
    timeline = make_timeline(programme, today, page.person)
    return {
        "programme": programme,
        "timeline": timeline,
        "stats": programme_stats(timeline, today),
        "risks": [
            (row, criterion_text(row, page.person), now_text(row, page.person))
            for row in programme.risks.select_related("owner")
        ],
        "communications": communication_rows(programme),
        "may_see_schedules": page.person.has_perm(SEE_SCHEDULES),
        "may_schedule": page.person.has_perm(ADD_SCHEDULE) and page.person.has_perm(MAY_CHANGE),
        "template_form": TemplateForm(initial={"name": programme.name}),
        "may_change": page.person.has_perm(MAY_CHANGE),
        "others": ProgrammeTable(Programme.objects.exclude(pk=programme.pk), request=None),
        "has_others": Programme.objects.exclude(pk=programme.pk).exists(),
    }


def subtitle_of(programme: Programme) -> str:
    days = days_text(programme.start, programme.last_day)
    if programme.is_running and programme.checked_on:
        return _("{days}. Figures of the night to {night}.").format(days=days, night=day_text(programme.checked_on))
    return f"{days}."


class OverviewPage(Page, TemplateView):
    """Where the programme stands: its plan, what is late or asked for, every figure against its target."""

    permission_required = "costs.view_company"
    template_name = "programme/overview.html"
    title = _lazy("Programme")
    subtitle = _lazy(
        "Where the FinOps programme stands: its plan, what is late, and its figures against their targets."
    )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        today = timezone.now().date()
        programme = current_programme()
        timeline = make_timeline(programme, today, self.person) if programme else None
        gates, night = make_home_gates(self.person, today)
        context = {
            "programme": programme,
            "timeline": timeline,
            "stats": programme_stats(timeline, today) if timeline else [],
            "asked": timeline.asked_for(today) if timeline else [],
            "happened": [row for row in programme.risks.all() if row.has_happened] if programme else [],
            "gates": gates,
            "night": night,
            "empty": EMPTY.for_user(self.person),
        }
        return super().get_context_data(**{**context, **kwargs})


class RoadmapPage(Page, TemplateView):
    """The programme that runs, or how to start one."""

    permission_required = MAY_SEE
    template_name = "programme/roadmap.html"
    title = _lazy("Ninety days")
    actions = (
        Action(_lazy("Maturity"), "programme:maturity", "trending-up", "costs.view_company"),
        Action(_lazy("Start a programme"), "programme:programme_start", "flag", MAY_CHANGE),
    )

    @cached_property
    def programme(self) -> Programme | None:
        return current_programme()

    def get_title(self) -> str:
        return str(self.programme or self.title)

    def get_subtitle(self) -> str:
        return subtitle_of(self.programme) if self.programme else ""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = programme_context(self.programme, self) if self.programme else {}
        return super().get_context_data(**{"empty": EMPTY.for_user(self.person), **context, **kwargs})


class ProgrammePage(DetailPage):
    permission_required = MAY_SEE
    model = Programme
    template_name = "programme/roadmap.html"

    def get_subtitle(self) -> str:
        return subtitle_of(self.object)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{**programme_context(self.object, self), **kwargs})


class MilestonesPage(ListPage):
    """All milestones of a programme as a list, for its files."""

    permission_required = MAY_SEE
    model = Milestone
    title = _lazy("Milestones")
    table_class = MilestoneTable
    export_name = "milestones"
    can_be_saved = False

    @cached_property
    def programme(self) -> Programme:
        return get_object_or_404(Programme.objects.visible_to(self.person), pk=self.kwargs["pk"])

    def get_breadcrumbs(self) -> Any:
        return ((str(self.programme), self.programme.get_absolute_url()),)

    def get_queryset(self) -> QuerySet[Milestone]:
        rows = super().get_queryset().filter(programme=self.programme)
        return rows.select_related("owner", "team", "programme")


class StartPage(FormPage):
    """Starts a programme from the plan of the product, from a template, or once more from another programme."""

    permission_required = MAY_CHANGE
    parameters = ("plan",)
    form_class = StartForm
    title = _lazy("Start a programme")
    subtitle = _lazy("Phases, milestones, risks and decisions come from the plan; all of it can be changed afterwards.")
    submit_label = _lazy("Start it")
    cancel_url_name = "programme:roadmap"

    def get_initial(self) -> dict[str, Any]:
        plan = self.request.GET.get("plan") or NINETY_DAYS
        return {"plan": plan, "start": timezone.now().date(), "begins_now": True}

    def form_valid(self, form: StartForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except (BadDates, plans.CannotDo) as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)

    def save(self, form: StartForm) -> Programme:
        values = form.cleaned_data
        return start_programme(values.pop("plan"), values, by=self.person, now=timezone.now())


class ActOnProgramme(Page, View):
    """Begins it, ends it, or keeps its plan as a template: a button."""

    permission_required = MAY_CHANGE

    def post(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        programme = get_object_or_404(Programme.objects.visible_to(self.person), pk=pk)
        try:
            messages.success(request, self._act(programme, verb))
        except (plans.CannotDo, BadDates) as error:
            messages.error(request, str(error))
        return redirect(programme)

    def _act(self, programme: Programme, verb: str) -> str:
        now = timezone.now()
        if verb == "begin":
            begin_programme(programme, now)
            return _("It runs: its figures are looked at every night.")
        if verb == "end":
            plans.end(programme, now.date())
            return _("It has ended. What became of it stays to be read.")
        if verb == "template":
            form = TemplateForm(self.request.POST)
            if not form.is_valid():
                raise plans.CannotDo(_("A template needs a name."))
            row = plans.save_template(programme, form.cleaned_data["name"], by=self.person)
            return _("The plan is kept as the template {name}.").format(name=row)
        raise Http404


class MaturityPage(Page, TemplateView):
    permission_required = "costs.view_company"
    template_name = "programme/maturity.html"
    title = _lazy("Maturity")
    subtitle = _lazy(
        "Crawl, walk or run: each capability of the FinOps Framework by what the books show, not by what we believe."
    )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        today = timezone.now().date()
        programme = current_programme()
        rows = maturity(programme.start if programme else today, today)
        names = {Level.CRAWL: _("Crawl"), Level.WALK: _("Walk"), Level.RUN: _("Run"), Level.UNKNOWN: _("Not known")}
        context = {
            "rows": [(row, (names[row.level], *LEVEL_LOOKS[row.level])) for row in rows],
            "stats": [
                {"label": names[level], "value": sum(row.level == level for row in rows), "icon": LEVEL_LOOKS[level][1]}
                for level in Level
            ],
        }
        return super().get_context_data(**{**context, **kwargs})
