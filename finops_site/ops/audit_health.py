"""What Health and the night say of the audit log: whether its chain holds, until when it is sealed, and its stream."""

from datetime import date, datetime, timedelta

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.audit import chain, stream, triggers, upkeep
from finops_site.lib.periods import moment_text
from finops_site.lib.words import number_text
from finops_site.models import AuditStream
from finops_site.registry import HealthState, HealthStatus, NightlyCheckFailed

# Sealed every minute: what waits for longer says that the worker or beat is down.
LATE = timedelta(minutes=15)


def statuses(now: datetime) -> list[HealthStatus]:
    """Until when the log is sealed, and how far it was sent on."""
    url = reverse("audit")
    waiting = chain.waiting_since()
    late = waiting is not None and waiting < now - LATE
    until = waiting or chain.last_sealed_at()
    sealed = _("until {moment}").format(moment=moment_text(until)) if until else _("nothing yet")
    rows = [HealthStatus(_("Sealed"), HealthState.BROKEN if late else HealthState.GOOD, sealed, url)]
    if target := settings.FINOPS_AUDIT_STREAM:
        place = AuditStream.objects.filter(target=target).first()
        to_send = _("waiting: {count}").format(count=number_text(stream.waiting()))
        problem = place.problem if place else ""
        state = HealthState.BROKEN if problem else HealthState.GOOD
        rows.append(HealthStatus(_("Sent on"), state, f"{to_send}. {problem}".strip(), url))
    return rows


def problems() -> list[str]:
    """What is wrong with the log, in sentences of the command's English; empty when all is well."""
    chain.seal()
    verified = chain.verify()
    sentences = [verified.problem] if verified.problem else []
    if bare := triggers.tables_without_trigger():
        sentences.append(f"tables that are not written of: {', '.join(bare)} (manage.py migrate sets their triggers)")
    return sentences


def check_nightly(as_of: date) -> str:
    """Verifies the chain and the triggers, and clears what is too old; raises NightlyCheckFailed."""
    if sentences := problems():
        raise NightlyCheckFailed("; ".join(sentences))
    cleared = upkeep.clear_old(timezone.now())
    number, hash_ = chain.last_sealed()
    words = _("The last entry is number {number}, its hash {hash}.").format(number=number_text(number), hash=hash_)
    return words if not cleared else f"{words} {_('Old entries cleared: {count}.').format(count=number_text(cleared))}"
