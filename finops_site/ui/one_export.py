"""Files that are long in the making: one at a time a person, and few at once in a process.

Each holds a thread of the web server, so that somebody who asks for many would leave none for the others. Who asks for
a second one is told to ask again in some seconds (429). Where the cache is away, the limit of the process alone holds.

A file with more than FINOPS_EXPORT_ROWS rows is none to wait for: a job makes it (finops_site/exports).
"""

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _

from finops_site.lib.file_rows import expect_rows, is_counted
from finops_site.lib.person import Person
from finops_site.ui.answer_time import allow
from finops_site.ui.unreadable_requests import refuse

logger = logging.getLogger(__name__)

# One that hangs, or whose process was ended, is no longer counted.
LONGEST_SECONDS = 180
ASK_AGAIN_SECONDS = 5
# Who clicks twice waits for the first of the two, which ends soon though nobody reads it; one waits in a process.
PATIENCE_SECONDS, LOOK_SECONDS = 3.0, 0.1
# Of the four threads of a web process.
MOST_AT_ONCE = 2
_PROCESS = uuid.uuid4().hex
# {thread: until when its export counts}.
_running: dict[int, float] = {}
_running_lock = threading.Lock()
_waiting = threading.Semaphore(1)


class ExportRuns(Exception):
    """Another file is being made; the message says whose, and what to do."""


class LargeExport(Exception):
    """A file has more rows than are made while somebody waits for them."""


class _Export:
    """The file that a request may ask for: begun once, however many parts of the code begin it."""

    def __init__(self, request: HttpRequest) -> None:
        self.request, self.key, self.holder, self.thread = request, "", "", 0

    def begin(self, person: Person | None) -> None:
        """Raises ExportRuns while she, or too many others, are getting one."""
        person = person or getattr(self.request, "user", None)
        if self.holder or person is None or not person.is_authenticated:
            return
        thread = threading.get_ident()
        holder = f"{_PROCESS}:{os.getpid()}:{thread}"
        key = f"export:{person.pk}"
        if not _take(key, holder) and not _take_later(key, holder):
            raise ExportRuns(_("Your last export is still being made: one at a time. Ask again in a few seconds."))
        if not _take_place(thread):
            _give_back(key, holder)
            raise ExportRuns(_("Exports of others are being made just now. Ask again in a few seconds."))
        self.key, self.holder, self.thread = key, holder, thread
        # What a job can go on with is given up as a page is.
        if not may_be_a_job(self.request):
            allow(LONGEST_SECONDS)

    def end(self) -> None:
        if self.holder:
            with _running_lock:
                _running.pop(self.thread, None)
            _give_back(self.key, self.holder)
            self.holder = ""


_export: ContextVar[_Export | None] = ContextVar("export", default=None)


def begin_export(person: Person | None = None) -> None:
    """Called before a file is made; raises ExportRuns. Outside of a request, in a task or a command, nothing waits.

    `person`: who asks, where only the API knows it.
    """
    if export := _export.get():
        export.begin(person)


def may_be_a_job(request: HttpRequest) -> bool:
    """Whether a file of this request can be made by a job as well: what a page offers, not an answer of the API."""
    is_file = bool(request.GET.get("_export")) or request.path.endswith("/pdf/")
    return request.method == "GET" and is_file and not request.path.startswith("/api/")


def check_size(rows: QuerySet | Sequence[Any]) -> None:
    """Raises LargeExport where these are too many to wait for; a job that makes the file learns how many they are."""
    if is_counted():
        # And the header.
        expect_rows(1 + (rows.order_by().count() if isinstance(rows, QuerySet) else len(rows)))
    elif _is_waited_for():
        most = settings.FINOPS_EXPORT_ROWS
        count = rows.order_by()[: most + 1].count() if isinstance(rows, QuerySet) else len(rows)
        if count > most:
            raise LargeExport


def few_enough(rows: Iterable[Any]) -> Iterable[Any]:
    """The same rows, where nobody could say beforehand how many they are; raises LargeExport for too many."""
    if not _is_waited_for():
        return rows
    # The header is none of them.
    first = list(islice(rows, settings.FINOPS_EXPORT_ROWS + 2))
    if len(first) > settings.FINOPS_EXPORT_ROWS + 1:
        raise LargeExport
    return first


def _is_waited_for() -> bool:
    """Whether somebody waits for this file for whom a job could make it."""
    export = _export.get()
    return bool(settings.FINOPS_EXPORT_ROWS and export and may_be_a_job(export.request))


class OneExportMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        export = _Export(request)
        token = _export.set(export)
        response = None
        try:
            response = self.get_response(request)
            return response
        finally:
            _export.reset(token)
            if response is not None and response.streaming:
                # Its rows are read while it is sent.
                response._resource_closers.append(export.end)  # type: ignore[attr-defined]
            else:
                export.end()

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """A page that is asked for as a file: before anything is computed."""
        if not request.GET.get("_export"):
            return None
        try:
            begin_export()
        except ExportRuns as runs:
            return refused_export(request, runs)
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return refused_export(request, error) if isinstance(error, ExportRuns) else None


def refused_export(request: HttpRequest, runs: ExportRuns) -> HttpResponse:
    """429 with the reason, and when to ask again: as a page, or as JSON for a program."""
    if request.path.startswith("/api/"):
        response = refuse(request, str(runs), 429)
    else:
        response = render(
            request, "export_runs.html", {"reason": str(runs), "url": request.get_full_path()}, status=429
        )
    response["Retry-After"] = str(ASK_AGAIN_SECONDS)
    return response


def _take(key: str, holder: str) -> bool:
    """Whether nobody else holds it; what this very thread held before is over, for it does one thing at a time."""
    try:
        if cache.add(key, holder, LONGEST_SECONDS):
            return True
        if cache.get(key) != holder:
            return False
        cache.set(key, holder, LONGEST_SECONDS)
    except Exception:
        logger.warning("the cache is away: exports of one person are not counted", exc_info=True)
    return True


def _take_later(key: str, holder: str) -> bool:
    """Whether it was given back within the patience; False at once where somebody waits already."""
    if not _waiting.acquire(blocking=False):
        return False
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
            if _take(key, holder):
                return True
        return False
    finally:
        _waiting.release()


def _give_back(key: str, holder: str) -> None:
    try:
        if cache.get(key) == holder:
            cache.delete(key)
    except Exception:
        logger.warning("the cache is away: exports of one person are not counted", exc_info=True)


def _take_place(thread: int) -> bool:
    """Whether there is a place for one more in this process."""
    now = time.monotonic()
    with _running_lock:
        others = [other for other, until in _running.items() if until > now and other != thread]
        if len(others) >= MOST_AT_ONCE:
            return False
        _running[thread] = now + LONGEST_SECONDS
        return True
