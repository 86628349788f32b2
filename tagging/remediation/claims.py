"""Services of claims: a lead claims an unowned resource for her team, finance confirms or declines."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from finops_site.models import Team, User
from tagging.models import TaggedResource, VirtualTag, VirtualTagBatch
from tagging.remediation import virtual_tags
from tagging.remediation.virtual_tags import RemediationError


@transaction.atomic
def claim_resource(text: str, team: Team, *, user: User, now: datetime) -> VirtualTag:
    """Claims the unowned resource of this id or name for a team; it counts when finance confirms."""
    text = text.strip()
    unowned = TaggedResource.objects.taggable().filter(owner__isnull=True)
    rows = unowned.filter(Q(resource=text) | Q(resource_name=text)).order_by("-charge_month", "-cost")
    row = rows.first()
    if row is None:
        raise RemediationError(_("No unowned resource has this id or name: write it exactly as the bill does."))
    if rows.exclude(key=row.key).exists():
        raise RemediationError(_("Several unowned resources have this name: give the id of the one you mean."))
    if VirtualTag.objects.filter(resource_key=row.key, key="Team", state=VirtualTag.State.WAITING).exists():
        raise RemediationError(_("{row} is claimed already; finance has not answered yet.").format(row=row))
    batch = VirtualTagBatch.objects.create(
        words=_("{team} claims {row}").format(team=team, row=row)[:300], made_by=user, made_at=now
    )
    return VirtualTag.objects.create(
        **virtual_tags.resource_fields(row),
        team=team,
        key="Team",
        value=team.name,
        start=row.charge_month,
        evidence=[{"kind": "claim", "words": _("{user} claims it for {team}").format(user=user, team=team)}],
        state=VirtualTag.State.WAITING,
        batch=batch,
        made_by=user,
        made_at=now,
    )


@transaction.atomic
def answer_claim(pk: int, *, confirm: bool, user: User, now: datetime) -> VirtualTag:
    """Finance confirms or declines a claim; raises RemediationError when it was answered, or for who claimed."""
    tag = VirtualTag.objects.select_for_update().get(pk=pk)
    if tag.state != VirtualTag.State.WAITING:
        raise RemediationError(_("This claim is answered: it is {state}.").format(state=tag.get_state_display()))
    if confirm and tag.made_by_id == user.pk:
        raise RemediationError(_("Somebody else has to confirm what you claim."))
    if confirm:
        virtual_tags.end_open_tags([tag], user)
    tag.state = VirtualTag.State.ACTIVE if confirm else VirtualTag.State.DECLINED
    tag.decided_by, tag.decided_at = user, now
    tag.save()
    virtual_tags.queue_application(tag.batch)
    return tag
