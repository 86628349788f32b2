"""Messages: one subject line, two bodies, links that work from a mailbox."""

import pytest
from django.core import mail

from finops_site.mail.emails import absolute_url, make_message

# Whose language it is in, the builder asks.
pytestmark = pytest.mark.django_db


@pytest.fixture
def templates(settings, tmp_path):
    folder = tmp_path / "emails"
    folder.mkdir()
    (folder / "late-subject.txt").write_text("{{ team }} is\nover its budget\n")
    (folder / "late-body.txt").write_text("{{ team }}: {{ site_url }}/budgets/1/")
    (folder / "late-body.html").write_text("<h1>{{ subject }}</h1><p>{{ team }}</p><a href='{{ site_url }}/'>open</a>")
    settings.SITE_URL = "https://finops.example/"
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path, *settings.TEMPLATES[0]["DIRS"]]}]


def test_a_message_has_text_and_html_and_is_marked_as_sent_by_a_machine(templates):
    message = make_message("late", "lea@demo.example", {"team": "Fay & Co"})
    message.send()
    sent = mail.outbox[0].message()
    assert sent["Subject"] == "Fay & Co is over its budget"
    assert sent["Auto-Submitted"] == "auto-generated"
    assert message.body == "Fay & Co: https://finops.example/budgets/1/"
    html, kind = message.alternatives[0]
    assert kind == "text/html"
    assert "Fay &amp; Co" in html


def test_nothing_in_a_name_becomes_a_header(templates):
    message = make_message("late", ["lea@demo.example"], {"team": "x\r\nBcc: evil@example.com\u2028y"})
    assert "\n" not in message.subject
    assert message.message()["Bcc"] is None
    assert message.recipients() == ["lea@demo.example"]


def test_markup_in_a_name_stays_text(templates):
    message = make_message("late", "lea@demo.example", {"team": "<script>alert(1)</script>"})
    assert "<script>" not in message.alternatives[0][0]


def test_an_absolute_url_has_one_slash(settings):
    settings.SITE_URL = "https://finops.example/"
    assert absolute_url("/budgets/1/") == "https://finops.example/budgets/1/"
