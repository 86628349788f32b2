"""A mail to administrators when messages to people wait for too long: once for each incident.

It goes through the outbox like every other, so it comes late where the mail server is what is broken; home and Health
show it at once.
"""

from datetime import datetime
from typing import Any

from django.urls import reverse

from finops_site.lib.words import age_text
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.mail.unsent import LONG_WAIT
from finops_site.models import OutgoingEmail, User
from finops_site.people.roles import ADMINISTRATOR
from finops_site.registry import MessageQueue, QueueState, registry


def is_late(state: QueueState, now: datetime) -> bool:
    """Whether the oldest message that is due has waited for too long."""
    return state.oldest is not None and now - state.oldest > LONG_WAIT


def watch_queues(now: datetime) -> int:
    """Queues the mails about queues that are late; returns how many are new."""
    return sum(_report(queue, queue.state(now), now) for queue in registry.of(MessageQueue))


def _report(queue: MessageQueue, state: QueueState, now: datetime) -> int:
    """An incident goes on while what waited at its mail still waits: it is not reported again."""
    if state.oldest is None or not is_late(state, now):
        return 0
    name = f"queue ages: {queue.name}"
    last = OutgoingEmail.objects.filter(key__startswith=name).order_by("-created_at").first()
    if last and state.oldest <= last.created_at:
        return 0
    oldest = state.oldest

    def context() -> dict[str, Any]:
        return {
            "label": queue.label,
            "waiting": state.waiting,
            "age": age_text(now - oldest),
            "oldest": oldest,
            "url": absolute_url(reverse("health")),
            "list_url": absolute_url(reverse("unsent_messages")),
        }

    return sum(
        outbox.queue_email(
            f"{name} {now:%Y-%m-%d %H:%M} to {user.email}", make_message("queue-ages", user.email, context), now=now
        )
        for user in User.objects.in_role(ADMINISTRATOR)
    )
