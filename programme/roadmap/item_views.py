"""Pages of the parts of a programme: a milestone, a risk; adding, editing, moving and removing them."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import View

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import DetailPage, FormPage, Page
from programme.calc.programme_dates import BadDates
from programme.models import Communication, DecisionPoint, Milestone, Phase, Programme, Risk
from programme.roadmap import milestones, moves
from programme.roadmap.forms import CommunicationForm, MilestoneForm, MoveForm, PhaseForm, RiskForm, TickForm
from programme.roadmap.live_figures import is_hidden_money, not_shown, value_text, why_unknown_text
from programme.roadmap.milestones import MAY_CHANGE
from programme.roadmap.plans import CannotDo
from programme.roadmap.programmes import MAY_SEE
from programme.roadmap.timeline import criterion_text, milestone_row, now_text

# {part in the address: (its model, its form, what it is called, how it is saved)}
PARTS: dict[str, tuple[Any, Any, Any, Any]] = {
    "milestone": (Milestone, MilestoneForm, _lazy("Milestone"), milestones.save_milestone),
    "risk": (Risk, RiskForm, _lazy("Risk"), milestones.save_risk),
    "phase": (Phase, PhaseForm, _lazy("Phase"), milestones.save_phase),
    "communication": (Communication, CommunicationForm, _lazy("Who hears what"), milestones.save_communication),
}
MOVABLE = {"milestone": Milestone, "phase": Phase, "decision": DecisionPoint}


class OfProgramme:
    """The way back to the programme that a part belongs to."""

    object: Any

    def get_breadcrumbs(self) -> Any:
        programme = self.object.programme
        return ((str(programme), programme.get_absolute_url()),)


class MilestonePage(OfProgramme, DetailPage):
    permission_required = MAY_SEE
    model = Milestone
    template_name = "programme/milestone.html"

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("programme", "owner", "team", "met_by")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        row, today = self.object, timezone.now().date()
        may_tick, hidden = milestones.may_tick(self.person, row), is_hidden_money(row, self.person)
        context = {
            "row": row,
            "drawn": milestone_row(row, today, self.person),
            "tick_form": TickForm() if may_tick and row.met_on is None else None,
            "may_untick": may_tick and row.met_on is not None,
            "may_change": self.person.has_perm(MAY_CHANGE) and row.programme.status != Programme.Status.ENDED,
            "met_text": not_shown() if hidden else value_text(row.met_value, row.last_unit, row.last_currency),
            "why_unknown": why_unknown_text(row, self.person),
        }
        return super().get_context_data(**{**context, **kwargs})


class RiskPage(OfProgramme, DetailPage):
    permission_required = MAY_SEE
    model = Risk
    template_name = "programme/risk.html"

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("programme", "owner")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        row = self.object
        context = {
            "row": row,
            "criterion": criterion_text(row, self.person),
            "now": now_text(row, self.person),
            "why_unknown": why_unknown_text(row, self.person),
            "may_change": self.person.has_perm(MAY_CHANGE) and row.programme.status != Programme.Status.ENDED,
        }
        return super().get_context_data(**{**context, **kwargs})


class ActOnMilestone(Page, View):
    """Ticks it with a note, or takes that back."""

    permission_required = milestones.MAY_TICK

    def post(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        row = get_object_or_404(Milestone.objects.visible_to(self.person).select_related("programme"), pk=pk)
        try:
            if verb == "tick":
                note = request.POST.get("note", "")
                milestones.tick(row, by=self.person, note=note, day=timezone.now().date())
                messages.success(request, _("{name} is met.").format(name=row))
            elif verb == "untick":
                milestones.untick(row, by=self.person)
                messages.success(request, _("{name} is open again.").format(name=row))
            else:
                raise Http404
        except CannotDo as error:
            messages.error(request, str(error))
        return redirect(row)


class ActOnRisk(Page, View):
    """Says by hand that it has happened, or is over."""

    permission_required = MAY_CHANGE

    def post(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        row = get_object_or_404(Risk.objects.visible_to(self.person).select_related("programme"), pk=pk)
        if verb not in ("happened", "over"):
            raise Http404
        try:
            note = request.POST.get("note", "")
            milestones.note_risk(row, happened=verb == "happened", note=note, day=timezone.now().date())
            messages.success(request, _("It is noted."))
        except CannotDo as error:
            messages.error(request, str(error))
        return redirect(row)


class PartPage(FormPage):
    """Adds a part to a programme, or edits one: the form is that of its kind."""

    permission_required = MAY_CHANGE
    template_name = "programme/part.html"

    @property
    def part(self) -> tuple[Any, Any, Any, Any]:
        if self.kwargs["part"] not in PARTS:
            raise Http404
        return PARTS[self.kwargs["part"]]

    @cached_property
    def object(self) -> Any:
        model = self.part[0]
        if "item" in self.kwargs:
            rows = model.objects.select_related("programme")
            return get_object_or_404(rows, pk=self.kwargs["item"], programme=self.kwargs["pk"])
        return model(programme=get_object_or_404(Programme, pk=self.kwargs["pk"]))

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Who may not edit is refused before anything is looked for.
        if request.user.is_authenticated and not request.user.has_perm(MAY_CHANGE):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_form_class(self) -> type[forms.ModelForm]:
        form_class: type[forms.ModelForm] = self.part[1]
        return form_class

    def get_title(self) -> str:
        return str(self.object) if self.object.pk else _("Add: {what}").format(what=self.part[2])

    def get_subtitle(self) -> str:
        return str(self.part[2])

    def get_breadcrumbs(self) -> Any:
        programme = self.object.programme
        return ((str(programme), programme.get_absolute_url()),)

    def form_valid(self, form: forms.ModelForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except (BadDates, CannotDo) as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)

    def save(self, form: forms.ModelForm) -> Any:
        return self.part[3](form.save(commit=False))

    def get_success_url(self) -> str:
        row = self.saved
        return str(row.get_absolute_url() if hasattr(row, "get_absolute_url") else row.programme.get_absolute_url())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        cancel = self.object.programme.get_absolute_url()
        part = self.kwargs["part"]
        more = {"cancel_url": cancel, "part": part, "may_move": part in MOVABLE and bool(self.object.pk)}
        return super().get_context_data(**{**more, **kwargs})


class RemovePart(Page, View):
    permission_required = MAY_CHANGE

    def post(self, request: HttpRequest, pk: int, part: str, item: int) -> HttpResponse:
        if part not in PARTS:
            raise Http404
        row = get_object_or_404(PARTS[part][0], pk=item, programme=pk)
        name, programme = str(row), row.programme
        try:
            milestones.remove(row)
            messages.success(request, _("{name} is taken out of the plan.").format(name=name))
        except CannotDo as error:
            messages.error(request, str(error))
        return redirect(programme)


class MovePage(FormPage):
    """Another day for a milestone, a phase or a decision: first it shows what would move."""

    permission_required = MAY_CHANGE
    template_name = "programme/move.html"
    form_class = MoveForm
    submit_label = _lazy("Show what moves")

    @cached_property
    def object(self) -> Any:
        model: type[Model] | None = MOVABLE.get(self.kwargs["part"])
        if model is None:
            raise Http404
        rows = model._default_manager.select_related("programme")
        return get_object_or_404(rows, pk=self.kwargs["item"], programme=self.kwargs["pk"])

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not request.user.has_perm(MAY_CHANGE):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_title(self) -> str:
        return _("Move {name}").format(name=self.object)

    def get_breadcrumbs(self) -> Any:
        programme = self.object.programme
        return ((str(programme), programme.get_absolute_url()),)

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs = super().get_form_kwargs()
        kwargs.pop("instance", None)
        return kwargs

    def get_initial(self) -> dict[str, Any]:
        return {"to": getattr(self.object, "due", None) or self.object.start, "rest": True}

    def form_valid(self, form: MoveForm) -> HttpResponse:
        programme, part, item = self.object.programme, self.kwargs["part"], self.object.pk
        to, rest = form.cleaned_data["to"], form.cleaned_data["rest"]
        try:
            if self.request.POST.get("verb") == "move":
                done = moves.move(programme, part, item, to, rest=rest)
                moved = len(done.moves)
                messages.success(
                    self.request, ngettext("{count} date moved.", "{count} dates moved.", moved).format(count=moved)
                )
                return redirect(programme)
            plan = moves.plan_moves(programme, part, item, to, rest=rest)
        except (BadDates, CannotDo) as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)
        return self.render_to_response(self.get_context_data(form=form, plan=plan))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        cancel = self.object.programme.get_absolute_url()
        return super().get_context_data(**{"cancel_url": cancel, "programme": self.object.programme, **kwargs})
