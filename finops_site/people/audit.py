"""What the audit log is told where people come in by a token, and what is asked of it."""

from typing import Any

from django.db.models import Model
from rest_framework.authentication import TokenAuthentication
from rest_framework.request import Request

from finops_site.audit.events import token_used
from finops_site.models import AuditEntry, User
from finops_site.people.demo_rows import without_demo


class TokenAuthenticationForAudit(TokenAuthentication):
    """Notes which token was shown; who acts is known to the log by the request itself."""

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        user_and_token = super().authenticate(request)
        if user_and_token:
            token_used(user_and_token[1], user_and_token[0])
        return user_and_token


def is_changed_by_people(model: type[Model]) -> bool:
    """Whether somebody made or changed a row of an audited table: no command, and nobody of the demo company."""
    people = without_demo(User.objects.all()).values("pk")
    return AuditEntry.objects.filter(model=model._meta.label_lower, actor__in=people).exists()
