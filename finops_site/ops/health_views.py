"""The page Health for administrators, and the addresses that programs ask: a load balancer, a cluster, Prometheus."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.generic import TemplateView

from finops_site.lib.words import number_text
from finops_site.ops import health, metrics
from finops_site.registry import HealthState
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Page

BADGES = {
    HealthState.GOOD: (_lazy("Good"), "circle-check"),
    HealthState.WARNING: (_lazy("Look at it"), "alert-triangle"),
    HealthState.BROKEN: (_lazy("Broken"), "alert-circle"),
    HealthState.RUNNING: (_lazy("Running"), "clock"),
    HealthState.NOTHING_YET: (_lazy("Nothing yet"), "point"),
}


class HealthPage(Page, TemplateView):
    permission_required = "finops_site.view_nightlyrun"
    template_name = "health.html"
    title = _lazy("Health")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        groups = health.groups(timezone.now())
        states = [status.state for group in groups for status in group.statuses]
        broken, warnings = states.count(HealthState.BROKEN), states.count(HealthState.WARNING)
        if broken:
            subtitle = ngettext("{count} thing is broken.", "{count} things are broken.", broken).format(
                count=number_text(broken)
            )
        else:
            subtitle = (
                _("{warnings} to look at; everything works.").format(warnings=warnings)
                if warnings
                else _("Everything is well.")
            )
        shown = [(group.title, [(status, *BADGES[status.state]) for status in group.statuses]) for group in groups]
        return super().get_context_data(groups=shown, subtitle=subtitle, **kwargs)


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while pages can be served, 503 while not: without the cache and the broker they can."""
    answers = {
        "database": health.database_answers(),
        "cache": health.cache_answers(),
        "broker": health.broker_answers(),
    }
    states = {name: "ok" if works else "down" for name, works in answers.items()}
    return JsonResponse(states, status=200 if answers["database"] else 503)


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 where this host may be given requests and tasks, else 503; which part is not ready, and no word more.

    Without files most pages work, and all hosts are without them at once: that is named, and takes none away.
    """
    database = health.database_answers()
    answers = {
        "database": database,
        "migrations": database and health.is_migrated(),
        "cache": health.cache_answers(),
        "broker": health.broker_answers(),
    }
    states = {name: "ok" if works else "down" for name, works in {**answers, "files": health.files_answer()}.items()}
    return JsonResponse(states, status=200 if all(answers.values()) else 503)


@never_cache
@require_safe
def metrics_for_prometheus(request: HttpRequest) -> HttpResponse:
    """Figures without names of people; for the holder of the token, or for this machine alone where there is none."""
    if not may_read_metrics(request):
        return HttpResponse(
            "Metrics are for the holder of FINOPS_METRICS_TOKEN.\n", status=403, content_type="text/plain"
        )
    return HttpResponse(metrics.exposition(), content_type=metrics.CONTENT_TYPE)


def may_read_metrics(request: HttpRequest) -> bool:
    if settings.FINOPS_METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        return constant_time_compare(given, f"Bearer {settings.FINOPS_METRICS_TOKEN}")
    # What a proxy hands on comes from this machine too, and says so.
    is_handed_on = any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip"))
    return request.META.get("REMOTE_ADDR") in ("127.0.0.1", "::1") and not is_handed_on
