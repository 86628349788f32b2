"""How often the API may be asked: by each token, and by each person who is signed in; nobody else comes as far."""

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from finops_site.ui.limits import seconds_to_wait


class ApiThrottle(BaseThrottle):
    """A token has a limit of its own, so that one script that runs wild stops no other of the same person."""

    def allow_request(self, request: Request, view: object) -> bool:
        token = getattr(request.auth, "pk", None)
        who = f"person-{request.user.pk}" if token is None else f"{type(request.auth).__name__}-{token}"
        self.seconds = seconds_to_wait("api", who, settings.FINOPS_API_LIMIT)
        return not self.seconds

    def wait(self) -> float:
        return self.seconds
