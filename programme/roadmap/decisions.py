"""Decision points: their evidence, what the rule recommends, signatures, and the decision, which is then frozen."""

import logging
from dataclasses import replace
from datetime import date, datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from finops_site.lib.periods import day_text
from finops_site.lib.person import Person, WholeCompany
from finops_site.models import User
from finops_site.people.roles import ENGINEERING, EXECUTIVE, FINANCE, names_of_groups
from finops_site.registry import Kpi, Measure, Unit, against, registry
from programme.calc.decision_rule import (
    Evidence,
    FigureEvidence,
    MilestoneEvidence,
    Recommendation,
    RiskEvidence,
    State,
    Verdict,
    evidence_as_json,
    evidence_of_json,
    figure_changes,
    recommend,
)
from programme.models import DecisionPoint, Milestone, Risk, SignOff
from programme.roadmap.live_figures import limit_in_words, not_shown, value_text
from programme.roadmap.plans import CannotDo

logger = logging.getLogger(__name__)

MAY_DECIDE, MAY_SIGN = "programme.decide_decisionpoint", "programme.sign_decisionpoint"
# Whose role on the site may sign as what.
SIGNERS = {
    SignOff.Role.TECHNICAL_LEAD: {ENGINEERING},
    SignOff.Role.FINANCE_DIRECTOR: {FINANCE},
    SignOff.Role.ENGINEERING_VP: {ENGINEERING, EXECUTIVE},
    SignOff.Role.CFO: {EXECUTIVE, FINANCE},
}


def gather_evidence(decision: DecisionPoint, as_of: date) -> Evidence:
    """What a decision stands on, as of a day: milestones that were due by then, KPIs, risks."""
    milestones = decision.programme.milestones.filter(due__lte=decision.due)
    return Evidence(
        as_of,
        [_milestone_evidence(row, as_of) for row in milestones],
        figures_of(as_of),
        [_risk_evidence(row, as_of) for row in decision.programme.risks.all()],
    )


def figures_of(as_of: date) -> list[FigureEvidence]:
    """Every KPI of the whole company as of a day; one that fails has no value, and the log says why."""
    rows, company, targets = [], WholeCompany(), registry.kpi_targets()
    for kpi in registry.of(Kpi):
        try:
            measure = kpi.measure(company, as_of)
            measure = measure and against(measure, targets.get(kpi.name))
        except Exception:
            logger.exception("%s as of %s", kpi.name, as_of)
            measure = None
        if measure is None and kpi.target is not None:
            # One that nobody can measure is no target that was reached.
            text = str(kpi.why_unknown)
            empty = Measure(None, kpi.unit, kpi.target, kpi.better, text, currency=kpi.currency)
            measure = against(empty, targets.get(kpi.name))
        if measure is not None:
            rows.append(
                FigureEvidence(
                    kpi.name,
                    str(kpi.label),
                    measure.value,
                    measure.target,
                    str(measure.unit),
                    str(measure.better),
                    State.of(measure.met),
                    measure.currency,
                    str(measure.description),
                )
            )
    return rows


def _milestone_evidence(row: Milestone, as_of: date) -> MilestoneEvidence:
    unit = row.last_unit if row.is_live else ""
    if row.met_on is not None and row.met_on <= as_of:
        words = value_text(row.met_value, row.last_unit, row.last_currency) if row.is_live else row.note
        if row.has_fallen_back:
            now = value_text(row.last_value, row.last_unit, row.last_currency)
            words = _("{met}; fallen back to {now} since").format(met=words, now=now)
        return MilestoneEvidence(row.name, row.due, State.YES, row.is_required, row.met_on, words, unit)
    if row.is_live and row.last_value is None:
        return MilestoneEvidence(row.name, row.due, State.UNKNOWN, row.is_required, None, row.why_unknown, unit)
    words = value_text(row.last_value, row.last_unit, row.last_currency) if row.is_live else ""
    return MilestoneEvidence(row.name, row.due, State.NO, row.is_required, None, words, unit)


def _risk_evidence(row: Risk, as_of: date) -> RiskEvidence:
    words = value_text(row.last_value, row.last_unit, row.last_currency) if row.is_live else row.note
    unit = row.last_unit if row.is_live else ""
    if row.has_happened and row.happened_on and row.happened_on <= as_of:
        return RiskEvidence(row.name, State.YES, words, unit)
    is_watched = row.watched_from is None or row.watched_from <= as_of
    is_unknown = row.is_live and is_watched and row.last_value is None
    state = State.UNKNOWN if is_unknown else State.NO
    return RiskEvidence(row.name, state, row.why_unknown if is_unknown else words, unit)


def shown_evidence(evidence: Evidence, reader: Person) -> Evidence:
    """The evidence in the words that `reader` may see: without money of the company, unless she sees all of it."""
    if reader.sees_whole_company:
        return evidence
    return replace(
        evidence,
        milestones=[replace(row, words=_shown_words(row.words, row.unit, row.met)) for row in evidence.milestones],
        # What a figure is of may name other money.
        figures=[replace(row, description="") for row in evidence.figures],
        risks=[replace(row, words=_shown_words(row.words, row.unit, row.happened)) for row in evidence.risks],
    )


