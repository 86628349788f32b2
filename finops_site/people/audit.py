"""The audit log knows who and from where also when a program asks, and when many rows are written at once."""

from collections.abc import Iterable, Mapping
from typing import Any

from auditlog.context import auditlog_value
from django.db.models import Model
from rest_framework.authentication import TokenAuthentication
from rest_framework.request import Request

from finops_site.lib.person import Person
from finops_site.models import User
from finops_site.people.demo_rows import without_demo


class TokenAuthenticationForAudit(TokenAuthentication):
    """A token names its person later than the audit log's middleware looks, which sees nobody: it is set here."""

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        user_and_token = super().authenticate(request)
        context = auditlog_value.get(None)
        if user_and_token and context is not None:
            context["actor"] = user_and_token[0]
        return user_and_token


def record_changes(
    changed: Iterable[tuple[Model, Mapping[str, tuple[str, str]]]], action: int, user: Person | None
) -> None:
    """Entries for rows that were written in one go, which the log does not see: (row, {field: (before, after)}).

    With the address of the request at hand, if there is one; `user` is None where a command writes. `action` is
    one of LogEntry.Action.
    """
    from auditlog.models import LogEntry
    from django.contrib.contenttypes.models import ContentType

    context = auditlog_value.get(None) or {}
    address = {name: context.get(name) for name in ("remote_addr", "remote_port")}
    LogEntry.objects.bulk_create(
        [
            LogEntry(
                content_type=ContentType.objects.get_for_model(row),
                object_pk=str(row.pk),
                object_id=row.pk,
                object_repr=str(row)[:500],
                action=action,
                changes={name: list(both) for name, both in changes.items()},
                actor=user,
                actor_email=getattr(user, "email", None),
                **address,
            )
            for row, changes in changed
        ],
        batch_size=2000,
    )


def is_changed_by_people(model: type[Model]) -> bool:
    """Whether somebody made or changed a row of an audited table: no command, and nobody of the demo company."""
    from auditlog.models import LogEntry
    from django.contrib.contenttypes.models import ContentType

    people = without_demo(User.objects.all())
    return LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(model), actor__in=people).exists()
