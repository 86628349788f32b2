"""The page that the link in a mail opens: its alert and a button. Nobody has to sign in for it.

Programs that check every link of a mail open it, too; only the button, a POST, acknowledges.
"""

from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.generic import TemplateView

from budgets.alerts import acknowledgement, links
from budgets.alerts.alert_summary import summary_of
from budgets.models import Alert
from finops_site.models import User


class AcknowledgePage(TemplateView):
    template_name = "budgets/acknowledge.html"

    @cached_property
    def link(self) -> links.AcknowledgeLink | None:
        return links.read_acknowledge_link(self.kwargs["token"])

    @cached_property
    def alert(self) -> Alert | None:
        if self.link is None:
            return None
        alerts = Alert.objects.filter(pk=self.link.alert, reopened=self.link.reopened)
        return alerts.select_related("budget", "period", "threshold", "acknowledged_by").first()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        alert = self.alert
        context = {"alert": alert, "summary": summary_of(alert), "open": alert.is_open} if alert else {"alert": None}
        return super().get_context_data(**{**context, "link": self.link, **kwargs})

    def render_to_response(self, context: dict[str, Any], **options: Any) -> HttpResponse:
        response = super().render_to_response(context, status=200 if self.alert else 404, **options)
        # The address holds the link's token, so no other site may see it. With "no-referrer" a browser would send the
        # form without its origin, and that is refused as a forgery.
        response["Referrer-Policy"] = "same-origin"
        response["Cache-Control"] = "no-store"
        return response

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if self.alert is None or self.link is None:
            return self.render_to_response(self.get_context_data())
        address = self.link.address
        by = User.objects.filter(email__iexact=address, is_active=True).first()
        try:
            self.alert = acknowledgement.acknowledge(self.alert, by=by, address=address, now=timezone.now())
        except acknowledgement.TooLate as reason:
            return self.render_to_response(self.get_context_data(too_late=str(reason)))
        return self.render_to_response(self.get_context_data(done=True, open=False))
