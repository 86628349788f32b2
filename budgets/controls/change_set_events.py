"""A step in the life of a change set: its row is locked, its event written, and who must know of it gets an email."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from budgets.alerts.recipients import ResponsiblePeople
from budgets.calc.controls import rules as control_rules
from budgets.calc.controls.scripts import UNDO
from budgets.controls.scripts import script_of
from budgets.controls.targets import savings_by_currency
from budgets.models import ControlChangeSet, ControlEvent
from finops_site.lib.money import formatted
from finops_site.lib.words import counted
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import Membership, User
from finops_site.people.roles import FINANCE

MOST_IN_MAIL = 10


def locked(pk: int) -> ControlChangeSet:
    """The change set, locked until the transaction ends."""
    rows = ControlChangeSet.objects.select_for_update(of=("self",))
    rows = rows.select_related("control__budget__team", "control__threshold__budget", "control__armed_by", "team")
    return rows.select_related("alert__period", "anomaly", "proposed_by", "approved_by").get(pk=pk)


def change_state(row: ControlChangeSet, verb: str, user: User | None, comment: str, now: datetime) -> ControlChangeSet:
    """Takes a step that leads to another state. Raises CannotControl where the state allows no such step."""
    row.state = control_rules.next_state(row.state, verb)
    return add_note(row, verb, user, comment, now)


def add_note(row: ControlChangeSet, verb: str, user: User | None, comment: str, now: datetime) -> ControlChangeSet:
    """A step that leaves the state as it is."""
    row.message = comment.strip()[:2000]
    row.save()
    ControlEvent.objects.create(change_set=row, at=now, by=user, verb=verb, after=row.state, comment=row.message)
    return row


def lead_addresses(row: ControlChangeSet) -> set[str]:
    """Whoever leads the team of the change set."""
    leads = Membership.objects.filter(role=Membership.Role.LEAD, user__is_active=True, team=row.owner)
    return set(leads.values_list("user__email", flat=True)) if row.owner else set()


def finance_addresses() -> set[str]:
    return {user.email for user in User.objects.in_role(FINANCE)}


def concerned_addresses(row: ControlChangeSet) -> set[str]:
    """Who proposed and who approved it, who leads the team, and finance; where neither of these is left, who is next
    in line."""
    people = [user for user in (row.proposed_by, row.approved_by) if user and user.is_active]
    responsible = lead_addresses(row) | finance_addresses() or next_in_line(row)
    return {user.email for user in people} | responsible


def next_in_line(row: ControlChangeSet) -> set[str]:
    """The leads of the nearest team above that has any, else the administrators, who see it and approve nothing."""
    people = ResponsiblePeople()
    return {user.email for user in people.leads_above(row.owner and row.owner.pk) or people.administrators}


def send_emails(row: ControlChangeSet, template: str, addresses: Iterable[str], now: datetime) -> None:
    """One email to each address about the newest step, however often the step is repeated."""
    step = row.events.count()
    for address in sorted(addresses):
        message = make_message(template, address, lambda: _mail_context(row, with_script=template == "control-undo"))
        outbox.queue_email(f"control {row.pk} step {step} {template} to {address}", message, now=now)


def _mail_context(row: ControlChangeSet, *, with_script: bool) -> dict[str, Any]:
    steps = list(row.steps.all())
    return {
        "row": row,
        "title": row.title,
        "steps": steps[:MOST_IN_MAIL],
        "more": max(0, len(steps) - MOST_IN_MAIL),
        "count": counted(len(steps), "resource"),
        "saving": saving_text(row),
        "box": row.control.box_words,
        "url": absolute_url(row.get_absolute_url()),
        "script": script_of(row, UNDO) if with_script else "",
    }


def saving_text(row: ControlChangeSet) -> str:
    """What a day saves, as far as it is known: ``12.40 USD a day``, or that it is not known."""
    steps = list(row.steps.all())
    sums = savings_by_currency(steps)
    unknown = sum(step.saving is None for step in steps)
    texts = [
        _("{amount} {currency} a day").format(amount=formatted(amount, currency), currency=currency)
        for currency, amount in sorted(sums.items())
    ]
    if not texts:
        return _("not known beforehand")
    text = _(" and ").join(texts)
    return _("{text}, and of {unknown} it is not known").format(text=text, unknown=unknown) if unknown else text
