"""A person's browser: it keeps her session, sends forms as they stand on a page, and notes how long she waits.

Standard library only, so that the people cost the two cores little.
"""

import gzip
import http.client
import re
import secrets
import threading
import time
import urllib.parse
from html.parser import HTMLParser
from typing import NamedTuple

TIMEOUT_SECONDS = 60
SIGN_IN_PATH = "/accounts/login/"
# Fields that a browser sends only where they are chosen, and buttons, which are sent when they are pressed.
CHOSEN, BUTTONS = ("checkbox", "radio"), ("submit", "button", "image", "reset", "file")
LOADED_AT_ONCE = re.compile(r"<[^>]*\bhx-get=\"([^\"]+)\"[^>]*\bhx-trigger=\"load\"[^>]*>")


class Answer(NamedTuple):
    """What one step of a person took: `problem` is empty where she got what she asked for."""

    route: str
    seconds: float
    problem: str


class RunIsOver(Exception):
    """The run is over."""


class Surprise(Exception):
    """A page has not what it must have; the message says which."""


class Page(NamedTuple):
    """What was answered, and from which address in the end."""

    path: str
    status: int
    text: str

    def links(self, pattern: str) -> list[str]:
        """Addresses of links, from this page on, that `pattern` fits from their beginning to their end, each once."""
        texts = re.findall(r"href=\"([^\"]+)\"", self.text)
        addresses = (urllib.parse.urljoin(self.path, address.replace("&amp;", "&")) for address in texts)
        return list(dict.fromkeys(address for address in addresses if re.fullmatch(pattern, address)))

    def forms(self, action: str, field: str = "") -> "list[Form]":
        """Those that are posted to an address that `action` fits (empty: that of the page) and have such a field."""
        reader = _Forms()
        reader.feed(self.text)
        return [
            form for form in reader.forms if re.fullmatch(action, form.action) and (not field or field in form.names)
        ]


class Form:
    """A form of a page, filled in as it stands there."""

    def __init__(self, action: str) -> None:
        self.action = action
        self.fields: list[tuple[str, str]] = []
        self.names: set[str] = set()

    def filled(self, values: dict[str, str]) -> list[tuple[str, str]]:
        return [(name, text) for name, text in self.fields if name not in values] + list(values.items())


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.form: Form | None = None
        self.select = self.textarea = ""
        self.is_multiple = False
        self.options: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        name = values.get("name", "")
        if tag == "form":
            self.form = Form(values.get("action", ""))
            if values.get("method", "get").lower() == "post":
                self.forms.append(self.form)
        elif self.form is None:
            return
        elif tag == "input":
            self._input(name, values)
        elif tag == "select":
            self.select, self.options, self.is_multiple = name, [], "multiple" in values
        elif tag == "option" and self.select:
            self.options.append((values.get("value", ""), "selected" in values))
        elif tag == "textarea":
            self.textarea = name
            self.form.fields.append((name, ""))
            self.form.names.add(name)

    def _input(self, name: str, values: dict[str, str]) -> None:
        assert self.form is not None
        kind = values.get("type", "text")
        self.form.names.add(name)
        if name and kind not in BUTTONS and (kind not in CHOSEN or "checked" in values):
            self.form.fields.append((name, values.get("value", "on" if kind in CHOSEN else "")))

    def handle_data(self, data: str) -> None:
        if self.textarea and self.form is not None:
            # The first line break after the tag is none of the text.
            self.form.fields[-1] = (self.textarea, self.form.fields[-1][1] + data.removeprefix("\n"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.textarea = ""
        elif tag == "select" and self.select and self.form is not None:
            chosen = [option for option in self.options if option[1]]
            # Where nothing is chosen a browser shows the first, but in a list of many.
            chosen = chosen or ([] if self.is_multiple else self.options[:1])
            self.form.fields += [(self.select, value) for value, _ in chosen]
            self.form.names.add(self.select)
            self.select = ""
        elif tag == "form":
            self.form = None


class Browser:
    """Asks the site at a port; every step is kept in `answers`, and none is asked for once `stop` is set."""

    def __init__(self, port: int, stop: threading.Event, answers: list[Answer]) -> None:
        self.port, self.stop, self.answers = port, stop, answers
        self.cookies: dict[str, str] = {}

    def get(self, route: str, path: str, **headers: str) -> Page:
        """Opens a page, and what it loads by itself once it is there; those parts are routes of their own."""
        page = self._step(route, "GET", path, b"", headers)
        for address in LOADED_AT_ONCE.findall(page.text):
            path = address.replace("&amp;", "&")
            self._step(f"{route}, a part of it", "GET", path, b"", {"HX-Request": "true"})
        return page

    def api(self, route: str, path: str, token: str) -> str:
        """A program's question."""
        return self._step(route, "GET", path, b"", {"Authorization": f"Token {token}"}).text

    def send(self, route: str, page: Page, form: Form, file: tuple[str, bytes] | None = None, **values: str) -> Page:
        """Sends a form of `page`; the time is until the page that it leads to is there."""
        fields = form.filled(values)
        body, kind = _multipart(fields, file) if file else (urllib.parse.urlencode(fields).encode(), FORM)
        headers = {"Content-Type": kind, "Referer": f"http://127.0.0.1:{self.port}{page.path}"}
        return self._step(route, "POST", form.action or page.path, body, headers)

    def _step(self, route: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> Page:
        if self.stop.is_set():
            raise RunIsOver
        started = time.perf_counter()
        try:
            page = self._follow(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            page = Page(path, 0, "")
            problem = f"{type(error).__name__}: {error}"
        else:
            problem = f"{page.status}" if page.status >= 400 else ""
            if page.path.startswith(SIGN_IN_PATH) and not path.startswith(SIGN_IN_PATH):
                problem = "asked to sign in"
        problem = problem and f"{method} {path}: {problem}"
        self.answers.append(Answer(route, time.perf_counter() - started, problem))
        if problem:
            raise Surprise(problem)
        return page

    def _follow(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Page:
        """The answer, wherever the site leads to; as browsers do, a form leads to a page that is read."""
        for _ in range(5):
            page, location = self._ask(method, path, body, headers)
            if not location:
                return page
            parts = urllib.parse.urlsplit(urllib.parse.urljoin(path, location))
            path = parts._replace(scheme="", netloc="", fragment="").geturl()
            method, body, headers = "GET", b"", {}
        raise Surprise(f"{path} leads in circles")

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[Page, str]:
        sent = {"Accept-Encoding": "gzip", "Accept": "text/html,*/*", **headers}
        if self.cookies and "Authorization" not in headers:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, path, body or None, sent)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name.strip()] = value
        if answer.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        location = answer.headers.get("Location") or "" if answer.status in (301, 302, 303) else ""
        return Page(path, answer.status, content.decode(errors="replace")), location


FORM = "application/x-www-form-urlencoded"


def _multipart(fields: list[tuple[str, str]], file: tuple[str, bytes]) -> tuple[bytes, str]:
    """A form with a file in its field `files`, and its content type."""
    edge = secrets.token_hex(16)
    parts = [
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode() for name, text in fields
    ]
    head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{file[0]}"\r\n\r\n'
    body = b"".join([*parts, head.encode(), file[1], f"\r\n--{edge}--\r\n".encode()])
    return body, f"multipart/form-data; boundary={edge}"
