"""In whose language a text is written, and in whose time zone its times of day: of whoever reads it.

A page speaks the language that its reader chose, else the one her browser asks for, else the company's; a mail its
recipient's, else the company's; the work of the night, and documents that are the same for everybody, the company's.
Programs are answered in English: the API, and files for spreadsheets (`in_english`).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, tzinfo
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import DatabaseError
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.functional import Promise
from django.utils.translation.trans_real import get_supported_language_variant, parse_accept_lang_header

from finops_site.lib.language import ENGLISH, in_zone
from finops_site.models import Company, User
from finops_site.people.company import company_language, language_of, load_company

T = TypeVar("T")
# Who reads here are programs.
IN_ENGLISH = ("/api/", "/scim/", "/healthz", "/readyz", "/metrics", "/static/")
# Whose language it is at this moment, so that what writes to her inside of it does not ask again.
_reader: ContextVar[str] = ContextVar("address of the reader", default="")


def zone_of(user: User | None, company: Company | None = None) -> tzinfo:
    """The time zone of a person: her own, else the company's, else UTC."""
    name = (user and user.time_zone) or (company or load_company(user)).time_zone
    return ZoneInfo(name) if name else UTC


@contextmanager
def reading(language: str, zone: tzinfo) -> Iterator[None]:
    """Texts are written in this language, and times of day in this zone, meanwhile."""
    with translation.override(language), in_zone(zone):
        yield


def in_english(rows: Iterable[Iterable[Any]]) -> Iterator[list[Any]]:
    """`rows`, each made in English: files that formulas and scripts read do not change with who takes them.

    What is written only when it is read, as names of states are, is written here: later it would be the reader's.
    """
    return _each_in(([str(cell) if isinstance(cell, Promise) else cell for cell in row] for row in rows), ENGLISH, UTC)


def _each_in(rows: Iterable[T], language: str, zone: tzinfo) -> Iterator[T]:
    steps = iter(rows)
    while True:
        with reading(language, zone):
            try:
                row = next(steps)
            except StopIteration:
                return
        yield row


@contextmanager
def in_company_language() -> Iterator[None]:
    """The company's language and zone meanwhile; English where the database cannot be asked."""
    try:
        company = load_company()
    except DatabaseError:
        company = Company()
    with reading(language_of(company), zone_of(None, company)):
        yield


@contextmanager
def in_language_of(reader: User | str) -> Iterator[None]:
    """The language and zone of who reads a mail meanwhile: a person, or an address, whose person may have a login.

    What she did not choose is the company's: nobody knows her browser here.
    """
    address = (reader if isinstance(reader, str) else reader.email).lower()
    if address and address == _reader.get():
        yield
        return
    user = User.objects.filter(email__iexact=address).first() if isinstance(reader, str) else reader
    company = load_company()
    token = _reader.set(address)
    try:
        with reading((user and user.language) or language_of(company), zone_of(user, company)):
            yield
    finally:
        _reader.reset(token)


def language_of_browser(request: HttpRequest) -> str:
    """The first language that the browser asks for and we speak; empty for none."""
    for code, _quality in parse_accept_lang_header(request.headers.get("Accept-Language", "")):
        try:
            return get_supported_language_variant(code)
        except LookupError:
            continue
    return ""


def language_of_page(request: HttpRequest, user: User | None) -> str:
    """What she chose, else what her browser asks for, else the company's."""
    return getattr(user, "language", "") or language_of_browser(request) or company_language(user)


class ReaderLanguageMiddleware:
    """Every page in the language and the zone of whoever asks for it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(IN_ENGLISH):
            with reading(ENGLISH, UTC):
                return self.get_response(request)
        # Who has no session is nobody: asking would say that the answer hangs on one.
        has_session = settings.SESSION_COOKIE_NAME in request.COOKIES
        user = request.user if has_session and request.user.is_authenticated else None
        language = language_of_page(request, user)
        zone = zone_of(user) if user else UTC
        with reading(language, zone):
            response = self.get_response(request)
        # What is streamed is made after this.
        if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
            response.streaming_content = _each_in(cast(Iterable[bytes], response.streaming_content), language, zone)
        if isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Language", language)
        patch_vary_headers(response, ["Accept-Language"])
        return response
