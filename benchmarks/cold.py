"""The site's WSGI door for questions that nobody asked before: what one request keeps, no other one finds.

Within a request everything is kept as always, in the same cache: a page that asks twice is answered once.
"""

import os
import uuid
from contextvars import ContextVar
from typing import Any

from django.conf import settings

from finops_site import wsgi

REQUEST = ContextVar("request", default="")


def key(name: str, prefix: str, version: int) -> str:
    """A key of Django's cache that only this request knows."""
    return f"{prefix}:{version}:{REQUEST.get()}:{name}"


def application(environ: dict[str, Any], start_response: Any) -> Any:
    REQUEST.set(uuid.uuid4().hex)
    return wsgi.application(environ, start_response)


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "finops_site.settings")
settings.CACHES["default"]["KEY_FUNCTION"] = "benchmarks.cold.key"
