"""The page Health for administrators, and the address a load balancer asks."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.generic import TemplateView

from finops_site.ops import health
from finops_site.ui.pages import Page

BADGES = {
    "good": ("Good", "circle-check"),
    "warn": ("Look at it", "alert-triangle"),
    "bad": ("Broken", "alert-circle"),
    "busy": ("At work", "clock"),
    "calm": ("Nothing yet", "point"),
}


class HealthPage(Page, TemplateView):
    permission_required = "finops_site.view_nightlyrun"
    template_name = "health.html"
    title = "Health"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = health.groups(timezone.now())
        shown = [(group.title, [(light, *BADGES[light.state]) for light in group.lights]) for group in found]
        lights = [light for group in found for light in group.lights]
        worst = sum(light.state == "bad" for light in lights), sum(light.state == "warn" for light in lights)
        return super().get_context_data(groups=shown, subtitle=_in_words(*worst), **kwargs)


def _in_words(broken: int, doubtful: int) -> str:
    if broken:
        return f"{broken} {'thing is' if broken == 1 else 'things are'} broken."
    return f"{doubtful} to look at; everything works." if doubtful else "Everything is well."


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while pages can be served, 503 while not. Without the cache and the broker pages are served, so they are told
    and decide nothing."""
    answers = {
        "database": health.database_answers(),
        "cache": health.cache_answers(),
        "broker": health.broker_answers(),
    }
    words = {name: "ok" if well else "down" for name, well in answers.items()}
    return JsonResponse(words, status=200 if answers["database"] else 503)
