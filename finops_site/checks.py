"""Configuration that would fail later, said at start, each with an id."""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from finops_site.pillars import beat_schedule


@register()
def configuration(app_configs: Any, **_: Any) -> list[CheckMessage]:
    return [*_time(), *_secret(), *_address(), *_beat(), *_roles()]


def _time() -> list[CheckMessage]:
    if settings.TIME_ZONE == "UTC" and settings.USE_TZ:
        return []
    return [Error("Charges are days in UTC: TIME_ZONE must be UTC and USE_TZ on.", id="finops_site.E001")]


def _secret() -> list[CheckMessage]:
    if settings.DEBUG or settings.EMBEDDED or len(settings.SECRET_KEY) >= 50:
        return []
    return [Error("SECRET_KEY must have at least 50 characters.", id="finops_site.E002")]


def _address() -> list[CheckMessage]:
    if settings.EMBEDDED or not settings.SITE_URL.startswith(("http://127.", "http://localhost")):
        return []
    hint = "Set SITE_URL to the address people use: the links in mails are made from it."
    return [Warning(f"SITE_URL is {settings.SITE_URL}.", hint=hint, id="finops_site.W003")]


def _beat() -> list[CheckMessage]:
    return [
        Error(f"the schedule {name!r} names the task {entry['task']}, which is not there.", id="finops_site.E004")
        for name, entry in beat_schedule().items()
        if not _exists(entry["task"])
    ]


def _exists(task: str) -> bool:
    module, _, name = task.rpartition(".")
    try:
        return hasattr(import_module(module), name)
    except ImportError:
        return False


def _roles() -> list[CheckMessage]:
    from finops_site.people.roles import forbidden_to_administrators, unknown_permissions

    unknown = [
        Error(f"a role holds the permission {name}, which no model declares.", id="finops_site.E005")
        for name in unknown_permissions()
    ]
    forbidden = [
        Error(f"administrators hold the permission {name}, which is finance's.", id="finops_site.E006")
        for name in forbidden_to_administrators()
    ]
    return unknown + forbidden
