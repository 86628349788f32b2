"""The page that the link in a scheduled report opens: it asks once more, and a button takes the recipient off.

Opening it changes nothing, for programs open every link of a mail: the button does, a POST. Nobody has to sign in, so
it names the schedule and its owner and shows nothing of its reports.
"""

from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.generic import TemplateView

from finops_site.ui.limits import HasLimit
from programme.models import ReportSchedule
from programme.reports import schedules
from programme.reports.leaving import LeaveLink, leave_report, read_leave_link


class LeavePage(HasLimit, TemplateView):
    limit_name = "FINOPS_LINK_LIMIT"
    template_name = "programme/leave.html"

    @cached_property
    def link(self) -> LeaveLink | None:
        return read_leave_link(self.kwargs["token"])

    @cached_property
    def schedule(self) -> ReportSchedule | None:
        """The schedule of the link; None where the link is no good or the schedule is deleted."""
        if self.link is None:
            return None
        return ReportSchedule.objects.filter(pk=self.link.schedule).select_related("owner").first()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        has_left = bool(
            self.link and self.schedule and schedules.has_left(self.schedule, self.link.person(), self.link.address)
        )
        context = {"link": self.link, "schedule": self.schedule, "has_left": has_left}
        return super().get_context_data(**{**context, **kwargs})

    def render_to_response(self, context: dict[str, Any], **options: Any) -> HttpResponse:
        response = super().render_to_response(context, **{"status": 200 if self.schedule else 404, **options})
        # The address holds the token: no other site may see it (budgets/alerts/acknowledge_views.py).
        response["Referrer-Policy"] = "same-origin"
        response["Cache-Control"] = "no-store"
        return response

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        done = bool(self.link and self.schedule and leave_report(self.link, self.schedule, timezone.now()))
        return self.render_to_response(self.get_context_data(done=done))
