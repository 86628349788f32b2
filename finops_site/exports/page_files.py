"""The file that an address of a page gives, made with the rights of whoever asked, as if she had waited for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.urls import Resolver404, ResolverMatch, resolve
from django.utils.translation import gettext as _

from finops_site.audit.middleware import file_name, is_file
from finops_site.lib.addresses import BadFilter
from finops_site.models import User
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.one_export import may_be_a_job
from finops_site.ui.page_requests import request_for
from finops_site.ui.pages import Page

LONGEST_ADDRESS = 8_000
NOT_THERE = _lazy("Its page is not there any more, or is not yours to open.")
NO_FILE = _lazy("That is no file of a page of this site: its address is like /costs/lines/?_export=csv.")


class NoFile(Exception):
    """Why an address gives her no file, in a sentence."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file that is being made: its rows are read while it is written."""

    name: str
    content_type: str
    chunks: Iterator[bytes]


def page_of(address: str) -> type[Page]:
    """The page that makes the file. Raises NoFile."""
    return _find(address)[0]


def check_address(user: User, address: str) -> str:
    """What the file of an address is called for people; asked before it is queued. Raises NoFile."""
    kind, match, path, query = _find(address)
    if not kind.opens_for(user):
        raise NoFile(str(NOT_THERE))
    request = request_for(user, path, query)
    if not may_be_a_job(request):
        raise NoFile(str(NO_FILE))
    page = cast(Any, kind(**getattr(match.func, "view_initkwargs", {})))
    page.setup(request, *match.args, **match.kwargs)
    try:
        page.check_address()
    except BadFilter as error:
        raise NoFile(str(error)) from None
    except Http404:
        raise NoFile(str(NOT_THERE)) from None
    return str(kind.title) or path


def open_file(user: User, address: str) -> PageFile:
    """The file, ready to be read. Raises NoFile with the page's own reason where it gives none."""
    _kind, match, path, query = _find(address)
    request = request_for(user, path, query)
    request.resolver_match = match
    request.session = cast(Any, {})
    try:
        response = match.func(request, *match.args, **match.kwargs)
    except (PermissionDenied, Http404):
        raise NoFile(str(NOT_THERE)) from None
    if not is_file(response):
        reason = response.content.decode()[:1000] if _is_text(response) else ""
        raise NoFile(reason or str(NOT_THERE))
    chunks = iter(response) if isinstance(response, StreamingHttpResponse) else iter([response.content])
    return PageFile(file_name(response), response["Content-Type"], cast(Iterator[bytes], chunks))


def _is_text(response: Any) -> bool:
    return isinstance(response, HttpResponse) and response.get("Content-Type", "").startswith("text/plain")


def _find(address: str) -> tuple[type[Page], ResolverMatch, str, str]:
    """The page, how it is reached, its path and its query."""
    is_odd = any(character == "\\" or ord(character) < 33 for character in address)
    if len(address) > LONGEST_ADDRESS or is_odd or not address.startswith("/") or address.startswith("//"):
        raise NoFile(str(NO_FILE))
    try:
        parts = urlsplit(address)
        match = resolve(parts.path)
    except (ValueError, Resolver404):
        raise NoFile(str(NO_FILE)) from None
    kind = getattr(match.func, "view_class", None)
    if not kind or not issubclass(kind, Page):
        raise NoFile(str(NO_FILE))
    return kind, match, parts.path, parts.query


def words_of_address(address: str) -> str:
    """The kind of the file, for a list: ``CSV``, ``XLSX``, ``PDF``."""
    request = request_for(cast(User, None), *address.partition("?")[::2])
    return (request.GET.get("_export") or _("PDF")).upper()
