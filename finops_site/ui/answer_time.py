"""A question that takes too long is given up, and the answer says what to ask instead.

Only what is read is limited: a month is closed however long that takes. PostgreSQL gives up by its own
`statement_timeout`, DuckDB is interrupted (costs/query/query_backends.py).
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from django.conf import settings
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from psycopg.errors import QueryCanceled

from finops_site.lib.answer_time import TookTooLong, answer_within, extend_to, seconds_left
from finops_site.ui.unreadable_requests import refuse

logger = logging.getLogger(__name__)

SERVICE_UNAVAILABLE = 503
READS = ("GET", "HEAD")


class AnswerTimeMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        seconds = settings.FINOPS_ANSWER_SECONDS
        if not seconds or request.method not in READS:
            _limit_statements(connection, None)
            return self.get_response(request)
        with answer_within(seconds):
            _limit_statements(connection, seconds)
            return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not is_too_slow(error):
            return None
        logger.warning("%s was given up: it takes too long", request.get_full_path())
        if request.path.startswith("/api/"):
            return refuse(request, f"{reason()} {advice()}", SERVICE_UNAVAILABLE)
        context = {"reason": reason(), "advice": advice()}
        return render(request, "took_too_long.html", context, status=SERVICE_UNAVAILABLE)


def is_too_slow(error: BaseException) -> bool:
    """Whether a question was given up, by PostgreSQL or by us."""
    is_slow = isinstance(error, OperationalError) and isinstance(error.__cause__, QueryCanceled)
    return is_slow or isinstance(error, TookTooLong)


@contextmanager
def limited_to(seconds: float) -> Iterator[None]:
    """For the work of a task: what is asked inside is given up after so many seconds."""
    with answer_within(seconds):
        _limit_statements(connection, seconds)
        try:
            yield
        finally:
            _limit_statements(connection, None)


def allow(seconds: float) -> None:
    """The answer to the request at hand, a file that is long in the making, may take so many seconds from now on."""
    if seconds_left() is not None:
        extend_to(seconds)
        _limit_statements(connection, seconds)


def reason() -> str:
    return _("This question takes longer than the {seconds} seconds that a page may take, and was given up.").format(
        seconds=settings.FINOPS_ANSWER_SECONDS
    )


def advice() -> str:
    return _("Ask for fewer days, for months instead of days, for one team or service, or without resources.")


def _limit_statements(database: BaseDatabaseWrapper, seconds: float | None) -> None:
    """Sets the limit of an open connection, where it has another: one that is not open yet gets it when it opens."""
    if database.connection is None or getattr(database, "statement_seconds", None) == seconds:
        return
    # Not by a cursor of Django: that would be one more question of every page, in its count too. A connection that
    # broke meanwhile is found, and opened again, by the first question itself.
    with suppress(psycopg.Error):
        database.connection.execute(f"SET statement_timeout = {_milliseconds(seconds)}")
        database.statement_seconds = seconds  # type: ignore[attr-defined]


@receiver(connection_created)
def _limit_new_connection(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    seconds = settings.FINOPS_ANSWER_SECONDS if seconds_left() is not None else None
    connection.statement_seconds = None  # type: ignore[attr-defined]
    if seconds:
        _limit_statements(connection, seconds)


def _milliseconds(seconds: float | None) -> int:
    """0: without a limit."""
    return round(1000 * (seconds or 0))