def _shown_words(words: str, unit: str, state: State) -> str:
    if state == State.UNKNOWN:
        return _("It is not known yet.")
    return not_shown() if words and unit == Unit.MONEY else words


def recommendation_of(decision: DecisionPoint, evidence: Evidence) -> Recommendation:
    """What the rule recommends; of a recorded decision, what it recommended then."""
    if decision.is_decided and decision.recommended:
        return Recommendation(Verdict(decision.recommended), decision.reasons)
    return recommend(evidence, by_targets=decision.by_targets)


def stored_evidence(decision: DecisionPoint) -> Evidence | None:
    """The evidence that a recorded decision stood on."""
    return evidence_of_json(decision.evidence) if decision.evidence else None


def later_changes(decision: DecisionPoint) -> list[tuple[FigureEvidence, FigureEvidence | None]]:
    """KPIs that would have another value for the same day today, because bills were restated since.

    Ages in hours go on until an answer comes: that they differ says nothing of a bill.
    """
    stored = stored_evidence(decision)
    if stored is None:
        return []
    pairs = figure_changes(stored, Evidence(stored.as_of, figures=figures_of(stored.as_of)))
    return [pair for pair in pairs if pair[0].unit != Unit.HOURS]


def record_decision(decision: DecisionPoint, verdict: str, why: str, *, by: User, now: datetime) -> DecisionPoint:
    """Records what was decided, with the evidence of this moment, for good. Raises CannotDo."""
    if not by.has_perm(MAY_DECIDE):
        raise CannotDo(_("Executives and finance decide."))
    if verdict not in set(Verdict):
        raise CannotDo(_("Choose: {names}.").format(names=", ".join(Verdict)))
    if not why.strip():
        raise CannotDo(_("Say why: who reads it in a year does not know."))
    if not decision.programme.is_running:
        raise CannotDo(_("{name} is not running.").format(name=decision.programme))
    if now.date() < decision.programme.start:
        raise CannotDo(
            _("{name} begins on {day}: there is nothing to decide by yet.").format(
                name=decision.programme, day=day_text(decision.programme.start)
            )
        )
    evidence = gather_evidence(decision, now.date())
    rule = recommend(evidence, by_targets=decision.by_targets)
    with transaction.atomic():
        row = DecisionPoint.objects.select_for_update().get(pk=decision.pk)
        if row.is_decided:
            raise CannotDo(
                _("{name} was decided by {person} on {day}.").format(
                    name=row, person=row.decided_by_name, day=day_text(row.decided_at)
                )
            )
        row.verdict, row.why = verdict, why.strip()
        row.decided_by, row.decided_by_name, row.decided_at = by, str(by), now
        row.evidence, row.recommended, row.reasons = evidence_as_json(evidence), rule.verdict, list(rule.reasons)
        row.save()
    decision.refresh_from_db()
    return decision


def roles_to_sign(user: Person, decision: DecisionPoint) -> list[SignOff.Role]:
    """As what somebody may sign now: roles that fit hers, that nobody has signed in; none once she has signed."""
    if not user.has_perm(MAY_SIGN) or not decision.programme.is_running:
        return []
    signatures = list(decision.signatures.all())
    if any(row.by_id == user.pk for row in signatures):
        return []
    taken, groups = {row.role for row in signatures}, names_of_groups(user)  # type: ignore[arg-type]
    return [role for role, names in SIGNERS.items() if role not in taken and names & groups]


def sign(decision: DecisionPoint, role: str, *, by: User, now: datetime) -> SignOff:
    """Signs in a role, once. Raises CannotDo."""
    if role not in roles_to_sign(by, decision):
        raise CannotDo(_("You cannot sign that: the role is another's, or it is signed, or you have signed already."))
    try:
        with transaction.atomic():
            return SignOff.objects.create(decision=decision, role=role, by=by, name=str(by), at=now)
    except IntegrityError:
        raise CannotDo(_("Somebody signed that a moment ago.")) from None


def take_signature_back(decision: DecisionPoint, *, by: User) -> None:
    """Undoes one's own signature, before the decision is recorded. Raises CannotDo."""
    if decision.is_decided:
        raise CannotDo(_("The decision is recorded: signatures stay."))
    if not decision.signatures.filter(by=by).delete()[0]:
        raise CannotDo(_("You have not signed."))


def figure_text(row: FigureEvidence, *, target: bool = False, user: Person | None = None) -> str:
    """A KPI or its target in words; money of the whole company only for those who see the whole company."""
    if row.unit == Unit.MONEY and user is not None and not user.sees_whole_company:
        return not_shown()
    if target:
        return limit_in_words(row.target, row.unit, row.currency)
    return value_text(row.value, row.unit, row.currency)
