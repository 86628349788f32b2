"""A task carries the id of the request that queued it, and its own id stands in every line that it writes.

Connected by the site's AppConfig, in every process: those that queue and those that work.
"""

import logging.config
import time
from contextvars import Token
from typing import Any

from celery import signals
from django.conf import settings

from finops_site.lib import log_lines
from finops_site.ops import metrics

REQUEST_ID = "finops_request_id"
_running: dict[str, tuple[float, list[Token[str]]]] = {}


def connect() -> None:
    """Listens to what Celery says of its tasks; in JSON its own lines are written as all others are."""
    signals.before_task_publish.connect(name_request, dispatch_uid="finops.task_log.publish")
    signals.task_prerun.connect(begin, dispatch_uid="finops.task_log.begin")
    signals.task_postrun.connect(end, dispatch_uid="finops.task_log.end")
    if settings.FINOPS_LOG_FORMAT == "json":
        signals.setup_logging.connect(use_our_logging, dispatch_uid="finops.task_log.logging")


def name_request(headers: dict[str, Any] | None = None, **_: Any) -> None:
    if headers is not None:
        headers[metrics.QUEUED_AT] = time.time()
        headers[REQUEST_ID] = log_lines.request_id.get() or log_lines.new_request_id()


def begin(task_id: str, task: Any, **_: Any) -> None:
    given = getattr(task.request, REQUEST_ID, None) or (task.request.headers or {}).get(REQUEST_ID) or ""
    tokens = [
        log_lines.request_id.set(str(given) or log_lines.request_id.get()),
        log_lines.task_id.set(task_id),
        log_lines.task_name.set(task.name),
    ]
    _running[task_id] = (time.monotonic(), tokens)


def end(task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
    began, tokens = _running.pop(task_id, (time.monotonic(), []))
    for variable, token in zip((log_lines.request_id, log_lines.task_id, log_lines.task_name), tokens, strict=False):
        variable.reset(token)
    # One that runs within another's process (tests, `apply`) is none that a queue had.
    if not task.request.is_eager:
        metrics.note_task(task.name, (state or "unknown").lower(), time.monotonic() - began)


def use_our_logging(**_: Any) -> None:
    logging.config.dictConfig(settings.LOGGING)
