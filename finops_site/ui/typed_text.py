"""What somebody typed into a form is not lost where her session had ended, or she had signed in anew meanwhile.

The text of a form that is refused for that waits in the browser's session until the same person has signed in, and then
stands in its form again; nothing is sent by itself. Another person never sees it. Who a form was drawn for is known by
the secret of its CSRF token, which is new with every sign-in: a signed cookie holds whose the last secrets were.
Passwords, keys and files are not held.
"""

import hashlib
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django import forms
from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse, QueryDict
from django.middleware.csrf import _unmask_cipher_token  # type: ignore[attr-defined]
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

from finops_site.ui.message_cookies import host_cookie

COOKIE, SALT = host_cookie("forms_of"), "finops_site.ui.typed_text"
PLACE = "typed_text"
COOKIE_SECONDS, MOST_SECRETS = 30 * 24 * 3600, 8
HOLDS_FOR_SECONDS = 24 * 3600
MOST_CHARACTERS = 500_000
# A webhook's address is its key. What is drawn as a password or a file is left out whatever it is called.
SECRET = re.compile(r"pass|secret|token|credential|private|(access|api|account|shared)_?key|otp|^url$", re.IGNORECASE)
# Forms of other packages, and of passwords.
NEVER = ("/accounts/", "/admin/", "/welcome/", "/token/", "/api/")


class TypedTextMiddleware:
    """Notes whose forms a page holds, and holds what is typed into one that was sent without a session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.method == "POST":
            _after_post(request, response)
        if response.get("Content-Type", "").startswith("text/html") or request.method == "POST":
            _note_person(request, response)
        return response


def hold_refused(request: HttpRequest) -> str:
    """Holds the text of a form from before the last sign-in; returns where it stands again, if it is the same person's.

    Empty where it could not be held, or another person is signed in.
    """
    by, user = _drawn_for(request), request.user
    if by is None or (user.is_authenticated and user.pk != by) or not _hold(request, by):
        return ""
    page = str(request.session[PLACE]["page"])
    return page if user.is_authenticated else f"{_sign_in()}?{urlencode({'next': page})}"


def typed_here(request: HttpRequest) -> dict[str, Any] | None:
    """What the person typed into a form of this page and could not send: {action, fields, at}; None where nothing."""
    waiting = request.session.get(PLACE) if hasattr(request, "session") else None
    if not waiting or request.method != "GET" or not request.user.is_authenticated:
        return None
    is_hers = waiting["by"] == request.user.pk and time.time() - waiting["at"] < HOLDS_FOR_SECONDS
    return waiting if is_hers and waiting["page"].partition("?")[0] == request.path else None


def fill(request: HttpRequest, form: forms.BaseForm) -> None:
    """Puts what waits for this page into a form that is shown for the first time."""
    waiting = typed_here(request)
    if waiting is None or form.is_bound or waiting["action"] != request.path:
        return
    data = QueryDict(mutable=True)
    for name, value in waiting["fields"]:
        data.appendlist(name, value)
    for name, field in form.fields.items():
        key = form.add_prefix(name)
        if not _is_secret(key, field) and not field.widget.value_omitted_from_data(data, {}, key):
            form.initial[name] = field.widget.value_from_datadict(data, {}, key)


def discard(request: HttpRequest) -> None:
    request.session.pop(PLACE, None)


def _after_post(request: HttpRequest, response: HttpResponse) -> None:
    """Holds the text of a form that is sent to sign-in; what was sent by its person waits no longer."""
    if header := _sign_in_header(response):
        by = _drawn_for(request)
        if by is not None and _hold(request, by):
            page = request.session[PLACE]["page"]
            # The page with the form: the address that takes it may be none that can be opened.
            parts = urlsplit(response[header])
            response[header] = urlunsplit(
                parts._replace(query=urlencode({**dict(parse_qsl(parts.query)), "next": page}))
            )
    elif response.status_code != 403 and request.user.is_authenticated:
        waiting = request.session.get(PLACE)
        if waiting and (waiting["action"] == request.path or waiting["by"] != request.user.pk):
            discard(request)


def _sign_in_header(response: HttpResponse) -> str:
    """The header by which an answer leads to sign-in; empty where it does not."""
    for header in ("HX-Redirect", "Location"):
        if urlsplit(response.get(header, "")).path == _sign_in():
            return header
    return ""


def _sign_in() -> str:
    return resolve_url(settings.LOGIN_URL)


def _hold(request: HttpRequest, by: int) -> bool:
    """Holds the text of the form in the session; False where there is none, or too much."""
    if request.path.startswith(NEVER):
        return False
    fields = [
        (name, value)
        for name, values in request.POST.lists()
        for value in values
        if name != "csrfmiddlewaretoken" and isinstance(value, str) and not _is_secret(name, _field_of(request, name))
    ]
    if not fields or sum(len(name) + len(value) for name, value in fields) > MOST_CHARACTERS:
        return False
    request.session[PLACE] = {
        "by": by,
        "action": request.path,
        "page": page_of(request),
        "fields": fields,
        "at": int(time.time()),
    }
    return True


def _field_of(request: HttpRequest, name: str) -> forms.Field | None:
    """The field of that name of the form that the address takes, as far as it is known."""
    match = request.resolver_match
    form_class = getattr(getattr(match and match.func, "view_class", None), "form_class", None)
    return getattr(form_class, "base_fields", {}).get(name)


def _is_secret(name: str, field: forms.Field | None) -> bool:
    drawn = field is not None and isinstance(field.widget, forms.PasswordInput | forms.FileInput)
    return drawn or SECRET.search(name) is not None


def page_of(request: HttpRequest) -> str:
    """The page that the form stood on, in this site; the address it was sent to where that is not known."""
    url = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    parts = urlsplit(url)
    if parts.path and url_has_allowed_host_and_scheme(url, {request.get_host()}) and not parts.path.startswith(NEVER):
        return urlunsplit(("", "", parts.path, parts.query, ""))
    return request.get_full_path()


def _note_person(request: HttpRequest, response: HttpResponse) -> None:
    """Writes down whose forms are drawn with the CSRF secret of this browser, and drops what somebody else typed."""
    secret = request.META.get("CSRF_COOKIE")
    if not secret or not request.user.is_authenticated:
        return
    waiting = request.session.get(PLACE)
    if waiting and waiting["by"] != request.user.pk:
        discard(request)
    people, mark = _people(request), _mark(secret)
    if people.get(mark) == request.user.pk:
        return
    people = {**{key: pk for key, pk in people.items() if key != mark}, mark: request.user.pk}
    newest = dict(list(people.items())[-MOST_SECRETS:])
    response.set_cookie(
        COOKIE,
        signing.dumps(newest, salt=SALT),
        max_age=COOKIE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _people(request: HttpRequest) -> dict[str, int]:
    """{mark of a CSRF secret: whose forms were drawn with it}, the newest last."""
    try:
        people = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=COOKIE_SECONDS)
    except signing.BadSignature:
        return {}
    return people if isinstance(people, dict) else {}


def _drawn_for(request: HttpRequest) -> int | None:
    """Who was signed in when the form was drawn that this request sends; None where that is not known."""
    token = request.POST.get("csrfmiddlewaretoken") or request.headers.get("X-CSRFToken") or ""
    secret = _unmask_cipher_token(token) if re.fullmatch("[A-Za-z0-9]{64}", token) else token
    return _people(request).get(_mark(secret or request.META.get("CSRF_COOKIE") or ""))


def _mark(secret: str) -> str:
    return hashlib.sha256(f"{SALT} {secret}".encode()).hexdigest()[:16]
