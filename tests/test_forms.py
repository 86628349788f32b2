"""Every form of every page, sent twice and with each of its fields missing: refused perhaps, and no error of ours.

The pages are those of the table of tests/test_access.py. A form that stands on several pages is sent from the first.
"""

import re
from html.parser import HTMLParser

import pytest
from django.core.cache import cache
from django.db import transaction
from django.urls import reverse

from tests.test_access import ACCESS, OTHERS, QUERIES, a_line, arguments  # noqa: F401 (a_line is a fixture)

pytestmark = pytest.mark.django_db
READERS = ("fay", "lea", "ada", "eli")
PAGES = {
    name: reader
    for name, statuses in sorted(ACCESS.items())
    if not name.startswith(("api", *OTHERS)) and statuses["nobody"] == 302
    for reader in [next((who for who in READERS if statuses[who] == 200), "")]
    if reader
}
# More fields than these are missed all at once only, and in the tests of their pages.
MOST_FIELDS = 16
SENT: set[tuple[str, tuple[str, ...]]] = set()


class Forms(HTMLParser):
    """The forms of a page that are sent by POST: where to, and the fields as a browser would send them untouched."""

    def __init__(self, html):
        super().__init__()
        self.forms, self.form, self.choice, self.text = [], None, None, None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        name = attrs.get("name")
        if tag == "form":
            self.form = (attrs.get("action", ""), {}) if attrs.get("method", "").lower() == "post" else None
            self.forms += [self.form] if self.form else []
        elif self.form and tag in ("input", "button") and name:
            kind = attrs.get("type", "text")
            ticked = kind not in ("checkbox", "radio") or "checked" in attrs
            if kind != "file":
                # Of several buttons and boxes the first is pressed, or one that is ticked.
                values = self.form[1].setdefault(name, [])
                values += [attrs.get("value", "on")] if not values or (ticked and kind == "checkbox") else []
        elif self.form and tag == "select" and name:
            self.choice = self.form[1].setdefault(name, [])
        elif self.choice is not None and tag == "option" and ("selected" in attrs or not self.choice):
            self.choice[:] = [attrs.get("value", "")]
        elif self.form and tag == "textarea" and name:
            self.text = self.form[1].setdefault(name, [""])

    def handle_data(self, data):
        if self.text is not None:
            self.text[0] += data

    def handle_endtag(self, tag):
        if tag == "form":
            self.form = None
        elif tag == "select":
            self.choice = None
        elif tag == "textarea":
            self.text = None


def variants(fields):
    """What is sent of a form: everything, nothing, and everything but each of its fields."""
    names = [name for name in fields if name != "csrfmiddlewaretoken"]
    token = {"csrfmiddlewaretoken": fields.get("csrfmiddlewaretoken", "")}
    yield "as it is", fields
    yield "empty", token
    if len(names) <= MOST_FIELDS:
        for missing in names:
            yield f"without {missing}", {name: values for name, values in fields.items() if name != missing}


@pytest.mark.parametrize("name", PAGES)
def test_no_form_of_a_page_fails_whatever_it_lacks(name, a_line, people, client_of):  # noqa: F811
    cache.clear()
    client = client_of(people[PAGES[name]])
    client.raise_request_exception = False
    url = reverse(name, args=arguments(name, a_line)) + QUERIES.get(name, "")
    answer = client.get(url)
    page = answer.content.decode() if answer.get("Content-Type", "").startswith("text/html") else ""
    failed = []
    for action, fields in Forms(page.partition("<main")[2].partition("</main>")[0]).forms:
        key = (re.sub(r"\d+", "N", action or url), tuple(sorted(fields)))
        if key in SENT or action.startswith("/accounts/"):
            continue
        SENT.add(key)
        for label, sent in variants(fields):
            with transaction.atomic():
                statuses = [
                    client.post(action or url, sent).status_code for _ in range(2 if label == "as it is" else 1)
                ]
                transaction.set_rollback(True)
            failed += [f"{action or url} {label}"] * (max(statuses) >= 500)
    assert failed == []


@pytest.mark.parametrize("button", ["", "suggest", "preview"])
def test_a_budget_that_is_proposed_without_its_first_day_is_no_error(button, a_line, people, client_of):  # noqa: F811
    client, url = client_of(people["lea"]), reverse("budgets:propose")
    ((_, fields),) = Forms(client.get(url).content.decode().partition("<main")[2].partition("</main>")[0]).forms
    typed = {**fields, "name": "Payments", "team": a_line.owner_id, "currency": "USD", "amount": "100"}
    for name in ("suggest", "preview"):
        typed.pop(name, None)
    for start in (None, "", "soon"):
        sent = {**typed, "start": start} if start is not None else {key: typed[key] for key in typed if key != "start"}
        assert client.post(url, {**sent, **({button: "1"} if button else {})}).status_code in (200, 302)
