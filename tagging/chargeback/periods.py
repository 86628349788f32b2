"""Which billing months are charged back, and the fingerprints that show whether a draft is out of date.

A fingerprint is a hash of everything that statements are made from: the bills of the month, its splits and metrics.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import date
from typing import Any

from django.db.models import Count, Max, Sum
from django.db.models.functions import TruncMonth
from django.utils.translation import gettext as _

from costs.models import DeliveryMonth, ExchangeRate
from costs.query.known_until import KnownDays, MissingPart, known_in, known_together
from costs.retention import find_versions, versions_behind
from finops_site.lib.periods import Month, moment_text, month_text
from finops_site.lib.person import OneTeam, Person, WholeCompany
from finops_site.lib.words import in_sentence
from finops_site.models import Team
from finops_site.translation import gettext_lazy as _lazy
from tagging.models import Adjustment, ChargebackPeriod, MetricValue, Split

NO_BILL = "no bill"
KNOWN_WHEN_CLOSED = _lazy("As it was known when the month was closed.")


def month_fingerprints() -> dict[Month, str]:
    """The fingerprint of every billing month that has a bill: its bills, splits and metrics."""
    parts: dict[Month, list[str]] = defaultdict(list)
    current = DeliveryMonth.objects.current().order_by("billing_month", "pk")
    for day, pk, revision in current.values_list("billing_month", "pk", "revision"):
        parts[Month.of(day)].append(f"bill {pk} {revision}")
    splits = list(Split.objects.order_by("pk").values_list("pk", "version", "start", "end", "metric"))
    metrics = _metric_versions({metric for *_ignored, metric in splits if metric})
    for month, of_month in parts.items():
        for pk, version, start, end, metric in splits:
            if (start is None or start <= month.start) and (end is None or month.start < end):
                of_month.append(f"split {pk} {version} {metrics.get((metric, month), '')}")
    return {month: _hash(of_month) for month, of_month in parts.items()}


def _metric_versions(metrics: set[int]) -> dict[tuple[int, Month], str]:
    if not metrics:
        return {}
    by_month = MetricValue.objects.filter(metric__in=metrics).order_by().annotate(month=TruncMonth("day"))
    rows = by_month.values("metric", "month").annotate(n=Count("pk"), total=Sum("value"), last=Max("changed_at"))
    return {(row["metric"], Month.of(row["month"])): f"{row['n']} {row['total']} {row['last']}" for row in rows}


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def period_fingerprints(periods: Iterable[ChargebackPeriod], by_month: Mapping[Month, str]) -> dict[int, str]:
    """{period: the fingerprint that its draft should have}: that of its month, of its settings and of what it books.

    A draft that has another fingerprint is out of date.
    """
    opened = open_period()
    closed = ChargebackPeriod.objects.closed().order_by("billing_month")
    corrected = [f"{period.month} {by_month.get(period.month, NO_BILL)}" for period in closed]
    booked: dict[int, list[str]] = defaultdict(list)
    for pk, adjustment in Adjustment.objects.order_by("pk").values_list("period", "pk"):
        booked[pk].append(f"adjustment {adjustment}")
    periods = list(periods)
    rates = _rate_versions([period.month for period in periods if period.is_draft])
    fingerprints = {}
    for period in periods:
        parts = [by_month.get(period.month, NO_BILL), period.basis, period.discounts, *booked[period.pk]]
        parts += corrected if opened and opened.pk == period.pk else []
        parts += [rates[period.month]] if period.is_draft and period.month in rates else []
        fingerprints[period.pk] = _hash(parts)
    return fingerprints


def _rate_versions(months: Collection[Month]) -> dict[Month, str]:
    """{month: what differs when its exchange rates do}; pools of a currency without direct cost are split by them.

    Of drafts alone: a rate that is loaded later books no correction of a closed month.
    """
    if not months:
        return {}
    rows = ExchangeRate.objects.filter(day__gte=min(months).start, day__lt=max(months).next.start).order_by()
    by_month = rows.annotate(month=TruncMonth("day")).values_list("month").annotate(Count("pk"), Max("loaded_at"))
    return {Month.of(day): f"rates {count} {last}" for day, count, last in by_month}


def period_fingerprint(period: ChargebackPeriod, by_month: Mapping[Month, str]) -> str:
    return period_fingerprints([period], by_month)[period.pk]


def is_outdated(period: ChargebackPeriod) -> bool:
    """Whether a draft was computed from something else than today's bills, splits and metrics."""
    return period.is_draft and period.fingerprint != period_fingerprint(period, month_fingerprints())


def outdated_drafts(by_month: Mapping[Month, str]) -> list[ChargebackPeriod]:
    drafts = list(ChargebackPeriod.objects.draft())
    wanted = period_fingerprints(drafts, by_month)
    return [period for period in drafts if period.fingerprint != wanted[period.pk]]


def ensure_periods(months: Iterable[Month]) -> None:
    """A draft for every month that has a bill; basis and discounts are those of the latest month before."""
    known = {period.month: period for period in ChargebackPeriod.objects.all()}
    for month in sorted(set(months) - set(known)):
        before = max((earlier for earlier in known if earlier < month), default=None)
        template = known[before] if before else ChargebackPeriod()
        known[month], _ignored = ChargebackPeriod.objects.get_or_create(
            billing_month=month.start, defaults={"basis": template.basis, "discounts": template.discounts}
        )
    open_period()


