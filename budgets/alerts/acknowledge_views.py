"""What the link in a mail opens: the alert it is about and a button. Nobody has to sign in for it.

Programs that look at every link of a mail open it, too; only the button, a POST, acknowledges.
"""

from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.generic import TemplateView

from budgets.alerts import actions, links
from budgets.alerts.emails import story_of
from budgets.models import Alert
from finops_site.models import User


class AcknowledgePage(TemplateView):
    template_name = "budgets/acknowledge.html"

    @cached_property
    def invitation(self) -> links.Invitation | None:
        return links.read(self.kwargs["token"])

    @cached_property
    def alert(self) -> Alert | None:
        found = self.invitation and Alert.objects.filter(pk=self.invitation.alert, reopened=self.invitation.reopened)
        return found.select_related("budget", "period", "threshold", "acknowledged_by").first() if found else None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        alert = self.alert
        known = {"alert": alert, "story": story_of(alert), "open": alert.is_open} if alert else {"alert": None}
        return super().get_context_data(**{**known, "invitation": self.invitation, **kwargs})

    def render_to_response(self, context: dict[str, Any], **options: Any) -> HttpResponse:
        response = super().render_to_response(context, status=200 if self.alert else 404, **options)
        # The address holds the link's token, so no other site may see it. With "no-referrer" a browser would send the
        # form without its origin, and that is refused as a forgery.
        response["Referrer-Policy"] = "same-origin"
        response["Cache-Control"] = "no-store"
        return response

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if self.alert is None or self.invitation is None:
            return self.render_to_response(self.get_context_data())
        address = self.invitation.address
        by = User.objects.filter(email__iexact=address, is_active=True).first()
        try:
            self.alert = actions.acknowledge(self.alert, by=by, address=address, now=timezone.now())
        except actions.TooLate as reason:
            return self.render_to_response(self.get_context_data(too_late=str(reason)))
        return self.render_to_response(self.get_context_data(done=True, open=False))
