"""The page that the link in a mail opens: its alert, why it is there, what can be done, and a button.

Nobody has to sign in for it, so it shows that alert and nothing else; it links to the site for those alone who can sign
in. Programs that check every link of a mail open it, too; only the button, a POST, acknowledges.
"""

from functools import cached_property
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.generic import TemplateView

from budgets.alerts import acknowledgement, links
from budgets.alerts.alert_summary import ALERT_STATES, alert_headline
from budgets.alerts.emails import alert_facts
from budgets.alerts.letter_parts import LetterParts
from budgets.models import Alert, Budget
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.limits import HasLimit


class CommentForm(forms.Form):
    """What somebody who acknowledges has to say, for the alert's history."""

    comment = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        label=_lazy("What you know or will do"),
    )


class AcknowledgePage(HasLimit, TemplateView):
    limit_name = "FINOPS_LINK_LIMIT"
    template_name = "budgets/acknowledge.html"

    @cached_property
    def link(self) -> links.AcknowledgeLink | None:
        return links.read_acknowledge_link(self.kwargs["token"])

    @cached_property
    def alert(self) -> Alert | None:
        """The alert of the link; None where the link is no good, or its reader has left since."""
        if self.link is None:
            return None
        alerts = Alert.objects.filter(pk=self.link.alert, reopened=self.link.reopened)
        alert = alerts.select_related("budget", "period", "threshold__budget", "acknowledged_by").first()
        return alert if alert and self.link.is_hers(alert) else None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        alert = self.alert
        has_login = self.request.user.is_authenticated or bool(self.link and self.link.person())
        context = {"alert": alert, "form": CommentForm(), "has_login": has_login}
        context |= self._shown(alert) if alert else {}
        return super().get_context_data(**{**context, "link": self.link, **kwargs})

    def _shown(self, alert: Alert) -> dict[str, Any]:
        """The alert as its newest mail would tell it."""
        parts = LetterParts([alert], timezone.now().date())
        reader = self.link.person() if self.link else None
        is_over = alert.state == Alert.State.RESOLVED
        is_archived = alert.budget.state == Budget.State.ARCHIVED
        occasion = "taken back" if is_over and alert.kind in ("actual", "day", "anomaly") else "opened"
        return {
            "headline": alert_headline(alert, occasion, parts.forecast(alert)),
            "state": ALERT_STATES[alert.state],
            "facts": alert_facts(alert, parts.forecast(alert), parts.late_bills(alert)),
            "drivers": parts.drivers(alert),
            "culprits": parts.culprits(alert, reader),
            "advice": parts.advice(alert, reader),
            "chart": parts.chart(alert),
            "open": alert.is_open and not is_archived,
            "is_archived": is_archived,
        }

    def render_to_response(self, context: dict[str, Any], **options: Any) -> HttpResponse:
        response = super().render_to_response(context, **{"status": 200 if self.alert else 404, **options})
        # The address holds the link's token, so no other site may see it. With "no-referrer" a browser would send the
        # form without its origin, and that is refused as a forgery.
        response["Referrer-Policy"] = "same-origin"
        response["Cache-Control"] = "no-store"
        return response

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if self.alert is None or self.link is None:
            return self.render_to_response(self.get_context_data())
        form = CommentForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form), status=400)
        try:
            self.alert = acknowledgement.acknowledge(
                self.alert,
                by=self.link.person(),
                address=self.link.address,
                comment=form.cleaned_data["comment"],
                now=timezone.now(),
            )
        except acknowledgement.TooLate as reason:
            return self.render_to_response(self.get_context_data(too_late=str(reason)))
        return self.render_to_response(self.get_context_data(done=True, open=False))
