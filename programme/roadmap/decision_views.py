"""The page of a decision point: its evidence, the recommendation, signatures, and recording the decision."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import View

from finops_site.people.signed_in import signed_in_user
from finops_site.ui.pages import DetailPage, Page
from programme.calc.decision_rule import Evidence, State, Verdict
from programme.models import DecisionPoint, SignOff
from programme.roadmap import decisions
from programme.roadmap.forms import DecisionForm
from programme.roadmap.plans import CannotDo

MAY_SEE = "programme.view_decisionpoint"
VERDICT_LOOKS = {
    Verdict.GO: ("good", "circle-check"),
    Verdict.CONDITIONS: ("warn", "alert-triangle"),
    Verdict.STOP: ("bad", "ban"),
}


def verdict_badge(verdict: str) -> tuple[str, str, str]:
    words = {Verdict.GO: _("Go"), Verdict.CONDITIONS: _("Go with conditions"), Verdict.STOP: _("Stop")}
    return words[Verdict(verdict)], *VERDICT_LOOKS[Verdict(verdict)]


def state_badge(state: State, yes: str, no: str, *, is_good: bool = True) -> tuple[str, str, str]:
    if state == State.UNKNOWN:
        return _("Not known"), "calm", "help"
    good = (state == State.YES) == is_good
    return (yes if state == State.YES else no), "good" if good else "bad", "circle-check" if good else "circle-x"


class DecisionPage(DetailPage):
    permission_required = MAY_SEE
    model = DecisionPoint
    template_name = "programme/decision.html"

    def get_queryset(self) -> QuerySet[DecisionPoint]:
        return super().get_queryset().select_related("programme")

    def get_subtitle(self) -> str:
        return self.object.question

    def get_breadcrumbs(self) -> Any:
        programme = self.object.programme
        return ((str(programme), programme.get_absolute_url()),)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        row, today = self.object, timezone.now().date()
        evidence = decisions.stored_evidence(row) or decisions.gather_evidence(row, today)
        recommendation = decisions.recommendation_of(row, evidence)
        evidence = decisions.shown_evidence(evidence, self.person)
        may_decide = self.person.has_perm(decisions.MAY_DECIDE) and row.programme.is_running and not row.is_decided
        may_decide = may_decide and row.programme.start <= today
        context = {
            "row": row,
            "evidence": evidence,
            "recommended": verdict_badge(recommendation.verdict),
            "reasons": recommendation.reasons,
            "decided": verdict_badge(row.verdict) if row.is_decided else None,
            "differs": row.is_decided and row.verdict != row.recommended,
            "milestones": [(one, state_badge(one.met, _("Met"), _("Not met"))) for one in evidence.milestones],
            "figures": self._figures(evidence),
            "risks": [
                (one, state_badge(one.happened, _("Has happened"), _("Has not"), is_good=False))
                for one in evidence.risks
            ],
            "later": self._later(row),
            "signatures": self._signatures(row),
            "to_sign": decisions.roles_to_sign(self.person, row),
            "may_take_back": not row.is_decided and any(one.by_id == self.person.pk for one in row.signatures.all()),
            "form": DecisionForm(initial={"verdict": recommendation.verdict}) if may_decide else None,
            "is_early": row.due > today,
        }
        return super().get_context_data(**{**context, **kwargs})

    def _figures(self, evidence: Evidence) -> list[tuple[Any, str, str, tuple[str, str, str]]]:
        return [
            (
                one,
                decisions.figure_text(one, user=self.person),
                decisions.figure_text(one, target=True, user=self.person) if one.target is not None else _("none"),
                state_badge(one.met, _("Met"), _("Not met"))
                if one.target is not None or one.value is None
                else (_("No target"), "calm", "circle-dashed"),
            )
            for one in evidence.figures
        ]

    def _later(self, row: DecisionPoint) -> list[tuple[str, str, str]]:
        """(label, then, today) of KPIs that are another figure for that day by the bills of today."""
        return [
            (
                before.label,
                decisions.figure_text(before, user=self.person),
                decisions.figure_text(after, user=self.person) if after else _("none"),
            )
            for before, after in decisions.later_changes(row)
        ]

    def _signatures(self, row: DecisionPoint) -> list[tuple[str, SignOff | None]]:
        signatures = {one.role: one for one in row.signatures.all()}
        return [(str(role.label), signatures.get(role)) for role in SignOff.Role]


class ActOnDecision(Page, View):
    """Records the decision, signs, or takes one's signature back."""

    permission_required = MAY_SEE

    def post(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        row = get_object_or_404(DecisionPoint.objects.visible_to(self.person).select_related("programme"), pk=pk)
        user, now = signed_in_user(request), timezone.now()
        try:
            if verb == "decide":
                verdict, why = request.POST.get("verdict", ""), request.POST.get("why", "")[:2000]
                decisions.record_decision(row, verdict, why, by=user, now=now)
                messages.success(request, _("The decision is recorded, with its evidence of this moment."))
            elif verb == "sign":
                decisions.sign(row, request.POST.get("role", ""), by=user, now=now)
                messages.success(request, _("You have signed."))
            elif verb == "unsign":
                decisions.take_signature_back(row, by=user)
                messages.success(request, _("Your signature is taken back."))
            else:
                raise Http404
        except CannotDo as error:
            messages.error(request, str(error))
        return redirect(row)
