"""Hostile addresses and forms at every page, by each of the six people and by nobody: no answer is an error of ours.

The pages are those of the table of tests/test_access.py, the forms those that the pages show.
"""

import inspect
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.urls import resolve, reverse

from tests.hostile.sending import FILES, LONG, TEXTS, Attack, chance, encoded, mutated
from tests.test_access import ACCESS, NAMES, QUERIES, a_line, arguments  # noqa: F401 (a_line is a fixture)
from tests.test_forms import Forms

pytestmark = pytest.mark.django_db

# The API has tests/test_schema.py, SCIM tests/hostile/test_other_doors.py.
PAGES = [name for name in sorted(ACCESS) if not name.startswith(("api:", "scim:"))]
ADDRESSES, SENDINGS = 2, 3


def view_of(url):
    callback = resolve(url.partition("?")[0]).func
    return getattr(callback, "view_class", None)


def names_of(answer, view):
    """The names that may stand in the address of a page."""
    page = (getattr(answer, "context_data", None) or {}).get("view")
    names = page.known_names() if hasattr(page, "known_names") else list(getattr(view, "parameters", ()))
    return [*names, "page", "tag:Team", "nobody"] if names else ["page", "month", "next"]


def filled(fields):
    """The fields of a form with something in those that were empty, so that more than what is missing is looked at."""
    usual = {"amount": "10", "start": "2026-03-01", "end": "2026-04-01", "currency": "USD", "month": "2026-03"}
    return {name: values if any(values) else [usual.get(name, "10")] for name, values in fields.items()}


def forms_of(answer, url, view):
    """(where to, fields) of what can be sent to a page: the forms it shows, or what its code reads."""
    kind, html = answer.get("Content-Type", ""), b""
    if answer.status_code == 200 and kind.startswith("text/html"):
        html = answer.content
    shown = Forms(html.decode().partition("<main")[2].partition("</main>")[0]).forms
    own = [(action or url, fields) for action, fields in shown if not action.startswith("/accounts/")]
    if own or not hasattr(view, "post"):
        return own
    read = re.findall(r"POST(?:\.get|\.getlist)?[(\[]\s*\"(\w+)\"", inspect.getsource(inspect.getmodule(view)))
    form_class = getattr(view, "form_class", None)
    return [(url, {name: [""] for name in [*read, *getattr(form_class, "base_fields", ())]})]


def file_fields(answer):
    return re.findall(
        rb"<input[^>]*type=\"file\"[^>]*name=\"(\w+)\"|<input[^>]*name=\"(\w+)\"[^>]*type=\"file\"", answer.content
    )


def attack_page(attack, url, who, dice, statuses_allow):
    view = view_of(url)
    answer = attack.send("GET", url)
    names = names_of(answer, view)
    times = LONG or (ADDRESSES if statuses_allow else 1)
    for _ in range(times if statuses_allow else max(1, times // 10)):
        pairs = [(dice.choice(names), dice.choice(TEXTS)) for _ in range(dice.randint(1, 2))]
        extra = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "list"} if dice.random() < 0.2 else {}
        attack.send("GET", f"{url}{'&' if '?' in url else '?'}{encoded(pairs)}", **extra)
    for number in range(times if statuses_allow else max(1, times // 10)):
        forms = forms_of(answer, url, view)
        if not forms:
            break
        action, fields = forms[number % len(forms)]
        attack.send("POST", action, encoded(mutated(filled(fields), dice)))
    return answer


def attack_with_files(attack, answer, url, dice):
    names = [one or two for one, two in file_fields(answer)]
    forms = forms_of(answer, url, view_of(url))
    for name, content in FILES if LONG else dice.sample(FILES, 3):
        fields = (
            {key: values[0] if values else "" for key, values in filled(dict(forms[0][1])).items()} if forms else {}
        )
        sent = {**fields, **{key.decode(): SimpleUploadedFile(name, content) for key in names}}
        body = encode_multipart(BOUNDARY, sent)
        attack.send("POST", forms[0][0] if forms else url, body, MULTIPART_CONTENT)


@pytest.mark.parametrize("name", PAGES)
def test_no_address_and_no_form_of_a_page_is_answered_by_an_error_of_ours(name, a_line, people, client_of):  # noqa: F811
    url = reverse(name, args=arguments(name, a_line)) + QUERIES.get(name, "")
    dice = chance(name)
    opens = [who for who in NAMES if ACCESS[name][who] in (200, 405)]
    others = [who for who in NAMES if who not in opens]
    chosen = NAMES if LONG else [*dice.sample(opens, min(1, len(opens))), *dice.sample(others, min(1, len(others)))]
    failed = []
    for who in chosen:
        attack = Attack(Client() if who == "nobody" else client_of(people[who]))
        answer = attack_page(attack, url, who, chance(name, who), who in opens)
        if who in opens and answer.status_code == 200 and b'type="file"' in getattr(answer, "content", b""):
            attack_with_files(attack, answer, url, chance(name, who, "files"))
        failed += [f"{who}: {line}" for line in attack.failed]
    assert failed == []
