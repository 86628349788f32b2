"""Faults to Sentry and traces to OpenTelemetry, by a setting, where their packages are installed; nobody else is told.

What leaves has been scrubbed as the lines of the log are (lib/log_lines.py): no forms, no cookies, no people.
"""

import importlib
import importlib.util
from typing import Any

from django.conf import settings

from finops_site.lib.log_lines import CROSSED_OUT, SECRET_NAME, request_id, scrub, task_id

PACKAGES = (("FINOPS_SENTRY_DSN", "sentry_sdk"), ("FINOPS_OTLP_ENDPOINT", "opentelemetry.sdk"))
_watched: set[str] = set()


def missing_packages() -> list[tuple[str, str]]:
    """(setting that is set, package that it needs and that is not here)."""
    return [(name, package) for name, package in PACKAGES if getattr(settings, name) and not _is_here(package)]


def watch_process() -> None:
    """Once in each process that answers requests or does tasks, after it was forked: exporters have threads."""
    missing = {name for name, _ in missing_packages()}
    for name, start in (("FINOPS_SENTRY_DSN", _start_sentry), ("FINOPS_OTLP_ENDPOINT", _start_traces)):
        if getattr(settings, name) and name not in missing and name not in _watched:
            _watched.add(name)
            start(getattr(settings, name))


def scrub_event(event: dict[str, Any], hint: object = None) -> dict[str, Any]:
    """An event of Sentry without what must not leave, with the ids that find its lines in the log."""
    for part in ("user", "server_name"):
        event.pop(part, None)
    request = event.get("request")
    if request:
        event["request"] = {"method": request.get("method", "")}
    clean: dict[str, Any] = _scrubbed(event)
    clean["tags"] = clean.get("tags", {}) | {"request_id": request_id.get(), "task_id": task_id.get()}
    return clean


def _scrubbed(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _scrubbed(part, str(key)) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(part, name) for part in value]
    if not isinstance(value, str):
        return value
    return CROSSED_OUT if SECRET_NAME.search(name) else scrub(value)


def _is_here(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def _start_sentry(dsn: str) -> None:
    sentry = importlib.import_module("sentry_sdk")
    # Values of variables are money and people.
    options = {"send_default_pii": False, "include_local_variables": False, "max_request_body_size": "never"}
    sentry.init(dsn=dsn, before_send=scrub_event, max_breadcrumbs=0, **options)


def _start_traces(endpoint: str) -> None:
    trace = importlib.import_module("opentelemetry.trace")
    sdk = importlib.import_module("opentelemetry.sdk.trace")
    export = importlib.import_module("opentelemetry.sdk.trace.export")
    otlp = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
    importlib.import_module("opentelemetry.instrumentation.django").DjangoInstrumentor().instrument()
