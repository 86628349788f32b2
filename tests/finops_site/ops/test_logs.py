"""A line of the log says which request and which task it belongs to, and never who somebody is or what opens a door."""

import io
import json
import logging
import re
from types import SimpleNamespace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from finops_site.lib import log_lines
from finops_site.ops import observers, task_log
from finops_site.tasks import watch_queues
from tests import bills
from tests.people import person

PASSWORD = "correct-horse-battery"


@pytest.fixture
def lines():
    """Every line that is logged from here on, as programs read it."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(log_lines.JsonLines())
    root, requests = logging.getLogger(), logging.getLogger("finops.requests")
    levels = root.level, requests.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    root.removeHandler(handler)
    root.setLevel(levels[0])


@pytest.mark.django_db
def test_nothing_secret_and_nobody_stands_in_the_log_of_a_sign_in_an_upload_and_a_token(lines, client):
    fay = person("fay")
    fay.set_password(PASSWORD)
    fay.save()
    client.post("/accounts/login/", {"login": fay.email, "password": "wrong-password-1"})
    assert client.post("/accounts/login/", {"login": fay.email, "password": PASSWORD}).status_code == 302
    bill = SimpleUploadedFile("bill.csv", bills.focus_csv([{"BilledCost": "98765.43"}]))
    client.post("/deliveries/add/", {"files": bill, "source": "Northwind"})
    page = client.post("/token/", {"name": "nightly script", "scope": "read", "days": "30"})
    token = page.context["fresh"]
    assert client.get("/api/v1/teams/", HTTP_AUTHORIZATION=f"Token {token}").status_code == 200
    client.get("/costs/", {"q": fay.email})
    logging.getLogger("any").error("mail to %s by smtp://fay:%s@mail failed, token=%s", fay.email, PASSWORD, token)
    try:
        raise ValueError(f"Key (email)=({fay.email}) exists, Authorization: Token {token}")
    except ValueError:
        logging.getLogger("any").exception("odd")
    text = json.dumps(lines(), ensure_ascii=False)
    session = client.session.session_key
    for secret in (fay.email, fay.name, PASSWORD, "wrong-password-1", token, session, "98765.43"):
        assert secret not in text, secret
    assert '"view": "account_login"' in text
    assert f'"person": {fay.pk}' in text


@pytest.mark.django_db
def test_a_request_has_one_id_in_every_line_and_in_the_answer(lines, client):
    answer = client.get("/healthz", HTTP_X_REQUEST_ID="from-the-proxy.42")
    assert answer["X-Request-Id"] == "from-the-proxy.42"
    (line,) = [line for line in lines() if line["logger"] == "finops.requests"]
    assert (line["request_id"], line["view"], line["status"]) == ("from-the-proxy.42", "healthz", 200)
    for odd in ("short", "x" * 65, "with space here", "line\nbreak12", "<script>alert"):
        made = client.get("/healthz", HTTP_X_REQUEST_ID=odd)["X-Request-Id"]
        assert re.fullmatch(r"[0-9a-f]{32}", made), odd
    assert log_lines.request_id.get() == "", "nothing of it is left for the next"


@pytest.mark.django_db
def test_a_task_writes_with_its_own_id_and_that_of_the_request_which_queued_it(lines):
    headers = {}
    token = log_lines.request_id.set("of-the-request-1")
    task_log.name_request(headers=headers)
    log_lines.request_id.reset(token)
    request = SimpleNamespace(headers=headers, is_eager=True)
    task = SimpleNamespace(name="finops_site.tasks.watch_queues", request=request)
    task_log.begin(task_id="t-1", task=task)
    logging.getLogger("celery.app.trace").error("Task failed")
    task_log.end(task_id="t-1", task=task, state="FAILURE")
    logging.getLogger("celery.worker").warning("idle")
    failed, idle = (line for line in lines() if line["logger"].startswith("celery"))
    assert (failed["task_id"], failed["task"], failed["request_id"]) == ("t-1", task.name, "of-the-request-1")
    assert "task_id" not in idle
    watch_queues.apply()
    assert log_lines.task_id.get() == ""


def test_an_event_that_leaves_is_scrubbed_as_the_log_is():
    event = {
        "user": {"email": "fay@demo.example"},
        "request": {"method": "POST", "cookies": {"sessionid": "abc"}, "data": {"password": PASSWORD}},
        "extra": {"api_key": "k-123456", "note": "asked by fay@demo.example"},
    }
    clean = observers.scrub_event(event)
    assert clean["request"] == {"method": "POST"}
    assert clean["extra"] == {"api_key": "[…]", "note": "asked by […]"}
    assert "user" not in clean


def test_sentry_is_started_once_where_it_is_installed_and_missed_in_words_where_not(settings, monkeypatch):
    settings.FINOPS_SENTRY_DSN = "https://key@sentry.strand.example/1"
    monkeypatch.setattr(observers, "_is_here", lambda package: False)
    assert observers.missing_packages() == [("FINOPS_SENTRY_DSN", "sentry_sdk")]
    started = []
    sentry = SimpleNamespace(init=lambda **options: started.append(options))
    monkeypatch.setattr(observers, "_is_here", lambda package: True)
    monkeypatch.setattr(observers, "_watched", set())
    monkeypatch.setattr(observers.importlib, "import_module", lambda name: sentry)
    observers.watch_process()
    observers.watch_process()
    (options,) = started
    assert (options["dsn"], options["send_default_pii"]) == (settings.FINOPS_SENTRY_DSN, False)


@pytest.mark.django_db
def test_who_is_refused_stands_in_the_log(lines, client):
    lea = person("lea")
    client.force_login(lea, backend="finops_site.people.backends.RoleBackend")
    assert client.get("/audit/").status_code == 403
    assert client.get("/api/v1/me/", headers={"Authorization": "Token nobody-made-this"}).status_code == 401
    refused = [(line["view"], line["status"], line.get("person")) for line in lines() if "refused" in line["message"]]
    assert refused == [("audit", 403, lea.pk), ("api:me", 401, None)]