def open_period() -> ChargebackPeriod | None:
    """The draft that follows the last closed month: corrections are booked in it. None while no month is closed."""
    last = ChargebackPeriod.objects.closed().first()
    if last is None:
        return None
    after = ChargebackPeriod.objects.filter(billing_month__gt=last.billing_month)
    draft = after.draft().last()
    if draft is None:
        # A month after it that was set aside before it was closed books nothing.
        latest = after.first() or last
        draft, _ignored = ChargebackPeriod.objects.get_or_create(
            billing_month=latest.month.next.start, defaults={"basis": last.basis, "discounts": last.discounts}
        )
    return draft


def known_of_month(user: Person, period: ChargebackPeriod, as_of: date, *, team: Team | None = None) -> KnownDays:
    """What the bills know of a month, of what `user` may see (of a team): what is missing, and whether it is final.

    Of a closed month what they knew when it was closed.
    """
    if period.is_closed and (frozen := _known_when_closed(user, period, team)):
        return replace(frozen, notes=[str(KNOWN_WHEN_CLOSED), *frozen.notes]) if frozen.notes else frozen
    return _known_today(user, period, as_of, team.pk if team else None)


def _known_today(user: Person, period: ChargebackPeriod, as_of: date, team: int | None = None) -> KnownDays:
    filters = {"team": [str(team)]} if team else {}
    return known_in(user, period.month.period, as_of, filters=filters, metric=period.basis)


def _known_when_closed(user: Person, period: ChargebackPeriod, team: Team | None) -> KnownDays | None:
    """None for months that were closed before this was kept."""
    if user.sees_whole_company and not team:
        return known_from_json(period.known) if period.known else None
    statements = period.statements.filter(team=team) if team else period.statements.visible_to(user)
    parts = [known_from_json(known) for known in statements.values_list("figures__known", flat=True) if known]
    return known_together(parts) if parts else None


def known_by_team(period: ChargebackPeriod, teams: Iterable[int]) -> dict[int, KnownDays]:
    """{team: what the bills know of a closed month}, on the day it was closed, in words for the team itself."""
    assert period.closed_at is not None
    day, company = period.closed_at.date(), WholeCompany()
    _known_today(company, period, day)
    known = {}
    for team in teams:
        reader = OneTeam(team)
        # What the company's bills are is asked once for all of them.
        vars(reader).update({name: value for name, value in vars(company).items() if name != "visible_team_ids"})
        known[team] = _known_today(reader, period, day, team)
    return known


def known_json(known: KnownDays) -> dict[str, Any]:
    """To be kept in a JSON field."""
    return asdict(known)


def known_from_json(data: Mapping[str, Any]) -> KnownDays:
    def day(text: str | None) -> date | None:
        return date.fromisoformat(text) if text else None

    missing = [
        MissingPart(
            **{
                **part,
                "first": date.fromisoformat(part["first"]),
                "last": date.fromisoformat(part["last"]),
                "known_until": day(part["known_until"]),
            }
        )
        for part in data["missing"]
    ]
    # The month's own has the line under its title, too (closing.py).
    known = {name: value for name, value in data.items() if name != "summary"}
    return KnownDays(**{**known, "until": day(data["until"]), "missing": missing})


def period_summary(period: ChargebackPeriod) -> str:
    """The state, basis and discounts of the month, for the line under a title; of a closed one as it was then."""
    if period.is_closed and (summary := _summary_when_closed(period)):
        return summary
    state = _("Draft: it changes until finance closes the month")
    if period.is_closed:
        assert period.closed_at is not None
        state = _("Closed on {closed_at} by {closed_by}").format(
            closed_at=moment_text(period.closed_at), closed_by=period.closed_by
        )
    elif period.is_set_aside:
        assert period.set_aside_at is not None
        state = _("Set aside on {set_aside_at} by {set_aside_by}: nobody is charged for it").format(
            set_aside_at=moment_text(period.set_aside_at), set_aside_by=period.set_aside_by
        )
    basis = in_sentence(period.get_basis_display())
    if period.basis == ChargebackPeriod.Basis.EFFECTIVE:
        basis = _("{basis}; discounts of commitments {discounts}").format(
            basis=basis, discounts=period.get_discounts_display()
        )
    return _("{state}. By {basis}.").format(state=state, basis=basis)


def _summary_when_closed(period: ChargebackPeriod) -> str:
    """Empty for months that were closed before it was stored; those have it with their statements, if at all."""
    if period.known and "summary" in period.known:
        return period.known["summary"]
    stored = period.statements.exclude(figures=None).values_list("figures__summary", flat=True).first()
    return stored or ""


def deliveries_behind_statements(months: Collection[date] | None) -> dict[int, str]:
    """{delivery: the reason} of bills that a closed statement stands on: its own month's versions when it was closed.

    Later months book corrections of the months before them, so that what made those up at each later closing stays too.
    """
    closed = dict(ChargebackPeriod.objects.closed().values_list("billing_month", "closed_at"))
    closings = [moment for moment in closed.values() if moment]
    wanted = set(closed) if months is None else set(closed) & set(months)
    protected: dict[int, str] = {}
    for (_ignored, month, *_ignored), versions in find_versions(wanted).items():
        moments = [moment for moment in closings if closed[month] and moment >= closed[month]]
        reason = _("the closed statements of {of} stand on it").format(of=month_text(month, "long"))
        protected |= dict.fromkeys(versions_behind(moments, versions), reason)
    return protected
